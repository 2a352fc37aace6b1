//! Code units and bytes: the two lengths of a BSTR, kept apart by type.
//!
//! A BSTR's prefix counts bytes, most callers count code units, and mixing the two is the oldest bug
//! of the field. A length that could mean two things is [`UnitLen`] or [`ByteLen`], never a bare
//! integer.
#![forbid(unsafe_code)]

use core::fmt;

use crate::error::TooLong;

/// Bytes in a code unit, on every platform.
pub(crate) const UNIT_BYTES: u32 = 2;

/// A number of UTF-16 code units.
///
/// # Examples
///
/// ```
/// use olemem::{ByteLen, UnitLen};
///
/// let units = UnitLen::new(4);
/// assert_eq!(units.bytes(), Some(ByteLen::new(8)));
/// // Twice this does not fit the 32-bit prefix.
/// assert_eq!(UnitLen::new(0x8000_0000).bytes(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct UnitLen(u32);

/// A number of bytes, as the length prefix counts them: without the terminator, and possibly odd.
///
/// # Examples
///
/// ```
/// use olemem::{ByteLen, UnitLen};
///
/// let bytes = ByteLen::new(5);
/// assert!(bytes.is_odd());
/// assert_eq!(bytes.units(), UnitLen::new(2));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct ByteLen(u32);

impl UnitLen {
    /// No units.
    pub const ZERO: Self = Self(0);

    /// This many units.
    #[must_use]
    pub const fn new(units: u32) -> Self {
        Self(units)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number, as slices count.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }

    /// The bytes these units take, or `None` if the prefix could not hold that number.
    #[must_use]
    pub const fn bytes(self) -> Option<ByteLen> {
        match self.0.checked_mul(UNIT_BYTES) {
            Some(bytes) => Some(ByteLen(bytes)),
            None => None,
        }
    }
}

impl ByteLen {
    /// No bytes.
    pub const ZERO: Self = Self(0);

    /// This many bytes.
    #[must_use]
    pub const fn new(bytes: u32) -> Self {
        Self(bytes)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number, as slices count.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }

    /// Whole units in these bytes; the odd last byte is not counted.
    #[must_use]
    pub const fn units(self) -> UnitLen {
        UnitLen(self.0 / UNIT_BYTES)
    }

    /// Whether the last byte is half a unit.
    #[must_use]
    pub const fn is_odd(self) -> bool {
        !self.0.is_multiple_of(UNIT_BYTES)
    }

    /// The sum, or `None` if the prefix could not hold it.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }
}

impl TryFrom<usize> for UnitLen {
    type Error = TooLong;

    fn try_from(units: usize) -> Result<Self, TooLong> {
        match u32::try_from(units) {
            Ok(units) => Ok(Self(units)),
            Err(_) => Err(TooLong::units(units)),
        }
    }
}

impl TryFrom<usize> for ByteLen {
    type Error = TooLong;

    fn try_from(bytes: usize) -> Result<Self, TooLong> {
        match u32::try_from(bytes) {
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => Err(TooLong::bytes(bytes)),
        }
    }
}

impl fmt::Display for UnitLen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 unit"),
            units => write!(f, "{units} units"),
        }
    }
}

impl fmt::Display for ByteLen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 byte"),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}
