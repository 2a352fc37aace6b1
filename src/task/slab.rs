//! A slab: a run of units cut into slots of one size, and what is known of each slot.
//!
//! ```text
//!  units      │ slot 0 │ slot 1 │ slot 2 │ …                    the blocks, and nothing else
//!
//!  states     [ LIVE 40 │ FREE │ LIVE 48 │ REMOTE │ … ]          a word for each slot
//!  rack       [ 1 │ 7 │ 9 │ … ]                                  numbers of free slots, the next on top
//!  returned   { 3 }                                              slots that other threads freed
//! ```
//!
//! Each slab has an owner: one thread, or none while the slab lies in the depot.
//!
//! 1. A slot is LIVE and a block, or REMOTE and in `returned`, or FREE and either in the rack or in the
//!    owner's magazine.
//! 2. Only the owner makes a slot LIVE, and only the owner uses the rack. It writes state words with plain
//!    stores.
//! 3. Another thread frees a block by exchanging LIVE for REMOTE, under the slab's lock, and leaves the
//!    number in `returned`. The owner collects what is there.
//! 4. The owner and another thread that free one block at the same moment may both find it LIVE. The owner's
//!    store may then hide the other's REMOTE. That is seen when the number is collected: a slot in `returned`
//!    that is not REMOTE was freed twice. Until then it was handed out no more than once.
//! 5. Owner and shape change under the lock. So whoever holds it may look at the state words; the thread
//!    that owns the slab may without.
//! 6. A slab is never freed itself, only its units: who asks too late finds no slots.

use std::ptr::{self, NonNull};

use crate::task::block::Found;
use crate::task::size_class::{Divisor, MOST_SLOTS, magazine, slot_size, slots};
use crate::task::sync::{AtomicPtr, AtomicU32, AtomicUsize, Cell, Lock, Ordering, constructor};

// The paths hold as well where a model includes this file by a path.
#[path = "slab/shape.rs"]
mod shape;
#[path = "slab/state.rs"]
mod state;

use shape::Shape;
pub(crate) use shape::{Books, FreeSlot};
pub(crate) use state::State;

/// No live block starts there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotLive;

/// The address of a block that two threads freed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FreedTwice(pub(crate) usize);

/// What a thread that returns a slot must know of the owner.
pub(crate) struct Home {
    /// The owner's identity; 0 while nobody has this part of the heap.
    pub(crate) identity: AtomicUsize,
    /// Slabs in which something was returned.
    in_tray: AtomicPtr<Slab>,
}

impl Home {
    constructor! {
        pub(crate) fn new() -> Self {
            Self {
                identity: AtomicUsize::new(0),
                in_tray: AtomicPtr::new(ptr::null_mut()),
            }
        }
    }

