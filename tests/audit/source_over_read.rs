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
