//! Calls across an interface, with their parameters said in types: who allocates and frees is judged when the call returns.
//!
//! A call that says what its parameters are is one line more than the bare call:
//!
//! ```
//! use olemem::audit;
//! use olemem::crossing::Handed;
//! use olemem::{Bstr, HResult, raw};
//!
//! # struct Browser;
//! # impl Browser {
//! #     unsafe fn get_status_text(&self, text: *mut *mut u16) -> HResult {
//! #         unsafe { text.write(Bstr::from("Ready").into_raw().cast_mut()) };
//! #         HResult::S_OK
//! #     }
//! #     unsafe fn rename(&self, _name: *mut u16, _title: *mut *mut u16) -> HResult { HResult::S_OK }
//! # }
//! audit::check(|audit| {
//!     let browser = Browser;
//!     let text = audit.call("IBrowser::get_StatusText").out_bstr("text")
//!         .invoke(|text| unsafe { browser.get_status_text(text) })?;
//!     assert_eq!(text, "Ready");
//!
//!     let name = Bstr::from("olemem");
//!     let mut title = Bstr::from("old");
//!     audit.call("IBrowser::Rename").in_bstr("name", &name).inout_bstr("title", &mut title)
//!         .invoke(|name, title| unsafe { browser.rename(name, title) })?;
//!     Ok::<(), HResult>(())
//! })
//! .unwrap();
//! ```
//!
//! * [`Session::call`](crate::audit::Session::call) begins; a method for each parameter says its direction, its name and what it is;
//!   [`invoke`](Call::invoke) makes the call with a pointer for each of them, in that order.
//! * What is \[out\] needs no variable: it comes back as an owned value, if the call succeeded.
//! * `invoke` takes whatever the call returns that says whether it failed ([`Outcome`]): an [`HResult`](crate::HResult), a bare `i32`,
//!   `Result<(), E>`, and what cannot fail, such as `()` and numbers. A pointer that is returned is [`Handed`].
//! * A callee that panics is judged as one that failed. One that never returns leaves nothing behind.
//!
//! | parameter | \[in\] | \[out\] | \[in,out\] |
//! | --- | --- | --- | --- |
//! | BSTR | [`in_bstr`](Call::in_bstr), [`in_literal`](Call::in_literal) | [`out_bstr`](Call::out_bstr) | [`inout_bstr`](Call::inout_bstr) |
//! | `LPWSTR`, `LPSTR` | [`in_string`](Call::in_string) | [`out_string`](Call::out_string) | [`inout_string`](Call::inout_string) |
//! | other task memory | [`in_block`](Call::in_block) | [`out_block`](Call::out_block) | [`inout_block`](Call::inout_block) |
//! | a method with [`In`](crate::In), [`Out`](crate::Out), [`InOut`](crate::InOut) | [`lend`](Call::lend) | [`fill`](Call::fill) | [`update`](Call::update) |
//! | an interface | [`in_interface`](Call::in_interface) | [`out_interface`](Call::out_interface) | [`inout_interface`](Call::inout_interface) |
//! | a caller-sized buffer | | [`buffer`](Call::buffer) | [`buffer`](Call::buffer) |
//! | anything else, by its address | [`in_raw`](Call::in_raw) | [`out_raw`](Call::out_raw) | [`inout_raw`](Call::inout_raw) |
//!
//! Structures and arrays: see [`Call::with`], by which all of [`Crossing`] is at hand. A call is given up to six pointers, and hands out up to
//! three values; what is more is declared by `with`, for which there is no such bound.

use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;

use crate::audit::{Crossing, Parameter, Session, What};
use crate::bstr::borrowed::BstrRef;
use crate::bstr::owned::Bstr;
use crate::com::Object;
use crate::param::Resource;
use crate::task::owned::TaskBox;
use crate::task::string::{StrUnit, TaskStr};

mod given;
mod outcome;
mod outs;
pub mod proxy;
mod reference;
mod slot;

pub use given::{Filling, Given, Lending, Pointer, Updating};
pub use outcome::{Handed, Outcome, WithCode};
pub use outs::{Append, NoOuts, OneOut, Outs, Push, ThreeOuts, TwoOuts};
pub use reference::Reference;
use slot::Slot;

/// What may be a parameter of an annotated call as a typed value: [`Bstr`], `Option<TaskStr>`, `Option<TaskBox>`,
/// `Option<Reference>`.
///
/// # Safety
///
/// * `WHAT` says what the pointer in the value leads to.
pub unsafe trait Crosses: Resource + 'static {
    /// What it leads to.
    type Target;
    /// What it is to the audit.
    const WHAT: What;
}

