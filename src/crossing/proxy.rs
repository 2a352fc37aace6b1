//! Proxies that judge: objects that stand before others, forward each call to them, and have the audit judge it on both sides.
//!
//! [`checked_interface!`](crate::checked_interface) makes one from an interface's methods with their directions, as IDL has them.
//! Neither the caller nor the callee is touched.
//!
//! ```
//! use std::ffi::c_void;
//!
//! use olemem::audit::{Kind, Session};
//! use olemem::com::{Object, UnknownVtbl};
//! use olemem::{Bstr, HResult, checked_interface, raw};
//!
//! checked_interface! {
//!     /// What a browser's status bar has.
//!     interface IStatus("6f1a3b52-5c1e-4f7e-9d7a-0d6f3c0f2b11"): IUnknown {
//!         fn put_Text([in] text: BSTR) -> HRESULT;
//!         fn get_Text([out, retval] text: *mut BSTR) -> HRESULT;
//!     }
//! }
//! # #[repr(C)]
//! # struct StatusVtbl {
//! #     unknown: UnknownVtbl,
//! #     put_text: unsafe extern "system" fn(*mut c_void, *mut u16) -> HResult,
//! #     get_text: unsafe extern "system" fn(*mut c_void, *mut *mut u16) -> HResult,
//! # }
//! # unsafe extern "system" fn query_interface(this: *mut c_void, _: *const olemem::Guid, out: *mut *mut c_void) -> HResult {
//! #     unsafe { out.write(this) };
//! #     HResult::S_OK
//! # }
//! # unsafe extern "system" fn count(_: *mut c_void) -> u32 { 1 }
//! # unsafe extern "system" fn put_text(_: *mut c_void, text: *mut u16) -> HResult {
//! #     unsafe { raw::free(text) };
//! #     HResult::S_OK
//! # }
//! # unsafe extern "system" fn get_text(_: *mut c_void, text: *mut *mut u16) -> HResult {
//! #     unsafe { text.write(Bstr::from("Ready").into_raw().cast_mut()) };
//! #     HResult::S_OK
//! # }
//! # static VTBL: StatusVtbl = StatusVtbl {
//! #     unknown: UnknownVtbl { query_interface, add_ref: count, release: count },
//! #     put_text,
//! #     get_text,
//! # };
//! # let mut status = Object { vtbl: &VTBL };
//! # let status: *mut c_void = (&raw mut status).cast();
//!
//! let session = Session::begin();
//! // SAFETY: `status` is an interface pointer of a live object: any that has these methods, in Rust, C or C++.
//! let checked = unsafe { IStatus::wrap(status) }.unwrap();
//! let object = olemem::crossing::Reference::as_raw(&checked);
//!
//! // Somebody calls it as any object. This one frees what it is lent.
//! let text = Bstr::from("text");
//! // SAFETY: a live object, and a string.
//! let vtbl = unsafe { (*object).vtbl };
//! let _ = unsafe { (vtbl.put_Text)(object.cast(), text.as_raw().cast_mut()) };
//! drop((text, checked));
//!
//! let report = session.finish();
//! report.assert_kinds([Kind::InFreedByCallee]);
//! assert_eq!(report.violations()[0].call.as_ref().unwrap().method, "IStatus::put_Text");
//! ```
//!
//! # What it is declared with
//!
//! | attribute | the parameter is |
//! | --- | --- |
//! | `[in]` | any type; a resource is lent for the call, and so is what a pointer to one leads to. An interface is behind a pointer |
//! | `[in, weak]` | an interface pointer that the callee may keep without a reference: see [below](#pointers-without-a-reference) |
//! | `[in, outer]` | the outer object of one that is aggregated: unless it is NULL, it and what the call hands out cross as they are, for each counts for the other |
//! | `[in, string]` | a text of any memory, by `LPWSTR`, `LPSTR`, or a pointer to its units |
//! | `[out]`, `[out, retval]` | a pointer to a variable that the callee sets |
//! | `[out, string]`, `[in, out, string]` | the same, and it is for a text in task memory, whatever points to it |
//! | `[out, allocate(dont_free)]` | the same as `[out]`, and what is in it stays the callee's (R53) |
//! | `[in, out]` | a pointer to a variable whose value the callee may replace |
//! | `[in, iid_is(riid)]`, `[out, iid_is(riid)]`, `[in, out, iid_is(riid)]` | an interface pointer, or the variable of one, by `*mut c_void` or `*mut IUnknown`: of the interface whose identifier `riid`, a `REFIID`, points to |
//! | `[in, size_is(n)]` | `n` elements: resources are lent for the call, and all else is not looked at: the callee gets the caller's own, which may be constant |
//! | `[out, size_is(n)]`, `[in, out, size_is(n)]` | a buffer of the caller's with `n` elements, or `n` resources, each of them \[out\] or \[in,out\] |
//! | `[out, size_is(n), length_is(*count)]` | an array of the caller's: room for `n`, and `*count` elements when the call has succeeded; if `count` is NULL, as without `length_is` if that was by `S_OK`, else maybe less |
//! | `[in, out, size_is(n), length_is(*count)]` | the same, with `*count` elements before the call as well |
//! | `[out, size_is(, *count)]` | a variable for an array that the callee allocates, of `*count` elements |
//!
//! `n` is any expression over other parameters; if it begins with `*count`, as in `size_is(*count)` or `size_is(*count / 2)`, that is the
//! number that `count` points to when the call begins, and none if `count` is NULL. Counts are integers of any type; one that is negative
//! is none. Attributes come in any order. `unique`, `ref`, `ptr` and `retval` change nothing.
//!
//! Types are those of [`types::Wire`]. These names always mean those of [`types`]: `BSTR`, `HRESULT`, `IUnknown`, `LPWSTR`, `LPOLESTR`,
//! `LPSTR`, `LPCWSTR`, `LPCOLESTR`, `LPCSTR`, `REFIID`, `Block`, `c_void`, and the numbers (`ULONG`, `DWORD`, `VARIANT_BOOL` and their
//! kin), whatever else the module calls so. Before `fn`,
//! `[allow(may_fail_with_outs)]` and `[allow(calls_back)]` waive rules as [`Crossing`](crate::audit::Crossing) does. A base that was
//! declared itself stands in place of `IUnknown`, and there may be several interfaces in one macro. The number of parameters has no
//! bound but the compiler's.
//!
//! Pointers within structures are not looked at. No method can be called `base`: in the vtable that is the base's.
//!
//! # What a proxy is
//!
//! * One object. `IUnknown` is one pointer (R49), and wrapping an object twice in a session gives the same proxy. `QueryInterface` asks
//!   the real object; interfaces that are [known](know) come as further pointers to the proxy, all others are the real object's
//!   own, unjudged, and lead away from the proxy. An interface of another identity is told (R49). So it is with `iid_is`.
//! * Counted. The real object is released when the last reference to the proxy is. Who releases too often, leaks or calls
//!   what is gone is told as it is of a [`CountingObject`](crate::audit::CountingObject), and does no harm in an open session.
//! * Two-sided. A proxy that is a parameter is unwrapped. Another object that is passed as a declared interface, or as
//!   `IUnknown`, is wrapped for whoever gets it: a callback is judged as well, and so is who keeps the reference.
//! * Of a session: what other sessions have wrapped or known makes no difference. A proxy that is carried into a later session is the same
//!   object there, and what its calls hand out are proxies of its own session's; a leak is told in the session in which the proxy
//!   was made that has the reference.
//! * Arrays and buffers cross as they are: interfaces in them are judged, and neither wrapped nor unwrapped.
//! * Without a session it forwards, and judges nothing.
//! * An `extern "system"` function that panics, or throws a C++ exception, aborts, as it does without a proxy.
//!
//! # `IUnknown` is what it says
//!
//! What is declared as `*mut IUnknown` comes to the other side as a pointer that has the three methods of `IUnknown`, and no more. Where a
//! method hands out another interface by it, as those with a `riid` do, that has to be said by `iid_is`:
//!
//! ```
//! olemem::checked_interface! {
//!     interface IMyFactory("00000001-0000-0000-c000-0000000000f1"): IUnknown {
//!         fn CreateInstance(
//!             [in, outer, unique] outer: *mut IUnknown,
//!             [in] riid: REFIID,
//!             [out, iid_is(riid)] object: *mut *mut core::ffi::c_void,
//!         ) -> HRESULT;
//!     }
//! }
//! ```
//!
//! Whoever calls a method that the declared interface does not have ends the process, by a panic that says so. An object that is handed out by
//! a bare `*mut *mut c_void` is neither wrapped nor judged.
//!
//! # Pointers without a reference
//!
//! Whoever knows that an object outlives him may keep its pointer without a reference (R43), as a child its parent's. So a proxy goes on to forward when its last reference is released, as long as the real object says that
//! others still have references to it: its own `Release` returned another number than 0 (which is what such numbers are for: R50). That such a pointer is used is a warning of the kind
//! `interface-used-after-destroy`, once, for more often it is a reference that was forgotten (R44); `weak` says that it is meant. `AddRef`
//! makes a reference of it.
//!
//! Whether the object is still there when such a pointer is used is for the program to know: without the proxy it is the same. The memory of
//! a proxy that was left so is never given back, but serves the next object at the same address.

