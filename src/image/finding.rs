//! What is wrong with a BSTR, and what is only worth a word.
#![forbid(unsafe_code)]

use core::fmt;

use super::Anatomy;
use crate::error::{Counted, There};
use crate::units::ByteLen;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weight {
    /// No BSTR looks like this.
    Broken,
    /// Legal in a BSTR, and yet no text.
    NotText,
    /// Neither here nor there.
    Remark,
}

/// Something that was found.
///
/// # Examples
///
/// ```
/// use olemem::image::{PresentedBstr, Shape, Start};
/// use olemem::layout::{ByteOrder, PointerWidth};
///
/// let shape = Shape { width: PointerWidth::W64, order: ByteOrder::Little };
/// let bytes = [2, 0, 0, 0, b'a', 0, b'?', 0];
/// let error = PresentedBstr::parse(&bytes, shape, Start::Prefix).unwrap_err();
/// assert_eq!(error.to_string(), "the terminator at +10 is not zero");
/// assert_eq!((error.offset, error.index), (10, 6));
/// assert_eq!(bytes[error.index..], [b'?', 0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where: bytes from the start of the block.
    pub offset: usize,
    /// The same place in the slice that was read, at most its length: `bytes[index..]` is what is there.
    ///
    /// Less than [`offset`](Self::offset) where the slice begins at the [prefix](super::Start::Prefix) and padding comes before
    /// that.
    pub index: usize,
    /// What.
    pub flaw: Flaw,
}

/// What can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// The bytes end before the prefix does.
    PrefixTruncated {
        /// Where the bytes end.
        end: usize,
        /// Where the prefix ends.
        needed: usize,
    },
    /// No BSTR is so long where pointers are so wide.
    TooLong {
        /// What the prefix says.
        len: ByteLen,
        /// The most that there can be.
        most: ByteLen,
    },
    /// The bytes end before the payload does.
    PayloadTruncated {
        /// What the prefix says.
        len: ByteLen,
        /// Bytes of the payload that are there.
        there: usize,
    },
    /// Binary data, or a length that was counted in the wrong unit.
    OddLength,
    /// Zero units in the payload.
    Nuls {
        /// How many.
        count: usize,
        /// The first of them.
        unit: usize,
    },
    /// Halves of surrogate pairs.
    LoneSurrogates {
        /// How many.
        count: usize,
        /// The first of them.
        unit: usize,
    },
    /// The bytes end before the terminator does.
    TerminatorTruncated {
        /// Bytes of it that are there.
        there: usize,
        /// Bytes that it has.
        size: usize,
    },
    /// The unit behind the payload is not zero.
    TerminatorNotZero,
    /// The byte behind an odd length is not zero, which it need not be.
    PadNotZero,
    /// There are bytes behind the block.
    Rest {
        /// How many.
        bytes: usize,
    },
}

impl Finding {
    /// How much it matters.
    #[must_use]
    pub const fn weight(&self) -> Weight {
        match self.flaw {
            Flaw::PrefixTruncated { .. }
            | Flaw::TooLong { .. }
            | Flaw::PayloadTruncated { .. }
            | Flaw::TerminatorTruncated { .. }
            | Flaw::TerminatorNotZero => Weight::Broken,
            Flaw::OddLength | Flaw::Nuls { .. } | Flaw::LoneSurrogates { .. } => Weight::NotText,
            Flaw::PadNotZero | Flaw::Rest { .. } => Weight::Remark,
        }
    }
}

/// All that can be said.
pub(super) fn all(anatomy: &Anatomy<'_>) -> impl Iterator<Item = Finding> + use<> {
    in_order([
        length(anatomy),
        odd(anatomy),
        nuls(anatomy),
        lone_surrogates(anatomy),
        missing_terminator(anatomy),
        terminator(anatomy),
        pad(anatomy),
        rest(anatomy),
    ])
}

/// What can be said without looking at the payload.
pub(super) fn of_the_frame(anatomy: &Anatomy<'_>) -> impl Iterator<Item = Finding> + use<> {
    in_order([
        length(anatomy),
        missing_terminator(anatomy),
        terminator(anatomy),
    ])
}

/// A finding so many bytes into the block. The first part begins where the slice does.
const fn found(anatomy: &Anatomy<'_>, offset: usize, flaw: Flaw) -> Finding {
    Finding {
        offset,
        index: offset.saturating_sub(anatomy.padding.offset),
        flaw,
    }
}

/// Those that there are, in the order of the bytes.
fn in_order<const N: usize>(mut found: [Option<Finding>; N]) -> impl Iterator<Item = Finding> {
    found.sort_unstable_by_key(|finding| finding.map(|finding| finding.offset));
    found.into_iter().flatten()
}

/// A length that is not there, cannot be, or promises more than there is.
fn length(anatomy: &Anatomy<'_>) -> Option<Finding> {
    let width = anatomy.shape.width;
    let Some(len) = anatomy.length else {
        let (end, needed) = (anatomy.end(), width.header());
        return Some(found(anatomy, end, Flaw::PrefixTruncated { end, needed }));
    };
    let most = width.max_bytes();
    if len > most {
        let flaw = Flaw::TooLong { len, most };
        return Some(found(anatomy, anatomy.prefix.offset, flaw));
    }
    let there = anatomy.payload.len();
    let flaw = Flaw::PayloadTruncated { len, there };
    (there < len.as_usize()).then(|| found(anatomy, anatomy.payload.offset, flaw))
}

