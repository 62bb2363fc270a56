//! Scripts that want more to come back than the files that they left, or less to be left of the service: by what lies in their
//! directory, by what becomes of it meanwhile, by what they take from whoever collects it, and by answers of their own.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{Reply, RunReply, Server};

const NOT_REGULAR: &str = "not_regular";
const UNREADABLE: &str = "unreadable";
const HIDDEN: &str = "hidden";
const NAME: &str = "name";
const TOO_LARGE: &str = "too_large";
const TOO_MANY: &str = "too_many";

/// What an answer may have of files by default.
const MAX_FILES: usize = 64;
const MAX_BYTES: usize = 8 << 20;

/// For what would take minutes if it went wrong.
const NO_HANG: Duration = Duration::from_secs(25);

/// Runs a script whose answer is within all bounds, and leaves the service as it was.
async fn run(script: &str, fields: Value) -> RunReply {
    let told = Server::shared().run_with(script, fields).await;
    let files = told.files();
    assert!(files.len() <= MAX_FILES, "{told}");
    assert!(files.iter().map(|(_, content)| content.len()).sum::<usize>() <= MAX_BYTES, "{told}");
    let is_safe = |name: &str| {
        !name.contains(|character: char| character == '\\' || character.is_control())
            && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
    };
    assert!(files.iter().all(|(name, _)| is_safe(name)), "{told}");
    Server::shared().is_well().await;
    told
}

fn named(files: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    files.iter().map(|(name, content)| ((*name).to_owned(), content.as_bytes().to_vec())).collect()
}

/// The machine's and the runtime's, its own and the request's: a link is a link. A second name is a name.
#[tokio::test]
async fn no_link_is_followed() {
    let script = "
        import os

        TARGETS = ['/etc/passwd', '/usr/lib/python3.13/os.py', '/usr', '/', '..', '.', 'nowhere', 'mine', 'brought', 'd',
                   '/proc/self/environ', '/proc/self/mem', '/proc/self/fd/3', '/proc/1/root/etc/passwd', '/dev/zero']

        def main():
            os.mkdir('d')
            for name in ('mine', 'd/deep'):
                open(name, 'w').write('mine')
            for number, target in enumerate(TARGETS):
                os.symlink(target, f'link{number:02}')
            os.symlink('self', 'self')
            os.symlink('to-and', 'fro')
            os.symlink('fro', 'to-and')
            os.symlink('link00', 'd/link')
            os.link('link00', 'hard-link')
            os.link('mine', 'hard')
            return len(os.listdir('.')) + len(os.listdir('d')) - 5
    ";
    let told = run(script, json!({ "files": { "brought": { "text": "brought" } } })).await;
    assert_eq!(told.files(), named(&[("d/deep", "mine"), ("hard", "mine"), ("mine", "mine")]), "{told}");
    let omitted = told.omitted();
    assert_eq!(told.body["result"], omitted.len(), "{told}");
    assert!(omitted.iter().all(|(_, reason)| *reason == NOT_REGULAR), "{told}");
    assert!(told.body["omitted"]["files"].as_array().unwrap().iter().all(|file| file["size"] == 0), "{told}");
}

/// Those of them that cannot be made are not there, and nobody waits for the others.
#[tokio::test]
async fn what_is_no_file_is_not_read() {
    let script = "
        import os, socket, stat

        def bind():
            end = socket.socket(socket.AF_UNIX)
            end.bind('socket')

        ATTEMPTS = {
            'fifo': lambda: os.mkfifo('fifo'),
            'fifo-node': lambda: os.mknod('fifo-node', stat.S_IFIFO | 0o600),
            'socket': bind,
            'socket-node': lambda: os.mknod('socket-node', stat.S_IFSOCK | 0o600),
            'zero': lambda: os.mknod('zero', stat.S_IFCHR | 0o600, os.makedev(1, 5)),
            'tty': lambda: os.mknod('tty', stat.S_IFCHR | 0o600, os.makedev(5, 0)),
            'disk': lambda: os.mknod('disk', stat.S_IFBLK | 0o600, os.makedev(8, 0)),
        }

        def main():
            made = []
            for name, attempt in ATTEMPTS.items():
                try:
                    attempt()
                    made.append(name)
                except OSError:
                    pass
            open('file', 'w').write('mine')
            return sorted(made)
    ";
    let told = run(script, json!({})).await;
    assert_eq!(told.files(), named(&[("file", "mine")]), "{told}");
    let names: Vec<&str> = told.omitted().iter().map(|(name, _)| *name).collect();
    assert_eq!(told.body["result"], json!(names), "{told}");
}

