//! What a script used, as its monitor has seen it.

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn time_and_memory_are_told() {
    let script = "
        import time

        def main():
            block = bytearray(100 << 20)
            end = time.process_time() + 0.2
            while time.process_time() < end:
                pass
            time.sleep(0.2)
            return len(block)
    ";
    let told = Server::shared().run(script).await;
    let usage = &told.body["usage"];
    let number = |name: &str| usage[name].as_f64().unwrap_or_else(|| panic!("no {name}\n{told}"));
    assert!(number("cpu_ms") > 190.0 && number("wall_ms") > 390.0, "{told}");
    assert!(number("max_rss_bytes") > f64::from(100 << 20), "{told}");
}

/// A script that waits has used little, whatever was done before it came.
#[tokio::test]
async fn what_was_done_ahead_is_not_counted() {
    let told = Server::shared().run("import time\ndef main(): time.sleep(0.5)").await;
    let usage = &told.body["usage"];
    assert!(usage["cpu_ms"].as_f64() < Some(100.0) && usage["wall_ms"].as_f64() > Some(500.0), "{told}");
}

#[tokio::test]
async fn what_children_use_is_counted_whoever_waits_for_them() {
    let script = "
        import os, time

        def burn():
            end = time.process_time() + 0.2
            while time.process_time() < end:
                pass

        def main():
            for is_waited_for in (True, False):
                child = os.fork()
                if child == 0:
                    burn()
                    os._exit(0)
                if is_waited_for:
                    os.waitpid(child, 0)
            time.sleep(1)
    ";
    let told = Server::shared().run(script).await;
    assert!(told.body["usage"]["cpu_ms"].as_f64() > Some(380.0), "{told}");
}

#[tokio::test]
async fn waiting_for_a_turn_is_told() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", "")]);
    server.is_well().await;
    let script = "import time\ndef main(): time.sleep(0.5)";
    let (first, second) = tokio::join!(server.run(script), server.run(script));
    let queue = |told: &crate::support::RunReply| told.body["usage"]["queue_ms"].as_f64().expect("a number");
    assert!(queue(&first).max(queue(&second)) > 400.0, "{first} {second}");
    assert!(queue(&first).min(queue(&second)) < 400.0, "{first} {second}");
}

#[tokio::test]
async fn a_script_that_was_ended_has_used_something_too() {
    let told = Server::shared().run_with("def main():\n    while True: pass", json!({ "timeout": 0.5 })).await;
    told.fails("timeout", "TimeoutError");
    assert!(told.body["usage"]["cpu_ms"].as_f64() > Some(100.0), "{told}");
}
