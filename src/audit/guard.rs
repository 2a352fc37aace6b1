//! What an audited block looks like to the heap, and the bytes that tell of stray writes.
//!
//! ```text
//!  the heap's block                                                              FRONT + room + BACK bytes
//!  ├─ FRONT bytes FD ─┬─ the block: as many bytes as were asked for ─┬─ slack FD ─┬─ BACK bytes FD ─┤
//!                     ▲ what its holder knows as its start
//!  of a BSTR:         ├ padding FD │ prefix │ payload │ terminator ┤ FD …
//! ```
//!
//! 1. Its own bytes are those that were asked for; of a BSTR prefix, payload and terminator. What else lies in the
//!    heap's block is guard bytes.
//! 2. A new block is filled with [`FRESH`], so that what is read before it was written shows.
//! 3. A block that shrinks stays where it is, and what it no longer needs becomes slack.
//! 4. A block may have pages of its own instead ([`Guard::Page`]): it stands at the end of them, with a page behind and
//!    one before that nobody may touch. What is left over on its pages are guard bytes; freed, none may be touched.
//! 5. A freed block is [`FREED`] throughout, its guards included, until it leaves the quarantine.

use core::ptr;
use core::slice;

use super::page;
use crate::layout::{HEADER, PADDING, terminator_bytes};
use crate::task::block::ALIGN;
use crate::units::ByteLen;

/// Contents of a block that were never written: `CD`, as in Microsoft's debug heap.
pub const FRESH: u8 = 0xCD;
/// Contents of a block that was freed: `DD`.
pub const FREED: u8 = 0xDD;
/// Bytes around a block: `FD`.
pub const GUARD: u8 = 0xFD;

/// What stands around a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Guard {
    /// Bytes, which are looked at when the block is freed or reallocated, and when its session ends.
    #[default]
    Bytes,
    /// Pages that may not be touched, on Linux and macOS: a stray access ends the program there and then, and is
    /// reported first. So does any access to a freed block while it is in quarantine. Each block takes at least three
    /// pages of addresses. No more than 15,000 blocks at a time have them, which is what Linux has mappings for; the
    /// others, and all under Miri, have guard bytes.
    Page,
}

/// Guard bytes before a block. A multiple of every alignment that a block has.
pub(super) const FRONT: usize = 32;
/// Guard bytes behind it, at least.
pub(super) const BACK: usize = 32;

/// Where a block and its guards lie.
///
/// Invariant: as many bytes as [`total`](Self::total) says are there at `real`, and are the audit's to write to, but for
/// the block's own bytes while it is live.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// The heap's block, or the first page.
    pub(super) real: *mut u8,
    /// Bytes before the block.
    pub(super) front: usize,
    /// Bytes behind its room.
    pub(super) back: usize,
    /// Whether it has pages of its own.
    pub(super) is_paged: bool,
    /// Bytes asked for, today.
    pub(super) size: usize,
    /// Bytes that there is room for.
    pub(super) room: usize,
    /// The length with which it was last made a BSTR.
    pub(super) len: Option<ByteLen>,
}

/// Guard bytes that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// The nearest to the block's own bytes: so many bytes away from them, 1 for the next.
    pub(super) nearest: usize,
    /// The byte that stands there.
    pub(super) found: u8,
}

impl Shape {
    /// A block of `size` bytes among guard bytes. What there is at `real` is for the caller to say.
    pub(super) fn among_bytes(real: *mut u8, size: usize) -> Self {
        Self {
            real,
            front: FRONT,
            back: BACK,
            is_paged: false,
            size,
            room: size,
            len: None,
        }
    }

    /// A block of `size` bytes at the end of `usable` bytes of pages, as near as its alignment allows. `None` if
    /// they are too few.
    pub(super) fn at_end_of(real: *mut u8, usable: usize, size: usize) -> Option<Self> {
        let taken = size.checked_next_multiple_of(ALIGN)?;
        Some(Self {
            front: usable.checked_sub(taken)?,
            back: taken - size,
            is_paged: true,
            ..Self::among_bytes(real, size)
        })
    }

