//! The body of a request.

use std::collections::HashSet;
use std::time::Duration;

use py_executor::job::{Form, Job, JobError, Limits};
use serde_json::Value;

use super::{is_json, memory};

const LIMITS: Limits = Limits { timeout: Duration::from_secs(30), max_files: 4, max_file_bytes: 8 << 20 };

/// What a message may quote of a request is less than this.
const MAX_MESSAGE: usize = 1200;

/// The bytes are the body, of each kind of request.
pub fn check(body: &[u8]) {
    for form in [Form::Execute, Form::Run, Form::Check] {
        check_as(form, body);
    }
}

fn check_as(form: Form, body: &[u8]) {
    match memory::within(64 * body.len() + (64 << 10), || Job::parse(body, form, LIMITS)) {
        Ok(job) => {
            assert!(is_json(body), "accepted what is not JSON");
            check_job(&job, body.len());
        }
        Err(error) => {
            let message = error.to_string();
            assert!(!message.is_empty() && message.len() <= MAX_MESSAGE, "{} bytes: {message:.200}", message.len());
            // The grammar allows what no reader takes, such as half of a surrogate pair; there both may say no.
            assert!(is_json(body) || matches!(error, JobError::Json(_)), "{error:?} for what is not JSON");
            let said_not_json = matches!(error, JobError::Json(_));
            assert!(!said_not_json || serde_json::from_slice::<Value>(body).is_err(), "{error:?} for JSON");
        }
    }
}

fn check_job(job: &Job, size: usize) {
    assert!(!job.script().trim().is_empty());
    assert!(!job.timeout().is_zero() && job.timeout() <= LIMITS.timeout);
    assert!(job.inputs().is_empty() || job.inputs().starts_with('{') && is_json(job.inputs().as_bytes()));
    assert!(job.files().len() <= LIMITS.max_files);
    let names: HashSet<&str> = job.files().iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names.len(), job.files().len(), "a name is there twice");
    assert!(names.iter().all(|name| is_relative(name)), "{names:?}");
    let contents: usize = job.files().iter().map(|file| file.name.len() + file.content.len()).sum();
    assert!(job.script().len() + job.inputs().len() + job.stdin().len() + contents <= size);
}

fn is_relative(name: &str) -> bool {
    let component = |part: &str| (1..=255).contains(&part.len()) && part != "." && part != ".." && !part.contains('\0');
    name.split('/').all(component)
}
