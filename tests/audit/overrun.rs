//! R23: no writing past the end. These tests write to guard bytes, which are there.

use crate::support::{assert_kept, assert_told, free, free_task, poke, string, task, watched};
use olemem::audit::{GUARD, Kind};
use olemem::heap::{self, Family};
use olemem::{ByteLen, UnitLen, raw};

const TASK: &str = "\
error[overrun]: byte 1 behind task memory was overwritten, by 0x07
  block 1: task memory, 5 bytes
  rule: R23
  help: stay within the bytes that were asked for; a BSTR has room for its length and the terminator";

#[test]
fn kept() {
    assert_kept(&watched(|| {
        for size in (0..70_u8).step_by(if cfg!(miri) { 7 } else { 1 }) {
            let block = task(size.into());
            free_task(block);
        }
        let text = string("text");
        // SAFETY: the last byte of the terminator.
        unsafe { poke(text, 9, 0) };
        free(text);
    }));
}

#[test]
fn broken_task_memory() {
    let report = watched(|| {
        let block = task(5);
        // SAFETY: a guard byte.
        unsafe { poke(block, 5, 7) };
        free_task(block);
    });
    assert_told(&report, TASK);
}

/// A block of no bytes has none.
#[test]
fn broken_empty_block() {
    let report = watched(|| {
        let block = heap::alloc(0, Family::Task);
        // SAFETY: a guard byte.
        unsafe { poke(block, 0, 7) };
        free_task(block);
    });
    report.assert_kinds([Kind::Overrun]);
}

/// The slack behind a BSTR's terminator is none of its bytes.
#[test]
fn broken_string() {
    let report = watched(|| {
        let text = string("text");
        // SAFETY: slack or a guard byte.
        unsafe { poke(text, 10, 0) };
        free(text);
    });
    assert_told(
        &report,
        "\
error[overrun]: byte 1 behind a BSTR was overwritten, by 0x00
  block 1: BSTR, 8 bytes, \"text\"
  rule: R23
  help: stay within the bytes that were asked for; a BSTR has room for its length and the terminator",
    );
}

/// Of every length, odd ones included; far away, too.
#[test]
fn broken_strings_of_every_length() {
    for len in 0..if cfg!(miri) { 6 } else { 70 } {
        for far in [0_u32, 31] {
            let report = watched(|| {
                // SAFETY: a null source needs nothing.
                let text = unsafe { raw::alloc_bytes(std::ptr::null(), ByteLen::new(len)) };
                let end = len + if len.is_multiple_of(2) { 2 } else { 3 };
                // SAFETY: a guard byte.
                unsafe { poke(text, (end + far).cast_signed() as isize, 1) };
                free(text);
            });
            report.assert_kinds([Kind::Overrun]);
        }
    }
}

/// Found when the block is reallocated; what was told is not told again.
#[test]
fn broken_and_found_by_a_reallocation() {
    let report = watched(|| {
        let block = task(5);
        // SAFETY: a guard byte.
        unsafe { poke(block, 5, 7) };
        // SAFETY: the block is live, and nothing else uses it.
        let block = unsafe { heap::realloc(block, 4, Family::Task) };
        // SAFETY: as above.
        let block = unsafe { heap::realloc(block, 400, Family::Task) };
        free_task(block);
    });
    assert_told(&report, TASK);
}

/// Found when the session ends, while the block is live: a leak as well.
#[test]
fn broken_and_found_at_the_end() {
    let mut block = std::ptr::null_mut();
    let report = watched(|| {
        block = task(5);
        // SAFETY: a guard byte.
        unsafe { poke(block, 5, 7) };
    });
    report.assert_kinds([Kind::Overrun, Kind::Leak]);
    free_task(block);
}

/// A block that shrank has less room.
#[test]
fn broken_after_a_shrinking() {
    let report = watched(|| {
        let block = task(50);
        // SAFETY: the block is live, and nothing else uses it.
        let same = unsafe { heap::realloc(block, 5, Family::Task) };
        assert_eq!(same, block, "one that shrinks stays");
        // SAFETY: a guard byte by now.
        unsafe { poke(block, 5, 7) };
        free_task(block);
    });
    assert_told(&report, TASK);
}

/// A string that shrank, too: by the allocator it has less room; what its holder does to the prefix is his own.
#[test]
fn broken_after_a_string_shrank() {
    let report = watched(|| {
        let mut text = string("a longer text");
        // SAFETY: the string is live, and nothing else uses it.
        assert!(unsafe { raw::realloc_units(&raw mut text, std::ptr::null(), UnitLen::new(1)) });
        // SAFETY: a guard byte by now.
        unsafe { poke(text, 4, 7) };
        free(text);
    });
    report.assert_kinds([Kind::Overrun]);
}

/// Both sides: two mistakes.
#[test]
fn broken_on_both_sides() {
    let report = watched(|| {
        let block = task(5);
        // SAFETY: a guard byte.
        unsafe { poke(block, 5, 7) };
        // SAFETY: a guard byte.
        unsafe { poke(block, -1, 7) };
        free_task(block);
    });
    report.assert_kinds([Kind::Underrun, Kind::Overrun]);
}

#[test]
fn is_not_seen_if_it_changes_nothing() {
    assert_kept(&watched(|| {
        let block = task(5);
        // SAFETY: a guard byte.
        unsafe { poke(block, 5, GUARD) };
        free_task(block);
    }));
}
