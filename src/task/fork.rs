//! What becomes of the heap when the process forks.
//!
//! The child has one thread, and the memory as it was. Were another thread inside the heap at that
//! moment, the child would find the lock taken for ever. So the thread that forks takes the lock first
//! and gives it back on both sides, as the C library does with its own. Handlers of others that run in
//! between, on the same thread, may use the heap.

use std::cell::UnsafeCell;

use crate::task::lock::Kept;
use crate::task::table;

/// The lock, while a fork is under way.
struct Held(UnsafeCell<Option<Kept<'static>>>);

// SAFETY: reached only by the three handlers, between taking the lock and giving it back: by the one
// thread that holds it.
unsafe impl Sync for Held {}

static HELD: Held = Held(UnsafeCell::new(None));

unsafe extern "C" {
    fn pthread_atfork(
        prepare: unsafe extern "C" fn(),
        parent: unsafe extern "C" fn(),
        child: unsafe extern "C" fn(),
    ) -> i32;
}

/// Has the handlers called from now on.
pub(super) fn watch() {
    // It fails for lack of memory only, and then a fork is as it would be without.
    // SAFETY: the handlers are functions of the program, and keep to what is allowed around a fork.
    let _ = unsafe { pthread_atfork(prepare, parent, child) };
}

unsafe extern "C" fn prepare() {
    let kept = table::lock().keep();
    // SAFETY: this thread holds the lock, so no other thread's handler is here.
    unsafe { HELD.0.get().write(Some(kept)) };
}

unsafe extern "C" fn parent() {
    // SAFETY: this thread took the lock in `prepare`.
    if let Some(kept) = unsafe { HELD.0.get().replace(None) } {
        kept.release();
    }
}

unsafe extern "C" fn child() {
    // SAFETY: this is the copy of the thread that took the lock in `prepare`.
    if let Some(kept) = unsafe { HELD.0.get().replace(None) } {
        kept.release_in_child();
    }
}
