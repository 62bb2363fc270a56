//! The modules that a script names in its imports.
//!
//! They are found by reading the text, not by running Python's parser on it: a worker that is about to be sealed imports
//! them while it is still open, and a script must not be able to do more to it until then than to name modules. What is
//! found is a hint: a name too many is a module too many, a name too few is an import that comes too late.

use std::collections::{BTreeSet, VecDeque};
use std::iter::Peekable;
use std::str::CharIndices;

/// More names than this are not looked at, nor longer ones.
const MAX_NAMES: usize = 256;
const MAX_LENGTH: usize = 128;

/// The names of modules, packages first, each in a line. The text is read once, in memory that does not depend on its length.
pub fn imports(script: &str) -> String {
    let mut tokens = Ahead::new(script);
    let mut found = Names::default();
    while let Some(token) = tokens.next() {
        match token {
            Token::Word("import") => plain(&mut tokens, &mut found),
            Token::Word("from") => members(&mut tokens, &mut found),
            Token::Word("import_module" | "__import__") => called(&mut tokens, &mut found),
            _ => {}
        }
    }
    found.0.into_iter().collect::<Vec<_>>().join("\n")
}

#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    fn add(&mut self, name: &str) {
        if self.0.len() < MAX_NAMES && name.len() <= MAX_LENGTH {
            self.0.insert(name.to_owned());
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// What stands between the quotes.
    Text(&'a str),
    Sign(char),
    Newline,
}

/// `import a.b as c, d`. Takes what belongs to it, as the next ones do.
fn plain(tokens: &mut Ahead<'_>, found: &mut Names) {
    while let Some((name, end)) = tokens.dotted() {
        found.add(&name);
        tokens.skip(end);
        tokens.skip_alias();
        if !tokens.skip_if(Token::Sign(',')) {
            return;
        }
    }
}

/// `from a.b import c as d, e`: each may be a module of the package.
fn members(tokens: &mut Ahead<'_>, found: &mut Names) {
    let Some((package, end)) = tokens.dotted().filter(|(_, end)| tokens.peek(*end) == Some(Token::Word("import")))
    else {
        return relative(tokens);
    };
    found.add(&package);
    tokens.skip(end + 1);
    let in_brackets = tokens.skip_if(Token::Sign('('));
    loop {
        match tokens.peek(0) {
            Some(Token::Newline) if in_brackets => tokens.skip(1),
            Some(Token::Sign(',')) => tokens.skip(1),
            Some(Token::Word(name)) => {
                if package.len() + name.len() < MAX_LENGTH {
                    found.add(&format!("{package}.{name}"));
                }
                tokens.skip(1);
                tokens.skip_alias();
            }
            _ => return,
        }
    }
}

/// `from .a import b` names nothing: a script is in no package.
fn relative(tokens: &mut Ahead<'_>) {
    if !tokens.skip_if(Token::Sign('.')) {
        return;
    }
    while tokens.skip_if(Token::Sign('.')) {}
    if let Some((_, end)) = tokens.dotted() {
        tokens.skip(end);
    }
    tokens.skip_if(Token::Word("import"));
}

/// `import_module("a.b")`. Takes nothing.
fn called(tokens: &mut Ahead<'_>, found: &mut Names) {
    if tokens.peek(0) == Some(Token::Sign('('))
        && let Some(Token::Text(name)) = tokens.peek(1)
        && name.split('.').all(|part| !part.is_empty() && part.chars().all(is_part_of_word))
    {
        found.add(name);
    }
}

/// Tokens, of which the next ones can be looked at. Each is made once; those that wait are no more than a name has parts.
struct Ahead<'a> {
    tokens: Tokens<'a>,
    waiting: VecDeque<Token<'a>>,
}

impl<'a> Iterator for Ahead<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.waiting.pop_front().or_else(|| self.tokens.next())
    }
}

impl<'a> Ahead<'a> {
    fn new(text: &'a str) -> Self {
        Self { tokens: Tokens { text, chars: text.char_indices().peekable() }, waiting: VecDeque::new() }
    }

    fn peek(&mut self, at: usize) -> Option<Token<'a>> {
        while self.waiting.len() <= at {
            self.waiting.push_back(self.tokens.next()?);
        }
        self.waiting.get(at).copied()
    }

    /// Takes tokens that were looked at.
    fn skip(&mut self, count: usize) {
        self.waiting.drain(..count);
    }

    fn skip_if(&mut self, token: Token<'_>) -> bool {
        let is_next = self.peek(0) == Some(token);
        if is_next {
            self.skip(1);
        }
        is_next
    }

    fn skip_alias(&mut self) {
        if self.peek(0) == Some(Token::Word("as")) && matches!(self.peek(1), Some(Token::Word(_))) {
            self.skip(2);
        }
    }

    /// The name that comes next, and how many tokens it has; no relative one.
    fn dotted(&mut self) -> Option<(String, usize)> {
        let Some(Token::Word(first)) = self.peek(0) else { return None };
        if first == "import" {
            return None;
        }
        let (mut name, mut end) = (String::new(), 1);
        extend(&mut name, first);
        // A longer one is left out.
        while name.len() <= MAX_LENGTH
            && self.peek(end) == Some(Token::Sign('.'))
            && let Some(Token::Word(part)) = self.peek(end + 1)
        {
            name.push('.');
            extend(&mut name, part);
            end += 2;
        }
        Some((name, end))
    }
}

