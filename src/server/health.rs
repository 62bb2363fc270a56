//! `py-executor-server health`: whether the service beside it can run scripts, for platforms that start a command to find
//! out. In an image without a shell there is no other program that could ask.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::config::Config;
use crate::sandbox::hide_from_tracers;

/// Time for each step: a service that is slower is not well.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the answer of a service that can run scripts begins.
const WELL: &[u8] = b"HTTP/1.1 200";

/// Why the service is not well.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    #[error("nothing answers on {address}: {source}")]
    Silent { address: SocketAddr, source: io::Error },
    #[error("no script can be run at the moment: {address} answers {answer:?}")]
    Unwell { address: SocketAddr, answer: String },
}

/// Asks the service that was started with the same settings. What this process has in its environment is the service's,
/// and no more for others of the same user to see.
pub fn ask(config: &Config) -> Result<(), HealthError> {
    // Where it is refused, the service says so itself.
    let _ = hide_from_tracers();
    ask_at((reachable(config.host), config.port).into())
}

fn ask_at(address: SocketAddr) -> Result<(), HealthError> {
    let answer = beginning(address).map_err(|source| HealthError::Silent { address, source })?;
    if answer == WELL {
        return Ok(());
    }
    Err(HealthError::Unwell { address, answer: String::from_utf8_lossy(&answer).into_owned() })
}

/// As much of the answer as has the status.
fn beginning(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = vec![0; WELL.len()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// Where a service that listens on this address can be reached from the same host.
fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What is said of a service that answers so.
    fn said_of(answer: &'static [u8]) -> Result<(), HealthError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let service = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            // To close it with something unread would reset the connection.
            while !request.ends_with(b"\r\n\r\n") {
                let mut more = [0; 512];
                let length = stream.read(&mut more).unwrap();
                assert!(length > 0, "the request ends early");
                request.extend_from_slice(&more[..length]);
            }
            assert!(request.starts_with(b"GET /health HTTP/1.1\r\n"));
            stream.write_all(answer).unwrap();
        });
        let said = ask_at(address);
        service.join().unwrap();
        said
    }

    #[test]
    fn only_an_answer_of_200_is_well() {
        assert!(said_of(b"HTTP/1.1 200 OK\r\n\r\n{}").is_ok());
        assert!(matches!(said_of(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"), Err(HealthError::Unwell { .. })));
        assert!(matches!(said_of(b"220 mail.example\r\n"), Err(HealthError::Unwell { .. })));
        assert!(matches!(said_of(b"HTTP/1.1"), Err(HealthError::Silent { .. })));
        assert!(matches!(said_of(b""), Err(HealthError::Silent { .. })));
    }

    #[test]
    fn a_service_that_is_not_there_is_not_well() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(matches!(ask_at(address), Err(HealthError::Silent { .. })));
    }

    #[test]
    fn a_service_that_listens_everywhere_is_asked_on_loopback() {
        for (host, expected) in
            [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("127.0.0.2", "127.0.0.2"), ("192.0.2.1", "192.0.2.1")]
        {
            assert_eq!(reachable(host.parse().unwrap()), expected.parse::<IpAddr>().unwrap());
        }
    }
}
