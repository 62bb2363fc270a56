//! What `make sbom` writes: every crate and every package, exactly once, with the hash of what was fetched.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::support::Directory;
use super::{ARCH, builder_python, built, must, project, read};

fn write_bills(into: &Path) {
    must(builder_python().arg("supply/sbom.py").arg(ARCH).arg(built()).arg(into));
}

/// What a bill says of a package: its URL without qualifiers, and its hash.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Entry {
    package: String,
    sha256: String,
}

fn entries(bill: &Path) -> Vec<Entry> {
    let bill: Value = serde_json::from_str(&read(bill)).expect("a bill is JSON");
    let components = bill["components"].as_array().expect("it has components");
    let mut entries: Vec<Entry> = components
        .iter()
        .map(|component| {
            let url = component["purl"].as_str().expect("each has a URL");
            let package = url.split('?').next().unwrap_or_default().replace("%2B", "+");
            let hashes = component["hashes"].as_array().expect("each has hashes");
            assert_eq!(hashes.len(), 1, "{package}");
            assert_eq!(hashes[0]["alg"], "SHA-256", "{package}");
            assert!(component["licenses"].as_array().is_some_and(|licences| !licences.is_empty()), "{package}");
            Entry { package, sha256: hashes[0]["content"].as_str().expect("a hash is text").to_owned() }
        })
        .collect();
    entries.sort();
    entries
}

/// The name, the version and, of what was fetched, the checksum of each package in Cargo.lock.
fn locked_crates() -> Vec<(String, Option<String>)> {
    let lock = read(&project().join("Cargo.lock"));
    let field = |package: &str, name: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    lock.split("[[package]]")
        .skip(1)
        .map(|package| {
            let name = field(package, "name").expect("it has a name");
            let version = field(package, "version").expect("it has a version");
            (format!("{name}@{version}"), field(package, "checksum"))
        })
        .collect()
}

#[test]
fn every_crate_of_the_binaries_is_in_the_bill_once_with_its_hash() {
    let directory = Directory::new("bills");
    write_bills(directory.path());
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let tree = must(
        Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}", "--target"])
            .arg(target)
            .current_dir(project()),
    );
    let built: BTreeSet<String> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some(format!("{}@{}", words.next()?, words.next()?.strip_prefix('v')?))
        })
        .collect();
    assert!(built.len() > 100, "{built:?}");
    let mut expected: Vec<Entry> = locked_crates()
        .into_iter()
        .filter(|(name, _)| built.contains(name))
        .filter_map(|(name, checksum)| Some(Entry { package: format!("pkg:cargo/{name}"), sha256: checksum? }))
        .collect();
    expected.sort();
    assert_eq!(expected.len(), built.len() - 1, "all but the service itself come from crates.io");
    assert_eq!(entries(&directory.path().join("py-executor.cdx.json")), expected);
}

/// Of `requirements.txt`: each package with the hashes that are allowed.
fn locked_wheels() -> Vec<(String, BTreeSet<String>)> {
    let mut wheels: Vec<(String, BTreeSet<String>)> = Vec::new();
    for line in read(&project().join("layer/requirements.txt")).lines() {
        let line = line.trim_end_matches('\\').trim_end();
        if let Some(hash) = line.strip_prefix("    --hash=sha256:") {
            wheels.last_mut().expect("a package stands before its hashes").1.insert(hash.to_owned());
        } else if let Some((name, version)) = line.split_once("==") {
            wheels.push((format!("pkg:pypi/{name}@{version}"), BTreeSet::new()));
        }
    }
    wheels
}

#[test]
fn every_package_of_the_layer_is_in_the_bill_once_with_its_hash() {
    let directory = Directory::new("bills");
    write_bills(directory.path());
    let entries = entries(&directory.path().join("layer.cdx.json"));
    let (debian, wheels): (Vec<_>, Vec<_>) =
        entries.iter().partition(|entry| entry.package.starts_with("pkg:deb/debian/"));

    let locked = locked_wheels();
    assert_eq!(wheels.len(), locked.len(), "{wheels:?}");
    for (wheel, (package, hashes)) in wheels.iter().zip(&locked) {
        assert_eq!(&wheel.package, package);
        assert!(hashes.contains(&wheel.sha256), "{wheel:?}");
    }

    let manifest: Value = serde_json::from_str(&read(&built().with_file_name("manifest.json"))).expect("it is JSON");
    let mut expected: Vec<Entry> = manifest["debian"]
        .as_array()
        .expect("it lists packages")
        .iter()
        .map(|package| {
            let word = |name: &str| package[name].as_str().expect("it is text").to_owned();
            Entry { package: format!("pkg:deb/debian/{}@{}", word("name"), word("version")), sha256: word("sha256") }
        })
        .collect();
    expected.sort();
    assert!(debian.iter().copied().eq(&expected), "{debian:?}\n{expected:?}");

    // Nothing is in the runtime that the manifest does not know.
    for owner in fs::read_dir(built().join("usr/share/doc")).expect("licences are in the runtime") {
        let name = owner.expect("it can be listed").file_name().into_string().expect("names are plain");
        let package = format!("pkg:deb/debian/{name}@");
        assert_eq!(debian.iter().filter(|entry| entry.package.starts_with(&package)).count(), 1, "{name}");
    }
}

#[test]
fn the_bills_are_the_same_each_time_and_right_by_the_schema() {
    let (first, second) = (Directory::new("bills"), Directory::new("bills"));
    for directory in [&first, &second] {
        write_bills(directory.path());
    }
    for name in ["py-executor.cdx.json", "layer.cdx.json"] {
        let bill = read(&first.path().join(name));
        assert_eq!(bill, read(&second.path().join(name)), "{name}");
        assert!(!bill.contains(env!("CARGO_MANIFEST_DIR")), "{name} names a directory of this machine");
        must(
            builder_python()
                .arg("tests/supply/validate.py")
                .arg(project().join("target/tools/python"))
                .arg(first.path().join(name)),
        );
    }
}