    /// A live block of the heap's as it is, without guards: nobody knows what of it its holder's pointer may reach, so
    /// nothing is written there.
    pub(super) fn bare(real: *mut u8, size: usize) -> Self {
        Self {
            front: 0,
            back: 0,
            ..Self::among_bytes(real, size)
        }
    }

    /// Whether it is without guards.
    fn is_bare(&self) -> bool {
        !self.is_paged && self.front == 0
    }

    /// All that there is at `real`.
    pub(super) fn total(&self) -> usize {
        self.front + self.room + self.back
    }

    /// The start of the block, as its holder knows it.
    pub(super) fn block(&self) -> *mut u8 {
        self.real.wrapping_add(self.front)
    }

    /// Offset of its first own byte from the start.
    fn own_start(&self) -> usize {
        if self.len.is_some() { PADDING } else { 0 }
    }

    /// Offset of the end of its own bytes from the start.
    pub(super) fn own_end(&self) -> usize {
        self.len.map_or(self.size, |len| {
            HEADER + len.as_usize() + terminator_bytes(len)
        })
    }

    /// Fills a new block and its guards.
    ///
    /// # Safety
    ///
    /// * The block is new, and nobody else knows of it.
    pub(super) unsafe fn dress(&self) {
        // SAFETY: the heap's block begins with its guard.
        unsafe { fill(self.real, self.front, GUARD) };
        // SAFETY: then come the block's own.
        unsafe { fill(self.block(), self.size, FRESH) };
        // SAFETY: nobody uses what is behind them.
        unsafe { self.guard_behind(self.size) };
    }

    /// Makes guard bytes of everything from an offset on.
    ///
    /// # Safety
    ///
    /// * The block's holder does not use those bytes.
    unsafe fn guard_behind(&self, offset: usize) {
        let end = self.block().wrapping_add(offset);
        // SAFETY: as many bytes are there before the end of the heap's block.
        unsafe { fill(end, self.room + self.back - offset, GUARD) };
    }

    /// Makes guard bytes of what is none of the block's own: after it was made a BSTR, or shrank.
    ///
    /// # Safety
    ///
    /// * The block's holder, who called, does not use those bytes; the guards were sound.
    pub(super) unsafe fn guard(&self) {
        // SAFETY: the padding is no own byte of a BSTR's.
        unsafe { fill(self.block(), self.own_start(), GUARD) };
        // SAFETY: nor is what is behind the end.
        unsafe { self.guard_behind(self.own_end()) };
    }

    /// Makes guard bytes again of all that were written, those before the block included.
    ///
    /// # Safety
    ///
    /// * The block is dressed, and nobody but a stray pointer uses its guards.
    pub(super) unsafe fn mend(&self) {
        // SAFETY: the heap's block begins with its guard.
        unsafe { fill(self.real, self.front, GUARD) };
        // SAFETY: the caller's promise.
        unsafe { self.guard() };
    }

    /// Writes before the block's own bytes.
    ///
    /// # Safety
    ///
    /// * The block is dressed, and no guard byte is being written.
    pub(super) unsafe fn damage_before(&self) -> Option<Damage> {
        let bytes = self.front + self.own_start();
        // SAFETY: as many initialised bytes are there before the block's own.
        let guards = unsafe { slice::from_raw_parts(self.real, bytes) };
        if is_all(guards, GUARD) {
            return None;
        }
        let last = guards.iter().rposition(|found| *found != GUARD)?;
        Some(Damage {
            nearest: bytes - last,
            found: guards[last],
        })
    }

    /// Writes behind the block's own bytes.
    ///
    /// # Safety
    ///
    /// * As for [`damage_before`](Self::damage_before).
    pub(super) unsafe fn damage_behind(&self) -> Option<Damage> {
        let end = self.own_end();
        let start = self.block().wrapping_add(end);
        // SAFETY: as many initialised bytes are there before the end of the heap's block.
        let (offset, found) = unsafe { differs(start, self.room + self.back - end, GUARD) }?;
        Some(Damage {
            nearest: offset + 1,
            found,
        })
    }

    /// The whole block of the heap's becomes that of a freed one.
    ///
    /// # Safety
    ///
    /// * Nobody uses the block any more.
    pub(super) unsafe fn undress(&self) {
        if self.is_paged {
            // SAFETY: they are pages of the block's own, which nobody uses any more.
            return unsafe { page::shut(self.real, self.total()) };
        }
        // SAFETY: all of the heap's block is the audit's now.
        unsafe { fill(self.real, self.total(), FREED) };
    }

