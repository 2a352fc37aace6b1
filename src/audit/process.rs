//! Process mode: `OLEMEM=check` has the whole process watched, from the first allocation to the end.
//!
//! ```text
//!  the first allocation ─► task::mode ─► begin: a session that all threads are in
//!  each operation ───────► Watcher ─► Audit, and then: was that the first violation?
//!  exit ─────────────────► the last of the destructors ─► the report, or a record for `olemem check`
//!  a fatal signal ───────► crashed ─► a record without memory being asked for
//! ```
//!
//! * The report comes after the destructors of the program's globals. An exit handler that is set at the first
//!   allocation would come before them, and blame them for what they are about to free.
//! * A forked child reports what it did itself, and nothing if it did nothing.
//! * Where `olemem check` has named a folder, each process leaves there, under its number and the time of its
//!   beginning: a note that it began; each violation, when it is found; a record, when it ended; or a text, when a
//!   signal ended it.

use core::ffi::{CStr, c_int};
use core::fmt::Write;
use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use super::crash;
use super::crossing;
use super::guard::Guard;
use super::ledger::{Books, Failed, Record, SessionId, books, cover_process};
use super::options::Options;
use super::report::{Report, plural};
use super::rules::Severity;
use super::session;
use super::settings::{Format, Settings, as_path};
use super::signals;
use super::site::Stack;
use super::suppress::Suppressions;
use super::trespass;
use crate::task::complain::complain;
use crate::task::fault::Planner;
use crate::task::mode::{self, Step};

mod at_exit;
mod path;
mod reserve;
mod standard_error;
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
mod stay;
mod watcher;

use path::Path;
use standard_error::StandardError;

/// A process that is watched.
struct Watched {
    settings: Settings,
    session: SessionId,
    /// When it began, in nanoseconds: numbers of processes are used again, and a process may become another
    /// program.
    stamp: u128,
    /// The first process; others are its forks.
    first: u32,
    /// Where the report goes, unless it has a path.
    standard_error: Option<StandardError>,
}

static WATCHED: OnceLock<Option<Watched>> = OnceLock::new();

/// The process that has left a note, and the one that has reported; children of a fork find their parent's number.
static NOTED: AtomicU32 = AtomicU32::new(0);
static REPORTED: AtomicU32 = AtomicU32::new(0);
/// The process whose report is made and handed on.
static DELIVERED: AtomicU32 = AtomicU32::new(0);

fn watched() -> Option<&'static Watched> {
    WATCHED.get()?.as_ref()
}

/// What a session of one input does: as the process's; `None` where the process is not watched.
pub(super) fn input_options() -> Option<Options> {
    // The first look at the environment may be yet to come.
    mode::get();
    Some(watched()?.settings.options)
}

/// Ends the session of an input, and the process, with the report, if a rule was broken.
pub(super) fn end_input(session: SessionId) {
    if let Some(watched) = watched()
        && let Some(report) = session::end_of_input(session, watched.session)
    {
        watched.judge(report);
    }
}

/// Called by the mode byte, which stands below the audit and knows this function by its name alone.
#[unsafe(no_mangle)]
extern "Rust" fn olemem_check_process(value: &'static CStr, step: Step) {
    match step {
        Step::Begin => {
            // Whoever comes second waits, so that its first block is watched as well.
            WATCHED.get_or_init(|| begin(Settings::read(value)));
        }
        Step::Complain => {
            Settings::complain(value, complain);
            if watched().is_none() {
                complain(format_args!(
                    "OLEMEM: nothing is checked: somebody listens at the seam, or there is no memory"
                ));
            }
            #[cfg(any(target_os = "linux", target_vendor = "apple"))]
            stay::until_the_end();
            at_exit::watch();
        }
    }
}

