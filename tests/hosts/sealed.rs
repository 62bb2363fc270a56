//! On Lambda nothing but the seal lies between a script and its host: what it must not reach there, and what is left of
//! an invocation.

use serde_json::{Value, json};

use crate::host::{Host, Service};
use crate::support::emulator::SECRET;

/// What the error of a script says that asked for something that the seal keeps from it.
const SEALED: &str = "not available under this host's sandbox";

/// Attempts, by name: `reached` collects those that no exception ended.
const ATTEMPTS: &str = "
    reached, tried = [], 0

    def attempt(name, action):
        global tried
        tried += 1
        try:
            action()
            reached.append(name)
        except OSError:
            pass
";

async fn reaches_nothing(service: &Service, body: &str, inputs: Value) {
    let script = [ATTEMPTS, body].concat();
    let (tried, reached): (usize, Vec<String>) = service.execute_with(&script, inputs).await.returned();
    assert!(tried > 0 && reached.is_empty(), "{tried} attempts, reached {reached:?}\n{}", service.log());
}

#[tokio::test]
async fn a_sealed_script_reaches_no_socket() {
    let service = Host::Lambda.start();
    service.is_well().await;
    let api = service.emulator().api();
    std::net::TcpStream::connect(api).expect("the runtime API is there for the function");
    let body = "
    import ctypes, socket

    def main(host, port):
        attempt('the runtime API', lambda: socket.create_connection((host, port), timeout=5))
        attempt('a name', lambda: socket.getaddrinfo('example.com', port))
        for family in range(46):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
                attempt(f'socket {family} {kind}', lambda: socket.socket(family, kind))
        attempt('a pair', socket.socketpair)
        return tried, reached
    ";
    let inputs = json!({ "host": api.ip().to_string(), "port": api.port() });
    reaches_nothing(&service, body, inputs).await;
    service.is_well().await;
}

/// By Python's functions, which keep some files in memory there, and by the kernel's, which open none.
#[tokio::test]
async fn a_sealed_script_opens_no_file() {
    let body = "
    import ctypes, os, sys

    PATHS = ['/var/task', '/etc/passwd', '/', '/var', '/dev/null', '/proc/self/exe', '/proc/self/maps', os.__file__,
             sys.executable, '/proc/1/environ', '/proc/self/environ', '/proc/self/fd/1']
    # Of these the harness has what Python asks for: the runtime's file, and a device that keeps nothing.
    IN_MEMORY = ['/etc/passwd', '/dev/null']
    libc = ctypes.CDLL(None, use_errno=True)

    def kernel_open(path, flags):
        if libc.open(path.encode(), flags, 0o600) < 0:
            raise OSError(ctypes.get_errno())

    def main():
        for path in PATHS:
            for flags in (os.O_RDONLY, os.O_WRONLY, os.O_PATH, os.O_DIRECTORY, os.O_TMPFILE | os.O_RDWR):
                if path not in IN_MEMORY or flags & os.O_DIRECTORY:
                    attempt(f'{path} {flags:#x}', lambda: os.open(path, flags))
                attempt(f'{path} {flags:#x} by the kernel', lambda: kernel_open(path, flags))
            attempt(f'list {path}', lambda: os.listdir(path))
        for path in ('.', os.getcwd(), '/tmp', '/var/tmp', 'new'):
            attempt(f'{path} by the kernel', lambda: kernel_open(path, os.O_CREAT | os.O_RDWR if path == 'new' else os.O_RDONLY))
        attempt('memory', lambda: os.memfd_create('x'))
        attempt('pipe', os.pipe)
        attempt('dup', lambda: os.dup(1))
        attempt('fork', os.fork)
        return tried, reached
    ";
    reaches_nothing(&Host::Lambda.start(), body, json!({})).await;
}

