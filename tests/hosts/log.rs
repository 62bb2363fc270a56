//! The log on Lambda: lines that CloudWatch reads as metrics too (Embedded Metric Format specification).

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::host::Host;
use crate::support::{Log, until};

/// The lines about requests, when there are so many.
async fn requests(log: &Log, number: usize) -> Vec<Value> {
    until("requests are logged", || {
        let text = log.text();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let found: Vec<Value> = lines.filter(|line| line.get("_aws").is_some()).collect();
        (found.len() >= number).then_some(found)
    })
    .await
}

#[tokio::test]
async fn an_invocation_on_lambda_is_a_line_with_metrics() {
    // The filter is about lines for people; metrics are wanted all the same.
    for variables in [&[][..], &[("EXECUTOR_LOG", "error")]] {
        let service = Host::Lambda.start_with(variables);
        service.is_well().await;
        let told = service.run_with("def main(): return 1", json!({})).await;
        let id = told.reply.header("x-request-id");
        let lines = requests(service.log(), 2).await;
        let line = lines.iter().find(|line| line["request_id"] == id).unwrap_or_else(|| panic!("{id}: {lines:#?}"));
        for (name, value) in [
            ("level", json!("INFO")),
            ("requestId", json!(id)),
            ("endpoint", json!("/v1/run")),
            ("code", json!("200")),
            ("outcome", json!("ok")),
            ("requests", json!(1)),
            ("jobs", json!(1)),
            ("client", json!("198.51.100.23")),
        ] {
            assert_eq!(line[name], value, "{name}: {line:#}");
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis();
        let timestamp = line["_aws"]["Timestamp"].as_u64().expect("milliseconds");
        assert!(now - u128::from(timestamp) < 120_000, "{line:#}");
        let mut metrics = 0;
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().expect("directives") {
            assert_eq!(directive["Namespace"], "py-executor", "{line:#}");
            for dimension in directive["Dimensions"][0].as_array().expect("a set of dimensions") {
                assert!(line[dimension.as_str().expect("a name")].is_string(), "{dimension}: {line:#}");
            }
            for metric in directive["Metrics"].as_array().expect("metrics") {
                let name = metric["Name"].as_str().expect("a name");
                assert!(line[name].is_number(), "{name}: {line:#}");
                assert!(["Count", "Milliseconds", "Bytes"].map(Value::from).contains(&metric["Unit"]), "{metric}");
                metrics += 1;
            }
        }
        assert_eq!(metrics, 12, "{line:#}");
        // Each start of a zygote is counted once.
        let starts: u64 = lines.iter().filter_map(|line| line["zygote_starts"].as_u64()).sum();
        assert!((1..=2).contains(&starts), "{lines:#?}");
    }
}
