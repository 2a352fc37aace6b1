//! What is known of annotated calls: which are under way, and whose the blocks are that crossed.
//!
//! ```text
//!  Crossed ─┬─ open      calls under way, by number; each thread knows its innermost
//!           ├─ lent      blocks that an open call was given
//!           ├─ claims    the sentinels, and in which call's variable each was planted
//!           ├─ passages  live blocks that crossed: whose they are, to whom they were lent
//!           └─ names     of methods and parameters, each once
//! ```
//!
//! 1. A block is named by its [`Generation`], never by its address, which may be another's tomorrow.
//! 2. A passage ends when its block leaves the quarantine, or its session closes.
//! 3. A sentinel is one call's until that is over. Then it is the last to be planted again, so that a late use of it is told of
//!    the right variable.
//! 4. A call that never returns stays open until its thread begins another well above it, frees something there, or ends; or
//!    until its session closes. Nothing that it says of variables and buffers is kept here, so nothing dangles.

use core::hash::{Hash, Hasher};
use core::ptr;
use core::slice;
use std::sync::atomic::AtomicPtr;

use allocator_api2::alloc::{Allocator, Layout, System};
use allocator_api2::vec::Vec;
use hashbrown::{HashMap, HashSet};

use super::record::{Call, Name};
use super::scramble::Scramble;
use super::{SessionId, memory};
use crate::audit::rules::{Kind, Rule};
use crate::audit::sentinel;
use crate::task::table_memory::TableMemory;

/// A call's number; they are never used again. 0 is none.
pub(crate) type CrossingId = u64;

/// A block, and no other that is ever at its address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) session: SessionId,
    pub(crate) id: u64,
}

impl Hash for Generation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // What does not fit into an address of 32 bits tells little apart.
        #[expect(clippy::cast_possible_truncation, reason = "it is a hash")]
        state.write_usize((self.session.rotate_left(20) ^ self.id) as usize);
    }
}

/// Who calls, and who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// The program under test itself: whoever is in no call.
    Program,
    /// An object, by its complemented address.
    Object(usize),
    /// What a method's name says before its `::`, where no object is known.
    Named(Name),
}

/// A call that is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) id: CrossingId,
    pub(crate) session: SessionId,
    /// The call that it was made in; 0 if in none.
    pub(crate) outer: CrossingId,
    pub(crate) method: Name,
    /// Whose method it is.
    pub(crate) party: Party,
    /// Where on its thread's stack it began.
    pub(crate) frame: usize,
    pub(crate) callbacks: Callbacks,
}

/// Whether code of the caller's runs within a call, by a function or an interface that the callee has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Callbacks {
    /// Nothing is known of it.
    Unknown,
    /// It may: the callee was given an interface, in this call or an earlier one.
    Possible,
    /// It does: whoever makes the call says so.
    Declared,
}

/// A block that an open call was given as \[in\] or \[in,out\].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lent {
    pub(crate) crossing: CrossingId,
    pub(crate) generation: Generation,
    pub(crate) call: Call,
    /// \[in,out\]: the callee may free it.
    pub(crate) is_in_out: bool,
    /// That it was freed was told.
    pub(crate) is_told: bool,
}

/// In which variable a sentinel was planted last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// The call, while it is under way and the sentinel is no other's; 0 when it is over.
    pub(crate) crossing: CrossingId,
    pub(crate) session: SessionId,
    pub(crate) call: Call,
    pub(crate) rules: &'static [Rule],
    /// That it was used was told.
    pub(crate) is_told: bool,
}

/// How a block last crossed, which is the rule that its leak breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Lent: whoever allocated it frees it.
    In,
    /// Handed out: the caller frees it.
    Out,
    /// The value of an \[in,out\] parameter: the caller frees it.
    InOut,
    /// In an array that was handed out: the caller frees it, then the array.
    Element(Generation),
}

/// What is told in place of a leak, should the block never be freed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) kind: Kind,
    pub(crate) rules: &'static [Rule],
    pub(crate) call: Call,
    pub(crate) words: &'static str,
}

