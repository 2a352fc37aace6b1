//! Which session a thread is in.

use core::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ledger::{CrossingId, SessionId};

/// The session of threads that are in none of their own; 0 if there is none.
static PROCESS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The session that this thread is in; 0 if it is in none.
    static CURRENT: Cell<SessionId> = const { Cell::new(0) };
    /// The innermost annotated call that this thread is in; 0 if it is in none.
    static CROSSING: Cell<CrossingId> = const { Cell::new(0) };
}

/// The session of this thread; 0 if it is in none.
pub(super) fn current() -> SessionId {
    match CURRENT.try_with(Cell::get) {
        Ok(0) | Err(_) => PROCESS.load(Ordering::Relaxed),
        Ok(session) => session,
    }
}

/// Has this thread be in a session from now on, and tells in which it was.
pub(super) fn enter(session: SessionId) -> SessionId {
    CURRENT
        .try_with(|current| current.replace(session))
        .unwrap_or(0)
}

/// Has threads without a session be in this one.
#[cfg(all(unix, not(miri)))]
pub(super) fn cover_process(session: SessionId) {
    PROCESS.store(session, Ordering::Relaxed);
}

/// The innermost annotated call of this thread; 0 if it is in none.
pub(super) fn crossing() -> CrossingId {
    CROSSING.try_with(Cell::get).unwrap_or(0)
}

/// Has this thread be in a call from now on.
pub(super) fn enter_crossing(crossing: CrossingId) {
    // A thread that is about to end is in none.
    let _ = CROSSING.try_with(|current| current.set(crossing));
}
