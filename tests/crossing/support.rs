//! What the tests of the calls share.

use olemem::audit::{Backtrace, Report, Session};
use olemem::heap::{self, Family};
use olemem::{HResult, UnitLen, raw};

pub(crate) const OK: HResult = HResult::S_OK;
pub(crate) const FAIL: HResult = HResult::E_FAIL;

/// A BSTR as C has it.
pub(crate) type Raw = *mut u16;

/// Runs code in a session that keeps no stacks, so that its text is the same everywhere.
pub(crate) fn judged(code: impl FnOnce(&Session)) -> Report {
    let session = Session::options().backtrace(Backtrace::Off).begin();
    code(&session);
    session.finish()
}

/// The report's text without its last line, the numbers.
#[track_caller]
pub(crate) fn assert_told(report: &Report, story: &str) {
    let text = report.to_string();
    let (told, _) = text.rsplit_once("olemem: ").expect("numbers at the end");
    assert_eq!(told.trim_end(), story.trim_end(), "\n{text}");
}

/// Nothing was broken, not even a little, and something was recorded.
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

/// Stores a value, as a callee does.
pub(crate) fn store<T>(variable: *mut T, value: T) {
    // SAFETY: the tests give callees variables of their own.
    unsafe { variable.write(value) };
}

/// What is in a variable, as a callee sees it.
pub(crate) fn load<T: Copy>(variable: *mut T) -> T {
    // SAFETY: as above; the variable is initialised.
    unsafe { variable.read() }
}
