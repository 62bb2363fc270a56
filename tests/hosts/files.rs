//! Files go in and out on every host: also where a script can open none, and they are kept in its own memory.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::host::{Host, Service};
use crate::support::RunReply;

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
        # Never closed: what it holds is written all the same, as when a program ends.
        global left_open
        left_open = open('left-open.json', 'w')
        json.dump({'n': 1}, left_open)
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

/// Scripts know /tmp. It is the scratch directory, by whatever name that has.
#[tokio::test]
async fn tmp_is_the_scratch_directory() {
    let script = "
        import os, pathlib

        def main():
            pathlib.Path('/tmp/absolute.txt').write_text('a')
            os.mkdir('/tmp/d')
            os.rename('/tmp/absolute.txt', '/tmp/d/../d/moved.txt')
            pathlib.Path('relative.txt').write_text('r')
            os.chdir('/tmp/d')
            same = os.path.samefile('..', '/tmp') and os.path.samefile('/tmp/d/../..', '/')
            return [sorted(os.listdir('/tmp')), os.listdir('.'), open('/tmp/relative.txt').read(), same,
                    os.path.exists('/tmp/d/../../etc/passwd'), pathlib.Path('../relative.txt').resolve().read_text()]
    ";
    for service in [&REAL, &CONTAINER, &LAMBDA] {
        let told = service.run_with(script, json!({})).await;
        told.returns(&json!([["d", "relative.txt"], ["moved.txt"], "r", true, true, "r"]));
        assert_eq!(told.names(), ["d/moved.txt", "relative.txt"], "{told}");
    }
}

const NAMES: &str = include_str!("files/names.py");

