//! The verdict on a call that has returned, or was abandoned.

use core::ffi::c_void;
use core::ptr;

use super::{
    Books, Call, Crossing, Declared, Deed, Direction, Facts, Generation, Held, Kind, Standing,
    Watched, What, books, hash, of_call, sentinel, standing, unsound,
};
use crate::audit::current::thread;
use crate::audit::ledger::{Callbacks, Detail, Record, Role, State};
use crate::audit::rules::{Rule, Severity};
use crate::audit::site::Stack;
use crate::com::UnknownVtbl;

impl Crossing {
    /// Judges every parameter.
    pub(super) fn judge(&mut self, failed: bool, has_returned: bool) {
        let mut books = books();
        let books = &mut *books;
        if books.session(self.session).is_none() {
            // It ended within the call, and nobody knows its blocks any more.
            return self.give_back();
        }
        // What was lent and given up first: it says what may be handed out.
        for declared in &self.declared {
            match &declared.watched {
                Watched::In { block: Some(held) } => self.judge_in(books, declared, held),
                Watched::InOut {
                    slot,
                    before,
                    block: Some(held),
                    ..
                } if !failed => {
                    // SAFETY: the variable is there until the crossing has ended, by the promise of `in_out`.
                    let value = unsafe { slot.read() };
                    if value != *before {
                        self.give_up(books, declared, held, value);
                    }
                }
                Watched::Elements(elements) if !failed => {
                    self.give_up_elements(books, declared, elements);
                }
                Watched::Buffer(buffer) => {
                    if let Some((away, found)) = buffer.damage() {
                        let call = self.call(Some(declared.name));
                        let mut record = of_call(Kind::BufferOverrun, Deed::End, "", call);
                        record.detail = Detail::Written(away, found);
                        books.tell(self.session, record, &Stack::here());
                    }
                    buffer.copy_back();
                }
                _ => {}
            }
        }
        let interfaces = self.interfaces(books, failed);
        self.settle_interfaces(books, &interfaces, failed);
        self.judge_references(books, &interfaces);
        let mut is_deep = false;
        // The last \[out\] variable that holds nothing of the callee's.
        let mut empty = None;
        for declared in &self.declared {
            is_deep |= declared.is_member;
            match &declared.watched {
                Watched::Out {
                    slot,
                    before,
                    planted,
                } => {
                    // SAFETY: the variable is there until the crossing has ended, by the promise of `output`.
                    let value = unsafe { slot.read() };
                    let kept =
                        self.judge_out(books, declared, value, *planted, failed, has_returned);
                    let kept = match kept {
                        Kept::Value => continue,
                        Kept::Nothing => ptr::null_mut(),
                        Kept::Before => {
                            self.expect_nothing(books, *before, declared.what);
                            *before
                        }
                    };
                    // SAFETY: as above.
                    unsafe { slot.write(kept) };
                    empty = Some(*slot);
                }
                Watched::InOut {
                    slot,
                    before,
                    block,
                    is_told,
                } => {
                    // SAFETY: the variable is there until the crossing has ended, by the promise of `in_out`.
                    let value = unsafe { slot.read() };
                    let is_same = value == *before
                        && !block.is_some_and(|held| is_anew(books, &held, declared.what));
                    let is_kept = if is_same {
                        *is_told || self.judge_same(books, declared, block.as_ref(), failed)
                    } else {
                        self.judge_replaced(books, declared, block.as_ref(), value, failed)
                    };
                    if !is_kept {
                        // SAFETY: as above.
                        unsafe { slot.write(ptr::null_mut()) };
                    }
                }
                Watched::Interface(direction) => {
                    self.judge_interface(books, declared, *direction, failed, has_returned);
                }
                Watched::Elements(elements) => {
                    is_deep = true;
                    // That no array was handed out was told.
                    if elements.handed().is_some_and(|slot| empty == Some(slot)) {
                        continue;
                    }
                    self.judge_elements(books, declared, elements, failed);
                }
                _ => {}
            }
        }
        if failed && is_deep && !self.may_fail_with_outs {
            let last = books
                .session(self.session)
                .map_or(0, |book| book.counts.allocated);
            let call = self.call(None);
            let whose = (self.session, thread());
            books.crossed.fails(whose, (self.first, last), call);
        }
    }

