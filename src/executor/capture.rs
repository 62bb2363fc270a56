//! What a script printed, bounded: the beginning and the end are kept, the middle is counted.

use std::collections::VecDeque;

use crate::outcome::Printed;

/// Collects one stream.
#[derive(Debug)]
pub struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    max_head: usize,
    max_tail: usize,
    left_out: usize,
    emitted: Emitted,
}

/// How much of the stream has been told while it was collected.
#[derive(Debug, Clone, Copy, Default)]
struct Emitted {
    /// Bytes of the head.
    head: usize,
    /// Bytes of the text that these became.
    text: usize,
}

impl Capture {
    /// Keeps at most `limit` bytes: the first three quarters and the last quarter.
    pub fn new(limit: usize) -> Self {
        let max_tail = limit / 4;
        Self {
            head: Vec::new(),
            tail: VecDeque::new(),
            max_head: limit - max_tail,
            max_tail,
            left_out: 0,
            emitted: Emitted::default(),
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(self.max_head - self.head.len()));
        self.head.extend_from_slice(head);
        // Of more bytes than the tail can hold, only the last ones are worth copying.
        let skipped = rest.len().saturating_sub(self.max_tail);
        self.tail.extend(&rest[skipped..]);
        let surplus = self.tail.len().saturating_sub(self.max_tail);
        self.tail.drain(..surplus);
        self.left_out += skipped + surplus;
    }

    /// What has come since this was asked last, of the beginning that is kept for sure. All of these together are what the
    /// text begins with, so a character that is not complete yet is left for the next time.
    pub fn take_new(&mut self) -> Option<String> {
        let take_new = &self.head[self.emitted.head..];
        let complete = &take_new[..take_new.len() - incomplete_at_end(take_new)];
        if complete.is_empty() {
            return None;
        }
        let text = String::from_utf8_lossy(complete).into_owned();
        self.emitted.head += complete.len();
        self.emitted.text += text.len();
        Some(text)
    }

    /// Bytes of the text that have been told already.
    pub fn emitted(&self) -> usize {
        self.emitted.text
    }

    /// The text, decoded as UTF-8 with replacement; where bytes are missing, a line says how many.
    pub fn into_printed(mut self) -> Printed {
        if self.left_out == 0 {
            self.head.extend(self.tail);
            return Printed { text: into_string(self.head), left_out: 0 };
        }
        // A character that the cut has split is left out whole.
        let (head, tail) = (&self.head[..], &*self.tail.make_contiguous());
        let (split_before, split_behind) = (incomplete_at_end(head), continuation_at_start(tail));
        let (head, tail) = (&head[..head.len() - split_before], &tail[split_behind..]);
        let left_out = self.left_out + split_before + split_behind;
        let (head, tail) = (String::from_utf8_lossy(head), String::from_utf8_lossy(tail));
        let newline = if head.ends_with('\n') { "" } else { "\n" };
        Printed { text: format!("{head}{newline}... {left_out} bytes left out ...\n{tail}"), left_out }
    }
}

fn into_string(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Bytes at the end that begin a character without completing it.
fn incomplete_at_end(bytes: &[u8]) -> usize {
    // A character has at most four bytes, so what is incomplete has at most three.
    let window = &bytes[bytes.len().saturating_sub(3)..];
    let begins = |byte: &u8| (*byte & 0xc0) != 0x80;
    let Some(start) = window.iter().rposition(begins) else { return 0 };
    let incomplete = std::str::from_utf8(&window[start..]).is_err_and(|error| error.error_len().is_none());
    if incomplete { window.len() - start } else { 0 }
}

/// Bytes at the start that continue a character which begins before.
fn continuation_at_start(bytes: &[u8]) -> usize {
    bytes.iter().take(3).take_while(|byte| (**byte & 0xc0) == 0x80).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Capture;

    fn capture(limit: usize, chunks: &[&[u8]]) -> String {
        let mut capture = Capture::new(limit);
        for chunk in chunks {
            capture.push(chunk);
        }
        capture.into_printed().text
    }

    /// Text, cut characters and rubbish.
    fn chunk() -> impl Strategy<Value = Vec<u8>> {
        let parts: [&[u8]; 6] = [b"a", b"\xf0\x9f", b"\x98\x80", b"\xc3", b"\xa9", b"\xff"];
        let part = prop::sample::select(parts.to_vec());
        prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    #[test]
    fn what_fits_is_kept_whole() {
        assert_eq!(capture(8, &[b"abc", b"defgh"]), "abcdefgh");
        assert_eq!(capture(8, &[]), "");
    }

    #[test]
    fn the_middle_is_left_out_and_counted() {
        assert_eq!(capture(8, &[b"abcdef", b"ghijkl"]), "abcdef\n... 4 bytes left out ...\nkl");
        assert_eq!(capture(8, &[b"abcde\n", b"0123456789"]), "abcde\n... 8 bytes left out ...\n89");
    }

    #[test]
    fn rubbish_is_replaced() {
        assert_eq!(capture(100, &[b"a\xff\xed\xa0\x80\0b"]), "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}\0b");
    }

    #[test]
    fn a_cut_splits_no_character() {
        let text = "äöüß€😀".repeat(10);
        for limit in 8..40 {
            let kept = capture(limit, &[text.as_bytes()]);
            assert!(!kept.contains('\u{fffd}'), "{limit}: {kept}");
        }
    }

    proptest! {
        #[test]
        fn what_is_told_is_what_the_text_begins_with(chunks in prop::collection::vec(chunk(), 0..20), limit in 4usize..60) {
            let mut capture = Capture::new(limit);
            let mut told = String::new();
            for chunk in &chunks {
                capture.push(chunk);
                told.extend(capture.take_new());
            }
            prop_assert_eq!(told.len(), capture.emitted());
            let text = capture.into_printed().text;
            prop_assert!(text.starts_with(&told), "{:?} {:?}", text, told);
        }

        #[test]
        fn kept_and_left_out_add_up(chunks in prop::collection::vec("[a-z]{0,30}", 0..20), limit in 4usize..60) {
            let whole = chunks.concat();
            let chunks: Vec<&[u8]> = chunks.iter().map(String::as_bytes).collect();
            let text = capture(limit, &chunks);
            if whole.len() <= limit {
                prop_assert_eq!(text, whole);
            } else {
                let marker = format!("\n... {} bytes left out ...\n", whole.len() - limit);
                let (head, tail) = text.split_once(&marker).expect("a marker");
                prop_assert_eq!((head.len(), tail.len()), (limit - limit / 4, limit / 4));
                prop_assert!(whole.starts_with(head) && whole.ends_with(tail));
            }
        }
    }
}
