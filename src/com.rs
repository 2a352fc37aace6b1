//! COM's plain types: result codes, identifiers, arrays, and the vtables of the allocator's interfaces.
//!
//! Everything here is `repr(C)` and laid out as on Windows, so that a pointer from C may be read
//! through it. The slots of a vtable are in the order of `semantics.md` 3.3 and 4.1.

use core::ffi::c_void;

use static_assertions::const_assert_eq;

mod array;
pub(crate) mod types;
pub use array::{ArrayBound, SafeArray, VarType};
pub(crate) use types::{Guid, HResult};

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
    /// Slot 8: `PostRealloc(this, actual, spyed)`: the pointer for the caller. `spyed` is TRUE for a block,
    /// and tells of the old one if `actual` is null.
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
