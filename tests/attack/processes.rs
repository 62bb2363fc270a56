//! P3: no sight of, and no signal to, other processes.

use serde_json::json;

use super::bench::{Bench, unique};
use super::judge::Judge;
use super::program;
use super::scenario::{Drive, Promise, Scenario, Step, attack, step, twin};

const P: Promise = Promise::Processes;

/// The seal is no filter of calls. What it leaves is tried on the host itself, in tests/hosts.
const OF_ITS_USER: &str = "sealed: it may signal and slow down its own environment, which then ends at the worst";

pub fn scenarios() -> Vec<Scenario> {
    let mut all = looking();
    all.extend(killing());
    all.push(
        twin(
            P,
            "proc-children-twin",
            "makes, signals and waits for its own children",
            Drive::Scripts(|_| vec![step(OWN_CHILDREN).judge(Judge::Returns(json!([-15, 7])))]),
        )
        .needs_resources(),
    );
    all
}

const OWN_CHILDREN: &str = "
import os, signal, time

def main():
    ends = []
    for stopped in (True, False):
        child = os.fork()
        if child == 0:
            time.sleep(60) if stopped else os._exit(7)
        if stopped:
            os.kill(child, signal.SIGTERM)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return ends
";

fn looking() -> Vec<Scenario> {
    vec![
        attack(
            P,
            "proc-list",
            "lists the processes in /proc with their command lines",
            Drive::Scripts(|_| vec![step(program!("proc_list"))]),
        ),
        attack(
            P,
            "proc-signal-probe",
            "sends signal 0 to every process, group and everything",
            Drive::Scripts(|bench| {
                // In a namespace of its own, numbers begin at one.
                let init = bench.host.namespaces();
                let inputs = json!({ "init": init, "most": if init { 4_000 } else { 40_000 } });
                vec![step(program!("proc_signal_probe")).inputs(inputs)]
            }),
        )
        .not_sealed(OF_ITS_USER),
        attack(
            P,
            "proc-ptrace",
            "attaches to its parent and pid 1, reads and writes their memory, takes their descriptors",
            Drive::Scripts(|_| vec![step(program!("proc_ptrace"))]),
        ),
        attack(
            P,
            "proc-mem",
            "opens mem, maps, environ, fd, root, exe and more of its parent and pid 1",
            Drive::Scripts(|_| vec![step(program!("proc_mem"))]),
        ),
        attack(
            P,
            "proc-pidfd",
            "holds and signals other processes by descriptor",
            Drive::Scripts(|bench| {
                vec![step(program!("proc_pidfd")).inputs(json!({ "init": bench.host.namespaces() }))]
            }),
        )
        .not_sealed(OF_ITS_USER),
        attack(
            P,
            "proc-priority",
            "changes priority, processors, limits and schedule of its parent and pid 1",
            Drive::Scripts(|_| vec![step(program!("proc_priority"))]),
        )
        .not_sealed(OF_ITS_USER)
        .destructive(),
        attack(
            P,
            "proc-tty",
            "opens terminals and types into them (TIOCSTI, TIOCLINUX)",
            Drive::Scripts(|_| vec![step(program!("proc_tty"))]),
        )
        .destructive(),
        attack(
            P,
            "proc-figures",
            "counts the sockets that a neighbour makes, in /proc/self/net",
            Drive::Together(|_| {
                ["make", "look"].map(|way| step(program!("proc_figures")).inputs(json!({ "way": way })))
            }),
        ),
        attack(
            P,
            "proc-sibling",
            "two scripts at the same time look for each other's process",
            Drive::Together(|_| {
                let name = unique();
                ["a", "b"].map(|end| {
                    let announce = format!("{name}{end}");
                    let inputs = json!({ "announce": announce, "prefix": name, "seconds": 2, "report": true });
                    step(program!("proc_sibling")).inputs(inputs)
                })
            }),
        ),
    ]
}

type Pair = fn(&Bench) -> [Step; 2];

fn killing() -> Vec<Scenario> {
    let kills: [(&str, &str, Pair); 4] = [
        ("proc-kill-parent", "kills its parent and pid 1 while another script runs", |_| against("parent")),
        ("proc-kill-all", "kill(-1) while another script runs", |_| against("all")),
        ("proc-kill-group", "kill(0) while another script runs", |_| against("group")),
        ("proc-stop-all", "stops all that it can signal while another script runs", |_| against("stop")),
    ];
    kills.map(|(name, purpose, steps)| attack(P, name, purpose, Drive::Together(steps)).destructive().alone()).to_vec()
}

/// A victim, and a script that kills whatever it can.
fn against(way: &str) -> [Step; 2] {
    let victim = step(program!("proc_victim")).inputs(json!({ "announce": "victim", "seconds": 4 }));
    let killer = step(program!("proc_kill")).inputs(json!({ "way": way })).timeout(2.0);
    [
        victim.judge(Judge::Prints(json!("survived"), "survived\n")),
        killer.judge(Judge::ReturnsOrEnds(json!("still here"))),
    ]
}
