//! The scripts.

use serde_json::{Value, json};

/// A script and its answer.
#[derive(Clone)]
pub struct Case {
    pub name: &'static str,
    pub script: String,
    pub expected: Option<Value>,
    /// Whether the result is the seconds that the script's own work took.
    pub times_itself: bool,
}

impl Case {
    /// As the service wants it.
    pub fn body(&self) -> String {
        json!({ "script": self.script }).to_string()
    }

    fn new(name: &'static str, script: &str, expected: Option<Value>) -> Self {
        Self { name, script: script.to_owned(), times_itself: expected.is_none(), expected }
    }
}

/// The README's first example.
pub fn basic() -> Case {
    let script = "def main():\n    print(\"hello\")\n    return 2 + 3";
    Case::new("basic", script, Some(json!({"result": 5, "stdout": "hello\n"})))
}

/// The README's second example.
pub fn pandas() -> Case {
    let script = "import numpy as np, pandas as pd\n\ndef main():\n    \
        s = pd.Series(np.arange(3.0)) * 5 + 8 / 3\n    return s.sum()";
    Case::new("pandas", script, Some(json!({"result": 23.0, "stdout": ""})))
}

/// About 1 MB as JSON, of everything that JSON has itself.
pub fn plain_data() -> Case {
    let script = "def main():
    return [{'n': i, 'x': i / 8, 'text': f'line {i}', 'flags': [True, None]} for i in range(15_000)]
";
    let expected = (0..15_000)
        .map(|i| json!({"n": i, "x": f64::from(i) / 8.0, "text": format!("line {i}"), "flags": [true, null]}));
    let expected: Vec<Value> = expected.collect();
    Case::new(crate::v1_run::LARGE, script, Some(json!({"result": expected, "stdout": ""})))
}

/// Pure Python, for as long as `rounds` rounds of its loop take.
pub fn cpu(rounds: u64) -> Case {
    let script = "from time import perf_counter

def main():
    start, total = perf_counter(), 0
    for i in range(ROUNDS):
        total += i * i % 7
    return perf_counter() - start
";
    Case::new("cpu 50 ms", &script.replace("ROUNDS", &rounds.to_string()), None)
}

/// 200 KB of output in lines, and 100,000 elements.
pub fn output() -> Case {
    let script = "def main():
    for _ in range(2000):
        print('x' * 99)
    return list(range(100_000))
";
    let result: Vec<u32> = (0..100_000).collect();
    let stdout = format!("{}\n", "x".repeat(99)).repeat(2000);
    Case::new("large output", script, Some(json!({"result": result, "stdout": stdout})))
}

pub fn matmul() -> Case {
    let script = "from time import perf_counter
import numpy as np

def main():
    start = perf_counter()
    a, b = np.ones((512, 512)), np.full((512, 512), 0.5)
    assert (a @ b)[0, 0] == 256
    return perf_counter() - start
";
    Case::new("matmul 512", script, None)
}

/// A script that stays in `main` for a while, after the work of another.
pub fn lingering(case: &Case, seconds: f64) -> Case {
    let script = format!(
        "{}\n\nfrom time import sleep\nwork = main\n\ndef main():\n    result = work()\n    sleep({seconds})\n    return result\n",
        case.script
    );
    Case { script, ..case.clone() }
}
