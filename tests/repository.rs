//! The repository against itself: what the documents say and what the sources may do.

use std::fs;
use std::path::{Path, PathBuf};

use py_executor::config::SETTINGS;

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn sources() -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).expect("the directory exists") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    assert!(paths.len() > 20, "the sources were not found");
    let name = |path: &Path| path.strip_prefix(&root).expect("it is below").to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).expect("it is text"))).collect()
}

/// Fails for every source outside of `allowed` that contains one of `words`.
fn only_in(allowed: &[&str], words: &[&str]) {
    for (name, source) in sources() {
        if allowed.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        for word in words {
            assert!(!source.contains(word), "src/{name} has `{word}`, which belongs in {allowed:?}");
        }
    }
}

#[test]
fn the_readmes_table_of_settings_is_the_codes() {
    let readme = read("README.md");
    let documented: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `EXECUTOR_")).collect();
    let expected: Vec<String> = SETTINGS
        .iter()
        .map(|setting| {
            let default = match setting.default {
                "" => "none".to_owned(),
                words if words.contains(' ') => words.to_owned(),
                value => format!("`{value}`"),
            };
            format!("| `{}` | {default} | {} |", setting.name, setting.meaning)
        })
        .collect();
    assert_eq!(documented, expected);
}

#[test]
fn only_the_configuration_reads_the_environment() {
    // A zygote looks at what it was given, to see that it is none of the service's.
    only_in(&["config.rs", "process/mod.rs"], &["env::var", "env::set_var", "env::remove_var"]);
}

#[test]
fn only_http_knows_status_codes() {
    only_in(&["http/"], &["StatusCode"]);
}

#[test]
fn unsafe_code_is_where_the_architecture_says() {
    only_in(&["sys/", "process/"], &["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"]);
}

#[test]
fn the_makefiles_commands_are_those_that_the_readme_names() {
    let makefile = read("Makefile");
    for line in read("README.md").lines() {
        for (at, _) in line.match_indices("make ") {
            let before = line[..at].chars().next_back();
            let word: String = line[at + 5..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            if matches!(before, None | Some('`')) && !word.is_empty() {
                assert!(makefile.contains(&format!("\n{word}:")), "the README names `make {word}`");
            }
        }
    }
}

#[test]
fn every_test_is_run() {
    // Cargo finds tests by itself only where it is allowed to.
    let manifest = read("Cargo.toml");
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")).expect("it is there") {
        let name = entry.expect("it can be listed").file_name().into_string().expect("names are plain");
        let main = Path::new("tests").join(&name).join("main.rs");
        let is_source = Path::new(&name).extension().is_some_and(|extension| extension == "rs");
        let path = if is_source { format!("tests/{name}") } else { main.to_string_lossy().into_owned() };
        if Path::new(env!("CARGO_MANIFEST_DIR")).join(&path).is_file() {
            assert!(manifest.contains(&format!("path = {path:?}")), "{path} is in no section of Cargo.toml");
        }
    }
}
