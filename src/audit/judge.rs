//! What is right and wrong with a pointer, and with the bytes around a block: the verdicts, and what becomes of a
//! freed block.

use super::current::{crossing, current, enter_crossing, frame};
use super::guard::Shape;
use super::ledger::{
    Books, Call, Callbacks, CrossingId, Deed, Detail, Entry, Facts, Place, Record, Role, SessionId,
    State, held,
};
use super::rules::{Kind, Rule, Severity};
use super::sentinel;
use super::site::{Site, Stack};
use crate::task::block::Family;

impl Books {
    /// What a pointer is to a function that wants a live block: its key, or what is wrong with it. What is wrong is
    /// recorded.
    pub(super) fn judge(
        &mut self,
        block: *mut u8,
        family: Family,
        deed: Deed,
        at: &Stack,
    ) -> Judgement {
        if self.tell_planted(held(block.addr(), family), deed, at) {
            return Judgement::Bad;
        }
        let place = self.place(block, family);
        let known = match place {
            Place::Start(key) | Place::WrongFamily(key) | Place::Inside(key, _) => Some(key),
            _ => None,
        };
        let entry = known.and_then(|key| self.get(key));
        let session = entry.map_or(0, |entry| entry.session);
        // Only where something is wrong: every free comes by here.
        let facts = || entry.as_ref().map(facts);
        let first = entry.map_or(0, |entry| entry.first());
        if entry.is_some_and(|entry| entry.is_blamed)
            && !matches!(place, Place::Start(_) if entry.is_some_and(|entry| entry.is_live()))
        {
            // What follows from what was told is not told again.
            return Judgement::Bad;
        }
        if let Some(entry) = entry.filter(|entry| !entry.is_live())
            && let Some(record) = self.kept_too_long(&entry, deed)
        {
            self.tell(session, record, at);
            return Judgement::Bad;
        }
        let (kind, detail) = match place {
            _ if entry.is_some_and(|entry| !entry.is_live()) => (gone(deed), Detail::As(family)),
            Place::Plain => return Judgement::Plain,
            Place::Start(key) => {
                if entry.is_some_and(|entry| entry.family != family) {
                    let mut dressed =
                        Record::new(Kind::FamilyMismatch, deed, Detail::Dressed, facts());
                    dressed.severity = Severity::Warning;
                    self.tell(session, dressed, at);
                }
                return Judgement::Live(key);
            }
            Place::WrongFamily(_) => (Kind::FamilyMismatch, Detail::As(family)),
            Place::PlainWrongFamily(owner) => (Kind::FamilyMismatch, Detail::As(owner)),
            Place::Inside(_, offset) => {
                let detail = Detail::Offset(offset - first.cast_signed(), family);
                (Kind::InteriorFree, detail)
            }
            Place::PlainInside(owner, offset) => {
                let first = held(0, owner);
                let offset = offset.cast_signed() - first.cast_signed();
                (Kind::InteriorFree, Detail::Offset(offset, family))
            }
            Place::Nowhere => (Kind::ForeignFree, Detail::As(family)),
        };
        let record = Record::new(kind, deed, detail, facts());
        let is_told = self.tell(session, record, at);
        if is_told
            && matches!(deed, Deed::Free | Deed::Realloc)
            && let Some(entry) = known.and_then(|key| self.get_mut(key))
        {
            // Whoever did it thinks that the block is gone.
            entry.is_refused = true;
        }
        if is_told || known.is_some() {
            Judgement::Bad
        } else {
            Judgement::Nobodys
        }
    }

    /// Records a violation in the session of a block, or, where that is over, in the calling thread's. `false` if
    /// there is neither.
    pub(super) fn tell(&mut self, session: SessionId, mut record: Record, at: &Stack) -> bool {
        let session = self.concerned(session);
        if self.session(session).is_none() {
            return false;
        }
        record.at = self.sites.keep(at);
        if record.call.is_none()
            && record.deed != Deed::End
            && let within = self.within()
            && let Some(open) = self.crossed.open(within)
            && open.session == session
        {
            record.call = Some(Call {
                method: open.method,
                parameter: None,
                element: None,
            });
        }
        self.record(session, record);
        true
    }

