use axum::http::Request;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Event, EventError, read};

/// One event of each kind of front door.
fn events() -> [Value; 3] {
    let rest = json!({
        "httpMethod": "GET", "path": "/health", "headers": {}, "multiValueHeaders": {}, "resource": "/{proxy+}",
        "requestContext": { "httpMethod": "GET", "resourcePath": "/{proxy+}", "identity": {} },
    });
    let http = json!({
        "version": "2.0", "rawPath": "/health", "headers": {},
        "requestContext": { "http": { "method": "GET", "path": "/health" }, "timeEpoch": 0 },
    });
    let alb = json!({
        "httpMethod": "GET", "path": "/health", "headers": {}, "requestContext": { "elb": { "targetGroupArn": "a" } },
    });
    [rest, http, alb]
}

/// The path that the Router sees of an event.
fn path(event: &Value) -> Result<String, EventError> {
    let payload: Box<RawValue> = serde_json::from_str(&event.to_string()).unwrap();
    let Event::Http(request) = read(&payload)? else { panic!("not taken for HTTP: {event}") };
    let request: Request<_> = (*request).into();
    Ok(request.uri().to_string())
}

#[test]
fn a_host_or_a_query_that_fits_no_uri_was_a_panic() {
    for mut event in events() {
        event["headers"] = json!({ "host": "a b:[", "x-forwarded-proto": "?" });
        event["rawQueryString"] = json!("a=\u{7f} \"");
        event["queryStringParameters"] = json!({ "a": "%zz\u{7f} " });
        event["requestContext"]["domainName"] = json!("[");
        assert_eq!(path(&event).unwrap(), "/health", "{event}");
    }
}

#[test]
fn a_path_that_is_none_was_a_panic() {
    for mut event in events() {
        for wrong in [":99999999", "@[", &format!("/{}", "a".repeat(70_000))] {
            let name = if event["rawPath"].is_null() { "path" } else { "rawPath" };
            event[name] = json!(wrong);
            assert!(matches!(path(&event), Err(EventError::Path)), "{event}");
        }
    }
}

#[test]
fn a_body_that_is_not_base64_was_a_panic() {
    for mut event in events() {
        (event["body"], event["isBase64Encoded"]) = (json!("?"), json!(true));
        assert!(matches!(path(&event), Err(EventError::Base64)), "{event}");
        event["body"] = json!("eA==");
        assert_eq!(path(&event).unwrap(), "/health");
    }
}
