//! The lock of what comes before the first allocation: one thread has the audit begin and the plan of failures set,
//! and a fork waits for it. The child would otherwise find it half done, by a thread that is not there.
//!
//! It is taken before all other locks.

use crate::task::lock::{Guard, Lock};

static BEGINNING: Lock<()> = Lock::new(());

/// Waits for whoever is at it, and holds the lock until the guard is dropped.
pub(super) fn lock() -> Guard<'static, ()> {
    BEGINNING.lock()
}
