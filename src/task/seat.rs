//! Who spies, and on which blocks.
//!
//! ```text
//!  free ──register──► taken ──revoke, no block spyed──► free
//!                       │                                 ▲
//!                       └─revoke, blocks spyed─► pending ─┘ the last of them is gone
//! ```
//!
//! 1. There is one spy at a time, and a pending one is still there: it sees everything as before.
//! 2. A block is spyed if the spy gave its pointer to a caller. The pointer is what the caller holds, not
//!    the start of the block.
//!    Its size is what the caller asked for: the BSTR functions go by both, and never see what is around them.
//! 3. Pointers are stored complemented: a table of plain addresses would hide leaks from LeakSanitizer,
//!    Valgrind and Miri.
//! 4. Room for a pointer is made before the block is asked for, so that a block which exists can be
//!    recorded.
//! 5. The table's memory is the system's: a global allocator may stand on olemem.
//!
//! All of it is behind a lock that is held for a look at it, never while a spy's code runs.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicPtr;

use allocator_api2::alloc::System;
use hashbrown::HashTable;

use crate::task::block::{DidAlloc, Family};
use crate::task::hidden::Hidden;
use crate::task::lock::{Guard, Lock};
use crate::task::table_memory::{TableMemory, hash};

/// How a spyed block lies in the real one: `before`, then the caller's `size` bytes, then `after`.
///
/// Of a spy of C's only the size is known: what it adds is its own affair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// The real block, if there is room around the caller's: the caller's pointer may be good for the
    /// caller's bytes alone, as one that was a reference is.
    pub(crate) start: Hidden,
    pub(crate) before: usize,
    /// Bytes that the caller asked for.
    pub(crate) size: usize,
    pub(crate) after: usize,
    pub(crate) family: Family,
}

/// What a spy says to an allocation to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Bytes really to allocate. None, where some were asked for, is a forced failure.
    pub(crate) total: usize,
    pub(crate) frame: Frame,
}

/// A spy as the doors see it: the methods of `IMallocSpy`. `spyed` is the frame of a block that is
/// spyed; a Post method may complete the frame of a new one. Pointers are the caller's on the way in, and the real ones on the way to the heap.
pub(crate) trait Agent: Send + Sync {
    fn pre_alloc(&self, size: usize, family: Family) -> Plan;

    /// # Safety
    ///
    /// * `actual` is null, or a new block of the plan's total that nobody uses.
    unsafe fn post_alloc(&self, actual: *mut u8, frame: &mut Frame) -> *mut u8;

    /// # Safety
    ///
    /// * If `spyed`, nothing uses the block any more.
    unsafe fn pre_free(&self, request: *mut u8, spyed: Option<Frame>) -> *mut u8;

    fn post_free(&self, spyed: Option<Frame>);

    /// The plan, and the block really to resize.
    ///
    /// # Safety
    ///
    /// * If `spyed`, nothing uses the block during the call.
    unsafe fn pre_realloc(
        &self,
        request: *mut u8,
        size: usize,
        family: Family,
        spyed: Option<Frame>,
    ) -> (Plan, *mut u8);

    /// # Safety
    ///
    /// * `actual` is null, or the block of the plan's total, and nobody uses it.
    unsafe fn post_realloc(
        &self,
        actual: *mut u8,
        frame: &mut Frame,
        spyed: Option<Frame>,
    ) -> *mut u8;

    fn pre_get_size(&self, request: *mut u8, spyed: Option<Frame>) -> *mut u8;

    fn post_get_size(&self, actual: Option<usize>, spyed: Option<Frame>) -> Option<usize>;

    fn pre_did_alloc(&self, request: *mut u8, spyed: Option<Frame>) -> *mut u8;

    /// The caller is told what this gives, whatever it is.
    fn post_did_alloc(&self, request: *mut u8, spyed: Option<Frame>, actual: DidAlloc) -> i32;

    fn pre_heap_minimize(&self);

    fn post_heap_minimize(&self);
}

