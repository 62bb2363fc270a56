//! Memory of a tree by the kernel's own figures, while programs take it in every way and hide it in every way.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::host::Host;
use crate::run_suite;
use crate::support::group::MemoryGroup;

const MIB: u64 = 1 << 20;

/// The limit of a tree in these tests, MiB.
const LIMIT: u64 = 256;

/// What a tree may have beyond its limit for a moment, and for how long. docs/BOUNDS.md says the same.
const OVERSHOOT: u64 = 256;
const MOMENT: Duration = Duration::from_secs(5);

/// What a tree may have beyond its limit for longer: what the service and its other workers come to need meanwhile, and what
/// the kernel gives back later.
const REST: u64 = 48;

const TAKES: [&str; 9] =
    ["anonymous", "sockets", "pipes", "chains", "watches", "mappings", "executing", "ending", "closing"];
const HIDES: [&str; 11] =
    ["name", "cut_name", "line_name", "session", "orphan", "table", "deep", "continued", "relay", "thread", "stopped"];

/// Nearly as many processes as a script may have, which take the watchdog longest to look at.
const CROWD: u64 = 120;
const TAKEN_BY_CROWDS: [&str; 3] = ["anonymous", "sockets", "mappings"];

/// Combinations that differ from run to run of a test are no good, and neither are always the same few: these are spread over
/// all, in a fixed order (a linear congruential generator, with the constants of POSIX's rand()).
fn combinations(seed: u64, count: usize) -> Vec<(&'static str, Vec<&'static str>, u64)> {
    let mut state = seed;
    let mut next = |below: usize| {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12345) % (1 << 31);
        (state >> 8) as usize % below
    };
    let mut combine = |number: usize| {
        let takes = TAKES[number % TAKES.len()];
        let mut hides: Vec<&str> = (0..next(3)).map(|_| HIDES[next(HIDES.len() - 2)]).collect();
        // These two end what comes before them.
        hides.extend(HIDES[HIDES.len() - 2..].get(next(4)));
        // These three make processes of their own.
        let children = [4, 10, 24][next(3)];
        (takes, hides, if ["executing", "ending", "closing"].contains(&takes) { 1 } else { children })
    };
    (0..count).map(&mut combine).collect()
}

/// How much was used at most, and how long more was used than what is usual.
struct Watched {
    peak: AtomicU64,
    over: AtomicU64,
    is_over: AtomicBool,
}

