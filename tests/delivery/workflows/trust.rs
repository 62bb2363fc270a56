//! The trust that docs/deploy/ci.md has the clouds grant, and the variables that it names.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::stand::Stand;
use super::{must, read, tool};

/// The commands in the shell blocks of a section of docs/deploy/ci.md.
fn commands(section: &str) -> String {
    let document = read("docs/deploy/ci.md");
    let (_, rest) = document.split_once(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let section = rest.split("\n## ").next().expect("there is a first part");
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
            "iam list-open-id-connect-providers") echo '{}' ;;
            "iam create-policy "*) echo arn:aws:iam::123456789012:policy/py-executor-boundary ;;
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
            &["roles/browser", "roles/run.viewer", "roles/serviceusage.serviceUsageViewer"][..]
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
    assert_eq!(policies.len(), 5, "{log:#?}");
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
            // Each of them names an account's, a stack's or a bucket's own things, or what AWS has for all; but for what
            // traces and the delivery of logs need, which nothing can be named for.
            let is_named = !resources.is_empty() && resources.iter().all(|resource| resource.starts_with("arn:aws:"));
            let is_harmless = |action: &String| action.starts_with("xray:Put") || action.starts_with("logs:");
            assert!(is_named || actions.iter().all(is_harmless), "{statement}");
        }
        if actions.contains(&"iam:PassRole".to_owned()) {
            assert!(statement["Condition"].is_object(), "{statement}");
        }
        // What decides on rights is held by the boundary.
        if actions
            .iter()
            .any(|action| ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"].contains(&&**action))
        {
            let boundary = &statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"];
            assert_eq!(boundary, "arn:aws:iam::123456789012:policy/py-executor-boundary");
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
    let document = read("docs/deploy/ci.md");
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
