//! A call through a proxy: judged, and forwarded to the real object.
//!
//! Interface pointers are made those of the other side. For \[in\] that is before the call, with a reference of ours that lasts as
//! long; for \[out\] and what is returned, after it.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::Ordering;

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::count::Counted;
use super::elements::Optional;
use super::lend::{Lent, change_sides, give_back, lend};
use super::object::{add_ref, behind, home_of, identity_of, is_there, release, unknown, wrap};
use super::registry::{Facet, Homes, known, proxy};
use super::types::{Pointer, Return, Text, Variable, Wire};
use super::{Description, Interface};
use crate::audit::{Crossing, Parameter, What, outside, present};
use crate::com::{Guid, HResult, IID_UNKNOWN};

/// What is left to do with an interface pointer when the call has returned.
#[derive(Debug)]
enum After {
    /// A reference of ours to what was lent.
    Release(Lent),
    /// An \[out\] variable: it is not set if it holds what was planted.
    Out {
        slot: *mut *mut c_void,
        planted: *mut c_void,
        described: Option<&'static Description>,
    },
    /// An \[in, out\] variable: what the caller had in it, and what the callee was given in its place.
    InOut {
        slot: *mut *mut c_void,
        old: *mut c_void,
        given: Lent,
        described: Option<&'static Description>,
    },
}

/// A call that is under way.
#[derive(Debug)]
#[doc(hidden)]
pub struct Judged {
    pub(super) crossing: Crossing,
    real: *mut c_void,
    /// Where the proxies of what crosses are looked for, and made.
    homes: Homes,
    after: Vec<After, System>,
    /// The callee's object is a part of the caller's, and what it hands out counts for that.
    is_of_outer: bool,
    /// Elements that are set if the method did all that it was asked to, and may be otherwise.
    pub(super) optional: Vec<Optional, System>,
    /// Numbers of elements that are known when the call has succeeded.
    pub(super) counts: Vec<Counted, System>,
}

/// The pointer that a value is.
///
/// # Safety
///
/// * The type that crosses is a pointer.
unsafe fn pointer<T: Wire>(value: &T::Raw) -> *mut c_void {
    assert!(size_of::<T::Raw>() == size_of::<*mut c_void>());
    let place: *const T::Raw = value;
    // SAFETY: the caller's promise, and the size is that of one.
    unsafe { place.cast::<*mut c_void>().read() }
}

/// A pointer as a value of the type that crosses.
///
/// # Safety
///
/// * The type that crosses is a pointer, and this one is what it leads to.
pub(super) unsafe fn of_pointer<T: Wire>(pointer: *mut c_void) -> T::Raw {
    assert!(size_of::<T::Raw>() == size_of::<*mut c_void>());
    let place = &raw const pointer;
    // SAFETY: the caller's promise, and the size is that of one.
    unsafe { place.cast::<T::Raw>().read() }
}

/// The parameter of that name, if it is a resource.
pub(super) fn parameter(what: What, name: &str) -> Parameter<'_> {
    match what {
        What::Bstr => Parameter::bstr(name),
        What::String => Parameter::string(name),
        What::Interface => Parameter::interface(name),
        What::Block => Parameter::block(name),
    }
}

