//! No files but the read-only runtime and an empty scratch directory.

use std::path::Path;

use serde_json::{Value, json};

use super::{achieves_nothing, program, run};
use crate::support::process::named;
use crate::support::{Directory, Server, runtime, unique, until};

#[tokio::test]
async fn files_of_the_machine_cannot_be_read() {
    let directory = Directory::new("canary");
    let canary = directory.write("canary.txt", "nobody reads this");
    let inputs = json!({ "canary": canary });
    achieves_nothing(Server::shared(), program!("fs_read"), inputs).await;
}

#[tokio::test]
async fn files_of_the_service_cannot_be_found() {
    let directory = Directory::new("service");
    let secret = directory.write("service-secret.env", "API_KEY=1");
    let mut command = crate::support::server::command(&[("EXECUTOR_PRELOAD", "")]);
    command.current_dir(directory.path());
    let server = Server::launch(command);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let binary = env!("CARGO_BIN_EXE_py-executor-server");
    let resolved = runtime().canonicalize().expect("it exists");
    let inputs = json!({
        "paths": [
            binary, directory.path(), secret, manifest, manifest.join("Cargo.toml"), manifest.join("src"),
            runtime(), resolved, format!("/proc/{}/exe", server.process().id()),
            format!("/proc/{}/cwd/service-secret.env", server.process().id()),
        ],
        "names": ["service-secret.env", "py-executor-server", "Cargo.toml"],
    });
    achieves_nothing(&server, program!("fs_service_files"), inputs).await;
}

#[tokio::test]
async fn nothing_outside_the_scratch_space_can_be_changed() {
    achieves_nothing(Server::shared(), program!("fs_write_system"), json!({})).await;
}

#[tokio::test]
async fn the_runtime_cannot_be_changed() {
    achieves_nothing(Server::shared(), program!("fs_patch_runtime"), json!({})).await;
}

#[tokio::test]
async fn the_scratch_space_is_empty_at_first() {
    achieves_nothing(Server::shared(), program!("fs_scratch_empty"), json!({})).await;
}

#[tokio::test]
async fn what_one_script_leaves_no_other_finds() {
    let server = Server::shared();
    for _ in 0..3 {
        let reply = run(server, program!("fs_scratch_leave"), json!({ "name": "left" })).await;
        let left: Vec<String> = reply.returned();
        for place in [".", "/tmp", "/dev/shm"] {
            assert!(left.iter().any(|found| found == place), "{place} is writable\n{reply}");
        }
        achieves_nothing(server, program!("fs_scratch_empty"), json!({})).await;
    }
}

#[tokio::test]
async fn scripts_at_the_same_time_do_not_see_each_others_files() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_PRELOAD", "")]);
    let name = unique();
    let mark = |mark: &str| json!({ "mark": mark, "announce": name });
    let (first, second, ()) = tokio::join!(
        run(&server, program!("fs_sibling"), mark("first")),
        run(&server, program!("fs_sibling"), mark("second")),
        until("both run", || (named(&name).len() == 2).then_some(())),
    );
    assert_eq!(first.returned::<Vec<String>>(), ["mark-first"]);
    assert_eq!(second.returned::<Vec<String>>(), ["mark-second"]);
    server.is_well().await;
}

#[tokio::test]
async fn no_device_can_be_made_or_opened() {
    achieves_nothing(Server::shared(), program!("fs_devices"), json!({})).await;
}

#[tokio::test]
async fn harmless_devices_work() {
    let reply = run(Server::shared(), program!("fs_devices_twin"), json!({})).await;
    assert_eq!(reply.returned::<Value>(), json!(["000000", 16, true]), "{reply}");
}

#[tokio::test]
async fn nothing_leads_out_of_the_root() {
    let directory = Directory::new("outside");
    let canary = directory.write("canary.txt", "nobody reads this");
    let inputs = json!({ "canary": canary });
    achieves_nothing(Server::shared(), program!("fs_escape"), inputs).await;
}
