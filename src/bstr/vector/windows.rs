//! The operations on Windows itself: oleaut32's own.

use core::ptr;

use super::{data_size, descriptor_size};
use crate::com::{ArrayBound, HResult, SafeArray, VarType};
use crate::error::ArrayError;
use crate::layout::PointerWidth;
use crate::task::block::Family;
use crate::task::fault::fault;
use crate::units::ByteLen;

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
    fn SafeArrayCreate(element: u16, dims: u32, bounds: *const ArrayBound) -> *mut SafeArray;
    fn SafeArrayCreateVector(element: u16, lower: i32, count: u32) -> *mut SafeArray;
    fn SafeArrayDestroy(array: *mut SafeArray) -> HResult;
    fn SafeArrayLock(array: *mut SafeArray) -> HResult;
    fn SafeArrayUnlock(array: *mut SafeArray) -> HResult;
    fn SafeArrayGetDim(array: *const SafeArray) -> u32;
    fn SafeArrayGetElemsize(array: *const SafeArray) -> u32;
    fn SafeArrayGetLBound(array: *const SafeArray, dim: u32, bound: *mut i32) -> HResult;
    fn SafeArrayGetUBound(array: *const SafeArray, dim: u32, bound: *mut i32) -> HResult;
    fn SafeArrayGetVartype(array: *const SafeArray, element: *mut u16) -> HResult;
    fn VectorFromBstr(bstr: *const u16, array: *mut *mut SafeArray) -> HResult;
    fn BstrFromVector(array: *const SafeArray, bstr: *mut *mut u16) -> HResult;
}

/// What a code says.
fn checked(code: HResult) -> Result<(), ArrayError> {
    match code {
        HResult::DISP_E_ARRAYISLOCKED => Err(ArrayError::Locked),
        HResult::DISP_E_BADINDEX => Err(ArrayError::BadIndex),
        HResult::DISP_E_TYPEMISMATCH => Err(ArrayError::TypeMismatch),
        HResult::E_UNEXPECTED => Err(ArrayError::LockCount),
        code if code.is_success() => Ok(()),
        _ => Err(ArrayError::Missing),
    }
}

/// Whether one of the two allocations for an array is among those that are to fail.
fn is_to_fail(dims: usize, data: usize) -> bool {
    let fails = |size| fault(size, Family::Task).is_some();
    fails(descriptor_size(dims)) || fails(data)
}

/// Nobody knows of freed arrays.
pub(super) fn may_use(_: *const SafeArray) -> bool {
    true
}

/// An array whose bytes a number holds.
pub(super) fn create(element: VarType, element_size: u32, bounds: &[ArrayBound]) -> *mut SafeArray {
    let data = data_size(element_size, bounds);
    let (Ok(dims), Some(data)) = (u32::try_from(bounds.len()), data) else {
        return ptr::null_mut();
    };
    // Wine counts elements in 32 bits, and gives fewer where they are more.
    if u32::try_from(data).is_err() || is_to_fail(bounds.len(), data) {
        return ptr::null_mut();
    }
    // SAFETY: there are so many bounds.
    unsafe { SafeArrayCreate(element.as_raw(), dims, bounds.as_ptr()) }
}

/// A vector whose bytes a number holds.
pub(super) fn create_vector(
    element: VarType,
    element_size: u32,
    bound: ArrayBound,
) -> *mut SafeArray {
    let size = data_size(element_size, &[bound])
        .filter(|data| u32::try_from(*data).is_ok())
        .and_then(|data| descriptor_size(1).checked_add(data));
    if size.is_none_or(|size| fault(size, Family::Task).is_some()) {
        return ptr::null_mut();
    }
    // SAFETY: any numbers will do.
    unsafe { SafeArrayCreateVector(element.as_raw(), bound.lower, bound.count) }
}

/// # Safety
///
/// * As for [`from_bstr`](super::from_bstr), of so many bytes, which are not none.
pub(super) unsafe fn from_bstr(bstr: *const u16, count: u32) -> *mut SafeArray {
    if is_to_fail(1, count as usize) {
        return ptr::null_mut();
    }
    let mut array = ptr::null_mut();
    // SAFETY: the caller promises a BSTR, and the variable is writable.
    let code = unsafe { VectorFromBstr(bstr, &raw mut array) };
    if code.is_success() {
        array
    } else {
        ptr::null_mut()
    }
}

/// # Safety
///
/// * As for [`to_bstr`](super::to_bstr), of an array of so many bytes.
pub(super) unsafe fn to_bstr(array: *const SafeArray, len: ByteLen) -> *mut u16 {
    let size = PointerWidth::NATIVE.block_size(len);
    if size.is_none_or(|size| fault(size as usize, Family::Bstr).is_some()) {
        return ptr::null_mut();
    }
    let mut bstr = ptr::null_mut();
    // SAFETY: the caller promises an array of bytes, and the variable is writable.
    let code = unsafe { BstrFromVector(array, &raw mut bstr) };
    if code.is_success() {
        bstr
    } else {
        ptr::null_mut()
    }
}

/// # Safety
///
/// * As for [`destroy`](super::destroy), and `array` is not null.
pub(super) unsafe fn destroy(array: *mut SafeArray) -> Result<(), ArrayError> {
    // SAFETY: the caller's promise is the precondition.
    checked(unsafe { SafeArrayDestroy(array) })
}

/// # Safety
///
/// * `array` is an array.
pub(super) unsafe fn lock(array: *mut SafeArray) -> Result<(), ArrayError> {
    // SAFETY: the caller's promise is the precondition.
    checked(unsafe { SafeArrayLock(array) })
}

/// # Safety
///
/// * `array` is an array.
pub(super) unsafe fn unlock(array: *mut SafeArray) -> Result<(), ArrayError> {
    // SAFETY: the caller's promise is the precondition.
    checked(unsafe { SafeArrayUnlock(array) })
}

/// # Safety
///
/// * `array` is an array.
pub(super) unsafe fn dims(array: *const SafeArray) -> u32 {
    // SAFETY: the caller's promise is the precondition.
    unsafe { SafeArrayGetDim(array) }
}

/// # Safety
///
/// * `array` is an array.
pub(super) unsafe fn element_size(array: *const SafeArray) -> u32 {
    // SAFETY: the caller's promise is the precondition.
    unsafe { SafeArrayGetElemsize(array) }
}

/// # Safety
///
/// * `array` is an array.
pub(super) unsafe fn lower_bound(array: *const SafeArray, dim: u32) -> Result<i32, ArrayError> {
    let mut bound = 0;
    // SAFETY: the caller's promise, and the variable is writable.
    checked(unsafe { SafeArrayGetLBound(array, dim, &raw mut bound) }).map(|()| bound)
}

/// # Safety
///
/// * `array` is an array.
pub(super) unsafe fn upper_bound(array: *const SafeArray, dim: u32) -> Result<i32, ArrayError> {
    let mut bound = 0;
    // SAFETY: the caller's promise, and the variable is writable.
    checked(unsafe { SafeArrayGetUBound(array, dim, &raw mut bound) }).map(|()| bound)
}

/// # Safety
///
/// * As for [`element_type`](super::element_type), and `array` is not null.
pub(super) unsafe fn element_type(array: *const SafeArray) -> Result<VarType, ArrayError> {
    let mut element = 0;
    // SAFETY: the caller's promise, and the variable is writable.
    checked(unsafe { SafeArrayGetVartype(array, &raw mut element) })
        .map(|()| VarType::from_raw(element))
}
