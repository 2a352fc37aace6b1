//! Which thread this is, and what it leaves behind when it ends.

use std::cell::Cell;

use crate::task::local::Local;
use crate::task::thread_identity::identity;

thread_local! {
    /// This thread's parts of heaps.
    static PARTS: Cell<Option<&'static Local>> = const { Cell::new(None) };
    /// Gives the parts up when the thread ends.
    static EXIT: Exit = const { Exit };
}

struct Exit;

impl Drop for Exit {
    fn drop(&mut self) {
        let mut parts = PARTS.take();
        while let Some(part) = parts {
            parts = part.next.take();
            if let Some(leave) = part.leave.get() {
                // SAFETY: the heap is what its function takes it for, and this is the thread's part of it.
                unsafe { (leave.function)(leave.heap, part) };
            }
        }
    }
}

/// This thread's part of a heap.
pub(crate) fn part_of(heap: *const ()) -> Option<&'static Local> {
    let mut parts = PARTS.get();
    while let Some(part) = parts {
        if part.leave.get().is_some_and(|leave| leave.heap == heap) {
            return Some(part);
        }
        parts = part.next.get();
    }
    None
}

/// Whether the thread may have a part: not if it is about to end, and nothing would take it back.
pub(crate) fn may_have_parts() -> bool {
    EXIT.try_with(|_| ()).is_ok()
}

/// Gives the thread a part of a heap.
pub(crate) fn add_part(part: &'static Local) {
    part.home
        .identity
        .store(identity(), std::sync::atomic::Ordering::Relaxed);
    part.next.set(PARTS.replace(Some(part)));
}
