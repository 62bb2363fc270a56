//! The container image: what is in it, what it says of itself, and that it is a service as Cloud Run wants one. All else that
//! holds on Cloud Run's first generation, the attacks among it, `tests/hosts` tries with the same image.

use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::{must, only, project};
use crate::support::emulator::free_address;
use crate::support::image::{Image, Settings};
use crate::support::{Directory, Server, dedent};

/// All below a directory, links not followed.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() && !path.is_symlink() {
                waiting.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("it can be read");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn there_is_nothing_in_it_but_the_program_and_the_runtime() {
    let image = Image::assemble();
    let root = image.root();
    assert_eq!(names(&root), ["dev", "etc", "lib", "lib64", "opt", "proc", "py-executor-server", "sys", "tmp"]);
    for empty in ["dev", "etc", "proc", "sys", "tmp"] {
        assert_eq!(names(&root.join(empty)), [""; 0], "{empty}");
    }
    assert_eq!(names(&root.join("opt")), ["runtime"]);
    let mut programs = Vec::new();
    for path in walk(&root) {
        let metadata = path.symlink_metadata().expect("it is there");
        let mode = metadata.permissions().mode();
        // Links have no mode of their own.
        if metadata.is_symlink() {
            let target = std::fs::read_link(&path).expect("it is a link");
            assert!(target.is_relative() && path.exists(), "{}", path.display());
            continue;
        }
        assert_eq!(mode & 0o6000, 0, "setuid: {}", path.display());
        let is_tmp = path == root.join("tmp");
        assert_eq!(mode & 0o7777 == 0o1777, is_tmp, "{}", path.display());
        assert!(is_tmp || mode & 0o022 == 0, "others may write to it: {}", path.display());
        let (uid, gid) = image.settings.user.expect("there is a user");
        assert!(metadata.uid() != uid && metadata.gid() != gid, "it is the service's: {}", path.display());
        // The loader starts programs, but only those that are there.
        let is_loader = names_begin_with(&path, "ld-linux");
        if metadata.is_file() && mode & 0o111 != 0 && !is_loader && is_program(&path) {
            programs.push(path.strip_prefix(&root).expect("it is below").to_owned());
        }
    }
    programs.sort();
    let expected = ["opt/runtime/usr/bin/python3.13", "py-executor-server"];
    assert_eq!(programs, expected.map(PathBuf::from), "a shell, a package manager, or whatever else");
}

fn names_begin_with(path: &Path, words: &str) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(words))
}

/// Whether it can be started: libraries name no loader (PT_INTERP), and there is nothing that scripts name as their program.
fn is_program(path: &Path) -> bool {
    let content = std::fs::read(path).expect("it can be read");
    content.starts_with(b"\x7fELF") && content[..content.len().min(4096)].windows(8).any(|word| word == b"ld-linux")
}

#[test]
fn it_is_assembled_the_same_way_each_time() {
    let listed = |image: &Image| -> Vec<(PathBuf, u32, u64)> {
        let root = image.root();
        let mut all: Vec<_> = walk(&root)
            .into_iter()
            .map(|path| {
                let metadata = path.symlink_metadata().expect("it is there");
                let length = if metadata.is_dir() { 0 } else { metadata.len() };
                (path.strip_prefix(&root).expect("it is below").to_owned(), metadata.mode(), length)
            })
            .collect();
        all.sort();
        all
    };
    let image = Image::assemble();
    // Whatever the mask of whoever does it.
    let other = image.root().with_file_name("other");
    let program = env!("CARGO_BIN_EXE_py-executor-server");
    let script = format!("umask 077 && exec deploy/image-root {program} target/layer/runtime {}", other.display());
    must(Command::new("sh").args(["-c", &script]));
    let again = Image::assemble();
    assert!(listed(&image) == listed(&again), "two images differ");
    assert_eq!(names(&image.root()), names(&other));
    let mode = |path: &Path| path.metadata().expect("it is there").mode();
    for name in names(&other).iter().map(String::as_str).chain(["", "opt/runtime"]) {
        assert_eq!(mode(&image.root().join(name)), mode(&other.join(name)), "{name}");
    }
}

#[test]
fn it_says_what_it_is() {
    let image = Image::assemble();
    let settings = &image.settings;
    assert_eq!(settings.user, Some((65532, 65532)));
    assert_eq!(
        settings.port.map(|port| port.to_string()).as_deref(),
        settings.variables.get("PORT").map(String::as_str)
    );
    for (name, value) in
        [("title", env!("CARGO_PKG_NAME")), ("version", env!("CARGO_PKG_VERSION")), ("licenses", "MIT")]
    {
        assert_eq!(settings.labels[&format!("org.opencontainers.image.{name}")], value);
    }
    let description = &settings.labels["org.opencontainers.image.description"];
    assert!(env!("CARGO_PKG_DESCRIPTION").starts_with(description.as_str()), "{description}");
}

#[test]
fn all_that_it_is_built_from_goes_to_the_engine() {
    let read = |name: &str| std::fs::read_to_string(project().join(name)).expect("it is there");
    let (dockerfile, sent) = (read("Dockerfile"), read(".dockerignore"));
    let copied =
        dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--"));
    let sources = copied.flat_map(|line| line.rsplit_once(' ').expect("sources and a target").0.split(' '));
    let sources: Vec<&str> = sources.collect();
    assert!(sources.len() > 4, "{sources:?}");
    for source in sources {
        assert!(sent.lines().any(|line| line.strip_prefix('!') == Some(source)), "{source} is not sent");
    }
}

