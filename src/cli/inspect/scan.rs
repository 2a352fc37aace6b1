//! Whatever looks like a BSTR, a line each.

use std::io::{self, Write};
use std::process::ExitCode;

use olemem::UnitLen;
use olemem::image::{Candidate, candidates};

use super::Arguments;
use super::input::Input;
use crate::draw::counted;
use crate::output;

/// Characters of a text that are shown.
const SHOWN: usize = 60;

pub(super) fn run(input: &Input, arguments: &Arguments) -> ExitCode {
    if input.more {
        let searched = input.bytes.len();
        eprintln!("olemem: {searched} bytes are searched; --offset goes on behind them");
    }
    let least = UnitLen::new(arguments.min_units);
    let mut found = candidates(&input.bytes, arguments.shape(), least).peekable();
    let status = if found.peek().is_some() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    let mut out = anstream::stdout().lock();
    let written = print(&mut out, arguments.offset, found);
    output::ended(written.and_then(|()| out.flush()), status)
}

fn print<'a>(
    out: &mut impl Write,
    before: u64,
    found: impl Iterator<Item = Candidate<'a>>,
) -> io::Result<()> {
    let mut count = 0_usize;
    for candidate in found {
        let place = before.saturating_add(candidate.offset as u64);
        let len = candidate.bstr.byte_len();
        writeln!(
            out,
            "{place:#012x} {:>8}  {}",
            counted(len.units().as_usize(), "unit"),
            text(&candidate)
        )?;
        count += 1;
    }
    match count {
        0 => writeln!(out, "Nothing looks like a BSTR."),
        count => writeln!(out, "{} looked like BSTRs.", counted(count, "place")),
    }
}

/// The text as a literal, or how it begins.
fn text(candidate: &Candidate<'_>) -> String {
    let units = char::decode_utf16(candidate.bstr.units());
    let mut text = String::from("\"");
    let mut units = units.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    for c in units.by_ref().take(SHOWN) {
        match c {
            '\'' => text.push(c),
            _ => text.extend(c.escape_debug()),
        }
    }
    text.push('"');
    if units.next().is_some() {
        text.push('…');
    }
    text
}
