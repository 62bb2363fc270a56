//! What the service is made of: that the dependencies are allowed.

use std::path::Path;
use std::process::Command;

#[test]
fn the_dependencies_are_allowed() {
    // What needs no database of advisories; `make audit` has the rest.
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(project.join("target/tools/bin/cargo-deny").is_file(), "there are no tools: run `make tools` first");
    let output = Command::new(project.join("supply/audit")).arg("rules").output().expect("it can be run");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}
