//! A thread's parts of heaps. Loom's threads are joined before their locals are dropped, so that the model says
//! itself when a thread ends.

use std::cell::Cell;

use crate::task::local::Local;
use crate::task::sync::Ordering;
use crate::task::thread_identity::identity;

loom::thread_local! {
    static PARTS: Cell<Option<&'static Local>> = Cell::new(None);
    static ENDED: Cell<bool> = Cell::new(false);
}

pub(crate) fn end() {
    ENDED.with(|ended| ended.set(true));
    let mut parts = PARTS.with(Cell::take);
    while let Some(part) = parts {
        parts = part.next.take();
        if let Some(leave) = part.leave.get() {
            // SAFETY: the heap is what its function takes it for, and this is the thread's part of it.
            unsafe { (leave.function)(leave.heap, part) };
        }
    }
}

pub(crate) fn part_of(heap: *const ()) -> Option<&'static Local> {
    let mut parts = PARTS.with(Cell::get);
    while let Some(part) = parts {
        if part.leave.get().is_some_and(|leave| leave.heap == heap) {
            return Some(part);
        }
        parts = part.next.get();
    }
    None
}

pub(crate) fn add_part(part: &'static Local) -> bool {
    if ENDED.with(Cell::get) {
        return false;
    }
    part.home.identity.store(identity(), Ordering::Relaxed);
    part.next.set(PARTS.with(|parts| parts.replace(Some(part))));
    true
}
