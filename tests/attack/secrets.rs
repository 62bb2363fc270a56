//! P4: no secrets.

use serde_json::json;

use super::bench::Bench;
use super::judge::Judge;
use super::program;
use super::scenario::{Drive, Promise, Scenario, Step, attack, step, twin};

const P: Promise = Promise::Secrets;

pub fn scenarios() -> Vec<Scenario> {
    vec![
        attack(
            P,
            "sec-environ",
            "looks for secrets in every copy of its environment and command line",
            Drive::Scripts(|_| vec![step(program!("sec_environ"))]),
        ),
        attack(
            P,
            "sec-environ-of-others",
            "reads the environment of every process it can name",
            Drive::Scripts(|_| vec![step(program!("sec_environ_of_others"))]),
        ),
        attack(
            P,
            "sec-descriptors",
            "looks at every descriptor that it was given",
            Drive::Scripts(|_| vec![step(program!("sec_descriptors"))]),
        ),
        attack(
            P,
            "sec-memory-of-earlier-script",
            "searches its memory for the text of a script that ran before",
            Drive::Scripts(|bench| (0..4).flat_map(|number| [leave(bench, number), search()]).collect()),
        ),
        twin(
            P,
            "sec-memory-twin",
            "the search for secrets finds one that is there",
            Drive::Scripts(|_| {
                let planted = program!("sec_memory")
                    .replace("def main():", "planted = b'-'.join([b'SECRET', b'0123456789ab'])\n\ndef main():");
                vec![step(&planted).judge(Judge::By(|reply| match reply.result() {
                    Some(result) if result["breaches"].to_string().contains("SECRET-0123456789ab") => Ok(()),
                    _ => Err(format!("nothing was found: {reply}")),
                }))]
            }),
        ),
        twin(
            P,
            "sec-own-environ-twin",
            "sets its own environment and hands it to a child",
            Drive::Scripts(|_| vec![step(OWN_ENVIRONMENT).judge(Judge::Returns(json!("mine")))]),
        ),
    ]
}

const OWN_ENVIRONMENT: &str = "
import os

def main():
    os.environ['OWN'] = 'mine'
    return os.getenv('OWN')
";

/// Kept in two parts, so that no source and no other request holds what is searched for.
fn leave(bench: &Bench, number: u64) -> Step {
    let secret = format!("{}-{:012x}", "SECRET", 0xabc_0000 + number);
    let _ = bench;
    step(program!("sec_memory_leave")).inputs(json!({ "secret": secret })).judge(Judge::AnyAnswer)
}

fn search() -> Step {
    step(program!("sec_memory"))
}
