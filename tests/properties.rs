//! The fuzz targets' properties, on a stable compiler: with every seed, and with seeds that were tampered with.

#[path = "../fuzz/properties/mod.rs"]
mod properties;

use std::fmt;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

/// What a property reads, shown as a Rust byte string.
#[derive(Clone)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

fn seeds(target: &str) -> Vec<Input> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let files = std::fs::read_dir(directory).expect("every target has seeds");
    files.map(|file| Input(std::fs::read(file.expect("it can be listed").path()).expect("it can be read"))).collect()
}

/// One way to tamper with bytes. An index is a place in them.
#[derive(Debug, Clone)]
enum Change {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
}

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Self::Set(place, byte)),
            (any::<Index>(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, new)| Self::Insert(at, new)),
            (any::<Index>(), 1usize..9).prop_map(|(place, count)| Self::Remove(place, count)),
            (any::<Index>(), 1usize..40).prop_map(|(place, count)| Self::Repeat(place, count)),
            any::<Index>().prop_map(Self::Cut),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        let (Self::Set(place, _)
        | Self::Insert(place, _)
        | Self::Remove(place, _)
        | Self::Repeat(place, _)
        | Self::Cut(place)) = self;
        let at = place.index(bytes.len() + 1);
        match self {
            Self::Set(_, byte) => bytes.iter_mut().skip(at).take(1).for_each(|place| *place = *byte),
            Self::Insert(_, new) => drop(bytes.splice(at..at, new.iter().copied())),
            Self::Remove(_, count) => drop(bytes.drain(at..bytes.len().min(at + count))),
            Self::Repeat(_, count) => bytes.extend_from_within(at..bytes.len().min(at + count)),
            Self::Cut(_) => bytes.truncate(at),
        }
    }
}

/// A seed after a few changes.
fn tampered(seeds: Vec<Input>) -> impl Strategy<Value = Input> {
    let changes = prop::collection::vec(Change::any(), 0..6);
    (prop::sample::select(seeds), changes).prop_map(|(Input(mut bytes), changes)| {
        for change in changes {
            change.apply(&mut bytes);
        }
        Input(bytes)
    })
}

macro_rules! hold {
    ($($target:ident),*) => {
        $(#[test]
        fn $target() {
            let seeds = seeds(stringify!($target));
            for Input(seed) in &seeds {
                properties::$target::check(seed);
            }
            let config = ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() };
            proptest!(config, |(Input(bytes) in tampered(seeds))| properties::$target::check(&bytes));
        })*

        /// The targets here are those of the fuzz crate.
        #[test]
        fn every_target_is_tested() {
            let mut tested = vec![$(stringify!($target)),*];
            let mut targets: Vec<String> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/targets"))
                .expect("the fuzz crate is there")
                .map(|file| file.expect("it can be listed").path().file_stem().expect("a name").display().to_string())
                .collect();
            tested.sort_unstable();
            targets.sort_unstable();
            assert_eq!(tested, targets);
        }
    };
}

hold!(outcome, job_frame, request, lambda_event, capture, procfs);
