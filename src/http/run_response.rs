//! What `/v1/run` tells of an outcome, and what of it gives way where a front door takes no more.

use std::borrow::Cow;

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::id::RequestId;
use super::{Reply, ReplyLimit};
use crate::ipc::{Artifacts, File, SkipReason, SkippedFile};
use crate::outcome::{Ending, Failure, Outcome, Status};

/// What came of a script.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunReply<'a> {
    /// The request's id.
    id: &'a str,
    status: Status,
    /// What `main` returned, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>, required = false)]
    result: Option<&'a RawValue>,
    /// Why there is no result.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    error: Option<RunError<'a>>,
    /// What reached standard output.
    stdout: &'a str,
    /// What reached standard error.
    stderr: &'a str,
    truncated: Truncated,
    /// Files that the script left in its working directory, if it came to an end by itself. What the request brought and the
    /// script did not change is not among them.
    files: Vec<SentFile<'a>>,
    /// What else lies there.
    #[serde(skip_serializing_if = "OmittedFiles::is_empty")]
    #[schema(required = false)]
    omitted: OmittedFiles<'a>,
    usage: Usage,
}

/// Why a script has no result.
#[derive(Debug, Serialize, ToSchema)]
struct RunError<'a> {
    /// The exception's class as Python prints it, or another word for what went wrong: `NotSerializable`, `ResultTooLarge`,
    /// `NoMain`, `MainNotCallable`, `TooManyProcesses`, `ScratchFull`, `Killed`, `Exited`, `Tampered`.
    #[serde(rename = "type")]
    class: &'a str,
    message: String,
    /// Line of the script.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    line: Option<u32>,
    /// As Python prints it, of the script's own frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    traceback: Option<&'a str>,
    /// What may help.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    hint: Option<&'a str>,
}

/// Bytes of the streams that were left out.
#[derive(Debug, Serialize, ToSchema)]
struct Truncated {
    stdout: usize,
    stderr: usize,
}

/// A file that a script left.
#[derive(Debug, Serialize, ToSchema)]
struct SentFile<'a> {
    /// Relative to the working directory.
    name: &'a str,
    /// Bytes.
    size: usize,
    /// The media type, guessed by the name.
    #[serde(rename = "type")]
    media_type: &'static str,
    #[schema(content_encoding = "base64")]
    base64: String,
}

/// What lies in the working directory and is not sent.
#[derive(Debug, Default, Serialize, ToSchema)]
struct OmittedFiles<'a> {
    /// How many there are.
    count: u32,
    /// The first of them.
    #[schema(value_type = Vec<SkippedFile>)]
    files: Vec<Cow<'a, SkippedFile>>,
}

impl OmittedFiles<'_> {
    fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// What a script used.
#[derive(Debug, Serialize, ToSchema)]
struct Usage {
    /// Time from when its process got it until its end, milliseconds.
    wall_ms: f64,
    /// Processor time of all its processes, milliseconds.
    cpu_ms: f64,
    /// Resident memory of its largest process, at its largest. What it shares with the warm Python is in it.
    max_rss_bytes: u64,
    /// Time that it waited for its turn, milliseconds.
    queue_ms: f64,
}

/// The body for an outcome, and what it tells of the streams.
pub struct Fitted {
    pub reply: Reply,
    pub stdout: String,
    pub stderr: String,
}

/// The body for an outcome.
pub fn reply(outcome: &Outcome, limit: Option<ReplyLimit>) -> Reply {
    let whole = Reply::json(StatusCode::OK, &RunView::new(outcome, &RequestId::current().to_string()).reply());
    match limit {
        Some(limit) if !whole.fits(limit) => fit(outcome, limit).reply,
        _ => whole,
    }
}

/// How many bytes the body takes at a front door without files and anything that was printed.
pub fn size_without_streams(outcome: &Outcome, limit: ReplyLimit) -> usize {
    let id = RequestId::current().to_string();
    RunView { files: &[], ..RunView::new(outcome, &id) }.with_streams("", "").size(limit)
}

/// Where a front door has a limit, files give way first, then output, then the result.
pub fn fit(outcome: &Outcome, limit: ReplyLimit) -> Fitted {
    let id = RequestId::current().to_string();
    let too_large = Ending::Failed(Failure::ResultTooLarge { limit: limit.bytes });
    let mut told = RunView { files: &[], ..RunView::new(outcome, &id) };
    if told.with_streams("", "").room(limit).is_none() {
        told.ending = &too_large;
    }
    let (stdout, stderr) = told.shortened(limit);
    (told.stdout, told.stderr) = (&stdout, &stderr);
    let room = Reply::json(StatusCode::OK, &told.reply()).room(limit).unwrap_or(0);
    told.files = first_that_fit(&outcome.files.sent, limit, room);
    let reply = Reply::json(StatusCode::OK, &told.reply());
    Fitted { reply, stdout, stderr }
}

/// As many files, from the first on, as a reply has room for. Those that are left out are named, as far as there is room.
fn first_that_fit(files: &[File<Vec<u8>>], limit: ReplyLimit, mut room: usize) -> &[File<Vec<u8>>] {
    // What is said of one that is left out takes at most this much more.
    const OMITTED: usize = 4 << 10;
    let kept = files.iter().take_while(|file| {
        let needed = Reply::json(StatusCode::OK, &SentFile::new(file)).size(limit) + OMITTED;
        let fits = needed <= room;
        room -= if fits { needed } else { 0 };
        fits
    });
    &files[..kept.count()]
}

