//! The rich API through events: the same object, the invocation's id, and Lambda's limit on an answer.

use serde_json::{Value, json};

use crate::emulator::{Emulator, event, parsed};
use crate::source::Source;
use crate::support::{RunReply, dedent};

/// An event that posts a request to a path.
fn post(source: Source, path: &str, accept: &str, request: &Value) -> String {
    let mut event = parsed(&source.post(&request.to_string()));
    let place = if matches!(source, Source::Rest | Source::Alb) { "path" } else { "rawPath" };
    event[place] = path.into();
    for (headers, value) in [("headers", json!(accept)), ("multiValueHeaders", json!([accept]))] {
        if let Some(headers) = event.get_mut(headers).and_then(Value::as_object_mut) {
            headers.retain(|name, _| !name.eq_ignore_ascii_case("accept"));
            headers.insert("accept".to_owned(), value);
        }
    }
    event.to_string()
}

async fn run(function: &Emulator, source: Source, script: &str, mut fields: Value) -> RunReply {
    fields["script"] = dedent(script).into();
    RunReply::new(function.invoke(post(source, "/v1/run", "*/*", &fields)).await.http(source))
}

#[tokio::test]
async fn files_go_in_and_out_through_events_of_every_source() {
    let script = "
        import sys

        def main(n):
            print('out')
            print('err', file=sys.stderr)
            open('out.txt', 'w').write(open('in.txt').read() * n)
            return [n, float('nan')]
    ";
    for source in Source::ALL {
        let fields = json!({ "inputs": { "n": 2 }, "nan": "null", "files": { "in.txt": { "text": "é" } } });
        let told = run(Emulator::shared(), source, script, fields).await;
        told.returns(&json!([2, null]));
        assert_eq!((&told.body["stdout"], &told.body["stderr"]), (&json!("out\n"), &json!("err\n")), "{told}");
        assert_eq!(told.files(), [("out.txt".to_owned(), "éé".as_bytes().to_vec())], "{told}");
        assert!(told.reply.header("server-timing").starts_with("queue;dur="), "{told}");
    }
}

/// The emulator says in its log which invocation it is.
#[tokio::test]
async fn the_id_is_that_of_the_invocation() {
    let function = Emulator::start();
    let told = run(&function, Source::Http, "def main(): pass", json!({})).await;
    let id = told.reply.header("x-request-id");
    let log = function.process().log().text();
    assert!(log.contains(&format!("START RequestId: {id}")), "{id}\n{log}");
    let mut own = parsed(&Source::Url.script("def main(): pass"));
    own["headers"]["x-request-id"] = "my-own".into();
    assert_eq!(function.invoke(own.to_string()).await.http(Source::Url).header("x-request-id"), "my-own");
}

#[tokio::test]
async fn the_other_endpoints_are_there() {
    let check = post(Source::Http, "/v1/check", "*/*", &json!({ "script": "import pandsa\ndef main(a): pass" }));
    let reply = Emulator::shared().invoke(check).await.http(Source::Http);
    assert_eq!(parsed(&reply.body)["imports"][0]["similar"], json!(["pandas"]), "{reply}");
    let mut health = parsed(&event("http-health"));
    for (path, part) in [("/v1/packages", "\"numpy\""), ("/openapi.json", "\"/v1/run\""), ("/docs/", "swagger-ui")] {
        health["rawPath"] = path.into();
        let reply = Emulator::shared().invoke(health.to_string()).await.http(Source::Http);
        assert!(reply.status == 200 && reply.body.contains(part), "{path}: {reply}");
    }
}

/// Events in one body: what was printed, then the outcome.
#[tokio::test]
async fn events_come_in_one_body() {
    let script = "def main():\n    print('one')\n    print('two')\n    return 3";
    for source in Source::ALL {
        let request = post(source, "/v1/run", "text/event-stream", &json!({ "script": script }));
        let reply = Emulator::shared().invoke(request).await.http(source);
        assert_eq!((reply.status, reply.header("content-type")), (200, "text/event-stream"), "{reply}");
        let events = events(&reply.body);
        let (last, printed) = events.split_last().expect("there are events");
        assert!(printed.iter().all(|(name, _)| name == "stdout"), "{reply}");
        let text: String = printed.iter().map(|(_, text)| text.as_str().expect("a text")).collect();
        assert_eq!((text.as_str(), last.0.as_str()), ("one\ntwo\n", "outcome"), "{reply}");
        assert_eq!((&last.1["result"], &last.1["stdout"]), (&json!(3), &json!("one\ntwo\n")), "{reply}");
    }
}

