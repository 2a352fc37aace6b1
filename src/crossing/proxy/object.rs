//! The objects that stand before others.
//!
//! ```text
//!  REGISTRY ── home, real IUnknown ─► identity ── counting object, IUnknown ── state: Proxy ─┬─ the real IUnknown
//!                                        ▲                                                    └─ facets
//!                                        └────── facet: vtable, identity, the real interface ◄──┘
//! ```
//!
//! 1. An object has one proxy in a home, which is a session, or 0 where there is none: found by the real `IUnknown`, and in it one facet
//!    an interface. They share the count of the identity, which is a [counting object](crate::audit::CountingObject): it tells
//!    who releases too often, leaks, or calls what is gone. What a call hands out has the home of the proxy that was called.
//! 2. A proxy that is *held* holds a reference of the real object's, and so does each facet that was asked for meanwhile. They are
//!    released when the last reference to the proxy is, by nobody's call: whoever releases last did not add them.
//! 3. If the real object says with that that it is gone, so is the proxy. Else others keep the object, and the proxy is *unheld*: it has no
//!    reference, and forwards as before, for whoever knows that the object outlives him. Who asks for a reference has it held again.
//! 4. An unheld proxy is kept for ever, for nobody knows who still has its address. It serves the next object at the real one's, in its
//!    home or, when that is over, in another.
//! 5. A proxy is taken for one by its vtable, which is a static of this module or of an interface that was described.
//! 6. No code of anybody else's runs while the registry is locked, and the books' lock is taken within it, never the other way round.

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::judged::query;
use super::registry::{Facet, Homes, Proxy, Registry, proxy, registry};
use super::{Beyond, Description, Interface, types::IUnknown};
use crate::audit::{COUNTED, CountingObject, bury, outside};
use crate::com::{Guid, HResult, IID_UNKNOWN, Object, UnknownVtbl};
use crate::task::lock::Guard;

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

/// Releases a reference, as the one whose call is under way, and gives what the object says of those that are left.
///
/// # Safety
///
/// * `object` is null or an interface pointer with a reference that is given up.
pub(super) unsafe fn release(object: *mut c_void) -> u32 {
    if object.is_null() {
        return 0;
    }
    // SAFETY: the caller's promise.
    let release = unsafe { unknown(object) }.release;
    // SAFETY: as above.
    unsafe { release(object) }
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

/// The proxy that a pointer is an interface of: its identity, and the real interface behind it, which is null if the object is
/// gone. `None` if it is no proxy.
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
    if !registry().described.iter().any(|known| known.vtbl == vtbl) {
        return None;
    }
    // SAFETY: only facets have the vtable of an interface that was described.
    let facet = unsafe { &*object.cast::<Facet>() };
    Some((facet.identity, facet.real.load(Ordering::Acquire)))
}

/// The home of a proxy.
///
/// # Safety
///
/// * `identity` is an identity whose memory is there.
pub(super) unsafe fn home_of(identity: *mut c_void) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { proxy(identity) }.map_or(0, |proxy| proxy.home.load(Ordering::Relaxed))
}

/// Whether the object behind a proxy is there, for a call. What is wrong with that is told.
///
/// # Safety
///
/// * `identity` is an identity whose memory is there.
pub(super) unsafe fn is_there(identity: *mut c_void) -> bool {
    // SAFETY: the caller's promise.
    match unsafe { proxy(identity) } {
        Some(proxy) if proxy.is_unheld() => {
            if !proxy.is_told.swap(true, Ordering::Relaxed) {
                // SAFETY: the caller's promise.
                unsafe { CountingObject::<UnknownVtbl>::tell_unheld(identity) };
            }
            true
        }
        // SAFETY: the caller's promise.
        _ => unsafe { CountingObject::<UnknownVtbl>::is_used(identity) },
    }
}

