//! A heap of one's own, over another backing allocator.

use std::fmt;
use std::process;
use std::ptr;

use allocator_api2::alloc::{Allocator, System};

use crate::task::backing::Backing;
use crate::task::block::{DidAlloc, Family};
use crate::task::complain::complain;
use crate::task::store::{NotLive, Store};

/// A heap like the process's own, over a backing allocator of one's choice: to measure what that makes of it.
///
/// It is a static, or leaked: threads keep parts of it that are given back when they end. It has the process's
/// heap's sizes, answers and refusals, and none of what may watch over that: no spy, no listener, no failures
/// that were asked for, no pass-through. Its blocks are its own; the C functions and [`Bstr`](crate::Bstr) do not
/// know them.
///
/// Small blocks are slots of slabs, cut from 4 MiB chunks that the backing gives; blocks of more than 32 KiB
/// are allocations of the backing's each. Not on Windows.
///
/// The backing must give memory at multiples of 64 KiB, which [`TaskAllocator`](crate::TaskAllocator) does
/// not. It must not panic. A fork does not wait for this heap, as it does for the process's own: the child of a
/// process whose other threads may have been using it must leave it alone.
///
/// # Examples
///
/// ```
/// use allocator_api2::alloc::Global;
/// use olemem::heap::{DidAlloc, Family, Heap};
///
/// static HEAP: Heap<Global> = Heap::new_in(Global);
///
/// let block = HEAP.alloc(27, Family::Task);
/// assert_eq!(HEAP.size_of(block), Some(27));
/// // SAFETY: the block is live, and this is its last use.
/// unsafe { HEAP.free(block) };
/// assert_eq!(HEAP.did_alloc(block), DidAlloc::No);
/// ```
pub struct Heap<A: Allocator + Sync + 'static = System> {
    store: Store<A>,
}

impl<A: Allocator + Sync> Heap<A> {
    /// A heap over this backing allocator. It asks it for nothing yet.
    ///
    /// The backing must not itself stand on this heap.
    #[must_use]
    pub const fn new_in(backing: A) -> Self {
        Self {
            store: Store::new(Backing::new(backing)),
        }
    }

    /// As [`heap::alloc`](crate::heap::alloc).
    ///
    /// *Ownership:* the caller frees it with [`free`](Self::free).
    #[inline]
    #[must_use]
    pub fn alloc(&'static self, size: usize, family: Family) -> *mut u8 {
        self.store.alloc(size, family)
    }

    /// As [`heap::realloc`](crate::heap::realloc).
    ///
    /// # Aborts
    ///
    /// If no live block of this heap starts there.
    ///
    /// # Safety
    ///
    /// * As for [`heap::realloc`](crate::heap::realloc), for a block of this heap.
    #[must_use]
    pub unsafe fn realloc(&'static self, block: *mut u8, size: usize, family: Family) -> *mut u8 {
        if block.is_null() {
            return self.alloc(size, family);
        }
        if size == 0 {
            // SAFETY: the caller's promise; after this call nothing uses the block.
            unsafe { self.free(block) };
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise is the precondition.
        match unsafe { self.store.resize(block, size, family) } {
            Ok(new) => new,
            Err(NotLive) => refuse("reallocation", block),
        }
    }

    /// As [`heap::free`](crate::heap::free).
    ///
    /// # Aborts
    ///
    /// If no live block of this heap starts there.
    ///
    /// # Safety
    ///
    /// * Nothing uses the block any more.
    #[inline]
    pub unsafe fn free(&'static self, block: *mut u8) {
        // SAFETY: the caller's promise is the precondition.
        if !block.is_null() && unsafe { self.store.free(block) }.is_err() {
            refuse("free", block);
        }
    }

    /// The bytes that were asked for; `None` if no live block starts there. Any address will do.
    #[must_use]
    pub fn size_of(&'static self, block: *const u8) -> Option<usize> {
        if block.is_null() {
            return None;
        }
        self.store.size_of(block.addr())
    }

    /// Whether a live block starts there. Any address will do.
    #[must_use]
    pub fn did_alloc(&'static self, block: *const u8) -> DidAlloc {
        if block.is_null() {
            return DidAlloc::Unknown;
        }
        match self.store.size_of(block.addr()) {
            Some(_) => DidAlloc::Yes,
            None => DidAlloc::No,
        }
    }

    /// Gives spare memory back to the backing allocator.
    pub fn minimize(&'static self) {
        self.store.minimize();
    }
}

impl<A: Allocator + Sync> fmt::Debug for Heap<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").finish_non_exhaustive()
    }
}

#[cold]
#[inline(never)]
fn refuse(call: &str, block: *mut u8) -> ! {
    complain(format_args!(
        "{call} of {:#x}: no live block of this heap starts there",
        block.addr()
    ));
    process::abort();
}
