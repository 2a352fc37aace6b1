//! What the tests of the kinds share, and those of the calls with them.
#![allow(dead_code, reason = "each test crate uses its own part")]

use olemem::audit::{Backtrace, Report, Session};
use olemem::heap::{self, Family};
use olemem::{UnitLen, raw};

/// A BSTR as C has it.
pub(crate) type Raw = *mut u16;

/// Runs code in a session that keeps no stacks, so that its text is the same everywhere.
pub(crate) fn watched(code: impl FnOnce()) -> Report {
    let session = Session::options().backtrace(Backtrace::Off).begin();
    code();
    session.finish()
}

/// The report's text without its last line, the numbers.
#[track_caller]
pub(crate) fn assert_told(report: &Report, story: &str) {
    let text = report.to_string();
    let (told, _) = text.rsplit_once("olemem: ").expect("numbers at the end");
    assert_eq!(told.trim_end(), story.trim_end(), "\n{text}");
}

/// Nothing was broken, and something was recorded.
#[track_caller]
pub(crate) fn assert_kept(report: &Report) {
    report.assert_clean();
    assert_told(report, "");
}

/// A string of ASCII text.
pub(crate) fn string(text: &str) -> Raw {
    let units: Vec<u16> = text.encode_utf16().collect();
    let len = UnitLen::try_from(units.len()).expect("a short text");
    // SAFETY: so many units are there.
    let bstr = unsafe { raw::alloc_units(units.as_ptr(), len) };
    assert!(!bstr.is_null());
    bstr
}

/// Frees a string, or what is to be taken for one: in a session bad calls are swallowed.
pub(crate) fn free(bstr: Raw) {
    // SAFETY: either it is a live string at its last use, or the audit judges the address and touches nothing.
    unsafe { raw::free(bstr) };
}

/// A block of task memory, filled.
pub(crate) fn task(size: usize) -> *mut u8 {
    let block = heap::alloc(size, Family::Task);
    assert!(!block.is_null());
    // SAFETY: the block has so many bytes.
    unsafe { block.write_bytes(1, size) };
    block
}

/// Frees task memory, or what is to be taken for it.
pub(crate) fn free_task(block: *mut u8) {
    // SAFETY: as for `free`.
    unsafe { heap::free(block, Family::Task) };
}

/// Writes a byte.
///
/// # Safety
///
/// * So many bytes from the pointer there is memory of the same allocation, that of the guards included.
pub(crate) unsafe fn poke<T>(pointer: *mut T, offset: isize, byte: u8) {
    // SAFETY: the caller's promise.
    let at = unsafe { pointer.cast::<u8>().offset(offset) };
    // SAFETY: as above.
    unsafe { at.write(byte) };
}

/// The length of a string in bytes, or what is to be taken for one.
pub(crate) fn byte_len(bstr: Raw) -> u32 {
    // SAFETY: either a live string, or the audit says that it must not be read.
    unsafe { raw::byte_len(bstr) }.get()
}
