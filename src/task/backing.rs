//! Where bytes come from: the only calls to the system allocator.
//!
//! The backing is the standard library's `System`, never the global allocator: a program may install
//! a global allocator that stands on olemem.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::{self, NonNull};

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
