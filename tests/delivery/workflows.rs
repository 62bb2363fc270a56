//! The workflows of GitHub Actions: what the linters say, what they call, and the scripts and commands beside them, which run
//! here with programs in place of the clouds' that only note what they are asked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::support::Directory;
use super::{files, has_extension, must, project, tool};

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
    let mut python = Command::new(project().join("target/layer/tools/python3"));
    python.args(["-B", "-I", "-c", SCRIPT]).arg(project().join("target/tools/python")).arg(path.as_ref());
    serde_json::from_str(&must(&mut python)).expect("it is JSON")
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
    let clouds: Vec<&(String, Value)> = jobs.iter().filter(|(name, _)| name != "ci").collect();
    assert_eq!(clouds.len(), 2);
    for ((name, job), switch) in clouds.into_iter().zip(["GCP_PROJECT", "AWS_ROLE"]) {
        assert_eq!(job["needs"], "ci", "{name}");
        assert_eq!(job["if"], format!("vars.{switch} != ''"), "{name}");
        assert_eq!(job["environment"], "production", "{name}");
        // Nobody knows what a deployment leaves that is broken off.
        assert_eq!(job["concurrency"]["cancel-in-progress"], false, "{name}");
    }
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

/// Programs that stand for others: each notes its words in a line of `log`, then does what `script` says.
struct Stand {
    directory: Directory,
}

impl Stand {
    fn new(programs: &[(&str, &str)]) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let directory = Directory::new("stand");
        fs::create_dir(directory.path().join("bin")).expect("a directory can be made");
        for (name, script) in programs {
            let log = directory.path().join("log").display().to_string();
            let note = format!("#!/bin/bash\necho \"{name} $*\" >>'{log}'\n{script}\n");
            let path = directory.write(&format!("bin/{name}"), &note);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        Self { directory }
    }

    /// The command, with these programs before all others, and with a home and temporary files in the test's directory.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let path =
            format!("{}/bin:{}", self.directory.path().display(), std::env::var("PATH").expect("there is a PATH"));
        let mut command = Command::new(program.as_ref());
        command.env("PATH", path).env("HOME", self.directory.path()).env("TMPDIR", self.directory.path());
        command
    }

    fn script(&self, name: &str) -> Command {
        self.command(project().join(".github").join(name))
    }

    fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

