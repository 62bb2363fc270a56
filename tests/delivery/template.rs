//! The template with which the function is deployed: what a stack consists of, by its parameters.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use serde_json::{Map, Value};

use super::{builder_python, must, project, tool};

fn stack_command(parameters: &[&str]) -> Command {
    let mut command = builder_python();
    command.arg("tests/delivery/template.py").args(parameters);
    command
}

/// The resources of a stack with these parameters.
pub fn stack(parameters: &[&str]) -> Map<String, Value> {
    serde_json::from_str(&must(&mut stack_command(parameters))).expect("it is a JSON object")
}

/// The words of the rule that the parameters break.
fn refusal(parameters: &[&str]) -> String {
    let Output { status, stderr, .. } = stack_command(parameters).output().expect("there is a Python");
    let words = String::from_utf8(stderr).expect("it is text");
    assert!(!status.success(), "{parameters:?} are accepted");
    words
}

fn of_type<'a>(stack: &'a Map<String, Value>, kind: &str) -> Vec<&'a Value> {
    let wanted = format!("AWS::{kind}");
    stack.values().filter(|resource| resource["Type"] == *wanted).map(|resource| &resource["Properties"]).collect()
}

/// What the function is told by its environment.
pub fn environment(parameters: &[&str]) -> Vec<(String, String)> {
    let stack = stack(parameters);
    let variables = stack["Executor"]["Properties"]["Environment"]["Variables"].as_object().expect("there are some");
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    variables.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

#[test]
fn sam_finds_no_fault_in_it() {
    must(Command::new(tool("sam")).args(["validate", "--lint", "--region", "eu-central-1"]));
}

#[test]
fn the_functions_role_can_only_log() {
    for parameters in [&[][..], &["Api=REST"], &["Api=NONE", "FunctionUrl=BUFFERED"]] {
        let stack = stack(parameters);
        let roles = of_type(&stack, "IAM::Role");
        assert_eq!(roles.len(), 1, "{roles:?}");
        assert!(roles[0].get("ManagedPolicyArns").is_none());
        let statements = roles[0]["Policies"][0]["PolicyDocument"]["Statement"].as_array().expect("a list");
        assert_eq!(statements.len(), 1, "{statements:?}");
        assert_eq!(statements[0]["Action"], serde_json::json!(["logs:CreateLogStream", "logs:PutLogEvents"]));
        assert_eq!(statements[0]["Resource"], serde_json::json!({ "Fn::GetAtt": ["ExecutorLog", "Arn"] }));
        assert_eq!(
            stack["Executor"]["Properties"]["Role"],
            serde_json::json!({ "Fn::GetAtt": ["ExecutorRole", "Arn"] })
        );
    }
}

#[test]
fn nobody_is_let_in_without_being_asked_unless_a_parameter_says_so() {
    let http = stack(&[]);
    assert_eq!(of_type(&http, "ApiGatewayV2::Route")[0]["AuthorizationType"], "AWS_IAM");
    let url = stack(&["Api=NONE", "FunctionUrl=BUFFERED"]);
    assert_eq!(of_type(&url, "Lambda::Url")[0]["AuthType"], "AWS_IAM");
    for stack in [&http, &url] {
        let everybody = |permission: &&Value| permission["Principal"] == "*";
        assert_eq!(of_type(stack, "Lambda::Permission").into_iter().filter(everybody).count(), 0);
    }
    let open = stack(&["Api=NONE", "FunctionUrl=BUFFERED", "Authorization=NONE"]);
    let mut actions: Vec<&str> =
        of_type(&open, "Lambda::Permission").iter().filter_map(|permission| permission["Action"].as_str()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"]);
}

#[test]
fn a_rest_api_has_keys_with_a_usage_plan() {
    let stack = stack(&["Api=REST", "DailyQuota=7", "RateLimit=3", "BurstLimit=5"]);
    let plans = of_type(&stack, "ApiGateway::UsagePlan");
    assert_eq!((&plans[0]["Quota"]["Limit"], &plans[0]["Quota"]["Period"]), (&"7".into(), &"DAY".into()));
    assert_eq!((&plans[0]["Throttle"]["RateLimit"], &plans[0]["Throttle"]["BurstLimit"]), (&"3".into(), &"5".into()));
    assert_eq!(of_type(&stack, "ApiGateway::ApiKey").len(), 1);
    assert_eq!(of_type(&stack, "ApiGateway::UsagePlanKey").len(), 1);
    assert!(of_type(&stack, "ApiGatewayV2::Api").is_empty());
    let paths = stack["RestApi"]["Properties"]["Body"]["paths"].as_object().expect("there are paths");
    assert_eq!(paths.len(), 2);
    for path in paths.values() {
        let method = &path["x-amazon-apigateway-any-method"];
        assert_eq!(method["security"], serde_json::json!([{ "api_key": [] }]));
        assert!(method["x-amazon-apigateway-integration"].get("requestParameters").is_none());
    }
}

#[test]
fn tenants_are_api_keys() {
    let stack = stack(&["Api=REST", "TenantIsolation=PER_TENANT"]);
    assert_eq!(stack["Executor"]["Properties"]["TenancyConfig"]["TenantIsolationMode"], "PER_TENANT");
    for path in stack["RestApi"]["Properties"]["Body"]["paths"].as_object().expect("there are paths").values() {
        let integration = &path["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"];
        let tenant = &integration["requestParameters"]["integration.request.header.X-Amz-Tenant-Id"];
        assert_eq!(tenant, "context.identity.apiKeyId");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (parameters, named) in [
        (&["FunctionUrl=RESPONSE_STREAM"][..], "Api=NONE"),
        (&["TenantIsolation=PER_TENANT"], "Api=REST"),
        (&["TenantIsolation=PER_TENANT", "Api=REST", "FunctionUrl=BUFFERED"], "FunctionUrl=NONE"),
        (&["Api=REST", "ApiKeys=ci:0123"], "ApiKeys"),
    ] {
        let words = refusal(parameters);
        assert!(words.contains(named), "{parameters:?}: {words}");
    }
}

#[test]
fn a_stream_is_switched_on_in_the_function_and_in_its_url() {
    let parameters = ["Api=NONE", "FunctionUrl=RESPONSE_STREAM"];
    assert_eq!(of_type(&stack(&parameters), "Lambda::Url")[0]["InvokeMode"], "RESPONSE_STREAM");
    let is_on = |parameters: &[&str]| environment(parameters).contains(&("EXECUTOR_STREAM".into(), "on".into()));
    assert!(is_on(&parameters) && !is_on(&[]));
}

#[test]
fn what_costs_is_off_until_it_is_wanted() {
    let plain = stack(&[]);
    let function = &plain["Executor"]["Properties"];
    assert_eq!(function["TracingConfig"]["Mode"], "PassThrough");
    assert!(function.get("ReservedConcurrentExecutions").is_none() && function.get("TenancyConfig").is_none());
    let stack = stack(&["Tracing=Active", "ReservedConcurrency=20"]);
    assert_eq!(stack["Executor"]["Properties"]["ReservedConcurrentExecutions"], "20");
    let role = of_type(&stack, "IAM::Role")[0]["Policies"][0]["PolicyDocument"]["Statement"].to_string();
    assert!(role.contains("xray:PutTraceSegments"), "{role}");
}

#[test]
fn alarms_tell_a_topic() {
    let topic = "arn:aws:sns:eu-central-1:123456789012:operators";
    let (silent, loud) = (stack(&[]), stack(&[&format!("AlarmTopic={topic}")]));
    let alarms = |stack| of_type(stack, "CloudWatch::Alarm").into_iter().cloned().collect::<Vec<_>>();
    assert!(alarms(&silent).len() >= 3 && alarms(&silent).iter().all(|alarm| alarm.get("AlarmActions").is_none()));
    assert!(alarms(&loud).iter().all(|alarm| alarm["AlarmActions"] == serde_json::json!([topic])));
}

#[test]
fn the_document_names_each_parameter() {
    let template = std::fs::read_to_string(project().join("template.yaml")).expect("it is there");
    let (_, parameters) = template.split_once("\nParameters:\n").expect("it has parameters");
    let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let names = parameters.lines().take_while(|line| line.is_empty() || line.starts_with(' ')).filter(is_name);
    let names: BTreeSet<&str> = names.map(|line| line.trim().trim_end_matches(':')).collect();
    assert!(names.len() > 10, "{names:?}");

    let document = std::fs::read_to_string(project().join("docs/deploy/lambda.md")).expect("it is there");
    let (_, section) = document.split_once("\n## Parameters\n").expect("it has a section");
    let section = section.split("\n## ").next().expect("a part");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let told: BTreeSet<&str> = rows.flat_map(|row| row.split(", ")).map(|name| name.trim_matches('`')).collect();
    assert_eq!(told, names);
}
