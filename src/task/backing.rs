//! Handing a bad call on to the system allocator, so that the memory checker that watches it reports the call.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;

use crate::task::large;

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
    let Some(new) = large::layout(size) else {
        return ptr::null_mut();
    };
    let unknown = Layout::new::<u8>();
    // SAFETY: not met, on purpose: the tool that the caller vouches for stops here.
    unsafe { System.realloc(block, unknown, new.size()) }
}
