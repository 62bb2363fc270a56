use std::time::Duration;

use proptest::prelude::*;

use super::{
    AnswerLimits, Artifacts, File, JOB_HEADER, JobFrame, MAX_DESCRIPTION, Malformed, OUTCOME_HEADER, Report,
    SkipReason, Task, Token, Verdict, decode_outcome, outcome_header,
};

const TOKEN: Token = *b"0123456789abcdef";
const LIMIT: AnswerLimits = AnswerLimits { result: 1 << 20, files: 4, file_bytes: 1 << 10 };

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    with_files(kind, payload, &[])
}

fn with_files(kind: u8, payload: &[u8], files: &[u8]) -> Vec<u8> {
    [&outcome_header(&TOKEN, kind, payload.len(), files.len())[..], payload, files].concat()
}

fn encoded(files: &Artifacts) -> Vec<u8> {
    let mut bytes = Vec::new();
    files.write(&mut bytes).expect("memory takes it");
    assert_eq!(bytes.len(), files.wire_bytes());
    bytes
}

fn received(files: &Artifacts) -> Result<Artifacts, Malformed> {
    let frame = with_files(b'R', b"1", &encoded(files));
    decode_outcome(&frame, &TOKEN, LIMIT).map(|report| report.expect("it is complete").files)
}

fn file(name: &str, content: &[u8]) -> File<Vec<u8>> {
    File { name: name.to_owned(), content: content.to_owned() }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..200)
}

prop_compose! {
    fn job()(token: Token, nanos in 1..u64::MAX, max_result_bytes: u64, max_file_bytes: u64, max_files: u32,
             task in prop::sample::select(&Task::ALL[..]), script in bytes(), inputs in bytes(),
             stdin in bytes(), imports in bytes(), files in prop::collection::vec((".{0,20}", bytes()), 0..4)) -> JobFrame<Vec<u8>> {
        let files = files.into_iter().map(|(name, content)| File { name, content }).collect();
        let timeout = Duration::from_nanos(nanos);
        JobFrame { token, timeout, max_result_bytes, max_file_bytes, max_files, task, script, inputs, stdin, imports, files }
    }
}

