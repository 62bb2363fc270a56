//! What lies in a script's directory, and what it tells of that itself, on every kind of host: none of it brings anything back
//! but the script's own files. On Lambda these are in the script's memory, for the script to change as it likes.

use serde_json::{Value, json};

use crate::host::{Host, Service};
use crate::support::RunReply;

/// By Python's functions and by the kernel's own, where these are allowed.
const STRANGE: &str = r"
    import ctypes, os, stat

    libc = ctypes.CDLL(None)
    MINE = b'mine'

    def attempt(action, *arguments):
        try:
            action(*arguments)
        except (OSError, UnicodeError):
            pass

    def write(name):
        with open(name, 'wb') as file:
            file.write(MINE)

    def main():
        write('mine')
        os.makedirs('d/e')
        write('d/e/mine')
        for number, target in enumerate([b'/etc/passwd', b'/usr/lib', b'/proc/self/environ', b'mine', b'.', b'link', b'nowhere']):
            attempt(os.symlink, target, b'link%d' % number)
            libc.symlink(target, b'real-link%d' % number)
        attempt(os.symlink, 'self', 'self')
        for name, kind in (('fifo', stat.S_IFIFO), ('socket', stat.S_IFSOCK), ('zero', stat.S_IFCHR), ('disk', stat.S_IFBLK)):
            attempt(os.mknod, name, kind | 0o600, os.makedev(1, 5))
            libc.mknod(f'real-{name}'.encode(), kind | 0o600, os.makedev(1, 5))
        for name in (b'back\\slash', b'new\nline', b'\xff', b'.hidden', '\ud800', b'd/\x1b[2J'):
            attempt(write, name)
        with open('hole', 'wb') as file:
            attempt(file.truncate, 1 << 50)
        for name in ('d/e/../../../../../../up', '/etc/cron.d/x', '/usr/lib/x'):
            attempt(write, name)
        write('last')
";

/// All that comes is `mine` or empty, under a name that is one.
fn is_own(told: &RunReply) {
    for (name, content) in told.files() {
        assert!([&b"mine"[..], b""].contains(&&content[..]), "{name}: {}", String::from_utf8_lossy(&content));
        let is_bad = |part: &str| part.is_empty() || part.starts_with('.') || part.contains(['\\', '\n', '\x1b', '\0']);
        assert!(!name.split('/').any(is_bad), "{name:?}: {told}");
    }
}

async fn run(service: &Service, script: &str, fields: Value) -> RunReply {
    let told = service.run_with(script, fields).await;
    service.is_well().await;
    told
}

async fn strange_things_stay_where_they_are(host: Host) {
    let service = host.start();
    let told = run(&service, STRANGE, json!({})).await;
    told.returns(&json!(null));
    is_own(&told);
    for name in ["d/e/mine", "last", "mine"] {
        assert_eq!(told.file(name), b"mine", "{host:?}: {told}");
    }
    // What cannot be opened any more: sealed hosts keep files in memory.
    let script = "
        import os, resource

        def main(way):
            os.makedirs('d')
            open('d/f', 'w').write('mine')
            if way == 'closed':
                resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
            elif way == 'elsewhere':
                os.chdir('/usr')
            elif way == 'removed':
                os.remove('d/f')
                os.chdir('d')
                os.rmdir('../d')
            elif way == 'many':
                for number in range(3000):
                    open(f'g{number}', 'w').close()
            elif way == 'deep':
                for _ in range(500):
                    os.mkdir('e')
                    os.chdir('e')
    ";
    for way in ["", "closed", "elsewhere", "removed", "many", "deep"] {
        let told = run(&service, script, json!({ "inputs": { "way": way } })).await;
        told.returns(&json!(null));
        is_own(&told);
        let is_there = told.names().contains(&"d/f".to_owned());
        assert!(is_there || ["closed", "removed"].contains(&way), "{host:?}: {way}: {told}");
        assert!(told.names().len() <= 64, "{host:?}: {way}: {told}");
    }
    // Names of modules, before anything is known of the script.
    let files: Value = ["json.py", "os.py", "numpy.py", "numpy/__init__.py", "csv.py", "sitecustomize.py"]
        .map(|name| (name.to_owned(), json!({ "text": "raise SystemExit('loaded')" })))
        .into_iter()
        .collect();
    let script = "
        import os

        def main(load):
            if load:
                import csv_of_mine
                return csv_of_mine.X
    ";
    let told = run(&service, script, json!({ "files": files, "inputs": { "load": false } })).await;
    told.returns(&json!(null));
    assert_eq!(told.files(), [], "{host:?}: {told}");
    let files = json!({ "csv_of_mine.py": { "text": "X = 'mine'" } });
    run(&service, script, json!({ "files": files, "inputs": { "load": true } })).await.returns(&json!("mine"));
}