use core::ffi::c_void;

use super::Reference;
use crate::com::{Guid, IID_UNKNOWN, Object, UnknownVtbl};

mod count;
mod declare;
mod elements;
mod judged;
mod lend;
mod object;
mod registry;
pub mod types;

#[doc(hidden)]
pub use count::{Count, number_at};
#[doc(hidden)]
pub use elements::Extent;
#[doc(hidden)]
pub use judged::Judged;
pub use types::Wire;
use types::{IUnknown, Interfacing};

/// An interface that was declared by [`checked_interface!`](crate::checked_interface), which implements it.
///
/// # Safety
///
/// * `Vtbl` is `repr(C)` and begins with an [`UnknownVtbl`], which in `PROXY` is that of [`IUnknown`]. Its functions
///   expect an interface pointer of a proxy.
/// * `description` describes it.
pub unsafe trait Interface: Wire + 'static {
    /// The vtable: a field a method, by its name, behind the one of the base.
    type Vtbl: Copy + 'static;
    /// The vtable of proxies.
    const PROXY: Self::Vtbl;

    /// What it is.
    fn description() -> &'static Description;
}

/// What an interface is.
#[derive(Debug)]
pub struct Description {
    iid: Guid,
    base: Option<Interfacing>,
    vtbl: *const c_void,
}