/// So are /var/tmp, /mnt/data and the home directory, on every host.
#[tokio::test]
async fn the_scratch_directory_has_the_same_names_everywhere() {
    let inputs = json!({ "inputs": { "topics": ["one_place", "paths", "changes", "modules"] } });
    let expected = REAL.run_with(NAMES, inputs.clone()).await;
    assert_eq!(expected.status(), "ok", "{expected}");
    let result = &expected.body["result"];
    assert_eq!(
        (&result["modules"], &result["one_place"][1]),
        (&json!(42), &json!(["1.csv", "2.csv", "3.csv", "4.csv", "5.csv"]))
    );
    for service in [&Host::GVisor.start(), &*CONTAINER, &*LAMBDA] {
        let told = service.run_with(NAMES, inputs.clone()).await;
        assert_eq!(told.status(), "ok", "{told}");
        let mut differences = Vec::new();
        compare("", result, &told.body["result"], &mut differences);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

/// What the runtime has of a system stands where programs look for it, also where the host's root stays.
#[tokio::test]
async fn the_runtimes_etc_is_read_in_a_container() {
    let inputs = json!({ "inputs": { "topics": ["system"] } });
    let hosts = "127.0.0.1 localhost\n::1 localhost\n";
    for service in [&REAL, &CONTAINER] {
        let told = service.run_with(NAMES, inputs.clone()).await;
        told.returns(&json!({ "system": [hosts, ["FileNotFoundError", "/etc/shadow", null], true] }));
    }
}

/// Also where C code opens them: a database, and the directory that a program is started in.
#[tokio::test]
async fn what_c_code_opens_has_the_same_names_in_a_container() {
    let script = "
        import dbm, os, sqlite3, subprocess, sys

        def main():
            with sqlite3.connect('/mnt/data/data.db') as database:
                database.execute('create table t (n integer)')
            sqlite3.connect(database='/tmp/data.db').execute('select n from t')
            with dbm.open('/var/tmp/shelf', 'c') as shelf:
                shelf['a'] = 'b'
            try:
                subprocess.run(['/nowhere'], cwd='/mnt/data/missing')
            except FileNotFoundError as error:
                missing = error.filename
            return os.path.exists('data.db'), [name for name in os.listdir() if name.startswith('shelf')] != [], missing
    ";
    for service in [&REAL, &CONTAINER] {
        service.run_with(script, json!({})).await.returns(&json!([true, true, "/mnt/data/missing"]));
    }
}

/// What the programs in `files/` share. Each `main` answers with what it observes of files.
const COMMON: &str = include_str!("files/common.py");

/// Started once, for all of the programs.
static REAL: LazyLock<Service> = LazyLock::new(|| Host::Root.start());
static CONTAINER: LazyLock<Service> = LazyLock::new(|| Host::Container.start());
static LAMBDA: LazyLock<Service> = LazyLock::new(|| Host::Lambda.start());

/// A program observes of files in memory what it observes of files that the kernel has.
async fn says_the_same(program: &str, fields: Value) {
    says_the_same_on(&REAL, &LAMBDA, program, fields).await;
}

async fn says_the_same_on(real: &Service, lambda: &Service, program: &str, fields: Value) {
    let (expected, told) = tokio::join!(observed(real, program, &fields), observed(lambda, program, &fields));
    let mut differences = Vec::new();
    compare("", &expected.body["result"], &told.body["result"], &mut differences);
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
    assert_eq!(told.body["stdout"], expected.body["stdout"]);
    // What is sent out at the end is the same too.
    assert_eq!(told.names(), expected.names());
}

async fn observed(service: &Service, program: &str, fields: &Value) -> RunReply {
    let told = service.run_with(&[COMMON, program].concat(), fields.clone()).await;
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
        _ => differences.push(format!("{place}: {expected} where they are real, but {found} in memory")),
    }
}

#[test]
fn differences_are_found_wherever_they_are() {
    let mut found = Vec::new();
    compare("", &json!({"a": [1, {"b": 2}], "c": [1]}), &json!({"a": [1, {"b": 3}], "c": []}), &mut found);
    let expected = [".a[1].b: 2 where they are real, but 3 in memory", ".c: [1] where they are real, but [] in memory"];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn files_are_opened_the_same_in_memory() {
    says_the_same(include_str!("files/opening.py"), json!({})).await;
}

#[tokio::test]
async fn files_are_read_and_written_the_same_in_memory() {
    says_the_same(include_str!("files/reading_and_writing.py"), json!({})).await;
}

#[tokio::test]
async fn directories_are_the_same_in_memory() {
    says_the_same(include_str!("files/directories.py"), json!({})).await;
}

#[tokio::test]
async fn renames_links_and_removals_are_the_same_in_memory() {
    says_the_same(include_str!("files/links_and_removal.py"), json!({})).await;
}

#[tokio::test]
async fn numbers_stand_for_files_the_same_in_memory() {
    says_the_same(include_str!("files/descriptors.py"), json!({})).await;
}

#[tokio::test]
async fn temporary_files_are_the_same_in_memory() {
    says_the_same(include_str!("files/temporary.py"), json!({})).await;
}

#[tokio::test]
async fn copies_are_the_same_in_memory() {
    says_the_same(include_str!("files/copies.py"), json!({})).await;
}

#[tokio::test]
async fn archives_are_the_same_in_memory() {
    says_the_same(include_str!("files/archives.py"), json!({})).await;
}

#[tokio::test]
async fn paths_are_the_same_in_memory() {
    says_the_same(include_str!("files/paths.py"), json!({})).await;
}

#[tokio::test]
async fn formats_are_the_same_in_memory() {
    says_the_same(include_str!("files/formats.py"), json!({})).await;
}

#[tokio::test]
async fn arrays_and_tables_are_the_same_in_memory() {
    says_the_same(include_str!("files/tables.py"), json!({})).await;
}

#[tokio::test]
async fn errors_are_the_same_in_memory() {
    says_the_same(include_str!("files/errors.py"), json!({})).await;
}

/// They keep `open` and others from when they were imported, before there was a script.
#[tokio::test]
async fn loaded_modules_use_files_in_memory() {
    says_the_same(include_str!("files/captured.py"), json!({})).await;
}

#[tokio::test]
async fn modules_are_imported_the_same_from_memory() {
    let files = json!({
        "helper.py": { "text": include_str!("files/helper.py") },
        "beside.txt": { "text": "beside" },
        "package/__init__.py": { "text": "from .deep import DEPTH\n" },
        "package/sub.py": { "text": "from . import deep\nNAME = __name__\n" },
        "package/deep/__init__.py": { "text": "DEPTH = 'deep'\n" },
        "package/data.txt": { "text": "data" },
        "spaced/part.py": { "text": "Y = 5\n" },
    });
    says_the_same(include_str!("files/modules.py"), json!({ "files": files })).await;
}

#[tokio::test]
async fn limits_are_the_same_in_memory() {
    let variables = [("EXECUTOR_SCRATCH_MB", "2"), ("EXECUTOR_SCRATCH_FILES", "100")];
    let (real, lambda) = (Host::Root.start_with(&variables), Host::Lambda.start_with(&variables));
    says_the_same_on(&real, &lambda, include_str!("files/limits.py"), json!({})).await;
}

/// What an exception that nobody catches is told of.
#[tokio::test]
async fn failures_are_told_the_same() {
    for line in
        ["open('missing')", "open('.', 'w')", "open('f', 'x').close(); open('f', 'x')", "__import__('os').rmdir('x/y')"]
    {
        let script = format!("def main():\n    {line}");
        let none = json!({});
        let (expected, told) = tokio::join!(REAL.run_with(&script, none.clone()), LAMBDA.run_with(&script, none));
        assert_eq!((told.status(), &told.body["error"]), ("error", &expected.body["error"]), "{told}");
    }
}

const NO_DESCRIPTOR: &str =
    "UnsupportedOperation: files are kept in memory under this host's sandbox, and have no descriptor";
const NO_DIRECTORY: &str = "NotImplementedError: dir_fd unavailable on this platform";

/// How what needs a file of the kernel's fails in memory. All of it works with real files, but for [`REFUSED`].
const DIFFERENCES: [(&str, &str); 21] = [
    ("fileno", NO_DESCRIPTOR),
    ("sync", NO_DESCRIPTOR),
    ("sync_of_a_file_object", NO_DESCRIPTOR),
    ("lock", NO_DESCRIPTOR),
    ("lock_of_a_number", "OSError: [Errno 9] Bad file descriptor"),
    ("map_in_memory", NO_DESCRIPTOR),
    ("map_of_a_number", "OSError: [Errno 9] Bad file descriptor"),
    ("numpy_memmap", NO_DESCRIPTOR),
    ("numpy_load_mapped", NO_DESCRIPTOR),
    ("numpy_tofile", NO_DESCRIPTOR),
    ("numpy_fromfile", NO_DESCRIPTOR),
    ("pandas_mapped", "ValueError: memory_map=True is only supported"),
    ("file_io", "OSError: [Errno 24] Too many open files: 'file'"),
    ("duplicate_onto", NO_DESCRIPTOR),
    ("send", NO_DESCRIPTOR),
    ("directory_as_number", NO_DIRECTORY),
    ("walk_by_number", NO_DIRECTORY),
    ("enter_by_number", "OSError: [Errno 9] Bad file descriptor"),
    ("open_the_library", "OSError: [Errno 24] Too many open files: '<library>/os.py'"),
    ("make_pipe", "PermissionError: [Errno 1] Operation not permitted"),
    ("move_in", "OSError: [Errno 18] Invalid cross-device link: '/usr/lib' -> 'lib'"),
];

/// What real files cannot do either, and how that fails. `shutil` and `socket` copy where they cannot send.
const REFUSED: [(&str, &str); 3] = [
    ("send", "PermissionError: [Errno 1] Operation not permitted"),
    ("make_pipe", "PermissionError: [Errno 1] Operation not permitted"),
    ("move_in", "OSError: [Errno 18] Invalid cross-device link: '/usr/lib' -> 'lib'"),
];

#[tokio::test]
async fn what_files_in_memory_cannot_do_is_known() {
    let program = include_str!("files/differences.py");
    let none = json!({});
    let (real, lambda) = tokio::join!(observed(&REAL, program, &none), observed(&LAMBDA, program, &none));
    let answers = |told: &RunReply| -> BTreeMap<String, String> {
        serde_json::from_value(told.body["result"].clone()).expect("each use has an answer")
    };
    let (real, lambda) = (answers(&real), answers(&lambda));
    assert_eq!((real.len(), lambda.len()), (DIFFERENCES.len(), DIFFERENCES.len()), "{lambda:#?}");
    let refused = BTreeMap::from(REFUSED);
    for (name, words) in DIFFERENCES {
        assert!(lambda[name].starts_with(words), "{name}: {}", lambda[name]);
        let expected = refused.get(name).unwrap_or(&"works");
        assert!(real[name].starts_with(expected), "{name} with real files: {}", real[name]);
    }
}
