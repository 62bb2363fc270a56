use std::time::Duration;

use proptest::prelude::*;

use super::{Form, Job, JobError, Limits};

const LIMITS: Limits = Limits { timeout: Duration::from_secs(30), max_files: 2, max_file_bytes: 8 << 20 };

fn parse(body: &str) -> Result<Job, JobError> {
    Job::parse(body.as_bytes(), Form::Execute, LIMITS)
}

fn refused(body: &str) -> String {
    parse(body).expect_err(body).to_string()
}

#[test]
fn a_script_is_enough() {
    let job = parse(r#"{"script": "def main(): pass"}"#).unwrap();
    assert_eq!(job.script(), "def main(): pass");
    assert_eq!(job.timeout(), LIMITS.timeout);
    assert_eq!((job.inputs(), job.stdin(), job.files().len()), ("", "", 0));
}

#[test]
fn every_field_arrives() {
    let job = parse(
        r#"{"script": "x", "timeout": 2.5, "inputs": {"a": [1, 12345678901234567890123]}, "stdin": "é",
            "files": {"a/b.txt": {"text": "hi"}, "c": {"base64": "AAE="}}}"#,
    )
    .unwrap();
    assert_eq!(job.timeout(), Duration::from_millis(2500));
    assert_eq!(job.inputs(), r#"{"a": [1, 12345678901234567890123]}"#);
    assert_eq!(job.stdin(), "é");
    let files: Vec<_> = job.files().iter().map(|file| (file.name.as_str(), &file.content[..])).collect();
    assert_eq!(files, [("a/b.txt", &b"hi"[..]), ("c", &[0, 1])]);
}

#[test]
fn faults_are_named() {
    for (body, error) in [
        ("", "invalid JSON: EOF while parsing a value at line 1 column 0"),
        ("{\n\"a\" 1}", "invalid JSON: expected `:` at line 2 column 5"),
        ("[]", "request body must be a JSON object"),
        ("null", "request body must be a JSON object"),
        ("{}", "missing required field: script"),
        (r#"{"script": 1}"#, "field 'script' must be a string"),
        (r#"{"script": null}"#, "field 'script' must be a string"),
        (r#"{"script": "x", "stdin": 1}"#, "field 'stdin' must be a string"),
        (r#"{"script": "x", "inputs": []}"#, "field 'inputs' must be an object"),
        (r#"{"script": "x", "files": "a"}"#, "field 'files' must be an object"),
        (r#"{"script": " \n\t"}"#, "field 'script' must not be empty"),
        (
            r#"{"script": "x", "timout": 1}"#,
            "unknown field 'timout'; known fields: script, timeout, inputs, stdin, files",
        ),
        (r#"{"script": "x", "script": "y"}"#, "duplicate key: script"),
        (r#"{"script": "x", "inputs": {"a": {"b": 1, "b": 2}}}"#, "duplicate key: b"),
        (r#"{"script": "x", "files": {"a": {"text": "", "text": ""}}}"#, "duplicate key: text"),
        (r#"{"script": "x", "timeout": "1"}"#, "field 'timeout' must be a number"),
        (
            r#"{"script": "x", "files": {"a": {"text": "", "base64": ""}}}"#,
            r#"field 'files': "a" must be {"text": "..."} or {"base64": "..."}"#,
        ),
        (r#"{"script": "x", "files": {"a": {"base64": "?"}}}"#, r#"field 'files': "a" is not valid base64"#),
        (
            r#"{"script": "x", "files": {"a": {"text": ""}, "b": {"text": ""}, "c": {"text": ""}}}"#,
            "field 'files' must not have more than 2 files",
        ),
    ] {
        assert_eq!(refused(body), error, "{body}");
    }
}

#[test]
fn a_timeout_can_only_be_lowered() {
    for timeout in ["0", "-1", "30.001", "1e9", "1e308"] {
        let error = refused(&format!(r#"{{"script": "x", "timeout": {timeout}}}"#));
        assert_eq!(error, "field 'timeout' must be a number of seconds between 0 and 30", "{timeout}");
    }
    assert_eq!(parse(r#"{"script": "x", "timeout": 30}"#).unwrap().timeout(), LIMITS.timeout);
}

#[test]
fn file_names_stay_inside() {
    for name in ["", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "a\\u0000b"] {
        let error = refused(&format!(r#"{{"script": "x", "files": {{"{name}": {{"text": ""}}}}}}"#));
        assert!(error.ends_with("is not a relative file name"), "{name}: {error}");
    }
}

#[test]
fn an_error_quoted_names_of_any_length() {
    let name = "é".repeat(1000);
    let cut = format!("{}...", "é".repeat(100));
    for (body, error) in [
        (format!(r#"{{"script": "x", "{name}": 1}}"#), format!("unknown field '{cut}'; known fields: script, ")),
        (format!(r#"{{"{name}": 1, "{name}": 1}}"#), format!("duplicate key: {cut}")),
        (
            format!(r#"{{"script": "x", "files": {{"{name}": {{"text": ""}}}}}}"#),
            format!("field 'files': \"{cut}\" is not"),
        ),
    ] {
        let message = refused(&body);
        assert!(message.starts_with(&error) && message.len() < 500, "{message}");
    }
}

#[test]
fn half_a_surrogate_pair_is_not_text() {
    assert!(refused(r#"{"script": "\ud800"}"#).starts_with("invalid JSON: "));
}

proptest! {
    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Job::parse(&body, Form::Run, LIMITS);
    }

    #[test]
    fn any_text_is_a_script(script in ".*\\S.*", stdin in ".*") {
        let body = serde_json::json!({"script": script, "stdin": stdin}).to_string();
        let job = Job::parse(body.as_bytes(), Form::Execute, LIMITS).unwrap();
        prop_assert_eq!((job.script(), job.stdin()), (&script[..], &stdin[..]));
    }
}
