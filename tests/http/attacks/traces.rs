//! A worker has rehearsed, and its guard has had other workers before it: neither can be told.

use serde_json::json;

use crate::support::Server;

/// Whatever is of the rehearsal, as far as Python can find it.
const LOOK: &str = "
    import gc, linecache, os, sys, threading, warnings
    IMPORTS

    def main():
        found = []
        for thing in gc.get_objects():
            kind = type(thing)
            if kind.__name__ in ('DataFrame', 'Series', 'ndarray', 'Point', 'Index', 'RangeIndex'):
                found.append(kind.__name__)
            if getattr(thing, '__module__', None) == 'script' and thing is not main:
                found.append(repr(thing))
        found += [name for name in linecache.cache if name != 'script.py']
        found += [name for name in sys.modules['script'].__dict__ if name in ('more', 'Point', 'points')]
        found += [str(number) for number in range(3, 64) if os.path.exists(f'/proc/self/fd/{number}')][1:]
        found += [thread.name for thread in threading.enumerate()[1:]]
        found += os.listdir('.')
        if sys.stdout is not sys.__stdout__ or sys.stdout.fileno() != 1:
            found.append('stdout')
        if sys.exc_info()[0] or hasattr(sys, 'last_exc'):
            found.append('an exception')
        return found
";

#[tokio::test]
async fn a_rehearsal_leaves_nothing() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1")]);
    for imports in ["", "import numpy, pandas"] {
        for _ in 0..8 {
            let reply = server.execute(&LOOK.replace("IMPORTS", imports)).await;
            assert_eq!(reply.returned::<Vec<String>>(), [] as [&str; 0], "{imports}\n{reply}");
        }
    }
}

/// Changes what is not gone with its processes, and says when; or says what there is to be seen.
const CHANGE: &str = "
    import os, time

    def main(change):
        begun = time.time_ns()
        if change:
            for number in range(20):
                if os.fork() == 0:
                    os._exit(0)
            for directory in ('/tmp', '/dev/shm'):
                path = f'{directory}/file'
                open(path, 'w').close()
                os.remove(path)
            os.chmod('/tmp', 0o750)
            os.utime('/dev/shm', ns=(1, 2))
            time.sleep(0.02)
        seen = [os.stat(directory) for directory in ('/tmp', '/dev/shm')]
        room = os.statvfs('/tmp')
        return {
            'begun': begun,
            'ended': time.time_ns(),
            'times': [time for stat in seen for time in (stat.st_ctime_ns, stat.st_mtime_ns, stat.st_atime_ns)],
            'same': [os.getpid(), os.listdir('/tmp'), os.listdir('/dev/shm'), room.f_bfree, room.f_ffree,
                     [stat.st_mode for stat in seen], [stat.st_nlink for stat in seen]],
        }
";

#[derive(Debug, serde::Deserialize)]
struct Seen {
    begun: u64,
    ended: u64,
    times: Vec<u64>,
    same: serde_json::Value,
}

#[tokio::test]
async fn workers_of_one_guard_do_not_tell_of_each_other() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", "")]);
    let look = async |change: bool| -> Seen {
        server.execute_with(CHANGE, json!({ "inputs": { "change": change } })).await.returned()
    };
    let first = look(false).await;
    let mut changed: Vec<(u64, u64)> = Vec::new();
    // More often than there are guards.
    for round in 0..30 {
        let seen = look(round % 3 == 0).await;
        if round % 3 == 0 {
            changed.push((seen.begun, seen.ended));
            continue;
        }
        assert_eq!(seen.same, first.same, "round {round}");
        for time in &seen.times {
            let told = changed.iter().find(|(begun, ended)| (begun..=ended).contains(&time));
            assert!(told.is_none(), "round {round}: {seen:?} tells of {told:?}");
        }
    }
}
