//! How blocks are held: a heap over any backing allocator.
//!
//! ```text
//!                  ┌─ small ─► the thread's magazine ◄─► racks of its slabs ◄─► depot ◄─► backing
//!  alloc, free ────┤                                         ▲
//!                  │                                         └─ other threads' returns
//!                  └─ large ─► table ─► backing
//! ```
//!
//! Which of the two a pointer belongs to is asked of the registry of slabs; what it knows nothing of is
//! asked of the table. So every question has an exact answer, and no memory is read that may not be ours.

use std::fmt;
use std::process;
use std::ptr;

use allocator_api2::alloc::{Allocator, System};

use crate::task::block::{Family, Found};
use crate::task::complain::complain;
use crate::task::depot::Depot;
use crate::task::dimensions::{MAGAZINE, SEATS, SPARE_UNITS};
use crate::task::large::Large;
use crate::task::local::{Leave, Local, Shelf};
use crate::task::registry::Registry;
use crate::task::size_class::{SMALL_MAX, class_of, units};
use crate::task::slab::{FreeSlot, FreedTwice, Home, Place, Slab, State};
use crate::task::sync::{AtomicPtr, Lock, Ordering, array, constructor};
use crate::task::thread;
use crate::task::thread_identity::identity;

pub(crate) use crate::task::slab::NotLive;

/// A heap over a backing allocator.
pub(crate) struct Store<A: Allocator + Sync + 'static = System> {
    registry: Registry,
    /// Where threads find their own parts.
    seats: [AtomicPtr<Local>; SEATS],
    depot: Lock<Depot>,
    /// The part of threads that are about to end.
    late: Lock<()>,
    late_part: Local,
    large: Large<A>,
    backing: A,
}

/// The identity of [`Store::late_part`]. No thread has it.
const LATE: usize = 1;

// SAFETY: what is not shared by its own means is used under the lock beside it, or belongs to a thread.
unsafe impl<A: Allocator + Sync> Sync for Store<A> {}

impl<A: Allocator + Sync> fmt::Debug for Store<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl<A: Allocator + Sync> Store<A> {
    constructor! {
        pub(crate) fn new(backing: A) -> Self {
            Self {
                registry: Registry::new(),
                seats: array![AtomicPtr::new(ptr::null_mut()); SEATS],
                depot: Lock::new(Depot::new()),
                late: Lock::new(()),
                late_part: Local::new(),
                large: Large::new(),
                backing,
            }
        }
    }
}

/// The doors' operations.
impl<A: Allocator + Sync> Store<A> {
    /// A new block of `size` bytes; null if there is no memory.
    #[inline]
    pub(crate) fn alloc(&'static self, size: usize, family: Family) -> *mut u8 {
        match self.alloc_at_hand(size, family) {
            Some(block) => block,
            None => self.alloc_from_afar(size, size, family),
        }
    }

    /// A new block, if the thread has a free slot in its magazine.
    #[inline]
    pub(crate) fn alloc_at_hand(&'static self, size: usize, family: Family) -> Option<*mut u8> {
        if size > SMALL_MAX {
            return None;
        }
        let slot = self.seated()?.shelf(class_of(size)).pop()?;
        slot.state.set(State::live(size, family));
        Some(slot.block)
    }

