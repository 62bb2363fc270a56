//! What honest clients ask, and the only answer that is right.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// The kinds of work that callers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A line of output and a number.
    Basic,
    /// Needs the zygote that has the large modules.
    Pandas,
    /// Reads a file of the request and leaves one, by `/v1/run`.
    Files,
    /// The same endpoint, answered by events.
    Events,
    /// 50 ms of a processor.
    Cpu,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Basic, Self::Pandas, Self::Files, Self::Events, Self::Cpu];

    fn script(self) -> &'static str {
        match self {
            Self::Basic => "def main(nonce):\n    print(nonce)\n    return 2 + 3\n",
            Self::Pandas => {
                "import numpy as np, pandas as pd\n\ndef main(nonce):\n    print(nonce)\n    \
                 return float((pd.Series(np.arange(3.0)) * 5 + 8 / 3).sum())\n"
            }
            Self::Files => {
                "def main(nonce):\n    with open('in.txt') as file:\n        text = file.read()\n    \
                 with open('out.txt', 'w') as file:\n        file.write(text + nonce)\n    print(nonce)\n    return len(text)\n"
            }
            Self::Events => {
                "import time\n\ndef main(nonce):\n    print(nonce)\n    time.sleep(0.01)\n    print(nonce)\n    return 'told'\n"
            }
            Self::Cpu => {
                "from time import process_time\n\ndef main(nonce):\n    end, total = process_time() + 0.05, 0\n    \
                 while process_time() < end:\n        total += 1\n    print(nonce)\n    return total > 0\n"
            }
        }
    }

    /// What `main` returns, as compact JSON.
    pub fn result(self) -> &'static str {
        match self {
            Self::Basic => "5",
            Self::Pandas => "23.0",
            // The length of a nonce.
            Self::Files => "22",
            Self::Events => r#""told""#,
            Self::Cpu => "true",
        }
    }

    pub fn path(self) -> &'static str {
        match self {
            Self::Basic | Self::Pandas | Self::Cpu => "/execute",
            Self::Files | Self::Events => "/v1/run",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Pandas => "pandas",
            Self::Files => "files",
            Self::Events => "events",
            Self::Cpu => "cpu",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How every nonce begins; 16 hexadecimal digits follow.
pub const NONCE: &str = "nonce-";

/// One request, which can be confused with no other.
#[derive(Debug, Clone)]
pub struct Honest {
    pub kind: Kind,
    pub nonce: String,
}

impl Honest {
    pub fn new(kind: Kind) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (run, number) = (now.subsec_nanos(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self { kind, nonce: format!("{NONCE}{run:08x}{number:08x}") }
    }

    pub fn body(&self) -> Value {
        let mut body = json!({ "script": self.kind.script(), "inputs": { "nonce": self.nonce } });
        if self.kind == Kind::Files {
            body["files"] = json!({ "in.txt": { "text": self.nonce } });
        }
        body
    }

    pub fn stdout(&self) -> String {
        let times = if self.kind == Kind::Events { 2 } else { 1 };
        format!("{}\n", self.nonce).repeat(times)
    }

    /// Name and content of what the script leaves.
    pub fn left(&self) -> Vec<(String, String)> {
        match self.kind {
            Kind::Files => vec![("out.txt".to_owned(), self.nonce.repeat(2))],
            _ => Vec::new(),
        }
    }
}
