//! The service's side of a worker: giving it its job, and watching it until something ends it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::time::Instant;

use super::monitor_client::{MakeError, MonitorClient, WorkerTree};
use super::output::OutputCollector;
use super::queue::RunPermit;
use super::{OutputLimits, Stream, Subscriber};
use crate::ipc::{
    AnswerLimits, Artifacts, File, JobFrame, MonitorReport, Report, Task, Token, Verdict, decode_outcome, find_outcome,
};
use crate::job::Job;
use crate::outcome::{Ending, Failure, Outcome, Usage};
use crate::sandbox::usage::{Ended, Excess};

/// What a pipe holds (pipe(7)); no script can make its pipes larger.
const PIPE_CAPACITY: usize = 64 * 1024;

/// More than a stream socket holds with the kernel's default buffers (socket(7)).
const SOCKET_CAPACITY: usize = 1 << 20;

/// A worker that is locked in and waits for its job.
pub struct WorkerClient {
    channel: UnixStream,
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
    tree: WorkerTree,
}

/// A job that came to its end.
pub struct Run {
    pub outcome: Outcome,
    pub tree: WorkerTree,
}

/// A worker that was lost for no fault of its script, such as a killed zygote.
pub struct Lost {
    pub reason: String,
    pub tree: WorkerTree,
    /// Whether somebody has been told already of what its script printed.
    pub is_known: bool,
}

impl WorkerClient {
    /// Has a monitor make a worker, and waits until it is locked in.
    pub async fn make(monitor: MonitorClient) -> Result<Self, MakeError> {
        let (ours, theirs) = Ours::make().map_err(MakeError::Channels)?;
        let tree = monitor.make([&theirs.channel, &theirs.stdout, &theirs.stderr].map(|end| end.as_fd())).await?;
        Ok(Self { channel: ours.channel, stdout: ours.stdout, stderr: ours.stderr, tree })
    }

    /// Ends it, and waits until it is gone.
    pub async fn end(self) {
        self.tree.terminate().await;
    }

    /// Whether it still waits.
    pub fn is_alive(&self) -> bool {
        self.tree.is_alive()
    }

    /// Whether another zygote has taken the place of the one that it comes of.
    pub fn is_retired(&self) -> bool {
        self.tree.is_retired()
    }

    /// Runs the job. Dropping the future kills the worker.
    pub async fn run(
        mut self,
        job: &Job,
        token: Token,
        limits: OutputLimits,
        permit: RunPermit,
        subscriber: Option<&Subscriber>,
    ) -> Result<Run, Lost> {
        self.tree.attach_permit(permit);
        let answer_limits = limits.answer(job.task());
        let begun = Instant::now();
        let mut collected = OutputCollector::new(limits.max_output_bytes, subscriber);
        let end = self.watch(job, &token, answer_limits, &mut collected).await;
        let wall = begun.elapsed();
        self.drain(&mut collected);
        let report = match end {
            End::Lost(reason) => return Err(Lost { reason, tree: self.tree, is_known: collected.is_known() }),
            End::Answered | End::Exited(..) => match (decode_outcome(&collected.answer, &token, answer_limits), end) {
                (Ok(Some(report)), _) => read(report, job.task(), limits),
                (Ok(None), End::Exited(exit, cpu)) => failed(exit_failure(exit, cpu, job.timeout())),
                (Ok(None) | Err(_), _) => failed(Failure::Tampered),
            },
            End::Deadline => failed(Failure::TimedOut { limit: job.timeout() }),
            End::Exceeded(excess) => failed(limits.excess(excess)),
        };
        let (ending, files) = report;
        let (stdout, stderr) = collected.into_printed();
        let usage = Usage { wall, ..Usage::default() };
        Ok(Run { outcome: Outcome { ending, stdout, stderr, files, usage }, tree: self.tree })
    }

    /// Feeds the job in and takes what comes out, until something ends it.
    async fn watch(
        &mut self,
        job: &Job,
        token: &Token,
        limits: AnswerLimits,
        collected: &mut OutputCollector<'_>,
    ) -> End {
        let deadline = tokio::time::sleep_until(Instant::now() + job.timeout());
        let (mut answers, mut jobs) = self.channel.split();
        let sending = send(&mut jobs, job, token, limits);
        tokio::pin!(deadline, sending);
        let (mut sent, mut stdout_open, mut stderr_open, mut answer_open) = (false, true, true, true);
        // As much as can be sent at once goes first: the monitor's part is not on the path of the answer.
        tokio::select! {
            biased;
            _ = &mut sending => sent = true,
            () = std::future::ready(()) => {}
        }
        if let Err(error) = self.tree.start_watching() {
            return End::Lost(error.to_string());
        }
        let (mut stdout, mut stderr) = (Vec::with_capacity(PIPE_CAPACITY), Vec::with_capacity(PIPE_CAPACITY));
        loop {
            tokio::select! {
                // A script that closes its channel is found out by what follows.
                _ = &mut sending, if !sent => sent = true,
                read = answers.read_buf(&mut collected.answer), if answer_open => {
                    answer_open = read.is_ok_and(|bytes| bytes > 0);
                    if !matches!(find_outcome(&collected.answer, token, limits), Ok(None)) {
                        return End::Answered;
                    }
                    collected.reserve_answer();
                }
                read = self.stdout.read_buf(&mut stdout), if stdout_open => {
                    stdout_open = read.is_ok_and(|bytes| bytes > 0);
                    collected.push(Stream::Stdout, &stdout);
                    stdout.clear();
                }
                read = self.stderr.read_buf(&mut stderr), if stderr_open => {
                    stderr_open = read.is_ok_and(|bytes| bytes > 0);
                    collected.push(Stream::Stderr, &stderr);
                    stderr.clear();
                }
                report = self.tree.report() => return match report {
                    Ok(MonitorReport::Ended { exit, cpu_us }) => End::Exited(exit, Duration::from_micros(cpu_us)),
                    Ok(MonitorReport::Exceeded(excess)) => End::Exceeded(excess),
                    Ok(other) => End::Lost(format!("unexpected report {other:?}")),
                    Err(error) => End::Lost(error.to_string()),
                },
                () = &mut deadline => return End::Deadline,
            }
        }
    }

