//! Lambda keeps an environment for many invocations, of whatever order, and stops it in between.

use std::time::Duration;

use serde_json::json;

use crate::emulator::{Emulator, event, parsed};
use crate::source::Source;
use crate::support::process::{Watched, named};
use crate::support::{announcing, unique, until};
use rustix::process::Signal;

#[tokio::test]
async fn every_invocation_in_turn_gets_its_own_answer() {
    let function = Emulator::start();
    function.is_well().await;
    let process = function.function().pid;
    for number in 0..50 {
        let script = format!("def main():\n    print('line {number}')\n    return {number}");
        let (result, stdout) = (number.to_string(), format!("line {number}\n"));
        if number % 2 == 0 {
            function.run(&script).await.direct().succeeds(&result, &stdout);
        } else {
            let source = Source::ALL[number / 2 % Source::ALL.len()];
            function.invoke(source.script(&script)).await.http(source).succeeds(&result, &stdout);
        }
    }
    assert_eq!(function.function().pid, process, "the function was started again");
}

#[tokio::test]
async fn a_script_that_ends_badly_harms_only_itself() {
    let function = Emulator::with(&[("EXECUTOR_TIMEOUT_SECONDS", "1"), ("EXECUTOR_MEMORY_MB", "256")]);
    function.is_well().await;
    let (process, name) = (function.function().pid, unique());
    for (body, error) in [
        ("while True: pass", "TimeoutError: script exceeded its time limit of 1 s"),
        ("__import__('time').sleep(60)", "TimeoutError: script exceeded its time limit of 1 s"),
        ("__import__('os').kill(__import__('os').getpid(), 9)", "script was killed by signal 9 (SIGKILL)"),
        ("__import__('ctypes').string_at(0)", "script was killed by signal 11 (SIGSEGV)"),
        ("__import__('os')._exit(3)", "script exited with status 3 before main() returned"),
        ("__import__('sys').exit(3)", "SystemExit: 3"),
        ("bytearray(1 << 40)", "MemoryError: "),
        ("return object()", "result is not JSON serializable: "),
    ] {
        let announcing = announcing(&name);
        let script = format!("def main():\n    {announcing}\n    print('before', flush=True)\n    {body}");
        let reply = function.run(&script).await.direct();
        reply.fails_with(error);
        assert_eq!(reply.failure().stdout, "before\n", "{body}");
        function.is_well().await;
    }
    assert_eq!(function.function().pid, process, "the function was started again");
    until("no process of a script is left", || named(&name).is_empty().then_some(())).await;
    let zombies = || function.process().descendants().into_iter().filter(|entry| !entry.is_alive()).count();
    until("every process that has ended is waited for", || (zombies() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_job_may_lower_its_time() {
    let request = json!({ "script": "def main():\n    while True: pass", "timeout": 0.5 });
    let answer = Emulator::shared().invoke(request.to_string()).await;
    answer.direct().fails("TimeoutError: script exceeded its time limit of 0.5 s", "");
}

#[tokio::test]
async fn a_script_sees_nothing_of_those_before_it() {
    let function = Emulator::start();
    let leave = "
        import builtins, json, os, pathlib, tempfile

        def main():
            builtins.trace = json.trace = 'here'
            os.environ['TRACE'] = 'here'
            for directory in ['.', '/tmp', '/dev/shm', tempfile.gettempdir()]:
                pathlib.Path(directory, 'trace').write_text('here')
    ";
    let look = "
        import builtins, json, os, pathlib, tempfile

        def main():
            places = ['.', '/tmp', '/dev/shm', tempfile.gettempdir()]
            return [
                hasattr(builtins, 'trace'),
                hasattr(json, 'trace'),
                'TRACE' in os.environ,
                [pathlib.Path(place, 'trace').exists() for place in places],
            ]
    ";
    for _ in 0..10 {
        function.run(leave).await.direct().succeeds("null", "");
        let seen = "[false,false,false,[false,false,false,false]]";
        function.run(look).await.direct().succeeds(seen, "");
    }
}

#[tokio::test]
async fn an_event_that_no_source_sends_does_not_end_the_function() {
    let function = Emulator::start();
    function.is_well().await;
    let process = function.function().pid;
    let mut not_base64 = parsed(&event("http-execute-base64"));
    not_base64["body"] = "%%%".into();
    let mut no_method = parsed(&event("http-execute"));
    no_method["requestContext"]["http"]["method"] = "B AD".into();
    let mut no_path = parsed(&event("http-execute"));
    no_path["rawPath"] = "no slash \u{0}".into();
    for payload in [not_base64, no_method, no_path, json!({ "requestContext": {} }), json!({ "requestContext": 5 })] {
        let (status, text) = function.try_invoke(payload.to_string()).await;
        assert!(status == 200 && !text.contains(r#""statusCode":200"#), "{payload}: {status} {text}");
        function.is_well().await;
        assert_eq!(function.function().pid, process, "{payload} ended the function");
    }
}

#[tokio::test]
async fn an_environment_works_on_after_it_was_frozen() {
    let function = Emulator::with(&[("EXECUTOR_TIMEOUT_SECONDS", "1")]);
    for _ in 0..2 {
        function.is_well().await;
        let processes = function.processes();
        signal(&processes, Signal::STOP);
        // Longer than any limit that could have run meanwhile.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        signal(&processes, Signal::CONT);
        function.is_well().await;
    }
}

fn signal(processes: &[Watched], signal: Signal) {
    for process in processes {
        process.signal(signal);
    }
}