    /// Takes back what was planted and put in the place of something else.
    fn give_back(&self) {
        for declared in &self.declared {
            let (slot, before, planted) = match &declared.watched {
                Watched::Buffer(buffer) => {
                    buffer.copy_back();
                    continue;
                }
                Watched::Out {
                    slot,
                    before,
                    planted: Some(planted),
                }
                | Watched::Interface(Direction::Out {
                    slot,
                    before,
                    planted: Some(planted),
                }) => (*slot, *before, *planted),
                _ => continue,
            };
            // SAFETY: the variable is there until the crossing has ended, by the promise of `output`.
            if unsafe { slot.read() } == sentinel::of(planted).cast() {
                // SAFETY: as above.
                unsafe { slot.write(before) };
            }
        }
    }

    /// A block that was lent is still live, and as it was.
    fn judge_in(&self, books: &mut Books, declared: &Declared, held: &Held) {
        let call = self.call(Some(declared.name));
        let Some((key, generation)) = held.known else {
            // It is from before the session: nobody saw who freed it.
            match standing(books, held.pointer, declared.what) {
                Standing::Live(_) => self.compare(books, declared, held, None),
                _ => {
                    let words = "the callee freed {block} that it was lent as [in]";
                    self.tell(books, Kind::InFreedByCallee, call, words, None);
                }
            }
            return;
        };
        let lent = books.crossed.lent_to(self.id, generation);
        let is_told = lent.is_none_or(|lent| lent.is_told);
        if is_live(books, key, generation) {
            self.compare(books, declared, held, Some(key));
        } else if !is_told {
            // Freed where it could not be kept from it: it went to the cache, or was pinned.
            let words = "the callee freed {block} that it was lent as [in]";
            let mut record = of_call(Kind::InFreedByCallee, Deed::Free, words, call);
            let entry = books
                .get(key)
                .filter(|entry| entry.generation() == generation);
            record.block = entry.as_ref().map(Facts::of_freed);
            let freed_at = entry.map(|entry| books.sites.get(entry.freed_at));
            books.tell(self.session, record, &freed_at.unwrap_or_default());
            self.blame(books, entry.map(|_| key));
            return;
        }
        if books.crossed.lent_on_by(self.id, self.party, generation) {
            return;
        }
        let (party, passage) = (self.party, books.crossed.passes(generation, call));
        if let Some(passage) = passage
            && passage.owner != Some(party)
            && !passage.lent_to.contains(&party)
            && passage.lent_to.try_reserve(1).is_ok()
        {
            passage.lent_to.push(party);
        }
    }

    fn compare(&self, books: &mut Books, declared: &Declared, held: &Held, key: Option<usize>) {
        let Some(before) = held.hash else {
            return;
        };
        // SAFETY: live; whoever lent it does not write to it before the crossing has ended.
        if unsafe { hash(books, held, declared.what) } != Some(before) {
            let words = "the callee wrote to {block} that it was lent as [in]";
            let call = self.call(Some(declared.name));
            self.tell(books, Kind::InModifiedByCallee, call, words, key);
            if let Some(entry) = key.and_then(|key| books.get_mut(key)) {
                // Its length or its end, if that is what was written to.
                entry.is_prefix_told = true;
                entry.was_unterminated = true;
            }
        }
    }

