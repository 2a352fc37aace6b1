//! Sessions by number, for C: it can hold no guard, and may use a number once more when its session is over.

use super::current;
use super::ledger::SessionId;
use super::options::Options;
use super::report::Report;
use super::session;

/// Begins a session of this thread's; `None` if none can begin.
pub(crate) fn begin(options: Options) -> Option<SessionId> {
    options.open().ok()
}

/// Has this thread be in a session, or in none of its own with 0, and tells in which it was.
pub(crate) fn enter(session: SessionId) -> SessionId {
    current::enter(session)
}

/// Ends a session; `None` if it is over, or never was.
pub(crate) fn end(session: SessionId) -> Option<Report> {
    session::close(session).map(|closed| Report::new(Some(closed)))
}
