//! `deploy/`: the dashboard and the alert rules ask for what the service tells, and for all of it.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use reqwest::Method;
use serde_json::{Value, json};

use super::keys::{FIRST, SECOND};
use super::metrics::Scrape;
use crate::support::emulator::{project, tool};
use crate::support::{Directory, Reply, Server};

const DASHBOARD: &str = include_str!("../../../deploy/grafana-dashboard.json");
const ALERTS: &str = include_str!("../../../deploy/alerts.yaml");
const ALERTS_TEST: &str = include_str!("../../../deploy/alerts_test.yaml");

/// What Prometheus adds to each series.
const TARGET: &str = r#"job="py-executor",instance="a""#;

fn promtool(arguments: &[&str]) -> Output {
    let mut command = Command::new(tool("promtool"));
    command.args(arguments).current_dir(project()).output().expect("promtool can be started")
}

#[track_caller]
fn is_right(output: &Output) {
    let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{}", said.concat());
}

/// What a service tells to which everything has happened that is asked for.
async fn told() -> Scrape {
    let keys = format!("limited:{FIRST};rate=1/hour,prometheus:{SECOND}");
    let variables = [("EXECUTOR_API_KEYS", keys.as_str()), ("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_QUEUE", "0")];
    let server = Server::with(&variables);
    let ask = async |key: &str, main: &str| -> Reply {
        let body = json!({ "script": format!("import time\ndef main(): {main}") }).to_string();
        server.send(server.request(Method::POST, "/execute").header("x-api-key", key).body(body)).await
    };
    ask("first key", "return 5").await.succeeds("5", "");
    ask("first key", "return 5").await.failure_with(429);
    ask("second key", "1 / 0").await.failure();
    let refused = async {
        while Scrape::with_key(&server, "second key").await.value("executor_jobs_running") == 0 {}
        ask("second key", "return 5").await.failure_with(503);
    };
    let (slow, ()) = tokio::join!(ask("second key", "time.sleep(2)"), refused);
    slow.succeeds("null", "");
    Scrape::with_key(&server, "second key").await
}

/// Whether each query finds something, where Prometheus has scraped this for a while.
fn find_something(queries: &BTreeSet<String>, scrape: &Scrape) -> Output {
    // No request makes the service fail.
    let series = scrape.series().chain([r#"executor_requests_total{endpoint="/execute",status="500"}"#]);
    let series = series.map(|series| match series.split_once('{') {
        Some((name, labels)) => format!("{name}{{{TARGET},{labels}"),
        None => format!("{series}{{{TARGET}}}"),
    });
    let series: Vec<Value> = series.map(|series| json!({ "series": series, "values": "0+1x20" })).collect();
    let found = json!([{ "labels": "{}", "value": 1 }]);
    let queries: Vec<Value> = queries
        .iter()
        .map(|query| json!({ "expr": format!("count({query}) > bool 0"), "eval_time": "20m", "exp_samples": found }))
        .collect();
    // YAML takes JSON.
    let test = json!({ "tests": [{ "interval": "1m", "input_series": series, "promql_expr_test": queries }] });
    let directory = Directory::new("deploy");
    let path = directory.write("queries.yaml", &test.to_string());
    promtool(&["test", "rules", path.to_str().expect("UTF-8")])
}

/// The dashboard's panels but its rows.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = dashboard["panels"].as_array().expect("panels");
    panels.iter().filter(|panel| panel["type"] != "row")
}

/// Each query of the dashboard, as Grafana sends it, with its legend.
fn dashboard_queries(dashboard: &Value) -> Vec<(String, String)> {
    let targets = panels(dashboard).flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let word = |target: &Value, name: &str| target[name].as_str().expect("text").to_owned();
    let sent = |query: String| {
        query.replace("$__rate_interval", "5m").replace("$job", "py-executor").replace("$instance", "a|b")
    };
    targets.map(|target| (sent(word(target, "expr")), word(target, "legendFormat"))).collect()
}

/// Each alert: its name, and all that is written about it.
fn alerts() -> Vec<(&'static str, &'static str)> {
    ALERTS.split("- alert: ").skip(1).map(|alert| alert.split_once('\n').expect("its lines")).collect()
}

/// The metrics that a text names, each with its matchers, if it has any.
fn selectors(text: &str) -> BTreeSet<String> {
    let selector = |(at, _)| {
        let text: &str = &text[at..];
        let end = text.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(text.len());
        let matchers = text[end..].starts_with('{').then(|| text.find('}')).flatten();
        text[..matchers.map_or(end, |at| at + 1)].to_owned()
    };
    text.match_indices("executor_").map(selector).collect()
}

fn metrics(text: &str) -> BTreeSet<String> {
    selectors(text).iter().map(|selector| name(selector).to_owned()).collect()
}

fn name(series: &str) -> &str {
    series.split('{').next().expect("a split has a first part")
}

/// What stands between `start` and `end`, each time.
fn between<'a>(text: &'a str, start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).filter_map(move |rest| Some(rest.split_once(end)?.0.trim()))
}

