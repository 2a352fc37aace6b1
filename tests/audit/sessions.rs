//! What becomes of sessions: within one another, on other threads, dropped, in a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crate::support::{assert_kept, assert_told, free, free_task, string, task, watched};
use olemem::audit::{self, Backtrace, Counts, Kind, Session};
use olemem::heap::{self, Family};
use olemem::layout::PointerWidth;
use olemem::{Bstr, ByteLen};

/// The message of a panic.
fn panic_of(code: impl FnOnce()) -> String {
    let cause = catch_unwind(AssertUnwindSafe(code)).expect_err("it panics");
    match cause.downcast::<String>() {
        Ok(message) => *message,
        Err(cause) => (*cause.downcast::<&str>().expect("a message")).to_owned(),
    }
}

#[test]
fn count_what_they_see() {
    let report = watched(|| {
        let text = Bstr::from("text");
        let other = text.clone();
        drop(text);
        drop(other);
    });
    // As `GetSize` has them.
    let bytes = ByteLen::new(8);
    let block: u64 = PointerWidth::NATIVE
        .block_size(bytes)
        .expect("small")
        .into();
    assert_eq!(
        report.counts(),
        Counts {
            operations: 4,
            allocated: 2,
            freed: 2,
            failed: 0,
            live: 0,
            live_bytes: 0,
            peak_bytes: 2 * block,
            total_bytes: 2 * block,
        }
    );
    let text = report.to_string();
    assert!(
        text.starts_with(
            "olemem: 0 errors, 0 warnings; 4 operations (2 allocated, 2 freed, 0 live, at most "
        ),
        "{text}"
    );
    // A block that shrinks counts with what is left of it.
    let mut lost = std::ptr::null_mut();
    let report = watched(|| {
        // SAFETY: the block is live.
        lost = unsafe { heap::realloc(task(24), 8, Family::Task) };
    });
    assert_eq!((report.counts().live, report.counts().live_bytes), (1, 8));
    free_task(lost);
}

/// A session that saw nothing is not clean: its test tested nothing.
#[test]
fn that_saw_nothing_are_not_clean() {
    let report = watched(|| {});
    assert!(!report.is_clean());
    assert_eq!(report.to_string(), "olemem: recorded nothing");
    let message = panic_of(|| report.assert_clean());
    assert_eq!(message, "\nolemem: recorded nothing");
}

#[test]
fn within_one_another_see_their_own_blocks() {
    let outer = Session::begin();
    let first = string("outer");
    let inner = Session::begin();
    let second = string("inner");
    free(first);
    let found = inner.finish();
    found.assert_kinds([Kind::Leak]);
    assert_eq!(found.counts().allocated, 1);
    // The thread is in the outer one again.
    let third = string("outer again");
    free(second);
    free(third);
    let found = outer.finish();
    found.assert_clean();
    assert_eq!(found.counts().allocated, 2);
}

/// The outer one may end first.
#[test]
fn may_end_in_any_order() {
    let outer = Session::begin();
    drop(Bstr::from("outer"));
    let inner = Session::begin();
    outer.finish().assert_clean();
    let text = string("inner");
    free(text);
    inner.finish().assert_clean();
    // This thread is in none.
    let after = string("after");
    free(after);
    // What was within it is within the one around both.
    let outer = Session::begin();
    let middle = Session::begin();
    drop(Bstr::from("middle"));
    let inner = Session::begin();
    drop(Bstr::from("inner"));
    middle.finish().assert_clean();
    inner.finish().assert_clean();
    let lost = string("outer");
    outer.finish().assert_kinds([Kind::Leak]);
    free(lost);
}

#[test]
fn may_end_on_another_thread() {
    let session = Session::begin();
    let text = string("lost");
    let report = thread::spawn(move || session.finish())
        .join()
        .expect("it ends");
    report.assert_kinds([Kind::Leak]);
    // This thread is in none: nobody is told, and nothing is lost.
    free(text);
    drop(Bstr::from("of no session"));
    audit::check(|_| drop(Bstr::from("of another")));
}