#[tokio::test]
async fn many_and_deep_ones_are_counted() {
    let script = "
        import os

        def main(files, directories, depth):
            for number in range(directories):
                os.mkdir(f'e{number}')
            for number in range(files):
                open(f'f{number:05}', 'w').write('x')
            for _ in range(depth):
                os.mkdir('d')
                os.chdir('d')
            open('g', 'w').close()
    ";
    let inputs =
        |files, directories, depth| json!({ "inputs": { "files": files, "directories": directories, "depth": depth } });
    let told = run(script, inputs(10_000, 0, 0)).await;
    assert_eq!((told.names().len(), &told.body["omitted"]["count"]), (MAX_FILES, &json!(10_001 - MAX_FILES)), "{told}");
    assert!(told.omitted().iter().all(|(_, reason)| *reason == TOO_MANY), "{told}");
    assert_eq!((told.names()[63].as_str(), told.omitted().len()), ("f00063", MAX_FILES), "{told}");

    let told = run(script, inputs(0, 10_000, 0)).await;
    assert_eq!((told.names(), told.omitted()), (vec!["g".to_owned()], vec![]), "{told}");

    let told = run(script, inputs(1, 0, 5000)).await;
    assert_eq!((told.names(), told.omitted().len()), (vec!["f00000".to_owned()], 1), "{told}");
    assert_eq!(told.omitted()[0].1, NAME, "{told}");

    let told = run(script, inputs(1, 1, 60)).await;
    assert_eq!((told.names(), told.omitted()), (vec!["d/".repeat(60) + "g", "f00000".to_owned()], vec![]), "{told}");
}

/// A file with a hole can be larger than all that there is.
#[tokio::test]
async fn the_size_of_a_file_is_looked_at_before_its_content() {
    let script = "
        import os

        def main(sizes):
            made = []
            for number, size in enumerate(sizes):
                with open(f'f{number}', 'wb') as file:
                    try:
                        file.truncate(size)
                    except OSError:
                        pass
                    made.append(os.fstat(file.fileno()).st_size)
            return made
    ";
    let sizes = json!([1_u64 << 62, 1_u64 << 50, (8 << 20) + 1, 1000, 64 << 20]);
    let told = run(script, json!({ "inputs": { "sizes": sizes } })).await;
    // RLIMIT_FSIZE refuses the first two.
    assert_eq!(told.body["result"], json!([0, 0, (8 << 20) + 1, 1000, 64 << 20]), "{told}");
    let sent = [("f0".to_owned(), vec![]), ("f1".to_owned(), vec![]), ("f3".to_owned(), vec![0; 1000])];
    assert_eq!(told.files(), sent, "{told}");
    assert_eq!(told.omitted(), [("f2", TOO_LARGE), ("f4", TOO_LARGE)], "{told}");
    assert_eq!(told.body["omitted"]["files"][1]["size"], 64 << 20, "{told}");
}

