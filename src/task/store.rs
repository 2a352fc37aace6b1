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

use crate::task::backing::Backing;
use crate::task::block::{Family, Found};
use crate::task::complain::complain;
use crate::task::depot::Depot;
use crate::task::dimensions::SEATS;
use crate::task::large::Large;
use crate::task::local::{Local, Shelf};
use crate::task::registry::Registry;
use crate::task::size_class::{SMALL_MAX, class_of};
use crate::task::slab::{FreedTwice, Slab, State};
use crate::task::sync::{AtomicPtr, Lock, array, constructor};
use crate::task::thread;
use crate::task::thread_identity::identity;
use crate::task::whole::Whole;

// The paths hold as well where a model includes this file by a path.
#[cfg(all(unix, not(miri)))]
#[path = "store/forking.rs"]
mod forking;
#[path = "store/parts.rs"]
mod parts;

pub(crate) use crate::task::slab::NotLive;
#[cfg(all(unix, not(miri)))]
pub(crate) use forking::KeptHeap;

/// A heap over a backing allocator.
pub(crate) struct Store<A: Allocator + Sync + 'static = System> {
    registry: Registry,
    /// Where threads find their own parts.
    seats: Whole<[AtomicPtr<Local>; SEATS]>,
    depot: Lock<Depot>,
    /// The part of threads that are about to end.
    late: Lock<()>,
    late_part: Whole<Local>,
    large: Large<Backing<A>>,
    backing: Backing<A>,
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
        pub(crate) fn new(backing: Backing<A>) -> Self {
            Self {
                registry: Registry::new(),
                seats: Whole::new(array![AtomicPtr::new(ptr::null_mut()); SEATS]),
                depot: Lock::new(Depot::new()),
                late: Lock::new(()),
                late_part: Whole::new(Local::new()),
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

    /// A new block, if the thread has a free slot in its magazine or its current slab.
    #[inline]
    pub(crate) fn alloc_at_hand(&'static self, size: usize, family: Family) -> Option<*mut u8> {
        if size > SMALL_MAX {
            return None;
        }
        let shelf = self.seated()?.shelf(class_of(size));
        // SAFETY: the part is this thread's.
        let slot = shelf.pop().or_else(|| unsafe { shelf.take() })?;
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
        if !shelf.push(slot) && unsafe { slab.put(slot) } {
            // SAFETY: as above.
            unsafe { self.after_put(slab) };
        }
        true
    }

    /// The block at another size, by a function of a family; null if there is no memory, and the block stays.
    ///
    /// # Safety
    ///
    /// * Nobody else uses the block, if one is there.
    pub(crate) unsafe fn resize(
        &'static self,
        block: *mut u8,
        size: usize,
        family: Family,
    ) -> Result<*mut u8, NotLive> {
        let Some(slab) = self.registry.get(block.addr()) else {
            // SAFETY: the caller's promise.
            return unsafe { self.resize_large(block, size, family) };
        };
        let (state, room) = if slab.is_owned_by(identity()) {
            // SAFETY: this thread owns the slab.
            let (slot, state) = unsafe { slab.live_at(block.addr()) }?;
            // SAFETY: as above.
            let room = unsafe { slab.slot_size() };
            if stays(family, size, room) {
                slot.state.set(State::live(size, state.family()));
            }
            (state, room)
        } else {
            self.resize_from_afar(slab, block.addr(), size, family)?
        };
        if stays(family, size, room) {
            return Ok(block);
        }
        // SAFETY: the caller's promise, and the block is live.
        Ok(unsafe { self.carry(block, state, room, size, family) })
    }

    /// Gives a block another size, by a function for strings, if it is at hand and has room; `false` if not.
    ///
    /// # Safety
    ///
    /// * As for [`resize`](Self::resize).
    #[inline]
    pub(crate) unsafe fn resize_string_at_hand(&'static self, block: *mut u8, size: usize) -> bool {
        let address = block.addr();
        // No slab has room for more.
        let slab = if size <= SMALL_MAX {
            self.registry.get(address)
        } else {
            None
        };
        let Some(slab) = slab else {
            let local = self.seated();
            return local.is_some_and(|local| local.memo.get().tells(address, size));
        };
        if !slab.is_owned_by(identity()) {
            return false;
        }
        // SAFETY: this thread owns the slab.
        let Ok((slot, state)) = (unsafe { slab.live_at(address) }) else {
            return false;
        };
        // SAFETY: as above.
        let room = unsafe { slab.slot_size() };
        let fits = stays(Family::Bstr, size, room);
        if fits {
            slot.state.set(State::live(size, state.family()));
        }
        fits
    }

    /// As [`resize_string_at_hand`](Self::resize_string_at_hand), of a large block that the thread does not remember.
    ///
    /// # Safety
    ///
    /// * As for [`resize`](Self::resize).
    pub(crate) unsafe fn resize_large_string_in_place(
        &'static self,
        block: *mut u8,
        size: usize,
    ) -> bool {
        if self.registry.get(block.addr()).is_some() {
            return false;
        }
        let Some(memo) = self.large.resize_in_place(block.addr(), size) else {
            return false;
        };
        if let Some(local) = self.seated() {
            local.memo.set(memo);
        }
        true
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
            None => self.large.containing(address, &self.backing),
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
            self.collect(self.late_part.get());
            self.unload(self.late_part.get());
        }
        self.depot.lock().minimize(&self.backing);
        self.large.minimize(&self.backing);
    }
}