#[tokio::test]
async fn strange_things_stay_where_they_are_for_an_ordinary_user() {
    strange_things_stay_where_they_are(Host::User).await;
}

#[tokio::test]
async fn strange_things_stay_where_they_are_in_gvisor() {
    strange_things_stay_where_they_are(Host::GVisor).await;
}

#[tokio::test]
async fn strange_things_stay_where_they_are_in_a_container() {
    strange_things_stay_where_they_are(Host::Container).await;
}

#[tokio::test]
async fn strange_things_stay_where_they_are_on_lambda() {
    strange_things_stay_where_they_are(Host::Lambda).await;
}

/// The tree in memory is the script's: what it makes of it is no more than a file of its own, and has an end.
#[tokio::test]
async fn a_sealed_scripts_tree_is_only_its_own() {
    let service = Host::Lambda.start();
    let script = r"
        import os, sys

        def main(way):
            os.makedirs('d/e')
            open('d/f', 'w').write('mine')
            space = os.mkdir.__func__.__globals__['space']
            root = space.root
            d, f = root.entries['d'], root.entries['d'].entries['f']
            if way == 'circle':
                d.entries['again'] = root
                root.entries['self'] = root
            elif way == 'names':
                root.entries.update({name: f for name in ('..', '.', '', '/etc/x', 'a/../../b', 'a\0b', '\ud800', 'a\\b', '.h')})
            elif way == 'no names':
                root.entries.update({1: f, None: f, b'x': f, ('a',): d})
            elif way == 'no files':
                root.entries.update(a=1, b=None, c=sys, e=type, g=open)
            elif way == 'own class':
                class Evil(type(f)):
                    data = property(lambda self: os._exit(1))
                root.entries['evil'] = Evil(0o600)
            elif way == 'no content':
                f.data = 'text'
            elif way == 'views':
                f.data = memoryview(bytearray(100))
            elif way == 'entries':
                root.entries = {**root.entries, 'g': f}
            elif way == 'no entries':
                d.entries = [1, 2]
            elif way == 'no root':
                space.root = d
            elif way == 'nothing':
                space.root = None
            elif way == 'many':
                root.entries.update((f'n{number}', f) for number in range(10_000))
            elif way == 'deep':
                here = d
                for _ in range(3000):
                    below = type(d)(0o700)
                    here.entries['x'] = below
                    here = below
            elif way == 'patched':
                import builtins
                for name in ('len', 'sorted', 'type', 'iter', 'memoryview', 'id', 'bytes'):
                    setattr(builtins, name, None)
            elif way == 'traced':
                sys.settrace(lambda *_: os._exit(1))
                sys.setprofile(lambda *_: os._exit(1))
    ";
    for way in [
        "",
        "circle",
        "names",
        "no names",
        "no files",
        "own class",
        "no content",
        "views",
        "entries",
        "no entries",
        "no root",
        "nothing",
        "many",
        "deep",
        "patched",
        "traced",
    ] {
        let told = run(&service, script, json!({ "inputs": { "way": way } })).await;
        // Those two end themselves.
        let status = if ["own class", "traced"].contains(&way) { "exited" } else { "ok" };
        assert_eq!(told.status(), status, "{way}: {told}");
        for (name, content) in told.files() {
            assert!([&b"mine"[..], b""].contains(&&content[..]), "{way}: {name}");
            assert!(!name.split('/').any(|part| part.is_empty() || part.starts_with('.')), "{way}: {told}");
        }
        if way.is_empty() {
            assert_eq!(told.files(), [("d/f".to_owned(), b"mine".to_vec())], "{told}");
        }
    }
}

