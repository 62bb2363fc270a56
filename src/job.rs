//! From the bytes of a request to a [`Job`]. A `Job` cannot be wrong: whoever holds one need not check it again.

mod imports;
mod json;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::protocol::File;

/// The fields of a request, as an error about an unknown one lists them.
pub const FIELDS: [&str; 5] = ["script", "timeout", "inputs", "stdin", "files"];

/// What bounds a request, beyond its size.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The operator's wall-clock limit; a request can only lower it.
    pub timeout: Duration,
    /// Number of files in a request.
    pub max_files: usize,
    /// Whether scripts can open files on this host.
    pub files_available: bool,
}

/// A script to run, and all that comes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    script: String,
    timeout: Duration,
    inputs: String,
    stdin: String,
    imports: String,
    files: Vec<File<Vec<u8>>>,
}

impl Job {
    /// Python source that should define `main`.
    pub fn script(&self) -> &str {
        &self.script
    }

    /// The wall-clock limit of this job.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Keyword arguments of `main`, as a JSON object; empty when there are none.
    pub fn inputs(&self) -> &str {
        &self.inputs
    }

    /// What the script reads from its standard input.
    pub fn stdin(&self) -> &str {
        &self.stdin
    }

    /// Names of the modules that the script imports, each in a line: a hint, not to be relied upon.
    pub fn imports(&self) -> &str {
        &self.imports
    }

    /// What lies in the scratch directory when the script starts.
    pub fn files(&self) -> &[File<Vec<u8>>] {
        &self.files
    }

    /// Reads a request's body.
    pub fn parse(body: &[u8], limits: Limits) -> Result<Self, JobError> {
        let mut fields = json::object(body)?;
        let script = match fields.remove("script") {
            None => return Err(JobError::MissingScript),
            Some(value) => value.string("script")?,
        };
        let timeout = fields.remove("timeout").map(|value| value.number("timeout")).transpose()?;
        let inputs = fields.remove("inputs").map(|value| value.object("inputs")).transpose()?;
        let stdin = fields.remove("stdin").map(|value| value.string("stdin")).transpose()?;
        let files = fields.remove("files").map(|value| value.object("files")).transpose()?;
        if script.trim().is_empty() {
            return Err(JobError::Blank("script"));
        }
        if let Some(name) = fields.into_keys().next() {
            return Err(JobError::UnknownField(name));
        }
        Ok(Self {
            imports: imports::imports(&script),
            script,
            timeout: timeout.map_or(Ok(limits.timeout), |seconds| within(seconds, limits.timeout))?,
            inputs: inputs.unwrap_or_default(),
            stdin: stdin.unwrap_or_default(),
            files: files.map_or(Ok(Vec::new()), |text| parse_files(&text, limits))?,
        })
    }
}

fn within(seconds: f64, limit: Duration) -> Result<Duration, JobError> {
    let out_of_range = JobError::Timeout(limit);
    match Duration::try_from_secs_f64(seconds) {
        Ok(timeout) if !timeout.is_zero() && timeout <= limit => Ok(timeout),
        _ => Err(out_of_range),
    }
}

/// A file's content in a request.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    Text(String),
    Base64(String),
}

fn parse_files(text: &str, limits: Limits) -> Result<Vec<File<Vec<u8>>>, JobError> {
    let files: BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(text).map_err(|_| JobError::Type { field: "files", expected: "an object" })?;
    if files.len() > limits.max_files {
        return Err(JobError::TooManyFiles(limits.max_files));
    }
    if !files.is_empty() && !limits.files_available {
        return Err(JobError::NoFiles);
    }
    files
        .into_iter()
        .map(|(name, content)| {
            check_file_name(&name)?;
            let content = match serde_json::from_str(content.get()) {
                Ok(Content::Text(text)) => text.into_bytes(),
                Ok(Content::Base64(text)) => STANDARD.decode(text).map_err(|_| JobError::FileBase64(name.clone()))?,
                Err(_) => return Err(JobError::FileContent(name)),
            };
            Ok(File { name, content })
        })
        .collect()
}

/// Names are relative paths of plain components. They are used inside the sandbox only, where they could do no harm;
/// they are checked so that a mistake is an error and not a file in an unexpected place.
fn check_file_name(name: &str) -> Result<(), JobError> {
    const MAX_NAME: usize = 255;
    let plain = |component: &str| !matches!(component, "" | "." | "..") && component.len() <= MAX_NAME;
    let valid = !name.contains('\0') && name.len() <= 4 * MAX_NAME && name.split('/').all(plain);
    if valid { Ok(()) } else { Err(JobError::FileName(name.to_owned())) }
}

/// As much of a name as a message quotes: a name may be as long as the request.
fn beginning(name: &str) -> Cow<'_, str> {
    const MAX_QUOTED: usize = 100;
    match name.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => Cow::Owned(format!("{}...", &name[..end])),
        None => Cow::Borrowed(name),
    }
}

/// What is wrong with a request. The text is for whoever sent it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JobError {
    #[error("invalid JSON: {0}")]
    Json(String),
    #[error("request body must be a JSON object")]
    NotAnObject,
    #[error("duplicate key: {}", beginning(.0))]
    Duplicate(String),
    #[error("missing required field: script")]
    MissingScript,
    #[error("field '{field}' must be {expected}")]
    Type { field: &'static str, expected: &'static str },
    #[error("field '{0}' must not be empty")]
    Blank(&'static str),
    #[error("unknown field '{}'; known fields: {}", beginning(.0), FIELDS.join(", "))]
    UnknownField(String),
    #[error("field 'timeout' must be a number of seconds between 0 and {limit}", limit = .0.as_secs_f64())]
    Timeout(Duration),
    #[error("field 'files' must not have more than {0} files")]
    TooManyFiles(usize),
    #[error("field 'files' must be empty: files are not available under this host's sandbox")]
    NoFiles,
    #[error("field 'files': {:?} is not a relative file name", beginning(.0))]
    FileName(String),
    #[error("field 'files': {:?} must be {{\"text\": \"...\"}} or {{\"base64\": \"...\"}}", beginning(.0))]
    FileContent(String),
    #[error("field 'files': {:?} is not valid base64", beginning(.0))]
    FileBase64(String),
}

#[cfg(test)]
mod tests;
