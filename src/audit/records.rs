//! What the processes of one run left for `olemem check`. Of use to the command alone.

use std::collections::BTreeSet;
use std::ffi::c_int;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};

use super::crash;
pub use super::crash::{Crash, Resolve};
use super::frame::Frame;
use super::report::{Failure, Report};
pub use super::report::{Live, Signalled};
use super::sweep::{Did, Ran, Run, Sweep, Wrong};

/// How a process ended, as far as its records tell.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Ending {
    /// In an orderly way.
    Reported(Report),
    /// By a signal.
    Crashed(Crash),
    /// Nobody knows: it left nothing but the note that it began.
    Vanished,
}

/// A process that was watched.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// When it began, in nanoseconds.
    pub began: u128,
    /// Its program.
    pub program: String,
    /// The allocations that failed because its environment said so: the first hundred.
    pub failures: Vec<Failure>,
    /// How it ended.
    pub ending: Ending,
}

/// All processes of a folder, in the order in which they began.
///
/// # Errors
///
/// If something cannot be read. A record that was cut short counts as none.
pub fn read(folder: &Path, resolve: &mut Resolve<'_>) -> io::Result<Vec<Process>> {
    let mut stems = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_whole = path.extension().is_some_and(|extension| {
            ["begun", "json", "crash", "failed"]
                .iter()
                .any(|one| extension == *one)
        });
        if is_whole {
            stems.insert(path.with_extension(""));
        }
    }
    let mut processes = Vec::new();
    for stem in stems {
        let name = stem.file_name().and_then(|name| name.to_str());
        let numbers = name.and_then(|name| {
            let (id, began) = name.split_once('-')?;
            Some((id.parse().ok()?, began.parse().ok()?))
        });
        let Some((id, began)) = numbers else {
            continue;
        };
        let mut process = Process {
            id,
            began,
            program: text(&stem.with_extension("begun"))?.unwrap_or_default(),
            failures: Vec::new(),
            ending: Ending::Vanished,
        };
        if let Some(lines) = text(&stem.with_extension("failed"))? {
            let maps = text(&stem.with_extension("maps"))?.unwrap_or_default();
            process.failures = crash::read_failures(&lines, &maps, resolve);
        }
        // A process that lived through a signal has a report as well, which is what counts.
        if let Some(text) = text(&stem.with_extension("json"))? {
            if let Some((report, program)) = Report::from_wire(&text) {
                process.ending = Ending::Reported(report);
                process.program = program;
            }
        } else if let Some(text) = text(&stem.with_extension("crash"))?
            && let Ok(crash) = Crash::read(&text, resolve)
        {
            process.ending = Ending::Crashed(crash);
        }
        processes.push(process);
    }
    processes.sort_by_key(|process| (process.began, process.id));
    Ok(processes)
}

/// The text of a file that may be absent.
fn text(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The reports of several processes as one.
#[must_use]
pub fn merged(reports: impl IntoIterator<Item = Report>) -> Report {
    Report::merged(reports)
}

/// A row of a sweep over processes: a run in which the allocation of that number was to fail.
///
/// `others` is what the command knows to be wrong beside how the program ended and what the report has.
#[must_use]
pub fn run(
    number: u64,
    failures: Vec<Failure>,
    did: Did,
    report: Report,
    others: Vec<Wrong>,
) -> Run {
    // Of those that failed the first hundred are known; all are counted.
    let failed = match failures.len() as u64 {
        0 => 0,
        known => known.max(report.counts().failed),
    };
    let ran = Ran {
        number,
        failures,
        failed,
        did,
        report,
    };
    ran.judged(others)
}

/// A sweep over processes.
#[must_use]
pub fn sweep(runs: Vec<Run>, is_complete: bool) -> Sweep {
    Sweep::of(runs, is_complete)
}

/// A report as JSON, with the signals that met processes.
#[must_use]
pub fn json(report: &Report, signals: &[Signalled]) -> String {
    report.to_json_with(signals)
}

/// A report as SARIF, with the signals that met processes.
#[must_use]
pub fn sarif(report: &Report, signals: &[Signalled]) -> String {
    report.to_sarif_with(signals)
}

/// Whether a symbol's name is to be decoded.
#[must_use]
pub fn is_mangled(symbol: &str) -> bool {
    super::frame::is_mangled(symbol)
}

/// A frame of another process.
#[must_use]
pub fn frame(
    address: usize,
    function: Option<String>,
    file: Option<String>,
    line: Option<u32>,
) -> Frame {
    Frame {
        function,
        file,
        line,
        address,
    }
}

/// Has this process outlive an interrupt from the keyboard, which is for the program that it started. That program
/// finds the signal as it is by default: a handler is not handed on.
pub fn outlive_interrupts() {
    extern "C" fn nothing(_: c_int) {}
    for signal in [libc::SIGINT, libc::SIGQUIT] {
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(signal, nothing as extern "C" fn(c_int) as usize) };
    }
}

/// The last signal that was to end this process; 0 if there was none.
static ASKED_TO_END: AtomicI32 = AtomicI32::new(0);

/// Has this process outlive signals that are to end it, so that it can end its programs, and its work in order.
pub fn note_signals() {
    extern "C" fn note(signal: c_int) {
        ASKED_TO_END.store(signal, Ordering::Relaxed);
    }
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler keeps to what is allowed in one.
        unsafe { libc::signal(signal, note as extern "C" fn(c_int) as usize) };
    }
}

/// The signal that was to end this process since [`note_signals`], if there was one.
#[must_use]
pub fn noted_signal() -> Option<i32> {
    Some(ASKED_TO_END.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
}

/// Asks a group of processes to end, or ends it. The group is that of a program that was not waited for yet, by its
/// number.
pub fn end_group(program: u32, at_once: bool) {
    let signal = if at_once {
        libc::SIGKILL
    } else {
        libc::SIGTERM
    };
    if let Ok(group) = i32::try_from(program)
        && group > 1
    {
        // SAFETY: it sends a signal to a group whose first process was not waited for yet.
        unsafe { libc::kill(-group, signal) };
    }
}

/// The program to hand signals on to; 0 if there is none.
static PROGRAM: AtomicI32 = AtomicI32::new(0);

/// The last signal that came while there was none; 0 if none did.
static WAITING: AtomicI32 = AtomicI32::new(0);

extern "C" fn hand_on(signal: c_int) {
    let program = PROGRAM.load(Ordering::SeqCst);
    if program > 0 {
        // SAFETY: it sends a signal to a process that was not waited for yet.
        unsafe { libc::kill(program, signal) };
    } else {
        WAITING.store(signal, Ordering::SeqCst);
    }
}

/// Keeps what is to end this process for a program that is about to be started: it may be ready for a signal before the
/// process that started it has its number.
pub fn keep_signals() {
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler keeps to what is allowed in one.
        unsafe { libc::signal(signal, hand_on as extern "C" fn(c_int) as usize) };
    }
}

/// Hands it on to the program that was started, whose end this process waits for, from now on; to nobody with `None`.
pub fn hand_signals_on(program: Option<u32>) {
    let program = program.and_then(|program| i32::try_from(program).ok());
    PROGRAM.store(program.unwrap_or(0), Ordering::SeqCst);
    if program.is_some() {
        let waiting = WAITING.swap(0, Ordering::SeqCst);
        if waiting > 0 {
            hand_on(waiting);
        }
    }
}
