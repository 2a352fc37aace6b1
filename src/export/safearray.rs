//! `SafeArray*`, as far as a vector of bytes needs them, and the two functions between vectors and BSTRs.

use core::ffi::c_void;
use core::ptr;
use core::slice;

use crate::bstr::vector;
use crate::com::{ArrayBound, HResult, SafeArray, VarType};
use crate::error::ArrayError;
use crate::task::hook;

fn code(done: Result<(), ArrayError>) -> HResult {
    match done {
        Ok(()) => HResult::S_OK,
        Err(error) => error.into(),
    }
}

/// Stores a result, or gives the code of what went wrong; then `out` is as it was.
///
/// # Safety
///
/// * `out` is a writable variable that nothing else uses.
unsafe fn store<T>(result: Result<T, ArrayError>, out: *mut T) -> HResult {
    code(result.map(|value| {
        // SAFETY: the caller's promise.
        unsafe { out.write(value) }
    }))
}

entrance! {
    /// A new array of zeros with `dims` dimensions, of which the first bound is the leftmost's. NULL if there is no memory; for no
    /// dimensions, or more than 65,535; for NULL bounds; and for what olemem makes no arrays of: VARIANTs, records, interfaces, and
    /// types that no array can have.
    ///
    /// *Ownership:* the caller destroys it with [`SafeArrayDestroy`]. As Windows, where elements are numbers or BSTRs:
    /// `semantics.md` 2.16.
    ///
    /// # Safety
    ///
    /// * `bounds` is NULL, or has `dims` readable bounds unless they are too many.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SafeArrayCreate(
        element: u16,
        dims: u32,
        bounds: *const ArrayBound,
    ) -> *mut SafeArray {
        match u16::try_from(dims) {
            Ok(dims) if !bounds.is_null() => {
                // SAFETY: the caller's promise.
                let bounds = unsafe { slice::from_raw_parts(bounds, dims.into()) };
                vector::create(VarType::from_raw(element), bounds)
            }
            _ => ptr::null_mut(),
        }
    }
}

entrance! {
    /// A new array of `count` zeros with one dimension, in one block, the first at the index `lower`. NULL as for
    /// [`SafeArrayCreate`].
    ///
    /// *Ownership:* the caller destroys it with [`SafeArrayDestroy`]. Its features are those that Windows documents
    /// (`FADF_FIXEDSIZE`), and that Wine has (0x2000): `semantics.md` 2.16.
    #[unsafe(no_mangle)]
    pub extern "system" fn SafeArrayCreateVector(element: u16, lower: i32, count: u32) -> *mut SafeArray {
        vector::create_vector(VarType::from_raw(element), lower, count)
    }
}

entrance! {
    /// Destroys an array: its data and, of an array of BSTRs, each of them. `S_OK`, also for NULL; `DISP_E_ARRAYISLOCKED` while it is
    /// locked, and nothing has happened. What is no live array ends the process.
    ///
    /// *Ownership:* ends here. As Windows: `semantics.md` 2.16, R41.
    ///
    /// # Safety
    ///
    /// * `array` is an array that nothing uses any more, and the BSTRs in it are its own.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SafeArrayDestroy(array: *mut SafeArray) -> HResult {
        // SAFETY: the caller's promise is the precondition.
        code(unsafe { vector::destroy(array) })
    }
}

entrance! {
    /// Locks an array, so that it cannot be destroyed. `S_OK`; `E_INVALIDARG` for NULL; `E_UNEXPECTED` if it is locked 65,535
    /// times. Each lock is taken back with [`SafeArrayUnlock`]. As Windows: `semantics.md` 2.16.
    ///
    /// # Safety
    ///
    /// * `array` is an array.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SafeArrayLock(array: *mut SafeArray) -> HResult {
        // SAFETY: the caller's promise is the precondition.
        code(unsafe { vector::lock(array) })
    }
}

entrance! {
    /// Takes a lock back. `S_OK`; `E_INVALIDARG` for NULL; `E_UNEXPECTED` if there is none. As Windows: `semantics.md` 2.16.
    ///
    /// # Safety
    ///
    /// * `array` is an array, and the lock the caller's own.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SafeArrayUnlock(array: *mut SafeArray) -> HResult {
        // SAFETY: the caller's promise is the precondition.
        code(unsafe { vector::unlock(array) })
    }
}

entrance! {
    /// Locks an array and stores where its data is. As [`SafeArrayLock`], and `E_INVALIDARG` if `data` is NULL; after a failure
    /// `*data` is NULL.
    ///
    /// *Ownership:* stays where it is; [`SafeArrayUnaccessData`] takes the lock back. As Windows: `semantics.md` 2.16.
    ///
    /// # Safety
    ///
    /// * `array` is an array; `data` is an out pointer.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SafeArrayAccessData(
        array: *mut SafeArray,
        data: *mut *mut c_void,
    ) -> HResult {
        if data.is_null() {
            hook::null_out("SafeArrayAccessData");
            return HResult::E_INVALIDARG;
        }
        // SAFETY: the caller's promise, and it is not null.
        unsafe { data.write(ptr::null_mut()) };
        // SAFETY: the caller's promise is the precondition.
        let found = unsafe { vector::access(array) };
        // SAFETY: as above.
        unsafe { store(found.map(<*mut u8>::cast), data) }
    }
}

entrance! {
    /// As [`SafeArrayUnlock`].
    ///
    /// # Safety
    ///
    /// * As there.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SafeArrayUnaccessData(array: *mut SafeArray) -> HResult {
        // SAFETY: the caller's promise is the precondition.
        code(unsafe { vector::unaccess(array) })
    }
}

