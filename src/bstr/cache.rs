//! What becomes of freed BSTRs: nothing, or what Windows makes of them.
//!
//! Windows keeps small freed strings and hands them out again. That hides mistakes: a string that was freed
//! still reads, a second free goes unnoticed, a leak is blamed on whoever had the block first. olemem keeps
//! none, unless it is asked to: to see how code behaves there ([`Model::Windows`]), or to have the use of a
//! freed string show ([`Model::Adversarial`]).
//!
//! The model is the whole process's. It is chosen in the environment, by `OLEMEM=cache=windows` or
//! `OLEMEM=cache=adversarial`, or in code by [`set`]. `OANOCACHE` in the environment, with any value, switches
//! off what `OLEMEM` chose, as on Windows. On Windows itself there is no such module: the system has its own
//! cache.
//!
//! # `windows`
//!
//! ```text
//!  a string is freed                              a string is asked for
//!     │  a live block? its size                        │  the size of block that it needs
//!     ▼                                                ▼
//!  ┌──────────────┬───────────────┬────────────────┬──────────────────────┐
//!  │ 0 to 32      │ 33 to 64      │ 65 to 256      │ 257 to 32768 bytes   │  beyond: the heap
//!  │ ■ ■ ■ ■ ■ ■  │ ■ ■ ■         │                │ ■                    │  six blocks a bin
//!  └──────────────┴───────────────┴────────────────┴──────────────────────┘
//!     full: the smallest goes to the heap            the oldest that is large enough
//! ```
//!
//! What it does, and how well that is known. The letters are the grades of `semantics.md` 0.1, the facts are in
//! 2.14 and in V050 to V057.
//!
//! 1. The bin of a freed block follows from the allocator's size of it, never from its prefix (T). Any
//!    task block with a header is taken (T).
//! 2. There are four bins with these bounds, of six blocks each (X, Windows XP). The last bound is that of
//!    Server 2003 and later (K). Wine's bins are another invention.
//! 3. Among those of the bin that are large enough the first freed is handed out first, also to a smaller
//!    string (T). Another bin is not looked at (I).
//! 4. Where a bin is full and the newcomer is larger than its smallest block, that one goes back to the heap
//!    instead (X), the oldest of several (I). A newcomer that is no larger goes itself: of twenty equal
//!    blocks the first is there afterwards (T); a smaller one likewise (I).
//! 5. The contents are not touched, and a second free changes nothing (T).
//! 6. A reallocation passes the cache by (W). Where it has to make a new string, as for a pinned one, that is
//!    an allocation like any other.
//!
//! # `adversarial`
//!
//! It keeps the last 64 blocks of any size, and hands the newest out that is large enough, so that a stale
//! pointer soon meets another string. A second free ends the process as without a cache: what is
//! sure to be a mistake is told.
//!
//! # Both
//!
//! * A string in the cache is a live block of the heap: `DidAlloc` says so, a spy hears nothing of its end or
//!   its return, leak checkers find it reachable. To free its block as task memory, or to reallocate it,
//!   ends the process with one line; so does freeing what is neither a live block nor in the cache.
//! * Under a spy a block has its holder's pointer and size: what the spy put around it is not handed out. The spy
//!   stays until the cache is emptied. A string that is pinned is freed, and comes here, with its last pin.
//! * A string that the cache hands out is not asked of the heap: [`fault`](crate::fault) cannot make it fail,
//!   and its block may be larger than it needs.
//! * While a string is in the cache no tool can tell that it is used too late. Miri, AddressSanitizer and
//!   Valgrind find more without.
//! * What is in the cache at the end of the process goes with it. (Windows empties it when its library is
//!   unloaded.)

// Invariants:
//
// 1. A cached block is live to the heap, and nobody's. The doors of the heap refuse it.
// 2. The bits of the mode byte are changed only while the lock is held, so under the lock they are the model in
//    force.

use core::ptr;

use crate::bstr::prefix::block_of;
#[cfg(any(feature = "export", feature = "audit"))]
use crate::bstr::prefix::bstr_in;
use crate::task::aside::{self, Cached, CachedBlock};
use crate::task::block::Family;
use crate::task::heap;
#[cfg(any(feature = "export", feature = "audit"))]
use crate::task::hook::{self, BstrEvent};
use crate::task::mode::{self, Mode};
use crate::units::ByteLen;

/// What becomes of freed BSTRs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Model {
    /// They are given back to the heap.
    #[default]
    Off,
    /// Small ones are kept, as on Windows: the first freed is handed out first, the contents stay, a second
    /// free goes unnoticed.
    Windows,
    /// They are kept, and the last freed is handed out first: a pointer that should not be used any more
    /// soon leads to another string. A second free is refused.
    Adversarial,
}

