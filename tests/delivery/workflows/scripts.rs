//! What the workflows run: the scripts in .github, and steps of their own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::install;
use super::super::support::Directory;
use super::stand::Stand;
use super::{jobs, must, project};

/// What a command says on standard error, which must fail.
fn fault(command: &mut Command) -> String {
    let output = command.current_dir(project()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(!output.status.success(), "{command:?} did not fail: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_runner_is_prepared() {
    let stand = Stand::new(&[("sudo", ""), ("sysctl", "[ ${STRICT:-1} = 1 ]")]);
    must(&mut stand.script("prepare"));
    let mut log = stand.log();
    assert_eq!(
        log.remove(1),
        "sudo apt-get install -qy --no-install-recommends curl debian-archive-keyring gcc gpgv make util-linux"
    );
    let restriction = "kernel.apparmor_restrict_unprivileged_userns";
    assert_eq!(
        log,
        ["sudo apt-get update -q".to_owned(), format!("sysctl {restriction}"), format!("sudo sysctl {restriction}=0")]
    );
    // Where the kernel knows no such restriction, there is none to lift.
    must(stand.script("prepare").env("STRICT", "0"));
    assert_eq!(stand.log().last(), Some(&format!("sysctl {restriction}")));
}

#[test]
fn what_runs_as_root_has_the_users_cargo() {
    // As sudo does, it leaves nothing of the environment.
    let stand = Stand::new(&[("sudo", "exec env -i PATH=/usr/bin:/bin HOME=/root SUDO_UID=1000 \"$@\"")]);
    let home = stand.directory.path().display().to_string();
    let mut command = stand.script("as-root");
    command.env_remove("CARGO_HOME").env_remove("RUSTUP_HOME");
    let told = must(command.args(["bash", "-c", "echo $CARGO_HOME $RUSTUP_HOME $SUDO_UID $(command -v sudo)"]));
    assert_eq!(told.trim(), format!("{home}/.cargo {home}/.rustup 1000 {home}/bin/sudo"));
}

#[test]
fn what_is_not_set_is_named() {
    let stand = Stand::new(&[]);
    must(stand.script("require").env("ONE", "1").arg("ONE"));
    let told = fault(stand.script("require").env("ONE", "1").env("TWO", "").args(["ONE", "TWO", "THREE"]));
    assert!(told.contains("not set: TWO THREE."), "{told}");
}

/// A copy of what the script `name` reads, at the place where it looks.
fn copy(name: &str, others: &[(&str, &str)]) -> (Directory, PathBuf) {
    let directory = Directory::new("copy");
    let script = directory.path().join(".github").join(name);
    install(&project().join(".github").join(name), &script);
    for (path, content) in others {
        fs::create_dir_all(directory.path().join(path).parent().expect("it is below"))
            .expect("a directory can be made");
        directory.write(path, content);
    }
    (directory, script)
}

#[test]
fn known_vulnerabilities_stop_a_deployment() {
    let bills = [("target/sbom/layer.cdx.json", "fixed"), ("target/sbom/py-executor.cdx.json", "")];
    let (directory, script) = copy("scan", &bills);
    // It fails for the bill that has the word in it.
    let stand = Stand::new(&[("grype", "! grep -q fixed \"${1#sbom:}\"")]);
    let told = |script: &Path| stand.command(script).arg("grype").output().expect("it starts").status.code();
    assert_eq!(told(&script), Some(1));
    let words = "--only-fixed --fail-on high";
    // The second one is looked at although the first one failed.
    let both = ["layer", "py-executor"].map(|name| format!("grype sbom:target/sbom/{name}.cdx.json {words}"));
    assert_eq!(stand.log(), both);
    directory.write("target/sbom/layer.cdx.json", "");
    assert_eq!(told(&script), Some(0));
    // No list is no proof.
    fs::remove_dir_all(directory.path().join("target/sbom")).expect("it is there");
    assert_eq!(told(&script), Some(1));
}

#[test]
fn a_releases_notes_are_its_section_of_the_changelog() {
    let version = env!("CARGO_PKG_VERSION");
    let notes = must(Command::new(project().join(".github/release-notes")).arg(format!("v{version}")));
    assert!(!notes.trim().is_empty() && !notes.contains("\n## "), "{notes}");

    let cargo = "[package]\nname = \"a\"\nversion = \"1.2.3\"\n[dependencies.b]\nversion = \"4.5.6\"\n";
    let changelog = "# Changelog\n\n## 1.2.30\n\n- Later.\n\n## [1.2.3] - 2026-01-31\n\n### Added\n\n- One.\n\n- Two.\n\n## 1.2.2\n\n- Before.\n";
    let (directory, script) = copy("release-notes", &[("Cargo.toml", cargo), ("CHANGELOG.md", changelog)]);
    let notes = |tag: &str| Command::new(&script).arg(tag).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&notes("v1.2.3").stdout), "### Added\n\n- One.\n\n- Two.\n");
    for tag in ["v1.2.2", "1.2.3", "v4.5.6", "v1.2.3-rc.1"] {
        let output = notes(tag);
        assert!(!output.status.success() && output.stdout.is_empty(), "{tag}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("version is 1.2.3"), "{tag}: {output:?}");
    }
    for (title, kept) in [("## [1.2.3]", "## 1.2.3\n\n## 1.2.2\n"), ("without a section", "# Changelog\n")] {
        directory.write("CHANGELOG.md", kept);
        let output = notes("v1.2.3");
        assert!(!output.status.success(), "{title}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("says nothing of 1.2.3"), "{title}: {output:?}");
    }
}

#[test]
fn images_are_pushed_as_one() {
    const DOCKER: &str = r#"case "$1 ${2:-} ${3:-}" in
        load*) echo "Loaded image: py-executor:release" ;;
        push*) echo "pushed" ;;
        "buildx imagetools inspect") echo sha256:0123 ;;
    esac"#;
    let images = Directory::new("images");
    for arch in ["arm64", "x86_64"] {
        images.write(&format!("{arch}.tar.gz"), "");
    }
    let push = |tag: &str| {
        let stand = Stand::new(&[("docker", DOCKER)]);
        let told = must(stand.script("push-images").args([tag, "ghcr.io/Some/Name"]).arg(images.path()));
        assert_eq!(told, "name=ghcr.io/some/name\ndigest=sha256:0123\n");
        stand.log()
    };
    let name = "ghcr.io/some/name";
    let log = push("v1.2.3");
    for arch in ["arm64", "x86_64"] {
        assert!(log.contains(&format!("docker tag py-executor:release {name}:1.2.3-{arch}")), "{log:?}");
        assert!(log.contains(&format!("docker push --quiet {name}:1.2.3-{arch}")), "{log:?}");
    }
    let create = "docker buildx imagetools create";
    let parts = format!("{name}:1.2.3-arm64 {name}:1.2.3-x86_64");
    assert!(log.contains(&format!("{create} --tag {name}:1.2.3 --tag {name}:latest {parts}")), "{log:?}");
    // What is not final is nobody's latest.
    assert!(!push("v2.0.0-rc.1").iter().any(|line| line.contains("latest")));
}

