//! What the tests of the function do with an emulator: scripts and events, sent in.

use std::path::Path;

use serde_json::Value;

use crate::answer::Answer;
use crate::source::Source;
use crate::support::Reply;
pub use crate::support::emulator::{Emulator, SECRET, binary, free_address, project, tool, wait_for_listener};

impl Emulator {
    /// Sends a payload to the function, which must answer.
    pub async fn invoke(&self, payload: impl Into<String>) -> Answer {
        let (status, text) = self.try_invoke(payload).await;
        assert_eq!(status, 200, "the invocation failed: {text}\n{}", self.process().log());
        Answer::new(text, self.process().log())
    }

    /// Invokes the function directly with a script alone.
    pub async fn run(&self, script: &str) -> Answer {
        self.invoke(serde_json::json!({ "script": crate::support::dedent(script) }).to_string()).await
    }

    /// Runs a script by a direct invoke and by an event of each source.
    pub async fn run_in_every_way(&self, script: &str) -> Vec<Reply> {
        let mut replies = vec![self.run(script).await.direct()];
        for source in Source::ALL {
            replies.push(self.invoke(source.script(script)).await.http(source));
        }
        replies
    }

    /// A plain script gets its right answer.
    pub async fn is_well(&self) {
        self.run("def main():\n    print('well')\n    return 2 + 3").await.direct().succeeds("5", "well\n");
    }
}

/// The text of an event of this test suite, without the extension.
pub fn event(name: &str) -> String {
    read(&project().join("tests/lambda/events").join(format!("{name}.json")))
}

/// The text of an event that is there for people to try.
pub fn example(name: &str) -> String {
    read(&project().join("events").join(format!("{name}.json")))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The value of an event's text.
pub fn parsed(event: &str) -> Value {
    serde_json::from_str(event).unwrap_or_else(|error| panic!("{error} in {event}"))
}
