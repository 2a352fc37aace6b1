//! The seam: the one place where observers attach.
//!
//! Two sets of events. Block events are raised by the doors of the heap and nowhere else. BSTR events
//! are raised by the raw operations, the cache and the pins, for what never reaches a door: a length that
//! is asked for, a source that is read, a freed string that is kept or handed out again, a pin.
//!
//! * Nobody listens until [`listen`] is called; until then an operation pays one test of the mode byte.
//! * An event is raised on the thread of the operation, while no lock of olemem is held: a listener
//!   may allocate and free. It is then told of that, too.
//! * `Freeing` and `Reallocating` come before the fact: once a block is gone its address may be another
//!   thread's. The others come after it; a string is not handed out from the cache before `Cached` was told.

use std::fmt;
use std::mem;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::task::block::Family;
use crate::task::complain::complain;
use crate::task::mode::{self, Mode};

/// What happened to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockEvent {
    /// A block was asked for. `block` is null if there was none to be had.
    Allocated {
        /// Its start.
        block: *mut u8,
        /// Bytes asked for.
        size: usize,
        /// For which pair of functions.
        family: Family,
    },
    /// A block is about to be of another size; it is still whole.
    Reallocating {
        /// Its start.
        block: *mut u8,
        /// Bytes asked for.
        size: usize,
        /// By which pair of functions.
        family: Family,
    },
    /// What became of it. `old` may be another thread's block by now.
    Reallocated {
        /// Its start before.
        old: *mut u8,
        /// Its start now; null if it could not be had, and `old` stays.
        new: *mut u8,
        /// Bytes asked for.
        size: usize,
        /// For which pair of functions.
        family: Family,
    },
    /// A block is about to be freed; it is still whole.
    Freeing {
        /// Its start.
        block: *mut u8,
        /// By which pair of functions.
        family: Family,
    },
    /// A block's size was asked for.
    Measured {
        /// The pointer as given.
        block: *mut u8,
        /// The answer.
        size: Option<usize>,
    },
    /// Whether a block is ours was asked.
    Asked {
        /// The pointer as given.
        block: *mut u8,
    },
    /// Spare memory was given back.
    Minimized,
}

/// What happened to a BSTR without a door of the heap having been passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BstrEvent {
    /// The prefix is about to be read.
    Read {
        /// The BSTR as given.
        bstr: *const u16,
    },
    /// A source of known length is about to be copied from.
    Source {
        /// Its first byte.
        source: *const u8,
        /// Bytes that will be read.
        bytes: usize,
    },
    /// A freed string is in the cache from now on; its block stays live.
    Cached {
        /// The string.
        bstr: *const u16,
        /// Whether it was there already: it was freed a second time, which changed nothing.
        again: bool,
    },
    /// A string in the cache was handed out again. Its contents are what they were.
    Reused {
        /// The string, whose header is yet to be written.
        bstr: *const u16,
        /// Its length from now on, in bytes.
        bytes: usize,
    },
    /// A pin was asked for.
    Pinned {
        /// The BSTR as given.
        bstr: *const u16,
        /// Whether a live string is there. If not, nothing was done.
        is_live: bool,
        /// Its pins, this one included; 0 if there was no memory to record it.
        pins: usize,
    },
    /// A pin was taken back.
    Unpinned {
        /// The BSTR as given.
        bstr: *const u16,
        /// The pins that are left; `None` if there was none to be taken back, and nothing was done.
        left: Option<usize>,
        /// Whether a free that was put off happens now.
        frees: bool,
    },
    /// A string was freed while it was pinned: that is put off.
    FreeDeferred {
        /// The string.
        bstr: *const u16,
        /// Whether that had been put off before: this free changed nothing.
        again: bool,
    },
}

/// Somebody who listens. A listener that panics ends the process.
pub trait Listener: Sync {
    /// A block event.
    fn block(&self, event: &BlockEvent);
    /// A BSTR event.
    fn bstr(&self, event: &BstrEvent);
}

/// The place of a listener. A seat lives as long as the program: an event on another thread may still
/// be on its way to it.
pub struct Seat(&'static dyn Listener);

impl Seat {
    /// A seat for `listener`.
    pub const fn new(listener: &'static dyn Listener) -> Self {
        Self(listener)
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seat")
    }
}

/// Who listens: null, or a seat that lives for ever.
static TAKEN: AtomicPtr<Seat> = AtomicPtr::new(ptr::null_mut());

/// Somebody listens already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeatTaken;

impl fmt::Display for SeatTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("somebody listens at the seam already")
    }
}

impl std::error::Error for SeatTaken {}

/// Listens until the guard is dropped.
///
/// # Errors
///
/// [`SeatTaken`] while somebody else listens.
pub fn listen(seat: &'static Seat) -> Result<Listening, SeatTaken> {
    TAKEN
        .compare_exchange(
            ptr::null_mut(),
            ptr::from_ref(seat).cast_mut(),
            Ordering::AcqRel,
            Ordering::Relaxed,
        )
        .map_err(|_| SeatTaken)?;
    mode::set(Mode::LISTENED, true);
    Ok(Listening(()))
}

/// Ends the listening when dropped. Made by [`listen`].
#[derive(Debug)]
#[must_use = "dropping the guard ends the listening"]
pub struct Listening(());

impl Drop for Listening {
    fn drop(&mut self) {
        mode::set(Mode::LISTENED, false);
        TAKEN.store(ptr::null_mut(), Ordering::Release);
    }
}

fn listener() -> Option<&'static dyn Listener> {
    let seat = TAKEN.load(Ordering::Acquire);
    // SAFETY: the pointer is null or was made from a `&'static Seat` by `listen`.
    unsafe { seat.as_ref() }.map(|seat| seat.0)
}

/// Ends the process if a listener unwinds: an operation that is half done must not be left.
struct NoUnwinding;

impl Drop for NoUnwinding {
    fn drop(&mut self) {
        complain(format_args!("a listener at the seam panicked"));
        process::abort();
    }
}

/// Tells a block event.
#[cold]
#[inline(never)]
pub(crate) fn raise_block(event: &BlockEvent) {
    if let Some(listener) = listener() {
        let guard = NoUnwinding;
        listener.block(event);
        mem::forget(guard);
    }
}

/// Tells a BSTR event.
#[cold]
#[inline(never)]
pub(crate) fn raise_bstr(event: &BstrEvent) {
    if let Some(listener) = listener() {
        let guard = NoUnwinding;
        listener.bstr(event);
        mem::forget(guard);
    }
}