/// It finds its token in its own memory, and answers by itself.
#[tokio::test]
async fn a_sealed_script_that_forges_an_answer_brings_nothing_from_outside() {
    let program = r#"
        import ctypes, os, stat, struct

        libc = ctypes.CDLL(None)

        class Span(ctypes.Structure):
            _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

        def read(at, size):
            into = ctypes.create_string_buffer(size)
            ours, theirs = Span(ctypes.addressof(into), size), Span(at, size)
            got = libc.process_vm_readv(os.getpid(), ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0)
            return into.raw[: max(got, 0)]

        def token(timeout):
            """Lies beside the time limit, on the stack."""
            pattern = struct.pack("<QI", int(timeout), int(timeout % 1 * 1e9))
            top = ctypes.c_void_p.in_dll(libc, "__libc_stack_end").value & ~4095
            for page in range(top, top - (1 << 20), -4096):
                at = read(page, 4096).find(pattern)
                for place in range(page + at - 256, page + at + 256, 8) if at >= 0 else ():
                    found = read(place, 16)
                    if len(set(found)) > 12 and found.count(0) == 0:
                        return found

        def is_socket(number):
            try:
                return stat.S_ISSOCK(os.fstat(number).st_mode)
            except OSError:
                return False

        def main(entries, count, timeout):
            files = struct.pack("<I", count)
            for kind, name, size, content in entries:
                files += struct.pack("<BIQ", kind, len(name.encode()), size) + name.encode() + content.encode()
            payload = b'"forged"'
            answer = token(timeout) + b"R" + struct.pack("<II", len(payload), len(files)) + payload + files
            os.write(next(filter(is_socket, range(3, 64))), answer)
            libc.pause()
    "#;
    let service = Host::Lambda.start();
    let timeout = 4.875;
    for (entries, count, names) in [
        (json!([[0, "a/b", 1, "x"]]), 0, Some(vec!["a/b"])),
        (json!([[1, "../x", 1, ""]]), 1, Some(vec![])),
        (json!([[0, "../x", 1, "x"]]), 0, None),
        (json!([[0, "/etc/passwd", 1, "x"]]), 0, None),
        (json!([[0, "a", 1, "x"], [0, "a", 1, "x"]]), 0, None),
        (json!([[0, "a", 2, "x"]]), 0, None),
        (json!([[0, "a", 0, "x"]]), 0, None),
        (json!([[9, "a", 0, ""]]), 1, None),
        (json!([[1, "a", 0, ""]]), 0, None),
    ] {
        let fields = json!({
            "inputs": { "entries": entries, "count": count, "timeout": timeout },
            "timeout": timeout,
        });
        let mut told = run(&service, program, fields.clone()).await;
        for _ in 0..8 {
            // Some tokens do not look like one.
            let is_missed = told.body["error"]["type"] == "TypeError" || names.is_some() && told.status() != "ok";
            if !is_missed {
                break;
            }
            told = run(&service, program, fields.clone()).await;
        }
        match names {
            Some(names) => {
                let names = names.into_iter().map(str::to_owned).collect();
                assert_eq!((told.status(), told.names()), ("ok", names), "{told}");
            }
            None => assert_eq!((&told.body["error"]["type"], told.files()), (&json!("Tampered"), vec![]), "{told}"),
        }
    }
}
