//! What lies behind a string in its block, while AddressSanitizer watches.
//!
//! A string's block is rounded up to 16 bytes, and one that was shortened keeps its room. A stray access there stays
//! within the allocation, so that the sanitizer would not see it. It is told where the string ends, by
//! [`close`], and takes what is behind for no memory; until [`open`], before anybody who may touch it gets the block.
//!
//! Nothing is closed while a spy is registered or somebody listens: they may look at all that was asked for, and the audit
//! watches these bytes itself. What was closed before they came, the doors open.

use crate::task::checker;
use crate::task::mode::{self, Mode};
use crate::task::process_heap::HEAP;

/// Tells that a block is used up to so many bytes from its start, and not behind.
#[inline]
pub(crate) fn close(block: *mut u8, used: usize) {
    if !mode::is_quiet() {
        close_watched(block, used);
    }
}

#[cold]
#[inline(never)]
fn close_watched(block: *mut u8, used: usize) {
    let mode = mode::get();
    #[cfg(any(feature = "export", feature = "audit"))]
    let is_watched = mode.has(Mode::SPIED.and(Mode::LISTENED));
    #[cfg(not(any(feature = "export", feature = "audit")))]
    let is_watched = false;
    if !mode.has(Mode::PASS_THROUGH) || is_watched {
        return;
    }
    if let Some(regions) = checker::regions()
        && let Some(room) = HEAP.room_apart(block.addr())
    {
        // SAFETY: the tail is within the block, and nobody uses it.
        unsafe { (regions.close)(block.wrapping_add(used), room.saturating_sub(used)) };
    }
}

/// Tells that all of a block may be used again. What is no live block is left alone.
#[inline]
pub(crate) fn open(block: *mut u8) {
    if !mode::is_quiet() && mode::get().has(Mode::PASS_THROUGH) {
        open_watched(block);
    }
}

#[cold]
#[inline(never)]
fn open_watched(block: *mut u8) {
    if let Some(regions) = checker::regions()
        && let Some(room) = HEAP.room_apart(block.addr())
    {
        // SAFETY: a live block has so many bytes.
        unsafe { (regions.open)(block, room) };
    }
}
