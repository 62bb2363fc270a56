//! The modules that a script names in its imports.
//!
//! They are found by reading the text, not by running Python's parser on it: a worker that is about to be sealed imports
//! them while it is still open, and a script must not be able to do more to it until then than to name modules. What is
//! found is a hint: a name too many is a module too many, a name too few is an import that comes too late.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::CharIndices;

/// More names than this are not looked at, nor longer ones.
const MAX_NAMES: usize = 256;
const MAX_LENGTH: usize = 128;

/// The names of modules, packages first, each in a line.
pub fn imports(script: &str) -> String {
    let tokens: Vec<Token<'_>> = Tokens { text: script, chars: script.char_indices().peekable() }.collect();
    let mut found = BTreeSet::new();
    let mut rest = tokens.as_slice();
    while let [first, behind @ ..] = rest {
        rest = match first {
            Token::Word("import") => plain(behind, &mut found),
            Token::Word("from") => members(behind, &mut found),
            Token::Word("import_module" | "__import__") => called(behind, &mut found),
            _ => behind,
        };
    }
    found.into_iter().filter(|name| name.len() <= MAX_LENGTH).collect::<Vec<_>>().join("\n")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// What stands between the quotes.
    Text(&'a str),
    Sign(char),
    Newline,
}

/// `import a.b as c, d`. Gives what follows, as the next two do.
fn plain<'a, 'b>(tokens: &'b [Token<'a>], found: &mut BTreeSet<String>) -> &'b [Token<'a>] {
    let mut rest = tokens;
    while let Some((name, behind)) = dotted(rest) {
        add(&name, found);
        rest = without_alias(behind);
        let [Token::Sign(','), behind @ ..] = rest else { break };
        rest = behind;
    }
    rest
}

/// `from a.b import c as d, e`: each may be a module of the package.
fn members<'a, 'b>(tokens: &'b [Token<'a>], found: &mut BTreeSet<String>) -> &'b [Token<'a>] {
    let Some((package, [Token::Word("import"), rest @ ..])) = dotted(tokens) else {
        return relative(tokens);
    };
    add(&package, found);
    let (mut rest, in_brackets) = match rest {
        [Token::Sign('('), rest @ ..] => (rest, true),
        rest => (rest, false),
    };
    loop {
        rest = match rest {
            [Token::Newline, behind @ ..] if in_brackets => behind,
            [Token::Word(name), behind @ ..] => {
                if package.len() <= MAX_LENGTH {
                    add(&format!("{package}.{name}"), found);
                }
                without_alias(behind)
            }
            [Token::Sign(','), behind @ ..] => behind,
            _ => return rest,
        };
    }
}

/// `from .a import b` names nothing: a script is in no package.
fn relative<'a, 'b>(tokens: &'b [Token<'a>]) -> &'b [Token<'a>] {
    let dots = tokens.iter().take_while(|token| **token == Token::Sign('.')).count();
    if dots == 0 {
        return tokens;
    }
    let behind = dotted(&tokens[dots..]).map_or(&tokens[dots..], |(_, behind)| behind);
    if let [Token::Word("import"), rest @ ..] = behind { rest } else { behind }
}

/// `import_module("a.b")`
fn called<'a, 'b>(tokens: &'b [Token<'a>], found: &mut BTreeSet<String>) -> &'b [Token<'a>] {
    if let [Token::Sign('('), Token::Text(name), ..] = tokens
        && name.split('.').all(|part| !part.is_empty() && part.chars().all(is_part_of_word))
    {
        add(name, found);
    }
    tokens
}

/// A name and what follows it; no relative one.
fn dotted<'a, 'b>(tokens: &'b [Token<'a>]) -> Option<(String, &'b [Token<'a>])> {
    let [Token::Word(first), rest @ ..] = tokens else { return None };
    if *first == "import" {
        return None;
    }
    let (mut name, mut rest) = ((*first).to_owned(), rest);
    // What is longer is left out in the end.
    while let [Token::Sign('.'), Token::Word(part), behind @ ..] = rest
        && name.len() <= MAX_LENGTH
    {
        name = format!("{name}.{part}");
        rest = behind;
    }
    Some((name, rest))
}

fn without_alias<'a, 'b>(tokens: &'b [Token<'a>]) -> &'b [Token<'a>] {
    if let [Token::Word("as"), Token::Word(_), rest @ ..] = tokens { rest } else { tokens }
}

fn add(name: &str, found: &mut BTreeSet<String>) {
    if found.len() < MAX_NAMES {
        found.insert(name.to_owned());
    }
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
        // Each of these would take minutes if names grew with the text.
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