proptest! {
    #[test]
    fn a_job_arrives_as_it_was_sent(job in job()) {
        let (head, body) = job.encode();
        let wire = [vec![&head[..]], body].concat().concat();
        let mut rest = &wire[..];
        let read = JobFrame::read::<Malformed>(|buffer| {
            let (taken, left) = rest.split_at(buffer.len());
            buffer.copy_from_slice(taken);
            rest = left;
            Ok(())
        });
        prop_assert_eq!(read, Ok(job));
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn rubbish_is_never_an_outcome(bytes in bytes()) {
        prop_assert!(!matches!(decode_outcome(&bytes, &TOKEN, LIMIT), Ok(Some(_))));
    }

    #[test]
    fn rubbish_behind_the_right_token_never_panics(kind: u8, payload in bytes()) {
        let _ = decode_outcome(&frame(kind, &payload), &TOKEN, LIMIT);
    }

    #[test]
    fn rubbish_for_files_never_panics(files in bytes()) {
        let _ = decode_outcome(&with_files(b'R', b"1", &files), &TOKEN, LIMIT);
    }

    #[test]
    fn files_arrive_as_they_were_sent(contents in prop::collection::vec(bytes(), 0..4), sizes in prop::collection::vec(any::<u64>(), 0..9)) {
        let mut files = Artifacts::default();
        for (number, size) in sizes.into_iter().enumerate() {
            files.omit(&format!("omitted {number}"), size, SkipReason::ALL[number % SkipReason::ALL.len()]);
        }
        files.sent = contents.into_iter().enumerate().map(|(number, content)| file(&format!("d/{number}"), &content)).collect();
        prop_assert_eq!(received(&files), Ok(files));
    }

    #[test]
    fn an_outcome_is_incomplete_until_its_last_byte(cut in 0..(OUTCOME_HEADER + 7)) {
        let whole = frame(b'R', br#"{"a":1}"#);
        prop_assert!(matches!(decode_outcome(&whole[..cut], &TOKEN, LIMIT), Ok(None)));
    }
}

#[test]
fn a_result_is_passed_on_byte_for_byte() {
    let text = r#"{"b": [1, 1e999, 12345678901234567890123], "a": "\ud83d\ude00"}"#;
    let Ok(Some(Report { verdict: Verdict::Returned(value), .. })) =
        decode_outcome(&frame(b'R', text.as_bytes()), &TOKEN, LIMIT)
    else {
        panic!("no result")
    };
    assert_eq!(value.get(), text);
}

#[test]
fn a_deeply_nested_result_needs_no_stack() {
    let text = "[".repeat(200_000) + &"]".repeat(200_000);
    assert!(matches!(
        decode_outcome(&frame(b'R', text.as_bytes()), &TOKEN, LIMIT),
        Ok(Some(Report { verdict: Verdict::Returned(_), .. }))
    ));
}

#[test]
fn an_injected_member_is_not_a_value() {
    for text in [r#"1,"stdout":"forged""#, "1}", "NaN", "[1,]", "", "1 2"] {
        assert!(decode_outcome(&frame(b'R', text.as_bytes()), &TOKEN, LIMIT).is_err(), "{text}");
    }
}

#[test]
fn a_second_outcome_makes_both_void() {
    let twice = [frame(b'R', b"1"), frame(b'R', b"2")].concat();
    assert!(decode_outcome(&twice, &TOKEN, LIMIT).is_err());
}

#[test]
fn a_length_over_the_limit_is_refused_before_its_bytes_arrive() {
    for (kind, limit) in [(b'R', LIMIT.result), (b'E', MAX_DESCRIPTION), (b'J', MAX_DESCRIPTION)] {
        let header = outcome_header(&TOKEN, kind, limit + 1, 0);
        assert!(decode_outcome(&header, &TOKEN, LIMIT).is_err());
    }
    let files = LIMIT.files_on_the_wire();
    assert!(decode_outcome(&outcome_header(&TOKEN, b'R', 1, files), &TOKEN, LIMIT).is_ok());
    assert!(decode_outcome(&outcome_header(&TOKEN, b'R', 1, files + 1), &TOKEN, LIMIT).is_err());
    let none = AnswerLimits { files: 0, ..LIMIT };
    assert!(decode_outcome(&outcome_header(&TOKEN, b'R', 1, 1), &TOKEN, none).is_err());
}

/// A caller may write files to a disk under the names that they come with.
#[test]
fn a_file_with_a_dangerous_name_is_refused() {
    let long = "n".repeat(256);
    for name in [
        "",
        ".",
        "..",
        "/etc/passwd",
        "../x",
        "a/../x",
        "a//b",
        "a/",
        "a\\..\\x",
        "C:x",
        "a\nb",
        "a\0b",
        ".ssh/keys",
        "a/.b",
        &long,
    ] {
        let files = Artifacts { sent: vec![file(name, b"x")], ..Artifacts::default() };
        assert!(received(&files).is_err(), "{name:?}");
    }
    let twice = Artifacts { sent: vec![file("a", b"1"), file("a", b"2")], ..Artifacts::default() };
    assert!(received(&twice).is_err());
}

#[test]
fn more_files_than_were_allowed_are_refused() {
    let many = |count: usize, bytes: usize| Artifacts {
        sent: (0..count).map(|number| file(&number.to_string(), &vec![0; bytes])).collect(),
        ..Artifacts::default()
    };
    assert!(received(&many(4, 256)).is_ok());
    assert!(received(&many(5, 1)).is_err());
    assert!(received(&many(2, 513)).is_err());
    let mut uncounted = Artifacts::default();
    uncounted.omit("a", 1, SkipReason::Hidden);
    uncounted.omitted_count = 0;
    uncounted.sent.push(file("b", b""));
    assert!(received(&uncounted).is_err());
}

#[test]
fn omitted_files_are_counted_and_the_first_of_them_named() {
    let mut files = Artifacts::default();
    for number in 0..10_000 {
        files.omit(&format!("{number}{}", "é".repeat(300)), number, SkipReason::TooMany);
    }
    let received = received(&files).expect("it is well-formed");
    assert_eq!((received.omitted_count, received.omitted.len()), (10_000, Artifacts::MAX_NAMED));
    assert!(received.omitted.iter().all(|omitted| omitted.name.len() <= 255));
}

#[test]
fn a_forged_result_could_be_larger_than_a_small_limit() {
    let frame = frame(b'R', &[b'1'; 1025]);
    let limit = |result| AnswerLimits { result, ..LIMIT };
    assert!(decode_outcome(&frame, &TOKEN, limit(1025)).is_ok_and(|report| report.is_some()));
    assert!(decode_outcome(&frame, &TOKEN, limit(1024)).is_err());
}

#[test]
fn a_jobs_header_alone_made_room_for_what_it_announced() {
    let mut head = [0xff; JOB_HEADER];
    // A known task, and no files.
    head[JOB_HEADER - 21] = 0;
    head[JOB_HEADER - 4..].fill(0);
    let (mut largest, mut pending) = (0, &head[..]);
    let read = JobFrame::read::<Malformed>(|buffer| {
        largest = largest.max(buffer.len());
        let (taken, left) = pending.split_at_checked(buffer.len()).ok_or(Malformed("nothing more arrives"))?;
        buffer.copy_from_slice(taken);
        pending = left;
        Ok(())
    });
    assert!(read.is_err() && largest <= 64 * 1024, "{largest} bytes");
}
