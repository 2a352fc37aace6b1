//! The peers by their own names: what makes a wide string of a Rust one.

use std::hint::black_box;
use std::ops::Deref;
use std::time::{Duration, Instant};

use intercom::BString;
use olemem::{Bstr, UnitLen, raw};
use widestring::U16CString;

use crate::peer::{Glibc, Text};
use crate::rounds::{Contestant, Settings, contest};

/// A contestant that makes a string, and drops it. What it makes is checked once.
fn maker<'a, T>(
    name: &str,
    text: &'a str,
    make: impl Fn(&str) -> T + 'a,
    units: impl Fn(&T) -> Vec<u16>,
) -> Contestant<'a> {
    let expected: Vec<u16> = text.encode_utf16().collect();
    assert_eq!(units(&make(text)), expected, "{name}");
    let run = move |times| -> Duration {
        let begin = Instant::now();
        for _ in 0..times {
            black_box(&make(black_box(text)));
        }
        begin.elapsed()
    };
    Contestant {
        name: name.to_owned(),
        base: 0,
        run: Box::new(run),
    }
}

/// A string of `SysAllocStringLen` over malloc, as the `windows` crate would have it if it were not for
/// Windows only.
struct OverMalloc(Option<Text<Glibc>>, usize);

impl OverMalloc {
    /// What windows-strings does with a `&str`: it collects the units, and has them copied.
    fn new(text: &str) -> Self {
        let units: Vec<u16> = text.encode_utf16().collect();
        Self(Some(Text::new(&units)), units.len())
    }
}

impl Drop for OverMalloc {
    fn drop(&mut self) {
        if let Some(text) = self.0.take() {
            text.free();
        }
    }
}

/// A BSTR by the raw operations, dropped as it should be.
struct Raw(*mut u16);

impl Raw {
    fn new(units: &[u16]) -> Self {
        // SAFETY: the slice has so many units.
        Self(unsafe { raw::alloc_units(units.as_ptr(), UnitLen::new(units.len() as u32)) })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: the string is live, and this is its last use.
        unsafe { raw::free(self.0) };
    }
}

impl Deref for Raw {
    type Target = [u16];
    fn deref(&self) -> &[u16] {
        // SAFETY: the string is live.
        let len = unsafe { raw::unit_len(self.0) }.as_usize();
        // SAFETY: it has so many units.
        unsafe { std::slice::from_raw_parts(self.0, len) }
    }
}

pub fn run(settings: Settings) {
    for size in [4, 16, 64, 1024] {
        let text: String = "status: done ".chars().cycle().take(size).collect();
        let contestants = vec![
            maker("Bstr", &text, |text| Bstr::from(text), |made| made.to_vec()),
            maker(
                "windows-strings' way over malloc",
                &text,
                OverMalloc::new,
                |made| {
                    let expected: Vec<u16> = text.encode_utf16().collect();
                    made.0.as_ref().expect("a string").check(&expected);
                    assert_eq!(made.1, expected.len());
                    expected
                },
            ),
            maker(
                "intercom::BString",
                &text,
                |text| BString::from(text),
                |made| made.to_string().expect("text").encode_utf16().collect(),
            ),
            maker(
                "Box<[u16]>",
                &text,
                |text| text.encode_utf16().collect::<Box<[u16]>>(),
                |made| made.to_vec(),
            ),
            maker(
                "widestring::U16CString",
                &text,
                |text| U16CString::from_str(text).expect("no zero"),
                |made| made.as_slice().to_vec(),
            ),
        ];
        contest(settings, ("text", "from &str", size as u64), 1, contestants);

        let units: Vec<u16> = text.encode_utf16().collect();
        let units = &units;
        let contestants = vec![
            maker(
                "raw::alloc_units",
                &text,
                move |_| Raw::new(black_box(units)),
                |made| made.to_vec(),
            ),
            maker(
                "Box<[u16]>",
                &text,
                move |_| Box::<[u16]>::from(black_box(units.as_slice())),
                |made| made.to_vec(),
            ),
            maker(
                "widestring::U16CString",
                &text,
                move |_| U16CString::from_vec(black_box(units.as_slice())).expect("no zero"),
                |made| made.as_slice().to_vec(),
            ),
        ];
        let key = ("text", "from &[u16]", size as u64);
        contest(settings, key, 1, contestants);
    }
}
