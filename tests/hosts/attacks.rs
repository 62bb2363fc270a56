//! Every attack, and every allowed use beside them, on every host but Lambda, where it is the packed function that is
//! attacked (tests/delivery).

use crate::host::Host;
use crate::run_suite;

async fn holds(host: Host) {
    let _turn = run_suite::turn().await;
    let service = host.start();
    println!("{host:?}");
    run_suite::come_to_nothing(service.target(), service.process(), |_| false).await;
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
