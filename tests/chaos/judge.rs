//! What makes an answer right: pure, so that it can be tried on answers that no service gives.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::honest::{Honest, Kind, NONCE};

/// What a client has seen.
#[derive(Debug, Clone)]
pub enum Seen {
    Answer(Answer),
    /// The connection's error, or that patience has ended, in words.
    Nothing(String),
}

/// An answer that came in one piece.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub retry_after: Option<String>,
    /// The request's nonce is its id.
    pub request_id: String,
    pub body: String,
}

/// What an answer is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Right,
    /// A 503 of the form that the contract says, or its form in a stream that has begun.
    Refused,
    /// A 429 of the same form.
    Limited,
    /// The script is told that it was killed. The service cannot know that it did not do this to itself.
    Killed(String),
    /// The script is told that there was no space for its files.
    NoSpace(String),
    /// No answer: the connection broke.
    Nothing(String),
    Wrong(String),
    /// Something of another request is in it.
    WrongCaller(String),
}

/// The endings of a script that its host can be the cause of.
const KILLED: &str = "script was killed by signal 9 (SIGKILL)";
const NO_SPACE: &str = "[Errno 28] No space left on device";

pub fn judge(asked: &Honest, seen: &Seen) -> Verdict {
    let answer = match seen {
        Seen::Answer(answer) => answer,
        Seen::Nothing(words) => return Verdict::Nothing(words.clone()),
    };
    let text = answer.request_id.clone() + "\n" + &readable(&answer.body);
    if let Some(other) = foreign_nonce(&asked.nonce, &text) {
        return Verdict::WrongCaller(format!("{} asked, and got something of {other}: {}", asked.nonce, shown(answer)));
    }
    let verdict = match answer.status {
        _ if answer.request_id != asked.nonce => Err("not the request's id".into()),
        429 => refusal(answer).map(|()| Verdict::Limited),
        503 => refusal(answer).map(|()| Verdict::Refused),
        _ => match asked.kind {
            Kind::Basic | Kind::Pandas | Kind::Cpu => execution(asked, answer),
            Kind::Files => run(asked, answer),
            Kind::Events => events(asked, answer),
        },
    };
    verdict
        .unwrap_or_else(|words| Verdict::Wrong(format!("{} ({}): {words}: {}", asked.kind, asked.nonce, shown(answer))))
}

/// JSON, with `error` and `stdout` alone, and when to come again.
fn refusal(answer: &Answer) -> Result<(), String> {
    let seconds: Option<u32> = answer.retry_after.as_deref().and_then(|seconds| seconds.parse().ok());
    if seconds.is_none_or(|seconds| seconds == 0) {
        return Err(format!("a refusal with Retry-After {:?}", answer.retry_after));
    }
    is_json(answer)?;
    is_failure(&parsed(&answer.body)?)
}

fn is_failure(body: &Value) -> Result<(), String> {
    let members = body.as_object().ok_or("no object")?;
    let has_words = members.get("error").and_then(Value::as_str).is_some_and(|words| !words.is_empty());
    if members.len() == 2 && has_words && members.get("stdout").is_some_and(Value::is_string) {
        return Ok(());
    }
    Err("not exactly `error` and `stdout`".into())
}

