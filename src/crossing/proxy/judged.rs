//! A call through a proxy: judged, and forwarded to the real object.
//!
//! Interface pointers are made those of the other side: a proxy the object that it stands before, any other object its proxy. For
//! \[in\] that is before the call, with a reference of ours that lasts as long; for \[out\] and what is returned, after it.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::Ordering;

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::object::{Facet, add_ref, behind, identity_of, known, proxy, release, unknown, wrap};
use super::types::{Return, Variable, Wire};
use super::{Description, Interface};
use crate::audit::{CountingObject, Crossing, Parameter, What, outside};
use crate::com::{Guid, HResult, IID_UNKNOWN, UnknownVtbl};

/// What is left to do with an interface pointer when the call has returned.
#[derive(Debug)]
enum After {
    /// A reference of ours to what was lent.
    Release(Lent),
    /// An \[out\] variable: it is not set if it holds what was planted.
    Out {
        slot: *mut *mut c_void,
        planted: *mut c_void,
        described: &'static Description,
    },
    /// An \[in, out\] variable: what the caller had in it, and what the callee was given in its place.
    InOut {
        slot: *mut *mut c_void,
        old: *mut c_void,
        given: Lent,
        described: &'static Description,
    },
}

/// A pointer for the other side, with a reference of ours; none if the object is gone, or null.
#[derive(Clone, Copy, Debug)]
struct Lent {
    pointer: *mut c_void,
    /// The proxy that must not be let go meanwhile; null if it is none.
    identity: *mut c_void,
    is_counted: bool,
}

/// The direction of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Extent {
    /// \[in\].
    In,
    /// \[out\].
    Out,
    /// \[in, out\].
    InOut,
}

/// A call that is under way.
#[derive(Debug)]
#[doc(hidden)]
pub struct Judged {
    crossing: Crossing,
    real: *mut c_void,
    after: Vec<After, System>,
}

/// The pointer that a value is.
///
/// # Safety
///
/// * The type that crosses is a pointer.
unsafe fn pointer<T: Wire>(value: &T::Raw) -> *mut c_void {
    const { assert!(T::WHAT.is_none() || size_of::<T::Raw>() == size_of::<*mut c_void>()) };
    let place: *const T::Raw = value;
    // SAFETY: the caller's promise, and the size is that of one.
    unsafe { place.cast::<*mut c_void>().read() }
}

/// The parameter of that name, if it is a resource.
fn parameter(what: What, name: &str) -> Parameter<'_> {
    match what {
        What::Bstr => Parameter::bstr(name),
        What::String => Parameter::string(name),
        What::Interface => Parameter::interface(name),
        What::Block => Parameter::block(name),
    }
}

impl Judged {
    /// Begins a call of an interface's method: `None` if the object is gone, which is told.
    ///
    /// # Safety
    ///
    /// * `this` is an interface pointer that this module made, and its memory is there.
    #[must_use]
    pub unsafe fn begin(this: *mut c_void, method: &str) -> Option<Self> {
        // SAFETY: the caller's promise.
        let facet = unsafe { &*this.cast::<Facet>() };
        // SAFETY: a proxy has the memory of its identity as long as its facets.
        unsafe { Self::of(facet.identity, facet.real.load(Ordering::Acquire), method) }
    }

    /// # Safety
    ///
    /// * `identity` is an identity whose memory is there.
    unsafe fn of(identity: *mut c_void, real: *mut c_void, method: &str) -> Option<Self> {
        // SAFETY: the caller's promise. If it is gone that is told.
        unsafe { CountingObject::<UnknownVtbl>::is_used(identity) }.then_some(())?;
        // SAFETY: the caller's promise.
        let of = unsafe { proxy(identity) }?.real();
        if real.is_null() {
            return None;
        }
        let mut crossing = Crossing::begin(method);
        crossing.on(of);
        Some(Self {
            crossing,
            real,
            after: Vec::new_in(System),
        })
    }

    /// The real interface.
    #[must_use]
    pub fn real(&self) -> *mut c_void {
        self.real
    }