    /// What an \[out\] variable holds, and what it is to hold from now on.
    fn judge_out(
        &self,
        books: &mut Books,
        declared: &Declared,
        value: *mut c_void,
        planted: Option<usize>,
        failed: bool,
        has_returned: bool,
    ) -> Kept {
        let call = self.call(Some(declared.name));
        if let Some(index) = planted
            && self.judge_planted(books, call, (index, None), value, has_returned)
        {
            return Kept::Before;
        }
        let standing = standing(books, value, declared.what);
        if standing == Standing::Null {
            return Kept::Value;
        }
        let is_live = matches!(standing, Standing::Live(_));
        if failed && !self.may_fail_with_outs {
            let words = if is_live {
                "the call failed, and {block} was handed out all the same"
            } else {
                "the call failed, and an [out] variable is not NULL"
            };
            let kind = (Kind::OutSetOnFailure, of_failure(declared));
            self.tell_of(books, kind, call, words, standing.key());
            self.blame(books, standing.key());
        } else if declared.stays_callees {
            return Kept::Value;
        } else if !is_live {
            let words = unsound!("what was handed out", standing);
            let kind = (Kind::OutWrongFamily, of_family(declared));
            self.tell_of(books, kind, call, words, standing.key());
            self.blame(books, standing.key());
        } else if let Some(key) = standing.key() {
            self.receive(books, key, call, Role::Out);
        }
        if is_live { Kept::Value } else { Kept::Nothing }
    }

