//! The turn: while a thread is between a spy's Pre call and the return of the Post call, no other thread
//! is.
//!
//! ```text
//!  thread A   take ── PreAlloc ── take ── … ── give back ── the real one ── PostAlloc ── give back
//!                                 (the spy itself allocates)                                  │
//!  thread B        take · · · · · · · · · · · · · · · · · · · · · · · · · · · · · · · · · · ──┴─ PreFree …
//! ```
//!
//! * A thread that has the turn may take it again: a spy may call the allocator.
//! * Waiting for it asks for no memory.
//! * Nothing else of the heap is locked while a spy's code runs.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::task::lock::{Guard, Lock};
use crate::task::thread_identity::identity;

static TURN: Lock<()> = Lock::new(());

/// Whose turn it is; 0 if it is nobody's. Written by the thread that holds the lock.
static OWNER: AtomicUsize = AtomicUsize::new(0);

/// The turn, until it is dropped.
pub(crate) struct Taken {
    /// `None` if this thread had it already. Given back after `drop` has said that it is nobody's.
    held: Option<Guard<'static, ()>>,
}

/// Waits for the turn, unless this thread has it.
pub(crate) fn take() -> Taken {
    let here = identity();
    // No ordering is needed: only this thread itself could have put its number there.
    if OWNER.load(Ordering::Relaxed) == here {
        return Taken { held: None };
    }
    let guard = TURN.lock();
    OWNER.store(here, Ordering::Relaxed);
    Taken { held: Some(guard) }
}

impl Taken {
    /// Whether dropping it ends the turn.
    pub(crate) fn is_outermost(&self) -> bool {
        self.held.is_some()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.is_outermost() {
            OWNER.store(0, Ordering::Relaxed);
        }
    }
}

/// Makes the turn this thread's, if it forked in its turn, and else nobody's.
///
/// # Safety
///
/// * This is the child of a fork, and its one thread is not waiting for the turn.
#[cfg(all(unix, not(miri)))]
pub(crate) unsafe fn give_back_in_child() {
    // SAFETY: the caller promises that there is one thread. If the turn is its own, the guard that it
    // has is dropped after the lock was taken again, below.
    unsafe { TURN.make_anew() };
    if OWNER.load(Ordering::Relaxed) == identity() {
        std::mem::forget(TURN.lock());
    } else {
        OWNER.store(0, Ordering::Relaxed);
    }
}
