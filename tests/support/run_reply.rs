//! Answers of `POST /v1/run`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Reply, Server, dedent};

/// What a script's run is answered with.
pub struct RunReply {
    pub body: Value,
    pub reply: Reply,
}

impl RunReply {
    /// Reads an answer, which must be 200 and have what the contract says, no more.
    #[track_caller]
    pub fn new(reply: Reply) -> Self {
        assert_eq!(reply.status, 200, "{reply}");
        assert_eq!(reply.header("content-type"), "application/json", "{reply}");
        let told = Self { body: serde_json::from_str(&reply.body).expect("it is JSON"), reply };
        told.is_complete();
        told
    }

    #[track_caller]
    fn is_complete(&self) {
        let object = self.body.as_object().expect("it is an object");
        let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
        keys.retain(|key| !["result", "error", "omitted"].contains(key));
        let mut expected = ["id", "status", "stdout", "stderr", "truncated", "files", "usage"];
        keys.sort_unstable();
        expected.sort_unstable();
        assert_eq!(keys, expected, "{self}");
        let is_ok = self.status() == "ok";
        assert_eq!((object.contains_key("result"), object.contains_key("error")), (is_ok, !is_ok), "{self}");
        assert!(self.body["usage"]["wall_ms"].as_f64() > Some(0.0), "{self}");
        assert!(self.body["usage"]["queue_ms"].as_f64() >= Some(0.0), "{self}");
        assert_eq!(self.body["id"], self.reply.header("x-request-id"), "{self}");
    }

    pub fn status(&self) -> &str {
        self.body["status"].as_str().expect("a status")
    }

    /// It is ok, with this result.
    #[track_caller]
    pub fn returns(&self, result: &Value) {
        assert_eq!((self.status(), &self.body["result"]), ("ok", result), "{self}");
    }

    /// The error of a script that has this status for it, and its type.
    #[track_caller]
    pub fn fails(&self, status: &str, class: &str) -> &Value {
        assert_eq!((self.status(), &self.body["error"]["type"]), (status, &Value::from(class)), "{self}");
        &self.body["error"]
    }

    /// Names and contents of the files.
    #[track_caller]
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let files = self.body["files"].as_array().expect("files");
        let file = |file: &Value| {
            let name = file["name"].as_str().expect("a name").to_owned();
            let content = STANDARD.decode(file["base64"].as_str().expect("base64")).expect("base64");
            assert_eq!(file["size"], content.len(), "{self}");
            (name, content)
        };
        files.iter().map(file).collect()
    }

    #[track_caller]
    pub fn file(&self, name: &str) -> Vec<u8> {
        let found = self.files().into_iter().find(|(found, _)| found == name);
        found.unwrap_or_else(|| panic!("no {name}\n{self}")).1
    }

    pub fn names(&self) -> Vec<String> {
        self.files().into_iter().map(|(name, _)| name).collect()
    }

    /// Names and reasons of what was not sent.
    pub fn omitted(&self) -> Vec<(&str, &str)> {
        let files = self.body["omitted"]["files"].as_array().map_or(&[][..], Vec::as_slice);
        let text =
            |value: &'_ Value| -> &str { Box::leak(value.as_str().expect("a text").to_owned().into_boxed_str()) };
        files.iter().map(|file| (text(&file["name"]), text(&file["reason"]))).collect()
    }
}

impl std::fmt::Display for RunReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.reply.fmt(f)
    }
}

impl Server {
    /// Runs a script by `/v1/run` (see [`dedent`]).
    pub async fn run(&self, script: &str) -> RunReply {
        self.run_with(script, json!({})).await
    }

    /// The same with further fields of the request.
    pub async fn run_with(&self, script: &str, mut fields: Value) -> RunReply {
        fields["script"] = Value::from(dedent(script));
        RunReply::new(self.post_to("/v1/run", fields.to_string()).await)
    }
}
