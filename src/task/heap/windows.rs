//! The heap on Windows itself: ole32's own task allocator.

use core::ffi::c_void;

use crate::com::{HResult, MEMCTX_TASK, MallocVtbl, Object};
use crate::task::block::{DidAlloc, Family};
use crate::task::fault::fault;

// On 32-bit x86 the compiler decorates the names, and the library does not.
#[cfg_attr(
    target_arch = "x86",
    link(name = "ole32", kind = "raw-dylib", import_name_type = "undecorated")
)]
#[cfg_attr(not(target_arch = "x86"), link(name = "ole32", kind = "raw-dylib"))]
unsafe extern "system" {
    safe fn CoTaskMemAlloc(size: usize) -> *mut c_void;
    fn CoTaskMemRealloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn CoTaskMemFree(block: *mut c_void);
    fn CoGetMalloc(context: u32, malloc: *mut *mut Object<MallocVtbl>) -> HResult;
}

/// What the system calls a block that it does not know.
const NO_BLOCK: usize = usize::MAX;

pub(super) fn alloc(size: usize, family: Family) -> *mut u8 {
    if fault(size, family).is_some() {
        return core::ptr::null_mut();
    }
    CoTaskMemAlloc(size).cast()
}

/// # Safety
///
/// * As for [`realloc`](super::realloc), and `block` is not null.
pub(super) unsafe fn resize(block: *mut u8, size: usize, family: Family) -> *mut u8 {
    // Shrinking needs no memory, so it cannot be the allocation that is to fail.
    // SAFETY: the caller promises a live block.
    let grows = unsafe { size_of(block) }.is_none_or(|held| size > held);
    if grows && fault(size, family).is_some() {
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { CoTaskMemRealloc(block.cast(), size) }.cast()
}

/// # Safety
///
/// * As for [`free`](super::free).
pub(super) unsafe fn free(block: *mut u8, _: Family) {
    // SAFETY: the caller's promise is the precondition.
    unsafe { CoTaskMemFree(block.cast()) };
}

/// # Safety
///
/// * `block` is a live block.
pub(super) unsafe fn size_of(block: *mut u8) -> Option<usize> {
    let malloc = malloc();
    // SAFETY: the object lives as long as the process.
    let vtbl = unsafe { (*malloc).vtbl };
    // SAFETY: the caller promises a live block.
    match unsafe { (vtbl.get_size)(malloc.cast(), block.cast()) } {
        NO_BLOCK => None,
        size => Some(size),
    }
}

/// # Safety
///
/// * `block` is a live block.
pub(super) unsafe fn did_alloc(block: *mut u8) -> DidAlloc {
    let malloc = malloc();
    // SAFETY: the object lives as long as the process.
    let vtbl = unsafe { (*malloc).vtbl };
    // SAFETY: the caller promises a live block.
    match unsafe { (vtbl.did_alloc)(malloc.cast(), block.cast()) } {
        1 => DidAlloc::Yes,
        0 => DidAlloc::No,
        _ => DidAlloc::Unknown,
    }
}

pub(super) fn minimize() {
    let malloc = malloc();
    // SAFETY: the object lives as long as the process.
    let vtbl = unsafe { (*malloc).vtbl };
    // SAFETY: the method takes nothing but its object.
    unsafe { (vtbl.heap_minimize)(malloc.cast()) };
}

/// The process's one allocator object. It is never destroyed, so its reference is not given back.
fn malloc() -> *mut Object<MallocVtbl> {
    let mut malloc = core::ptr::null_mut();
    // SAFETY: the out pointer is a local of the right type.
    let hr = unsafe { CoGetMalloc(MEMCTX_TASK, &raw mut malloc) };
    assert!(
        hr.is_success() && !malloc.is_null(),
        "the task allocator is always there: {hr}"
    );
    malloc
}
