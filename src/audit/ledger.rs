//! The books: which blocks there are, whose they are, and what was found.
//!
//! ```text
//!  Books ─┬─ entries     one a block that is live or in quarantine, by the complemented address that its
//!         │              holder knows
//!         ├─ sessions    counts, violations, the quarantine's two ends
//!         └─ sites       stacks, each once
//! ```
//!
//! Invariants:
//!
//! 1. Every block that was handed out dressed has an entry until it is really freed. Whether its session is over
//!    changes nothing about that.
//! 2. A block in quarantine is undressed, belongs to an open session, and is in that session's queue exactly
//!    once. It is a live block to the heap, so its address is nobody else's. One from before the session is there as it
//!    is, for it never was dressed.
//! 3. What is here asks the system for memory, never the global allocator, which may stand on olemem.
//! 4. Pointers to blocks are kept with their addresses complemented, so that leak checkers do not take them for
//!    references, but for those of blocks in quarantine, which are nobody else's to free. (Miri goes by what a pointer may reach, and does: a leak that the audit has told of is no leak to it.)
//!    The holder's own pointer would not do: one that was a reference is good for the holder's bytes alone.

use core::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;
use hashbrown::HashMap;

use super::guard::{FRONT, Guard};
use super::options::Options;
use super::page;
use super::site::{Site, Sites, Stack};
use crate::layout::HEADER;
use crate::task::block::Family;
use crate::task::fault::{Fault, Planner};
use crate::task::fault_plan::Progress;
use crate::task::heap::innermost;
use crate::task::hook::Listening;
use crate::task::lock::{self, Lock};
use crate::task::table_memory::TableMemory;

mod counts;
mod crossed;
mod entry;
#[cfg(all(unix, not(miri)))]
mod inherit;
mod objects;
mod quarantine;
mod record;
mod scramble;

pub use counts::Counts;
pub(super) use crossed::{
    Callbacks, Claim, Crossed, CrossingId, Generation, Lent, Open, Party, Pending, Role,
};
pub(super) use entry::{Entry, State};
pub(super) use objects::{Holding, Object, ObjectId, Objects, Suspicion};
pub(super) use record::{Call, Deed, Detail, Facts, Failed, Name, PREVIEW, Record};
use scramble::Scramble;

/// A session's number; they are never used again. 0 is none.
pub(super) type SessionId = u64;

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The start of an audited block, live or not.
    Start(usize),
    /// The pointer of an audited block, as the other family has it.
    WrongFamily(usize),
    /// Into the heap's block of an audited block: so many bytes from its start.
    Inside(usize, isize),
    /// The start of a live block that is not audited.
    Plain,
    /// The pointer of such a block, as the other family has it.
    PlainWrongFamily(Family),
    /// Into such a block.
    PlainInside(Family, usize),
    /// Nowhere.
    Nowhere,
}

/// So many planned failures of a session are kept.
const FAILURES: usize = 100;

/// A session, as the books have it.
#[derive(Debug)]
pub(super) struct SessionBook {
    pub(super) id: SessionId,
    /// The session that its thread was in before.
    pub(super) outer: SessionId,
    pub(super) options: Options,
    pub(super) counts: Counts,
    pub(super) records: Vec<Record, System>,
    /// How many the process's session had when this one began.
    pub(super) found_before: usize,
    /// It is being ended: what is found from now on is in the report.
    pub(super) is_closing: bool,
    /// How many of them `halt=first` has looked at.
    pub(super) looked_at: usize,
    /// Violations for which there was no memory.
    pub(super) dropped: u64,
    /// The plan of failures that its options have.
    faults: Option<Progress>,
    /// The allocations that failed because somebody planned it: the first ones.
    pub(super) failures: Vec<Failed, System>,
    /// What the parent had counted, before a fork: blocks with numbers up to its allocations are the parent's.
    pub(super) inherited: Counts,
    /// Pins that were refused, and told, and may yet be taken back: the keys, and the numbers of the blocks, 0 where there
    /// was none.
    refused_pins: Vec<(usize, u64), System>,
    /// The oldest in quarantine, by the key; 0 if none is.
    oldest: usize,
    newest: usize,
    quarantined: usize,
    /// The newest that is larger than all of it, by the key; 0 if there is none.
    large: usize,
}

