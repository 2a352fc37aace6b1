//! What a process leaves when a signal ends it: a text, written without asking for memory, from which
//! `olemem check` makes a report.
//!
//! ```text
//! olemem-crash/1
//! process 4711 signal 11
//! program /bin/program
//! sources /olemem/src/
//! counts 12 5 4 0 1 18 96 120
//! found overrun error free written 3 65
//! block 7 bstr 18 string
//! allocated 401136 401200
//! freed
//! at 401180
//! live 8 task 24 plain
//! allocated 401136
//! maps
//! 00400000-00402000 r-xp …
//! ```
//!
//! A line `busy` stands for all of the blocks and violations if the books were being written at that moment.

use core::fmt::{self, Write};
use std::io;

use super::frame::{self, Frame};
use super::ledger::{
    Books, Counts, Deed, Detail, Entry, Facts, PREVIEW, Record, SessionId, books_at_rest,
};
use super::report::{Block, Report};
use super::rules::{Kind, Severity};
use super::site::{Site, Stack};
use crate::task::block::Family;

const FIRST_LINE: &str = "olemem-crash/1";

// ------------------------------------------------------------------------------------- writing

/// A file by its number, with a buffer before it. It asks for no memory.
pub(super) struct Output {
    file: i32,
    buffer: [u8; 512],
    filled: usize,
}

impl Output {
    pub(super) fn new(file: i32) -> Self {
        Self {
            file,
            buffer: [0; 512],
            filled: 0,
        }
    }