// SAFETY: a BSTR.
unsafe impl Crosses for Bstr {
    type Target = u16;
    const WHAT: What = What::Bstr;
}

// SAFETY: a string in task memory.
unsafe impl<U: StrUnit> Crosses for Option<TaskStr<U>> {
    type Target = U;
    const WHAT: What = What::String;
}

// SAFETY: task memory of any contents.
unsafe impl<T: 'static> Crosses for Option<TaskBox<T>> {
    type Target = T;
    const WHAT: What = What::Block;
}

/// A call in the making: [`Session::call`](crate::audit::Session::call) begins one. `P` are the pointers that the call is made with, `O` what
/// it hands out.
#[must_use = "the call is made by `invoke`"]
pub struct Call<'a, P, O> {
    // The verdict before what was handed out is freed.
    crossing: Crossing,
    outs: O,
    pointers: P,
    borrows: PhantomData<&'a mut ()>,
}

impl Session {
    /// Begins a call whose parameters are judged: see [`crossing`](crate::crossing).
    ///
    /// `method` names it in reports. What stands before its last `::` tells objects apart, unless [`Call::on`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::audit::{Kind, Session};
    /// use olemem::{Bstr, HResult, raw};
    ///
    /// /// Frees what it was lent.
    /// unsafe fn put_text(text: *mut u16) -> HResult {
    ///     // SAFETY: the audit keeps the caller's string.
    ///     unsafe { raw::free(text) };
    ///     HResult::S_OK
    /// }
    ///
    /// let session = Session::begin();
    /// let text = Bstr::from("text");
    /// // SAFETY: the string is live.
    /// let result = session.call("IText::put_Text").in_bstr("text", &text).invoke(|text| unsafe { put_text(text) });
    /// assert_eq!(result, Ok(()));
    /// drop(text);
    /// session.finish().assert_kinds([Kind::InFreedByCallee]);
    /// ```
    pub fn call<'a>(&'a self, method: &str) -> Call<'a, (), NoOuts> {
        Call {
            crossing: self.crossing(method),
            outs: NoOuts,
            pointers: (),
            borrows: PhantomData,
        }
    }
}

impl<'a, P, O> Call<'a, P, O> {
    /// The object whose method it is: any address that is the object's own. Objects of one interface are then told apart.
    pub fn on<T>(mut self, object: *const T) -> Self {
        self.crossing.on(object.cast());
        self
    }

    /// Code of the caller's runs within the call, and may free what is the caller's: see [`Crossing::calls_back`].
    pub fn calls_back(mut self) -> Self {
        self.crossing.calls_back();
        self
    }

    /// The method may fail and hand something out all the same: see [`Crossing::may_fail_with_outs`]. With
    /// [`WithCode`] the values come back in any case.
    pub fn may_fail_with_outs(mut self) -> Self {
        self.crossing.may_fail_with_outs();
        self
    }

    /// Declares parameters that the call is not given a pointer for: members of structures, arrays, interfaces.
    ///
    /// # Examples
    ///
    /// A structure whose member is \[out\]:
    ///
    /// ```
    /// use olemem::audit::{Parameter, Session};
    /// use olemem::{Bstr, HResult};
    ///
    /// #[repr(C)]
    /// struct Page { title: *mut u16, visits: u32 }
    ///
    /// fn get_page(page: &mut Page) -> HResult {
    ///     page.title = Bstr::from("olemem").into_raw().cast_mut();
    ///     HResult::S_OK
    /// }
    ///
    /// let session = Session::begin();
    /// let mut page = Page { title: std::ptr::null_mut(), visits: 0 };
    /// let place = &raw mut page;
    /// let result = session
    ///     .call("IBrowser::get_Page")
    ///     // SAFETY: the structure is there until the call has returned.
    ///     .with(|call| unsafe { call.output(Parameter::bstr("page.title").member(), (&raw mut (*place).title).cast()) })
    ///     // SAFETY: nobody else uses it.
    ///     .invoke(|| get_page(unsafe { &mut *place }));
    /// assert_eq!(result, Ok(()));
    /// // SAFETY: the caller's to free.
    /// drop(unsafe { Bstr::from_raw(page.title) });
    /// session.finish().assert_clean();
    /// ```
    pub fn with(mut self, declare: impl FnOnce(&mut Crossing)) -> Self {
        declare(&mut self.crossing);
        self
    }

