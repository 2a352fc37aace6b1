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

mod bad_call;
pub(crate) mod tail;
pub(crate) mod zeroed;

use std::process;
use std::ptr;

use bad_call::BadCall;

use crate::layout;
use crate::task::aside::Pin;
#[cfg(feature = "audit")]
use crate::task::block::Found;
use crate::task::block::{DidAlloc, Family};
use crate::task::caller::Caller;
use crate::task::complain::complain;
use crate::task::fault::{self, Fault};
#[cfg(any(feature = "export", feature = "audit"))]
use crate::task::hook::{self, BlockEvent};
use crate::task::mode::Mode;
use crate::task::process_heap::HEAP;
use crate::task::store::NotLive;
use crate::task::{aside, backing, large, mode};
#[cfg(any(feature = "export", feature = "audit"))]
use crate::task::{seat, spy};

/// The shortest way.
#[inline]
pub(super) fn alloc_at_hand(size: usize, family: Family) -> Option<*mut u8> {
    HEAP.alloc_at_hand(size, family)
}

#[inline]
#[track_caller]
pub(super) fn alloc(size: usize, family: Family) -> *mut u8 {
    alloc_by::<false>(size, family)
}

/// As [`alloc`], by who may have found that the mode is quiet.
#[inline(always)]
#[track_caller]
pub(crate) fn alloc_by<const QUIET: bool>(size: usize, family: Family) -> *mut u8 {
    if QUIET || mode::is_quiet() {
        HEAP.alloc(size, family)
    } else {
        alloc_observed(size, family, Caller::here())
    }
}

#[cold]
#[inline(never)]
extern "C" fn alloc_observed(size: usize, family: Family, caller: Caller) -> *mut u8 {
    caller.enter(|| {
        #[cfg(any(feature = "export", feature = "audit"))]
        if mode::get().has(Mode::SPIED) {
            return spy::alloc(size, family, |size| alloc_innermost(size, family));
        }
        alloc_innermost(size, family)
    })
}

fn alloc_innermost(size: usize, family: Family) -> *mut u8 {
    #[cfg(any(feature = "export", feature = "audit"))]
    if let Some(overseer) = hook::overseer() {
        return overseer.alloc(size, family);
    }
    let block = alloc_or_fail(size, family);
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::LISTENED) {
        hook::raise_block(&BlockEvent::Allocated {
            block,
            size,
            family,
        });
    }
    block
}

/// A block of the store's, unless it is the one that is to fail.
pub(super) fn alloc_or_fail(size: usize, family: Family) -> *mut u8 {
    if fault_of(size, family).is_some() {
        ptr::null_mut()
    } else {
        alloc_store(size, family)
    }
}

pub(super) fn alloc_store(size: usize, family: Family) -> *mut u8 {
    if mode::get().has(Mode::PASS_THROUGH) {
        HEAP.alloc_apart(size, family)
    } else {
        HEAP.alloc(size, family)
    }
}

/// # Safety
///
/// * As for [`realloc`](super::realloc), and `block` is not null.
#[inline]
#[track_caller]
pub(super) unsafe fn resize(block: *mut u8, size: usize, family: Family) -> *mut u8 {
    if mode::is_quiet() {
        // SAFETY: the caller's promise is the precondition.
        let resized = unsafe { HEAP.resize(block, size, family) };
        // SAFETY: as above.
        unsafe { resized_or_refused(resized, block, size, family) }
    } else {
        // SAFETY: as above.
        unsafe { resize_observed(block, size, family, Caller::here()) }
    }
}

/// The shortest way for a string.
///
/// # Safety
///
/// * As for [`resize`].
#[inline]
pub(super) unsafe fn resize_string_at_hand(block: *mut u8, size: usize) -> bool {
    // SAFETY: the caller's promise is the precondition.
    unsafe { HEAP.resize_string_at_hand(block, size) }
}

/// The next way for a string, if it may be taken.
///
/// # Safety
///
/// * As for [`resize`].
#[inline]
pub(super) unsafe fn resize_large_string_in_place(block: *mut u8, size: usize) -> bool {
    // SAFETY: the caller's promise is the precondition.
    mode::is_quiet() && unsafe { HEAP.resize_large_string_in_place(block, size) }
}

/// # Safety
///
/// * As for [`resize`].
#[cold]
#[inline(never)]
unsafe fn resize_observed(block: *mut u8, size: usize, family: Family, caller: Caller) -> *mut u8 {
    // SAFETY: the caller's promise is the precondition.
    caller.enter(|| unsafe { resize_entered(block, size, family) })
}

