//! R23: the prefix says no more than the block can hold.

use crate::support::{assert_told, byte_len, free, string, watched};
use olemem::audit::Kind;

const STORY: &str = "\
error[prefix-corrupted]: a BSTR's prefix says 4096 bytes, where there are 8
  block 1: BSTR, 8 bytes, \"text\"
  rule: R23
  help: change a BSTR's length with SysReAllocStringLen; the four bytes before it are not the caller's";

fn corrupt(text: *mut u16, bytes: u32) {
    // SAFETY: the prefix of a string.
    unsafe {
        text.wrapping_byte_sub(4)
            .cast::<[u8; 4]>()
            .write(bytes.to_ne_bytes())
    };
}

#[test]
fn broken_and_found_by_the_free() {
    let report = watched(|| {
        let text = string("text");
        corrupt(text, 4096);
        free(text);
    });
    assert_told(&report, STORY);
}

/// Told once, where it is read first. Windows gives what the prefix says.
#[test]
fn broken_and_found_by_a_reader() {
    let report = watched(|| {
        let text = string("text");
        corrupt(text, 4096);
        assert_eq!(byte_len(text), 4096);
        assert_eq!(byte_len(text), 4096);
        free(text);
    });
    assert_told(&report, STORY);
}

/// By one byte.
#[test]
fn broken_by_little() {
    let report = watched(|| {
        let text = string("text");
        corrupt(text, 9);
        free(text);
    });
    report.assert_kinds([Kind::PrefixCorrupted]);
}
