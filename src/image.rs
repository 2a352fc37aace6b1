//! The presented form of a BSTR: bytes that claim to be one in memory, of this machine or another.
//!
//! For whoever has a dump, a core file, a shared section, or a fuzzer's input, and must not trust a prefix. Nothing is
//! read but the slice, nothing is allocated, and all of it takes linear time at most.
//!
//! | to | there is |
//! | --- | --- |
//! | take a string out, or learn what is wrong | [`PresentedBstr::parse`] |
//! | see every part and all that can be said | [`Anatomy::of`], [`Anatomy::findings`] |
//! | look for strings in a larger dump | [`candidates`] |
//!
//! [`Bstr`](crate::Bstr) has a conversion from [`PresentedBstr`]. `olemem inspect` is all this on the command line.
//!
//! # Examples
//!
//! ```
//! use olemem::image::{PresentedBstr, Shape, Start};
//! use olemem::layout::{ByteOrder, PointerWidth};
//!
//! let shape = Shape { width: PointerWidth::W32, order: ByteOrder::Little };
//! let bytes = [4, 0, 0, 0, b'o', 0, b'k', 0, 0, 0];
//! let bstr = PresentedBstr::parse(&bytes, shape, Start::Block)?;
//! assert_eq!(bstr.as_bytes(), b"o\0k\0");
//!
//! let error = PresentedBstr::parse(&bytes[..7], shape, Start::Block).unwrap_err();
//! assert_eq!(error.to_string(), "truncated: the prefix says 4 bytes, and 3 are there");
//! assert_eq!(error.offset, 4);
//! # Ok::<(), olemem::image::Finding>(())
//! ```
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::layout::{ByteOrder, PointerWidth};
use crate::units::ByteLen;

mod anatomy;
mod finding;
mod scan;

pub use anatomy::{Anatomy, Part};
pub use finding::{Finding, Flaw, Weight};
pub use scan::{Candidate, Candidates, candidates};

/// What decides how a block is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The width of a pointer, which decides how the block begins.
    pub width: PointerWidth,
    /// The order of bytes of the prefix, and of each unit.
    pub order: ByteOrder,
}

impl Shape {
    /// That of this target.
    pub const NATIVE: Self = Self {
        width: PointerWidth::NATIVE,
        order: ByteOrder::NATIVE,
    };

    /// The whole units in some bytes.
    pub fn units(self, bytes: &[u8]) -> impl Iterator<Item = u16> {
        self.order.units(bytes)
    }
}

/// What the first of the bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// The first byte of the block; on 64-bit targets padding comes before the prefix.
    Block,
    /// The first byte of the prefix.
    Prefix,
}

/// A well-formed BSTR in bytes that belong to somebody else: a prefix, as many bytes, a terminator.
///
/// What its text is worth is another question: an odd length, nuls and lone surrogates are legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentedBstr<'a> {
    payload: &'a [u8],
    len: ByteLen,
    order: ByteOrder,
}

impl<'a> PresentedBstr<'a> {
    /// Takes the BSTR out of the bytes; what lies behind its terminator is not looked at.
    ///
    /// # Errors
    ///
    /// The first [`Finding`] that no BSTR has: bytes that end too early, a length beyond what a BSTR can have where
    /// pointers are so wide, a terminator that is not zero.
    pub fn parse(bytes: &'a [u8], shape: Shape, start: Start) -> Result<Self, Finding> {
        Anatomy::of(bytes, shape, start).bstr()
    }

    /// The payload, in the order in which it lies there.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.payload
    }

    /// What the prefix says.
    #[must_use]
    pub const fn byte_len(self) -> ByteLen {
        self.len
    }

    /// The order of bytes in a unit.
    #[must_use]
    pub const fn order(self) -> ByteOrder {
        self.order
    }

    /// The whole units.
    pub fn units(self) -> impl Iterator<Item = u16> + 'a {
        self.order.units(self.payload)
    }
}
