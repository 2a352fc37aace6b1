//! References to counting objects, as callers and callees have them.

use olemem::audit::CountingObject;
use olemem::com::{Object, UnknownVtbl};
use olemem::crossing::Reference;

pub(crate) type Pointer = *mut Object<UnknownVtbl>;

fn vtbl(object: Pointer) -> &'static UnknownVtbl {
    // SAFETY: the tests pass pointers to objects.
    unsafe { (*object).vtbl }
}

pub(crate) fn add_ref(object: Pointer) -> Pointer {
    // SAFETY: as above.
    unsafe { (vtbl(object).add_ref)(object.cast()) };
    object
}

pub(crate) fn release(object: Pointer) -> u32 {
    // SAFETY: as above; what is released too often the audit puts back.
    unsafe { (vtbl(object).release)(object.cast()) }
}

/// A pointer to an object, lent.
pub(crate) fn lent(object: &CountingObject) -> Pointer {
    object.as_raw().cast()
}

/// A reference of the caller's.
pub(crate) fn owned(object: &CountingObject) -> Option<Reference> {
    // SAFETY: the reference that is returned releases it.
    let added = unsafe { object.add_ref() };
    // SAFETY: the added reference is the new one's.
    unsafe { Reference::from_raw(added.cast()) }
}
