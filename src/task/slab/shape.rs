//! How a slab's units are cut, and the books that are kept of them.

use std::alloc::Layout;
use std::ptr::{self, NonNull};

use crate::task::size_class::{Divisor, slots};
use crate::task::slab::state::{State, StateWord};
use crate::task::sync::{AtomicU32, Cell};

/// The memory of a slab's state words and its rack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Books(NonNull<u8>);

impl Books {
    /// How much of it there must be.
    pub(crate) fn layout(class: usize) -> Layout {
        let (states, _) = Self::parts(class);
        states.0
    }

    /// The whole, and where the rack starts in it.
    fn parts(class: usize) -> ((Layout, usize), usize) {
        let count = slots(class);
        let sum = Layout::array::<AtomicU32>(count)
            .and_then(|states| states.extend(Layout::array::<Cell<u16>>(count)?));
        (sum.expect("a slab is small"), count)
    }

    /// Books that say of every slot that it is free.
    ///
    /// # Safety
    ///
    /// * `memory` has the layout for `class`, and is the books' own until they are given up.
    pub(crate) unsafe fn write(memory: NonNull<u8>, class: usize) -> Self {
        let ((_, offset), count) = Self::parts(class);
        // SAFETY: within the layout.
        let rack = unsafe { memory.byte_add(offset) }.cast::<Cell<u16>>();
        for slot in 0..count {
            // SAFETY: within the array of states.
            let state = unsafe { memory.cast::<AtomicU32>().add(slot) };
            // SAFETY: aligned and the books' own.
            unsafe { state.write(State::FREE.word()) };
            // SAFETY: within the array of numbers.
            let place = unsafe { rack.add(slot) };
            // The lowest slot lies on top.
            let number = u16::try_from(count - 1 - slot).expect("a slab has few slots");
            // SAFETY: aligned and the books' own.
            unsafe { place.write(Cell::new(number)) };
        }
        Self(memory)
    }

    /// The books whose states these are.
    ///
    /// # Safety
    ///
    /// * They are [`states`](Self::states) of books that nobody else has.
    pub(super) unsafe fn of(states: NonNull<AtomicU32>) -> Self {
        Self(states.cast())
    }

    /// The memory, to be given back.
    pub(crate) fn memory(self) -> NonNull<u8> {
        self.0
    }

    pub(super) fn states(self) -> NonNull<AtomicU32> {
        self.0.cast()
    }

    pub(super) fn rack(self, class: usize) -> NonNull<Cell<u16>> {
        let ((_, offset), _) = Self::parts(class);
        // SAFETY: within the layout, which the memory has.
        unsafe { self.0.byte_add(offset) }.cast()
    }
}

/// The units and how they are cut.
///
/// Invariant: `extent` bytes from `base` on are slots of the class, each with a word at `states` and a place
/// at `rack`.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) base: *mut u8,
    pub(super) divisor: Divisor,
    pub(super) states: NonNull<AtomicU32>,
    pub(super) rack: NonNull<Cell<u16>>,
    pub(super) extent: u32,
    pub(super) slot_size: u32,
    pub(super) slots: u16,
    /// With so many numbers in the rack before another comes, the other slots may all be in a magazine.
    pub(super) nearly_all: u16,
    pub(super) class: u8,
}

impl Shape {
    /// No slots.
    pub(super) const NONE: Self = Self {
        base: ptr::null_mut(),
        divisor: Divisor::of(0),
        states: NonNull::dangling(),
        rack: NonNull::dangling(),
        extent: 0,
        slot_size: 0,
        slots: 0,
        nearly_all: 0,
        class: 0,
    };

    /// The offset of an address, if it lies in a slot.
    #[inline]
    pub(super) fn offset(&self, address: usize) -> Option<usize> {
        let offset = address.wrapping_sub(self.base.addr());
        (offset < self.extent as usize).then_some(offset)
    }

    /// The number of the slot that starts at an address.
    #[inline]
    pub(super) fn slot_at(&self, address: usize) -> Option<usize> {
        self.divisor.exact(self.offset(address)?)
    }

    /// The word of a slot that there is.
    #[inline]
    pub(super) fn state(&self, slot: usize) -> StateWord {
        debug_assert!(slot < self.slots());
        // SAFETY: the invariant: there is a word for each slot.
        let word = unsafe { self.states.add(slot) };
        // SAFETY: whoever has the shape owns the slab, or holds its lock; the books stay as long.
        unsafe { StateWord::new(word) }
    }

    #[inline]
    pub(super) fn slots(&self) -> usize {
        self.slots.into()
    }

    /// A pointer to an address in the units, made of nothing but that address.
    ///
    /// The caller's own pointer would be as good to the machine, but may be good for the block's bytes alone
    /// to the language. One that is made of `base` waits until the slab has been looked up, and so would the
    /// next allocation, and what is then done with it: a long chain. So the units' provenance was exposed when
    /// the slab was cut.
    #[inline]
    pub(super) fn pointer(&self, address: usize) -> *mut u8 {
        if cfg!(miri) {
            self.base.with_addr(address)
        } else {
            ptr::with_exposed_provenance_mut(address)
        }
    }

    /// The start of a slot that there is.
    #[inline]
    pub(super) fn start(&self, slot: usize) -> *mut u8 {
        debug_assert!(slot < self.slots());
        // SAFETY: the invariant: the slot lies in the units.
        unsafe { self.base.add(slot * self.slot_size as usize) }
    }

    /// The place of a number in the rack, which there is.
    #[inline]
    pub(super) fn place(&self, height: usize) -> &Cell<u16> {
        debug_assert!(height < self.slots());
        // SAFETY: the invariant: there is a place for each slot.
        let place = unsafe { self.rack.add(height) };
        // SAFETY: the books outlive the shape.
        unsafe { place.as_ref() }
    }
}

/// A free slot: a block to be, and the word that says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FreeSlot {
    pub(crate) block: *mut u8,
    pub(crate) state: StateWord,
}
