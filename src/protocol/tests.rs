use std::time::Duration;

use proptest::prelude::*;

use super::{
    File, JOB_HEADER, JobFrame, MAX_DESCRIPTION, Malformed, OUTCOME_HEADER, Token, Verdict, decode_outcome,
    outcome_header,
};

const TOKEN: Token = *b"0123456789abcdef";
const LIMIT: usize = 1 << 20;

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&outcome_header(&TOKEN, kind, payload.len())[..], payload].concat()
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..200)
}

prop_compose! {
    fn job()(token: Token, nanos in 1..u64::MAX, max_result_bytes: u64, script in bytes(), inputs in bytes(),
             stdin in bytes(), imports in bytes(), files in prop::collection::vec((".{0,20}", bytes()), 0..4)) -> JobFrame<Vec<u8>> {
        let files = files.into_iter().map(|(name, content)| File { name, content }).collect();
        JobFrame { token, timeout: Duration::from_nanos(nanos), max_result_bytes, script, inputs, stdin, imports, files }
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
    fn an_outcome_is_incomplete_until_its_last_byte(cut in 0..(OUTCOME_HEADER + 7)) {
        let whole = frame(b'R', br#"{"a":1}"#);
        prop_assert!(matches!(decode_outcome(&whole[..cut], &TOKEN, LIMIT), Ok(None)));
    }
}

#[test]
fn a_result_is_passed_on_byte_for_byte() {
    let text = r#"{"b": [1, 1e999, 12345678901234567890123], "a": "\ud83d\ude00"}"#;
    let Ok(Some(Verdict::Returned(value))) = decode_outcome(&frame(b'R', text.as_bytes()), &TOKEN, LIMIT) else {
        panic!("no result")
    };
    assert_eq!(value.get(), text);
}

#[test]
fn a_deeply_nested_result_needs_no_stack() {
    let text = "[".repeat(200_000) + &"]".repeat(200_000);
    assert!(matches!(decode_outcome(&frame(b'R', text.as_bytes()), &TOKEN, LIMIT), Ok(Some(Verdict::Returned(_)))));
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
    for (kind, limit) in [(b'R', LIMIT), (b'E', MAX_DESCRIPTION), (b'J', MAX_DESCRIPTION)] {
        let header = outcome_header(&TOKEN, kind, limit + 1);
        assert!(decode_outcome(&header, &TOKEN, LIMIT).is_err());
    }
}

#[test]
fn a_forged_result_could_be_larger_than_a_small_limit() {
    let frame = frame(b'R', &[b'1'; 1025]);
    assert!(decode_outcome(&frame, &TOKEN, 1025).is_ok_and(|verdict| verdict.is_some()));
    assert!(decode_outcome(&frame, &TOKEN, 1024).is_err());
}

#[test]
fn a_jobs_header_alone_made_room_for_what_it_announced() {
    let mut head = [0xff; JOB_HEADER];
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
