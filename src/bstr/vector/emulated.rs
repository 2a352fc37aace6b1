//! The operations over olemem's own heap. The picture is in `com`.
//!
//! Invariants of every array made here:
//!
//! 1. Its descriptor stands [`SafeArray::HIDDEN`] bytes into a task block of [`descriptor_size`] bytes of its dimensions, and of its
//!    data too if it is a [vector](VECTOR).
//! 2. Its data is a task block of its own, or follows the descriptor. It begins as zeros, or as a string's bytes.
//! 3. The four bytes before the descriptor are the element type.

use core::mem::offset_of;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use super::{data_size, descriptor_size, element_count};
use crate::bstr::raw;
use crate::com::{ArrayBound, SafeArray, VarType};
use crate::error::ArrayError;
use crate::task::block::Family;
use crate::task::heap;
#[cfg(any(feature = "export", feature = "audit"))]
use crate::task::{
    caller::Caller,
    hook::{self, Part},
    mode,
};
use crate::units::ByteLen;

/// The data follows the descriptor in its block. Windows has no name for it, and Wine calls it `FADF_CREATEVECTOR`.
const VECTOR: u16 = 0x2000;

/// Locks that an array can have.
const MOST_LOCKS: u32 = 0xFFFF;

/// Where the element type is, from the start of the block.
const TYPE: usize = SafeArray::HIDDEN - size_of::<u32>();

/// The start of the block that a descriptor stands in. Only an address: nothing says that a block is there.
fn block_of(array: *const SafeArray) -> *mut u8 {
    let descriptor = array.cast_mut().cast::<u8>();
    descriptor.wrapping_sub(SafeArray::HIDDEN)
}

/// Whether nobody says that the array was freed. Any address will do.
#[inline]
#[track_caller]
pub(super) fn may_use(array: *const SafeArray) -> bool {
    #[cfg(any(feature = "export", feature = "audit"))]
    if !mode::is_quiet() && mode::get().has(mode::Mode::LISTENED) {
        return Caller::here().enter(|| hook::using(block_of(array)));
    }
    let _ = array;
    true
}

/// Tells what a block is for, where there is somebody to tell.
#[cfg(any(feature = "export", feature = "audit"))]
fn is_part(block: *mut u8, part: Part, array: *mut SafeArray) {
    if !mode::is_quiet() {
        hook::is_part(block, part, block_of(array));
    }
}

/// A descriptor without data, in a block with room for so many bytes more.
fn describe(
    element: VarType,
    element_size: u32,
    bounds: &[ArrayBound],
    features: u16,
    more: usize,
) -> *mut SafeArray {
    let Ok(dims) = u16::try_from(bounds.len()) else {
        return ptr::null_mut();
    };
    let Some(size) = descriptor_size(bounds.len()).checked_add(more) else {
        return ptr::null_mut();
    };
    let block = heap::alloc_zeroed(size, Family::Task);
    if block.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the hidden bytes are in the block.
    let kind = unsafe { block.add(TYPE) };
    // SAFETY: as above, and blocks are aligned for it.
    unsafe { kind.cast::<u32>().write(element.as_raw().into()) };
    // SAFETY: as above.
    let array = unsafe { block.add(SafeArray::HIDDEN) }.cast::<SafeArray>();
    let strings = if element == VarType::BSTR {
        SafeArray::BSTR
    } else {
        0
    };
    let descriptor = SafeArray {
        dims,
        features: features | strings | SafeArray::HAVE_VARTYPE,
        element_size,
        locks: 0,
        data: ptr::null_mut(),
        bounds: [ArrayBound::default()],
    };
    // SAFETY: the block is new, aligned for it, and large enough for a descriptor of one dimension: there is no array of none.
    unsafe { array.write(descriptor) };
    for (index, bound) in bounds.iter().rev().enumerate() {
        // SAFETY: the block has room for so many bounds.
        let place = unsafe { bound_at(array, index) };
        // SAFETY: as above.
        unsafe { place.cast_mut().write(*bound) };
    }
    #[cfg(any(feature = "export", feature = "audit"))]
    is_part(block, Part::Array, array);
    array
}

/// An array whose bytes a number holds.
pub(super) fn create(element: VarType, element_size: u32, bounds: &[ArrayBound]) -> *mut SafeArray {
    create_by(heap::alloc_zeroed, element, element_size, bounds)
}

