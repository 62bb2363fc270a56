//! Each script has its number of processes for itself, whatever the others do.

use serde_json::{Value, json};

use crate::host::Host;

/// Together more than one script may have, by itself less.
const CROWD: &str = "
    import os, signal, time

    def main():
        children = []
        try:
            for _ in range(80):
                child = os.fork()
                if child == 0:
                    time.sleep(60)
                    os._exit(0)
                children.append(child)
            time.sleep(2)
            return len(children)
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)
";

async fn are_its_own(host: Host) {
    // In gVisor each child counts with the memory that it shares.
    let variables = [("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_PRELOAD", ""), ("EXECUTOR_MEMORY_MB", "4096")];
    let service = host.start_with(&variables);
    let (one, other) = tokio::join!(service.execute(CROWD), service.execute(CROWD));
    for reply in [one, other] {
        reply.succeeds("80", "");
    }
}

#[tokio::test]
async fn processes_of_a_script_are_its_own_for_an_ordinary_user() {
    are_its_own(Host::User).await;
}

#[tokio::test]
async fn processes_of_a_script_are_its_own_in_gvisor() {
    are_its_own(Host::GVisor).await;
}

#[tokio::test]
async fn processes_of_a_script_are_its_own_in_a_container() {
    are_its_own(Host::Container).await;
}

/// As many as programs start that wait for a network elsewhere. Each has a stack that counts as memory.
async fn a_hundred_threads_run(host: Host) {
    let script = "
        import threading
        from concurrent.futures import ThreadPoolExecutor

        def main():
            barrier = threading.Barrier(100)
            with ThreadPoolExecutor(100) as pool:
                return sum(pool.map(lambda number: barrier.wait(20) * 0 + number, range(100)))
    ";
    host.start_with(&[("EXECUTOR_PRELOAD", "")]).execute(script).await.succeeds("4950", "");
}

#[tokio::test]
async fn a_hundred_threads_run_for_an_ordinary_user() {
    a_hundred_threads_run(Host::User).await;
}

#[tokio::test]
async fn a_hundred_threads_run_in_gvisor() {
    a_hundred_threads_run(Host::GVisor).await;
}

#[tokio::test]
async fn a_hundred_threads_run_in_a_container() {
    a_hundred_threads_run(Host::Container).await;
}

/// A thread's stack is as deep as Python's limits on recursion want it.
#[tokio::test]
async fn recursion_in_a_thread_ends_with_an_error() {
    let script = "
        import functools, json, sys, threading

        class Asked:
            def __getattr__(self, name):
                return getattr(self, name + 'x')

        def reduced(*_):
            return functools.reduce(reduced, [1, 2, 3])

        def nested():
            found = []
            for _ in range(100_000):
                found = [found]
            return found

        def main():
            sys.setrecursionlimit(10**7)
            ended = []
            for deep in (lambda: json.dumps(nested()), lambda: repr(nested()), lambda: compile('+'.join(['a'] * 100_000), 'a', 'eval'),
                         reduced, lambda: Asked().a):
                def run():
                    try:
                        deep()
                    except RecursionError:
                        ended.append(True)
                thread = threading.Thread(target=run)
                thread.start()
                thread.join()
            return ended
    ";
    let service = Host::Container.start_with(&[("EXECUTOR_PRELOAD", "")]);
    service.execute(script).await.succeeds("[true,true,true,true,true]", "");
}

/// Tries each way to start processes, and answers with results or errors, in no more time than that takes.
const MULTIPROCESSING: &str = "
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    def square(number):
        return number * number

    def pool(method):
        with multiprocessing.get_context(method).Pool(2) as pool:
            return pool.map(square, range(3))

    def executor(method):
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
            return list(pool.map(square, range(3)))

    def process(method):
        process = multiprocessing.get_context(method).Process(target=square, args=(2,))
        process.start()
        process.join()
        return process.exitcode

    def attempt(function, *arguments):
        try:
            return function(*arguments)
        except OSError as error:
            return str(error)

    def main():
        said = [[attempt(way, method) for way in (pool, executor, process)] for method in ('fork', 'spawn')]
        return said + [attempt(process, 'forkserver'), attempt(multiprocessing.Manager)]
