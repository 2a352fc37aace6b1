//! Which session a thread is in.

use core::cell::Cell;
#[cfg(all(unix, not(miri)))]
use std::sync::atomic::{AtomicBool, Ordering};

use super::ledger::{CrossingId, SessionId, books, process_session};

thread_local! {
    /// The session that this thread is in; 0 if it is in none.
    static CURRENT: Cell<SessionId> = const { Cell::new(0) };
    /// The innermost annotated call that this thread is in; 0 if it is in none.
    static CROSSING: Cell<CrossingId> = const { Cell::new(0) };
}

/// The session of this thread; 0 if it is in none.
pub(super) fn current() -> SessionId {
    match CURRENT.try_with(Cell::get) {
        Ok(0) | Err(_) => process_session(),
        Ok(session) => session,
    }
}

/// The session in which what this thread does is judged; 0 if there is none.
pub(crate) fn present() -> u64 {
    books().effective(current())
}

/// Whether a session has not ended.
pub(crate) fn is_open(session: u64) -> bool {
    books().session(session).is_some()
}

/// Has this thread be in a session from now on, and tells in which it was.
pub(super) fn enter(session: SessionId) -> SessionId {
    CURRENT
        .try_with(|current| current.replace(session))
        .unwrap_or(0)
}

/// Whether this process is a child that a sweep made for one run, which tells its parent alone.
#[cfg(all(unix, not(miri)))]
static IS_OF_SWEEP: AtomicBool = AtomicBool::new(false);

/// Says that this process is a sweep's.
#[cfg(all(unix, not(miri)))]
pub(super) fn belong_to_sweep() {
    IS_OF_SWEEP.store(true, Ordering::Relaxed);
}

/// Whether it is.
#[cfg(all(unix, not(miri)))]
pub(super) fn is_of_sweep() -> bool {
    IS_OF_SWEEP.load(Ordering::Relaxed)
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
