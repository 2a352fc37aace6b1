//! Blocks of zeros.
//!
//! Large ones come so from the system, which gives pages for them only when they are touched: an array of a gigabyte takes
//! none.

use std::ptr;

use crate::task::block::Family;
use crate::task::mode::{self, Mode};
use crate::task::process_heap::HEAP;

/// As [`alloc`](super::alloc), of zeros.
#[track_caller]
pub(crate) fn alloc_zeroed(size: usize, family: Family) -> *mut u8 {
    // What a spy or a listener has put its hands on may be anything.
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::SPIED) || mode::get().has(Mode::LISTENED) {
        let block = super::alloc(size, family);
        if !block.is_null() {
            // SAFETY: a new block of so many bytes.
            unsafe { block.write_bytes(0, size) };
        }
        return block;
    }
    if super::fault_of(size, family).is_some() {
        ptr::null_mut()
    } else if mode::get().has(Mode::PASS_THROUGH) {
        HEAP.alloc_zeroed_apart(size, family)
    } else {
        HEAP.alloc_zeroed(size, family)
    }
}
