//! No network of any kind.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};

use serde_json::{Value, json};

use super::{achieves_nothing, program, run};
use crate::support::{Directory, Server, unique};

/// Listens on the machine's loopback, and hears of every attempt to reach it.
struct Ear {
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
}

impl Ear {
    fn open() -> Self {
        let mut ear = Self {
            tcp: vec![TcpListener::bind("127.0.0.1:0").expect("loopback")],
            udp: vec![UdpSocket::bind("127.0.0.1:0").expect("loopback")],
        };
        // Not every machine has the other kind of loopback.
        ear.tcp.extend(TcpListener::bind("[::1]:0"));
        ear.udp.extend(UdpSocket::bind("[::1]:0"));
        for listener in &ear.tcp {
            listener.set_nonblocking(true).expect("a socket");
        }
        for socket in &ear.udp {
            socket.set_nonblocking(true).expect("a socket");
        }
        ear
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let tcp = self.tcp.iter().map(|listener| listener.local_addr().expect("bound"));
        tcp.chain(self.udp.iter().map(|socket| socket.local_addr().expect("bound"))).collect()
    }

    #[track_caller]
    fn heard_nothing(&self) {
        for listener in &self.tcp {
            let heard = listener.accept();
            assert!(heard.is_err(), "a connection: {heard:?}");
        }
        for socket in &self.udp {
            let heard = socket.recv_from(&mut [0; 64]);
            assert!(heard.is_err(), "a datagram: {heard:?}");
        }
    }
}

#[test]
fn the_ear_of_these_tests_hears() {
    let ear = Ear::open();
    let client = std::net::TcpStream::connect(ear.tcp[0].local_addr().expect("bound"));
    let sender = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    sender.send_to(b"x", ear.udp[0].local_addr().expect("bound")).expect("sent");
    assert!(client.is_ok());
    assert!(std::panic::catch_unwind(|| ear.heard_nothing()).is_err());
}

/// The ear, the service itself by every name, public addresses, and those of cloud metadata and of
/// Lambda's runtime.
fn targets(ear: &Ear, server: &Server) -> Value {
    let mut targets: Vec<(String, u16)> =
        ear.addresses().iter().map(|address| (address.ip().to_string(), address.port())).collect();
    for name in ["localhost", "127.0.0.1", "127.1.2.3", "0.0.0.0", "::1", "::ffff:127.0.0.1", "::"] {
        targets.push((name.to_owned(), server.address().port()));
    }
    for (host, port) in [
        ("192.0.2.1", 80),
        ("8.8.8.8", 53),
        ("1.1.1.1", 443),
        ("2001:4860:4860::8888", 53),
        ("224.0.0.1", 5353),
        ("255.255.255.255", 67),
        ("169.254.169.254", 80),
        ("169.254.170.2", 80),
        ("fd00:ec2::254", 80),
        ("metadata.google.internal", 80),
        ("169.254.100.1", 9001),
        ("127.0.0.1", 9001),
    ] {
        targets.push((host.to_owned(), port));
    }
    json!({ "targets": targets })
}

#[tokio::test]
async fn no_connection_leads_out() {
    let (server, ear) = (Server::shared(), Ear::open());
    achieves_nothing(server, program!("net_tcp"), targets(&ear, server)).await;
    ear.heard_nothing();
}

#[tokio::test]
async fn no_datagram_leads_out() {
    let (server, ear) = (Server::shared(), Ear::open());
    achieves_nothing(server, program!("net_udp"), targets(&ear, server)).await;
    ear.heard_nothing();
}

#[tokio::test]
async fn no_name_is_resolved() {
    let ear = Ear::open();
    let mut servers: Vec<(String, u16)> =
        ["127.0.0.53", "8.8.8.8", "192.0.2.1"].map(|server| (server.to_owned(), 53)).to_vec();
    servers.extend(ear.addresses().iter().map(|address| (address.ip().to_string(), address.port())));
    achieves_nothing(Server::shared(), program!("net_dns"), json!({ "servers": servers })).await;
    ear.heard_nothing();
}

#[tokio::test]
async fn children_are_as_confined_as_the_script() {
    let ear = Ear::open();
    let port = ear.addresses()[0].port();
    let inputs = json!({ "host": "127.0.0.1", "port": port });
    achieves_nothing(Server::shared(), program!("net_child"), inputs).await;
    ear.heard_nothing();
}

#[tokio::test]
async fn no_family_of_sockets_can_be_opened() {
    achieves_nothing(Server::shared(), program!("net_families"), json!({})).await;
}

#[tokio::test]
async fn unix_sockets_of_the_machine_are_out_of_reach() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr as UnixAddress;

    let directory = Directory::new("sockets");
    let (path, name) = (directory.path().join("stream"), unique());
    let abstract_name = UnixAddress::from_abstract_name(&name).expect("a short name");
    let by_path = UnixListener::bind(&path).expect("a fresh directory");
    let by_name = UnixListener::bind_addr(&abstract_name).expect("a fresh name");
    let datagrams = UnixDatagram::bind(directory.path().join("datagrams")).expect("a fresh directory");
    by_path.set_nonblocking(true).expect("a socket");
    by_name.set_nonblocking(true).expect("a socket");
    datagrams.set_nonblocking(true).expect("a socket");
    let addresses = json!({ "addresses": [path, directory.path().join("datagrams"), format!("\0{name}")] });
    achieves_nothing(Server::shared(), program!("net_unix"), addresses).await;
    assert!(by_path.accept().is_err() && by_name.accept().is_err());
    assert!(datagrams.recv(&mut [0; 8]).is_err());
}

#[tokio::test]
async fn what_needs_no_network_works() {
    let reply = run(Server::shared(), program!("net_twin"), json!({})).await;
    assert_eq!(reply.returned::<Value>(), json!(["hello\n", 80, "OK", "7f000001"]), "{reply}");
}
