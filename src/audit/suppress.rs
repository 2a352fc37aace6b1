//! Violations that are known and not to be reported.

use core::fmt;
use std::path::Path;

use super::frame::{self, Frame};
use super::report::{Report, Violation};
use super::rules::Kind;

/// What is known and not to be reported: a text of lines.
///
/// ```text
/// # kind           function        file
/// leak             *::registry::*
/// leak             main            */legacy/*.c
/// family-mismatch
/// ```
///
/// A violation is suppressed by a line that names its kind, or `*`, if one frame of its stacks has such a function
/// and such a file: its whole path, or the path from the current directory if it is below that, which is what reports
/// show. In both `*` stands for anything and `?` for one character. A frame whose function or file is not
/// known fits `*` alone. What stands behind `#` at the beginning of a line, or behind a space and `#`, is a comment.
///
/// # Examples
///
/// ```
/// use olemem::Bstr;
/// use olemem::audit::{Session, Suppressions};
///
/// let session = Session::begin();
/// let lost = Bstr::from("kept for ever").into_raw();
/// let mut report = session.finish();
///
/// let known = Suppressions::parse("leak  # of the whole program").unwrap();
/// assert_eq!(report.suppress(&known), 1);
/// report.assert_clean();
/// # // SAFETY: live, and its last use.
/// # unsafe { olemem::raw::free(lost) };
/// ```
#[derive(Clone, Debug, Default)]
pub struct Suppressions(Vec<Line>);

#[derive(Clone, Debug)]
struct Line {
    /// Its number in the text, from 1, and its words.
    number: usize,
    text: String,
    /// Any, if none.
    kind: Option<Kind>,
    /// Any frame, or none at all, if none.
    place: Option<(String, String)>,
}

/// A line that cannot be understood. Made by [`Suppressions::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    line: usize,
    what: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl core::error::Error for BadLine {}

impl Suppressions {
    /// Reads the text.
    ///
    /// # Errors
    ///
    /// [`BadLine`] if a line does not begin with a kind or `*`, or has more than three words.
    pub fn parse(text: &str) -> Result<Self, BadLine> {
        let mut lines = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let bad = |what| BadLine {
                line: index + 1,
                what,
            };
            let words: Vec<&str> = line
                .split_whitespace()
                .take_while(|word| !word.starts_with('#'))
                .collect();
            let (kind, place) = match *words.as_slice() {
                [] => continue,
                [kind] => (kind, None),
                [kind, function] => (kind, Some((function, "*"))),
                [kind, function, file] => (kind, Some((function, file))),
                _ => {
                    let what = "more than a kind, a function and a file; `?` stands for a space";
                    return Err(bad(what.to_owned()));
                }
            };
            let kind = match kind {
                "*" => None,
                name => match name.parse() {
                    Ok(kind) => Some(kind),
                    Err(unknown) => return Err(bad(format!("{name}: {unknown}"))),
                },
            };
            let place = place.map(|(function, file)| (function.to_owned(), file.to_owned()));
            lines.push(Line {
                number: index + 1,
                text: words.join(" "),
                kind,
                place,
            });
        }
        Ok(Self(lines))
    }

    /// Whether a violation is one of those.
    #[must_use]
    pub fn cover(&self, violation: &Violation) -> bool {
        self.cover_from(frame::here().as_deref(), violation)
    }

    /// The same, with the current directory.
    fn cover_from(&self, here: Option<&Path>, violation: &Violation) -> bool {
        self.0.iter().any(|line| line.covers(here, violation))
    }

    /// The lines that cover none of those violations, each with its number before it: what they were for was mended, or
    /// they are wrong.
    #[must_use]
    pub fn unmatched(&self, violations: &[Violation]) -> Vec<String> {
        let here = frame::here();
        let here = here.as_deref();
        let idle = |line: &&Line| !violations.iter().any(|told| line.covers(here, told));
        let told = |line: &Line| format!("line {}: {}", line.number, line.text);
        self.0.iter().filter(idle).map(told).collect()
    }
}

impl Report {
    /// Takes out what is known and not to be reported, and tells how many that were.
    pub fn suppress(&mut self, known: &Suppressions) -> usize {
        let here = frame::here();
        self.retain(|violation| !known.cover_from(here.as_deref(), violation))
    }
}

impl Line {
    fn covers(&self, here: Option<&Path>, violation: &Violation) -> bool {
        if self.kind.is_some_and(|kind| kind != violation.kind) {
            return false;
        }
        let Some((function, file)) = &self.place else {
            return true;
        };
        let fits = |frame: &Frame| {
            let path = frame.file.as_deref().unwrap_or("");
            // Reports show a path from the current directory.
            matches(function, frame.function.as_deref().unwrap_or(""))
                && (matches(file, path) || matches(file, frame::below(path, here)))
        };
        [&violation.allocated_at, &violation.freed_at, &violation.at]
            .into_iter()
            .flatten()
            .any(fits)
    }
}

/// Whether a pattern, with `*` and `?`, is that of a text.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut there) = (0, 0);
    // Behind the last `*`, and how far the text has come that it stands for.
    let mut star = None;
    while there < text.len() {
        match pattern.get(at) {
            Some('*') => {
                at += 1;
                star = Some((at, there));
            }
            Some(c) if *c == '?' || *c == text[there] => {
                at += 1;
                there += 1;
            }
            _ => match star {
                Some((behind, eaten)) => {
                    at = behind;
                    there = eaten + 1;
                    star = Some((behind, there));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::{Suppressions, matches};

    #[test]
    fn patterns() {
        for (pattern, text) in [
            ("*", ""),
            ("", ""),
            ("main", "main"),
            ("m?in", "main"),
            ("*::get_*", "Browser::get_text"),
            ("*a*b", "aXbXb"),
            ("<A?as?B>::*", "<A as B>::f"),
            ("*/legacy/*.c", "/src/legacy/old.c"),
            ("é?", "éa"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("main", "main2"),
            ("main", "mai"),
            ("?", ""),
            ("*a", "ab"),
            ("a*a", "a"),
            ("", "x"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn bad_lines_are_told_by_number() {
        let told = |text: &str| Suppressions::parse(text).err().map(|bad| bad.to_string());
        assert_eq!(told("# all\n\n*\nleak f g # why\n"), None);
        assert_eq!(
            told("leak\nleeak f").as_deref(),
            Some("line 2: leeak: no kind of violation has that name")
        );
        assert_eq!(
            told("leak a b c").as_deref(),
            Some("line 1: more than a kind, a function and a file; `?` stands for a space")
        );
    }
}
