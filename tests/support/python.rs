//! Python source that is written inside Rust.

/// Takes away the first line break and the indentation that all lines share.
pub fn dedent(source: &str) -> String {
    let source = source.strip_prefix('\n').unwrap_or(source);
    let margin = source
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    let mut text = String::with_capacity(source.len());
    for line in source.split_inclusive('\n') {
        let blank = line.trim_start_matches(' ').starts_with(['\n', '\r']);
        let start = if blank { 0 } else { margin.min(line.len()) };
        text.push_str(line.get(start..).unwrap_or_default());
    }
    text
}

/// A statement with which a script makes itself known to the machine's list of processes, so that a
/// test can wait for it to run. Names have at most 15 characters.
pub fn announcing(name: &str) -> String {
    assert!(name.len() <= 15, "the kernel would cut the name {name}");
    format!("__import__('ctypes').CDLL(None).prctl(15, b'{name}', 0, 0, 0)")
}
