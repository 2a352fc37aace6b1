//! A thread's part of a heap: finding it, filling it, giving it up.

use std::ptr;

use allocator_api2::alloc::Allocator;

use crate::task::dimensions::{FEW_SLABS, SEATS, SPARE_UNITS};
use crate::task::local::{Leave, Local, Shelf};
use crate::task::size_class::{CLASSES, units};
use crate::task::slab::{FreeSlot, Home, Place, Slab};
use crate::task::store::{Store, must_be_once};
use crate::task::sync::{AtomicPtr, Ordering};
use crate::task::thread;
use crate::task::thread_identity::identity;

impl<A: Allocator + Sync> Store<A> {
    /// What tells this heap from others.
    pub(super) fn name(&'static self) -> *const () {
        ptr::from_ref(self).cast()
    }

    #[inline]
    fn seat(&'static self, identity: usize) -> &'static AtomicPtr<Local> {
        // The lowest bits are the same in all of them.
        let mixed = (identity >> 4).wrapping_mul(0x9E37_79B1);
        self.seats.at((mixed >> 16) % SEATS)
    }

    /// This thread's part, if it sits where it is looked for first.
    #[inline]
    pub(super) fn seated(&'static self) -> Option<&'static Local> {
        let me = identity();
        let local = self.seat(me).load(Ordering::Acquire);
        // SAFETY: null, or a leaked `Local`.
        let local = unsafe { local.as_ref() }?;
        (local.home.identity.load(Ordering::Relaxed) == me).then_some(local)
    }

    /// This thread's part; `None` if there is no memory for one, or nothing would take it back.
    pub(super) fn local(&'static self) -> Option<&'static Local> {
        if let Some(local) = self.seated().or_else(|| thread::part_of(self.name())) {
            return Some(local);
        }
        let local = self.depot.lock().hire(&self.backing)?;
        local.leave.set(Some(Leave {
            heap: self.name(),
            function: Self::leave,
        }));
        if !thread::add_part(local) {
            self.depot.lock().dismiss(local);
            return None;
        }
        let seat = self.seat(identity());
        let sitting = seat.load(Ordering::Acquire);
        // SAFETY: null, or a leaked `Local`.
        let other =
            unsafe { sitting.as_ref() }.map(|part| part.home.identity.load(Ordering::Relaxed));
        // A part that was given up may have found another thread, which looks for it elsewhere.
        let is_taken = other.is_some_and(|other| other != 0 && ptr::eq(self.seat(other), seat));
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

    /// A free slot of a class, wherever there is one.
    ///
    /// # Safety
    ///
    /// * The thread has the part, or holds its lock, and `identity` is the part's.
    pub(super) unsafe fn find(
        &'static self,
        local: &'static Local,
        identity: usize,
        class: usize,
    ) -> Option<FreeSlot> {
        let shelf = local.shelf(class);
        loop {
            // SAFETY: the caller's promise.
            if let Some(slot) = shelf.pop().or_else(|| unsafe { shelf.take() }) {
                return Some(slot);
            }
            // SAFETY: as above, and the rack is empty.
            unsafe { put_aside(shelf) };
            self.change_slab(local, identity, class)?;
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
        // What other threads returned is looked at each time, though there may be slabs enough: it would
        // never come back to the system otherwise.
        self.collect(local);
        // SAFETY: the thread owns what its part leads to.
        if shelf.current.get().is_some() || unsafe { change_to_listed(shelf) } {
            return Some(());
        }
        let slab = {
            let depot = self.depot.lock();
            let slab = depot.obtain(class, &self.registry, &self.backing)?;
            let home: *const Home = ptr::from_ref(local).cast();
            let shelf = ptr::from_ref(shelf).cast();
            // SAFETY: the slab is nobody's, this is the depot, and the part is the thread's, or the late one
            // whose lock it holds.
            must_be_once(unsafe { slab.adopt(identity, home, shelf) });
            slab
        };
        // SAFETY: the thread owns the slab now.
        unsafe { local.owned.push(slab) };
        local.slabs.set(local.slabs.get() + 1);
        // SAFETY: as above.
        unsafe { slab.mine() }.place.set(Place::Current);
        shelf.current.set(Some(slab));
        Some(())
    }

    /// Looks after a slab of this thread's that has become of another kind by a slot in its rack. Of C's kind,
    /// for such a function does not unwind: whoever calls it needs no landing pad.
    ///
    /// # Safety
    ///
    /// * This thread owns the slab.
    #[cold]
    #[inline(never)]
    pub(super) unsafe extern "C" fn after_put(&'static self, slab: &'static Slab) {
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
        let (racked, _) = unsafe { slab.fill() };
        // SAFETY: as above.
        let class = unsafe { slab.class() };
        let shelf = local.shelf(class);
        if mine.place.get() == Place::Aside && racked > 0 {
            mine.place.set(Place::Listed);
            // SAFETY: as above, and a slab that is aside is in no list.
            unsafe { shelf.listed.push(slab) };
        }
        // SAFETY: as above.
        if unsafe { is_without_blocks(shelf, slab) } {
            // SAFETY: as above.
            unsafe { self.without_blocks(local, slab, class) };
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
        } else if local.idle.get() & (1 << class) != 0 {
            return;
        } else {
            local.idle.set(local.idle.get() | 1 << class);
        }
        self.look_at_all(local);
        self.keep_few(local, class);
    }

    /// Finds the slabs without blocks that nobody has seen to be so, for their last block went to the magazine. In
    /// all, a slab that is emptied has four looked at.
    fn look_at_all(&'static self, local: &'static Local) {
        local.emptied.set(local.emptied.get() + 1);
        if local.slabs.get() > FEW_SLABS || 4 * local.emptied.get() < local.slabs.get() {
            return;
        }
        local.emptied.set(0);
        local.idle.set(0);
        let mut next = local.owned.first();
        while let Some(slab) = next {
            // SAFETY: the thread owns what its part leads to.
            let mine = unsafe { slab.mine() };
            next = mine.of_owner.next.get();
            // SAFETY: as above.
            let class = unsafe { slab.class() };
            // SAFETY: as above.
            if !unsafe { is_without_blocks(local.shelf(class), slab) } {
                continue;
            }
            if mine.place.get() == Place::Current {
                local.idle.set(local.idle.get() | 1 << class);
            } else {
                // SAFETY: as above, and no slot of it is a block.
                unsafe { self.give_up(local, slab, class) };
            }
        }
    }

    /// Gives up current slabs without blocks, but for a few: that of the class that was used last, and those of
    /// the smallest slots.
    fn keep_few(&'static self, local: &'static Local, recent: usize) {
        let mut kept = 0;
        let mut others = local.idle.get();
        while others != 0 {
            let class = if others & (1 << recent) != 0 {
                recent
            } else {
                others.trailing_zeros() as usize
            };
            others &= !(1 << class);
            if kept + units(class) <= SPARE_UNITS {
                kept += units(class);
                continue;
            }
            local.idle.set(local.idle.get() & !(1 << class));
            let shelf = local.shelf(class);
            if let Some(current) = shelf.current.get()
                // SAFETY: the thread owns what its part leads to.
                && unsafe { is_without_blocks(shelf, current) }
            {
                // SAFETY: as above, and no slot of it is a block.
                unsafe { self.give_up(local, current, class) };
            }
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
        let mut missing = 0;
        shelf.unload(is_held, |slot| {
            missing += 1;
            // SAFETY: the caller's promise; the slot came out of the magazine.
            unsafe { slab.put(slot) };
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
        local.slabs.set(local.slabs.get() - 1);
        let depot = self.depot.lock();
        // SAFETY: as above; this thread has the depot, and the magazine has none of the slab's.
        must_be_once(unsafe { slab.give_up() });
        // SAFETY: nobody owns it now, and it is in no list.
        unsafe { depot.receive(slab, &self.registry, &self.backing) };
        drop(depot);
        // SAFETY: as above; so many slots came out of the magazine.
        unsafe { reload(shelf, missing) };
    }

    /// Takes in what other threads returned.
    pub(super) fn collect(&'static self, local: &'static Local) {
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
    pub(super) fn unload(&'static self, local: &'static Local) {
        for class in 0..CLASSES {
            local.shelf(class).unload(
                |_| true,
                |slot| {
                    if let Some(slab) = self.registry.get(slot.block.addr()) {
                        // SAFETY: a magazine holds slots of slabs that its thread owns; this one came out of it.
                        unsafe { slab.put(slot) };
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
/// Whether no slot of a slab is a block, of the class that the shelf is for.
///
/// # Safety
///
/// * This thread has the part that the shelf is of, and owns the slab.
unsafe fn is_without_blocks(shelf: &Shelf, slab: &'static Slab) -> bool {
    // SAFETY: the caller's promise.
    let (racked, slots) = unsafe { slab.fill() };
    racked + shelf.loaded() >= slots && {
        // SAFETY: as above.
        let held = shelf.count(|slot| unsafe { slab.holds(slot.block) });
        racked + held == slots
    }
}

/// Makes a listed slab the current one, in place of none; `false` if none is listed.
///
/// # Safety
///
/// * This thread has the part that the shelf is of.
unsafe fn change_to_listed(shelf: &Shelf) -> bool {
    let Some(slab) = shelf.listed.first() else {
        return false;
    };
    // SAFETY: the thread owns what its part leads to.
    unsafe { shelf.listed.remove(slab) };
    // SAFETY: as above.
    unsafe { slab.mine() }.place.set(Place::Current);
    shelf.current.set(Some(slab));
    true
}

/// Makes no slab the current one. The rack of the one that was is empty.
///
/// # Safety
///
/// * This thread has the part that the shelf is of.
unsafe fn put_aside(shelf: &Shelf) {
    if let Some(slab) = shelf.current.take() {
        // SAFETY: the thread owns what its part leads to.
        unsafe { slab.mine() }.place.set(Place::Aside);
    }
}

/// Puts so many slots of other slabs into the magazine, if there are, in place of those of one that was given up. A
/// magazine with room would take in the next block that is freed, which may be the last of its slab, and nobody
/// would see that. Where a magazine holds many, so many that are the last of their class are rare, and this would
/// take longer than it is worth.
///
/// # Safety
///
/// * This thread has the part that the shelf is of, and there is room in the magazine.
unsafe fn reload(shelf: &Shelf, slots: usize) {
    const MANY: usize = 8;
    if slots >= MANY {
        return;
    }
    let mut missing = slots;
    while missing > 0 {
        // SAFETY: the caller's promise.
        if let Some(slot) = unsafe { shelf.take() } {
            let fits = shelf.push(slot);
            debug_assert!(fits, "there is room");
            missing -= 1;
            continue;
        }
        // SAFETY: as above, and the rack is empty.
        unsafe { put_aside(shelf) };
        // SAFETY: as above.
        if !unsafe { change_to_listed(shelf) } {
            return;
        }
    }
}

/// Not under Miri, where slabs of this size take long.
#[cfg(all(test, not(miri)))]
mod tests {
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, Ordering};
    use std::thread;

    use allocator_api2::alloc::System;

    use crate::task::backing::Backing;
    use crate::task::block::Family;
    use crate::task::dimensions::SPARE_UNITS;
    use crate::task::size_class::{CLASSES, slot_size, units};
    use crate::task::store::Store;

    /// Units of the slabs that this thread owns.
    fn owned(heap: &'static Store) -> usize {
        let local = heap.local().expect("there is memory");
        let mut sum = 0;
        let mut count = 0;
        let mut next = local.owned.first();
        while let Some(slab) = next {
            // SAFETY: the thread owns what its part leads to.
            next = unsafe { slab.mine() }.of_owner.next.get();
            // SAFETY: as above.
            sum += units(unsafe { slab.class() });
            count += 1;
        }
        assert_eq!(count, local.slabs.get());
        sum
    }

    /// Blocks of all sizes, freed in no order. The last ones of many slabs go to magazines, where nobody sees that
    /// they were the last.
    #[test]
    fn a_thread_without_blocks_keeps_few_slabs() {
        // Made at run time, for a model has no other, and for ever; leak checkers find it by the static.
        static KEPT: AtomicPtr<Store> = AtomicPtr::new(ptr::null_mut());
        let heap: &'static Store = Box::leak(Box::new(Store::new(Backing::new(System))));
        KEPT.store(ptr::from_ref(heap).cast_mut(), Ordering::Relaxed);
        let work = move || {
            let mut dice = 1_u64;
            let mut below = move |most: usize| {
                dice = dice.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
                usize::try_from(dice >> 33).expect("31 bits") % most
            };
            for round in 0..4 {
                let mut live: Vec<*mut u8> = (0..CLASSES)
                    .flat_map(|class| [slot_size(class); 20])
                    .map(|size| heap.alloc(size, Family::Task))
                    .collect();
                assert!(owned(heap) >= CLASSES);
                while !live.is_empty() {
                    let block = live.swap_remove(below(live.len()));
                    // SAFETY: live, and its last use.
                    assert!(unsafe { heap.free(block) }.is_ok());
                }
                // A few that nothing else was freed after.
                let kept = owned(heap);
                assert!(kept <= SPARE_UNITS + 4, "round {round}: {kept} units");
            }
        };
        thread::spawn(work).join().expect("it ends");
    }
}
