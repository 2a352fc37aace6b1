//! Counting objects: how many references there are to each, who holds them, and where they come from.
//!
//! ```text
//!  Object ─┬─ references   how many there are
//!          ├─ held         one entry for each that somebody added: who holds it, by which call
//!          ├─ debts        releases by those who held none: held - debts = references
//!          └─ raised       what the calls under way added, less what they released
//! ```
//!
//! 1. An object has an entry until its memory is given back. That is when its last reference goes, or, if it belongs to
//!    an open session, when that closes: until then a call to it is noticed.
//! 2. Whoever adds a reference holds it: the object whose call is under way on that thread, or the program. What is
//!    handed out goes from one to the other.
//! 3. An object that is called in annotated calls has code that runs outside of them: a constructor, a worker thread. What
//!    that does counts as the program's. So the program is never in debt: it releases what others hold. And a debt may be
//!    paid by references of the program's, as long as those are left that are certainly its own; see [`Object::pays`].
//! 4. A debt lasts as long as the call in which it was made. Its verdict settles it.

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::SessionId;
use super::crossed::{CrossingId, Party};
use super::record::Call;
use crate::audit::rules::{Kind, Rule};
use crate::audit::site::Site;
use crate::task::hidden::Hidden;

/// An object, by a number that is never used again.
pub(crate) type ObjectId = u64;

/// A reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    /// Who holds it.
    pub(crate) by: Party,
    /// The call in which it was added, 0 if in none.
    pub(crate) within: CrossingId,
    /// The call that has it as the value of an \[in,out\] parameter; 0 if none.
    pub(crate) lent: CrossingId,
    /// The call in which it was added, or changed hands.
    pub(crate) call: Option<Call>,
    /// The rule by which its holder has to release it.
    pub(crate) rule: u8,
    /// Where it was added.
    pub(crate) at: Site,
    /// It is that of a handle, which is sure to release it.
    pub(crate) is_handles: bool,
}

/// References that somebody released without having had them.
#[derive(Clone, Copy, Debug)]
struct Debt {
    by: Party,
    count: u32,
    /// Where the last of them was released.
    at: Site,
}

/// What will be told should a reference be missing one day: it may have been right, and nobody can know yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suspicion {
    /// Whose doing it was.
    pub(crate) by: Party,
    pub(crate) kind: Kind,
    pub(crate) rules: &'static [Rule],
    pub(crate) call: Call,
    pub(crate) words: &'static str,
    pub(crate) at: Site,
}

#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) id: ObjectId,
    /// The session that it belongs to; 0 if that is over.
    pub(crate) session: SessionId,
    memory: Hidden,
    pub(crate) references: u32,
    pub(crate) suspicion: Option<Suspicion>,
    /// What follows from what was told is not told.
    pub(crate) is_blamed: bool,
    /// Whoever released the last reference is not done with its memory.
    pub(crate) is_held: bool,
    held: Vec<Holding, System>,
    debts: Vec<Debt, System>,
    /// References of the program's that it released while others held some: they may have been theirs.
    strays: u32,
    /// What the calls that are under way added, less what they released and handed out.
    raised: Vec<(CrossingId, i32), System>,
}

impl Object {
    /// A reference is added.
    pub(crate) fn adds(&mut self, held: Holding) {
        self.references += 1;
        self.raise(held.within, 1);
        self.receives(held);
    }

    /// A reference is released, of which there is one.
    pub(crate) fn releases(&mut self, by: Party, within: CrossingId, at: Site) {
        self.references -= 1;
        self.raise(within, -1);
        let taken = self.gives(by, Some(at));
        let has_others = self.held.iter().any(|held| held.by != by);
        if by == Party::Program && taken.is_some_and(|held| held.by == by) && has_others {
            self.strays += 1;
        }
    }

    /// A call is given a reference of its caller's, as the value of an \[in,out\] parameter.
    pub(crate) fn lends(&mut self, [caller, crossing]: [CrossingId; 2], from: Party, to: Party) {
        self.raise(caller, -1);
        self.raise(crossing, 1);
        let lent = crossing;
        let held = self.gives(from, None).unwrap_or(Holding::of(from));
        self.receives(Holding {
            by: to,
            lent,
            ..held
        });
    }

    /// It is the caller's again, for the value is the same.
    pub(crate) fn returns(&mut self, [caller, crossing]: [CrossingId; 2], from: Party, to: Party) {
        self.raise(caller, 1);
        self.raise(crossing, -1);
        if let Some(held) = self.lent_to(crossing) {
            (held.by, held.lent) = (to, 0);
        } else {
            let held = self.gives(from, None).unwrap_or(Holding::of(from));
            self.receives(Holding { by: to, ..held });
        }
    }

