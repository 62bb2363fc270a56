//! How a function starts and ends.

use rustix::process::Signal;

use crate::emulator::Emulator;
use crate::support::process::Watched;
use crate::support::{PATIENCE, until};

fn all_end(processes: &[Watched]) -> bool {
    processes.iter().all(|process| process.ends_within(PATIENCE))
}

#[tokio::test]
async fn nothing_survives_the_shutdown_of_the_environment() {
    let mut function = Emulator::start();
    function.is_well().await;
    let processes = function.processes();
    assert!(processes.len() >= 3, "the function, a warm Python and a worker");
    function.process().signal(Signal::TERM);
    function.process_mut().wait(PATIENCE);
    assert!(all_end(&processes));
}

#[tokio::test]
async fn nothing_survives_a_function_that_is_told_to_end() {
    let function = Emulator::start();
    function.is_well().await;
    let processes = function.processes();
    Watched::new(function.function().pid).expect("the function runs").signal(Signal::TERM);
    assert!(all_end(&processes));
}

#[tokio::test]
async fn nothing_survives_a_function_that_is_killed_and_the_next_one_works() {
    let function = Emulator::start();
    function.is_well().await;
    let (first, processes) = (function.function().pid, function.processes());
    Watched::new(first).expect("the function runs").signal(Signal::KILL);
    assert!(all_end(&processes));
    // The emulator notices with the next invocation, which it may have to fail, and starts the function again.
    let _ = function.try_invoke("{}").await;
    function.is_well().await;
    assert_ne!(function.function().pid, first);
}

#[tokio::test]
async fn wrong_settings_are_all_named_before_the_function_ends() {
    let function = Emulator::with(&[("EXECUTOR_TIMEOUT_SECONDS", "soon"), ("EXECUTOR_MEMORY_MB", "1")]);
    let (status, text) = function.try_invoke("{}").await;
    assert_eq!(status, 502, "{text}");
    for fault in ["EXECUTOR_TIMEOUT_SECONDS must be", "EXECUTOR_MEMORY_MB must be"] {
        until(fault, || function.process().log().text().contains(fault).then_some(())).await;
    }
}

#[tokio::test]
async fn a_missing_runtime_is_named_before_the_function_ends() {
    let function = Emulator::with(&[("EXECUTOR_RUNTIME", "/nonexistent/runtime")]);
    let (status, text) = function.try_invoke("{}").await;
    assert_eq!(status, 502, "{text}");
    let fault = "no Python runtime at /nonexistent/runtime";
    until(fault, || function.process().log().text().contains(fault).then_some(())).await;
}

#[tokio::test]
async fn a_script_is_ended_before_the_functions_own_timeout() {
    let function = Emulator::with(&[("AWS_LAMBDA_FUNCTION_TIMEOUT", "4")]);
    let script = "import time\n\ndef main():\n    print('before', flush=True)\n    time.sleep(20)";
    let reply = function.run(script).await.direct();
    let failure = reply.failure();
    assert!(failure.value.starts_with("TimeoutError: script exceeded its time limit of 1"), "{reply}");
    assert_eq!(failure.stdout, "before\n");
    function.is_well().await;
}

#[tokio::test]
async fn an_invocation_without_time_for_a_script_says_so() {
    let function = Emulator::with(&[("AWS_LAMBDA_FUNCTION_TIMEOUT", "2")]);
    // The first one may have to wait for the function to start.
    let _ = function.try_invoke("{}").await;
    // However short the script is, it is not begun.
    for _ in 0..20 {
        let reply = function.run("def main():\n    return 5").await.direct();
        reply.fails("TimeoutError: script exceeded its time limit of 0 s", "");
    }
}