fn odd(anatomy: &Anatomy<'_>) -> Option<Finding> {
    let odd = anatomy.length?.is_odd();
    odd.then(|| found(anatomy, anatomy.prefix.offset, Flaw::OddLength))
}

fn nuls(anatomy: &Anatomy<'_>) -> Option<Finding> {
    let units = anatomy.shape.units(anatomy.payload.bytes).enumerate();
    let places = units.filter(|(_, unit)| *unit == 0).map(|(at, _)| at);
    first(anatomy, places, |count, unit| Flaw::Nuls { count, unit })
}

fn lone_surrogates(anatomy: &Anatomy<'_>) -> Option<Finding> {
    let mut at = 0_usize;
    let units = char::decode_utf16(anatomy.shape.units(anatomy.payload.bytes));
    let places = units.filter_map(|decoded| {
        let here = at;
        at = at.saturating_add(decoded.as_ref().map_or(1, |c| c.len_utf16()));
        decoded.is_err().then_some(here)
    });
    first(anatomy, places, |count, unit| Flaw::LoneSurrogates {
        count,
        unit,
    })
}

/// How many there are of something in the payload, and the unit where the first is.
fn first(
    anatomy: &Anatomy<'_>,
    mut places: impl Iterator<Item = usize>,
    flaw: impl Fn(usize, usize) -> Flaw,
) -> Option<Finding> {
    let unit = places.next()?;
    let count = places.count().saturating_add(1);
    let offset = anatomy
        .payload
        .offset
        .saturating_add(unit.saturating_mul(2));
    Some(found(anatomy, offset, flaw(count, unit)))
}

/// A terminator of which some or all is missing, behind a payload that is whole.
fn missing_terminator(anatomy: &Anatomy<'_>) -> Option<Finding> {
    let whole = anatomy.payload.len() == anatomy.length?.as_usize();
    let (there, size) = (anatomy.terminator.len(), anatomy.terminator_len());
    let flaw = Flaw::TerminatorTruncated { there, size };
    (whole && there < size).then(|| found(anatomy, anatomy.end(), flaw))
}

/// A terminator that is not zero. Behind an odd payload the unit counts, not the byte before it.
fn terminator(anatomy: &Anatomy<'_>) -> Option<Finding> {
    let pad = usize::from(anatomy.length?.is_odd());
    let unit = anatomy.terminator.bytes.get(pad..)?;
    let offset = anatomy.terminator.offset.saturating_add(pad);
    not_zero(unit).then(|| found(anatomy, offset, Flaw::TerminatorNotZero))
}

fn pad(anatomy: &Anatomy<'_>) -> Option<Finding> {
    let odd = anatomy.length?.is_odd();
    let pad = anatomy.terminator.bytes.get(..1)?;
    (odd && not_zero(pad)).then(|| found(anatomy, anatomy.terminator.offset, Flaw::PadNotZero))
}

fn rest(anatomy: &Anatomy<'_>) -> Option<Finding> {
    let rest = anatomy.rest;
    let flaw = Flaw::Rest { bytes: rest.len() };
    (!rest.is_empty()).then(|| found(anatomy, rest.offset, flaw))
}

fn not_zero(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| *byte != 0)
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.offset;
        let units = |f: &mut fmt::Formatter<'_>, count, thing, unit| {
            let first = if count == 1 { "" } else { "the first " };
            let things = Counted(count as u64, thing);
            write!(f, "{things}, {first}at unit {unit} (+{place})")
        };
        let bytes = |len: ByteLen| Counted(len.get().into(), "byte");
        match self.flaw {
            Flaw::PrefixTruncated { end, needed } => {
                write!(
                    f,
                    "truncated: the bytes end at +{end}, the prefix at +{needed}"
                )
            }
            Flaw::TooLong { len, most } => write!(
                f,
                "the prefix says {}, and a BSTR has {} at most",
                bytes(len),
                most.get()
            ),
            Flaw::PayloadTruncated { len, there } => write!(
                f,
                "truncated: the prefix says {}, and {}",
                bytes(len),
                There(there)
            ),
            Flaw::OddLength => {
                f.write_str("an odd length: binary data, or a length in the wrong unit")
            }
            Flaw::Nuls { count, unit } => {
                units(f, count, "nul", unit)?;
                f.write_str(": code that looks for the end of text stops there")
            }
            Flaw::LoneSurrogates { count, unit } => {
                units(f, count, "lone surrogate", unit)?;
                f.write_str(": no well-formed UTF-16")
            }
            Flaw::TerminatorTruncated { there, size } => write!(
                f,
                "truncated: the bytes end at +{place}, with {there} of the terminator's {size} bytes"
            ),
            Flaw::TerminatorNotZero => write!(f, "the terminator at +{place} is not zero"),
            Flaw::PadNotZero => write!(
                f,
                "the byte at +{place}, behind the odd one, is not zero, which is legal"
            ),
            Flaw::Rest { bytes } => {
                let bytes = Counted(bytes as u64, "byte");
                write!(f, "{bytes} behind the block, from +{place} on")
            }
        }
    }
}

impl core::error::Error for Finding {}