#[test]
fn are_joined_by_other_threads() {
    let session = Session::begin();
    let joiner = session.joiner();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let joiner = joiner.clone();
            thread::spawn(move || {
                {
                    let _joined = joiner.join();
                    drop(Bstr::from("seen"));
                }
                drop(Bstr::from("not seen"));
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("it ends");
    }
    let report = session.finish();
    report.assert_clean();
    assert_eq!(report.counts().allocated, 4);
    // Too late: nothing happens.
    let _joined = joiner.join();
    drop(Bstr::from("too late"));
}

/// Many at once, on threads of their own, each with a mistake of its own.
#[test]
fn do_not_see_one_another() {
    let kinds = [Kind::Leak, Kind::DoubleFree];
    let threads: Vec<_> = (0..8)
        .map(|number| {
            thread::spawn(move || {
                for _ in 0..if cfg!(miri) { 2 } else { 50 } {
                    let mut text = std::ptr::null_mut();
                    let report = watched(|| {
                        text = string("text");
                        if number % 2 == 1 {
                            free(text);
                            free(text);
                        }
                    });
                    report.assert_kinds([kinds[number % 2]]);
                    if number % 2 == 0 {
                        free(text);
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("it ends");
    }
}

#[test]
fn that_are_dropped_panic_unless_clean() {
    {
        let _session = Session::begin();
        drop(Bstr::from("fine"));
    }
    let mut lost = std::ptr::null_mut();
    let message = panic_of(|| {
        let _session = Session::options().backtrace(Backtrace::Off).begin();
        lost = string("lost");
    });
    assert!(
        message.starts_with("\nerror[leak]: a BSTR was never freed\n"),
        "{message}"
    );
    free(lost);
}

/// The panic goes on; its session ends, and the thread is in none.
#[test]
fn end_in_a_panic() {
    let mut lost = std::ptr::null_mut();
    let message = panic_of(|| {
        let _session = Session::begin();
        lost = string("lost");
        panic!("the test's own");
    });
    assert_eq!(message, "the test's own");
    free(lost);
    let message = panic_of(|| {
        audit::check(|_| {
            lost = string("lost");
            panic!("the test's own");
        });
    });
    assert_eq!(message, "the test's own");
    free(lost);
    audit::check(|_| drop(Bstr::from("another")));
}

#[test]
fn around_a_closure_tell_the_whole_story() {
    assert_eq!(audit::check(|_| Bstr::from("six").len()), 3);
    let mut lost = std::ptr::null_mut();
    let message = panic_of(|| audit::check(|_| lost = string("lost")));
    assert!(
        message.contains("error[leak]: a BSTR was never freed"),
        "{message}"
    );
    assert!(
        message.contains("block 1: BSTR, 8 bytes, \"lost\""),
        "{message}"
    );
    free(lost);
}

#[test]
fn have_budgets() {
    let made = || Session::options().backtrace(Backtrace::Off).at_most(2, 100);
    let session = made().begin();
    drop((Bstr::from("one"), Bstr::from("two")));
    session.finish().assert_clean();

    let session = made().begin();
    drop((Bstr::from("one"), Bstr::from("two"), Bstr::from("three")));
    let report = session.finish();
    assert!(report.exceeds_budget());
    let bytes = report.counts().total_bytes;
    assert_told(
        &report,
        &format!(
            "over budget: 3 allocations of {bytes} bytes together, where 2 of 100 bytes are allowed"
        ),
    );
    assert!(!panic_of(|| report.assert_clean()).is_empty());
    // Machines are told as well: there is no violation that they could see it by.
    let json = report.to_json();
    assert!(
        json.contains(&format!(
            "\"budget\": {{\n    \"allocations\": 2,\n    \"bytes\": 100,\n    \"total_bytes\": {bytes},\n    \
             \"exceeded\": true\n  }}"
        )),
        "{json}"
    );
    assert!(json.contains("\"complete\": true"), "{json}");
    if !cfg!(miri) {
        let sarif = report.to_sarif();
        assert!(sarif.contains("\"Over budget: 3 allocations of"), "{sarif}");
    }
    assert_eq!(
        panic_of(|| report.assert_at_most(2, 100)),
        format!("3 allocations of {bytes} bytes together, where 2 of 100 are allowed")
    );
    report.assert_at_most(3, bytes);
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and much of it")]
fn that_recorded_nothing_are_not_complete() {
    let report = Session::begin().finish();
    let json = report.to_json();
    assert!(json.contains("\"complete\": false"), "{json}");
    assert!(json.contains("\"recorded nothing\""), "{json}");
    let sarif = report.to_sarif();
    assert!(sarif.contains("\"executionSuccessful\": false"), "{sarif}");
    assert!(sarif.contains("\"Recorded nothing.\""), "{sarif}");
}

/// With no quarantine a second free is the heap's business, as without an audit; everything else is told.
#[test]
fn without_a_quarantine_still_see_the_rest() {
    let session = Session::options()
        .quarantine(0)
        .backtrace(Backtrace::Off)
        .begin();
    let text = string("text");
    free(text);
    let lost = string("lost");
    session.finish().assert_kinds([Kind::Leak]);
    free(lost);
}

#[test]
fn say_what_was_expected_and_what_was_found() {
    let report = watched(|| {
        let text = string("text");
        free(text);
        free(text);
    });
    let message = panic_of(|| report.assert_kinds([Kind::Leak, Kind::Leak]));
    assert!(
        message.starts_with("\nexpected leak, leak, found double-free\n\nerror[double-free]"),
        "{message}"
    );
    let message = panic_of(|| report.assert_kinds([]));
    assert!(
        message.starts_with("\nexpected nothing, found double-free"),
        "{message}"
    );
}

/// A block's shape is a fact of the block: it crosses sessions in both directions.
#[test]
fn end_and_their_blocks_live_on() {
    let mut text = string("before");
    let mut kept = std::ptr::null_mut();
    let report = watched(|| {
        // SAFETY: the string is live, and nothing else uses it.
        assert!(unsafe {
            olemem::raw::realloc_units(&raw mut text, std::ptr::null(), olemem::UnitLen::new(50))
        });
        kept = string("within");
    });
    report.assert_kinds([Kind::Leak]);
    // SAFETY: as above.
    assert!(unsafe {
        olemem::raw::realloc_units(&raw mut kept, std::ptr::null(), olemem::UnitLen::new(500))
    });
    // SAFETY: six units are there.
    assert_eq!(unsafe { kept.wrapping_add(5).read() }, u16::from(b'n'));
    let report = watched(|| {
        free(kept);
        free(text);
    });
    assert_kept(&report);
}
