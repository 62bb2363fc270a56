//! `make verify-layer`: a runtime is what was built, or each difference is named.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::support::Directory;
use super::{builder_python, must, project, run, text};

const FILES: &str = "layer/steps/files.py";

fn verify(flags: &[&str], tree: &Path, list: &Path) -> (bool, String) {
    let output = run(Command::new(project().join("layer/verify")).args(flags).arg(tree).arg(list));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    (output.status.success(), text(&output.stdout))
}

/// A small tree of every kind of entry, and its list.
fn tree() -> (Directory, std::path::PathBuf) {
    let directory = Directory::new("tree");
    let tree = directory.path().join("tree");
    fs::create_dir_all(tree.join("lib")).expect("it can be made");
    for name in ["changed", "grown", "opened", "removed", "lib/with space"] {
        fs::write(tree.join(name), "abc").expect("it can be written");
    }
    symlink("lib", tree.join("alias")).expect("it can be linked");
    let list = must(builder_python().arg(FILES).arg("list").arg(&tree));
    let list = directory.write("list", &list);
    (directory, list)
}

#[test]
fn the_runtime_is_the_one_that_was_built() {
    must(&mut Command::new(project().join("layer/verify")));
}

#[test]
fn each_difference_is_named() {
    let (directory, list) = tree();
    let tree = directory.path().join("tree");
    let (same, _) = verify(&[], &tree, &list);
    assert!(same);

    fs::write(tree.join("changed"), "abd").expect("it can be written");
    fs::write(tree.join("grown"), "abcd").expect("it can be written");
    fs::set_permissions(tree.join("opened"), Permissions::from_mode(0o666)).expect("it can be changed");
    fs::remove_file(tree.join("removed")).expect("it can be removed");
    fs::write(tree.join("lib/added"), "").expect("it can be written");
    fs::remove_file(tree.join("alias")).expect("it can be removed");
    symlink("/etc", tree.join("alias")).expect("it can be linked");
    let (same, told) = verify(&[], &tree, &list);
    assert!(!same);
    let faults: Vec<&str> = told.lines().map(|line| line.split_once(" is ").map_or(line, |(what, _)| what)).collect();
    let expected = [
        "./alias: link",
        "./changed: sha256digest",
        "./grown: sha256digest",
        "./grown: size",
        "./lib/added: not in the list",
        "./opened: mode",
        "./removed: missing",
    ];
    assert_eq!(faults[..faults.len() - 1], expected, "{told}");
    assert!(told.contains(": 7 differences from "), "{told}");
}

#[test]
fn links_may_be_missing_where_that_is_said_and_never_lead_elsewhere() {
    let (directory, list) = tree();
    let tree = directory.path().join("tree");
    fs::remove_file(tree.join("alias")).expect("it can be removed");
    assert!(!verify(&[], &tree, &list).0);
    assert!(verify(&["--no-links"], &tree, &list).0);
    symlink("/etc", tree.join("alias")).expect("it can be linked");
    assert!(!verify(&["--no-links"], &tree, &list).0);
}

#[test]
fn many_differences_are_counted() {
    let (directory, list) = tree();
    let tree = directory.path().join("tree");
    for number in 0..100 {
        fs::write(tree.join(format!("new{number}")), "").expect("it can be written");
    }
    let (same, told) = verify(&[], &tree, &list);
    assert!(!same);
    assert_eq!(told.lines().count(), 42, "{told}");
    assert!(told.contains("and 60 more") && told.contains(": 100 differences from "), "{told}");
}
