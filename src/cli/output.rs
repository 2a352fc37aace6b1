//! What all commands do with what they print.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

/// The exit status for arguments and files that cannot be worked with; Clap's own as well.
const UNUSABLE: u8 = 2;

/// Ends a command that wrote to standard output and would end with `status`.
///
/// A reader that has seen enough, as `head` has, is no failure.
pub(crate) fn ended(written: io::Result<()>, status: ExitCode) -> ExitCode {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            unusable("standard output", error)
        }
        _ => status,
    }
}

/// Ends a command for which `what` cannot be read, written or understood. Names of files have no power over the terminal.
pub(crate) fn unusable(what: impl Display, why: impl Display) -> ExitCode {
    eprintln!("olemem: {}", escaped(&format!("{what}: {why}")));
    ExitCode::from(UNUSABLE)
}

/// A text with whatever would not print as it is, escaped as in a literal. Quotes and backslashes stay.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\'' | '"' | '\\' => escaped.push(c),
            // Behind a letter, so that an accent that stands on one may stay.
            _ => escaped.extend(format!("a{c}").escape_debug().skip(1)),
        }
    }
    escaped
}

/// A number of things.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_does_not_print_is_escaped_once() {
        for (text, expected) in [
            ("it's \"a\\b\" über 🎈", "it's \"a\\b\" über 🎈"),
            ("e\u{301}", "e\u{301}"),
            ("\u{1b}[31mred\n", "\\u{1b}[31mred\\n"),
            ("\u{202e}txt\u{9b}", "\\u{202e}txt\\u{9b}"),
        ] {
            assert_eq!(escaped(text), expected);
            assert_eq!(escaped(expected), expected);
        }
    }
}
