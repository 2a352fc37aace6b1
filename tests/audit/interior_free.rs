//! R24: a pointer addresses the start.

use crate::support::{assert_kept, assert_told, free, free_task, string, task, watched};
use olemem::audit::Kind;
use olemem::heap::{self, Family};
use olemem::layout::HEADER;

#[test]
fn kept() {
    assert_kept(&watched(|| {
        let text = string("text");
        let inner = text.wrapping_add(2);
        // SAFETY: within the string.
        assert_eq!(unsafe { inner.read() }, u16::from(b'x'));
        free(text);
    }));
}

#[test]
fn broken_string() {
    let report = watched(|| {
        let text = string("text");
        free(text.wrapping_add(1));
        free(text);
    });
    assert_told(
        &report,
        "\
error[interior-free]: a pointer 2 bytes behind the start of a BSTR is freed as a BSTR
  block 1: BSTR, 8 bytes, \"text\"
  rule: R24
  help: keep the pointer that the allocation gave, and free that one",
    );
}

#[test]
fn broken_task_memory() {
    let report = watched(|| {
        let block = task(100);
        free_task(block.wrapping_add(99));
        free_task(block.wrapping_add(16));
        free_task(block);
    });
    assert_told(
        &report,
        "\
error[interior-free]: a pointer 99 bytes behind the start of task memory is freed as task memory
  block 1: task memory, 100 bytes
  rule: R24
  help: keep the pointer that the allocation gave, and free that one

error[interior-free]: a pointer 16 bytes behind the start of task memory is freed as task memory
  block 1: task memory, 100 bytes
  rule: R24
  help: keep the pointer that the allocation gave, and free that one",
    );
}

#[test]
fn broken_before_the_start() {
    let report = watched(|| {
        let block = task(100);
        free_task(block.wrapping_sub(16));
        free_task(block);
    });
    assert_told(
        &report,
        "\
error[interior-free]: a pointer 16 bytes before the start of task memory is freed as task memory
  block 1: task memory, 100 bytes
  rule: R24
  help: keep the pointer that the allocation gave, and free that one",
    );
}

#[test]
fn broken_reallocation() {
    let report = watched(|| {
        let block = task(100);
        // SAFETY: the audit judges the address, and touches nothing.
        let new = unsafe { heap::realloc(block.wrapping_add(4), 200, Family::Task) };
        assert!(new.is_null());
        free_task(block);
    });
    report.assert_kinds([Kind::InteriorFree]);
}

#[test]
fn broken_in_a_large_block() {
    let report = watched(|| {
        let block = task(if cfg!(miri) { 40_000 } else { 1 << 20 });
        free_task(block.wrapping_add(20_000));
        free_task(block);
    });
    report.assert_kinds([Kind::InteriorFree]);
}

#[test]
fn broken_with_a_block_from_before() {
    let block = task(100);
    let report = watched(|| free_task(block.wrapping_add(7)));
    assert_told(
        &report,
        "\
error[interior-free]: a pointer 7 bytes behind the start of a block is freed as task memory
  rule: R24
  help: keep the pointer that the allocation gave, and free that one",
    );
    free_task(block);
}

/// A pointer into a block is that, whichever function it is given to, and whenever the block was made.
#[test]
fn broken_by_the_other_familys_function() {
    let (text, block) = (string("text"), task(100));
    for is_from_before in [true, false] {
        let report = watched(|| {
            let (text, block) = match is_from_before {
                true => (text, block),
                false => (string("text"), task(100)),
            };
            free_task(text.wrapping_add(1).cast());
            free(block.wrapping_add(40).cast());
            // Where a BSTR would begin, if one stood in the block.
            free_task(block.wrapping_add(HEADER));
            if !is_from_before {
                free(text);
                free_task(block);
            }
        });
        report.assert_kinds([Kind::InteriorFree; 3]);
    }
    free(text);
    free_task(block);
}

#[test]
fn broken_and_never_freed_rightly_is_one_mistake() {
    let mut left = core::ptr::null_mut();
    let report = watched(|| {
        left = string("text");
        free(left.wrapping_add(1));
    });
    report.assert_kinds([Kind::InteriorFree]);
    free(left);
}