/// Every process of the host is asked for a byte of its memory; the script's own shows that the question is understood.
#[tokio::test]
async fn a_sealed_script_reads_no_memory_but_its_own() {
    let body = "
    import ctypes, errno, os

    libc = ctypes.CDLL(None, use_errno=True)
    known = ctypes.create_string_buffer(b'known', 8)

    class Span(ctypes.Structure):
        _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]

    def reads(number, call):
        into = ctypes.create_string_buffer(8)
        ours, theirs = Span(ctypes.addressof(into), 8), Span(ctypes.addressof(known), 8)
        got = call(number, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0)
        # Who may look but finds nothing at this address gets EFAULT.
        return got > 0 or ctypes.get_errno() not in (errno.EPERM, errno.ESRCH)

    def main(numbers):
        for number in {*range(1, 3000), *numbers} - {os.getpid()}:
            for call in (libc.process_vm_readv, libc.process_vm_writev):
                global tried
                tried += 1
                if reads(number, call):
                    reached.append(f'{number}')
        if not reads(os.getpid(), libc.process_vm_readv):
            reached.append('the question is not understood')
        return tried, reached
    ";
    let service = Host::Lambda.start();
    service.is_well().await;
    let numbers: Vec<i32> = service.numbers_inside().into_iter().map(|(number, _)| number).collect();
    assert!(numbers.len() > 3, "{numbers:?}");
    reaches_nothing(&service, body, json!({ "numbers": numbers })).await;
}

