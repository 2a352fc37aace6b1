//! The seam: the one place where observers attach.
//!
//! Two sets of events. Block events are raised by the doors of the heap and nowhere else. BSTR events
//! are raised by the raw operations, the cache and the pins, for what never reaches a door: a length that
//! is asked for, a source that is read, a freed string that is kept or handed out again, a pin.
//!
//! * Nobody listens until [`listen`] is called; until then an operation pays one test of the mode byte.
//! * An event is raised on the thread of the operation, while no lock of olemem is held: a listener
//!   may allocate and free. It is then told of that, too.
//! * One may be seated who does more than listen, the [`Overseer`]: every operation is then its own.
//! * `Freeing` and `Reallocating` come before the fact: once a block is gone its address may be another
//!   thread's. The others come after it; a string is not handed out from the cache before `Cached` was told.

use std::fmt;
use std::mem;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::task::block::Family;
use crate::task::caller::Caller;
use crate::task::complain::complain;
use crate::task::mode::{self, Mode};
use crate::units::ByteLen;

/// What a block is to olemem, if it is more than task memory: reports say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The descriptor of a SAFEARRAY, with its data if they are one block.
    Array,
    /// The data of one.
    ArrayData,
}

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

/// Somebody whose business every operation is: it carries out what it is asked for, by the innermost doors of
/// [`heap`](crate::task::heap), or does something else. It must not unwind.
///
/// A block that it handed out may look different to the heap. So it stays seated as long as there is one.
pub(crate) trait Overseer: Sync {
    /// A block; null if there is none.
    fn alloc(&self, size: usize, family: Family) -> *mut u8;

    /// A block at another size, which is not zero; null if it stays as it is.
    ///
    /// # Safety
    ///
    /// * As for [`heap::realloc`](crate::task::heap::realloc) of a block that is not null, but a bad pointer is
    ///   judged.
    unsafe fn resize(&self, block: *mut u8, size: usize, family: Family) -> *mut u8;

    /// Gives a block back.
    ///
    /// # Safety
    ///
    /// * As for [`heap::free`](crate::task::heap::free), but a bad pointer is judged.
    unsafe fn free(&self, block: *mut u8, family: Family);

    /// The size of a block, asked by a caller.
    fn measure(&self, block: *mut u8) -> Option<usize>;

    /// Whether a block is there, asked by a caller.
    fn is_live(&self, block: *mut u8) -> bool;

    /// The size of a live block, asked by olemem itself.
    fn extent(&self, block: *mut u8) -> Option<usize>;

    /// Spare memory was given back.
    fn minimized(&self);

    /// Something happened to a BSTR that needs no answer.
    fn bstr(&self, event: &BstrEvent);

    /// A prefix is about to be read. `false`: it must not be, and the string counts as empty.
    fn may_read(&self, bstr: *const u16) -> bool;

    /// `bytes` bytes are about to be copied from `source`: how many may be.
    fn may_copy(&self, source: *const u8, bytes: usize) -> usize;

    /// A text that a zero ends is about to be read: how many bytes may be, if it lies in a block.
    fn may_scan(&self, source: *const u8) -> Option<usize>;

    /// No zero was among them. `false` if that concerns nobody.
    fn unterminated(&self, source: *const u8) -> bool;

    /// Whether a live block of that family starts there, which is about to be replaced.
    fn accepts(&self, block: *mut u8, family: Family) -> bool;

    /// A block is about to be reallocated for a BSTR of so many bytes, which may take as many as it has.
    fn framing(&self, block: *mut u8, len: ByteLen);

    /// A BSTR stands in a block now, of so many bytes.
    fn framed(&self, block: *mut u8, len: ByteLen);

    /// A BSTR was made, and its text was written.
    fn filled(&self, block: *mut u8);

    /// Whether a block may come out of the cache for a new string: one that is not known would not be watched.
    fn may_reuse(&self, block: *mut u8) -> bool;

    /// The cache does not keep a block any longer, and gives it back next: that is no free of the program's.
    fn leaves_cache(&self, block: *mut u8);

    /// A BSTR in the cache is freed or reallocated once more, which was not done.
    fn refused_cached(&self, block: *mut u8);

    /// A reallocation's source lies in the string that it replaces.
    fn overlaps(&self, bstr: *const u16, source: *const u16);

    /// A string is about to take the place of another one, which is freed next, at once or when its pins are gone.
    fn replacing(&self, old: *const u16, new: *const u16);

