//! The operations on Windows itself: oleaut32's own.

use crate::layout::PointerWidth;
use crate::task::backing::is_to_fail;
use crate::units::{ByteLen, UnitLen};

#[link(name = "oleaut32", kind = "raw-dylib")]
unsafe extern "system" {
    fn SysAllocString(source: *const u16) -> *mut u16;
    fn SysAllocStringLen(source: *const u16, len: u32) -> *mut u16;
    fn SysAllocStringByteLen(source: *const u8, len: u32) -> *mut u16;
    fn SysReAllocString(target: *mut *mut u16, source: *const u16) -> i32;
    fn SysReAllocStringLen(target: *mut *mut u16, source: *const u16, len: u32) -> i32;
    fn SysFreeString(bstr: *mut u16);
    fn SysStringByteLen(bstr: *const u16) -> u32;
}

/// Whether a length is beyond the limit. The system's own may be higher, and a source that is not there
/// would be read.
fn is_too_long(len: Option<ByteLen>) -> bool {
    len.and_then(|len| PointerWidth::NATIVE.block_size(len))
        .is_none()
}

/// # Safety
///
/// * As for [`alloc`](super::alloc).
pub(super) unsafe fn alloc(source: *const u16) -> *mut u16 {
    if is_to_fail() {
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { SysAllocString(source) }
}

/// # Safety
///
/// * As for [`alloc_units`](super::alloc_units).
pub(super) unsafe fn alloc_units(source: *const u16, len: UnitLen) -> *mut u16 {
    if is_too_long(len.bytes()) || is_to_fail() {
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { SysAllocStringLen(source, len.get()) }
}

/// # Safety
///
/// * As for [`alloc_bytes`](super::alloc_bytes).
pub(super) unsafe fn alloc_bytes(source: *const u8, len: ByteLen) -> *mut u16 {
    if is_too_long(Some(len)) || is_to_fail() {
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { SysAllocStringByteLen(source, len.get()) }
}

/// # Safety
///
/// * As for [`realloc`](super::realloc), and `target` is not null.
pub(super) unsafe fn realloc(target: *mut *mut u16, source: *const u16) -> bool {
    if is_to_fail() {
        return false;
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { SysReAllocString(target, source) != 0 }
}

/// # Safety
///
/// * As for [`realloc_units`](super::realloc_units), and `target` is not null.
pub(super) unsafe fn realloc_units(
    target: *mut *mut u16,
    source: *const u16,
    len: UnitLen,
) -> bool {
    if is_too_long(len.bytes()) {
        return false;
    }
    // SAFETY: the caller promises that a null or live BSTR is there.
    let old = unsafe { target.read() };
    // SAFETY: as above.
    let held = unsafe { super::unit_len(old) };
    // Shrinking needs no memory, so it cannot be the allocation that is to fail.
    if (old.is_null() || len > held) && is_to_fail() {
        return false;
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { SysReAllocStringLen(target, source, len.get()) != 0 }
}

/// # Safety
///
/// * As for [`free`](super::free).
pub(super) unsafe fn free(bstr: *mut u16) {
    // SAFETY: the caller's promise is the precondition.
    unsafe { SysFreeString(bstr) };
}

/// # Safety
///
/// * As for [`byte_len`](super::byte_len).
pub(super) unsafe fn byte_len(bstr: *const u16) -> ByteLen {
    // SAFETY: the caller's promise is the precondition.
    ByteLen::new(unsafe { SysStringByteLen(bstr) })
}

/// # Safety
///
/// * As for [`fill`](super::fill).
pub(super) unsafe fn fill(bstr: *mut u16, offset: usize, source: *const u8, bytes: usize) {
    // SAFETY: the caller promises room for so many bytes behind the offset.
    let to = unsafe { bstr.cast::<u8>().add(offset) };
    // SAFETY: the caller's promise.
    unsafe { to.copy_from(source, bytes) };
}
