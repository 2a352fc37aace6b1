//! The table of live blocks: the heap's whole knowledge, and what makes its answers exact.
//!
//! 1. A block is in the table from before its address is handed out until it is freed or moved.
//! 2. Every question about a pointer is answered from here: no foreign memory is ever read.
//! 3. Addresses are stored complemented. A table of plain addresses would look to LeakSanitizer,
//!    Valgrind and Miri like live pointers and hide every leak from them.
//! 4. Room for one more entry is made before the system is asked for a block, so that a block which
//!    exists can always be recorded.

use std::alloc::Layout;
use std::sync::{Mutex, MutexGuard, PoisonError};

use allocator_api2::alloc::System;
use hashbrown::HashTable;

use crate::task::block::{ALIGN, Family};

/// One live block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The complement of the block's address.
    key: usize,
    /// Bytes asked for: what `GetSize` answers.
    pub(crate) size: usize,
    /// Bytes the system gave: at least `size`, and never less than 1.
    pub(crate) capacity: usize,
    /// Whose block it is.
    pub(crate) family: Family,
}

impl Entry {
    pub(crate) fn new(address: usize, size: usize, capacity: usize, family: Family) -> Self {
        Self {
            key: !address,
            size,
            capacity,
            family,
        }
    }

    pub(crate) fn address(&self) -> usize {
        !self.key
    }

    /// The layout that the system knows the block by.
    pub(crate) fn layout(&self) -> Layout {
        Layout::from_size_align(self.capacity, ALIGN).expect("the block was allocated by it")
    }
}

/// All live blocks, by address. Its own memory is the system's: a global allocator may stand on us.
pub(crate) struct Table(HashTable<Entry, System>);

static LIVE: Mutex<Table> = Mutex::new(Table(HashTable::new_in(System)));

/// The table, locked. No listener runs and no user code is called while the guard lives.
pub(crate) fn lock() -> MutexGuard<'static, Table> {
    // Nothing panics between two consistent states of the table: a poisoned lock is still sound.
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Table {
    /// Makes room for one more entry; `false` if there is no memory for that.
    #[must_use]
    pub(crate) fn reserve(&mut self) -> bool {
        self.0.try_reserve(1, |entry| hash(entry.key)).is_ok()
    }

    /// Records a block. Call [`reserve`](Self::reserve) first.
    pub(crate) fn insert(&mut self, entry: Entry) {
        debug_assert!(self.0.len() < self.0.capacity(), "room was reserved");
        self.0
            .insert_unique(hash(entry.key), entry, |entry| hash(entry.key));
    }

    /// The block that starts at `address`.
    pub(crate) fn get_mut(&mut self, address: usize) -> Option<&mut Entry> {
        let key = !address;
        self.0.find_mut(hash(key), |entry| entry.key == key)
    }

    /// Forgets the block that starts at `address`, and says what it was.
    pub(crate) fn remove(&mut self, address: usize) -> Option<Entry> {
        let key = !address;
        let found = self
            .0
            .find_entry(hash(key), |entry| entry.key == key)
            .ok()?;
        Some(found.remove().0)
    }

    /// The block that `address` lies in, its start included. Reads every entry: for messages only.
    pub(crate) fn containing(&self, address: usize) -> Option<Entry> {
        self.0
            .iter()
            .find(|entry| address.wrapping_sub(entry.address()) < entry.capacity)
            .copied()
    }

    /// Gives spare room of the table itself back to the system.
    pub(crate) fn shrink(&mut self) {
        self.0.shrink_to_fit(|entry| hash(entry.key));
    }
}

/// Spreads an address over all 64 bits: hashbrown takes its tag from the top seven and its place from
/// the bottom.
fn hash(key: usize) -> u64 {
    let mixed = (key as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 32)
}
