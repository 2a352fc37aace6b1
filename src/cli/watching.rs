//! What `olemem check` and `olemem sweep` have in common: programs under process mode, and what becomes of a report.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use anstream::stream::{AsLockedWrite, RawStream};
use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use olemem::audit::Suppressions;

use crate::output;

/// The report could not be written.
pub(crate) const UNWRITABLE: u8 = 97;
/// There is nothing to report on: no process of the program's used olemem with an audit, or the program left
/// without a report.
pub(crate) const UNCOVERED: u8 = 98;
/// The program was found, and could not be started.
pub(crate) const NOT_STARTED: u8 = 126;
/// The program was not found.
const NOT_FOUND: u8 = 127;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

impl Colour {
    /// Writes text that has colours to a file, or to a stream that may be a terminal.
    pub(crate) fn write(
        self,
        text: &str,
        file: Option<File>,
        stream: impl RawStream + AsLockedWrite,
    ) -> io::Result<()> {
        let choice = match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        };
        match file {
            // A file has none unless they are asked for.
            Some(file) => {
                let choice = match choice {
                    ColorChoice::Auto => ColorChoice::Never,
                    other => other,
                };
                AutoStream::new(file, choice).write_all(text.as_bytes())
            }
            None => AutoStream::new(stream, choice).write_all(text.as_bytes()),
        }
    }
}

/// Ends the command with a status and the reason.
pub(crate) fn ended_by(status: u8, what: impl Display, why: impl Display) -> ExitCode {
    eprintln!("olemem: {what}: {why}");
    ExitCode::from(status)
}

/// Ends the command for a program that was not started.
pub(crate) fn not_started(program: &OsString, error: &io::Error) -> ExitCode {
    let status = match error.kind() {
        io::ErrorKind::NotFound => NOT_FOUND,
        _ => NOT_STARTED,
    };
    ended_by(status, program.display(), error)
}

/// The violations that are known, if a file of them was named: by the option or, without it, in `OLEMEM`.
pub(crate) fn suppressions(path: Option<&Path>) -> Result<Suppressions, ExitCode> {
    let said = said("suppress").map(PathBuf::from);
    let Some(path) = path.or(said.as_deref()) else {
        return Ok(Suppressions::default());
    };
    let unusable = |why: &dyn Display| output::unusable(path.display(), why);
    let text = fs::read_to_string(path).map_err(|error| unusable(&error))?;
    Suppressions::parse(&text).map_err(|bad| unusable(&bad))
}

/// The file of the report, if one was named. Before any program runs: its work is not to be in vain.
pub(crate) fn create(path: Option<&Path>) -> Result<Option<File>, ExitCode> {
    let file = path.map(|path| {
        File::create(path).map_err(|error| ended_by(UNWRITABLE, path.display(), error))
    });
    file.transpose()
}

/// What is in `OLEMEM` behind a key; the last word counts.
fn said(key: &str) -> Option<OsString> {
    let value = std::env::var_os("OLEMEM")?;
    let words = value.as_bytes().split(|byte| *byte == b',');
    let behind = |word: &[u8]| {
        let said = word.strip_prefix(key.as_bytes())?.strip_prefix(b"=")?;
        Some(OsStr::from_bytes(said).to_owned())
    };
    words.rev().find_map(behind).filter(|said| !said.is_empty())
}

/// Tells which keys in `OLEMEM` change nothing, since the command writes the report.
pub(crate) fn tell_what_is_not_followed() {
    for (key, option) in [("report", "--output"), ("format", "--format")] {
        if said(key).is_some() {
            eprintln!("olemem: {key}= in OLEMEM is not followed here: {option} is the way");
        }
    }
}

/// The value of `OLEMEM` for a program: what is there, and words behind it.
pub(crate) struct Environment(OsString);

impl Environment {
    pub(crate) fn new() -> Self {
        Self(std::env::var_os("OLEMEM").unwrap_or_default())
    }

    pub(crate) fn add(&mut self, word: impl Display) {
        if !self.0.is_empty() {
            self.0.push(",");
        }
        self.0.push(word.to_string());
    }

    pub(crate) fn value(self) -> OsString {
        self.0
    }
}

/// The folder in which processes leave their records, until it is dropped.
pub(crate) struct Records(pub(crate) PathBuf);

impl Records {
    pub(crate) fn new() -> Result<Self, ExitCode> {
        Self::made().map_err(|error| ended_by(UNWRITABLE, "the folder for records", error))
    }

    fn made() -> io::Result<Self> {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let name = format!("olemem-{}-{}", std::process::id(), now.as_nanos());
        let folder = std::path::absolute(std::env::temp_dir())?.join(name);
        // What programs hold is nobody else's business.
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        // A process that outlives the program may write yet.
        let _ = fs::remove_dir_all(&self.0);
    }
}
