//! COM's plain types: result codes, identifiers, and the vtables of the allocator's interfaces.
//!
//! Everything here is `repr(C)` and laid out as on Windows, so that a pointer from C may be read
//! through it. The slots of a vtable are in the order of `semantics.md` 3.3 and 4.1.

use core::ffi::c_void;
use core::fmt;

use bytemuck::{Pod, Zeroable};
use static_assertions::{assert_eq_align, assert_eq_size, const_assert_eq};

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

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        impl HResult {
            $($(#[$doc])* pub const $name: Self = Self::from_bits($value);)*

            /// The code's name in the Windows headers, for those that this crate uses.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.to_bits() {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// Success.
    S_OK = 0;
    /// Success, with "no" or "nothing" for an answer.
    S_FALSE = 1;
    /// The object does not have that interface.
    E_NOINTERFACE = 0x8000_4002;
    /// A pointer was null that must not be.
    E_POINTER = 0x8000_4003;
    /// Failure, no more said.
    E_FAIL = 0x8000_4005;
    /// Not now: for `CoRevokeMallocSpy`, blocks are still spyed.
    E_ACCESSDENIED = 0x8007_0005;
    /// No memory.
    E_OUTOFMEMORY = 0x8007_000E;
    /// An argument is wrong.
    E_INVALIDARG = 0x8007_0057;
    /// Nothing is registered.
    CO_E_OBJNOTREG = 0x8004_01FB;
    /// Something is registered already.
    CO_E_OBJISREG = 0x8004_01FC;
    /// No class of that identifier is registered.
    REGDB_E_CLASSNOTREG = 0x8004_0154;
    /// A value of the wrong type.
    DISP_E_TYPEMISMATCH = 0x8002_0005;
}

impl HResult {
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

/// Identifies `IUnknown`.
pub const IID_UNKNOWN: Guid = Guid::from_u128(0x00000000_0000_0000_C000_000000000046);
/// Identifies `IMalloc`.
pub const IID_MALLOC: Guid = Guid::from_u128(0x00000002_0000_0000_C000_000000000046);
/// Identifies `IMallocSpy`.
pub const IID_MALLOC_SPY: Guid = Guid::from_u128(0x0000001D_0000_0000_C000_000000000046);

/// The first three slots of every COM vtable.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct UnknownVtbl {
    /// Slot 0: `QueryInterface(this, iid, out)`.
    pub query_interface:
        unsafe extern "system" fn(*mut c_void, *const Guid, *mut *mut c_void) -> HResult,
    /// Slot 1: `AddRef(this)`.
    pub add_ref: unsafe extern "system" fn(*mut c_void) -> u32,
    /// Slot 2: `Release(this)`.
    pub release: unsafe extern "system" fn(*mut c_void) -> u32,
}

/// `IMalloc`, the task allocator as an object.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MallocVtbl {
    /// Slots 0 to 2.
    pub unknown: UnknownVtbl,
    /// Slot 3: `Alloc(this, bytes)`.
    pub alloc: unsafe extern "system" fn(*mut c_void, usize) -> *mut c_void,
    /// Slot 4: `Realloc(this, block, bytes)`.
    pub realloc: unsafe extern "system" fn(*mut c_void, *mut c_void, usize) -> *mut c_void,
    /// Slot 5: `Free(this, block)`.
    pub free: unsafe extern "system" fn(*mut c_void, *mut c_void),
    /// Slot 6: `GetSize(this, block)`.
    pub get_size: unsafe extern "system" fn(*mut c_void, *mut c_void) -> usize,
    /// Slot 7: `DidAlloc(this, block)`.
    pub did_alloc: unsafe extern "system" fn(*mut c_void, *mut c_void) -> i32,
    /// Slot 8: `HeapMinimize(this)`.
    pub heap_minimize: unsafe extern "system" fn(*mut c_void),
}

/// `IMallocSpy`, the debugging hook of the task allocator.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MallocSpyVtbl {
    /// Slots 0 to 2.
    pub unknown: UnknownVtbl,
    /// Slot 3: `PreAlloc(this, bytes)`: the bytes really to allocate.
    pub pre_alloc: unsafe extern "system" fn(*mut c_void, usize) -> usize,
    /// Slot 4: `PostAlloc(this, actual)`: the pointer for the caller.
    pub post_alloc: unsafe extern "system" fn(*mut c_void, *mut c_void) -> *mut c_void,
    /// Slot 5: `PreFree(this, request, spyed)`: the pointer really to free.
    pub pre_free: unsafe extern "system" fn(*mut c_void, *mut c_void, i32) -> *mut c_void,
    /// Slot 6: `PostFree(this, spyed)`.
    pub post_free: unsafe extern "system" fn(*mut c_void, i32),
    /// Slot 7: `PreRealloc(this, request, bytes, new_request, spyed)`: the bytes really to allocate.
    pub pre_realloc:
        unsafe extern "system" fn(*mut c_void, *mut c_void, usize, *mut *mut c_void, i32) -> usize,
    /// Slot 8: `PostRealloc(this, actual, spyed)`: the pointer for the caller.
    pub post_realloc: unsafe extern "system" fn(*mut c_void, *mut c_void, i32) -> *mut c_void,
    /// Slot 9: `PreGetSize(this, request, spyed)`: the pointer really to measure.
    pub pre_get_size: unsafe extern "system" fn(*mut c_void, *mut c_void, i32) -> *mut c_void,
    /// Slot 10: `PostGetSize(this, actual, spyed)`: the size for the caller.
    pub post_get_size: unsafe extern "system" fn(*mut c_void, usize, i32) -> usize,
    /// Slot 11: `PreDidAlloc(this, request, spyed)`: the pointer really to ask about.
    pub pre_did_alloc: unsafe extern "system" fn(*mut c_void, *mut c_void, i32) -> *mut c_void,
    /// Slot 12: `PostDidAlloc(this, request, spyed, actual)`: the answer for the caller.
    pub post_did_alloc: unsafe extern "system" fn(*mut c_void, *mut c_void, i32, i32) -> i32,
    /// Slot 13: `PreHeapMinimize(this)`.
    pub pre_heap_minimize: unsafe extern "system" fn(*mut c_void),
    /// Slot 14: `PostHeapMinimize(this)`.
    pub post_heap_minimize: unsafe extern "system" fn(*mut c_void),
}

const SLOT: usize = size_of::<usize>();
const_assert_eq!(size_of::<UnknownVtbl>(), 3 * SLOT);
const_assert_eq!(size_of::<MallocVtbl>(), 9 * SLOT);
const_assert_eq!(core::mem::offset_of!(MallocVtbl, heap_minimize), 8 * SLOT);
const_assert_eq!(size_of::<MallocSpyVtbl>(), 15 * SLOT);
const_assert_eq!(core::mem::offset_of!(MallocSpyVtbl, pre_realloc), 7 * SLOT);
const_assert_eq!(
    core::mem::offset_of!(MallocSpyVtbl, post_heap_minimize),
    14 * SLOT
);

/// Any COM object: a pointer to this is a pointer to its vtable pointer.
#[derive(Debug)]
#[repr(C)]
pub struct Object<V: 'static> {
    /// The object's vtable.
    pub vtbl: &'static V,
}

/// The memory contexts of `CoGetMalloc`. Only the task context exists.
pub const MEMCTX_TASK: u32 = 1;