/// As [`create`], with data of somebody's choice, whatever is in it.
fn create_by(
    alloc: fn(usize, Family) -> *mut u8,
    element: VarType,
    element_size: u32,
    bounds: &[ArrayBound],
) -> *mut SafeArray {
    let array = describe(element, element_size, bounds, 0, 0);
    let Some(bytes) = data_size(element_size, bounds).filter(|_| !array.is_null()) else {
        return array;
    };
    let data = alloc(bytes, Family::Task);
    if data.is_null() {
        // SAFETY: nobody has heard of it.
        unsafe { heap::free(block_of(array), Family::Task) };
        return ptr::null_mut();
    }
    #[cfg(any(feature = "export", feature = "audit"))]
    is_part(data, Part::ArrayData, array);
    // SAFETY: the descriptor is new, and nobody else's.
    unsafe { (*array).data = data.cast() };
    array
}

/// A vector whose bytes a number holds.
pub(super) fn create_vector(
    element: VarType,
    element_size: u32,
    bound: ArrayBound,
) -> *mut SafeArray {
    let features = VECTOR | SafeArray::FIXED_SIZE;
    let Some(bytes) = data_size(element_size, &[bound]) else {
        return ptr::null_mut();
    };
    let array = describe(element, element_size, &[bound], features, bytes);
    if !array.is_null() {
        // SAFETY: the data is behind the descriptor, in its block.
        let data = unsafe { array.byte_add(size_of::<SafeArray>()) };
        // SAFETY: the descriptor is new, and nobody else's.
        unsafe { (*array).data = data.cast() };
    }
    array
}

/// # Safety
///
/// * As for [`from_bstr`](super::from_bstr), of so many bytes, which are not none.
pub(super) unsafe fn from_bstr(bstr: *const u16, count: u32) -> *mut SafeArray {
    // Its bytes are written below, once.
    let bound = ArrayBound { count, lower: 0 };
    let array = create_by(heap::alloc, VarType::UI1, 1, &[bound]);
    if !array.is_null() {
        // SAFETY: the array is new.
        let data = unsafe { (*array).data };
        // SAFETY: the caller promises the string's bytes; the data has room for them, and is new.
        unsafe { data.copy_from_nonoverlapping(bstr.cast(), count as usize) };
    }
    array
}

/// # Safety
///
/// * As for [`to_bstr`](super::to_bstr), of an array of so many bytes.
pub(super) unsafe fn to_bstr(array: *const SafeArray, len: ByteLen) -> *mut u16 {
    // SAFETY: the caller promises an array.
    let data = unsafe { (*array).data };
    // SAFETY: as above; it has so many elements of one byte. Without any, null is as good as another pointer.
    unsafe { raw::alloc_bytes(data.cast(), len) }
}

/// # Safety
///
/// * As for [`destroy`](super::destroy), and `array` is not null.
#[track_caller]
pub(super) unsafe fn destroy(array: *mut SafeArray) -> Result<(), ArrayError> {
    let block = block_of(array);
    if heap::extent(block).is_none() {
        // Refused there, before anything of it is read; or told, and nothing more.
        // SAFETY: the caller promises a live array where this must be one.
        unsafe { heap::release(block, Family::Task) };
        return Err(ArrayError::Missing);
    }
    // SAFETY: a live block is there, which the caller says is an array's.
    if unsafe { locks(array) }.load(Ordering::Acquire) != 0 {
        return Err(ArrayError::Locked);
    }
    // SAFETY: as above.
    let features = unsafe { (*array).features };
    // SAFETY: as above.
    let data = unsafe { (*array).data };
    if features & SafeArray::BSTR != 0 && !data.is_null() {
        // SAFETY: as above, and it is one of strings, which are its own.
        unsafe { free_strings(array, data.cast()) };
    }
    const ELSEWHERE: u16 = SafeArray::AUTO | SafeArray::STATIC | SafeArray::EMBEDDED;
    if features & (VECTOR | ELSEWHERE) == 0 {
        // SAFETY: the data is null or a block of its own, which nothing uses any more.
        unsafe { heap::free(data.cast(), Family::Task) };
    }
    // SAFETY: nothing uses the array any more.
    unsafe { heap::release(block, Family::Task) };
    Ok(())
}

/// Frees the strings of an array, and leaves null in their places.
///
/// # Safety
///
/// * `array` is an array, whose elements at `strings` are null or live BSTRs that nothing uses any more.
unsafe fn free_strings(array: *const SafeArray, strings: *mut *mut u16) {
    // SAFETY: the caller promises an array.
    let dims = unsafe { (*array).dims };
    let counts = (0..dims).map(|dim| {
        // SAFETY: it has so many bounds.
        let bound = unsafe { bound_at(array, dim.into()) };
        // SAFETY: as above.
        unsafe { bound.read() }.count
    });
    // More than a number holds are nowhere.
    for index in 0..element_count(counts).unwrap_or(0) {
        // SAFETY: the array has so many elements.
        let element = unsafe { strings.add(index) };
        // SAFETY: as above.
        let string = unsafe { element.replace(ptr::null_mut()) };
        // SAFETY: the caller's promise.
        unsafe { raw::free(string) };
    }
}