    pub(super) fn flush(&mut self) {
        let mut written = 0;
        while written < self.filled {
            let rest = &self.buffer[written..self.filled];
            // SAFETY: so many bytes are there.
            let count = unsafe { libc::write(self.file, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(count) {
                Ok(count) if count > 0 => written += count,
                // Nobody is left to be told.
                _ => break,
            }
        }
        self.filled = 0;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.filled == self.buffer.len() {
                self.flush();
            }
            self.buffer[self.filled] = *byte;
            self.filled += 1;
        }
    }
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// Writes all of it to a file. Only what a handler of a signal may do is done.
pub(super) fn write(file: i32, process: i32, signal: i32, program: &[u8], session: SessionId) {
    let mut out = Output::new(file);
    // Writing to an `Output` never fails.
    let _ = writeln!(out, "{FIRST_LINE}\nprocess {process} signal {signal}");
    let _ = out.write_str("program ");
    out.bytes(program);
    let _ = writeln!(out, "\nsources {}", frame::SOURCES);
    match wait_for_books() {
        Some(mut books) => {
            let _ = write_books(&mut out, &mut books, session);
        }
        None => {
            let _ = out.write_str("busy\n");
        }
    }
    let _ = out.write_str("maps\n");
    out.flush();
    copy_maps(&mut out);
    out.flush();
}

/// Another thread is done with the books in a moment; this one, if it was interrupted in them, is not.
fn wait_for_books() -> Option<impl core::ops::DerefMut<Target = Books>> {
    for _ in 0..200 {
        let books = books_at_rest();
        if books.is_some() {
            return books;
        }
        let moment = libc::timespec {
            tv_sec: 0,
            tv_nsec: 1_000_000,
        };
        // SAFETY: the time is there, and what is left of it is not asked for.
        unsafe { libc::nanosleep(&raw const moment, core::ptr::null_mut()) };
    }
    None
}

fn write_books(out: &mut Output, books: &mut Books, session: SessionId) -> fmt::Result {
    let mut live = Counts::default();
    books.each_live(session, |entry| {
        live.live += 1;
        live.live_bytes += entry.size as u64;
    });
    let Some(book) = books.session(session) else {
        return Ok(());
    };
    let counts = book.counts.since(book.inherited);
    writeln!(
        out,
        "counts {} {} {} {} {} {} {} {}",
        counts.operations,
        counts.allocated,
        counts.freed,
        counts.failed,
        live.live,
        live.live_bytes,
        counts.peak_bytes,
        counts.total_bytes
    )?;
    let books = &*books;
    let Some(book) = books.sessions.iter().find(|book| book.id == session) else {
        return Ok(());
    };
    for record in &book.records {
        write!(
            out,
            "found {} {} {} ",
            record.kind,
            record.severity,
            name(DEEDS, record.deed)
        )?;
        write_detail(out, record.detail)?;
        if let Some(facts) = &record.block {
            let form = form(facts.is_bstr);
            let family = name(FAMILIES, facts.family);
            writeln!(out, "block {} {family} {} {form}", facts.id, facts.bytes)?;
            write_stack(out, "allocated", &books.sites.get(facts.allocated_at))?;
            if let Some(freed_at) = facts.freed_at {
                write_stack(out, "freed", &books.sites.get(freed_at))?;
            }
        }
        write_stack(out, "at", &books.sites.get(record.at))?;
    }
    let mut result = Ok(());
    books.each_live(session, |entry| {
        result = result.and_then(|()| write_live(out, books, entry));
    });
    result
}

fn write_live(out: &mut Output, books: &Books, entry: &Entry) -> fmt::Result {
    let form = form(entry.len.is_some());
    let family = name(FAMILIES, entry.family);
    writeln!(out, "live {} {family} {} {form}", entry.id, entry.bytes())?;
    write_stack(out, "allocated", &books.sites.get(entry.allocated_at))
}

fn write_stack(out: &mut Output, what: &str, stack: &Stack) -> fmt::Result {
    out.write_str(what)?;
    for address in stack.addresses() {
        write!(out, " {address:x}")?;
    }
    out.write_str("\n")
}

fn write_detail(out: &mut Output, detail: Detail) -> fmt::Result {
    match detail {
        Detail::Nothing => writeln!(out, "nothing"),
        Detail::As(family) => writeln!(out, "as {}", name(FAMILIES, family)),
        Detail::Offset(offset, family) => {
            writeln!(out, "offset {offset} {}", name(FAMILIES, family))
        }
        Detail::Written(offset, byte) => writeln!(out, "written {offset} {byte}"),
        Detail::Short { wanted, there } => writeln!(out, "short {wanted} {there}"),
        Detail::Pins(pins) => writeln!(out, "pins {pins}"),
        Detail::Function(function) => writeln!(out, "function {function}"),
        Detail::Dressed => writeln!(out, "dressed"),
    }
}

/// What lies where in the process, from which addresses get names.
fn copy_maps(out: &mut Output) {
    // SAFETY: the name is a string.
    let maps = unsafe { libc::open(c"/proc/self/maps".as_ptr(), libc::O_RDONLY) };
    if maps < 0 {
        return;
    }
    let mut piece = [0_u8; 1024];
    loop {
        // SAFETY: so many bytes may be written there.
        let count = unsafe { libc::read(maps, piece.as_mut_ptr().cast(), piece.len()) };
        match usize::try_from(count) {
            Ok(count) if count > 0 => out.bytes(&piece[..count]),
            _ => break,
        }
    }
    // SAFETY: it was opened above.
    unsafe { libc::close(maps) };
}

// --------------------------------------------------------------------------------------- names

type Names<T> = &'static [(T, &'static str)];

const DEEDS: Names<Deed> = &[
    (Deed::Free, "free"),
    (Deed::Realloc, "realloc"),
    (Deed::Measure, "measure"),
    (Deed::Read, "read"),
    (Deed::Copy, "copy"),
    (Deed::End, "end"),
];

const FAMILIES: Names<Family> = &[(Family::Bstr, "bstr"), (Family::Task, "task")];

fn name<T: PartialEq>(names: Names<T>, what: T) -> &'static str {
    let found = names.iter().find(|(one, _)| *one == what);
    found.map_or("unknown", |(_, name)| name)
}

fn named<T: Copy>(names: Names<T>, name: Option<&str>) -> Option<T> {
    let found = names.iter().find(|(_, one)| Some(*one) == name);
    found.map(|(what, _)| *what)
}

