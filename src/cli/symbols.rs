//! Names for the addresses of a process that is no more.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use addr2line::Loader;
use object::{Object, ObjectSegment};
use olemem::audit::Frame;
use olemem::audit::records;

/// Files that were looked at; `None` where one cannot be read.
#[derive(Default)]
pub(super) struct Symbols(HashMap<PathBuf, Option<Symbolised>>);

struct Symbolised {
    loader: Loader,
    /// Where parts of the file lie: its offset, its bytes, its address by the file itself.
    segments: Vec<(u64, u64, u64)>,
}

impl Symbols {
    /// The functions that an address lies in, innermost first; `maps` is that of `/proc/PID/maps`.
    pub(super) fn frames(&mut self, maps: &str, address: usize) -> Vec<Frame> {
        let frames = mapped(maps, address as u64)
            .and_then(|(file, offset)| self.in_file(file, offset, address))
            .unwrap_or_default();
        if frames.is_empty() {
            vec![records::frame(address, None, None, None)]
        } else {
            frames
        }
    }

    fn in_file(&mut self, file: &Path, offset: u64, address: usize) -> Option<Vec<Frame>> {
        if !self.0.contains_key(file) {
            self.0.insert(file.to_owned(), Symbolised::new(file));
        }
        let file = self.0.get(file)?.as_ref()?;
        let place = file.address(offset)?;
        let mut frames = Vec::new();
        let mut found = file.loader.find_frames(place).ok()?;
        while let Ok(Some(frame)) = found.next() {
            let function = frame
                .function
                .and_then(|name| Some(decoded(&name.raw_name().ok()?)))
                .or_else(|| file.symbol(place));
            let location = frame.location.as_ref();
            frames.push(records::frame(
                address,
                function,
                location.and_then(|place| place.file).map(str::to_owned),
                location.and_then(|place| place.line),
            ));
        }
        if frames.is_empty() {
            frames.push(records::frame(address, file.symbol(place), None, None));
        }
        Some(frames)
    }
}

impl Symbolised {
    fn new(path: &Path) -> Option<Self> {
        let data = std::fs::read(path).ok()?;
        let file = object::File::parse(data.as_slice()).ok()?;
        let segments = file
            .segments()
            .map(|segment| {
                let (offset, bytes) = segment.file_range();
                (offset, bytes, segment.address())
            })
            .collect();
        Some(Self {
            loader: Loader::new(path).ok()?,
            segments,
        })
    }

    /// The address that the file itself has for one of its bytes.
    fn address(&self, offset: u64) -> Option<u64> {
        self.segments
            .iter()
            .find(|(start, bytes, _)| (*start..start + bytes).contains(&offset))
            .map(|(start, _, address)| offset - start + address)
    }

    /// The function by the table of symbols, where there is nothing better.
    fn symbol(&self, address: u64) -> Option<String> {
        self.loader.find_symbol(address).map(decoded)
    }
}

/// A function's name, as its language has it.
fn decoded(symbol: &str) -> String {
    if records::is_mangled(symbol) {
        addr2line::demangle_auto(symbol.into(), None).into_owned()
    } else {
        symbol.to_owned()
    }
}

/// The file that an address lies in, and the offset there.
fn mapped(maps: &str, address: u64) -> Option<(&Path, u64)> {
    for line in maps.lines() {
        let mut words = line.splitn(6, ' ');
        let (start, end) = words.next()?.split_once('-')?;
        let hexadecimal = |word: &str| u64::from_str_radix(word, 16).ok();
        let (start, end) = (hexadecimal(start)?, hexadecimal(end)?);
        if !(start..end).contains(&address) {
            continue;
        }
        let offset = hexadecimal(words.nth(1)?)?;
        let path = words.nth(2)?.trim_start();
        return path
            .starts_with('/')
            .then(|| (Path::new(path), address - start + offset));
    }
    None
}
