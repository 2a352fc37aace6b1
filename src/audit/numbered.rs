//! Sessions by number, for C: it can hold no guard, and may use a number once more when its session is over.

use super::current;
use super::ledger::{SessionId, books};
use super::options::Options;
use super::report::Report;
use super::session;

/// Begins a session of this thread's; `None` if none can begin.
pub(crate) fn begin(options: Options) -> Option<SessionId> {
    options.read_at_end().open().ok()
}

/// Has this thread be in a session, or in none of its own with 0, and tells in which it was.
pub(crate) fn enter(session: SessionId) -> SessionId {
    // One that is yet to come is nobody's to join.
    let session = if books().was_opened(session) {
        session
    } else {
        0
    };
    current::enter(session)
}

/// Ends a session; `None` if it is over, or never was.
pub(crate) fn end(session: SessionId) -> Option<Report> {
    session::close(session).map(|closed| Report::new(Some(closed)))
}
