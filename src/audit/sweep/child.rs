//! A run of a sweep in a child of this process.
//!
//! ```text
//!  child:  failed 3 bstr 32 401136 …      as soon as it happens
//!          ended succeeded                 and a report, if the callee came back
//!          olemem-crash/1 …                or what a signal's handler could tell
//!  parent: reads until the child has gone, or its time is up
//! ```
//!
//! Names are found by the parent: addresses are the same in both, and in the child another thread's lock might be
//! in the way.

use core::ffi::c_int;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::panic::{self, AssertUnwindSafe};
use std::process;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Did, Outcome, Ran, SweepOptions};
use crate::audit::crash::{self, Crash};
use crate::audit::current::belong_to_sweep;
use crate::audit::forking;
use crate::audit::ledger::{Failed, books};
use crate::audit::report::Report;
use crate::audit::session::Session;
use crate::audit::signals;
use crate::audit::site::{self, Stack};
use crate::task::fault::Planner;
use crate::task::mode;

/// Where the child writes to; negative in other processes.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// The child's session, for a signal's handler.
static SESSION: AtomicU64 = AtomicU64::new(0);

/// A child that was told to end by a signal has so long to tell what it knows.
const GRACE: Duration = Duration::from_secs(2);

/// Runs the callee in a child, and tells what became of it.
pub(super) fn run<T: Outcome>(
    options: &SweepOptions,
    number: u64,
    callee: &mut impl FnMut(&Session) -> T,
) -> Ran {
    let (from_child, to_parent) = match pipe() {
        Ok(ends) => ends,
        Err(error) => panic!("no child can be made: {error}"),
    };
    // The child must find the books' lock free, and its parent watched if the whole process is to be, also if this is the
    // first that is heard of either.
    mode::get();
    forking::watch();
    // SAFETY: the child goes on with this thread alone, and leaves by `_exit`.
    match unsafe { libc::fork() } {
        -1 => panic!("no child can be made: {}", io::Error::last_os_error()),
        0 => {
            drop(from_child);
            PIPE.store(to_parent.as_raw_fd(), Ordering::Relaxed);
            let told = panic::catch_unwind(AssertUnwindSafe(|| act(options, number, callee)));
            let status = if told.is_ok() { 0 } else { 1 };
            // SAFETY: nothing of the parent's is to be done twice.
            unsafe { libc::_exit(status) }
        }
        child => {
            drop(to_parent);
            let (text, ended) = Child(child).watched(from_child, options.time);
            understood(number, &text, ended)
        }
    }
}

// -------------------------------------------------------------------------------------- the child

/// What the child does.
fn act<T: Outcome>(options: &SweepOptions, number: u64, callee: &mut impl FnMut(&Session) -> T) {
    belong_to_sweep();
    books().teller = Some(tell);
    signals::watch(crashed);
    let (did, closed) = options.within(number, callee, |session| {
        SESSION.store(session, Ordering::Relaxed);
    });
    let failed = closed.book.planned_failures();
    let did = match did {
        Did::Failed(code) => json!({ "failed": code }),
        Did::Panicked(message) => json!({ "panicked": message }),
        _ => Value::Null,
    };
    let report = Report::of_closed(closed, Stack::unresolved);
    let whole = json!({ "did": did, "failed": failed, "report": report.to_wire("") });
    let text = format!("ended {whole}\n");
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let file = PIPE.load(Ordering::Relaxed);
        // SAFETY: so many bytes are there.
        let count = unsafe { libc::write(file, rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(count) {
            Ok(count) if count > 0 => rest = &rest[count..],
            // The parent has gone.
            _ => break,
        }
    }
}

fn tell(failed: &Failed, at: &Stack) {
    if failed.fault.planner == Planner::Session {
        crash::write_failure(PIPE.load(Ordering::Relaxed), failed, at);
    }
}

/// A signal is about to end the child. Nothing but what a handler of a signal may do.
fn crashed(signal: c_int) {
    let process = process::id().cast_signed();
    let session = SESSION.load(Ordering::Relaxed);
    crash::write(PIPE.load(Ordering::Relaxed), process, signal, b"", session);
}

// ------------------------------------------------------------------------------------- the parent

/// Two ends: to read from, and to write to.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: there is room for two.
    if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let ends = ends.map(|end| {
        // SAFETY: the file was opened just now, and a flag of its own is set.
        unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
        // SAFETY: the file is nobody else's.
        unsafe { OwnedFd::from_raw_fd(end) }
    });
    let [from, to] = ends;
    Ok((from, to))
}