entrance! {
    /// Dimensions of an array; 0 for NULL. As Windows: `semantics.md` 2.16.
    ///
    /// # Safety
    ///
    /// * `array` is an array.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SafeArrayGetDim(array: *const SafeArray) -> u32 {
        // SAFETY: the caller's promise is the precondition.
        unsafe { vector::dims(array) }
    }
}

entrance! {
    /// Bytes of an element of an array; 0 for NULL. As Windows: `semantics.md` 2.16.
    ///
    /// # Safety
    ///
    /// * `array` is an array.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SafeArrayGetElemsize(array: *const SafeArray) -> u32 {
        // SAFETY: the caller's promise is the precondition.
        unsafe { vector::element_size(array) }
    }
}

entrance! {
    /// Stores the index of the first element in a dimension, the leftmost being 1. `S_OK`; `DISP_E_BADINDEX` for a dimension that is
    /// not there, `E_INVALIDARG` for NULL, and nothing is stored. As Windows: `semantics.md` 2.16.
    ///
    /// # Safety
    ///
    /// * `array` is an array; `bound` is an out pointer.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SafeArrayGetLBound(
        array: *const SafeArray,
        dim: u32,
        bound: *mut i32,
    ) -> HResult {
        if bound.is_null() {
            hook::null_out("SafeArrayGetLBound");
            return HResult::E_INVALIDARG;
        }
        // SAFETY: the caller's promise is the precondition.
        let found = unsafe { vector::lower_bound(array, dim) };
        // SAFETY: the caller's promise, and it is not null.
        unsafe { store(found, bound) }
    }
}

entrance! {
    /// Stores the index of the last element in a dimension. As [`SafeArrayGetLBound`].
    ///
    /// # Safety
    ///
    /// * As there.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SafeArrayGetUBound(
        array: *const SafeArray,
        dim: u32,
        bound: *mut i32,
    ) -> HResult {
        if bound.is_null() {
            hook::null_out("SafeArrayGetUBound");
            return HResult::E_INVALIDARG;
        }
        // SAFETY: the caller's promise is the precondition.
        let found = unsafe { vector::upper_bound(array, dim) };
        // SAFETY: the caller's promise, and it is not null.
        unsafe { store(found, bound) }
    }
}

entrance! {
    /// Stores the type of an array's elements. `S_OK`; `E_INVALIDARG` for NULL, and for an array whose features do not say. As
    /// Windows: `semantics.md` 2.16.
    ///
    /// # Safety
    ///
    /// * `array` is an array; `element` is an out pointer.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SafeArrayGetVartype(array: *const SafeArray, element: *mut u16) -> HResult {
        if element.is_null() {
            hook::null_out("SafeArrayGetVartype");
            return HResult::E_INVALIDARG;
        }
        // SAFETY: the caller's promise is the precondition.
        let found = unsafe { vector::element_type(array) };
        // SAFETY: the caller's promise, and it is not null.
        unsafe { store(found.map(VarType::as_raw), element) }
    }
}

entrance! {
    /// Stores a new array of a BSTR's bytes, without the terminator; the first has the index 0. `S_OK`, also for a NULL BSTR, of which
    /// it makes an array of no bytes; `E_OUTOFMEMORY`, and NULL is stored; `E_INVALIDARG` if `array` is NULL.
    ///
    /// Windows documents `E_INVALIDARG` for a NULL BSTR; what it does is not known, and Wine does what is done here:
    /// `semantics.md` 2.12, 9, 10.
    ///
    /// *Ownership:* the caller destroys the array with [`SafeArrayDestroy`]; what `*array` held is neither read nor destroyed.
    ///
    /// # Safety
    ///
    /// * `bstr` is a BSTR; `array` is an out pointer.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn VectorFromBstr(bstr: *const u16, array: *mut *mut SafeArray) -> HResult {
        if array.is_null() {
            hook::null_out("VectorFromBstr");
            return HResult::E_INVALIDARG;
        }
        // SAFETY: the caller's promise is the precondition.
        let made = unsafe { vector::from_bstr(bstr) };
        // SAFETY: the caller's promise, and it is not null.
        unsafe { array.write(made) };
        if made.is_null() {
            HResult::E_OUTOFMEMORY
        } else {
            HResult::S_OK
        }
    }
}

entrance! {
    /// Stores a new BSTR of an array's bytes, never NULL. `S_OK`; or NULL is stored, and it is `DISP_E_TYPEMISMATCH` for more than one
    /// dimension and for elements of more than one byte, `E_INVALIDARG` for a NULL array and one without data, `E_OUTOFMEMORY`.
    /// `E_INVALIDARG` if `bstr` is NULL.
    ///
    /// Wine has `E_INVALIDARG` where the shape is wrong: `semantics.md` 2.13, 9. A locked array is read as any other.
    ///
    /// *Ownership:* the caller frees the BSTR with [`SysFreeString`](super::SysFreeString); what `*bstr` held is neither read nor freed.
    ///
    /// # Safety
    ///
    /// * `array` is an array; `bstr` is an out pointer.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn BstrFromVector(array: *const SafeArray, bstr: *mut *mut u16) -> HResult {
        if bstr.is_null() {
            hook::null_out("BstrFromVector");
            return HResult::E_INVALIDARG;
        }
        // SAFETY: the caller's promise, and it is not null.
        unsafe { bstr.write(ptr::null_mut()) };
        // SAFETY: the caller's promise is the precondition.
        let made = unsafe { vector::to_bstr(array) };
        // SAFETY: as above.
        unsafe { store(made, bstr) }
    }
}
