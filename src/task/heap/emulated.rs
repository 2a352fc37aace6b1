//! The doors over olemem's own heap.
//!
//! ```text
//!  door ── quiet? ─► store                                     two instructions, then the block
//!            │ no
//!            ▼
//!  door_observed ── spied? ─► spy: Pre… ─► door_innermost ─► spy: Post…
//!                     │ no                      │
//!                     └────────────────────► door_innermost ── a failure to come? the listener ─► store
//! ```
//!
//! The spy sits outermost, the listener innermost: a failure that was asked for happens at the real
//! allocation, so that a spy sees it as Windows would show it.

use std::fmt;
use std::process;
use std::ptr;

use crate::layout;
use crate::task::block::{DidAlloc, Family};
use crate::task::complain::complain;
use crate::task::fault;
#[cfg(any(feature = "export", feature = "audit"))]
use crate::task::hook::{self, BlockEvent};
use crate::task::mode::Mode;
#[cfg(any(feature = "export", feature = "audit"))]
use crate::task::spy;
use crate::task::store::{self, Found};
use crate::task::{backing, mode};

#[inline]
pub(super) fn alloc(size: usize, family: Family) -> *mut u8 {
    if mode::is_quiet() {
        store::alloc(size, family)
    } else {
        alloc_observed(size, family)
    }
}

#[cold]
#[inline(never)]
fn alloc_observed(size: usize, family: Family) -> *mut u8 {
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::SPIED) {
        return spy::alloc(size, family, |size| alloc_innermost(size, family));
    }
    alloc_innermost(size, family)
}

fn alloc_innermost(size: usize, family: Family) -> *mut u8 {
    let mode = mode::get();
    let fails = mode.has(Mode::FAILING) && is_to_fail(size);
    let block = if fails {
        ptr::null_mut()
    } else {
        store::alloc(size, family)
    };
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode.has(Mode::LISTENED) {
        hook::raise_block(&BlockEvent::Allocated {
            block,
            size,
            family,
        });
    }
    block
}

/// # Safety
///
/// * As for [`realloc`](super::realloc), and `block` is not null.
#[inline]
pub(super) unsafe fn resize(block: *mut u8, size: usize, family: Family) -> *mut u8 {
    if mode::is_quiet() {
        // SAFETY: the caller's promise is the precondition.
        unsafe { resize_store(block, size, family) }
    } else {
        // SAFETY: as above.
        unsafe { resize_observed(block, size, family) }
    }
}

/// # Safety
///
/// * As for [`resize`].
#[cold]
#[inline(never)]
unsafe fn resize_observed(block: *mut u8, size: usize, family: Family) -> *mut u8 {
    // SAFETY: the caller's promise is the precondition.
    if let Some(new) = unsafe { realloc_spied(block, size, family) } {
        return new;
    }
    // SAFETY: as above.
    unsafe { resize_innermost(block, size, family) }
}

/// The whole reallocation, of null and to no bytes included, if there is a spy.
///
/// # Safety
///
/// * As for [`realloc`](super::realloc).
#[cfg(any(feature = "export", feature = "audit"))]
pub(super) unsafe fn realloc_spied(block: *mut u8, size: usize, family: Family) -> Option<*mut u8> {
    if !mode::get().has(Mode::SPIED) {
        return None;
    }
    let real = |block: *mut u8, size| {
        if block.is_null() {
            return alloc_innermost(size, family);
        }
        // SAFETY: what the spy handed back for the caller's block, judged before it is touched.
        unsafe { resize_innermost(block, size, family) }
    };
    // SAFETY: as above.
    let real_free = |block| unsafe { free_innermost(block, family) };
    // SAFETY: the caller's promise is the precondition.
    Some(unsafe { spy::realloc(block, size, family, real, real_free) })
}

/// Nobody can spy.
///
/// # Safety
///
/// * None: the signature is that of the twin.
#[cfg(not(any(feature = "export", feature = "audit")))]
pub(super) unsafe fn realloc_spied(_: *mut u8, _: usize, _: Family) -> Option<*mut u8> {
    None
}