/// All of it, behind one lock.
pub(super) struct Books {
    entries: HashMap<usize, Entry, Scramble, TableMemory<System>>,
    /// The key of the block that a page belongs to, those that are shut included.
    pages: HashMap<usize, usize, Scramble, TableMemory<System>>,
    /// How many blocks have pages of their own.
    paged: usize,
    pub(super) sessions: Vec<SessionBook, System>,
    pub(super) sites: Sites,
    last_session: SessionId,
    /// What sessions counted which are over.
    pub(super) seen: Counts,
    /// Violations that they found.
    pub(super) found: u64,
    /// The seat, while there is anything to oversee.
    pub(super) listening: Option<Listening>,
    /// Who is told of a planned failure at once, in case that it is the last that is heard. The lock is held
    /// meanwhile: nothing may be asked of the heap or of the books.
    pub(super) teller: Option<fn(&Failed, &Stack)>,
    /// Who is told of a violation at once, for the same reason and on the same terms.
    pub(super) witness: Option<fn(&Self, SessionId, &Record)>,
    /// Annotated calls, and what crossed in them.
    pub(super) crossed: Crossed,
    /// Counting objects.
    pub(super) objects: Objects,
}

impl SessionBook {
    /// Remembers a pin that was refused. Without memory for it, that it is taken back will be told as well.
    pub(super) fn refuses_pin(&mut self, key: usize, id: u64) {
        if self.refused_pins.try_reserve(1).is_ok() {
            self.refused_pins.push((key, id));
        }
    }

    /// Whether a pin that is taken back is one that was refused, which is the same mistake: once for each. The block may
    /// have left the quarantine meanwhile.
    pub(super) fn takes_refused_pin_back(&mut self, key: usize, id: u64) -> bool {
        let is_it = |pin: &(usize, u64)| pin.0 == key && (pin.1 == id || id == 0);
        let found = self.refused_pins.iter().position(is_it);
        found
            .map(|index| self.refused_pins.swap_remove(index))
            .is_some()
    }

    /// How many allocations failed by the session's own plan.
    pub(super) fn planned_failures(&self) -> u64 {
        self.faults.as_ref().map_or(0, Progress::failures)
    }
}

impl Books {
    pub(super) const fn new() -> Self {
        Self {
            entries: HashMap::with_hasher_in(Scramble, memory(&ENTRIES)),
            pages: HashMap::with_hasher_in(Scramble, memory(&PAGES)),
            paged: 0,
            sessions: Vec::new_in(System),
            sites: Sites::new(),
            last_session: 0,
            seen: Counts::NONE,
            found: 0,
            listening: None,
            teller: None,
            witness: None,
            crossed: Crossed::new(),
            objects: Objects::new(),
        }
    }

    // --------------------------------------------------------------------------------- sessions

    /// Opens a session; `None` if there is no memory.
    pub(super) fn open(&mut self, options: Options, outer: SessionId) -> Option<SessionId> {
        self.sessions.try_reserve(1).ok()?;
        let of_process = self.session(process_session());
        let found_before = of_process.map_or(0, |book| book.records.len());
        self.last_session += 1;
        self.sessions.push(SessionBook {
            id: self.last_session,
            outer,
            options,
            counts: Counts::default(),
            records: Vec::new_in(System),
            found_before,
            is_closing: false,
            looked_at: 0,
            dropped: 0,
            faults: options.faults.map(Progress::new),
            failures: Vec::new_in(System),
            inherited: Counts::default(),
            refused_pins: Vec::new_in(System),
            oldest: 0,
            newest: 0,
            quarantined: 0,
            large: 0,
        });
        Some(self.last_session)
    }

    /// The session that a thread is in: its own, if that is open, or the process's, if there is one; or 0.
    pub(super) fn effective(&mut self, own: SessionId) -> SessionId {
        let is_open = |id: &SessionId| self.session(*id).is_some();
        let found = [own, process_session()].into_iter().find(is_open);
        found.unwrap_or(0)
    }

    /// Whether there was ever a session of that number.
    #[cfg(feature = "export")]
    pub(super) fn was_opened(&self, id: SessionId) -> bool {
        id <= self.last_session
    }

    pub(super) fn session(&mut self, id: SessionId) -> Option<&mut SessionBook> {
        self.sessions.iter_mut().rev().find(|book| book.id == id)
    }

    /// What stands around the blocks of a session.
    pub(super) fn guard_of(&mut self, id: SessionId) -> Guard {
        self.session(id)
            .map_or(Guard::Bytes, |book| book.options.guard)
    }

