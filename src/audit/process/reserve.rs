//! Addresses that are kept free for the report: at the end the program may have taken all that there were.
//!
//! They cost no memory, only room below the limit that a process may have for its addresses (`ulimit -v`).

use core::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Bytes that are kept.
const BYTES: usize = 48 << 20;
/// Bytes that a report takes, however little it tells: the names of functions come from the program's file.
const LEAST: usize = 24 << 20;
/// Bytes that a violation takes while the report is made, with its stacks and all that is written of it.
const EACH: usize = 8 << 10;

static KEPT: AtomicPtr<libc::c_void> = AtomicPtr::new(ptr::null_mut());

/// Addresses that nobody may touch; `None` if there are no more.
fn take(bytes: usize) -> Option<*mut libc::c_void> {
    // SAFETY: new pages, wherever the system puts them.
    let taken = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANON,
            -1,
            0,
        )
    };
    (taken != libc::MAP_FAILED).then_some(taken)
}

/// Keeps them.
pub(super) fn keep() {
    KEPT.store(take(BYTES).unwrap_or_default(), Ordering::Relaxed);
}

/// Gives them back, for the report.
pub(super) fn give_back() {
    let kept = KEPT.swap(ptr::null_mut(), Ordering::Relaxed);
    if !kept.is_null() {
        // SAFETY: so many were taken by `keep`, and nobody has them.
        unsafe { libc::munmap(kept, BYTES) };
    }
}

/// Of so many violations, those that there is room to tell.
pub(super) fn room_for(violations: usize) -> usize {
    let mut most = violations;
    while most > 0 {
        let bytes = most.saturating_mul(EACH).saturating_add(LEAST);
        if let Some(taken) = take(bytes) {
            // SAFETY: so many were just taken, and nobody has them.
            unsafe { libc::munmap(taken, bytes) };
            break;
        }
        most /= 2;
    }
    most
}
