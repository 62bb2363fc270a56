//! What a worker answers. All of it is in the hands of the script, so nothing is believed but its size and its form.

use std::collections::HashSet;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Checked, File, Malformed, Token, is_relative_name, le_u32, length};

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
    /// It was only looked at.
    Checked(Box<Checked>),
}

/// An exception as its worker describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The class, qualified as Python prints it.
    #[serde(rename = "type")]
    pub class: String,
    pub message: String,
    /// Where in the script, where that is known and wanted.
    pub line: Option<u32>,
    /// As Python prints it, of the script's own frames.
    pub traceback: Option<String>,
    /// What the script's author may want to know.
    pub hint: Option<String>,
}

/// A worker's whole answer.
#[derive(Debug)]
pub struct Report {
    pub verdict: Verdict,
    pub files: Artifacts,
}

/// Files that a script has left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// Those that came along, by their names, which are relative and safe to be used on any system.
    pub sent: Vec<File<Vec<u8>>>,
    /// The first of those that did not.
    pub omitted: Vec<SkippedFile>,
    /// How many did not, those above included.
    pub omitted_count: u32,
}

/// Something in the scratch directory that is not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SkippedFile {
    pub name: String,
    /// Bytes.
    pub size: u64,
    pub reason: SkipReason,
}

/// Why it is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// It, or a directory that it lies in, has a name that begins with a dot.
    Hidden,
    /// It is larger than what may still be sent.
    TooLarge,
    /// As many as may be sent are before it.
    TooMany,
    /// It is a link, a device or the like.
    NotRegular,
    /// It could not be opened or read.
    Unreadable,
    /// Its name is not UTF-8, too long, or leads astray on some system: with control characters, backslashes, a drive.
    Name,
    /// The reply to a request, which has a limit at some front doors, has no room for it.
    NoRoom,
}

impl SkipReason {
    /// Those that a worker may say.
    pub const ALL: [Self; 6] =
        [Self::Hidden, Self::TooLarge, Self::TooMany, Self::NotRegular, Self::Unreadable, Self::Name];
}

/// Marks an entry whose content follows.
const SENT: u8 = 0;

/// Bytes of an entry besides name and content: kind, length of the name, size.
const ENTRY: usize = 1 + 4 + 8;

impl Artifacts {
    /// More omitted ones are counted, not named.
    pub const MAX_NAMED: usize = 64;

    /// Whether a name leads nowhere else than below the directory of whoever writes it to a disk: no `..`, no backslashes,
    /// no drive's letter, no control characters.
    pub fn is_portable_name(name: &str) -> bool {
        let has_drive = name.as_bytes().get(1) == Some(&b':');
        is_relative_name(name)
            && !has_drive
            && !name.contains(|character: char| character == '\\' || character.is_control())
    }

    /// Whether a file may be sent under this name. Hidden ones are not.
    pub fn may_be_sent(name: &str) -> bool {
        Self::is_portable_name(name) && !name.split('/').any(|component| component.starts_with('.'))
    }

    /// Notes something that is not sent.
    pub fn omit(&mut self, name: &str, size: u64, reason: SkipReason) {
        self.omitted_count = self.omitted_count.saturating_add(1);
        if self.omitted.len() < Self::MAX_NAMED {
            self.omitted.push(SkippedFile { name: cut(name), size, reason });
        }
    }

    /// Bytes of the form in which they travel.
    pub fn wire_bytes(&self) -> usize {
        let omitted: usize = self.omitted.iter().map(|omitted| ENTRY + omitted.name.len()).sum();
        let sent: usize = self.sent.iter().map(|file| ENTRY + file.name.len() + file.content.len()).sum();
        if self.omitted_count == 0 && self.sent.is_empty() { 0 } else { 4 + omitted + sent }
    }

    /// Writes them in the form in which they travel.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        if self.wire_bytes() == 0 {
            return Ok(());
        }
        to.write_all(&self.omitted_count.to_le_bytes())?;
        let mut entry = |kind: u8, name: &str, size: u64, content: &[u8]| {
            to.write_all(&[kind])?;
            to.write_all(&length(name.len()))?;
            to.write_all(&size.to_le_bytes())?;
            to.write_all(name.as_bytes())?;
            to.write_all(content)
        };
        for SkippedFile { name, size, reason } in &self.omitted {
            entry(*reason as u8 + 1, name, *size, &[])?;
        }
        self.sent.iter().try_for_each(|File { name, content }| entry(SENT, name, content.len() as u64, content))
    }

    fn decode(mut bytes: &[u8], limits: AnswerLimits) -> Result<Self, Malformed> {
        let mut files = Self::default();
        let Some((count, rest)) = bytes.split_first_chunk::<4>() else {
            return if bytes.is_empty() { Ok(files) } else { Err(Malformed("files")) };
        };
        files.omitted_count = u32::from_le_bytes(*count);
        bytes = rest;
        let mut names = HashSet::new();
        while !bytes.is_empty() {
            bytes = files.decode_entry(bytes, &mut names).ok_or(Malformed("files"))?;
            // At once: the script says how many there are.
            if files.sent.len() > limits.files || files.omitted.len() > Self::MAX_NAMED {
                return Err(Malformed("files"));
            }
        }
        let is_right = files.omitted.len() as u64 <= u64::from(files.omitted_count)
            && files.sent.iter().map(|file| file.content.len()).sum::<usize>() <= limits.file_bytes;
        if is_right { Ok(files) } else { Err(Malformed("files")) }
    }

    fn decode_entry<'a>(&mut self, bytes: &'a [u8], names: &mut HashSet<&'a str>) -> Option<&'a [u8]> {
        let (kind, rest) = bytes.split_first()?;
        let (name_length, rest) = rest.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (name, rest) = rest.split_at_checked(u32::from_le_bytes(*name_length) as usize)?;
        let (name, size) = (std::str::from_utf8(name).ok()?, u64::from_le_bytes(*size));
        if *kind == SENT {
            let (content, rest) = rest.split_at_checked(usize::try_from(size).ok()?)?;
            if !Self::may_be_sent(name) || !names.insert(name) {
                return None;
            }
            self.sent.push(File { name: name.to_owned(), content: content.to_owned() });
            return Some(rest);
        }
        let reason = *SkipReason::ALL.get(usize::from(*kind) - 1)?;
        self.omitted.push(SkippedFile { name: cut(name), size, reason });
        Some(rest)
    }
}

