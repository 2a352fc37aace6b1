//! What all commands do with what they print.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

/// The exit status for arguments and files that cannot be worked with; Clap's own as well.
const UNUSABLE: u8 = 2;

/// Ends a command that wrote to standard output and would end with `status`.
///
/// A reader that has seen enough, as `head` has, is no failure.
pub(crate) fn ended(written: io::Result<()>, status: ExitCode) -> ExitCode {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            unusable("standard output", error)
        }
        _ => status,
    }
}

/// Ends a command for which `what` cannot be read, written or understood.
pub(crate) fn unusable(what: impl Display, why: impl Display) -> ExitCode {
    eprintln!("olemem: {what}: {why}");
    ExitCode::from(UNUSABLE)
}
