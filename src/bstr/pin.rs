//! Pins: a string that is freed while it is pinned stays readable until the last pin goes.
//!
//! ```text
//!            pin                 pin               unpin              unpin
//!   live ──────────► pinned, 1 ──────► pinned, 2 ──────► pinned, 1 ──────────► live
//!                      │ free                              │ free
//!                      ▼                                   ▼             unpin
//!                    freed, 1 ◄────── (pin, unpin) ────► freed, 1 ──────────► freed for real
//!                      │ free: nothing changes
//! ```
//!
//! Windows documents that a pinned string is not freed, and no more (`semantics.md` 2.9). What is decided
//! here, by inference:
//!
//! 1. A free while pinned is remembered; more of them change nothing and are no double free. The unpin that
//!    takes the last pin completes it, into the cache where one is on. After that the string is freed, and
//!    another free is a double free.
//! 2. A string that was freed while pinned may be pinned again: it is there.
//! 3. A task block with a header is a string to pin, as it is one to free (L5). What is in the cache is
//!    none: it was freed.
//! 4. A pinned string that is reallocated is left as it is, contents and all, and counts as freed; the new
//!    string stands elsewhere, also when it is shorter. The pins stay with the old one.
//! 5. A pin belongs to the process, not to the thread. An unpin without a pin is ignored, and told at the seam.
//! 6. Pins are the BSTR functions' alone. A block that is freed or moved through the task allocator is gone,
//!    pinned or not, and its pins with it: who has the address next has none.

use core::mem;

use crate::bstr::cache;
use crate::bstr::prefix::block_of;
use crate::error::{OutOfMemory, PinError};
use crate::task::aside::{self, Aside, Pin};
use crate::task::block::Family;
use crate::task::caller::Caller;
use crate::task::fault;
use crate::task::heap;
#[cfg(any(feature = "export", feature = "audit"))]
use crate::task::hook::{self, BstrEvent};
use crate::task::mode::{self, Mode};

/// Tells what happened to a pin, where there is somebody to tell.
macro_rules! tell {
    ($event:ident { $($fields:tt)* }) => {
        #[cfg(any(feature = "export", feature = "audit"))]
        if mode::get().has(Mode::LISTENED) {
            hook::raise_bstr(&BstrEvent::$event { $($fields)* });
        }
    };
}

/// Pins a BSTR: until it is unpinned as often, [`free`](crate::raw::free) does not release its memory. Null is
/// a success, and nothing to unpin.
///
/// It is meant for a callee that passes control to code it does not trust while it uses a string that was
/// lent to it. Any address may be given: it is looked up, and no memory there is read.
///
/// The first pin of a string needs memory to be recorded; later ones do not.
///
/// A string in the [cache model](crate::cache) is freed and cannot be pinned; one that was freed while pinned gets there
/// with its last pin. A spy hears of no pin, and of the free when it happens.
///
/// *Ownership:* stays where it is. Each pin is taken back with [`unpin`]. Source: `SysAddRefString`,
/// `semantics.md` 2.9. Not on Windows itself, where the function is not part of every version.
///
/// # Errors
///
/// [`PinError::NotABstr`] if no live BSTR is there, [`PinError::OutOfMemory`] if the pin cannot be recorded.
///
/// # Examples
///
/// ```
/// use olemem::{Bstr, raw};
///
/// let text = Bstr::from("text").into_raw();
/// raw::pin(text)?;
/// // SAFETY: the string is live. It stays readable, for it is pinned.
/// unsafe { raw::free(text) };
/// // SAFETY: it is pinned, so it is there.
/// assert_eq!(unsafe { raw::unit_len(text) }.get(), 4);
/// // SAFETY: the pin is the one above, and nothing uses the string any more.
/// unsafe { raw::unpin(text) };
/// # Ok::<(), olemem::error::PinError>(())
/// ```
#[track_caller]
pub fn pin(bstr: *const u16) -> Result<(), PinError> {
    if bstr.is_null() {
        return Ok(());
    }
    Caller::here().enter(|| {
        let recorded = record(block_of(bstr.cast_mut()));
        tell!(Pinned {
            bstr,
            is_live: recorded != Err(PinError::NotABstr),
            pins: recorded.unwrap_or(0),
        });
        recorded.map(drop)
    })
}

