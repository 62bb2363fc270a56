//! The workflows of GitHub Actions: what the linters say, and what they call. The scripts and commands beside them run here
//! with stand-ins, which only note what they are asked.

mod scripts;
mod stand;
mod trust;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::support::Directory;
use super::{files, has_extension, must, packages, project, python, tool};

fn read(path: impl AsRef<Path>) -> String {
    let path = project().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of .github that are YAML: the workflows, the actions, and what Dependabot does.
fn described() -> Vec<PathBuf> {
    let github = project().join(".github");
    let found: Vec<PathBuf> =
        files().into_iter().filter(|path| path.starts_with(&github) && has_extension(path, &["yml", "yaml"])).collect();
    assert!(found.len() > 4, "{found:?}");
    found
}

fn below<'a>(paths: &'a [PathBuf], directory: &str) -> Vec<&'a PathBuf> {
    let directory = project().join(directory);
    let found: Vec<&PathBuf> = paths.iter().filter(|path| path.starts_with(&directory)).collect();
    assert!(!found.is_empty(), "there is nothing in {}", directory.display());
    found
}

/// YAML as it is today, in which `on` is a word.
fn yaml(path: impl AsRef<Path>) -> Value {
    const SCRIPT: &str = "import json, sys; sys.path.insert(0, sys.argv[1]); from ruamel.yaml import YAML; \
        print(json.dumps(YAML(typ='safe', pure=True).load(open(sys.argv[2]))))";
    let mut python = python();
    serde_json::from_str(&must(python.args(["-c", SCRIPT]).arg(packages()).arg(path.as_ref()))).expect("it is JSON")
}

/// The jobs of a workflow, with their names.
fn jobs(workflow: &str) -> Vec<(String, Value)> {
    let workflow = yaml(format!(".github/workflows/{workflow}.yml"));
    let jobs = workflow["jobs"].as_object().expect("a workflow has jobs").clone();
    jobs.into_iter().collect()
}

/// All steps of the workflows and the actions.
fn steps() -> Vec<Value> {
    let mut steps = Vec::new();
    for path in described() {
        let content = yaml(&path);
        let runs = content["jobs"].as_object().into_iter().flat_map(|jobs| jobs.values()).chain([&content["runs"]]);
        steps.extend(runs.filter_map(|job| job["steps"].as_array()).flatten().cloned());
    }
    assert!(steps.len() > 20, "{steps:?}");
    steps
}

#[test]
fn zizmor_finds_no_fault() {
    // The auditor is the strictest of its personas.
    must(Command::new(tool("zizmor")).args([
        "--offline",
        "--persona=auditor",
        "--strict-collection",
        "--no-progress",
        ".",
    ]));
}

#[test]
fn actionlint_finds_no_fault() {
    let mut actionlint = Command::new(tool("actionlint"));
    actionlint.arg("-shellcheck").arg(tool("shellcheck"));
    must(actionlint.args(below(&described(), ".github/workflows")));
}