/// A pointer that the spy gave to a caller.
#[derive(Clone, Copy, Debug)]
struct Spyed {
    /// The complement of its address.
    key: usize,
    frame: Frame,
}

/// Where the newest table starts. Nobody reads it but a leak checker, so the compiler must be told that it is used.
#[used]
static START: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

/// The table's own memory: the system's.
const fn memory() -> TableMemory<System> {
    TableMemory {
        backing: &System,
        start: &START,
    }
}

/// The spy's place.
pub(crate) struct Seat {
    agent: Option<Arc<dyn Agent>>,
    /// How many spies there have been: the name of the one who is there.
    number: u64,
    /// Whether the spy is to go when no block is spyed.
    pending: bool,
    spyed: HashTable<Spyed, TableMemory<System>>,
    /// Allocations under way, each of which may add a pointer.
    promised: usize,
}

static SEAT: Lock<Seat> = Lock::new(Seat {
    agent: None,
    number: 0,
    pending: false,
    spyed: HashTable::new_in(memory()),
    promised: 0,
});

/// The seat, locked. No spy's code runs while the guard lives.
pub(crate) fn lock() -> Guard<'static, Seat> {
    SEAT.lock()
}

impl Seat {
    /// The spy.
    pub(crate) fn agent(&self) -> Option<Arc<dyn Agent>> {
        self.agent.clone()
    }

    /// The spy's number, if one is there.
    pub(crate) fn number(&self) -> Option<u64> {
        self.agent.as_ref().map(|_| self.number)
    }

    /// Takes the seat, which must be free.
    pub(crate) fn seat(&mut self, agent: Arc<dyn Agent>) -> u64 {
        debug_assert!(self.agent.is_none() && self.spyed.is_empty() && !self.pending);
        self.agent = Some(agent);
        self.number += 1;
        self.number
    }

    /// Whether a revoke is remembered.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending
    }

    /// Remembers a revoke.
    pub(crate) fn remember_revoke(&mut self) {
        self.pending = true;
    }

    /// Whether any block is spyed.
    pub(crate) fn spies(&self) -> bool {
        !self.spyed.is_empty()
    }

    /// Makes the seat free, and gives back who had it.
    pub(crate) fn vacate(&mut self) -> Option<Arc<dyn Agent>> {
        self.pending = false;
        self.spyed = HashTable::new_in(memory());
        self.agent.take()
    }

    /// What is known of a pointer that a caller holds.
    pub(crate) fn find(&self, pointer: *mut u8) -> Option<Frame> {
        let key = !pointer.addr();
        let found = self.spyed.find(hash(key), |spyed| spyed.key == key)?;
        Some(found.frame)
    }

    /// Records a pointer that a caller is given. Without a promise it may fail, for lack of memory.
    pub(crate) fn record(&mut self, pointer: *mut u8, frame: Frame) {
        let key = !pointer.addr();
        self.forget(pointer);
        if self.spyed.try_reserve(1, |spyed| hash(spyed.key)).is_ok() {
            self.spyed
                .insert_unique(hash(key), Spyed { key, frame }, |spyed| hash(spyed.key));
        }
    }

    /// Forgets a pointer, and says what was known of it.
    pub(crate) fn forget(&mut self, pointer: *mut u8) -> Option<Frame> {
        let key = !pointer.addr();
        let found = self
            .spyed
            .find_entry(hash(key), |spyed| spyed.key == key)
            .ok()?;
        Some(found.remove().0.frame)
    }
}

/// Room for one more pointer, until it is dropped.
pub(crate) struct Promise {
    /// Whether there was memory for it.
    pub(crate) is_kept: bool,
}

/// Makes room for one more pointer than was promised so far.
pub(crate) fn promise() -> Promise {
    let mut seat = lock();
    seat.promised += 1;
    let promised = seat.promised;
    let is_kept = seat
        .spyed
        .try_reserve(promised, |spyed| hash(spyed.key))
        .is_ok();
    Promise { is_kept }
}

impl Drop for Promise {
    fn drop(&mut self) {
        lock().promised -= 1;
    }
}
