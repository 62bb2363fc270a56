//! Workers that turn against the service: what they do to the channel, and what comes of it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::server::AT_ONCE;
use crate::support::{Reply, Server};

/// The time limit of a script that is to reach it, and of one that is not.
const SHORT: f64 = 0.75;
const LONG: f64 = 4.875;

/// MiB that the service may take more than it did for an honest script with the largest result.
const MAX_GROWTH: u64 = 4;

/// How a script ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    /// With this result.
    With(&'static str),
    /// With an error that starts like this.
    Failed(&'static str),
    /// In its own way, well-formed.
    Somehow,
}
use Ends::{Failed, Somehow, With};

const TAMPERED: Ends = Failed("script wrote to the channel that carries its result");
const TIMED_OUT: Ends = Failed("TimeoutError: script exceeded its time limit of 0.75 s");

macro_rules! program {
    ($name:literal) => {
        concat!(include_str!("hostile/channel.py"), "\n\n", include_str!(concat!("hostile/", $name, ".py")))
    };
}

const WITHOUT_TOKEN: &[(&str, Ends)] = &[
    ("garbage", TAMPERED),
    ("huge prefix", TAMPERED),
    ("valid but for the token", TAMPERED),
    ("endless", TAMPERED),
    ("drops", TAMPERED),
    ("threads", TAMPERED),
    ("garbage behind much output", TAMPERED),
    ("says nothing", TIMED_OUT),
    ("spins", TIMED_OUT),
    ("closes and sleeps", TIMED_OUT),
    ("closes and spins", TIMED_OUT),
    ("closes and exits", Failed("script exited with status 3 before main() returned")),
    // Debug builds abort where a descriptor of theirs was closed by another.
    ("closes and returns", Failed("script ")),
    ("shuts down and sleeps", TIMED_OUT),
    ("shuts down and returns", Failed("script exited with status ")),
    ("shuts down and fills the output", TIMED_OUT),
];

/// One well-formed answer is the script's, also if it is forged.
const WITH_TOKEN: &[(&str, Ends)] = &[
    ("one", With(r#""forged""#)),
    ("two at once", TAMPERED),
    ("two", With(r#""forged""#)),
    ("half and an end", Failed("script was killed by signal 9 (SIGKILL)")),
    ("half", TIMED_OUT),
    ("half of the token", TIMED_OUT),
    ("drops", TIMED_OUT),
    ("announces 4 GiB", TAMPERED),
    ("one byte too large", TAMPERED),
    ("largest", Somehow),
    ("largest rubbish", TAMPERED),
    ("largest and endless", TAMPERED),
    ("threads", Somehow),
    ("behind much output", With(r#""forged""#)),
    ("member", TAMPERED),
    ("NaN", TAMPERED),
    ("not UTF-8", TAMPERED),
    ("unknown kind", TAMPERED),
    ("no exception", TAMPERED),
    ("long exception", Failed("Forged: xxx")),
    ("a file", TAMPERED),
    ("looked at", TAMPERED),
    ("no main", Failed("script must define a main() function")),
    ("from memory", Somehow),
];

async fn end(server: &Server, program: &str, way: &str, ends: Ends) {
    let timeout = if ends == TIMED_OUT { SHORT } else { LONG };
    let fields = json!({ "inputs": { "way": way, "timeout": timeout }, "timeout": timeout });
    let begun = Instant::now();
    let reply = server.execute_with(program, fields).await;
    let limit = Duration::from_secs_f64(timeout) + AT_ONCE;
    assert!(begun.elapsed() < limit, "{way}: {:?}", begun.elapsed());
    assert!(ended(&reply, ends), "{way} should end {ends:?}\n{reply}");
    server.is_well().await;
}

fn ended(reply: &Reply, ends: Ends) -> bool {
    match ends {
        With(result) => reply.success().value == result,
        Failed(start) => reply.failure().value.starts_with(start),
        Somehow if reply.status == 200 => reply.success().value.starts_with('"'),
        Somehow => !reply.failure().value.is_empty(),
    }
}

/// MiB of the service's own memory: resident now, and at most so far.
fn memory(server: &Server) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process().id())).expect("it runs");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a process has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") >> 10
    };
    (field("VmRSS:"), field("VmHWM:"))
}

async fn end_each(program: &str, ways: &[(&str, Ends)]) {
    // With these, the C library gives back at once what is freed: what is resident is what is held.
    let server = Server::with(&[("MALLOC_ARENA_MAX", "1"), ("MALLOC_MMAP_THRESHOLD_", "65536")]);
    let honest = "def main():\n    print('x' * (1 << 20))\n    return 'x' * ((5 << 20) - 2)";
    assert_eq!(server.execute(honest).await.status, 200);
    let (before, most_before) = memory(&server);
    for (way, ends) in ways {
        end(&server, program, way, *ends).await;
        let (after, most) = memory(&server);
        assert!(after <= before + MAX_GROWTH, "{way}: {before} MiB became {after} MiB");
        assert!(most <= most_before + MAX_GROWTH, "{way}: {most_before} MiB at most became {most} MiB");
    }
}

#[tokio::test]
async fn a_worker_that_abuses_its_channel_is_found_out_and_costs_no_memory() {
    end_each(program!("without_token"), WITHOUT_TOKEN).await;
}

#[tokio::test]
async fn a_worker_that_knows_its_token_gives_one_answer_at_most() {
    end_each(program!("with_token"), WITH_TOKEN).await;
}