/// What a step of a job runs, as a script.
fn step(workflow: &str, job: &str, name: &str) -> String {
    let (_, job) = jobs(workflow).into_iter().find(|(found, _)| found == job).unwrap_or_else(|| panic!("no job {job}"));
    let steps = job["steps"].as_array().expect("it has steps").clone();
    let step = steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step {name}"));
    step["run"].as_str().expect("it runs something").to_owned()
}

/// GitHub's own way to run a step.
fn run_step(stand: &Stand, script: &str, variables: &[(&str, &str)]) -> std::process::Output {
    let script = stand.directory.write("step.sh", script);
    let mut bash = stand.command("bash");
    bash.args(["--noprofile", "--norc", "-eo", "pipefail"]).arg(script);
    bash.current_dir(stand.directory.path()).envs(variables.iter().copied()).output().expect("bash starts")
}

#[test]
fn what_is_on_no_default_branch_is_not_released() {
    let script = step("release", "version", "Is the commit on the default branch?");
    let variables = [("DEFAULT_BRANCH", "main"), ("GITHUB_REPOSITORY", "octo/tool"), ("GITHUB_SHA", "0123")];
    for (status, passes) in [("identical", true), ("behind", true), ("ahead", false), ("diverged", false), ("", false)]
    {
        let stand = Stand::new(&[("gh", &format!("echo {status}"))]);
        assert_eq!(run_step(&stand, &script, &variables).status.success(), passes, "{status}");
        assert_eq!(stand.log(), ["gh api repos/octo/tool/compare/main...0123 --jq .status"]);
    }
}

