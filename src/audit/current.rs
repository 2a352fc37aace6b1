//! Which session a thread is in.

use core::cell::Cell;
#[cfg(all(unix, not(miri)))]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU32, Ordering};

use super::ledger::{CrossingId, SessionId, books, process_session};

thread_local! {
    /// The session that this thread is in; 0 if it is in none.
    static CURRENT: Cell<SessionId> = const { Cell::new(0) };
    /// The innermost annotated call that this thread is in; 0 if it is in none.
    static CROSSING: Cell<CrossingId> = const { Cell::new(0) };
    /// This thread's number; 0 as long as nobody asked for it.
    static THREAD: Cell<u32> = const { Cell::new(0) };
    /// There once the thread has been in one.
    static AT_END: AtEnd = const { AtEnd };
}

/// What becomes of the calls that a thread is in when it ends: they will not return, and nothing is lent to them any more.
struct AtEnd;

impl Drop for AtEnd {
    fn drop(&mut self) {
        let mut left = crossing();
        if left == 0 {
            return;
        }
        enter_crossing(0);
        let mut books = books();
        while let Some(outer) = books.crossed.abandon(left) {
            left = outer;
        }
    }
}

/// The last number that a thread was given.
static LAST_THREAD: AtomicU32 = AtomicU32::new(0);

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

/// Has the calls that this thread is in end when it does. Not while the books are locked: the system may ask for memory.
pub(super) fn expect_end() {
    // A thread that is about to end has nothing that would be called.
    let _ = AT_END.try_with(|_| ());
}

/// Where on its stack this thread is.
#[inline(never)]
pub(crate) fn frame() -> usize {
    let here = 0_u8;
    core::hint::black_box(&raw const here).addr()
}

/// Has this thread be in a call from now on.
pub(super) fn enter_crossing(crossing: CrossingId) {
    // A thread that is about to end is in none.
    let _ = CROSSING.try_with(|current| current.set(crossing));
}

/// A number of this thread's, which no other has; 0 if the thread is about to end.
pub(super) fn thread() -> u32 {
    let number = |own: &Cell<u32>| {
        if own.get() == 0 {
            own.set(LAST_THREAD.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
        }
        own.get()
    };
    THREAD.try_with(number).unwrap_or(0)
}
