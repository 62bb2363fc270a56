//! Each script has its number of processes for itself, whatever the others do.

use crate::host::Host;

/// Together more than one script may have, by itself less.
const CROWD: &str = "
    import os, signal, time

    def main():
        children = []
        try:
            for _ in range(50):
                child = os.fork()
                if child == 0:
                    time.sleep(60)
                    os._exit(0)
                children.append(child)
            time.sleep(2)
            return len(children)
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)
";

async fn are_its_own(host: Host) {
    // In gVisor each child counts with the memory that it shares.
    let variables = [("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_PRELOAD", ""), ("EXECUTOR_MEMORY_MB", "4096")];
    let service = host.start_with(&variables);
    let (one, other) = tokio::join!(service.execute(CROWD), service.execute(CROWD));
    for reply in [one, other] {
        reply.succeeds("50", "");
    }
}

#[tokio::test]
async fn processes_of_a_script_are_its_own_for_an_ordinary_user() {
    are_its_own(Host::User).await;
}

#[tokio::test]
async fn processes_of_a_script_are_its_own_in_gvisor() {
    are_its_own(Host::GVisor).await;
}

#[tokio::test]
async fn processes_of_a_script_are_its_own_in_a_container() {
    are_its_own(Host::Container).await;
}
