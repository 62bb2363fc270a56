//! What makes an answer right.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::reply::Reply;
use super::scenario::Kind;

/// Why a scenario is not simply right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// What was seen that must not be.
    Broken(String),
    /// Why the question does not arise here.
    NotApplicable(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(words) | Self::NotApplicable(words) => f.write_str(words),
        }
    }
}

/// How an answer is judged. Each starts with the answer's form: 200 or 400, with exactly the two members of its kind.
#[derive(Clone)]
pub enum Judge {
    /// `{"tried": N, "breaches": []}`, with attempts really made.
    Refused,
    /// The same, or a 400 for a script that did not live to tell.
    RefusedOrEnded,
    /// A 400 whose error contains one of these.
    Ended(&'static [&'static str]),
    /// A 400 after the script's time, and not much later.
    TimedOut,
    /// This result, and nothing printed.
    Returns(Value),
    /// This result and this output.
    Prints(Value, &'static str),
    /// This result, or a 400.
    ReturnsOrEnds(Value),
    /// A number up to this, or a 400.
    AtMost(u64),
    /// Any answer of the right form.
    AnyAnswer,
    /// A judgement of its own.
    By(fn(&Reply) -> Result<(), String>),
}

/// What the judgement depends on beside the answer.
pub struct Circumstances {
    timeout: f64,
    slack: Duration,
    /// A 400 that says that files, threads and processes cannot be made is a refusal.
    excused_by_seal: bool,
}

impl Circumstances {
    /// A seal refuses an attack what it needs. A use has to work: one that needs what a seal takes says so, and is not judged here.
    pub fn new(kind: Kind, sealed: bool, timeout: f64, slack: Duration) -> Self {
        Self { timeout, slack, excused_by_seal: sealed && kind == Kind::Attack }
    }
}

/// What the error of a script says that asked a sealed host for a file, a thread or a process.
pub const SEALED: &str = "not available under this host's sandbox";

impl Judge {
    /// What is wrong with `reply`, in words.
    pub fn judge(&self, reply: &Reply, circumstances: &Circumstances) -> Result<(), String> {
        reply.well_formed()?;
        if circumstances.excused_by_seal
            && self.is_about_an_attempt()
            && reply.error().is_some_and(|e| e.contains(SEALED))
        {
            return Ok(());
        }
        match self {
            Self::RefusedOrEnded | Self::ReturnsOrEnds(_) | Self::AtMost(_) if reply.status == 400 => Ok(()),
            Self::Refused | Self::RefusedOrEnded => refused(reply),
            Self::Ended(words) => ended(reply, words),
            Self::TimedOut => timed_out(reply, circumstances),
            Self::Returns(value) => returns(reply, value, ""),
            Self::Prints(value, stdout) => returns(reply, value, stdout),
            Self::ReturnsOrEnds(value) => returns_value(reply, value),
            Self::AtMost(most) => at_most(reply, *most),
            Self::AnyAnswer => Ok(()),
            Self::By(judge) => judge(reply),
        }
    }

    fn is_about_an_attempt(&self) -> bool {
        !matches!(self, Self::Refused | Self::Returns(_) | Self::Prints(..))
    }
}

fn refused(reply: &Reply) -> Result<(), String> {
    let result = reply.result().ok_or_else(|| format!("the attempts were not made: {reply}"))?;
    if result["tried"].as_u64().unwrap_or(0) == 0 {
        return Err(format!("nothing was tried: {reply}"));
    }
    let breaches = result["breaches"].as_array().ok_or_else(|| format!("no list of breaches: {reply}"))?;
    if breaches.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = breaches.iter().take(8).map(|b| b.as_str().map_or(b.to_string(), str::to_owned)).collect();
    let more = if breaches.len() > 8 { format!("; and {} more", breaches.len() - 8) } else { String::new() };
    Err(format!("{}{more}", shown.join("; ")))
}

fn ended(reply: &Reply, words: &[&str]) -> Result<(), String> {
    match reply.error() {
        Some(error) if words.is_empty() || words.iter().any(|word| error.contains(word)) => Ok(()),
        _ => Err(format!("expected a 400 with one of {words:?}, got {reply}")),
    }
}

fn timed_out(reply: &Reply, circumstances: &Circumstances) -> Result<(), String> {
    ended(reply, &["time limit", "TimeoutError"])?;
    let (least, most) = (circumstances.timeout * 0.8, circumstances.timeout + circumstances.slack.as_secs_f64());
    let took = reply.took.as_secs_f64();
    if took < least || took > most {
        return Err(format!("stopped after {took:.1} s with a limit of {} s", circumstances.timeout));
    }
    Ok(())
}

fn returns(reply: &Reply, value: &Value, stdout: &str) -> Result<(), String> {
    returns_value(reply, value)?;
    if reply.stdout() == stdout {
        return Ok(());
    }
    Err(format!("the output is not {stdout:?}: {reply}"))
}

fn returns_value(reply: &Reply, value: &Value) -> Result<(), String> {
    if reply.result() == Some(value) {
        return Ok(());
    }
    Err(format!("expected the result {value}, got {reply}"))
}

fn at_most(reply: &Reply, most: u64) -> Result<(), String> {
    let number = reply.result().and_then(Value::as_u64).ok_or_else(|| format!("no number: {reply}"))?;
    if number <= most { Ok(()) } else { Err(format!("{number} instead of at most {most}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_words_of_the_seal_excuse_attacks_only() {
        let said = json!({ "error": format!("RuntimeError: generator raised StopIteration ({SEALED})"), "stdout": "" });
        let reply = Reply::invoked(said.to_string().as_bytes(), Duration::ZERO);
        let judge = Judge::By(|reply| if reply.result().is_some() { Ok(()) } else { Err("nothing was found".into()) });
        let circumstances = |kind, sealed| Circumstances::new(kind, sealed, 5.0, Duration::ZERO);
        assert_eq!(judge.judge(&reply, &circumstances(Kind::Attack, true)), Ok(()));
        for (kind, sealed) in [(Kind::Use, true), (Kind::Use, false), (Kind::Attack, false)] {
            assert!(judge.judge(&reply, &circumstances(kind, sealed)).is_err(), "{kind:?}, sealed: {sealed}");
        }
    }
}