/// Where a memory checker watches, every block is an allocation of the backing's own, of exactly its size.
impl<A: Allocator + Sync> Store<A> {
    /// All bytes of a block's allocation, if it is one of its own.
    pub(crate) fn room_apart(&'static self, address: usize) -> Option<usize> {
        self.large.room_of(address)
    }

    /// As [`alloc`](Self::alloc).
    pub(crate) fn alloc_apart(&'static self, size: usize, family: Family) -> *mut u8 {
        self.large.alloc(size, size, family, &self.backing)
    }

    /// As [`alloc`](Self::alloc), of zeros.
    pub(crate) fn alloc_zeroed(&'static self, size: usize, family: Family) -> *mut u8 {
        if size > SMALL_MAX {
            return self
                .large
                .alloc_zeroed(size, large_room(size), family, &self.backing);
        }
        let block = self.alloc(size, family);
        if !block.is_null() {
            // SAFETY: a new block of so many bytes.
            unsafe { block.write_bytes(0, size) };
        }
        block
    }

    /// As [`alloc_apart`](Self::alloc_apart), of zeros.
    pub(crate) fn alloc_zeroed_apart(&'static self, size: usize, family: Family) -> *mut u8 {
        self.large.alloc_zeroed(size, size, family, &self.backing)
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
        family: Family,
    ) -> Result<*mut u8, NotLive> {
        if self.registry.get(block.addr()).is_some() {
            // SAFETY: the caller's promise.
            return unsafe { self.resize(block, size, family) };
        }
        let capacity = |room: usize| match family {
            // A string that shrinks keeps its address (V036).
            Family::Bstr if size <= room => room,
            _ => size.max(1),
        };
        // SAFETY: the caller's promise.
        unsafe { self.large.resize(block, size, capacity, &self.backing) }
    }
}

/// Whether a block of a size stays in a slot of so much room. What is resized as a string does whenever it can
/// (V036); other memory moves where it would leave three quarters of the slot unused.
#[inline]
fn stays(family: Family, size: usize, room: usize) -> bool {
    size <= room && (family == Family::Bstr || size > room / 4)
}

/// The long ways.
impl<A: Allocator + Sync> Store<A> {
    /// A new block of `size` bytes with room for `room`, which are no fewer. Of C's kind as
    /// [`after_put`](Self::after_put) is.
    #[inline(never)]
    extern "C" fn alloc_from_afar(
        &'static self,
        size: usize,
        room: usize,
        family: Family,
    ) -> *mut u8 {
        if room > SMALL_MAX {
            return self
                .large
                .alloc(size, large_room(room), family, &self.backing);
        }
        let class = class_of(room);
        let slot = match self.local() {
            // SAFETY: the part is this thread's.
            Some(local) => unsafe { self.find(local, identity(), class) },
            None => {
                let _late = self.late.lock();
                // SAFETY: the part's lock is held.
                unsafe { self.find(self.late_part.get(), LATE, class) }
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
    unsafe fn resize_large(
        &'static self,
        block: *mut u8,
        size: usize,
        family: Family,
    ) -> Result<*mut u8, NotLive> {
        let capacity = |room: usize| match family {
            Family::Bstr if size <= room => room,
            Family::Bstr => large_room(grown(size, room)),
            Family::Task if size <= room && size > room / 2 => room,
            Family::Task => large_room(size),
        };
        // SAFETY: the caller's promise.
        let mut resized = unsafe { self.large.resize(block, size, capacity, &self.backing) }?;
        if resized.is_null() {
            // Better no room for more than no string.
            // SAFETY: as above, and the block has stayed.
            resized = unsafe { self.large.resize(block, size, |_| size, &self.backing) }?;
        }
        if resized.is_null() {
            return Ok(resized);
        }
        if let Some(local) = self.seated() {
            local.memo.set(self.large.memo(resized.addr(), size));
        }
        Ok(resized)
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
        family: Family,
    ) -> *mut u8 {
        let wanted = match family {
            Family::Bstr => grown(size, room),
            Family::Task => size,
        };
        let mut new = self.alloc_from_afar(size, wanted, state.family());
        if new.is_null() && wanted > size {
            // Better no room for more than no string.
            new = self.alloc_from_afar(size, size, state.family());
        }
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
        family: Family,
    ) -> Result<(State, usize), NotLive> {
        slab.change_from_afar(address, |state, room| {
            if stays(family, size, room) {
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
