//! Clients that leave, at every stage of a request.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{BOTH, Disturbance, NONE};
use crate::suite::Fallible;
use crate::suite::host::Host;

pub fn disturbances() -> Vec<Disturbance> {
    vec![Disturbance {
        name: "cut-clients",
        purpose: "clients leave in the head, the body, the queue, the script, the answer, a stream",
        // Their connections are cut, not those of honest callers.
        excuses: NONE,
        postures: BOTH,
        act: |host, time| Box::pin(cut(host, time)),
    }]
}

/// When a client leaves.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Head,
    Body,
    Queue,
    Script,
    Answer,
    Stream,
}

impl Stage {
    const ALL: [Self; 6] = [Self::Head, Self::Body, Self::Queue, Self::Script, Self::Answer, Self::Stream];

    fn script(self) -> &'static str {
        match self {
            Self::Head | Self::Body | Self::Queue | Self::Script => "import time\n\ndef main():\n    time.sleep(3)\n",
            Self::Answer => "def main():\n    return 'x' * (4 << 20)\n",
            Self::Stream => "def main():\n    for i in range(100_000):\n        print('line', i)\n",
        }
    }

    fn request(self) -> Vec<u8> {
        let body = json!({ "script": self.script(), "timeout": 5 }).to_string();
        let (path, accept) = match self {
            Self::Stream => ("/v1/run", "text/event-stream"),
            _ => ("/execute", "*/*"),
        };
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: chaos\r\naccept: {accept}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n"
        );
        let bytes = match self {
            Self::Head => head.len() / 2,
            Self::Body => head.len() + length / 2,
            _ => head.len() + length,
        };
        (head + &body).into_bytes()[..bytes].to_vec()
    }

    /// How long the client stays when it has sent what it sends.
    fn stay(self) -> Duration {
        match self {
            Self::Head | Self::Body => Duration::from_millis(1),
            Self::Queue => Duration::ZERO,
            Self::Script => Duration::from_millis(150),
            // As long as it takes until there is something.
            Self::Answer | Self::Stream => Duration::from_secs(3),
        }
    }
}

async fn cut(host: &Host, time: Duration) -> Fallible<String> {
    let (end, mut cut) = (Instant::now() + time, 0);
    let mut stages = Stage::ALL.into_iter().cycle();
    while Instant::now() < end || cut < Stage::ALL.len() {
        let Some(stage) = stages.next() else { break };
        leave(host, stage).await.map_err(|error| format!("{stage:?}: {error}"))?;
        cut += 1;
    }
    Ok(format!("{cut} cut"))
}

/// Sends what belongs to this stage, and leaves. With something unread that is a reset, else an orderly end.
async fn leave(host: &Host, stage: Stage) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(host.address).await?;
    stream.write_all(&stage.request()).await?;
    let stay = stage.stay();
    match stage {
        Stage::Answer | Stage::Stream => {
            let mut first = [0; 512];
            let _ = timeout(stay, stream.read(&mut first)).await;
        }
        _ => tokio::time::sleep(stay).await,
    }
    Ok(())
}