    /// A write to a freed block: the offset from the block's start.
    ///
    /// # Safety
    ///
    /// * The block was undressed, or is bare, and is not being written.
    pub(super) unsafe fn written_after(&self) -> Option<isize> {
        // With pages, whoever tried has been told at once; without guards there is no filling.
        if self.is_paged || self.is_bare() {
            return None;
        }
        // SAFETY: all of the heap's block was filled.
        let (offset, _) = unsafe { differs(self.real, self.total(), FREED) }?;
        Some(offset.cast_signed() - self.front.cast_signed())
    }

    /// The prefix, as it stands.
    ///
    /// # Safety
    ///
    /// * The block is dressed, was made a BSTR, and its holder is not writing the prefix.
    pub(super) unsafe fn prefix(&self) -> ByteLen {
        let at = self.block().wrapping_add(PADDING);
        // SAFETY: a BSTR's block has a header, whose bytes are initialised. They need no alignment.
        ByteLen::new(u32::from_ne_bytes(unsafe { at.cast::<[u8; 4]>().read() }))
    }

    /// Whether the unit behind the counted bytes is zero. The padding byte of an odd length may be anything.
    ///
    /// # Safety
    ///
    /// * As for [`prefix`](Self::prefix); `len` is no more than the length that the block was made for.
    pub(super) unsafe fn is_terminated(&self, len: ByteLen) -> bool {
        let odd = usize::from(len.is_odd());
        let at = self.block().wrapping_add(HEADER + len.as_usize() + odd);
        // SAFETY: the terminator lies within the block, and is initialised since it was dressed.
        unsafe { at.cast::<[u8; 2]>().read() == [0; 2] }
    }

    /// Copies the first bytes of the block's contents from an offset on, as many as there are and fit, but for units
    /// at their end that nobody wrote. Tells how many.
    ///
    /// # Safety
    ///
    /// * The block is dressed, and its holder is not writing to it.
    pub(super) unsafe fn peek(&self, offset: usize, bytes: &mut [u8]) -> usize {
        let count = self.size.saturating_sub(offset).min(bytes.len());
        let from = self.block().wrapping_add(offset);
        // SAFETY: as many bytes are in the block from there; the slice is this frame's.
        unsafe { ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), count) };
        // What stands there since the block was dressed is nobody's text.
        let written = bytes[..count].iter().rposition(|byte| *byte != FRESH);
        written.map_or(0, |last| (last + 1).next_multiple_of(2).min(count))
    }
}

/// Bytes of the heap's for a block of `size` among guard bytes, if there can be so many.
pub(super) fn total(size: usize) -> Option<usize> {
    size.checked_add(FRONT + BACK)
}

/// # Safety
///
/// * `bytes` bytes from `start` on are nobody's, within one allocation.
unsafe fn fill(start: *mut u8, bytes: usize, byte: u8) {
    // SAFETY: the caller's promise.
    unsafe { start.write_bytes(byte, bytes) };
}

/// The first byte that is another one, with its offset.
///
/// # Safety
///
/// * `bytes` initialised bytes are at `start`, and none is being written.
unsafe fn differs(start: *const u8, bytes: usize, byte: u8) -> Option<(usize, u8)> {
    // SAFETY: the caller's promise; the borrow ends with this call.
    let bytes = unsafe { slice::from_raw_parts(start, bytes) };
    if is_all(bytes, byte) {
        return None;
    }
    let offset = bytes.iter().position(|found| *found != byte)?;
    Some((offset, bytes[offset]))
}

/// Whether all bytes are one.
fn is_all(bytes: &[u8], byte: u8) -> bool {
    // By words: this is done with every block that is freed, twice.
    let (words, rest) = bytes.as_chunks::<16>();
    let word = u128::from_ne_bytes([byte; 16]);
    let is_word = |found: &[u8; 16]| u128::from_ne_bytes(*found) == word;
    words.iter().all(is_word) && rest.iter().all(|found| *found == byte)
}
