//! The types that methods are declared with, and what each is in a call.

use core::ffi::c_void;
use core::marker::PhantomData;

use super::Description;
use crate::audit::What;
use crate::com::{HResult, Object, UnknownVtbl};

/// A type that a method of a [`checked_interface!`](crate::checked_interface) may be declared with: how it crosses, and what it
/// is to the audit.
///
/// There are numbers, [`HRESULT`], [`BSTR`], [`LPWSTR`], [`LPSTR`], [`Block`], interfaces behind a pointer, and pointers to all of
/// these. A structure of one's own is one by an empty implementation:
///
/// ```
/// use olemem::crossing::proxy::Wire;
///
/// #[derive(Clone, Copy)]
/// #[repr(C)]
/// struct Point { x: i32, y: i32 }
///
/// // SAFETY: plain data.
/// unsafe impl Wire for Point { type Raw = Self; }
/// ```
///
/// # Safety
///
/// * `Raw` is what stands in the C declaration. Zero bytes are a value of it.
/// * Where `WHAT` is not `None`, `Raw` is a pointer to what it says.
/// * Where `INTERFACE` is not `None`, `Raw` is an object of that interface; where `TARGET` is not, a pointer to one.
#[diagnostic::on_unimplemented(
    message = "no parameter of a `checked_interface!` can be declared as `{Self}`",
    note = "numbers, `BSTR`, `LPWSTR`, `LPSTR`, `Block<T>`, `HRESULT`, `*mut` an interface and pointers to these can; for plain data of your own implement `Wire`"
)]
pub unsafe trait Wire {
    /// What crosses.
    type Raw;
    /// What it is, if it has an owner.
    const WHAT: Option<What> = None;
    /// The interface that it is, if it is one: only ever behind a pointer.
    const INTERFACE: Option<Interfacing> = None;
    /// The interface that it points to.
    const TARGET: Option<Interfacing> = None;
}

/// How an interface is described.
pub type Interfacing = fn() -> &'static Description;

/// What a method may return.
#[diagnostic::on_unimplemented(
    message = "no method of a `checked_interface!` can return `{Self}`",
    note = "numbers, `HRESULT`, `BSTR`, `LPWSTR`, `LPSTR`, `Block<T>`, `*mut` an interface and other pointers can"
)]
pub trait Return: Wire {
    /// Whether the method failed.
    fn has_failed(_result: &Self::Raw) -> bool {
        false
    }

    /// What is returned for an object that is gone.
    fn of_none() -> Self::Raw {
        // SAFETY: zero bytes are a value of every type that crosses.
        unsafe { core::mem::zeroed() }
    }
}

/// A variable of the caller's: what \[out\] and \[in, out\] parameters point to.
#[diagnostic::on_unimplemented(
    message = "an [out] or [in, out] parameter points to a variable, and `{Self}` does not",
    label = "write `*mut {Self}`"
)]
pub trait Variable: Wire {
    /// What the variable holds.
    type Held: Wire;

    /// Its address.
    fn address(raw: Self::Raw) -> *mut <Self::Held as Wire>::Raw;
}

/// A BSTR, as a declaration has it.
#[derive(Debug)]
pub struct BSTR(());

/// A string in task memory, of 16-bit units.
#[derive(Debug)]
pub struct LPWSTR(());

/// The same by another name.
pub type LPOLESTR = LPWSTR;

/// A string in task memory, of bytes.
#[derive(Debug)]
pub struct LPSTR(());

/// Other task memory: a pointer to `T`s that `CoTaskMemFree` frees.
#[derive(Debug)]
pub struct Block<T>(PhantomData<T>);

/// A result code.
pub type HRESULT = HResult;

// SAFETY: the pointer that a BSTR is.
unsafe impl Wire for BSTR {
    type Raw = *mut u16;
    const WHAT: Option<What> = Some(What::Bstr);
}
impl Return for BSTR {}

// SAFETY: the pointer that an `LPWSTR` is.
unsafe impl Wire for LPWSTR {
    type Raw = *mut u16;
    const WHAT: Option<What> = Some(What::String);
}
impl Return for LPWSTR {}

// SAFETY: the pointer that an `LPSTR` is.
unsafe impl Wire for LPSTR {
    type Raw = *mut u8;
    const WHAT: Option<What> = Some(What::String);
}
impl Return for LPSTR {}

// SAFETY: a pointer.
unsafe impl<T> Wire for Block<T> {
    type Raw = *mut T;
    const WHAT: Option<What> = Some(What::Block);
}
impl<T> Return for Block<T> {}

// SAFETY: a number.
unsafe impl Wire for HResult {
    type Raw = Self;
}
impl Return for HResult {
    fn has_failed(result: &Self) -> bool {
        result.is_failure()
    }

    fn of_none() -> Self {
        Self::E_UNEXPECTED
    }
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        // SAFETY: plain data.
        unsafe impl Wire for $type {
            type Raw = Self;
        }
        impl Return for $type {}
    )*};
}

plain!(
    (),
    u8,
    u16,
    u32,
    u64,
    usize,
    i8,
    i16,
    i32,
    i64,
    isize,
    f32,
    f64,
    crate::com::Guid
);

// SAFETY: nothing is known of it.
unsafe impl Wire for c_void {
    type Raw = Self;
}

/// The interface of all objects, which every other one begins with.
#[derive(Debug)]
pub enum IUnknown {}

// SAFETY: an object of that interface.
unsafe impl Wire for IUnknown {
    type Raw = Object<UnknownVtbl>;
    const INTERFACE: Option<Interfacing> = Some(<Self as super::Interface>::description);
}

// SAFETY: a pointer, and one to an interface exactly where the target is one.
unsafe impl<T: Wire> Wire for *mut T {
    type Raw = *mut T::Raw;
    const WHAT: Option<What> = match T::INTERFACE {
        Some(_) => Some(What::Interface),
        None => None,
    };
    const TARGET: Option<Interfacing> = T::INTERFACE;
}
impl<T: Wire> Return for *mut T {}
impl<T: Wire> Variable for *mut T {
    type Held = T;

    fn address(raw: *mut T::Raw) -> *mut T::Raw {
        raw
    }
}

// SAFETY: a pointer.
unsafe impl<T: Wire> Wire for *const T {
    type Raw = *const T::Raw;
}
impl<T: Wire> Return for *const T {}
