//! Counting objects for C and C++: an object with methods of the caller's, or a count for an object of the caller's.

use core::ffi::c_void;
use core::{ptr, slice};

use crate::audit::CountingObject;
use crate::com::{Guid, UnknownVtbl};

/// What such an object works on.
#[derive(Debug)]
struct Foreign {
    /// The copy of its vtable, if it is not `IUnknown`'s.
    vtable: *mut [*const c_void],
    state: *mut c_void,
    destroy: Option<unsafe extern "system" fn(*mut c_void)>,
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if !self.vtable.is_null() {
            // SAFETY: `copied` leaked it from a box, and it goes with its object.
            drop(unsafe { Box::from_raw(self.vtable) });
        }
        if let Some(destroy) = self.destroy {
            // SAFETY: whoever made the object promised it.
            unsafe { destroy(self.state) };
        }
    }
}

/// The slots of `IUnknown`.
const SLOTS: usize = size_of::<UnknownVtbl>() / size_of::<*const c_void>();

/// A copy of a vtable whose first three slots are those of counting objects; null for one that has no others.
///
/// # Safety
///
/// * `vtable` is null or points to so many bytes of function pointers.
unsafe fn copied(vtable: *const c_void, bytes: usize) -> *mut [*const c_void] {
    let slots = bytes / size_of::<*const c_void>();
    if vtable.is_null() || slots <= SLOTS {
        return ptr::slice_from_raw_parts_mut(ptr::null_mut(), 0);
    }
    let counted = crate::audit::COUNTED;
    let first = [
        counted.query_interface as *const c_void,
        counted.add_ref as *const c_void,
        counted.release as *const c_void,
    ];
    // SAFETY: the caller's promise; the first slots, whatever is in them, are pointers too.
    let others = unsafe { slice::from_raw_parts(vtable.cast::<*const c_void>(), slots) };
    let all: Vec<_> = first.iter().chain(&others[SLOTS..]).copied().collect();
    Box::into_raw(all.into_boxed_slice())
}

/// Makes a counting object with one reference, the caller's: of the interface whose methods a vtable has, or of `IUnknown` alone
/// for NULL. Its identifiers are those that `QueryInterface` knows besides `IID_IUnknown`. NULL if there is no memory.
///
/// *Ownership:* the caller releases its reference by `Release`. `state` is given to `destroy`, if that is not NULL, when the object
/// has no references and its session has ended, or if there is no memory.
///
/// # Safety
///
/// * `vtable` is NULL or points to `bytes` bytes of function pointers, the first three of which may be NULL: they are replaced. The
///   functions expect the object as their first parameter.
/// * `identifiers` is NULL or points to `count` identifiers.
/// * `destroy` may be called with `state` on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_counting_object(
    vtable: *const c_void,
    bytes: usize,
    identifiers: *const Guid,
    count: usize,
    state: *mut c_void,
    destroy: Option<unsafe extern "system" fn(*mut c_void)>,
) -> *mut c_void {
    let identifiers = match identifiers.is_null() {
        true => &[],
        // SAFETY: the caller's promise.
        false => unsafe { slice::from_raw_parts(identifiers, count) },
    };
    // SAFETY: as above.
    let vtable = unsafe { copied(vtable, bytes) };
    let foreign = Foreign {
        vtable,
        state,
        destroy,
    };
    let first = vtable.cast::<UnknownVtbl>();
    // SAFETY: null, or a vtable that begins with `COUNTED` and lives as long as the state.
    let made = unsafe { CountingObject::<UnknownVtbl>::made(first, identifiers, foreign) };
    made.map_or(ptr::null_mut(), CountingObject::into_raw)
}

/// What the methods of a counting object work on. NULL, and told, if the object is gone.
///
/// # Safety
///
/// * `object` is what [`olemem_counting_object`] gave, and its session is open or it has a reference.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_counting_state(object: *mut c_void) -> *mut c_void {
    // SAFETY: the caller's promise.
    let state = unsafe { CountingObject::<UnknownVtbl>::state::<Foreign>(object) };
    state.map_or(ptr::null_mut(), |foreign| foreign.state)
}

/// How many references there are.
///
/// # Safety
///
/// * As for [`olemem_counting_state`].
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_counting_references(object: *mut c_void) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { CountingObject::<UnknownVtbl>::count(object) }
}

/// Takes a pointer for one to the object, where it is a parameter of a call.
///
/// # Safety
///
/// * As for [`olemem_counting_state`].
#[unsafe(no_mangle)]
pub unsafe extern "system" fn olemem_counting_known_as(
    object: *mut c_void,
    pointer: *const c_void,
) {
    // SAFETY: the caller's promise.
    unsafe { CountingObject::<UnknownVtbl>::known_as(object, pointer) };
}
