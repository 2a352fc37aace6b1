//! The doors of the heap: alloc, realloc, free, size_of, did_alloc, minimize. Nothing else hands out
//! or takes back task memory.
//!
//! What each does is what `IMalloc` documents and Windows does (`semantics.md` section 3):
//!
//! * A block is exactly as large as was asked for, and at least so aligned as [`ALIGN`].
//! * A block of no bytes is a block: it has an address of its own and must be freed.
//! * A failed reallocation leaves the old block as it was.
//! * Freeing null does nothing. Freeing anything else that is no live block start ends the process
//!   with one line on standard error; under Miri, AddressSanitizer and Valgrind it is handed on to the
//!   system allocator, so that the tool reports it with its own stacks.
//! * All of it is safe from any thread, and needs no initialisation. A fork is safe too: the child finds
//!   the heap as the forking thread left it.
//!
//! On Windows itself the doors lead to ole32's own allocator, which judges bad frees its own way.
//!
//! # Examples
//!
//! ```
//! use olemem::heap::{self, DidAlloc, Family};
//!
//! let block = heap::alloc(27, Family::Task);
//! // SAFETY: the block is live.
//! assert_eq!(unsafe { heap::size_of(block) }, Some(27));
//! // SAFETY: as above.
//! assert_eq!(unsafe { heap::did_alloc(block) }, DidAlloc::Yes);
//! // SAFETY: the block is live, and this is its last use.
//! unsafe { heap::free(block, Family::Task) };
//! ```

#[cfg(any(not(windows), miri))]
mod emulated;
#[cfg(any(not(windows), miri))]
mod own;
#[cfg(all(windows, not(miri)))]
mod windows;

#[cfg(any(not(windows), miri))]
use emulated as imp;
#[cfg(all(windows, not(miri)))]
use windows as imp;

pub use crate::task::block::{ALIGN, DidAlloc, Family};
#[cfg(any(not(windows), miri))]
use crate::task::caller::Caller;
#[cfg(any(not(windows), miri))]
pub use own::Heap;

/// A block of `size` bytes, its contents undefined; null if there is no memory.
///
/// *Ownership:* the caller frees it with [`free`]. Source: `CoTaskMemAlloc`, `semantics.md` A1, A2.
#[must_use]
#[track_caller]
pub fn alloc(size: usize, family: Family) -> *mut u8 {
    imp::alloc(size, family)
}

#[cfg(all(feature = "export", any(not(windows), miri)))]
pub(crate) use emulated::{alloc_by, free_by};

#[cfg(any(not(windows), miri))]
pub(crate) use emulated::{tail, zeroed::alloc_zeroed};

/// As [`alloc`], if there is a block at hand. Whoever calls it has found that nobody is to be told, as
/// [`is_quiet`](crate::task::mode::is_quiet) says.
#[inline]
#[cfg(any(not(windows), miri))]
pub(crate) fn alloc_at_hand(size: usize, family: Family) -> Option<*mut u8> {
    imp::alloc_at_hand(size, family)
}

