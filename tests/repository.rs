//! The repository against itself: what the documents say and what the sources may do.

use std::collections::BTreeSet;
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

/// Pages of the repository's own documentation, by their paths.
fn pages() -> BTreeSet<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    let mut directories = vec![PathBuf::from("docs")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root.join(&directory)).expect("the directory exists") {
            let path = directory.join(entry.expect("it can be listed").file_name());
            if root.join(&path).is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.insert(path);
            }
        }
    }
    assert!(found.len() > 15, "{found:?}");
    let others = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "layer/README.md", "events/README.md"];
    found.extend(others.map(PathBuf::from));
    found
}

/// A page without its blocks of code.
fn prose(page: &str) -> String {
    page.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// Targets of a page's relative links: a path from the repository's root, and the heading if there is one.
fn links(path: &Path) -> Vec<(PathBuf, Option<String>)> {
    let page = prose(&read(path));
    let targets = page.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let relative = targets.filter(|target| !target.contains("://"));
    let link = |target: &str| {
        let (file, heading) = target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
        let file = if file.is_empty() { path.to_owned() } else { normal(&path.with_file_name(file)) };
        (file, heading.map(str::to_owned))
    };
    relative.map(link).collect()
}

/// A path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in path {
        if part == ".." {
            assert!(whole.pop(), "{} leads out of the repository", path.display());
        } else {
            whole.push(part);
        }
    }
    whole
}

/// The names by which links address a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    let anchor = |title: &str| title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-");
    let prose = prose(page);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
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
fn the_documents_table_of_settings_is_the_codes() {
    let document = read("docs/CONFIGURATION.md");
    let documented: Vec<&str> = document.lines().filter(|line| line.starts_with("| `EXECUTOR_")).collect();
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
fn the_documents_name_commands_of_the_makefile() {
    let makefile = read("Makefile");
    let word = |rest: &str| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect::<String>();
    let mut seen = 0;
    for path in pages() {
        let page = read(&path);
        let in_prose = page.split("`make ").skip(1);
        let in_blocks = page.split("\n```").skip(1).step_by(2).flat_map(|block| block.split("\nmake ").skip(1));
        for word in in_prose.chain(in_blocks).map(word).filter(|word| !word.is_empty()) {
            seen += 1;
            assert!(makefile.contains(&format!("\n{word}:")), "{} names `make {word}`", path.display());
        }
    }
    assert!(seen > 50, "{seen} commands");
}

#[test]
fn the_readme_is_a_landing_page() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 180, "README.md has {lines} lines: move details to a page in docs/");
}

#[test]
fn every_page_can_be_reached_from_the_index() {
    let pages = pages();
    let (mut reached, mut next) = (BTreeSet::new(), vec![PathBuf::from("docs/README.md")]);
    while let Some(page) = next.pop() {
        if pages.contains(&page) && reached.insert(page.clone()) {
            next.extend(links(&page).into_iter().map(|(target, _)| target).filter(|target| target.starts_with("docs")));
        }
    }
    let lost: Vec<_> = pages.iter().filter(|page| page.starts_with("docs") && !reached.contains(*page)).collect();
    assert!(lost.is_empty(), "no page that docs/README.md leads to links to {lost:?}");
}

#[test]
fn no_link_is_dead() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for page in pages() {
        for (target, heading) in links(&page) {
            seen += 1;
            assert!(root.join(&target).exists(), "{} links to {}", page.display(), target.display());
            if let Some(heading) = heading {
                let is_there = anchors(&read(&target)).contains(&heading);
                assert!(is_there, "{} links to {}#{heading}", page.display(), target.display());
            }
        }
    }
    assert!(seen > 50, "{seen} links");
}

#[test]
fn the_documents_name_files_that_exist() {
    const ROOTS: [&str; 7] = ["src/", "tests/", "docs/", "benches/", "layer/", "supply/", "fuzz/"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The changelog also names files of earlier versions.
    for page in pages().into_iter().filter(|page| page != Path::new("CHANGELOG.md")) {
        let prose = prose(&read(&page));
        let is_path =
            |code: &&str| ROOTS.iter().any(|root| code.starts_with(root)) && !code.contains([' ', '*', '<', '{', '\n']);
        for path in prose.split('`').skip(1).step_by(2).filter(is_path) {
            assert!(root.join(path).exists(), "{} names {path}", page.display());
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
