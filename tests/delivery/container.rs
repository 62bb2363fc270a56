//! The ways to run the service on one machine: the file for Compose and the unit for systemd, with the documents about them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use py_executor::config::{Config, Platform};
use serde_json::{Value, json};

use super::{must, packages, project, python, tool};
use crate::support::{Directory, Server};

const COMPOSE: &str = "deploy/compose.yaml";

const UNIT: &str = "deploy/py-executor.service";

fn compose() -> Value {
    let mut reader = python();
    let read = must(reader.arg("tests/delivery/kubernetes.py").arg(packages()).args(["json", COMPOSE]));
    serde_json::from_str(&read).expect("it is JSON")
}

fn text(file: &str) -> String {
    fs::read_to_string(project().join(file)).expect("it is text")
}

/// The commands of a document, in its blocks for a shell.
fn commands(document: &str) -> Vec<String> {
    let text = text(document);
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
    blocks
        .map(|block| block.replace("\\\n", " "))
        .flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The values of a directive of the unit.
fn unit(name: &str) -> Vec<String> {
    let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned());
    text(UNIT).lines().filter_map(value).collect()
}

/// Lists the faults that systemd finds in a unit. It only warns of a word that it does not know, and goes on without.
fn faults(unit: &str) -> Vec<String> {
    let directory = Directory::new("unit");
    let file = directory.write("some.service", unit);
    let mut command = Command::new("systemd-analyze");
    let output = command.arg("verify").arg(&file).output().expect("systemd-analyze starts (package systemd)");
    // It looks at units of the host that this one needs, too, and they are none of ours.
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    said.lines().filter(|line| line.contains("some.service")).map(str::to_owned).collect()
}

/// A number in front of its unit.
fn number(value: &Value, unit: &str) -> u64 {
    let text = value.as_str().and_then(|text| text.strip_suffix(unit));
    text.unwrap_or_else(|| panic!("{value} is not in {unit}")).parse().expect("a number")
}

#[test]
fn the_compose_file_is_as_the_specification_wants_it() {
    let check = |file: &Path| {
        let mut command = Command::new(tool("check-jsonschema"));
        command.args(["--builtin-schema", "vendor.compose-spec"]).arg(file).output().expect("it starts")
    };
    let file = project().join(COMPOSE);
    let output = check(&file);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let text = text(COMPOSE);
    let directory = Directory::new("compose");
    for (right, wrong) in [("read_only: true", "readonly: true"), ("pids_limit: 1024", "pids_limit: [1024]")] {
        assert!(text.contains(right), "{right}");
        assert!(!check(&directory.write("wrong.yaml", &text.replace(right, wrong))).status.success(), "{wrong}");
    }
}

#[test]
fn compose_locks_the_service_down_and_gives_it_room() {
    let compose = compose();
    let service = &compose["services"]["py-executor"];
    for (name, expected) in [
        ("user", json!("65532:65532")),
        ("read_only", json!(true)),
        ("cap_drop", json!(["ALL"])),
        ("security_opt", json!(["no-new-privileges:true"])),
        ("secrets", json!(["api-keys"])),
    ] {
        assert_eq!(service[name], expected, "{name}");
    }
    for name in ["privileged", "cap_add", "network_mode", "pid", "ipc", "volumes", "devices"] {
        assert!(service.get(name).is_none(), "{name}");
    }
    let ports = service["ports"].as_array().expect("a list");
    assert!(ports.iter().all(|port| port.as_str().is_some_and(|port| port.starts_with("127.0.0.1:"))), "{ports:?}");

    let listed = service["environment"].as_object().expect("there are some");
    let variables = listed.iter().map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()));
    let config = Config::from_variables(variables, Platform::Linux).expect("the settings are right");
    let (concurrency, policy) = (config.concurrency as u64, config.policy);
    let script = (policy.memory_bytes + policy.scratch_bytes) >> 20;
    for name in ["mem_limit", "memswap_limit"] {
        assert_eq!(number(&service[name], "m"), (concurrency + 1) * script + 640, "{name}");
    }
    assert_eq!(service["cpus"], concurrency);
    let scratch = format!("size={}m", (concurrency + 2) * (policy.scratch_bytes >> 20));
    assert!(service["tmpfs"][0].as_str().is_some_and(|tmpfs| tmpfs.contains(&scratch)), "{scratch}");
    assert!(service["pids_limit"].as_u64() >= Some((concurrency + 1) * policy.max_processes * 2));
    let stop = Duration::from_secs(number(&service["stop_grace_period"], "s"));
    assert!(config.grace > config.timeout && stop > config.grace, "{stop:?}");
    assert_eq!(config.access.keys_file.as_deref(), Some("/run/secrets/api-keys".as_ref()));
}

