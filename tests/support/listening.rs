//! Where a server listens, by its log.

use std::net::SocketAddr;

use serde_json::Value;

/// The address in the log line that says that connections are accepted.
pub fn address(line: &str) -> Option<SocketAddr> {
    // For people it is text.
    let Ok(line) = serde_json::from_str::<Value>(line) else {
        return line.contains("listening").then(|| line.rsplit_once("address=")?.1.trim().parse().ok())?;
    };
    let fields = line.get("fields").unwrap_or(&line);
    if fields.get("message")? != "listening" {
        return None;
    }
    fields.get("address")?.as_str()?.parse().ok()
}
