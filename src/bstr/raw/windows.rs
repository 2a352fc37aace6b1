//! The operations on Windows itself: oleaut32's own.

use crate::layout::{PointerWidth, terminator_bytes};
use crate::task::block::Family;
use crate::task::fault::fault;
use crate::units::{ByteLen, UnitLen};

// On 32-bit x86 the compiler decorates the names, and the library does not.
#[cfg_attr(
    target_arch = "x86",
    link(
        name = "oleaut32",
        kind = "raw-dylib",
        import_name_type = "undecorated"
    )
)]
#[cfg_attr(not(target_arch = "x86"), link(name = "oleaut32", kind = "raw-dylib"))]
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

/// Whether the allocation of a string of so many bytes is one that is to fail.
fn is_to_fail(len: Option<ByteLen>) -> bool {
    len.and_then(|len| PointerWidth::NATIVE.block_size(len))
        .is_some_and(|size| fault(size as usize, Family::Bstr).is_some())
}

/// Bytes before the zero unit.
///
/// # Safety
///
/// * `source` points to units up to and including a zero.
unsafe fn bytes_of(source: *const u16) -> Option<ByteLen> {
    let mut units = 0;
    // SAFETY: no unit before this one was zero, so it is one of the string's.
    while unsafe { source.wrapping_add(units).read() } != 0 {
        units += 1;
    }
    UnitLen::new(u32::try_from(units).ok()?).bytes()
}

/// # Safety
///
/// * As for [`alloc`](super::alloc).
pub(super) unsafe fn alloc(source: *const u16) -> *mut u16 {
    // SAFETY: not null, so the caller promises a string.
    if !source.is_null() && is_to_fail(unsafe { bytes_of(source) }) {
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { SysAllocString(source) }
}

/// # Safety
///
/// * As for [`alloc_units`](super::alloc_units).
pub(super) unsafe fn alloc_units(source: *const u16, len: UnitLen) -> *mut u16 {
    if is_too_long(len.bytes()) || is_to_fail(len.bytes()) {
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { SysAllocStringLen(source, len.get()) }
}

/// # Safety
///
/// * As for [`alloc_bytes`](super::alloc_bytes).
pub(super) unsafe fn alloc_bytes(source: *const u8, len: ByteLen) -> *mut u16 {
    if is_too_long(Some(len)) || is_to_fail(Some(len)) {
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { SysAllocStringByteLen(source, len.get()) }
}

/// # Safety
///
/// * As for [`realloc`](super::realloc), and `target` is not null.
pub(super) unsafe fn realloc(target: *mut *mut u16, source: *const u16) -> bool {
    // The system may free the old string before it reads the new text. Where the one lies in the other,
    // that is done in the order that olemem has everywhere.
    // SAFETY: the caller promises that a null or live BSTR is there.
    let old = unsafe { target.read() };
    // SAFETY: as above.
    if unsafe { bytes_left(old, source) }.is_some() {
        // SAFETY: the caller's promise on the source.
        let new = unsafe { alloc(source) };
        // SAFETY: the caller's promise on the target.
        return unsafe { replace(target, new) };
    }
    // SAFETY: not null, so the caller promises a string.
    if !source.is_null() && is_to_fail(unsafe { bytes_of(source) }) {
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
    let Some(bytes) = len.bytes().filter(|bytes| !is_too_long(Some(*bytes))) else {
        return false;
    };
    // SAFETY: the caller promises that a null or live BSTR is there.
    let old = unsafe { target.read() };
    if !core::ptr::eq(source, old) {
        // SAFETY: as above.
        if let Some(left) = unsafe { bytes_left(old, source) } {
            // SAFETY: a null source needs nothing.
            let new = unsafe { alloc_units(core::ptr::null(), len) };
            if !new.is_null() {
                let available = left.min(bytes.as_usize());
                // SAFETY: so many bytes are left of the old string, and the new one has room for them.
                unsafe { fill(new, 0, source.cast(), available) };
            }
            // SAFETY: the caller's promise on the target.
            return unsafe { replace(target, new) };
        }
    }
    // SAFETY: the old string is null or live.
    let held = unsafe { super::unit_len(old) };
    // Shrinking needs no memory, so it cannot be the allocation that is to fail.
    if (old.is_null() || len > held) && is_to_fail(Some(bytes)) {
        return false;
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { SysReAllocStringLen(target, source, len.get()) != 0 }
}

/// Bytes from `source` to the end of the terminator of `old`, if it lies in there.
///
/// # Safety
///
/// * `old` is null or a live BSTR.
unsafe fn bytes_left(old: *const u16, source: *const u16) -> Option<usize> {
    if old.is_null() {
        return None;
    }
    // SAFETY: the caller promises a live BSTR.
    let held = unsafe { byte_len(old) };
    let end = held.as_usize() + terminator_bytes(held);
    end.checked_sub(source.addr().wrapping_sub(old.addr()))
        .filter(|left| *left > 0)
}

/// Puts a new string in the old one's place, which is freed; `false` if there is none.
///
/// # Safety
///
/// * `target` points to a null or live BSTR that nothing else uses, and `new` is null or nobody's.
unsafe fn replace(target: *mut *mut u16, new: *mut u16) -> bool {
    if new.is_null() {
        return false;
    }
    // SAFETY: the caller's promise.
    let old = unsafe { target.replace(new) };
    // SAFETY: the caller promises that nothing else uses it.
    unsafe { free(old) };
    true
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
