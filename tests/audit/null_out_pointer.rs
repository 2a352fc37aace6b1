//! A NULL where the function stores its result.

use crate::support::{assert_told, watched};
use olemem::audit::Kind;
use olemem::{UnitLen, raw};

#[test]
fn broken_replacement() {
    let report = watched(|| {
        let source = [0x41_u16, 0];
        // SAFETY: a null target is refused.
        assert!(!unsafe { raw::realloc(std::ptr::null_mut(), source.as_ptr()) });
    });
    assert_told(
        &report,
        "\
error[null-out-pointer]: SysReAllocString was given NULL where its result is to be stored
  help: pass the address of a variable for the result",
    );
}

#[test]
fn broken_reallocation() {
    let report = watched(|| {
        // SAFETY: a null target is refused.
        let done =
            unsafe { raw::realloc_units(std::ptr::null_mut(), std::ptr::null(), UnitLen::new(1)) };
        assert!(!done);
    });
    report.assert_kinds([Kind::NullOutPointer]);
}

#[test]
#[cfg(feature = "export")]
fn broken_functions_of_c() {
    use olemem::export;
    use std::ptr::{null, null_mut};

    let report = watched(|| {
        // SAFETY: all of these refuse a null out pointer, and null is a legal source.
        unsafe {
            let _ = export::VarBstrCat(null(), null(), null_mut());
        }
        // SAFETY: as above.
        unsafe {
            let _ = export::CoGetMalloc(1, null_mut());
        }
        // SAFETY: as above.
        unsafe {
            let _ = export::StringFromCLSID(null(), null_mut());
        }
        // SAFETY: as above.
        unsafe {
            let _ = export::ProgIDFromCLSID(null(), null_mut());
        }
        // SAFETY: as above.
        unsafe {
            let _ = export::SHStrDupW(null(), null_mut());
        }
        // SAFETY: as above.
        unsafe {
            let _ = export::SHStrDupA(null(), null_mut());
        }
    });
    let names: Vec<_> = report
        .violations()
        .iter()
        .map(|violation| violation.message.split(' ').next().expect("a name"))
        .collect();
    assert_eq!(
        names,
        [
            "VarBstrCat",
            "CoGetMalloc",
            "StringFromCLSID",
            "ProgIDFromCLSID",
            "SHStrDupW",
            "SHStrDupA"
        ]
    );
    report.assert_kinds([Kind::NullOutPointer; 6]);
}
