//! R1, R5, R8: whoever owns a block at the end frees it.

use crate::support::{assert_kept, assert_told, free, free_task, string, task, watched};
use olemem::audit::{self, Kind, Session};
use olemem::heap::{self, Family};
use olemem::{Bstr, ByteLen, UnitLen, raw};

#[test]
fn kept() {
    assert_kept(&watched(|| {
        let text = Bstr::from("dropped");
        let other = text.clone();
        drop((text, other));
    }));
}

#[test]
fn broken_string() {
    let mut lost = std::ptr::null_mut();
    let report = watched(|| lost = string("never freed"));
    assert_told(
        &report,
        "\
error[leak]: a BSTR was never freed
  block 1: BSTR, 22 bytes, \"never freed\"
  rule: R1
  help: whoever owns the block at the end frees it: SysFreeString for a BSTR, CoTaskMemFree for task memory",
    );
    // It is sound all the same.
    free(lost);
}

#[test]
fn broken_task_memory() {
    let mut lost = std::ptr::null_mut();
    let report = watched(|| lost = task(3));
    assert_told(
        &report,
        "\
error[leak]: task memory was never freed
  block 1: task memory, 3 bytes
  rule: R1
  help: whoever owns the block at the end frees it: SysFreeString for a BSTR, CoTaskMemFree for task memory",
    );
    free_task(lost);
}

/// One violation a block, in the order in which they were allocated, behind everything else.
#[test]
fn broken_many_times() {
    let mut lost = Vec::new();
    let report = watched(|| {
        lost.extend(["a", "b", "c"].map(string));
        let twice = string("twice");
        free(twice);
        free(twice);
        lost.push(string("d"));
    });
    report.assert_kinds([
        Kind::Leak,
        Kind::Leak,
        Kind::DoubleFree,
        Kind::Leak,
        Kind::Leak,
    ]);
    let found: Vec<_> = report
        .violations()
        .iter()
        .map(|violation| violation.block.as_ref().expect("a block").id)
        .collect();
    assert_eq!(found, [4, 1, 2, 3, 5]);
    assert_eq!(report.counts().live, 4);
    lost.into_iter().for_each(free);
}

/// The preview shows what would not print, and where it was cut.
#[test]
fn broken_with_odd_contents() {
    let mut lost = Vec::new();
    let report = watched(|| {
        lost.push(string("tab\tquote\"nul\0end"));
        lost.push(string(&"long ".repeat(20)));
        let lone = [0x41_u16, 0xD800];
        // SAFETY: two units are there.
        lost.push(unsafe { raw::alloc_units(lone.as_ptr(), UnitLen::new(2)) });
        lost.push(string(""));
    });
    let previews: Vec<_> = report
        .violations()
        .iter()
        .map(|violation| violation.block.as_ref().expect("a block").preview.clone())
        .collect();
    assert_eq!(
        previews,
        [
            Some("tab\\tquote\\\"nul\\0end".to_owned()),
            Some("long long long long long…".to_owned()),
            Some("A\\u{d800}".to_owned()),
            None,
        ]
    );
    lost.into_iter().for_each(free);
}

/// What nobody wrote is not shown, and neither is what can be no text.
#[test]
fn broken_with_contents_that_are_no_text() {
    let mut lost = Vec::new();
    let report = watched(|| {
        // SAFETY: no source is needed.
        lost.push(unsafe { raw::alloc_units(std::ptr::null(), UnitLen::new(4)) });
        // SAFETY: as above.
        lost.push(unsafe { raw::alloc_units(std::ptr::null(), UnitLen::new(40)) });
        // SAFETY: five bytes are there.
        lost.push(unsafe { raw::alloc_bytes(b"abcde".as_ptr(), ByteLen::new(5)) });
        let mut grown = string("grown");
        // SAFETY: the string is live, and nothing else uses it.
        assert!(unsafe { raw::realloc_units(&raw mut grown, std::ptr::null(), UnitLen::new(12)) });
        lost.push(grown);
    });
    let previews: Vec<_> = report
        .violations()
        .iter()
        .map(|violation| violation.block.as_ref().expect("a block").preview.clone())
        .collect();
    // The old terminator goes along, as on Windows.
    let grown = "grown\\0…".to_owned();
    assert_eq!(previews, [None, None, None, Some(grown)]);
    lost.into_iter().for_each(free);
}

/// A block of a BSTR that is none yet: another thread may be making it.
#[test]
fn broken_in_the_making() {
    let mut lost = std::ptr::null_mut();
    let report = watched(|| lost = heap::alloc(32, Family::Bstr));
    assert_told(
        &report,
        "\
error[leak]: a BSTR was never freed
  block 1: BSTR, 32 bytes
  rule: R1
  help: whoever owns the block at the end frees it: SysFreeString for a BSTR, CoTaskMemFree for task memory",
    );
    // SAFETY: live, and its last use.
    unsafe { heap::free(lost, Family::Bstr) };
}

/// What was there before the session is not its business, and may be freed in it.
#[test]
fn is_not_told_of_what_was_there_before() {
    let before = string("before");
    let also = string("stays");
    let report = watched(|| {
        free(before);
        free(string("within"));
    });
    assert_kept(&report);
    free(also);
}

/// A block that is meant to live on.
#[test]
fn is_not_told_of_what_is_ignored() {
    let mut kept = (std::ptr::null_mut(), std::ptr::null_mut());
    let report = watched(|| {
        kept = (string("a global"), task(9));
        assert!(audit::ignore(kept.0));
        assert!(audit::ignore(kept.1));
        assert!(!audit::ignore(&raw const kept));
    });
    assert_kept(&report);
    free(kept.0);
    free_task(kept.1);
}

/// A reallocation that moved a block leaves nothing behind.
#[test]
fn kept_by_reallocations() {
    assert_kept(&watched(|| {
        let mut text = Bstr::from("grows");
        let times = if cfg!(miri) { 10 } else { 100 };
        for _ in 0..times {
            text.push_str(" and grows");
        }
        assert_eq!(text.len(), 5 + 10 * times);
        assert!(text.to_string().starts_with("grows and grows and grows"));
    }));
}

/// A session that ended lets go of its blocks: another may be told of neither.
#[test]
fn is_told_once() {
    let mut lost = std::ptr::null_mut();
    let report = watched(|| lost = string("lost"));
    report.assert_kinds([Kind::Leak]);
    let session = Session::begin();
    free(lost);
    drop(Bstr::from("other"));
    session.finish().assert_clean();
}

/// It stays so when it grows.
#[test]
fn is_not_told_of_what_is_ignored_and_grows() {
    let mut kept = std::ptr::null_mut();
    let report = watched(|| {
        kept = string("a global");
        assert!(audit::ignore(kept));
        // SAFETY: the string is live, and nothing else uses it.
        assert!(unsafe { raw::realloc_units(&raw mut kept, std::ptr::null(), UnitLen::new(90)) });
    });
    assert_kept(&report);
    free(kept);
}