#[test]
fn a_release_has_all_that_was_built() {
    let script = step("release", "build", "Collect it");
    let stand = Stand::new(&[("docker", "[ -z \"${BROKEN:-}\" ] && echo image")]);
    let built = [
        "target/release/py-executor-server",
        "target/package/function-arm64.zip",
        "target/package/layer-arm64.zip",
        "target/sbom/layer.cdx.json",
        "target/sbom/py-executor.cdx.json",
    ];
    for path in built {
        fs::create_dir_all(stand.directory.path().join(path).parent().expect("it is below")).expect("it can be made");
        stand.directory.write(path, "content");
    }
    let output = run_step(&stand, &script, &[("ARCH", "arm64")]);
    assert!(output.status.success(), "{output:?}");
    let names = |directory: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(stand.directory.path().join(directory)).expect("it is there");
        entries.map(|entry| entry.expect("it can be listed").file_name().into_string().expect("it is plain")).collect()
    };
    let files = [
        "function-arm64.zip",
        "layer-arm64.cdx.json",
        "layer-arm64.zip",
        "py-executor-arm64.cdx.json",
        "py-executor-server-arm64",
    ];
    assert_eq!(names("target/release-files"), files.map(str::to_owned).into());
    assert_eq!(names("target/release-image"), ["arm64.tar.gz".to_owned()].into());
    // An image that cannot be saved is none.
    assert!(!run_step(&stand, &script, &[("ARCH", "arm64"), ("BROKEN", "1")]).status.success());
}

#[test]
fn a_release_is_made_with_its_notes_and_files() {
    let checksums = step("release", "publish", "Write their checksums");
    let script = step("release", "publish", "Make the release");
    for (tag, flags) in [("v1.2.3", ""), ("v1.2.3-rc.1", " --prerelease")] {
        let stand = Stand::new(&[("gh", "cat notes.md")]);
        fs::create_dir(stand.directory.path().join("files")).expect("it can be made");
        for name in ["a.zip", "b.zip"] {
            stand.directory.write(&format!("files/{name}"), name);
        }
        let notes = stand.directory.write("notes", "#!/bin/bash\necho \"notes of $1\"\n");
        install(&notes, &stand.directory.path().join(".github/release-notes"));
        assert!(run_step(&stand, &format!("cd files\n{checksums}"), &[]).status.success());
        let output = run_step(&stand, &script, &[("GITHUB_REF_NAME", tag)]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("notes of {tag}\n"), "{output:?}");
        let files = "files/SHA256SUMS files/a.zip files/b.zip";
        let words = format!("gh release create {tag} --verify-tag --title {tag} --notes-file notes.md{flags} {files}");
        assert_eq!(stand.log(), [words]);
        must(
            Command::new("bash")
                .arg("-c")
                .arg("cd \"$0\" && sha256sum --check SHA256SUMS")
                .arg(stand.directory.path().join("files")),
        );
    }
}

#[test]
fn what_was_pushed_is_what_is_deployed() {
    let script = step("deploy", "cloud-run", "Deploy it by its digest");
    let image = "europe-west1-docker.pkg.dev/project/py-executor/py-executor";
    let make = "[ -n \"$ATTACK\" ]";
    let stand = Stand::new(&[("docker", &format!("echo {image}@sha256:0123")), ("make", make), ("chmod", "")]);
    let tagged = format!("{image}:4567");
    let variables =
        [("IMAGE", &*tagged), ("PROJECT", "project"), ("REGION", "europe-west1"), ("SERVICE", "py-executor")];
    let output = run_step(&stand, &script, &variables);
    assert!(output.status.success(), "{output:?}");
    let words = format!("IMAGE={image}@sha256:0123 PROJECT=project REGION=europe-west1 SERVICE=py-executor");
    assert_eq!(stand.log().last(), Some(&format!("make deploy-cloudrun {words}")));
}

#[test]
fn an_image_has_the_runtime_that_was_scanned() {
    let (directory, script) = copy("same-runtime", &[("tree/opt/runtime/file", "content")]);
    let tree = directory.path().join("tree").display().to_string();
    let docker = format!("case $1 in create) echo 0123 ;; export) [ \"$2\" = 0123 ] && tar -c -C {tree} opt ;; esac");
    let stand = Stand::new(&[("docker", &docker), ("make", "test -f \"${2#VERIFY_FLAGS=}/file\"")]);
    must(stand.command(script).arg("py-executor:deployed"));
    let log = stand.log();
    assert_eq!(log[0], "docker create py-executor:deployed");
    assert_eq!(log.last().map(String::as_str), Some("make verify-layer VERIFY_FLAGS=target/image-runtime/opt/runtime"));
}
