//! Whatever looks like a BSTR, a line each.

use std::io::{self, Write};
use std::num::NonZero;
use std::process::ExitCode;

use olemem::UnitLen;
use olemem::image::{Candidate, Candidates, candidates};

use super::Arguments;
use super::input::Input;
use crate::output::{self, counted};

/// Characters of a text that are shown.
const SHOWN: usize = 60;

pub(super) fn run(input: &Input, arguments: &Arguments) -> ExitCode {
    if input.more {
        let searched = input.bytes.len();
        eprintln!("olemem: {searched} bytes are searched; --offset goes on behind them");
    }
    let shape = arguments.shape();
    // Where the task allocator puts blocks, unless it is said.
    let align = match arguments.align {
        None => shape.width.block_align(),
        Some(align) => NonZero::new(align as usize).expect("none is 0"),
    };
    let any = candidates(&input.bytes, shape, UnitLen::new(arguments.min_units));
    let mut found = any.clone().aligned_to(align).peekable();
    let is_found = found.peek().is_some();
    let status = if is_found {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    let mut out = anstream::stdout().lock();
    let written = print(&mut out, arguments.offset, found)
        .and_then(|()| writeln!(out, "{}", searched(align, arguments.offset)))
        .and_then(|()| {
            if is_found {
                return Ok(());
            }
            elsewhere(&mut out, any)
        });
    output::ended(written.and_then(|()| out.flush()), status)
}

fn searched(align: NonZero<usize>, before: u64) -> String {
    let places = match align.get() {
        1 => "everywhere".to_owned(),
        align => format!("at multiples of {align}"),
    };
    format!("Blocks were looked for {places} from byte {before} on.")
}

/// Where nothing is at the places that were looked at: whether something is at others.
fn elsewhere(out: &mut impl Write, any: Candidates<'_>) -> io::Result<()> {
    match any.aligned_to(NonZero::<usize>::MIN).next() {
        Some(_) => writeln!(out, "Elsewhere something does: --align 1 shows it."),
        None => Ok(()),
    }
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
            counted(len.units().get().into(), "unit"),
            text(&candidate)
        )?;
        count += 1;
    }
    match count {
        0 => write!(out, "Nothing looks like a BSTR. "),
        1 => write!(out, "1 place looked like a BSTR. "),
        count => write!(out, "{count} places looked like BSTRs. "),
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