    /// One more pointer for the call.
    fn given<T>(self, pointer: T) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<T>>,
    {
        self.appended(Pointer(pointer))
    }

    fn appended<T>(self, given: T) -> Call<'a, P::With, O>
    where
        P: Append<T>,
    {
        Call {
            crossing: self.crossing,
            outs: self.outs,
            pointers: self.pointers.append(given),
            borrows: PhantomData,
        }
    }

    // ------------------------------------------------------------------------------------- BSTRs

    /// A BSTR that is \[in\].
    pub fn in_bstr(self, name: &str, text: &'a Bstr) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut u16>>,
    {
        self.lent(name, text)
    }

    /// A BSTR in static storage that is \[in\]: it is [registered](crate::audit::register_literal).
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::{BstrRef, audit, bstr};
    ///
    /// let text: BstrRef<'static> = bstr!("Ready");
    /// audit::check(|audit| {
    ///     drop(olemem::Bstr::from("something to record"));
    ///     audit.call("IBrowser::put_StatusText").in_literal("text", text).invoke(|_text| ());
    /// });
    /// ```
    pub fn in_literal(mut self, name: &str, text: BstrRef<'static>) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut u16>>,
    {
        let raw = text.as_raw().cast_mut();
        crate::audit::register_literal(raw);
        // SAFETY: a BSTR that lives for ever, and that nobody writes to.
        unsafe { self.crossing.input(Parameter::bstr(name), raw.cast()) };
        self.given(raw)
    }

    /// A BSTR that is \[out\].
    pub fn out_bstr(self, name: &str) -> Call<'a, P::With, O::With>
    where
        P: Append<Pointer<*mut *mut u16>>,
        O: Push<Bstr>,
    {
        self.handed_out(name)
    }

    /// A BSTR that is \[in,out\].
    pub fn inout_bstr(self, name: &str, text: &'a mut Bstr) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut *mut u16>>,
    {
        self.replaced(name, text)
    }

    // ----------------------------------------------------------------------------------- strings

    /// An `LPWSTR` or `LPSTR` that is \[in\]: any terminated string will do (R30).
    pub fn in_string<U: StrUnit>(mut self, name: &str, text: &'a [U]) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*const U>>,
    {
        let raw = text.as_ptr();
        // SAFETY: borrowed for as long.
        unsafe { self.crossing.input(Parameter::string(name), raw.cast()) };
        self.given(raw)
    }

    /// An `LPWSTR` or `LPSTR` that is \[out\].
    pub fn out_string<U: StrUnit>(self, name: &str) -> Call<'a, P::With, O::With>
    where
        P: Append<Pointer<*mut *mut U>>,
        O: Push<Option<TaskStr<U>>>,
    {
        self.handed_out(name)
    }

    /// An `LPWSTR` or `LPSTR` that is \[in,out\].
    pub fn inout_string<U: StrUnit>(
        self,
        name: &str,
        text: &'a mut Option<TaskStr<U>>,
    ) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut *mut U>>,
    {
        self.replaced(name, text)
    }

    // ------------------------------------------------------------------------- other task memory

    /// Task memory that is \[in\].
    pub fn in_block<T: 'static>(
        self,
        name: &str,
        block: &'a Option<TaskBox<T>>,
    ) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut T>>,
    {
        self.lent(name, block)
    }

    /// Task memory that is \[out\].
    pub fn out_block<T: 'static>(self, name: &str) -> Call<'a, P::With, O::With>
    where
        P: Append<Pointer<*mut *mut T>>,
        O: Push<Option<TaskBox<T>>>,
    {
        self.handed_out(name)
    }

    /// Task memory that is \[in,out\].
    pub fn inout_block<T: 'static>(
        self,
        name: &str,
        block: &'a mut Option<TaskBox<T>>,
    ) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut *mut T>>,
    {
        self.replaced(name, block)
    }

    // -------------------------------------------------------------------------------- interfaces

    /// An interface that is \[in\].
    pub fn in_interface<V: 'static>(
        self,
        name: &str,
        object: &'a Option<Reference<V>>,
    ) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut Object<V>>>,
    {
        self.lent(name, object)
    }

    /// An interface that is \[out\].
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::audit::{CountingObject, Session};
    /// use olemem::com::{Object, UnknownVtbl};
    ///
    /// let session = Session::begin();
    /// let site = CountingObject::unknown();
    /// let found = session
    ///     .call("ISited::GetSite")
    ///     .out_interface::<UnknownVtbl>("site")
    ///     // SAFETY: the caller's variable; the reference that is added is the caller's.
    ///     .invoke(|found: *mut *mut Object<UnknownVtbl>| unsafe { found.write(site.add_ref().cast()) });
    /// assert_eq!(site.references(), 2);
    /// drop(found);
    /// drop(site);
    /// session.finish().assert_clean();
    /// ```
    pub fn out_interface<V: 'static>(self, name: &str) -> Call<'a, P::With, O::With>
    where
        P: Append<Pointer<*mut *mut Object<V>>>,
        O: Push<Option<Reference<V>>>,
    {
        self.handed_out(name)
    }

    /// An interface that is \[in,out\].
    pub fn inout_interface<V: 'static>(
        self,
        name: &str,
        object: &'a mut Option<Reference<V>>,
    ) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut *mut Object<V>>>,
    {
        self.replaced(name, object)
    }