/// The same, of a type: text that nobody may change stays whose it is.
pub(super) fn parameter_of<T: Wire>(what: What, name: &str) -> Parameter<'_> {
    let parameter = parameter(what, name);
    if T::STAYS {
        parameter.stays_callees()
    } else {
        parameter
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
        unsafe { is_there(identity) }.then_some(())?;
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
            // SAFETY: the caller's promise.
            homes: [unsafe { home_of(identity) }, present()],
            after: Vec::new_in(System),
            is_of_outer: false,
            optional: Vec::new_in(System),
            counts: Vec::new_in(System),
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
    /// * It is what was declared, or in an open session any pointer. An interface pointer is null or leads to a live object. A pointer
    ///   to a resource is null, or leads to an initialised one.
    pub unsafe fn input<T: Wire>(&mut self, name: &str, value: T::Raw) -> T::Raw {
        match (T::WHAT, T::TARGET) {
            // SAFETY: the caller's promise.
            (Some(_), Some(described)) => unsafe {
                self.input_interface::<T>(name, value, Some(described()), false)
            },
            // SAFETY: as above.
            (Some(what), None) => unsafe { self.input_of::<T>(parameter(what, name), value) },
            (None, _) => {
                if let Some(what) = T::ELEMENT
                    && self.crossing.is_watched()
                {
                    // SAFETY: a pointer, as the type says.
                    let at = unsafe { pointer::<T>(&value) }.cast::<*mut c_void>();
                    if !at.is_null() {
                        let name = format!("*{name}");
                        // SAFETY: the caller's promise.
                        let value = unsafe { at.read() };
                        // SAFETY: as above.
                        unsafe { self.crossing.input(parameter(what, &name), value) };
                    }
                }
                value
            }
        }
    }

    /// The same, of an interface pointer that the callee may keep without a reference.
    ///
    /// # Safety
    ///
    /// * As for [`input`](Self::input).
    pub unsafe fn input_weak<T: Pointer>(&mut self, name: &str, value: T::Raw) -> T::Raw {
        let described = T::TARGET.map(|described| described());
        // SAFETY: the caller's promise.
        unsafe { self.input_interface::<T>(name, value, described, true) }
    }

    /// The same, of the outer object of one that is aggregated: it crosses as it is, and so does what the call hands out if there is one.
    /// Each counts for the other, so neither can stand behind a proxy, which counts for itself.
    ///
    /// # Safety
    ///
    /// * As for [`input`](Self::input).
    pub unsafe fn input_outer<T: Pointer>(&mut self, name: &str, value: T::Raw) -> T::Raw {
        // SAFETY: the caller's promise.
        self.is_of_outer |= !unsafe { pointer::<T>(&value) }.is_null();
        // SAFETY: as above.
        unsafe { self.input_interface::<T>(name, value, None, false) }
    }

    /// The same, of a text.
    ///
    /// # Safety
    ///
    /// * As for [`input`](Self::input).
    pub unsafe fn input_string<T: Text>(&mut self, name: &str, value: T::Raw) -> T::Raw {
        // SAFETY: the caller's promise.
        unsafe { self.input_of::<T>(Parameter::string(name), value) }
    }

    /// The same, of a pointer to the interface that an identifier says.
    ///
    /// # Safety
    ///
    /// * As for [`input`](Self::input); `iid` is null or points to an identifier.
    pub unsafe fn input_by_iid<T: Pointer>(
        &mut self,
        name: &str,
        value: T::Raw,
        iid: *const Guid,
    ) -> T::Raw {
        // SAFETY: the caller's promise.
        let described = unsafe { self.described(iid) };
        // SAFETY: as above.
        unsafe { self.input_interface::<T>(name, value, described, false) }
    }

    /// # Safety
    ///
    /// * As for [`input`](Self::input), of a pointer.
    unsafe fn input_of<T: Wire>(&mut self, parameter: Parameter<'_>, value: T::Raw) -> T::Raw {
        // SAFETY: the caller's promise.
        let given = unsafe { pointer::<T>(&value) };
        // SAFETY: the caller's promise.
        unsafe { self.crossing.input(parameter, given) };
        value
    }

    /// # Safety
    ///
    /// * As for [`input`](Self::input), of an interface pointer.
    unsafe fn input_interface<T: Wire>(
        &mut self,
        name: &str,
        value: T::Raw,
        described: Option<&'static Description>,
        is_weak: bool,
    ) -> T::Raw {
        // SAFETY: the caller's promise.
        let given = unsafe { pointer::<T>(&value) };
        // SAFETY: the caller's promise.
        let lent = unsafe { self.lend(given, described) };
        if is_weak && let Some(proxy) = lent.proxy() {
            proxy.may_be_unheld();
        }
        // SAFETY: an interface pointer that has a reference, or is null or gone.
        unsafe {
            self.crossing
                .input(Parameter::interface(name), lent.pointer)
        };
        self.later(After::Release(lent));
        // SAFETY: a pointer to an object of the interface.
        unsafe { of_pointer::<T>(lent.pointer) }
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
        let mut parameter = parameter_of::<T::Held>(what, name);
        if stays_callees {
            parameter = parameter.stays_callees();
        }
        let described = T::Held::TARGET.map(|described| described());
        let slot = T::address(value).cast();
        // SAFETY: the caller's promise.
        unsafe { self.output_of(parameter, slot, what, described) };
        value
    }

    /// The same, of a text.
    ///
    /// # Safety
    ///
    /// * As for [`output`](Self::output).
    pub unsafe fn output_string<T: Variable>(&mut self, name: &str, value: T::Raw) -> T::Raw
    where
        T::Raw: Copy,
        T::Held: Text,
    {
        let slot = T::address(value).cast();
        let parameter = parameter_of::<T::Held>(What::String, name);
        // SAFETY: the caller's promise.
        unsafe { self.output_of(parameter, slot, What::String, None) };
        value
    }

    /// The same, of a pointer to the interface that an identifier says.
    ///
    /// # Safety
    ///
    /// * As for [`output`](Self::output); `iid` is null or points to an identifier.
    pub unsafe fn output_by_iid<T: Variable>(
        &mut self,
        name: &str,
        value: T::Raw,
        iid: *const Guid,
    ) -> T::Raw
    where
        T::Raw: Copy,
        T::Held: Pointer,
    {
        // SAFETY: the caller's promise.
        let described = unsafe { self.described(iid) };
        let slot = T::address(value).cast();
        // SAFETY: as above.
        unsafe { self.output_of(Parameter::interface(name), slot, What::Interface, described) };
        value
    }

    /// # Safety
    ///
    /// * As for [`output`](Self::output).
    unsafe fn output_of(
        &mut self,
        parameter: Parameter<'_>,
        slot: *mut *mut c_void,
        what: What,
        described: Option<&'static Description>,
    ) {
        if slot.is_null() {
            return;
        }
        if what == What::Interface && !self.crossing.is_watched() {
            // Nothing is planted: NULL will do, to see whether it is written.
            // SAFETY: the caller's promise.
            unsafe { slot.write(ptr::null_mut()) };
        }
        // SAFETY: the caller's promise.
        unsafe { self.crossing.output(parameter, slot) };
        if what == What::Interface {
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
        if let Some(what) = T::Held::WHAT {
            let described = T::Held::TARGET.map(|described| described());
            let slot = T::address(value).cast();
            let parameter = parameter_of::<T::Held>(what, name);
            // SAFETY: the caller's promise.
            unsafe { self.in_out_of(parameter, slot, what, described) };
        }
        value
    }

    /// The same, of a text.
    ///
    /// # Safety
    ///
    /// * As for [`in_out`](Self::in_out).
    pub unsafe fn in_out_string<T: Variable>(&mut self, name: &str, value: T::Raw) -> T::Raw
    where
        T::Raw: Copy,
        T::Held: Text,
    {
        let slot = T::address(value).cast();
        let parameter = parameter_of::<T::Held>(What::String, name);
        // SAFETY: the caller's promise.
        unsafe { self.in_out_of(parameter, slot, What::String, None) };
        value
    }

    /// The same, of a pointer to the interface that an identifier says.
    ///
    /// # Safety
    ///
    /// * As for [`in_out`](Self::in_out); `iid` is null or points to an identifier.
    pub unsafe fn in_out_by_iid<T: Variable>(
        &mut self,
        name: &str,
        value: T::Raw,
        iid: *const Guid,
    ) -> T::Raw
    where
        T::Raw: Copy,
        T::Held: Pointer,
    {
        // SAFETY: the caller's promise.
        let described = unsafe { self.described(iid) };
        let slot = T::address(value).cast();
        // SAFETY: as above.
        unsafe { self.in_out_of(Parameter::interface(name), slot, What::Interface, described) };
        value
    }

    /// # Safety
    ///
    /// * As for [`in_out`](Self::in_out).
    unsafe fn in_out_of(
        &mut self,
        parameter: Parameter<'_>,
        slot: *mut *mut c_void,
        what: What,
        described: Option<&'static Description>,
    ) {
        if slot.is_null() {
            return;
        }
        if what == What::Interface {
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
        unsafe { self.crossing.in_out(parameter, slot) };
    }

    /// The interface of an identifier, if it is known.
    ///
    /// # Safety
    ///
    /// * `iid` is null or points to an identifier.
    unsafe fn described(&self, iid: *const Guid) -> Option<&'static Description> {
        // SAFETY: the caller's promise.
        known(unsafe { iid.as_ref() }?, self.homes[0])
    }

    /// The real method has returned: the verdict, and what the caller gets.
    ///
    /// # Safety
    ///
    /// * It is what was declared, and all that was declared for the call is still there.
    pub unsafe fn end<T: Return>(mut self, mut result: T::Raw) -> T::Raw {
        let failed = T::has_failed(&result);
        let homes = self.homes;
        let place = &raw mut result;
        if let Some(what) = T::WHAT
            && !T::STAYS
        {
            // SAFETY: a resource is a pointer, and this variable outlives the crossing.
            unsafe {
                self.crossing
                    .returned(parameter(what, "return value"), place.cast())
            };
        }
        // SAFETY: the caller's promise.
        unsafe { self.finish(failed, T::is_whole(&result)) };
        if let (Some(described), Some(_)) = (T::TARGET, T::WHAT) {
            // SAFETY: an interface pointer, with a reference that the caller has now.
            unsafe { change_sides(place.cast(), Some(described()), homes) };
        }
        result
    }

    /// # Safety
    ///
    /// * As for [`end`](Self::end).
    unsafe fn finish(self, failed: bool, is_whole: bool) {
        let is_set = |after: &After| {
            let After::Out { slot, planted, .. } = after else {
                return true;
            };
            // SAFETY: the variable is there until the call has ended, by the promise of whoever declared it.
            let value = unsafe { slot.read() };
            value != *planted
        };
        let (mut after, homes, is_of_outer) = (self.after, self.homes, self.is_of_outer);
        after.retain(|after| is_set(after));
        if !failed {
            for counted in &self.counts {
                // SAFETY: the number is there until the call has ended, and was set by the callee.
                unsafe { counted.update() };
            }
        }
        if !is_whole {
            for optional in &self.optional {
                // SAFETY: the variable is there until the call has ended.
                unsafe { optional.pass() };
            }
        }
        self.crossing.end(failed);
        for after in after {
            match after {
                // SAFETY: the reference is ours.
                After::Release(lent) => unsafe { give_back(lent) },
                After::Out {
                    slot, described, ..
                } => {
                    if !failed && !is_of_outer {
                        // SAFETY: what the method handed out, with a reference.
                        unsafe { change_sides(slot, described, homes) };
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
                    unsafe { change_sides(slot, described, homes) };
                    given.forget();
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
    unsafe fn lend(&self, object: *mut c_void, described: Option<&'static Description>) -> Lent {
        // SAFETY: the caller's promise.
        self.crossing
            .as_caller(|| unsafe { lend(object, described, self.homes) })
    }

    fn later(&mut self, after: After) {
        // Without memory the reference is leaked, and the variable holds what the real object handed out.
        if self.after.try_reserve(1).is_ok() {
            self.after.push(after);
        }
    }
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
    let described = asked.and_then(|asked| known(asked, call.homes[0]));
    let parameter = Parameter::interface("ppvObject");
    // SAFETY: the caller passes a variable, and it is not null.
    unsafe { call.output_of(parameter, out, What::Interface, described) };
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
    let home = present();
    // SAFETY: the caller's promise, and it is no proxy.
    unsafe { wrap(object, I::description(), [home, home]) }
}