impl Watched {
    fn watch(&self, group: &MemoryGroup, before: u64) {
        let mut last = Instant::now();
        while !self.is_over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
            let (now, used) = (Instant::now(), group.usage().saturating_sub(before));
            self.peak.fetch_max(used, Ordering::Relaxed);
            if used > (LIMIT + REST) * MIB {
                let microseconds = now.duration_since(last).as_micros();
                self.over.fetch_add(u64::try_from(microseconds).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
            last = now;
        }
    }
}

async fn is_bounded(host: Host, seed: u64) {
    let _turn = run_suite::turn().await;
    let group = MemoryGroup::make();
    let memory = LIMIT.to_string();
    let service = host.start_in(&group, &[("EXECUTOR_MEMORY_MB", &memory), ("EXECUTOR_DISABLED_MECHANISMS", "cgroup")]);
    // All that is made ahead is there.
    service.execute("import numpy, pandas\ndef main():\n    return 0").await.succeeds("0", "");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = group.usage();
    let crowds = TAKEN_BY_CROWDS.map(|takes| (takes, Vec::new(), CROWD));
    for (takes, hides, children) in combinations(seed, 20).into_iter().chain(crowds) {
        let watched = Watched { peak: 0.into(), over: 0.into(), is_over: false.into() };
        let inputs = json!({ "takes": takes, "hides": hides, "children": children, "limit": LIMIT });
        let reply = std::thread::scope(|scope| {
            scope.spawn(|| watched.watch(&group, before));
            let program = include_str!("../attack/programs/hidden.py");
            let reply = tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(service.execute_with(program, inputs))
            });
            watched.is_over.store(true, Ordering::Relaxed);
            reply
        });
        let (peak, over) = (watched.peak.into_inner() / MIB, Duration::from_micros(watched.over.into_inner()));
        println!("{host:?}: {takes} {hides:?} in {children}: {peak} MiB at most, {over:?} beyond; {}", reply.body);
        // Whoever has been refused something has taken the rest, but one that has failed otherwise has tried nothing.
        let has_tried = reply.status == 200 || ["exceeded", "MemoryError"].iter().any(|end| reply.body.contains(end));
        assert!(has_tried, "{takes} {hides:?} in {children}: {reply}");
        assert!(peak <= LIMIT + OVERSHOOT, "{takes} {hides:?} in {children}: {peak} MiB; {reply}");
        assert!(over <= MOMENT, "{takes} {hides:?} in {children}: {over:?}; {reply}");
        service.is_well().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_of_an_ordinary_user_has_no_more_than_its_limit() {
    is_bounded(Host::User, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_in_a_container_has_no_more_than_its_limit() {
    is_bounded(Host::Container, 2).await;
}

/// Names that were asked for in vain stay in the kernel's memory, as files that were read do.
const ASKS_IN_VAIN: &str = r#"
import os

def main():
    for number in range(200_000):
        os.access(f"/usr/lib/{number:060}", os.F_OK)
    read = 0
    for directory, _, names in os.walk("/usr/lib/python3.13"):
        for name in names:
            with open(os.path.join(directory, name), "rb") as file:
                read += len(file.read())
    return read > 10 << 20
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_kernel_takes_back_what_it_remembers_for_a_script() {
    let group = MemoryGroup::make();
    let service = Host::User.start_in(&group, &[]);
    service.execute("import numpy, pandas\ndef main():\n    return 0").await.succeeds("0", "");
    tokio::time::sleep(Duration::from_secs(1)).await;
    group.reclaim();
    let before = group.usage();
    service.execute(ASKS_IN_VAIN).await.succeeds("true", "");
    let grown = group.usage().saturating_sub(before);
    let mut left = grown;
    // What it gives back is free only a little later (call_rcu).
    for _ in 0..20 {
        group.reclaim();
        left = left.min(group.usage().saturating_sub(before));
        if left <= REST * MIB {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(left <= REST * MIB, "{left} bytes stay of {grown}");
    service.is_well().await;
}

/// A part of each large page stays mapped, and the rest of it belongs to nobody until the kernel splits the page.
const TEARS_LARGE_PAGES: &str = r"
import ctypes
import resource

PAGE, LARGE, ADVICE = 4096, 2 << 20, 14
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def main(number):
    before = faults()
    for _ in range(number):
        area = libc.mmap(None, ctypes.c_size_t(2 * LARGE), 3, 0x22, -1, ctypes.c_long(0))
        start = -(-area // LARGE) * LARGE
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(LARGE), ADVICE)
        ctypes.memset(start, 1, LARGE)
        libc.munmap(ctypes.c_void_p(start + PAGE), ctypes.c_size_t(area + 2 * LARGE - start - PAGE))
        if start > area:
            libc.munmap(ctypes.c_void_p(area), ctypes.c_size_t(start - area))
    return faults() - before
";

#[tokio::test(flavor = "multi_thread")]
async fn the_kernel_takes_back_what_is_left_of_large_pages() {
    const HOST_HAS: u64 = 768 * MIB;
    const TORN: u64 = 500;
    let group = MemoryGroup::make();
    let service = Host::User.start_in(&group, &[]);
    service.execute("def main():\n    return 0").await.succeeds("0", "");
    group.limit(HOST_HAS);
    // Together these would be a third more than there is.
    let faults: u64 = service.execute_with(TEARS_LARGE_PAGES, json!({ "number": TORN })).await.returned();
    // Each small page is a fault, 512 where a large one would be one.
    assert!(faults < TORN * 256, "the kernel has given small pages: {faults} faults");
    service.is_well().await;
    assert!(group.usage() <= HOST_HAS);
}

/// Two scripts that run at the same time: one gives back what the other takes, so that the file system lacks no more than one may
/// have.
const IN_TURNS: &str = r"
import os, time

MB = 1 << 20

def main(gives):
    block = bytes(MB)
    with open('file', 'wb', buffering=0) as file, open('another', 'wb', buffering=0) as another:
        for _ in range(60 if gives else 50):
            file.write(block)
        until = time.monotonic() + 1
        while time.monotonic() < until:
            time.sleep(0.1)
        if gives:
            for number in range(240):
                time.sleep(0.01)
                file.truncate(60 * MB - number * MB // 4)
            time.sleep(3)
            return 'gave'
        before, until = os.statvfs('.').f_bfree, time.monotonic() + 5
        while time.monotonic() < until:
            free = os.statvfs('.').f_bfree - before
            if free > 0:
                another.write(block[:free * 4096])
            time.sleep(0.001)
        return (file.tell() + another.tell()) // MB
";

#[tokio::test(flavor = "multi_thread")]
async fn scripts_in_a_container_cannot_hand_their_files_over() {
    let service = Host::Container.start_with(&[("EXECUTOR_CONCURRENCY", "2"), ("EXECUTOR_SCRATCH_MB", "64")]);
    let run = |gives| service.execute_with(IN_TURNS, json!({ "gives": gives }));
    let (gave, took) = tokio::join!(run(true), run(false));
    gave.succeeds(r#""gave""#, "");
    took.fails("script exceeded its scratch space of 64 MB", "");
}