    /// Waives a rule: see [`Crossing::may_fail_with_outs`].
    pub fn may_fail_with_outs(&mut self) {
        self.crossing.may_fail_with_outs();
    }

    /// Says what may happen: see [`Crossing::calls_back`].
    pub fn calls_back(&mut self) {
        self.crossing.calls_back();
    }

    /// Declares an \[in\] parameter, and gives what the real method is called with.
    ///
    /// # Safety
    ///
    /// * It is what was declared, or in an open session any pointer. An interface pointer is null or leads to a live object.
    pub unsafe fn input<T: Wire>(&mut self, name: &str, value: T::Raw) -> T::Raw {
        let Some(what) = T::WHAT else {
            return value;
        };
        // SAFETY: a resource is a pointer.
        let given = unsafe { pointer::<T>(&value) };
        let Some(described) = T::TARGET else {
            // SAFETY: the caller's promise.
            unsafe { self.crossing.input(parameter(what, name), given) };
            return value;
        };
        // SAFETY: the caller's promise.
        let lent = unsafe { self.lend(given, described()) };
        // SAFETY: an interface pointer that has a reference, or is null or gone.
        unsafe { self.crossing.input(parameter(what, name), lent.pointer) };
        self.later(After::Release(lent));
        let place = &raw const lent.pointer;
        // SAFETY: the type is a pointer to an object of the interface, which this is.
        unsafe { place.cast::<T::Raw>().read() }
    }

