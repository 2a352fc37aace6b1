//! A thread's own part of the heap.
//!
//! ```text
//!  for each class      magazine  [ slot │ slot │ … ]     free slots, up to 32: freed last, handed out first
//!                      current   the slab whose rack is next, when the magazine is empty
//!                      listed    other slabs of the class with something in their racks
//!
//!  owned               all slabs of the thread
//!  in-tray             slabs in which other threads returned something
//! ```
//!
//! A block that is freed goes to the magazine, or, when that is full, to the rack of its slab. An array is
//! what both are: a list through the free slots themselves would touch memory that the other core wrote last.
//! And the magazine holds addresses, not numbers: a block that is allocated soon after one was freed does not
//! wait until the slab has been looked up, divided and multiplied.

use crate::task::dimensions::{MAGAZINE, SPARE_UNITS};
use crate::task::large::Memo;
use crate::task::size_class::{CLASSES, magazine};
use crate::task::slab::{FreeSlot, Home, Slab};
use crate::task::slab_list::List;
use crate::task::sync::{Cell, array, constructor};

/// What a thread has of one class.
#[repr(align(64))]
pub(crate) struct Shelf {
    /// Slots in the magazine. Never more than the limit, nor that than `MAGAZINE`.
    loaded: Cell<u32>,
    /// How many it may be.
    limit: u32,
    pub(crate) current: Cell<Option<&'static Slab>>,
    pub(crate) listed: List,
    /// The slots, from place 1 on. Place 0 is always empty, so that taking one is all that it takes to see
    /// that there is none.
    magazine: [Cell<Option<FreeSlot>>; MAGAZINE as usize + 1],
}

impl Shelf {
    constructor! {
        fn new(class: usize) -> Self {
            Self {
                loaded: Cell::new(0),
                limit: magazine(class),
                current: Cell::new(None),
                listed: List::of_class(),
                magazine: array![Cell::new(None); MAGAZINE as usize + 1],
            }
        }
    }

    #[inline]
    fn place(&self, number: u32) -> &Cell<Option<FreeSlot>> {
        debug_assert!(number <= MAGAZINE);
        // SAFETY: the callers pass a number that `loaded` has or will have, which is never more than that.
        unsafe { self.magazine.get_unchecked(number as usize) }
    }

    /// Takes the slot that came last.
    #[inline]
    pub(crate) fn pop(&self) -> Option<FreeSlot> {
        let loaded = self.loaded.get();
        let slot = self.place(loaded).get()?;
        self.loaded.set(loaded - 1);
        Some(slot)
    }

    /// Puts a slot in, if there is room.
    #[inline]
    pub(crate) fn push(&self, slot: FreeSlot) -> bool {
        let loaded = self.loaded.get();
        let fits = loaded < self.limit;
        if fits {
            self.place(loaded + 1).set(Some(slot));
            self.loaded.set(loaded + 1);
        }
        fits
    }

    /// Takes a slot from the rack of the current slab.
    ///
    /// # Safety
    ///
    /// * This thread has the part that the shelf is of.
    #[inline]
    pub(crate) unsafe fn take(&self) -> Option<FreeSlot> {
        // SAFETY: the thread owns what its part leads to.
        unsafe { self.current.get()?.take() }
    }

    /// Takes those slots out of the magazine for which `is_wanted`, and hands each on.
    pub(crate) fn unload(
        &self,
        is_wanted: impl Fn(&FreeSlot) -> bool,
        mut hand_on: impl FnMut(FreeSlot),
    ) {
        let mut kept = 0;
        for number in 1..=self.loaded.get() {
            match self.place(number).get() {
                Some(slot) if is_wanted(&slot) => hand_on(slot),
                slot => {
                    kept += 1;
                    self.place(kept).set(slot);
                }
            }
        }
        self.loaded.set(kept);
    }

    /// Slots in the magazine for which `is_wanted`.
    pub(crate) fn count(&self, is_wanted: impl Fn(&FreeSlot) -> bool) -> usize {
        (1..=self.loaded.get())
            .filter(|number| {
                self.place(*number)
                    .get()
                    .is_some_and(|slot| is_wanted(&slot))
            })
            .count()
    }

    /// Slots in the magazine.
    pub(crate) fn loaded(&self) -> usize {
        self.loaded.get() as usize
    }

    /// Forgets everything.
    fn forget(&self) {
        self.loaded.set(0);
        self.current.set(None);
        self.listed.forget();
    }
}

/// A thread's own part of the heap. Leaked when it is made, and used again by another thread when its own
/// has ended.
#[repr(C)]
pub(crate) struct Local {
    /// What other threads must know. It stands first: a pointer to the whole is a pointer to it.
    pub(crate) home: Home,
    pub(crate) owned: List,
    /// How many these are.
    pub(crate) slabs: Cell<usize>,
    /// How many slabs were seen without blocks since all were looked at.
    pub(crate) emptied: Cell<usize>,
    /// Classes whose current slab has been seen without any block: a bit each.
    pub(crate) idle: Cell<u64>,
    /// The large string that was resized last.
    pub(crate) memo: Cell<Memo>,
    /// The next of all the parts of the heap.
    pub(crate) next_part: Cell<Option<&'static Local>>,
    /// The next part that the same thread has, of another heap; or the next that no thread has.
    pub(crate) next: Cell<Option<&'static Local>>,
    /// What is to be done when the thread ends: the heap, and its function.
    pub(crate) leave: Cell<Option<Leave>>,
    shelves: [Shelf; CLASSES],
}

/// What is to be done when a thread ends.
#[derive(Clone, Copy)]
pub(crate) struct Leave {
    /// The heap. Invariant: what `function` takes it for.
    pub(crate) heap: *const (),
    /// Gives the thread's part of it up.
    pub(crate) function: unsafe fn(*const (), &'static Local),
}

// SAFETY: everything but `home`, which is atomic, is used by the thread alone that has the part, or by the
// one that holds the depot's lock while no thread has it.
unsafe impl Sync for Local {}

const _: () = assert!(CLASSES <= u64::BITS as usize && SPARE_UNITS > 0);

impl Local {
    constructor! {
        pub(crate) fn new() -> Self {
            let mut class = 0;
            let mut shelves = array![Shelf::new(0); CLASSES];
            while class < CLASSES {
                shelves[class].limit = magazine(class);
                class += 1;
            }
            Self {
                home: Home::new(),
                owned: List::of_owner(),
                slabs: Cell::new(0),
                emptied: Cell::new(0),
                idle: Cell::new(0),
                memo: Cell::new(Memo::NONE),
                next_part: Cell::new(None),
                next: Cell::new(None),
                leave: Cell::new(None),
                shelves,
            }
        }
    }

    /// What the thread has of a class, which is one.
    #[inline]
    pub(crate) fn shelf(&self, class: usize) -> &Shelf {
        &self.shelves[class]
    }

    /// Forgets everything but whose it is.
    pub(crate) fn forget(&self) {
        let _ = self.home.take_told();
        self.owned.forget();
        self.slabs.set(0);
        self.emptied.set(0);
        self.idle.set(0);
        self.memo.set(Memo::NONE);
        self.shelves.iter().for_each(Shelf::forget);
    }
}