/// # Safety
///
/// * As for [`resize`].
unsafe fn resize_innermost(block: *mut u8, size: usize, family: Family) -> *mut u8 {
    let mode = mode::get();
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode.has(Mode::LISTENED) {
        hook::raise_block(&BlockEvent::Reallocating {
            block,
            size,
            family,
        });
    }
    // Only a block that grows needs memory.
    let fails = mode.has(Mode::FAILING)
        && store::size_of(block).is_some_and(|held| size > held)
        && is_to_fail(size);
    let new = if fails {
        ptr::null_mut()
    } else {
        // SAFETY: the caller's promise is the precondition.
        unsafe { resize_store(block, size, family) }
    };
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode.has(Mode::LISTENED) {
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
#[inline]
unsafe fn resize_store(block: *mut u8, size: usize, family: Family) -> *mut u8 {
    // SAFETY: the caller's promise is the precondition.
    match unsafe { store::resize(block, size) } {
        Ok(new) => new,
        Err(_) => {
            refuse("reallocation", block, family);
            // SAFETY: a memory checker is watching: `refuse` has returned.
            unsafe { backing::hand_on_realloc(block, size) }
        }
    }
}

/// # Safety
///
/// * As for [`free`](super::free). Null is refused.
#[inline]
pub(super) unsafe fn free(block: *mut u8, family: Family) {
    if mode::is_quiet() {
        // SAFETY: the caller's promise is the precondition.
        unsafe { free_store(block, family) }
    } else {
        // SAFETY: as above.
        unsafe { free_observed(block, family) }
    }
}

/// # Safety
///
/// * As for [`free`].
#[cold]
#[inline(never)]
unsafe fn free_observed(block: *mut u8, family: Family) {
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::SPIED) && !block.is_null() {
        // SAFETY: what the spy handed back for the caller's block, judged before it is touched.
        let real = |block| unsafe { free_innermost(block, family) };
        // SAFETY: the caller's promise, and `block` is not null.
        return unsafe { spy::free(block, real) };
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { free_innermost(block, family) }
}

/// # Safety
///
/// * As for [`free`].
unsafe fn free_innermost(block: *mut u8, family: Family) {
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::LISTENED) {
        hook::raise_block(&BlockEvent::Freeing { block, family });
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { free_store(block, family) }
}

/// # Safety
///
/// * As for [`free`].
#[inline]
unsafe fn free_store(block: *mut u8, family: Family) {
    // SAFETY: the caller's promise is the precondition.
    if unsafe { store::free(block) }.is_err() {
        refuse("free", block, family);
        // SAFETY: a memory checker is watching: `refuse` has returned.
        unsafe { backing::hand_on_free(block) };
    }
}

/// # Safety
///
/// * None: the store is asked. The signature is that of the twin on Windows.
pub(super) unsafe fn size_of(block: *mut u8) -> Option<usize> {
    if mode::is_quiet() {
        store::size_of(block)
    } else {
        size_of_observed(block)
    }
}

#[cold]
#[inline(never)]
fn size_of_observed(block: *mut u8) -> Option<usize> {
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::SPIED) {
        return spy::size_of(block, size_of_innermost);
    }
    size_of_innermost(block)
}

fn size_of_innermost(block: *mut u8) -> Option<usize> {
    let size = store::size_of(block);
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::LISTENED) {
        hook::raise_block(&BlockEvent::Measured { block, size });
    }
    size
}

/// # Safety
///
/// * As for [`size_of`].
pub(super) unsafe fn did_alloc(block: *mut u8) -> DidAlloc {
    if mode::is_quiet() {
        did_alloc_store(block)
    } else {
        did_alloc_observed(block)
    }
}

#[cold]
#[inline(never)]
fn did_alloc_observed(block: *mut u8) -> DidAlloc {
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::SPIED) {
        return spy::did_alloc(block, did_alloc_innermost);
    }
    did_alloc_innermost(block)
}

fn did_alloc_innermost(block: *mut u8) -> DidAlloc {
    let answer = did_alloc_store(block);
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::LISTENED) {
        hook::raise_block(&BlockEvent::Asked { block });
    }
    answer
}

fn did_alloc_store(block: *mut u8) -> DidAlloc {
    match store::size_of(block) {
        Some(_) => DidAlloc::Yes,
        None => DidAlloc::No,
    }
}

pub(super) fn minimize() {
    if mode::is_quiet() {
        store::minimize();
    } else {
        minimize_observed();
    }
}

#[cold]
#[inline(never)]
fn minimize_observed() {
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::SPIED) {
        return spy::minimize(minimize_innermost);
    }
    minimize_innermost();
}

fn minimize_innermost() {
    store::minimize();
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::LISTENED) {
        hook::raise_block(&BlockEvent::Minimized);
    }
}

/// Bytes from `address` to the end of the live block at `block`, if it lies in there.
pub(super) fn bytes_left(block: *mut u8, address: usize) -> Option<usize> {
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::SPIED) {
        // Under a spy the caller's pointer may be anywhere in the block.
        let found = store::containing(block.addr())?;
        let offset = address.wrapping_sub(found.start);
        return found.size.checked_sub(offset).filter(|left| *left > 0);
    }
    let offset = address.wrapping_sub(block.addr());
    let held = store::size_of(block)?;
    held.checked_sub(offset).filter(|left| *left > 0)
}

/// Whether this allocation is the one that is to fail. One of more than there can be fails by itself, and
/// does not count.
fn is_to_fail(size: usize) -> bool {
    backing::layout(size).is_some() && fault::is_to_fail()
}

/// A pointer that is no live block start: one line on standard error, and the end. Returns where a memory
/// checker is to be handed the pointer.
#[cold]
#[inline(never)]
fn refuse(call: &str, block: *mut u8, family: Family) {
    if !mode::get().has(Mode::PASS_THROUGH) {
        complain(format_args!("{}", BadCall::judge(call, block, family)));
        process::abort();
    }
}

/// What is wrong with a pointer, as well as the live blocks can tell.
struct BadCall<'a> {
    call: &'a str,
    /// The pointer as the caller holds it: a BSTR points behind its header.
    pointer: usize,
    family: Family,
    /// The live block that the caller's pointer lies in.
    inside: Option<Found>,
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
            inside: store::containing(pointer),
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
        let offset = pointer.wrapping_sub(block.start);
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