    /// The innermost call that this thread is in. One that was left by other ways than a return does nothing any more.
    fn within(&mut self) -> CrossingId {
        let within = self.crossed.innermost(crossing(), frame());
        enter_crossing(within);
        within
    }

    /// The session that a violation belongs to: that of the block, or, where that is over, the calling thread's.
    pub(super) fn concerned(&mut self, session: SessionId) -> SessionId {
        if self.session(session).is_some() {
            session
        } else {
            self.effective(current())
        }
    }

    /// Counts an operation of this thread's.
    pub(super) fn count(&mut self) {
        let session = self.effective(current());
        if let Some(book) = self.session(session) {
            book.counts.operations += 1;
        }
    }

    /// Looks at the bytes around a live block, and records what is wrong. If its holder has just handed it over, what
    /// makes it a BSTR is looked at as well; otherwise it may be anybody's to write.
    pub(super) fn inspect(&mut self, key: usize, deed: Deed, is_lent: bool, at: &Stack) {
        let Some(entry) = self.get(key) else {
            return;
        };
        let shape = entry.shape();
        let found = |books: &mut Self, kind: Kind, detail| {
            let facts = if is_lent {
                // SAFETY: whoever hands a block over does not write to it meanwhile.
                unsafe { Facts::of_lent(&entry) }
            } else {
                Facts::of_live(&entry)
            };
            books.tell(
                entry.session,
                Record::new(kind, deed, detail, Some(facts)),
                at,
            );
        };
        // SAFETY: the block is dressed, and a correct program does not write there.
        let before = unsafe { shape.damage_before() };
        // SAFETY: as above.
        let behind = unsafe { shape.damage_behind() };
        if let Some(damage) = before {
            let away = -damage.nearest.cast_signed();
            found(self, Kind::Underrun, Detail::Written(away, damage.found));
        }
        if let Some(damage) = behind {
            let away = damage.nearest.cast_signed();
            found(self, Kind::Overrun, Detail::Written(away, damage.found));
        }
        if before.is_some() || behind.is_some() {
            // SAFETY: nobody but a stray pointer uses the guards. What was told is not told again.
            unsafe { shape.mend() };
            return;
        }
        if is_lent && self.inspect_prefix(key, deed, at) {
            // SAFETY: it was made a BSTR.
            let prefix = unsafe { shape.prefix() };
            // SAFETY: the prefix is no more than what the block was made for.
            if !unsafe { shape.is_terminated(prefix) } && !entry.was_unterminated {
                found(self, Kind::TerminatorOverwritten, Detail::Nothing);
            }
        }
    }

    /// Looks at the prefix of a BSTR, and records if it is too large: once. `true` if there is a sound one.
    pub(super) fn inspect_prefix(&mut self, key: usize, deed: Deed, at: &Stack) -> bool {
        let Some(entry) = self.get(key) else {
            return false;
        };
        let Some(made) = entry.len else {
            return false;
        };
        // SAFETY: the block was made a BSTR, and whoever calls is not writing to it.
        let prefix = unsafe { entry.shape().prefix() };
        if prefix <= made {
            return true;
        }
        if !entry.is_prefix_told {
            if let Some(entry) = self.get_mut(key) {
                entry.is_prefix_told = true;
            }
            let record = Record::new(
                Kind::PrefixCorrupted,
                deed,
                Detail::Short {
                    wanted: prefix.as_usize(),
                    there: made.as_usize(),
                },
                Some(Facts::of_live(&entry)),
            );
            self.tell(entry.session, record, at);
        }
        false
    }

