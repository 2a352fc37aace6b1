//! SAFEARRAYs: leaked, destroyed twice, used too late, and freed as what they are not.

use crate::support::{assert_kept, assert_told, free, free_task, string, watched};
use olemem::audit::{self, Kind, Part, Session};
use olemem::com::{ArrayBound, SafeArray, VarType};
use olemem::error::ArrayError;
use olemem::{Bstr, ByteVector, array};

fn bytes(count: u32) -> *mut SafeArray {
    let array = array::create(VarType::UI1, &[ArrayBound { count, lower: 0 }]);
    assert!(!array.is_null());
    array
}

/// Destroys an array, or what is to be taken for one.
fn destroy(array: *mut SafeArray) -> Result<(), ArrayError> {
    // SAFETY: either it is a live array at its last use, or the audit judges the address and touches nothing.
    unsafe { array::destroy(array) }
}

#[test]
fn kept() {
    assert_kept(&watched(|| {
        let text = Bstr::from_bytes(b"odd");
        let vector = ByteVector::try_from_bstr(text.as_bstr()).expect("memory");
        let other = vector.clone();
        assert_eq!(vector.try_to_bstr(), Ok(text));
        drop((vector, other));
        let strings = array::create_vector(VarType::BSTR, 0, 2);
        // SAFETY: live, and of two strings.
        let place = unsafe { (*strings).data }.cast::<*const u16>();
        // SAFETY: as above; the string is the array's from now on.
        unsafe { place.write(Bstr::from("owned").into_raw()) };
        assert_eq!(destroy(strings), Ok(()));
    }));
}

/// One violation, though an array is two blocks.
#[test]
fn broken_leak() {
    let mut lost = std::ptr::null_mut();
    let report = watched(|| lost = bytes(3));
    let size = 16 + size_of::<SafeArray>();
    assert_told(
        &report,
        &format!(
            "\
error[leak]: a SAFEARRAY was never freed
  block 1: SAFEARRAY, {size} bytes
  rule: R1
  help: whoever owns the array at the end destroys it, with its data: SafeArrayDestroy"
        ),
    );
    let block = report.violations()[0].block.as_ref().expect("a block");
    assert_eq!(block.part, Some(Part::Array));
    assert_eq!(report.counts().live, 2);
    // It is sound all the same.
    assert_eq!(destroy(lost), Ok(()));
}

#[test]
fn broken_leak_of_a_vector() {
    let mut lost = std::ptr::null_mut();
    let report = watched(|| lost = array::create_vector(VarType::UI1, 0, 5));
    let size = 16 + size_of::<SafeArray>() + 5;
    let text = report.to_string();
    assert!(
        text.contains(&format!("  block 1: SAFEARRAY, {size} bytes\n")),
        "{text}"
    );
    report.assert_kinds([Kind::Leak]);
    assert_eq!(destroy(lost), Ok(()));
}

/// Whoever loses the pointer to the data loses the data.
#[test]
fn broken_leak_of_the_data() {
    let mut lost = std::ptr::null_mut();
    let report = watched(|| {
        let array = bytes(3);
        // SAFETY: live.
        lost = unsafe { (*array).data };
        // SAFETY: live, and nobody else's.
        unsafe { (*array).data = std::ptr::null_mut() };
        assert_eq!(destroy(array), Ok(()));
    });
    assert_told(
        &report,
        "\
error[leak]: the data of a SAFEARRAY was never freed
  block 2: data of a SAFEARRAY, 3 bytes
  rule: R1
  help: whoever owns the array at the end destroys it, with its data: SafeArrayDestroy",
    );
    free_task(lost.cast());
}

#[test]
fn kept_on_purpose() {
    let session = Session::begin();
    let array = bytes(3);
    assert!(audit::ignore(array));
    session.finish().assert_clean();
    assert_eq!(destroy(array), Ok(()));
}

#[test]
fn broken_destroyed_twice() {
    let report = watched(|| {
        let array = bytes(3);
        assert_eq!(destroy(array), Ok(()));
        assert_eq!(destroy(array), Err(ArrayError::Missing));
    });
    let size = 16 + size_of::<SafeArray>();
    assert_told(
        &report,
        &format!(
            "\
error[double-free]: a SAFEARRAY that was freed before is freed again
  block 1: SAFEARRAY, {size} bytes
  rule: R21
  help: free each block once; after handing ownership on, or freeing, set the variable to NULL"
        ),
    );
}