fn form(is_bstr: bool) -> &'static str {
    if is_bstr { "string" } else { "plain" }
}

// ------------------------------------------------------------------------------------- reading

/// A live block, and where it was allocated.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Live {
    /// The block.
    pub block: Block,
    /// Innermost first.
    pub allocated_at: Vec<Frame>,
}

/// What a process left that a signal ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Crash {
    /// The number of the process.
    pub process: u32,
    /// The signal.
    pub signal: i32,
    /// The program.
    pub program: String,
    /// What was found until then.
    pub report: Report,
    /// What was live then, by number.
    pub live: Vec<Live>,
    /// The books were being written: what was found and what was live is not known.
    pub is_partial: bool,
}

/// An address of the process, with all that lay where in it: gives its functions, innermost first.
pub type Resolve<'a> = dyn FnMut(&str, usize) -> Vec<Frame> + 'a;

impl Crash {
    /// Reads what was written.
    ///
    /// # Errors
    ///
    /// If it is something else.
    pub fn read(text: &str, resolve: &mut Resolve<'_>) -> io::Result<Self> {
        Reader::default()
            .read(text, resolve)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a record of olemem's"))
    }
}

#[derive(Default)]
struct Reader {
    process: u32,
    signal: i32,
    program: String,
    /// Where that olemem's sources are.
    sources: String,
    counts: Counts,
    is_partial: bool,
    found: Vec<(Record, [Vec<usize>; 3])>,
    live: Vec<(Facts, Vec<usize>)>,
    /// Whether the last block was a live one.
    is_live: bool,
}

impl Reader {
    fn read(mut self, text: &str, resolve: &mut Resolve<'_>) -> Option<Crash> {
        let rest = text.strip_prefix(FIRST_LINE)?;
        let (head, maps) = rest.split_once("\nmaps\n").unwrap_or((rest, ""));
        for line in head.lines().filter(|line| !line.is_empty()) {
            self.line(line)?;
        }
        let mut frames = |addresses: &[usize]| {
            let mut frames = Vec::new();
            for address in addresses {
                frames.extend(resolve(maps, *address));
            }
            frame::trim(&mut frames, &self.sources);
            frames
        };
        self.live.sort_by_key(|(facts, _)| facts.id);
        let live = self.live.iter().map(|(facts, addresses)| Live {
            block: Block::new(facts),
            allocated_at: frames(addresses),
        });
        let live = live.collect();
        let mut report = Report::of(self.counts, None, 0, Vec::new());
        for (record, addresses) in &self.found {
            let stacks = addresses.each_ref().map(|addresses| frames(addresses));
            report.add(record, stacks);
        }
        Some(Crash {
            process: self.process,
            signal: self.signal,
            program: self.program,
            report,
            live,
            is_partial: self.is_partial,
        })
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut words = rest.split(' ');
        let mut next = || words.next();
        match what {
            "process" => {
                self.process = next()?.parse().ok()?;
                next();
                self.signal = next()?.parse().ok()?;
            }
            "program" => rest.clone_into(&mut self.program),
            "sources" => rest.clone_into(&mut self.sources),
            "busy" => self.is_partial = true,
            "counts" => {
                let mut number = || next()?.parse().ok();
                self.counts = Counts {
                    operations: number()?,
                    allocated: number()?,
                    freed: number()?,
                    failed: number()?,
                    live: number()?,
                    live_bytes: number()?,
                    peak_bytes: number()?,
                    total_bytes: number()?,
                };
            }
            "found" => {
                let record = Record {
                    kind: next()?.parse::<Kind>().ok()?,
                    severity: match next()? {
                        "warning" => Severity::Warning,
                        _ => Severity::Error,
                    },
                    deed: named(DEEDS, next())?,
                    detail: detail(&mut next)?,
                    block: None,
                    at: Site::default(),
                };
                self.found.push((record, [const { Vec::new() }; 3]));
                self.is_live = false;
            }
            "block" | "live" => {
                let facts = Facts {
                    id: next()?.parse().ok()?,
                    family: named(FAMILIES, next())?,
                    bytes: next()?.parse().ok()?,
                    is_bstr: next()? == form(true),
                    preview: [0; PREVIEW],
                    previewed: 0,
                    allocated_at: Site::default(),
                    freed_at: None,
                };
                self.is_live = what == "live";
                if self.is_live {
                    self.live.push((facts, Vec::new()));
                } else {
                    self.found.last_mut()?.0.block = Some(facts);
                }
            }
            "allocated" if self.is_live => self.live.last_mut()?.1 = addresses(rest)?,
            "allocated" => self.found.last_mut()?.1[0] = addresses(rest)?,
            "freed" => self.found.last_mut()?.1[1] = addresses(rest)?,
            "at" => self.found.last_mut()?.1[2] = addresses(rest)?,
            _ => return None,
        }
        Some(())
    }
}