    /// Takes a live block from its holder: into the quarantine of its session, or back to the heap.
    pub(super) fn retire(&mut self, key: usize, at: &Stack) {
        let Some(entry) = self.get(key) else {
            return;
        };
        let freed_at = self.sites.keep(at);
        if self.session(entry.session).is_some() {
            // SAFETY: its holder has freed it, and it is undressed below.
            unsafe { self.freed(key, State::Quarantined, freed_at) };
        } else {
            let session = self.effective(current());
            // SAFETY: as above.
            if !unsafe { self.adopt(key, session, freed_at) } {
                // SAFETY: its holder has freed it, and there is no quarantine for it.
                return unsafe { self.release(key) };
            }
        }
        // SAFETY: its holder has freed it.
        unsafe { entry.shape().undress() };
        self.quarantine(key);
    }

    /// Takes a block from before the session from its holder, into the quarantine of the session that this thread is in;
    /// `false` if there is none, or no memory.
    pub(super) fn retire_plain(&mut self, block: *mut u8, family: Family, at: &Stack) -> bool {
        let session = self.effective(current());
        let Some(size) = self.plain_size(block.addr()).filter(|_| session != 0) else {
            return false;
        };
        let mut entry = Entry::new(&Shape::bare(block, size), family, Site::default());
        entry.session = session;
        entry.state = State::Quarantined;
        entry.freed_at = self.sites.keep(at);
        let Some(key) = self.enter_freed(entry) else {
            return false;
        };
        self.quarantine(key);
        true
    }

    /// Records that a block that was freed is used once more; `false` if there is no such block.
    pub(super) fn refuse(&mut self, key: usize, deed: Deed, at: &Stack) -> bool {
        let Some(entry) = self.get(key) else {
            return false;
        };
        if entry.is_blamed {
            return true;
        }
        let as_any = || {
            let facts = Facts::of_freed(&entry);
            Record::new(gone(deed), deed, Detail::As(entry.family), Some(facts))
        };
        let record = self.kept_too_long(&entry, deed).unwrap_or_else(as_any);
        self.tell(entry.session, record, at);
        true
    }

    /// Records that something was to be pinned that is no live BSTR.
    pub(super) fn pin_refused(&mut self, key: usize, at: &Stack) {
        let (id, session) = self.pinned(key);
        if let Some(book) = self.session(session) {
            book.refuses_pin(key, id);
        }
        self.tell_pin(key, Kind::PinOfNonBstr, Detail::Nothing, at);
    }

    /// The number of the block that a pin is for, 0 if there is none; and the session that it concerns.
    fn pinned(&mut self, key: usize) -> (u64, SessionId) {
        let (id, session) = self
            .get(key)
            .map_or((0, 0), |entry| (entry.id, entry.session));
        (id, self.concerned(session))
    }

    /// Records that a pin was taken back where there is none. If it was refused when it was to be given, that was
    /// told. If the string took the place of a pinned one, the pin is that one's, which keeps it: one mistake, however
    /// many pins.
    pub(super) fn pin_too_few(&mut self, key: usize, at: &Stack) {
        let (id, session) = self.pinned(key);
        if let Some(book) = self.session(session)
            && book.takes_refused_pin_back(key, id)
        {
            return;
        }
        let replaced = self.get(key).and_then(|entry| entry.replaced);
        let mut detail = Detail::Nothing;
        if let Some((old, id)) = replaced
            && let Some(pinned) = self.get_mut(old)
            && pinned.id == id
            && pinned.strayed < pinned.pins
        {
            pinned.strayed += 1;
            if pinned.strayed > 1 {
                return;
            }
            detail = Detail::Strayed;
        }
        self.tell_pin(key, Kind::UnbalancedPin, detail, at);
    }

    /// Records that what was planted in an \[out\] variable was handed to a function; `false` if it is nothing of
    /// the sort.
    pub(super) fn tell_planted(&mut self, address: usize, deed: Deed, at: &Stack) -> bool {
        let Some(index) = sentinel::index_of(address) else {
            return false;
        };
        let Some(claim) = self.crossed.claimed(index) else {
            return false;
        };
        if !core::mem::replace(&mut claim.is_told, true) {
            let mut record = Record::new(Kind::OutReadByCallee, deed, Detail::Nothing, None);
            (record.call, record.rules) = (Some(claim.call), claim.rules);
            let session = claim.session;
            self.tell(session, record, at);
        }
        true
    }