    /// Closes a session: what it holds back goes to the heap, what is live is its no more.
    pub(super) fn close(&mut self, id: SessionId) -> Option<SessionBook> {
        self.session(id)?;
        self.empty(id);
        self.crossed.end(id);
        self.objects.end(id);
        for entry in self.entries.values_mut() {
            if entry.session == id {
                entry.session = 0;
            }
        }
        let index = self.sessions.iter().position(|book| book.id == id)?;
        let book = self.sessions.remove(index);
        self.seen.add(book.counts.since(book.inherited));
        self.found += book.records.len() as u64 + book.dropped;
        for other in &mut self.sessions {
            if other.outer == id {
                other.outer = book.outer;
            }
        }
        Some(book)
    }

    /// Whether nobody needs an overseer any more.
    pub(super) fn is_idle(&self) -> bool {
        self.sessions.is_empty() && self.entries.is_empty()
    }

    /// Whether an allocation in a session is to fail, by whichever plan.
    pub(super) fn is_to_fail(
        &mut self,
        session: SessionId,
        size: usize,
        family: Family,
        at: &Stack,
    ) -> bool {
        let Some(fault) = self.fault_of(session, size, family) else {
            return false;
        };
        let failed = Failed {
            fault,
            family,
            size,
            at: self.sites.keep(at),
        };
        if let Some(book) = self.session(session)
            && book.failures.len() < FAILURES
            && book.failures.try_reserve(1).is_ok()
        {
            book.failures.push(failed);
            if let Some(tell) = self.teller {
                tell(&failed, at);
            }
        }
        true
    }

    /// The session's plan comes first.
    fn fault_of(&mut self, session: SessionId, size: usize, family: Family) -> Option<Fault> {
        if innermost::can_be(size)
            && let Some(book) = self.session(session)
            && let Some(progress) = &book.faults
            && let Some(number) = progress.fails(size, family)
        {
            let planner = Planner::Session;
            return Some(Fault { planner, number });
        }
        innermost::fault_of(size, family)
    }

    // ---------------------------------------------------------------------------------- entries

    /// Enters a new block; `false` if there is no memory.
    #[must_use]
    pub(super) fn enter(&mut self, mut entry: Entry, session: SessionId) -> bool {
        if self.entries.try_reserve(1).is_err() {
            return false;
        }
        let key = key(entry.shape().block().addr());
        if entry.is_paged && !self.enter_pages(key, &entry) {
            return false;
        }
        if let Some(book) = self.session(session) {
            book.counts.comes(entry.size);
            entry.id = book.counts.allocated;
            entry.session = session;
        }
        self.entries.insert(key, entry);
        true
    }

    /// Enters a block from before the session that its holder has freed, as one that is freed already; `None` if there is
    /// no memory.
    #[must_use]
    pub(super) fn enter_freed(&mut self, entry: Entry) -> Option<usize> {
        self.entries.try_reserve(1).ok()?;
        let key = key(entry.shape().block().addr());
        self.entries.insert(key, entry);
        Some(key)
    }

    /// The pages of a block, those that are shut included, by number.
    fn pages_of(entry: &Entry) -> core::ops::Range<usize> {
        let first = entry.real.reveal().addr() / page::size() - 1;
        first..first + entry.held() / page::size() + 2
    }

    /// Whether one more block may have pages of its own. A process may have so many mappings, 65,530 on Linux unless
    /// the system says otherwise, and needs some for itself; a block takes two or three.
    pub(super) fn has_pages(&self, pages: usize) -> bool {
        const BLOCKS: usize = 15_000;
        self.paged < BLOCKS && self.pages.len() + pages < 4 << 20
    }

    /// Enters the pages of a block; `false` if there is no memory.
    fn enter_pages(&mut self, key: usize, entry: &Entry) -> bool {
        let pages = Self::pages_of(entry);
        if self.pages.try_reserve(pages.len()).is_err() {
            return false;
        }
        self.pages.extend(pages.map(|page| (page, key)));
        self.paged += 1;
        true
    }