    /// It is the callee's to release, for another value has taken its place.
    pub(crate) fn keeps(&mut self, crossing: CrossingId, call: Call) {
        if let Some(held) = self.lent_to(crossing) {
            (held.call, held.rule, held.lent) = (Some(call), 46, 0);
        }
    }

    /// A reference goes from the callee to its caller, with a pointer that is handed out.
    pub(crate) fn hands_out(
        &mut self,
        [caller, crossing]: [CrossingId; 2],
        from: Party,
        to: Party,
        call: Call,
    ) {
        self.raise(crossing, -1);
        self.raise(caller, 1);
        let held = self.gives(from, None).unwrap_or(Holding::of(from));
        let (call, rule, lent) = (Some(call), 45, 0);
        self.receives(Holding {
            by: to,
            call,
            rule,
            lent,
            ..held
        });
    }

    /// What a call added, and has not released, came by a parameter.
    pub(crate) fn names(&mut self, crossing: CrossingId, call: Call) {
        for held in &mut self.held {
            if held.within == crossing
                && let Some(known) = &mut held.call
                && known.parameter.is_none()
            {
                *known = call;
            }
        }
    }

    /// How many a call added, less what it released and handed out.
    pub(crate) fn raised_in(&self, crossing: CrossingId) -> i32 {
        let raised = self.raised.iter().find(|(call, _)| *call == crossing);
        raised.map_or(0, |(_, count)| *count)
    }

    /// Where somebody released what it did not have last; `None` if it did not.
    pub(crate) fn owed_at(&self, by: Party) -> Option<Site> {
        let debt = self.debts.iter().find(|debt| debt.by == by)?;
        Some(debt.at)
    }

    /// Whether a verdict is to come on what was released: by one of the calls that are under way.
    pub(crate) fn is_owed(&self, is_open: impl Fn(CrossingId) -> bool) -> bool {
        !self.debts.is_empty() && self.raised.iter().any(|(call, _)| is_open(*call))
    }

    /// Pays the debts of somebody with references that may have been its own all the time: those that the program holds
    /// beyond the ones that are certain to be its own, besides a handle's; those of other objects that are known by their interfaces'
    /// names alone, for it may be the same object; those that the program may have released in another's place. `false`,
    /// and nothing is done, if there are not as many.
    pub(crate) fn pays(&mut self, by: Party, certain: u32) -> bool {
        let Some(index) = self.debts.iter().position(|debt| debt.by == by) else {
            return true;
        };
        let owed = self.debts[index].count;
        let is_programs = |held: &&Holding| held.by == Party::Program && !held.is_handles;
        let is_same = |held: &&Holding| {
            matches!((held.by, by), (Party::Named(_), Party::Named(_))) && !held.is_handles
        };
        let is_stray = |held: &&Holding| !is_programs(held) && !is_same(held) && !held.is_handles;
        let count = |is_so: &dyn Fn(&&Holding) -> bool| {
            u32::try_from(self.held.iter().filter(|held| is_so(held)).count()).unwrap_or(u32::MAX)
        };
        let (own, same, strays) = (count(&is_programs), count(&is_same), count(&is_stray));
        if own + same + strays.min(self.strays) < owed + certain {
            return false;
        }
        self.debts.remove(index);
        let mut spare = own.saturating_sub(certain);
        for _ in 0..owed {
            let held = || self.held.iter();
            let paid = if spare > 0 {
                spare -= 1;
                // One that nobody knows the origin of first.
                let unknown = |held: &Holding| is_programs(&held) && held.call.is_none();
                let unknown = held().rposition(unknown);
                unknown.or_else(|| held().rposition(|held| is_programs(&held)))
            } else if let Some(index) = held().rposition(|held| is_same(&held)) {
                Some(index)
            } else {
                self.strays = self.strays.saturating_sub(1);
                self.held.iter().rposition(|held| is_stray(&held))
            };
            if let Some(index) = paid {
                self.held.remove(index);
            }
        }
        true
    }

    /// Puts back what somebody released without having had it.
    pub(crate) fn put_back(&mut self, by: Party) {
        if let Some(index) = self.debts.iter().position(|debt| debt.by == by) {
            self.references += self.debts.remove(index).count;
        }
    }

    /// Takes what one was suspected of.
    pub(crate) fn suspected(&mut self, by: Party) -> Option<Suspicion> {
        self.suspicion.take_if(|suspicion| suspicion.by == by)
    }

    /// Whether a handle has a reference.
    pub(crate) fn has_handle(&self) -> bool {
        self.held.iter().any(|held| held.is_handles)
    }