fn begin(settings: Settings) -> Option<Watched> {
    let session = session::begin_for_process(settings.options, &watcher::SEAT)?;
    crossing::after_each(watcher::after);
    let watched = Watched {
        settings,
        session,
        stamp: now(),
        first: process::id(),
        standard_error: StandardError::keep(),
    };
    signals::watch(crashed);
    if watched.settings.options.guard == Guard::Page {
        // In front of ours: what it finds is to be in the record.
        trespass::watch();
        if watched.settings.records.is_some() {
            trespass::leave_stories_of(session);
        }
    }
    if watched.settings.records.is_some() {
        let mut books = books();
        books.teller = Some(tell_failure);
        books.witness = Some(tell_violation);
    }
    cover_process(session);
    reserve::keep();
    watched.note();
    Some(watched)
}

fn now() -> u128 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
    since.unwrap_or_default().as_nanos()
}

impl Watched {
    /// Where something of this process goes in the folder of `olemem check`, if there is one.
    fn in_records(&self, what: &str) -> Option<Path> {
        let mut path = Path::new();
        self.to_records(&mut path, what)?;
        Some(path)
    }

    /// Makes a path of it.
    fn to_records(&self, path: &mut Path, what: &str) -> Option<()> {
        path.clear();
        path.add(self.settings.records.as_ref()?).ok()?;
        write!(path, "/{}-{}.{what}", process::id(), self.stamp).ok()
    }

    /// Creates something of this process there. A path is long, and a thread's stack may be short: it is gone before anything
    /// else is done.
    #[inline(never)]
    fn create_in_records(&self, what: &str) -> Option<c_int> {
        // Not by a call, which would take the room once more where nothing is inlined.
        let mut path = const { Path::new() };
        self.to_records(&mut path, what)?;
        path.create()
    }

    /// Opens something of this process in that folder, while the books are locked: a path is long, and a thread's stack
    /// may be short. As nobody else is at it then, also after a fork, it is waited for by nobody.
    fn opened(&self, what: &str, open: fn(&Path) -> Option<c_int>) -> Option<c_int> {
        static PATH: Mutex<Path> = Mutex::new(Path::new());
        let mut path = PATH.try_lock().ok()?;
        self.to_records(&mut path, what)?;
        open(&path)
    }

    /// Where the report of this process goes, if it is not standard error: `%p` is its number. A forked child has a
    /// file of its own in any case.
    fn report_path(&self) -> Option<Path> {
        // Of `olemem check` it is the command that writes the report.
        let is_by_command = self.settings.records.is_some();
        let said = self.settings.report.as_ref().filter(|_| !is_by_command)?;
        let process = process::id();
        let mut path = Path::new();
        let mut has_number = false;
        let mut rest = said.as_slice();
        while let Some(at) = rest.windows(2).position(|two| two == b"%p") {
            path.add(&rest[..at]).ok()?;
            write!(path, "{process}").ok()?;
            rest = &rest[at + 2..];
            has_number = true;
        }
        path.add(rest).ok()?;
        if !has_number && process != self.first {
            write!(path, ".{process}").ok()?;
        }
        Some(path)
    }

    /// Creates the report's file, and is done with its path as [`create_in_records`](Self::create_in_records) is.
    #[inline(never)]
    fn create_report(&self) -> Option<c_int> {
        self.report_path()?.create()
    }

    /// Leaves a note for `olemem check` that this process is watched.
    fn note(&self) {
        if NOTED.swap(process::id(), Ordering::Relaxed) == process::id() {
            return;
        }
        write_to(self.create_in_records("begun"), &|file| {
            let mut name = [0; 4096];
            let name = program(&mut name);
            // A note without a name tells as much.
            // SAFETY: so many bytes are there.
            let _ = unsafe { libc::write(file, name.as_ptr().cast(), name.len()) };
        });
    }
}

/// An allocation fails because the environment says so, which `olemem sweep` is to know of whatever comes next. The
/// books are locked: no memory is asked for.
fn tell_failure(failed: &Failed, at: &Stack) {
    if failed.fault.planner != Planner::Process {
        return;
    }
    let Some(watched) = watched() else {
        return;
    };
    // Once, for the names of all failures.
    write_to(watched.opened("maps", Path::create_new), &crash::write_maps);
    write_to(watched.opened("failed", Path::append), &|file| {
        crash::write_failure(file, failed, at)
    });
}