// SAFETY: the pointer is one to a static, which is never written.
unsafe impl Sync for Description {}

impl Description {
    /// Of an interface. Used by the macro.
    ///
    /// # Safety
    ///
    /// * `table` has a vtable of proxies that no other interface has.
    #[doc(hidden)]
    #[must_use]
    pub const unsafe fn new<V: 'static>(
        iid: Guid,
        base: Interfacing,
        table: &'static Table<V>,
    ) -> Self {
        Self {
            iid,
            base: Some(base),
            vtbl: core::ptr::from_ref(table).cast(),
        }
    }
}

/// What stands behind a vtable: whoever takes a pointer for one of an interface with more methods is stopped there.
type Beyond = [unsafe extern "system" fn(); 64];

const BEYOND: Beyond = [beyond; 64];

/// Does not return: it unwinds into an ABI that has no unwinding.
unsafe extern "system" fn beyond() {
    panic!(
        "a method was called that the interface does not have by which this pointer is declared; where it is of the interface that \
         an identifier says, declare it with iid_is(riid)"
    );
}

/// The vtable of an interface's proxies, and what stands behind it. Used by the macro.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Table<V> {
    vtbl: V,
    beyond: Beyond,
}

impl<V> Table<V> {
    /// With a vtable.
    #[must_use]
    pub const fn new(vtbl: V) -> Self {
        Self {
            vtbl,
            beyond: BEYOND,
        }
    }
}

// SAFETY: the vtable of `IUnknown` itself.
unsafe impl Interface for IUnknown {
    type Vtbl = UnknownVtbl;
    const PROXY: UnknownVtbl = object::FACET;

    fn description() -> &'static Description {
        static DESCRIPTION: Description = Description {
            iid: IID_UNKNOWN,
            base: None,
            vtbl: core::ptr::null(),
        };
        &DESCRIPTION
    }
}

/// A proxy before an object, as [`checked_interface!`](crate::checked_interface) gives it by the name `wrap`.
///
/// # Safety
///
/// * `object` is null or an interface pointer of a live object, whose vtable is that of `I`.
#[doc(hidden)]
#[must_use]
pub unsafe fn wrap<I: Interface>(object: *mut c_void) -> Option<Reference<I::Vtbl>> {
    // SAFETY: the caller's promise.
    let proxy = unsafe { judged::proxy_of::<I>(object) };
    // SAFETY: null, or an interface pointer with a reference that is this one's.
    unsafe { Reference::from_raw(proxy.cast::<Object<I::Vtbl>>()) }
}

/// Makes an interface known, so that `QueryInterface` of a proxy, and what has `iid_is`, gives a pointer to the proxy for it: in the
/// session that the thread is in, or everywhere if it is in none. Those that are wrapped in a session are known there, and their bases.
///
/// # Examples
///
/// ```
/// olemem::checked_interface! {
///     interface IPrint("0b4c1f5e-7a52-4b5f-8a4e-2f8f3f0b0c01"): IUnknown {
///         fn Print([in] pages: u32) -> HRESULT;
///     }
/// }
/// olemem::crossing::proxy::know::<IPrint>();
/// ```
pub fn know<I: Interface>() {
    registry::know(I::description());
}

/// How many elements a number says: none if it is negative. Used by the macro.
#[doc(hidden)]
pub fn elements(count: impl TryInto<usize>) -> usize {
    count.try_into().unwrap_or(0)
}

/// An identifier from its text, with or without braces. Used by the macro.
#[doc(hidden)]
#[must_use]
#[track_caller]
pub const fn guid(text: &str) -> Guid {
    let bytes = text.as_bytes();
    let (mut at, end) = match bytes {
        [b'{', .., b'}'] => (1, bytes.len() - 1),
        _ => (0, bytes.len()),
    };
    let (start, mut digits, mut value) = (at, 0, 0_u128);
    while at < end {
        let digit = match bytes[at] {
            byte @ b'0'..=b'9' => byte - b'0',
            byte @ b'a'..=b'f' => byte - b'a' + 10,
            byte @ b'A'..=b'F' => byte - b'A' + 10,
            b'-' if digits == 8 || digits == 12 || digits == 16 || digits == 20 => {
                at += 1;
                continue;
            }
            _ => {
                panic!("an interface's identifier looks like 6f1a3b52-5c1e-4f7e-9d7a-0d6f3c0f2b11")
            }
        };
        value = value << 4 | digit as u128;
        digits += 1;
        at += 1;
    }
    assert!(
        digits == 32 && end - start == 36,
        "an interface's identifier looks like 6f1a3b52-5c1e-4f7e-9d7a-0d6f3c0f2b11"
    );
    Guid::from_u128(value)
}
