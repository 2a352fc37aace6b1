//! What is a process's own in the books, and what it inherited in a fork.

use super::{Books, Counts, Entry, SessionId, State};

impl Books {
    /// In the child of a fork: what there is belongs to the parent.
    pub(crate) fn inherit(&mut self) {
        self.found = 0;
        self.seen = Counts::NONE;
        for book in &mut self.sessions {
            book.inherited = book.counts;
            book.records.clear();
            book.looked_at = 0;
            book.failures.clear();
            book.dropped = 0;
            // What was freed is the parent's to judge; here it stays where it is.
            (book.oldest, book.newest, book.quarantined, book.large) = (0, 0, 0, 0);
        }
        for entry in self.entries.values_mut() {
            if entry.state == State::Quarantined {
                entry.session = 0;
            } else if entry.is_live() {
                entry.forgive();
            }
        }
    }

    /// Shows each live block of a session that is its own, and none that was there before a fork. It asks for no memory.
    pub(crate) fn each_live(&self, id: SessionId, show: impl FnMut(&Entry)) {
        self.own(id).map(|(_, entry)| entry).for_each(show);
    }
}
