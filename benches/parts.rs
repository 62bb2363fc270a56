//! The parts of a job's path that are pure code, each for itself: `cargo bench`.

use std::hint::black_box;
use std::time::Duration;

use axum::http::StatusCode;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use py_executor::executor::capture::Capture;
use py_executor::http::{Reply, ReplyLimit};
use py_executor::ipc::{AnswerLimits, JobFrame, Malformed, Task, Token, decode_outcome, outcome_header};
use py_executor::job::{Form, Job, Limits};
use serde_json::json;

const SIZES: [usize; 3] = [1_000, 100_000, 5_000_000];
const ANSWER: AnswerLimits = AnswerLimits { result: 8 << 20, files: 64, file_bytes: 8 << 20 };
const LIMITS: Limits = Limits { timeout: Duration::from_secs(30), max_files: 64, max_file_bytes: 8 << 20 };

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request to job");
    for bytes in SIZES {
        let body = json!({ "script": format!("def main():\n    return '{}'\n", "x".repeat(bytes)) }).to_string();
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("one literal", bytes), &body, |bencher, body| {
            bencher.iter(|| Job::parse(black_box(body.as_bytes()), Form::Execute, LIMITS));
        });
    }
    // Imports are looked for in every token.
    for bytes in SIZES {
        let line = "from os import path as p, sep; value = call(1, 'text')  # why\n";
        let body = json!({ "script": line.repeat(bytes / line.len()) }).to_string();
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("many imports", bytes), &body, |bencher, body| {
            bencher.iter(|| Job::parse(black_box(body.as_bytes()), Form::Execute, LIMITS));
        });
    }
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frames");
    for bytes in SIZES {
        group.throughput(Throughput::Bytes(bytes as u64));
        let wire = job_on_the_wire(&"x".repeat(bytes));
        group.bench_with_input(BenchmarkId::new("read a job", bytes), &wire, |bencher, wire| {
            bencher.iter(|| read(black_box(wire)));
        });
        let (token, outcome) = outcome_on_the_wire(bytes);
        group.bench_with_input(BenchmarkId::new("read an outcome", bytes), &outcome, |bencher, outcome| {
            bencher.iter(|| decode_outcome(black_box(outcome), &token, ANSWER));
        });
    }
}

fn job_on_the_wire(script: &str) -> Vec<u8> {
    let job = JobFrame {
        token: Token::default(),
        timeout: LIMITS.timeout,
        max_result_bytes: 8 << 20,
        max_file_bytes: 0,
        max_files: 0,
        task: Task::Execute,
        script,
        inputs: "",
        stdin: "",
        imports: "",
        files: Vec::new(),
    };
    let (head, body) = job.encode();
    [head, body.concat()].concat()
}

fn read(wire: &[u8]) -> Result<JobFrame<Vec<u8>>, Malformed> {
    let mut rest = wire;
    JobFrame::read(|buffer: &mut [u8]| {
        let (now, later) = rest.split_at(buffer.len());
        buffer.copy_from_slice(now);
        rest = later;
        Ok(())
    })
}

/// A list of numbers: more tokens for each byte than in anything else that is common.
fn outcome_on_the_wire(bytes: usize) -> (Token, Vec<u8>) {
    let token = Token::default();
    let payload = format!("[{}1]", "1,".repeat(bytes / 2));
    let frame = [outcome_header(&token, b'R', payload.len(), 0).as_slice(), payload.as_bytes()].concat();
    (token, frame)
}

fn replies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outcome to reply");
    for bytes in SIZES {
        let line = "a line of output, with \"quotes\" in it\n";
        let printed = line.repeat(bytes / line.len());
        group.throughput(Throughput::Bytes(printed.len() as u64));
        group.bench_with_input(BenchmarkId::new("capture", bytes), &printed, |bencher, printed| {
            bencher.iter(|| capture(black_box(printed.as_bytes())));
        });
        group.bench_with_input(BenchmarkId::new("body", bytes), &printed, |bencher, printed| {
            bencher.iter(|| Reply::failure(StatusCode::BAD_REQUEST, "error", black_box(printed)));
        });
        let limit = ReplyLimit { bytes: 6 << 20, in_string: true };
        let reply = Reply::failure(StatusCode::BAD_REQUEST, "error", &printed);
        group.bench_with_input(BenchmarkId::new("fits Lambda", bytes), &reply, |bencher, reply| {
            bencher.iter(|| black_box(reply).fits(limit));
        });
    }
}

/// As it comes out of a pipe.
fn capture(printed: &[u8]) -> String {
    let mut capture = Capture::new(8 << 20);
    for chunk in printed.chunks(64 << 10) {
        capture.push(chunk);
    }
    capture.into_printed().text
}

/// Enough for differences that matter: the whole takes a minute.
fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! { name = parts; config = quick(); targets = parsing, frames, replies }
criterion_main!(parts);
