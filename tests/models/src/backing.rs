//! The memory of one run of a model: taken from one piece, so that addresses are the same in every run, and
//! used again by the next.

use std::alloc::Layout;
use std::cell::Cell;
use std::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator};

/// Units that there are addresses for.
pub(crate) const UNITS: usize =
    1 << (crate::dimensions::ADDRESS_BITS - crate::dimensions::UNIT_SHIFT);

/// Bytes of the piece that chunks are from.
const CHUNKS: usize = UNITS * crate::dimensions::UNIT;

/// Bytes for everything else.
const REST: usize = 1 << 17;

#[repr(align(4096))]
struct Memory(#[expect(dead_code, reason = "used by address")] [u8; CHUNKS + REST]);

/// Where a run has got to.
struct Arena {
    start: NonNull<u8>,
    /// Bytes of the rest that are in use.
    used: Cell<usize>,
    /// Chunks in use, a bit each.
    chunks: Cell<u64>,
    /// Allocations of all kinds that are live.
    live: Cell<usize>,
}

thread_local! {
    // Loom's threads are all on the thread that runs the model.
    static ARENA: Arena = Arena {
        start: NonNull::from(Box::leak(Box::new(Memory([0; CHUNKS + REST])))).cast(),
        used: Cell::new(0),
        chunks: Cell::new(0),
        live: Cell::new(0),
    };
}

/// The allocator.
#[derive(Clone, Copy)]
pub(crate) struct Backing;

/// The first address of chunks.
pub(crate) fn base() -> usize {
    ARENA.with(|arena| arena.start.addr().get())
}

/// Begins another run, and forgets what the last one left.
pub(crate) fn reset() {
    ARENA.with(|arena| {
        arena.used.set(0);
        arena.chunks.set(0);
        arena.live.set(0);
    });
}

/// Chunks that the heap has.
pub(crate) fn chunks() -> u32 {
    ARENA.with(|arena| arena.chunks.get().count_ones())
}

/// Allocations that are live.
pub(crate) fn live() -> usize {
    ARENA.with(|arena| arena.live.get())
}

// SAFETY: blocks come from one piece of memory that is never freed, no two overlap, and none is given
// back but by `reset`, when nothing of the last run is used any more.
unsafe impl Allocator for Backing {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        const CHUNK: usize = crate::dimensions::CHUNK_UNITS * crate::dimensions::UNIT;
        let offset = ARENA.with(|arena| {
            arena.live.set(arena.live.get() + 1);
            if layout.align() == crate::dimensions::UNIT && layout.size() == CHUNK {
                let index = arena.chunks.get().trailing_ones() as usize;
                if (index + 1) * CHUNK > CHUNKS {
                    return None;
                }
                arena.chunks.set(arena.chunks.get() | 1 << index);
                Some(index * CHUNK)
            } else {
                let start = arena.used.get().next_multiple_of(layout.align());
                arena.used.set(start + layout.size());
                (arena.used.get() <= REST).then_some(CHUNKS + start)
            }
        });
        let offset = offset.expect("a model asks for little memory");
        // SAFETY: within the piece.
        let block = unsafe { ARENA.with(|arena| arena.start).byte_add(offset) };
        Ok(NonNull::slice_from_raw_parts(block, layout.size()))
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        ARENA.with(|arena| {
            arena.live.set(arena.live.get() - 1);
            let offset = block.addr().get() - arena.start.addr().get();
            if offset < CHUNKS {
                let bit = 1 << (offset / layout.size());
                assert_ne!(arena.chunks.get() & bit, 0, "a chunk is given back once");
                arena.chunks.set(arena.chunks.get() & !bit);
            }
        });
    }
}
