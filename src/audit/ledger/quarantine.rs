//! Freed blocks that are kept for a while.

use super::super::rules::Kind;
use super::super::site::Site;
use super::{Books, Deed, Detail, Facts, Record, SessionId, State};

impl Books {
    /// Keeps a freed block that was undressed, and lets go of the oldest that there is no room for.
    pub(crate) fn quarantine(&mut self, key: usize) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        entry.shown = entry.real.reveal().addr();
        let (session, bytes) = (entry.session, entry.held());
        let Some(book) = self.session(session) else {
            return;
        };
        if bytes > book.options.quarantine {
            // It would push out all others, and then go itself.
            let before = match book.options.quarantine {
                0 => key,
                _ => core::mem::replace(&mut book.large, key),
            };
            return self.let_go(session, before);
        }
        let newest = core::mem::replace(&mut book.newest, key);
        if newest == 0 {
            book.oldest = key;
        }
        book.quarantined += bytes;
        let limit = book.options.quarantine;
        if newest != 0
            && let Some(before) = self.entries.get_mut(&newest)
        {
            before.next = key;
        }
        self.drain(session, limit);
    }

    /// A live block whose session is over is freed in another, as one from before it; `false` if there is none.
    ///
    /// # Safety
    ///
    /// * As for [`freed`](Self::freed).
    pub(crate) unsafe fn adopt(&mut self, key: usize, session: SessionId, freed_at: Site) -> bool {
        let Some(entry) = self.entries.get_mut(&key).filter(|_| session != 0) else {
            return false;
        };
        // SAFETY: the caller's promise.
        unsafe { entry.remember() };
        (entry.session, entry.id) = (session, 0);
        (entry.state, entry.freed_at) = (State::Quarantined, freed_at);
        true
    }

    /// Gives the oldest blocks of a session's quarantine to the heap until no more than `limit` bytes are left.
    pub(super) fn drain(&mut self, session: SessionId, limit: usize) {
        while let Some(book) = self.session(session)
            && book.quarantined > limit
        {
            let key = book.oldest;
            let Some(entry) = self.entries.get(&key) else {
                return;
            };
            let (bytes, next) = (entry.held(), entry.next);
            if let Some(book) = self.session(session) {
                book.quarantined -= bytes;
                book.oldest = next;
                if next == 0 {
                    book.newest = 0;
                }
            }
            self.let_go(session, key);
        }
    }

    /// Gives all of them to the heap.
    pub(super) fn empty(&mut self, session: SessionId) {
        self.drain(session, 0);
        if let Some(book) = self.session(session) {
            let large = core::mem::take(&mut book.large);
            self.let_go(session, large);
        }
    }

    /// Gives a freed block to the heap, after a last look at it. A key that is none is no block.
    fn let_go(&mut self, session: SessionId, key: usize) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        // The table keeps what was removed until something else is there.
        entry.shown = 0;
        let Some(entry) = self.entries.remove(&key) else {
            return;
        };
        // SAFETY: a freed block was undressed or is bare, and only a stray pointer could write to it.
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