/// As much of the name of an omitted file as is told, which may be any name that a file can have.
fn cut(name: &str) -> String {
    const MAX_NAME: usize = 255;
    name[..name.floor_char_boundary(MAX_NAME)].replace(|character: char| character.is_control(), "\u{fffd}")
}

/// How much a worker may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerLimits {
    pub result: usize,
    /// Files that may come back, and their bytes together.
    pub files: usize,
    pub file_bytes: usize,
}

impl AnswerLimits {
    /// Bytes of all that is said about files.
    pub fn files_on_the_wire(self) -> usize {
        const MAX_NAME: usize = 1020;
        let entries = self.files + Artifacts::MAX_NAMED;
        if self.files == 0 { 0 } else { 4 + self.file_bytes + entries * (ENTRY + MAX_NAME) }
    }
}

/// The bytes in front of an outcome's parts: token, kind, lengths of payload and files.
pub const OUTCOME_HEADER: usize = 16 + 1 + 4 + 4;

/// An exception's description, or what is found out by looking at a script, is not longer than this, in whatever way the
/// harness has to escape the characters that it lets through.
pub const MAX_DESCRIPTION: usize = 1 << 20;

/// The header of an outcome frame. The kinds are those that the harness names.
pub fn outcome_header(token: &Token, kind: u8, payload: usize, files: usize) -> [u8; OUTCOME_HEADER] {
    let mut header = [0; OUTCOME_HEADER];
    header[..16].copy_from_slice(token);
    header[16] = kind;
    header[17..21].copy_from_slice(&length(payload));
    header[21..].copy_from_slice(&length(files));
    header
}

/// An outcome that has arrived whole, not looked into yet.
#[derive(Debug)]
pub struct Answer<'a> {
    kind: u8,
    payload: &'a [u8],
    files: &'a [u8],
}

/// Looks for an outcome in what has arrived so far, by its header only. `None`: it is not complete yet.
pub fn find_outcome<'a>(bytes: &'a [u8], token: &Token, limits: AnswerLimits) -> Result<Option<Answer<'a>>, Malformed> {
    let Some((header, rest)) = bytes.split_first_chunk::<OUTCOME_HEADER>() else {
        // Rubbish is recognised as soon as it differs from the token.
        let begun = bytes.len().min(token.len());
        return if bytes[..begun] == token[..begun] { Ok(None) } else { Err(Malformed("token")) };
    };
    if header[..16] != token[..] {
        return Err(Malformed("token"));
    }
    let (kind, payload, files) = (header[16], le_u32(&header[17..21]) as usize, le_u32(&header[21..]) as usize);
    let max_payload = if kind == b'R' { limits.result } else { MAX_DESCRIPTION };
    if payload > max_payload || files > limits.files_on_the_wire() {
        return Err(Malformed("length"));
    }
    if rest.len() > payload + files {
        return Err(Malformed("more than one outcome"));
    }
    Ok((rest.len() == payload + files).then(|| {
        let (payload, files) = rest.split_at(payload);
        Answer { kind, payload, files }
    }))
}

/// Looks for an outcome and reads it.
pub fn decode_outcome(bytes: &[u8], token: &Token, limits: AnswerLimits) -> Result<Option<Report>, Malformed> {
    let Some(Answer { kind, payload, files }) = find_outcome(bytes, token, limits)? else { return Ok(None) };
    let text = std::str::from_utf8(payload).map_err(|_| Malformed("not UTF-8"))?;
    let verdict = match kind {
        // What encodes it writes no white space, and a line break would be one in a stream of events, too.
        b'R' if payload.iter().any(|byte| *byte < b' ') => return Err(Malformed("white space in the result")),
        b'R' => {
            let value = serde_json::from_str::<&RawValue>(text).map_err(|_| Malformed("result is not JSON"))?;
            Verdict::Returned(value.to_owned())
        }
        b'E' => Verdict::Raised(serde_json::from_str(text).map_err(|_| Malformed("exception"))?),
        b'J' => Verdict::NotSerializable(text.to_owned()),
        b'M' => Verdict::NoMain,
        b'C' => Verdict::MainNotCallable,
        b'L' => Verdict::ResultTooLarge,
        b'K' => Verdict::Checked(serde_json::from_str(text).map_err(|_| Malformed("check"))?),
        _ => return Err(Malformed("kind")),
    };
    Ok(Some(Report { verdict, files: Artifacts::decode(files, limits)? }))
}
