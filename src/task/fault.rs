//! Making an allocation fail.
//!
//! Plans are kept in the system's memory, never in the global allocator's: a program may install a global
//! allocator that stands on olemem.

use std::cell::Cell;
use std::fmt;
use std::ptr::{self, NonNull};

use allocator_api2::alloc::System;
use allocator_api2::boxed::Box;

use crate::task::block::Family;
use crate::task::fault_plan::{FaultPlan, Progress, fails_in_process};
#[cfg(any(not(windows), miri))]
use crate::task::mode::{self, Mode};

thread_local! {
    /// The failures that this thread is to see; null if none are.
    static PLANNED: Cell<*const Planned> = const { Cell::new(ptr::null()) };
}

/// A plan of a thread's. The guard owns it, and takes the thread's pointer to it back before it goes.
struct Planned {
    progress: Progress,
    /// The plan that was there before, and is again when this one goes.
    outer: Cell<*const Planned>,
}

/// Who planned a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planner {
    /// The environment.
    Process,
    /// A session of the audit's.
    #[cfg(all(feature = "audit", any(not(windows), miri)))]
    Session,
    /// A guard of the thread's.
    Thread,
}

/// An allocation that is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) planner: Planner,
    /// Its number, as the planner counts.
    pub(crate) number: u64,
}

/// Makes the `nth` allocation that this thread asks of olemem from now on fail, once. The first is 1.
///
/// The plan that is needed most: see [`FaultPlan`] for what counts, and for others.
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
pub fn fail_nth(nth: u64) -> Failing {
    FaultPlan::nth(nth).begin()
}

impl FaultPlan {
    /// Puts the plan into effect for this thread, until the guard is dropped. Other threads are not touched.
    ///
    /// While several guards live the latest counts, and the one before it goes on when that is dropped.
    pub fn begin(self) -> Failing {
        let planned = Planned {
            progress: Progress::new(self),
            outer: Cell::new(PLANNED.get()),
        };
        let planned = NonNull::from(Box::leak(Box::new_in(planned, System)));
        PLANNED.set(planned.as_ptr());
        ask_from_now_on();
        Failing { planned }
    }
}

/// Calls the failures off when dropped. Made by [`FaultPlan::begin`] and [`fail_nth`].
#[must_use = "dropping the guard calls the failures off"]
pub struct Failing {
    /// Invariant: a leaked box of the system's memory that this guard alone takes back. Being a pointer it keeps the guard on
    /// its thread, whose count it is.
    planned: NonNull<Planned>,
}

impl Failing {
    /// Whether an allocation has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failures() > 0
    }

    /// How many allocations have failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.progress().failures()
    }

    /// How many allocations the plan has counted, those that failed included.
    #[must_use]
    pub fn allocations(&self) -> u64 {
        self.progress().allocations()
    }

    fn progress(&self) -> &Progress {
        // SAFETY: the field's invariant.
        &unsafe { self.planned.as_ref() }.progress
    }
}

impl fmt::Debug for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failing")
            .field("allocations", &self.allocations())
            .field("failures", &self.failures())
            .finish()
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        // SAFETY: the field's invariant.
        let outer = unsafe { self.planned.as_ref() }.outer.get();
        // A thread that ends has no plan any more.
        let _ = PLANNED.try_with(|planned| {
            // Guards may go in any order: whichever points here is made to point past.
            let mut link = planned;
            while !ptr::eq(link.get(), self.planned.as_ptr()) {
                // SAFETY: null ends the list; the others are plans of guards that were not dropped.
                match unsafe { link.get().as_ref() } {
                    Some(inner) => link = &inner.outer,
                    None => return,
                }
            }
            link.set(outer);
        });
        // SAFETY: the field's invariant; nothing else points to it any more.
        drop(unsafe { Box::from_raw_in(self.planned.as_ptr(), System) });
    }
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

/// Whether an allocation is to fail, by the process's plan or the thread's. Each counts it.
pub(crate) fn fault(size: usize, family: Family) -> Option<Fault> {
    if let Some(number) = fails_in_process(size, family) {
        let planner = Planner::Process;
        return Some(Fault { planner, number });
    }
    let planned = PLANNED.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: null, or the plan of a guard of this thread that was not dropped: dropping takes the
    // pointer back first, and a guard that is forgotten leaves its box.
    let planned = unsafe { planned.as_ref() }?;
    let number = planned.progress.fails(size, family)?;
    let planner = Planner::Thread;
    Some(Fault { planner, number })
}
