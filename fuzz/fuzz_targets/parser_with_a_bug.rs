//! What a finding looks like. The parser below, in the style of much code that takes a BSTR, looks for an equals
//! sign and not at the length: in a string without one it reads past the terminator. Blocks are
//! AddressSanitizer's own, as large as on Windows, so the first unit past one ends the run.
#![no_main]

use libfuzzer_sys::fuzz_target;
use olemem::{Bstr, BstrRef};

/// Units before the first equals sign.
///
/// # Safety
/// There has to be one: that is the bug, for nobody looked.
unsafe fn name_len(text: *const u16) -> usize {
    let mut end = text;
    let mut len = 0;
    // SAFETY: not argued: this is the read that the fuzzer finds.
    while unsafe { end.read() } != u16::from(b'=') {
        // SAFETY: not argued, as above.
        end = unsafe { end.add(1) };
        len += 1;
    }
    len
}

/// Units of a setting's name and of the rest.
fn parse(setting: BstrRef<'_>) -> (usize, usize) {
    if setting.is_empty() {
        return (0, 0);
    }
    // SAFETY: not argued, as above.
    let name = unsafe { name_len(setting.as_ptr()) };
    (name, setting.len() - name)
}

fuzz_target!(|data: &[u8]| {
    let units: Vec<u16> = data
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
        .collect();
    let setting = Bstr::from_wide(&units);
    std::hint::black_box(parse(setting.as_bstr()));
});
