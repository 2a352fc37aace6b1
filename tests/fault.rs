//! Allocations made to fail: the guards.
#![cfg(feature = "std")]

use olemem::fault::{Failing, FaultPlan, fail_nth};
use olemem::heap::{self, Family};
use olemem::{Bstr, TaskAllocator, TaskBox, TaskSlice, TaskStr, raw};
use quickcheck::{Gen, QuickCheck};

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

// ------------------------------------------------------------------------------------------- plans

/// Which of twelve allocations fail by a plan: blocks of 4 bytes, then of 8, and so on.
fn failing_by(plan: FaultPlan) -> String {
    let failing = plan.begin();
    let one = |number: usize| {
        let block = heap::alloc(number * 4, Family::Task);
        // SAFETY: null, or live and at its last use.
        unsafe { heap::free(block, Family::Task) };
        if block.is_null() { 'x' } else { '.' }
    };
    let failed: String = (1..=12).map(one).collect();
    let count = failed.matches('x').count() as u64;
    assert_eq!(failing.failures(), count);
    failed
}

#[test]
fn plans_choose() {
    for (plan, failed) in [
        (FaultPlan::nth(5), "....x......."),
        (FaultPlan::nth(5).from_then_on(), "....xxxxxxxx"),
        (FaultPlan::nth(5).from_then_on().at_most(3), "....xxx....."),
        (FaultPlan::every(3), "..x..x..x..x"),
        (FaultPlan::every(3).once(), "..x........."),
        (FaultPlan::every(3).at_most(2), "..x..x......"),
        (FaultPlan::all(), "xxxxxxxxxxxx"),
        (FaultPlan::all().once(), "x..........."),
        (FaultPlan::all().at_most(0), "............"),
        (FaultPlan::all().above(32), "........xxxx"),
        (FaultPlan::nth(2).above(32), ".........x.."),
        (FaultPlan::all().of(Family::Bstr), "............"),
        (FaultPlan::at_random(1, 0.0), "............"),
        (FaultPlan::at_random(1, 1.0), "xxxxxxxxxxxx"),
    ] {
        assert_eq!(failing_by(plan), failed, "{plan:?}");
    }
}

#[test]
fn what_a_plan_leaves_out_is_not_counted() {
    let failing = FaultPlan::nth(2).of(Family::Bstr).begin();
    let made = |text: &str| Bstr::try_from_str(text).is_ok();
    assert_eq!(failures(), [false; 3]);
    assert!(made("first"));
    assert_eq!(failures(), [false; 3]);
    assert!(!made("second"));
    assert_eq!((failing.allocations(), failing.failures()), (2, 1));
}

#[test]
fn blocks_of_no_bytes_count() {
    let failing = FaultPlan::all().begin();
    assert!(heap::alloc(0, Family::Task).is_null());
    assert_eq!(failing.failures(), 1);
}

/// More than there can be fails by itself. (On Windows the limit is the system's, which is not asked before.)
#[test]
#[cfg(any(not(windows), miri))]
fn what_cannot_be_is_not_counted() {
    let failing = FaultPlan::all().begin();
    assert!(heap::alloc(usize::MAX, Family::Task).is_null());
    assert_eq!(failing.allocations(), 0);
}

