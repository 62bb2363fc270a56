//! `POST /v1/check`.

use serde_json::{Value, json};

use crate::support::{Server, dedent};

async fn check(script: &str) -> Value {
    let body = json!({ "script": dedent(script) }).to_string();
    let reply = Server::shared().post_to("/v1/check", body).await;
    assert_eq!(reply.status, 200, "{reply}");
    serde_json::from_str(&reply.body).expect("it is JSON")
}

#[tokio::test]
async fn a_script_is_looked_at_and_not_run() {
    let script = "
        import os.path, numpy as np
        from pandas.io import json as pandas_json
        print('not run')
        1 / 0

        async def main(data, /, count: int = 2 + 3, *rest, flag, name='é'[0:1], **more):
            import matplotlib.pyplot
    ";
    let expected = json!({
        "ok": false,
        "main": {
            "line": 6,
            "is_async": true,
            "parameters": [
                { "name": "data", "kind": "positional_only", "required": true },
                { "name": "count", "kind": "positional_or_keyword", "required": false, "annotation": "int", "default": "2 + 3" },
                { "name": "rest", "kind": "var_positional", "required": false },
                { "name": "flag", "kind": "keyword_only", "required": true },
                { "name": "name", "kind": "keyword_only", "required": false, "default": "'é'[0:1]" },
                { "name": "more", "kind": "var_keyword", "required": false },
            ],
        },
        "imports": [
            { "module": "numpy", "line": 1, "available": true, "optional": false },
            { "module": "os.path", "line": 1, "available": true, "optional": false },
            { "module": "pandas.io", "line": 2, "available": true, "optional": false },
            { "module": "matplotlib.pyplot", "line": 7, "available": true, "optional": false },
        ],
        "problems": ["main() cannot be given its parameter 'data', which takes no keyword"],
    });
    assert_eq!(check(script).await, expected);
}

#[tokio::test]
async fn a_right_script_is_ok() {
    for script in [
        "def main(): pass",
        "async def main(n=1): pass",
        "import math\nmain = lambda: math.pi",
        "if True:\n    def main(): pass",
        "from operator import add as main",
        "class main:\n    pass",
        "try:\n    import ujson as json\nexcept ImportError:\n    import json\ndef main(): pass",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import nothing\ndef main(): pass",
        "main = 1\ndef main(): pass",
        "match 1:\n    case main: pass",
    ] {
        let told = check(script).await;
        assert_eq!(told["ok"], true, "{script}: {told}");
    }
}

#[tokio::test]
async fn a_missing_main_is_a_problem() {
    for script in [
        "x = 1",
        "def other():\n    def main(): pass",
        "class A:\n    def main(self): pass",
        "def main(): pass\ndel main",
    ] {
        let told = check(script).await;
        assert_eq!(
            (&told["ok"], &told["problems"]),
            (&json!(false), &json!(["script must define a main() function"])),
            "{script}"
        );
    }
}

#[tokio::test]
async fn a_main_that_is_no_function_in_the_end_is_a_problem() {
    for script in ["main = 3", "def main(): pass\nmain = 'x'", "main = [x for x in 'ab']"] {
        let told = check(script).await;
        assert_eq!(told["problems"], json!(["main must be a function"]), "{script}");
    }
    let told = check("main = lambda a, b=2: a").await;
    assert_eq!(
        told["main"]["parameters"][1],
        json!({ "name": "b", "kind": "positional_or_keyword", "required": false, "default": "2" })
    );
}

#[tokio::test]
async fn modules_that_come_along_are_here() {
    let files = json!({ "helper.py": { "text": "" }, "package/part.py": { "text": "" } });
    let script = "import helper, package.part, other\ndef main(): pass";
    let body = json!({ "script": script, "files": files }).to_string();
    let reply = Server::shared().post_to("/v1/check", body).await;
    let told: Value = serde_json::from_str(&reply.body).expect("it is JSON");
    let available: Vec<_> = told["imports"].as_array().expect("a list").iter().map(|one| &one["available"]).collect();
    assert_eq!(available, [&json!(true), &json!(false), &json!(true)], "{told}");
}

#[tokio::test]
async fn missing_modules_are_a_problem() {
    let told = check("import pandsa, numpy.nothing\nfrom . import x\ndef main(): pass").await;
    let imports: Vec<_> =
        told["imports"].as_array().unwrap().iter().map(|one| (&one["module"], &one["available"])).collect();
    let no = json!(false);
    assert_eq!(imports, [(&json!("numpy.nothing"), &no), (&json!("pandsa"), &no), (&json!("."), &no)], "{told}");
    assert_eq!(told["imports"][1]["similar"], json!(["pandas"]), "{told}");
    assert_eq!(told["problems"].as_array().map(Vec::len), Some(3), "{told}");
}

#[tokio::test]
async fn a_syntax_error_has_line_and_column() {
    let told = check("def main():\n    return (1 +\n").await;
    let error = &told["error"];
    assert_eq!(
        (&told["ok"], &error["type"], &error["line"], &error["column"]),
        (&json!(false), &json!("SyntaxError"), &json!(2), &json!(12)),
        "{told}"
    );
    assert_eq!(error["message"], "'(' was never closed", "{told}");
    let told = check("def main():\nreturn 1").await;
    assert_eq!((&told["error"]["type"], &told["error"]["line"]), (&json!("IndentationError"), &json!(2)), "{told}");
    // Not the parser finds these, but the compiler.
    for script in ["return 1", "def main(a, a): pass", "await x"] {
        let told = check(script).await;
        assert_eq!((&told["ok"], &told["error"]["line"]), (&json!(false), &json!(1)), "{script}: {told}");
    }
}

#[tokio::test]
async fn hostile_source_is_answered() {
    let server = Server::shared();
    for script in [
        "(".repeat(100_000),
        "-".repeat(1_000_000) + "1",
        "a.".repeat(200_000) + "b",
        "x\0y".to_owned(),
        "\u{feff}x".to_owned(),
    ] {
        let body = json!({ "script": script }).to_string();
        let reply = server.post_to("/v1/check", body).await;
        assert!(reply.status == 200 || reply.status == 400, "{script:.20}: {reply}");
        server.is_well().await;
    }
}

#[tokio::test]
async fn there_is_nothing_but_a_script_in_the_request() {
    let reply = Server::shared().post_to("/v1/check", r#"{"script":"x","timeout":1}"#).await;
    reply.fails("unknown field 'timeout'; known fields: script, files", "");
    Server::shared().post_to("/v1/check", "{}").await.fails("missing required field: script", "");
}