#[test]
fn the_unit_locks_the_service_down() {
    for (name, expected) in [
        ("DynamicUser", "yes"),
        ("CapabilityBoundingSet", ""),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("DevicePolicy", "closed"),
        ("RestrictSUIDSGID", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("SystemCallArchitectures", "native"),
        ("SystemCallErrorNumber", "EPERM"),
        ("MemorySwapMax", "0"),
        ("Delegate", "memory pids"),
    ] {
        assert_eq!(unit(name), [expected], "{name}");
    }
    for name in ["MemoryMax", "TasksMax", "SystemCallFilter"] {
        assert_eq!(unit(name).len(), 1, "{name}");
    }
    // These would take from the service what it makes its sandbox of.
    for name in [
        "RestrictNamespaces",
        "ProtectProc",
        "ProcSubset",
        "ProtectKernelTunables",
        "ProtectKernelLogs",
        "ProtectControlGroups",
    ] {
        assert!(unit(name).is_empty(), "{name}");
    }
    let listed = unit("Environment").join(" ");
    let variables = listed.split(' ').map(|word| word.split_once('=').expect("a name and a value"));
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::from_variables(variables, Platform::Linux).expect("the settings are right");
    let stop = Duration::from_secs(unit("TimeoutStopSec")[0].parse().expect("seconds"));
    assert!(config.grace > config.timeout && stop > config.grace, "{stop:?}");
    assert!(config.host.is_loopback(), "{}", config.host);
}

#[test]
fn systemd_understands_the_unit() {
    // The program is where an installation has it.
    let (installed, present) = (unit("ExecStart").remove(0), env!("CARGO_BIN_EXE_py-executor-server"));
    let unit = text(UNIT).replace(&format!("ExecStart={installed}"), &format!("ExecStart={present}"));
    assert_eq!(faults(&unit), [""; 0]);
    for (right, wrong) in [
        ("ProtectSystem=strict", "ProtectSytem=strict"),
        ("SystemCallFilter=~@clock", "SystemCallFilter=~@clok"),
        ("MemoryMax=80%", "MemoryMax=80%%"),
        ("Delegate=memory pids", "Delegate=memory pid"),
        ("OOMPolicy=continue", "OOMPolicy=continu"),
    ] {
        assert!(unit.contains(right), "{right}");
        assert!(!faults(&unit.replace(right, wrong)).is_empty(), "systemd takes {wrong}");
    }
}

/// As an administrator installs it, but below a directory.
#[tokio::test]
async fn the_documents_commands_install_the_service() {
    let root = Directory::within(Path::new(env!("CARGO_TARGET_TMPDIR")), "installed");
    let below = |path: &str| root.path().join(path);
    for place in ["usr/local/bin", "usr/local/lib", "etc/systemd/system"] {
        fs::create_dir_all(below(place)).expect("it is ours");
    }
    let all = commands("docs/deploy/systemd.md");
    let installing =
        all.iter().filter(|line| line.starts_with("install ") || line.starts_with("cp ")).collect::<Vec<_>>();
    assert_eq!(installing.len(), 3, "{all:?}");
    for line in installing {
        let line = line.replace(" /", &format!(" {}/", root.path().display()));
        let line = line.replace("target/release/py-executor-server", env!("CARGO_BIN_EXE_py-executor-server"));
        must(Command::new("sh").args(["-c", &line]));
    }
    assert!(below("etc/systemd/system/py-executor.service").is_file());
    // The unit's own words for where all is.
    let program = unit("ExecStart").remove(0);
    let settings = unit("Environment").join(" ");
    let runtime = settings.split(' ').find_map(|word| word.strip_prefix("EXECUTOR_RUNTIME=")).expect("it is set");
    let mut command = Command::new(below(program.trim_start_matches('/')));
    command
        .env("EXECUTOR_RUNTIME", below(runtime.trim_start_matches('/')))
        .env("EXECUTOR_HOST", "127.0.0.1")
        .env("PORT", "0");
    Server::launch(command).is_well().await;
}

#[test]
fn the_document_runs_the_container_as_compose_does() {
    let compose = compose();
    let service = &compose["services"]["py-executor"];
    let all = commands("docs/deploy/container.md");
    let runs: Vec<&String> = all.iter().filter(|line| line.starts_with("docker run ")).collect();
    let [run] = runs[..] else { panic!("{all:?}") };
    let words: Vec<&str> = run.split_whitespace().collect();
    let value = |name: &str| {
        let at = words.iter().position(|word| *word == name).unwrap_or_else(|| panic!("{run}: no {name}"));
        words[at + 1].to_owned()
    };
    assert_eq!(
        (json!(value("--memory")), json!(value("--memory-swap"))),
        (service["mem_limit"].clone(), service["memswap_limit"].clone())
    );
    assert_eq!(value("--cpus"), service["cpus"].to_string());
    let concurrency = service["environment"]["EXECUTOR_CONCURRENCY"].as_str().expect("text");
    assert_eq!(value("--env"), format!("EXECUTOR_CONCURRENCY={concurrency}"));
    assert_eq!((value("--cap-drop"), value("--tmpfs")), ("ALL".to_owned(), "/tmp".to_owned()));
    assert_eq!(value("--security-opt"), "no-new-privileges");
    assert_eq!(value("--publish"), "127.0.0.1:8080:8080");
    assert!(words.contains(&"--read-only") && words.last() == Some(&"py-executor"), "{run}");
}
