//! Hostile programs, one file each in `tests/attack/programs`, and what comes of them. Where a program has an
//! allowed twin, the twin has to work.

mod bounds;
mod files;
mod forgery;
mod kernel;
mod left_files;
mod leftovers;
mod network;
mod processes;
mod secrets;
mod traces;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Reply, Server};

/// The source of a hostile program.
macro_rules! program {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/attack/programs/", $name, ".py"))
    };
}
use program;

/// What a program reports that counts its own attempts.
#[derive(Debug, Deserialize)]
struct Report {
    tried: u64,
    breaches: Vec<String>,
}

async fn run(server: &Server, program: &str, inputs: Value) -> Reply {
    let fields = json!({ "inputs": inputs, "timeout": 20 });
    server.execute_with(program, fields).await
}

/// The program made its attempts, none of them succeeded, and the service is as before.
async fn achieves_nothing(server: &Server, program: &str, inputs: Value) {
    let reply = run(server, program, inputs).await;
    let report: Report = reply.returned();
    assert!(report.tried > 0, "nothing was tried\n{reply}");
    assert!(report.breaches.is_empty(), "{:#?}", report.breaches);
    server.is_well().await;
}

/// The numbers of the service's own processes, as the machine knows them.
fn processes_of(server: &Server) -> Vec<u32> {
    let mut numbers = vec![server.process().id(), std::process::id()];
    numbers.extend(server.process().descendants().iter().map(|entry| entry.pid));
    numbers
}
