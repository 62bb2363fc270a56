//! P1: no network of any kind.

use serde_json::{Value, json};

use super::bench::{Bench, unique};
use super::judge::Judge;
use super::program;
use super::scenario::{Drive, Promise, Scenario, attack, step, twin};

const P: Promise = Promise::Network;

type Address = (&'static str, u16);

const OUTSIDE: [Address; 8] = [
    ("192.0.2.1", 80),
    ("8.8.8.8", 53),
    ("1.1.1.1", 443),
    ("2001:4860:4860::8888", 53),
    ("224.0.0.1", 5353),
    ("255.255.255.255", 67),
    ("10.0.0.1", 80),
    ("172.17.0.1", 2375),
];
const METADATA: [Address; 6] = [
    ("169.254.169.254", 80),
    ("169.254.170.2", 80),
    ("169.254.170.23", 80),
    ("fd00:ec2::254", 80),
    ("fd20:ce::254", 80),
    ("metadata.google.internal", 80),
];
const LAMBDA: [Address; 3] = [("169.254.100.1", 9001), ("127.0.0.1", 9001), ("localhost", 9001)];
/// What stands for all others where a connection would really be made.
const LOOPBACK: [Address; 2] = [("127.0.0.1", 9), ("::1", 9)];

pub fn scenarios() -> Vec<Scenario> {
    vec![
        attack(
            P,
            "net-tcp-self",
            "connects to the service's own port by every local name",
            Drive::Scripts(|bench| vec![step(program!("net_tcp")).inputs(json!({ "targets": own(bench) }))]),
        ),
        attack(
            P,
            "net-tcp-out",
            "connects to public and private addresses",
            Drive::Scripts(|bench| vec![step(program!("net_tcp")).inputs(targets(bench, &OUTSIDE))]),
        ),
        attack(
            P,
            "net-udp",
            "sends datagrams, and raw packets, to public addresses",
            Drive::Scripts(|bench| vec![step(program!("net_udp")).inputs(targets(bench, &OUTSIDE))]),
        ),
        attack(
            P,
            "net-dns",
            "resolves names that carry data, by the resolver and by hand",
            Drive::Scripts(|bench| vec![step(program!("net_dns")).inputs(questions(bench))]),
        ),
        attack(
            P,
            "net-metadata",
            "asks the cloud metadata addresses",
            Drive::Scripts(|bench| vec![step(program!("net_tcp")).inputs(targets(bench, &METADATA))]),
        ),
        attack(
            P,
            "net-lambda-runtime",
            "connects to Lambda's runtime API",
            Drive::Scripts(|bench| vec![step(program!("net_tcp")).inputs(targets(bench, &LAMBDA))]),
        ),
        attack(
            P,
            "net-child",
            "lets a fork and a new interpreter do the connecting",
            Drive::Scripts(|_| vec![step(program!("net_child")).inputs(json!({ "host": "127.0.0.1", "port": 9 }))]),
        ),
        attack(
            P,
            "net-families",
            "opens sockets of every family, by libc and by system call",
            Drive::Scripts(|_| vec![step(program!("net_families"))]),
        ),
        attack(
            P,
            "net-unix",
            "connects to Unix sockets of the machine, by path and by abstract name",
            Drive::Scripts(|_| vec![step(program!("net_unix")).inputs(json!({ "addresses": unix_addresses() }))]),
        ),
        attack(
            P,
            "net-abstract",
            "two scripts meet over abstract Unix sockets",
            Drive::Together(|_| {
                let inputs = json!({ "name": unique(), "seconds": 2 });
                [step(program!("net_abstract")).inputs(inputs.clone()), step(program!("net_abstract")).inputs(inputs)]
            }),
        ),
        attack(
            P,
            "net-side-doors",
            "io_uring, bind, connect, sendto and ioctl on a pair; what /proc and /sys tell of a network",
            Drive::Scripts(|_| vec![step(program!("net_side_doors"))]),
        ),
        twin(
            P,
            "net-twin",
            "asyncio over a socketpair, URLs, addresses as text",
            Drive::Scripts(|_| {
                vec![step(program!("net_twin")).judge(Judge::Returns(json!(["hello\n", 80, "OK", "7f000001"])))]
            }),
        )
        .needs_resources(),
    ]
}

fn targets(bench: &Bench, addresses: &[Address]) -> Value {
    json!({ "targets": if bench.options.unconfined { &LOOPBACK[..] } else { addresses } })
}

/// The service by every name, at the port that is known and at those it may have behind a proxy.
fn own(bench: &Bench) -> Vec<(String, u16)> {
    let mut ports = vec![8080, 8000, 3000, 443, 80];
    let mut hosts: Vec<String> =
        ["localhost", "127.0.0.1", "127.1.2.3", "0.0.0.0", "::1", "::ffff:127.0.0.1", "::"].map(String::from).to_vec();
    if let Some(http) = bench.target.as_http() {
        let (host, port) = http.authority();
        hosts.push(host);
        ports.insert(0, port);
    }
    hosts.iter().flat_map(|host| ports.iter().map(move |port| (host.clone(), *port))).collect()
}

fn questions(bench: &Bench) -> Value {
    if bench.options.unconfined {
        return json!({ "servers": LOOPBACK, "names": [] });
    }
    json!({ "servers": [("127.0.0.53", 53), ("8.8.8.8", 53), ("192.0.2.1", 53), ("169.254.169.253", 53)] })
}

fn unix_addresses() -> [&'static str; 9] {
    [
        "/run/docker.sock",
        "/var/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/run/systemd/notify",
        "/run/dbus/system_bus_socket",
        "/run/nscd/socket",
        "/dev/log",
        "\0/tmp/.X11-unix/X0",
        "\0",
    ]
}
