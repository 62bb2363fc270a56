//! Where an HTTP event comes from, which decides its shape and that of the answer.

use serde_json::{Map, Value, json};

use crate::emulator::{event, parsed};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// API Gateway, REST API: payload format 1.0.
    Rest,
    /// API Gateway, HTTP API: payload format 2.0.
    Http,
    /// A function URL: payload format 2.0, too.
    Url,
    /// An Application Load Balancer, with one value or several for a header.
    Alb,
}

impl Source {
    pub const ALL: [Self; 4] = [Self::Rest, Self::Http, Self::Url, Self::Alb];

    /// The source of an event of this test suite, by its name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| name.starts_with(source.prefix()))
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Rest => "rest-",
            Self::Http => "http-",
            Self::Url => "url-",
            Self::Alb => "alb-",
        }
    }

    /// An event that posts this body to `/execute`.
    pub fn post(self, body: &str) -> String {
        let mut event = parsed(&event(&format!("{}execute", self.prefix())));
        event["body"] = body.into();
        event.to_string()
    }

    /// An event that runs this script.
    pub fn script(self, script: &str) -> String {
        self.post(&json!({ "script": crate::support::dedent(script) }).to_string())
    }

    /// The members of an answer, sorted.
    pub fn response_members(self) -> Vec<&'static str> {
        let mut members = vec!["body", "headers", "isBase64Encoded", "multiValueHeaders", "statusCode"];
        members.extend(match self {
            Self::Rest => None,
            Self::Http | Self::Url => Some("cookies"),
            Self::Alb => Some("statusDescription"),
        });
        members.sort_unstable();
        members
    }

    /// Whether headers are given one value each.
    pub fn single_headers(self) -> bool {
        self != Self::Rest
    }

    /// Whether headers are given as lists. A load balancer takes one or the other as it is configured, and gets both.
    pub fn multiple_headers(self) -> bool {
        matches!(self, Self::Rest | Self::Alb)
    }

    /// Only a load balancer wants the status in words.
    pub fn check_status_description(self, answer: &Map<String, Value>, status: u16) {
        if self == Self::Alb {
            let words = answer["statusDescription"].as_str().expect("statusDescription is a text");
            let phrase = words.strip_prefix(&format!("{status} ")).unwrap_or_default();
            assert!(!phrase.is_empty(), "{words}");
        }
    }
}
