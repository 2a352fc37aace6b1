//! Where it happened: the first frame is the caller's, whichever door it came through.
#![cfg(not(miri))]

use crate::support::{free, string, task};
use olemem::audit::{Backtrace, Frame, Kind, Session};
use olemem::{Bstr, TaskBox};

/// File and line of the innermost frame.
#[track_caller]
fn innermost(frames: &[Frame]) -> (&str, u32) {
    let frame = frames.first().expect("a frame");
    let file = frame.file.as_deref().expect("a file");
    let name = file.rsplit('/').next().expect("a name");
    (name, frame.line.expect("a line"))
}

#[test]
fn of_allocation_free_and_mistake() {
    let session = Session::begin();
    let (allocated, text) = (line!(), Bstr::from("text").into_raw());
    // SAFETY: the string is live.
    let (freed, ()) = (line!(), unsafe { olemem::raw::free(text) });
    // SAFETY: the audit swallows it.
    let (again, ()) = (line!(), unsafe { olemem::raw::free(text) });
    let report = session.finish();
    report.assert_kinds([Kind::DoubleFree]);
    let violation = &report.violations()[0];
    assert_eq!(innermost(&violation.allocated_at), ("sites.rs", allocated));
    assert_eq!(innermost(&violation.freed_at), ("sites.rs", freed));
    assert_eq!(innermost(&violation.at), ("sites.rs", again));
    let function = violation.at[0].function.as_deref().expect("a name");
    assert_eq!(function, "audit::sites::of_allocation_free_and_mistake");
}

/// The frames go on to whoever called, and end where the program begins.
#[test]
fn of_the_callers_too() {
    #[inline(never)]
    fn outer() -> *mut u16 {
        std::hint::black_box(string("lost"))
    }
    let session = Session::begin();
    let lost = outer();
    let report = session.finish();
    let names: Vec<_> = report.violations()[0]
        .allocated_at
        .iter()
        .map(|frame| frame.function.clone().expect("a name"))
        .collect();
    assert_eq!(
        names[..3],
        [
            "audit::support::string",
            "audit::sites::of_the_callers_too::outer",
            "audit::sites::of_the_callers_too",
        ]
    );
    assert!(
        !names
            .iter()
            .any(|name| name.contains("__rust_begin_short_backtrace"))
    );
    free(lost);
}

/// Through collections and closures of the library's.
#[test]
fn through_other_code() {
    let session = Session::begin();
    let boxed = TaskBox::try_new(7_u64).expect("memory");
    let raw = TaskBox::into_raw(boxed);
    let report = session.finish();
    assert_eq!(
        innermost(&report.violations()[0].allocated_at).0,
        "sites.rs"
    );
    // SAFETY: live, and its last use.
    drop(unsafe { TaskBox::from_raw(raw) });
}

/// Leaks of one place are told together, and counted one by one.
#[test]
fn of_leaks_are_grouped() {
    let session = Session::begin();
    let lost: Vec<_> = (0..3).map(|_| task(5)).collect();
    let report = session.finish();
    report.assert_kinds([Kind::Leak; 3]);
    let text = report.to_string();
    assert_eq!(text.matches("error[leak]").count(), 1, "{text}");
    assert!(
        text.contains("block 1: task memory, 5 bytes, and 2 more from there, 15 bytes together"),
        "{text}"
    );
    lost.into_iter().for_each(crate::support::free_task);
}

#[test]
fn are_left_out_where_nobody_wants_them() {
    let session = Session::options().backtrace(Backtrace::Off).begin();
    let lost = string("lost");
    let report = session.finish();
    assert_eq!(report.violations()[0].allocated_at, []);
    free(lost);
}
