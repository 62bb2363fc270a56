//! Compares what the service says of each host with docs/hosts, to the letter. `UPDATE_HEALTH=1` writes the files anew.
//!
//! Without cgroups: whether there are any depends on how the machine is set up, and not on its kind.

use std::path::Path;

use crate::host::Host;

async fn is_documented(host: Host, name: &str) {
    let service = host.start_with(&[("EXECUTOR_DISABLED_MECHANISMS", "cgroup")]);
    let health = service.target().health_text().await.expect("/health answers");
    let health = health.replace(r#""switched_off":["cgroup"]"#, r#""switched_off":[]"#);
    assert!(health.starts_with('{'), "{host:?}: {health:?}");
    let said = pretty(&without_version(&health));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hosts").join(name);
    if std::env::var_os("UPDATE_HEALTH").is_some() {
        std::fs::write(&path, &said).expect("docs/hosts can be written to");
    }
    let documented = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(said, documented, "{host:?}: docs/hosts/{name} is not what it says; UPDATE_HEALTH=1 writes it");
}

/// Python's version without the last number, which changes with each update of the runtime.
fn without_version(health: &str) -> String {
    const START: &str = r#""python":"3."#;
    let Some((before, version)) = health.split_once(START) else { return health.to_owned() };
    let (version, after) = version.split_once('"').unwrap_or((version, ""));
    let minor = version.split('.').next().unwrap_or_default();
    format!("{before}{START}{minor}\"{after}")
}

/// Compact JSON with line breaks and indentation, its members in their order.
fn pretty(compact: &str) -> String {
    let (mut out, mut depth, mut in_string, mut escaped) = (String::new(), 0, false, false);
    for character in compact.chars() {
        let opened = out.ends_with(['{', '[']) && !in_string;
        let closes = matches!(character, '}' | ']');
        depth -= usize::from(closes && !in_string);
        if !in_string && ((opened != closes) || out.ends_with(',')) {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        }
        depth += usize::from(matches!(character, '{' | '[') && !in_string);
        out.push(character);
        if character == ':' && !in_string {
            out.push(' ');
        }
        in_string ^= character == '"' && !escaped;
        escaped = in_string && !escaped && character == '\\';
    }
    out + "\n"
}

#[test]
fn json_is_indented_and_its_texts_are_left_alone() {
    let compact = r#"{"a":[1,{"b":"{\"x\": [,]}"}],"c":[],"d":{}}"#;
    let expected =
        "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"{\\\"x\\\": [,]}\"\n    }\n  ],\n  \"c\": [],\n  \"d\": {}\n}\n";
    assert_eq!(pretty(compact), expected);
    assert_eq!(without_version(r#"{"python":"3.13.5","x":1}"#), r#"{"python":"3.13","x":1}"#);
}

#[tokio::test]
async fn the_health_of_an_ordinary_user_is_documented() {
    is_documented(Host::User, "linux-user.json").await;
}

#[tokio::test]
async fn the_health_of_root_is_documented() {
    is_documented(Host::Root, "linux-root.json").await;
}

#[tokio::test]
async fn the_health_of_gvisor_is_documented() {
    is_documented(Host::GVisor, "gvisor.json").await;
}

#[tokio::test]
async fn the_health_of_a_container_is_documented() {
    is_documented(Host::Container, "container.json").await;
}

#[tokio::test]
async fn the_health_of_a_container_of_root_is_documented() {
    is_documented(Host::ContainerRoot, "container-root.json").await;
}

#[tokio::test]
async fn the_health_of_lambda_is_documented() {
    is_documented(Host::Lambda, "lambda.json").await;
}
