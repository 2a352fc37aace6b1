//! Blocks that the BSTR functions have set aside: freed strings in the cache, and pinned ones.
//!
//! ```text
//!  bstr::pin, bstr::cache        which blocks, and for how long
//!          │
//!          ▼
//!  Aside ── cached   pointers, in the order in which they came
//!    ▲      pins     counts, by address
//!    │
//!  heap, fork                    is it in the cache? no lock is left behind in a child
//! ```
//!
//! 1. A cached block is a live block, as its holder had it, and nobody's: the heap neither frees nor moves it while
//!    it is here.
//! 2. Cached blocks are kept as plain pointers: a leak checker finds them reachable, for they are no
//!    leaks. Pins are kept by complemented address, as the table of live blocks is: a pinned string that
//!    nobody frees is a leak.
//! 3. One lock for all of it, taken before the seat's and the heap's own. What is here asks the system for memory, never
//!    the global allocator.

use std::ptr;
use std::sync::atomic::AtomicPtr;

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;
use hashbrown::HashTable;

use crate::task::lock::{Guard, Lock};
use crate::task::table_memory::{TableMemory, hash};

/// All that is set aside.
pub(crate) struct Aside {
    pub(crate) cached: Cached,
    pub(crate) pins: Pins,
}

static ASIDE: Lock<Aside> = Lock::new(Aside {
    cached: Cached {
        entries: [NOTHING; Cached::MOST],
        len: 0,
        retired: Vec::new_in(System),
    },
    pins: Pins(HashTable::new_in(memory())),
});

/// What is set aside, locked. No listener runs and no user code is called while the guard lives.
pub(crate) fn lock() -> Guard<'static, Aside> {
    ASIDE.lock()
}

/// One block in the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CachedBlock {
    /// As its holder had it: under a spy that may be the middle of the real block.
    pub(crate) block: *mut u8,
    /// Its size, likewise.
    pub(crate) size: usize,
    /// Whether it may be handed out. It may not while a listener is still to hear that it came.
    pub(crate) ready: bool,
}

const NOTHING: CachedBlock = CachedBlock {
    block: ptr::null_mut(),
    size: 0,
    ready: false,
};

/// Freed strings that are kept, oldest first.
#[derive(Debug)]
pub(crate) struct Cached {
    entries: [CachedBlock; Self::MOST],
    len: usize,
    /// Blocks of a cache that was closed without being emptied. They are never handed out again, and are
    /// here for leak checkers to find; whether they still live is not known.
    retired: Vec<*mut u8, System>,
}

// SAFETY: the blocks behind the pointers are nobody's while they are here.
unsafe impl Send for Cached {}

impl Cached {
    /// There is room for so many.
    pub(crate) const MOST: usize = 64;

    /// All of them, oldest first.
    pub(crate) fn blocks(&self) -> &[CachedBlock] {
        &self.entries[..self.len]
    }

    /// Whether the block is among them.
    pub(crate) fn holds(&self, block: *mut u8) -> bool {
        self.blocks().iter().any(|kept| kept.block == block)
    }

    /// Adds one, as the newest.
    pub(crate) fn push(&mut self, block: CachedBlock) {
        self.entries[self.len] = block;
        self.len += 1;
    }

    /// Takes one out, by its place in [`blocks`](Self::blocks).
    pub(crate) fn remove(&mut self, index: usize) -> CachedBlock {
        let taken = self.entries[index];
        self.entries.copy_within(index + 1..self.len, index);
        self.len -= 1;
        self.entries[self.len] = NOTHING;
        taken
    }

    /// Has the block handed out from now on, if it is still here.
    #[cfg(any(feature = "export", feature = "audit"))]
    pub(crate) fn make_ready(&mut self, block: *mut u8) {
        let entries = &mut self.entries[..self.len];
        if let Some(kept) = entries.iter_mut().find(|kept| kept.block == block) {
            kept.ready = true;
        }
    }

    /// Takes all of them out: an array, and how many it holds.
    pub(crate) fn take(&mut self) -> ([CachedBlock; Self::MOST], usize) {
        let blocks = std::mem::replace(&mut self.entries, [NOTHING; Self::MOST]);
        (blocks, std::mem::take(&mut self.len))
    }

    /// Puts all of them where nothing is handed out from. Where there is no memory for that they are
    /// forgotten, and look like leaks.
    pub(crate) fn retire(&mut self) {
        let (blocks, len) = self.take();
        if self.retired.try_reserve(len).is_ok() {
            self.retired
                .extend(blocks[..len].iter().map(|kept| kept.block));
        }
    }
}

/// The pins of one block.
#[derive(Debug)]
pub(crate) struct Pin {
    /// The complement of the block's address.
    key: usize,
    /// Never 0.
    pub(crate) count: usize,
    /// Whether the string was freed meanwhile.
    pub(crate) is_freed: bool,
}

/// All pins, by the address of the block.
pub(crate) struct Pins(HashTable<Pin, TableMemory<System>>);

impl Pins {
    /// The pins of a block, if there are any.
    pub(crate) fn get_mut(&mut self, block: *mut u8) -> Option<&mut Pin> {
        let key = !block.addr();
        self.0.find_mut(hash(key), |pin| pin.key == key)
    }

    /// Records the first pin of a block; `false` if there is no memory for that.
    #[must_use]
    pub(crate) fn insert(&mut self, block: *mut u8) -> bool {
        let key = !block.addr();
        if self.0.try_reserve(1, |pin| hash(pin.key)).is_err() {
            return false;
        }
        let pin = Pin {
            key,
            count: 1,
            is_freed: false,
        };
        self.0.insert_unique(hash(key), pin, |pin| hash(pin.key));
        true
    }

    /// Forgets the pins of a block. With the last one the table's memory goes back as well.
    pub(crate) fn remove(&mut self, block: *mut u8) {
        let _ = self.take(block);
        self.tidy();
    }

    /// Takes the pins of a block out, which may come back: the table's memory stays.
    pub(crate) fn take(&mut self, block: *mut u8) -> Option<Pin> {
        let key = !block.addr();
        let found = self.0.find_entry(hash(key), |pin| pin.key == key).ok()?;
        Some(found.remove().0)
    }

    /// Puts back what was taken out. If others took its place meanwhile, and there is no memory, it is lost.
    pub(crate) fn put_back(&mut self, pin: Pin) {
        if self.0.try_reserve(1, |pin| hash(pin.key)).is_ok() {
            self.0
                .insert_unique(hash(pin.key), pin, |pin| hash(pin.key));
        }
    }

    /// Gives the table's memory back if nothing is pinned.
    pub(crate) fn tidy(&mut self) {
        if self.0.is_empty() {
            self.0 = HashTable::new_in(memory());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where the newest table of pins starts. Nobody reads it but a leak checker, so the compiler must be told that it
/// is used.
#[used]
static START: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

/// The memory of the pins: the system's.
const fn memory() -> TableMemory<System> {
    TableMemory {
        backing: &System,
        start: &START,
    }
}