#[test]
fn it_is_built_by_the_first_engine_that_works() {
    let directory = only(&["dirname", "readlink"]);
    let program = |name: &str, text: &str| {
        let path = directory.write(name, &format!("#!/bin/sh\n{text}\n"));
        must(Command::new("chmod").arg("755").arg(path));
    };
    let build = || {
        let mut command = Command::new(project().join("deploy/image"));
        let output = command.arg("some-name").env_clear().env("PATH", directory.path()).output().expect("it starts");
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (is_made, words) = build();
    assert!(!is_made && words.contains("this takes docker (with its daemon running), podman or buildah"), "{words}");
    program("buildah", "echo buildah $*");
    // A client whose daemon does not run.
    program("docker", "exit 1");
    assert_eq!(build(), (true, "buildah build --format docker --tag some-name .\n".to_owned()));
    program("podman", "echo podman $*");
    assert_eq!(build(), (true, "podman build --format docker --tag some-name .\n".to_owned()));
    program("docker", "echo docker $*");
    assert_eq!(build(), (true, "docker build --tag some-name .\n".to_owned()));
}

#[test]
fn the_last_stage_is_read_as_an_engine_would() {
    let dockerfile = "FROM a AS build\nRUN deploy/image-root target/release/py-executor-server \\\n    target/layer/runtime /image\n\
        FROM scratch\n# words\nCOPY --from=build /image/ /\nENV A=1 B=\"two words\"\nLABEL c=\"d\" \\\n  e=f\nUSER 1:2\n\
        HEALTHCHECK --interval=1s CMD [\"/x\", \"y\"]\nEXPOSE 8080\nENTRYPOINT [\"/x\"]\n";
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let expected = Settings {
        user: Some((1, 2)),
        variables: pairs(&[("A", "1"), ("B", "two words")]),
        entrypoint: vec!["/x".to_owned()],
        health: vec!["/x".to_owned(), "y".to_owned()],
        port: Some(8080),
        labels: pairs(&[("c", "d"), ("e", "f")]),
    };
    assert_eq!(Settings::read(dockerfile), expected);
    let odd = format!("{dockerfile}VOLUME /data\n");
    assert!(std::panic::catch_unwind(|| Settings::read(&odd)).is_err(), "an unknown instruction is understood");
}

/// The address of the service, as variables. Its port is the platform's choice.
fn variables(address: SocketAddr) -> [(&'static str, String); 2] {
    [("EXECUTOR_HOST", address.ip().to_string()), ("PORT", address.port().to_string())]
}

fn health(image: &Image) -> Output {
    image.exec(&image.settings.health).output().expect("runsc starts")
}

#[tokio::test]
async fn it_keeps_cloud_runs_contract() {
    let image = Image::assemble();
    let variables = variables(free_address());
    let mut server = Server::launch(image.command(&variables.each_ref().map(|(name, value)| (*name, value.as_str()))));
    // Health and the README's examples; the attacks are for tests/hosts.
    must(Command::new("deploy/smoke").arg(server.url("")).env("ATTACK", "true"));
    let output = health(&image);
    assert!(output.status.success(), "{output:?}\n{}", server.log());
    let log = server.log().text();
    assert!(log.contains(r#""severity":"INFO","message":"listening""#), "not as Cloud Logging reads it: {log}");

    // The platform's signal comes while a script runs: that one is answered.
    let script = "import time\ndef main():\n    print('begun')\n    time.sleep(2)\n    return 'answered'";
    let request = server.request(Method::POST, "/v1/run").header("accept", "text/event-stream");
    let mut answer = request.json(&json!({ "script": script })).send().await.expect("there is an answer");
    let mut text = String::new();
    while let Some(chunk) = answer.chunk().await.expect("it goes on") {
        let had_begun = text.contains("begun");
        text.push_str(&String::from_utf8_lossy(&chunk));
        if !had_begun && text.contains("begun") {
            image.signal("TERM");
        }
    }
    assert!(text.contains(r#""result":"answered""#), "{text}\n{}", server.log());
    let status = server.process_mut().wait(Duration::from_secs(10));
    assert!(status.success(), "{status:?}\n{}", server.log());
    assert!(!health(&image).status.success());
}

#[tokio::test]
async fn it_needs_nothing_writable_but_tmp_and_scripts_do_not_see_its_secrets() {
    let image = Image::assemble();
    let secrets = Directory::new("secrets");
    let key = "a key of the test's own";
    let digest = must(Command::new("sh").args(["-c", &format!("printf %s {key:?} | sha256sum | cut -d' ' -f1")]));
    secrets.write("api-keys", &format!("caller:{digest}"));
    let variables =
        [variables(free_address()).to_vec(), vec![("EXECUTOR_API_KEYS_FILE", "/secrets/api-keys".to_owned())]];
    let variables = variables.concat();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = Server::launch(image.locked_down_command(&variables, secrets.path()));
    let output = health(&image);
    assert!(output.status.success(), "{output:?}\n{}", server.log());

    let script = "
        import os

        def main():
            return [os.path.exists(path) for path in ('/secrets/api-keys', '/secrets', '/py-executor-server', '/opt', '/usr/bin')]
    ";
    let request = server.request(Method::POST, "/execute").json(&json!({ "script": dedent(script) }));
    let without_key = request.try_clone().expect("its body is text");
    assert_eq!(server.send(without_key).await.status, 401);
    let reply = server.send(request.header("x-api-key", key)).await;
    reply.succeeds("[false,false,false,false,true]", "");
}
