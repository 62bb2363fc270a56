//! The frames of an HTTP/2 connection (RFC 9113), as far as they have to be counted.

/// The beginning of a connection (3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a frame's head besides its length (4.1): type, flags and stream.
const HEAD: usize = 6;

/// What a client speaks.
#[derive(Debug, PartialEq, Eq)]
pub enum Protocol {
    /// So many bytes were those of the preface.
    Unknown(usize),
    Http1,
    Http2(Frames),
}

/// Counts frames as their bytes come.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// Bytes that belong to the last frame.
    rest: usize,
    /// The length of the next one, as far as it has come.
    length: usize,
    digits: usize,
}

impl Protocol {
    /// Reads on; gives the number of frames that have begun.
    pub fn read(&mut self, bytes: &[u8]) -> u32 {
        match self {
            Self::Http1 => 0,
            Self::Http2(frames) => frames.read(bytes),
            Self::Unknown(matched) => {
                let expected = &PREFACE[*matched..];
                let (begin, rest) = bytes.split_at(expected.len().min(bytes.len()));
                *self = if !expected.starts_with(begin) {
                    Self::Http1
                } else if begin.len() < expected.len() {
                    Self::Unknown(*matched + begin.len())
                } else {
                    Self::Http2(Frames::default())
                };
                if rest.is_empty() { 0 } else { self.read(rest) }
            }
        }
    }
}

impl Frames {
    fn read(&mut self, mut bytes: &[u8]) -> u32 {
        let mut count = 0;
        while let Some((byte, behind)) = bytes.split_first() {
            if self.rest > 0 {
                let passed = self.rest.min(bytes.len());
                self.rest -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            self.length = self.length << 8 | usize::from(*byte);
            self.digits += 1;
            bytes = behind;
            if self.digits == 3 {
                count += 1;
                *self = Self { rest: HEAD + self.length, ..Self::default() };
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        let head = u32::try_from(length).unwrap().to_be_bytes();
        [&head[1..], &[6, 0, 0, 0, 0, 0], &vec![255; length]].concat()
    }

    #[test]
    fn what_does_not_begin_like_http_2_is_not() {
        for text in ["GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSN"] {
            let mut protocol = Protocol::Unknown(0);
            for byte in text.as_bytes() {
                assert_eq!(protocol.read(&[*byte]), 0);
            }
            assert_eq!(protocol, Protocol::Http1);
        }
    }

    proptest! {
        #[test]
        fn frames_are_counted_however_their_bytes_come(
            lengths in prop::collection::vec(prop_oneof![0..20_usize, Just(70_000)], 0..20),
            parts in prop::collection::vec(1..3000_usize, 1..20),
        ) {
            let frames = lengths.iter().flat_map(|length| frame(*length));
            let bytes: Vec<u8> = PREFACE.iter().copied().chain(frames).collect();
            let (mut protocol, mut rest, mut count) = (Protocol::Unknown(0), &bytes[..], 0);
            for part in parts.iter().cycle() {
                let (now, later) = rest.split_at(rest.len().min(*part));
                count += protocol.read(now);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(count as usize, lengths.len());
            prop_assert!(matches!(protocol, Protocol::Http2(_)));
        }
    }
}