    /// Whether a live block is not this call's to free or reallocate, for the caller has it back later: that it was tried is
    /// recorded then, and is not to be carried out. One whose free was put off is nobody's any more: it goes with its last
    /// pin, which may be the callee's (R28).
    pub(super) fn is_anothers(&mut self, key: usize, deed: Deed, at: &Stack) -> bool {
        let Some(entry) = self.get(key).filter(|entry| entry.state == State::Live) else {
            return false;
        };
        let generation = entry.generation();
        let within = self.within();
        let mut record = if let Some((lent, is_within)) = self.crossed.lent(generation, within) {
            if lent.is_in_out {
                return false;
            }
            if core::mem::replace(&mut lent.is_told, true) {
                return true;
            }
            let words = match (deed, is_within) {
                (Deed::Realloc, true) => "the callee reallocated {block} that it was lent as [in]",
                (Deed::Realloc, false) => {
                    "another thread reallocated {block} that the call was lent as [in]"
                }
                (_, true) => "the callee freed {block} that it was lent as [in]",
                (_, false) => "another thread freed {block} that the call was lent as [in]",
            };
            let call = lent.call;
            of_call(Kind::InFreedByCallee, deed, words, call)
        } else {
            let Some(record) = self.of_earlier(&entry, deed, within) else {
                return false;
            };
            record
        };
        record.block = Some(Facts::of_live(&entry));
        let is_certain = record.severity == Severity::Error;
        self.tell(entry.session, record, at);
        if let Some(entry) = self.get_mut(key) {
            if is_certain {
                // Whoever did it thinks that the block is gone.
                entry.is_refused = true;
            } else {
                // It may have been the caller's own code: it is done. If it was not, that the caller frees it is no mistake.
                entry.is_blamed = true;
            }
        }
        is_certain
    }

    /// Records that a callee freed what is its caller's by now, where it could not be kept from it: the cache has taken the
    /// block, or its pins put the free off. Of what was lent to a call that is under way the verdict tells.
    pub(super) fn tell_anothers(&mut self, key: usize, at: &Stack) {
        let Some(entry) = self.get(key).filter(|entry| entry.state == State::Live) else {
            return;
        };
        let within = self.within();
        if self.crossed.lent(entry.generation(), within).is_some() {
            return;
        }
        let Some(mut record) = self.of_earlier(&entry, Deed::Free, within) else {
            return;
        };
        record.block = Some(Facts::of_live(&entry));
        self.tell(entry.session, record, at);
        if let Some(entry) = self.get_mut(key) {
            // That the caller frees it is no mistake.
            entry.is_blamed = true;
        }
    }

    /// What is wrong with freeing, or using, a block that has crossed: it is not the innermost callee's any more, or never
    /// was. `None` if nothing is known to be.
    fn of_earlier(&self, entry: &Entry, deed: Deed, within: CrossingId) -> Option<Record> {
        let open = self.crossed.open(within)?;
        let passage = self.crossed.passage(entry.generation())?;
        let party = open.party;
        if passage.owner == Some(party) {
            return None;
        }
        // What the caller's own code frees, where it is called back, is the caller's.
        let is_certain = match self.crossed.callbacks(open) {
            Callbacks::Unknown => true,
            Callbacks::Possible => false,
            Callbacks::Declared => return None,
        };
        macro_rules! freed {
            ($behind:literal) => {
                match (deed, is_certain) {
                    (Deed::Free, true) => Some(concat!("the callee freed {block} ", $behind)),
                    (Deed::Realloc, true) => {
                        Some(concat!("the callee reallocated {block} ", $behind))
                    }
                    (Deed::Free, false) => Some(concat!(
                        "the callee, or code that it called back, freed {block} ",
                        $behind
                    )),
                    (Deed::Realloc, false) => Some(concat!(
                        "the callee, or code that it called back, reallocated {block} ",
                        $behind
                    )),
                    _ => None,
                }
            };
        }
        let is_out = passage.role != Role::In && passage.handed_by == Some(party);
        let (kind, words) = if is_out {
            let words = freed!("that it had handed out in an earlier call")?;
            (Kind::OutFreedByCallee, words)
        } else if passage.lent_to.contains(&party) {
            let used = "the callee used {block} that it was lent as [in] in an earlier call";
            let words = freed!("that it was lent as [in] in an earlier call").unwrap_or(used);
            (Kind::InRetainedByCallee, words)
        } else {
            return None;
        };
        let mut record = of_call(kind, deed, words, passage.call);
        if !is_certain {
            record.severity = Severity::Warning;
        }
        Some(record)
    }

