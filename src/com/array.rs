//! SAFEARRAY: an array that says what it holds.
//!
//! ```text
//!  block start
//!  │ hidden, 16 bytes                  descriptor
//!  ▼                                   ▼
//!  ┌──────────────────────┬────────────┬──────┬──────────┬──────────────┬───────┬──────┬──────────────────
//!  │ 0 …                  │ element    │ dims │ features │ element size │ locks │ data │ bounds, the last
//!  │                      │ type: 4    │    2 │        2 │            4 │     4 │    * │ dimension first: 8 each
//!  └──────────────────────┴────────────┴──────┴──────────┴──────────────┴───────┴──────┴──────────────────
//!                                      ▲ what a SAFEARRAY* points to             * a pointer, aligned as one
//! ```
//!
//! The element type is where `SafeArrayGetVartype` finds it if the features say so, in the four bytes before the
//! descriptor (`semantics.md` 2.16).

use core::ffi::c_void;
use core::fmt;
use core::mem::offset_of;

use static_assertions::const_assert_eq;

/// What the elements of an array are: a `VARTYPE`.
///
/// # Examples
///
/// ```
/// use olemem::com::VarType;
///
/// assert_eq!(VarType::UI1.element_size(), Some(1));
/// assert_eq!(VarType::from_raw(12).element_size(), None); // VT_VARIANT: there are none here
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct VarType(u16);

impl VarType {
    /// `VT_I2`.
    pub const I2: Self = Self(2);
    /// `VT_I4`.
    pub const I4: Self = Self(3);
    /// `VT_R4`.
    pub const R4: Self = Self(4);
    /// `VT_R8`.
    pub const R8: Self = Self(5);
    /// `VT_CY`, eight bytes.
    pub const CY: Self = Self(6);
    /// `VT_DATE`, a double.
    pub const DATE: Self = Self(7);
    /// `VT_BSTR`: the array owns its strings.
    pub const BSTR: Self = Self(8);
    /// `VT_ERROR`.
    pub const ERROR: Self = Self(10);
    /// `VT_BOOL`, two bytes.
    pub const BOOL: Self = Self(11);
    /// `VT_DECIMAL`, sixteen bytes.
    pub const DECIMAL: Self = Self(14);
    /// `VT_I1`.
    pub const I1: Self = Self(16);
    /// `VT_UI1`: bytes.
    pub const UI1: Self = Self(17);
    /// `VT_UI2`.
    pub const UI2: Self = Self(18);
    /// `VT_UI4`.
    pub const UI4: Self = Self(19);
    /// `VT_I8`.
    pub const I8: Self = Self(20);
    /// `VT_UI8`.
    pub const UI8: Self = Self(21);
    /// `VT_INT`.
    pub const INT: Self = Self(22);
    /// `VT_UINT`.
    pub const UINT: Self = Self(23);
    /// `VT_INT_PTR`.
    pub const INT_PTR: Self = Self(37);
    /// `VT_UINT_PTR`.
    pub const UINT_PTR: Self = Self(38);

    /// From the number that C has.
    #[must_use]
    pub const fn from_raw(raw: u16) -> Self {
        Self(raw)
    }

    /// The number that C has.
    #[must_use]
    pub const fn as_raw(self) -> u16 {
        self.0
    }

    /// Bytes of an element, on this target; `None` for what olemem makes no arrays of. Those are the types that no array can
    /// have (`VT_EMPTY`, `VT_NULL`, whatever has `VT_ARRAY` or `VT_BYREF` in it), and `VT_VARIANT`, `VT_RECORD` and the interfaces,
    /// whose elements only the rest of Automation knows how to release.
    #[must_use]
    pub const fn element_size(self) -> Option<u32> {
        const POINTER: u32 = if size_of::<usize>() == 8 { 8 } else { 4 };
        Some(match self {
            Self::I1 | Self::UI1 => 1,
            Self::I2 | Self::UI2 | Self::BOOL => 2,
            Self::I4 | Self::UI4 | Self::INT | Self::UINT | Self::R4 | Self::ERROR => 4,
            Self::I8 | Self::UI8 | Self::R8 | Self::CY | Self::DATE => 8,
            Self::DECIMAL => 16,
            Self::BSTR | Self::INT_PTR | Self::UINT_PTR => POINTER,
            _ => return None,
        })
    }
}

impl fmt::Debug for VarType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VarType({})", self.0)
    }
}

/// One dimension of an array: `SAFEARRAYBOUND`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ArrayBound {
    /// How many elements there are.
    pub count: u32,
    /// The index of the first.
    pub lower: i32,
}

/// The descriptor of an array: `SAFEARRAY`.
#[derive(Debug)]
#[repr(C)]
pub struct SafeArray {
    /// Dimensions.
    pub dims: u16,
    /// What is known of the array: [`AUTO`](Self::AUTO) and the others.
    pub features: u16,
    /// Bytes of an element.
    pub element_size: u32,
    /// Locks that were not taken back.
    pub locks: u32,
    /// The elements; those of the leftmost dimension lie beside each other.
    pub data: *mut c_void,
    /// A bound for each dimension, the rightmost first. There are as many as dimensions.
    pub bounds: [ArrayBound; 1],
}

impl SafeArray {
    /// `FADF_AUTO`: the data is on a stack.
    pub const AUTO: u16 = 0x0001;
    /// `FADF_STATIC`: the data is in static storage.
    pub const STATIC: u16 = 0x0002;
    /// `FADF_EMBEDDED`: the data is part of something else.
    pub const EMBEDDED: u16 = 0x0004;
    /// `FADF_FIXEDSIZE`: the array cannot be of another size.
    pub const FIXED_SIZE: u16 = 0x0010;
    /// `FADF_RECORD`: of records.
    pub const RECORD: u16 = 0x0020;
    /// `FADF_HAVEIID`: an interface's identifier is in the hidden bytes.
    pub const HAVE_IID: u16 = 0x0040;
    /// `FADF_HAVEVARTYPE`: the element type is in the hidden bytes.
    pub const HAVE_VARTYPE: u16 = 0x0080;
    /// `FADF_BSTR`: of BSTRs.
    pub const BSTR: u16 = 0x0100;
    /// `FADF_UNKNOWN`: of `IUnknown*`.
    pub const UNKNOWN: u16 = 0x0200;
    /// `FADF_DISPATCH`: of `IDispatch*`.
    pub const DISPATCH: u16 = 0x0400;
    /// `FADF_VARIANT`: of VARIANTs.
    pub const VARIANT: u16 = 0x0800;

    /// Bytes before the descriptor that belong to its block.
    pub const HIDDEN: usize = 16;
}

const POINTER: usize = size_of::<usize>();
const_assert_eq!(size_of::<ArrayBound>(), 8);
const_assert_eq!(offset_of!(SafeArray, features), 2);
const_assert_eq!(offset_of!(SafeArray, element_size), 4);
const_assert_eq!(offset_of!(SafeArray, locks), 8);
const_assert_eq!(
    offset_of!(SafeArray, data),
    if POINTER == 8 { 16 } else { 12 }
);
const_assert_eq!(
    offset_of!(SafeArray, bounds),
    if POINTER == 8 { 24 } else { 16 }
);
const_assert_eq!(size_of::<SafeArray>(), if POINTER == 8 { 32 } else { 24 });
