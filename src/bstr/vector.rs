//! The operations on SAFEARRAYs as raw pointers. Their public face, with the table of Windows names, is
//! `olemem::array`. The picture is in `com`.

#[cfg(any(not(windows), miri))]
mod emulated;
#[cfg(all(windows, not(miri)))]
mod windows;

#[cfg(any(not(windows), miri))]
use emulated as imp;
#[cfg(all(windows, not(miri)))]
use windows as imp;

use core::ptr;

use crate::bstr::raw;
use crate::com::{ArrayBound, SafeArray, VarType};
use crate::error::{ArrayError, CreateError, OutOfMemory, TooLong};
use crate::layout::PointerWidth;
use crate::task::caller::Caller;
use crate::units::ByteLen;

/// Bytes of a descriptor's block with so many dimensions.
const fn descriptor_size(dims: usize) -> usize {
    SafeArray::HIDDEN + core::mem::offset_of!(SafeArray, bounds) + dims * size_of::<ArrayBound>()
}

/// How many elements there are, if a number holds so many: none if a dimension has none, however large the others are.
fn element_count(counts: impl Iterator<Item = u32> + Clone) -> Option<usize> {
    if counts.clone().any(|count| count == 0) {
        return Some(0);
    }
    let mut counts = counts.map(|count| count as usize);
    counts.try_fold(1, usize::checked_mul)
}

/// Bytes of all elements, if a number holds so many.
fn data_size(element_size: u32, bounds: &[ArrayBound]) -> Option<usize> {
    element_count(bounds.iter().map(|bound| bound.count))?.checked_mul(element_size as usize)
}

/// A new array of zeros, with a bound for each dimension, the leftmost first. Null if there is no memory, and for what no
/// array can be: no bounds or more than 65,535 of them, a type without [elements](VarType::element_size), more bytes than a number
/// holds.
///
/// Descriptor and data are a task block each. The data of no elements is a block of no bytes.
///
/// *Ownership:* the caller's, who [destroys](destroy) it. Source: `SafeArrayCreate`, `semantics.md` 2.16. Windows makes arrays of
/// VARIANTs, records and interfaces as well.
#[must_use]
#[track_caller]
pub fn create(element: VarType, bounds: &[ArrayBound]) -> *mut SafeArray {
    match element.element_size() {
        Some(size)
            if (1..=usize::from(u16::MAX)).contains(&bounds.len())
                && data_size(size, bounds).is_some() =>
        {
            Caller::here().enter(|| imp::create(element, size, bounds))
        }
        _ => ptr::null_mut(),
    }
}

/// A new array of zeros with one dimension, descriptor and data in one block. Null as for [`create`].
///
/// *Ownership:* the caller's, who [destroys](destroy) it. Source: `SafeArrayCreateVector`, `semantics.md` 2.16.
#[must_use]
#[track_caller]
pub fn create_vector(element: VarType, lower: i32, count: u32) -> *mut SafeArray {
    let bound = ArrayBound { count, lower };
    match element.element_size() {
        Some(size) if data_size(size, &[bound]).is_some() => {
            Caller::here().enter(|| imp::create_vector(element, size, bound))
        }
        _ => ptr::null_mut(),
    }
}

/// Frees an array, and the strings in it if it owns such (R41). Null does nothing.
///
/// Data that is [on a stack](SafeArray::AUTO), [in static storage](SafeArray::STATIC) or [part of something
/// else](SafeArray::EMBEDDED) stays where it is; the strings in it go, and null is left in their places. Source: `SafeArrayDestroy`,
/// `semantics.md` 2.16.
///
/// # Errors
///
/// [`ArrayError::Locked`] while it is locked; nothing has happened then. [`ArrayError::Missing`] in a session of the audit, which
/// tells of a bad pointer and goes on.
///
/// # Aborts
///
/// As [`heap::free`](crate::heap::free), if no live descriptor is there.
///
/// # Safety
///
/// * Nothing uses the array any more, and each element of an array of strings is null or a live BSTR that is the array's.
/// * Under Miri, AddressSanitizer and Valgrind, and on Windows: `array` is null or a live array that one of the functions here made.
#[track_caller]
pub unsafe fn destroy(array: *mut SafeArray) -> Result<(), ArrayError> {
    if array.is_null() {
        return Ok(());
    }
    // SAFETY: the caller's promise, and it is not null.
    Caller::here().enter(|| unsafe { imp::destroy(array) })
}

