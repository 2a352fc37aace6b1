//! What fuzz targets are given instead of bytes: strings, images of strings, bytes from the wire.
//!
//! `Arbitrary` of the crate arbitrary is what cargo-fuzz's targets, and those of other engines, ask for their input by:
//!
//! ```ignore
//! libfuzzer_sys::fuzz_target!(|text: olemem::Bstr| {
//!     olemem::audit::input(|| my_parser(text.as_bstr()));
//! });
//! ```
//!
//! | type | what a fuzzer makes of it |
//! | --- | --- |
//! | [`Bstr`] | null, empty, text, and any units: nuls, lone surrogates |
//! | [`OddBstr`] | an odd number of bytes: binary data, or a length in the wrong unit |
//! | [`Image`] | bytes that claim to be a BSTR in memory, and whose machine's: well-formed ones, damaged ones, any |
//! | [`WireBytes`] | bytes that claim to be marshalled BSTRs, likewise |
//!
//! The first byte of an input chooses, and what the others mean to a type does not depend on the machine, so that a
//! corpus may move. Half of the choices make text of the bytes as they stand, so that a dictionary of plain words helps. `docs/fuzzing.md` in the
//! repository and the package has the whole way, from a parser to a finding.
//!
//! # Examples
//!
//! ```
//! use arbitrary::{Arbitrary, Unstructured};
//! use olemem::Bstr;
//! use olemem::fuzzing::OddBstr;
//!
//! let text = Bstr::arbitrary_take_rest(Unstructured::new(b"\x80name=value"))?;
//! assert_eq!(text, "name=value");
//! let odd = OddBstr::arbitrary_take_rest(Unstructured::new(b"abcd"))?;
//! assert_eq!(odd.0.as_bytes(), b"abc");
//! # Ok::<(), arbitrary::Error>(())
//! ```
#![forbid(unsafe_code)]

use arbitrary::{Arbitrary, Error, Result, Unstructured};

use crate::bstr::owned::Bstr;
use crate::image::{Anatomy, Finding, PresentedBstr, Shape, Start};
use crate::layout::{ByteOrder, PointerWidth, terminator_bytes};
use crate::units::ByteLen;
use crate::wire::{Syntax, TransmittedBstr, WireError};

/// No memory: the input is not tried.
fn refused<E>(_: E) -> Error {
    Error::IncorrectFormat
}

/// As many bytes as a length says that comes with them, or all that are left.
fn some_bytes<'a>(u: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let len = u.arbitrary_len::<u8>()?;
    u.bytes(len)
}

/// The start of the bytes that is well-formed UTF-8.
fn text(bytes: &[u8]) -> &str {
    let chunk = bytes.utf8_chunks().next();
    chunk.map_or("", |chunk| chunk.valid())
}

/// A string by its first byte and the others: 0 is null, the lower half any units, little-endian, the upper half text in
/// UTF-8.
fn string(choice: u8, bytes: &[u8]) -> Result<Bstr> {
    let string = match choice {
        0 => return Ok(Bstr::new()),
        1..0x80 => {
            let units: Vec<u16> = ByteOrder::Little.units(bytes).collect();
            Bstr::try_from_units(&units)
        }
        0x80.. => Bstr::try_from_str(text(bytes)),
    };
    match string {
        // Of nothing the conversions make null.
        Ok(string) if string.is_null() => Bstr::try_empty(),
        string => string,
    }
    .map_err(refused)
}

/// By the first byte: 0 is null, 1 to 127 any units, little-endian, as many as there are bytes for, 128 to 255 text in UTF-8, as far
/// as it is well-formed. The null BSTR of no bytes; see [the module](crate::fuzzing).
impl<'a> Arbitrary<'a> for Bstr {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let choice = u.arbitrary()?;
        string(choice, some_bytes(u)?)
    }

    fn arbitrary_take_rest(mut u: Unstructured<'a>) -> Result<Self> {
        let choice = u.arbitrary()?;
        string(choice, u.take_rest())
    }
}

/// A BSTR of an odd number of bytes, as binary data may have, and text whose length was counted in the wrong unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddBstr(
    /// The string: its last byte is half a unit.
    pub Bstr,
);

