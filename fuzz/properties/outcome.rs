//! What a worker answers. Everything behind the token is in the script's hands, and so is how it arrives.

use py_executor::ipc::{
    AnswerLimits, Artifacts, MAX_DESCRIPTION, OUTCOME_HEADER, Report, Token, Verdict, decode_outcome, find_outcome,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{is_json, memory};

const TOKEN: Token = *b"0123456789abcdef";

/// The first byte says how much arrives at a time, the second how large a result may be; what arrives is the rest.
pub fn check(bytes: &[u8]) {
    let [step, limit, stream @ ..] = bytes else { return };
    let (step, bytes) = (usize::from(*step).max(1), 1 << (limit % 21));
    let limit = AnswerLimits { result: bytes, files: usize::from(limit % 4), file_bytes: bytes };
    let read = memory::within(4 * stream.len() + 4096, || decode_outcome(stream, &TOKEN, limit));
    if let Ok(Some(report)) = &read {
        check_accepted(report, stream, limit);
    }
    // The one read that settles it is the same whether the bytes come piece by piece or at once.
    let arrivals = (step..stream.len()).step_by(step).chain([stream.len()]).map(|length| &stream[..length]);
    for arrived in arrivals {
        match find_outcome(arrived, &TOKEN, limit) {
            Ok(None) => assert!(matches!(decode_outcome(arrived, &TOKEN, limit), Ok(None))),
            Ok(Some(_)) if arrived == stream => return assert!(!matches!(read, Ok(None))),
            // What does not mean anything, or goes on behind its end, does not get better by what follows.
            Ok(Some(_)) | Err(_) => return assert!(read.is_err(), "{read:?}"),
        }
    }
    assert!(matches!(read, Ok(None)), "{read:?}");
}

fn check_accepted(report: &Report, stream: &[u8], limit: AnswerLimits) {
    let (header, rest) = stream.split_first_chunk::<OUTCOME_HEADER>().expect("there is a header");
    assert!(header.starts_with(&TOKEN));
    let length = u32::from_le_bytes(header[17..21].try_into().expect("four bytes")) as usize;
    let (payload, files) = rest.split_at(length);
    assert_eq!(header[21..], u32::try_from(files.len()).expect("it is short").to_le_bytes());
    check_files(&report.files, files.len(), limit);
    match &report.verdict {
        Verdict::Returned(value) => check_result(value.get(), payload, limit.result),
        Verdict::Raised(exception) => assert!(exception.class.len() + exception.message.len() <= payload.len()),
        Verdict::NotSerializable(reason) => assert_eq!(reason.as_bytes(), payload),
        Verdict::Checked(checked) => assert!(checked.imports.len() + checked.problems.len() <= payload.len()),
        Verdict::NoMain | Verdict::MainNotCallable | Verdict::ResultTooLarge => {}
    }
    assert!(payload.len() <= MAX_DESCRIPTION || matches!(report.verdict, Verdict::Returned(_)));
}

/// Whoever writes files to a disk under the names that they come with stays in his directory.
fn check_files(files: &Artifacts, size: usize, limit: AnswerLimits) {
    assert!(files.sent.len() <= limit.files && files.omitted.len() <= Artifacts::MAX_NAMED);
    assert!(files.sent.iter().all(|file| Artifacts::is_portable_name(&file.name)), "{files:?}");
    assert!(files.sent.iter().map(|file| file.name.len() + file.content.len()).sum::<usize>() <= size);
    let mut again = Vec::new();
    files.write(&mut again).expect("memory takes it");
    assert_eq!(again.len(), files.wire_bytes());
}

/// A result is one JSON value, and stays within its place in the body of a response.
fn check_result(value: &str, payload: &[u8], limit: usize) {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body<'a> {
        #[serde(borrow)]
        result: &'a RawValue,
        stdout: &'a str,
    }
    assert!(is_json(payload) && payload.len() <= limit);
    let body = format!(r#"{{"result":{value},"stdout":"printed"}}"#);
    let body: Body<'_> = serde_json::from_str(&body).expect("the body is JSON");
    assert_eq!((body.result.get(), body.stdout), (value, "printed"));
}