/// The model in force.
#[must_use]
pub fn get() -> Model {
    model(mode::get())
}

fn model(mode: Mode) -> Model {
    if mode.has(Mode::CACHE_WINDOWS) {
        Model::Windows
    } else if mode.has(Mode::CACHE_ADVERSARIAL) {
        Model::Adversarial
    } else {
        Model::Off
    }
}

/// Puts a model in force, for the whole process. The cache is empty afterwards: what was in it is given
/// back to the heap, even if the model was the same.
///
/// This decides over whatever the environment said.
///
/// # Examples
///
/// ```standalone_crate
/// use olemem::cache::{self, Model};
/// use olemem::{Bstr, raw};
///
/// cache::set(Model::Windows);
/// let stale = Bstr::from("text").into_raw();
/// // SAFETY: the string is live. It is used below all the same, which is what the model is for.
/// unsafe { raw::free(stale) };
/// // SAFETY: it is in the cache: its memory is there, and nobody else's yet.
/// assert_eq!(unsafe { raw::unit_len(stale) }.get(), 4);
///
/// let other = Bstr::from("next");
/// assert_eq!(other.as_raw(), stale);
/// cache::set(Model::Off);
/// ```
pub fn set(model: Model) {
    // The environment is read first, or it would have the last word.
    let _ = mode::get();
    let mut aside = aside::lock();
    let (blocks, len) = aside.cached.take();
    switch_to(model);
    drop(aside);
    for kept in &blocks[..len] {
        // SAFETY: it was in the cache, and nobody was told of it since.
        unsafe { let_go(kept.block) };
    }
}

/// Switches the cache off without emptying it, as `SetOaNoCache` does: what is in it stays a live block
/// that nobody is handed.
///
/// A second free of such a string is then the heap's business, which frees the block; under the audit it is told
/// as what it is, and not carried out. On Windows the
/// function is best called before the first BSTR is made.
pub fn disable() {
    let _ = mode::get();
    let mut aside = aside::lock();
    aside.cached.retire();
    switch_to(Model::Off);
}

/// Has the mode byte say so. The lock is held.
fn switch_to(model: Model) {
    mode::set(Mode::CACHE, false);
    match model {
        Model::Off => {}
        Model::Windows => mode::set(Mode::CACHE_WINDOWS, true),
        Model::Adversarial => mode::set(Mode::CACHE_ADVERSARIAL, true),
    }
}

/// The bin of the `windows` model for blocks of this size, if there is one.
fn bin(size: usize) -> Option<u8> {
    match size {
        0..=32 => Some(0),
        33..=64 => Some(1),
        65..=256 => Some(2),
        257..=32768 => Some(3),
        _ => None,
    }
}

/// Blocks in a bin.
const BIN: usize = 6;

/// A block from the cache for a string of `len` bytes, whose block is of `size`; null if none fits.
#[cfg_attr(
    not(any(feature = "export", feature = "audit")),
    expect(unused_variables, reason = "the length is for listeners")
)]
pub(super) fn reuse(size: usize, len: ByteLen) -> *mut u8 {
    if !mode::get().has(Mode::CACHE) {
        return ptr::null_mut();
    }
    let mut aside = aside::lock();
    let Some(index) = find(model(mode::get()), aside.cached.blocks(), size) else {
        return ptr::null_mut();
    };
    let block = aside.cached.remove(index).block;
    drop(aside);
    // A memory checker may know where the old string ended.
    heap::tail::open(block);
    #[cfg(any(feature = "export", feature = "audit"))]
    if hook::overseer().is_some_and(|overseer| !overseer.may_reuse(block)) {
        // SAFETY: it was in the cache until now, and nobody was told of it.
        unsafe { let_go(block) };
        return ptr::null_mut();
    }
    #[cfg(any(feature = "export", feature = "audit"))]
    if is_listened() {
        hook::raise_bstr(&BstrEvent::Reused {
            bstr: bstr_in(block),
            bytes: len.as_usize(),
        });
    }
    block
}

/// Gives a block back that the cache does not keep any longer.
///
/// # Safety
///
/// * It was in the cache, so it is live and nobody's, and it has not been handed out since.
unsafe fn let_go(block: *mut u8) {
    #[cfg(any(feature = "export", feature = "audit"))]
    if let Some(overseer) = hook::overseer() {
        overseer.leaves_cache(block);
    }
    // SAFETY: the caller's promise.
    unsafe { heap::release(block, Family::Bstr) };
}