#[test]
fn actionlint_finds_faults() {
    let directory = Directory::new("actionlint");
    let lint = |run: &str| {
        let workflow = format!("on: push\njobs:\n  job:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: {run}\n");
        let path = directory.write("workflow.yml", &workflow);
        let mut actionlint = Command::new(tool("actionlint"));
        actionlint.args(["-no-color", "-shellcheck"]).arg(tool("shellcheck")).arg(path);
        let output = actionlint.output().expect("it starts");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(lint("echo hello"), (true, String::new()));
    for (run, fault) in [("echo ${{ github.no_such_thing }}", "no_such_thing"), ("echo $HOME", "SC2086")] {
        let (passed, told) = lint(run);
        assert!(!passed && told.contains(fault), "{run}: {told}");
    }
}

#[test]
fn each_file_is_what_its_schema_says() {
    let described = described();
    let check = |schema: &str, paths: Vec<&PathBuf>| {
        must(Command::new(tool("check-jsonschema")).args(["--builtin-schema", schema]).args(paths));
    };
    check("vendor.github-workflows", below(&described, ".github/workflows"));
    check("vendor.github-actions", below(&described, ".github/actions"));
    check("vendor.dependabot", below(&described, ".github/dependabot.yml"));
}

#[test]
fn each_action_is_pinned_by_its_commit_with_its_version_beside_it() {
    let mut pins = BTreeSet::new();
    for path in described() {
        for line in fs::read_to_string(&path).expect("it is text").lines() {
            let Some((_, used)) = line.split_once("uses: ") else { continue };
            // What starts with $/ is this repository's, at the commit that runs.
            if used.starts_with("$/") {
                continue;
            }
            let (action, version) = used.split_once(" # ").unwrap_or_else(|| panic!("{line}: no version"));
            let (name, commit) = action.split_once('@').unwrap_or_else(|| panic!("{line}: no commit"));
            assert!(commit.len() == 40 && commit.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{line}");
            let numbers = version.strip_prefix('v').unwrap_or_else(|| panic!("{line}: no version"));
            assert!(
                numbers.split('.').count() == 3 && numbers.split('.').all(|part| part.parse::<u32>().is_ok()),
                "{line}"
            );
            pins.insert((name.to_owned(), action.to_owned(), version.to_owned()));
        }
    }
    let actions: BTreeSet<&String> = pins.iter().map(|(name, ..)| name).collect();
    assert_eq!(actions.len(), pins.len(), "an action is used in two versions: {pins:?}");
    assert!(actions.len() > 3, "{actions:?}");
}

#[test]
fn what_the_workflows_call_is_there() {
    let makefile = read("Makefile");
    let mut targets = BTreeSet::new();
    for step in steps() {
        for line in step["run"].as_str().unwrap_or_default().lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            for (at, word) in words.iter().enumerate() {
                if *word == "make" && words[..at].iter().all(|before| before.starts_with(".github/")) {
                    targets.insert(words[at + 1].to_owned());
                }
                if word.starts_with(".github/") {
                    assert!(project().join(word).is_file(), "{line}: there is no {word}");
                }
            }
        }
    }
    assert!(targets.len() > 7, "{targets:?}");
    for target in targets {
        assert!(makefile.contains(&format!("\n{target}:")), "a workflow calls `make {target}`");
    }
}

#[test]
fn each_job_ends_and_has_no_more_rights_than_it_says() {
    for path in below(&described(), ".github/workflows") {
        let workflow = yaml(path);
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{}", path.display());
        for (name, job) in workflow["jobs"].as_object().expect("it has jobs") {
            assert!(job["permissions"].is_object(), "{}: {name}", path.display());
            // One that calls another workflow has the limits of that one's.
            assert!(job["uses"].is_string() || job["timeout-minutes"].is_u64(), "{}: {name}", path.display());
        }
    }
}

#[test]
fn only_what_passed_is_deployed_and_only_where_that_is_wanted() {
    let jobs = jobs("deploy");
    assert_eq!(jobs.len(), 5);
    let job = |name: &str| &jobs.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no job {name}")).1;
    for (build, deploy, switch) in [("image", "cloud-run", "GCP_PROJECT"), ("package", "lambda", "AWS_ROLE")] {
        for (name, before) in [(build, "ci"), (deploy, build)] {
            assert_eq!(job(name)["needs"], before, "{name}");
            assert_eq!(job(name)["if"], format!("vars.{switch} != ''"), "{name}");
        }
        assert_eq!(job(deploy)["environment"], "production", "{deploy}");
        // Nobody knows what a deployment leaves that is broken off.
        assert_eq!(job(deploy)["concurrency"]["cancel-in-progress"], false, "{deploy}");
    }
}

/// Whatever runs in a job that may ask for a token can ask for it.
#[test]
fn nothing_is_compiled_where_there_can_be_credentials() {
    let mut with_tokens = 0;
    for (name, job) in ["ci", "deploy", "release"].into_iter().flat_map(jobs) {
        if job["permissions"]["id-token"] != "write" {
            continue;
        }
        with_tokens += 1;
        for step in job["steps"].as_array().expect("it has steps") {
            let run = step["run"].as_str().unwrap_or_default();
            for compiler in
                ["cargo", "make package", "make image", "make test", "make deploy ", "docker build", "make sbom"]
            {
                assert!(!run.contains(compiler), "{name}: {run}");
            }
            assert_ne!(step["uses"], "$/.github/actions/scan", "{name}");
        }
    }
    assert!(with_tokens >= 4);
}

#[test]
fn nothing_is_released_that_did_not_pass() {
    let jobs = jobs("release");
    assert_eq!(jobs.len(), 5);
    for (name, before) in [("ci", "version"), ("build", "ci"), ("image", "build"), ("publish", "image")] {
        let (_, job) = jobs.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("there is no job {name}"));
        assert_eq!(job["needs"], before, "{name}");
    }
}

#[test]
fn dependabot_looks_where_there_is_something() {
    let updates = yaml(".github/dependabot.yml")["updates"].as_array().expect("it updates something").clone();
    let mut found = BTreeSet::new();
    for update in &updates {
        let file = match update["package-ecosystem"].as_str().expect("it says of what") {
            "cargo" => "Cargo.lock",
            "docker" => "Dockerfile",
            "github-actions" => "",
            "pip" => "requirements.txt",
            other => panic!("{other}"),
        };
        let directories =
            update["directories"].as_array().cloned().unwrap_or_else(|| vec![update["directory"].clone()]);
        for directory in directories {
            let path = Path::new(directory.as_str().expect("it is a path").trim_start_matches('/')).join(file);
            assert!(project().join(&path).exists(), "{}", path.display());
            found.insert(path);
        }
    }
    for path in files() {
        let name = path.file_name().and_then(|name| name.to_str());
        if matches!(name, Some("Cargo.lock" | "requirements.txt" | "Dockerfile")) {
            let path = path.strip_prefix(project()).expect("it is below");
            assert!(found.contains(path), "nobody updates {}", path.display());
        }
    }
}

#[test]
fn each_workflow_stops_at_a_broken_pipe() {
    for path in below(&described(), ".github/workflows") {
        assert_eq!(yaml(path)["defaults"]["run"]["shell"], "bash", "{}", path.display());
    }
}