    /// Puts a slab into the in-tray. The caller holds the slab's lock, and has seen that it is not there.
    fn tell(&self, slab: &'static Slab) {
        let entry = ptr::from_ref(slab).cast_mut();
        let mut top = self.in_tray.load(Ordering::Relaxed);
        loop {
            // SAFETY: null, or a slab, of which none is ever freed.
            slab.next_told.set(unsafe { top.as_ref() });
            let exchanged = self.in_tray.compare_exchange_weak(
                top,
                entry,
                Ordering::Release,
                Ordering::Relaxed,
            );
            match exchanged {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// Empties the in-tray: the first slab of those in it, which lead on by `next_told`.
    pub(crate) fn take_told(&self) -> Option<&'static Slab> {
        if self.in_tray.load(Ordering::Relaxed).is_null() {
            return None;
        }
        let first = self.in_tray.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: null, or a slab, of which none is ever freed.
        unsafe { first.as_ref() }
    }
}

/// Where an owner, or the depot, has put a slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In no list: its rack is empty.
    Aside,
    /// It is the one that the owner takes blocks of its class from.
    Current,
    /// In the list of slabs of its class with free slots.
    Listed,
}

/// Neighbours in a list of slabs.
pub(crate) struct Link {
    pub(crate) next: Cell<Option<&'static Slab>>,
    pub(crate) previous: Cell<Option<&'static Slab>>,
}

impl Link {
    constructor! {
        fn new() -> Self {
            Self { next: Cell::new(None), previous: Cell::new(None) }
        }
    }
}

/// What the owner alone uses, or whoever holds the depot's lock while there is no owner.
pub(crate) struct Mine {
    /// Numbers in the rack.
    racked: Cell<u32>,
    pub(crate) place: Cell<Place>,
    /// Among the slabs of its class with free slots.
    pub(crate) of_class: Link,
    /// Among all slabs of the owner.
    pub(crate) of_owner: Link,
}

/// What other threads leave.
struct Returned {
    /// A bit for each slot.
    bits: [u64; MOST_SLOTS.div_ceil(64)],
    /// Whether the owner has been told.
    told: bool,
}

impl Returned {
    const NOTHING: Self = Self {
        bits: [0; MOST_SLOTS.div_ceil(64)],
        told: false,
    };
}

/// Begins a cache line of its own, so that one thread's writing does not slow another's reading.
#[repr(align(64))]
struct Line<T>(T);

/// A slab, or the place for one.
#[repr(C)]
pub(crate) struct Slab {
    /// What a thread must know that frees a block, in one cache line.
    front: Line<Front>,
    mine: Line<Mine>,
    returned: Line<Lock<Returned>>,
    /// The owner's part of the heap; null if there is no owner.
    ///
    /// Invariant: null, or a leaked `Home`.
    home: Cell<*const Home>,
    /// The chunk that the units are part of, for the depot.
    pub(crate) chunk: Cell<*const ()>,
    /// The next in the owner's in-tray. Written by the thread that tells the owner, read by the owner before
    /// it collects.
    pub(crate) next_told: Cell<Option<&'static Slab>>,
}

/// What is written when the slab changes hands, and read all the time.
#[repr(C)]
struct Front {
    /// The identity of the owner; 0 for none. Any thread may look.
    owner: AtomicUsize,
    /// The owner's shelf for the class.
    ///
    /// Invariant: null if there is no owner, or what [`Slab::adopt`] was given.
    shelf: Cell<*const ()>,
    shape: Cell<Shape>,
}

// SAFETY: what is no atomic is used under the rules 2, 3 and 5 above.
unsafe impl Sync for Slab {}

impl Slab {
    constructor! {
        pub(crate) fn new() -> Self {
            Self {
                front: Line(Front {
                    owner: AtomicUsize::new(0),
                    shelf: Cell::new(ptr::null()),
                    shape: Cell::new(Shape::NONE),
                }),
                mine: Line(Mine {
                    racked: Cell::new(0),
                    place: Cell::new(Place::Aside),
                    of_class: Link::new(),
                    of_owner: Link::new(),
                }),
                returned: Line(Lock::new(Returned::NOTHING)),
                home: Cell::new(ptr::null()),
                chunk: Cell::new(ptr::null()),
                next_told: Cell::new(None),
            }
        }
    }

    /// Whether a thread of this identity, not 0, owns the slab.
    #[inline]
    pub(crate) fn is_owned_by(&self, identity: usize) -> bool {
        self.front.0.owner.load(Ordering::Relaxed) == identity
    }

    /// Whether nobody owns it.
    pub(crate) fn is_nobodys(&self) -> bool {
        self.is_owned_by(0)
    }
}

/// What the owner does.
impl Slab {
    /// The owner's own part.
    ///
    /// # Safety
    ///
    /// * This thread owns the slab, or nobody does and this thread holds the depot's lock.
    #[inline]
    pub(crate) unsafe fn mine(&self) -> &Mine {
        &self.mine.0
    }

    /// The owner's part of the heap.
    ///
    /// # Safety
    ///
    /// * This thread owns the slab.
    #[inline]
    pub(crate) unsafe fn home(&self) -> *const Home {
        self.home.get()
    }

    /// The owner's shelf for the class.
    ///
    /// # Safety
    ///
    /// * This thread owns the slab.
    #[inline]
    pub(crate) unsafe fn shelf(&self) -> *const () {
        self.front.0.shelf.get()
    }

    /// The class; 0 if there are no slots.
    ///
    /// # Safety
    ///
    /// * As for [`mine`](Self::mine).
    #[inline]
    pub(crate) unsafe fn class(&self) -> usize {
        self.front.0.shape.get().class.into()
    }

