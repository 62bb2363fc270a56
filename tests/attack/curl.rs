//! Requests over TLS, by curl: every machine has it, and the tests need no TLS of their own.

use std::process::Stdio;
use std::time::Duration;

use reqwest::Request;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Status and body of the answer.
pub async fn execute(request: &Request, patience: Duration) -> Result<(u16, Vec<u8>), String> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--http1.1", "--path-as-is", "--write-out", "\n%{http_code}"]);
    command.args(["--max-time", &patience.as_secs().to_string(), "--request", request.method().as_str()]);
    if request.method() == reqwest::Method::HEAD {
        command.arg("--head");
    }
    for (name, value) in request.headers() {
        command.arg("--header").arg(format!("{name}: {}", value.to_str().unwrap_or_default()));
    }
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    if !body.is_empty() {
        command.args(["--header", "expect:", "--data-binary", "@-"]);
    }
    let output = run(command.arg(request.url().as_str()), body).await?;
    let split = output.iter().rposition(|byte| *byte == b'\n').ok_or("curl names no status")?;
    let status = String::from_utf8_lossy(&output[split + 1..]).parse().map_err(|_| "curl names no status")?;
    Ok((status, output[..split].to_vec()))
}

/// What the command wrote; its body goes in while its output comes.
async fn run(command: &mut Command, body: &[u8]) -> Result<Vec<u8>, String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("cannot run curl, which https needs: {error}"))?;
    let mut stdin = child.stdin.take().ok_or("curl has no standard input")?;
    let feed = async {
        // A server that has answered need not read the rest.
        let _ = stdin.write_all(body).await;
        drop(stdin);
    };
    let ((), output) = tokio::join!(feed, child.wait_with_output());
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("no answer: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