    /// Declares an \[out\] parameter.
    ///
    /// # Safety
    ///
    /// * `value` is null or points to a variable that nobody but the callee uses until the call has returned.
    pub unsafe fn output<T: Variable>(
        &mut self,
        name: &str,
        value: T::Raw,
        stays_callees: bool,
    ) -> T::Raw
    where
        T::Raw: Copy,
    {
        let Some(what) = T::Held::WHAT else {
            return value;
        };
        let slot = T::address(value).cast::<*mut c_void>();
        if slot.is_null() {
            return value;
        }
        let mut parameter = parameter(what, name);
        if stays_callees {
            parameter = parameter.stays_callees();
        }
        if let Some(described) = T::Held::TARGET {
            // SAFETY: the caller's promise.
            unsafe { self.output_interface(parameter, slot, Some(described())) };
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.crossing.output(parameter, slot) };
        }
        value
    }

    /// # Safety
    ///
    /// * As for [`output`](Self::output); `slot` is not null.
    unsafe fn output_interface(
        &mut self,
        parameter: Parameter<'_>,
        slot: *mut *mut c_void,
        described: Option<&'static Description>,
    ) {
        if !self.crossing.is_watched() {
            // Nothing is planted: NULL will do, to see whether it is written.
            // SAFETY: the caller's promise.
            unsafe { slot.write(ptr::null_mut()) };
        }
        // SAFETY: the caller's promise.
        unsafe { self.crossing.output(parameter, slot) };
        if let Some(described) = described {
            self.later(After::Out {
                slot,
                // SAFETY: it was just written, by the crossing or above.
                planted: unsafe { slot.read() },
                described,
            });
        }
    }

    /// Declares an \[in, out\] parameter.
    ///
    /// # Safety
    ///
    /// * `value` is null or points to an initialised variable that nobody but the callee uses until the call has returned. What
    ///   it holds is as for [`input`](Self::input), and the caller's.
    pub unsafe fn in_out<T: Variable>(&mut self, name: &str, value: T::Raw) -> T::Raw
    where
        T::Raw: Copy,
    {
        let Some(what) = T::Held::WHAT else {
            return value;
        };
        let slot = T::address(value).cast::<*mut c_void>();
        if slot.is_null() {
            return value;
        }
        if let Some(described) = T::Held::TARGET {
            let described = described();
            // SAFETY: the caller's promise.
            let old = unsafe { slot.read() };
            // SAFETY: the caller's promise.
            let given = unsafe { self.lend(old, described) };
            // SAFETY: the caller's promise.
            unsafe { slot.write(given.pointer) };
            self.later(After::InOut {
                slot,
                old,
                given,
                described,
            });
        }
        // SAFETY: the caller's promise.
        unsafe { self.crossing.in_out(parameter(what, name), slot) };
        value
    }

    /// Declares elements whose number the caller says: those of a buffer, or resources.
    ///
    /// # Safety
    ///
    /// * `value` is null or points to as many elements, which nobody but the callee uses until the call has returned. Resources
    ///   are initialised, but for those that are \[out\].
    /// * `count` is null or points to a number that says how many there are when the call has succeeded, and if they are
    ///   \[in, out\] before it as well.
    pub unsafe fn sized<T: Variable>(
        &mut self,
        name: &str,
        value: T::Raw,
        direction: Extent,
        capacity: usize,
        count: *const u32,
    ) -> T::Raw
    where
        T::Raw: Copy,
    {
        let start = T::address(value);
        if start.is_null() {
            return value;
        }
        let Some(what) = T::Held::WHAT else {
            let bytes = capacity.saturating_mul(size_of::<<T::Held as Wire>::Raw>());
            // SAFETY: the caller's promise.
            let given = unsafe { self.crossing.buffer(name, start.cast(), bytes) };
            let place = &raw const given;
            const { assert!(size_of::<T::Raw>() == size_of::<*mut u8>()) };
            // SAFETY: a pointer to as many bytes.
            return unsafe { place.cast::<T::Raw>().read() };
        };
        let start = start.cast::<*mut c_void>();
        let capacity = u32::try_from(capacity).unwrap_or(u32::MAX);
        if direction == Extent::In || count.is_null() {
            for index in 0..capacity {
                let at = start.wrapping_add(index as usize);
                let name = format!("{name}[{index}]");
                let parameter = parameter(what, &name);
                match direction {
                    Extent::In => {
                        // SAFETY: within the caller's elements, and initialised.
                        let element = unsafe { at.read() };
                        // SAFETY: the caller's promise.
                        unsafe { self.crossing.input(parameter, element) };
                    }
                    // SAFETY: within the caller's elements.
                    Extent::Out => unsafe { self.crossing.output(parameter, at) },
                    // SAFETY: within the caller's elements, and initialised.
                    Extent::InOut => unsafe { self.crossing.in_out(parameter, at) },
                }
            }
            return value;
        }
        let entering = match direction {
            // SAFETY: the caller's promise.
            Extent::InOut => unsafe { count.read() },
            Extent::In | Extent::Out => 0,
        };
        let parameter = parameter(what, name);
        // SAFETY: the caller's promise.
        unsafe {
            self.crossing
                .array(parameter, start, capacity, entering, count)
        };
        value
    }

    /// Declares an \[out\] array that the callee allocates.
    ///
    /// # Safety
    ///
    /// * As for [`output`](Self::output); `count` is null or points to an initialised number, which is the elements' when the
    ///   call has succeeded.
    pub unsafe fn output_array<T: Variable>(
        &mut self,
        name: &str,
        value: T::Raw,
        count: *const u32,
    ) -> T::Raw
    where
        T::Raw: Copy,
        T::Held: Variable,
    {
        let slot = T::address(value).cast::<*mut c_void>();
        match <T::Held as Variable>::Held::WHAT {
            Some(what) if !count.is_null() => {
                let parameter = parameter(what, name);
                // SAFETY: the caller's promise.
                unsafe { self.crossing.output_array(parameter, slot, count) };
            }
            // SAFETY: the caller's promise.
            _ => unsafe { self.crossing.output(Parameter::block(name), slot) },
        }
        value
    }

    /// The real method has returned: the verdict, and what the caller gets.
    ///
    /// # Safety
    ///
    /// * It is what was declared, and all that was declared for the call is still there.
    pub unsafe fn end<T: Return>(mut self, mut result: T::Raw) -> T::Raw {
        let failed = T::has_failed(&result);
        let place = &raw mut result;
        if let Some(what) = T::WHAT {
            // SAFETY: a resource is a pointer, and this variable outlives the crossing.
            unsafe {
                self.crossing
                    .returned(parameter(what, "return value"), place.cast())
            };
        }
        // SAFETY: the caller's promise.
        unsafe { self.finish(failed) };
        if let (Some(described), Some(_)) = (T::TARGET, T::WHAT) {
            // SAFETY: an interface pointer, with a reference that the caller has now.
            unsafe { change_sides(place.cast(), described()) };
        }
        result
    }

    /// # Safety
    ///
    /// * As for [`end`](Self::end).
    unsafe fn finish(self, failed: bool) {
        let is_set = |after: &After| {
            let After::Out { slot, planted, .. } = after else {
                return true;
            };
            // SAFETY: the variable is there until the call has ended, by the promise of whoever declared it.
            let value = unsafe { slot.read() };
            value != *planted
        };
        let mut after = self.after;
        after.retain(|after| is_set(after));
        self.crossing.end(failed);
        for after in after {
            match after {
                // SAFETY: the reference is ours.
                After::Release(lent) => unsafe { give_back(lent) },
                After::Out {
                    slot, described, ..
                } => {
                    if !failed {
                        // SAFETY: what the method handed out, with a reference.
                        unsafe { change_sides(slot, described) };
                    }
                }
                After::InOut {
                    slot,
                    old,
                    given,
                    described,
                } => {
                    // SAFETY: as above.
                    let value = unsafe { slot.read() };
                    if value == given.pointer {
                        // SAFETY: as above.
                        unsafe { slot.write(old) };
                        // SAFETY: the reference is ours, for the callee released none.
                        unsafe { give_back(given) };
                        continue;
                    }
                    // SAFETY: what the method handed out, with a reference.
                    unsafe { change_sides(slot, described) };
                    // The callee has released the one that it was given.
                    if let Some(proxy) = given.proxy() {
                        proxy.lent.fetch_sub(1, Ordering::Relaxed);
                    }
                    // SAFETY: the caller's reference was the callee's to release.
                    unsafe { release(old) };
                }
            }
        }
    }

    /// A pointer for the callee, with a reference of ours.
    ///
    /// # Safety
    ///
    /// * `object` is null or an interface pointer, whose memory is there.
    unsafe fn lend(&self, object: *mut c_void, described: &'static Description) -> Lent {
        // SAFETY: the caller's promise.
        self.crossing
            .as_caller(|| unsafe { lend(object, described) })
    }

    fn later(&mut self, after: After) {
        // Without memory the reference is leaked, and the variable holds what the real object handed out.
        if self.after.try_reserve(1).is_ok() {
            self.after.push(after);
        }
    }
}