";

const NO_FORK_SERVER: &str =
    "[Errno 1] a fork server needs a socket, and the sandbox has none; the start method fork needs none";
const NO_MANAGER: &str = "[Errno 1] a manager needs a socket, and the sandbox has none; multiprocessing.Pipe, Queue, \
                          Array and shared_memory need none";
const NO_PROGRAM: &str = "[Errno 1] the start method spawn needs to start Python as a program, which this host's sandbox \
                          does not allow; fork needs no program";

async fn processes_start(host: Host, answer: &Value) {
    let service = host.start_with(&[("EXECUTOR_PRELOAD", "")]);
    service.run_with(MULTIPROCESSING, json!({})).await.returns(answer);
}

#[tokio::test]
async fn processes_start_in_any_way_that_needs_no_socket() {
    let all = json!([[0, 1, 4], [0, 1, 4], 0]);
    processes_start(Host::User, &json!([all, all, NO_FORK_SERVER, NO_MANAGER])).await;
}

/// Nor a program, and locks need /dev/shm: all of it is said at once.
#[tokio::test]
async fn what_cannot_start_in_a_container_says_so() {
    let no_locks = "[Errno 13] Permission denied";
    let (forked, spawned) = (json!([no_locks, no_locks, 0]), json!([no_locks, no_locks, NO_PROGRAM]));
    processes_start(Host::Container, &json!([forked, spawned, NO_PROGRAM, NO_MANAGER])).await;
}

#[tokio::test]
async fn what_a_container_has_not_has_a_hint() {
    let service = Host::Container.start_with(&[("EXECUTOR_PRELOAD", "")]);
    for (line, hint) in [
        ("__import__('multiprocessing').Lock()", "this host's sandbox has no /dev/shm"),
        ("__import__('os').openpty()", "the sandbox has no terminals"),
        ("__import__('pty').openpty()", "the sandbox has no terminals"),
        (
            "__import__('subprocess').run(['/x'], start_new_session=True)",
            "the sandbox does not allow this; where the host",
        ),
    ] {
        let told = service.run_with(&format!("def main():\n    {line}"), json!({})).await;
        assert!(told.body["error"]["hint"].as_str().is_some_and(|text| text.starts_with(hint)), "{line}: {told}");
    }
}

/// What programs ask for that harms nobody, or how it fails where they can do without.
#[tokio::test]
async fn harmless_calls_work() {
    let script = "
        import errno, fcntl, os

        def failure(function, *arguments):
            try:
                function(*arguments)
            except OSError as error:
                return errno.errorcode[error.errno]

        def main():
            reader, writer = os.pipe()
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 8192)
            open('x', 'w').close()
            return [
                fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ), failure(fcntl.fcntl, writer, fcntl.F_SETPIPE_SZ, 1 << 20),
                failure(os.setxattr, 'x', 'user.a', b'1'), failure(os.removexattr, 'x', 'user.a'), os.listxattr('x'),
                failure(os.sched_setscheduler, 0, os.SCHED_OTHER, os.sched_param(0)),
                failure(os.sched_setscheduler, 0, os.SCHED_IDLE, os.sched_param(0)),
            ]
    ";
    for host in [Host::User, Host::Container] {
        let service = host.start_with(&[("EXECUTOR_PRELOAD", "")]);
        service.execute(script).await.succeeds(r#"[8192,"EPERM","ENOTSUP","ENOTSUP",[],null,"EPERM"]"#, "");
    }
}

/// The harness is in no report about a script's lines.
#[tokio::test]
async fn traces_are_of_the_script() {
    let script = "
        import trace

        def traced():
            import colorsys
            return colorsys.rgb_to_hsv(0, 0, 0)[2]

        def main():
            tracer = trace.Trace(count=1, trace=0)
            tracer.runfunc(traced)
            seen = {name for name, line in tracer.results().counts}
            return sorted(name for name in seen if '/' not in name and not name.startswith('<'))
    ";
    for host in [Host::User, Host::Container] {
        host.start_with(&[("EXECUTOR_PRELOAD", "")]).run_with(script, json!({})).await.returns(&json!(["script.py"]));
    }
}
