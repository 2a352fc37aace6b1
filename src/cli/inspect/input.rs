//! Where the bytes come from.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::{Arguments, hex};

/// No more bytes than these are read, be they of a block or of text.
pub(super) const LIMIT: u64 = 16 << 20;

/// Nor than these to be searched, be they of a dump or of text.
const SCAN_LIMIT: u64 = 1 << 30;

/// What was read.
pub(super) struct Input {
    pub(super) bytes: Vec<u8>,
    /// Whether there is more.
    pub(super) more: bool,
}

/// What could not be read, and why.
pub(super) struct Unreadable {
    pub(super) what: String,
    pub(super) why: String,
}

impl Unreadable {
    fn new(what: impl Display, why: impl Display) -> Self {
        Self {
            what: what.to_string(),
            why: why.to_string(),
        }
    }
}

pub(super) fn read(arguments: &Arguments) -> Result<Input, Unreadable> {
    let limit = if arguments.scan { SCAN_LIMIT } else { LIMIT };
    let offset = arguments.offset;
    let (name, input) = if let Some(text) = &arguments.hex {
        let name = "--hex".to_owned();
        let input = decoded(&name, text.as_bytes(), offset)?;
        (name, input)
    } else if let Some(file) = &arguments.hex_file {
        let name = shown(file);
        let text = read_file(file, 0, limit)?;
        if text.more {
            return Err(Unreadable::new(name, format!("more than {limit} bytes")));
        }
        let input = decoded(&name, &text.bytes, offset)?;
        (name, input)
    } else {
        let standard_input = OsStr::new("-");
        let file = arguments.file.as_deref().unwrap_or(standard_input);
        (shown(file), read_file(file, offset, limit)?)
    };
    if offset > 0 && input.bytes.is_empty() {
        let why = format!("it ends before byte {offset}, where --offset says to begin");
        return Err(Unreadable::new(name, why));
    }
    Ok(input)
}

/// The bytes that hexadecimal text stands for, from `offset` on.
fn decoded(name: &str, text: &[u8], offset: u64) -> Result<Input, Unreadable> {
    let mut bytes = hex::parse(text).map_err(|error| Unreadable::new(name, error))?;
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    bytes.drain(..offset.min(bytes.len()));
    Ok(Input { bytes, more: false })
}

fn read_file(file: &OsStr, offset: u64, limit: u64) -> Result<Input, Unreadable> {
    let read = if file == "-" {
        let mut stdin = io::stdin().lock();
        skip(&mut stdin, offset).and_then(|()| read_some(stdin, limit))
    } else {
        open_at(file, offset).and_then(|file| read_some(file, limit))
    };
    read.map_err(|error| Unreadable::new(shown(file), error))
}

fn open_at(file: &OsStr, offset: u64) -> io::Result<File> {
    let mut file = File::open(file)?;
    // Pipes have no places to go to.
    if file.seek(SeekFrom::Start(offset)).is_err() {
        skip(&mut file, offset)?;
    }
    Ok(file)
}

fn skip(reader: &mut impl Read, bytes: u64) -> io::Result<()> {
    io::copy(&mut reader.take(bytes), &mut io::sink()).map(drop)
}

fn read_some(reader: impl Read, limit: u64) -> io::Result<Input> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = bytes.len() > limit;
    bytes.truncate(limit);
    Ok(Input { bytes, more })
}

fn shown(file: &OsStr) -> String {
    let name = if file == "-" {
        Cow::Borrowed("standard input")
    } else {
        file.to_string_lossy()
    };
    name.into_owned()
}