/// Appends a part to a name: of one that is too long no more than shows that it is.
fn extend(name: &mut String, part: &str) {
    name.extend(part.chars().take(MAX_LENGTH + 1));
}

/// Splits a text into what matters here: comments are passed over, literals kept whole.
struct Tokens<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let (start, first) = self.chars.next()?;
            match first {
                '\n' | '\r' => return Some(Token::Newline),
                '\\' => {
                    // The line goes on.
                    self.chars.next_if(|(_, next)| *next == '\r');
                    self.chars.next_if(|(_, next)| *next == '\n');
                }
                '#' => while self.chars.next_if(|(_, next)| *next != '\n').is_some() {},
                '"' | '\'' => return Some(self.literal(first)),
                blank if blank.is_whitespace() => {}
                letter if is_part_of_word(letter) => return Some(self.word(start)),
                sign => return Some(Token::Sign(sign)),
            }
        }
    }
}

impl<'a> Tokens<'a> {
    fn here(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn word(&mut self, start: usize) -> Token<'a> {
        while self.chars.next_if(|(_, next)| is_part_of_word(*next)).is_some() {}
        let end = self.here();
        Token::Word(&self.text[start..end])
    }

    /// A string, whose first quote has been taken. One that has no end goes to the end of its line, or of the text.
    fn literal(&mut self, quote: char) -> Token<'a> {
        let start = self.here();
        let long = [quote, quote].iter().collect::<String>();
        if self.text[start..].starts_with(&long) {
            self.chars.next();
            self.chars.next();
            return self.until(&[quote; 3].iter().collect::<String>(), true);
        }
        self.until(&quote.to_string(), false)
    }

    fn until(&mut self, end: &str, over_lines: bool) -> Token<'a> {
        let start = self.here();
        while let Some((at, next)) = self.chars.next() {
            match next {
                '\\' => drop(self.chars.next()),
                '\n' if !over_lines => return Token::Newline,
                _ if self.text[at..].starts_with(end) => {
                    for _ in 1..end.len() {
                        self.chars.next();
                    }
                    return Token::Text(&self.text[start..at]);
                }
                _ => {}
            }
        }
        Token::Newline
    }
}

fn is_part_of_word(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::imports;

    fn found(script: &str) -> Vec<String> {
        imports(script).lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_form_is_found() {
        assert_eq!(found("import numpy as np, pandas\n"), ["numpy", "pandas"]);
        assert_eq!(found("import a.b.c; import d"), ["a.b.c", "d"]);
        assert_eq!(found("if x:\n  from os import path as p, sep"), ["os", "os.path", "os.sep"]);
        assert_eq!(found("from a.b import (c,  # why\n  d as e,\n)\nimport f"), ["a.b", "a.b.c", "a.b.d", "f"]);
        assert_eq!(found("from a \\\n  import b"), ["a", "a.b"]);
        assert_eq!(found("m = importlib.import_module('x.y')\n__import__(\"z\")"), ["x.y", "z"]);
        assert_eq!(found("from a import *"), ["a"]);
    }

    #[test]
    fn what_only_looks_like_one_is_not() {
        assert_eq!(found("# import a\nx = 'import b'\ny = '''\nimport c\n'''\n"), [] as [&str; 0]);
        assert_eq!(found("r = f\"import {d}\"\n'it\\'s import e'"), [] as [&str; 0]);
        assert_eq!(found("yield from a\nraise b from c\nfrom . import d\nimports = 1"), [] as [&str; 0]);
        assert_eq!(found("import_module(name)\n__import__('not a name')"), [] as [&str; 0]);
        assert_eq!(found("x = 'unfinished\nimport f"), ["f"]);
    }

    #[test]
    fn there_is_an_end_to_it() {
        let many = (0..10_000).map(|number| format!("import m{number}")).collect::<Vec<_>>().join("\n");
        assert_eq!(found(&many).len(), super::MAX_NAMES);
        assert_eq!(found(&format!("import {}", "a".repeat(1000))).len(), 0);
        let long = format!("import {}\n", "a".repeat(1000)).repeat(1000);
        assert_eq!(found(&format!("{long}{}import b", "(".repeat(100_000))), ["b"]);
        // Each of these would take minutes if names grew with the text.
        assert_eq!(found(&format!("{}import c", "from ".repeat(100_000))), ["from", "from.c"]);
        let (dots, words) = ("a.".repeat(300_000), "from.".repeat(100_000));
        assert_eq!(found(&format!("import {dots}a\nfrom {dots}a import {}b", "b,".repeat(100_000))), ["b"]);
        assert_eq!(found(&format!("from {words}a")).len(), 0);
        assert_eq!(found(&format!("from {} import {}b", "a".repeat(300_000), "b,".repeat(100_000))).len(), 0);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(script in "(import|from|[a-z.,()'\"\\\\#\n ]|é|\u{1f40d}){0,60}") {
            imports(&script);
        }
    }
}
