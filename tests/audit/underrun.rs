//! R23: no writing before the start. These tests write to guard bytes, which are there.

use crate::support::{assert_told, free, free_task, poke, string, task, watched};
use olemem::audit::Kind;

#[test]
fn broken_task_memory() {
    let report = watched(|| {
        let block = task(5);
        // SAFETY: a guard byte.
        unsafe { poke(block, -1, 7) };
        free_task(block);
    });
    assert_told(
        &report,
        "\
error[underrun]: byte 1 before task memory was overwritten, by 0x07
  block 1: task memory, 5 bytes
  rule: R23
  help: stay within the bytes that were asked for; a BSTR has room for its length and the terminator",
    );
}

/// The padding before a BSTR's prefix, where there is one.
#[test]
#[cfg(target_pointer_width = "64")]
fn broken_padding() {
    let report = watched(|| {
        let text = string("text");
        // SAFETY: padding.
        unsafe { poke(text, -5, 7) };
        free(text);
    });
    assert_told(
        &report,
        "\
error[underrun]: byte 1 before a BSTR was overwritten, by 0x07
  block 1: BSTR, 8 bytes, \"text\"
  rule: R23
  help: stay within the bytes that were asked for; a BSTR has room for its length and the terminator",
    );
}

#[test]
fn broken_string() {
    let report = watched(|| {
        let text = string("text");
        // SAFETY: a guard byte.
        unsafe { poke(text, -20, 7) };
        free(text);
    });
    report.assert_kinds([Kind::Underrun]);
}
