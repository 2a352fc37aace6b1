//! The picture of a BSTR in memory.
//!
//! ```text
//!  block start (what the task allocator hands out; 16-aligned on 64-bit, 8-aligned on 32-bit)
//!  │
//!  │ 64-bit:  header, 8 bytes             payload: n bytes       terminator    slack
//!  ▼         ┌────────────┬─────────────┬──────────────────────┬─────────────┬───────┐
//!            │ padding: 4 │ prefix: 4   │ unit unit unit …     │ 2 zero bytes│       │
//!            └────────────┴─────────────┴──────────────────────┴─────────────┴───────┘
//!                           n, in bytes  ▲                       (3 if n is odd)
//!                                        │
//!                                        the BSTR itself points here
//!
//!  32-bit:   the same without the padding: a header of 4 bytes, the prefix alone.
//! ```
//!
//! 1. The block starts one pointer width before the BSTR (`semantics.md` L3 to L5).
//! 2. The prefix counts payload bytes, terminator excluded, in host order (L1).
//! 3. The payload is followed by a zero unit; an odd payload by three zero bytes, so that a zero byte
//!    follows at once and a zero unit at the next even offset (1.3).
//! 4. The block is `header + n + 2` bytes rounded up to 16, and that number must fit 32 bits (1.2, 1.5).
//! 5. The content of padding and slack means nothing (L6). olemem writes the padding as zero.
//!
//! All arithmetic is checked, and `const`, so that the numbers for both widths are asserted on
//! whatever machine builds this.
#![forbid(unsafe_code)]

use core::num::NonZero;

use bytemuck::{Pod, Zeroable};
use static_assertions::{const_assert, const_assert_eq};

use crate::units::{ByteLen, UNIT_BYTES, UnitLen};

/// Bytes of the length prefix.
pub const PREFIX: usize = 4;

/// Bytes from the start of the block to the BSTR, on this target.
pub const HEADER: usize = PointerWidth::NATIVE.header();

/// Bytes before the prefix, on this target.
pub const PADDING: usize = PointerWidth::NATIVE.padding();

/// Blocks are rounded up to a multiple of this.
pub const GRANULE: usize = 16;

/// The width of a pointer, which decides the shape of the header.
///
/// # Examples
///
/// ```
/// use olemem::layout::PointerWidth;
/// use olemem::ByteLen;
///
/// let n = ByteLen::new(8);
/// assert_eq!(PointerWidth::W64.block_size(n), Some(32));
/// assert_eq!(PointerWidth::W32.block_size(n), Some(16));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PointerWidth {
    /// 32-bit targets.
    W32,
    /// 64-bit targets.
    W64,
}

impl PointerWidth {
    /// The width of this target.
    pub const NATIVE: Self = match size_of::<usize>() {
        4 => Self::W32,
        8 => Self::W64,
        _ => panic!("a BSTR is defined for 32-bit and 64-bit pointers"),
    };

    /// Bytes from the start of the block to the BSTR.
    #[must_use]
    pub const fn header(self) -> usize {
        match self {
            Self::W32 => 4,
            Self::W64 => 8,
        }
    }

    /// Bytes before the prefix.
    #[must_use]
    pub const fn padding(self) -> usize {
        self.header() - PREFIX
    }

    /// Bytes to which the task allocator aligns blocks.
    #[must_use]
    pub const fn block_align(self) -> NonZero<usize> {
        const W32: NonZero<usize> = NonZero::new(8).unwrap();
        const W64: NonZero<usize> = NonZero::new(16).unwrap();
        match self {
            Self::W32 => W32,
            Self::W64 => W64,
        }
    }

    /// The longest payload: the rounded block must fit 32 bits.
    #[must_use]
    pub const fn max_bytes(self) -> ByteLen {
        let overhead = match self {
            Self::W32 => 4 + 2 + 15,
            Self::W64 => 8 + 2 + 15,
        };
        ByteLen::new(u32::MAX - overhead)
    }

    /// The longest text.
    #[must_use]
    pub const fn max_units(self) -> UnitLen {
        self.max_bytes().units()
    }

    /// Bytes of the block that holds a payload of `n` bytes, or `None` beyond the limit.
    #[must_use]
    pub const fn block_size(self, n: ByteLen) -> Option<u32> {
        if n.get() > self.max_bytes().get() {
            return None;
        }
        Some(self.block_size_within(n))
    }

