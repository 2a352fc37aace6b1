//! The objects that stand before others.
//!
//! ```text
//!  REGISTRY ── real IUnknown ─► identity ── counting object, IUnknown ── state: Proxy ─┬─ the real IUnknown
//!                                  ▲                                                    └─ facets
//!                                  └────── facet: vtable, identity, the real interface ◄──┘
//! ```
//!
//! 1. An object has one proxy, found by the real `IUnknown`, and in it one facet an interface. They share the count of the identity,
//!    which is a [counting object](crate::audit::CountingObject): it tells who releases too often, leaks, or calls what is gone.
//! 2. Each facet, and the proxy itself, holds one reference of the real object's. They are released when the last reference to
//!    the proxy is, by nobody's call: whoever releases last did not add them.
//! 3. A proxy is taken for one by its vtable, which is a static of this module or of an interface that is known.
//! 4. No code of anybody else's runs while the registry is locked, and the books' lock is taken within it, never the other way round.

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::Description;
use super::judged::query;
use crate::audit::{COUNTED, CountingObject, bury, outside};
use crate::com::{Guid, HResult, IID_UNKNOWN, Object, UnknownVtbl};
use crate::task::lock::{Guard, Lock};

/// What an identity works on.
pub(super) struct Proxy {
    /// The real object's `IUnknown`; null when it was let go.
    real: AtomicPtr<c_void>,
    /// Calls that have a reference of ours to it: it is not let go while there are any.
    pub(super) lent: AtomicUsize,
    /// Changed while the registry is locked.
    facets: Lock<Vec<NonNull<Facet>, System>>,
}

/// A pointer to one interface of a proxy.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Facet {
    /// First, as COM has it.
    vtbl: *const c_void,
    pub(super) identity: *mut c_void,
    /// The real interface; null when it was let go.
    pub(super) real: AtomicPtr<c_void>,
    described: &'static Description,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for facet in self.facets.lock().drain(..) {
            // SAFETY: `facet` leaked it from a box, and it goes with its proxy.
            drop(unsafe { Box::from_raw(facet.as_ptr()) });
        }
    }
}

impl Proxy {
    pub(super) fn real(&self) -> *mut c_void {
        self.real.load(Ordering::Acquire)
    }
}

/// Which objects have a proxy, and which interfaces are known.
struct Registry {
    /// The complemented address of the real `IUnknown`, and the identity, veiled from leak checkers.
    proxies: Vec<(usize, *mut c_void), System>,
    known: Vec<&'static Description, System>,
}

// SAFETY: what the pointers lead to is used under its own locks, or by whoever has a reference.
unsafe impl Send for Registry {}

static REGISTRY: Lock<Registry> = Lock::new(Registry {
    proxies: Vec::new_in(System),
    known: Vec::new_in(System),
});

fn veiled(pointer: *mut c_void) -> *mut c_void {
    pointer.map_addr(|address| !address)
}

impl Registry {
    fn knows(&mut self, described: &'static Description) {
        let mut next = Some(described);
        while let Some(described) = next {
            let is_new = !self.known.iter().any(|known| ptr::eq(*known, described));
            if is_new && self.known.try_reserve(1).is_ok() {
                self.known.push(described);
            }
            next = described.base.map(|base| base());
        }
    }

    fn find(&self, real: *mut c_void) -> Option<*mut c_void> {
        let mut all = self.proxies.iter();
        let (_, identity) = all.find(|(address, _)| *address == !real.addr())?;
        Some(veiled(*identity))
    }

    /// The proxy of an object, with a reference; a new one takes over the reference to `real`.
    fn proxy(&mut self, real: *mut c_void) -> Option<(*mut c_void, bool)> {
        if let Some(identity) = self.find(real) {
            // SAFETY: what is in the registry has a reference.
            unsafe { (COUNTED.add_ref)(identity) };
            return Some((identity, false));
        }
        self.proxies.try_reserve(1).ok()?;
        let state = Proxy {
            real: AtomicPtr::new(real),
            lent: AtomicUsize::new(0),
            facets: Lock::new(Vec::new_in(System)),
        };
        // SAFETY: the vtable is one of `IUnknown`, whose functions lead to those of `COUNTED`.
        let object = unsafe { CountingObject::with_vtable(&IDENTITY, &[], state) };
        // The reference is the caller's now.
        let identity = object.into_raw();
        self.proxies.push((!real.addr(), veiled(identity)));
        Some((identity, true))
    }
}

fn registry() -> Guard<'static, Registry> {
    REGISTRY.lock()
}

/// Makes an interface known.
pub(super) fn know(described: &'static Description) {
    registry().knows(described);
}

/// An interface that is known, by its identifier.
pub(super) fn known(iid: &Guid) -> Option<&'static Description> {
    let registry = registry();
    let mut all = registry.known.iter();
    all.find(|known| known.iid == *iid).copied()
}

