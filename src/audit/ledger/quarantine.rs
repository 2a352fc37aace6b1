//! Freed blocks that are kept for a while.

use super::super::rules::Kind;
use super::{Books, Deed, Detail, Facts, Record, SessionId};

impl Books {
    /// Keeps a freed block that was undressed, and lets go of the oldest that there is no room for.
    pub(crate) fn quarantine(&mut self, key: usize) {
        let Some(entry) = self.entries.get(&key) else {
            return;
        };
        let (session, bytes) = (entry.session, entry.held());
        let Some(book) = self.session(session) else {
            return;
        };
        if bytes > book.options.quarantine {
            // It would push out all others, and then go itself.
            // SAFETY: its holder has freed it, and it is in no quarantine.
            return unsafe { self.release(key) };
        }
        let newest = core::mem::replace(&mut book.newest, key);
        if newest == 0 {
            book.oldest = key;
        }
        book.quarantined += bytes;
        let limit = book.options.quarantine;
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.shown = entry.real.reveal().addr();
        }
        if newest != 0
            && let Some(before) = self.entries.get_mut(&newest)
        {
            before.next = key;
        }
        self.drain(session, limit);
    }

    /// Gives the oldest blocks of a session's quarantine to the heap until no more than `limit` bytes are left.
    pub(super) fn drain(&mut self, session: SessionId, limit: usize) {
        while let Some(book) = self.session(session)
            && book.quarantined > limit
        {
            let key = book.oldest;
            let Some(entry) = self.entries.get_mut(&key) else {
                return;
            };
            // The table keeps what was removed until something else is there.
            entry.shown = 0;
            let Some(entry) = self.entries.remove(&key) else {
                return;
            };
            if let Some(book) = self.session(session) {
                book.quarantined -= entry.held();
                book.oldest = entry.next;
                if entry.next == 0 {
                    book.newest = 0;
                }
            }
            // SAFETY: a block in quarantine was undressed or is bare, and only a stray pointer could write to it.
            if let Some(offset) = unsafe { entry.shape().written_after() } {
                let offset = offset - entry.first().cast_signed();
                let facts = Some(Facts::of_freed(&entry));
                self.record(
                    session,
                    Record::new(
                        Kind::WriteAfterFree,
                        Deed::End,
                        Detail::Written(offset, 0),
                        facts,
                    ),
                );
            }
            // SAFETY: it was freed by its holder.
            unsafe { self.give_back(&entry) };
        }
    }
}