    /// A block that its owner has freed, and that a callee uses which had it in an earlier call.
    fn kept_too_long(&mut self, entry: &Entry, deed: Deed) -> Option<Record> {
        let within = self.within();
        let mut record = self.of_earlier(entry, deed, within)?;
        if record.severity != Severity::Error {
            // Whoever it was, what was done is not to be told as less than it is.
            return None;
        }
        record.block = Some(Facts::of_freed(entry));
        Some(record)
    }

    /// What is told of a block that was never freed.
    pub(super) fn leak(&self, entry: &Entry) -> Record {
        let generation = entry.generation();
        let mut leak = Record::new(Kind::Leak, Deed::End, Detail::Nothing, None);
        let Some(passage) = self.crossed.passage(generation) else {
            return match self.crossed.failed_in(generation, entry.thread) {
                Some(call) => {
                    let words =
                        "the call failed, and {block} that was allocated in it was never freed";
                    of_call(Kind::OrphanedOnFailure, Deed::End, words, call)
                }
                None => leak,
            };
        };
        if let Some(pending) = passage.pending {
            let call = pending.call;
            return Record {
                rules: pending.rules,
                ..of_call(pending.kind, Deed::End, pending.words, call)
            };
        }
        match passage.role {
            Role::In => return leak,
            Role::Element(array) if !self.crossed.is_there(array) => {
                let words = "the array was freed, and {block} that it held was not";
                return Record {
                    rules: Rule::only(32),
                    ..of_call(Kind::ElementLeaked, Deed::End, words, passage.call)
                };
            }
            Role::Out | Role::Element(_) => leak.rules = Rule::only(5),
            Role::InOut => leak.rules = Rule::only(8),
        }
        leak.call = Some(passage.call);
        leak
    }

    /// Records what is wrong with a pin.
    pub(super) fn tell_pin(&mut self, key: usize, kind: Kind, detail: Detail, at: &Stack) {
        let entry = self.get(key);
        let block = entry.as_ref().map(facts);
        let record = Record::new(kind, Deed::Read, detail, block);
        self.tell(entry.map_or(0, |entry| entry.session), record, at);
    }
}

/// A violation of an annotated call.
pub(super) fn of_call(kind: Kind, deed: Deed, words: &'static str, call: Call) -> Record {
    Record {
        call: Some(call),
        ..Record::new(kind, deed, Detail::Words(words), None)
    }
}

/// What is told of a block, live or not.
pub(super) fn facts(entry: &Entry) -> Facts {
    if entry.is_live() {
        Facts::of_live(entry)
    } else {
        Facts::of_freed(entry)
    }
}

/// What it is to do this with a block that was freed.
fn gone(deed: Deed) -> Kind {
    match deed {
        Deed::Free => Kind::DoubleFree,
        _ => Kind::UseAfterFree,
    }
}

/// What a pointer is.
pub(super) enum Judgement {
    /// An audited, live block.
    Live(usize),
    /// A live block that is not audited.
    Plain,
    /// None, and that was recorded.
    Bad,
    /// None, and there is no session that it concerns.
    Nobodys,
}
