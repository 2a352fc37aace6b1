//! What the heap's tables of addresses have in common: where their memory comes from, and how they hash.

use std::alloc::Layout;
use std::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator};

use crate::task::sync::{AtomicPtr, Ordering};

/// A table's own memory: a backing's, for the global allocator may stand on us.
///
/// hashbrown keeps a pointer into the middle of its allocation, which Valgrind would call possibly lost; so
/// the start of the newest one is kept.
pub(crate) struct TableMemory<A: 'static> {
    pub(crate) backing: &'static A,
    /// Where the start is kept. A static of its own must be `#[used]`: nobody reads it but a leak checker.
    pub(crate) start: &'static AtomicPtr<u8>,
}

// SAFETY: every method is that of the backing, which is there for ever.
unsafe impl<A: Allocator> Allocator for TableMemory<A> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let memory = self.backing.allocate(layout)?;
        self.start.store(memory.as_ptr().cast(), Ordering::Relaxed);
        Ok(memory)
    }

    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        // SAFETY: the trait's promise is the precondition.
        unsafe { self.backing.deallocate(memory, layout) };
    }
}

/// Spreads an address over all 64 bits: hashbrown takes its tag from the top seven and its place from
/// the bottom.
pub(crate) fn hash(key: usize) -> u64 {
    let mixed = (key as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 32)
}
