//! Never wider than Docker's default profile: what that refuses, the filter refuses whatever the arguments.

use py_executor::sandbox::seccomp::Filter;

use crate::calls::Call;
use crate::{ALLOWED, ENOSYS, EPERM, answer};

/// Docker's profile, as data.
const CALLS: &str = include_str!("docker/calls.txt");

/// The flags for which Docker refuses clone.
const DOCKER_NAMESPACES: u64 = 0x7e02_0000;

/// Arguments that ask for little: for each call some would be a use that a filter may allow.
const PROBES: [u64; 12] = [0, 1, 2, 3, 4, 5, 8, 0x11, 0x1001, 0x5401, 0x2_0008, 0xffff_ffff];

struct Line {
    name: &'static str,
    number: u32,
    docker: &'static str,
}

/// The calls of this architecture.
fn lines() -> impl Iterator<Item = Line> {
    let column = if cfg!(target_arch = "x86_64") { 1 } else { 2 };
    CALLS.lines().filter(|line| !line.starts_with('#')).filter_map(move |line| {
        let fields: Vec<&str> = line.split(' ').collect();
        assert_eq!(fields.len(), 4, "{line}");
        Some(Line { name: fields[0], number: fields[column].parse().ok()?, docker: fields[3] })
    })
}

pub fn name(number: u32) -> Option<&'static str> {
    lines().find(|line| line.number == number).map(|line| line.name)
}

/// A number for which no argument in any place makes the filter allow it.
fn is_refused(filter: &Filter, number: u32) -> bool {
    PROBES.iter().all(|probe| {
        let in_each_place = (0..6).map(|place| {
            let mut arguments = [0; 6];
            arguments[place] = *probe;
            arguments
        });
        in_each_place.chain([[*probe; 6]]).all(|arguments| answer(filter, &Call { number, arguments }) != ALLOWED)
    })
}

#[test]
fn what_docker_refuses_is_refused() {
    let (filter, mut refused) = (Filter::default(), 0);
    for line in lines().filter(|line| line.docker == "no") {
        assert!(is_refused(&filter, line.number), "{}", line.name);
        refused += 1;
    }
    assert!(refused > 50, "the data was not read");
}

#[test]
fn what_docker_does_not_know_is_refused() {
    let filter = Filter::default();
    let known: Vec<u32> = lines().map(|line| line.number).collect();
    assert!(known.len() > 300, "the data was not read");
    for number in (0..2000).filter(|number| !known.contains(number)) {
        assert!(is_refused(&filter, number), "{number}");
    }
}

#[test]
fn what_docker_allows_for_some_arguments_is_at_most_that() {
    let filter = Filter::default();
    let mut conditional: Vec<&str> = lines().filter(|line| line.docker == "if").map(|line| line.name).collect();
    conditional.sort_unstable();
    assert_eq!(conditional, ["clone", "personality", "socket"]);
    for bit in (0..64).map(|bit| 1_u64 << bit).filter(|bit| DOCKER_NAMESPACES & bit != 0) {
        for others in [0, libc::SIGCHLD as u64, libc::CLONE_VM as u64, u64::MAX] {
            let call = Call::new(libc::SYS_clone, [bit | others, 0, 0, 0, 0, 0]);
            assert_eq!(answer(&filter, &call), EPERM, "{call:?}");
        }
    }
    let families = (0..64).map(|family| Call::new(libc::SYS_socket, [family, 1, 0, 0, 0, 0]));
    let personalities = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff, 0x4_0000, 0x40_0000];
    let personalities = personalities.map(|value| Call::new(libc::SYS_personality, [value, 0, 0, 0, 0, 0]));
    for call in families.chain(personalities) {
        assert_eq!(answer(&filter, &call), EPERM, "{call:?}");
    }
}

#[test]
fn threads_are_made_in_the_older_way() {
    let call = Call::new(libc::SYS_clone3, [1, 88, 0, 0, 0, 0]);
    assert_eq!(answer(&Filter::default(), &call), ENOSYS);
}
