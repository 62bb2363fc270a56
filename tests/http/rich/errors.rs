//! How a script ended.

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn a_result_comes_with_both_streams() {
    let script = "
        import sys

        def main(n):
            print('out')
            print('err', file=sys.stderr)
            return {'n': n + 1}
    ";
    let told = Server::shared().run_with(script, json!({ "inputs": { "n": 1 } })).await;
    told.returns(&json!({ "n": 2 }));
    assert_eq!((&told.body["stdout"], &told.body["stderr"]), (&json!("out\n"), &json!("err\n")), "{told}");
    assert_eq!(told.body["truncated"], json!({ "stdout": 0, "stderr": 0 }), "{told}");
    assert_eq!(told.body["files"], json!([]), "{told}");
}

#[tokio::test]
async fn null_is_a_result() {
    Server::shared().run("def main(): pass").await.returns(&json!(null));
}

#[tokio::test]
async fn an_exception_has_a_line_and_the_scripts_own_frames() {
    let script = "
        import json

        def parse(text):
            return json.loads(text)

        def main():
            print('before')
            return parse('{')
    ";
    let told = Server::shared().run(script).await;
    let error = told.fails("error", "json.decoder.JSONDecodeError");
    assert_eq!(
        error["message"], "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        "{told}"
    );
    assert_eq!(error["line"], 4, "{told}");
    assert_eq!(told.body["stdout"], "before\n", "{told}");
    let traceback = error["traceback"].as_str().expect("a traceback");
    let expected = [
        "Traceback (most recent call last):",
        "  File \"script.py\", line 8, in main",
        "    return parse('{')",
        "  File \"script.py\", line 4, in parse",
        "    return json.loads(text)",
        "           ~~~~~~~~~~^^^^^^",
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        "",
    ];
    assert_eq!(traceback, expected.join("\n"), "{told}");
}

#[tokio::test]
async fn a_chain_of_exceptions_is_shown_without_the_harness() {
    let script = "
        def main():
            try:
                1 / 0
            except ZeroDivisionError as error:
                raise RuntimeError('no') from error
    ";
    let told = Server::shared().run(script).await;
    let error = told.fails("error", "RuntimeError");
    let traceback = error["traceback"].as_str().expect("a traceback");
    assert!(traceback.contains("ZeroDivisionError") && traceback.contains("direct cause"), "{told}");
    assert!(!traceback.contains("harness"), "{told}");
    assert_eq!(error["line"], 5, "{told}");
}

#[tokio::test]
async fn a_module_that_the_request_brought_is_the_scripts_own() {
    let files = json!({ "helper.py": { "text": "def fail():\n    raise ValueError('here')\n" } });
    let script = "import helper\ndef main(): helper.fail()";
    let told = Server::shared().run_with(script, json!({ "files": files })).await;
    let error = told.fails("error", "ValueError");
    assert_eq!(error["line"], 2, "{told}");
    assert!(error["traceback"].as_str().is_some_and(|text| text.contains("helper.py\", line 2, in fail")), "{told}");
}

#[tokio::test]
async fn a_syntax_error_shows_its_line() {
    let told = Server::shared().run("x = 1\ndef main(:\n    pass").await;
    let error = told.fails("error", "SyntaxError");
    assert_eq!(error["line"], 2, "{told}");
    assert_eq!(error["message"], "invalid syntax", "{told}");
    assert!(error["traceback"].as_str().is_some_and(|text| text.contains("def main(:")), "{told}");
}