impl Lent {
    fn proxy(&self) -> Option<&'static super::object::Proxy> {
        if self.identity.is_null() {
            return None;
        }
        // SAFETY: the memory of a proxy is there while something of it is lent.
        unsafe { proxy(self.identity) }
    }
}

/// # Safety
///
/// * `object` is null or an interface pointer, whose memory is there.
unsafe fn lend(object: *mut c_void, described: &'static Description) -> Lent {
    let nothing = Lent {
        pointer: object,
        identity: ptr::null_mut(),
        is_counted: false,
    };
    if object.is_null() {
        return nothing;
    }
    // SAFETY: the caller's promise.
    match unsafe { behind(object) } {
        Some((_, real)) if real.is_null() => nothing,
        Some((_, real)) => {
            // SAFETY: the proxy has a reference to it.
            unsafe { add_ref(real) };
            Lent {
                pointer: real,
                is_counted: true,
                ..nothing
            }
        }
        None => {
            // SAFETY: the caller's promise, and it is no proxy.
            let pointer = unsafe { wrap(object, described) };
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
unsafe fn give_back(lent: Lent) {
    if let Some(proxy) = lent.proxy() {
        proxy.lent.fetch_sub(1, Ordering::Relaxed);
    }
    if lent.is_counted {
        // SAFETY: the reference was added when it was lent.
        unsafe { release(lent.pointer) };
    }
}

/// What the caller gets for an interface pointer that was handed out with a reference: one of its own side, with a reference.
///
/// # Safety
///
/// * `object` is null or an interface pointer of a live object, with a reference that is given up.
unsafe fn hand_over(object: *mut c_void, described: &'static Description) -> *mut c_void {
    // SAFETY: the caller's promise.
    let lent = unsafe { lend(object, described) };
    if let Some(proxy) = lent.proxy() {
        proxy.lent.fetch_sub(1, Ordering::Relaxed);
    }
    if lent.is_counted {
        // SAFETY: the caller's promise.
        unsafe { release(object) };
    }
    lent.pointer
}

/// Puts in place of what a method handed out what the caller gets for it.
///
/// # Safety
///
/// * `slot` points to an initialised variable, whose value is as for [`hand_over`].
unsafe fn change_sides(slot: *mut *mut c_void, described: &'static Description) {
    // SAFETY: the caller's promise.
    let value = unsafe { slot.read() };
    // SAFETY: the caller's promise.
    let value = unsafe { hand_over(value, described) };
    // SAFETY: the caller's promise.
    unsafe { slot.write(value) };
}

/// `QueryInterface` of a proxy.
///
/// # Safety
///
/// * `identity` is an identity whose memory is there, `real` one of its real interfaces or null; the others are as COM has them.
pub(super) unsafe fn query(
    identity: *mut c_void,
    real: *mut c_void,
    iid: *const Guid,
    out: *mut *mut c_void,
) -> HResult {
    if out.is_null() {
        return HResult::E_POINTER;
    }
    // SAFETY: the caller passes null or an identifier.
    let asked = unsafe { iid.as_ref() };
    // SAFETY: the caller's promise.
    let call = unsafe { Judged::of(identity, real, "IUnknown::QueryInterface") };
    let Some(mut call) = call else {
        // SAFETY: the caller passes a variable, and it is not null.
        unsafe { out.write(ptr::null_mut()) };
        return HResult::E_NOINTERFACE;
    };
    if asked == Some(&IID_UNKNOWN) {
        // The proxy's own: the real object is not asked.
        call.crossing.end(false);
        // SAFETY: it has a reference.
        unsafe { add_ref(identity) };
        // SAFETY: the caller passes a variable, and it is not null.
        unsafe { out.write(identity) };
        return HResult::S_OK;
    }
    let described = asked.and_then(known);
    let parameter = Parameter::interface("ppvObject");
    // SAFETY: the caller passes a variable, and it is not null.
    unsafe { call.output_interface(parameter, out, described) };
    // SAFETY: it was just written, by the crossing or so that it can be seen whether it is.
    let planted = unsafe { out.read() };
    // SAFETY: the proxy has a reference to it.
    let query = unsafe { unknown(real) }.query_interface;
    // SAFETY: as the caller has them.
    let result = unsafe { query(real, iid, out) };
    // SAFETY: the variable is still there.
    let found = unsafe { out.read() };
    if result.is_success() && found != planted && !found.is_null() && call.crossing.is_watched() {
        // SAFETY: what the real object handed out.
        let of = outside(|| unsafe { identity_of(found) });
        // SAFETY: an identity whose memory is there.
        if unsafe { proxy(identity) }.is_some_and(|proxy| proxy.real() != of) {
            call.crossing.tell_identity();
        }
        // SAFETY: `identity_of` added the reference.
        outside(|| unsafe { release(of) });
    }
    // SAFETY: the variable is still there.
    unsafe { call.end::<HResult>(result) }
}

/// A pointer to a proxy, with a reference: of an object, or the proxy that it is.
///
/// # Safety
///
/// * `object` is null or an interface pointer of a live object, of that interface.
pub(super) unsafe fn proxy_of<I: Interface>(object: *mut c_void) -> *mut c_void {
    if object.is_null() {
        return object;
    }
    // SAFETY: the caller's promise.
    if unsafe { behind(object) }.is_some() {
        // SAFETY: as above.
        unsafe { add_ref(object) };
        return object;
    }
    // SAFETY: the caller's promise, and it is no proxy.
    unsafe { wrap(object, I::description()) }
}
