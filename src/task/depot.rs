//! What no thread owns: spare units, slabs that a thread left behind, parts of threads that have ended.
//!
//! ```text
//!  chunk    one allocation of the backing's, 64 units; a slab for each place where one may start
//!           │ unit │ unit │ unit │ unit │ …       used: 1 1 0 1 …   dirty: 1 1 1 1 …
//!
//!  waiting  for each class, slabs of nobody's that have free slots
//!  idle     parts of the heap that no thread has
//! ```
//!
//! 1. Everything here is used under the depot's lock. Slabs' own locks are taken within it, never the other
//!    way round.
//! 2. A slab of nobody's is in `waiting` if it has something in its rack, and nowhere if it has not. It has
//!    no slots at all if all were free.
//! 3. A unit that no slab has is dirty if one had it since its pages last went back to the system. Where the
//!    heap knows how to give pages back, it does so with those of dirty units, but for some.
//! 4. A chunk without slabs goes back to the backing, but for a few. What describes it stays and is used for
//!    another: a thread may hold a slab that is no more, for as long as it takes to see that.

use std::alloc::Layout;
use std::ptr::{self, NonNull};

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;

use crate::task::backing::Backing;
use crate::task::dimensions::{CHUNK_UNITS, SPARE_DIRTY, UNIT};
use crate::task::local::Local;
use crate::task::registry::Registry;
use crate::task::size_class::{CLASSES, shift, units};
use crate::task::slab::{Books, FreedTwice, Place, Slab};
use crate::task::slab_list::List;
use crate::task::sync::{Cell, array, boxed, constructor};

/// A chunk, or what is left of one.
struct Chunk {
    /// Its memory; `None` once that went back.
    memory: Cell<Option<NonNull<u8>>>,
    /// The units that slabs have, a bit each.
    used: Cell<u64>,
    /// Those that have, or had.
    dirty: Cell<u64>,
    next: Cell<Option<&'static Chunk>>,
    /// The next of those that may have spare units.
    next_open: Cell<Option<&'static Chunk>>,
    /// Whether it is among these.
    is_open: Cell<bool>,
    slabs: [Slab; CHUNK_UNITS],
}

impl Chunk {
    const LAYOUT: Layout = match Layout::from_size_align(CHUNK_UNITS * UNIT, UNIT) {
        Ok(layout) => layout,
        Err(_) => panic!("a chunk has a layout"),
    };

    constructor! {
        fn new() -> Self {
            Self {
                memory: Cell::new(None),
                used: Cell::new(0),
                dirty: Cell::new(0),
                next: Cell::new(None),
                next_open: Cell::new(None),
                is_open: Cell::new(false),
                slabs: array![Slab::new(); CHUNK_UNITS],
            }
        }
    }

    /// The first of `count` spare units in a row, which starts at a multiple of `count`.
    fn run(&self, count: usize) -> Option<usize> {
        (0..CHUNK_UNITS)
            .step_by(count)
            .find(|first| self.used.get() & mask(*first, count) == 0)
    }
}

// SAFETY: used by the thread that holds the depot's lock; its slabs by whoever they are for.
unsafe impl Sync for Chunk {}

/// The bits of `count` units from the first on.
fn mask(first: usize, count: usize) -> u64 {
    ((1 << count) - 1) << first
}

/// Every unit has a slab.
const FULL: u64 = u64::MAX >> (64 - CHUNK_UNITS);

const _: () = assert!(CHUNK_UNITS <= 64 && CHUNK_UNITS.is_multiple_of(units(CLASSES - 1)));

/// What no thread owns.
pub(crate) struct Depot {
    /// All chunks.
    chunks: Cell<Option<&'static Chunk>>,
    /// Those that may have spare units: all that have some, and a few that are full by now.
    open: Cell<Option<&'static Chunk>>,
    /// Dirty units that no slab has.
    dirty: Cell<usize>,
    waiting: [List; CLASSES],
    idle: Cell<Option<&'static Local>>,
    /// All parts, whoever has them.
    parts: Cell<Option<&'static Local>>,
}