    /// Bytes of a slot.
    ///
    /// # Safety
    ///
    /// * As for [`mine`](Self::mine).
    #[inline]
    pub(crate) unsafe fn slot_size(&self) -> usize {
        self.front.0.shape.get().slot_size as usize
    }

    /// The first slot, which is in the first of the units; null if there is none.
    ///
    /// # Safety
    ///
    /// * As for [`mine`](Self::mine).
    pub(crate) unsafe fn base(&self) -> *mut u8 {
        self.front.0.shape.get().base
    }

    /// Whether an address lies in a slot.
    ///
    /// # Safety
    ///
    /// * This thread owns the slab.
    pub(crate) unsafe fn holds(&self, block: *mut u8) -> bool {
        self.front.0.shape.get().offset(block.addr()).is_some()
    }

    /// The live block that starts at an address: the slot it is in, and its state.
    ///
    /// # Safety
    ///
    /// * This thread owns the slab.
    #[inline]
    pub(crate) unsafe fn live_at(&self, address: usize) -> Result<(FreeSlot, State), NotLive> {
        let shape = self.front.0.shape.get();
        let offset = shape.offset(address).ok_or(NotLive)?;
        let slot = shape.divisor.exact(offset).ok_or(NotLive)?;
        let word = shape.state(slot);
        let state = word.get();
        if state.is_live() {
            let block = shape.pointer(address);
            Ok((FreeSlot { block, state: word }, state))
        } else {
            Err(NotLive)
        }
    }

    /// Takes the slot at the top of the rack. It stays FREE.
    ///
    /// # Safety
    ///
    /// * This thread owns the slab.
    #[inline]
    pub(crate) unsafe fn take(&self) -> Option<FreeSlot> {
        let height = self.mine.0.racked.get().checked_sub(1)?;
        self.mine.0.racked.set(height);
        let shape = self.front.0.shape.get();
        let slot = shape.place(height as usize).get().into();
        Some(FreeSlot {
            block: shape.start(slot),
            state: shape.state(slot),
        })
    }

    /// Puts a FREE slot into the rack. `true` if the slab is now of another kind than before: it had nothing
    /// in its rack, or no more of its slots are elsewhere than a magazine holds.
    ///
    /// # Safety
    ///
    /// * This thread owns the slab, as [`mine`](Self::mine) asks.
    /// * The slot is the slab's, and neither in the rack nor in a magazine.
    #[inline]
    pub(crate) unsafe fn put(&self, slot: FreeSlot) -> bool {
        let shape = self.front.0.shape.get();
        let offset = slot.state.addr() - shape.states.addr().get();
        let number = offset / size_of::<AtomicU32>();
        let height = self.mine.0.racked.get();
        #[expect(clippy::cast_possible_truncation, reason = "a slab has few slots")]
        shape.place(height as usize).set(number as u16);
        self.mine.0.racked.set(height + 1);
        height == 0 || height >= u32::from(shape.nearly_all)
    }

    /// Numbers in the rack, and slots in all.
    ///
    /// # Safety
    ///
    /// * As for [`mine`](Self::mine).
    #[inline]
    pub(crate) unsafe fn fill(&self) -> (usize, usize) {
        let racked = self.mine.0.racked.get() as usize;
        (racked, self.front.0.shape.get().slots())
    }

    /// Puts what other threads freed into the rack.
    ///
    /// # Errors
    ///
    /// [`FreedTwice`] for the first slot that was freed here as well. The others are collected.
    ///
    /// # Safety
    ///
    /// * As for [`mine`](Self::mine).
    pub(crate) unsafe fn collect(&self) -> Result<(), FreedTwice> {
        // SAFETY: the caller's promise is the precondition.
        unsafe { self.collect_from(&mut self.returned.0.lock()) }
    }

    /// # Safety
    ///
    /// * As for [`mine`](Self::mine).
    unsafe fn collect_from(&self, returned: &mut Returned) -> Result<(), FreedTwice> {
        returned.told = false;
        let shape = self.front.0.shape.get();
        let mut result = Ok(());
        for (index, word) in returned.bits.iter_mut().enumerate() {
            let mut bits = std::mem::take(word);
            while bits != 0 {
                let slot = index * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let free = FreeSlot {
                    block: shape.start(slot),
                    state: shape.state(slot),
                };
                if free.state.get() == State::REMOTE {
                    free.state.set(State::FREE);
                    // SAFETY: the caller's promise; a slot that is REMOTE is nowhere else.
                    unsafe { self.put(free) };
                } else {
                    result = Err(FreedTwice(free.block.addr()));
                }
            }
        }
        result
    }

