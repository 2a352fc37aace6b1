//! Result codes and identifiers.

use core::fmt;

use bytemuck::{Pod, Zeroable};
use static_assertions::{assert_eq_align, assert_eq_size};

/// A COM result code: negative is failure.
///
/// # Examples
///
/// ```
/// use olemem::HResult;
///
/// assert!(HResult::S_FALSE.is_success());
/// assert!(HResult::E_OUTOFMEMORY.is_failure());
/// assert_eq!(HResult::E_OUTOFMEMORY.to_string(), "E_OUTOFMEMORY (0x8007000E)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(transparent)]
#[must_use]
pub struct HResult(i32);

impl HResult {
    /// Success.
    pub const S_OK: Self = Self::from_bits(0);
    /// Success, with "no" or "nothing" for an answer.
    pub const S_FALSE: Self = Self::from_bits(1);
    /// Not done.
    pub const E_NOTIMPL: Self = Self::from_bits(0x8000_4001);
    /// The object does not have that interface.
    pub const E_NOINTERFACE: Self = Self::from_bits(0x8000_4002);
    /// A pointer was null that must not be.
    pub const E_POINTER: Self = Self::from_bits(0x8000_4003);
    /// Ended before it was done.
    pub const E_ABORT: Self = Self::from_bits(0x8000_4004);
    /// Failure, no more said.
    pub const E_FAIL: Self = Self::from_bits(0x8000_4005);
    /// Something that cannot be has happened.
    pub const E_UNEXPECTED: Self = Self::from_bits(0x8000_FFFF);
    /// Not now: for `CoRevokeMallocSpy`, blocks are still spyed.
    pub const E_ACCESSDENIED: Self = Self::from_bits(0x8007_0005);
    /// A handle is wrong.
    pub const E_HANDLE: Self = Self::from_bits(0x8007_0006);
    /// No memory.
    pub const E_OUTOFMEMORY: Self = Self::from_bits(0x8007_000E);
    /// An argument is wrong.
    pub const E_INVALIDARG: Self = Self::from_bits(0x8007_0057);
    /// A buffer ends too early.
    pub const E_NOT_SUFFICIENT_BUFFER: Self = Self::from_bits(0x8007_007A);
    /// Bytes from the wire are not what they should be: the Win32 error of the name as an `HRESULT`.
    pub const RPC_X_BAD_STUB_DATA: Self = Self::from_bits(0x8007_06F7);
    /// Something is of another type, or shape, than it must be.
    pub const DISP_E_TYPEMISMATCH: Self = Self::from_bits(0x8002_0005);
    /// An array has no such dimension or element.
    pub const DISP_E_BADINDEX: Self = Self::from_bits(0x8002_000B);
    /// An array is in use.
    pub const DISP_E_ARRAYISLOCKED: Self = Self::from_bits(0x8002_000D);
    /// Nothing is registered.
    pub const CO_E_OBJNOTREG: Self = Self::from_bits(0x8004_01FB);
    /// Something is registered already.
    pub const CO_E_OBJISREG: Self = Self::from_bits(0x8004_01FC);
    /// No class of that identifier is registered.
    pub const REGDB_E_CLASSNOTREG: Self = Self::from_bits(0x8004_0154);

    /// The code's name in the Windows headers, for those that this crate knows.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::S_OK => "S_OK",
            Self::S_FALSE => "S_FALSE",
            Self::E_NOTIMPL => "E_NOTIMPL",
            Self::E_NOINTERFACE => "E_NOINTERFACE",
            Self::E_POINTER => "E_POINTER",
            Self::E_ABORT => "E_ABORT",
            Self::E_FAIL => "E_FAIL",
            Self::E_UNEXPECTED => "E_UNEXPECTED",
            Self::E_ACCESSDENIED => "E_ACCESSDENIED",
            Self::E_HANDLE => "E_HANDLE",
            Self::E_OUTOFMEMORY => "E_OUTOFMEMORY",
            Self::E_INVALIDARG => "E_INVALIDARG",
            Self::E_NOT_SUFFICIENT_BUFFER => "E_NOT_SUFFICIENT_BUFFER",
            Self::RPC_X_BAD_STUB_DATA => "HRESULT_FROM_WIN32(RPC_X_BAD_STUB_DATA)",
            Self::DISP_E_TYPEMISMATCH => "DISP_E_TYPEMISMATCH",
            Self::DISP_E_BADINDEX => "DISP_E_BADINDEX",
            Self::DISP_E_ARRAYISLOCKED => "DISP_E_ARRAYISLOCKED",
            Self::CO_E_OBJNOTREG => "CO_E_OBJNOTREG",
            Self::CO_E_OBJISREG => "CO_E_OBJISREG",
            Self::REGDB_E_CLASSNOTREG => "REGDB_E_CLASSNOTREG",
            _ => return None,
        })
    }

    /// From the number as C prints it.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits.cast_signed())
    }

    /// The number as C prints it.
    #[must_use]
    pub const fn to_bits(self) -> u32 {
        self.0.cast_unsigned()
    }

    /// From the signed number that crosses the ABI.
    pub const fn from_raw(raw: i32) -> Self {
        Self(raw)
    }

    /// The signed number that crosses the ABI.
    #[must_use]
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// `SUCCEEDED(hr)`.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 >= 0
    }

    /// `FAILED(hr)`.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        self.0 < 0
    }

    /// The code as a `Result`, for `?`.
    ///
    /// # Errors
    ///
    /// Itself, where it is a failure.
    pub const fn ok(self) -> Result<(), Self> {
        if self.is_success() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for HResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:08X})", self.to_bits()),
            None => write!(f, "0x{:08X}", self.to_bits()),
        }
    }
}

impl fmt::Debug for HResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for HResult {}

/// A 128-bit identifier of an interface or a class, in the layout of the Windows `GUID`.
///
/// # Examples
///
/// ```
/// use olemem::{Guid, com};
///
/// let iid = Guid::from_u128(0x00000002_0000_0000_C000_000000000046);
/// assert_eq!(iid, com::IID_MALLOC);
/// assert_eq!(iid.to_string(), "{00000002-0000-0000-C000-000000000046}");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
#[repr(C)]
pub struct Guid {
    /// The first group of the text form.
    pub data1: u32,
    /// The second group.
    pub data2: u16,
    /// The third group.
    pub data3: u16,
    /// The fourth and fifth group, byte by byte.
    pub data4: [u8; 8],
}

assert_eq_size!(Guid, [u8; 16]);
assert_eq_align!(Guid, u32);
assert_eq_size!(HResult, u32);

impl Guid {
    /// From the text form read as one number.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "each group is the low bits of a shifted number"
    )]
    pub const fn from_u128(value: u128) -> Self {
        Self {
            data1: (value >> 96) as u32,
            data2: (value >> 80) as u16,
            data3: (value >> 64) as u16,
            data4: (value as u64).to_be_bytes(),
        }
    }

    /// The text form read as one number.
    #[must_use]
    pub const fn to_u128(self) -> u128 {
        (self.data1 as u128) << 96
            | (self.data2 as u128) << 80
            | (self.data3 as u128) << 64
            | u64::from_be_bytes(self.data4) as u128
    }
}
