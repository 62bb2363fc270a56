//! From the bytes of a request to a [`Job`]. A `Job` cannot be wrong: whoever holds one need not check it again.

mod imports;
mod json;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::ipc::{File, Task, is_relative_name};

/// What a request is for, which decides what it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `POST /execute`.
    Execute,
    /// `POST /v1/run`.
    Run,
    /// `POST /v1/check`.
    Check,
}

impl Form {
    /// The fields of a request, as an error about an unknown one lists them.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Execute => &["script", "timeout", "inputs", "stdin", "files"],
            Self::Run => &["script", "timeout", "inputs", "stdin", "nan", "files"],
            Self::Check => &["script", "files"],
        }
    }
}

/// What bounds a request, beyond its size.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The operator's wall-clock limit; a request can only lower it.
    pub timeout: Duration,
    /// Number of files in a request, and their bytes together.
    pub max_files: usize,
    pub max_file_bytes: usize,
}

/// A script to run, and all that comes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    task: Task,
    script: String,
    timeout: Duration,
    inputs: String,
    stdin: String,
    imports: String,
    files: Vec<File<Vec<u8>>>,
}

impl Job {
    /// What is to be done with the script.
    pub fn task(&self) -> Task {
        self.task
    }

    /// Python source that should define `main`.
    pub fn script(&self) -> &str {
        &self.script
    }

    /// The wall-clock limit of this job.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The same job with no more time than `left`.
    pub fn within(self, left: Duration) -> Self {
        Self { timeout: self.timeout.min(left), ..self }
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
    pub fn parse(body: &[u8], form: Form, limits: Limits) -> Result<Self, JobError> {
        let mut fields = json::object(body)?;
        let script = match fields.remove("script") {
            None => return Err(JobError::MissingScript),
            Some(value) => value.string("script")?,
        };
        let mut optional = |name| form.fields().contains(&name).then(|| fields.remove(name)).flatten();
        let timeout = optional("timeout").map(|value| value.number("timeout")).transpose()?;
        let inputs = optional("inputs").map(|value| value.object("inputs")).transpose()?;
        let stdin = optional("stdin").map(|value| value.string("stdin")).transpose()?;
        let nan = optional("nan").map(|value| value.string("nan")).transpose()?;
        let files = optional("files").map(|value| value.object("files")).transpose()?;
        if script.trim().is_empty() {
            return Err(JobError::Blank("script"));
        }
        if let Some(name) = fields.into_keys().next() {
            return Err(JobError::UnknownField { name, form });
        }
        Ok(Self {
            task: task(form, nan.as_deref())?,
            imports: imports::imports(&script),
            script,
            timeout: timeout.map_or(Ok(limits.timeout), |seconds| within(seconds, limits.timeout))?,
            inputs: inputs.unwrap_or_default(),
            stdin: stdin.unwrap_or_default(),
            files: files.map_or(Ok(Vec::new()), |text| parse_files(&text, limits))?,
        })
    }
}

fn task(form: Form, nan: Option<&str>) -> Result<Task, JobError> {
    Ok(match (form, nan) {
        (Form::Execute, _) => Task::Execute,
        (Form::Check, _) => Task::Check,
        (Form::Run, None | Some("error")) => Task::Run,
        (Form::Run, Some("null")) => Task::RunNanAsNull,
        (Form::Run, Some(_)) => return Err(JobError::Type { field: "nan", expected: r#""error" or "null""# }),
    })
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
    let files = files
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
        .collect::<Result<Vec<_>, _>>()?;
    // A file cannot lie in another one.
    let names: HashSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let mut above = names.iter().flat_map(|name| name.match_indices('/').map(|(end, _)| &name[..end]));
    if let Some(file) = above.find(|directory| names.contains(directory)) {
        return Err(JobError::FileInFile(file.to_owned()));
    }
    let bytes: usize = files.iter().map(|file| file.content.len()).sum();
    if bytes > limits.max_file_bytes { Err(JobError::FileBytes(limits.max_file_bytes)) } else { Ok(files) }
}

/// Names are relative paths of plain components. They are used inside the sandbox only, where they could do no harm;
/// they are checked so that a mistake is an error and not a file in an unexpected place.
fn check_file_name(name: &str) -> Result<(), JobError> {
    if is_relative_name(name) { Ok(()) } else { Err(JobError::FileName(name.to_owned())) }
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
    #[error("unknown field '{}'; known fields: {}", beginning(name), form.fields().join(", "))]
    UnknownField { name: String, form: Form },
    #[error("field 'timeout' must be a number of seconds between 0 and {limit}", limit = .0.as_secs_f64())]
    Timeout(Duration),
    #[error("field 'files' must not have more than {0} files")]
    TooManyFiles(usize),
    #[error("field 'files' must not have more than {0} bytes of files")]
    FileBytes(usize),
    #[error("field 'files': {:?} is not a relative file name", beginning(.0))]
    FileName(String),
    #[error("field 'files': {:?} is both a file and a directory", beginning(.0))]
    FileInFile(String),
    #[error("field 'files': {:?} must be {{\"text\": \"...\"}} or {{\"base64\": \"...\"}}", beginning(.0))]
    FileContent(String),
    #[error("field 'files': {:?} is not valid base64", beginning(.0))]
    FileBase64(String),
}

#[cfg(test)]
mod tests;