/// # Safety
///
/// * As for [`resize`].
unsafe fn resize_entered(block: *mut u8, size: usize, family: Family) -> *mut u8 {
    if is_refused_as_cached("reallocation", block, family) {
        return ptr::null_mut();
    }
    tail::open(block);
    // Before it moves: afterwards the address may be another's.
    let pin = take_pin(block);
    // SAFETY: the caller's promise is the precondition.
    let new = match unsafe { realloc_spied(block, size, family) } {
        Some(new) => new,
        // SAFETY: as above.
        None => unsafe { resize_innermost(block, size, family) },
    };
    if let Some(pin) = pin {
        let stays = new.is_null() || new == block;
        pin_back(stays.then_some(pin));
    }
    new
}

/// Takes the pins of a block out that is about to go: they are not for who has its address next.
fn take_pin(block: *mut u8) -> Option<Pin> {
    if mode::get().has(Mode::PINNED) {
        aside::lock().pins.take(block)
    } else {
        None
    }
}

/// Puts the pins of a block back that stayed, and sees whether anything is pinned yet.
fn pin_back(pin: Option<Pin>) {
    let mut aside = aside::lock();
    if let Some(pin) = pin {
        aside.pins.put_back(pin);
    }
    aside.pins.tidy();
    mode::set(Mode::PINNED, !aside.pins.is_empty());
}

/// Whether a spy handed back what is no block, for one of its own or where it had nothing to change. The overseer
/// is told; without one the heap judges it.
#[cfg(any(feature = "export", feature = "audit"))]
fn is_lost(block: *mut u8, actual: *mut u8, is_spyed: bool) -> bool {
    let Some(overseer) = hook::overseer() else {
        return false;
    };
    let is_changed = is_spyed || !ptr::eq(block, actual);
    let is_lost = is_changed && overseer.extent(actual).is_none();
    if is_lost {
        overseer.spy_lost(block);
    }
    is_lost
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
    if size == 0 && !may_go(block, family) {
        return Some(ptr::null_mut());
    }
    tail::open(block);
    let is_spyed = seat::lock().find(block).is_some();
    let real = |actual: *mut u8, size| {
        if actual.is_null() {
            return alloc_innermost(size, family);
        }
        if is_lost(block, actual, is_spyed) {
            return ptr::null_mut();
        }
        // SAFETY: what the spy handed back for the caller's block, judged before it is touched.
        unsafe { resize_innermost(actual, size, family) }
    };
    let real_free = |actual| {
        if !is_lost(block, actual, is_spyed) {
            // SAFETY: as above.
            unsafe { free_innermost(actual, family) }
        }
    };
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
    #[cfg(any(feature = "export", feature = "audit"))]
    if let Some(overseer) = hook::overseer() {
        // SAFETY: the caller's promise is the precondition.
        return unsafe { overseer.resize(block, size, family) };
    }
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::LISTENED) {
        hook::raise_block(&BlockEvent::Reallocating {
            block,
            size,
            family,
        });
    }
    // SAFETY: the caller's promise is the precondition.
    let new = unsafe { resize_or_fail(block, size, family) };
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::LISTENED) {
        hook::raise_block(&BlockEvent::Reallocated {
            old: block,
            new,
            size,
            family,
        });
    }
    new
}

