//! The files that a script leaves.

use serde_json::json;

use crate::support::{Server, dedent};

#[tokio::test]
async fn files_come_back_with_their_media_types() {
    let script = "
        import os, pathlib

        def main():
            os.makedirs('data/deep')
            pathlib.Path('data/deep/table.csv').write_text('a,b\\n')
            pathlib.Path('é.json').write_text('{}')
            pathlib.Path('bytes').write_bytes(bytes(range(256)))
            pathlib.Path('empty.txt').touch()
    ";
    let told = Server::shared().run(script).await;
    told.returns(&json!(null));
    let types: Vec<_> =
        told.body["files"].as_array().unwrap().iter().map(|file| (&file["name"], &file["type"])).collect();
    let expected = [
        (&json!("bytes"), &json!("application/octet-stream")),
        (&json!("data/deep/table.csv"), &json!("text/csv")),
        (&json!("empty.txt"), &json!("text/plain")),
        (&json!("é.json"), &json!("application/json")),
    ];
    assert_eq!(types, expected, "{told}");
    assert_eq!(told.file("bytes"), (0..=255).collect::<Vec<u8>>());
    assert_eq!(told.file("data/deep/table.csv"), b"a,b\n");
    assert!(told.body.get("omitted").is_none(), "{told}");
}

#[tokio::test]
async fn files_of_a_failed_script_come_back_too() {
    let told = Server::shared().run("def main():\n    open('log', 'w').write('x')\n    1 / 0").await;
    told.fails("error", "ZeroDivisionError");
    assert_eq!(told.file("log"), b"x");
}

#[tokio::test]
async fn what_the_request_brought_comes_back_only_if_it_was_changed() {
    let files = json!({ "same": { "text": "1" }, "rewritten": { "text": "2" }, "changed": { "text": "3" }, "gone": { "text": "4" } });
    let script = "
        import os

        def main():
            open('rewritten', 'w').write('2')
            open('changed', 'w').write('4')
            os.rename('gone', 'moved')
    ";
    let told = Server::shared().run_with(script, json!({ "files": files })).await;
    assert_eq!(told.files(), [("changed".to_owned(), b"4".to_vec()), ("moved".to_owned(), b"4".to_vec())], "{told}");
}

#[tokio::test]
async fn hidden_files_are_told_of() {
    let script = "
        import os

        def main():
            os.makedirs('.cache/a')
            for name in ('.env', '.cache/a/b', 'seen'):
                open(name, 'w').write('x')
    ";
    let told = Server::shared().run(script).await;
    assert_eq!(told.names(), ["seen"]);
    let hidden = "hidden";
    assert_eq!(told.omitted(), [(".cache/", hidden), (".env", hidden)], "{told}");
}

#[tokio::test]
async fn number_and_size_of_files_are_bounded() {
    let server =
        Server::with(&[("EXECUTOR_MAX_FILES", "3"), ("EXECUTOR_MAX_FILE_BYTES", "1024"), ("EXECUTOR_PRELOAD", "")]);
    let script = "
        def main():
            for name, size in (('a', 600), ('b', 600), ('c', 424), ('d', 0), ('e', 0)):
                open(name, 'w').write('x' * size)
    ";
    let told = server.run(script).await;
    assert_eq!(told.names(), ["a", "c", "d"]);
    let (large, many) = ("too_large", "too_many");
    assert_eq!(told.omitted(), [("b", large), ("e", many)], "{told}");
    assert_eq!(told.body["omitted"]["count"], 2, "{told}");
    assert_eq!(told.body["omitted"]["files"][0]["size"], 600, "{told}");

    let files = json!({ "a": { "text": "x".repeat(1025) } });
    let body = json!({ "script": "def main(): pass", "files": files }).to_string();
    let refused = server.post_to("/v1/run", body).await;
    refused.fails("field 'files' must not have more than 1024 bytes of files", "");
}

#[tokio::test]
async fn execute_sends_no_files() {
    let script = dedent(
        "
        def main():
            open('left', 'w').write('x')
            return 1
    ",
    );
    Server::shared().execute(&script).await.succeeds("1", "");
}
