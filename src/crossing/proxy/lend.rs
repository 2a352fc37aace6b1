//! Interface pointers between the sides: a proxy becomes the object that it stands before, any other object its proxy.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::Ordering;

use super::Description;
use super::object::{add_ref, behind, release, take_back, wrap};
use super::registry::{Homes, Proxy, proxy};

/// A pointer for the other side, with a reference of ours; none if the object is gone, or null.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lent {
    pub(super) pointer: *mut c_void,
    /// The proxy that must not be let go meanwhile; null if it is none.
    identity: *mut c_void,
    is_counted: bool,
}

impl Lent {
    pub(super) fn proxy(&self) -> Option<&'static Proxy> {
        if self.identity.is_null() {
            return None;
        }
        // SAFETY: the memory of a proxy is there while something of it is lent.
        unsafe { proxy(self.identity) }
    }

    /// The callee has released the reference.
    pub(super) fn forget(self) {
        if !self.identity.is_null() {
            // SAFETY: it was lent, and is forgotten once.
            unsafe { take_back(self.identity) };
        }
    }
}

/// A pointer for the other side, with a reference of ours. What is of an interface that nobody described, and no proxy, stays as it is.
///
/// # Safety
///
/// * `object` is null or an interface pointer, whose memory is there. If it is no proxy it is of that interface.
pub(super) unsafe fn lend(
    object: *mut c_void,
    described: Option<&'static Description>,
    homes: Homes,
) -> Lent {
    let nothing = Lent {
        pointer: object,
        identity: ptr::null_mut(),
        is_counted: false,
    };
    if object.is_null() {
        return nothing;
    }
    // SAFETY: the caller's promise.
    match (unsafe { behind(object) }, described) {
        (Some((_, real)), _) if real.is_null() => nothing,
        (Some((_, real)), _) => {
            // SAFETY: the proxy has a reference to it, or somebody who keeps it for whoever uses the proxy.
            unsafe { add_ref(real) };
            Lent {
                pointer: real,
                is_counted: true,
                ..nothing
            }
        }
        (None, None) => nothing,
        (None, Some(described)) => {
            // SAFETY: the caller's promise, and it is no proxy.
            let pointer = unsafe { wrap(object, described, homes) };
            if pointer.is_null() {
                return nothing;
            }
            // SAFETY: a proxy, with a reference.
            let identity = unsafe { behind(pointer) }.map_or(ptr::null_mut(), |(of, _)| of);
            let lent = Lent {
                pointer,
                identity,
                is_counted: true,
            };
            if let Some(proxy) = lent.proxy() {
                proxy.lent.fetch_add(1, Ordering::Relaxed);
            }
            lent
        }
    }
}

/// Releases the reference to what was lent.
///
/// # Safety
///
/// * It is given back once.
pub(super) unsafe fn give_back(lent: Lent) {
    if lent.is_counted {
        // SAFETY: the reference was added when it was lent.
        unsafe { release(lent.pointer) };
    }
    lent.forget();
}

/// Puts in place of what a method handed out what the caller gets for it: a pointer of its own side, with a reference.
///
/// # Safety
///
/// * `slot` points to an initialised variable. It holds null or an interface pointer of a live object, with a reference that is given
///   up, and of that interface if it is no proxy.
pub(super) unsafe fn change_sides(
    slot: *mut *mut c_void,
    described: Option<&'static Description>,
    homes: Homes,
) {
    // SAFETY: the caller's promise.
    let object = unsafe { slot.read() };
    // SAFETY: the caller's promise.
    let lent = unsafe { lend(object, described, homes) };
    lent.forget();
    if lent.is_counted {
        // SAFETY: the caller's promise.
        unsafe { release(object) };
    }
    // SAFETY: the caller's promise.
    unsafe { slot.write(lent.pointer) };
}
