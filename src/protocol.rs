//! What the processes say to each other. Encoding and decoding only, no I/O.
//!
//! Between trusted processes (service, zygote, guard) messages are small JSON datagrams on a seqpacket socket. A job
//! goes to its worker, and an outcome comes back, as a binary frame on a stream socket: they can be megabytes, and an
//! outcome is written by a process that a script controls.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::sandbox::{Policy, SandboxError};

/// No datagram between trusted processes is larger.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// What the service asks of a zygote.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZygoteRequest {
    /// Make a worker by this policy, try to break out of it, and say what did not work or did not hold.
    Probe(Policy),
    /// Load Python, and then make guards by this policy. These modules will be preloaded: they must be there.
    Serve { policy: Policy, preload: Vec<String> },
    /// Fork a guard. Carries its end of the control socket.
    Guard,
    /// Fork another zygote, which imports these modules. Carries the ends that it is to have of a socket, and of a pipe
    /// that says by its end when it has died.
    Preload(Vec<String>),
}

/// What a zygote answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZygoteReply {
    /// The first thing that it says: it is inside of its namespaces and root, as far as these are wanted.
    Entered,
    /// A worker was locked in, and could not break out.
    Held,
    /// What cannot be had on this host, or does not hold.
    Refused(Vec<SandboxError>),
    /// Python is up, and guards can be made.
    Ready(Ready),
    /// It cannot start.
    Failed { reason: String },
    /// A guard, or another zygote, was forked.
    Forked,
    /// The fork failed.
    NotForked { reason: String },
}

/// What a zygote brings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Python's version.
    pub python: String,
    /// Top-level modules whose import costs a script nothing.
    pub loaded: BTreeSet<String>,
}

/// What the service tells a guard: make a worker. Carries the worker's ends of the channels, in the order of the fields of
/// `zygote::WorkerEnds`.
pub const MAKE: &[u8] = b"make";

/// What the service tells a guard: the job has come, so watch it.
pub const START: &[u8] = b"start";

/// What the service tells a guard: end the worker and everything that came of it, and say when that is done.
pub const END: &[u8] = b"end";

/// What a guard tells the service about its worker. A guard runs no code of a script's.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardReport {
    /// The worker is locked in and waits for its job. Its process id, as the guard knows it.
    Ready { worker: i32 },
    /// It could not be locked in.
    Failed(Vec<SandboxError>),
    /// The worker's process ended.
    Ended { exit: Ended, cpu_us: u64 },
    /// The process tree used more than it may.
    Exceeded(Excess),
    /// Nothing is left of the worker, nor of what it made.
    Gone { cpu_us: u64, max_rss_bytes: u64 },
    /// Something may be left.
    Remains { reason: String },
}

/// What a process tree may use too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Excess {
    Memory,
    Processes,
    Scratch,
}

/// How a worker's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Status(i32),
    Signal(i32),
}

/// A secret of one job. A worker's Rust side holds it where Python has no name for it, and puts it in front of the
/// outcome: what a script writes to the channel by itself is not taken for one.
pub type Token = [u8; 16];

/// A file for the scratch directory, before the script starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File<B> {
    pub name: String,
    pub content: B,
}

/// A job as it travels to its worker.
#[derive(Debug, Clone, PartialEq)]
pub struct JobFrame<B> {
    pub token: Token,
    pub timeout: Duration,
    /// A result of more bytes than this is not sent at all.
    pub max_result_bytes: u64,
    pub script: B,
    /// A JSON object, or nothing.
    pub inputs: B,
    pub stdin: B,
    /// Names of the modules that the script imports, each in a line.
    pub imports: B,
    pub files: Vec<File<B>>,
}

/// Bytes of a job frame in front of its parts: token, timeout in nanoseconds, result limit, five lengths or counts.
pub const JOB_HEADER: usize = 16 + 8 + 8 + 5 * 4;

/// A frame that does not mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed frame: {0}")]
pub struct Malformed(&'static str);

impl<B: AsRef<[u8]>> JobFrame<B> {
    /// The parts to be written one after the other; the large ones are not copied.
    pub fn encode(&self) -> (Vec<u8>, Vec<&[u8]>) {
        let parts = [self.script.as_ref(), self.inputs.as_ref(), self.stdin.as_ref(), self.imports.as_ref()];
        let mut head = Vec::with_capacity(JOB_HEADER);
        head.extend(self.token);
        head.extend((self.timeout.as_nanos() as u64).to_le_bytes());
        head.extend(self.max_result_bytes.to_le_bytes());
        for part in parts {
            head.extend(length(part.len()));
        }
        head.extend(length(self.files.len()));
        for file in &self.files {
            head.extend(length(file.name.len()));
            head.extend(length(file.content.as_ref().len()));
        }
        let mut body = parts.to_vec();
        for file in &self.files {
            body.extend([file.name.as_bytes(), file.content.as_ref()]);
        }
        (head, body)
    }
}

/// Requests are limited to far less than 4 GiB, so a part's length always fits.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).expect("requests are smaller than 4 GiB").to_le_bytes()
}