/// A block of the store's at another size, unless it is the one that is to fail.
///
/// # Safety
///
/// * As for [`resize`].
pub(super) unsafe fn resize_or_fail(block: *mut u8, size: usize, family: Family) -> *mut u8 {
    // Only a block that grows needs memory.
    let grows = || HEAP.size_of(block.addr()).is_some_and(|held| size > held);
    if mode::get().has(Mode::FAILING) && grows() && fault_of(size, family).is_some() {
        return ptr::null_mut();
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { resize_store(block, size, family) }
}

/// A block of the store's at another size. What is no block is refused.
///
/// # Safety
///
/// * As for [`resize`].
pub(super) unsafe fn resize_store(block: *mut u8, size: usize, family: Family) -> *mut u8 {
    let resized = if mode::get().has(Mode::PASS_THROUGH) {
        // SAFETY: the caller's promise is the precondition.
        unsafe { HEAP.resize_apart(block, size, family) }
    } else {
        // SAFETY: as above.
        unsafe { HEAP.resize(block, size, family) }
    };
    // SAFETY: as above.
    unsafe { resized_or_refused(resized, block, size, family) }
}

/// # Safety
///
/// * As for [`resize`], whose result on the heap is `resized`.
#[inline]
unsafe fn resized_or_refused(
    resized: Result<*mut u8, NotLive>,
    block: *mut u8,
    size: usize,
    family: Family,
) -> *mut u8 {
    match resized {
        Ok(new) => new,
        Err(NotLive) => {
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
#[track_caller]
pub(super) unsafe fn free(block: *mut u8, family: Family) {
    // SAFETY: the caller's promise is the precondition.
    unsafe { free_by::<false>(block, family) };
}

/// As [`free`], by who may have found that the mode is quiet.
///
/// # Safety
///
/// * As for [`free`].
#[inline(always)]
#[track_caller]
pub(crate) unsafe fn free_by<const QUIET: bool>(block: *mut u8, family: Family) {
    if !QUIET && !mode::is_quiet() {
        // SAFETY: the caller's promise is the precondition.
        return unsafe { free_observed(block, family, Caller::here()) };
    }
    // SAFETY: as above.
    if !unsafe { free_at_hand(block) } {
        // SAFETY: as above.
        unsafe { free_from_afar(block, family) }
    }
}

/// The shortest way.
///
/// # Safety
///
/// * As for [`free`].
#[inline]
pub(super) unsafe fn free_at_hand(block: *mut u8) -> bool {
    // SAFETY: the caller's promise is the precondition.
    unsafe { HEAP.free_at_hand(block) }
}

/// The longer way where nobody is to be told. Of C's kind, for such a function does not unwind: whoever calls it
/// needs no landing pad.
///
/// # Safety
///
/// * As for [`free`].
#[cold]
#[inline(never)]
unsafe extern "C" fn free_from_afar(block: *mut u8, family: Family) {
    // SAFETY: the caller's promise is the precondition.
    unsafe { free_store(block, family) }
}

/// # Safety
///
/// * As for [`free`].
#[cold]
#[inline(never)]
unsafe extern "C" fn free_observed(block: *mut u8, family: Family, caller: Caller) {
    // SAFETY: the caller's promise is the precondition.
    caller.enter(|| unsafe { free_entered(block, family) });
}

/// # Safety
///
/// * As for [`free`].
unsafe fn free_entered(block: *mut u8, family: Family) {
    if !may_go(block, family) {
        return;
    }
    tail::open(block);
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::SPIED) && !block.is_null() {
        let is_spyed = seat::lock().find(block).is_some();
        let real = |actual| {
            if !is_lost(block, actual, is_spyed) {
                // SAFETY: what the spy handed back for the caller's block, judged before it is touched.
                unsafe { free_innermost(actual, family) }
            }
        };
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
    if let Some(overseer) = hook::overseer() {
        // SAFETY: the caller's promise is the precondition.
        return unsafe { overseer.free(block, family) };
    }
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
pub(super) unsafe fn free_store(block: *mut u8, family: Family) {
    // SAFETY: the caller's promise is the precondition.
    if unsafe { HEAP.free(block) }.is_err() {
        refuse("free", block, family);
        // SAFETY: a memory checker is watching: `refuse` has returned.
        unsafe { backing::hand_on_free(block) };
    }
}

/// # Safety
///
/// * None: the store is asked. The signature is that of the twin on Windows.
#[track_caller]
pub(super) unsafe fn size_of(block: *mut u8) -> Option<usize> {
    if mode::is_quiet() {
        HEAP.size_of(block.addr())
    } else {
        size_of_observed(block, Caller::here())
    }
}

#[cold]
#[inline(never)]
fn size_of_observed(block: *mut u8, caller: Caller) -> Option<usize> {
    caller.enter(|| {
        #[cfg(any(feature = "export", feature = "audit"))]
        if mode::get().has(Mode::SPIED) {
            return spy::size_of(block, size_of_innermost);
        }
        size_of_innermost(block)
    })
}

fn size_of_innermost(block: *mut u8) -> Option<usize> {
    #[cfg(any(feature = "export", feature = "audit"))]
    if let Some(overseer) = hook::overseer() {
        return overseer.measure(block);
    }
    let size = HEAP.size_of(block.addr());
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
        return did_alloc_store(block);
    }
    match did_alloc_observed(block) {
        1 => DidAlloc::Yes,
        0 => DidAlloc::No,
        // -1, or what has no meaning.
        _ => DidAlloc::Unknown,
    }
}

/// As `IMalloc::DidAlloc` answers: a spy may have any number.
#[cfg(feature = "export")]
pub(super) fn did_alloc_raw(block: *mut u8) -> i32 {
    if mode::is_quiet() {
        did_alloc_store(block).as_raw()
    } else {
        did_alloc_observed(block)
    }
}

#[cold]
#[inline(never)]
fn did_alloc_observed(block: *mut u8) -> i32 {
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::SPIED) {
        return spy::did_alloc(block, did_alloc_innermost);
    }
    did_alloc_innermost(block).as_raw()
}

fn did_alloc_innermost(block: *mut u8) -> DidAlloc {
    #[cfg(any(feature = "export", feature = "audit"))]
    if let Some(overseer) = hook::overseer() {
        return if overseer.is_live(block) {
            DidAlloc::Yes
        } else {
            DidAlloc::No
        };
    }
    let answer = did_alloc_store(block);
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::LISTENED) {
        hook::raise_block(&BlockEvent::Asked { block });
    }
    answer
}

fn did_alloc_store(block: *mut u8) -> DidAlloc {
    match HEAP.size_of(block.addr()) {
        Some(_) => DidAlloc::Yes,
        None => DidAlloc::No,
    }
}

pub(super) fn minimize() {
    if mode::is_quiet() {
        HEAP.minimize();
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
    HEAP.minimize();
    #[cfg(any(feature = "export", feature = "audit"))]
    if let Some(overseer) = hook::overseer() {
        return overseer.minimized();
    }
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::LISTENED) {
        hook::raise_block(&BlockEvent::Minimized);
    }
}

/// The size of a block as its holder sees it, without a word to anybody: a spy may have handed out a pointer
/// into the middle of the real block, and have room of its own on either side.
pub(super) fn extent(block: *mut u8) -> Option<usize> {
    #[cfg(any(feature = "export", feature = "audit"))]
    if mode::get().has(Mode::SPIED)
        && let Some(frame) = seat::lock().find(block)
    {
        return Some(frame.size);
    }
    #[cfg(any(feature = "export", feature = "audit"))]
    if let Some(overseer) = hook::overseer() {
        return overseer.extent(block);
    }
    HEAP.size_of(block.addr())
}

/// The size of the live block of the store's that starts at an address.
#[cfg(feature = "audit")]
pub(super) fn size_of_store(address: usize) -> Option<usize> {
    HEAP.size_of(address)
}

/// The live block of the store's that an address lies in.
#[cfg(feature = "audit")]
pub(super) fn containing(address: usize) -> Option<Found> {
    HEAP.containing(address)
}

/// The family of the spyed block that starts at an address, as its holder sees it.
#[cfg(feature = "audit")]
pub(super) fn spyed_as(address: usize) -> Option<Family> {
    if !mode::get().has(Mode::SPIED) {
        return None;
    }
    let frame = seat::lock().find(ptr::without_provenance_mut(address))?;
    Some(frame.family)
}

/// Bytes from `address` to the end of the live block at `block`, if it lies in there.
pub(super) fn bytes_left(block: *mut u8, address: usize) -> Option<usize> {
    let offset = address.wrapping_sub(block.addr());
    extent(block)?.checked_sub(offset).filter(|left| *left > 0)
}

/// Whether there can be a block of so many bytes. The allocation of another fails by itself, and does not count.
pub(super) fn can_be(size: usize) -> bool {
    large::layout(size).is_some()
}

/// Whether this allocation is one that is to fail.
pub(super) fn fault_of(size: usize, family: Family) -> Option<Fault> {
    if mode::get().has(Mode::FAILING) && can_be(size) {
        fault::fault(size, family)
    } else {
        None
    }
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

/// A block is about to be freed: it must not be one that the cache keeps, and its pins go with it.
fn may_go(block: *mut u8, family: Family) -> bool {
    if is_refused_as_cached("free", block, family) {
        return false;
    }
    if take_pin(block).is_some() {
        pin_back(None);
    }
    true
}

/// Refuses a freed BSTR that the cache keeps: its block is live, and will be handed out again.
fn is_refused_as_cached(call: &str, block: *mut u8, family: Family) -> bool {
    let is_cached = mode::get().has(Mode::CACHE) && aside::lock().cached.holds(block);
    if is_cached {
        refuse_cached(call, block, family);
    }
    is_cached
}

/// One line on standard error, and the end. No memory checker could tell it better: to the system
/// allocator the block is a live one. Returns where an overseer is told instead.
#[cold]
#[inline(never)]
pub(super) fn refuse_cached(call: &str, block: *mut u8, family: Family) {
    #[cfg(any(feature = "export", feature = "audit"))]
    if let Some(overseer) = hook::overseer() {
        return overseer.refused_cached(block);
    }
    let pointer = caller_pointer(block, family);
    complain(format_args!(
        "{call} of {pointer:#x} as {family}: it is a BSTR that was freed before and is in the cache"
    ));
    process::abort();
}

/// The address that the caller holds: a BSTR points behind its header.
fn caller_pointer(block: *mut u8, family: Family) -> usize {
    match family {
        Family::Bstr => block.addr().wrapping_add(layout::HEADER),
        Family::Task => block.addr(),
    }
}
