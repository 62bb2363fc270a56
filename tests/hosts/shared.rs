//! A host without user namespaces: a script has the same user as the service, and must not make use of that.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use serde_json::json;

use crate::host::Host;
use crate::support::{Directory, Server};

/// The user that the service becomes when root starts it.
const SERVICE: u32 = 65532;

const WITHOUT: [(&str, &str); 2] = [("EXECUTOR_DISABLED_MECHANISMS", "namespaces"), ("EXECUTOR_PRELOAD", "")];

/// Tries by system calls, since Python's own functions go by descriptors here.
const CHANGES: &str = "
    import ctypes, os

    libc = ctypes.CDLL(None, use_errno=True)

    def main(path):
        name, times = path.encode(), (ctypes.c_long * 4)(1, 0, 1, 0)
        attempts = {
            'chmod': libc.chmod(name, 0o777),
            'fchmodat': libc.fchmodat(-100, name, 0o777, 0),
            'chown': libc.chown(name, os.getuid(), os.getgid()),
            'utimensat': libc.utimensat(-100, name, times, 0),
            'link': libc.link(name, b'link'),
            'truncate': libc.truncate(name, 0),
        }
        # What is the script's own can be changed, by Python too.
        open('own', 'w').close()
        os.chmod('own', 0o640)
        os.utime('own', (7, 7))
        own = os.stat('own')
        return [name for name, result in attempts.items() if result == 0], own.st_mode & 0o777, own.st_mtime
";

#[tokio::test]
async fn files_of_the_services_user_cannot_be_changed() {
    let directory = Directory::new("owned");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = directory.write("owned.txt", "stays");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    chown(&path, Some(SERVICE), Some(SERVICE)).expect("the tests are run by root");
    let before = fs::metadata(&path).expect("it is there");

    let server = Server::with(&WITHOUT);
    let reply = server.execute_with(CHANGES, json!({ "inputs": { "path": path } })).await;
    reply.succeeds("[[],416,7.0]", "");
    let after = fs::metadata(&path).expect("it is there");
    assert_eq!((before.mode(), before.mtime(), before.len()), (after.mode(), after.mtime(), after.len()));
}

#[tokio::test]
async fn directories_without_rights_do_not_end_the_service() {
    let server = Server::with(&WITHOUT);
    for mode in 0o0..=0o7 {
        let script = format!(
            "
            import os

            def main():
                os.makedirs('outer/inner/most')
                open('outer/inner/file', 'w').close()
                os.chmod('outer/inner', {mode} << 6)
                os.chmod('outer', {mode} << 6)
                return 1
            "
        );
        server.execute(&script).await.succeeds("1", "");
        server.is_well().await;
    }
}

#[tokio::test]
async fn the_processor_time_of_others_is_not_told() {
    let server = Server::with(&WITHOUT);
    let script = "
        import os, time

        def main(others):
            told = []
            for number in others:
                try:
                    told.append(time.clock_gettime((~number << 3) | 2))
                except OSError:
                    pass
            return [told, time.process_time() >= 0, time.thread_time() >= 0]
    ";
    let others = [server.process().id(), std::process::id()];
    let reply = server.execute_with(script, json!({ "inputs": { "others": others } })).await;
    reply.succeeds("[[],true,true]", "");
}

#[tokio::test]
async fn what_a_neighbour_gives_back_is_not_for_others_to_take() {
    let service = Host::Container.start_with(&[("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_PRELOAD", "")]);
    let neighbour = "
        import time

        def main():
            with open('held', 'wb') as file:
                file.write(bytes(60 << 20))
            time.sleep(2)
            return 'done'
    ";
    let greedy = "
        import time

        def main():
            time.sleep(3)
            for name in ('first', 'second'):
                with open(name, 'wb') as file:
                    file.write(bytes(58 << 20))
            time.sleep(1)
            return 'held more than its limit'
    ";
    let later = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        service.execute(greedy).await
    };
    let (first, second) = tokio::join!(service.execute(neighbour), later);
    first.succeeds("\"done\"", "");
    second.fails("script exceeded its scratch space of 64 MB", "");
}
