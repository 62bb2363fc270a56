//! Replies, compared to the letter.

use std::fmt;

use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::Log;
use super::json_members::members;

/// What came back: status, headers and the body as it was on the wire.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    log: Option<Log>,
}

/// The two values of a body whose keys were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The raw JSON of `result`, or the text of `error`.
    pub value: String,
    pub stdout: String,
}

impl Reply {
    pub fn new(status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        let body = String::from_utf8(body).expect("the body of a reply is UTF-8");
        Self { status, headers, body, log: None }
    }

    /// Shows the end of `log` when an assertion on this reply fails.
    pub fn with_log(self, log: &Log) -> Self {
        Self { log: Some(log.clone()), ..self }
    }

    /// The reply is 200 with exactly `{"result":<result>,"stdout":<stdout>}`.
    #[track_caller]
    pub fn succeeds(&self, result: &str, stdout: &str) {
        let expected = format!(r#"{{"result":{result},"stdout":{}}}"#, json_text(stdout));
        assert!(self.status == 200 && self.body == expected, "expected 200 {expected}\ngot {self}");
        self.is_json();
    }

    /// The reply is 400 with exactly `{"error":<error>,"stdout":<stdout>}`.
    #[track_caller]
    pub fn fails(&self, error: &str, stdout: &str) {
        let (error, stdout) = (json_text(error), json_text(stdout));
        let expected = format!(r#"{{"error":{error},"stdout":{stdout}}}"#);
        assert!(self.status == 400 && self.body == expected, "expected 400 {expected}\ngot {self}");
        self.is_json();
    }

    /// The reply is 200; returns the raw JSON of the result and the output.
    #[track_caller]
    pub fn success(&self) -> Outcome {
        assert_eq!(self.status, 200, "{self}");
        self.pair("result")
    }

    /// The reply is 400; returns the error and the output.
    #[track_caller]
    pub fn failure(&self) -> Outcome {
        self.failure_with(400)
    }

    /// The reply has this status; returns the error and the output.
    #[track_caller]
    pub fn failure_with(&self, status: u16) -> Outcome {
        assert_eq!(self.status, status, "{self}");
        let pair = self.pair("error");
        let value: String =
            serde_json::from_str(&pair.value).unwrap_or_else(|error| panic!("`error` is not a text: {error}\n{self}"));
        assert!(!value.is_empty(), "`error` is empty\n{self}");
        Outcome { value, ..pair }
    }

    /// The reply is 400 and its error starts like this; returns the error.
    #[track_caller]
    pub fn fails_with(&self, start: &str) -> String {
        let error = self.failure().value;
        assert!(error.starts_with(start), "expected an error `{start}...`\n{self}");
        error
    }

    /// The result of a success, decoded.
    #[track_caller]
    pub fn returned<T: DeserializeOwned>(&self) -> T {
        let result = self.success().value;
        serde_json::from_str(&result).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// The value of a header that is there once.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        assert_eq!(values.len(), 1, "header {name} once\n{self}");
        values[0].to_str().expect("headers of replies are ASCII")
    }

    /// The body has exactly the keys `first` and `stdout`, in this order, without white space.
    #[track_caller]
    fn pair(&self, first: &str) -> Outcome {
        self.is_json();
        let members = members(&self.body).unwrap_or_else(|error| panic!("{error}\n{self}"));
        let keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, [first, "stdout"], "{self}");
        let (value, stdout) = (members[0].1.get(), members[1].1.get());
        let compact = format!(r#"{{"{first}":{value},"stdout":{stdout}}}"#);
        assert_eq!(self.body, compact, "{self}");
        let stdout =
            serde_json::from_str(stdout).unwrap_or_else(|error| panic!("`stdout` is not a text: {error}\n{self}"));
        Outcome { value: value.to_owned(), stdout }
    }

    #[track_caller]
    fn is_json(&self) {
        assert_eq!(self.header("content-type"), "application/json", "{self}");
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.body.chars().take(2000).collect();
        let cut = if shown.len() < self.body.len() { "..." } else { "" };
        write!(f, "{} {shown}{cut}\nheaders: {:?}", self.status, self.headers)?;
        match &self.log {
            Some(log) => write!(f, "\n{log}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `text` as a JSON string.
pub fn json_text(text: &str) -> String {
    serde_json::to_string(text).expect("every text can be encoded")
}
