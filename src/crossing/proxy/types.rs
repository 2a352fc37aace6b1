//! The types that methods are declared with, and what each is in a call.

use core::marker::PhantomData;

use super::Description;
use crate::audit::What;
use crate::com::{Guid, HResult, Object, UnknownVtbl};

/// A type that a method of a [`checked_interface!`](crate::checked_interface) may be declared with: how it crosses, and what it
/// is to the audit.
///
/// There are numbers, [`HRESULT`], [`BSTR`], [`LPWSTR`], [`LPSTR`], [`LPCWSTR`], [`LPCSTR`], [`Block`], interfaces behind a pointer,
/// and pointers to all of these, `*mut` and `*const`. An `i32` is a number, and none that says that a method has failed: a
/// result code is declared as [`HRESULT`]. A structure of one's own is one by an empty implementation:
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
/// * Where `ELEMENT` is not `None`, `Raw` is a pointer to a pointer to what it says.
#[diagnostic::on_unimplemented(
    message = "no parameter of a `checked_interface!` can be declared as `{Self}`",
    note = "numbers, `BSTR`, `LPWSTR`, `LPSTR`, `LPCWSTR`, `LPCSTR`, `Block<T>`, `HRESULT`, `*mut` an interface and pointers to these can; for plain data of your own implement `Wire`"
)]
pub unsafe trait Wire {
    /// What crosses.
    type Raw;
    /// What it is, if it has an owner.
    const WHAT: Option<What> = None;
    /// Whether it stays its owner's when a method returns it or hands it out: text that nobody may change is not given away.
    const STAYS: bool = false;
    /// The interface that it is, if it is one: only ever behind a pointer.
    const INTERFACE: Option<Interfacing> = None;
    /// The interface that it points to.
    const TARGET: Option<Interfacing> = None;
    /// What it points to, if that has an owner.
    const ELEMENT: Option<What> = None;
}

/// What crosses where a type is declared.
#[doc(hidden)]
pub type Raw<T> = <T as Wire>::Raw;

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

    /// Whether the method did all that it was asked to: `S_FALSE` says that there is less.
    fn is_whole(_result: &Self::Raw) -> bool {
        true
    }

    /// What is returned for an object that is gone.
    fn of_none() -> Self::Raw {
        // SAFETY: zero bytes are a value of every type that crosses.
        unsafe { core::mem::zeroed() }
    }
}

/// A pointer: to elements, which `size_is` counts, or to a variable.
#[diagnostic::on_unimplemented(
    message = "what is declared by [out], size_is or iid_is is a pointer, and `{Self}` is none",
    label = "write `*mut {Self}`, or for [in] `*const {Self}`"
)]
pub trait Pointer: Wire {
    /// What it points to.
    type Held: Wire;

    /// Where that is.
    fn address(raw: Self::Raw) -> *mut <Self::Held as Wire>::Raw;
}

/// A pointer to a variable of the caller's: what \[out\] and \[in, out\] parameters are.
#[diagnostic::on_unimplemented(
    message = "an [out] or [in, out] parameter is a `*mut` pointer to a variable, and `{Self}` is none",
    label = "what can be written to is behind a `*mut`"
)]
pub trait Variable: Pointer {}

/// A text that ends with zero: what `string` says of a parameter.
#[diagnostic::on_unimplemented(
    message = "`string` is said of text, and `{Self}` is none",
    label = "`LPWSTR`, `LPSTR`, and pointers to `u16`, `u8` and `i8` are"
)]
pub trait Text: Wire {}

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

/// A string of 16-bit units that is only read: of any memory if it is \[in\] (R30), and the callee's own if it is handed out
/// or returned.
#[derive(Debug)]
pub struct LPCWSTR(());

/// The same by another name.
pub type LPCOLESTR = LPCWSTR;

/// The same, of bytes.
#[derive(Debug)]
pub struct LPCSTR(());

/// The identifier of an interface.
pub type REFIID = *const Guid;

/// Other task memory: a pointer to `T`s that `CoTaskMemFree` frees.
#[derive(Debug)]
pub struct Block<T>(PhantomData<T>);

/// A result code.
pub type HRESULT = HResult;

/// What IDL calls a void pointer's target.
pub use core::ffi::c_void;

macro_rules! numbers {
    ($($name:ident = $type:ty),*) => {$(
        #[doc = concat!("`", stringify!($type), "`, as declarations call it.")]
        #[allow(non_camel_case_types, reason = "as C has it")]
        pub type $name = $type;
    )*};
}

numbers!(
    BOOL = i32,
    BYTE = u8,
    DWORD = u32,
    INT = i32,
    LONG = i32,
    LONGLONG = i64,
    SHORT = i16,
    UINT = u32,
    ULONG = u32,
    ULONGLONG = u64,
    USHORT = u16,
    VARIANT_BOOL = i16,
    WORD = u16
);

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

// SAFETY: the pointer that an `LPCWSTR` is.
unsafe impl Wire for LPCWSTR {
    type Raw = *const u16;
    const WHAT: Option<What> = Some(What::String);
    const STAYS: bool = true;
}
impl Return for LPCWSTR {}

// SAFETY: the pointer that an `LPCSTR` is.
unsafe impl Wire for LPCSTR {
    type Raw = *const u8;
    const WHAT: Option<What> = Some(What::String);
    const STAYS: bool = true;
}
impl Return for LPCSTR {}

macro_rules! text {
    ($($type:ty),*) => {$(
        impl Text for $type {}
    )*};
}

text!(
    LPWSTR,
    LPSTR,
    LPCWSTR,
    LPCSTR,
    *mut u16,
    *mut u8,
    *mut i8,
    *const u16,
    *const u8,
    *const i8
);

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

    fn is_whole(result: &Self) -> bool {
        *result == Self::S_OK
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
    Guid
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

macro_rules! pointer {
    ($($type:ty => $raw:ty, $address:expr;)*) => {$(
        // SAFETY: a pointer, and one to an interface, or to a resource, exactly where the target is one.
        unsafe impl<T: Wire> Wire for $type {
            type Raw = $raw;
            const WHAT: Option<What> = match T::INTERFACE {
                Some(_) => Some(What::Interface),
                None => None,
            };
            const TARGET: Option<Interfacing> = T::INTERFACE;
            const ELEMENT: Option<What> = T::WHAT;
        }
        impl<T: Wire> Return for $type {}
        impl<T: Wire> Pointer for $type {
            type Held = T;

            fn address(raw: $raw) -> *mut T::Raw {
                $address(raw)
            }
        }
    )*};
}

pointer! {
    *mut T => *mut T::Raw, core::convert::identity;
    *const T => *const T::Raw, <*const T::Raw>::cast_mut;
}

impl<T: Wire> Variable for *mut T {}