/// What a command says on standard error, which must fail.
fn fault(command: &mut Command) -> String {
    let output = command.current_dir(project()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(!output.status.success(), "{command:?} did not fail: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_runner_is_prepared() {
    let stand = Stand::new(&[("sudo", ""), ("sysctl", "[ ${STRICT:-1} = 1 ]")]);
    must(&mut stand.script("prepare"));
    let mut log = stand.log();
    assert_eq!(log.remove(1), "sudo apt-get install -qy --no-install-recommends curl gcc gpgv make util-linux");
    let restriction = "kernel.apparmor_restrict_unprivileged_userns";
    assert_eq!(
        log,
        ["sudo apt-get update -q".to_owned(), format!("sysctl {restriction}"), format!("sudo sysctl {restriction}=0")]
    );
    // Where the kernel knows no such restriction, there is none to lift.
    must(stand.script("prepare").env("STRICT", "0"));
    assert_eq!(stand.log().last(), Some(&format!("sysctl {restriction}")));
}

#[test]
fn what_runs_as_root_has_the_users_cargo() {
    // As sudo does, it leaves nothing of the environment.
    let stand = Stand::new(&[("sudo", "exec env -i PATH=/usr/bin:/bin HOME=/root SUDO_UID=1000 \"$@\"")]);
    let home = stand.directory.path().display().to_string();
    let mut command = stand.script("as-root");
    command.env_remove("CARGO_HOME").env_remove("RUSTUP_HOME");
    let told = must(command.args(["bash", "-c", "echo $CARGO_HOME $RUSTUP_HOME $SUDO_UID $(command -v sudo)"]));
    assert_eq!(told.trim(), format!("{home}/.cargo {home}/.rustup 1000 {home}/bin/sudo"));
}

#[test]
fn what_is_not_set_is_named() {
    let stand = Stand::new(&[]);
    must(stand.script("require").env("ONE", "1").arg("ONE"));
    let told = fault(stand.script("require").env("ONE", "1").env("TWO", "").args(["ONE", "TWO", "THREE"]));
    assert!(told.contains("not set: TWO THREE."), "{told}");
}

/// A copy of what the script `name` reads, at the place where it looks.
fn copy(name: &str, others: &[(&str, &str)]) -> (Directory, PathBuf) {
    let directory = Directory::new("copy");
    fs::create_dir_all(directory.path().join(".github")).expect("a directory can be made");
    let script = directory.path().join(".github").join(name);
    fs::copy(project().join(".github").join(name), &script).expect("it can be copied");
    for (path, content) in others {
        fs::create_dir_all(directory.path().join(path).parent().expect("it is below"))
            .expect("a directory can be made");
        directory.write(path, content);
    }
    (directory, script)
}

#[test]
fn known_vulnerabilities_stop_a_deployment() {
    let bills = [("target/sbom/layer.cdx.json", "fixed"), ("target/sbom/py-executor.cdx.json", "")];
    let (directory, script) = copy("scan", &bills);
    // It fails for the bill that has the word in it.
    let stand = Stand::new(&[("grype", "! grep -q fixed \"${1#sbom:}\"")]);
    let told = |script: &Path| stand.command(script).arg("grype").output().expect("it starts").status.code();
    assert_eq!(told(&script), Some(1));
    let words = "--only-fixed --fail-on high";
    // The second one is looked at although the first one failed.
    let both = ["layer", "py-executor"].map(|name| format!("grype sbom:target/sbom/{name}.cdx.json {words}"));
    assert_eq!(stand.log(), both);
    directory.write("target/sbom/layer.cdx.json", "");
    assert_eq!(told(&script), Some(0));
    // No list is no proof.
    fs::remove_dir_all(directory.path().join("target/sbom")).expect("it is there");
    assert_eq!(told(&script), Some(1));
}

#[test]
fn a_releases_notes_are_its_section_of_the_changelog() {
    let version = env!("CARGO_PKG_VERSION");
    let notes = must(Command::new(project().join(".github/release-notes")).arg(format!("v{version}")));
    assert!(!notes.trim().is_empty() && !notes.contains("## "), "{notes}");

    let cargo = "[package]\nname = \"a\"\nversion = \"1.2.3\"\n[dependencies.b]\nversion = \"4.5.6\"\n";
    let changelog = "# Changelog\n\n## 1.2.30\n\n- Later.\n\n## [1.2.3] - 2026-01-31\n\n### Added\n\n- One.\n\n- Two.\n\n## 1.2.2\n\n- Before.\n";
    let (directory, script) = copy("release-notes", &[("Cargo.toml", cargo), ("CHANGELOG.md", changelog)]);
    let notes = |tag: &str| Command::new(&script).arg(tag).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&notes("v1.2.3").stdout), "### Added\n\n- One.\n\n- Two.\n");
    for tag in ["v1.2.2", "1.2.3", "v4.5.6", "v1.2.3-rc.1"] {
        let output = notes(tag);
        assert!(!output.status.success() && output.stdout.is_empty(), "{tag}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("version is 1.2.3"), "{tag}: {output:?}");
    }
    for (title, kept) in [("## [1.2.3]", "## 1.2.3\n\n## 1.2.2\n"), ("without a section", "# Changelog\n")] {
        directory.write("CHANGELOG.md", kept);
        let output = notes("v1.2.3");
        assert!(!output.status.success(), "{title}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("says nothing of 1.2.3"), "{title}: {output:?}");
    }
}

#[test]
fn images_are_pushed_as_one() {
    const DOCKER: &str = r#"case "$1 ${2:-} ${3:-}" in
        load*) echo "Loaded image: py-executor:release" ;;
        push*) echo "pushed" ;;
        "buildx imagetools inspect") echo sha256:0123 ;;
    esac"#;
    let images = Directory::new("images");
    for arch in ["arm64", "x86_64"] {
        images.write(&format!("{arch}.tar.gz"), "");
    }
    let push = |tag: &str| {
        let stand = Stand::new(&[("docker", DOCKER)]);
        let told = must(stand.script("push-images").args([tag, "ghcr.io/Some/Name"]).arg(images.path()));
        assert_eq!(told, "name=ghcr.io/some/name\ndigest=sha256:0123\n");
        stand.log()
    };
    let name = "ghcr.io/some/name";
    let log = push("v1.2.3");
    for arch in ["arm64", "x86_64"] {
        assert!(log.contains(&format!("docker tag py-executor:release {name}:1.2.3-{arch}")), "{log:?}");
        assert!(log.contains(&format!("docker push --quiet {name}:1.2.3-{arch}")), "{log:?}");
    }
    let create = "docker buildx imagetools create";
    let parts = format!("{name}:1.2.3-arm64 {name}:1.2.3-x86_64");
    assert!(log.contains(&format!("{create} --tag {name}:1.2.3 --tag {name}:latest {parts}")), "{log:?}");
    // What is not final is nobody's latest.
    assert!(!push("v2.0.0-rc.1").iter().any(|line| line.contains("latest")));
}

