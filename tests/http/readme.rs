//! The README's examples, run with curl as they stand there.

use std::process::Command;

use crate::support::Server;

/// Every shell block with a curl command, with the block behind it, which shows the answer.
fn examples() -> Vec<(String, String)> {
    let readme = include_str!("../../README.md");
    let blocks: Vec<(&str, &str)> =
        readme.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n')).collect();
    let is_example = |pair: &&[(&str, &str)]| pair[0].0 == "sh" && pair[0].1.starts_with("curl ");
    blocks.windows(2).filter(is_example).map(|pair| (pair[0].1.to_owned(), pair[1].1.trim().to_owned())).collect()
}

#[tokio::test]
async fn the_examples_answer_what_the_readme_says() {
    let server = Server::shared();
    server.is_well().await;
    let examples = examples();
    assert_eq!(examples.len(), 2, "the basic example and the one with pandas");
    for (command, answer) in examples {
        let command = command.replace("http://127.0.0.1:8080", &server.url(""));
        let output = Command::new("sh").args(["-c", &command]).output().expect("sh is there");
        assert_eq!(String::from_utf8_lossy(&output.stdout), answer, "{command}: {output:?}");
    }
}
