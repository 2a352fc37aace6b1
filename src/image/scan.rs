//! BSTRs in a dump of memory, by their looks.
#![forbid(unsafe_code)]

use core::iter::FusedIterator;
use core::num::NonZero;

use super::{PresentedBstr, Shape, Start};
use crate::layout::{PREFIX, terminator_bytes};
use crate::units::UnitLen;

/// What may be a BSTR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Where the BSTR points to: bytes from the start of the dump.
    pub offset: usize,
    /// What stands there.
    pub bstr: PresentedBstr<'a>,
}

/// Looks for BSTRs that are text, of so many units at least, and of one in any case.
///
/// Where a block may have its prefix there has to be one that says an even number, as many bytes of UTF-16 without control characters
/// other than tab, line feed and carriage return, and a zero unit. What looks so by chance is told too, mostly where few units are
/// asked for; binary strings, and text with nuls, are not found.
///
/// Blocks are looked for where the task allocator puts them if the dump begins as pages and sections do: at multiples of 16 from
/// its start, of 8 where pointers have 32 bits. [`Candidates::aligned_to`] looks at others. The dump is read once, or twice where
/// units may begin at odd places, however many candidates overlap; what lies within a candidate, from its prefix to its terminator,
/// is not told again. The padding that is before a prefix may be anything, the end of another string too.
///
/// # Examples
///
/// ```
/// use olemem::UnitLen;
/// use olemem::image::{Shape, candidates};
/// use olemem::layout::{ByteOrder, PointerWidth};
///
/// let shape = Shape { width: PointerWidth::W64, order: ByteOrder::Little };
/// let mut dump = [0xCC_u8; 64];
/// dump[20..].copy_from_slice(&{
///     let mut block = [0; 44];
///     block[..12].copy_from_slice(b"\x08\0\0\0t\0e\0x\0t\0");
///     block
/// });
/// let found: Vec<_> = candidates(&dump, shape, UnitLen::new(2)).collect();
/// assert_eq!(found.len(), 1);
/// assert_eq!(found[0].offset, 24);
/// assert_eq!(found[0].bstr.as_bytes(), b"t\0e\0x\0t\0");
/// ```
#[must_use]
pub fn candidates(dump: &[u8], shape: Shape, least: UnitLen) -> Candidates<'_> {
    let any = Candidates {
        dump,
        shape,
        // An empty string is zeros, as most of memory is.
        least: least.max(UnitLen::new(1)),
        step: NonZero::<usize>::MIN,
        searched: 0,
        next: 0,
        text_ends: [0; 2],
    };
    any.aligned_to(shape.width.block_align())
}

/// See [`candidates`].
#[derive(Clone, Debug)]
pub struct Candidates<'a> {
    dump: &'a [u8],
    shape: Shape,
    least: UnitLen,
    /// Bytes from one place where a block may begin to the next.
    step: NonZero<usize>,
    /// No prefix before this place is looked for any more.
    searched: usize,
    /// Where the next prefix may be. Its block begins before it, and may begin before the dump.
    next: usize,
    /// Where the text ends that was read last: what is there is no character of text. One for the units at even places, one for
    /// those at odd ones.
    text_ends: [usize; 2],
}

impl<'a> Candidates<'a> {
    /// Looks for blocks at all multiples of so many bytes, counted from the start of the dump. The first may begin before that, if its
    /// prefix is in the dump. A search that is under way goes on behind the last place that was looked at.
    ///
    /// Files of dumps, minidumps among them, often have memory at any place, so that what was a multiple of 16 there is none in
    /// the file: with 1 it is found wherever it is, and a little more by chance.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::NonZero;
    ///
    /// use olemem::UnitLen;
    /// use olemem::image::{Shape, candidates};
    /// use olemem::layout::{ByteOrder, PointerWidth};
    ///
    /// let shape = Shape { width: PointerWidth::W64, order: ByteOrder::Little };
    /// let dump = b"header\0\0\0\0\x08\0\0\0t\0e\0x\0t\0\0\0";
    /// let any = candidates(dump, shape, UnitLen::new(4));
    /// assert_eq!(any.clone().next(), None);
    /// let found = any.aligned_to(NonZero::<usize>::MIN).next();
    /// assert_eq!(found.map(|found| found.offset), Some(14));
    /// ```
    #[must_use]
    pub fn aligned_to(self, bytes: NonZero<usize>) -> Self {
        let searched = self.searched;
        let mut aligned = Self {
            step: bytes,
            ..self
        };
        aligned.go_on_at(searched);
        aligned
    }