/// # Safety
///
/// * `array` is an array.
pub(super) unsafe fn lock(array: *mut SafeArray) -> Result<(), ArrayError> {
    // SAFETY: the caller's promise.
    let locks = unsafe { locks(array) };
    let more = |count| (count < MOST_LOCKS).then(|| count + 1);
    counted(locks.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more))
}

/// # Safety
///
/// * `array` is an array.
pub(super) unsafe fn unlock(array: *mut SafeArray) -> Result<(), ArrayError> {
    // SAFETY: the caller's promise.
    let locks = unsafe { locks(array) };
    let less = |count: u32| count.checked_sub(1);
    counted(locks.fetch_update(Ordering::AcqRel, Ordering::Relaxed, less))
}

fn counted(count: Result<u32, u32>) -> Result<(), ArrayError> {
    count.map(drop).map_err(|_| ArrayError::LockCount)
}

/// The locks of an array, which threads may take at once.
///
/// # Safety
///
/// * `array` is an array, for `'a`.
unsafe fn locks<'a>(array: *mut SafeArray) -> &'a AtomicU32 {
    // SAFETY: the caller's promise.
    let locks = unsafe { &raw mut (*array).locks };
    // SAFETY: as above; a descriptor is aligned for its members.
    unsafe { AtomicU32::from_ptr(locks) }
}

/// # Safety
///
/// * `array` is an array.
pub(super) unsafe fn dims(array: *const SafeArray) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { (*array).dims }.into()
}

/// # Safety
///
/// * `array` is an array.
pub(super) unsafe fn element_size(array: *const SafeArray) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { (*array).element_size }
}

/// Where a bound is, in the order of the descriptor.
///
/// # Safety
///
/// * `array` is the start of a descriptor that has so many bounds and one more.
unsafe fn bound_at(array: *const SafeArray, index: usize) -> *const ArrayBound {
    let offset = offset_of!(SafeArray, bounds) + index * size_of::<ArrayBound>();
    // SAFETY: the caller's promise.
    unsafe { array.byte_add(offset) }.cast()
}

/// The bound of a dimension, of which the leftmost is 1.
///
/// # Safety
///
/// * `array` is an array.
unsafe fn bound(array: *const SafeArray, dim: u32) -> Result<ArrayBound, ArrayError> {
    // SAFETY: the caller's promise.
    let dims = unsafe { dims(array) };
    if !(1..=dims).contains(&dim) {
        return Err(ArrayError::BadIndex);
    }
    // SAFETY: as above, and it has so many dimensions.
    let bound = unsafe { bound_at(array, (dims - dim) as usize) };
    // SAFETY: as above.
    Ok(unsafe { bound.read() })
}

/// # Safety
///
/// * `array` is an array.
pub(super) unsafe fn lower_bound(array: *const SafeArray, dim: u32) -> Result<i32, ArrayError> {
    // SAFETY: the caller's promise.
    Ok(unsafe { bound(array, dim) }?.lower)
}

/// # Safety
///
/// * `array` is an array.
pub(super) unsafe fn upper_bound(array: *const SafeArray, dim: u32) -> Result<i32, ArrayError> {
    // SAFETY: the caller's promise.
    let ArrayBound { count, lower } = unsafe { bound(array, dim) }?;
    Ok(lower.wrapping_add_unsigned(count).wrapping_sub(1))
}

/// # Safety
///
/// * As for [`element_type`](super::element_type), and `array` is not null.
pub(super) unsafe fn element_type(array: *const SafeArray) -> Result<VarType, ArrayError> {
    // SAFETY: the caller's promise.
    let features = unsafe { (*array).features };
    if features & SafeArray::HAVE_VARTYPE == 0 {
        return Err(ArrayError::Missing);
    }
    // SAFETY: the caller promises that the type is there.
    let kind = unsafe { array.byte_sub(SafeArray::HIDDEN - TYPE) };
    // SAFETY: as above.
    let kind = unsafe { kind.cast::<u32>().read() };
    u16::try_from(kind)
        .map(VarType::from_raw)
        .map_err(|_| ArrayError::Missing)
}