    /// Gives a block back.
    ///
    /// # Safety
    ///
    /// * Nobody uses the block any more, if one is there.
    #[inline]
    pub(crate) unsafe fn free(&'static self, block: *mut u8) -> Result<(), NotLive> {
        // SAFETY: the caller's promise.
        if unsafe { self.free_at_hand(block) } {
            Ok(())
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.free_from_afar(block) }
        }
    }

    /// Gives a block back, if it is one of this thread's own slabs; `false` if it is not, or no block.
    ///
    /// # Safety
    ///
    /// * As for [`free`](Self::free).
    #[inline]
    pub(crate) unsafe fn free_at_hand(&'static self, block: *mut u8) -> bool {
        let Some(slab) = self.registry.get(block.addr()) else {
            return false;
        };
        if !slab.is_owned_by(identity()) {
            return false;
        }
        // SAFETY: this thread owns the slab.
        let Ok((slot, _)) = (unsafe { slab.live_at(block.addr()) }) else {
            return false;
        };
        slot.state.set(State::FREE);
        // SAFETY: as above.
        let shelf: *const Shelf = unsafe { slab.shelf() }.cast();
        // SAFETY: a shelf of the thread's part, which was leaked: `change_slab` gave it to the slab.
        let shelf = unsafe { &*shelf };
        // SAFETY: this thread owns the slab; the slot was live, so it is nowhere else.
        if !shelf.push(slot) && unsafe { slab.put(slot, MAGAZINE) } {
            // SAFETY: as above.
            unsafe { self.after_put(slab) };
        }
        true
    }

    /// The block at another size; null if there is no memory, and the block stays.
    ///
    /// # Safety
    ///
    /// * Nobody else uses the block, if one is there.
    pub(crate) unsafe fn resize(
        &'static self,
        block: *mut u8,
        size: usize,
    ) -> Result<*mut u8, NotLive> {
        let Some(slab) = self.registry.get(block.addr()) else {
            // SAFETY: the caller's promise.
            return unsafe { self.resize_large(block, size) };
        };
        let (state, room) = if slab.is_owned_by(identity()) {
            // SAFETY: this thread owns the slab.
            let (slot, state) = unsafe { slab.live_at(block.addr()) }?;
            // SAFETY: as above.
            let room = unsafe { slab.slot_size() };
            if stays(state.family(), size, room) {
                slot.state.set(State::live(size, state.family()));
            }
            (state, room)
        } else {
            self.resize_from_afar(slab, block.addr(), size)?
        };
        if stays(state.family(), size, room) {
            return Ok(block);
        }
        // SAFETY: the caller's promise, and the block is live.
        Ok(unsafe { self.carry(block, state, room, size) })
    }

    /// The size of a block; `None` if none starts there.
    pub(crate) fn size_of(&'static self, address: usize) -> Option<usize> {
        let Some(slab) = self.registry.get(address) else {
            return self.large.size_of(address);
        };
        let state = if slab.is_owned_by(identity()) {
            // SAFETY: this thread owns the slab.
            unsafe { slab.live_at(address) }.ok()?.1
        } else {
            slab.change_from_afar(address, |state, _| state).ok()?.0
        };
        Some(state.size())
    }

    /// The live block that an address lies in, its start included.
    pub(crate) fn containing(&'static self, address: usize) -> Option<Found> {
        match self.registry.get(address) {
            Some(slab) => slab.containing(address),
            None => self.large.containing(address),
        }
    }

    /// Gives spare memory back: this thread's, and what nobody has.
    pub(crate) fn minimize(&'static self) {
        if let Some(local) = thread::part_of(self.name()) {
            self.collect(local);
            self.unload(local);
        }
        {
            let _late = self.late.lock();
            self.collect(&self.late_part);
            self.unload(&self.late_part);
        }
        self.depot.lock().minimize(&self.backing);
        self.large.minimize(&self.backing);
    }
}

/// Where a memory checker watches, every block is an allocation of the backing's own, of exactly its size.
impl<A: Allocator + Sync> Store<A> {
    /// As [`alloc`](Self::alloc).
    pub(crate) fn alloc_apart(&'static self, size: usize, family: Family) -> *mut u8 {
        self.large.alloc(size, size, family, &self.backing)
    }

    /// As [`resize`](Self::resize).
    ///
    /// # Safety
    ///
    /// * As for [`resize`](Self::resize).
    pub(crate) unsafe fn resize_apart(
        &'static self,
        block: *mut u8,
        size: usize,
    ) -> Result<*mut u8, NotLive> {
        if self.registry.get(block.addr()).is_some() {
            // SAFETY: the caller's promise.
            return unsafe { self.resize(block, size) };
        }
        let capacity = |room: usize, family| match family {
            // A string that shrinks keeps its address (V036).
            Family::Bstr if size <= room => room,
            _ => size.max(1),
        };
        // SAFETY: the caller's promise.
        unsafe { self.large.resize(block, size, capacity, &self.backing) }
    }
}

/// Whether a block of a size stays in a slot of so much room. A string does whenever it can (V036); other
/// memory moves where it would leave three quarters of the slot unused.
#[inline]
fn stays(family: Family, size: usize, room: usize) -> bool {
    size <= room && (family == Family::Bstr || size > room / 4)
}