/// Counts one pin more for a block, and gives the count.
fn record(block: *mut u8) -> Result<usize, PinError> {
    const NO_MEMORY: PinError = PinError::OutOfMemory(OutOfMemory {
        requested: size_of::<Pin>(),
    });
    // A mode byte that was never read must not be changed first.
    let mode = mode::get();
    let mut aside = aside::lock();
    if aside.cached.holds(block) || heap::extent(block).is_none() {
        return Err(PinError::NotABstr);
    }
    if let Some(pin) = aside.pins.get_mut(block) {
        pin.count = pin.count.checked_add(1).ok_or(NO_MEMORY)?;
        return Ok(pin.count);
    }
    if is_to_fail(mode) || !aside.pins.insert(block) {
        return Err(NO_MEMORY);
    }
    mode::set(Mode::PINNED, true);
    Ok(1)
}

/// Whether the memory for a first pin is among what is to fail.
fn is_to_fail(mode: Mode) -> bool {
    let size = size_of::<Pin>();
    #[cfg(any(feature = "export", feature = "audit"))]
    if let Some(overseer) = hook::overseer() {
        return overseer.is_to_fail(size, Family::Bstr);
    }
    mode.has(Mode::FAILING) && fault::fault(size, Family::Bstr).is_some()
}

/// Takes one pin of a BSTR back. If it was the last, and the string was freed meanwhile, its memory is
/// released now. Null, and a string without a pin, change nothing.
///
/// *Ownership:* ends here, if the string was freed. Source: `SysReleaseString`, `semantics.md` 2.9. Not on
/// Windows itself.
///
/// # Safety
///
/// * The pin is the caller's own.
/// * If the string was freed meanwhile and this is its last pin: nothing uses it any more.
#[track_caller]
pub unsafe fn unpin(bstr: *const u16) {
    if bstr.is_null() {
        return;
    }
    Caller::here().enter(|| {
        let bstr = bstr.cast_mut();
        let (left, frees) = take_back(&mut aside::lock(), block_of(bstr));
        tell!(Unpinned { bstr, left, frees });
        // There is nobody to tell of it where there is no seam.
        let _ = left;
        if frees {
            // SAFETY: the string was freed while it was pinned, this completes it, and the caller promises that
            // nothing uses it any more.
            unsafe { cache::free(bstr) };
        }
    });
}

/// Counts one pin less. How many are left, if there was one; and whether the string is to be freed now.
fn take_back(aside: &mut Aside, block: *mut u8) -> (Option<usize>, bool) {
    let Some(pin) = aside.pins.get_mut(block) else {
        return (None, false);
    };
    pin.count -= 1;
    let (left, frees) = (pin.count, pin.count == 0 && pin.is_freed);
    if left == 0 {
        aside.pins.remove(block);
        if aside.pins.is_empty() {
            mode::set(Mode::PINNED, false);
        }
    }
    (Some(left), frees)
}

/// Whether a live string is pinned.
pub(super) fn is_pinned(bstr: *mut u16) -> bool {
    let block = block_of(bstr);
    mode::get().has(Mode::PINNED)
        && aside::lock().pins.get_mut(block).is_some()
        && heap::extent(block).is_some()
}

/// Puts the free of a string off if it is pinned; `false` if it is not, and is to be freed.
pub(super) fn defers(bstr: *mut u16) -> bool {
    if !mode::get().has(Mode::PINNED) {
        return false;
    }
    let block = block_of(bstr);
    let mut aside = aside::lock();
    // Freed past the pins: the heap has the last word on it.
    if heap::extent(block).is_none() {
        return false;
    }
    let Some(pin) = aside.pins.get_mut(block) else {
        return false;
    };
    let again = mem::replace(&mut pin.is_freed, true);
    drop(aside);
    tell!(FreeDeferred { bstr, again });
    // As above.
    let _ = again;
    true
}

/// Frees a BSTR: later, if it is pinned, else into the cache or to the heap.
///
/// # Safety
///
/// * As for [`raw::free`](crate::bstr::raw::free), and `bstr` is not null.
pub(super) unsafe fn free(bstr: *mut u16) {
    if !defers(bstr) {
        // SAFETY: the caller's promise is the precondition.
        unsafe { cache::free(bstr) };
    }
}