    /// Gives a block back that is in no book any more: to the heap, or its pages to the system.
    ///
    /// # Safety
    ///
    /// * Nobody uses the block any more.
    pub(super) unsafe fn give_back(&mut self, entry: &Entry) {
        self.crossed.forget(entry.generation());
        let shape = entry.shape();
        if entry.is_paged {
            let mut was_entered = false;
            for page in Self::pages_of(entry) {
                was_entered |= self.pages.remove(&page).is_some();
            }
            self.paged -= usize::from(was_entered);
            // SAFETY: the pages are the block's own; the caller's promise.
            unsafe { page::unmap(shape.real, shape.total()) };
        } else {
            // SAFETY: the block is live to the heap; the caller's promise.
            unsafe { innermost::free(shape.real, entry.family) };
        }
    }

    pub(super) fn get(&self, key: usize) -> Option<Entry> {
        self.entries.get(&key).copied()
    }

    pub(super) fn get_mut(&mut self, key: usize) -> Option<&mut Entry> {
        self.entries.get_mut(&key)
    }

    /// A block that was in the cache is somebody's again.
    pub(super) fn revive(
        &mut self,
        key: usize,
        session: SessionId,
        allocated_at: Site,
        thread: u32,
    ) {
        let Some(mut entry) = self.get(key) else {
            return;
        };
        entry.state = State::Live;
        entry.len = None;
        entry.previewed = 0;
        entry.session = 0;
        entry.is_ignored = false;
        entry.is_blamed = false;
        entry.is_refused = false;
        entry.is_prefix_told = false;
        entry.was_unterminated = false;
        entry.allocated_at = allocated_at;
        entry.thread = thread;
        if let Some(book) = self.session(session) {
            book.counts.comes(entry.size);
            entry.id = book.counts.allocated;
            entry.session = session;
        }
        self.entries.insert(key, entry);
    }

    /// The holder's size of a block changed.
    pub(super) fn resized(&mut self, key: usize, size: usize) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        let (old, session) = (entry.size, entry.session);
        entry.size = size;
        entry.len = None;
        if let Some(book) = self.session(session) {
            let counts = &mut book.counts;
            counts.live_bytes = counts.live_bytes - old as u64 + size as u64;
        }
    }

    /// A live block is freed: its session no longer counts it.
    ///
    /// # Safety
    ///
    /// * Its holder has freed it, and its contents are as that left them.
    pub(super) unsafe fn freed(&mut self, key: usize, state: State, freed_at: Site) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        // SAFETY: whoever frees a block does not write to it any more.
        unsafe { entry.remember() };
        entry.state = state;
        entry.freed_at = freed_at;
        let (session, size) = (entry.session, entry.size);
        let generation = entry.generation();
        self.crossed.freed(generation);
        if let Some(book) = self.session(session) {
            book.counts.goes(size);
        }
    }

    /// Forgets a block, and gives it back.
    ///
    /// # Safety
    ///
    /// * Nobody uses the block any more, and it is in no quarantine.
    pub(super) unsafe fn release(&mut self, key: usize) {
        if let Some(entry) = self.entries.remove(&key) {
            // SAFETY: the caller's promise.
            unsafe { self.give_back(&entry) };
        }
    }

    /// The live blocks of a session that are its own, with their keys, in no order. It asks for no memory.
    fn own(&self, id: SessionId) -> impl Iterator<Item = (&usize, &Entry)> {
        let book = self.sessions.iter().find(|book| book.id == id);
        let first_own = book.map_or(0, |book| book.inherited.allocated);
        self.entries.iter().filter(move |(_, entry)| {
            entry.session == id && entry.is_live() && entry.id > first_own
        })
    }

    /// The live blocks of a session that are its own, in the order of their numbers. Where there is no memory for the
    /// list there is none, and they count as violations that could not be kept.
    pub(super) fn live_in(&mut self, id: SessionId) -> Vec<usize, System> {
        let mut live = Vec::new_in(System);
        let count = self.own(id).count();
        if live.try_reserve(count).is_ok() {
            live.extend(self.own(id).map(|(key, _)| *key));
        } else if let Some(book) = self.session(id) {
            book.dropped += count as u64;
        }
        live.sort_unstable_by_key(|key| self.get(*key).map(|entry| entry.id));
        live
    }

    // -------------------------------------------------------------------------------- judgement

    /// Where a pointer leads that was given to a function of a family; `block` is the block that it would be.
    pub(super) fn place(&self, block: *mut u8, family: Family) -> Place {
        let address = block.addr();
        if self.entries.contains_key(&key(address)) {
            return Place::Start(key(address));
        }
        let pointer = held(address, family);
        let other = match family {
            Family::Bstr => pointer,
            Family::Task => pointer.wrapping_sub(HEADER),
        };
        if let Some(entry) = self.entries.get(&key(other))
            && entry.family != family
        {
            return Place::WrongFamily(key(other));
        }
        // The usual case first, for the other question may take long.
        if self.plain_size(address).is_some() {
            return Place::Plain;
        }
        // What a spy has put room around starts where the spy says.
        let is_start = |owner| owner != family && innermost::spyed_as(other) == Some(owner);
        match self.inside(pointer) {
            Place::PlainInside(owner, _)
                if is_start(owner) || owner != family && self.plain_size(other).is_some() =>
            {
                Place::PlainWrongFamily(owner)
            }
            Place::Inside(key, _) if self.get(key).is_some_and(|entry| is_start(entry.family)) => {
                Place::WrongFamily(key)
            }
            place => place,
        }
    }

    /// The block that an address lies in: [`Place::Inside`], [`Place::PlainInside`] or [`Place::Nowhere`].
    pub(super) fn inside(&self, address: usize) -> Place {
        let Some(found) = innermost::containing(address) else {
            return match self.pages.get(&(address / page::size())) {
                Some(key) => Place::Inside(*key, address.wrapping_sub(!key).cast_signed()),
                None => Place::Nowhere,
            };
        };
        match self.start_in(found.start) {
            Some(start) => Place::Inside(key(start), address.wrapping_sub(start).cast_signed()),
            None => Place::PlainInside(found.family, address.wrapping_sub(found.start)),
        }
    }

    /// Where the audited block starts that the heap's block at an address is for: behind its guard, or, if it is from
    /// before the session and was freed, right there.
    fn start_in(&self, start: usize) -> Option<usize> {
        let is_of_it = |first: &usize| {
            // What is 32 bytes on may be the next block.
            let entry = self.entries.get(&key(*first));
            entry.is_some_and(|entry| entry.real.reveal().addr() == start)
        };
        [start.wrapping_add(FRONT), start]
            .into_iter()
            .find(is_of_it)
    }

    /// The size of the live block that starts at an address, if it is one that is not audited.
    pub(super) fn plain_size(&self, address: usize) -> Option<usize> {
        let size = innermost::size_of(address)?;
        self.start_in(address).is_none().then_some(size)
    }

    /// The key of the block that starts at an address. A spy may have put room around it.
    pub(super) fn key_of(&self, start: usize) -> usize {
        if self.entries.contains_key(&key(start)) {
            return key(start);
        }
        match self.inside(start) {
            Place::Inside(key, _) => key,
            _ => key(start),
        }
    }
}

