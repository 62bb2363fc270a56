//! What a function answers, and the shape of it that each kind of event demands.

use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName};
use serde_json::{Map, Value};

use crate::source::Source;
use crate::support::emulator::direct_reply;
use crate::support::{Log, Reply};

/// Lambda takes this much of a synchronous invocation's answer.
const LAMBDA_LIMIT: usize = 6 << 20;

/// The answer to an invocation, as Lambda passes it on.
pub struct Answer {
    pub text: String,
    log: Log,
}

impl Answer {
    pub fn new(text: String, log: &Log) -> Self {
        Self { text, log: log.clone() }
    }

    /// The reply in the answer to a direct invoke.
    #[track_caller]
    pub fn direct(&self) -> Reply {
        self.fits();
        direct_reply(&self.text, &self.log)
    }

    /// The HTTP response inside of the answer to an event, which has exactly the members that AWS knows.
    #[track_caller]
    pub fn http(&self, source: Source) -> Reply {
        self.fits();
        let shown = self.shown();
        let answer: Map<String, Value> = serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {shown}"));
        let keys: Vec<&str> = answer.keys().map(String::as_str).collect();
        assert_eq!(keys, source.response_members(), "{shown}");
        assert_eq!(answer["isBase64Encoded"], false, "{shown}");

        let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
        let status = status.unwrap_or_else(|| panic!("statusCode is a number: {shown}"));
        source.check_status_description(&answer, status);
        let body = answer["body"].as_str().unwrap_or_else(|| panic!("body is a text: {shown}"));
        let headers = headers(source, &answer);
        if let Some(length) = headers.get(CONTENT_LENGTH) {
            assert_eq!(length, body.len().to_string().as_str(), "{shown}");
        }
        Reply::new(status, headers, body.to_owned().into_bytes()).with_log(&self.log)
    }

    #[track_caller]
    fn fits(&self) {
        assert!(self.text.len() <= LAMBDA_LIMIT, "an answer of {} bytes", self.text.len());
        assert!(!self.text.starts_with(r#"{"errorType""#), "the function failed: {}\n{}", self.shown(), self.log);
    }

    fn shown(&self) -> String {
        self.text.chars().take(1000).collect()
    }
}

/// The headers where the kind of event wants them, and nowhere else.
fn headers(source: Source, answer: &Map<String, Value>) -> HeaderMap {
    let (single, multiple) = (source.single_headers(), source.multiple_headers());
    assert!(single || multiple);
    let of_single = pairs(&answer["headers"], |value| vec![value]);
    let of_multiple = pairs(&answer["multiValueHeaders"], |value| {
        value.as_array().expect("a header has a list of values").iter().collect()
    });
    assert_eq!(of_single.is_empty(), !single, "{answer:?}");
    assert_eq!(of_multiple.is_empty(), !multiple, "{answer:?}");
    if single && multiple {
        assert_eq!(of_single, of_multiple, "both tell the same");
    }
    if single { of_single } else { of_multiple }
}

fn pairs(member: &Value, values: fn(&Value) -> Vec<&Value>) -> HeaderMap {
    let mut found = HeaderMap::new();
    for (name, value) in member.as_object().expect("headers are an object") {
        assert_eq!(*name, name.to_ascii_lowercase());
        let name: HeaderName = name.parse().expect("the name of a header");
        for value in values(value) {
            let value = value.as_str().expect("the value of a header is a text");
            found.append(&name, value.parse().expect("the value of a header"));
        }
    }
    found
}