/// What is known of a live block that crossed.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    /// Whose it is, if it was ever handed over.
    pub(crate) owner: Option<Party>,
    /// Who handed it out last.
    pub(crate) handed_by: Option<Party>,
    /// Whom it was lent to, while it was its owner's.
    pub(crate) lent_to: Vec<Party, System>,
    pub(crate) role: Role,
    /// It was freed, and is in quarantine.
    pub(crate) is_freed: bool,
    /// The call in which it crossed last.
    pub(crate) call: Call,
    pub(crate) pending: Option<Pending>,
}

/// Blocks that were allocated while a call was under way that failed.
#[derive(Clone, Copy, Debug)]
struct Failed {
    session: SessionId,
    /// The thread that the call was made on.
    thread: u32,
    first: u64,
    last: u64,
    call: Call,
}

/// What is known of annotated calls.
pub(crate) struct Crossed {
    last: CrossingId,
    open: Vec<Open, System>,
    lent: Vec<Lent, System>,
    claims: Vec<Claim, System>,
    next_claim: usize,
    passages: HashMap<Generation, Passage, Scramble, TableMemory<System>>,
    failed: Vec<Failed, System>,
    /// Objects that were given interfaces of the caller's, through which they may call.
    callers: Vec<(SessionId, Party), System>,
    names: HashSet<&'static str, Scramble, TableMemory<System>>,
    /// BSTRs in static storage, by complemented address.
    literals: Vec<usize, System>,
}

/// Bytes of stack by which the places of two calls may differ, the inner one seeming to be above the outer.
const FRAMES: usize = 2048;

/// Where the newest tables start. Nobody reads it but a leak checker, so the compiler must be told that it is used.
#[used]
static PASSAGES: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
#[used]
static NAMES: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

impl Crossed {
    pub(super) const fn new() -> Self {
        Self {
            last: 0,
            open: Vec::new_in(System),
            lent: Vec::new_in(System),
            claims: Vec::new_in(System),
            next_claim: 0,
            passages: HashMap::with_hasher_in(Scramble, memory(&PASSAGES)),
            failed: Vec::new_in(System),
            callers: Vec::new_in(System),
            names: HashSet::with_hasher_in(Scramble, memory(&NAMES)),
            literals: Vec::new_in(System),
        }
    }

    /// A session is over: its calls and blocks are nobody's business any more.
    pub(super) fn end(&mut self, session: SessionId) {
        self.open.retain(|open| open.session != session);
        self.lent.retain(|lent| lent.generation.session != session);
        self.passages
            .retain(|generation, _| generation.session != session);
        self.failed.retain(|failed| failed.session != session);
        self.callers.retain(|(of, _)| *of != session);
        for claim in &mut self.claims {
            if claim.session == session {
                claim.crossing = 0;
            }
        }
    }

    // ------------------------------------------------------------------------------------ calls

    /// Opens a call within another; `None` if there is no memory.
    pub(crate) fn begin(&mut self, open: Open) -> Option<CrossingId> {
        self.open.try_reserve(1).ok()?;
        self.last += 1;
        let id = self.last;
        self.open.push(Open { id, ..open });
        Some(id)
    }

    pub(crate) fn open(&self, id: CrossingId) -> Option<&Open> {
        self.open.iter().rev().find(|open| open.id == id)
    }

    pub(crate) fn open_mut(&mut self, id: CrossingId) -> Option<&mut Open> {
        self.open.iter_mut().rev().find(|open| open.id == id)
    }

    /// Closes a call, and lets its caller have back what was lent.
    pub(crate) fn close(&mut self, id: CrossingId) -> Option<Open> {
        self.lent.retain(|lent| lent.crossing != id);
        let index = self.open.iter().rposition(|open| open.id == id)?;
        Some(self.open.remove(index))
    }

    /// Closes a call that will not return, and tells in which it was made.
    pub(crate) fn abandon(&mut self, id: CrossingId) -> Option<CrossingId> {
        for claim in &mut self.claims {
            if claim.crossing == id {
                claim.crossing = 0;
            }
        }
        self.close(id).map(|open| open.outer)
    }

