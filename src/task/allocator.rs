//! `TaskAllocator`: the task allocator behind allocator-api2's trait.

use core::alloc::Layout;
use core::num::NonZero;
use core::ptr::{self, NonNull};

use allocator_api2::alloc::{AllocError, Allocator};

use crate::task::block::{ALIGN, Family};
use crate::task::heap;

/// The COM task allocator, for collections that take an allocator.
///
/// What such a collection holds is task memory: its buffer may be handed to C, which frees it with
/// `CoTaskMemFree`, and the other way round; one without capacity has no buffer. Alignments above [`ALIGN`] are refused with
/// [`AllocError`], for the task allocator does not know of alignment: on 32-bit x86 that
/// rules out hashbrown's tables, whose groups want 16. It implements `Allocator` of
/// allocator-api2 0.2, which hashbrown 0.17 and bumpalo 3.20 speak as well, and with the feature
/// `allocator-api2-04` that of version 0.4.
///
/// # Examples
///
/// ```
/// use allocator_api2::vec::Vec;
/// use olemem::TaskAllocator;
///
/// let mut numbers = Vec::new_in(TaskAllocator);
/// numbers.extend([1, 2, 3]);
/// assert_eq!(numbers, [1, 2, 3]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskAllocator;

/// A block for `layout`, or `None` if the alignment is not to be had or there is no memory.
///
/// No bytes need no block, as with the standard library's allocators: collections forget what they
/// think is none.
#[track_caller]
fn allocate(layout: Layout) -> Option<NonNull<[u8]>> {
    if layout.align() > ALIGN {
        return None;
    }
    if layout.size() == 0 {
        return Some(nothing(layout));
    }
    sized(heap::alloc(layout.size(), Family::Task), layout.size())
}

/// No bytes, at an address that is aligned and no block's.
fn nothing(layout: Layout) -> NonNull<[u8]> {
    let address = NonZero::new(layout.align()).unwrap_or(NonZero::<usize>::MIN);
    NonNull::slice_from_raw_parts(NonNull::without_provenance(address), 0)
}

#[track_caller]
fn allocate_zeroed(layout: Layout) -> Option<NonNull<[u8]>> {
    let block = allocate(layout)?;
    // SAFETY: a new block of that many bytes.
    unsafe { block.cast::<u8>().write_bytes(0, layout.size()) };
    Some(block)
}

/// The block at the size of `new`; `None` leaves it as it was.
///
/// # Safety
///
/// * `block` is what this allocator gave for `old`, and not given back.
#[track_caller]
unsafe fn resize(block: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<[u8]>> {
    if old.size() == 0 {
        return allocate(new);
    }
    if new.align() > ALIGN {
        return None;
    }
    if new.size() == 0 {
        // SAFETY: the caller promises the block, and it is used no more.
        unsafe { deallocate(block, old) };
        return Some(nothing(new));
    }
    // SAFETY: the old size is not zero, so the block is a live one.
    let moved = unsafe { heap::resize(block.as_ptr(), new.size(), Family::Task) };
    sized(moved, new.size())
}

/// # Safety
///
/// * As for [`resize`], and `new` is no smaller than `old`.
#[track_caller]
unsafe fn grow_zeroed(block: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<[u8]>> {
    // SAFETY: the caller's promise.
    let moved = unsafe { resize(block, old, new) }?;
    // SAFETY: the old size is within the block.
    let tail = unsafe { moved.cast::<u8>().add(old.size()) };
    // SAFETY: the new size is the block's, and the caller promises that it is no smaller.
    unsafe { tail.write_bytes(0, new.size() - old.size()) };
    Some(moved)
}

fn sized(block: *mut u8, size: usize) -> Option<NonNull<[u8]>> {
    NonNull::new(ptr::slice_from_raw_parts_mut(block, size))
}

/// # Safety
///
/// * `block` is what this allocator gave for `layout`, not given back, and nothing uses it any more.
#[track_caller]
unsafe fn deallocate(block: NonNull<u8>, layout: Layout) {
    if layout.size() != 0 {
        // SAFETY: the size is not zero, so the block is a live one; the rest is the caller's promise.
        unsafe { heap::free(block.as_ptr(), Family::Task) };
    }
}

// SAFETY: a block stays where it is until it is freed or resized, whatever becomes of this value, of
// which every copy is the same allocator; sizes are exact and alignments checked.
unsafe impl Allocator for TaskAllocator {
    #[track_caller]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        allocate(layout).ok_or(AllocError)
    }

    #[track_caller]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        allocate_zeroed(layout).ok_or(AllocError)
    }

    #[track_caller]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the trait's promise is the precondition.
        unsafe { deallocate(block, layout) };
    }

    #[track_caller]
    unsafe fn grow(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the trait's promise is the precondition.
        unsafe { resize(block, old, new) }.ok_or(AllocError)
    }

    #[track_caller]
    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the trait's promise is the precondition.
        unsafe { grow_zeroed(block, old, new) }.ok_or(AllocError)
    }

    #[track_caller]
    unsafe fn shrink(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the trait's promise is the precondition.
        unsafe { resize(block, old, new) }.ok_or(AllocError)
    }
}

#[cfg(feature = "allocator-api2-04")]
mod version_04 {
    use core::alloc::Layout;
    use core::ptr::NonNull;

    use allocator_api2_04::alloc::{AllocError, Allocator};

    use super::TaskAllocator;

    // SAFETY: as for version 0.2, whose contract is the same.
    unsafe impl Allocator for TaskAllocator {
        #[track_caller]
        fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
            super::allocate(layout).ok_or(AllocError)
        }

        #[track_caller]
        fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
            super::allocate_zeroed(layout).ok_or(AllocError)
        }

        #[track_caller]
        unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
            // SAFETY: the trait's promise is the precondition.
            unsafe { super::deallocate(block, layout) };
        }

        #[track_caller]
        unsafe fn grow(
            &self,
            block: NonNull<u8>,
            old: Layout,
            new: Layout,
        ) -> Result<NonNull<[u8]>, AllocError> {
            // SAFETY: the trait's promise is the precondition.
            unsafe { super::resize(block, old, new) }.ok_or(AllocError)
        }

        #[track_caller]
        unsafe fn grow_zeroed(
            &self,
            block: NonNull<u8>,
            old: Layout,
            new: Layout,
        ) -> Result<NonNull<[u8]>, AllocError> {
            // SAFETY: the trait's promise is the precondition.
            unsafe { super::grow_zeroed(block, old, new) }.ok_or(AllocError)
        }

        #[track_caller]
        unsafe fn shrink(
            &self,
            block: NonNull<u8>,
            old: Layout,
            new: Layout,
        ) -> Result<NonNull<[u8]>, AllocError> {
            // SAFETY: the trait's promise is the precondition.
            unsafe { super::resize(block, old, new) }.ok_or(AllocError)
        }
    }
}
