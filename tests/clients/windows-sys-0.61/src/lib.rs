//! What this package's tests share: the allocator's vtable, which windows-sys leaves to its users.

// Nothing names olemem: without this line the linker would drop it, and its functions with it.
use olemem as _;

use std::ffi::c_void;

use windows_sys::core::{GUID, HRESULT};

/// IMalloc's nine methods, in the order of its vtable.
#[derive(Debug)]
#[repr(C)]
pub struct MallocTable {
    /// Slot 0.
    pub query_interface:
        unsafe extern "system" fn(*mut c_void, *const GUID, *mut *mut c_void) -> HRESULT,
    /// Slot 1.
    pub add_ref: unsafe extern "system" fn(*mut c_void) -> u32,
    /// Slot 2.
    pub release: unsafe extern "system" fn(*mut c_void) -> u32,
    /// Slot 3.
    pub alloc: unsafe extern "system" fn(*mut c_void, usize) -> *mut c_void,
    /// Slot 4.
    pub realloc: unsafe extern "system" fn(*mut c_void, *mut c_void, usize) -> *mut c_void,
    /// Slot 5.
    pub free: unsafe extern "system" fn(*mut c_void, *mut c_void),
    /// Slot 6.
    pub get_size: unsafe extern "system" fn(*mut c_void, *const c_void) -> usize,
    /// Slot 7.
    pub did_alloc: unsafe extern "system" fn(*mut c_void, *const c_void) -> i32,
    /// Slot 8.
    pub heap_minimize: unsafe extern "system" fn(*mut c_void),
}

/// IID_IMalloc, which windows-sys does not have either.
pub const IID_IMALLOC: GUID = GUID::from_u128(0x00000002_0000_0000_c000_000000000046);