fn execution(asked: &Honest, answer: &Answer) -> Result<Verdict, String> {
    is_json(answer)?;
    let stdout = Value::from(asked.stdout());
    let expected = format!(r#"{{"result":{},"stdout":{stdout}}}"#, asked.kind.result());
    match answer.status {
        200 if answer.body == expected => Ok(Verdict::Right),
        200 => Err(format!("expected {expected}")),
        400 => {
            let body = parsed(&answer.body)?;
            is_failure(&body)?;
            failed(body["error"].as_str())
        }
        _ => Err("this status is not in the contract".into()),
    }
}

fn run(asked: &Honest, answer: &Answer) -> Result<Verdict, String> {
    if answer.status != 200 {
        return Err("this status is not in the contract".into());
    }
    is_json(answer)?;
    outcome(asked, &parsed(&answer.body)?)
}

/// The whole object of `/v1/run`.
fn outcome(asked: &Honest, body: &Value) -> Result<Verdict, String> {
    if body["status"] != "ok" {
        return failed(body["error"]["message"].as_str());
    }
    let result = parsed(asked.kind.result())?;
    let files = files(body).ok_or("files that cannot be read")?;
    if body["result"] == result && body["stdout"] == asked.stdout() && body["stderr"] == "" && files == asked.left() {
        return Ok(Verdict::Right);
    }
    Err("not the result, output and files that the script makes".into())
}

/// Output as it came, then one outcome, which says the same; or, where the script was lost, an error.
fn events(asked: &Honest, answer: &Answer) -> Result<Verdict, String> {
    if answer.status != 200 || !answer.content_type.starts_with("text/event-stream") {
        return Err("no stream of events".into());
    }
    let mut stdout = String::new();
    let mut events = answer.body.split_terminator("\n\n").filter(|event| !event.starts_with(':')).peekable();
    while let Some(event) = events.next() {
        let (name, data) = parsed_event(event)?;
        match name {
            "stdout" => stdout += data.as_str().ok_or("output that is no text")?,
            _ if events.peek().is_some() => return Err(format!("`{name}` is not the last event")),
            "outcome" => {
                let verdict = outcome(asked, &data)?;
                let is_same = verdict != Verdict::Right || stdout == asked.stdout();
                return if is_same { Ok(verdict) } else { Err("the outcome says other output than the events".into()) };
            }
            "error" => return is_failure(&data).map(|()| Verdict::Refused),
            _ => return Err(format!("an event `{name}`")),
        }
    }
    Err("the stream ends without an outcome".into())
}

fn parsed_event(event: &str) -> Result<(&str, Value), String> {
    let (name, data) = event.split_once('\n').ok_or("an event of one line")?;
    let name = name.strip_prefix("event: ").ok_or("an event without a name")?;
    Ok((name, parsed(data.strip_prefix("data: ").ok_or("an event without data")?)?))
}

/// An honest script fails only of what its host does to it.
fn failed(error: Option<&str>) -> Result<Verdict, String> {
    match error {
        Some(words) if words.contains(KILLED) => Ok(Verdict::Killed(words.to_owned())),
        Some(words) if words.contains(NO_SPACE) => Ok(Verdict::NoSpace(words.to_owned())),
        _ => Err("the script has not failed".into()),
    }
}

/// Names and texts of the files of an answer.
fn files(body: &Value) -> Option<Vec<(String, String)>> {
    let file = |file: &Value| {
        let content = STANDARD.decode(file["base64"].as_str()?).ok()?;
        Some((file["name"].as_str()?.to_owned(), String::from_utf8(content).ok()?))
    };
    body["files"].as_array()?.iter().map(file).collect()
}

/// The body, with what its files hold.
fn readable(body: &str) -> String {
    let files = parsed(body).ok().and_then(|body| files(&body)).unwrap_or_default();
    files.iter().fold(body.to_owned(), |text, (name, content)| text + "\n" + name + "\n" + content)
}

/// A nonce that is not the request's own.
fn foreign_nonce(own: &str, text: &str) -> Option<String> {
    let nonces = text.match_indices(NONCE).filter_map(|(at, _)| text.get(at..at + own.len()));
    nonces.filter(|nonce| *nonce != own).map(str::to_owned).next()
}

fn is_json(answer: &Answer) -> Result<(), String> {
    if answer.content_type == "application/json" {
        return Ok(());
    }
    Err(format!("content type {:?}", answer.content_type))
}

fn parsed(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("broken JSON ({error})"))
}

