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

/// What programs ask for that harms nobody, or how it fails where they can do without.
#[tokio::test]
async fn harmless_calls_work() {
    let script = "
        import errno, fcntl, os

        def failure(function, *arguments):
            try:
                function(*arguments)
            except OSError as error:
                return errno.errorcode[error.errno]

        def main():
            reader, writer = os.pipe()
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 8192)
            open('x', 'w').close()
            return [
                fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ), failure(fcntl.fcntl, writer, fcntl.F_SETPIPE_SZ, 1 << 20),
                failure(os.setxattr, 'x', 'user.a', b'1'), failure(os.removexattr, 'x', 'user.a'), os.listxattr('x'),
                failure(os.sched_setscheduler, 0, os.SCHED_OTHER, os.sched_param(0)),
                failure(os.sched_setscheduler, 0, os.SCHED_IDLE, os.sched_param(0)),
            ]
    ";
    for host in [Host::User, Host::Container] {
        let service = host.start_with(&[("EXECUTOR_PRELOAD", "")]);
        service.execute(script).await.succeeds(r#"[8192,"EPERM","ENOTSUP","ENOTSUP",[],null,"EPERM"]"#, "");
    }
}
