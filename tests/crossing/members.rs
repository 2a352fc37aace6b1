//! R35, R36, R38: pointers within a structure.

use crate::support::{
    OK, assert_kept, assert_told, free, free_task, judged, load, store, string, task,
};
use olemem::audit::{Kind, Parameter, Report};

/// A structure of the caller's with one BSTR, [in,out].
fn updated(title: *mut u16, callee: impl FnOnce(*mut *mut u16)) -> (Report, *mut u16) {
    let mut left = std::ptr::null_mut();
    let report = judged(|audit| {
        drop(olemem::Bstr::from("something"));
        let mut title = title;
        if title.is_null() {
            title = string("old");
        }
        let slot = &raw mut title;
        audit
            .call("IBrowser::UpdatePage")
            .with(|call| {
                // SAFETY: the structure is there until the call has returned.
                unsafe { call.in_out(Parameter::bstr("page.title").member(), slot.cast()) };
            })
            .invoke(|| callee(slot));
        left = load(slot);
    });
    (report, left)
}

#[test]
fn kept() {
    let (report, left) = updated(std::ptr::null_mut(), |title| {
        free(load(title));
        store(title, std::ptr::null_mut());
    });
    assert_kept(&report);
    assert!(left.is_null());
}

/// R35: NULL is stored over a string.
#[test]
fn broken_by_null_over_a_string() {
    let mut lost = std::ptr::null_mut();
    let (report, _) = updated(std::ptr::null_mut(), |title| {
        lost = load(title);
        store(title, std::ptr::null_mut());
    });
    assert_told(
        &report,
        "\
error[element-leaked]: NULL was stored in a structure in place of a BSTR, which was never freed
  call IBrowser::UpdatePage, parameter page.title
  block 2: BSTR, 6 bytes, \"old\"
  rule: R35
  help: free each element before the array, and those that a smaller count leaves behind",
    );
    free(lost);
}

/// R9: another string is stored over it.
#[test]
fn broken_by_another_string_over_a_string() {
    let mut lost = std::ptr::null_mut();
    let (report, left) = updated(std::ptr::null_mut(), |title| {
        lost = load(title);
        store(title, std::ptr::null_mut());
        store(title, string("new"));
    });
    report.assert_kinds([Kind::InoutLeaked, Kind::Leak]);
    free(lost);
    free(left);
}

/// R36: the caller never set it.
#[test]
fn broken_by_the_caller() {
    let mut garbage = [0xCDCD_u16; 4];
    let (report, _) = updated(garbage.as_mut_ptr(), |_| ());
    assert_told(
        &report,
        "\
error[member-uninitialised]: what is passed in a structure is no block at all
  call IBrowser::UpdatePage, parameter page.title
  rule: R36
  help: set every pointer of a structure to NULL or to a block before it is passed",
    );
}

/// R36 for what is only lent.
#[test]
fn broken_by_the_caller_for_in() {
    let mut garbage = [0xCDCD_u16; 4];
    let report = judged(|audit| {
        drop(olemem::Bstr::from("something"));
        let title = garbage.as_mut_ptr();
        audit
            .call("IBrowser::put_Page")
            .with(|call| {
                // SAFETY: any address that is none.
                unsafe { call.input(Parameter::bstr("page.title").member(), title.cast()) };
            })
            .invoke(|| ());
    });
    assert_told(
        &report,
        "\
error[member-uninitialised]: what is passed in a structure is no block at all
  call IBrowser::put_Page, parameter page.title
  rule: R36
  help: set every pointer of a structure to NULL or to a block before it is passed",
    );
}

/// R38: a member that is an LPWSTR is task memory, and the caller frees it as such.
fn stat(callee: impl FnOnce() -> *mut u8, caller: impl FnOnce(*mut u8)) -> Report {
    judged(|audit| {
        let mut name = std::ptr::null_mut::<u8>();
        let slot = &raw mut name;
        audit
            .call("IStream::Stat")
            .with(|call| {
                let name = Parameter::string("stat.pwcsName").member();
                // SAFETY: the structure is there until the call has returned.
                unsafe { call.output(name, slot.cast()) };
            })
            .invoke(|| {
                store(slot, callee());
                OK
            })
            .expect("it succeeds");
        caller(load(slot));
    })
}

#[test]
fn kept_string() {
    assert_kept(&stat(|| task(8), free_task));
}

#[test]
fn broken_string_by_the_callee() {
    let mut lost = std::ptr::null_mut();
    let report = stat(
        || {
            lost = string("name");
            lost.cast()
        },
        |name| assert!(name.is_null()),
    );
    assert_told(
        &report,
        "\
error[out-wrong-family]: what was handed out is a BSTR, of the wrong family
  call IStream::Stat, parameter stat.pwcsName
  block 1: BSTR, 8 bytes, \"name\"
  rule: R38
  help: hand out a BSTR that SysAllocString* made where a BSTR is declared, else memory of CoTaskMemAlloc",
    );
    free(lost);
}

#[test]
fn broken_string_by_the_caller() {
    let mut lost = std::ptr::null_mut();
    let report = stat(
        || {
            lost = task(8);
            lost
        },
        |name| free(name.cast()),
    );
    report.assert_kinds([Kind::FamilyMismatch]);
    free_task(lost);
}

/// R36: an [in] member leads to what was freed.
#[test]
fn broken_by_a_string_that_is_gone() {
    let report = judged(|audit| {
        let path = task(8);
        free_task(path);
        audit
            .call("IBrowser::put_Page")
            .with(|call| {
                // SAFETY: of a member that is no block any address will do.
                unsafe { call.input(Parameter::string("page.path").member(), path.cast()) };
            })
            .invoke(|| ());
    });
    assert_told(
        &report,
        "\
error[member-uninitialised]: what is passed in a structure is task memory that was freed
  call IBrowser::put_Page, parameter page.path
  block 1: task memory, 8 bytes
  rule: R36
  help: set every pointer of a structure to NULL or to a block before it is passed",
    );
}