/// Where the newest tables start. Nobody reads it but a leak checker, so the compiler must be told that it is used.
#[used]
static ENTRIES: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
#[used]
static PAGES: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

/// A table's own memory: the system's.
const fn memory(start: &'static AtomicPtr<u8>) -> TableMemory<System> {
    TableMemory {
        backing: &System,
        start,
    }
}

static BOOKS: Lock<Books> = Lock::new(Books::new());

/// The session that covers threads without one of their own; 0 if none does.
static PROCESS: AtomicU64 = AtomicU64::new(0);

/// The session of threads that are in none of their own; 0 if there is none.
pub(super) fn process_session() -> SessionId {
    PROCESS.load(Ordering::Relaxed)
}

/// Has threads without a session be in this one.
#[cfg(all(unix, not(miri)))]
pub(super) fn cover_process(session: SessionId) {
    PROCESS.store(session, Ordering::Relaxed);
}

/// The books. Nothing but the heap's innermost doors may be called meanwhile.
pub(super) fn books() -> lock::Guard<'static, Books> {
    BOOKS.lock()
}

/// The books, unless somebody is at work on them.
#[cfg(all(unix, not(miri)))]
pub(super) fn books_at_rest() -> Option<lock::Guard<'static, Books>> {
    BOOKS.try_lock()
}

/// Called at each violation: a place for a debugger to stop at, by a name that it can find.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
#[inline(never)]
extern "C" fn olemem_on_violation() {
    core::hint::black_box(());
}

/// The pointer that a block's holder has: a BSTR points behind its header.
pub(super) fn held(block: usize, family: Family) -> usize {
    match family {
        Family::Bstr => block.wrapping_add(HEADER),
        Family::Task => block,
    }
}

/// The key of the block that starts at an address.
pub(super) fn key(start: usize) -> usize {
    !start
}
