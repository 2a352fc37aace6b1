//! Which slab an address lies in, for any address whatever.
//!
//! ```text
//!  address   ┌ root: 14 bits ┬ leaf: 18 bits ┬ offset in a unit: 16 bits ┐      (48 bits; 8, 8, 16 on 32-bit)
//!                  │               │
//!                  ▼               ▼
//!  root [ · · leaf · · ] ──► [ · · slab · · ] ──► Slab
//! ```
//!
//! 1. Two loads answer, and no memory at the address is read.
//! 2. An entry is null or a slab that once was there. Slabs are never freed, only used anew, so that an
//!    entry that was read a moment too late does no harm: what the slab says of itself decides.
//! 3. Leaves are never freed. They are the system's memory, which is zero until it is touched: a leaf is large,
//!    and few of its pages are ever used.

use std::ptr;

use allocator_api2::alloc::System;
use allocator_api2::boxed::Box;

use crate::task::dimensions::{LEAF_BITS, ROOT_BITS, UNIT_SHIFT};
use crate::task::slab::Slab;
use crate::task::sync::{AtomicPtr, Ordering, array, constructor, nulls};
use crate::task::whole::Whole;

/// The slabs of one stretch of addresses.
type Leaf = [AtomicPtr<Slab>; 1 << LEAF_BITS];

/// All slabs, by the units that they lie in.
pub(crate) struct Registry {
    root: Whole<[AtomicPtr<Leaf>; 1 << ROOT_BITS]>,
}

impl Registry {
    constructor! {
        pub(crate) fn new() -> Self {
            Self {
                root: Whole::new(array![AtomicPtr::new(ptr::null_mut()); 1 << ROOT_BITS]),
            }
        }
    }

    /// The slab that is said to be at an address.
    #[inline]
    pub(crate) fn get(&self, address: usize) -> Option<&'static Slab> {
        let unit = address >> UNIT_SHIFT;
        // Of an address with more bits than any has, only the lower ones count here: the slab that is found, if
        // any, sees that it lies elsewhere.
        let index = (unit >> LEAF_BITS) & ((1 << ROOT_BITS) - 1);
        let leaf = self.root.at(index).load(Ordering::Acquire);
        // SAFETY: null, or a leaf that was leaked.
        let leaf = unsafe { leaf.as_ref() }?;
        let slab = leaf[unit & ((1 << LEAF_BITS) - 1)].load(Ordering::Acquire);
        // SAFETY: null, or a slab that was leaked.
        unsafe { slab.as_ref() }
    }

    /// Makes room for the entries of `units` units from an address on; `false` if there is no memory for
    /// that, or if the address has more bits than any has.
    pub(crate) fn reserve(&self, address: usize, units: usize) -> bool {
        let first = address >> UNIT_SHIFT;
        let last = first + units - 1;
        (first >> LEAF_BITS..=last >> LEAF_BITS).all(|index| {
            if index >= 1 << ROOT_BITS {
                return false;
            }
            let root = self.root.at(index);
            if !root.load(Ordering::Acquire).is_null() {
                return true;
            }
            let Some(leaf) = nulls(System) else {
                return false;
            };
            // The caller holds the depot: nobody else is here.
            root.store(Box::leak(leaf), Ordering::Release);
            true
        })
    }

    /// Writes the entries of `units` units from an address on. There is room for them.
    pub(crate) fn set(&self, address: usize, units: usize, slab: Option<&'static Slab>) {
        let entry = slab.map_or(ptr::null_mut(), |slab| ptr::from_ref(slab).cast_mut());
        let first = address >> UNIT_SHIFT;
        for unit in first..first + units {
            let leaf = self.root.at(unit >> LEAF_BITS).load(Ordering::Acquire);
            // SAFETY: `reserve` put a leaf there, which was leaked.
            let leaf = unsafe { &*leaf };
            leaf[unit & ((1 << LEAF_BITS) - 1)].store(entry, Ordering::Release);
        }
    }
}
