//! R26: a source holds as many units as the count says.

use crate::support::{assert_kept, assert_told, byte_len, free, free_task, string, task, watched};
use olemem::audit::{FRESH, Kind};
use olemem::{ByteLen, UnitLen, raw};

/// The terminator may be copied along.
#[test]
fn kept() {
    assert_kept(&watched(|| {
        let text = string("text");
        // SAFETY: four units, and the terminator.
        free(unsafe { raw::alloc_units(text, UnitLen::new(5)) });
        // SAFETY: the last two of them.
        free(unsafe { raw::alloc_units(text.wrapping_add(3), UnitLen::new(2)) });
        free(text);
    }));
}

/// The copy is cut short, and what is missing was never written.
#[test]
fn broken_string() {
    let report = watched(|| {
        let text = string("text");
        // SAFETY: the audit cuts the copy short.
        let copy = unsafe { raw::alloc_units(text, UnitLen::new(7)) };
        assert_eq!(byte_len(copy), 14);
        // SAFETY: the copy has seven units, which the audit filled.
        let units = unsafe { copy.cast::<[u16; 7]>().read() };
        assert_eq!(units[..5], [0x74, 0x65, 0x78, 0x74, 0]);
        assert_eq!(units[5..], [u16::from_ne_bytes([FRESH; 2]); 2]);
        free(copy);
        free(text);
    });
    assert_told(
        &report,
        "\
error[source-over-read]: 14 bytes were to be copied from a BSTR, which has 10 from there on
  block 1: BSTR, 8 bytes, \"text\"
  rule: R26
  help: give a count that the source really holds",
    );
}

#[test]
fn broken_task_memory() {
    let report = watched(|| {
        let block = task(10);
        // SAFETY: the audit cuts the copy short.
        free(unsafe { raw::alloc_bytes(block.wrapping_add(8), ByteLen::new(3)) });
        free_task(block);
    });
    assert_told(
        &report,
        "\
error[source-over-read]: 3 bytes were to be copied from task memory, which has 2 from there on
  block 1: task memory, 10 bytes
  rule: R26
  help: give a count that the source really holds",
    );
}

/// A block from before the session.
#[test]
fn broken_with_a_block_from_before() {
    let block = task(10);
    let report = watched(|| {
        // SAFETY: the audit cuts the copy short.
        free(unsafe { raw::alloc_bytes(block, ByteLen::new(11)) });
    });
    report.assert_kinds([Kind::SourceOverRead]);
    free_task(block);
}

const NO_ZERO: &str = "\
error[source-over-read]: no zero ends a text that was to be read from task memory
  block 1: task memory, 6 bytes
  rule: R26
  help: give a count that the source really holds";

/// Three units without a zero behind them, as a zero-terminated source.
fn unterminated() -> *mut u16 {
    let block = task(6).cast::<[u16; 3]>();
    // SAFETY: the block has so many bytes, and blocks are aligned.
    unsafe { block.write([0x61, 0x62, 0x63]) };
    block.cast()
}

/// Up to the zero, wherever in the block it stands; a BSTR has one behind it.
#[test]
fn kept_with_a_zero() {
    assert_kept(&watched(|| {
        let block = unterminated();
        // SAFETY: the block has so many units.
        unsafe { block.wrapping_add(2).write(0) };
        // SAFETY: a zero ends the text.
        let copy = unsafe { raw::alloc(block) };
        assert_eq!(byte_len(copy), 4);
        free(copy);
        // SAFETY: at the zero itself.
        let copy = unsafe { raw::alloc(block.wrapping_add(2)) };
        assert_eq!(byte_len(copy), 0);
        free(copy);
        free_task(block.cast());
        let text = string("text");
        // SAFETY: its terminator ends it.
        let copy = unsafe { raw::alloc(text.wrapping_add(1)) };
        assert_eq!(byte_len(copy), 6);
        free(copy);
        free(text);
    }));
}

/// No more is read than the block holds.
#[test]
fn broken_without_a_zero() {
    let report = watched(|| {
        let block = unterminated();
        // SAFETY: the audit says how far may be read.
        let copy = unsafe { raw::alloc(block) };
        assert_eq!(byte_len(copy), 6);
        free(copy);
        free_task(block.cast());
    });
    assert_told(&report, NO_ZERO);
}

/// At the end of a block there is nothing left to be read.
#[test]
fn broken_behind_the_end() {
    let report = watched(|| {
        let block = unterminated();
        // SAFETY: as above.
        let copy = unsafe { raw::alloc(block.wrapping_add(3)) };
        assert_eq!(byte_len(copy), 0);
        free(copy);
        free_task(block.cast());
    });
    assert_told(&report, NO_ZERO);
}

/// In the old string's place stands what could be read.
#[test]
fn broken_replacement() {
    let report = watched(|| {
        let block = unterminated();
        let mut text = string("text");
        // SAFETY: as above; the variable holds a string.
        assert!(unsafe { raw::realloc(&raw mut text, block) });
        assert_eq!(byte_len(text), 6);
        free(text);
        free_task(block.cast());
    });
    assert_told(&report, NO_ZERO);
}

/// A block from before the session, of which nobody knows but the heap.
#[test]
fn broken_without_a_zero_before_the_session() {
    let block = unterminated();
    let report = watched(|| {
        // SAFETY: as above.
        let copy = unsafe { raw::alloc(block) };
        assert_eq!(byte_len(copy), 6);
        free(copy);
    });
    assert_told(
        &report,
        "\
error[source-over-read]: no zero ends a text that was to be read from a block
  rule: R26
  help: give a count that the source really holds",
    );
    free_task(block.cast());
}

#[test]
#[cfg(feature = "export")]
fn broken_functions_of_c() {
    use olemem::HResult;
    use olemem::export::{SHStrDupA, SHStrDupW};
    let report = watched(|| {
        let block = unterminated();
        let mut copy = std::ptr::null_mut();
        // SAFETY: the audit says how far may be read; the variable is there.
        let code = unsafe { SHStrDupW(block, &raw mut copy) };
        assert_eq!(code, HResult::S_OK);
        // SAFETY: three units, and a zero.
        let units = unsafe { copy.cast::<[u16; 4]>().read() };
        assert_eq!(units, [0x61, 0x62, 0x63, 0]);
        free_task(copy.cast());
        free_task(block.cast());
    });
    assert_told(&report, NO_ZERO);
    let report = watched(|| {
        let block = task(6);
        let mut copy = std::ptr::null_mut();
        // SAFETY: as above.
        let code = unsafe { SHStrDupA(block, &raw mut copy) };
        assert_eq!(code, HResult::S_OK);
        // SAFETY: six units, and a zero.
        let units = unsafe { copy.cast::<[u16; 7]>().read() };
        assert_eq!(units, [1, 1, 1, 1, 1, 1, 0]);
        free_task(copy.cast());
        free_task(block);
    });
    assert_told(&report, NO_ZERO);
}