/// The commands of a section of docs/DEPLOYMENT.md, of which each block of shell is a part.
fn commands(section: &str) -> String {
    let document = read("docs/DEPLOYMENT.md");
    let (_, rest) =
        document.split_once(&format!("\n### {section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let section = rest.split("\n### ").next().expect("there is a first part");
    let blocks: Vec<&str> = section.split("```sh\n").skip(1).filter_map(|part| part.split("\n```").next()).collect();
    assert!(!blocks.is_empty(), "there are no commands");
    format!("set -euo pipefail\n{}\n", blocks.join("\n"))
}

/// Runs the commands of a section, and says which programs they started, and with which files.
fn run_commands(section: &str) -> Vec<String> {
    const GH: &str = r#"[ -t 0 ] || case "$*" in *"--input -"*) tr -d '\n' >>"$HOME/log"; echo >>"$HOME/log" ;; esac
        case "$*" in
            "repo view"*) echo octo/tool ;;
            *customization/sub*) echo repo:octo@17/tool@4711 ;;
            "api repos/octo/tool --jq .id") echo 4711 ;;
        esac"#;
    const GCLOUD: &str = r#"case "$*" in
            "config get-value project") echo project ;;
            "projects describe"*) echo 99 ;;
            "run services describe"*) echo runs-as@project ;;
        esac"#;
    const AWS: &str = r#"case "$*" in
            "sts get-caller-identity"*) echo 123456789012 ;;
            "configure get region") echo eu-central-1 ;;
        esac
        for word in "$@"; do
            case $word in file://*) tr -d '\n' <"${word#file://}" >>"$HOME/log"; echo >>"$HOME/log" ;; esac
        done"#;
    let stand = Stand::new(&[("gh", GH), ("gcloud", GCLOUD), ("aws", AWS)]);
    let script = stand.directory.write("commands.sh", &format!("#!/bin/bash\n{}", commands(section)));
    must(Command::new(tool("shellcheck")).arg(&script));
    must(stand.command("bash").arg(&script));
    stand.log()
}

/// Lines of `log` that contain all of `words`.
fn lines<'a>(log: &'a [String], words: &[&str]) -> Vec<&'a String> {
    let found: Vec<&String> = log.iter().filter(|line| words.iter().all(|word| line.contains(word))).collect();
    assert!(!found.is_empty(), "{words:?} is not in {log:#?}");
    found
}

#[test]
fn only_main_may_use_the_environment() {
    let log = run_commands("GitHub");
    lines(&log, &["PUT", "repos/octo/tool/environments/production"]);
    lines(&log, &["\"custom_branch_policies\": true"]);
    lines(&log, &["POST", "environments/production/deployment-branch-policies", "name=main"]);
}

