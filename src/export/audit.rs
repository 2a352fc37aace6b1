//! The audit's sessions for C and C++: begun, joined and ended by number, reports as opaque objects.
//!
//! A session's number is never used again, so one that is over, or that never was, is safe to name: nothing
//! happens then. A report is its holder's, who releases it once; it is not changed after it was made, so any
//! number of threads may read it.

use core::ffi::{c_char, c_void};
use core::mem::size_of;
use core::ptr;
use std::ffi::{CStr, CString};
use std::io::{self, Write};

use super::sized;
use crate::audit::{self, Backtrace, Guard, Kind, Options, Severity, input, numbered};

/// `olemem_session_options`. Its size comes first, so that it can grow; 0 in a member is the usual.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionOptions {
    /// How large the caller's structure is.
    pub size: usize,
    /// Bytes of freed blocks that are kept; all ones: none.
    pub quarantine: usize,
    /// 0 or 2 for stacks, 1 for none, 3 for what costs little.
    pub backtrace: u32,
    /// 0 or 1 for guard bytes, 2 for guard pages.
    pub guard: u32,
}

/// `olemem_counts`. Its size comes first, so that it can grow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How large the caller's structure is.
    pub size: usize,
    /// Calls that allocate, reallocate or free, bad ones among them; pins are none.
    pub operations: u64,
    /// Blocks that were allocated.
    pub allocated: u64,
    /// Blocks that were freed.
    pub freed: u64,
    /// Allocations that failed.
    pub failed: u64,
    /// Blocks that were live at the end.
    pub live: u64,
    /// Bytes of these.
    pub live_bytes: u64,
    /// The most bytes that were live at any time.
    pub peak_bytes: u64,
    /// Bytes that were ever asked for.
    pub total_bytes: u64,
}

/// `olemem_report`: a report, and its texts as C has them.
#[derive(Debug)]
pub struct Report {
    report: audit::Report,
    text: CString,
    kinds: Vec<CString>,
}

impl Report {
    fn new(report: audit::Report) -> Self {
        let kinds = report.into_iter().map(|found| c_text(found.kind.name()));
        Self {
            text: c_text(&report.to_string()),
            kinds: kinds.collect(),
            report,
        }
    }
}

/// The text without the zeros that C could not read past.
fn c_text(text: &str) -> CString {
    let bytes: Vec<u8> = text.bytes().filter(|byte| *byte != 0).collect();
    CString::new(bytes).unwrap_or_default()
}

/// Begins a session that this thread is in from now on, and gives its number; 0 if there is no memory for it, if
/// somebody else listens at the heap's seam, or if the options are none that this library knows.
///
/// # Safety
///
/// * `options` is NULL, for the usual ones, or points to a structure of as many bytes as its first member says.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_session_begin(options: *const SessionOptions) -> u64 {
    let options = if options.is_null() {
        Some(Options::default())
    } else {
        // SAFETY: the caller's promise.
        unsafe { sized::read(options) }.and_then(translated)
    };
    options.and_then(numbered::begin).unwrap_or(0)
}

/// The options in Rust's words; `None` for values that mean nothing.
fn translated(options: SessionOptions) -> Option<Options> {
    let backtrace = match options.backtrace {
        0 | 2 => Backtrace::Full,
        1 => Backtrace::Off,
        3 => Backtrace::Short,
        _ => return None,
    };
    let guard = match options.guard {
        0 | 1 => Guard::Bytes,
        2 => Guard::Page,
        _ => return None,
    };
    let chosen = Options::default().backtrace(backtrace).guard(guard);
    Some(match options.quarantine {
        0 => chosen,
        usize::MAX => chosen.quarantine(0),
        bytes => chosen.quarantine(bytes),
    })
}

/// Has this thread take part in a session, and gives the number of the one that it was in before, for
/// [`olemem_session_leave`]; 0 if it was in none.
#[unsafe(no_mangle)]
pub extern "system" fn olemem_session_join(session: u64) -> u64 {
    numbered::enter(session)
}

/// Puts this thread back into the session that it was in before it joined; with 0 into none.
#[unsafe(no_mangle)]
pub extern "system" fn olemem_session_leave(before: u64) {
    numbered::enter(before);
}

/// Ends a session and gives its report. NULL if it is over, or never was.
///
/// *Ownership:* the caller gives the report to [`olemem_report_release`].
#[unsafe(no_mangle)]
pub extern "system" fn olemem_session_end(session: u64) -> *mut Report {
    numbered::end(session).map_or(ptr::null_mut(), |report| {
        Box::into_raw(Box::new(Report::new(report)))
    })
}

/// Ends a session: 1 if its report is clean. Otherwise the report goes to standard error, and it is 0; so it is
/// for one that is over, or never was.
#[unsafe(no_mangle)]
pub extern "system" fn olemem_session_check(session: u64) -> i32 {
    let Some(report) = numbered::end(session) else {
        return 0;
    };
    if !report.is_clean() {
        // Where standard error is closed the result has to do.
        let _ = writeln!(io::stderr(), "{report}");
    }
    report.is_clean().into()
}

/// Begins what is done with one input of a fuzzer's, and gives a number for [`olemem_input_end`]; 0 where the process
/// is not watched (`OLEMEM=check`), or there is no memory for a session.
#[unsafe(no_mangle)]
pub extern "system" fn olemem_input_begin() -> u64 {
    input::begin().unwrap_or(0)
}

