//! Sessions that keep short stacks: in a process of their own, for one that asks for full stacks has them kept for all.
#![cfg(all(feature = "audit", any(not(windows), miri)))]

use std::ptr;

use allocator_api2::boxed::Box;
use olemem::audit::{Backtrace, Frame, Kind, Report, Session};
use olemem::heap::{self, Family};
use olemem::{Bstr, TaskAllocator, raw};

fn watched(code: impl FnOnce()) -> Report {
    let session = Session::options().backtrace(Backtrace::Short).begin();
    code();
    session.finish()
}

/// The names of files and the lines.
fn places(frames: &[Frame]) -> Vec<(&str, u32)> {
    let place = |frame: &Frame| {
        let file = frame.file.as_deref()?.rsplit('/').next()?;
        (file == "audit_short.rs").then_some(("here", frame.line?))
    };
    frames.iter().filter_map(place).collect()
}

/// Frees a string once more.
fn free_again(bstr: *const u16) {
    // SAFETY: the audit swallows it.
    unsafe { raw::free(bstr) };
}

#[test]
fn a_line_is_all_there_is() {
    let mut line = 0;
    let mut lost = ptr::null();
    let report = watched(|| {
        line = line!() + 1;
        lost = Bstr::from("lost").into_raw();
    });
    report.assert_kinds([Kind::Leak]);
    let frames = &report.violations()[0].allocated_at;
    assert_eq!(places(frames), [("here", line)]);
    assert_eq!((frames.len(), frames[0].address), (1, 0));
    let text = report.to_string();
    let told = format!("  allocated at\n    at tests/audit_short.rs:{line}\n");
    assert!(text.contains(&told), "{text}");
    // SAFETY: live, and its last use.
    unsafe { raw::free(lost) };
}

/// A destructor is told no line: the unwinder is asked, where there is one.
#[test]
fn what_is_dropped_has_the_first_frames() {
    let mut line = 0;
    let report = watched(|| {
        let text = Bstr::from("dropped");
        let raw = text.as_raw();
        line = line!() + 1;
        drop(text);
        free_again(raw);
    });
    report.assert_kinds([Kind::DoubleFree]);
    let frames = &report.violations()[0].freed_at;
    if cfg!(miri) {
        assert_eq!(*frames, []);
    } else {
        assert!(places(frames).contains(&("here", line)), "{frames:#?}");
        assert!(frames.len() <= 6, "{frames:#?}");
    }
}

/// A collection's line is not the program's.
#[test]
fn what_a_collection_allocates_has_the_first_frames() {
    let mut line = 0;
    let mut lost = ptr::null_mut();
    let report = watched(|| {
        line = line!() + 1;
        let boxed = Box::new_in(7_u64, TaskAllocator);
        lost = Box::into_raw(boxed);
    });
    report.assert_kinds([Kind::Leak]);
    let frames = &report.violations()[0].allocated_at;
    if cfg!(miri) {
        assert_eq!(*frames, []);
    } else {
        assert!(places(frames).contains(&("here", line)), "{frames:#?}");
    }
    // SAFETY: live, and its last use.
    unsafe { heap::free(lost.cast(), Family::Task) };
}

#[cfg(all(feature = "export", not(miri)))]
mod c {
    use std::ptr;

    use super::{Kind, places, watched};
    use olemem::export::{SysAllocStringLen, SysFreeString};

    /// What calls a C function from Rust is found by where it returns to.
    #[test]
    fn a_c_function_notes_its_caller() {
        let mut line = 0;
        let mut lost = ptr::null_mut();
        let report = watched(|| {
            line = line!() + 2;
            // SAFETY: a null source needs nothing.
            lost = unsafe { SysAllocStringLen(ptr::null(), 3) };
        });
        report.assert_kinds([Kind::Leak]);
        let frames = &report.violations()[0].allocated_at;
        assert_eq!(places(frames)[0], ("here", line), "{frames:#?}");
        // SAFETY: live, and its last use.
        unsafe { SysFreeString(lost) };
    }
}
