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
//! text 7400650078007400
//! allocated 401136 401200
//! freed
//! at 401180
//! found out-set-on-failure error end words the call failed, and {block} was handed out all the same
//! rules 14
//! method IText::get_Text
//! parameter text
//! at 401190
//! live 8 task 24 plain
//! allocated 401136
//! maps
//! 00400000-00402000 r-xp …
//! ```
//!
//! A line `busy` stands for all of the blocks and violations if the books were being written at that moment.

use core::fmt::{self, Write};

use super::frame;
use super::ledger::{Books, Counts, Deed, Detail, Facts, Record, SessionId, books_at_rest};
use super::site::Stack;
use crate::task::block::Family;
use crate::task::hook::Part;

mod failing;
mod reader;

pub(super) use failing::{read_failure, read_failures, write_failure, write_maps};
pub(super) use reader::read_found;
pub use reader::{Crash, Resolve};

const FIRST_LINE: &str = "olemem-crash/1";

/// What stands before a line that the compiler told, behind the addresses of a stack.
const LINE: char = '@';

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
    if books.session(session).is_none() {
        // The report was in the making.
        return out.write_str("busy\n");
    }
    let mut counts = books.seen;
    for book in &books.sessions {
        counts.add(book.counts.since(book.inherited));
    }
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
        write_record(out, books, record)?;
    }
    let mut result = Ok(());
    books.each_live(session, |entry| {
        let facts = Facts::of_live(entry);
        result = result.and_then(|()| write_block(out, "live", &facts, books));
    });
    result
}

/// Writes a violation to a file, as it stands in a record. It asks for no memory.
pub(super) fn write_found(file: i32, books: &Books, record: &Record) {
    let mut out = Output::new(file);
    // Writing to an `Output` never fails.
    let _ = write_record(&mut out, books, record);
    out.flush();
}

fn write_record(out: &mut Output, books: &Books, record: &Record) -> fmt::Result {
    write!(
        out,
        "found {} {} {} ",
        record.kind,
        record.severity,
        name(DEEDS, record.deed)
    )?;
    write_detail(out, record.detail)?;
    // Where they are not all that its kind may break.
    if record.rules != record.kind.rules() {
        out.write_str("rules")?;
        for rule in record.rules {
            write!(out, " {}", rule.number())?;
        }
        writeln!(out)?;
    }
    if let Some(call) = record.call {
        writeln!(out, "method {}", call.method.as_str())?;
        if let Some(parameter) = call.parameter {
            write!(out, "parameter {}", parameter.as_str())?;
            if let Some(index) = call.element {
                write!(out, "[{index}]")?;
            }
            writeln!(out)?;
        }
    }
    if let Some(facts) = &record.block {
        write_block(out, "block", facts, books)?;
        if let Some(freed_at) = facts.freed_at {
            write_stack(out, "freed", &books.sites.get(freed_at))?;
        }
    }
    write_stack(out, "at", &books.sites.get(record.at))
}

/// A block, its text as far as it is remembered, and where it was allocated.
fn write_block(out: &mut Output, what: &str, facts: &Facts, books: &Books) -> fmt::Result {
    let form = form(facts.is_bstr, facts.part);
    let family = name(FAMILIES, facts.family);
    writeln!(out, "{what} {} {family} {} {form}", facts.id, facts.bytes)?;
    if facts.previewed > 0 {
        out.write_str("text ")?;
        for byte in &facts.preview[..facts.previewed] {
            write!(out, "{byte:02x}")?;
        }
        out.write_str("\n")?;
    }
    write_stack(out, "allocated", &books.sites.get(facts.allocated_at))
}

fn write_stack(out: &mut Output, what: &str, stack: &Stack) -> fmt::Result {
    out.write_str(what)?;
    for address in stack.addresses() {
        write!(out, " {address:x}")?;
    }
    if let Some(line) = stack.line() {
        write!(out, " {LINE}{} {}", line.line(), line.file())?;
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
        Detail::Touched(offset, true) => writeln!(out, "touched {offset} w"),
        Detail::Touched(offset, false) => writeln!(out, "touched {offset} r"),
        Detail::Short { wanted, there } => writeln!(out, "short {wanted} {there}"),
        Detail::Strayed => writeln!(out, "strayed"),
        Detail::Pins(pins) => writeln!(out, "pins {pins}"),
        Detail::Function(function) => writeln!(out, "function {function}"),
        Detail::Dressed => writeln!(out, "dressed"),
        Detail::References(count) => writeln!(out, "references {count}"),
        Detail::Words(words) => writeln!(out, "words {words}"),
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

/// What a block is besides its family.
fn form(is_bstr: bool, part: Option<Part>) -> &'static str {
    match part {
        _ if is_bstr => "string",
        Some(Part::Array) => "array",
        Some(Part::ArrayData) => "array-data",
        None => "plain",
    }
}
