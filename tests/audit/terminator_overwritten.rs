//! R23: the unit behind the counted ones is zero when the string is freed. A warning.

use crate::support::{assert_kept, assert_told, free, poke, string, watched};
use olemem::{ByteLen, UnitLen, raw};

/// Editing it and restoring it is legal, and so is shortening in place (L11).
#[test]
fn kept() {
    assert_kept(&watched(|| {
        let text = string("text");
        // SAFETY: the terminator.
        unsafe { poke(text, 8, 0x58) };
        // SAFETY: the terminator.
        unsafe { poke(text, 8, 0) };
        free(text);

        let text = string("text");
        // SAFETY: the prefix of a string of four units, and the second unit: shorter by three.
        unsafe {
            text.wrapping_byte_sub(4)
                .cast::<[u8; 4]>()
                .write(2_u32.to_ne_bytes())
        };
        // SAFETY: within the string.
        unsafe { text.wrapping_add(1).write(0) };
        free(text);
    }));
}

#[test]
fn broken_by_a_longer_text() {
    let report = watched(|| {
        let text = string("text");
        // SAFETY: the terminator.
        unsafe { text.wrapping_add(4).write(0x58) };
        free(text);
    });
    assert_told(
        &report,
        "\
warning[terminator-overwritten]: the unit behind a BSTR's counted bytes is not zero
  block 1: BSTR, 8 bytes, \"text\"
  rule: R23
  help: restore the zero unit behind the counted bytes before anybody reads the string",
    );
    report.assert_clean();
}

/// A string shortened in place without a new terminator.
#[test]
fn broken_by_shortening() {
    let report = watched(|| {
        let text = string("text");
        // SAFETY: the prefix of a string of four units.
        unsafe {
            text.wrapping_byte_sub(4)
                .cast::<[u8; 4]>()
                .write(2_u32.to_ne_bytes())
        };
        free(text);
    });
    assert_told(
        &report,
        "\
warning[terminator-overwritten]: the unit behind a BSTR's counted bytes is not zero
  block 1: BSTR, 2 bytes, \"t\"
  rule: R23
  help: restore the zero unit behind the counted bytes before anybody reads the string",
    );
}

/// The byte that pads an odd length may be anything; the unit behind it may not.
#[test]
fn broken_behind_an_odd_length() {
    let make = || {
        // SAFETY: three bytes are there.
        let text = unsafe { raw::alloc_bytes([1_u8, 2, 3].as_ptr(), ByteLen::new(3)) };
        // SAFETY: the padding byte.
        unsafe { poke(text, 3, 9) };
        text
    };
    assert_kept(&watched(|| free(make())));
    let report = watched(|| {
        let text = make();
        // SAFETY: the terminator.
        unsafe { poke(text, 5, 9) };
        free(text);
    });
    report.assert_kinds([olemem::audit::Kind::TerminatorOverwritten]);
}

/// The story shows what was written, and no more.
#[test]
fn broken_by_a_text_that_was_not_finished() {
    let report = watched(|| {
        // SAFETY: no source is needed.
        let text = unsafe { raw::alloc_units(std::ptr::null(), UnitLen::new(4)) };
        for (index, unit) in [(0, 0x48), (1, 0x69), (4, 0x58)] {
            // SAFETY: two units of the four, and the terminator.
            unsafe { text.wrapping_add(index).write(unit) };
        }
        free(text);
    });
    let block = report.violations()[0].block.clone().expect("a block");
    assert_eq!((block.bytes, block.preview.as_deref()), (8, Some("Hi…")));
}
