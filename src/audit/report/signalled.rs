//! A signal that met a process, and what the process held then.
#![cfg_attr(
    not(all(unix, not(miri))),
    expect(unreachable_pub, reason = "there is no command to tell of it")
)]

use super::Block;
use crate::audit::frame::Frame;

/// A live block, and where it was allocated.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Live {
    /// The block.
    pub block: Block,
    /// Innermost first.
    pub allocated_at: Vec<Frame>,
}

/// A signal that met a process, and what the process held then.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Signalled {
    /// The number of the process.
    pub process: u32,
    /// The program.
    pub program: String,
    /// The signal.
    pub signal: i32,
    /// Whether the signal ended it; otherwise it ended by itself later.
    pub is_fatal: bool,
    /// What was live then, by number. `None` if that is not known: the books were being written, or nothing was left.
    pub live: Option<Vec<Live>>,
}

/// A signal's name, where it is one of those that programs die of.
const fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        #[cfg(any(target_os = "linux", target_os = "android"))]
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        #[cfg(target_vendor = "apple")]
        10 => "SIGBUS",
        #[cfg(any(target_os = "linux", target_os = "android"))]
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        #[cfg(any(target_os = "linux", target_os = "android"))]
        12 => "SIGUSR2",
        #[cfg(target_vendor = "apple")]
        12 => "SIGSYS",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        26 => "SIGVTALRM",
        27 => "SIGPROF",
        #[cfg(target_vendor = "apple")]
        30 => "SIGUSR1",
        #[cfg(any(target_os = "linux", target_os = "android"))]
        31 => "SIGSYS",
        #[cfg(target_vendor = "apple")]
        31 => "SIGUSR2",
        _ => return None,
    })
}

/// A signal's number with its name, if it has one.
pub(crate) fn signal_words(signal: i32) -> String {
    match signal_name(signal) {
        Some(name) => format!("signal {signal} ({name})"),
        None => format!("signal {signal}"),
    }
}

impl Signalled {
    /// The signal's name, where it is one of those that programs die of.
    #[must_use]
    pub const fn name(&self) -> Option<&'static str> {
        signal_name(self.signal)
    }

    /// The signal's number with its name, if it has one.
    #[must_use]
    pub fn words(&self) -> String {
        signal_words(self.signal)
    }
}

#[cfg(all(unix, not(miri)))]
impl Signalled {
    /// A process that a signal ended, and that left nothing.
    #[must_use]
    pub fn unrecorded(process: u32, program: String, signal: i32) -> Self {
        Self {
            process,
            program,
            signal,
            is_fatal: true,
            live: None,
        }
    }
}
