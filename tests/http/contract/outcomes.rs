//! How a script runs, and every way in which it can end.

use serde_json::{Value, json};

use crate::support::Server;

async fn fails(script: &str, error: &str, stdout: &str) {
    Server::shared().execute(script).await.fails(error, stdout);
}

#[tokio::test]
async fn a_script_that_does_not_compile_is_a_syntax_error_with_its_line() {
    fails("def main(:\n    pass", "SyntaxError: invalid syntax (script.py, line 1)", "").await;
    let unclosed = "print('never')\n\ndef main():\n    return (1";
    fails(unclosed, "SyntaxError: '(' was never closed (script.py, line 4)", "").await;
    let outside = "def main(): return 1\n\nreturn 2";
    fails(outside, "SyntaxError: 'return' outside function (script.py, line 3)", "").await;
    for (script, place) in [
        ("def main():\n    x = 1\n      y = 2", "(script.py, line 3)"),
        ("def main():\nreturn 1", "(script.py, line 2)"),
        ("def main():\n\tif True:\n        return 1", "(script.py, line 3)"),
    ] {
        let reply = Server::shared().execute(script).await;
        let error = reply.failure();
        let (kind, message) = error.value.split_once(": ").expect("a type and a message");
        assert_eq!(kind, "SyntaxError", "{reply}");
        assert!(message.ends_with(place), "{reply}");
        assert_eq!(error.stdout, "", "{reply}");
    }
}

#[tokio::test]
async fn a_script_without_main_is_refused_after_it_ran() {
    let error = "script must define a main() function";
    fails("x = 1", error, "").await;
    fails("# nothing", error, "").await;
    fails("'''text'''", error, "").await;
    fails("class A:\n    def main(self): return 1", error, "").await;
    fails("def Main(): return 1", error, "").await;
    fails("print('ran')\ndef main(): return 1\ndel main", error, "ran\n").await;
}

#[tokio::test]
async fn a_main_that_cannot_be_called_is_refused() {
    for value in ["5", "None", "'main'", "[]", "__import__('math')"] {
        fails(&format!("main = {value}"), "main must be a function", "").await;
    }
}

#[tokio::test]
async fn a_main_that_needs_arguments_fails_with_its_own_error() {
    let missing = "TypeError: math.factorial() takes exactly one argument (0 given)";
    fails("from math import factorial as main", missing, "").await;
    fails(
        "class main:\n    def __init__(self, x): pass",
        "TypeError: main.__init__() missing 1 required positional argument: 'x'",
        "",
    )
    .await;
}

#[tokio::test]
async fn any_callable_may_be_main() {
    let server = Server::shared();
    for script in [
        "main = lambda: 5",
        "import functools\nmain = functools.partial(max, 4, 5)",
        "class Five:\n    def __call__(self): return 5\nmain = Five()",
        "from math import factorial\ndef other(): return 5\nmain = other",
        "async def main(): return 5",
        "import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    return 5",
        "import functools\n@functools.cache\ndef main(): return 5",
        "globals()['main'] = lambda: 5",
    ] {
        server.execute(script).await.succeeds("5", "");
    }
}

#[tokio::test]
async fn the_script_is_a_module_of_its_own() {
    let script = "
        import linecache, sys
        seen = __name__

        def main():
            return [
                seen,
                __name__,
                sys.modules['script'].main is main,
                main.__module__,
                main.__code__.co_filename,
                linecache.getline('script.py', 4),
            ]
    ";
    let reply = Server::shared().execute(script).await;
    let expected = serde_json::json!(["script", "script", true, "script", "script.py", "def main():\n"]);
    assert_eq!(reply.returned::<Value>(), expected, "{reply}");
}

#[tokio::test]
async fn main_runs_once_also_with_the_usual_guard_at_the_end() {
    let script = "
        def main():
            print('main')
            return 5

        if __name__ == '__main__':
            print('monitor')
            main()
    ";
    Server::shared().execute(script).await.succeeds("5", "main\n");
}

#[tokio::test]
async fn an_exception_is_the_last_line_of_its_traceback() {
    let script = "
        def main():
            print('before')
            return undefined_variable
    ";
    fails(script, "NameError: name 'undefined_variable' is not defined", "before\n").await;
    fails("1 / 0\ndef main(): return 1", "ZeroDivisionError: division by zero", "").await;
    fails("async def main(): raise ValueError('x')", "ValueError: x", "").await;
    fails("import nothing_there", "ModuleNotFoundError: No module named 'nothing_there'", "").await;
}

#[tokio::test]
async fn a_result_that_json_cannot_hold_is_refused() {
    let start = "result is not JSON serializable: ";
    for value in ["{1}", "object()", "b'x'", "float('nan')", "main", "{(1, 2): 3}", "'\\ud800'"] {
        let script = format!("def main():\n    print('ran')\n    return {value}");
        let reply = Server::shared().execute(&script).await;
        let error = reply.fails_with(start);
        assert!(error.len() > start.len(), "{reply}");
        assert_eq!(reply.failure().stdout, "ran\n", "{reply}");
    }
}