    /// Takes over a slab that nobody owns.
    ///
    /// # Errors
    ///
    /// As for [`collect`](Self::collect).
    ///
    /// # Safety
    ///
    /// * Nobody owns the slab, and this thread holds the depot's lock.
    /// * `identity` is this thread's, or that of a part of the heap whose lock it holds; `home` is that part,
    ///   which was leaked, and `shelf` its shelf for the slab's class.
    pub(crate) unsafe fn adopt(
        &self,
        identity: usize,
        home: *const Home,
        shelf: *const (),
    ) -> Result<(), FreedTwice> {
        let mut returned = self.returned.0.lock();
        // SAFETY: the caller's promise.
        let result = unsafe { self.collect_from(&mut returned) };
        self.home.set(home);
        self.front.0.shelf.set(shelf);
        self.front.0.owner.store(identity, Ordering::Relaxed);
        result
    }

    /// Gives the slab up.
    ///
    /// # Errors
    ///
    /// As for [`collect`](Self::collect).
    ///
    /// # Safety
    ///
    /// * This thread owns the slab, and holds the depot's lock. No slot of it is in a magazine.
    pub(crate) unsafe fn give_up(&self) -> Result<(), FreedTwice> {
        let mut returned = self.returned.0.lock();
        // SAFETY: the caller's promise.
        let result = unsafe { self.collect_from(&mut returned) };
        self.front.0.owner.store(0, Ordering::Relaxed);
        self.home.set(ptr::null());
        result
    }

    /// Cuts units into slots of a class, all of them free.
    ///
    /// # Safety
    ///
    /// * Nobody owns the slab, it has no slots, and this thread holds the depot's lock.
    /// * The units from `base` on are the slab's until [`melt`](Self::melt), and have room for the slots `shift`
    ///   bytes from there; the books are of the class.
    pub(crate) unsafe fn cut(&self, base: NonNull<u8>, shift: usize, class: usize, books: Books) {
        let size = slot_size(class);
        base.expose_provenance();
        let number = |value: usize| u32::try_from(value).expect("a slab is small");
        let few = |value: usize| u16::try_from(value).expect("a slab has few slots");
        let _returned = self.returned.0.lock();
        self.front.0.shape.set(Shape {
            base: base.as_ptr().wrapping_add(shift),
            divisor: Divisor::of(class),
            states: books.states(),
            rack: books.rack(class),
            extent: number(slots(class) * size),
            slot_size: number(size),
            slots: few(slots(class)),
            nearly_all: few(slots(class).saturating_sub(magazine(class) as usize + 1)),
            class: u8::try_from(class).expect("there are few classes"),
        });
        self.mine.0.racked.set(number(slots(class)));
        self.mine.0.place.set(Place::Aside);
    }

    /// Takes the slots away: the books.
    ///
    /// # Safety
    ///
    /// * Nobody owns the slab, it has slots, all of them in the rack, and this thread holds the depot's lock.
    pub(crate) unsafe fn melt(&self) -> Books {
        let _returned = self.returned.0.lock();
        let shape = self.front.0.shape.replace(Shape::NONE);
        self.mine.0.racked.set(0);
        // SAFETY: the shape had them, and has them no more.
        unsafe { Books::of(shape.states) }
    }
}

/// What any thread does.
impl Slab {
    /// Frees the block at an address, from a thread that does not own the slab. `true` if nobody does, and
    /// the depot should have a look.
    ///
    /// # Errors
    ///
    /// [`NotLive`] if no live block starts there.
    pub(crate) fn free_from_afar(&'static self, address: usize) -> Result<bool, NotLive> {
        let mut returned = self.returned.0.lock();
        let shape = self.front.0.shape.get();
        let slot = shape.slot_at(address).ok_or(NotLive)?;
        shape
            .state(slot)
            .exchange(|_| State::REMOTE)
            .ok_or(NotLive)?;
        returned.bits[slot / 64] |= 1 << (slot % 64);
        // SAFETY: the field's invariant.
        let Some(home) = (unsafe { self.home.get().as_ref() }) else {
            return Ok(true);
        };
        if !returned.told {
            returned.told = true;
            home.tell(self);
        }
        Ok(false)
    }