fn shown(answer: &Answer) -> String {
    let body: String = answer.body.chars().take(400).collect();
    format!("{} {body}", answer.status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, content_type: "application/json".into(), body: body.into(), ..Answer::default() }
    }

    /// With the id that belongs to it.
    fn judged(asked: &Honest, answer: Answer) -> Verdict {
        judge(asked, &Seen::Answer(Answer { request_id: asked.nonce.clone(), ..answer }))
    }

    fn basic(asked: &Honest) -> String {
        format!(r#"{{"result":5,"stdout":"{}\n"}}"#, asked.nonce)
    }

    fn told_of(asked: &Honest) -> Value {
        let content = STANDARD.encode(asked.nonce.repeat(2));
        let files =
            if asked.kind == Kind::Files { json!([{ "name": "out.txt", "base64": content }]) } else { json!([]) };
        let result = parsed(asked.kind.result()).expect("it is JSON");
        json!({ "status": "ok", "result": result, "stdout": asked.stdout(), "stderr": "", "files": files })
    }

    fn stream(events: &[(&str, Value)]) -> Answer {
        let events: Vec<String> = events.iter().map(|(name, data)| format!("event: {name}\ndata: {data}")).collect();
        let body = events.join("\n\n") + "\n\n";
        Answer { content_type: "text/event-stream".into(), body, ..answer(200, "") }
    }

    #[test]
    fn right_answers_are_right() {
        let asked = Honest::new(Kind::Basic);
        assert_eq!(judged(&asked, answer(200, &basic(&asked))), Verdict::Right);
        let asked = Honest::new(Kind::Files);
        assert_eq!(judged(&asked, answer(200, &told_of(&asked).to_string())), Verdict::Right);
        let asked = Honest::new(Kind::Events);
        let events = [("stdout", json!(asked.stdout())), ("outcome", told_of(&asked))];
        assert_eq!(judged(&asked, stream(&events)), Verdict::Right);
    }

    #[test]
    fn wrong_answers_are_wrong() {
        let asked = Honest::new(Kind::Basic);
        let right = basic(&asked);
        let wrong = [
            answer(200, &right.replace(":5,", ":6,")),
            answer(200, &right[..right.len() - 1]),
            answer(200, &right.replace("\\n", "")),
            answer(400, &right),
            answer(400, r#"{"error":"ValueError: x","stdout":""}"#),
            answer(404, r#"{"error":"not found","stdout":""}"#),
            answer(500, r#"{"error":"internal error","stdout":""}"#),
            Answer { content_type: "text/plain".into(), ..answer(200, &right) },
        ];
        for answer in wrong {
            assert!(matches!(judged(&asked, answer.clone()), Verdict::Wrong(_)), "{answer:?}");
        }
    }

    #[test]
    fn an_answer_for_another_caller_is_found() {
        let (asked, other) = (Honest::new(Kind::Basic), Honest::new(Kind::Basic));
        for status in [200, 400, 503] {
            let verdict = judged(&asked, answer(status, &basic(&other)));
            assert!(matches!(verdict, Verdict::WrongCaller(_)), "{verdict:?}");
        }
        let refusal = Answer { request_id: other.nonce, ..answer(503, r#"{"error":"busy","stdout":""}"#) };
        assert!(matches!(judge(&asked, &Seen::Answer(refusal)), Verdict::WrongCaller(_)));
        let anonymous = answer(200, &basic(&asked));
        assert!(matches!(judge(&asked, &Seen::Answer(anonymous)), Verdict::Wrong(_)));
        let (asked, other) = (Honest::new(Kind::Files), Honest::new(Kind::Files));
        let mut body = told_of(&asked);
        body["files"] = told_of(&other)["files"].clone();
        let verdict = judged(&asked, answer(200, &body.to_string()));
        assert!(matches!(verdict, Verdict::WrongCaller(_)), "{verdict:?}");
    }

    #[test]
    fn a_refusal_says_when_to_come_again() {
        let asked = Honest::new(Kind::Basic);
        let refusal = answer(503, r#"{"error":"too many scripts","stdout":""}"#);
        let clean = Answer { retry_after: Some("1".into()), ..refusal.clone() };
        assert_eq!(judged(&asked, clean.clone()), Verdict::Refused);
        assert_eq!(judged(&asked, Answer { status: 429, ..clean.clone() }), Verdict::Limited);
        let html = Answer { body: "<h1>busy</h1>".into(), ..clean.clone() };
        let more = Answer { body: r#"{"error":"x","stdout":"","more":1}"#.into(), ..clean };
        for unclean in [refusal, html, more] {
            assert!(matches!(judged(&asked, unclean.clone()), Verdict::Wrong(_)), "{unclean:?}");
        }
    }

    #[test]
    fn a_stream_ends_with_its_outcome() {
        let asked = Honest::new(Kind::Events);
        let printed = ("stdout", json!(asked.stdout()));
        let failed = ("error", json!({ "error": "the script's worker was lost", "stdout": "" }));
        assert_eq!(judged(&asked, stream(&[printed.clone(), failed.clone()])), Verdict::Refused);
        let outcome = ("outcome", told_of(&asked));
        for events in [vec![printed.clone()], vec![outcome.clone()], vec![printed, outcome, failed]] {
            let verdict = judged(&asked, stream(&events));
            assert!(matches!(verdict, Verdict::Wrong(_)), "{verdict:?} of {events:?}");
        }
    }

    #[test]
    fn what_the_host_did_to_a_script_is_told_apart_from_what_the_service_did() {
        let asked = Honest::new(Kind::Basic);
        let killed = answer(400, r#"{"error":"script was killed by signal 9 (SIGKILL)","stdout":""}"#);
        assert!(matches!(judged(&asked, killed), Verdict::Killed(_)));
        let full = answer(400, r#"{"error":"OSError: [Errno 28] No space left on device","stdout":""}"#);
        assert!(matches!(judged(&asked, full), Verdict::NoSpace(_)));
        let crashed = answer(400, r#"{"error":"script was killed by signal 11 (SIGSEGV)","stdout":""}"#);
        assert!(matches!(judged(&asked, crashed), Verdict::Wrong(_)));
        assert!(matches!(judge(&asked, &Seen::Nothing("reset".into())), Verdict::Nothing(_)));
    }
}
