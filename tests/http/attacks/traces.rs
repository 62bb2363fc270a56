//! A worker has rehearsed, and its monitor has had other workers before it: neither can be told.

use serde_json::json;

use crate::support::{PATIENCE, Server};

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
        if change:
            for number in range(20):
                if os.fork() == 0:
                    os._exit(0)
        begun = time.time_ns()
        if change:
            for directory in ('/tmp', '/dev/shm'):
                path = f'{directory}/file'
                open(path, 'w').close()
                os.remove(path)
            os.chmod('/tmp', 0o750)
            os.utime('/dev/shm', ns=(1, 2))
            for link in ('/proc/self', '/proc/thread-self'):
                os.readlink(link)
        ended = time.time_ns()
        time.sleep(0.02 if change else 0)
        seen = [os.stat(directory) for directory in ('/tmp', '/dev/shm')]
        links = [os.lstat(path) for path in ('/proc/self', '/proc/thread-self')]
        room = os.statvfs('/tmp')
        return {
            'begun': begun,
            'ended': ended,
            'times': [time for stat in seen + links for time in (stat.st_ctime_ns, stat.st_mtime_ns, stat.st_atime_ns)],
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
async fn workers_of_one_monitor_do_not_tell_of_each_other() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", "")]);
    let look = async |change: bool| -> Seen {
        server.execute_with(CHANGE, json!({ "inputs": { "change": change } })).await.returned()
    };
    let first = look(false).await;
    // A worker that is made at the same time as a script runs has times of that moment.
    until_all_wait(&server).await;
    let mut changed: Vec<(u64, u64)> = Vec::new();
    // More often than there are monitors.
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

async fn until_all_wait(server: &Server) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !server.get("/metrics").await.body.contains("executor_workers_parked{zygote=\"base\"} 5\n") {
        assert!(tokio::time::Instant::now() < deadline, "not all workers are made");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Leaves a name where its monitor reads it, and stays until it has.
const NAMED: &str = "
    import ctypes, mmap, os, time

    def main(name):
        ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)
        with open(f'/tmp/{name * 8}', 'wb') as file:
            file.write(bytes(4096 * 200))
        held = [open(f'/tmp/{name * 8}', 'rb') for _ in range(200)]
        held += [mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ, offset=4096 * (199 - index))
                 for index, file in enumerate(held)]
        # So many that the monitor counts exactly, and looks at every one of them.
        held += [os.pipe() for _ in range(300)]
        time.sleep(0.15)
        return len(held)
";

/// Looks for a name in all of its heap and stack.
const SEARCH: &str = "
    import ctypes, os

    def main(parts):
        name = ''.join(parts).encode()
        libc = ctypes.CDLL(None)
        libc.sbrk.restype = ctypes.c_void_p
        libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
        reader, writer = os.pipe()

        def pages(start, step):
            missing = 0
            while missing < 64:
                if libc.write(writer, start, 4096) == 4096:
                    yield os.read(reader, 4096)
                    missing = 0
                else:
                    missing += 1
                start += step

        top = libc.sbrk(0) & ~4095
        stack = ctypes.addressof(ctypes.c_int.from_buffer(bytearray(4)))
        seen, found = 0, []
        for what, start, step in (('heap', top - 4096, -4096), ('objects', stack & ~4095, -4096)):
            for page in pages(start, step):
                seen += 1
                at = page.find(name)
                if at >= 0:
                    found.append([what, page[max(0, at - 16):at + 32].hex()])
        return [seen, found]
";

#[tokio::test]
async fn names_of_an_earlier_job_are_not_in_memory() {
    let settings = [("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", ""), ("EXECUTOR_MEMORY_MB", "64")];
    let server = Server::with(&settings);
    let mut looked = 0;
    for round in 0..12 {
        let name = format!("secret{round:02}name");
        server.execute_with(NAMED, json!({ "inputs": { "name": name } })).await.returned::<u64>();
        // The monitor of that job makes a worker for the job after the next one, because there is a monitor more than workers.
        for _ in 0..2 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            // In parts, because the request itself is in memory.
            let parts = json!({ "inputs": { "parts": [&name[..5], &name[5..]] } });
            let (seen, found): (u64, Vec<(String, String)>) = server.execute_with(SEARCH, parts).await.returned();
            assert!(found.is_empty(), "round {round}: {found:?}");
            looked += seen;
        }
    }
    assert!(looked > 24 * 100, "nothing was looked at");
}

#[tokio::test]
async fn a_scratch_space_that_nobody_touched_is_used_again() {
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", "")]);
    let mut made = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let reply = server.execute("import os\ndef main(): return os.stat('/tmp').st_ctime_ns").await;
        made.insert(reply.returned::<u64>());
    }
    assert!(made.len() < 30, "{} of 60 scripts had one of their own", made.len());
}

/// What a fork would copy only for counting references is not counted (PEP 683), and who imports nothing gets a small fork.
#[tokio::test]
async fn forks_are_made_cheap() {
    const IMMORTAL: u64 = 0xffff_ffff;
    let server = Server::start();
    let script = "import sys, json\ndef main(): return [sys.getrefcount(json.loads), 'numpy' in sys.modules]";
    assert_eq!(server.execute(script).await.returned::<(u64, bool)>(), (IMMORTAL, false));
    let script = "import sys, pandas\ndef main(): return sys.getrefcount(pandas.DataFrame.sum)";
    assert_eq!(server.execute(script).await.returned::<u64>(), IMMORTAL);
}

#[tokio::test]
async fn files_without_a_name_are_not_counted_on() {
    const MANY: u64 = 1000;
    let server = Server::with(&[("EXECUTOR_CONCURRENCY", "1"), ("EXECUTOR_PRELOAD", "")]);
    let open =
        "import os\ndef main(many):\n    for _ in range(many): os.close(os.open('/tmp', os.O_TMPFILE | os.O_RDWR))";
    let look = "import os\ndef main():\n    with open('/tmp/new', 'w') as new: return os.fstat(new.fileno()).st_ino";
    for round in 0..6 {
        server.execute_with(open, json!({ "inputs": { "many": MANY } })).await.succeeds("null", "");
        // As with names: the monitor of that job makes a worker for the job after the next one.
        for _ in 0..2 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            let number: u64 = server.execute(look).await.returned();
            assert!(number < MANY, "round {round}: the inode's number, {number}, tells of files that are gone");
        }
    }
}