#[tokio::test]
async fn a_result_that_is_too_large_is_refused() {
    let script = "def main():\n    print('ran')\n    return 'x' * 6_000_000";
    fails(script, "result is larger than 5242880 bytes", "ran\n").await;
}

#[tokio::test]
async fn memory_that_python_cannot_get_is_a_memory_error() {
    let script = "
        def main():
            print('before')
            return len(bytearray(10 ** 15))
    ";
    let reply = Server::shared().execute(script).await;
    reply.fails_with("MemoryError");
    assert_eq!(reply.failure().stdout, "before\n", "{reply}");
}

#[tokio::test]
async fn memory_of_children_is_bounded_together_with_the_scripts() {
    let script = "
        import os, time

        def main():
            print('before')
            for _ in range(8):
                if os.fork() == 0:
                    block = bytearray(200 << 20)
                    time.sleep(60)
            time.sleep(60)
    ";
    let reply = Server::shared().execute(script).await;
    reply.fails("MemoryError: script exceeded its memory limit of 512 MB", "before\n");
}

#[tokio::test]
async fn shared_anonymous_memory_is_refused() {
    // Nothing shows how much of it there is.
    let script = "
        import mmap

        def main():
            mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE)
            mmap.mmap(-1, 4096)
    ";
    Server::shared().execute(script).await.fails("PermissionError: [Errno 1] Operation not permitted", "");
}

#[tokio::test]
async fn leaving_early_is_a_system_exit() {
    for (statement, error) in [
        ("sys.exit(3)", "SystemExit: 3"),
        ("sys.exit(0)", "SystemExit: 0"),
        ("sys.exit()", "SystemExit"),
        ("sys.exit('a message')", "SystemExit: a message"),
        ("sys.exit(None)", "SystemExit"),
        ("raise SystemExit(1, 2)", "SystemExit: (1, 2)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
    ] {
        let script = format!("import sys\ndef main():\n    print('before')\n    {statement}");
        fails(&script, error, "before\n").await;
        let script = format!("import sys\nprint('before')\n{statement}\ndef main(): return 1");
        fails(&script, error, "before\n").await;
    }
}

#[tokio::test]
async fn exit_and_quit_do_not_look_like_a_result() {
    for statement in ["exit()", "quit(0)", "exit(4)"] {
        let reply = Server::shared().execute(&format!("def main(): {statement}")).await;
        let error = reply.failure().value;
        assert!(error.starts_with("SystemExit") || error.starts_with("NameError"), "{reply}");
    }
}

#[tokio::test]
async fn ending_the_process_is_told_with_its_status() {
    for status in [0, 3, 255] {
        let error = format!("script exited with status {status} before main() returned");
        let script = format!("import os\ndef main():\n    print('before')\n    os._exit({status})");
        fails(&script, &error, "before\n").await;
        let script = format!("import os\nprint('before')\nos._exit({status})");
        fails(&script, &error, "before\n").await;
    }
}

#[tokio::test]
async fn a_killed_script_is_told_with_its_signal() {
    for (statement, signal) in [
        ("ctypes.string_at(0)", "11 (SIGSEGV)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "11 (SIGSEGV)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "9 (SIGKILL)"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "15 (SIGTERM)"),
        ("os.kill(os.getpid(), signal.SIGHUP)", "1 (SIGHUP)"),
        ("os.abort()", "6 (SIGABRT)"),
        ("signal.raise_signal(signal.SIGFPE)", "8 (SIGFPE)"),
    ] {
        let script =
            format!("import ctypes, os, signal\ndef main():\n    print('before')\n    {statement}\n    return 1");
        fails(&script, &format!("script was killed by signal {signal}"), "before\n").await;
    }
}

#[tokio::test]
async fn main_that_returns_ends_the_job_whatever_is_left() {
    let script = "
        import atexit, threading, time
        atexit.register(lambda: print('never: atexit'))

        def later():
            time.sleep(60)
            print('never: thread')

        def main():
            threading.Thread(target=later).start()
            return 5
    ";
    let start = std::time::Instant::now();
    Server::shared().execute(script).await.succeeds("5", "");
    assert!(start.elapsed() < crate::support::server::AT_ONCE, "{:?}", start.elapsed());
}

/// The kernel's limit on processor time stands behind the clock: what threads use together is no reason to end earlier.
#[tokio::test]
async fn threads_do_not_use_up_a_scripts_time() {
    let script = "
        import hashlib, threading, time

        def burn(block, end):
            # Without the interpreter's lock.
            while time.monotonic() < end:
                hashlib.sha256(block)

        def main():
            end = time.monotonic() + 3.5
            threads = [threading.Thread(target=burn, args=(bytes(1 << 20), end)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return 'in time'
    ";
    Server::shared().execute_with(script, json!({ "timeout": 4.9 })).await.succeeds(r#""in time""#, "");
}