fn addresses(words: &str) -> Option<Vec<usize>> {
    words
        .split_whitespace()
        .map(|word| usize::from_str_radix(word, 16).ok())
        .collect()
}

fn detail<'a>(next: &mut impl FnMut() -> Option<&'a str>) -> Option<Detail> {
    Some(match next()? {
        "nothing" => Detail::Nothing,
        "as" => Detail::As(named(FAMILIES, next())?),
        "offset" => Detail::Offset(next()?.parse().ok()?, named(FAMILIES, next())?),
        "written" => Detail::Written(next()?.parse().ok()?, next()?.parse().ok()?),
        "short" => Detail::Short {
            wanted: next()?.parse().ok()?,
            there: next()?.parse().ok()?,
        },
        "pins" => Detail::Pins(next()?.parse().ok()?),
        // One a violation, for as long as the command runs.
        "function" => Detail::Function(next()?.to_owned().leak()),
        "dressed" => Detail::Dressed,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "olemem-crash/1\nprocess 12 signal 11\nprogram /a b\nsources /o/\ncounts 1 2 3 4 5 6 7 8\n\
        found overrun error free written 3 65\nblock 7 bstr 18 string\nallocated 10 11\nat 20\n\
        found double-free error free as task\nblock 6 task 4 plain\nallocated 10\nfreed 12\nat 20\n\
        live 9 task 24 plain\nallocated 30\nlive 8 bstr 2 string\nallocated\n\
        maps\n00400000-00402000 r-xp 0 0 0 /a b\n";

    fn name_of(_: &str, address: usize) -> Vec<Frame> {
        vec![Frame::unknown(address)]
    }

    #[test]
    fn what_was_written_is_read() {
        let crash = Crash::read(WRITTEN, &mut name_of).expect("it is well-formed");
        assert_eq!((crash.process, crash.signal), (12, 11));
        assert_eq!(crash.program, "/a b");
        assert_eq!(crash.report.counts().total_bytes, 8);
        crash.report.assert_kinds([Kind::Overrun, Kind::DoubleFree]);
        let first = &crash.report.violations()[0];
        assert_eq!(
            first.message,
            "byte 3 behind a BSTR was overwritten, by 0x41"
        );
        assert_eq!(first.allocated_at.len(), 2);
        let ids: Vec<_> = crash.live.iter().map(|live| live.block.id).collect();
        assert_eq!(ids, [8, 9]);
        assert!(!crash.is_partial);
    }

    #[test]
    fn what_is_cut_short_is_read_as_far_as_it_goes_and_else_refused() {
        let half = &WRITTEN[..WRITTEN.find("found double").expect("it is there")];
        let crash = Crash::read(half, &mut name_of).expect("whole lines");
        crash.report.assert_kinds([Kind::Overrun]);
        for bad in ["", "olemem-crash/2\n", "olemem-crash/1\nnonsense 1\n"] {
            assert!(Crash::read(bad, &mut name_of).is_err(), "{bad}");
        }
    }
}
