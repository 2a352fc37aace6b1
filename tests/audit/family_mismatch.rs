//! R20: a block goes back by the functions of its own family.

use crate::support::{assert_kept, assert_told, free, free_task, string, task, watched};
use olemem::audit::{Kind, Severity};
use olemem::heap::{self, Family};
use olemem::layout::HEADER;

#[test]
fn kept() {
    assert_kept(&watched(|| {
        free(string("text"));
        free_task(task(20));
    }));
}

#[test]
fn broken_string_as_task_memory() {
    let report = watched(|| {
        let text = string("text");
        free_task(text.cast());
        free(text);
    });
    assert_told(
        &report,
        "\
error[family-mismatch]: a BSTR is freed as task memory
  block 1: BSTR, 8 bytes, \"text\"
  rule: R20
  help: free a BSTR with SysFreeString, and task memory with CoTaskMemFree or IMalloc::Free",
    );
}

#[test]
fn broken_task_memory_as_string() {
    let report = watched(|| {
        let block = task(20);
        free(block.cast());
        free_task(block);
    });
    assert_told(
        &report,
        "\
error[family-mismatch]: task memory is freed as a BSTR
  block 1: task memory, 20 bytes
  rule: R20
  help: free a BSTR with SysFreeString, and task memory with CoTaskMemFree or IMalloc::Free",
    );
}

#[test]
fn broken_reallocation() {
    let report = watched(|| {
        let text = string("text");
        // SAFETY: the audit judges the address, and touches nothing.
        let new = unsafe { heap::realloc(text.cast(), 100, Family::Task) };
        assert!(new.is_null());
        free(text);
    });
    assert_told(
        &report,
        "\
error[family-mismatch]: a BSTR is reallocated as task memory
  block 1: BSTR, 8 bytes, \"text\"
  rule: R20
  help: free a BSTR with SysFreeString, and task memory with CoTaskMemFree or IMalloc::Free",
    );
}

/// The allocator is asked for a string's size.
#[test]
fn broken_question() {
    let report = watched(|| {
        let text = string("text");
        // SAFETY: any address will do.
        assert_eq!(unsafe { heap::size_of(text.cast()) }, None);
        free(text);
    });
    report.assert_kinds([Kind::FamilyMismatch]);
}

/// L5: task memory with a prefix of its own is a string to SysFreeString, which frees it. A warning, for it is
/// meant.
#[test]
fn a_block_that_is_dressed_up_is_freed_with_a_warning() {
    let report = watched(|| {
        let block = task(20);
        free(block.wrapping_add(HEADER).cast());
    });
    assert_told(
        &report,
        "\
warning[family-mismatch]: task memory is freed by the other family's function
  block 1: task memory, 20 bytes
  rule: R20
  help: free a BSTR with SysFreeString, and task memory with CoTaskMemFree or IMalloc::Free",
    );
    assert_eq!(report.count(Severity::Warning), 1);
    assert_eq!(report.counts().live, 0);
    report.assert_clean();
}

/// Memory from before the session is no block of the session's, but the mistake is made in it.
#[test]
fn broken_with_a_block_from_before() {
    let text = string("text");
    let report = watched(|| {
        free_task(text.cast());
    });
    assert_told(
        &report,
        "\
error[family-mismatch]: a BSTR is freed as task memory
  rule: R20
  help: free a BSTR with SysFreeString, and task memory with CoTaskMemFree or IMalloc::Free",
    );
    free(text);
}

/// Whoever frees it wrongly thinks that it is gone: that it leaks is no second mistake.
#[test]
fn broken_and_never_freed_rightly_is_one_mistake() {
    let mut left = Vec::new();
    let mut report = watched(|| {
        let text = string("text");
        free_task(text.cast());
        left.push(text);
    });
    report.assert_kinds([Kind::FamilyMismatch]);
    report = watched(|| {
        let text = string("text");
        // SAFETY: the audit judges the address, and touches nothing.
        let new = unsafe { heap::realloc(text.cast(), 100, Family::Task) };
        assert!(new.is_null());
        left.push(text);
    });
    report.assert_kinds([Kind::FamilyMismatch]);
    left.into_iter().for_each(free);

    let mut left = core::ptr::null_mut();
    let report = watched(|| {
        let block = task(100);
        free(block.cast());
        left = block;
    });
    report.assert_kinds([Kind::FamilyMismatch]);
    free_task(left);
}

/// The right free comes after the wrong one, and then one too many.
#[test]
fn broken_hides_no_later_mistake() {
    let report = watched(|| {
        let text = string("text");
        free_task(text.cast());
        free_task(text.cast());
        free(text);
        free(text);
    });
    report.assert_kinds([Kind::FamilyMismatch, Kind::FamilyMismatch, Kind::DoubleFree]);
}

/// Who asks for a size does not think that the block is gone.
#[test]
fn broken_question_about_a_leak() {
    let mut left = core::ptr::null_mut();
    let report = watched(|| {
        left = string("text");
        // SAFETY: any address will do.
        assert_eq!(unsafe { heap::size_of(left.cast()) }, None);
    });
    report.assert_kinds([Kind::FamilyMismatch, Kind::Leak]);
    free(left);
}
