//! Files go in and out on every host: also where a script can open none, and they are kept in its own memory.

use serde_json::{Value, json};

use crate::host::{Host, Service};
use crate::support::Told;

const SCRIPT: &str = "
    import csv, json, os, pathlib, tempfile
    import pandas as pd

    def main():
        frame = pd.read_csv('in/table.csv')
        frame['double'] = frame['n'] * 2
        os.makedirs('out')
        frame.to_csv('out/table.csv', index=False)
        pathlib.Path('note.txt').write_text('é')
        with tempfile.TemporaryFile() as file:
            file.write(b'gone')
        with open('left-open.json', 'w') as file:
            json.dump({'n': 1}, file)
        return sorted(str(path) for path in pathlib.Path('.').rglob('*'))
";

async fn files_go_in_and_out(host: Host) {
    let service = host.start();
    let files = json!({ "in/table.csv": { "text": "n\n1\n2\n" }, "logo.bin": { "base64": "AP8=" } });
    let told = service.run_with(SCRIPT, json!({ "files": files })).await;
    let names = ["in", "in/table.csv", "left-open.json", "logo.bin", "note.txt", "out", "out/table.csv"];
    told.returns(&json!(names));
    let expected = [
        ("left-open.json", &br#"{"n": 1}"#[..]),
        ("note.txt", "é".as_bytes()),
        ("out/table.csv", b"n,double\n1,2\n2,4\n"),
    ];
    let expected = expected.map(|(name, content)| (name.to_owned(), content.to_vec()));
    assert_eq!(told.files(), expected, "{host:?}: {told}");
}

#[tokio::test]
async fn files_go_in_and_out_for_an_ordinary_user() {
    files_go_in_and_out(Host::User).await;
}

#[tokio::test]
async fn files_go_in_and_out_in_gvisor() {
    files_go_in_and_out(Host::GVisor).await;
}

#[tokio::test]
async fn files_go_in_and_out_in_a_container() {
    files_go_in_and_out(Host::Container).await;
}

#[tokio::test]
async fn files_go_in_and_out_on_lambda() {
    files_go_in_and_out(Host::Lambda).await;
}

/// Drawn, and decoded by another script, on every kind of host.
#[tokio::test]
async fn a_plot_comes_from_lambda() {
    let service = Host::Lambda.start();
    let draw = "
        import matplotlib.pyplot as plt

        def main():
            plt.figure(figsize=(3, 2), dpi=100)
            plt.plot([1, 3, 2])
            plt.title('$x^2$')
            plt.savefig('plot.png')
            plt.figure(figsize=(1, 1), dpi=100)
    ";
    let drawn = service.run_with(draw, json!({})).await;
    drawn.returns(&json!(null));
    assert_eq!(drawn.names(), ["figure-2.png", "plot.png"], "{drawn}");
    let files = json!({
        "plot.png": { "base64": drawn.body["files"][1]["base64"] },
        "figure.png": { "base64": drawn.body["files"][0]["base64"] },
    });
    let decode = "
        from PIL import Image

        def main():
            sizes = []
            for name in ('plot.png', 'figure.png'):
                image = Image.open(name)
                image.load()
                sizes.append(image.size)
            return sizes
    ";
    let decoded = service.run_with(decode, json!({ "files": files })).await;
    decoded.returns(&json!([[300, 200], [100, 100]]));
}

/// What the programs below share.
const COMMON: &str = include_str!("files/common.py");

/// What a program observes of the files of real hosts it observes on Lambda too.
async fn says_the_same(program: &str, fields: Value, variables: &[(&str, &str)]) {
    let script = [COMMON, program].concat();
    let (real, lambda) = (Host::Root.start_with(variables), Host::Lambda.start_with(variables));
    let (expected, told) = tokio::join!(observed(&real, &script, &fields), observed(&lambda, &script, &fields));
    let mut differences = Vec::new();
    compare("", &expected.body["result"], &told.body["result"], &mut differences);
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
    assert_eq!(told.body["stdout"], expected.body["stdout"]);
    assert_eq!(told.names(), expected.names());
}

async fn observed(service: &Service, script: &str, fields: &Value) -> Told {
    let told = service.run_with(script, fields.clone()).await;
    assert_eq!(told.status(), "ok", "{told}\n{}", service.log());
    told
}

/// Where two values differ, and how.
fn compare(place: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                compare(&format!("{place}[{index}]"), expected, found, differences);
            }
        }
        (Value::Object(expected), Value::Object(found)) if expected.keys().eq(found.keys()) => {
            for ((key, expected), found) in expected.iter().zip(found.values()) {
                compare(&format!("{place}.{key}"), expected, found, differences);
            }
        }
        _ if expected == found => (),
        _ => differences.push(format!("{place}: {expected} on a real host, but {found} on Lambda")),
    }
}