/// Locks an array: it cannot be destroyed until it is [unlocked](unlock) as often.
///
/// Source: `SafeArrayLock`, `semantics.md` 2.16.
///
/// # Errors
///
/// [`ArrayError::Missing`] for null; [`ArrayError::LockCount`] if it is locked 65,535 times.
///
/// # Safety
///
/// * `array` is null or an array.
#[track_caller]
pub unsafe fn lock(array: *mut SafeArray) -> Result<(), ArrayError> {
    present(array)?;
    // SAFETY: the caller's promise, and it is not null.
    unsafe { imp::lock(array) }
}

/// Takes one lock back.
///
/// Source: `SafeArrayUnlock`, `semantics.md` 2.16.
///
/// # Errors
///
/// [`ArrayError::Missing`] for null; [`ArrayError::LockCount`] if it is not locked.
///
/// # Safety
///
/// * `array` is null or an array; the lock is the caller's own.
#[track_caller]
pub unsafe fn unlock(array: *mut SafeArray) -> Result<(), ArrayError> {
    present(array)?;
    // SAFETY: the caller's promise, and it is not null.
    unsafe { imp::unlock(array) }
}

/// Locks an array and gives its first element. [`unaccess`] takes the lock back.
///
/// *Ownership:* stays where it is. Source: `SafeArrayAccessData`, `semantics.md` 2.16.
///
/// # Errors
///
/// As [`lock`].
///
/// # Safety
///
/// * As for [`lock`].
#[track_caller]
pub unsafe fn access(array: *mut SafeArray) -> Result<*mut u8, ArrayError> {
    // SAFETY: the caller's promise.
    unsafe { lock(array) }?;
    // SAFETY: as above, and it is not null.
    let data = unsafe { &raw const (*array).data };
    // SAFETY: as above.
    Ok(unsafe { data.read() }.cast())
}

/// As [`unlock`]. Source: `SafeArrayUnaccessData`.
///
/// # Errors
///
/// As [`unlock`].
///
/// # Safety
///
/// * As for [`unlock`].
#[track_caller]
pub unsafe fn unaccess(array: *mut SafeArray) -> Result<(), ArrayError> {
    // SAFETY: the caller's promise is the precondition.
    unsafe { unlock(array) }
}

/// Dimensions of an array; 0 for null. Source: `SafeArrayGetDim`, `semantics.md` 2.16.
///
/// # Safety
///
/// * `array` is null or an array.
#[must_use]
#[track_caller]
pub unsafe fn dims(array: *const SafeArray) -> u32 {
    if present(array).is_err() {
        return 0;
    }
    // SAFETY: the caller's promise, and it is not null.
    unsafe { imp::dims(array) }
}

/// Bytes of an element of an array; 0 for null. Source: `SafeArrayGetElemsize`, `semantics.md` 2.16.
///
/// # Safety
///
/// * `array` is null or an array.
#[must_use]
#[track_caller]
pub unsafe fn element_size(array: *const SafeArray) -> u32 {
    if present(array).is_err() {
        return 0;
    }
    // SAFETY: the caller's promise, and it is not null.
    unsafe { imp::element_size(array) }
}

/// The index of the first element in a dimension; the leftmost is 1. Source: `SafeArrayGetLBound`, `semantics.md` 2.16.
///
/// # Errors
///
/// [`ArrayError::Missing`] for null, [`ArrayError::BadIndex`] for a dimension that the array does not have.
///
/// # Safety
///
/// * `array` is null or an array.
#[track_caller]
pub unsafe fn lower_bound(array: *const SafeArray, dim: u32) -> Result<i32, ArrayError> {
    present(array)?;
    // SAFETY: the caller's promise, and it is not null.
    unsafe { imp::lower_bound(array, dim) }
}

/// The index of the last element in a dimension, which is one less than that of the first if there are none. Indices are counted in
/// 32 bits, and go round. Source: `SafeArrayGetUBound`, `semantics.md` 2.16.
///
/// # Errors
///
/// As [`lower_bound`].
///
/// # Safety
///
/// * `array` is null or an array.
#[track_caller]
pub unsafe fn upper_bound(array: *const SafeArray, dim: u32) -> Result<i32, ArrayError> {
    present(array)?;
    // SAFETY: the caller's promise, and it is not null.
    unsafe { imp::upper_bound(array, dim) }
}

