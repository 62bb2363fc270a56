//! The service on every host that it is made for: the real thing, or a jail that refuses what the host refuses.

#[path = "../attack/run_suite.rs"]
mod run_suite;
#[path = "../attack/suite.rs"]
mod suite;
#[path = "../support/mod.rs"]
mod support;

mod abilities;
mod attacks;
mod bounded;
mod files;
mod health;
mod host;
mod left;
mod log;
mod mounts;
mod processes;
mod sabotage;
mod scripts;
mod sealed;
mod shared;
mod system;
mod trouble;

use std::time::Duration;

use host::Host;

/// The README's example with pandas.
const PANDAS: &str = "
    import numpy as np, pandas as pd

    def main():
        s = pd.Series(np.arange(3.0)) * 5 + 8 / 3
        return s.sum()
";

/// A script with a result and an output, one with numpy and pandas, and nothing is left when the service is ended.
async fn runs_scripts(host: Host) {
    let service = host.start();
    // Shown when the test fails.
    println!("{host:?}: {}", service.url());
    let reply = service.execute("def main():\n    print('hello')\n    return 2 + 3").await;
    reply.succeeds("5", "hello\n");
    service.execute(PANDAS).await.succeeds("23.0", "");

    let below = service.process().watch_descendants();
    drop(service);
    let all_ended = below.iter().all(|process| process.ends_within(Duration::from_secs(10)));
    assert!(all_ended, "{host:?}: something outlives the service");
}

#[tokio::test]
async fn an_ordinary_user_runs_scripts() {
    runs_scripts(Host::User).await;
}

#[tokio::test]
async fn root_runs_scripts() {
    runs_scripts(Host::Root).await;
}

#[tokio::test]
async fn gvisor_runs_scripts() {
    runs_scripts(Host::GVisor).await;
}

#[tokio::test]
async fn a_container_runs_scripts() {
    runs_scripts(Host::Container).await;
}

#[tokio::test]
async fn a_container_of_root_runs_scripts() {
    runs_scripts(Host::ContainerRoot).await;
}

#[tokio::test]
async fn lambda_runs_scripts() {
    runs_scripts(Host::Lambda).await;
}
