//! Attacks a deployment and says what held.
//!
//! ```text
//! cargo run --example attack -- http://127.0.0.1:8080
//! cargo run --example attack -- --lambda http://127.0.0.1:9000/2015-03-31/functions/function/invocations
//! ```

#[path = "suite.rs"]
mod suite;

use std::io::IsTerminal;
use std::process::ExitCode;

use suite::{Credentials, Options, Target};

const USAGE: &str = "\
usage: attack [--lambda] [--only PATTERN] [--json] [--list] URL

  URL             where the service listens, or with --lambda where the function is invoked
  --only PATTERN  only scenarios whose name contains PATTERN
  --json          the result as JSON
  --list          name the scenarios and run none

EXECUTOR_API_KEY in the environment is sent as a bearer token. If there is EXECUTOR_TOKEN, a token for the platform in
front of the service, that is the bearer token, and the key goes into X-Api-Key.
Ends with 0 if every attack held and every use works, with 1 if not, with 2 if there is nothing to attack.";

/// The command line, understood.
#[derive(Default)]
struct Arguments {
    url: Option<String>,
    lambda: bool,
    json: bool,
    list: bool,
    only: Option<String>,
}

impl Arguments {
    fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut parsed, mut words) = (Self::default(), words);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--lambda" => parsed.lambda = true,
                "--json" => parsed.json = true,
                "--list" => parsed.list = true,
                "--only" => parsed.only = Some(words.next().ok_or("--only needs a pattern")?),
                _ if word.starts_with('-') => return Err(format!("unknown option {word}")),
                _ if parsed.url.is_some() => return Err(format!("a second URL: {word}")),
                _ => parsed.url = Some(word),
            }
        }
        Ok(parsed)
    }

    fn target(&self) -> Result<Target, String> {
        let url = self.url.as_deref().ok_or("there is no URL")?;
        if self.lambda {
            return Target::lambda(url);
        }
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Target::http(url, Credentials { key: variable("EXECUTOR_API_KEY"), token: variable("EXECUTOR_TOKEN") })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match attack().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(words) => {
            eprintln!("attack: {words}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

async fn attack() -> Result<bool, String> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    if arguments.list {
        list();
        return Ok(true);
    }
    let options =
        Options { only: arguments.only.clone(), progress: std::io::stderr().is_terminal(), ..Options::default() };
    let report = suite::run(arguments.target()?, &options).await?;
    if options.progress {
        eprint!("\r\x1b[K");
    }
    if report.rows.is_empty() {
        return Err("no scenario has such a name".into());
    }
    if arguments.json {
        println!("{:#}", report.json());
    } else {
        print!("{report}");
    }
    Ok(report.is_good())
}

fn list() {
    for scenario in suite::scenarios() {
        println!("{:<8} {:<29} {}", scenario.promise.id(), scenario.name, scenario.purpose);
    }
}
