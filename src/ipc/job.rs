//! A job as it travels to its worker.

use std::time::Duration;

use super::{Malformed, Token, le_u32, length};

/// What is to be done with a job's script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Run it, and tell what `/execute` tells.
    Execute,
    /// Run it, and tell all there is: also where an exception comes from, and which files are left.
    Run,
    /// The same, and NaN and infinities in the result become null.
    RunNanAsNull,
    /// Only look at it.
    Check,
}

impl Task {
    pub const ALL: [Self; 4] = [Self::Execute, Self::Run, Self::RunNanAsNull, Self::Check];
}

/// A file: one for the scratch directory, before the script starts, or one that lies there when it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File<B> {
    pub name: String,
    pub content: B,
}

/// Whether a name is a relative path of plain components.
pub fn is_relative_name(name: &str) -> bool {
    const MAX_COMPONENT: usize = 255;
    const MAX_NAME: usize = 4 * MAX_COMPONENT;
    let is_plain = |component: &str| !matches!(component, "" | "." | "..") && component.len() <= MAX_COMPONENT;
    !name.contains('\0') && name.len() <= MAX_NAME && name.split('/').all(is_plain)
}

/// A job as it travels to its worker.
#[derive(Debug, Clone, PartialEq)]
pub struct JobFrame<B> {
    pub token: Token,
    pub timeout: Duration,
    /// A result of more bytes than this is not sent at all.
    pub max_result_bytes: u64,
    /// Files that may come back: so many bytes together, and so many of them.
    pub max_file_bytes: u64,
    pub max_files: u32,
    pub task: Task,
    pub script: B,
    /// A JSON object, or nothing.
    pub inputs: B,
    pub stdin: B,
    /// Names of the modules that the script imports, each in a line.
    pub imports: B,
    pub files: Vec<File<B>>,
}

/// Bytes of a job frame in front of its parts: token, timeout in nanoseconds, limits of result and files, task, five
/// lengths or counts.
pub const JOB_HEADER: usize = 16 + 8 + 8 + 8 + 4 + 1 + 5 * 4;

impl<B: AsRef<[u8]>> JobFrame<B> {
    /// The parts to be written one after the other; the large ones are not copied.
    pub fn encode(&self) -> (Vec<u8>, Vec<&[u8]>) {
        let parts = [self.script.as_ref(), self.inputs.as_ref(), self.stdin.as_ref(), self.imports.as_ref()];
        let mut head = Vec::with_capacity(JOB_HEADER);
        head.extend(self.token);
        head.extend((self.timeout.as_nanos() as u64).to_le_bytes());
        head.extend(self.max_result_bytes.to_le_bytes());
        head.extend(self.max_file_bytes.to_le_bytes());
        head.extend(self.max_files.to_le_bytes());
        head.push(self.task as u8);
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

impl JobFrame<Vec<u8>> {
    /// Reads a frame with `read`, which fills the buffer that it is given.
    pub fn read<E: From<Malformed>>(mut read: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        const SHORT: Malformed = Malformed("header");
        let mut head = [0; JOB_HEADER];
        read(&mut head)?;
        let (token, rest) = head.split_first_chunk::<16>().ok_or(SHORT)?;
        let (timeout, rest) = rest.split_first_chunk::<8>().ok_or(SHORT)?;
        let (max_result_bytes, rest) = rest.split_first_chunk::<8>().ok_or(SHORT)?;
        let (max_file_bytes, rest) = rest.split_first_chunk::<8>().ok_or(SHORT)?;
        let (max_files, rest) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
        let (task, lengths) = rest.split_first().ok_or(SHORT)?;
        let task = *Task::ALL.get(usize::from(*task)).ok_or(Malformed("task"))?;
        let mut lengths = lengths.chunks_exact(4).map(|bytes| le_u32(bytes) as usize);
        let mut next = || lengths.next().ok_or(SHORT);
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
            max_file_bytes: u64::from_le_bytes(*max_file_bytes),
            max_files: u32::from_le_bytes(*max_files),
            task,
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