// SAFETY: what it leads to is used by the thread that holds the depot's lock.
unsafe impl Send for Depot {}

impl Depot {
    constructor! {
        pub(crate) fn new() -> Self {
            Self {
                chunks: Cell::new(None),
                open: Cell::new(None),
                dirty: Cell::new(0),
                waiting: array![List::of_class(); CLASSES],
                idle: Cell::new(None),
                parts: Cell::new(None),
            }
        }
    }

    /// A slab of nobody's, with free slots of a class. `None` if there is no memory for one.
    pub(crate) fn obtain(
        &self,
        class: usize,
        registry: &Registry,
        backing: &'static Backing<impl Allocator>,
    ) -> Option<&'static Slab> {
        if let Some(slab) = self.waiting[class].first() {
            // SAFETY: the slab is nobody's, and this is the depot.
            unsafe { self.waiting[class].remove(slab) };
            // SAFETY: as above.
            unsafe { slab.mine() }.place.set(Place::Aside);
            return Some(slab);
        }
        let books = backing.allocate(Books::layout(class)).ok()?.cast();
        let Some((chunk, first)) = self.units(units(class), registry, backing) else {
            // SAFETY: allocated above, with this layout.
            unsafe { backing.deallocate(books, Books::layout(class)) };
            return None;
        };
        let mask = mask(first, units(class));
        self.dirty
            .set(self.dirty.get() - (chunk.dirty.get() & mask).count_ones() as usize);
        chunk.used.set(chunk.used.get() | mask);
        chunk.dirty.set(chunk.dirty.get() | mask);
        let memory = chunk.memory.get()?;
        // SAFETY: the units are the chunk's.
        let base = unsafe { memory.byte_add(first * UNIT) };
        let shift = shift(class, base.addr().get());
        let slab = &chunk.slabs[first];
        slab.chunk.set(ptr::from_ref(chunk).cast());
        // SAFETY: of the layout for the class, and given up by `melt` alone.
        let books = unsafe { Books::write(books, class) };
        // SAFETY: the units were nobody's, so their slab has no slots; this is the depot.
        unsafe { slab.cut(base, shift, class, books) };
        registry.set(base.addr().get(), units(class), Some(slab));
        Some(slab)
    }

    /// Spare units in a row: a chunk and the first.
    fn units(
        &self,
        count: usize,
        registry: &Registry,
        backing: &'static Backing<impl Allocator>,
    ) -> Option<(&'static Chunk, usize)> {
        // What is in use comes first, so that what is empty can go back.
        let mut empty = None;
        let mut link = &self.open;
        while let Some(chunk) = link.get() {
            if chunk.used.get() == FULL || chunk.memory.get().is_none() {
                chunk.is_open.set(false);
                link.set(chunk.next_open.take());
                continue;
            }
            if chunk.used.get() == 0 {
                empty = Some(chunk);
            } else if let Some(first) = chunk.run(count) {
                return Some((chunk, first));
            }
            link = &chunk.next_open;
        }
        let chunk = match empty {
            Some(chunk) => chunk,
            None => self.new_chunk(registry, backing)?,
        };
        Some((chunk, 0))
    }

    /// A chunk of new memory.
    fn new_chunk(
        &self,
        registry: &Registry,
        backing: &'static Backing<impl Allocator>,
    ) -> Option<&'static Chunk> {
        let without_memory = |chunk: &&Chunk| chunk.memory.get().is_none();
        let chunk = match self.chunks().find(without_memory) {
            Some(chunk) => chunk,
            None => {
                let chunk: &'static Chunk = Box::leak(boxed!(Chunk, Chunk::new(), backing)?);
                chunk.next.set(self.chunks.replace(Some(chunk)));
                chunk
            }
        };
        let memory = backing.allocate(Chunk::LAYOUT).ok()?.cast::<u8>();
        if !registry.reserve(memory.addr().get(), CHUNK_UNITS) {
            // SAFETY: allocated above, with this layout.
            unsafe { backing.deallocate(memory, Chunk::LAYOUT) };
            return None;
        }
        chunk.memory.set(Some(memory));
        chunk.dirty.set(0);
        self.open(chunk);
        Some(chunk)
    }

    /// Puts a chunk among those that may have spare units.
    fn open(&self, chunk: &'static Chunk) {
        if !chunk.is_open.replace(true) {
            chunk.next_open.set(self.open.replace(Some(chunk)));
        }
    }

    fn chunks(&self) -> impl Iterator<Item = &'static Chunk> + use<> {
        std::iter::successors(self.chunks.get(), |chunk| chunk.next.get())
    }

    /// Puts a slab away that nobody owns any more, or that something was returned to meanwhile.
    ///
    /// # Safety
    ///
    /// * Nobody owns the slab, and it is not in `waiting`.
    pub(crate) unsafe fn receive(
        &self,
        slab: &'static Slab,
        registry: &Registry,
        backing: &'static Backing<impl Allocator>,
    ) {
        // SAFETY: the slab is nobody's, and this is the depot.
        let mine = unsafe { slab.mine() };
        // SAFETY: as above.
        let (racked, slots) = unsafe { slab.fill() };
        // SAFETY: as above.
        let class = unsafe { slab.class() };
        if racked == slots {
            // SAFETY: as above, and all slots are in the rack.
            unsafe { self.melt(slab, class, registry, backing) };
        } else if racked > 0 {
            mine.place.set(Place::Listed);
            // SAFETY: as above.
            unsafe { self.waiting[class].push(slab) };
        } else {
            mine.place.set(Place::Aside);
        }
    }

    /// Looks at a slab to which something was returned while nobody owned it.
    ///
    /// # Errors
    ///
    /// As for [`Slab::collect`].
    pub(crate) fn visit(
        &self,
        slab: &'static Slab,
        registry: &Registry,
        backing: &'static Backing<impl Allocator>,
    ) -> Result<(), FreedTwice> {
        // Somebody may have adopted it, or have been here before.
        if !slab.is_nobodys() || !slab.has_returned() {
            return Ok(());
        }
        // SAFETY: the slab is nobody's, and this is the depot.
        let result = unsafe { slab.collect() };
        // SAFETY: as above.
        let mine = unsafe { slab.mine() };
        if mine.place.get() == Place::Listed {
            // SAFETY: as above.
            let class = unsafe { slab.class() };
            // SAFETY: as above; a slab of nobody's that is listed is so here.
            unsafe { self.waiting[class].remove(slab) };
        }
        // SAFETY: as above, and it is not in `waiting` any more.
        unsafe { self.receive(slab, registry, backing) };
        result
    }

    /// Takes the slots of a slab away, and gives the chunk back if it was the last.
    ///
    /// # Safety
    ///
    /// * Nobody owns the slab, of this class; it is in no list, and all its slots are in the rack.
    unsafe fn melt(
        &self,
        slab: &'static Slab,
        class: usize,
        registry: &Registry,
        backing: &'static Backing<impl Allocator>,
    ) {
        // SAFETY: the slab is nobody's, and this is the depot.
        let base = unsafe { slab.base() };
        registry.set(base.addr(), units(class), None);
        // SAFETY: the caller's promise, and this is the depot.
        let books = unsafe { slab.melt() };
        // SAFETY: `obtain` allocated it with this layout, and the slab has given it up.
        unsafe { backing.deallocate(books.memory(), Books::layout(class)) };
        // SAFETY: `obtain` put the chunk there, which was leaked.
        let chunk: &'static Chunk = unsafe { &*slab.chunk.get().cast() };
        let start = chunk.memory.get().map_or(0, |memory| memory.addr().get());
        let first = (base.addr() - start) / UNIT;
        let mask = mask(first, units(class));
        chunk.used.set(chunk.used.get() & !mask);
        self.dirty.set(self.dirty.get() + units(class));
        self.open(chunk);
        if self.dirty.get() > SPARE_DIRTY {
            self.clean(chunk, backing);
        }
    }

    /// Gives what no slab has of a chunk back: the chunk to the backing, if that is all of it, or else pages to
    /// the system, if the backing's memory is the system's.
    fn clean(&self, chunk: &'static Chunk, backing: &'static Backing<impl Allocator>) {
        let Some(memory) = chunk.memory.get() else {
            return;
        };
        let mut dirty = chunk.dirty.get() & !chunk.used.get();
        if chunk.used.get() == 0 {
            self.dirty
                .set(self.dirty.get() - dirty.count_ones() as usize);
            chunk.memory.set(None);
            // SAFETY: allocated with this layout; no slab has a unit of it.
            unsafe { backing.deallocate(memory, Chunk::LAYOUT) };
            return;
        }
        while dirty != 0 {
            let first = dirty.trailing_zeros() as usize;
            let count = (dirty >> first).trailing_ones() as usize;
            // SAFETY: the units are the chunk's.
            let pages = unsafe { memory.byte_add(first * UNIT) };
            // SAFETY: whole pages of the chunk's, which no slab has.
            if !unsafe { backing.forget(pages, count * UNIT) } {
                return;
            }
            let run = u64::MAX >> (64 - count) << first;
            dirty &= !run;
            chunk.dirty.set(chunk.dirty.get() & !run);
            self.dirty.set(self.dirty.get() - count);
        }
    }

    /// Gives back what no slab has.
    pub(crate) fn minimize(&self, backing: &'static Backing<impl Allocator>) {
        for chunk in self.chunks() {
            self.clean(chunk, backing);
        }
    }

    /// A part of the heap for a thread, made anew if no idle one is there; `None` if there is no memory.
    pub(crate) fn hire(&self, backing: &'static Backing<impl Allocator>) -> Option<&'static Local> {
        if let Some(local) = self.idle.get() {
            self.idle.set(local.next.take());
            return Some(local);
        }
        let local: &'static Local = Box::leak(boxed!(Local, Local::new(), backing)?);
        local.next_part.set(self.parts.replace(Some(local)));
        Some(local)
    }

    /// Takes a part back, which leads to no slab any more.
    pub(crate) fn dismiss(&self, local: &'static Local) {
        local.next.set(self.idle.replace(Some(local)));
    }

    /// All places for slabs, whether there is one or not.
    #[cfg(all(unix, not(miri)))]
    pub(crate) fn places(&self) -> impl Iterator<Item = &'static Slab> + use<> {
        self.chunks().flat_map(|chunk| &chunk.slabs)
    }

    /// All slabs that have slots.
    #[cfg(all(unix, not(miri)))]
    pub(crate) fn slabs(&self) -> impl Iterator<Item = &'static Slab> + use<> {
        self.chunks().flat_map(|chunk| {
            let used = chunk.used.get();
            let start = chunk.memory.get();
            chunk
                .slabs
                .iter()
                .enumerate()
                .filter_map(move |(index, slab)| {
                    let base = start?.addr().get() + index * UNIT;
                    // SAFETY: the caller holds the depot's lock. The base is written under it alone.
                    let is_there = used & (1 << index) != 0
                        && unsafe { slab.base() }.addr() & !(UNIT - 1) == base;
                    is_there.then_some(slab)
                })
        })
    }

    /// All parts, whoever has them.
    #[cfg(all(unix, not(miri)))]
    pub(crate) fn parts(&self) -> impl Iterator<Item = &'static Local> + use<> {
        std::iter::successors(self.parts.get(), |local| local.next_part.get())
    }

    /// Forgets which slabs wait.
    #[cfg(all(unix, not(miri)))]
    pub(crate) fn forget_waiting(&self) {
        self.waiting.iter().for_each(List::forget);
    }
}