    /// Looks at what was planted in an \[out\] variable: whether it was written through, and whether it is still there, which is
    /// the answer.
    pub(super) fn judge_planted(
        &self,
        books: &mut Books,
        call: Call,
        (index, vtbl): (usize, Option<&'static UnknownVtbl>),
        value: *mut c_void,
        has_returned: bool,
    ) -> bool {
        if sentinel::was_written(index, vtbl) {
            self.tell_written(books, index);
        }
        let is_there = value == sentinel::of(index).cast();
        // That the callee took it for a value of its own is the same mistake.
        if is_there && has_returned && !books.crossed.is_told(index) {
            let words = "the call returned, and an [out] variable was never written";
            self.tell(books, Kind::OutNotSet, call, words, None);
        }
        is_there
    }

    /// Somebody wrote through a sentinel, where an \[out\] variable pointed when the call began.
    fn tell_written(&self, books: &mut Books, index: usize) {
        let Some(claim) = books.crossed.claimed(index) else {
            return;
        };
        if !core::mem::replace(&mut claim.is_told, true) {
            let words = "what an [out] variable held when the call began is written through";
            let record = of_call(Kind::OutReadByCallee, Deed::End, words, claim.call);
            books.tell(self.session, record, &Stack::here());
        }
    }

    /// A live block comes to the caller: it is told if it has another owner already.
    pub(super) fn receive(&self, books: &mut Books, key: usize, call: Call, role: Role) {
        let Some(entry) = books.get(key) else {
            return;
        };
        let generation = entry.generation();
        let lent = books.crossed.lent_to(self.id, generation);
        let is_lent = lent.is_some_and(|lent| !lent.is_in_out);
        let is_given = lent.is_some_and(|lent| lent.is_in_out);
        let passage = books.crossed.passage(generation);
        let is_own = passage.is_some_and(|passage| passage.owner == Some(self.party));
        // What somebody else handed out may have come to this callee by ways that nobody watched.
        let is_out = passage.is_some_and(|passage| passage.handed_by == Some(self.party));
        let was_lent = passage.is_some_and(|passage| passage.lent_to.contains(&self.party));
        let told = if is_lent {
            let words = "{block} was handed out that this call was lent as [in]";
            Some(of_call(Kind::OutNotACopy, Deed::End, words, call))
        } else if is_given && self.still_has(books, call, generation) {
            let words = "{block} was handed out that the [in,out] variable still has";
            Some(of_call(Kind::OutNotACopy, Deed::End, words, call))
        } else if is_own || is_given {
            None
        } else if is_out {
            let words = "{block} was handed out that was handed out before and has an owner";
            Some(of_call(Kind::OutNotACopy, Deed::End, words, call))
        } else if was_lent {
            Some(self.retained(books, call))
        } else {
            None
        };
        if let Some(record) = told {
            let block = Some(crate::audit::judge::facts(&entry));
            let record = Record { block, ..record };
            books.tell(self.session, record, &Stack::here());
            self.blame(books, Some(key));
        }
        let (caller, party) = (self.caller, self.party);
        if let Some(passage) = books.crossed.passes(generation, call) {
            passage.owner = Some(caller);
            passage.handed_by = Some(party);
            passage.lent_to.clear();
            passage.role = role;
            passage.call = call;
            passage.pending = None;
        }
    }

    /// Whether another parameter was given a block as \[in,out\], and has it still.
    fn still_has(&self, books: &mut Books, call: Call, generation: Generation) -> bool {
        let is_it = |held: &Held| held.known.is_some_and(|(_, known)| known == generation);
        self.declared.iter().any(|declared| {
            Some(declared.name) != call.parameter
                && match &declared.watched {
                    Watched::InOut {
                        slot,
                        before,
                        block: Some(held),
                        ..
                    } => {
                        is_it(held)
                            // SAFETY: the variable is there until the crossing has ended, by the promise of `in_out`.
                            && unsafe { slot.read() } == *before
                    }
                    Watched::Elements(elements) => elements.still_has(books, is_it),
                    _ => false,
                }
        })
    }

    /// What was lent in an earlier call is handed out.
    fn retained(&self, books: &Books, call: Call) -> Record {
        let words = "the callee handed out {block} that it was lent as [in] in an earlier call";
        let mut record = of_call(Kind::InRetainedByCallee, Deed::End, words, call);
        let open = books.crossed.open(self.id);
        if open.is_some_and(|open| books.crossed.callbacks(open) != Callbacks::Unknown) {
            record.severity = Severity::Warning;
        }
        record
    }

    /// An \[in,out\] variable holds what it held. `false` if it is not to any more.
    fn judge_same(
        &self,
        books: &mut Books,
        declared: &Declared,
        block: Option<&Held>,
        failed: bool,
    ) -> bool {
        let Some(held) = block else {
            return true;
        };
        let call = self.call(Some(declared.name));
        if !self.is_there(books, held, declared.what) {
            let words = "{block} was freed, and the [in,out] variable still points at it";
            let key = held.key();
            let entry = key.and_then(|key| books.get(key));
            if entry.is_none_or(|entry| !entry.is_blamed) {
                let key = entry.and(key);
                self.tell(books, Kind::InoutDangling, call, words, key);
                self.blame(books, key);
            }
            return false;
        }
        // SAFETY: live, and nobody uses the caller's value before the crossing has ended.
        let now = unsafe { hash(books, held, declared.what) };
        if failed && held.hash.is_some() && now != held.hash {
            let words = "the call failed, and {block} was written to";
            let key = held.key();
            self.tell(books, Kind::InoutChangedOnFailure, call, words, key);
        }
        if let Some((_, generation)) = held.known
            && let Some(passage) = books.crossed.passes(generation, call)
        {
            passage.role = Role::InOut;
            passage.call = call;
        }
        true
    }

    /// An \[in,out\] variable holds something else. `false` if it is not to.
    fn judge_replaced(
        &self,
        books: &mut Books,
        declared: &Declared,
        block: Option<&Held>,
        value: *mut c_void,
        failed: bool,
    ) -> bool {
        let call = self.call(Some(declared.name));
        let old = block.filter(|held| self.is_there(books, held, declared.what));
        let old_key = old.and_then(|held| held.known).map(|(key, _)| key);
        let new = standing(books, value, declared.what);
        let is_sound = matches!(new, Standing::Null | Standing::Live(_));
        if !is_sound {
            let words = unsound!("what was left as [in,out]", new);
            self.tell(books, Kind::InoutInvalid, call, words, new.key());
            self.blame(books, new.key());
        } else if failed {
            let changed = match new {
                Standing::Live(key) => Some((
                    "the call failed, and {block} stands in place of the old value",
                    key,
                )),
                _ if old.is_some() => Some((
                    "the call failed, and NULL stands in place of {block}",
                    old_key,
                )),
                _ => None,
            };
            if let Some((words, key)) = changed {
                self.tell(books, Kind::InoutChangedOnFailure, call, words, key);
            }
        }
        if let Standing::Live(Some(key)) = new {
            self.receive(books, key, call, Role::InOut);
        }
        if failed || !is_sound {
            // One mistake was told already.
            self.blame(books, old_key);
        }
        is_sound
    }

    /// An \[in,out\] value was replaced, and what it was is the callee's now: to free it, or to hand it out, in this call or one
    /// day.
    fn give_up(&self, books: &mut Books, declared: &Declared, held: &Held, value: *mut c_void) {
        let Some((key, generation)) = held
            .known
            .filter(|_| self.is_there(books, held, declared.what))
        else {
            return;
        };
        let (kind, words) = if declared.is_member && value.is_null() {
            let words = "NULL was stored in a structure in place of {block}, which was never freed";
            ((Kind::ElementLeaked, Rule::only(35)), words)
        } else {
            let words = "an [in,out] value was replaced, and {block} that it was is never freed";
            let kind = Kind::InoutLeaked;
            ((kind, kind.rules()), words)
        };
        let call = self.call(Some(declared.name));
        self.hand_over(books, (key, generation), kind, call, words);
    }

    /// A block is the callee's now. Should it never be freed, that is told so.
    pub(super) fn hand_over(
        &self,
        books: &mut Books,
        (key, generation): (usize, Generation),
        kind: (Kind, &'static [Rule]),
        call: Call,
        words: &'static str,
    ) {
        self.expect_free(books, key, kind, call, words);
        let party = self.party;
        if let Some(passage) = books.crossed.passes(generation, call) {
            passage.owner = Some(party);
            // By whatever ways it comes back to whom it was from, its caller has it no more.
            passage.handed_by = None;
            passage.lent_to.clear();
        }
    }

    /// Whether what a parameter held when the call began is still there.
    pub(super) fn is_there(&self, books: &mut Books, held: &Held, what: What) -> bool {
        match held.known {
            Some((key, generation)) => is_live(books, key, generation),
            None => matches!(standing(books, held.pointer, what), Standing::Live(_)),
        }
    }

    /// What the variable held is not lost after all.
    fn expect_nothing(&self, books: &mut Books, before: *mut c_void, what: What) {
        if let Some(key) = standing(books, before, what).key()
            && let Some(entry) = books.get(key)
        {
            books.crossed.expect_nothing(entry.generation());
        }
    }

    /// The same of a block that was freed: what is done with it in the call is one mistake with its being passed.
    pub(super) fn blame_if_gone(&self, books: &mut Books, standing: Standing) {
        if let Standing::Freed(key) = standing {
            self.blame(books, Some(key));
        }
    }

    /// Nothing more is told of a block.
    pub(super) fn blame(&self, books: &mut Books, key: Option<usize>) {
        if let Some(entry) = key.and_then(|key| books.get_mut(key)) {
            entry.is_blamed = true;
        }
    }
}

/// The rule of an \[out\] variable that is not NULL after a failure.
pub(super) fn of_failure(declared: &Declared) -> &'static [Rule] {
    Rule::only(if declared.is_member { 16 } else { 14 })
}

/// The rule of an \[out\] value that is of the wrong family.
fn of_family(declared: &Declared) -> &'static [Rule] {
    Rule::only(match declared.what {
        _ if declared.is_member => 38,
        _ if declared.is_returned => 10,
        What::String => 29,
        _ => 5,
    })
}

/// What an \[out\] variable is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// What the callee stored.
    Value,
    /// NULL: the caller could do nothing with it.
    Nothing,
    /// What it held when the call began.
    Before,
}

/// Whether a block was freed, and another one has its address and is as sound: the cache gives a string's block to the next.
fn is_anew(books: &mut Books, held: &Held, what: What) -> bool {
    held.known.is_some_and(|(key, generation)| {
        !is_live(books, key, generation)
            && standing(books, held.pointer, what) == Standing::Live(Some(key))
    })
}

/// Whether a block is still live that was, and no other at its address.
pub(super) fn is_live(books: &Books, key: usize, generation: Generation) -> bool {
    books
        .get(key)
        .is_some_and(|entry| entry.generation() == generation && entry.state == State::Live)
}
