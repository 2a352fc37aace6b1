//! What the process mode is asked for in the environment.
//!
//! Read before the first allocation, so all of it is kept in the system's memory: a global allocator may stand on
//! olemem.

use core::fmt;
use core::str::FromStr;
use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::guard::Guard;
use super::options::Options;
use super::site::Backtrace;

/// The shape of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    #[default]
    Text,
    Json,
    Sarif,
}

/// What `OLEMEM=check,…` asks for.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) options: Options,
    /// Where the report goes, from the root, `%p` for the process; standard error if nowhere is said.
    pub(super) report: Option<Vec<u8, System>>,
    pub(super) format: Format,
    /// The exit status after errors; 0 leaves it.
    pub(super) exit_code: u8,
    /// The file of suppressions, from the root.
    pub(super) suppress: Option<Vec<u8, System>>,
    /// The folder of `olemem check`, which wants a record of every process and prints the report itself.
    pub(super) records: Option<Vec<u8, System>>,
}

/// What is wrong with a key.
enum Wrong {
    /// What it may be instead.
    Valid(&'static str),
    /// Why it cannot be.
    Because(&'static str),
}

impl Settings {
    /// What a value of `OLEMEM` says. What it says wrongly is as if it were not said.
    pub(super) fn read(value: &CStr) -> Self {
        let mut settings = Self::parse(value, |_, _| {});
        settings.records = variable(c"OLEMEM_RECORDS").and_then(|folder| own(folder.to_bytes()));
        settings
    }

    /// Tells what a value says wrongly.
    pub(super) fn complain(value: &CStr, mut tell: impl FnMut(fmt::Arguments<'_>)) {
        Self::parse(value, |word, wrong| {
            let word = String::from_utf8_lossy(word);
            match wrong {
                Wrong::Valid(valid) => tell(format_args!("OLEMEM: {word}: valid is {valid}")),
                Wrong::Because(why) => tell(format_args!("OLEMEM: {word}: {why}")),
            }
        });
    }

    fn parse(value: &CStr, mut wrong: impl FnMut(&[u8], Wrong)) -> Self {
        let mut settings = Self::default();
        for word in value.to_bytes().split(|byte| *byte == b',') {
            let Some(at) = word.iter().position(|byte| *byte == b'=') else {
                continue;
            };
            let (key, said) = (&word[..at], &word[at + 1..]);
            if let Err(what) = settings.set(key, said) {
                wrong(word, what);
            }
        }
        settings
    }

    fn set(&mut self, key: &[u8], said: &[u8]) -> Result<(), Wrong> {
        match (key, said) {
            (b"report", path) => self.report = Some(path_at(path)?),
            (b"suppress", path) => self.suppress = Some(path_at(path)?),
            (b"format", b"text") => self.format = Format::Text,
            (b"format", b"json") => self.format = Format::Json,
            (b"format", b"sarif") => self.format = Format::Sarif,
            (b"format", _) => return Err(Wrong::Valid("text, json, sarif")),
            (b"backtrace", b"off") => self.options = self.options.backtrace(Backtrace::Off),
            (b"backtrace", b"short") => self.options = self.options.backtrace(Backtrace::Short),
            (b"backtrace", b"full") => self.options = self.options.backtrace(Backtrace::Full),
            (b"backtrace", _) => return Err(Wrong::Valid("off, short, full")),
            (b"quarantine", size) => {
                let bytes =
                    bytes(size).ok_or(Wrong::Valid("a number, with K, M or G behind it"))?;
                self.options = self.options.quarantine(bytes);
            }
            (b"guard", b"bytes") => self.options = self.options.guard(Guard::Bytes),
            (b"guard", b"page") => self.options = self.options.guard(Guard::Page),
            (b"guard", _) => return Err(Wrong::Valid("bytes, page")),
            (b"halt", b"first") => self.options.halts = true,
            (b"halt", b"end") => self.options.halts = false,
            (b"halt", _) => return Err(Wrong::Valid("first, end")),
            (b"exitcode", code) => {
                self.exit_code = number(code).ok_or(Wrong::Valid("a number from 0 to 255"))?;
            }
            // Not the audit's.
            _ => {}
        }
        Ok(())
    }
}

/// A variable of the environment, by the C function: the standard library's copies the value into memory of the
/// global allocator's.
fn variable(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: the name is a string; before the first allocation nobody changes the environment.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: not null, so a string; it is copied before anybody could change it.
    Some(unsafe { CStr::from_ptr(value) })
}

/// A copy in the system's memory.
fn own(bytes: &[u8]) -> Option<Vec<u8, System>> {
    let mut copy = Vec::new_in(System);
    copy.try_reserve_exact(bytes.len()).ok()?;
    copy.extend_from_slice(bytes);
    Some(copy)
}

/// A path from the root: the program may go elsewhere before it ends.
fn path_at(path: &[u8]) -> Result<Vec<u8, System>, Wrong> {
    const NO_MEMORY: Wrong = Wrong::Because("there is no memory for it");
    if path.is_empty() {
        return Err(Wrong::Valid("a path"));
    }
    if path.starts_with(b"/") {
        return own(path).ok_or(NO_MEMORY);
    }
    let mut here = [0_u8; 4096];
    // SAFETY: so many bytes may be written there.
    let found = unsafe { libc::getcwd(here.as_mut_ptr().cast::<c_char>(), here.len()) };
    if found.is_null() {
        return Err(Wrong::Because("the current folder is not known"));
    }
    let len = here.iter().position(|byte| *byte == 0).unwrap_or(0);
    let mut whole = own(&here[..len]).ok_or(NO_MEMORY)?;
    whole
        .try_reserve_exact(path.len() + 1)
        .map_err(|_| NO_MEMORY)?;
    whole.push(b'/');
    whole.extend_from_slice(path);
    Ok(whole)
}

pub(super) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn number<T: FromStr>(digits: &[u8]) -> Option<T> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// A number of bytes: digits, and perhaps K, M or G.
fn bytes(said: &[u8]) -> Option<usize> {
    let (digits, shift) = match said.split_last()? {
        (b'K' | b'k', digits) => (digits, 10),
        (b'M' | b'm', digits) => (digits, 20),
        (b'G' | b'g', digits) => (digits, 30),
        _ => (said, 0),
    };
    number::<usize>(digits)?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::{CStr, Format, Options, Settings, as_path};

    fn told(value: &CStr) -> Vec<String> {
        let mut told = Vec::new();
        Settings::complain(value, |what| told.push(what.to_string()));
        told
    }

    #[test]
    fn keys_are_read() {
        let value = c"check,report=/r.%p,format=json,quarantine=3K,halt=first,exitcode=7,cache=off";
        let settings = Settings::read(value);
        assert_eq!(settings.report.as_deref(), Some(&b"/r.%p"[..]));
        assert_eq!(settings.format, Format::Json);
        let mut options = Options::default().quarantine(3 << 10);
        options.halts = true;
        assert_eq!(settings.options, options);
        assert_eq!(settings.exit_code, 7);
        assert!(told(value).is_empty());
        let relative = Settings::read(c"check,suppress=s");
        let path = relative.suppress.expect("a path");
        assert!(as_path(&path).is_absolute() && path.ends_with(b"/s"));
    }

    #[test]
    fn what_is_wrong_is_told_and_not_taken() {
        for (value, what) in [
            (
                c"format=xml",
                "OLEMEM: format=xml: valid is text, json, sarif",
            ),
            (
                c"backtrace=",
                "OLEMEM: backtrace=: valid is off, short, full",
            ),
            (
                c"quarantine=1T",
                "OLEMEM: quarantine=1T: valid is a number, with K, M or G behind it",
            ),
            (c"guard=wall", "OLEMEM: guard=wall: valid is bytes, page"),
            (c"halt=never", "OLEMEM: halt=never: valid is first, end"),
            (
                c"exitcode=256",
                "OLEMEM: exitcode=256: valid is a number from 0 to 255",
            ),
            (c"report=", "OLEMEM: report=: valid is a path"),
        ] {
            assert_eq!(told(value), [what]);
            let settings = Settings::read(value);
            assert_eq!(settings.format, Format::Text);
            assert_eq!(settings.options, Options::default());
            assert_eq!(settings.exit_code, 0);
            assert!(settings.report.is_none());
        }
    }
}