/// What is told of an outcome.
struct RunView<'a> {
    id: &'a str,
    ending: &'a Ending,
    stdout: &'a str,
    stderr: &'a str,
    files: &'a [File<Vec<u8>>],
    outcome: &'a Outcome,
}

impl<'a> RunView<'a> {
    fn new(outcome: &'a Outcome, id: &'a str) -> Self {
        let Outcome { ending, stdout, stderr, files, .. } = outcome;
        Self { id, ending, stdout: &stdout.text, stderr: &stderr.text, files: &files.sent, outcome }
    }

    fn with_streams(&self, stdout: &str, stderr: &str) -> Reply {
        let told =
            RunView { id: self.id, ending: self.ending, stdout, stderr, files: self.files, outcome: self.outcome };
        Reply::json(StatusCode::OK, &told.reply())
    }

    /// Both streams, as much of them as there is room for.
    fn shortened(&self, limit: ReplyLimit) -> (String, String) {
        let as_they_are = (self.stdout.to_owned(), self.stderr.to_owned());
        if self.with_streams(self.stdout, self.stderr).fits(limit) {
            return as_they_are;
        }
        let room = self.with_streams("", "").room(limit).unwrap_or(0);
        // Standard error is told less of, unless standard output leaves room.
        let stderr = limit.shorten_if_needed(self.stderr, room / 4);
        let room = self.with_streams("", &stderr).room(limit).unwrap_or(0);
        (limit.shorten_if_needed(self.stdout, room), stderr)
    }

    fn reply(&self) -> RunReply<'_> {
        let (status, result, error) = match self.ending {
            Ending::Returned(result) => (Status::Ok, Some(&**result), None),
            Ending::Failed(failure) => (failure.status(), None, Some(RunError::new(failure))),
            // The executor takes it for an answer only where it was asked for.
            Ending::Checked(_) => (Status::Error, None, Some(RunError::new(&Failure::Tampered))),
        };
        let Outcome { stdout, stderr, files, usage, .. } = self.outcome;
        let milliseconds = |time: std::time::Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        RunReply {
            id: self.id,
            status,
            result,
            error,
            stdout: self.stdout,
            stderr: self.stderr,
            truncated: Truncated {
                stdout: stdout.left_out + stdout.text.len().saturating_sub(self.stdout.len()),
                stderr: stderr.left_out + stderr.text.len().saturating_sub(self.stderr.len()),
            },
            files: self.files.iter().map(SentFile::new).collect(),
            omitted: self.omitted(files),
            usage: Usage {
                wall_ms: milliseconds(usage.wall),
                cpu_ms: milliseconds(usage.cpu),
                max_rss_bytes: usage.max_rss_bytes,
                queue_ms: milliseconds(usage.queue),
            },
        }
    }

    fn omitted(&self, files: &'a Artifacts) -> OmittedFiles<'a> {
        let given_up = &files.sent[self.files.len()..];
        let given_up_count = u32::try_from(given_up.len()).unwrap_or(u32::MAX);
        let mut omitted: Vec<_> = files.omitted.iter().map(Cow::Borrowed).collect();
        omitted.extend(given_up.iter().map(|File { name, content }| {
            Cow::Owned(SkippedFile { name: name.clone(), size: content.len() as u64, reason: SkipReason::NoRoom })
        }));
        // Not more than are named anyway, however many were given up.
        omitted.truncate(Artifacts::MAX_NAMED);
        OmittedFiles { count: files.omitted_count.saturating_add(given_up_count), files: omitted }
    }
}

impl<'a> RunError<'a> {
    fn new(failure: &'a Failure) -> Self {
        if let Failure::Raised(exception) = failure {
            return Self {
                class: &exception.class,
                message: exception.message.clone(),
                line: exception.line,
                traceback: exception.traceback.as_deref(),
                hint: exception.hint.as_deref(),
            };
        }
        let text = failure.to_string();
        let (class, hint) = describe(failure);
        let message = text.strip_prefix(class).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&text).to_owned();
        Self { class, message, line: None, traceback: None, hint }
    }
}

/// A failure without an exception: its type, and what may help.
fn describe(failure: &Failure) -> (&'static str, Option<&'static str>) {
    const LESS: &str = "GET /v1/packages lists the limits in force";
    const NAN: &str = "with `\"nan\": \"null\"` in the request NaN and infinities become null";
    match failure {
        Failure::Raised(_) => ("Exception", None),
        Failure::NotSerializable(reason) => ("NotSerializable", reason.contains("NaN").then_some(NAN)),
        Failure::ResultTooLarge { .. } => {
            ("ResultTooLarge", Some("write what is large to a file in the working directory, which comes back too"))
        }
        Failure::NoMain => ("NoMain", Some("the script's result is what its function main() returns")),
        Failure::MainNotCallable => ("MainNotCallable", Some("main is something else than a function at the end")),
        Failure::TimedOut { .. } => ("TimeoutError", Some(LESS)),
        Failure::OutOfMemory { .. } => ("MemoryError", Some(LESS)),
        Failure::OutOfProcesses { .. } => ("TooManyProcesses", Some(LESS)),
        Failure::OutOfScratch { .. } => ("ScratchFull", Some(LESS)),
        Failure::Exited(_) => ("Exited", Some("main() must return; a script needs no exit")),
        Failure::Killed(_) => ("Killed", None),
        Failure::Tampered => ("Tampered", None),
    }
}

impl<'a> SentFile<'a> {
    fn new(file: &'a File<Vec<u8>>) -> Self {
        Self {
            name: &file.name,
            size: file.content.len(),
            media_type: mime_guess::from_path(&file.name).first_raw().unwrap_or("application/octet-stream"),
            base64: STANDARD.encode(&file.content),
        }
    }
}
