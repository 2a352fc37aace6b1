//! Where bytes come from: the only calls to the system allocator, and the switch that makes one fail.
//!
//! The backing is the standard library's `System`, never the global allocator: a program may install
//! a global allocator that stands on olemem.

use std::cell::Cell;
use std::fmt;
use std::ptr::{self, NonNull};

use allocator_api2::alloc::System;
use allocator_api2::boxed::Box;

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
/// types, the raw operations, the C functions, `IMalloc`. Other threads are not touched. Dropping the
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

/// Counts one allocation down; `true` if it is the one to fail.
pub(crate) fn is_to_fail() -> bool {
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

#[cfg(any(not(windows), miri))]
pub(crate) use system::{allocate, deallocate, hand_on_free, hand_on_realloc, layout, reallocate};

#[cfg(any(not(windows), miri))]
mod system {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::ptr::{self, NonNull};

    use super::is_to_fail;
    use crate::task::block::ALIGN;

    /// More than any machine has. AddressSanitizer ends a program that asks its allocator for more,
    /// where null is the answer.
    #[cfg(target_pointer_width = "64")]
    const MOST: usize = 1 << 40;
    #[cfg(target_pointer_width = "32")]
    const MOST: usize = isize::MAX as usize;

    /// The layout of a block of `size` bytes: at least one, so that every block has an address of its
    /// own. `None` beyond what there can be.
    pub(crate) fn layout(size: usize) -> Option<Layout> {
        if size > MOST {
            return None;
        }
        Layout::from_size_align(size.max(1), ALIGN).ok()
    }

    /// A new block, its contents undefined.
    pub(crate) fn allocate(layout: Layout) -> Option<NonNull<u8>> {
        if is_to_fail() {
            return None;
        }
        // SAFETY: the layout is not of size zero: `layout` above makes it at least one byte.
        NonNull::new(unsafe { System.alloc(layout) })
    }

    /// The block at another size, possibly elsewhere; on `None` the old one is whole.
    ///
    /// # Safety
    ///
    /// * `block` is a live block of [`allocate`] or [`reallocate`], of the layout `old`.
    /// * `new` is a layout made by [`layout`].
    pub(crate) unsafe fn reallocate(
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Option<NonNull<u8>> {
        // Shrinking needs no memory, so it cannot be the allocation that is to fail.
        if new.size() > old.size() && is_to_fail() {
            return None;
        }
        // SAFETY: block and layout are the caller's promise; the new size is not zero and, the
        // alignment being the same, no larger than `Layout` allows.
        NonNull::new(unsafe { System.realloc(block.as_ptr(), old, new.size()) })
    }

    /// Gives a block back.
    ///
    /// # Safety
    ///
    /// * `block` is a live block of this module, of the layout `layout`, and nothing uses it any more.
    pub(crate) unsafe fn deallocate(block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise is the precondition.
        unsafe { System.dealloc(block.as_ptr(), layout) };
    }

    /// A pointer that is no live block is freed all the same, so that the tool which watches the
    /// system allocator reports it with its own stacks.
    ///
    /// # Safety
    ///
    /// * Only under such a tool: it ends or reports the call before harm is done.
    pub(crate) unsafe fn hand_on_free(block: *mut u8) {
        let unknown = Layout::new::<u8>();
        // SAFETY: not met, on purpose: the tool that the caller vouches for stops here.
        unsafe { System.dealloc(block, unknown) };
    }

    /// As [`hand_on_free`], for a reallocation.
    ///
    /// # Safety
    ///
    /// * As for [`hand_on_free`].
    pub(crate) unsafe fn hand_on_realloc(block: *mut u8, size: usize) -> *mut u8 {
        let Some(new) = layout(size) else {
            return ptr::null_mut();
        };
        let unknown = Layout::new::<u8>();
        // SAFETY: not met, on purpose: the tool that the caller vouches for stops here.
        unsafe { System.realloc(block, unknown, new.size()) }
    }
}
