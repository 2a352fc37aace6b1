//! What the processes of one run left for `olemem check`. Of use to the command alone.

use std::collections::BTreeSet;
use std::ffi::{c_int, c_void};
use std::fs;
use std::io;
use std::mem;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use super::crash;
pub use super::crash::{Crash, Resolve};
use super::frame::Frame;
pub use super::report::{Beside, Live, Signalled};
use super::report::{Failure, Report};
use super::sweep::{Did, Ran, Run, Sweep, Wrong};

/// How a process ended, as far as its records tell.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Ending {
    /// In an orderly way.
    Reported(Report),
    /// By a signal.
    Crashed(Crash),
    /// Nobody knows: it left nothing but the note that it began, and what it had found until then.
    Vanished(Report),
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
            ["begun", "json", "crash", "failed", "found"]
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
            ending: Ending::Vanished(Report::merged([])),
        };
        let maps = text(&stem.with_extension("maps"))?.unwrap_or_default();
        if let Some(lines) = text(&stem.with_extension("failed"))? {
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
        } else if let Some(lines) = text(&stem.with_extension("found"))? {
            process.ending = Ending::Vanished(crash::read_found(&lines, &maps, resolve));
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

/// A report as JSON, with what is known beside it.
#[must_use]
pub fn json(report: &Report, beside: &Beside) -> String {
    report.to_json_with(beside)
}

/// A report as SARIF, with what is known beside it.
#[must_use]
pub fn sarif(report: &Report, beside: &Beside) -> String {
    report.to_sarif_with(beside)
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

/// Interrupts: one from the keyboard has met the program already.
const INTERRUPTS: [c_int; 2] = [libc::SIGINT, libc::SIGQUIT];

extern "C" fn hand_on(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the system hands the handler what it knows of the signal.
    let is_sent = unsafe { info.as_ref() }.is_none_or(is_from_process);
    if is_sent || !INTERRUPTS.contains(&signal) {
        pass(signal);
    }
}

fn pass(signal: c_int) {
    let program = PROGRAM.load(Ordering::SeqCst);
    if program > 0 {
        // SAFETY: it sends a signal to a process that was not waited for yet.
        unsafe { libc::kill(program, signal) };
    } else {
        WAITING.store(signal, Ordering::SeqCst);
    }
}

/// Whether another process sent a signal, and not the terminal.
fn is_from_process(info: &libc::siginfo_t) -> bool {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        // Those of the kernel are above.
        info.si_code <= 0
    } else {
        // SAFETY: it is a signal of a kind that may be sent, and has a place for the sender.
        unsafe { info.si_pid() != 0 }
    }
}

/// Keeps signals for a program that is about to be started, which they are meant for: it may be ready for one before the
/// process that started it has its number. An interrupt from the keyboard meets both of them, and this process outlives
/// it. The program finds them as they are by default, and ignored if they are ignored here: a handler is not handed on.
pub fn keep_signals() {
    let [interrupt, quit] = INTERRUPTS;
    let others = [libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2];
    for signal in [interrupt, quit].into_iter().chain(others) {
        // SAFETY: all zeros are an action.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        // SAFETY: the place is there, and nothing is changed.
        unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
        if action.sa_sigaction == libc::SIG_IGN {
            continue;
        }
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = hand_on;
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        // SAFETY: the handler keeps to what is allowed in one.
        unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    }
}

/// Hands it on to the program that was started, whose end this process waits for, from now on; to nobody with `None`.
pub fn hand_signals_on(program: Option<u32>) {
    let program = program.and_then(|program| i32::try_from(program).ok());
    PROGRAM.store(program.unwrap_or(0), Ordering::SeqCst);
    if program.is_some() {
        let waiting = WAITING.swap(0, Ordering::SeqCst);
        if waiting > 0 {
            pass(waiting);
        }
    }
}
