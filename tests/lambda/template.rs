//! The template with which the function is deployed.

use std::process::Command;

use crate::emulator::{project, tool};

#[test]
fn sam_finds_no_fault_in_the_template() {
    let mut sam = Command::new(tool("sam"));
    sam.args(["validate", "--lint", "--template-file", "template.yaml", "--region", "eu-central-1"]);
    let output = sam.current_dir(project()).output().expect("sam can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}
