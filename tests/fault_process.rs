//! Allocations of a whole process that fail: `OLEMEM=fail-at=…` and its kin, with the audit and without.
#![cfg(all(unix, feature = "std", not(miri)))]

#[path = "support/children.rs"]
mod children;

use olemem::heap::{self, Family};
use olemem::{Bstr, TaskBox};

/// Which of ten allocations failed: strings and blocks by turns, on two threads.
fn failed() -> String {
    let one = |number: usize| {
        let has_failed = if number.is_multiple_of(2) {
            Bstr::try_from_units(&vec![0x61; number * 10]).is_err()
        } else {
            let block = heap::alloc(number * 16, Family::Task);
            // SAFETY: null, or live and at its last use.
            unsafe { heap::free(block, Family::Task) };
            block.is_null()
        };
        if has_failed { 'x' } else { '.' }
    };
    let first: String = (1..=5).map(one).collect();
    let second = std::thread::spawn(move || (6..=10).map(one).collect::<String>());
    first + &second.join().expect("it does not panic")
}

/// What this binary does as a child.
#[test]
fn a_child() {
    match children::deed().as_deref() {
        Some("ten") => println!("failed: {}", failed()),
        Some("thread") => {
            // The thread's own plan counts what the process's leaves.
            let failing = olemem::fault::fail_nth(2);
            let failed: Vec<bool> = (0..4).map(|_| TaskBox::try_new(1_u8).is_err()).collect();
            assert_eq!(failed, [true, false, true, false]);
            assert_eq!((failing.allocations(), failing.failures()), (3, 1));
        }
        Some("fork") => {
            // A child goes on from where its parent was.
            drop(TaskBox::try_new(1_u8));
            // SAFETY: the child leaves by `_exit`, and does nothing but allocate.
            let child = unsafe { fork() };
            let has_failed = TaskBox::try_new(1_u8).is_err();
            if child == 0 {
                // SAFETY: nothing of the parent's is to be done twice.
                unsafe { _exit(i32::from(!has_failed)) };
            }
            let mut status = 0;
            // SAFETY: the child is there, and the place for its status.
            unsafe { waitpid(child, &raw mut status, 0) };
            assert!(has_failed && status == 0, "{status}");
        }
        _ => {}
    }
}

unsafe extern "C" {
    fn fork() -> i32;
    fn _exit(status: i32) -> !;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
}

/// What a child says of its ten allocations, and what olemem complains of.
#[track_caller]
fn ten(olemem: &str) -> (String, Vec<String>) {
    let output = children::child("a_child", "ten")
        .env("OLEMEM", olemem)
        .output();
    let output = output.expect("it starts");
    children::assert_passed(&output);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, failed) = said.split_once("failed: ").expect("it tells");
    let failed = failed.lines().next().expect("a line").to_owned();
    (failed, children::complaints(&output))
}

#[test]
fn the_keys_choose() {
    for (olemem, failed) in [
        ("", ".........."),
        ("fail-at=3", "..x......."),
        ("fail-at=7", "......x..."),
        ("fail-at=3,fail-then=always", "..xxxxxxxx"),
        ("fail-every=4", "...x...x.."),
        ("fail-every=4,fail-then=never", "...x......"),
        ("fail-rate=1", "xxxxxxxxxx"),
        ("fail-rate=0", ".........."),
        ("fail-family=task", "x.x.x.x.x."),
        ("fail-family=bstr,fail-at=2", "...x......"),
        ("fail-above=120", ".....x.xxx"),
        ("fail-above=120,fail-family=task", "........x."),
        // The last one counts, and others go with it.
        ("plain,fail-at=1,fail-every=5,cache=off", "....x....x"),
    ] {
        assert_eq!(ten(olemem), (failed.to_owned(), Vec::new()), "{olemem}");
    }
}

#[test]
fn a_seed_says_which() {
    let (first, complaints) = ten("fail-rate=0.5,fail-seed=3");
    assert!(complaints.is_empty());
    assert!(first.contains('x') && first.contains('.'), "{first}");
    assert_eq!(ten("fail-seed=3,fail-rate=0.5").0, first);
    let others = (4..10).map(|seed| ten(&format!("fail-rate=0.5,fail-seed={seed}")).0);
    assert!(
        others
            .collect::<Vec<_>>()
            .iter()
            .any(|other| *other != first)
    );
}

#[test]
fn what_is_wrong_is_told_and_not_taken() {
    for (olemem, told) in [
        (
            "fail-at=0",
            "OLEMEM: fail-at=0: valid is a number from 1 on",
        ),
        ("fail-at=", "OLEMEM: fail-at=: valid is a number from 1 on"),
        (
            "fail-every=x",
            "OLEMEM: fail-every=x: valid is a number from 1 on",
        ),
        (
            "fail-rate=2",
            "OLEMEM: fail-rate=2: valid is a number from 0 to 1",
        ),
        (
            "fail-rate=NaN",
            "OLEMEM: fail-rate=NaN: valid is a number from 0 to 1",
        ),
        (
            "fail-family=both",
            "OLEMEM: fail-family=both: valid is bstr, task",
        ),
        (
            "fail-above=1K",
            "OLEMEM: fail-above=1K: valid is a number of bytes",
        ),
        (
            "fail-seed=3",
            "OLEMEM=fail-seed=3: nothing fails: one of fail-at=, fail-every=, fail-rate=, fail-above=, fail-family= \
             is needed",
        ),
    ] {
        let (failed, complaints) = ten(olemem);
        assert_eq!(failed, "..........", "{olemem}");
        assert_eq!(complaints, [format!("olemem: {told}")]);
    }
    // What is right beside it is taken.
    let (failed, complaints) = ten("fail-then=sometimes,fail-at=2");
    assert_eq!(failed, ".x........");
    assert_eq!(
        complaints,
        ["olemem: OLEMEM: fail-then=sometimes: valid is never, always"]
    );
    // A key that is none is told with those that are.
    let (failed, complaints) = ten("fail-on=2");
    assert_eq!(failed, "..........");
    assert!(
        complaints[0].contains("unknown; valid are")
            && complaints[0].contains("fail-at=, fail-every=")
    );
}

#[test]
fn threads_and_forks_share_the_count() {
    for (deed, olemem) in [("thread", "fail-at=1"), ("fork", "fail-at=2")] {
        let output = children::child("a_child", deed)
            .env("OLEMEM", olemem)
            .output();
        children::assert_passed(&output.expect("it starts"));
    }
}

/// With the audit as well as without it.
#[cfg(feature = "audit")]
#[test]
fn under_the_audit_it_is_the_same() {
    let output = children::child("a_child", "ten")
        .env("OLEMEM", "check,fail-every=4")
        .output();
    let output = output.expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("failed: ...x...x.."), "{said}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("olemem: 0 errors"));
}