fn events(body: &str) -> Vec<(String, Value)> {
    let event = |event: &str| {
        let (name, data) = event.split_once('\n').expect("two lines");
        let name = name.strip_prefix("event: ").expect("a name").to_owned();
        (name, parsed(data.strip_prefix("data: ").expect("data")))
    };
    body.trim_end().split("\n\n").map(event).collect()
}

const MIB: usize = 1 << 20;

/// Files give way first, the last ones before the others; then output; then the result. (Decoding an answer checks its size.)
#[tokio::test]
async fn an_answer_fits_whatever_a_script_leaves() {
    let script = "
        import os, sys

        def main(result, out, files):
            for number, size in enumerate(files):
                open(f'{number}.bin', 'wb').write(os.urandom(size))
            sys.stdout.write('\"' * out)
            sys.stderr.write('\\\\' * out)
            return 'x' * result
    ";
    for (result, out, files, kept) in [
        (10, 10, vec![MIB, MIB, MIB, MIB, MIB], vec!["0.bin", "1.bin", "2.bin", "3.bin"]),
        (4 * MIB, 10, vec![MIB, MIB, 10], vec!["0.bin"]),
        (4 * MIB, MIB, vec![MIB], vec![]),
        (5 * MIB - 2, MIB, vec![10], vec![]),
    ] {
        let inputs = json!({ "inputs": { "result": result, "out": out, "files": files } });
        let told = run(Emulator::shared(), Source::Http, script, inputs).await;
        assert_eq!((told.status(), told.names()), ("ok", kept.iter().map(|name| (*name).to_owned()).collect()));
        let left_out = files.len() - kept.len();
        assert_eq!(told.body["omitted"]["count"].as_u64().unwrap_or(0), left_out as u64);
        assert_eq!(told.omitted().len(), left_out);
        assert!(told.omitted().iter().all(|(_, reason)| *reason == "no_room"));
        assert_eq!(told.body["result"].as_str().map(str::len), Some(result));
        let (stdout, cut) = (told.body["stdout"].as_str().expect("a text"), told.body["truncated"]["stdout"].as_u64());
        assert_eq!(stdout.len() < out, cut > Some(0), "{cut:?}");
    }
}

#[tokio::test]
async fn a_result_that_lambda_cannot_pass_on_is_an_error_with_the_output() {
    let function = Emulator::with(&[("EXECUTOR_MAX_RESULT_BYTES", "67108864")]);
    let script = "def main():\n    print('before')\n    open('a', 'w').write('x')\n    return 'x' * (7 << 20)";
    let told = run(&function, Source::Http, script, json!({})).await;
    told.fails("error", "ResultTooLarge");
    assert_eq!((&told.body["stdout"], told.names()), (&json!("before\n"), vec!["a".to_owned()]), "{told}");
}

/// What is printed is in such a body twice.
#[tokio::test]
async fn events_fit_too() {
    let script = "
        import sys

        def main(out, result):
            for _ in range(64):
                sys.stdout.write('\"' * (out // 64))
                sys.stderr.write('\\n' * (out // 64))
            return 'x' * result
    ";
    for (out, result) in [(1 << 20, 10), (1 << 20, 4 << 20), (10_000, (5 << 20) - 2)] {
        let inputs = json!({ "out": out, "result": result });
        let request = json!({ "script": dedent(script), "inputs": inputs });
        let request = post(Source::Http, "/v1/run", "text/event-stream", &request);
        let reply = Emulator::shared().invoke(request).await.http(Source::Http);
        let events = events(&reply.body);
        let (last, printed) = events.split_last().expect("there are events");
        for stream in ["stdout", "stderr"] {
            let of_stream = printed.iter().filter(|(name, _)| name == stream);
            let text: String = of_stream.map(|(_, text)| text.as_str().expect("a text")).collect();
            assert_eq!(Some(text.as_str()), last.1[stream].as_str());
        }
        let ends = (last.0.as_str(), last.1["status"].as_str());
        assert_eq!(ends, ("outcome", Some("ok")));
        assert_eq!(last.1["result"].as_str().map(str::len), Some(result));
    }
}
