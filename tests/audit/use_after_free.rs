//! R22: no access after the free.

use std::cmp::Ordering;

use crate::support::{assert_kept, assert_told, byte_len, free, free_task, string, task, watched};
use olemem::audit::Kind;
use olemem::heap::{self, DidAlloc, Family};
use olemem::{UnitLen, raw};

const COPIED: &str = "\
error[use-after-free]: a BSTR is copied from after it was freed
  block 1: BSTR, 8 bytes, \"text\"
  rule: R22
  help: use the block before it is freed, or keep a copy of one's own";

const READ: &str = "\
error[use-after-free]: a BSTR is read after it was freed
  block 1: BSTR, 8 bytes, \"text\"
  rule: R22
  help: use the block before it is freed, or keep a copy of one's own";

#[test]
fn kept() {
    assert_kept(&watched(|| {
        let text = string("text");
        assert_eq!(byte_len(text), 8);
        free(text);
    }));
}

#[test]
fn broken_length() {
    let report = watched(|| {
        let text = string("text");
        free(text);
        assert_eq!(byte_len(text), 0);
    });
    assert_told(&report, READ);
}

#[test]
fn broken_reallocation() {
    let report = watched(|| {
        let mut text = string("text");
        let stale = text;
        free(text);
        // SAFETY: the audit judges the string, and touches nothing.
        let done = unsafe { raw::realloc_units(&raw mut text, std::ptr::null(), UnitLen::new(9)) };
        assert!(!done);
        assert_eq!(text, stale);
    });
    assert_told(
        &report,
        "\
error[use-after-free]: a BSTR is reallocated after it was freed
  block 1: BSTR, 8 bytes, \"text\"
  rule: R22
  help: use the block before it is freed, or keep a copy of one's own",
    );
}

/// The function that frees the old string itself is refused before it makes a new one.
#[test]
fn broken_replacement() {
    let report = watched(|| {
        let mut text = string("text");
        let stale = text;
        free(text);
        let source = [0x41_u16, 0];
        // SAFETY: as above.
        assert!(!unsafe { raw::realloc(&raw mut text, source.as_ptr()) });
        assert_eq!(text, stale);
    });
    report.assert_kinds([Kind::UseAfterFree]);
    assert_eq!(report.counts().allocated, 1);
}

#[test]
fn broken_joining() {
    let report = watched(|| {
        let (text, other) = (string("text"), string("!"));
        free(text);
        // SAFETY: the audit judges the string, and it counts as empty.
        let joined = unsafe { raw::concat(text, other) };
        assert_eq!(byte_len(joined), 2);
        free(joined);
        free(other);
    });
    assert_told(&report, READ);
}

#[test]
fn broken_comparing() {
    let report = watched(|| {
        let (text, other) = (string("text"), string("!"));
        free(text);
        // SAFETY: the audit judges the string; in quarantine its memory is there.
        let order = unsafe { raw::compare(text, other, 0, 0) };
        assert_ne!(order, Ordering::Equal);
        free(other);
    });
    assert_told(&report, READ);
}

#[test]
fn broken_source() {
    let report = watched(|| {
        let text = string("text");
        free(text);
        // SAFETY: the audit judges the source, and nothing is copied.
        let copy = unsafe { raw::alloc_units(text, UnitLen::new(4)) };
        free(copy);
    });
    assert_told(&report, COPIED);
}

/// What a zero should end is asked for before it is read.
#[test]
fn broken_source_that_a_zero_ends() {
    let report = watched(|| {
        let text = string("text");
        free(text);
        // SAFETY: the audit judges the source, which counts as empty.
        let copy = unsafe { raw::alloc(text) };
        assert_eq!(byte_len(copy), 0);
        free(copy);
    });
    assert_told(&report, COPIED);
}