    /// The reference of the handle is another's, who may release it or not.
    pub(crate) fn takes_from_handle(&mut self, by: Party) {
        if let Some(index) = self.held.iter().position(|held| held.is_handles) {
            let held = self.held.remove(index);
            let is_handles = false;
            // There is room for the one that was removed, and the last one goes first.
            self.held.push(Holding {
                by,
                is_handles,
                ..held
            });
        }
    }

    /// One that is left, as its holder has it.
    pub(crate) fn left(&self) -> Option<&Holding> {
        self.held.last()
    }

    /// Somebody holds one more, or owes one less.
    fn receives(&mut self, held: Holding) {
        if let Some(index) = self.debts.iter().position(|debt| debt.by == held.by) {
            let debt = &mut self.debts[index];
            debt.count -= 1;
            if debt.count == 0 {
                self.debts.remove(index);
            }
        } else if self.held.try_reserve(1).is_ok() {
            self.held.push(held);
        }
    }

    /// Somebody holds one less: one that came by no call, or the one that it got last. Who has none gets into debt, with
    /// the place of a release; but the program takes another's.
    fn gives(&mut self, by: Party, at: Option<Site>) -> Option<Holding> {
        let own = |held: &Holding| held.by == by && !held.is_handles;
        let last = self.held.iter().rposition(own);
        // What came by a call is more likely to be forgotten than a copy of it, or an object of one's own.
        let copy = |held: &Holding| own(held) && held.call.is_none();
        let own = self.held.iter().rposition(copy).or(last);
        if by == Party::Program {
            // A handle's is the first there is, so it goes last.
            let index = own.or(self.held.len().checked_sub(1))?;
            return Some(self.held.remove(index));
        }
        if let Some(index) = own {
            return Some(self.held.remove(index));
        }
        if let Some(debt) = self.debts.iter_mut().find(|debt| debt.by == by) {
            debt.count += 1;
            debt.at = at.unwrap_or(debt.at);
        } else if self.debts.try_reserve(1).is_ok() {
            let at = at.unwrap_or_default();
            self.debts.push(Debt { by, count: 1, at });
        }
        None
    }

    fn lent_to(&mut self, crossing: CrossingId) -> Option<&mut Holding> {
        self.held.iter_mut().find(|held| held.lent == crossing)
    }

    fn raise(&mut self, crossing: CrossingId, more: i32) {
        if crossing == 0 {
            return;
        }
        if let Some((_, count)) = self.raised.iter_mut().find(|(call, _)| *call == crossing) {
            *count += more;
        } else if self.raised.try_reserve(1).is_ok() {
            self.raised.push((crossing, more));
        }
    }
}

impl Holding {
    /// One of which nothing is known but its holder.
    fn of(by: Party) -> Self {
        Self {
            by,
            within: 0,
            lent: 0,
            call: None,
            rule: 43,
            at: Site::default(),
            is_handles: false,
        }
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

    /// Enters a new object with one reference, its maker's; `false` if there is no memory.
    #[must_use]
    pub(crate) fn enter(
        &mut self,
        id: ObjectId,
        memory: *mut u8,
        session: SessionId,
        first: Holding,
    ) -> bool {
        let is_room = self.all.try_reserve(1).is_ok();
        if is_room {
            let mut object = Object {
                id,
                session,
                memory: Hidden::new(memory),
                references: 0,
                suspicion: None,
                is_blamed: false,
                is_held: false,
                held: Vec::new_in(System),
                debts: Vec::new_in(System),
                strays: 0,
                raised: Vec::new_in(System),
            };
            object.adds(first);
            self.all.push(object);
        }
        is_room
    }

    pub(crate) fn get(&mut self, id: ObjectId) -> Option<&mut Object> {
        self.all.iter_mut().find(|object| object.id == id)
    }

    /// An object that has no reference is given one, of somebody's: what was before is forgotten. It belongs to that session if its own
    /// is over.
    pub(crate) fn take_up(&mut self, id: ObjectId, session: SessionId, first: Holding) {
        let Some(object) = self.get(id) else {
            return;
        };
        object.held.clear();
        object.debts.clear();
        object.raised.clear();
        (object.strays, object.suspicion) = (0, None);
        (object.is_held, object.is_blamed) = (false, false);
        object.adds(first);
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

    /// An object of which a call released more than its party had.
    pub(crate) fn next_owed(&mut self, crossing: CrossingId, by: Party) -> Option<ObjectId> {
        let is_concerned = |object: &&Object| {
            object.owed_at(by).is_some() && object.raised.iter().any(|(call, _)| *call == crossing)
        };
        self.all.iter().find(is_concerned).map(|object| object.id)
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