impl OddBstr {
    fn of(bytes: &[u8]) -> Result<Self> {
        let bytes = match bytes {
            [] => &[0],
            [whole @ .., _] if bytes.len().is_multiple_of(2) => whole,
            odd => odd,
        };
        Bstr::try_from_bytes(bytes).map(Self).map_err(refused)
    }
}

/// All bytes but the last of an even number.
impl<'a> Arbitrary<'a> for OddBstr {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Self::of(some_bytes(u)?)
    }

    fn arbitrary_take_rest(u: Unstructured<'a>) -> Result<Self> {
        Self::of(u.take_rest())
    }
}

/// What is done to bytes that were well-formed.
#[derive(Clone, Copy, Debug)]
enum Damage {
    None,
    /// One byte is another.
    Changed {
        at: u16,
        by: u8,
    },
    /// Some are missing at the end.
    Cut(u16),
}

impl Damage {
    fn of(choice: u8, u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match choice % 4 {
            0 => Self::Changed {
                at: u.arbitrary()?,
                by: u.arbitrary()?,
            },
            1 => Self::Cut(u.arbitrary()?),
            _ => Self::None,
        })
    }

    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Changed { at, by } => {
                let at = usize::from(at).checked_rem(bytes.len());
                if let Some(byte) = at.and_then(|at| bytes.get_mut(at)) {
                    *byte ^= by;
                }
            }
            Self::Cut(by) => {
                let all = bytes.len();
                bytes.truncate(all.saturating_sub(usize::from(by) % 16 + 1));
            }
        }
    }
}

/// Bytes that claim to be a BSTR in memory, and how they are to be read.
///
/// The first byte of an input, bit by bit from the lowest:
///
/// | bits | 0 | 1 |
/// | --- | --- | --- |
/// | 0 | 64-bit | 32-bit |
/// | 1 | little-endian | big-endian |
/// | 2 | from the start of the block | from the prefix |
/// | 7 | what follows is the payload of a well-formed one | the bytes are those that follow, as they are |
///
/// Of bits 3 and 4 as a number, 2 and 3 leave what is well-formed as it is. With 0 the next two bytes, little-endian, are a place,
/// modulo the length, and the third is XORed to what is there; with 1 the next two are a number, and one to sixteen bytes, by its
/// remainder, are missing at the end. (They are read with bit 7 as well, and nothing is done.) So `printf '\020t\0e\0x\0t\0'` makes a whole
/// BSTR with text, and `printf '\220…'` bytes as they are.
///
/// # Examples
///
/// A parser of dumps, in a fuzz target:
///
/// ```
/// use olemem::fuzzing::Image;
///
/// fn target(image: Image) {
///     if let Ok(bstr) = image.parse() {
///         assert!(bstr.as_bytes().len() <= image.bytes.len());
///     }
/// }
/// # use arbitrary::{Arbitrary, Unstructured};
/// # target(Image::arbitrary_take_rest(Unstructured::new(b"\x40\x02some bytes"))?);
/// # Ok::<(), arbitrary::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The machine that they come from.
    pub shape: Shape,
    /// What the first of them is.
    pub start: Start,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Image {
    /// The BSTR that they are: [`PresentedBstr::parse`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn parse(&self) -> std::result::Result<PresentedBstr<'_>, Finding> {
        PresentedBstr::parse(&self.bytes, self.shape, self.start)
    }

    /// Their parts: [`Anatomy::of`].
    #[must_use]
    pub fn anatomy(&self) -> Anatomy<'_> {
        Anatomy::of(&self.bytes, self.shape, self.start)
    }

    /// By the first byte, whose bits are those of [the type](Self).
    fn of(choice: u8, damage: Damage, bytes: &[u8]) -> Result<Self> {
        let bit = |bit: u8| choice >> bit & 1 == 1;
        let width = if bit(0) {
            PointerWidth::W32
        } else {
            PointerWidth::W64
        };
        let order = if bit(1) {
            ByteOrder::Big
        } else {
            ByteOrder::Little
        };
        let start = if bit(2) { Start::Prefix } else { Start::Block };
        let mut image = Self {
            shape: Shape { width, order },
            start,
            bytes: Vec::new(),
        };
        if bit(7) {
            image.bytes = bytes.to_vec();
            return Ok(image);
        }
        let len = ByteLen::try_from(bytes.len()).map_err(refused)?;
        if start == Start::Block {
            image.bytes.resize(width.padding(), 0xCC);
        }
        image.bytes.extend(match order {
            ByteOrder::Little => len.get().to_le_bytes(),
            ByteOrder::Big => len.get().to_be_bytes(),
        });
        image.bytes.extend_from_slice(bytes);
        let end = image.bytes.len().saturating_add(terminator_bytes(len));
        image.bytes.resize(end, 0);
        damage.apply(&mut image.bytes);
        Ok(image)
    }
}

