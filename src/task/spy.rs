//! Spies: what `IMallocSpy` is on Windows. A spy sees every call of the task allocator before and after
//! the fact, BSTRs included; it may ask for more room, and make an allocation fail.
//!
//! ```text
//!  alloc(n) ─► the turn ─► PreAlloc(n) = m ─► the real allocation of m ─► PostAlloc(a) = r ─► r to the caller
//!                              │ 0                  │ none                    a may be null, and r is
//!                              └─► null             └─► PostAlloc(null)       spyed from now on
//! ```
//!
//! * One spy at a time. From each Pre call to the return of its Post call other threads wait
//!   (`semantics.md` 4.4). A spy may use the allocator, on its own thread, and is then told of that too.
//! * [`register`] gives a guard; dropping it revokes. While blocks that were allocated under the spy live,
//!   the revoke is remembered, and the spy goes with the last of them (S9 to S12).
//! * A spy that registers another is told that one is there; one that revokes itself is there until the call
//!   in which it did so is over, however deep.
//! * A spy that panics ends the process with one line.
//! * A string that the [cache](crate::cache) keeps is not freed, and one that it hands out is not allocated: the
//!   spy hears of neither, and goes when the cache was emptied. The free of a [pinned](crate::raw::pin) string is
//!   heard of when the last pin goes.
//! * A Rust spy and one of C's, registered by `CoRegisterMallocSpy`, have the same seat.
//!
//! On Windows itself there is no such module: spies of the system's allocator are registered with the
//! system.
//!
//! # Examples
//!
//! A spy that counts the live blocks of a call:
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};
//!
//! use olemem::Bstr;
//! use olemem::spy::{self, Block, Request, Spy};
//!
//! #[derive(Default)]
//! struct Live(AtomicIsize);
//!
//! impl Spy for Live {
//!     fn post_alloc(&self, _: Request, block: Option<&mut Block<'_>>) {
//!         self.0.fetch_add(isize::from(block.is_some()), Relaxed);
//!     }
//!     fn pre_free(&self, block: &mut Block<'_>) {
//!         self.0.fetch_sub(isize::from(block.is_spyed()), Relaxed);
//!     }
//! }
//!
//! let live = Arc::new(Live::default());
//! let registered = spy::register(live.clone()).expect("there is no other spy");
//! let text = Bstr::from("seen");
//! assert_eq!(live.0.load(Relaxed), 1);
//! drop(text);
//! assert_eq!(live.0.load(Relaxed), 0);
//! assert!(registered.revoke().is_ok());
//! ```

mod safe;

use std::fmt;
use std::ptr;
use std::sync::Arc;

use crate::com::HResult;
use crate::task::block::{DidAlloc, Family};
use crate::task::mode::{self, Mode};
use crate::task::seat::{self, Agent};
use crate::task::turn::{self, Taken};

pub use safe::{Block, Margins, Request, Spy, Verdict};

/// Registers a spy: from now on it sees every call, of every thread.
///
/// The allocator keeps the spy until it is revoked and no block is spyed any more. A block that is never
/// freed, such as one that a `static` holds, keeps the spy in the seat for good, and no other can be registered.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use olemem::HResult;
/// use olemem::spy::{self, Spy};
///
/// struct Silent;
/// impl Spy for Silent {}
///
/// let registered = spy::register(Arc::new(Silent)).expect("there is no other spy");
/// let second = spy::register(Arc::new(Silent)).expect_err("one at a time");
/// assert_eq!(second.code(), HResult::CO_E_OBJISREG);
/// drop(registered);
/// ```
///
/// # Errors
///
/// [`AlreadyRegistered`] while there is a spy, one whose revoke is remembered included (S4, S10).
pub fn register(spy: Arc<dyn Spy>) -> Result<Registered, AlreadyRegistered> {
    match install(|| Some(safe::agent(spy))) {
        Ok(number) => Ok(Registered { number }),
        Err(_) => Err(AlreadyRegistered(())),
    }
}

/// A registered spy. Dropping it revokes. Made by [`register`].
#[derive(Debug)]
#[must_use = "dropping the guard revokes the spy"]
pub struct Registered {
    /// Which spy it is: another may have come since, if somebody called `CoRevokeMallocSpy`.
    number: u64,
}