/// The suite's search of all memory, for the function's credentials.
#[tokio::test]
async fn credentials_are_nowhere_in_a_sealed_script() {
    let search = include_str!("../attack/programs/sec_memory.py");
    let backwards: String = SECRET.chars().rev().collect();
    // Neither the pattern nor the script holds what is searched for.
    let pattern = format!("re.compile(b'[{}]' + {:?}[::-1].encode()[1:])", &SECRET[..1], backwards);
    let search = search.replace(r#"re.compile(rb"[S]ECRET-[0-9a-f]{12}")"#, &pattern);
    assert!(search.contains(&pattern), "the search is another one");
    let variables = "
import os
found = [name for name in os.environ if name.startswith(('AWS', 'LAMBDA', '_'))]
";
    let service = Host::Lambda.start();
    let result: Value = service.execute(&[&search, variables].concat()).await.returned();
    assert!(result["tried"].as_u64() > Some(10 << 20) && result["breaches"] == json!([]), "{result}");
    let names =
        service.execute("import os\ndef main(): return [n for n in os.environ if n[:3] in ('AWS', 'LAM')]").await;
    names.succeeds("[]", "");
    // It would be found.
    let planted = search.replace("def main():", &format!("planted = {backwards:?}[::-1].encode()\n\ndef main():"));
    let result: Value = service.execute(&planted).await.returned();
    assert_ne!(result["breaches"], json!([]), "the search finds nothing");
}

/// What can be made without a descriptor, by one invocation, is gone in the next.
#[tokio::test]
async fn nothing_of_a_sealed_script_is_left() {
    const MAKE: &str = "
        import ctypes, os, stat

        libc = ctypes.CDLL(None, use_errno=True)
        KEY, CREATE = 0x5EC12E7, 0o1000 | 0o666

        def main():
            # Python's functions would make them in the script's own memory.
            made = [
                libc.mkdir(b'/tmp/left', 0o700), libc.mkdir(b'/tmp/left/a', 0o700), libc.mkdir(b'/tmp/left/a/b', 0o700),
                libc.symlink(b'/etc/passwd', b'/tmp/left-link'),
                libc.mknod(b'/tmp/left-file', stat.S_IFREG | 0o600, 0), libc.mknod(b'/tmp/left-pipe', stat.S_IFIFO | 0o600, 0),
                libc.link(b'/tmp/left-file', b'/tmp/left/again'), libc.chmod(b'/tmp/left/a', 0), libc.chmod(b'/tmp/left', 0),
            ]
            return [made.count(0), libc.shmget(KEY, 4096, CREATE) >= 0, libc.semget(KEY, 1, CREATE) >= 0, libc.msgget(KEY, CREATE) >= 0]
    ";
    const LOOK: &str = "
        import ctypes, os

        libc = ctypes.CDLL(None, use_errno=True)
        KEY = 0x5EC12E7

        def main():
            buffer = ctypes.create_string_buffer(1024)
            found = [end for end in ('', '-link', '-file', '-pipe') if libc.lstat(f'/tmp/left{end}'.encode(), buffer) == 0]
            return [found, libc.shmget(KEY, 0, 0), libc.semget(KEY, 0, 0), libc.msgget(KEY, 0)]
    ";
    let service = Host::Lambda.start();
    for _ in 0..2 {
        service.execute(MAKE).await.succeeds("[9,true,true,true]", "");
        service.execute(LOOK).await.succeeds("[[],-1,-1,-1]", "");
    }
}

/// Directories need no descriptor. They are counted, and their maker is ended.
#[tokio::test]
async fn a_sealed_script_makes_no_endless_number_of_directories() {
    let service = Host::Lambda.start();
    let script = "
        import ctypes

        libc = ctypes.CDLL(None)

        def main():
            for number in range(100_000):
                assert libc.mkdir(f'/tmp/directory-{number}'.encode(), 0o700) == 0
            return 'made them all'
    ";
    let error = service.execute(script).await.failure().value;
    assert!(!error.contains("time limit"), "{error}");
    let look = "import ctypes\ndef main(): return ctypes.CDLL(None).access(b'/tmp/directory-0', 0)";
    service.execute(look).await.succeeds("-1", "");
}

/// What all workers read of the runtime is one mapping, which none can make its own.
#[tokio::test]
async fn a_sealed_script_cannot_write_to_the_runtimes_image() {
    let script = "
        import ctypes, os
        import numpy as np

        libc = ctypes.CDLL(None, use_errno=True)
        PAGE, READ, WRITE = 4096, 1, 2

        def main():
            content = os.listdir.__func__.__globals__['space'].image._content
            address = ctypes.c_void_p(np.frombuffer(content, np.uint8).ctypes.data)
            known = libc.mprotect(address, PAGE, READ)
            return known, libc.mprotect(address, PAGE, READ | WRITE), os.strerror(ctypes.get_errno())
    ";
    Host::Lambda.start().execute(script).await.succeeds("[0,-1,\"Permission denied\"]", "");
}

#[tokio::test]
async fn a_sealed_script_is_somewhere() {
    let service = Host::Lambda.start();
    for _ in 0..3 {
        service.execute("import os\ndef main(): return os.getcwd().startswith('/tmp/')").await.succeeds("true", "");
    }
}

#[tokio::test]
async fn a_refused_resource_is_explained() {
    let service = Host::Lambda.start();
    for (what, statement) in [
        ("files", "open('/var/new', 'w')"),
        ("files", "open('/etc/passwd', 'a')"),
        ("files", "os.listdir('/usr')"),
        ("files", "tempfile.TemporaryFile(dir='/usr')"),
        ("files", "sqlite3.connect('/var/new').execute('create table t (x)')"),
        ("files and sockets", "socket.socket()"),
        ("files and sockets", "os.pipe()"),
        ("threads", "threading.Thread(target=print).start()"),
        ("threads", "list(concurrent.futures.ThreadPoolExecutor().map(str, [1]))"),
        ("processes", "os.fork()"),
        ("", "subprocess.run(['true'])"),
        ("", "multiprocessing.Process(target=print).start()"),
        ("", "multiprocessing.Pool(1)"),
    ] {
        let modules =
            "import concurrent.futures, multiprocessing, os, socket, sqlite3, subprocess, tempfile, threading";
        let reply = service.execute(&format!("{modules}\ndef main():\n    {statement}")).await;
        let error = reply.failure().value;
        assert!(error.contains(what) && error.contains(SEALED), "{statement}: {error}");
    }
}