/// Well-formed, damaged, or as the bytes come.
impl<'a> Arbitrary<'a> for Image {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let choice: u8 = u.arbitrary()?;
        let damage = Damage::of(choice >> 3, u)?;
        Self::of(choice, damage, some_bytes(u)?)
    }

    fn arbitrary_take_rest(mut u: Unstructured<'a>) -> Result<Self> {
        let choice: u8 = u.arbitrary()?;
        let damage = Damage::of(choice >> 3, &mut u)?;
        Self::of(choice, damage, u.take_rest())
    }
}

/// Bytes that claim to be marshalled BSTRs, one behind the other, and how they are to be read.
///
/// The first byte of an input, from its lowest bit on:
///
/// | bits | |
/// | --- | --- |
/// | 0 | NDR, or NDR64 with 1 |
/// | 1 and 2 | where the first string begins, 0 to 3; zeros come before it |
/// | 3 and 4 | what is damaged, as of an [`Image`], with as many bytes for it |
/// | 7 | with 1, what follows is the bytes as they are; with 0, strings: a byte that says how long each is, 255 for null, and its bytes |
///
/// So `printf '\020\004t\0e\0\377'` makes two strings in NDR: one of text, and null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireBytes {
    /// The transfer syntax.
    pub syntax: Syntax,
    /// Where the first BSTR begins, or a little behind it because of the alignment.
    pub start: usize,
    /// The bytes, those before the start included.
    pub bytes: Vec<u8>,
}

impl WireBytes {
    /// The first BSTR, and where it ends: [`TransmittedBstr::decode`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn decode(&self) -> std::result::Result<(TransmittedBstr<'_>, usize), WireError> {
        TransmittedBstr::decode(&self.bytes, self.start, self.syntax)
    }

    /// By the first byte, whose bits are those of [the type](Self).
    fn of(choice: u8, damage: Damage, bytes: &[u8]) -> Result<Self> {
        let syntax = if choice & 1 == 1 {
            Syntax::Ndr64
        } else {
            Syntax::Ndr
        };
        let start = usize::from(choice >> 1 & 3);
        let mut wire = Self {
            syntax,
            start,
            bytes: vec![0; start],
        };
        if choice & 0x80 != 0 {
            wire.bytes.extend_from_slice(bytes);
            return Ok(wire);
        }
        let mut left = bytes;
        while let [len, rest @ ..] = left {
            let len = usize::from(*len);
            let (string, rest) = match len {
                255 => (None, rest),
                _ => {
                    let (string, rest) = rest.split_at(len.min(rest.len()));
                    (Some(string), rest)
                }
            };
            wire.write(string)?;
            left = rest;
        }
        damage.apply(&mut wire.bytes);
        Ok(wire)
    }

    /// Writes one more string.
    fn write(&mut self, string: Option<&[u8]>) -> Result<()> {
        let bstr = string.map_or(Ok(TransmittedBstr::NULL), TransmittedBstr::from_bytes);
        let bstr = bstr.map_err(refused)?;
        let start = self.bytes.len();
        let end = bstr.end(start, self.syntax).ok_or(Error::IncorrectFormat)?;
        self.bytes.resize(end, 0);
        bstr.encode(&mut self.bytes, start, self.syntax)
            .map_err(refused)?;
        Ok(())
    }
}

/// Well-formed, damaged, or as the bytes come.
impl<'a> Arbitrary<'a> for WireBytes {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let choice: u8 = u.arbitrary()?;
        let damage = Damage::of(choice >> 3, u)?;
        Self::of(choice, damage, some_bytes(u)?)
    }

    fn arbitrary_take_rest(mut u: Unstructured<'a>) -> Result<Self> {
        let choice: u8 = u.arbitrary()?;
        let damage = Damage::of(choice >> 3, &mut u)?;
        Self::of(choice, damage, u.take_rest())
    }
}