#[tokio::test]
async fn names_that_lead_astray_are_not_sent() {
    let script = r"
        import os

        NAMES = [b'..\\..\\x', b'back\\slash', b'new\nline', b'\x1b[2J', b'\x7f', b'\xc2\x85', b'\xff\xfe', b'.hidden',
                 b'...', b'..x', b'C:x', b'Case', b'case', b'a b', 'é'.encode(), b'x' * 255]

        def main():
            for name in NAMES:
                open(name, 'w').write('mine')
            for directory in (b'\xff', b'\xef\xbf\xbd', b'tab\there', b'.git'):
                os.mkdir(directory)
                open(directory + b'/in', 'w').write('mine')
    ";
    let told = run(script, json!({})).await;
    let longest = "x".repeat(255);
    let sent = ["Case", "a b", "case", &longest, "é"].map(|name| (name, "mine"));
    assert_eq!(told.files(), named(&sent), "{told}");
    let hidden = ["...", "..x", ".git/", ".hidden"].map(|name| (name, HIDDEN));
    let others = [
        "\u{fffd}[2J",
        "..\\..\\x",
        "\u{fffd}",
        "C:x",
        "back\\slash",
        "new\u{fffd}line",
        "tab\u{fffd}here/in",
        "\u{fffd}",
        "\u{fffd}/in",
        "\u{fffd}/in",
        "\u{fffd}\u{fffd}",
    ];
    let mut expected: Vec<_> = hidden.into_iter().chain(others.map(|name| (name, NAME))).collect();
    // This one is hidden before anything else.
    expected.iter_mut().filter(|(name, _)| name.starts_with("..\\")).for_each(|(_, reason)| *reason = HIDDEN);
    let mut omitted = told.omitted();
    expected.sort_unstable();
    omitted.sort_unstable();
    assert_eq!(omitted, expected, "{told}");
}

/// What a script has taken its own rights to is not given back to it.
#[tokio::test]
async fn what_cannot_be_opened_is_told_of() {
    let script = "
        import os

        def main(back):
            os.makedirs('d/e')
            for name in ('d/f', 'd/e/g', 'h'):
                open(name, 'w').write('mine')
            for name in ('d/e', 'd', 'h'):
                os.chmod(name, 0)
            if back:
                for name in ('h', 'd', 'd/e'):
                    os.chmod(name, 0o700)
    ";
    let told = run(script, json!({ "inputs": { "back": false } })).await;
    assert_eq!((told.files(), told.omitted()), (vec![], vec![("d/", UNREADABLE), ("h", UNREADABLE)]), "{told}");
    let told = run(script, json!({ "inputs": { "back": true } })).await;
    assert_eq!(told.files(), named(&[("d/e/g", "mine"), ("d/f", "mine"), ("h", "mine")]), "{told}");
}

/// What comes is what the script has written, whatever takes its place in which moment.
#[tokio::test]
async fn what_changes_meanwhile_leads_nowhere() {
    let program = include_str!("../hostile/files_meanwhile.py");
    let fields = |way, by| json!({ "inputs": { "way": way, "by": by }, "timeout": 20 });
    let twin = run(program, fields("", "nobody")).await;
    assert_eq!(twin.files(), named(&[("d/passwd", "mine")]), "{twin}");
    for way in [
        "directory_and_link",
        "file_and_link",
        "file_and_directory",
        "file_and_fifo",
        "grows",
        "comes_and_goes",
        "loses_its_rights",
    ] {
        for by in ["child", "child", "thread"] {
            let told = run(program, fields(way, by)).await;
            assert_eq!(told.status(), "ok", "{way} by a {by}: {told}");
            for (name, content) in told.files() {
                assert!(["d/", "other/"].iter().any(|start| name.starts_with(start)), "{way}: {told}");
                let is_mine = content.chunks(4).all(|chunk| b"mine".starts_with(chunk));
                assert!(is_mine, "{way}: {name} {:?}", String::from_utf8_lossy(&content));
            }
        }
    }
}