/// Every door, one after another: each meets its failure, and copes.
#[test]
fn every_door_is_reached() {
    use allocator_api2::alloc::Allocator;

    let failing = FaultPlan::all().begin();
    let mut failed = 0;
    let mut meets = |door: &str, has_failed: bool| {
        failed += 1;
        assert!(has_failed, "{door}");
        assert_eq!(failing.failures(), failed, "{door}");
    };
    meets("Bstr", Bstr::try_from_str("text").is_err());
    meets("TaskBox", TaskBox::try_new(1_u8).is_err());
    meets("TaskSlice", TaskSlice::try_from_slice(&[1_u8]).is_err());
    meets("TaskStr", TaskStr::<u16>::try_from_str("text").is_err());
    let layout = std::alloc::Layout::new::<u64>();
    meets("TaskAllocator", TaskAllocator.allocate(layout).is_err());
    meets("heap", heap::alloc(1, Family::Task).is_null());
    // SAFETY: the source is a string.
    meets(
        "raw",
        unsafe { raw::alloc([0x61_u16, 0].as_ptr()) }.is_null(),
    );
    #[cfg(all(feature = "export", any(not(windows), miri)))]
    {
        use olemem::com::{MallocVtbl, Object};
        use olemem::export::{CoGetMalloc, CoTaskMemAlloc, SysAllocStringLen};

        meets("CoTaskMemAlloc", CoTaskMemAlloc(1).is_null());
        // SAFETY: no source is needed.
        meets(
            "SysAllocStringLen",
            unsafe { SysAllocStringLen(std::ptr::null(), 1) }.is_null(),
        );
        let mut malloc = std::ptr::null_mut();
        // SAFETY: the variable is writable.
        assert!(unsafe { CoGetMalloc(1, &raw mut malloc) }.is_success());
        // SAFETY: the object lives as long as the process.
        let vtbl = unsafe { (*malloc.cast::<Object<MallocVtbl>>()).vtbl };
        // SAFETY: the object is the allocator.
        meets("IMalloc", unsafe { (vtbl.alloc)(malloc, 1) }.is_null());
    }
}

#[test]
#[should_panic(expected = "a rate is from 0 to 1")]
fn a_rate_is_a_probability() {
    let _ = FaultPlan::at_random(0, 1.5);
}

#[test]
#[should_panic(expected = "allocations are counted from 1")]
fn there_is_no_every_zeroth() {
    let _ = FaultPlan::every(0);
}

// -------------------------------------------------------------------------------------------- laws

fn holds<A: quickcheck::Testable>(law: A) {
    let tests = if cfg!(miri) { 2 } else { 200 };
    QuickCheck::new()
        .tests(tests)
        .rng(Gen::new(20))
        .quickcheck(law);
}

/// A seed and a rate say which allocations fail, on whatever thread and whenever.
#[test]
fn chance_is_the_same_each_time() {
    fn law(seed: u64, rate: u8) -> bool {
        let plan = FaultPlan::at_random(seed, f64::from(rate) / 255.0);
        let here = failing_by(plan);
        let there = std::thread::spawn(move || failing_by(plan));
        here == failing_by(plan) && here == there.join().expect("it does not panic")
    }
    holds(law as fn(u64, u8) -> bool);
}

/// Of many allocations about as many fail as the rate says.
#[test]
fn chance_keeps_to_its_rate() {
    let allocations = if cfg!(miri) { 40 } else { 20_000 };
    for rate in [0.01, 0.25, 0.9] {
        let failing = FaultPlan::at_random(42, rate).begin();
        for _ in 0..allocations {
            drop(TaskBox::try_new(1_u8));
        }
        let share = failing.failures() as f64 / f64::from(allocations);
        let spread = if cfg!(miri) { 0.25 } else { 0.02 };
        assert!((share - rate).abs() < spread, "{share} for {rate}");
    }
}

/// Whatever the plan, no more fail than it allows, and none of another family.
#[test]
fn limits_hold() {
    fn law(every: u8, most: u8, above: u8, goes_on: bool) -> bool {
        let plan = FaultPlan::every(u64::from(every) + 1);
        let plan = plan
            .at_most(u64::from(most % 8))
            .above(usize::from(above % 64));
        let plan = if goes_on { plan.from_then_on() } else { plan };
        let failed = failing_by(plan);
        let strings = failing_by(plan.of(Family::Bstr));
        failed.matches('x').count() <= usize::from(most % 8) && !strings.contains('x')
    }
    holds(law as fn(u8, u8, u8, bool) -> bool);
}
