//! What a script prints.

use py_executor::executor::capture::Capture;

use super::memory;

/// Ends a piece of the output.
const SEPARATOR: u8 = b'|';

/// The first byte is the limit; the rest is printed in pieces that end with the separator.
pub fn check(bytes: &[u8]) {
    let Some((limit, output)) = bytes.split_first() else { return };
    let limit = usize::from(*limit);
    let mut capture = Capture::new(limit);
    memory::within(4 * limit + 64, || {
        for piece in output.split_inclusive(|byte| *byte == SEPARATOR) {
            capture.push(piece);
        }
    });
    let text = memory::within(16 * limit + 512, || capture.into_printed().text);
    if output.len() <= limit {
        assert_eq!(text, String::from_utf8_lossy(output));
    } else {
        let kept = (0..4).any(|before| (0..4).any(|behind| text == shortened(output, limit, before, behind)));
        assert!(kept, "{text:?} is not what {limit} bytes can keep of {:?}", output.escape_ascii().to_string());
    }
}

/// The text, if a character at the cut loses its bytes `before` it and `behind` it.
fn shortened(output: &[u8], limit: usize, before: usize, behind: usize) -> String {
    let tail = limit / 4;
    let (head, tail) = ((limit - tail).saturating_sub(before), tail.saturating_sub(behind));
    let left_out = output.len() - head - tail;
    let head = String::from_utf8_lossy(&output[..head]);
    let newline = if head.ends_with('\n') { "" } else { "\n" };
    format!(
        "{head}{newline}... {left_out} bytes left out ...\n{}",
        String::from_utf8_lossy(&output[output.len() - tail..])
    )
}