impl JobFrame<Vec<u8>> {
    /// Reads a frame with `read`, which fills the buffer that it is given.
    pub fn read<E: From<Malformed>>(mut read: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut head = [0; JOB_HEADER];
        read(&mut head)?;
        let (token, rest) = head.split_first_chunk::<16>().ok_or(Malformed("header"))?;
        let (timeout, rest) = rest.split_first_chunk::<8>().ok_or(Malformed("header"))?;
        let (max_result_bytes, lengths) = rest.split_first_chunk::<8>().ok_or(Malformed("header"))?;
        let mut lengths = lengths.chunks_exact(4).map(|bytes| le_u32(bytes) as usize);
        let mut next = || lengths.next().ok_or(Malformed("header"));
        let (script, inputs, stdin, imports, files) = (next()?, next()?, next()?, next()?, next()?);
        let mut sizes = Vec::new();
        for _ in 0..files {
            let mut pair = [0; 8];
            read(&mut pair)?;
            sizes.push((le_u32(&pair[..4]) as usize, le_u32(&pair[4..]) as usize));
        }
        let mut part = |bytes| read_part(bytes, &mut read);
        let mut frame = Self {
            token: *token,
            timeout: Duration::from_nanos(u64::from_le_bytes(*timeout)),
            max_result_bytes: u64::from_le_bytes(*max_result_bytes),
            script: part(script)?,
            inputs: part(inputs)?,
            stdin: part(stdin)?,
            imports: part(imports)?,
            files: Vec::with_capacity(files),
        };
        for (name, content) in sizes {
            let name = String::from_utf8(part(name)?).map_err(|_| Malformed("file name"))?;
            frame.files.push(File { name, content: part(content)? });
        }
        Ok(frame)
    }
}

/// Makes room for what has arrived, not for what is announced.
fn read_part<E>(bytes: usize, read: &mut impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Vec<u8>, E> {
    const STEP: usize = 64 * 1024;
    let mut buffer = Vec::new();
    while buffer.len() < bytes {
        let start = buffer.len();
        buffer.resize(bytes.min(start + start.max(STEP)), 0);
        read(&mut buffer[start..])?;
    }
    Ok(buffer)
}

fn le_u32(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

/// What became of the script, in a worker's own words. Nothing in it is trusted beyond being the script's.
#[derive(Debug)]
pub enum Verdict {
    /// `main` returned; this is its value as JSON, checked to be one well-formed value.
    Returned(Box<RawValue>),
    /// An exception ended it.
    Raised(Exception),
    /// `main` returned what JSON cannot hold.
    NotSerializable(String),
    NoMain,
    MainNotCallable,
    ResultTooLarge,
}

/// An exception as its worker describes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The class, qualified as Python prints it.
    #[serde(rename = "type")]
    pub class: String,
    pub message: String,
}

/// The bytes in front of an outcome's payload: token, kind, length.
pub const OUTCOME_HEADER: usize = 16 + 1 + 4;

/// An exception's description is not longer than this.
pub const MAX_DESCRIPTION: usize = 256 * 1024;

/// The header of an outcome frame. The kinds are those that harness.py names.
pub fn outcome_header(token: &Token, kind: u8, payload: usize) -> [u8; OUTCOME_HEADER] {
    let mut header = [0; OUTCOME_HEADER];
    header[..16].copy_from_slice(token);
    header[16] = kind;
    header[17..].copy_from_slice(&length(payload));
    header
}

/// An outcome that has arrived whole, not looked into yet.
#[derive(Debug)]
pub struct Answer<'a> {
    kind: u8,
    payload: &'a [u8],
}

/// Looks for an outcome in what has arrived so far, by its header only. `None`: it is not complete yet.
pub fn find_outcome<'a>(
    bytes: &'a [u8],
    token: &Token,
    max_result_bytes: usize,
) -> Result<Option<Answer<'a>>, Malformed> {
    let Some((header, payload)) = bytes.split_first_chunk::<OUTCOME_HEADER>() else {
        // Rubbish is recognised as soon as it differs from the token.
        let begun = bytes.len().min(token.len());
        return if bytes[..begun] == token[..begun] { Ok(None) } else { Err(Malformed("token")) };
    };
    if header[..16] != token[..] {
        return Err(Malformed("token"));
    }
    let (kind, expected) = (header[16], le_u32(&header[17..]) as usize);
    if expected > if kind == b'R' { max_result_bytes } else { MAX_DESCRIPTION } {
        return Err(Malformed("length"));
    }
    if payload.len() > expected {
        return Err(Malformed("more than one outcome"));
    }
    Ok((payload.len() == expected).then_some(Answer { kind, payload }))
}

/// Looks for an outcome and reads it.
pub fn decode_outcome(bytes: &[u8], token: &Token, max_result_bytes: usize) -> Result<Option<Verdict>, Malformed> {
    let Some(Answer { kind, payload }) = find_outcome(bytes, token, max_result_bytes)? else { return Ok(None) };
    let text = std::str::from_utf8(payload).map_err(|_| Malformed("not UTF-8"))?;
    let verdict = match kind {
        b'R' => {
            let value = serde_json::from_str::<&RawValue>(text).map_err(|_| Malformed("result is not JSON"))?;
            Verdict::Returned(value.to_owned())
        }
        b'E' => Verdict::Raised(serde_json::from_str(text).map_err(|_| Malformed("exception"))?),
        b'J' => Verdict::NotSerializable(text.to_owned()),
        b'M' => Verdict::NoMain,
        b'C' => Verdict::MainNotCallable,
        b'L' => Verdict::ResultTooLarge,
        _ => return Err(Malformed("kind")),
    };
    Ok(Some(verdict))
}

#[cfg(test)]
mod tests;