    /// Goes on with the first prefix that may be at a place or behind it.
    fn go_on_at(&mut self, place: usize) {
        // As far behind a multiple as the padding before it is long.
        let first = self.shape.width.padding() % self.step;
        let next = place
            .saturating_sub(first)
            .checked_next_multiple_of(self.step.get())
            .and_then(|multiple| multiple.checked_add(first));
        self.searched = place;
        self.next = next.unwrap_or(usize::MAX);
    }

    fn unit(&self, at: usize) -> Option<u16> {
        let unit = self.dump.get(at..)?.first_chunk()?;
        Some(self.shape.order.unit(*unit))
    }

    /// Where the text ends that has a character at `start`; there if it has none. Places only ever grow, so
    /// that no character of text is read again.
    fn text_end(&mut self, start: usize) -> usize {
        // What was read before may have begun elsewhere: the halves of a pair belong together.
        if self.unit(start).is_none_or(is_low) {
            return start;
        }
        let [even, odd] = self.text_ends;
        let is_even = start.is_multiple_of(2);
        let mut end = if is_even { even } else { odd }.max(start);
        while let Some(bytes) = self.character(end) {
            end = end.saturating_add(bytes);
        }
        self.text_ends = if is_even { [end, odd] } else { [even, end] };
        end
    }

    /// Bytes of the character of text at a place; `None` if there is none.
    fn character(&self, at: usize) -> Option<usize> {
        let unit = self.unit(at)?;
        if is_high(unit) {
            let other = self.unit(at.checked_add(2)?)?;
            return is_low(other).then_some(4);
        }
        let is_control = unit < 0x20 && ![0x9, 0xA, 0xD].contains(&unit);
        let is_text =
            !is_low(unit) && !is_control && !(0x7F..=0x9F).contains(&unit) && unit < 0xFFFE;
        is_text.then_some(2)
    }

    /// Most places are none, and most of these by their prefix: it is looked at before all else.
    fn candidate(&mut self, prefix: usize) -> Option<Candidate<'a>> {
        let offset = prefix.checked_add(PREFIX)?;
        let bytes = self.dump.get(prefix..)?;
        let len = self.shape.order.length(*bytes.first_chunk()?);
        let end = offset.checked_add(len.as_usize())?;
        let is_possible = len.units() >= self.least && !len.is_odd() && end < self.dump.len();
        // Behind text there is a zero unit, which is none: just there the text has to end.
        if !is_possible || self.text_end(offset) != end {
            return None;
        }
        let bstr = PresentedBstr::parse(bytes, self.shape, Start::Prefix).ok()?;
        Some(Candidate { offset, bstr })
    }
}

const fn is_high(unit: u16) -> bool {
    matches!(unit, 0xD800..=0xDBFF)
}

const fn is_low(unit: u16) -> bool {
    matches!(unit, 0xDC00..=0xDFFF)
}

impl<'a> Iterator for Candidates<'a> {
    type Item = Candidate<'a>;

    fn next(&mut self) -> Option<Candidate<'a>> {
        while self.next < self.dump.len() {
            let prefix = self.next;
            self.searched = prefix.saturating_add(1);
            self.next = prefix.saturating_add(self.step.get());
            if let Some(found) = self.candidate(prefix) {
                let text = found.bstr.as_bytes().len();
                let end = found.offset.saturating_add(text);
                self.go_on_at(end.saturating_add(terminator_bytes(found.bstr.byte_len())));
                return Some(found);
            }
        }
        None
    }
}

impl FusedIterator for Candidates<'_> {}
