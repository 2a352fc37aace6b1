//! How blocks are held.

use std::ptr::{self, NonNull};

use crate::task::backing;
use crate::task::block::Family;
use crate::task::table::{self, Entry};

/// No live block starts there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotLive;

/// A new block; null if there is no memory.
pub(crate) fn alloc(size: usize, family: Family) -> *mut u8 {
    let Some(layout) = backing::layout(size) else {
        return ptr::null_mut();
    };
    let mut live = table::lock();
    if !live.reserve() {
        return ptr::null_mut();
    }
    let Some(block) = backing::allocate(layout) else {
        return ptr::null_mut();
    };
    live.insert(Entry::new(block.addr().get(), size, layout.size(), family));
    block.as_ptr()
}

/// The block at another size; null if there is no memory, and the block stays.
///
/// # Safety
///
/// * Nobody else uses the block, if one is there.
pub(crate) unsafe fn resize(block: *mut u8, size: usize) -> Result<*mut u8, NotLive> {
    let mut live = table::lock();
    let Some(entry) = live.get_mut(block.addr()) else {
        return Err(NotLive);
    };
    let old = *entry;
    if old.family == Family::Bstr && size <= old.capacity {
        entry.size = size;
        return Ok(block);
    }
    let (Some(block), Some(layout)) = (NonNull::new(block), backing::layout(size)) else {
        return Ok(ptr::null_mut());
    };
    if !live.reserve() {
        return Ok(ptr::null_mut());
    }
    // SAFETY: the table holds the block as live, so the backing gave it with this layout; the new
    // layout is the backing's own.
    let moved = unsafe { backing::reallocate(block, old.layout(), layout) };
    let Some(moved) = moved else {
        return Ok(ptr::null_mut());
    };
    live.remove(block.addr().get());
    live.insert(Entry::new(
        moved.addr().get(),
        size,
        layout.size(),
        old.family,
    ));
    Ok(moved.as_ptr())
}

/// Gives a block back.
///
/// # Safety
///
/// * Nobody uses the block any more, if one is there.
pub(crate) unsafe fn free(block: *mut u8) -> Result<(), NotLive> {
    let mut live = table::lock();
    let found = live.remove(block.addr());
    let (Some(entry), Some(block)) = (found, NonNull::new(block)) else {
        return Err(NotLive);
    };
    // SAFETY: the table held the block as live, so the backing gave it with this layout; the caller
    // promises that nothing uses it.
    unsafe { backing::deallocate(block, entry.layout()) };
    Ok(())
}

/// The size of a block.
pub(crate) fn size_of(block: *mut u8) -> Option<usize> {
    table::lock().get_mut(block.addr()).map(|entry| entry.size)
}

/// The live block that an address lies in, its start included.
pub(crate) fn containing(address: usize) -> Option<Found> {
    let entry = table::lock().containing(address)?;
    Some(Found {
        start: entry.address(),
        size: entry.size,
        family: entry.family,
    })
}

/// A live block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) start: usize,
    /// Bytes asked for.
    pub(crate) size: usize,
    pub(crate) family: Family,
}

/// Gives spare memory back.
pub(crate) fn minimize() {
    table::lock().shrink();
}
