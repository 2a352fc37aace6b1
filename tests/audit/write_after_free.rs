//! R22: no writing after the free. These tests write to memory in quarantine, which is there.

use crate::support::{assert_kept, assert_told, free, free_task, poke, string, task, watched};
use olemem::audit::{Backtrace, Kind, Session};

#[test]
fn kept() {
    assert_kept(&watched(|| {
        let block = task(5);
        // SAFETY: within the block.
        unsafe { poke(block, 4, 9) };
        free_task(block);
    }));
}

#[test]
fn broken_string() {
    let report = watched(|| {
        let text = string("text");
        free(text);
        // SAFETY: the block is in quarantine.
        unsafe { poke(text, 2, 0x58) };
    });
    assert_told(
        &report,
        "\
error[write-after-free]: a BSTR was written to after it was freed, 2 bytes behind its start
  block 1: BSTR, 8 bytes, \"text\"
  rule: R22
  help: find the pointer that outlived the free; a copy of one's own is needed to keep a string",
    );
}

/// The prefix is before the start.
#[test]
fn broken_prefix() {
    let report = watched(|| {
        let text = string("text");
        free(text);
        // SAFETY: the block is in quarantine.
        unsafe { poke(text, -4, 2) };
    });
    assert_told(
        &report,
        "\
error[write-after-free]: a BSTR was written to after it was freed, 4 bytes before its start
  block 1: BSTR, 8 bytes, \"text\"
  rule: R22
  help: find the pointer that outlived the free; a copy of one's own is needed to keep a string",
    );
}

/// Found when the block leaves the quarantine, before the session ends.
#[test]
fn broken_and_found_on_the_way_out() {
    let session = Session::options()
        .backtrace(Backtrace::Off)
        .quarantine(1000)
        .begin();
    let block = task(100);
    free_task(block);
    // SAFETY: the block is in quarantine.
    unsafe { poke(block, 99, 0) };
    for _ in 0..20 {
        free_task(task(100));
    }
    let late = task(1);
    free_task(late);
    let report = session.finish();
    report.assert_kinds([Kind::WriteAfterFree]);
}

/// A block that is larger than the quarantine is looked at when the next one of its size comes, or the session ends.
#[test]
fn broken_in_a_block_that_is_larger_than_the_quarantine() {
    for frees_another in [true, false] {
        let session = Session::options()
            .backtrace(Backtrace::Off)
            .quarantine(1000)
            .begin();
        let block = task(3000);
        free_task(block);
        // SAFETY: the block is the last that was freed.
        unsafe { poke(block, 99, 0) };
        if frees_another {
            free_task(task(3000));
        }
        session.finish().assert_kinds([Kind::WriteAfterFree]);
    }
}

/// What is written is what a freed block is filled with: that cannot be seen.
#[test]
fn is_not_seen_if_it_changes_nothing() {
    assert_kept(&watched(|| {
        let block = task(5);
        free_task(block);
        // SAFETY: the block is in quarantine.
        unsafe { poke(block, 1, olemem::audit::FREED) };
    }));
}
