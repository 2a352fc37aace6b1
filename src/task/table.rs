//! The table of live blocks: the heap's whole knowledge, and what makes its answers exact.
//!
//! 1. A block is in the table from before its address is handed out until it is freed or moved.
//! 2. Every question about a pointer is answered from here: no foreign memory is ever read.
//! 3. Addresses are stored complemented. A table of plain addresses would look to LeakSanitizer,
//!    Valgrind and Miri like live pointers and hide every leak from them.
//! 4. Room for one more entry is made before the system is asked for a block, so that a block which
//!    exists can always be recorded.

use std::alloc::Layout;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use allocator_api2::alloc::{AllocError, Allocator, System};
use hashbrown::HashTable;

use crate::task::block::{ALIGN, Family};
use crate::task::lock::{Guard, Lock};

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

/// The table's own memory: the system's, for a global allocator may stand on us.
///
/// hashbrown keeps a pointer into the middle of its allocation, which Valgrind would call possibly
/// lost; so the start of the newest one is kept here.
struct TableMemory;

/// Nobody reads it but a leak checker, so the compiler must be told that it is used.
#[used]
static START: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

// SAFETY: every method is that of the system allocator.
unsafe impl Allocator for TableMemory {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let memory = System.allocate(layout)?;
        START.store(memory.as_ptr().cast(), Ordering::Relaxed);
        Ok(memory)
    }

    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        // SAFETY: the trait's promise is the precondition.
        unsafe { System.deallocate(memory, layout) };
    }
}

/// All live blocks, by address.
pub(crate) struct Table(HashTable<Entry, TableMemory>);

static LIVE: Lock<Table> = Lock::new(Table(HashTable::new_in(TableMemory)));

/// The table, locked. No listener runs and no user code is called while the guard lives.
pub(crate) fn lock() -> Guard<'static, Table> {
    LIVE.lock()
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

    /// Gives spare room of the table itself back to the system. The smaller table is made beside it, so
    /// that it stays as it is where there is no memory for that.
    pub(crate) fn shrink(&mut self) {
        let mut smaller = HashTable::new_in(TableMemory);
        if smaller
            .try_reserve(self.0.len(), |entry: &Entry| hash(entry.key))
            .is_err()
        {
            return;
        }
        for entry in &self.0 {
            smaller.insert_unique(hash(entry.key), *entry, |entry| hash(entry.key));
        }
        self.0 = smaller;
    }
}

/// Spreads an address over all 64 bits: hashbrown takes its tag from the top seven and its place from
/// the bottom.
fn hash(key: usize) -> u64 {
    let mixed = (key as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 32)
}
