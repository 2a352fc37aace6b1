//! Names that a declaration may have, whatever the macro calls its own.

use std::ffi::c_void;

use olemem::com::{Object, UnknownVtbl};
use olemem::crossing::proxy::{Wire, guid};
use olemem::{Guid, HResult, checked_interface};

use crate::component::{Any, call};
use crate::support::{OK, assert_kept, judged, store};

/// A structure by a name that the macro's own parts have too.
macro_rules! plain {
    ($($name:ident),*) => {$(
        #[derive(Clone, Copy)]
        #[repr(C)]
        struct $name(u32);

        // SAFETY: plain data.
        unsafe impl Wire for $name {
            type Raw = Self;
        }
    )*};
}

plain!(Description, Return, Vtbl, Option, Table, Judged);

checked_interface! {
    interface IDescription("{b5a3c8f0-1d51-4c3f-a3a0-0d6f3c0f2b31}"): IUnknown {
        fn Some([in] IID: Description, [in] this: Return, [in] call: Vtbl, [in] real: Option, [in] result: Table, [in] name: Judged) -> u32;
        fn None() -> HRESULT;
        fn IID([in] method: i32) -> i32;
    }
}

#[repr(C)]
struct Names {
    unknown: UnknownVtbl,
    some: unsafe extern "system" fn(Any, Description, Return, Vtbl, Option, Table, Judged) -> u32,
    none: unsafe extern "system" fn(Any) -> HResult,
    iid: unsafe extern "system" fn(Any, i32) -> i32,
}

unsafe extern "system" fn query_interface(this: Any, _: *const Guid, out: *mut Any) -> HResult {
    store(out, this);
    OK
}

unsafe extern "system" fn count(_: Any) -> u32 {
    1
}

unsafe extern "system" fn some(
    _: Any,
    a: Description,
    b: Return,
    c: Vtbl,
    d: Option,
    e: Table,
    f: Judged,
) -> u32 {
    a.0 + b.0 + c.0 + d.0 + e.0 + f.0
}

unsafe extern "system" fn none(_: Any) -> HResult {
    HResult::S_FALSE
}

unsafe extern "system" fn iid(_: Any, method: i32) -> i32 {
    -method
}

static NAMES: Names = Names {
    unknown: UnknownVtbl {
        query_interface,
        add_ref: count,
        release: count,
    },
    some,
    none,
    iid,
};

#[test]
fn kept() {
    let mut object = Object { vtbl: &NAMES };
    assert_kept(&judged(|_| {
        let object: *mut c_void = (&raw mut object).cast();
        // SAFETY: it lives as long as the session, and its vtable is that of the interface.
        let checked = unsafe { IDescription::wrap(object) }.expect("it is not null");
        let sum = call!(
            checked,
            Some,
            Description(1),
            Return(2),
            Vtbl(4),
            Option(8),
            Table(16),
            Judged(32)
        );
        assert_eq!(sum, 63);
        assert_eq!(call!(checked, None), HResult::S_FALSE);
        // A number, whatever its sign.
        assert_eq!(call!(checked, IID, 7), -7);
    }));
}

/// Identifiers are written with braces or without, in letters of either case; and in no other way.
#[test]
fn identifiers() {
    let expected = Guid::from_u128(0xb5a3_c8f0_1d51_4c3f_a3a0_0d6f_3c0f_2b31);
    for text in [
        "b5a3c8f0-1d51-4c3f-a3a0-0d6f3c0f2b31",
        "B5A3C8F0-1D51-4C3F-A3A0-0D6F3C0F2B31",
        "{b5a3c8f0-1D51-4c3f-A3A0-0d6f3c0f2b31}",
    ] {
        assert_eq!(guid(text), expected);
    }
    for text in [
        "",
        "b5a3c8f01d514c3fa3a00d6f3c0f2b31",
        "b5a3c8f-01d51-4c3f-a3a0-0d6f3c0f2b31",
        "b5a3c8f0-1d51-4c3f-a3a0-0d6f3c0f2b3g",
        "b5a3c8f0-1d51-4c3f-a3a0-0d6f3c0f2b3",
        "b5a3c8f0-1d51-4c3f-a3a0-0d6f3c0f2b311",
        "{b5a3c8f0-1d51-4c3f-a3a0-0d6f3c0f2b31",
    ] {
        assert!(std::panic::catch_unwind(|| guid(text)).is_err(), "{text}");
    }
}