/// Whatever a script takes from its own process, it gets an answer, and it is itself that has less of it.
#[tokio::test]
async fn a_script_that_takes_the_means_gets_an_answer() {
    const WRITE: &str = "\ndef main():\n    open('f', 'w').write('mine')\n    ";
    let ok = |first: &str, body: &str| [first, WRITE, body, "\n    return 1"].concat();
    let mine = named(&[("f", "mine")]);
    for (first, body) in [
        ("import os", "os.chdir('/usr')"),
        ("import os", "os.mkdir('gone'); os.chdir('gone'); os.rmdir(os.getcwd())"),
        ("import os", "os.closerange(0, 3)"),
        ("import resource", "resource.setrlimit(resource.RLIMIT_AS, (1 << 20, 1 << 20))"),
        ("import resource", "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"),
        ("import resource", "resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))"),
        ("import os", "os.umask(0o777)"),
        // Its descriptors are not needed any more.
        ("import os", "\n    try:\n        while True: os.dup(1)\n    except OSError: pass"),
        // Nor what was there before it ran.
        ("import gc", "gc.get_objects = None"),
    ] {
        let told = run(&ok(first, body), json!({})).await;
        told.returns(&json!(1));
        assert_eq!(told.files(), mine, "{body}: {told}");
    }
    for body in ["os.rename(os.getcwd(), '/tmp/../away')", "os.rmdir(os.getcwd())", "os.rename('.', 'away')"] {
        let refused = format!("try: {body}; refused = 0\n    except OSError: refused = 1\n    assert refused");
        let told = run(&ok("import os", &refused), json!({})).await;
        assert_eq!(told.files(), mine, "{body}: {told}");
    }
    // Where none can be made, nothing can be opened.
    let told = run(&ok("import resource", "resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))"), json!({})).await;
    told.returns(&json!(1));
    assert_eq!((told.files(), told.omitted()), (vec![], vec![("./", UNREADABLE)]), "{told}");
    // Debug builds abort where a descriptor of theirs was closed by another.
    let told = run(&ok("import os", "os.closerange(0, 1024)"), json!({})).await;
    assert!(["killed", "exited", "error"].contains(&told.status()), "{told}");
}

#[tokio::test]
async fn a_script_that_leaves_no_memory_gets_an_answer() {
    let script = "
        import gc

        held = []

        def main(make, large):
            open('f', 'wb').write(b'm' * (7 << 20))
            gc.disable()
            kinds = [lambda: bytearray(1 << 20), lambda: bytearray(1 << 12), lambda: bytearray(1 << 8)] if large else []
            for kind in (*kinds, lambda: [0] * 100):
                try:
                    while make:
                        held.append(kind())
                except MemoryError:
                    pass
            return 1
    ";
    let inputs = |make, large| json!({ "inputs": { "make": make, "large": large }, "timeout": 20 });
    let twin = run(script, inputs(false, false)).await;
    assert_eq!(twin.files(), [("f".to_owned(), vec![b'm'; 7 << 20])], "{twin}");
    for large in [true, false] {
        let told = run(script, inputs(true, large)).await;
        assert!(["ok", "memory"].contains(&told.status()), "{told}");
    }
}

/// What an answer means that a script has made up.
#[derive(Debug, Clone, Copy)]
enum Means {
    /// These names.
    Sent(&'static [&'static str]),
    /// So many files.
    Many(usize),
    /// No file, and one that is told of.
    SkippedFile,
    /// Nothing.
    Tampered,
}
use Means::{Many, Sent, SkippedFile, Tampered};

const FORGED: &[(&str, Means)] = &[
    ("one", Sent(&["a/b"])),
    ("none", Many(0)),
    ("as many as may be", Many(MAX_FILES)),
    ("as much as may be", Sent(&["a"])),
    ("parent", Tampered),
    ("parent in the middle", Tampered),
    ("parent at the end", Tampered),
    ("here", Tampered),
    ("absolute", Tampered),
    ("slash at the end", Tampered),
    ("two slashes", Tampered),
    ("backslash", Tampered),
    ("no name", Tampered),
    ("NUL", Tampered),
    ("line break", Tampered),
    ("escape", Tampered),
    ("control of the second kind", Tampered),
    ("not UTF-8", Tampered),
    ("long component", Tampered),
    ("long name", Tampered),
    ("twice", Tampered),
    ("one too many", Tampered),
    ("one byte too much", Tampered),
    ("half a million", Tampered),
    ("half a million omitted", Tampered),
    ("larger than it is", Tampered),
    ("smaller than it is", Tampered),
    ("largest size", Tampered),
    ("4 GiB", Tampered),
    ("longest name", Tampered),
    ("unknown kind", Tampered),
    ("last kind", Tampered),
    ("fewer than are named", Tampered),
    ("more than may be named", Tampered),
    ("omitted with a content", Tampered),
    ("largest figures", SkippedFile),
    ("long omitted name", SkippedFile),
    ("half a count", Tampered),
    ("half an entry", Tampered),
    ("rubbish behind", Tampered),
    ("rubbish", Tampered),
    ("announces 4 GiB", Tampered),
    ("two", Tampered),
    ("begun and endless", Tampered),
    ("looked at", Tampered),
];

