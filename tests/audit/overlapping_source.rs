//! R25: a reallocation's source is outside of the string that it replaces.

use crate::support::{assert_kept, assert_told, free, string, watched};
use olemem::audit::Kind;
use olemem::{UnitLen, raw};

/// The string itself is a legal source for the function with a length.
#[test]
fn kept() {
    assert_kept(&watched(|| {
        let mut text = string("text");
        // SAFETY: the string is live, and its own contents are the source.
        assert!(unsafe { raw::realloc_units(&raw mut text, text, UnitLen::new(9)) });
        let other = string("other");
        // SAFETY: the source is another string.
        assert!(unsafe { raw::realloc(&raw mut text, other) });
        free(other);
        free(text);
    }));
}

#[test]
fn broken_with_a_length() {
    let report = watched(|| {
        let mut text = string("text");
        // SAFETY: inside of the string, which is read safely.
        assert!(unsafe {
            raw::realloc_units(&raw mut text, text.wrapping_add(1), UnitLen::new(2))
        });
        // SAFETY: the new string has two units.
        assert_eq!(unsafe { text.cast::<[u16; 2]>().read() }, [0x65, 0x78]);
        free(text);
    });
    assert_told(
        &report,
        "\
error[overlapping-source]: the source of a reallocation lies in the string that it replaces, 2 bytes behind its start
  block 1: BSTR, 8 bytes, \"text\"
  rule: R25
  help: make the new string with SysAllocStringLen, then free the old one and store the new pointer",
    );
}

#[test]
fn broken_without_a_length() {
    let report = watched(|| {
        let mut text = string("text");
        // SAFETY: inside of the string, which is read safely.
        assert!(unsafe { raw::realloc(&raw mut text, text.wrapping_add(3)) });
        free(text);
    });
    report.assert_kinds([Kind::OverlappingSource]);
}
