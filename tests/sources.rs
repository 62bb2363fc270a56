//! The rules that the sources of `src/` keep: layers without cycles, and comments that name their subject.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Names of modules, each with those that it needs.
type Needs = BTreeMap<String, BTreeSet<String>>;

/// Words that leave the reader to look for the subject of a comment.
const RIDDLES: [&str; 14] = [
    "What", "How", "Whether", "Why", "Who", "Whoever", "Whatever", "Where", "When", "That", "Which", "Whose",
    "However", "Wherever",
];

/// Percentage of doc comments that may open with such a word. To be lowered with each file that is rewritten, to 5.
const MOST_RIDDLES: usize = 21;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Paths below `src`, with what is written there.
fn sources() -> Vec<(PathBuf, String)> {
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
    let mut paths = Vec::new();
    walk(&root(), &mut paths);
    assert!(paths.len() > 100, "the sources were not found");
    let below = |path: PathBuf| path.strip_prefix(root()).expect("it is below").to_owned();
    paths.into_iter().map(|path| (below(path.clone()), fs::read_to_string(&path).expect("it is text"))).collect()
}

/// The module of `src/lib.rs` that a file belongs to.
fn module(path: &Path) -> Option<String> {
    let first = path.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "bin"].contains(&name)).then(|| name.to_owned())
}

/// Modules whose paths are written in a source, but for its tests and comments.
fn needed(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or(source);
    let code: String = code.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join("\n");
    code.split("crate::").skip(1).flat_map(first_names).collect()
}

/// First names of a path after `crate::`: one, or those of a group in braces.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| text.trim_start().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut names, mut at) = (1_usize, vec![name(group)], 0);
    for character in group.chars() {
        at += character.len_utf8();
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(&group[at..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn needs() -> Needs {
    let mut needs = Needs::new();
    for (path, source) in sources() {
        if path.ends_with("tests.rs") {
            continue;
        }
        if let Some(module) = module(&path) {
            let others = needed(&source).into_iter().filter(|other| *other != module).collect::<Vec<_>>();
            needs.entry(module).or_default().extend(others);
        }
    }
    needs
}

/// All modules that one needs, and what those need.
fn reached(needs: &Needs, module: &str) -> BTreeSet<String> {
    let (mut found, mut next) = (BTreeSet::new(), vec![module.to_owned()]);
    while let Some(module) = next.pop() {
        for other in needs.get(&module).into_iter().flatten() {
            if found.insert(other.clone()) {
                next.push(other.clone());
            }
        }
    }
    found
}

#[test]
fn no_module_needs_itself() {
    let needs = needs();
    assert!(needs["http"].contains("executor") && needs["executor"].contains("sandbox"), "{needs:?}");
    for module in needs.keys() {
        let reached = reached(&needs, module);
        let back = needs[module].iter().filter(|other| self::reached(&needs, other).contains(module));
        assert!(!reached.contains(module), "{module} needs itself, by {:?}", back.collect::<Vec<_>>());
    }
}

#[test]
fn a_cycle_is_found() {
    let needs: Needs = [("a", "b"), ("b", "c"), ("c", "a")].map(|(a, b)| (a.into(), [b.into()].into())).into();
    assert!(reached(&needs, "a").contains("a"));
    assert_eq!(first_names("{config::{Config, host}, sys}; use crate"), ["config", "sys"]);
    assert_eq!(first_names("sandbox::usage::Used;"), ["sandbox"]);
}

#[test]
fn an_outcome_is_values_only() {
    let (_, outcome) = sources().into_iter().find(|(path, _)| path == Path::new("outcome.rs")).expect("it is there");
    for word in ["tokio", "utoipa", "axum"] {
        assert!(!outcome.contains(word), "outcome.rs has `{word}`");
    }
}

#[test]
fn comments_name_their_subject() {
    let (mut all, mut riddles) = (0, Vec::new());
    for (path, source) in sources() {
        let mut is_inside = false;
        for (number, line) in source.lines().enumerate() {
            let text = ["///", "//!"].into_iter().find_map(|mark| line.trim_start().strip_prefix(mark));
            if let (Some(text), false) = (text, is_inside) {
                all += 1;
                let first = text.split_whitespace().next().unwrap_or_default().trim_end_matches([',', ':', '.']);
                if RIDDLES.contains(&first) {
                    riddles.push(format!("src/{}:{}:{text}", path.display(), number + 1));
                }
            }
            is_inside = text.is_some();
        }
    }
    assert!(all > 1000, "{all} comments");
    let most = all * MOST_RIDDLES / 100;
    assert!(riddles.len() < most, "{} of {all}, {most} at most:\n{}", riddles.len(), riddles.join("\n"));
}
