//! The heap as olemem holds it: every block is an allocation of the system's, and the table knows them
//! all.

use std::fmt;
use std::process;
use std::ptr::{self, NonNull};

use crate::layout;
use crate::task::block::{DidAlloc, Family};
use crate::task::complain::complain;
#[cfg(feature = "export")]
use crate::task::hook::{self, BlockEvent};
use crate::task::table::{self, Entry};
use crate::task::{backing, mode};

pub(super) fn alloc(size: usize, family: Family) -> *mut u8 {
    let block = alloc_unobserved(size, family);
    #[cfg(feature = "export")]
    if mode::armed() {
        hook::raise_block(&BlockEvent::Allocated {
            block,
            size,
            family,
        });
    }
    block
}

fn alloc_unobserved(size: usize, family: Family) -> *mut u8 {
    mode::ready();
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

/// # Safety
///
/// * As for [`realloc`](super::realloc), and `block` is not null.
pub(super) unsafe fn resize(block: *mut u8, size: usize, family: Family) -> *mut u8 {
    #[cfg(feature = "export")]
    if mode::armed() {
        hook::raise_block(&BlockEvent::Reallocating {
            block,
            size,
            family,
        });
    }
    // SAFETY: the caller's promise is the precondition.
    let new = unsafe { resize_unobserved(block, size, family) };
    #[cfg(feature = "export")]
    if mode::armed() {
        hook::raise_block(&BlockEvent::Reallocated {
            old: block,
            new,
            size,
            family,
        });
    }
    new
}

/// # Safety
///
/// * As for [`resize`].
unsafe fn resize_unobserved(block: *mut u8, size: usize, family: Family) -> *mut u8 {
    let mut live = table::lock();
    let Some(entry) = live.get_mut(block.addr()) else {
        drop(live);
        if refuse("reallocation", block, family) {
            // SAFETY: a memory checker is watching: `refuse` says so.
            return unsafe { backing::hand_on_realloc(block, size) };
        }
        return ptr::null_mut();
    };
    let old = *entry;
    if old.family == Family::Bstr && size <= old.capacity {
        // Shrinking, and growing into room that an earlier shrinking left, keep the address.
        entry.size = size;
        return block;
    }
    let (Some(block), Some(layout)) = (NonNull::new(block), backing::layout(size)) else {
        return ptr::null_mut();
    };
    if !live.reserve() {
        return ptr::null_mut();
    }
    // SAFETY: the table holds the block as live, so the backing gave it with this layout; the new
    // layout is the backing's own.
    let moved = unsafe { backing::reallocate(block, old.layout(), layout) };
    let Some(moved) = moved else {
        return ptr::null_mut();
    };
    live.remove(block.addr().get());
    live.insert(Entry::new(
        moved.addr().get(),
        size,
        layout.size(),
        old.family,
    ));
    moved.as_ptr()
}

/// # Safety
///
/// * As for [`free`](super::free). Null is refused.
pub(super) unsafe fn free(block: *mut u8, family: Family) {
    #[cfg(feature = "export")]
    if mode::armed() {
        hook::raise_block(&BlockEvent::Freeing { block, family });
    }
    let mut live = table::lock();
    let found = live.remove(block.addr());
    let (Some(entry), Some(live_block)) = (found, NonNull::new(block)) else {
        drop(live);
        if refuse("free", block, family) {
            // SAFETY: a memory checker is watching: `refuse` says so.
            unsafe { backing::hand_on_free(block) };
        }
        return;
    };
    // SAFETY: the table held the block as live, so the backing gave it with this layout; the caller
    // promises that nothing uses it.
    unsafe { backing::deallocate(live_block, entry.layout()) };
}

/// # Safety
///
/// * None: the table is asked. The signature is that of the twin on Windows.
pub(super) unsafe fn size_of(block: *mut u8) -> Option<usize> {
    let size = extent(block);
    #[cfg(feature = "export")]
    if mode::armed() {
        hook::raise_block(&BlockEvent::Measured { block, size });
    }
    size
}

/// The size of a block, asked by olemem itself: no event.
pub(super) fn extent(block: *mut u8) -> Option<usize> {
    table::lock().get_mut(block.addr()).map(|entry| entry.size)
}

/// # Safety
///
/// * As for [`size_of`].
pub(super) unsafe fn did_alloc(block: *mut u8) -> DidAlloc {
    let answer = match table::lock().get_mut(block.addr()) {
        Some(_) => DidAlloc::Yes,
        None => DidAlloc::No,
    };
    #[cfg(feature = "export")]
    if mode::armed() {
        hook::raise_block(&BlockEvent::Asked { block });
    }
    answer
}

pub(super) fn minimize() {
    table::lock().shrink();
    #[cfg(feature = "export")]
    if mode::armed() {
        hook::raise_block(&BlockEvent::Minimized);
    }
}

/// A pointer that is no live block start: `true` if a memory checker is to be handed it; otherwise one
/// line on standard error, and the end.
#[cold]
#[inline(never)]
fn refuse(call: &str, block: *mut u8, family: Family) -> bool {
    if mode::pass_through() {
        return true;
    }
    complain(format_args!("{}", BadCall::judge(call, block, family)));
    process::abort();
}

/// What is wrong with a pointer, as well as the live blocks can tell.
struct BadCall<'a> {
    call: &'a str,
    /// The pointer as the caller holds it: a BSTR points behind its header.
    pointer: usize,
    family: Family,
    /// The live block that the caller's pointer lies in.
    inside: Option<Entry>,
}

impl<'a> BadCall<'a> {
    fn judge(call: &'a str, block: *mut u8, family: Family) -> Self {
        let pointer = match family {
            Family::Bstr => block.addr().wrapping_add(layout::HEADER),
            Family::Task => block.addr(),
        };
        Self {
            call,
            pointer,
            family,
            inside: table::lock().containing(pointer),
        }
    }
}

impl fmt::Display for BadCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            call,
            pointer,
            family,
            inside,
        } = self;
        write!(f, "{call} of {pointer:#x} as {family}: ")?;
        let Some(block) = inside else {
            return f.write_str("no live block is there (freed before, or never from this heap)");
        };
        let offset = pointer.wrapping_sub(block.address());
        match (family, block.family, offset) {
            (Family::Bstr, Family::Task, 0) => f.write_str("it is task memory"),
            (Family::Task, Family::Bstr, layout::HEADER) => f.write_str("it is a BSTR"),
            (_, owner, _) => write!(
                f,
                "it points {offset} bytes into a live block of {} bytes ({owner})",
                block.size
            ),
        }
    }
}
