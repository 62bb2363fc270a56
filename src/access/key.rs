//! An API key, as it is configured: a name, a digest, limits.

use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::rates::Rate;

/// A key that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Whose it is, for the log and for its buckets. Keys that are exchanged for one another have the same name.
    pub name: Arc<str>,
    pub limits: Limits,
    digest: [u8; 32],
}

/// What the callers with a key may do, if it is not what all may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    pub rate: Option<RateLimit>,
    /// How many jobs may run at the same time.
    pub concurrency: Option<usize>,
    /// The time limit of a job. That of all holds too.
    pub timeout: Option<Duration>,
}

/// The rate of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimit {
    Unlimited,
    At(Rate),
}

impl RateLimit {
    pub fn rate(self) -> Option<Rate> {
        match self {
            Self::Unlimited => None,
            Self::At(rate) => Some(rate),
        }
    }
}

/// Why a key cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not shown, since it may be a key.
    #[error("an entry is not `name:sha256hex`; `make key` makes one")]
    Form,
    #[error("{0:?}: a name has letters, digits, `.`, `-` and `_` only")]
    Name(String),
    #[error("{0:?}: a SHA-256 digest has 64 hexadecimal digits")]
    Digest(String),
    #[error(
        "{name:?}: {option:?} is not `rate=60/minute` (or `rate=unlimited`), `burst=10`, `concurrency=2` or `timeout=5`"
    )]
    Option { name: String, option: String },
    #[error("{0:?}: `burst` needs a `rate`")]
    Burst(String),
    #[error("{0:?}: keys of the same name must have the same limits")]
    Limits(String),
}

/// The digest of a key that a caller has sent.
pub struct Presented([u8; 32]);

impl Presented {
    pub fn new(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Whether it is this one. Takes as long as if it is another one.
    pub fn is(&self, key: &Key) -> bool {
        key.digest.ct_eq(&self.0).into()
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, rest) = text.trim().split_once(':').ok_or(KeyError::Form)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_plain) {
            return Err(KeyError::Name(name.to_owned()));
        }
        let (digits, options) = rest.split_once(';').unwrap_or((rest, ""));
        let digest = digest(digits.trim()).ok_or_else(|| KeyError::Digest(name.to_owned()))?;
        Ok(Self { name: name.into(), digest, limits: limits(name, options)? })
    }
}

fn limits(name: &str, options: &str) -> Result<Limits, KeyError> {
    let (mut limits, mut burst) = (Limits::default(), None);
    for option in options.split(';').map(str::trim).filter(|option| !option.is_empty()) {
        let wrong = || KeyError::Option { name: name.to_owned(), option: option.to_owned() };
        let (what, value) = option.split_once('=').ok_or_else(wrong)?;
        match (what.trim(), value.trim()) {
            ("rate", "unlimited") => limits.rate = Some(RateLimit::Unlimited),
            ("rate", rate) => limits.rate = Some(RateLimit::At(rate.parse().map_err(|_| wrong())?)),
            ("burst", number) => burst = Some(number.parse::<NonZeroU32>().map_err(|_| wrong())?),
            ("concurrency", number) => {
                limits.concurrency = Some(number.parse::<NonZeroUsize>().map_err(|_| wrong())?.get());
            }
            ("timeout", seconds) => limits.timeout = Some(seconds_of(seconds).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        }
    }
    match (limits.rate, burst) {
        (Some(RateLimit::At(rate)), Some(burst)) => limits.rate = Some(RateLimit::At(rate.with_burst(burst))),
        (None | Some(RateLimit::Unlimited), Some(_)) => return Err(KeyError::Burst(name.to_owned())),
        (_, None) => {}
    }
    Ok(limits)
}

fn seconds_of(text: &str) -> Option<Duration> {
    let time = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
    (!time.is_zero()).then_some(time)
}

fn digest(digits: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(digest)
}

/// Reads the keys of a list: of a variable, separated by commas, or of a file, one in a line, with comments behind `#`.
pub fn parse(text: &str) -> Result<Vec<Key>, KeyError> {
    let without_comments = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let entries = without_comments.flat_map(|line| line.split(',')).map(str::trim).filter(|entry| !entry.is_empty());
    let keys = entries.map(Key::from_str).collect::<Result<Vec<_>, _>>()?;
    agree(&keys).map(|()| keys)
}

/// Keys of the same name share a bucket.
pub fn agree<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Result<(), KeyError> {
    let mut known = HashMap::new();
    for key in keys {
        if *known.entry(&key.name).or_insert(key.limits) != key.limits {
            return Err(KeyError::Limits(key.name.to_string()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn lists_have_commas_lines_and_comments() {
        let text = format!("# keys\nci:{DIGEST} # old\n\nnew.one:{DIGEST},third_1:{DIGEST}\n");
        let names: Vec<_> = parse(&text).unwrap().into_iter().map(|key| key.name.to_string()).collect();
        assert_eq!(names, ["ci", "new.one", "third_1"]);
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn a_key_may_have_limits_of_its_own() {
        let key = |options: &str| parse(&format!("ci:{DIGEST}{options}")).map(|mut keys| keys.remove(0).limits);
        let rate: Rate = "60/minute".parse().unwrap();
        let burst = rate.with_burst(NonZeroU32::new(5).unwrap());
        assert_eq!(key(""), Ok(Limits::default()));
        assert_eq!(key(";rate=60/minute").unwrap().rate, Some(RateLimit::At(rate)));
        assert_eq!(key("; burst=5 ; rate = 60/minute").unwrap().rate, Some(RateLimit::At(burst)));
        let all = key(";rate=unlimited;concurrency=2;timeout=1.5").unwrap();
        assert_eq!((all.rate, all.concurrency), (Some(RateLimit::Unlimited), Some(2)));
        assert_eq!(all.timeout, Some(Duration::from_millis(1500)));
        for wrong in
            [";rate=60", ";rate", ";burst=0;rate=1/hour", ";concurrency=0", ";timeout=0", ";timeout=nan", ";size=1"]
        {
            assert!(matches!(key(wrong), Err(KeyError::Option { .. })), "{wrong}");
        }
        assert_eq!(key(";burst=5"), Err(KeyError::Burst("ci".to_owned())));
        let two = format!("ci:{DIGEST};rate=1/hour,ci:{DIGEST}");
        assert_eq!(parse(&two), Err(KeyError::Limits("ci".to_owned())));
    }

    #[test]
    fn what_is_wrong_is_said_without_telling_a_key() {
        for (text, error) in [
            ("secret", "an entry is not `name:sha256hex`; `make key` makes one"),
            (":x", "\"\": a name has letters, digits, `.`, `-` and `_` only"),
            ("ci:secret", "\"ci\": a SHA-256 digest has 64 hexadecimal digits"),
            (&format!("ci:{}", "é".repeat(32)), "\"ci\": a SHA-256 digest has 64 hexadecimal digits"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), error);
        }
    }
}