    /// A block is a SAFEARRAY, or the data of the array whose descriptor is in another.
    fn is_part(&self, block: *mut u8, part: Part, array: *mut u8);

    /// A block is about to be used by a function that was given a pointer to it. `false`: it must not be.
    fn may_use(&self, block: *mut u8) -> bool;

    /// A null pointer where a result had to be stored.
    fn null_out(&self, function: &'static str);

    /// A spy handed back a pointer that is no block.
    fn spy_lost(&self, block: *mut u8);

    /// Whether memory that is for no block, but for what olemem keeps about one, is among what is to fail.
    fn is_to_fail(&self, size: usize, family: Family) -> bool;
}

/// Who is seated.
enum Who {
    Listener(&'static dyn Listener),
    #[cfg_attr(
        not(feature = "audit"),
        expect(dead_code, reason = "the audit is the overseer")
    )]
    Overseer(&'static dyn Overseer),
}

/// The place of a listener. A seat lives as long as the program: an event on another thread may still
/// be on its way to it.
pub struct Seat(Who);

impl Seat {
    /// A seat for `listener`.
    pub const fn new(listener: &'static dyn Listener) -> Self {
        Self(Who::Listener(listener))
    }

    /// A seat for an overseer.
    #[cfg(feature = "audit")]
    pub(crate) const fn of_overseer(overseer: &'static dyn Overseer) -> Self {
        Self(Who::Overseer(overseer))
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

fn seated() -> Option<&'static Who> {
    let seat = TAKEN.load(Ordering::Acquire);
    // SAFETY: the pointer is null or was made from a `&'static Seat` by `listen`.
    unsafe { seat.as_ref() }.map(|seat| &seat.0)
}

fn listener() -> Option<&'static dyn Listener> {
    match seated() {
        Some(Who::Listener(listener)) => Some(*listener),
        _ => None,
    }
}

/// The overseer, if there is one.
#[cold]
#[inline(never)]
pub(crate) fn overseer() -> Option<&'static dyn Overseer> {
    match seated() {
        Some(Who::Overseer(overseer)) => Some(*overseer),
        _ => None,
    }
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
    match seated() {
        Some(Who::Listener(listener)) => {
            let guard = NoUnwinding;
            listener.bstr(event);
            mem::forget(guard);
        }
        Some(Who::Overseer(overseer)) => overseer.bstr(event),
        None => {}
    }
}

/// Tells that a prefix is about to be read; `false` if it must not be.
#[cold]
#[inline(never)]
pub(crate) fn reading(bstr: *const u16) -> bool {
    if let Some(overseer) = overseer() {
        return overseer.may_read(bstr);
    }
    raise_bstr(&BstrEvent::Read { bstr });
    true
}

/// Tells that so many bytes are about to be copied from a source, and how many may be.
#[cold]
#[inline(never)]
pub(crate) fn copying(source: *const u8, bytes: usize) -> usize {
    if let Some(overseer) = overseer() {
        return overseer.may_copy(source, bytes);
    }
    raise_bstr(&BstrEvent::Source { source, bytes });
    bytes
}

/// Tells the overseer what a block is for: a part of the array whose descriptor `array` has.
#[cold]
#[inline(never)]
pub(crate) fn is_part(block: *mut u8, part: Part, array: *mut u8) {
    if let Some(overseer) = overseer() {
        overseer.is_part(block, part, array);
    }
}

/// Tells that a block is about to be used; `false` if it must not be.
#[cold]
#[inline(never)]
pub(crate) fn using(block: *mut u8) -> bool {
    overseer().is_none_or(|overseer| overseer.may_use(block))
}

/// Tells the overseer that a text is about to be read that a zero ends, and how many bytes may be, if that is known.
#[cold]
#[inline(never)]
pub(crate) fn scanning(source: *const u8) -> Option<usize> {
    overseer()?.may_scan(source)
}

/// Tells the overseer that there was none among those. `false` if it goes on as if nobody watched.
#[cold]
#[inline(never)]
pub(crate) fn is_unterminated_told(source: *const u8) -> bool {
    overseer().is_some_and(|overseer| overseer.unterminated(source))
}

/// Tells the overseer that a function was given a null pointer where its result had to be stored.
#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn null_out(function: &'static str) {
    // No door of the heap was passed: this may be the first that is heard of the process.
    mode::get();
    if let Some(overseer) = overseer() {
        Caller::here().enter(|| overseer.null_out(function));
    }
}