    /// The innermost call of a thread that is really under way. One that began well below what happens now has been left
    /// by other ways than a return. (By how much calls within calls differ depends on what the compiler put into one frame.)
    pub(crate) fn innermost(&mut self, mut id: CrossingId, frame: usize) -> CrossingId {
        // Under Miri the places of variables are in no order.
        while !cfg!(miri)
            && let Some(open) = self.open(id).copied()
            && open.frame.saturating_add(FRAMES) < frame
        {
            self.abandon(id);
            id = open.outer;
        }
        id
    }

    /// Who calls from within a call.
    pub(crate) fn caller(&self, within: CrossingId) -> Party {
        self.open(within).map_or(Party::Program, |open| open.party)
    }

    /// Code of the caller's may run within any call of this object's from now on.
    pub(crate) fn calls_back(&mut self, id: CrossingId, callbacks: Callbacks) {
        let Some(open) = self.open_mut(id) else {
            return;
        };
        open.callbacks = open.callbacks.max(callbacks);
        let known = (open.session, open.party);
        if !self.callers.contains(&known) && self.callers.try_reserve(1).is_ok() {
            self.callers.push(known);
        }
    }

    /// What is known of code of a caller's within a call.
    pub(crate) fn callbacks(&self, open: &Open) -> Callbacks {
        if self.callers.contains(&(open.session, open.party)) {
            open.callbacks.max(Callbacks::Possible)
        } else {
            open.callbacks
        }
    }

    // ----------------------------------------------------------------------------------- blocks

    /// Lends a block to a call.
    pub(crate) fn lend(&mut self, lent: Lent) {
        if self.lent.try_reserve(1).is_ok() {
            self.lent.push(lent);
        }
    }

    /// A block as an open call was given it: the innermost of those that a thread is in, by the call it is in; or else the
    /// newest of any thread. With whether the thread is in it.
    pub(crate) fn lent(
        &mut self,
        generation: Generation,
        within: CrossingId,
    ) -> Option<(&mut Lent, bool)> {
        let newest = self
            .lent
            .iter()
            .rposition(|it| it.generation == generation)?;
        let mut id = within;
        while let Some(open) = self.open(id) {
            let is_it = |it: &Lent| it.generation == generation && it.crossing == id;
            if let Some(index) = self.lent.iter().rposition(is_it) {
                return Some((&mut self.lent[index], true));
            }
            id = open.outer;
        }
        Some((&mut self.lent[newest], false))
    }

    /// The same, as that call was given it.
    pub(crate) fn lent_to(&self, id: CrossingId, generation: Generation) -> Option<&Lent> {
        let is_it = |lent: &&Lent| lent.crossing == id && lent.generation == generation;
        self.lent.iter().find(is_it)
    }

    /// Whether a block came to a call by others that it was lent to, and from the same party at last: it is lent what it
    /// has anyway.
    pub(crate) fn lent_on_by(&self, id: CrossingId, party: Party, generation: Generation) -> bool {
        let mut call = self.open(id);
        while let Some(outer) = call.and_then(|call| self.open(call.outer)) {
            if outer.party == party {
                return true;
            }
            if self.lent_to(outer.id, generation).is_none() {
                return false;
            }
            call = Some(outer);
        }
        false
    }

    /// A block may be freed by a call that it was lent to as well.
    pub(crate) fn take_back(&mut self, id: CrossingId, generation: Generation) {
        for lent in &mut self.lent {
            if lent.crossing == id && lent.generation == generation {
                lent.is_in_out = true;
            }
        }
    }

    /// A block was freed. What is known of it is still of use while it is in quarantine.
    pub(super) fn freed(&mut self, generation: Generation) {
        if !self.passages.is_empty()
            && let Some(passage) = self.passages.get_mut(&generation)
        {
            passage.is_freed = true;
        }
    }

    /// A block is gone.
    pub(super) fn forget(&mut self, generation: Generation) {
        if !self.passages.is_empty() {
            self.passages.remove(&generation);
        }
    }

    pub(crate) fn passage(&self, generation: Generation) -> Option<&Passage> {
        if self.passages.is_empty() {
            return None;
        }
        self.passages.get(&generation)
    }

    /// Whether a block that crossed is still live.
    pub(crate) fn is_there(&self, generation: Generation) -> bool {
        self.passage(generation)
            .is_some_and(|passage| !passage.is_freed)
    }