/// KiB of the service's memory: at most so far.
fn most_memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process().id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a process has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[tokio::test]
async fn a_forged_answer_brings_nothing_from_outside() {
    const PROGRAM: &str =
        concat!(include_str!("../hostile/channel.py"), "\n\n", include_str!("../hostile/files_with_token.py"));
    // With these, the C library gives back at once what is freed.
    let settings = [("EXECUTOR_PRELOAD", ""), ("MALLOC_ARENA_MAX", "1"), ("MALLOC_MMAP_THRESHOLD_", "65536")];
    let server = Server::with(&settings);
    // What an honest script may cost.
    let honest = "
        def main():
            open('a', 'wb').write(b'x' * (8 << 20))
            return 'x' * ((5 << 20) - 2)
    ";
    assert_eq!(server.run(honest).await.names(), ["a"]);
    let most_before = most_memory(&server);
    for (way, means) in FORGED {
        let begun = Instant::now();
        let told = server.run_with(PROGRAM, json!({ "inputs": { "way": way }, "timeout": 20 })).await;
        match means {
            Sent(names) => {
                let names = names.iter().map(ToString::to_string).collect();
                assert_eq!((told.status(), told.names()), ("ok", names), "{way}: {told}");
            }
            Many(count) => assert_eq!((told.status(), told.names().len()), ("ok", *count), "{way}: {told}"),
            SkippedFile => {
                assert_eq!((told.status(), told.names().len(), told.omitted().len()), ("ok", 0, 1), "{way}: {told}");
                assert!(told.omitted()[0].0.len() <= 255, "{way}: {told}");
            }
            Tampered => {
                assert_eq!(told.body["error"]["type"], "Tampered", "{way}: {told}");
                assert_eq!((told.status(), told.files(), told.omitted()), ("error", vec![], vec![]), "{way}: {told}");
            }
        }
        server.is_well().await;
        assert!(begun.elapsed() < NO_HANG, "{way}: {:?}", begun.elapsed());
    }
    let most = most_memory(&server);
    assert!(most <= most_before + (4 << 10), "{most_before} KiB at most became {most} KiB");
}

async fn upload(files: Value) -> Reply {
    let body = json!({ "script": "def main(): pass", "files": files });
    Server::shared().post_to("/v1/run", body.to_string()).await
}

#[tokio::test]
async fn uploads_that_lead_astray_are_refused() {
    let deep = ["d/".repeat(509), "f".to_owned()].concat();
    let deeper = ["d/".repeat(510), "f".to_owned()].concat();
    for name in ["", ".", "..", "/", "/etc/passwd", "../x", "a/../x", "a/..", "./x", "a//x", "a/", "x\0", &deeper] {
        let error = upload(json!({ name: { "text": "x" } })).await.failure().value;
        assert!(error.contains("files"), "{name:?}: {error}");
    }
    for name in [deep.as_str(), "..x", "...", "~", "-rf", "a\\..\\b", "line\nbreak", &"x".repeat(255)] {
        RunReply::new(upload(json!({ name: { "text": "x" } })).await).returns(&json!(null));
    }
    let lone = r#"{"script":"def main(): pass","files":{"\ud800":{"text":"x"}}}"#;
    Server::shared().post_to("/v1/run", lone).await.failure();
    let twice = r#"{"script":"def main(): pass","files":{"a":{"text":"x"},"\u0061":{"text":"y"}}}"#;
    assert!(Server::shared().post_to("/v1/run", twice).await.failure().value.contains("duplicate"));

    let many = |count| -> Value { (0..count).map(|number| (number.to_string(), json!({ "text": "" }))).collect() };
    RunReply::new(upload(many(64)).await).returns(&json!(null));
    upload(many(65)).await.fails("field 'files' must not have more than 64 files", "");
    let clash = upload(json!({ "a": { "text": "1" }, "a/b": { "text": "2" } })).await;
    clash.fails("field 'files': \"a\" is both a file and a directory", "");
    Server::shared().is_well().await;
}

