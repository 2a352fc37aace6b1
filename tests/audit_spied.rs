//! The audit under a spy that asks for room: a caller's pointer is then not the start of the real block. A spy is the
//! whole process's, so these tests have a program of their own, and run one at a time.
#![cfg(all(feature = "audit", any(not(windows), miri)))]

use std::sync::{Arc, Mutex, PoisonError};

use olemem::audit::{Backtrace, Kind, Report, Session};
use olemem::heap::{self, Family};
use olemem::spy::{self, Margins, Request, Spy};
use olemem::{UnitLen, raw};

struct Roomy;

impl Spy for Roomy {
    fn margins(&self, _: Request) -> Margins {
        Margins::new(32, 16)
    }
}

/// Runs code under the spy, which must be able to go then.
fn spied<T>(code: impl FnOnce() -> T) -> T {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let registered = spy::register(Arc::new(Roomy)).expect("there is no other spy");
    let result = code();
    assert!(registered.revoke().is_ok());
    result
}

/// Runs code in a session that keeps no stacks.
fn session<T>(code: impl FnOnce() -> T) -> Report {
    let session = Session::options().backtrace(Backtrace::Off).begin();
    code();
    session.finish()
}

fn string(text: &str) -> *mut u8 {
    let units: Vec<u16> = text.encode_utf16().collect();
    let len = UnitLen::try_from(units.len()).expect("a short text");
    // SAFETY: so many units are there.
    unsafe { raw::alloc_units(units.as_ptr(), len) }.cast()
}

fn task() -> *mut u8 {
    heap::alloc(24, Family::Task)
}

/// Frees by the functions of a family what its holder has.
fn free(pointer: *mut u8, family: Family) {
    match family {
        // SAFETY: either live and at its last use, or the audit judges the address.
        Family::Bstr => unsafe { raw::free(pointer.cast()) },
        // SAFETY: as above.
        Family::Task => unsafe { heap::free(pointer, Family::Task) },
    }
}

/// The report on what is made in a session and freed behind it.
fn leaked(make: impl FnOnce() -> *mut u8, family: Family) -> Report {
    spied(|| {
        let mut made = std::ptr::null_mut();
        let report = session(|| made = make());
        free(made, family);
        report
    })
}

/// The sentence and the block of the only violation.
#[track_caller]
fn told(report: &Report, kind: Kind) -> (String, String) {
    report.assert_kinds([kind]);
    let violation = &report.violations()[0];
    let block = violation.block.as_ref().expect("it is known");
    (violation.message.clone(), block.family.to_string())
}

#[test]
fn kept() {
    let report = spied(|| {
        session(|| {
            free(string("text"), Family::Bstr);
            free(task(), Family::Task);
        })
    });
    report.assert_clean();
}

#[test]
fn a_leak_has_the_family_of_its_functions() {
    let report = leaked(|| string("text"), Family::Bstr);
    let (message, family) = told(&report, Kind::Leak);
    assert_eq!(message, "a BSTR was never freed");
    assert_eq!(family, Family::Bstr.to_string());
    let report = leaked(task, Family::Task);
    let (message, _) = told(&report, Kind::Leak);
    assert_eq!(message, "task memory was never freed");
}

#[test]
fn so_has_a_second_free() {
    let report = spied(|| {
        session(|| {
            let text = string("text");
            free(text, Family::Bstr);
            free(text, Family::Bstr);
        })
    });
    let (message, _) = told(&report, Kind::DoubleFree);
    assert_eq!(message, "a BSTR that was freed before is freed again");
    let report = spied(|| {
        session(|| {
            let block = task();
            free(block, Family::Task);
            free(block, Family::Task);
        })
    });
    let (message, _) = told(&report, Kind::DoubleFree);
    assert_eq!(message, "task memory that was freed before is freed again");
}

/// The pointer is the start of what its holder has, not one into the middle of the block.
#[test]
fn a_free_by_the_other_family_is_told_as_that() {
    let report = spied(|| {
        session(|| {
            let text = string("text");
            free(text, Family::Task);
            free(text, Family::Bstr);
        })
    });
    let (message, family) = told(&report, Kind::FamilyMismatch);
    assert_eq!(message, "a BSTR is freed as task memory");
    assert_eq!(family, Family::Bstr.to_string());
    let report = spied(|| {
        session(|| {
            let block = task();
            free(block, Family::Bstr);
            free(block, Family::Task);
        })
    });
    let (message, family) = told(&report, Kind::FamilyMismatch);
    assert_eq!(message, "task memory is freed as a BSTR");
    assert_eq!(family, Family::Task.to_string());
}

/// A block from before the session has no entry in its books.
#[test]
fn a_block_from_before_the_session_is_no_exception() {
    for (make, right, wrong, message) in [
        (
            (|| string("text")) as fn() -> *mut u8,
            Family::Bstr,
            Family::Task,
            "a BSTR is freed as task memory",
        ),
        (
            task,
            Family::Task,
            Family::Bstr,
            "task memory is freed as a BSTR",
        ),
    ] {
        let report = spied(|| {
            let pointer = make();
            let report = session(|| free(pointer, wrong));
            free(pointer, right);
            report
        });
        report.assert_kinds([Kind::FamilyMismatch]);
        assert_eq!(report.violations()[0].message, message);
    }
}

#[test]
fn a_pointer_into_the_middle_is_one() {
    let report = spied(|| {
        session(|| {
            let block = task();
            free(block.wrapping_add(4), Family::Task);
            free(block, Family::Task);
        })
    });
    report.assert_kinds([Kind::InteriorFree]);
}