    /// Changes the state of the block at an address to another live one, from a thread that does not own the
    /// slab. The state before, and the bytes of the slot.
    ///
    /// # Errors
    ///
    /// [`NotLive`] if no live block starts there.
    pub(crate) fn change_from_afar(
        &self,
        address: usize,
        change: impl Fn(State, usize) -> State,
    ) -> Result<(State, usize), NotLive> {
        let _returned = self.returned.0.lock();
        let shape = self.front.0.shape.get();
        let slot = shape.slot_at(address).ok_or(NotLive)?;
        let room = shape.slot_size as usize;
        let state = shape
            .state(slot)
            .exchange(|state| change(state, room))
            .ok_or(NotLive)?;
        Ok((state, room))
    }

    /// The live block that an address lies in.
    pub(crate) fn containing(&self, address: usize) -> Option<Found> {
        let _returned = self.returned.0.lock();
        let shape = self.front.0.shape.get();
        let slot = shape.divisor.within(shape.offset(address)?);
        let state = shape.state(slot).get();
        state.is_live().then(|| Found {
            start: shape.start(slot).addr(),
            size: state.size(),
            family: state.family(),
        })
    }

    /// Makes the slab's lock free after a fork, in the child. A thread that is not there any more may hold that of
    /// any slab, and even of one that has no slots: it asked too late.
    ///
    /// # Safety
    ///
    /// * This is the only thread. If there are slots, they will be put in order by [`recover`](Self::recover).
    #[cfg(all(unix, not(miri)))]
    pub(crate) unsafe fn unlock(&self) {
        // SAFETY: the caller promises that nobody else is here, and that what it guards is put in order. Where
        // there are no slots nothing was returned: a thread that finds none leaves nothing.
        unsafe { self.returned.0.make_anew() };
    }

    /// Puts everything in order after a fork, in the child: a thread that is not there any more may have been
    /// anywhere. The state words tell what is true.
    ///
    /// # Safety
    ///
    /// * This is the only thread, and holds the depot's lock. The slab was [unlocked](Self::unlock).
    /// * If it has an owner who is no survivor, no magazine of that owner's will be used again.
    #[cfg(all(unix, not(miri)))]
    pub(crate) unsafe fn recover(&self, is_survivor: impl Fn(usize) -> bool) {
        let mut returned = self.returned.0.lock();
        *returned = Returned::NOTHING;
        let shape = self.front.0.shape.get();
        let orphan = !is_survivor(self.front.0.owner.load(Ordering::Relaxed));
        if orphan {
            self.front.0.owner.store(0, Ordering::Relaxed);
            self.home.set(ptr::null());
            self.mine.0.racked.set(0);
        }
        for slot in 0..shape.slots() {
            let free = FreeSlot {
                block: shape.start(slot),
                state: shape.state(slot),
            };
            let state = free.state.get();
            if state == State::REMOTE && !orphan {
                returned.bits[slot / 64] |= 1 << (slot % 64);
            } else if orphan && !state.is_live() {
                free.state.set(State::FREE);
                // SAFETY: the slab is nobody's, and the rack was emptied above.
                unsafe { self.put(free) };
            }
        }
    }

    /// Leaves the lock taken, as a thread does that is not there any more.
    #[cfg(all(test, unix, not(miri)))]
    pub(crate) fn leave_locked(&self) {
        std::mem::forget(self.returned.0.lock());
    }

    /// Whether other threads left something.
    pub(crate) fn has_returned(&self) -> bool {
        self.returned.0.lock().bits.iter().any(|word| *word != 0)
    }

    /// Tells the owner that other threads left something, if there is one that has not been told.
    #[cfg(all(unix, not(miri)))]
    pub(crate) fn tell_owner(&'static self) {
        let mut returned = self.returned.0.lock();
        // SAFETY: the field's invariant.
        if let Some(home) = unsafe { self.home.get().as_ref() }
            && !returned.told
        {
            returned.told = true;
            home.tell(self);
        }
    }
}
