//! Where bytes come from: the only calls to the system allocator, and the switch that makes one fail.
//!
//! The backing is the standard library's `System`, never the global allocator: a program may install a global allocator
//! that stands on olemem.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

thread_local! {
    /// Allocations of this thread until one fails; 0 if none is to fail.
    static COUNTDOWN: Cell<u64> = const { Cell::new(0) };
}

/// Makes the `nth` allocation that this thread asks of olemem from now on fail, once. The first is 1.
///
/// Allocations and reallocations that need memory count, whichever door they come through: the safe
/// types, the raw operations, the C functions, `IMalloc`. Other threads are not touched. Dropping the
/// guard calls the failure off; a second guard replaces the first one's count.
///
/// # Examples
///
/// ```
/// use olemem::{Bstr, CreateError, fault};
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
    COUNTDOWN.set(nth);
    FailNth {
        this_thread: PhantomData,
    }
}

/// Calls the failure off when dropped. Made by [`fail_nth`].
#[must_use = "dropping the guard calls the failure off"]
pub struct FailNth {
    /// The count is the thread's own, so the guard stays there.
    this_thread: PhantomData<*const ()>,
}

impl FailNth {
    /// Whether the failure has happened.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        COUNTDOWN.get() == 0
    }
}

impl fmt::Debug for FailNth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailNth")
            .field("allocations_left", &COUNTDOWN.get())
            .finish()
    }
}

impl Drop for FailNth {
    fn drop(&mut self) {
        COUNTDOWN.set(0);
    }
}

/// Counts one allocation down; `true` if it is the one to fail.
pub(crate) fn is_to_fail() -> bool {
    // A thread that is being torn down has no plan any more.
    COUNTDOWN
        .try_with(|left| match left.get() {
            0 => false,
            n => {
                left.set(n - 1);
                n == 1
            }
        })
        .unwrap_or(false)
}

#[cfg(any(not(windows), miri))]
pub(crate) use system::{allocate, deallocate, hand_on_free, hand_on_realloc, layout, reallocate};

#[cfg(any(not(windows), miri))]
mod system {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::ptr::{self, NonNull};

    use super::is_to_fail;
    use crate::task::block::ALIGN;

    /// The layout of a block of `size` bytes: at least one, so that every block has an address of its
    /// own. `None` beyond what an object can have.
    pub(crate) fn layout(size: usize) -> Option<Layout> {
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
        if is_to_fail() {
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