    /// The passage of a block, a new one if it never crossed; `None` if there is no memory.
    pub(crate) fn passes(&mut self, generation: Generation, call: Call) -> Option<&mut Passage> {
        self.passages.try_reserve(1).ok()?;
        let new = || Passage {
            owner: None,
            handed_by: None,
            lent_to: Vec::new_in(System),
            role: Role::In,
            is_freed: false,
            call,
            pending: None,
        };
        Some(self.passages.entry(generation).or_insert_with(new))
    }

    /// Nothing is told in place of a block's leak any more.
    pub(crate) fn expect_nothing(&mut self, generation: Generation) {
        if let Some(passage) = self.passages.get_mut(&generation) {
            passage.pending = None;
        }
    }

    /// A call of this thread's failed, while which blocks with these numbers were allocated.
    pub(crate) fn fails(
        &mut self,
        (session, thread): (SessionId, u32),
        (first, last): (u64, u64),
        call: Call,
    ) {
        if first < last && self.failed.try_reserve(1).is_ok() {
            self.failed.push(Failed {
                session,
                thread,
                first,
                last,
                call,
            });
        }
    }

    /// The innermost failed call in which a block was allocated by a thread.
    pub(crate) fn failed_in(&self, generation: Generation, thread: u32) -> Option<Call> {
        let is_in = |failed: &&Failed| {
            failed.session == generation.session
                && failed.thread == thread
                && (failed.first + 1..=failed.last).contains(&generation.id)
        };
        self.failed.iter().find(is_in).map(|failed| failed.call)
    }

    // -------------------------------------------------------------------------------- sentinels

    /// Takes a sentinel for a variable, in turn: its number; `None` if all are in calls under way, or there is no memory.
    pub(crate) fn claim(&mut self, claim: Claim) -> Option<usize> {
        if self.claims.len() < sentinel::COUNT {
            self.claims.try_reserve(1).ok()?;
            self.claims.push(claim);
            return Some(self.claims.len() - 1);
        }
        let index = (0..sentinel::COUNT)
            .map(|turn| (self.next_claim + turn) % sentinel::COUNT)
            .find(|index| self.claims[*index].crossing == 0)?;
        self.claims[index] = claim;
        self.next_claim = (index + 1) % sentinel::COUNT;
        Some(index)
    }

    /// A call is over, and its sentinel may be planted again.
    pub(crate) fn release(&mut self, index: usize, crossing: CrossingId) {
        if let Some(claim) = self.claims.get_mut(index)
            && claim.crossing == crossing
        {
            claim.crossing = 0;
        }
    }

    /// Whether it was told that a sentinel was used.
    pub(crate) fn is_told(&self, index: usize) -> bool {
        self.claims.get(index).is_some_and(|claim| claim.is_told)
    }

    pub(crate) fn claimed(&mut self, index: usize) -> Option<&mut Claim> {
        self.claims.get_mut(index)
    }

    // ------------------------------------------------------------------------ names and literals

    /// Keeps a name for ever; `None` if there is no memory.
    pub(crate) fn name(&mut self, text: &str) -> Option<Name> {
        if text.is_empty() {
            return Some(Name(""));
        }
        if let Some(name) = self.names.get(text) {
            return Some(Name(name));
        }
        self.names.try_reserve(1).ok()?;
        let layout = Layout::for_value(text);
        let memory = System.allocate(layout).ok()?.as_ptr().cast::<u8>();
        // SAFETY: so many bytes were just allocated.
        unsafe { memory.copy_from_nonoverlapping(text.as_ptr(), text.len()) };
        // SAFETY: they are initialised now, and never freed nor written again.
        let bytes: &'static [u8] = unsafe { slice::from_raw_parts(memory, text.len()) };
        // SAFETY: a copy of text.
        let name = unsafe { core::str::from_utf8_unchecked(bytes) };
        self.names.insert(name);
        Some(Name(name))
    }

    /// Knows a BSTR in static storage from now on.
    pub(crate) fn register(&mut self, literal: usize) {
        if !self.literals.contains(&!literal) && self.literals.try_reserve(1).is_ok() {
            self.literals.push(!literal);
        }
    }

    pub(crate) fn is_literal(&self, address: usize) -> bool {
        self.literals.contains(&!address)
    }
}