/// R41: the strings in an array are its own.
#[test]
fn broken_string_freed_as_well() {
    let report = watched(|| {
        let array = array::create_vector(VarType::BSTR, 0, 1);
        // SAFETY: live, and of one string.
        let place = unsafe { (*array).data }.cast::<*mut u16>();
        let text = string("one");
        // SAFETY: as above.
        unsafe { place.write(text) };
        free(text);
        assert_eq!(destroy(array), Ok(()));
    });
    assert_told(
        &report,
        "\
error[double-free]: a BSTR that was freed before is freed again
  block 2: BSTR, 6 bytes, \"one\"
  rule: R21
  help: free each block once; after handing ownership on, or freeing, set the variable to NULL",
    );
}

#[test]
fn broken_used_too_late() {
    let report = watched(|| {
        let array = bytes(3);
        assert_eq!(destroy(array), Ok(()));
        // SAFETY: the audit says that it must not be touched.
        assert_eq!(unsafe { array::access(array) }, Err(ArrayError::Missing));
        // SAFETY: as above.
        assert_eq!(unsafe { array::to_bstr(array) }, Err(ArrayError::Missing));
    });
    report.assert_kinds([Kind::UseAfterFree; 2]);
    let message = &report.violations()[0].message;
    assert_eq!(message, "a SAFEARRAY is read after it was freed");
}

#[test]
fn broken_freed_as_task_memory() {
    let report = watched(|| {
        let array = bytes(3);
        free_task(array.cast());
        assert_eq!(destroy(array), Ok(()));
    });
    let size = 16 + size_of::<SafeArray>();
    assert_told(
        &report,
        &format!(
            "\
error[interior-free]: a pointer 16 bytes behind the start of a SAFEARRAY is freed as task memory
  block 1: SAFEARRAY, {size} bytes
  rule: R24
  help: keep the pointer that the allocation gave, and free that one"
        ),
    );
}

/// What is no array is told, and nothing of it is read.
#[test]
fn broken_destroyed_what_is_none() {
    let report = watched(|| {
        let none = std::ptr::without_provenance_mut(0x1000);
        assert_eq!(destroy(none), Err(ArrayError::Missing));
    });
    report.assert_kinds([Kind::ForeignFree]);
}

/// Beyond its bytes an array has guards, as any block has.
#[test]
fn broken_written_behind() {
    let report = watched(|| {
        let array = bytes(3);
        // SAFETY: live.
        let data = unsafe { (*array).data };
        // SAFETY: behind the three bytes is a guard, of the same allocation.
        unsafe { crate::support::poke(data, 3, 1) };
        assert_eq!(destroy(array), Ok(()));
    });
    let message = &report.violations()[0].message;
    assert_eq!(
        message,
        "byte 1 behind the data of a SAFEARRAY was overwritten, by 0x01"
    );
}

#[test]
#[cfg(feature = "export")]
fn broken_null_out_pointers() {
    use olemem::export;
    use std::ptr::{null, null_mut};

    let report = watched(|| {
        // SAFETY: all of these refuse a null out pointer, and null is a legal string.
        let _ = unsafe { export::VectorFromBstr(null(), null_mut()) };
        // SAFETY: as above.
        let _ = unsafe { export::BstrFromVector(null(), null_mut()) };
        // SAFETY: as above.
        let _ = unsafe { export::SafeArrayAccessData(null_mut(), null_mut()) };
        // SAFETY: as above.
        let _ = unsafe { export::SafeArrayGetLBound(null(), 1, null_mut()) };
        // SAFETY: as above.
        let _ = unsafe { export::SafeArrayGetUBound(null(), 1, null_mut()) };
        // SAFETY: as above.
        let _ = unsafe { export::SafeArrayGetVartype(null(), null_mut()) };
    });
    let names: Vec<_> = report
        .violations()
        .iter()
        .map(|violation| violation.message.split(' ').next().expect("a name"))
        .collect();
    assert_eq!(
        names,
        [
            "VectorFromBstr",
            "BstrFromVector",
            "SafeArrayAccessData",
            "SafeArrayGetLBound",
            "SafeArrayGetUBound",
            "SafeArrayGetVartype"
        ]
    );
    report.assert_kinds([Kind::NullOutPointer; 6]);
}