/// The block at another size: `min(old, new)` bytes are kept, and it may move.
///
/// `realloc(null, n)` allocates. `realloc(block, 0)` frees the block and gives null, which is success.
/// Null for any other size is failure, and the old block is whole.
///
/// *Ownership:* on success the old pointer is gone, the new one is the caller's. Source:
/// `CoTaskMemRealloc`, `semantics.md` A3 to A6.
///
/// # Safety
///
/// * `block` is null or the start of a live block, and no other thread is using it.
/// * On success nothing uses the old pointer any more.
#[must_use]
#[track_caller]
pub unsafe fn realloc(block: *mut u8, size: usize, family: Family) -> *mut u8 {
    // A spy sees these two as reallocations.
    #[cfg(any(not(windows), miri))]
    if (block.is_null() || size == 0)
        // SAFETY: the caller's promise is the precondition.
        && let Some(new) = Caller::here().enter(|| unsafe { imp::realloc_spied(block, size, family) })
    {
        return new;
    }
    if block.is_null() {
        return alloc(size, family);
    }
    if size == 0 {
        // SAFETY: the caller's promise; after this call nothing uses the block.
        unsafe { free(block, family) };
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's promise, and `block` is not null.
    unsafe { resize(block, size, family) }
}

/// As [`realloc`] of a block that is not null, to a size that is not 0.
///
/// A BSTR that shrinks stays where it is (V036), and keeps its memory until it grows or is freed.
///
/// # Safety
///
/// * As for [`realloc`], and `block` is not null.
#[track_caller]
pub(crate) unsafe fn resize(block: *mut u8, size: usize, family: Family) -> *mut u8 {
    // SAFETY: the caller's promise is the precondition.
    unsafe { imp::resize(block, size, family) }
}

/// Gives a string's block another size, if that is at hand; `false` if it was not done. Whoever calls it has found
/// that nobody is to be told.
///
/// # Safety
///
/// * As for [`resize`].
#[inline]
#[cfg(any(not(windows), miri))]
pub(crate) unsafe fn resize_string_at_hand(block: *mut u8, size: usize) -> bool {
    // SAFETY: the caller's promise is the precondition.
    unsafe { imp::resize_string_at_hand(block, size) }
}

/// As [`resize_string_at_hand`], of a large block that has room: a longer way.
///
/// # Safety
///
/// * As for [`resize`].
#[inline]
#[cfg(any(not(windows), miri))]
pub(crate) unsafe fn resize_large_string_in_place(block: *mut u8, size: usize) -> bool {
    // SAFETY: the caller's promise is the precondition.
    unsafe { imp::resize_large_string_in_place(block, size) }
}

/// Gives a block back. Null does nothing.
///
/// # Aborts
///
/// If no live block starts there: freed before, interior, or never from this heap.
///
/// # Safety
///
/// * Nothing uses the block any more.
/// * Under Miri, AddressSanitizer and Valgrind, and on Windows: `block` is null or the start of a live
///   block.
#[track_caller]
pub unsafe fn free(block: *mut u8, family: Family) {
    if !block.is_null() {
        // SAFETY: the caller's promise is the precondition.
        unsafe { release(block, family) }
    }
}

/// Gives a block back, if it is one of this thread's own; `false` if that was not done, or it is no block. Whoever
/// calls it has found that nobody is to be told.
///
/// # Safety
///
/// * As for [`free`].
#[inline]
#[cfg(any(not(windows), miri))]
pub(crate) unsafe fn free_at_hand(block: *mut u8) -> bool {
    // SAFETY: the caller's promise is the precondition.
    unsafe { imp::free_at_hand(block) }
}

/// As [`free`], and null is no block either: for an address that was computed.
///
/// # Safety
///
/// * As for [`free`].
#[inline]
#[track_caller]
pub(crate) unsafe fn release(block: *mut u8, family: Family) {
    // SAFETY: the caller's promise is the precondition.
    unsafe { imp::free(block, family) }
}

/// The bytes that were asked for, or `None` if no live block starts there.
///
/// Source: `IMalloc::GetSize`, `semantics.md` 3.3, whose -1 is `None` here.
///
/// # Safety
///
/// * On Windows itself: `block` is null or a live block, for the system reads the memory before it.
///   Elsewhere any address whatever will do; no memory behind it is read.
#[must_use]
#[track_caller]
pub unsafe fn size_of(block: *mut u8) -> Option<usize> {
    if block.is_null() {
        return None;
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { imp::size_of(block) }
}

/// Bytes from `address` to the end of the live block that starts at `block`, if it lies in there. Asked by
/// olemem itself: nobody is told.
#[cfg(any(not(windows), miri))]
pub(crate) fn bytes_left(block: *mut u8, address: usize) -> Option<usize> {
    imp::bytes_left(block, address)
}

/// The bytes that the holder of the pointer asked for, whatever a spy put around them. Asked by olemem itself:
/// nobody is told.
#[cfg(any(not(windows), miri))]
pub(crate) fn extent(block: *mut u8) -> Option<usize> {
    imp::extent(block)
}

/// The innermost doors, for an overseer: nobody is asked or told.
#[cfg(all(feature = "audit", any(not(windows), miri)))]
pub(crate) mod innermost {
    use super::{Family, imp};
    pub(crate) use crate::task::block::Found;
    use crate::task::fault::Fault;

    /// A block; null if there is none.
    pub(crate) fn alloc(size: usize, family: Family) -> *mut u8 {
        imp::alloc_store(size, family)
    }

    /// As [`alloc`], unless it is the allocation that is to fail.
    pub(crate) fn alloc_or_fail(size: usize, family: Family) -> *mut u8 {
        imp::alloc_or_fail(size, family)
    }

    /// A block at another size, unless it is the allocation that is to fail. What is no block is refused.
    ///
    /// # Safety
    ///
    /// * As for [`realloc`](super::realloc) of a block that is not null, to a size that is not zero.
    pub(crate) unsafe fn resize_or_fail(block: *mut u8, size: usize, family: Family) -> *mut u8 {
        // SAFETY: the caller's promise is the precondition.
        unsafe { imp::resize_or_fail(block, size, family) }
    }

    /// As [`resize_or_fail`], and it is not asked whether it is to fail.
    ///
    /// # Safety
    ///
    /// * As there.
    pub(crate) unsafe fn resize(block: *mut u8, size: usize, family: Family) -> *mut u8 {
        // SAFETY: the caller's promise is the precondition.
        unsafe { imp::resize_store(block, size, family) }
    }

    /// Gives a block back. What is no block is refused.
    ///
    /// # Safety
    ///
    /// * As for [`free`](super::free). Null is refused.
    pub(crate) unsafe fn free(block: *mut u8, family: Family) {
        // SAFETY: the caller's promise is the precondition.
        unsafe { imp::free_store(block, family) }
    }

    /// Whether there can be a block of so many bytes.
    pub(crate) fn can_be(size: usize) -> bool {
        imp::can_be(size)
    }

    /// Whether this allocation is one that is to fail, and by whose plan.
    pub(crate) fn fault_of(size: usize, family: Family) -> Option<Fault> {
        imp::fault_of(size, family)
    }

    /// The size of the live block that starts at an address.
    pub(crate) fn size_of(address: usize) -> Option<usize> {
        imp::size_of_store(address)
    }

    /// The live block that an address lies in. Where a memory checker watches, and among large blocks, it looks into
    /// sixteen tables in turn, and the first question of all puts them in order.
    pub(crate) fn containing(address: usize) -> Option<Found> {
        imp::containing(address)
    }

    /// The family of the spyed block whose holder's pointer leads to an address, by the spy's word.
    pub(crate) fn spyed_as(address: usize) -> Option<Family> {
        imp::spyed_as(address)
    }
}

/// Ends the process with one line, or tells the overseer: `block` is a freed BSTR that the cache keeps.
#[cfg(any(not(windows), miri))]
pub(crate) fn refuse_cached(call: &str, block: *mut u8, family: Family) {
    imp::refuse_cached(call, block, family);
}

/// Whether a live block starts there.
///
/// Source: `IMalloc::DidAlloc`, `semantics.md` 3.3.
///
/// # Safety
///
/// * On Windows itself: as for [`size_of`]. Elsewhere any address whatever will do, freed, interior or
///   wild; no memory behind it is read.
#[must_use]
pub unsafe fn did_alloc(block: *mut u8) -> DidAlloc {
    if block.is_null() {
        return DidAlloc::Unknown;
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { imp::did_alloc(block) }
}

/// As [`did_alloc`], in the words of `IMalloc::DidAlloc`: what a spy of C's answers is handed on, whatever it
/// is.
#[cfg(all(feature = "export", any(not(windows), miri)))]
pub(crate) fn did_alloc_raw(block: *mut u8) -> i32 {
    if block.is_null() {
        return DidAlloc::Unknown.as_raw();
    }
    imp::did_alloc_raw(block)
}

/// Gives spare memory back to the system. Source: `IMalloc::HeapMinimize`.
///
/// What this thread keeps, and what no thread has. What other threads keep, 256 KiB each at most, stays
/// theirs; so do slabs of theirs whose blocks were freed elsewhere, until they next look for a slab, or end.
pub fn minimize() {
    imp::minimize();
}