impl Registered {
    /// Revokes the spy, which is let go at once unless blocks are spyed.
    ///
    /// # Errors
    ///
    /// [`StillSpied`]: blocks that were allocated under the spy are live, or this is called by the spy itself.
    /// The spy goes when the last of them is freed, and the call is over.
    pub fn revoke(self) -> Result<(), StillSpied> {
        let number = self.number;
        std::mem::forget(self);
        match revoke(Some(number)) {
            HResult::E_ACCESSDENIED => Err(StillSpied(())),
            _ => Ok(()),
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // A revoke that must wait is remembered.
        let _ = revoke(Some(self.number));
    }
}

/// There is a spy already: `CO_E_OBJISREG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyRegistered(());

impl AlreadyRegistered {
    /// The code that `CoRegisterMallocSpy` gives.
    pub const fn code(&self) -> HResult {
        HResult::CO_E_OBJISREG
    }
}

impl fmt::Display for AlreadyRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a spy is registered already")
    }
}

impl std::error::Error for AlreadyRegistered {}

/// Blocks are spyed, so the spy stays until they are gone: `E_ACCESSDENIED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillSpied(());

impl StillSpied {
    /// The code that `CoRevokeMallocSpy` gives.
    pub const fn code(&self) -> HResult {
        HResult::E_ACCESSDENIED
    }
}

impl fmt::Display for StillSpied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("blocks are spyed: the spy goes with the last of them")
    }
}

impl std::error::Error for StillSpied {}

// ------------------------------------------------------------------------------ coming and going

/// Seats what `make` gives, if the seat is free, and gives its number. `make` may be a spy's own code.
///
/// # Errors
///
/// * `CO_E_OBJISREG`: there is a spy. `make` was not called, or registered one itself.
/// * `E_INVALIDARG`: `make` gave none.
pub(crate) fn install(make: impl FnOnce() -> Option<Arc<dyn Agent>>) -> Result<u64, HResult> {
    let visit = Visit::begin();
    if visit.agent.is_some() {
        return Err(HResult::CO_E_OBJISREG);
    }
    let agent = make().ok_or(HResult::E_INVALIDARG)?;
    let mut seat = seat::lock();
    if seat.number().is_some() {
        // Let go when no lock is held.
        drop(seat);
        drop(visit);
        drop(agent);
        return Err(HResult::CO_E_OBJISREG);
    }
    let number = seat.seat(agent);
    mode::set(Mode::SPIED, true);
    Ok(number)
}

/// Revokes the spy of that number, or whichever is there: what `CoRevokeMallocSpy` answers.
pub(crate) fn revoke(number: Option<u64>) -> HResult {
    let mut visit = Visit::begin();
    let mut seat = seat::lock();
    let Some(present) = seat.number() else {
        return HResult::CO_E_OBJNOTREG;
    };
    if number.is_some_and(|number| number != present) {
        return HResult::CO_E_OBJNOTREG;
    }
    // In a turn of its own the spy has a call under way, which is as a block that is not there yet.
    if seat.is_pending() || seat.spies() || !visit.turn.is_outermost() {
        seat.remember_revoke();
        return HResult::E_ACCESSDENIED;
    }
    visit.gone = vacate(&mut seat);
    HResult::S_OK
}

/// Nobody spies any more.
fn vacate(seat: &mut seat::Seat) -> Option<Arc<dyn Agent>> {
    mode::set(Mode::SPIED, false);
    seat.vacate()
}

/// A call in its turn. When the outermost one ends, a spy whose revoke is remembered is let go if no
/// block is spyed any more.
///
/// The fields are dropped in order: a spy's last code runs when its turn is over and nothing is locked.
struct Visit {
    turn: Taken,
    /// The spy, if this call is its last.
    gone: Option<Arc<dyn Agent>>,
    /// The spy, kept alive while the call lasts.
    agent: Option<Arc<dyn Agent>>,
}

