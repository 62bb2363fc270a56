//! The answer is what `main` returned, whatever the script does to pass for more.

use serde_json::{Value, json};

use super::{program, run};
use crate::support::Server;

const REAL: &str = r#""real""#;

#[tokio::test]
async fn printed_answers_are_mere_output() {
    let reply = run(Server::shared(), program!("proto_stdout"), json!({})).await;
    let outcome = reply.success();
    assert_eq!(outcome.value, REAL, "{reply}");
    assert_eq!(outcome.stdout.matches("###RESULT###\"forged\"\n").count(), 2, "{reply}");
    assert_eq!(outcome.stdout.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{reply}");
    Server::shared().is_well().await;
}

#[tokio::test]
async fn answers_written_to_descriptors_are_not_taken_for_the_real_one() {
    let server = Server::shared();
    for which in 0..11 {
        for close in [false, true] {
            let inputs = json!({ "which": which, "close": close });
            let reply = run(server, program!("proto_descriptors"), inputs).await;
            if reply.status == 200 {
                reply.succeeds(REAL, "");
            } else {
                assert_eq!(reply.failure().stdout, "", "{reply}");
            }
            server.is_well().await;
        }
    }
}

#[tokio::test]
async fn abuse_of_the_channel_for_the_result_ends_the_script_only() {
    let server = Server::shared();
    for way in ["rubbish", "zeros", "drops", "read", "shut", "swap", "descriptors"] {
        let fields = json!({ "inputs": { "way": way }, "timeout": 5 });
        let start = std::time::Instant::now();
        let reply = server.execute_with(program!("proto_flood"), fields).await;
        assert!(start.elapsed() < crate::support::server::AT_ONCE, "{way}: {:?}", start.elapsed());
        if reply.status == 200 {
            reply.succeeds(REAL, "");
        } else {
            reply.failure();
        }
        server.is_well().await;
    }
}

#[tokio::test]
async fn only_the_script_itself_answers_and_not_its_children() {
    let server = Server::shared();
    for way in ["return", "raise", "exit", "slow"] {
        for _ in 0..5 {
            let reply = run(server, program!("proto_fork"), json!({ "way": way })).await;
            assert_eq!(reply.success().value, REAL, "{way}\n{reply}");
        }
    }
    server.is_well().await;
}

#[tokio::test]
async fn a_changed_json_injects_nothing() {
    let server = Server::shared();
    for way in ["dumps", "iterencode", "text", "default"] {
        let reply = run(server, program!("proto_json"), json!({ "way": way })).await;
        reply.succeeds(REAL, "");
    }
    for way in ["str class", "int class", "float class", "dict class"] {
        let reply = run(server, program!("proto_json"), json!({ "way": way })).await;
        if reply.status == 200 {
            let outcome = reply.success();
            assert_eq!(outcome.stdout, "", "{way}\n{reply}");
        } else {
            reply.fails_with("result is not JSON serializable: ");
        }
    }
    server.is_well().await;
}

#[tokio::test]
async fn spoiling_the_callers_frames_makes_no_malformed_answer() {
    let server = Server::shared();
    for way in ["spoil", "call", "closures", "exit"] {
        let fields = json!({ "inputs": { "way": way }, "timeout": 5 });
        let reply = server.execute_with(program!("proto_frames"), fields).await;
        match reply.status {
            200 => reply.success(),
            _ => reply.failure(),
        };
        server.is_well().await;
    }
}

#[tokio::test]
async fn numbers_that_json_does_not_have_never_arrive() {
    let server = Server::shared();
    for way in ["nan", "infinity", "minus", "list", "dict", "key"] {
        let reply = run(server, program!("proto_constants"), json!({ "way": way })).await;
        reply.fails_with("result is not JSON serializable: ");
    }
    let reply = run(server, program!("proto_constants"), json!({ "way": "subclass" })).await;
    let result: Value = reply.returned();
    assert_eq!(result, json!(1.5), "{reply}");
}

#[tokio::test]
async fn leaving_by_every_door_is_never_a_result() {
    let server = Server::shared();
    for statement in [
        "os._exit(0)",
        "sys.exit(0)",
        "raise SystemExit",
        "raise KeyboardInterrupt",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "os.kill(os.getpid(), signal.SIGINT)",
        "os.abort()",
        "ctypes.string_at(0)",
        "ctypes.CDLL(None).free(ctypes.c_void_p(1))",
        "ctypes.CDLL(None).exit(0)",
        "ctypes.CDLL(None)._exit(0)",
        "ctypes.CDLL(None).pthread_exit(None)",
        "os.execv(sys.executable, [sys.executable, '-c', 'print(5)'])",
        "os.close(3) or os.closerange(0, 1024) or os._exit(0)",
    ] {
        for place in ["def main():\n    {}\n    time.sleep(9)", "{}\ndef main(): time.sleep(9)"] {
            let body = place.replace("{}", statement);
            let script = format!("import ctypes, os, signal, sys, time\n{body}");
            let reply = server.execute_with(&script, json!({ "timeout": 1 })).await;
            assert_eq!(reply.status, 400, "{statement}\n{reply}");
            reply.failure();
        }
    }
    server.is_well().await;
}