    /// A buffer that the caller sizes, \[out\] or \[in,out\]. What the callee writes within its size is there when the call
    /// has returned; what it writes beyond is told (R31), and harms nobody as long as it is near.
    pub fn buffer<T: bytemuck::Pod>(
        mut self,
        name: &str,
        buffer: &'a mut [T],
    ) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut T>>,
    {
        let bytes = size_of_val(buffer);
        // SAFETY: borrowed for as long. Any bytes are values of the type.
        let given = unsafe {
            self.crossing
                .buffer(name, buffer.as_mut_ptr().cast(), bytes)
        };
        self.given(given.cast())
    }

    // --------------------------------------------------------------------- methods in safe types

    /// An \[in\] parameter of a method that takes [`In`](crate::In).
    pub fn lend<T: Crosses>(mut self, name: &str, value: &'a T) -> Call<'a, P::With, O>
    where
        P: Append<Lending<'a, T>>,
    {
        let raw = pointer_in(value);
        // SAFETY: borrowed for as long.
        unsafe { self.crossing.input(of::<T>(name), raw) };
        self.appended(Lending(value))
    }

    /// An \[out\] parameter of a method that takes [`Out`](crate::Out).
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::{Bstr, HResult, Out, audit};
    ///
    /// extern "system" fn get_text(text: Out<'_, Bstr>) -> HResult {
    ///     text.fill(|| Ok(Bstr::try_from_str("text")?))
    /// }
    ///
    /// audit::check(|audit| {
    ///     let text = audit.call("IText::get_Text").fill("text").invoke(|text| get_text(text));
    ///     assert_eq!(text.unwrap(), "text");
    /// });
    /// ```
    pub fn fill<T: Crosses>(mut self, name: &str) -> Call<'a, P::With, O::With>
    where
        P: Append<Filling<T>>,
        O: Push<T>,
    {
        let slot = Slot::new();
        // SAFETY: the slot lives until the call has returned.
        unsafe { self.crossing.output(of::<T>(name), slot.address()) };
        // SAFETY: so it does, and nothing else uses it.
        let out = unsafe { Filling::new(slot.address().cast()) };
        Call {
            crossing: self.crossing,
            outs: self.outs.push(slot),
            pointers: self.pointers.append(out),
            borrows: PhantomData,
        }
    }

    /// An \[in,out\] parameter of a method that takes [`InOut`](crate::InOut).
    pub fn update<T: Crosses>(mut self, name: &str, value: &'a mut T) -> Call<'a, P::With, O>
    where
        P: Append<Updating<T>>,
    {
        let slot: *mut T = value;
        // SAFETY: borrowed for as long.
        unsafe { self.crossing.in_out(of::<T>(name), slot.cast()) };
        // SAFETY: the caller's variable, which until the call has returned nobody else uses.
        self.appended(unsafe { Updating::new(slot) })
    }

    // ------------------------------------------------------------------------------- by address

    /// An \[in\] parameter by its address.
    ///
    /// # Safety
    ///
    /// * As for [`Crossing::input`].
    pub unsafe fn in_raw<T>(
        mut self,
        parameter: Parameter<'_>,
        value: *mut T,
    ) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut T>>,
    {
        // SAFETY: the caller's promise.
        unsafe { self.crossing.input(parameter, value.cast_const().cast()) };
        self.given(value)
    }

    /// An \[out\] parameter by the address of its variable.
    ///
    /// # Safety
    ///
    /// * As for [`Crossing::output`].
    pub unsafe fn out_raw<T>(
        mut self,
        parameter: Parameter<'_>,
        variable: *mut *mut T,
    ) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut *mut T>>,
    {
        // SAFETY: the caller's promise.
        unsafe { self.crossing.output(parameter, variable.cast()) };
        self.given(variable)
    }

    /// An \[in,out\] parameter by the address of its variable.
    ///
    /// # Safety
    ///
    /// * As for [`Crossing::in_out`].
    pub unsafe fn inout_raw<T>(
        mut self,
        parameter: Parameter<'_>,
        variable: *mut *mut T,
    ) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut *mut T>>,
    {
        // SAFETY: the caller's promise.
        unsafe { self.crossing.in_out(parameter, variable.cast()) };
        self.given(variable)
    }

    // -------------------------------------------------------------------------------- in general

    fn lent<T: Crosses>(mut self, name: &str, value: &'a T) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut T::Target>>,
    {
        let raw = pointer_in(value);
        // SAFETY: borrowed for as long.
        unsafe { self.crossing.input(of::<T>(name), raw) };
        self.given(raw.cast())
    }

    fn handed_out<T: Crosses>(mut self, name: &str) -> Call<'a, P::With, O::With>
    where
        P: Append<Pointer<*mut *mut T::Target>>,
        O: Push<T>,
    {
        let slot = Slot::new();
        let address = slot.address();
        // SAFETY: the slot lives until the call has returned.
        unsafe { self.crossing.output(of::<T>(name), address) };
        Call {
            crossing: self.crossing,
            outs: self.outs.push(slot),
            pointers: self.pointers.append(Pointer(address.cast())),
            borrows: PhantomData,
        }
    }

    fn replaced<T: Crosses>(mut self, name: &str, value: &'a mut T) -> Call<'a, P::With, O>
    where
        P: Append<Pointer<*mut *mut T::Target>>,
    {
        let slot: *mut T = value;
        // SAFETY: borrowed for as long.
        unsafe { self.crossing.in_out(of::<T>(name), slot.cast()) };
        self.given(slot.cast())
    }
}

impl<P, O> fmt::Debug for Call<'_, P, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("crossing", &self.crossing)
            .finish_non_exhaustive()
    }
}

/// A call that is being made, without its pointers.
struct Made<O> {
    // The verdict before what was handed out is freed, if the callee panics.
    crossing: Crossing,
    outs: O,
}

impl<O: Outs> Made<O> {
    /// The verdict, and what the caller gets.
    fn end<R: Outcome>(self, mut result: R) -> R::With<O> {
        let Self { mut crossing, outs } = self;
        result.declare(&mut crossing);
        crossing.end(result.has_failed());
        result.with(outs)
    }
}

/// `invoke` for so many pointers: Rust has no functions of any number of arguments.
macro_rules! invoke {
    ($($pointer:ident $type:ident),*) => {
        impl<'a, O: Outs, $($type: Given),*> Call<'a, ($($type,)*), O> {
            /// Makes the call, with a pointer for each parameter, and judges it.
            ///
            /// It gives what was handed out, in order: nothing, a value, or a tuple; as [`Outcome`] has it.
            ///
            /// # Errors
            ///
            /// What the call returned, where that is a failure.
            pub fn invoke<R: Outcome>(
                self,
                call: impl for<'x> FnOnce($($type::As<'x>),*) -> R,
            ) -> R::With<O> {
                let Self { crossing, outs, pointers: ($($pointer,)*), .. } = self;
                let made = Made { crossing, outs };
                let result = call($($pointer.give()),*);
                made.end(result)
            }
        }
    };
}

invoke!();
invoke!(a A);
invoke!(a A, b B);
invoke!(a A, b B, c C);
invoke!(a A, b B, c C, d D);
invoke!(a A, b B, c C, d D, e E);
invoke!(a A, b B, c C, d D, e E, f F);

/// What a parameter of a type is.
fn of<T: Crosses>(name: &str) -> Parameter<'_> {
    match T::WHAT {
        What::Bstr => Parameter::bstr(name),
        What::String => Parameter::string(name),
        What::Interface => Parameter::interface(name).owned(),
        _ => Parameter::block(name),
    }
}

/// The pointer in a value.
fn pointer_in<T: Crosses>(value: &T) -> *mut c_void {
    let value: *const T = value;
    // SAFETY: a resource is one nullable pointer.
    unsafe { value.cast::<*mut c_void>().read() }
}