    /// As [`block_size`](Self::block_size), of a length within the limit.
    #[inline]
    pub(crate) const fn block_size_within(self, n: ByteLen) -> u32 {
        // No overflow: the limit leaves room for all three summands.
        let header = match self {
            Self::W32 => 4,
            Self::W64 => 8,
        };
        (header + n.get() + 2 + 15) & !15
    }
}

/// In which order a number's bytes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// The lowest first: most machines, and the wire.
    Little,
    /// The highest first.
    Big,
}

impl ByteOrder {
    /// That of this target.
    pub const NATIVE: Self = if cfg!(target_endian = "little") {
        Self::Little
    } else {
        Self::Big
    };

    /// The unit that two bytes are.
    #[must_use]
    pub const fn unit(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    /// The whole units in some bytes.
    pub fn units(self, bytes: &[u8]) -> impl Iterator<Item = u16> {
        let (units, _) = bytes.as_chunks();
        units.iter().map(move |unit| self.unit(*unit))
    }

    /// The length that a prefix says.
    #[must_use]
    pub const fn length(self, prefix: [u8; PREFIX]) -> ByteLen {
        ByteLen::new(match self {
            Self::Little => u32::from_le_bytes(prefix),
            Self::Big => u32::from_be_bytes(prefix),
        })
    }
}

/// Zero bytes after a payload of `n` bytes.
#[must_use]
pub const fn terminator_bytes(n: ByteLen) -> usize {
    if n.is_odd() { 3 } else { 2 }
}

/// What stands before the payload on a 64-bit target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Header64 {
    /// Means nothing.
    pub padding: u32,
    /// The length prefix, in bytes.
    pub prefix: u32,
}

/// What stands before the payload on a 32-bit target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Header32 {
    /// The length prefix, in bytes.
    pub prefix: u32,
}

/// The header's bytes for a payload of `n` bytes, on this target.
#[cfg(all(feature = "std", any(not(windows), miri)))]
#[inline]
pub(crate) fn header_bytes(n: ByteLen) -> [u8; HEADER] {
    let wide = Header64 {
        padding: 0,
        prefix: n.get(),
    };
    let mut bytes = [0; HEADER];
    bytes.copy_from_slice(&bytemuck::bytes_of(&wide)[size_of::<Header64>() - HEADER..]);
    bytes
}

// The prefix ends where the payload starts, in both shapes.
const_assert_eq!(size_of::<Header64>(), PointerWidth::W64.header());
const_assert_eq!(size_of::<Header32>(), PointerWidth::W32.header());
const_assert_eq!(
    core::mem::offset_of!(Header64, prefix),
    PointerWidth::W64.padding()
);
const_assert_eq!(
    core::mem::offset_of!(Header32, prefix),
    PointerWidth::W32.padding()
);
const_assert_eq!(HEADER, size_of::<*const u16>());
const_assert_eq!(size_of::<u16>(), UNIT_BYTES as usize);

// The limits of `semantics.md` 1.5: the first length that fails is one more.
const_assert_eq!(PointerWidth::W64.max_units().get(), 0x7FFF_FFF4 - 1);
const_assert_eq!(PointerWidth::W64.max_bytes().get(), 0xFFFF_FFE7 - 1);
const_assert_eq!(PointerWidth::W32.max_units().get(), 0x7FFF_FFF6 - 1);
const_assert_eq!(PointerWidth::W32.max_bytes().get(), 0xFFFF_FFEB - 1);

// The block sizes of `semantics.md` 1.2.
const fn block_is(width: PointerWidth, n: u32, expected: u32) -> bool {
    matches!(width.block_size(ByteLen::new(n)), Some(size) if size == expected)
}
const_assert!(block_is(PointerWidth::W64, 0, 16) && block_is(PointerWidth::W64, 6, 16));
const_assert!(block_is(PointerWidth::W64, 7, 32) && block_is(PointerWidth::W64, 22, 32));
const_assert!(block_is(PointerWidth::W64, 23, 48) && block_is(PointerWidth::W64, 54, 64));
const_assert!(block_is(PointerWidth::W64, 55, 80));
const_assert!(block_is(PointerWidth::W32, 0, 16) && block_is(PointerWidth::W32, 10, 16));
const_assert!(block_is(PointerWidth::W32, 11, 32) && block_is(PointerWidth::W32, 26, 32));
const_assert!(block_is(PointerWidth::W32, 27, 48) && block_is(PointerWidth::W32, 55, 64));
