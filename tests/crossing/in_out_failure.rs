//! R17: on failure an [in,out] value is as it was, or NULL with the old one freed.

use crate::support::{FAIL, assert_kept, assert_told, free, judged, load, store, string};
use olemem::Bstr;
use olemem::audit::{Kind, Report};

/// A call that fails, over a string "old"; what is in the variable is left to be looked at.
fn fails(callee: impl FnOnce(*mut *mut u16), look: impl FnOnce(&Bstr)) -> Report {
    judged(|audit| {
        let mut title = Bstr::from("old");
        let result = audit
            .call("IBrowser::Rename")
            .inout_bstr("title", &mut title)
            .invoke(|title| {
                callee(title);
                FAIL
            });
        assert_eq!(result, Err(FAIL));
        look(&title);
    })
}

#[track_caller]
fn assert_changed(report: &Report, what: &str, block: &str) {
    let story = format!(
        "\
error[inout-changed-on-failure]: the call failed, and {what}
  call IBrowser::Rename, parameter title
  {block}
  rule: R17
  help: on failure leave an [in,out] value as it was, or free it and store NULL"
    );
    assert_told(report, &story);
}

#[test]
fn kept() {
    assert_kept(&fails(|_| (), |title| assert_eq!(*title, "old")));
    assert_kept(&fails(
        |title| {
            free(load(title));
            store(title, std::ptr::null_mut());
        },
        |title| assert!(title.is_null()),
    ));
}

#[test]
fn broken_by_a_new_value() {
    let report = fails(
        |title| {
            free(load(title));
            store(title, string("new"));
        },
        |title| assert_eq!(*title, "new"),
    );
    let what = "a BSTR stands in place of the old value";
    assert_changed(&report, what, "block 2: BSTR, 6 bytes, \"new\"");
}

/// That the old one is never freed follows from it.
#[test]
fn broken_by_a_new_value_and_a_leak() {
    let mut old = std::ptr::null_mut();
    let report = fails(
        |title| {
            old = load(title);
            store(title, string("new"));
        },
        |_| (),
    );
    report.assert_kinds([Kind::InoutChangedOnFailure]);
    free(old);
}

#[test]
fn broken_by_a_lost_value() {
    let mut old = std::ptr::null_mut();
    let report = fails(
        |title| {
            old = load(title);
            store(title, std::ptr::null_mut());
        },
        |title| assert!(title.is_null()),
    );
    let what = "NULL stands in place of a BSTR";
    assert_changed(&report, what, "block 1: BSTR, 6 bytes, \"old\"");
    free(old);
}

#[test]
fn broken_by_other_contents() {
    let report = fails(
        |title| store(load(title), 0x4F),
        |title| assert_eq!(*title, "Old"),
    );
    let what = "a BSTR was written to";
    assert_changed(&report, what, "block 1: BSTR, 6 bytes, \"old\"");
}

/// Freed, and left there: that is told more exactly.
#[test]
fn broken_by_a_dangling_pointer() {
    let report = fails(|title| free(load(title)), |title| assert!(title.is_null()));
    report.assert_kinds([Kind::InoutDangling]);
}
