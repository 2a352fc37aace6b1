//! Allocations made to fail: the guards.
#![cfg(feature = "std")]

use olemem::fault::{Failing, fail_nth};
use olemem::{Bstr, TaskBox, raw};

/// Whether each of the next allocations fails.
fn failures<const N: usize>() -> [bool; N] {
    std::array::from_fn(|_| TaskBox::try_new(1_u8).is_err())
}

#[test]
fn the_nth_fails_and_no_other() {
    let failing = fail_nth(3);
    assert!(!failing.has_failed());
    assert_eq!(failures(), [false, false, true, false]);
    assert!(failing.has_failed());
}

#[test]
fn dropping_the_guard_calls_the_failure_off() {
    drop(fail_nth(1));
    assert_eq!(failures(), [false]);
}

#[test]
fn a_guard_that_takes_anothers_place_is_not_called_off_with_it() {
    let mut failing: Failing = fail_nth(9);
    for (nth, index) in [(1, 0), (2, 1), (3, 2)] {
        // The old guard is dropped after the new one was made.
        failing = fail_nth(nth);
        let at: [bool; 3] = failures();
        assert_eq!(at.iter().position(|failed| *failed), Some(index));
        assert!(failing.has_failed());
    }
    drop(failing);
    assert_eq!(failures(), [false; 3]);
}

#[test]
fn the_latest_counts_and_the_one_before_it_goes_on() {
    let outer = fail_nth(2);
    {
        let inner = fail_nth(100);
        assert_eq!(failures(), [false; 5]);
        assert!(!inner.has_failed());
    }
    assert_eq!(failures(), [false, true, false]);
    assert!(outer.has_failed());
}

#[test]
fn guards_go_in_any_order() {
    let first = fail_nth(1);
    let second = fail_nth(2);
    let third = fail_nth(50);
    drop(second);
    assert_eq!(failures(), [false; 2]);
    drop(third);
    assert_eq!(failures(), [true, false]);
    drop(first);
    assert_eq!(failures(), [false]);
}

#[test]
fn other_threads_are_not_touched() {
    let failing = fail_nth(1);
    std::thread::spawn(|| assert_eq!(failures(), [false]))
        .join()
        .expect("the other thread's allocation does not fail");
    assert!(!failing.has_failed());
}

#[test]
fn what_needs_no_memory_is_not_counted() {
    let mut text = Bstr::from("a text to be shortened");
    let failing = fail_nth(1);
    text.truncate(olemem::UnitLen::new(3));
    assert_eq!(text, "a t");
    // SAFETY: null is no source, and needs none.
    assert!(unsafe { raw::alloc(std::ptr::null()) }.is_null());
    let mut none = std::ptr::null_mut();
    // SAFETY: the variable holds null.
    assert!(unsafe { raw::realloc(&raw mut none, std::ptr::null()) });
    assert!(!failing.has_failed());
}

#[test]
#[should_panic(expected = "allocations are counted from 1")]
fn there_is_no_allocation_before_the_first() {
    let _ = fail_nth(0);
}