/// The long ways.
impl<A: Allocator + Sync> Store<A> {
    /// A new block of `size` bytes with room for `room`, which are no fewer.
    #[inline(never)]
    fn alloc_from_afar(&'static self, size: usize, room: usize, family: Family) -> *mut u8 {
        if room > SMALL_MAX {
            return self
                .large
                .alloc(size, large_room(room), family, &self.backing);
        }
        let class = class_of(room);
        let slot = match self.local() {
            Some(local) => {
                let shelf = local.shelf(class);
                shelf
                    .pop()
                    .or_else(|| self.refill(local, identity(), class))
            }
            None => {
                let _late = self.late.lock();
                let shelf = self.late_part.shelf(class);
                shelf
                    .pop()
                    .or_else(|| self.refill(&self.late_part, LATE, class))
            }
        };
        match slot {
            Some(slot) => {
                slot.state.set(State::live(size, family));
                slot.block
            }
            None => ptr::null_mut(),
        }
    }

    /// # Safety
    ///
    /// * As for [`free`](Self::free).
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn free_from_afar(&'static self, block: *mut u8) -> Result<(), NotLive> {
        let address = block.addr();
        let Some(slab) = self.registry.get(address) else {
            // SAFETY: the caller's promise.
            return unsafe { self.large.free(block, &self.backing) };
        };
        if slab.is_owned_by(identity()) {
            // SAFETY: the caller's promise.
            return match unsafe { self.free_at_hand(block) } {
                true => Ok(()),
                false => Err(NotLive),
            };
        }
        if slab.free_from_afar(address)? {
            let depot = self.depot.lock();
            must_be_once(depot.visit(slab, &self.registry, &self.backing));
        }
        Ok(())
    }

    /// # Safety
    ///
    /// * As for [`resize`](Self::resize).
    #[inline(never)]
    unsafe fn resize_large(&'static self, block: *mut u8, size: usize) -> Result<*mut u8, NotLive> {
        let capacity = |room: usize, family| match family {
            Family::Bstr if size <= room => room,
            Family::Bstr => large_room(grown(size, room)),
            Family::Task if size <= room && size > room / 2 => room,
            Family::Task => large_room(size),
        };
        // SAFETY: the caller's promise.
        unsafe { self.large.resize(block, size, capacity, &self.backing) }
    }

    /// A block for one that does not stay where it is: its contents are carried over, and it is freed. Null if
    /// there is no memory, and it stays.
    ///
    /// # Safety
    ///
    /// * A live block is there, of this state and room, and nobody else uses it.
    #[cold]
    #[inline(never)]
    unsafe fn carry(
        &'static self,
        block: *mut u8,
        state: State,
        room: usize,
        size: usize,
    ) -> *mut u8 {
        let family = state.family();
        let wanted = match family {
            Family::Bstr => grown(size, room),
            Family::Task => size,
        };
        let new = self.alloc_from_afar(size, wanted, family);
        if !new.is_null() {
            // SAFETY: both blocks are live, and have as many bytes; a new one overlaps nothing.
            unsafe { new.copy_from_nonoverlapping(block, state.size().min(size)) };
            // SAFETY: the caller promises a live block, and it was used for the last time above.
            let freed = unsafe { self.free(block) };
            debug_assert!(freed.is_ok(), "the block was live");
        }
        new
    }

    #[cold]
    #[inline(never)]
    fn resize_from_afar(
        &'static self,
        slab: &'static Slab,
        address: usize,
        size: usize,
    ) -> Result<(State, usize), NotLive> {
        slab.change_from_afar(address, |state, room| {
            if stays(state.family(), size, room) {
                State::live(size, state.family())
            } else {
                state
            }
        })
    }
}

/// How much to ask for where a string of `room` bytes has become too small for `size`: so much that a string
/// that grows step by step is not copied at every step.
fn grown(size: usize, room: usize) -> usize {
    size.max(room.saturating_add(room / 2))
}

/// A large block's room: whole pages, for the backing gives no less.
fn large_room(size: usize) -> usize {
    const PAGE: usize = 4096;
    size.checked_next_multiple_of(PAGE).unwrap_or(size)
}

/// Ends the process if a block was freed by two threads at once: one of them has been told that all was well.
fn must_be_once(result: Result<(), FreedTwice>) {
    #[cold]
    #[inline(never)]
    fn end(block: usize) -> ! {
        complain(format_args!(
            "free of {block:#x}: two threads freed this block at the same time"
        ));
        process::abort();
    }
    if let Err(FreedTwice(block)) = result {
        end(block);
    }
}

/// A thread's part.
impl<A: Allocator + Sync> Store<A> {
    /// What tells this heap from others.
    fn name(&'static self) -> *const () {
        ptr::from_ref(self).cast()
    }

