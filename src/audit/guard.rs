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
//! 4. A freed block is [`FREED`] throughout, its guards included, until it leaves the quarantine.

use core::ptr;

use crate::layout::{HEADER, PADDING, terminator_bytes};
use crate::units::ByteLen;

/// Contents of a block that were never written: `CD`, as in Microsoft's debug heap.
pub const FRESH: u8 = 0xCD;
/// Contents of a block that was freed: `DD`.
pub const FREED: u8 = 0xDD;
/// Bytes around a block: `FD`.
pub const GUARD: u8 = 0xFD;

/// Guard bytes before a block. A multiple of every alignment that a block has.
pub(super) const FRONT: usize = 32;
/// Guard bytes behind it, at least.
pub(super) const BACK: usize = 32;

/// The heap's block for one of `size` bytes, if there can be one.
pub(super) fn total(size: usize) -> Option<usize> {
    size.checked_add(FRONT + BACK)
}

/// Where a block and its guards lie.
///
/// Invariant: `real` was allocated with [`total`] of `room` bytes and is the audit's to write to, but for the
/// block's own bytes while it is live.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// The heap's block.
    pub(super) real: *mut u8,
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
    /// The start of the block, as its holder knows it.
    pub(super) fn block(&self) -> *mut u8 {
        self.real.wrapping_add(FRONT)
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
        // SAFETY: the heap's block begins with FRONT bytes.
        unsafe { fill(self.real, FRONT, GUARD) };
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
        unsafe { fill(end, self.room + BACK - offset, GUARD) };
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

    /// Writes before the block's own bytes.
    ///
    /// # Safety
    ///
    /// * The block is dressed, and no guard byte is being written.
    pub(super) unsafe fn damage_before(&self) -> Option<Damage> {
        let bytes = FRONT + self.own_start();
        (1..=bytes).find_map(|nearest| {
            let at = self.real.wrapping_add(bytes - nearest);
            // SAFETY: it lies in the heap's block, initialised since it was dressed.
            let found = unsafe { at.read() };
            (found != GUARD).then_some(Damage { nearest, found })
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
        let (offset, found) = unsafe { differs(start, self.room + BACK - end, GUARD) }?;
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
        // SAFETY: all of the heap's block is the audit's now.
        unsafe { fill(self.real, FRONT + self.room + BACK, FREED) };
    }

    /// A write to a freed block: the offset from the block's start.
    ///
    /// # Safety
    ///
    /// * The block was undressed, and is not being written.
    pub(super) unsafe fn written_after(&self) -> Option<isize> {
        // SAFETY: all of the heap's block was filled.
        let (offset, _) = unsafe { differs(self.real, FRONT + self.room + BACK, FREED) }?;
        Some(offset.cast_signed() - FRONT.cast_signed())
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

    /// Copies the first bytes of the block's contents from an offset on, as many as there are and fit.
    ///
    /// # Safety
    ///
    /// * The block is dressed, and its holder is not writing to it.
    pub(super) unsafe fn peek(&self, offset: usize, bytes: &mut [u8]) -> usize {
        let count = self.size.saturating_sub(offset).min(bytes.len());
        let from = self.block().wrapping_add(offset);
        // SAFETY: as many bytes are in the block from there; the slice is this frame's.
        unsafe { ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), count) };
        count
    }
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
    let bytes = unsafe { core::slice::from_raw_parts(start, bytes) };
    // Whole pieces are compared at once, which is much faster.
    let pattern = [byte; 64];
    let is_sound = |piece: &&[u8]| **piece == pattern[..piece.len()];
    let sound = pattern.len() * bytes.chunks(pattern.len()).take_while(is_sound).count();
    let offset = sound
        + bytes
            .get(sound..)?
            .iter()
            .position(|found| *found != byte)?;
    Some((offset, bytes[offset]))
}
