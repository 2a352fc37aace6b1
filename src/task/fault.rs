//! Making an allocation fail.
//!
//! Plans are kept in the system's memory, never in the global allocator's: a program may install a global
//! allocator that stands on olemem.

use std::cell::Cell;
use std::fmt;
use std::ptr::{self, NonNull};
#[cfg(all(feature = "audit", unix, not(miri)))]
use std::sync::atomic::{AtomicU64, Ordering};

use allocator_api2::alloc::System;
use allocator_api2::boxed::Box;

#[cfg(any(not(windows), miri))]
use crate::task::mode::{self, Mode};

thread_local! {
    /// The failure that this thread is to see; null if none is.
    static PLANNED: Cell<*const Plan> = const { Cell::new(ptr::null()) };
}

/// A failure to come. The guard owns it, and takes the thread's pointer to it back before it goes.
struct Plan {
    /// Allocations until the one that fails, itself included; 0 once it has failed.
    left: Cell<u64>,
    /// The plan that was there before, and is again when this one goes.
    outer: Cell<*const Plan>,
}

/// Makes the `nth` allocation that this thread asks of olemem from now on fail, once. The first is 1.
///
/// Allocations and reallocations that need memory count, whichever door they come through: the safe
/// types, the raw operations, the C functions, `IMalloc`. So does the first pin of a string, and not a
/// string that the cache hands out again. Other threads are not touched. Dropping the
/// guard calls the failure off. While several guards live the latest counts, and the one before it goes
/// on when that is dropped.
///
/// # Examples
///
/// ```
/// use olemem::error::CreateError;
/// use olemem::{Bstr, fault};
///
/// let failing = fault::fail_nth(2);
/// assert!(Bstr::try_from_str("first").is_ok());
/// assert!(matches!(
///     Bstr::try_from_str("second"),
///     Err(CreateError::OutOfMemory(_))
/// ));
/// assert!(Bstr::try_from_str("third").is_ok());
/// assert!(failing.has_failed());
/// ```
///
/// # Panics
///
/// If `nth` is 0.
pub fn fail_nth(nth: u64) -> FailNth {
    assert_ne!(nth, 0, "allocations are counted from 1");
    let plan = Plan {
        left: Cell::new(nth),
        outer: Cell::new(PLANNED.get()),
    };
    let plan = NonNull::from(Box::leak(Box::new_in(plan, System)));
    PLANNED.set(plan.as_ptr());
    ask_from_now_on();
    FailNth { plan }
}

/// Calls the failure off when dropped. Made by [`fail_nth`].
#[must_use = "dropping the guard calls the failure off"]
pub struct FailNth {
    /// Invariant: a leaked box of the system's memory that this guard alone takes back. Being a pointer it keeps the guard on
    /// its thread, whose count it is.
    plan: NonNull<Plan>,
}

impl FailNth {
    /// Whether the failure has happened.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.left() == 0
    }

    fn left(&self) -> u64 {
        // SAFETY: the field's invariant.
        unsafe { self.plan.as_ref() }.left.get()
    }
}

impl fmt::Debug for FailNth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailNth")
            .field("allocations_left", &self.left())
            .finish()
    }
}

impl Drop for FailNth {
    fn drop(&mut self) {
        // SAFETY: the field's invariant.
        let outer = unsafe { self.plan.as_ref() }.outer.get();
        // A thread that ends has no plan any more.
        let _ = PLANNED.try_with(|planned| {
            // Guards may go in any order: whichever points here is made to point past.
            let mut link = planned;
            while !ptr::eq(link.get(), self.plan.as_ptr()) {
                // SAFETY: null ends the list; the others are plans of guards that were not dropped.
                match unsafe { link.get().as_ref() } {
                    Some(inner) => link = &inner.outer,
                    None => return,
                }
            }
            link.set(outer);
        });
        // SAFETY: the field's invariant; nothing else points to it any more.
        drop(unsafe { Box::from_raw_in(self.plan.as_ptr(), System) });
    }
}

/// Allocations of the process until the one that fails, itself included; 0 if none is to.
#[cfg(all(feature = "audit", unix, not(miri)))]
static OF_PROCESS: AtomicU64 = AtomicU64::new(0);

/// Makes the `nth` allocation of the process fail, whatever thread it is on, once.
#[cfg(all(feature = "audit", unix, not(miri)))]
pub(crate) fn fail_nth_of_process(nth: u64) {
    OF_PROCESS.store(nth, Ordering::Relaxed);
    ask_from_now_on();
}

/// Counts one allocation of the process down; `true` if it is the one to fail.
#[cfg(all(feature = "audit", unix, not(miri)))]
fn is_to_fail_in_process() -> bool {
    OF_PROCESS
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        })
        .is_ok_and(|left| left == 1)
}

/// From the first plan on every allocation of the process asks whether its thread has one.
///
/// For ever, since nobody could say safely when the last plan has gone: one thread's may begin as another's
/// ends. Programs that plan failures are tests, and the question is a short one.
#[cfg(any(not(windows), miri))]
fn ask_from_now_on() {
    mode::set(Mode::FAILING, true);
}

/// On Windows every allocation asks.
#[cfg(all(windows, not(miri)))]
fn ask_from_now_on() {}

/// Counts one allocation down; `true` if it is the one to fail.
pub(crate) fn is_to_fail() -> bool {
    #[cfg(all(feature = "audit", unix, not(miri)))]
    if is_to_fail_in_process() {
        return true;
    }
    let planned = PLANNED.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: null, or the plan of a guard of this thread that was not dropped: dropping takes the
    // pointer back first, and a guard that is forgotten leaves its box.
    let Some(plan) = (unsafe { planned.as_ref() }) else {
        return false;
    };
    let left = plan.left.get();
    plan.left.set(left.saturating_sub(1));
    left == 1
}
