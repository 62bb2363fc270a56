//! Shell scripts, of which a good part of the way to the clouds consists.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{files, has_extension, must, tool};

#[test]
fn shellcheck_finds_no_fault() {
    let is_script = |path: &PathBuf| {
        has_extension(path, &["sh"])
            || path.extension().is_none()
                && fs::read(path)
                    .is_ok_and(|content| content.starts_with(b"#!/bin/bash") || content.starts_with(b"#!/bin/sh"))
    };
    let scripts: Vec<PathBuf> = files().into_iter().filter(is_script).collect();
    assert!(scripts.len() > 10, "{scripts:?}");
    must(Command::new(tool("shellcheck")).args(scripts));
}