impl Visit {
    fn begin() -> Self {
        let turn = turn::take();
        let agent = seat::lock().agent();
        Self {
            turn,
            gone: None,
            agent,
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.turn.is_outermost() {
            let mut seat = seat::lock();
            if seat.is_pending() && !seat.spies() {
                self.gone = vacate(&mut seat);
            }
        }
    }
}

// ------------------------------------------------------------------------------------- the calls
//
// `real` is the operation itself. Where the spy is gone by now, it is all there is to do.

/// Leads an allocation through the spy.
pub(crate) fn alloc(size: usize, family: Family, real: impl FnOnce(usize) -> *mut u8) -> *mut u8 {
    let visit = Visit::begin();
    let Some(agent) = visit.agent.as_deref() else {
        drop(visit);
        return real(size);
    };
    let room = seat::promise();
    let mut plan = agent.pre_alloc(size, family);
    if plan.total == 0 && size != 0 {
        return ptr::null_mut();
    }
    let actual = if room.is_kept {
        real(plan.total)
    } else {
        ptr::null_mut()
    };
    // SAFETY: null, or a new block of that size.
    let given = unsafe { agent.post_alloc(actual, &mut plan.frame) };
    if !given.is_null() {
        seat::lock().record(given, plan.frame);
    }
    given
}

/// Leads a free through the spy. If it hands back null, nothing is freed; what is no block is judged by
/// `real`, as without a spy.
///
/// # Safety
///
/// * `block` is not null. If it is spyed, nothing uses it any more.
pub(crate) unsafe fn free(block: *mut u8, real: impl FnOnce(*mut u8)) {
    let visit = Visit::begin();
    let Some(agent) = visit.agent.as_deref() else {
        drop(visit);
        return real(block);
    };
    let spyed = seat::lock().forget(block);
    // SAFETY: the caller's promise is the precondition.
    let actual = unsafe { agent.pre_free(block, spyed) };
    if !actual.is_null() {
        real(actual);
    }
    agent.post_free(spyed);
}

/// Leads a reallocation through the spy, one of null or to no bytes as well. `real` is given null to
/// allocate. If the spy hands back null for a block, there is a new one and the old one stays, unspyed; to
/// no bytes, nothing is freed then.
///
/// # Safety
///
/// * `block` is null, or, if it is spyed, nothing uses it during the call.
pub(crate) unsafe fn realloc(
    block: *mut u8,
    size: usize,
    family: Family,
    real: impl FnOnce(*mut u8, usize) -> *mut u8,
    real_free: impl FnOnce(*mut u8),
) -> *mut u8 {
    let visit = Visit::begin();
    let frees = !block.is_null() && size == 0;
    let Some(agent) = visit.agent.as_deref() else {
        drop(visit);
        if frees {
            real_free(block);
            return ptr::null_mut();
        }
        return real(block, size);
    };
    let room = seat::promise();
    let spyed = seat::lock().find(block);
    // SAFETY: the caller's promise is the precondition.
    let (mut plan, actual) = unsafe { agent.pre_realloc(block, size, family, spyed) };
    if plan.total == 0 && size != 0 {
        return ptr::null_mut();
    }
    // From here the address may be another block's: one that this thread allocates in between.
    seat::lock().forget(block);
    if frees {
        if !actual.is_null() {
            real_free(actual);
        }
        // SAFETY: null needs nothing. The answer says nothing: null is success.
        let _ = unsafe { agent.post_realloc(ptr::null_mut(), &mut plan.frame, spyed) };
        return ptr::null_mut();
    }
    let new = if room.is_kept {
        real(actual, plan.total)
    } else {
        ptr::null_mut()
    };
    let fails = new.is_null();
    if fails && let Some(frame) = spyed {
        seat::lock().record(block, frame);
    }
    // SAFETY: null, or the block of that size.
    let given = unsafe { agent.post_realloc(new, &mut plan.frame, spyed) };
    if !given.is_null() {
        let mut seat = seat::lock();
        if fails {
            seat.forget(block);
        }
        seat.record(given, plan.frame);
    }
    given
}

/// Leads the question for a size through the spy. Null that it hands back is no block.
pub(crate) fn size_of(
    block: *mut u8,
    real: impl FnOnce(*mut u8) -> Option<usize>,
) -> Option<usize> {
    let visit = Visit::begin();
    let Some(agent) = visit.agent.as_deref() else {
        drop(visit);
        return real(block);
    };
    let spyed = seat::lock().find(block);
    let actual = agent.pre_get_size(block, spyed);
    let size = if actual.is_null() { None } else { real(actual) };
    agent.post_get_size(size, spyed)
}

/// Leads the question whose a block is through the spy, whose answer may be any. Null that it hands back is
/// nobody's.
pub(crate) fn did_alloc(block: *mut u8, real: impl FnOnce(*mut u8) -> DidAlloc) -> i32 {
    let visit = Visit::begin();
    let Some(agent) = visit.agent.as_deref() else {
        drop(visit);
        return real(block).as_raw();
    };
    let spyed = seat::lock().find(block);
    let actual = agent.pre_did_alloc(block, spyed);
    let answer = if actual.is_null() {
        DidAlloc::Unknown
    } else {
        real(actual)
    };
    agent.post_did_alloc(block, spyed, answer)
}

/// Leads the minimizing through the spy.
pub(crate) fn minimize(real: impl FnOnce()) {
    let visit = Visit::begin();
    let Some(agent) = visit.agent.as_deref() else {
        drop(visit);
        return real();
    };
    agent.pre_heap_minimize();
    real();
    agent.post_heap_minimize();
}