/// Scripts change the module search path in many ways.
#[tokio::test]
async fn the_scripts_own_frames_do_not_depend_on_the_search_path() {
    let files = json!({ "helper.py": { "text": "def fail():\n    return 1 / 0\n" } });
    for change in ["sys.path.insert(0, '.')", "sys.path.insert(0, '/usr/lib/python3.13')", "sys.path[:0] = ['', 'x']"] {
        let script =
            format!("import sys\n{change}\nimport helper, json\ndef main():\n    sys.path.clear()\n    helper.fail()");
        let told = Server::shared().run_with(&script, json!({ "files": files })).await;
        let traceback = told.fails("error", "ZeroDivisionError")["traceback"].as_str().expect("a traceback");
        assert!(
            traceback.contains("helper.py\", line 2, in fail") && traceback.contains("script.py"),
            "{change}: {told}"
        );
    }
    let library = "import sys, json\nsys.path.insert(0, '/usr/lib/python3.13')\ndef main(): json.loads('{')";
    let told = Server::shared().run(library).await;
    assert!(!told.body["error"]["traceback"].as_str().expect("a traceback").contains("decoder.py"), "{told}");
}

#[tokio::test]
async fn a_wrong_indentation_has_its_own_class() {
    let told = Server::shared().run("def main():\nreturn 1").await;
    let error = told.fails("error", "IndentationError");
    assert_eq!(error["line"], 2, "{told}");
    Server::shared().execute("def main():\nreturn 1").await.fails_with("SyntaxError: ");
}

#[tokio::test]
async fn every_end_has_a_status() {
    let long = "import time\ndef main(): time.sleep(60)";
    for (script, fields, status, class, message) in [
        ("def main(): return {1, object()}", json!({}), "error", "NotSerializable", "result is not JSON"),
        ("def main(): return 'x' * (6 << 20)", json!({}), "error", "ResultTooLarge", "result is larger than"),
        ("x = 1", json!({}), "error", "NoMain", "script must define a main() function"),
        ("main = 1", json!({}), "error", "MainNotCallable", "main must be a function"),
        (long, json!({ "timeout": 0.3 }), "timeout", "TimeoutError", "script exceeded its time limit of 0.3 s"),
        ("def main(): return bytearray(4 << 30)", json!({}), "memory", "MemoryError", "the script ran out of memory"),
        ("import sys\ndef main(): sys.exit(3)", json!({}), "exited", "SystemExit", "3"),
        ("import os\ndef main(): os._exit(3)", json!({}), "exited", "Exited", "script exited with status 3"),
        ("import os\ndef main(): os.abort()", json!({}), "killed", "Killed", "script was killed by signal 6 (SIGABRT)"),
        ("def main(): raise TimeoutError('mine')", json!({}), "error", "TimeoutError", "mine"),
    ] {
        let told = Server::shared().run_with(script, fields).await;
        let error = told.fails(status, class);
        let found = error["message"].as_str().expect("a message");
        assert!(found.starts_with(message), "{script}: {told}");
    }
}

#[tokio::test]
async fn what_is_left_out_of_a_stream_is_counted() {
    let script = "
        import sys

        def main():
            sys.stdout.write('x' * (3 << 20))
            sys.stderr.write('y' * (2 << 20))
    ";
    let told = Server::shared().run(script).await;
    assert_eq!(told.body["truncated"], json!({ "stdout": 2 << 20, "stderr": 1 << 20 }));
}

#[tokio::test]
async fn a_bad_request_is_answered_as_by_execute() {
    let server = Server::shared();
    for (body, error) in [
        ("{", "invalid JSON: EOF while parsing an object at line 1 column 1"),
        ("[]", "request body must be a JSON object"),
        ("{}", "missing required field: script"),
        (r#"{"script":""}"#, "field 'script' must not be empty"),
        (r#"{"script":"x","nan":1}"#, "field 'nan' must be a string"),
        (r#"{"script":"x","nan":"zero"}"#, r#"field 'nan' must be "error" or "null""#),
        (r#"{"script":"x","x":1}"#, "unknown field 'x'; known fields: script, timeout, inputs, stdin, nan, files"),
        (r#"{"script":"x","timeout":31}"#, "field 'timeout' must be a number of seconds between 0 and 30"),
    ] {
        server.post_to("/v1/run", body).await.fails(error, "");
    }
    // The field belongs to this endpoint alone.
    let reply = server.post(r#"{"script":"x","nan":"null"}"#).await;
    reply.fails("unknown field 'nan'; known fields: script, timeout, inputs, stdin, files", "");
}