#[test]
fn google_cloud_trusts_this_repository_on_main_alone() {
    let log = run_commands("Google Cloud");
    let condition = log.join("\n");
    for part in [
        "assertion.repository_id == '4711'",
        "assertion.ref == 'refs/heads/main'",
        "assertion.environment == 'production'",
    ] {
        assert!(condition.contains(part), "{condition}");
    }
    assert!(!condition.contains("||"), "{condition}");
    lines(&log, &["roles/iam.workloadIdentityUser", "workloadIdentityPools/github/attribute.repository_id/4711"]);
    for line in lines(&log, &["add-iam-policy-binding"]) {
        // In the whole project it may only look.
        let allowed = if line.contains("gcloud projects") {
            &["roles/browser", "roles/serviceusage.serviceUsageViewer"][..]
        } else {
            &["iam service-accounts", "artifacts repositories", "run services", "secrets"][..]
        };
        assert!(allowed.iter().any(|what| line.contains(what)), "{line}");
    }
}

#[test]
fn aws_trusts_this_repository_in_production_alone() {
    let log = run_commands("AWS");
    let policies: Vec<Value> = log.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(policies.len(), 4, "{log:#?}");
    let mut web = 0;
    for statement in policies.iter().flat_map(|policy| policy["Statement"].as_array().expect("it has statements")) {
        let words = |member: &str| match &statement[member] {
            Value::String(word) => vec![word.clone()],
            words => {
                words.as_array().into_iter().flatten().map(|word| word.as_str().expect("a word").to_owned()).collect()
            }
        };
        assert_eq!(statement["Effect"], "Allow");
        let (actions, resources) = (words("Action"), words("Resource"));
        assert!(!actions.is_empty() && !actions.contains(&"*".to_owned()), "{statement}");
        if statement["Principal"].is_object() {
            assert!(statement["Condition"]["StringEquals"].is_object(), "{statement}");
        } else {
            // Each of them names an account's, a stack's or a bucket's own things, or what AWS has for all.
            assert!(
                !resources.is_empty() && resources.iter().all(|resource| resource.starts_with("arn:aws:")),
                "{statement}"
            );
        }
        if actions.iter().any(|action| action == "iam:PassRole" || action == "iam:AttachRolePolicy") {
            assert!(statement["Condition"].is_object(), "{statement}");
        }
        if actions == ["sts:AssumeRoleWithWebIdentity"] {
            web += 1;
            let equals = &statement["Condition"]["StringEquals"];
            assert_eq!(equals["token.actions.githubusercontent.com:aud"], "sts.amazonaws.com");
            let subject = "repo:octo@17/tool@4711:environment:production";
            assert_eq!(equals["token.actions.githubusercontent.com:sub"], subject);
        }
    }
    assert_eq!(web, 1);
    // The roles that deploy are not among those that a deployment may touch.
    lines(&log, &["create-role --role-name github-py-executor"]);
    lines(&log, &["create-role --role-name cloudformation-py-executor"]);
    lines(&log, &["arn:aws:iam::123456789012:role/py-executor-*"]);
}

#[test]
fn the_document_names_the_variables_that_deployments_read() {
    let workflow = read(".github/workflows/deploy.yml");
    let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
    let read_ones: BTreeSet<&str> =
        workflow.split("vars.").skip(1).filter_map(|rest| rest.split(|c| !is_part(c)).next()).collect();
    let document = read("docs/DEPLOYMENT.md");
    let named: BTreeSet<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| name.chars().all(is_part))
        .collect();
    assert_eq!(named, read_ones);
    // What is needed is set by the commands.
    let log = [run_commands("Google Cloud"), run_commands("AWS")].concat();
    for line in document.lines().filter(|line| line.contains("| needed |") || line.contains("| turns ")) {
        let name = line.trim_start_matches("| `").split('`').next().expect("it has a name");
        lines(&log, &[&format!("gh variable set {name} ")]);
    }
}
