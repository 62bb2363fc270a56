//! Every attack, and every allowed use beside them, on every host but Lambda, where it is the packed function that is
//! attacked (tests/delivery).

use tokio::sync::Semaphore;

use crate::host::Host;
use crate::suite::{self, Options, Row, Verdict};

/// Suites that run at the same time: each keeps a small machine busy, and what they measure is memory and time.
static TURNS: Semaphore = Semaphore::const_new(2);

async fn holds(host: Host) {
    let _turn = TURNS.acquire().await.expect("the semaphore is never closed");
    let service = host.start();
    // A part, for who looks for a fault.
    let options = Options { only: std::env::var("ATTACK_ONLY").ok(), ..Options::default() };
    let report = suite::run(service.target(), &options).await;
    let report = report.unwrap_or_else(|words| panic!("{host:?}: {words}\n{}", service.log()));
    // Shown when the test fails.
    println!("{host:?}\n{report}");
    assert!(report.is_good(), "{host:?}\n{}", service.log());
    let odd: Vec<&Row> = report.rows.iter().filter(|row| !may_say(row)).collect();
    assert!(odd.is_empty(), "{host:?}: not tried: {odd:#?}");
}

/// Why a question may not arise; wherever else it does not, the suite has missed something.
fn may_say(row: &Row) -> bool {
    let Verdict::NotApplicable(reason) = &row.verdict else { return true };
    reason == "no EXECUTOR_API_KEY"
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_on_an_ordinary_user_come_to_nothing() {
    holds(Host::User).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_on_root_come_to_nothing() {
    holds(Host::Root).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_on_gvisor_come_to_nothing() {
    holds(Host::GVisor).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_on_a_container_come_to_nothing() {
    holds(Host::Container).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_on_a_container_of_root_come_to_nothing() {
    holds(Host::ContainerRoot).await;
}