/// Which of the blocks is handed out to a string that needs `size` bytes.
fn find(model: Model, blocks: &[CachedBlock], size: usize) -> Option<usize> {
    let fits = |kept: &CachedBlock| kept.ready && kept.size >= size;
    match model {
        Model::Off => None,
        Model::Windows => {
            let wanted = bin(size)?;
            blocks
                .iter()
                .position(|kept| fits(kept) && bin(kept.size) == Some(wanted))
        }
        Model::Adversarial => blocks.iter().rposition(fits),
    }
}

/// What becomes of a freed string.
enum Fate {
    /// It is in the cache now, in the place of another, if that is not null.
    Cached { instead_of: *mut u8 },
    /// It was there already.
    Again,
    /// It was there already, and that is not to be.
    Refused,
    /// It is the heap's to free or to refuse.
    Heap,
}

/// Frees a BSTR that is not pinned: into the cache, if it is on and takes it, or to the heap.
///
/// # Safety
///
/// * As for [`raw::free`](crate::bstr::raw::free), and `bstr` is not null.
pub(super) unsafe fn free(bstr: *mut u16) {
    let block = block_of(bstr);
    // A string that somebody is still to hear of is not handed out before.
    let listened = is_listened();
    let fate = if mode::get().has(Mode::CACHE) {
        let mut aside = aside::lock();
        decide(model(mode::get()), &mut aside.cached, block, !listened)
    } else {
        Fate::Heap
    };
    match fate {
        Fate::Cached { instead_of } => {
            if listened {
                tell_cached(bstr);
            }
            if !instead_of.is_null() {
                // SAFETY: it was in the cache until now, and nobody was told of it.
                unsafe { let_go(instead_of) };
            }
        }
        Fate::Again => tell_again(bstr),
        Fate::Refused => heap::refuse_cached("free", block, Family::Bstr),
        // SAFETY: the caller's promise, for the block that the BSTR stands in. The heap judges the address
        // before anything is read there.
        Fate::Heap => unsafe { heap::release(block, Family::Bstr) },
    }
}

/// What becomes of the string in `block`. The size is what the block's holder asked for, and says
/// whether a block is there.
fn decide(model: Model, cached: &mut Cached, block: *mut u8, ready: bool) -> Fate {
    if cached.holds(block) {
        return match model {
            Model::Adversarial => Fate::Refused,
            Model::Windows | Model::Off => Fate::Again,
        };
    }
    let Some(size) = heap::extent(block) else {
        return Fate::Heap;
    };
    let blocks = cached.blocks();
    let goes = match model {
        Model::Off => return Fate::Heap,
        Model::Windows => {
            let Some(wanted) = bin(size) else {
                return Fate::Heap;
            };
            let in_bin = |kept: &CachedBlock| bin(kept.size) == Some(wanted);
            if blocks.iter().filter(|kept| in_bin(kept)).count() < BIN {
                None
            } else {
                // The oldest of the smallest, which goes for a larger one only.
                let in_bin = blocks.iter().enumerate().filter(|(_, kept)| in_bin(kept));
                match in_bin.min_by_key(|(_, kept)| kept.size) {
                    Some((index, kept)) if kept.size < size => Some(index),
                    _ => return Fate::Heap,
                }
            }
        }
        Model::Adversarial => (blocks.len() == Cached::MOST).then_some(0),
    };
    // One that somebody is still to hear of does not go before.
    if goes.is_some_and(|index| !blocks[index].ready) {
        return Fate::Heap;
    }
    let instead_of = goes.map_or(ptr::null_mut(), |index| cached.remove(index).block);
    cached.push(CachedBlock { block, size, ready });
    Fate::Cached { instead_of }
}

/// Whether somebody listens.
fn is_listened() -> bool {
    #[cfg(any(feature = "export", feature = "audit"))]
    return mode::get().has(Mode::LISTENED);
    #[cfg(not(any(feature = "export", feature = "audit")))]
    false
}

/// Tells that a string was freed into the cache, and lets it be handed out.
#[cfg(any(feature = "export", feature = "audit"))]
fn tell_cached(bstr: *mut u16) {
    hook::raise_bstr(&BstrEvent::Cached { bstr, again: false });
    aside::lock().cached.make_ready(block_of(bstr));
}

/// Tells of a second free that changed nothing.
#[cfg(any(feature = "export", feature = "audit"))]
fn tell_again(bstr: *mut u16) {
    if is_listened() {
        hook::raise_bstr(&BstrEvent::Cached { bstr, again: true });
    }
}

/// There is nobody to tell.
#[cfg(not(any(feature = "export", feature = "audit")))]
fn tell_cached(_: *mut u16) {}

/// There is nobody to tell.
#[cfg(not(any(feature = "export", feature = "audit")))]
fn tell_again(_: *mut u16) {}