#[test]
#[cfg(feature = "export")]
fn broken_functions_of_c() {
    use olemem::export::{SHStrDupA, SHStrDupW};
    let report = watched(|| {
        let block = task(8);
        free_task(block);
        let mut copy = std::ptr::null_mut();
        // SAFETY: the audit judges the source, which counts as empty; the variable is there.
        assert!(unsafe { SHStrDupW(block.cast(), &raw mut copy) }.is_success());
        // SAFETY: there is a zero.
        assert_eq!(unsafe { copy.read() }, 0);
        free_task(copy.cast());
        // SAFETY: as above.
        assert!(unsafe { SHStrDupA(block, &raw mut copy) }.is_success());
        free_task(copy.cast());
    });
    report.assert_kinds([Kind::UseAfterFree; 2]);
}

/// One string twice in one call is one mistake.
#[test]
fn broken_joining_with_itself() {
    let report = watched(|| {
        let text = string("text");
        free(text);
        // SAFETY: the audit judges the string, and it counts as empty.
        let joined = unsafe { raw::concat(text, text) };
        assert_eq!(byte_len(joined), 0);
        free(joined);
    });
    assert_told(&report, READ);
    let report = watched(|| {
        let text = string("text");
        free(text);
        // SAFETY: the audit judges the string; in quarantine its memory is there.
        let order = unsafe { raw::compare(text, text, 0, 0) };
        assert_eq!(order, Ordering::Equal);
    });
    assert_told(&report, READ);
}

/// The text is shown as it was when the string was freed, not as it was made; quotes of one kind need no escape.
#[test]
fn broken_after_a_change() {
    let report = watched(|| {
        let text = string("text");
        // SAFETY: the string has four units.
        unsafe { text.cast::<[u16; 4]>().write([0x69, 0x74, 0x27, 0x73]) };
        free(text);
        assert_eq!(byte_len(text), 0);
    });
    assert_told(&report, &READ.replace("text", "it's"));
    let report = watched(|| {
        let text = string("shortened");
        // SAFETY: the length stands before the string.
        unsafe { text.cast::<u32>().wrapping_sub(1).write(10) };
        // SAFETY: the terminator is the string's.
        unsafe { text.wrapping_add(5).write(0) };
        free(text);
        assert_eq!(byte_len(text), 0);
    });
    let told = READ.replace("8 bytes, \"text\"", "10 bytes, \"short\"");
    assert_told(&report, &told);
}

/// `DidAlloc` may be asked; `GetSize` may not.
#[test]
fn broken_question() {
    let report = watched(|| {
        let block = task(10);
        free_task(block);
        // SAFETY: any address will do.
        assert_eq!(unsafe { heap::did_alloc(block) }, DidAlloc::No);
        // SAFETY: as above.
        assert_eq!(unsafe { heap::size_of(block) }, None);
    });
    assert_told(
        &report,
        "\
error[use-after-free]: task memory is measured after it was freed
  block 1: task memory, 10 bytes
  rule: R22
  help: use the block before it is freed, or keep a copy of one's own",
    );
}

/// A string that moved: the old pointer is stale.
#[test]
fn broken_by_a_reallocation_that_moved() {
    let report = watched(|| {
        let mut text = string("text");
        let stale = text;
        // SAFETY: the string is live, and nothing else uses it.
        assert!(unsafe { raw::realloc_units(&raw mut text, std::ptr::null(), UnitLen::new(5)) });
        assert_ne!(text, stale, "one that grows moves while it is watched");
        assert_eq!(byte_len(stale), 0);
        free(text);
    });
    assert_told(&report, READ);
}

/// A BSTR-shaped part of freed task memory.
#[test]
fn broken_within_a_freed_block() {
    let report = watched(|| {
        let block = task(64);
        // SAFETY: eight of the 64 bytes.
        unsafe { block.write_bytes(0, 8) };
        free_task(block);
        assert_eq!(byte_len(block.wrapping_add(20).cast()), 0);
    });
    report.assert_kinds([Kind::UseAfterFree]);
}

/// Reallocation of freed task memory.
#[test]
fn broken_task_memory() {
    let report = watched(|| {
        let block = task(10);
        free_task(block);
        // SAFETY: the audit judges the address, and touches nothing.
        assert!(unsafe { heap::realloc(block, 20, Family::Task) }.is_null());
    });
    report.assert_kinds([Kind::UseAfterFree]);
}
