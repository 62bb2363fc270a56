//! Golden HTTP events, as AWS sends them, and what each is answered with.

use std::collections::BTreeSet;

use aws_lambda_events::alb::AlbTargetGroupRequest;
use aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::direct;
use crate::emulator::{Emulator, event, example, parsed, project};
use crate::source::Source;
use crate::support::Reply;

/// What an event is answered with.
enum Expected {
    /// The outcome of the basic example.
    Outcome,
    /// That the service is well.
    Health,
    /// This status and an error that contains this.
    Refused(u16, &'static str),
    /// 405, with the only method that is allowed.
    Only(&'static str),
}

use Expected::{Health, Only, Outcome, Refused};

impl Expected {
    fn check(&self, reply: &Reply) {
        match self {
            Outcome => reply.succeeds("5", "hello\n"),
            Health => {
                assert_eq!(reply.status, 200, "{reply}");
                assert_eq!(reply.header("content-type"), "application/json", "{reply}");
                assert_eq!(parsed(&reply.body)["status"], "every promise is kept", "{reply}");
            }
            Refused(status, error) => {
                let failure = reply.failure_with(*status);
                assert!(failure.value.contains(error), "expected `{error}`\n{reply}");
                assert_eq!(failure.stdout, "", "{reply}");
            }
            Only(method) => {
                reply.failure_with(405);
                assert_eq!(reply.header("allow"), *method, "{reply}");
            }
        }
    }
}

macro_rules! events {
    ($($test:ident: $event:literal => $expected:expr,)*) => {
        const TESTED: &[&str] = &[$($event),*];
        $(
            #[tokio::test]
            async fn $test() {
                let source = Source::of($event).expect("the event's name says where it comes from");
                let answer = Emulator::shared().invoke(event($event)).await;
                $expected.check(&answer.http(source));
            }
        )*
    };
}

const CUT_SHORT: Expected = Refused(400, "invalid JSON: EOF while parsing an object at line 1 column 33");

events! {
    a_rest_api_runs_a_script: "rest-execute" => Outcome,
    a_rest_api_sends_a_body_as_base64: "rest-execute-base64" => Outcome,
    a_rest_api_behind_a_domain_of_its_own_has_no_stage_in_the_path: "rest-custom-domain" => Outcome,
    a_rest_api_asks_for_health: "rest-health" => Health,
    a_rest_api_is_told_the_right_method: "rest-wrong-method" => Only("POST"),
    a_rest_api_is_told_of_an_unknown_path: "rest-unknown-path" => Refused(404, "nowhere"),
    a_rest_api_is_told_of_broken_json: "rest-broken-json" => CUT_SHORT,

    an_http_api_runs_a_script: "http-execute" => Outcome,
    an_http_api_sends_a_body_as_base64: "http-execute-base64" => Outcome,
    an_http_api_may_have_an_authorizer: "http-jwt-authorizer" => Outcome,
    an_http_api_runs_a_script_in_a_named_stage: "http-named-stage" => Outcome,
    a_named_stage_sends_a_body_as_base64: "http-named-stage-base64" => Outcome,
    a_named_stage_has_health: "http-named-stage-health" => Health,
    a_named_stage_is_told_the_right_method: "http-named-stage-wrong-method" => Only("POST"),
    a_named_stage_is_told_of_an_unknown_path: "http-named-stage-unknown-path" => Refused(404, "nowhere"),
    a_stage_may_be_named_like_an_endpoint: "http-stage-named-execute" => Outcome,
    an_http_api_asks_for_health: "http-health" => Health,
    an_http_api_is_told_the_right_method: "http-wrong-method" => Only("POST"),
    an_http_api_is_told_of_an_unknown_path: "http-unknown-path" => Refused(404, "/execute/"),
    an_http_api_is_told_of_broken_json: "http-broken-json" => CUT_SHORT,
    broken_json_may_come_as_base64: "http-broken-json-base64" => CUT_SHORT,
    an_event_may_have_no_body: "http-no-body" => Refused(400, "invalid JSON: "),
    an_event_may_have_no_content_type: "http-no-content-type" => Outcome,

    a_function_url_runs_a_script: "url-execute" => Outcome,
    a_function_url_sends_a_body_as_base64: "url-execute-base64" => Outcome,
    a_function_url_may_demand_iam: "url-iam-authorizer" => Outcome,
    a_function_url_asks_for_health: "url-health" => Health,
    a_function_url_is_told_the_right_method: "url-wrong-method" => Only("POST"),
    a_function_url_is_told_of_an_unknown_path: "url-unknown-path" => Refused(404, "/favicon.ico"),
    a_function_url_is_told_of_broken_json: "url-broken-json" => CUT_SHORT,
    a_form_is_refused: "url-form-content-type" => Refused(400, "application/x-www-form-urlencoded"),

    a_load_balancer_runs_a_script: "alb-execute" => Outcome,
    a_load_balancer_sends_a_body_as_base64: "alb-execute-base64" => Outcome,
    a_load_balancer_may_send_headers_as_lists: "alb-multi-value" => Outcome,
    headers_as_lists_come_with_a_base64_body: "alb-multi-value-base64" => Outcome,
    a_load_balancer_asks_for_health: "alb-health" => Health,
    a_load_balancer_is_told_the_right_method: "alb-wrong-method" => Only("POST"),
    a_load_balancer_is_told_of_an_unknown_path: "alb-unknown-path" => Refused(404, "nowhere"),
    headers_as_lists_come_for_an_unknown_path: "alb-multi-value-unknown-path" => Refused(404, "nowhere"),
    a_load_balancer_is_told_of_broken_json: "alb-broken-json" => CUT_SHORT,
}

#[tokio::test]
async fn stages_do_not_matter_where_the_environment_leaves_them_out_of_the_path() {
    let function = Emulator::with(&[("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true")]);
    for name in ["rest-execute", "rest-custom-domain", "http-named-stage", "http-stage-named-execute", "http-execute"] {
        let source = Source::of(name).unwrap();
        function.invoke(event(name)).await.http(source).succeeds("5", "hello\n");
    }
}

#[test]
fn every_event_is_tested() {
    let tested: BTreeSet<String> = TESTED.iter().chain(direct::TESTED).map(|name| format!("{name}.json")).collect();
    assert_eq!(names("tests/lambda/events"), tested);
}

#[test]
fn every_http_event_is_as_the_types_of_aws_say() {
    for name in TESTED {
        let text = event(name);
        match Source::of(name).unwrap() {
            Source::Rest => is_complete::<ApiGatewayProxyRequest>(&text),
            Source::Http | Source::Url => is_complete::<ApiGatewayV2httpRequest>(&text),
            Source::Alb => is_complete::<AlbTargetGroupRequest>(&text),
        }
    }
    for name in ["http-api", "http-api-pandas", "function-url"] {
        is_complete::<ApiGatewayV2httpRequest>(&example(name));
    }
    is_complete::<ApiGatewayProxyRequest>(&example("rest-api"));
}

#[tokio::test]
async fn the_examples_for_people_work() {
    let mut tried = BTreeSet::from(["README.md".to_owned()]);
    for (name, source, result, stdout) in [
        ("http-api", Some(Source::Http), "5", "hello\n"),
        ("http-api-pandas", Some(Source::Http), "23.0", ""),
        ("rest-api", Some(Source::Rest), "5", "hello\n"),
        ("function-url", Some(Source::Url), "5", "hello\n"),
        ("direct", None, "5", "hello\n"),
    ] {
        let answer = Emulator::shared().invoke(example(name)).await;
        source.map_or_else(|| answer.direct(), |source| answer.http(source)).succeeds(result, stdout);
        tried.insert(format!("{name}.json"));
    }
    assert_eq!(names("events"), tried);
}

/// AWS sends this, too, but the type does not have it.
const NOT_IN_THE_TYPES: &str = "extendedRequestId";

/// Nothing that an event has may be unknown to its type: it would not be as AWS sends it.
fn is_complete<T: DeserializeOwned + Serialize>(text: &str) {
    let decoded: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
    let encoded = serde_json::to_value(decoded).expect("an event can be encoded");
    assert_contains("", &parsed(text), &encoded);
}

/// Every member of `part` is in `whole`; the names of headers in lower case, as HTTP has them.
fn assert_contains(path: &str, part: &Value, whole: &Value) {
    let Some(members) = part.as_object() else { return assert_eq!(part, whole, "{path}") };
    let known = |(name, value): &(&String, &Value)| *name != NOT_IN_THE_TYPES && !is_empty(value);
    for (name, value) in members.iter().filter(known) {
        let is_header = path.to_ascii_lowercase().ends_with("headers");
        let key = if is_header { name.to_ascii_lowercase() } else { name.clone() };
        let Some(found) = whole.get(&key) else { panic!("no {path}/{name} in {whole:#}") };
        assert_contains(&format!("{path}/{name}"), value, found);
    }
}

/// The types leave out what has no content.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}

fn names(directory: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(project().join(directory)).expect("the directory is there");
    entries.map(|entry| entry.expect("a readable entry").file_name().into_string().expect("UTF-8")).collect()
}