    /// Takes what was written before the end and has not been read yet: no more than the pipes can hold, because
    /// something that is still alive may go on writing.
    fn drain(&mut self, collected: &mut OutputCollector<'_>) {
        for (pipe, stream) in [(&self.stdout, Stream::Stdout), (&self.stderr, Stream::Stderr)] {
            read_pending(pipe, PIPE_CAPACITY, |bytes| collected.push(stream, bytes));
        }
        read_pending(&self.channel, SOCKET_CAPACITY, |bytes| collected.answer.extend_from_slice(bytes));
    }
}

/// Reads what lies in a non-blocking descriptor, at most about `limit` bytes. Asks the kernel: what tokio knows of its
/// readiness may be older than the end of the worker.
fn read_pending(source: impl AsFd, limit: usize, mut push: impl FnMut(&[u8])) {
    let mut buffer = vec![0; PIPE_CAPACITY];
    let mut taken = 0;
    while taken < limit {
        match rustix::io::read(&source, &mut buffer[..]) {
            Ok(bytes) if bytes > 0 => {
                push(&buffer[..bytes]);
                taken += bytes;
            }
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

/// What ended a job.
enum End {
    /// An outcome has come, or something that cannot be one.
    Answered,
    Deadline,
    Exceeded(Excess),
    Exited(Ended, Duration),
    Lost(String),
}

async fn send(
    jobs: &mut (impl AsyncWriteExt + Unpin),
    job: &Job,
    token: &Token,
    limits: AnswerLimits,
) -> io::Result<()> {
    /// Parts below this size are sent together.
    const SMALL: usize = 64 * 1024;
    let files = job.files().iter();
    let frame = JobFrame {
        token: *token,
        timeout: job.timeout(),
        max_result_bytes: limits.result as u64,
        max_file_bytes: limits.file_bytes as u64,
        max_files: u32::try_from(limits.files).unwrap_or(u32::MAX),
        task: job.task(),
        script: job.script().as_bytes(),
        inputs: job.inputs().as_bytes(),
        stdin: job.stdin().as_bytes(),
        imports: job.imports().as_bytes(),
        files: files.map(|file| File { name: file.name.clone(), content: &file.content[..] }).collect(),
    };
    let (mut pending, parts) = frame.encode();
    for part in parts {
        if part.len() < SMALL {
            pending.extend_from_slice(part);
        } else {
            jobs.write_all(&pending).await?;
            pending.clear();
            jobs.write_all(part).await?;
        }
    }
    jobs.write_all(&pending).await
}

fn failed(failure: Failure) -> (Ending, Artifacts) {
    (Ending::Failed(failure), Artifacts::default())
}

/// What a report means for a task: a script that was run is not one that was looked at.
fn read(report: Report, task: Task, limits: OutputLimits) -> (Ending, Artifacts) {
    let Report { verdict, files } = report;
    let ending = match (verdict, task) {
        (Verdict::Checked(checked), Task::Check) => Ending::Checked(checked),
        (Verdict::Returned(value), Task::Execute | Task::Run | Task::RunNanAsNull) => Ending::Returned(value),
        (Verdict::Checked(_) | Verdict::Returned(_), _) => return failed(Failure::Tampered),
        (Verdict::Raised(exception), _) => Ending::Failed(Failure::Raised(exception)),
        (Verdict::NotSerializable(reason), _) => Ending::Failed(Failure::NotSerializable(reason)),
        (Verdict::NoMain, _) => Ending::Failed(Failure::NoMain),
        (Verdict::MainNotCallable, _) => Ending::Failed(Failure::MainNotCallable),
        (Verdict::ResultTooLarge, _) => Ending::Failed(Failure::ResultTooLarge { limit: limits.max_result_bytes }),
    };
    (ending, files)
}

/// A worker that ended without an answer. One that the kernel stopped for its CPU time has used up its time.
fn exit_failure(exit: Ended, cpu: Duration, limit: Duration) -> Failure {
    match exit {
        Ended::Status(status) => Failure::Exited(status),
        Ended::Signal(libc::SIGXCPU) => Failure::TimedOut { limit },
        Ended::Signal(libc::SIGKILL) if cpu > limit => Failure::TimedOut { limit },
        Ended::Signal(signal) => Failure::Killed(signal),
    }
}

/// The service's ends of a worker's channels.
struct Ours {
    channel: UnixStream,
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
}

/// The worker's ends.
struct Theirs {
    channel: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl Ours {
    fn make() -> io::Result<(Self, Theirs)> {
        let (channel, their_channel) = std::os::unix::net::UnixStream::pair()?;
        channel.set_nonblocking(true)?;
        let (stdout, their_stdout) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stderr, their_stderr) = pipe_with(PipeFlags::CLOEXEC)?;
        let ours = Self {
            channel: UnixStream::from_std(channel)?,
            stdout: pipe::Receiver::from_owned_fd(stdout)?,
            stderr: pipe::Receiver::from_owned_fd(stderr)?,
        };
        Ok((ours, Theirs { channel: their_channel.into(), stdout: their_stdout, stderr: their_stderr }))
    }
}