/// What the elements of an array are. Source: `SafeArrayGetVartype`, `semantics.md` 2.16.
///
/// # Errors
///
/// [`ArrayError::Missing`] for null, and for an array whose features do not say.
///
/// # Safety
///
/// * `array` is null or an array; if its features say that there is a type, it is there.
#[track_caller]
pub unsafe fn element_type(array: *const SafeArray) -> Result<VarType, ArrayError> {
    present(array)?;
    // SAFETY: the caller's promise, and it is not null.
    unsafe { imp::element_type(array) }
}

/// A new array of a BSTR's bytes: of type [`VarType::UI1`], one dimension, the first index 0. The terminator is not among them, and an
/// odd last byte is. Null if there is no memory.
///
/// A null BSTR gives an array of no elements, as Wine does and as COM has it elsewhere; Windows documents `E_INVALIDARG`, and what it
/// does is not known (`semantics.md` 9 and 10).
///
/// *Ownership:* the caller's, who [destroys](destroy) it; the string stays whose it is. Source: `VectorFromBstr`,
/// `semantics.md` 2.12.
///
/// # Safety
///
/// * `bstr` is null or a BSTR: prefix and counted bytes are readable.
#[must_use]
#[track_caller]
pub unsafe fn from_bstr(bstr: *const u16) -> *mut SafeArray {
    Caller::here().enter(|| {
        // SAFETY: the caller's promise.
        let count = unsafe { raw::byte_len(bstr) }.get();
        if count == 0 {
            let lower = 0;
            return imp::create(VarType::UI1, 1, &[ArrayBound { count, lower }]);
        }
        // SAFETY: as above; a null BSTR has no bytes.
        unsafe { imp::from_bstr(bstr, count) }
    })
}

/// A new BSTR of an array's bytes, whatever its first index is. It is never null.
///
/// Any array of one dimension whose elements are one byte will do, [`VarType::I1`] as well: it is by the size that Wine goes. The array
/// may be locked, by the caller for instance; it is only read.
///
/// *Ownership:* the caller frees it with [`raw::free`]; the array stays whose it is. Source: `BstrFromVector`,
/// `semantics.md` 2.13.
///
/// # Errors
///
/// * [`ArrayError::Missing`] for null, and for an array that has elements and no data.
/// * [`ArrayError::TypeMismatch`] for more dimensions than one, and for larger elements. Windows documents that; Wine says
///   `E_INVALIDARG` (`semantics.md` 9).
/// * [`ArrayError::Create`] if there is no memory, or there are more bytes than a BSTR holds.
///
/// # Safety
///
/// * `array` is null or an array, whose data is not written meanwhile.
#[track_caller]
pub unsafe fn to_bstr(array: *const SafeArray) -> Result<*mut u16, ArrayError> {
    present(array)?;
    // SAFETY: the caller's promise, and it is not null.
    let dims = unsafe { (*array).dims };
    // SAFETY: as above.
    let element_size = unsafe { (*array).element_size };
    if dims != 1 || element_size != 1 {
        return Err(ArrayError::TypeMismatch);
    }
    // SAFETY: as above: an array of one dimension has a bound.
    let count = unsafe { (*array).bounds[0].count };
    // SAFETY: as above.
    let data = unsafe { (*array).data };
    if data.is_null() && count != 0 {
        return Err(ArrayError::Missing);
    }
    let len = ByteLen::new(count);
    let Some(size) = PointerWidth::NATIVE.block_size(len) else {
        return Err(CreateError::from(TooLong::bytes(len.as_usize())).into());
    };
    // SAFETY: as above, and it is of bytes.
    let bstr = Caller::here().enter(|| unsafe { imp::to_bstr(array, len) });
    if bstr.is_null() {
        let requested = size as usize;
        return Err(CreateError::from(OutOfMemory { requested }).into());
    }
    Ok(bstr)
}

/// Whether there is an array, and nobody says that it was freed.
#[inline]
#[track_caller]
fn present(array: *const SafeArray) -> Result<(), ArrayError> {
    if array.is_null() || !imp::may_use(array) {
        Err(ArrayError::Missing)
    } else {
        Ok(())
    }
}