/// Adds a reference, as the one whose call is under way.
///
/// # Safety
///
/// * `object` is an interface pointer of a live object.
pub(super) unsafe fn add_ref(object: *mut c_void) {
    // SAFETY: the caller's promise.
    let add_ref = unsafe { unknown(object) }.add_ref;
    // SAFETY: as above.
    unsafe { add_ref(object) };
}

/// Releases a reference, as the one whose call is under way.
///
/// # Safety
///
/// * `object` is null or an interface pointer with a reference that is given up.
pub(super) unsafe fn release(object: *mut c_void) {
    if object.is_null() {
        return;
    }
    // SAFETY: the caller's promise.
    let release = unsafe { unknown(object) }.release;
    // SAFETY: as above.
    unsafe { release(object) };
}

/// The first three slots of an object.
///
/// # Safety
///
/// * `object` is an interface pointer of an object whose memory is there.
pub(super) unsafe fn unknown(object: *mut c_void) -> &'static UnknownVtbl {
    // SAFETY: the caller's promise; an object begins with the pointer to its vtable.
    unsafe { &*object.cast::<Object<UnknownVtbl>>() }.vtbl
}

/// The proxy that a pointer is an interface of: its identity, and the real interface behind it, which is null if the proxy was
/// let go. `None` if it is no proxy.
///
/// # Safety
///
/// * `object` is an interface pointer of an object whose memory is there.
pub(super) unsafe fn behind(object: *mut c_void) -> Option<(*mut c_void, *mut c_void)> {
    // SAFETY: the caller's promise; an object begins with the pointer to its vtable.
    let vtbl = unsafe { object.cast::<*const c_void>().read() };
    if vtbl == (&raw const IDENTITY).cast() {
        // SAFETY: only identities have this vtable.
        let proxy = unsafe { proxy(object) }?;
        return Some((object, proxy.real()));
    }
    if !registry().known.iter().any(|known| known.vtbl == vtbl) {
        return None;
    }
    // SAFETY: only facets have the vtable of an interface that is known.
    let facet = unsafe { &*object.cast::<Facet>() };
    Some((facet.identity, facet.real.load(Ordering::Acquire)))
}

/// What an identity works on; `None` for what is none.
///
/// # Safety
///
/// * `identity` is an identity whose memory is there for `'a`.
pub(super) unsafe fn proxy<'a>(identity: *mut c_void) -> Option<&'a Proxy> {
    // SAFETY: the caller's promise.
    unsafe { CountingObject::<UnknownVtbl>::peek(identity) }
}

/// A pointer to a proxy of an object, with a reference of the caller's. Those of the real object's that it needs it adds. Null if
/// there is no memory.
///
/// # Safety
///
/// * `object` is an interface pointer of a live object, of the interface that is described, and no proxy.
pub(super) unsafe fn wrap(object: *mut c_void, described: &'static Description) -> *mut c_void {
    // SAFETY: the caller's promise.
    let real = outside(|| unsafe { identity_of(object) });
    let mut registry = registry();
    registry.knows(described);
    let made = registry.proxy(real);
    let facet = made.map(|(identity, _)| {
        // SAFETY: the reference to it was just added.
        unsafe { facet(identity, object, described) }
    });
    drop(registry);
    // What was added and is not needed.
    let has_proxy = made.is_some_and(|(_, is_new)| is_new);
    let has_facet = facet.is_some_and(|(_, is_new)| is_new);
    outside(|| {
        if !has_proxy {
            // SAFETY: `identity_of` added it.
            unsafe { release(real) };
        }
        if has_facet {
            // SAFETY: the object is live.
            unsafe { add_ref(object) };
        }
    });
    match (made, facet) {
        (Some((identity, _)), Some((facet, _))) if facet.is_null() => {
            // SAFETY: the reference that was added to it, for which there is no use.
            unsafe { release_proxy(identity) };
            facet
        }
        _ => facet.map_or(ptr::null_mut(), |(facet, _)| facet),
    }
}

/// The real `IUnknown` of an object, with a reference; the pointer itself where `QueryInterface` gives none.
///
/// # Safety
///
/// * `object` is an interface pointer of a live object.
pub(super) unsafe fn identity_of(object: *mut c_void) -> *mut c_void {
    let mut found = ptr::null_mut();
    // SAFETY: the caller's promise.
    let query = unsafe { unknown(object) }.query_interface;
    // SAFETY: an identifier, and a variable of this frame's.
    let result = unsafe { query(object, &IID_UNKNOWN, &raw mut found) };
    if result.is_success() && !found.is_null() {
        return found;
    }
    // SAFETY: the caller's promise.
    unsafe { add_ref(object) };
    object
}

