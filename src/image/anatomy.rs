//! A BSTR's block, cut into its parts. Any bytes can be cut; what is missing is an empty or a short part.
#![forbid(unsafe_code)]

use super::{Finding, PresentedBstr, Shape, Start, Weight};
use crate::layout::{PREFIX, terminator_bytes};
use crate::units::{ByteLen, UnitLen};

/// Bytes of the block that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Bytes from the start of the block.
    pub offset: usize,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl Part<'_> {
    /// How many bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Where the next part begins.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.offset.saturating_add(self.len())
    }
}

/// The parts, one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anatomy<'a> {
    /// How it was read.
    pub shape: Shape,
    /// What the prefix says, if it is all there.
    pub length: Option<ByteLen>,
    /// What comes before the prefix.
    pub padding: Part<'a>,
    /// The length prefix.
    pub prefix: Part<'a>,
    /// The counted bytes.
    pub payload: Part<'a>,
    /// Two bytes behind them, three behind an odd number.
    pub terminator: Part<'a>,
    /// What fills the block.
    pub slack: Part<'a>,
    /// What is behind the block.
    pub rest: Part<'a>,
}

impl<'a> Anatomy<'a> {
    /// Cuts bytes into the parts of a block.
    #[must_use]
    pub fn of(bytes: &'a [u8], shape: Shape, start: Start) -> Self {
        let padding = shape.width.padding();
        let mut knife = match start {
            Start::Block => Knife { offset: 0, bytes },
            Start::Prefix => Knife {
                offset: padding,
                bytes,
            },
        };
        let padding = knife.cut_to(padding);
        let prefix = knife.cut(PREFIX);
        let length = prefix.bytes.try_into().ok();
        let length = length.map(|prefix| shape.order.length(prefix));
        let said = length.unwrap_or(ByteLen::ZERO);
        let payload = knife.cut(said.as_usize());
        let terminator = knife.cut(terminator_bytes(said));
        // A length that no BSTR has leaves nothing behind the payload to speak of.
        let block = shape.width.block_size(said).map_or(0, |size| size as usize);
        let slack = knife.cut_to(block);
        Self {
            shape,
            length,
            padding,
            prefix,
            payload,
            terminator,
            slack,
            rest: knife.cut(usize::MAX),
        }
    }

    /// How many bytes of zero belong behind the payload.
    #[must_use]
    pub fn terminator_len(&self) -> usize {
        terminator_bytes(self.length.unwrap_or(ByteLen::ZERO))
    }

    /// Whole units that the prefix counts.
    #[must_use]
    pub fn unit_len(&self) -> UnitLen {
        self.length.unwrap_or(ByteLen::ZERO).units()
    }

    /// The end of the last byte.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.rest.end()
    }

    /// All that can be said of it, in the order of the bytes.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        super::finding::all(self)
    }

    /// The BSTR that it is.
    ///
    /// # Errors
    ///
    /// The first finding that no BSTR has.
    pub fn bstr(&self) -> Result<PresentedBstr<'a>, Finding> {
        let mut broken = super::finding::of_the_frame(self);
        match (
            broken.find(|finding| finding.weight() == Weight::Broken),
            self.length,
        ) {
            (None, Some(len)) => Ok(PresentedBstr {
                payload: self.payload.bytes,
                len,
                order: self.shape.order,
            }),
            (Some(finding), _) => Err(finding),
            (None, None) => unreachable!("a prefix that is not all there is a finding"),
        }
    }
}

/// What was not cut yet.
struct Knife<'a> {
    offset: usize,
    bytes: &'a [u8],
}

impl<'a> Knife<'a> {
    /// The next `count` bytes, or as many as there are.
    fn cut(&mut self, count: usize) -> Part<'a> {
        let count = count.min(self.bytes.len());
        let (bytes, rest) = self
            .bytes
            .split_at_checked(count)
            .unwrap_or((self.bytes, &[]));
        let part = Part {
            offset: self.offset,
            bytes,
        };
        *self = Self {
            offset: part.end(),
            bytes: rest,
        };
        part
    }

    /// What lies before `offset` in the block.
    fn cut_to(&mut self, offset: usize) -> Part<'a> {
        self.cut(offset.saturating_sub(self.offset))
    }
}
