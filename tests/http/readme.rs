//! The examples of the README and of docs/API.md, run verbatim by a shell, Python and Node.js.

use std::process::Command;

use serde_json::Value;

use crate::support::emulator::{project, tool};
use crate::support::{Directory, Server};

const README: &str = include_str!("../../README.md");
const API: &str = include_str!("../../docs/API.md");

/// Every example of a page with the block behind it, which shows the output.
fn examples(page: &'static str) -> Vec<(&'static str, String, String)> {
    let blocks: Vec<(&str, &str)> =
        page.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n')).collect();
    let is_example = |pair: &&[(&'static str, &str)]| match pair[0].0 {
        "sh" => pair[0].1.starts_with("curl "),
        language => matches!(language, "python" | "js"),
    };
    let example = |pair: &[(&'static str, &str)]| (pair[0].0, pair[0].1.to_owned(), pair[1].1.trim().to_owned());
    blocks.windows(2).filter(is_example).map(example).collect()
}

/// What runs a program in this language. Python has the packages of the tests' tools.
fn command(language: &str, program: &str) -> Command {
    let mut command = match language {
        "sh" => Command::new("sh"),
        "python" => Command::new(project().join("target/layer/tools/python3")),
        _ => Command::new(tool("node")),
    };
    let packages = project().join("target/tools/python");
    match language {
        "sh" => command.args(["-c", program]),
        "python" => {
            command.args(["-I", "-c", &format!("import sys\nsys.path.insert(0, '{}')\n{program}", packages.display())])
        }
        _ => command.args(["--input-type=module", "--eval", program]),
    };
    command.env("NO_PROXY", "*");
    command
}

/// Without what is another one each time, and without the line breaks that docs/API.md has in the object of `/v1/run`.
fn constant(answer: &str) -> String {
    let Ok(Value::Object(mut object)) = serde_json::from_str::<Value>(answer) else { return answer.to_owned() };
    if object.remove("usage").is_none() || object.remove("id").is_none() {
        return answer.to_owned();
    }
    Value::Object(object).to_string()
}

#[tokio::test]
async fn the_examples_print_what_the_documents_say() {
    let server = Server::shared();
    server.is_well().await;
    let examples = [examples(README), examples(API)].concat();
    let languages: Vec<&str> = examples.iter().map(|(language, ..)| *language).collect();
    assert_eq!(languages, ["sh", "sh", "python", "sh", "js"]);
    for (language, program, answer) in examples {
        let program = program.replace("http://127.0.0.1:8080", &server.url(""));
        let directory = Directory::new("readme");
        let output = command(language, &program).current_dir(directory.path()).output().expect("it can be started");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(constant(printed.trim()), constant(&answer), "{program}: {output:?}");
        let plot = directory.path().join("plot.png");
        assert_eq!(plot.exists(), language == "python", "{program}");
    }
}