/// How a child ended.
enum Ended {
    Exited(i32),
    Killed(i32),
    TimedOut,
}

/// A child that was not waited for yet.
struct Child(libc::pid_t);

impl Child {
    /// Reads all that the child tells, until it has ended or its time is up.
    fn watched(self, from: OwnedFd, time: Duration) -> (Vec<u8>, Ended) {
        let mut file = std::fs::File::from(from);
        let mut text = Vec::new();
        let began = Instant::now();
        let mut limit = time;
        let mut is_late = false;
        loop {
            if began.elapsed() >= limit {
                if is_late {
                    self.kill(libc::SIGKILL);
                } else {
                    // Its handler tells what it knows.
                    self.kill(libc::SIGABRT);
                    is_late = true;
                }
                limit += GRACE;
            }
            // Before what it wrote is read: what it had written then is all.
            let ended = self.has_ended();
            let is_over = drain(&mut file, &mut text);
            if let Some(ended) = ended.or_else(|| is_over.then(|| self.wait())) {
                let ended = if is_late { Ended::TimedOut } else { ended };
                return (text, ended);
            }
        }
    }

    fn kill(&self, signal: c_int) {
        // SAFETY: the child was not waited for yet, so the number is its.
        unsafe { libc::kill(self.0, signal) };
    }

    fn has_ended(&self) -> Option<Ended> {
        self.status(libc::WNOHANG)
    }

    fn wait(&self) -> Ended {
        loop {
            if let Some(ended) = self.status(0) {
                return ended;
            }
        }
    }

    /// How it ended; `None` if it has not, or the call was interrupted.
    fn status(&self, flags: c_int) -> Option<Ended> {
        let mut status = 0;
        // SAFETY: the place is there.
        let found = unsafe { libc::waitpid(self.0, &raw mut status, flags) };
        if found != self.0 {
            return None;
        }
        Some(if libc::WIFSIGNALED(status) {
            Ended::Killed(libc::WTERMSIG(status))
        } else {
            Ended::Exited(libc::WEXITSTATUS(status))
        })
    }
}

/// Reads what is there, after a moment at most; `true` if there will be no more.
fn drain(file: &mut std::fs::File, text: &mut Vec<u8>) -> bool {
    const MOMENT: c_int = 20;
    let mut piece = [0; 4096];
    let mut patience = MOMENT;
    loop {
        let mut asked = libc::pollfd {
            fd: file.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one is there.
        if unsafe { libc::poll(&raw mut asked, 1, patience) } <= 0 {
            return false;
        }
        match file.read(&mut piece) {
            Ok(0) => return true,
            Ok(count) => text.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return true,
        }
        patience = 0;
    }
}

/// What became of a run, by what its child told and how it ended.
fn understood(number: u64, text: &[u8], ended: Ended) -> Ran {
    let text = String::from_utf8_lossy(text);
    let mut failures = Vec::new();
    let mut failed = 0;
    let mut rest = &*text;
    while let Some((line, behind)) = rest.split_once('\n') {
        let resolve = |addresses: Vec<usize>| site::resolved(addresses.into_iter());
        let Some(failure) = crash::read_failure(line, Planner::Session, resolve) else {
            break;
        };
        failed += 1;
        failures.push(failure);
        rest = behind;
    }
    let crash = Crash::read(rest, &mut |_, address| {
        let mut frames = Vec::new();
        site::named(address, &mut frames);
        frames
    });
    let mut report = crash.map_or_else(|_| Report::new(None), |crash| crash.report);
    // A callee may live through a signal.
    let told = rest.lines().find_map(|line| line.strip_prefix("ended "));
    let told = told.and_then(|told| serde_json::from_str::<Value>(told).ok());
    let did = match (ended, told) {
        (Ended::TimedOut, _) => Did::TimedOut,
        (Ended::Killed(signal), _) => Did::Crashed(signal),
        (Ended::Exited(status), None) => Did::Exited(status),
        (Ended::Exited(_), Some(told)) => {
            failed = told["failed"].as_u64().unwrap_or(failed);
            let wire = told["report"].as_str().and_then(Report::from_wire);
            if let Some((found, _)) = wire {
                report = found;
                report.name_frames();
            }
            let text = |key: &str| told["did"][key].as_str().map(str::to_owned);
            text("failed")
                .map(Did::Failed)
                .or_else(|| text("panicked").map(Did::Panicked))
                .unwrap_or(Did::Succeeded)
        }
    };
    Ran {
        number,
        failures,
        failed,
        did,
        report,
    }
}