/// So many violations of a process are written down as soon as they are found.
const FOUND: usize = 1000;

/// A rule is broken, which `olemem check` is to know of however the process ends. The books are locked: no memory is asked
/// for. What is found at the end is in the report.
fn tell_violation(books: &Books, session: SessionId, record: &Record) {
    let Some(watched) = watched().filter(|watched| watched.session == session) else {
        return;
    };
    let book = books.sessions.iter().find(|book| book.id == session);
    if book.is_none_or(|book| book.is_closing || book.records.len() > FOUND) {
        return;
    }
    // Anew, for libraries may have been loaded.
    write_to(watched.opened("maps", Path::create), &crash::write_maps);
    write_to(watched.opened("found", Path::append), &|file| {
        crash::write_found(file, books, record)
    });
}

/// Writes to a file, if it was opened, and closes it.
#[inline(never)]
fn write_to(file: Option<c_int>, write: &dyn Fn(c_int)) {
    if let Some(file) = file {
        write(file);
        // SAFETY: it was opened just before.
        unsafe { libc::close(file) };
    }
}

/// The path of the program, as far as the system tells it without memory being asked for.
fn program(name: &mut [u8; 4096]) -> &[u8] {
    // SAFETY: the name is a string, and so many bytes may be written there.
    let len = unsafe {
        libc::readlink(
            c"/proc/self/exe".as_ptr(),
            name.as_mut_ptr().cast(),
            name.len(),
        )
    };
    &name[..usize::try_from(len).unwrap_or(0)]
}

// ------------------------------------------------------------------------------------- the end

/// The process ends: what was found is told.
fn finish() {
    let Some(watched) = watched() else {
        tell_open_sessions();
        return;
    };
    if REPORTED.swap(process::id(), Ordering::Relaxed) == process::id() {
        return;
    }
    cover_process(0);
    reserve::give_back();
    let errors = watched.report();
    DELIVERED.store(process::id(), Ordering::Relaxed);
    // Not before: where there is no memory for the report after all, the abort leaves a record. In the order in which
    // they may have been taken, whichever that was.
    trespass::give_back();
    signals::give_back();
    trespass::give_back();
    if errors > 0 && watched.settings.exit_code != 0 {
        // SAFETY: a null stream means all of them.
        unsafe { libc::fflush(core::ptr::null_mut()) };
        // SAFETY: all that is left undone are destructors behind ours.
        unsafe { libc::_exit(watched.settings.exit_code.into()) };
    }
}

/// What sessions have found that nobody ended is lost, which is told.
fn tell_open_sessions() {
    let Some((sessions, violations, live)) = session::left_open() else {
        return;
    };
    if violations + live > 0 {
        complain(format_args!(
            "{} left open when the process ended, with {} and {}: end a session to have its report",
            plural(sessions as u64, "session"),
            plural(violations as u64, "violation"),
            plural(live as u64, "live block")
        ));
    }
}

impl Watched {
    /// Makes the report, hands it on, and tells how many errors there are.
    fn report(&self) -> usize {
        // Of sessions that are over; those that are open end with the process's own, and are in its report.
        let elsewhere = books().found;
        let errors = self.report_of_process();
        // What a machine is to read is not to be spoilt.
        let may_be_told = self.settings.format == Format::Text
            || self.settings.report.is_some()
            || self.settings.records.is_some();
        if elsewhere > 0 && may_be_told {
            self.say(&format!(
                "olemem: {} in sessions of the program's own, which had reports of their own\n",
                plural(elsewhere, "violation")
            ));
        }
        errors
    }

    fn report_of_process(&self) -> usize {
        let Some(report) = session::end_of_process(self.session, reserve::room_for) else {
            return 0;
        };
        let is_fork = process::id() != self.first;
        if is_fork && !report.has_recorded() && report.violations().is_empty() {
            return 0;
        }
        self.deliver(report)
    }