/// The labels by which a query groups what it finds; each is one of the metrics that it asks for.
fn groups(query: &str, scrape: &Scrape) -> BTreeSet<String> {
    let asked = metrics(query);
    let of_series = |series: &str| -> Vec<String> {
        series.split(['{', ',']).skip(1).filter_map(|pair| Some(pair.split_once('=')?.0.to_owned())).collect()
    };
    let series = scrape.series().filter(|series| asked.contains(name(series)));
    let known: BTreeSet<String> = series.flat_map(of_series).chain(["job", "instance"].map(Into::into)).collect();
    let groups: BTreeSet<String> =
        between(query, "by (", ")").flat_map(|labels| labels.split(", ")).map(str::to_owned).collect();
    assert!(groups.is_subset(&known), "{query}: {known:?}");
    groups
}

#[test]
fn the_rules_fire_when_they_should() {
    is_right(&promtool(&["check", "rules", "--lint=all", "--lint-fatal", "deploy/alerts.yaml"]));
    is_right(&promtool(&["test", "rules", "deploy/alerts_test.yaml"]));
    assert!(alerts().len() > 10);
    for (name, alert) in alerts() {
        assert!(["critical", "warning", "info"].iter().any(|word| alert.contains(&format!("severity: {word}\n"))));
        assert!(alert.contains("summary: ") && alert.contains("description: "), "{name}");
        let is_expected = [format!(r#"alertname="{name}""#), format!("- alertname: {name}\n")];
        assert!(is_expected.iter().any(|words| ALERTS_TEST.contains(words)), "nothing tests {name}");
    }
}

#[test]
fn the_dashboard_is_of_no_installation_and_explains_itself() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("it is JSON");
    assert!(dashboard.get("id").is_none() && dashboard.get("__inputs").is_none());
    let source = &dashboard["templating"]["list"][0];
    assert_eq!(
        (&source["name"], &source["type"], &source["query"]),
        (&json!("datasource"), &json!("datasource"), &json!("prometheus"))
    );
    for sources in between(DASHBOARD, r#""datasource": {"#, "}") {
        assert!(sources.starts_with(r#""type": "prometheus", "uid": "${datasource"#), "{sources}");
    }
    for panel in panels(&dashboard) {
        for text in [&panel["title"], &panel["description"], &panel["fieldConfig"]["defaults"]["unit"]] {
            assert!(text.as_str().is_some_and(|text| !text.is_empty()), "{panel:#}");
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel:#}");
    }
}

#[tokio::test]
async fn what_is_asked_for_is_told_and_all_that_is_told_is_shown() {
    let scrape = told().await;
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("it is JSON");
    let told: BTreeSet<String> = scrape.series().map(|series| name(series).to_owned()).collect();
    for text in [DASHBOARD, ALERTS, ALERTS_TEST] {
        let unknown: Vec<_> = metrics(text).difference(&told).cloned().collect();
        assert!(unknown.is_empty(), "nobody tells {unknown:?}\n{scrape}");
    }
    let shown: BTreeSet<String> = dashboard_queries(&dashboard).iter().flat_map(|(query, _)| metrics(query)).collect();
    let text = scrape.to_string();
    for family in between(&text, "# TYPE ", " ").filter(|family| *family != "executor_build") {
        let is_shown = ["", "_total", "_bucket"].iter().any(|suffix| shown.contains(&format!("{family}{suffix}")));
        assert!(is_shown, "{family} is on no panel");
    }
    for (query, legend) in dashboard_queries(&dashboard) {
        let groups = groups(&query, &scrape);
        assert!(between(&legend, "{{", "}}").all(|label| groups.contains(label)), "{legend}: {query}");
    }
    for (name, alert) in alerts() {
        let groups = groups(alert, &scrape);
        let is_there = |label: &str| groups.contains(label) || (groups.is_empty() && label == "instance");
        assert!(between(alert, "$labels.", " ").all(is_there), "{name}: {groups:?}");
    }
    let mut queries: BTreeSet<String> = dashboard_queries(&dashboard).into_iter().map(|(query, _)| query).collect();
    queries.extend(selectors(ALERTS));
    is_right(&find_something(&queries, &scrape));
    for nothing in ["executor_nothing", r#"executor_connections_cut_total{reason="nothing"}"#] {
        assert!(!find_something(&BTreeSet::from([nothing.to_owned()]), &scrape).status.success(), "{nothing}");
    }
}
