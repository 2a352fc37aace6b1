//! A BSTR's block, cut into its parts. Any bytes can be cut; what is missing is an empty or a short part.

use clap::ValueEnum;
use olemem::layout::{PREFIX, PointerWidth, terminator_bytes};
use olemem::{ByteLen, UnitLen};

/// In which order a number's bytes lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Endian {
    Little,
    Big,
}

/// What decides how a block is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) width: PointerWidth,
    pub(crate) endian: Endian,
}

impl Shape {
    /// That of this machine.
    #[cfg(not(windows))]
    pub(crate) const NATIVE: Self = Self {
        width: PointerWidth::NATIVE,
        endian: if cfg!(target_endian = "little") {
            Endian::Little
        } else {
            Endian::Big
        },
    };

    fn length(self, bytes: [u8; PREFIX]) -> ByteLen {
        ByteLen::new(match self.endian {
            Endian::Little => u32::from_le_bytes(bytes),
            Endian::Big => u32::from_be_bytes(bytes),
        })
    }

    /// The whole units in `bytes`.
    pub(crate) fn units(self, bytes: &[u8]) -> impl Iterator<Item = u16> {
        let (units, _) = bytes.as_chunks();
        units.iter().map(move |&unit| match self.endian {
            Endian::Little => u16::from_le_bytes(unit),
            Endian::Big => u16::from_be_bytes(unit),
        })
    }
}

/// What the first of the bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Start {
    /// The first byte of the block; on 64-bit targets padding comes before the prefix.
    Block,
    /// The first byte of the prefix.
    Prefix,
}

/// Bytes of the block that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    /// Bytes from the start of the block.
    pub(crate) offset: usize,
    pub(crate) bytes: &'a [u8],
}

impl Part<'_> {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Where the next part begins.
    pub(crate) fn end(&self) -> usize {
        self.offset + self.len()
    }
}

/// The parts, one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anatomy<'a> {
    pub(crate) shape: Shape,
    /// What the prefix says, if it is all there.
    pub(crate) length: Option<ByteLen>,
    pub(crate) padding: Part<'a>,
    pub(crate) prefix: Part<'a>,
    pub(crate) payload: Part<'a>,
    pub(crate) terminator: Part<'a>,
    /// What fills the block.
    pub(crate) slack: Part<'a>,
    /// What is behind the block.
    pub(crate) rest: Part<'a>,
}

impl<'a> Anatomy<'a> {
    pub(crate) fn of(bytes: &'a [u8], shape: Shape, start: Start) -> Self {
        let padding = shape.width.padding();
        let mut knife = match start {
            Start::Block => Knife { offset: 0, bytes },
            Start::Prefix => Knife {
                offset: padding,
                bytes,
            },
        };
        let padding = knife.cut_to(padding);
        let prefix = knife.cut_to(shape.width.header());
        let length = prefix.bytes.try_into().ok().map(|it| shape.length(it));
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
    pub(crate) fn terminator_size(&self) -> usize {
        terminator_bytes(self.length.unwrap_or(ByteLen::ZERO))
    }

    pub(crate) fn unit_len(&self) -> UnitLen {
        self.length.unwrap_or(ByteLen::ZERO).units()
    }

    /// The end of the last byte.
    pub(crate) fn end(&self) -> usize {
        self.rest.end()
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
        let (bytes, rest) = self.bytes.split_at(count.min(self.bytes.len()));
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

#[cfg(test)]
mod tests {
    use quickcheck::{Arbitrary, Gen, quickcheck};

    use clap::ValueEnum;
    use olemem::layout::PointerWidth;

    use super::{Anatomy, Endian, Shape, Start};

    impl Arbitrary for Shape {
        fn arbitrary(g: &mut Gen) -> Self {
            Self {
                width: *g
                    .choose(&[PointerWidth::W32, PointerWidth::W64])
                    .expect("two"),
                endian: *g.choose(Endian::value_variants()).expect("two"),
            }
        }
    }

    impl Arbitrary for Start {
        fn arbitrary(g: &mut Gen) -> Self {
            *g.choose(Self::value_variants()).expect("two")
        }
    }

    quickcheck! {
        fn the_parts_are_all_the_bytes(bytes: Vec<u8>, shape: Shape, start: Start) -> bool {
            let it = Anatomy::of(&bytes, shape, start);
            let parts = [it.padding, it.prefix, it.payload, it.terminator, it.slack, it.rest];
            let touch = parts.windows(2).all(|pair| pair[0].end() == pair[1].offset);
            touch && parts.map(|part| part.bytes).concat() == bytes
        }
    }
}