    /// Hands a report on, and tells how many errors there are.
    fn deliver(&self, mut report: Report) -> usize {
        if let Some(path) = self.in_records("json") {
            let name = std::env::current_exe().unwrap_or_default();
            let text = report.to_wire(&name.to_string_lossy());
            let path = as_path(path.as_bytes());
            // Whole, or not at all.
            let unfinished = PathBuf::from(path).with_extension("unfinished");
            let written = fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, path));
            let Err(error) = written else {
                return report.count(Severity::Error);
            };
            self.say(&format!(
                "olemem: {}: {error}; the report follows\n",
                path.display()
            ));
        }
        let suppressed = self.suppress(&mut report);
        let path = self.report_path();
        let text = match self.settings.format {
            _ if self.settings.records.is_some() => format!("{report}\n"),
            Format::Json => report.to_json(),
            Format::Sarif => report.to_sarif(),
            Format::Text if path.is_none() && wants_colour() => format!("{}\n", report.painted()),
            Format::Text => format!("{report}\n"),
        };
        let is_written = path.is_some_and(|path| {
            let path = as_path(path.as_bytes());
            match fs::write(path, &text) {
                Ok(()) => true,
                Err(error) => {
                    self.say(&format!(
                        "olemem: report={}: {error}; the report follows\n",
                        path.display()
                    ));
                    false
                }
            }
        });
        if !is_written {
            self.say(&text);
        }
        if suppressed > 0 {
            let suppressed = plural(suppressed as u64, "violation");
            self.say(&format!("olemem: {suppressed} suppressed\n"));
        }
        report.count(Severity::Error)
    }

    /// Writes to what was standard error when the process began, and to nothing else.
    fn say(&self, text: &str) {
        if let Some(kept) = self.standard_error {
            kept.write(text);
        }
    }

    /// What is to be suppressed, which is nothing if the file cannot be read.
    fn suppressions(&self) -> Suppressions {
        let Some(path) = self.settings.suppress.as_ref().map(|path| as_path(path)) else {
            return Suppressions::default();
        };
        let text = fs::read_to_string(path).map_err(|error| error.to_string());
        let known = text.and_then(|text| Suppressions::parse(&text).map_err(|bad| bad.to_string()));
        known.unwrap_or_else(|why| {
            self.say(&format!(
                "olemem: suppress={}: {why}; nothing is suppressed\n",
                path.display()
            ));
            Suppressions::default()
        })
    }

    /// Hands on a report that has violations which are not suppressed, and ends the process.
    fn judge(&self, mut report: Report) {
        if !report.violations().is_empty() {
            self.suppress(&mut report);
        }
        if report.violations().is_empty() {
            return;
        }
        // One thread's will do.
        if REPORTED.swap(process::id(), Ordering::Relaxed) != process::id() {
            self.deliver(report);
            DELIVERED.store(process::id(), Ordering::Relaxed);
        }
        process::abort();
    }

    fn suppress(&self, report: &mut Report) -> usize {
        report.suppress(&self.suppressions())
    }
}

/// Whether standard error is a terminal that shows colours, and nobody minds: <https://no-color.org>.
fn wants_colour() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal()
        && !is_set("NO_COLOR")
        && std::env::var_os("TERM").is_some_and(|term| term.as_bytes() != b"dumb")
}

/// A signal is about to end the process. Nothing but what a handler of a signal may do.
fn crashed(signal: c_int) {
    let Some(watched) = watched() else {
        return;
    };
    if DELIVERED.load(Ordering::Relaxed) != process::id() {
        leave_record(watched, signal);
    }
}

/// Leaves a record of what was live.
#[inline(never)]
fn leave_record(watched: &Watched, signal: c_int) {
    // Where neither can be opened, standard error will do.
    let opened = watched
        .create_in_records("crash")
        .or_else(|| watched.create_report());
    let kept = || watched.standard_error.and_then(|kept| kept.number());
    let Some(file) = opened.or_else(kept) else {
        return;
    };
    let mut name = [0; 4096];
    let name = program(&mut name);
    let process = process::id().cast_signed();
    crash::write(file, process, signal, name, watched.session);
    if opened.is_some() {
        // SAFETY: it was opened above.
        unsafe { libc::close(file) };
    }
}