/// Ends it: if it broke a rule, or left a block that it allocated, the report is written and the process aborts. Nothing
/// happens for 0. As [`audit::input`](crate::audit::input()).
#[unsafe(no_mangle)]
pub extern "system" fn olemem_input_end(input: u64) {
    input::end(input);
}

/// Whether no rule was broken, and something was recorded: 1 or 0, also for NULL. Warnings do not count.
///
/// # Safety
///
/// * `report` is NULL or one that was not released.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_report_is_clean(report: *const Report) -> i32 {
    // SAFETY: the caller's promise.
    let report = unsafe { report.as_ref() };
    report.is_some_and(|report| report.report.is_clean()).into()
}

/// How many violations there are of a kind, by its name; of any kind for NULL. The greatest number for a name that
/// no kind has, so that a misspelt one is noticed. 0 for a NULL report.
///
/// # Safety
///
/// * `report` is NULL or one that was not released; `kind` is a string of bytes.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_report_count(
    report: *const Report,
    kind: *const c_char,
) -> usize {
    // SAFETY: the caller's promise.
    let report = unsafe { report.as_ref() };
    let kinds = report.map_or(&[] as &[CString], |report| &report.kinds);
    if kind.is_null() {
        return kinds.len();
    }
    // SAFETY: the caller promises a string, and it is not null.
    let name = unsafe { CStr::from_ptr(kind) };
    if name
        .to_str()
        .ok()
        .is_none_or(|name| name.parse::<Kind>().is_err())
    {
        return usize::MAX;
    }
    kinds.iter().filter(|kind| kind.as_c_str() == name).count()
}

/// How many violations are errors. 0 for NULL.
///
/// # Safety
///
/// * `report` is NULL or one that was not released.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_report_errors(report: *const Report) -> usize {
    // SAFETY: the caller's promise.
    let report = unsafe { report.as_ref() };
    report.map_or(0, |report| report.report.count(Severity::Error))
}

/// How many violations are warnings. 0 for NULL.
///
/// # Safety
///
/// * `report` is NULL or one that was not released.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_report_warnings(report: *const Report) -> usize {
    // SAFETY: the caller's promise.
    let report = unsafe { report.as_ref() };
    report.map_or(0, |report| report.report.count(Severity::Warning))
}

/// The name of a violation's kind, in the order of the story: as found, leaks last. NULL beyond the last one, and
/// for a NULL report.
///
/// *Ownership:* the report's.
///
/// # Safety
///
/// * `report` is NULL or one that was not released.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_report_kind(
    report: *const Report,
    index: usize,
) -> *const c_char {
    // SAFETY: the caller's promise.
    let report = unsafe { report.as_ref() };
    report
        .and_then(|report| report.kinds.get(index))
        .map_or(ptr::null(), |kind| kind.as_ptr())
}

/// The whole story, in UTF-8, with line feeds and without one at its end. The empty text for NULL.
///
/// *Ownership:* the report's.
///
/// # Safety
///
/// * `report` is NULL or one that was not released.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_report_text(report: *const Report) -> *const c_char {
    // SAFETY: the caller's promise.
    let report = unsafe { report.as_ref() };
    report.map_or(c"".as_ptr(), |report| report.text.as_ptr())
}

/// Stores the session's numbers: 1, or 0 and nothing stored if a pointer is NULL or the structure has no room for
/// its size. Members that the caller does not know are left out, those that are not known here are left alone.
///
/// # Safety
///
/// * `report` is NULL or one that was not released; `counts` is NULL or points to a structure of as many writable
///   bytes as its first member says.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_report_counts(
    report: *const Report,
    counts: *mut Counts,
) -> i32 {
    // SAFETY: the caller's promise.
    let Some(report) = (unsafe { report.as_ref() }) else {
        return 0;
    };
    if counts.is_null() {
        return 0;
    }
    // SAFETY: the first member is there in any case.
    let size = unsafe { counts.cast::<usize>().read() };
    if size < size_of::<usize>() {
        return 0;
    }
    let found = report.report.counts();
    let known = Counts {
        size,
        operations: found.operations,
        allocated: found.allocated,
        freed: found.freed,
        failed: found.failed,
        live: found.live,
        live_bytes: found.live_bytes,
        peak_bytes: found.peak_bytes,
        total_bytes: found.total_bytes,
    };
    let bytes = size.min(size_of::<Counts>());
    let source = (&raw const known).cast::<u8>();
    // SAFETY: no more than the caller promised, nor than there is.
    unsafe { counts.cast::<u8>().copy_from_nonoverlapping(source, bytes) };
    1
}

/// Releases a report; NULL does nothing.
///
/// # Safety
///
/// * `report` is NULL or one that was not released, and this is its last use.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_report_release(report: *mut Report) {
    if !report.is_null() {
        // SAFETY: it was made by a box, and the caller's promise is that it is released once.
        drop(unsafe { Box::from_raw(report) });
    }
}

/// Says that a block is meant to live on, a BSTR or task memory: it is not reported as leaked. 1, or 0 if no live
/// block of a session's is there. Any address will do, NULL too.
#[unsafe(no_mangle)]
pub extern "system" fn olemem_ignore(pointer: *const c_void) -> i32 {
    audit::ignore(pointer).into()
}