    #[inline]
    fn seat(&'static self, identity: usize) -> &'static AtomicPtr<Local> {
        // The lowest bits are the same in all of them.
        let mixed = (identity >> 4).wrapping_mul(0x9E37_79B1);
        &self.seats[(mixed >> 16) % SEATS]
    }

    /// This thread's part, if it sits where it is looked for first.
    #[inline]
    fn seated(&'static self) -> Option<&'static Local> {
        let me = identity();
        let local = self.seat(me).load(Ordering::Acquire);
        // SAFETY: null, or a leaked `Local`.
        let local = unsafe { local.as_ref() }?;
        (local.home.identity.load(Ordering::Relaxed) == me).then_some(local)
    }

    /// This thread's part; `None` if the thread is about to end, or there is no memory for one.
    fn local(&'static self) -> Option<&'static Local> {
        if let Some(local) = self.seated().or_else(|| thread::part_of(self.name())) {
            return Some(local);
        }
        if !thread::may_have_parts() {
            return None;
        }
        let local = self.depot.lock().hire(&self.backing)?;
        local.leave.set(Some(Leave {
            heap: self.name(),
            function: Self::leave,
        }));
        thread::add_part(local);
        let seat = self.seat(identity());
        let sitting = seat.load(Ordering::Acquire);
        // SAFETY: null, or a leaked `Local`.
        let is_taken = unsafe { sitting.as_ref() }
            .is_some_and(|other| other.home.identity.load(Ordering::Relaxed) != 0);
        if !is_taken {
            // Two threads may both find it free. The one that comes second sits, and the other is found by
            // the longer way.
            seat.store(ptr::from_ref(local).cast_mut(), Ordering::Release);
        }
        Some(local)
    }

    /// Gives a thread's part up.
    ///
    /// # Safety
    ///
    /// * `heap` is a heap of this type, and `local` a part of it that this thread has, and will not use again.
    unsafe fn leave(heap: *const (), local: &'static Local) {
        // SAFETY: the caller's promise; heaps are static.
        let heap: &'static Self = unsafe { &*heap.cast() };
        heap.unload(local);
        let depot = heap.depot.lock();
        while let Some(slab) = local.owned.first() {
            // SAFETY: this thread owns the slab.
            unsafe { local.owned.remove(slab) };
            // SAFETY: this thread owns the slab and has the depot, and the magazines are empty.
            must_be_once(unsafe { slab.give_up() });
            // SAFETY: nobody owns it now; the lists of its owner are forgotten below.
            unsafe { depot.receive(slab, &heap.registry, &heap.backing) };
        }
        local.forget();
        local.home.identity.store(0, Ordering::Relaxed);
        depot.dismiss(local);
    }

    /// A free slot of a class for the thread that has this part, and more for its magazine.
    fn refill(
        &'static self,
        local: &'static Local,
        identity: usize,
        class: usize,
    ) -> Option<FreeSlot> {
        let shelf = local.shelf(class);
        loop {
            let Some(slab) = shelf.current.get() else {
                self.change_slab(local, identity, class)?;
                continue;
            };
            let mut first = None;
            // SAFETY: the thread owns what its part leads to.
            unsafe {
                slab.take(1 + shelf.wants(), |slot| match first {
                    None => first = Some(slot),
                    Some(_) => shelf.load(slot),
                });
            }
            if first.is_some() {
                return first;
            }
            // SAFETY: as above.
            unsafe { slab.mine() }.place.set(Place::Aside);
            shelf.current.set(None);
        }
    }

    /// Finds another slab to take slots of a class from. `None` if there is no memory.
    fn change_slab(
        &'static self,
        local: &'static Local,
        identity: usize,
        class: usize,
    ) -> Option<()> {
        let shelf = local.shelf(class);
        if shelf.listed.first().is_none() {
            self.collect(local);
        }
        let slab = match shelf.listed.first() {
            Some(slab) => {
                // SAFETY: the thread owns what its part leads to.
                unsafe { shelf.listed.remove(slab) };
                slab
            }
            None => {
                let depot = self.depot.lock();
                let slab = depot.obtain(class, &self.registry, &self.backing)?;
                let home: *const Home = ptr::from_ref(local).cast();
                let shelf = ptr::from_ref(shelf).cast();
                // SAFETY: the slab is nobody's, this is the depot, and the part is the thread's, or the late
                // one whose lock it holds.
                must_be_once(unsafe { slab.adopt(identity, home, shelf) });
                // SAFETY: the thread owns the slab now.
                unsafe { local.owned.push(slab) };
                slab
            }
        };
        // SAFETY: the thread owns what its part leads to.
        unsafe { slab.mine() }.place.set(Place::Current);
        shelf.current.set(Some(slab));
        Some(())
    }

    /// Looks after a slab of this thread's that has become of another kind by a slot in its rack.
    ///
    /// # Safety
    ///
    /// * This thread owns the slab.
    #[cold]
    #[inline(never)]
    unsafe fn after_put(&'static self, slab: &'static Slab) {
        // SAFETY: the caller's promise.
        let local: *const Local = unsafe { slab.home() }.cast();
        // SAFETY: a home is the first part of a leaked `Local`, and the pointer was made from the whole.
        let local = unsafe { &*local };
        // SAFETY: the caller's promise.
        unsafe { self.sort_out(local, slab) };
    }

    /// Lists a slab that has something in its rack, or gives it up if it has no block at all.
    ///
    /// # Safety
    ///
    /// * The thread owns the slab, and has the part.
    unsafe fn sort_out(&'static self, local: &'static Local, slab: &'static Slab) {
        // SAFETY: the caller's promise.
        let mine = unsafe { slab.mine() };
        // SAFETY: as above.
        let (racked, slots) = unsafe { slab.fill() };
        // SAFETY: as above.
        let class = unsafe { slab.class() };
        let shelf = local.shelf(class);
        if mine.place.get() == Place::Aside && racked > 0 {
            mine.place.set(Place::Listed);
            // SAFETY: as above, and a slab that is aside is in no list.
            unsafe { shelf.listed.push(slab) };
        }
        if racked + shelf.loaded() >= slots {
            // SAFETY: as above.
            let held = shelf.count(|slot| unsafe { slab.holds(slot.block) });
            if racked + held == slots {
                // SAFETY: as above.
                unsafe { self.without_blocks(local, slab, class) };
            }
        }
    }

    /// Decides what becomes of a slab without blocks: the one that is current stays, if not too many do.
    ///
    /// # Safety
    ///
    /// * The thread owns the slab, of this class, and has the part; no slot of it is a block.
    unsafe fn without_blocks(
        &'static self,
        local: &'static Local,
        slab: &'static Slab,
        class: usize,
    ) {
        // SAFETY: the caller's promise.
        if unsafe { slab.mine() }.place.get() != Place::Current {
            // SAFETY: as above.
            unsafe { self.give_up(local, slab, class) };
            return;
        }
        let bit = 1 << class;
        if local.idle.get() & bit != 0 {
            return;
        }
        local.idle.set(local.idle.get() | bit);
        let mut kept = 0;
        let mut others = local.idle.get();
        while others != 0 {
            // The largest first: they are kept least.
            let other = others.ilog2() as usize;
            others &= !(1 << other);
            kept += units(other);
            if kept <= SPARE_UNITS {
                continue;
            }
            kept -= units(other);
            local.idle.set(local.idle.get() & !(1 << other));
            if let Some(current) = local.shelf(other).current.get() {
                // SAFETY: the thread owns what its part leads to.
                unsafe { self.give_up_if_idle(local, current, other) };
            }
        }
    }

    /// Gives a slab up if it has no block.
    ///
    /// # Safety
    ///
    /// * The thread owns the slab, of this class, and has the part.
    unsafe fn give_up_if_idle(
        &'static self,
        local: &'static Local,
        slab: &'static Slab,
        class: usize,
    ) {
        // SAFETY: the caller's promise.
        let (racked, slots) = unsafe { slab.fill() };
        // SAFETY: as above.
        let held = local
            .shelf(class)
            .count(|slot| unsafe { slab.holds(slot.block) });
        if racked + held == slots {
            // SAFETY: as above.
            unsafe { self.give_up(local, slab, class) };
        }
    }

    /// Gives up a slab without blocks.
    ///
    /// # Safety
    ///
    /// * As for [`without_blocks`](Self::without_blocks).
    unsafe fn give_up(&'static self, local: &'static Local, slab: &'static Slab, class: usize) {
        let shelf = local.shelf(class);
        // SAFETY: the caller's promise.
        let is_held = |slot: &FreeSlot| unsafe { slab.holds(slot.block) };
        shelf.unload(is_held, |slot| {
            // SAFETY: the caller's promise; the slot came out of the magazine.
            unsafe { slab.put(slot, 0) };
        });
        // SAFETY: the caller's promise.
        match unsafe { slab.mine() }.place.get() {
            Place::Current => shelf.current.set(None),
            // SAFETY: as above.
            Place::Listed => unsafe { shelf.listed.remove(slab) },
            Place::Aside => {}
        }
        // SAFETY: as above.
        unsafe { local.owned.remove(slab) };
        let depot = self.depot.lock();
        // SAFETY: as above; this thread has the depot, and the magazine has none of the slab's.
        must_be_once(unsafe { slab.give_up() });
        // SAFETY: nobody owns it now, and it is in no list.
        unsafe { depot.receive(slab, &self.registry, &self.backing) };
    }

    /// Takes in what other threads returned.
    fn collect(&'static self, local: &'static Local) {
        let mut told = local.home.take_told();
        while let Some(slab) = told {
            // Before it is collected: then it may be told of again.
            told = slab.next_told.get();
            // SAFETY: the thread owns what its part leads to.
            must_be_once(unsafe { slab.collect() });
            // SAFETY: as above.
            unsafe { self.sort_out(local, slab) };
        }
    }

    /// Empties the magazines, and gives up all slabs without blocks.
    fn unload(&'static self, local: &'static Local) {
        for class in 0..crate::task::size_class::CLASSES {
            local.shelf(class).unload(
                |_| true,
                |slot| {
                    if let Some(slab) = self.registry.get(slot.block.addr()) {
                        // SAFETY: a magazine holds slots of slabs that its thread owns; this one came out of it.
                        unsafe { slab.put(slot, 0) };
                    }
                },
            );
        }
        local.idle.set(0);
        let mut next = local.owned.first();
        while let Some(slab) = next {
            // SAFETY: the thread owns what its part leads to.
            next = unsafe { slab.mine() }.of_owner.next.get();
            // SAFETY: as above.
            let (racked, slots) = unsafe { slab.fill() };
            // SAFETY: as above.
            let class = unsafe { slab.class() };
            if racked == slots {
                // SAFETY: as above, and no slot of it is a block.
                unsafe { self.give_up(local, slab, class) };
            } else {
                // SAFETY: as above.
                unsafe { self.sort_out(local, slab) };
            }
        }
    }
}

#[cfg(all(unix, not(miri)))]
mod forking {
    use super::{Allocator, LATE, Ordering, Store, identity};
    use crate::task::large::KeptTables;
    use crate::task::lock::Kept;

    /// The locks of a heap, kept by a thread while it forks.
    pub(crate) struct KeptHeap {
        late: Kept<'static>,
        depot: Kept<'static>,
        tables: KeptTables,
    }

    impl<A: Allocator + Sync> Store<A> {
        /// Takes all locks but those of slabs, which the child makes anew.
        pub(crate) fn keep(&'static self) -> KeptHeap {
            KeptHeap {
                late: self.late.lock().keep(),
                depot: self.depot.lock().keep(),
                tables: self.large.keep(),
            }
        }

        /// Gives the locks back in the parent.
        pub(crate) fn release(&'static self, kept: KeptHeap) {
            kept.tables.release();
            kept.depot.release();
            kept.late.release();
        }

        /// Puts the heap in order in the child, and gives the locks back. What other threads had is nobody's.
        pub(crate) fn release_in_child(&'static self, kept: KeptHeap) {
            let me = identity();
            {
                // The lock is kept by this thread, which may therefore take it.
                let depot = self.depot.lock();
                depot.forget_waiting();
                let survives = |identity| identity == me || identity == LATE;
                for local in depot.parts() {
                    let identity = local.home.identity.load(Ordering::Relaxed);
                    if survives(identity) {
                        let _ = local.home.take_told();
                    } else if identity != 0 {
                        local.forget();
                        local.home.identity.store(0, Ordering::Relaxed);
                        depot.dismiss(local);
                    }
                }
                let _ = self.late_part.home.take_told();
                for slab in depot.slabs() {
                    // SAFETY: the child has one thread, and it has the depot; the parts of others were emptied.
                    unsafe { slab.recover(survives) };
                    if slab.is_nobodys() {
                        // SAFETY: nobody owns it, and what waited was forgotten.
                        unsafe { depot.receive(slab, &self.registry, &self.backing) };
                    } else if slab.has_returned() {
                        slab.tell_owner();
                    }
                }
            }
            kept.tables.release_in_child();
            kept.depot.release_in_child();
            kept.late.release_in_child();
        }
    }
}
#[cfg(all(unix, not(miri)))]
pub(crate) use forking::KeptHeap;
