//! BSTRs in a dump of memory, by their looks.
#![forbid(unsafe_code)]

use core::iter::FusedIterator;

use super::{PresentedBstr, Shape, Start};
use crate::layout::PREFIX;
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
/// Where a block may begin there has to be a prefix of an even number, as many bytes of UTF-16 without control characters
/// other than tab, line feed and carriage return, and a zero unit. What looks so by chance is told too, mostly where few units are
/// asked for; binary strings, and text with nuls, are not found.
///
/// The dump is taken to begin at a multiple of 16, as pages and sections do. It is read once, however many candidates
/// overlap; what lies within a candidate is not told again.
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
    Candidates {
        dump,
        shape,
        // An empty string is zeros, as most of memory is.
        least: least.max(UnitLen::new(1)),
        at: 0,
        no_text: 0,
    }
}

/// See [`candidates`].
#[derive(Clone, Debug)]
pub struct Candidates<'a> {
    dump: &'a [u8],
    shape: Shape,
    least: UnitLen,
    /// Where the next block may begin.
    at: usize,
    /// The first unit, from the last place that was looked at on, that no text has.
    no_text: usize,
}

impl<'a> Candidates<'a> {
    /// Bytes from one place where a block may begin to the next: what the task allocator aligns blocks to.
    const fn step(&self) -> usize {
        self.shape.width.header().saturating_mul(2)
    }

    fn unit(&self, at: usize) -> Option<u16> {
        let unit = self.dump.get(at..)?.first_chunk()?;
        Some(self.shape.order.unit(*unit))
    }

    /// Whether the units from `start` to `end` are text. Places only ever grow, so that each unit is read once.
    fn is_text(&mut self, start: usize, end: usize) -> bool {
        self.no_text = self.no_text.max(start);
        while self.no_text < end {
            match self.character(self.no_text) {
                Some(bytes) => self.no_text = self.no_text.saturating_add(bytes),
                None => return false,
            }
        }
        // What was read before may have begun elsewhere: the halves of a pair belong together.
        let last = end.checked_sub(2).and_then(|last| self.unit(last));
        !self.unit(start).is_some_and(is_low) && !last.is_some_and(is_high)
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

    fn candidate(&mut self, block: usize) -> Option<Candidate<'a>> {
        let offset = block.checked_add(self.shape.width.header())?;
        let prefix = offset.checked_sub(PREFIX)?;
        let bytes = self.dump.get(prefix..)?;
        let bstr = PresentedBstr::parse(bytes, self.shape, Start::Prefix).ok()?;
        let len = bstr.byte_len();
        let end = offset.checked_add(len.as_usize())?;
        let is_long = len.units() >= self.least && !len.is_odd();
        (is_long && self.is_text(offset, end)).then_some(Candidate { offset, bstr })
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
        while self.at < self.dump.len() {
            let block = self.at;
            self.at = block.saturating_add(self.step());
            if let Some(found) = self.candidate(block) {
                let end = found.offset.saturating_add(found.bstr.as_bytes().len());
                self.at = end
                    .checked_next_multiple_of(self.step())
                    .unwrap_or(usize::MAX);
                return Some(found);
            }
        }
        None
    }
}

impl FusedIterator for Candidates<'_> {}
