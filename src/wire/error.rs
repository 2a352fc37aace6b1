//! What is wrong with bytes from the wire, and with a buffer for them.
#![forbid(unsafe_code)]

use core::fmt;

use crate::com::HResult;
use crate::error::{Counted, There, TooLong};
use crate::units::ByteLen;

/// Bytes that no BSTR was marshalled as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireError {
    /// Where: bytes from the start of the buffer.
    pub offset: usize,
    /// What is wrong there.
    pub cause: Malformed,
}

/// What is wrong with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// The bytes end within the numbers that come first.
    HeaderTruncated,
    /// The array's count is not the count of units.
    CountMismatch {
        /// `max_count`.
        max_count: u64,
        /// `clSize`.
        units: u32,
    },
    /// The null BSTR has no data.
    NullWithData {
        /// `clSize`.
        units: u32,
    },
    /// So many bytes do not take so many units.
    LengthMismatch {
        /// `cBytes`.
        bytes: u32,
        /// `clSize`.
        units: u32,
    },
    /// The bytes end within the data, or before the byte that pads it.
    DataTruncated {
        /// The length of the BSTR. An odd one takes a byte more.
        len: ByteLen,
        /// Bytes that are left.
        left: usize,
    },
    /// No BSTR is so long.
    TooLong(TooLong),
    /// There cannot be so many BSTRs in so few bytes.
    ArrayTruncated {
        /// How many are said to be there.
        count: u64,
        /// Bytes that are left.
        left: usize,
    },
    /// The VARIANT holds something else.
    NotABstr {
        /// Its type, as in `vt`.
        vt: u16,
    },
    /// The type in the VARIANT's header is not the type of its contents.
    TypeMismatch {
        /// `vt`.
        vt: u16,
        /// The discriminator of the union.
        discriminator: u32,
    },
    /// Where something else is pointed at, the size of a pointer is four.
    PointerSize {
        /// What was said.
        said: u32,
    },
    /// A BSTR is always pointed at, even a null one.
    NullReferent,
    /// The VARIANT has another size than its header says.
    VariantSize {
        /// `clSize`: units of eight bytes.
        said: u32,
        /// Bytes that it takes.
        bytes: usize,
    },
}

/// A buffer that ends too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// Bytes that the buffer must have; `None` if none can have as many.
    pub needed: Option<usize>,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.cause)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderTruncated => f.write_str("the bytes end within the header"),
            Self::CountMismatch { max_count, units } => {
                let counted = Counted(*max_count, "unit");
                write!(f, "the array counts {counted}, the BSTR {units}")
            }
            Self::NullWithData { units } => {
                let units = Counted((*units).into(), "unit");
                write!(f, "the null BSTR is said to have {units}")
            }
            Self::LengthMismatch { bytes, units } => {
                let bytes = Counted((*bytes).into(), "byte");
                let units = Counted((*units).into(), "unit");
                write!(f, "a BSTR of {bytes} does not take {units}")
            }
            Self::DataTruncated { len, left } if len.is_odd() => {
                let padded = u64::from(len.get()).next_multiple_of(2);
                let there = There(*left);
                write!(
                    f,
                    "the BSTR takes {padded} bytes with its padding, of which {there}"
                )
            }
            Self::DataTruncated { len, left } => {
                let (len, there) = (len.get(), There(*left));
                write!(f, "the BSTR has {len} bytes, of which {there}")
            }
            Self::TooLong(error) => error.fmt(f),
            Self::ArrayTruncated { count, left } => {
                let bstrs = Counted(*count, "BSTR");
                let bytes = Counted(*left as u64, "byte");
                write!(f, "{bstrs} cannot be in {bytes}")
            }
            Self::NotABstr { vt } => write!(f, "a VARIANT of type {vt:#06x} holds no BSTR"),
            Self::TypeMismatch { vt, discriminator } => write!(
                f,
                "a VARIANT of type {vt:#06x} is said to hold one of {discriminator:#06x}"
            ),
            Self::PointerSize { said } => {
                let bytes = Counted((*said).into(), "byte");
                write!(f, "a pointer is said to have {bytes}, not 4")
            }
            Self::NullReferent => f.write_str("nothing is pointed at"),
            Self::VariantSize { said, bytes } => write!(
                f,
                "a VARIANT of {bytes} bytes is said to have {said} times 8"
            ),
        }
    }
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.needed {
            Some(needed) => write!(f, "the buffer must have {needed} bytes"),
            None => f.write_str("no buffer is so large"),
        }
    }
}

impl core::error::Error for WireError {}
impl core::error::Error for NoRoom {}

/// A buffer that is too small is `E_NOT_SUFFICIENT_BUFFER`.
impl From<NoRoom> for HResult {
    fn from(_: NoRoom) -> Self {
        Self::E_NOT_SUFFICIENT_BUFFER
    }
}

/// Malformed bytes are `RPC_X_BAD_STUB_DATA`, which Windows raises as an exception; a length that no BSTR can have is
/// `E_OUTOFMEMORY` (`semantics.md` 5.8); a VARIANT of another type, with which nothing is wrong, `DISP_E_TYPEMISMATCH`.
impl From<WireError> for HResult {
    fn from(error: WireError) -> Self {
        match error.cause {
            Malformed::TooLong(error) => error.into(),
            Malformed::NotABstr { .. } => Self::DISP_E_TYPEMISMATCH,
            _ => Self::RPC_X_BAD_STUB_DATA,
        }
    }
}