/// A pointer to a proxy of an object, with a reference of the caller's. Those of the real object's that it needs it adds. Null if
/// there is no memory.
///
/// # Safety
///
/// * `object` is an interface pointer of a live object, of the interface that is described, and no proxy.
pub(super) unsafe fn wrap(
    object: *mut c_void,
    described: &'static Description,
    homes: Homes,
) -> *mut c_void {
    // SAFETY: the caller's promise.
    let real = outside(|| unsafe { identity_of(object) });
    let mut registry = registry();
    registry.knows(Some(homes[0]), described);
    let made = registry.proxy(real, homes, new);
    let facet = made.map(|(identity, _)| {
        // SAFETY: the reference to it was just added.
        unsafe { facet(identity, object, described) }
    });
    drop(registry);
    // What was added and is not needed.
    let has_proxy = made.is_some_and(|(_, takes)| takes);
    let has_facet = facet.is_some_and(|(_, takes)| takes);
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

/// A new proxy, with a reference.
fn new(state: Proxy) -> *mut c_void {
    // SAFETY: the vtable is one of `IUnknown`, whose functions lead to those of `COUNTED`.
    let object = unsafe { CountingObject::with_vtable(&IDENTITY, &[], state) };
    // The reference is the caller's now.
    object.into_raw()
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

/// The pointer of a proxy for an interface, and whether it takes over a reference to `real`. Null if there is no memory. The
/// registry is locked.
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
        let facet = unsafe { known.as_ref() };
        if ptr::eq(facet.described, described) {
            let was_counted = facet.is_counted.swap(true, Ordering::Relaxed);
            if !was_counted {
                facet.real.store(real, Ordering::Release);
            }
            return (known.as_ptr().cast(), !was_counted);
        }
    }
    if facets.try_reserve(1).is_err() {
        return (ptr::null_mut(), false);
    }
    let new = NonNull::from(Box::leak(Box::new(Facet {
        vtbl: described.vtbl,
        identity,
        real: AtomicPtr::new(real),
        is_counted: AtomicBool::new(true),
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
    let registry = registry();
    // SAFETY: the caller's promise.
    let left = unsafe { CountingObject::<UnknownVtbl>::take(identity) };
    // SAFETY: as above; with the last reference the memory is held.
    let proxy = unsafe { proxy(identity) };
    let is_lent = proxy.is_some_and(|proxy| proxy.lent.load(Ordering::Relaxed) != 0);
    // Whoever lent it will see to it.
    if left == 0 && !is_lent {
        // SAFETY: the caller's promise; there is no reference, and the memory is held.
        unsafe { let_go(registry, identity) };
    }
    left
}

/// What was lent to a call is so no more. The callee may have released the last reference.
///
/// # Safety
///
/// * `identity` is an identity, lent by [`lend`](super::lend::lend).
pub(super) unsafe fn take_back(identity: *mut c_void) {
    let registry = registry();
    // SAFETY: the memory of a proxy is there while something of it is lent.
    let Some(proxy) = (unsafe { proxy(identity) }) else {
        return;
    };
    let is_last = proxy.lent.fetch_sub(1, Ordering::Relaxed) == 1;
    // SAFETY: as above.
    let references = unsafe { CountingObject::<UnknownVtbl>::count(identity) };
    if is_last && references == 0 {
        // SAFETY: as above; whoever released the last reference left the memory held.
        unsafe { let_go(registry, identity) };
    }
}

/// Lets the real object of a proxy go that has no reference.
///
/// # Safety
///
/// * `identity` is an identity whose memory is held.
unsafe fn let_go(mut registry: Guard<'static, Registry>, identity: *mut c_void) {
    // SAFETY: the caller's promise.
    let proxy = unsafe { proxy(identity) };
    let Some(proxy) = proxy.filter(|proxy| !proxy.real().is_null() && !proxy.is_unheld()) else {
        let is_unheld = proxy.is_some_and(Proxy::is_unheld);
        drop(registry);
        if !is_unheld {
            // SAFETY: the memory is there until this is said.
            unsafe { CountingObject::<UnknownVtbl>::done(identity) };
        }
        return;
    };
    // Without memory for the list the real object is leaked, which is told of it.
    let references = proxy.let_go().unwrap_or(Vec::new_in(System));
    let turn = proxy.turn.load(Ordering::Relaxed);
    let mut all = registry.proxies.iter_mut();
    if let Some(entry) = all.find(|entry| entry.identity() == identity) {
        entry.veil(false);
    }
    drop(registry);
    let left_of_real = outside(|| {
        let release = |_, object| {
            // SAFETY: a reference that the proxy or one of its facets held.
            unsafe { release(object) }
        };
        references.into_iter().fold(0, release)
    });
    if left_of_real == 0 {
        // SAFETY: the memory of an unheld proxy is kept.
        unsafe { end(identity, turn) };
    }
}

/// The real object of a proxy is gone, unless somebody has asked for a reference since that turn.
///
/// # Safety
///
/// * `identity` is an identity whose memory is there.
unsafe fn end(identity: *mut c_void, turn: usize) {
    let mut registry = registry();
    // SAFETY: the caller's promise.
    let proxy = unsafe { proxy(identity) };
    let Some(proxy) = proxy.filter(|proxy| turn == proxy.turn.load(Ordering::Relaxed)) else {
        return;
    };
    proxy.is_over();
    registry
        .proxies
        .retain(|entry| entry.identity() != identity);
    drop(registry);
    // SAFETY: the memory is there until this is said.
    unsafe { CountingObject::<UnknownVtbl>::done(identity) };
    bury();
}

/// Adds a reference to a proxy: that of a facet, or of the identity.
///
/// # Safety
///
/// * `identity` is an identity whose memory is there, `real` its real interface of that description.
unsafe fn add_ref_proxy(
    identity: *mut c_void,
    real: *mut c_void,
    described: &'static Description,
) -> u32 {
    // SAFETY: the caller's promise.
    let is_unheld = unsafe { proxy(identity) }.is_some_and(Proxy::is_unheld);
    // SAFETY: the caller's promise. That it is unheld is told.
    if !is_unheld || !unsafe { is_there(identity) } {
        // SAFETY: the caller's promise.
        return unsafe { (COUNTED.add_ref)(identity) };
    }
    // SAFETY: the caller's promise.
    let home = unsafe { home_of(identity) };
    // SAFETY: whoever adds a reference to what is unheld has the real object live, by some other reference.
    unsafe { wrap(real, described, [home, home]) };
    // SAFETY: as above.
    unsafe { CountingObject::<UnknownVtbl>::count(identity) }
}

// ----------------------------------------------------------------------------- the first three slots

/// The vtable of identities.
#[repr(C)]
struct Identity {
    unknown: UnknownVtbl,
    beyond: Beyond,
}

static IDENTITY: Identity = Identity {
    unknown: UnknownVtbl {
        query_interface: identity_query_interface,
        add_ref: identity_add_ref,
        release: identity_release,
    },
    beyond: super::BEYOND,
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

unsafe extern "system" fn identity_add_ref(this: *mut c_void) -> u32 {
    // SAFETY: the vtable of identities leads here.
    let real = unsafe { proxy(this) }.map_or(ptr::null_mut(), Proxy::real);
    // SAFETY: as above.
    unsafe { add_ref_proxy(this, real, IUnknown::description()) }
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
    let real = facet.real.load(Ordering::Acquire);
    // SAFETY: the memory of the identity is there as long as that of its facets.
    unsafe { add_ref_proxy(facet.identity, real, facet.described) }
}

unsafe extern "system" fn facet_release(this: *mut c_void) -> u32 {
    // SAFETY: the vtable of a facet leads here.
    let identity = unsafe { &*this.cast::<Facet>() }.identity;
    // SAFETY: as above.
    unsafe { release_proxy(identity) }
}
