//! The field `files`: what a script finds in its scratch directory.

use serde_json::{Value, json};

use crate::support::{Reply, Server};

async fn with_files(script: &str, files: Value) -> Reply {
    Server::shared().execute_with(script, json!({ "files": files })).await
}

#[tokio::test]
async fn files_must_be_an_object() {
    for value in [json!(null), json!(true), json!(1), json!("x"), json!([])] {
        let reply = with_files("def main(): return 1", value).await;
        reply.fails("field 'files' must be an object", "");
    }
    with_files("def main(): return 1", json!({})).await.succeeds("1", "");
}

#[tokio::test]
async fn files_lie_in_the_working_directory_when_the_script_starts() {
    let script = "
        import os
        names = sorted(os.listdir('.'))

        def main():
            read = lambda name: open(name, 'rb').read().hex()
            return [names, {name: read(name) for name in names}]
    ";
    let files = json!({
        "daten é.csv": { "text": "a,b\r\n1,é\n" },
        "empty": { "text": "" },
        "logo.png": { "base64": "iVBORw0KGgoA/w==" },
        "none.bin": { "base64": "" },
    });
    let reply = with_files(script, files).await;
    let expected = json!([
        ["daten é.csv", "empty", "logo.png", "none.bin"],
        {
            "daten é.csv": "612c620d0a312cc3a90a",
            "empty": "",
            "logo.png": "89504e470d0a1a0a00ff",
            "none.bin": "",
        },
    ]);
    assert_eq!(reply.returned::<Value>(), expected, "{reply}");
}

#[tokio::test]
async fn a_file_may_lie_in_a_directory() {
    let script = "
        import os, pathlib

        def main():
            os.makedirs('data/new')
            return sorted(str(path) for path in pathlib.Path('.').rglob('*'))
    ";
    let files = json!({ "data/a/b.txt": { "text": "1" }, "data/a/c": { "text": "2" } });
    let reply = with_files(script, files).await;
    let expected = ["data", "data/a", "data/a/b.txt", "data/a/c", "data/new"];
    assert_eq!(reply.returned::<Vec<String>>(), expected, "{reply}");
}

#[tokio::test]
async fn a_name_that_is_a_file_and_a_directory_is_no_fault_of_the_service() {
    let files = json!({ "a": { "text": "1" }, "a/b": { "text": "2" } });
    let reply = with_files("def main(): return 1", files).await;
    reply.fails("field 'files': \"a\" is both a file and a directory", "");
    Server::shared().is_well().await;
}

#[tokio::test]
async fn files_that_do_not_fit_the_scratch_directory_are_no_fault_of_the_service() {
    let server = Server::with(&[("EXECUTOR_SCRATCH_MB", "1"), ("EXECUTOR_PRELOAD", "")]);
    let files = json!({ "large": { "text": "x".repeat(3 << 20) } });
    let reply = server.execute_with("def main(): return 1", json!({ "files": files })).await;
    reply.failure();
    server.is_well().await;
}

#[tokio::test]
async fn files_belong_to_the_script() {
    let script = "
        import os, pandas

        def main():
            total = int(pandas.read_csv('data.csv')['n'].sum())
            with open('data.csv', 'a') as file:
                file.write('4\\n')
            os.rename('data.csv', 'other.csv')
            more = int(pandas.read_csv('other.csv')['n'].sum())
            os.remove('other.csv')
            return [total, more, os.listdir('.')]
    ";
    let reply = with_files(script, json!({ "data.csv": { "text": "n\n1\n2\n" } })).await;
    assert_eq!(reply.returned::<Value>(), json!([3, 7, []]), "{reply}");
}

#[tokio::test]
async fn files_are_gone_for_the_next_script() {
    let files = json!({ "mine.txt": { "text": "x" } });
    let look = "import os\ndef main(): return os.listdir('.')";
    with_files(look, files).await.succeeds(r#"["mine.txt"]"#, "");
    for _ in 0..4 {
        Server::shared().execute(look).await.succeeds("[]", "");
    }
}

#[tokio::test]
async fn a_name_that_leaves_the_scratch_directory_is_refused() {
    for name in [
        "",
        ".",
        "..",
        "/",
        "/etc/passwd",
        "/tmp/x",
        "../x",
        "a/../../x",
        "a/..",
        "./../x",
        "x\u{0}y",
        &"n".repeat(256),
        &"d/".repeat(3000),
    ] {
        let reply = with_files("def main(): return 1", json!({ name: { "text": "x" } })).await;
        let error = reply.failure();
        assert!(error.value.contains("files"), "{name:?}\n{reply}");
        assert_eq!(error.stdout, "", "{name:?}\n{reply}");
    }
    Server::shared().is_well().await;
}

#[tokio::test]
async fn a_file_without_one_clear_content_is_refused() {
    for content in [
        json!(null),
        json!("text"),
        json!(1),
        json!([]),
        json!({}),
        json!({ "text": 1 }),
        json!({ "text": null }),
        json!({ "base64": 1 }),
        json!({ "base64": "not base64!" }),
        json!({ "base64": "QUJ" }),
        json!({ "text": "x", "base64": "eA==" }),
        json!({ "text": "x", "mode": "0777" }),
        json!({ "content": "x" }),
    ] {
        let files = json!({ "data.txt": content });
        let reply = with_files("def main(): return 1", files.clone()).await;
        let error = reply.failure();
        assert!(error.value.contains("files"), "{files}\n{reply}");
        assert_eq!(error.stdout, "", "{files}\n{reply}");
    }
}

#[tokio::test]
async fn the_same_file_twice_is_refused() {
    let body = r#"{"script":"def main(): return 1","files":{"a":{"text":"1"},"a":{"text":"2"}}}"#;
    let reply = Server::shared().post(body).await;
    assert!(reply.failure().value.contains("duplicate"), "{reply}");
}