/// The pointer of a proxy for an interface, and whether it is new. Null if there is no memory. The registry is locked.
///
/// # Safety
///
/// * `identity` is a live identity.
unsafe fn facet(
    identity: *mut c_void,
    real: *mut c_void,
    described: &'static Description,
) -> (*mut c_void, bool) {
    if described.iid == IID_UNKNOWN {
        return (identity, false);
    }
    // SAFETY: the caller's promise.
    let Some(proxy) = (unsafe { proxy(identity) }) else {
        return (ptr::null_mut(), false);
    };
    let mut facets = proxy.facets.lock();
    for known in facets.iter() {
        // SAFETY: facets live as long as their proxy.
        let is_it = ptr::eq(unsafe { known.as_ref() }.described, described);
        if is_it {
            return (known.as_ptr().cast(), false);
        }
    }
    if facets.try_reserve(1).is_err() {
        return (ptr::null_mut(), false);
    }
    let new = NonNull::from(Box::leak(Box::new(Facet {
        vtbl: described.vtbl,
        identity,
        real: AtomicPtr::new(real),
        described,
    })));
    facets.push(new);
    let pointer = new.as_ptr().cast();
    // SAFETY: the caller's promise.
    unsafe { CountingObject::<UnknownVtbl>::known_as(identity, pointer) };
    (pointer, true)
}

/// Releases a reference to a proxy, and lets the real object go with the last one.
///
/// # Safety
///
/// * `identity` is an identity whose memory is there.
pub(super) unsafe fn release_proxy(identity: *mut c_void) -> u32 {
    let mut registry = registry();
    // SAFETY: the caller's promise.
    let left = unsafe { CountingObject::<UnknownVtbl>::take(identity) };
    // SAFETY: as above; with the last reference the memory is held.
    let proxy = unsafe { proxy(identity) };
    let gone = proxy.filter(|proxy| left == 0 && proxy.lent.load(Ordering::Relaxed) == 0);
    let mut real = Vec::new_in(System);
    if let Some(proxy) = gone {
        registry
            .proxies
            .retain(|(_, known)| *known != veiled(identity));
        let mut facets = proxy.facets.lock();
        // Without memory for the list the real object is leaked, which is told of it.
        if real.try_reserve(facets.len() + 1).is_ok() {
            real.push(proxy.real.swap(ptr::null_mut(), Ordering::AcqRel));
            for facet in facets.iter_mut() {
                // SAFETY: facets live as long as their proxy.
                let facet = unsafe { facet.as_ref() };
                real.push(facet.real.swap(ptr::null_mut(), Ordering::AcqRel));
            }
        }
    }
    drop(registry);
    outside(|| {
        for object in real {
            // SAFETY: null, or a reference that the proxy or one of its facets held.
            unsafe { release(object) };
        }
    });
    let is_gone = gone.is_some();
    if left == 0 {
        // SAFETY: the memory is there until this is said.
        unsafe { CountingObject::<UnknownVtbl>::done(identity) };
    }
    if is_gone {
        bury();
    }
    left
}

// ----------------------------------------------------------------------------- the first three slots

/// That of identities.
static IDENTITY: UnknownVtbl = UnknownVtbl {
    query_interface: identity_query_interface,
    add_ref: COUNTED.add_ref,
    release: identity_release,
};

/// That of facets.
pub(super) const FACET: UnknownVtbl = UnknownVtbl {
    query_interface: facet_query_interface,
    add_ref: facet_add_ref,
    release: facet_release,
};

unsafe extern "system" fn identity_query_interface(
    this: *mut c_void,
    iid: *const Guid,
    out: *mut *mut c_void,
) -> HResult {
    // SAFETY: the vtable of identities leads here.
    let real = unsafe { proxy(this) }.map_or(ptr::null_mut(), Proxy::real);
    // SAFETY: the caller's promise to COM.
    unsafe { query(this, real, iid, out) }
}

unsafe extern "system" fn identity_release(this: *mut c_void) -> u32 {
    // SAFETY: the vtable of identities leads here.
    unsafe { release_proxy(this) }
}

unsafe extern "system" fn facet_query_interface(
    this: *mut c_void,
    iid: *const Guid,
    out: *mut *mut c_void,
) -> HResult {
    // SAFETY: the vtable of a facet leads here.
    let facet = unsafe { &*this.cast::<Facet>() };
    let real = facet.real.load(Ordering::Acquire);
    // SAFETY: the caller's promise to COM.
    unsafe { query(facet.identity, real, iid, out) }
}

unsafe extern "system" fn facet_add_ref(this: *mut c_void) -> u32 {
    // SAFETY: the vtable of a facet leads here.
    let facet = unsafe { &*this.cast::<Facet>() };
    // SAFETY: the memory of the identity is there as long as that of its facets.
    unsafe { (COUNTED.add_ref)(facet.identity) }
}

unsafe extern "system" fn facet_release(this: *mut c_void) -> u32 {
    // SAFETY: the vtable of a facet leads here.
    let identity = unsafe { &*this.cast::<Facet>() }.identity;
    // SAFETY: as above.
    unsafe { release_proxy(identity) }
}
