//! Allocations made to fail, for C and C++: plans in effect have numbers.
//!
//! A number is the thread's that began the plan, and is never used again. So one that is over, or another thread's,
//! is safe to name: nothing happens then.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::sized;
use crate::task::block::Family;
use crate::task::fault::Failing;
use crate::task::fault_plan;

/// `olemem_fault_plan`. Its size comes first, so that it can grow; 0 in a member is as if it were not there.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaultPlan {
    /// How large the caller's structure is.
    pub size: usize,
    /// The number of the allocation that fails.
    pub nth: u64,
    /// Every so many-th allocation fails.
    pub every: u64,
    /// Each allocation fails with this probability.
    pub rate: f64,
    /// Which ones those are.
    pub seed: u64,
    /// Only blocks of more bytes.
    pub above: usize,
    /// 1 for BSTRs alone, 2 for task memory alone.
    pub family: u32,
    /// 1 for the first one alone, 2 for all that follow as well.
    pub then: u32,
}

thread_local! {
    /// The plans of this thread, by number.
    static PLANS: RefCell<Vec<(u64, Failing)>> = const { RefCell::new(Vec::new()) };
}

/// The last number that was given.
static LAST: AtomicU64 = AtomicU64::new(0);

/// The plan in Rust's words; `None` for values that mean nothing.
fn translated(plan: FaultPlan) -> Option<fault_plan::FaultPlan> {
    let chosen = match (plan.nth, plan.every, plan.rate) {
        (0, 0, 0.0) => fault_plan::FaultPlan::all(),
        (nth, 0, 0.0) => fault_plan::FaultPlan::nth(nth),
        (0, every, 0.0) => fault_plan::FaultPlan::every(every),
        (0, 0, rate) => fault_plan::FaultPlan::with_rate(plan.seed, rate)?,
        _ => return None,
    };
    let chosen = match plan.family {
        0 => chosen,
        1 => chosen.of(Family::Bstr),
        2 => chosen.of(Family::Task),
        _ => return None,
    };
    let chosen = match plan.then {
        0 => chosen,
        1 => chosen.once(),
        2 => chosen.from_then_on(),
        _ => return None,
    };
    Some(chosen.above(plan.above))
}

/// Makes allocations of this thread fail, until [`olemem_fault_end`] is called with the number that this gives; 0 for
/// a plan that this library does not know, and where there is no memory.
///
/// # Safety
///
/// * `plan` is NULL, for all allocations, or points to a structure of as many bytes as its first member says.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_fault_begin(plan: *const FaultPlan) -> u64 {
    let plan = if plan.is_null() {
        Some(FaultPlan::default())
    } else {
        // SAFETY: the caller's promise.
        unsafe { sized::read(plan) }
    };
    let Some(plan) = plan.and_then(translated) else {
        return 0;
    };
    let begun = PLANS.try_with(|plans| {
        let mut plans = plans.borrow_mut();
        // Before the plan is in effect: a global allocator may stand on olemem.
        plans.try_reserve(1).ok()?;
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        plans.push((number, plan.begin()));
        Some(number)
    });
    begun.ok().flatten().unwrap_or(0)
}

/// How many allocations have failed by a plan of this thread's so far; 0 if it is over, or never was.
#[unsafe(no_mangle)]
pub extern "system" fn olemem_fault_failures(fault: u64) -> u64 {
    asked(fault, Failing::failures)
}

/// How many allocations a plan of this thread's has counted, those that failed included; 0 if it is over, or never was.
#[unsafe(no_mangle)]
pub extern "system" fn olemem_fault_allocations(fault: u64) -> u64 {
    asked(fault, Failing::allocations)
}

fn asked(fault: u64, question: fn(&Failing) -> u64) -> u64 {
    let answer = PLANS.try_with(|plans| {
        let plans = plans.borrow();
        let found = plans.iter().find(|(number, _)| *number == fault);
        found.map_or(0, |(_, failing)| question(failing))
    });
    answer.unwrap_or(0)
}

/// Calls the failures of a plan of this thread's off, and tells how many there were; 0 if it is over, or never was.
#[unsafe(no_mangle)]
pub extern "system" fn olemem_fault_end(fault: u64) -> u64 {
    let ended = PLANS.try_with(|plans| {
        let mut plans = plans.borrow_mut();
        let index = plans.iter().position(|(number, _)| *number == fault)?;
        Some(plans.remove(index).1)
    });
    let ended = ended.ok().flatten();
    ended.map_or(0, |failing| failing.failures())
}
