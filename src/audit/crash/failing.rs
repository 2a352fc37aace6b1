//! Planned failures, written down when they happen: whatever becomes of the process, that much is known.
//!
//! ```text
//! failed 3 bstr 32 401136 401200
//! ```
//!
//! Where another process reads it, what lies where is in a file beside it:
//!
//! ```text
//! sources /olemem/src/
//! 00400000-00402000 r-xp …
//! ```

use core::fmt::Write;

use super::{FAMILIES, Output, Resolve, copy_maps, name, named};
use crate::audit::frame::{self, Frame};
use crate::audit::ledger::Failed;
use crate::audit::report::Failure;
use crate::audit::site::Stack;
use crate::task::fault::Planner;

/// Writes a line to a file. It asks for no memory.
pub(crate) fn write_failure(file: i32, failed: &Failed, at: &Stack) {
    let mut out = Output::new(file);
    let family = name(FAMILIES, failed.family);
    // Writing to an `Output` never fails.
    let _ = write!(
        out,
        "failed {} {family} {}",
        failed.fault.number, failed.size
    );
    for address in at.addresses() {
        let _ = write!(out, " {address:x}");
    }
    let _ = out.write_str("\n");
    out.flush();
}

/// Writes what lies where to a file. It asks for no memory.
pub(crate) fn write_maps(file: i32) {
    let mut out = Output::new(file);
    // As above.
    let _ = writeln!(out, "sources {}", frame::SOURCES);
    copy_maps(&mut out);
    out.flush();
}

/// Reads the lines that a process left, with what lay where in it.
pub(crate) fn read_failures(lines: &str, maps: &str, resolve: &mut Resolve<'_>) -> Vec<Failure> {
    let (head, maps) = maps.split_once('\n').unwrap_or((maps, ""));
    let sources = head.strip_prefix("sources ").unwrap_or("");
    lines
        .lines()
        .filter_map(|line| {
            read_failure(line, Planner::Process, |addresses| {
                let named = addresses.iter().flat_map(|address| resolve(maps, *address));
                let mut frames = named.collect();
                frame::trim(&mut frames, sources);
                frames
            })
        })
        .collect()
}

/// Reads a line; `None` for another one.
pub(crate) fn read_failure(
    line: &str,
    planner: Planner,
    resolve: impl FnOnce(Vec<usize>) -> Vec<Frame>,
) -> Option<Failure> {
    let mut words = line.strip_prefix("failed ")?.split_whitespace();
    let number = words.next()?.parse().ok()?;
    let family = named(FAMILIES, words.next())?;
    let bytes = words.next()?.parse().ok()?;
    let addresses: Option<Vec<_>> = words
        .map(|word| usize::from_str_radix(word, 16).ok())
        .collect();
    Some(Failure {
        number,
        family,
        bytes,
        at: resolve(addresses?),
        planner,
    })
}
