//! Counting objects: how many references there are to each, and who holds them.
//!
//! 1. An object has an entry until its memory is given back. That is when its last reference goes, or, if it belongs to
//!    an open session, when that closes: until then a call to it is noticed.
//! 2. Whoever adds a reference holds it: the object whose call is under way on that thread, or the program. What is
//!    handed out goes from one to the other.

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::SessionId;
use super::crossed::{CrossingId, Party};
use super::record::Call;
use crate::audit::rules::Kind;
use crate::task::hidden::Hidden;

/// An object, by a number that is never used again.
pub(crate) type ObjectId = u64;

#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) id: ObjectId,
    /// The session that it belongs to; 0 if that is over.
    pub(crate) session: SessionId,
    memory: Hidden,
    pub(crate) references: u32,
    /// The call in which it crossed last.
    pub(crate) call: Option<Call>,
    /// The rule by which somebody has to release it.
    pub(crate) rule: u8,
    /// A call that handed it out without adding a reference, though it held one that it may have given up.
    pub(crate) doubtful: Option<Call>,
    /// What follows from what was told is not told.
    pub(crate) is_blamed: bool,
    /// Whoever released the last reference is not done with its memory.
    pub(crate) is_held: bool,
    holders: Vec<(Party, i32), System>,
    /// What calls that are under way added, less what they released.
    raised: Vec<(CrossingId, i32), System>,
}

impl Object {
    /// References that somebody holds; below zero if it released more than it had.
    pub(crate) fn held(&self, party: Party) -> i32 {
        let held = self.holders.iter().find(|(holder, _)| *holder == party);
        held.map_or(0, |(_, count)| *count)
    }

    /// Somebody holds so many more.
    pub(crate) fn holds(&mut self, party: Party, more: i32) {
        add(&mut self.holders, party, more);
    }

    /// A call added so many.
    pub(crate) fn raise(&mut self, crossing: CrossingId, more: i32) {
        if crossing != 0 {
            add(&mut self.raised, crossing, more);
        }
    }

    /// How many a call added, less what it released and handed out.
    pub(crate) fn raised_in(&self, crossing: CrossingId) -> i32 {
        let raised = self.raised.iter().find(|(call, _)| *call == crossing);
        raised.map_or(0, |(_, count)| *count)
    }

    /// Puts back what somebody released without having had it.
    pub(crate) fn put_back(&mut self, party: Party) {
        let missing = -self.held(party);
        if missing > 0 {
            self.references += missing.unsigned_abs();
            self.holds(party, missing);
        }
    }

    /// How it is told that there is no reference where one is needed.
    pub(crate) fn fault(&self, otherwise: Kind) -> (Kind, Option<Call>) {
        match self.doubtful {
            Some(call) => (Kind::InterfaceNotAddrefed, Some(call)),
            None => (otherwise, None),
        }
    }
}

/// Adds to what stands behind a key.
fn add<K: PartialEq>(counts: &mut Vec<(K, i32), System>, key: K, more: i32) {
    if let Some((_, count)) = counts.iter_mut().find(|(known, _)| *known == key) {
        *count += more;
    } else if counts.try_reserve(1).is_ok() {
        counts.push((key, more));
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Objects {
    last: ObjectId,
    all: Vec<Object, System>,
    /// Further addresses of objects, complemented.
    aliases: Vec<(usize, ObjectId), System>,
}

impl Objects {
    pub(super) const fn new() -> Self {
        Self {
            last: 0,
            all: Vec::new_in(System),
            aliases: Vec::new_in(System),
        }
    }

    /// The number that the next one will have.
    pub(crate) fn next(&mut self) -> ObjectId {
        self.last += 1;
        self.last
    }

    /// Enters a new object with one reference of its maker's; `false` if there is no memory.
    #[must_use]
    pub(crate) fn enter(
        &mut self,
        id: ObjectId,
        memory: *mut u8,
        session: SessionId,
        (maker, crossing): (Party, CrossingId),
    ) -> bool {
        let is_room = self.all.try_reserve(1).is_ok();
        if is_room {
            let mut object = Object {
                id,
                session,
                memory: Hidden::new(memory),
                references: 1,
                call: None,
                rule: 43,
                doubtful: None,
                is_blamed: false,
                is_held: false,
                holders: Vec::new_in(System),
                raised: Vec::new_in(System),
            };
            object.holds(maker, 1);
            object.raise(crossing, 1);
            self.all.push(object);
        }
        is_room
    }

    pub(crate) fn get(&mut self, id: ObjectId) -> Option<&mut Object> {
        self.all.iter_mut().find(|object| object.id == id)
    }

    /// An object that has no reference is given one, of somebody's: what was before is forgotten. It belongs to that session if its own
    /// is over.
    pub(crate) fn take_up(
        &mut self,
        id: ObjectId,
        session: SessionId,
        (holder, crossing): (Party, CrossingId),
    ) {
        let Some(object) = self.get(id) else {
            return;
        };
        object.references += 1;
        object.holders.clear();
        object.raised.clear();
        object.holds(holder, 1);
        object.raise(crossing, 1);
        (object.call, object.rule, object.doubtful) = (None, 43, None);
        (object.is_held, object.is_blamed) = (false, false);
        if object.session == 0 {
            object.session = session;
        }
    }

    /// Has an object known by another address as well, until its memory is given back.
    pub(crate) fn known_as(&mut self, id: ObjectId, address: usize) {
        if self.aliases.try_reserve(1).is_ok() {
            self.aliases.push((!address, id));
        }
    }

    /// The object at an address, if it is a counting one.
    pub(crate) fn at(&mut self, address: usize) -> Option<&mut Object> {
        let alias = self.aliases.iter().find(|(known, _)| *known == !address);
        let id = alias.map(|(_, id)| *id);
        self.all
            .iter_mut()
            .find(|object| object.memory.reveal().addr() == address || Some(object.id) == id)
    }

    /// The first object of a session that still has references and was not told of. It counts as told then.
    pub(crate) fn next_leaked(&mut self, session: SessionId) -> Option<&Object> {
        let object = self.all.iter_mut().find(|object| {
            object.session == session && object.references > 0 && !object.is_blamed
        })?;
        object.is_blamed = true;
        Some(object)
    }

    /// A call is over.
    pub(crate) fn forget(&mut self, crossing: CrossingId) {
        for object in &mut self.all {
            object.raised.retain(|(call, _)| *call != crossing);
        }
    }

    /// A session is over.
    pub(super) fn end(&mut self, session: SessionId) {
        for object in &mut self.all {
            if object.session == session {
                object.session = 0;
            }
        }
    }

    /// An object that has no reference, and that no open session asks for: its memory, which is to be given back.
    pub(crate) fn take_dead(&mut self) -> Option<*mut u8> {
        let is_dead =
            |object: &Object| object.session == 0 && object.references == 0 && !object.is_held;
        let index = self.all.iter().position(is_dead)?;
        let object = self.all.remove(index);
        self.aliases.retain(|(_, id)| *id != object.id);
        Some(object.memory.reveal())
    }
}