#[tokio::test]
async fn opening_says_the_same() {
    says_the_same(include_str!("files/opening.py"), json!({}), &[]).await;
}

#[tokio::test]
async fn reading_and_writing_says_the_same() {
    says_the_same(include_str!("files/reading_and_writing.py"), json!({}), &[]).await;
}

#[tokio::test]
async fn directories_says_the_same() {
    says_the_same(include_str!("files/directories.py"), json!({}), &[]).await;
}

#[tokio::test]
async fn links_and_removal_says_the_same() {
    says_the_same(include_str!("files/links_and_removal.py"), json!({}), &[]).await;
}

#[tokio::test]
async fn descriptors_says_the_same() {
    says_the_same(include_str!("files/descriptors.py"), json!({}), &[]).await;
}

#[tokio::test]
async fn temporary_says_the_same() {
    says_the_same(include_str!("files/temporary.py"), json!({}), &[]).await;
}

#[tokio::test]
async fn copies_says_the_same() {
    says_the_same(include_str!("files/copies.py"), json!({}), &[]).await;
}

#[tokio::test]
async fn archives_says_the_same() {
    says_the_same(include_str!("files/archives.py"), json!({}), &[]).await;
}

#[tokio::test]
async fn paths_says_the_same() {
    says_the_same(include_str!("files/paths.py"), json!({}), &[]).await;
}

#[tokio::test]
async fn formats_says_the_same() {
    says_the_same(include_str!("files/formats.py"), json!({}), &[]).await;
}

#[tokio::test]
async fn tables_says_the_same() {
    says_the_same(include_str!("files/tables.py"), json!({}), &[]).await;
}

#[tokio::test]
async fn errors_says_the_same() {
    says_the_same(include_str!("files/errors.py"), json!({}), &[]).await;
}

#[tokio::test]
async fn captured_says_the_same() {
    says_the_same(include_str!("files/captured.py"), json!({}), &[]).await;
}

#[tokio::test]
async fn modules_says_the_same() {
    let files = json!({
        "helper.py": { "text": HELPER },
        "beside.txt": { "text": "beside" },
        "package/__init__.py": { "text": "from .deep import DEPTH\n" },
        "package/sub.py": { "text": "from . import deep\nNAME = __name__\n" },
        "package/deep/__init__.py": { "text": "DEPTH = 'deep'\n" },
        "package/data.txt": { "text": "data" },
        "spaced/part.py": { "text": "Y = 5\n" },
    });
    says_the_same(include_str!("files/modules.py"), json!({ "files": files }), &[]).await;
}

/// Uploaded.
const HELPER: &str = "\
import os
from statistics import mean

VALUE = 42


class Point:
    def __init__(self, x):
        self.x = x


def divide(number):
    return number / 0  # shown in tracebacks


def own_directory():
    return os.path.dirname(__file__)


def neighbour():
    with open(os.path.join(own_directory(), 'beside.txt')) as file:
        return file.read()
";

#[tokio::test]
async fn limits_says_the_same() {
    let variables = [("EXECUTOR_SCRATCH_MB", "2"), ("EXECUTOR_SCRATCH_FILES", "100")];
    says_the_same(include_str!("files/limits.py"), json!({}), &variables).await;
}