/// A request that is larger than the files may be.
#[tokio::test]
async fn uploads_are_bounded_together() {
    let server = Server::with(&[("EXECUTOR_MAX_FILE_BYTES", "4096"), ("EXECUTOR_PRELOAD", "")]);
    let body = |size: usize| {
        let files = json!({ "a": { "text": "x".repeat(2048) }, "b": { "text": "x".repeat(size) } });
        json!({ "script": "def main(): pass", "files": files }).to_string()
    };
    RunReply::new(server.post_to("/v1/run", body(2048)).await).returns(&json!(null));
    let refused = server.post_to("/v1/run", body(2049)).await;
    refused.fails("field 'files' must not have more than 4096 bytes of files", "");
    server.is_well().await;
}

/// Also under the names of modules which the service's own part of a worker uses, or which Python looks for.
#[tokio::test]
async fn uploaded_modules_stay_where_they_are() {
    let names = [
        "json",
        "os",
        "sys",
        "gc",
        "traceback",
        "random",
        "script",
        "sitecustomize",
        "usercustomize",
        "_harness",
        "encodings",
    ];
    let files: Value = names
        .iter()
        .flat_map(|name| [format!("{name}.py"), format!("{name}/__init__.py")])
        .map(|name| (name, json!({ "text": "open('loaded', 'w').write('x')\nraise SystemExit(1)" })))
        .collect();
    let told = run("def main(): return 1", json!({ "files": files })).await;
    told.returns(&json!(1));
    assert_eq!(told.files(), [], "{told}");
    let leave = "
        import os

        def main():
            os.rename('brought', 'moved')
            os.symlink('moved', 'brought')
            open('same', 'w').write('2')
    ";
    let files = json!({ "brought": { "text": "1" }, "same": { "text": "1" }, "a\\b": { "text": "1" } });
    let told = run(leave, json!({ "files": files })).await;
    assert_eq!(told.files(), named(&[("moved", "1"), ("same", "2")]), "{told}");
    assert_eq!(told.omitted(), [("a\\b", NAME), ("brought", NOT_REGULAR)], "{told}");
    let next = run("import os\ndef main(): return os.listdir('.')", json!({})).await;
    next.returns(&json!([]));
}

/// A server with little to spare, on which no other test waits.
fn small() -> Server {
    Server::with(&[("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_PRELOAD", "")])
}

#[tokio::test]
async fn who_leaves_a_flood_takes_it_along() {
    let server = small();
    let script =
        "import os\ndef main():\n    while True:\n        os.write(1, b'x' * 65536)\n        os.write(2, b'y' * 65536)";
    let before = most_memory(&server);
    for _ in 0..6 {
        let request = server.request(Method::POST, "/v1/run").header("accept", "text/event-stream");
        let mut response = request.json(&json!({ "script": script })).send().await.expect("an answer");
        assert!(response.chunk().await.expect("it goes on").is_some());
        drop(response);
    }
    // Each of them would go on for 30 seconds.
    let begun = Instant::now();
    server.is_well().await;
    assert!(begun.elapsed() < NO_HANG, "{:?}", begun.elapsed());
    let after = most_memory(&server);
    assert!(after < before + (48 << 10), "{before} KiB became {after} KiB");
}

#[tokio::test]
async fn two_hundred_that_go_away_leave_nothing() {
    let server = small();
    server.is_well().await;
    let body = json!({ "script": "import time\ndef main():\n    print(1)\n    time.sleep(60)" }).to_string();
    let head = "POST /v1/run HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\ncontent-type: application/json\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let mut clients = JoinSet::new();
    for _ in 0..200 {
        let (address, request) = (server.address(), request.clone());
        clients.spawn(async move {
            let mut client = TcpStream::connect(address).await.expect("it listens");
            client.write_all(request.as_bytes()).await.expect("it takes requests");
        });
    }
    clients.join_all().await;
    let begun = Instant::now();
    server.is_well().await;
    assert!(begun.elapsed() < NO_HANG, "{:?}", begun.elapsed());
    assert_eq!(server.zygotes().len(), 1);
}
