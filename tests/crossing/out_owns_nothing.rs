//! R7: the variable of an [out] parameter owns nothing when it is passed.

use crate::support::{OK, assert_kept, assert_told, free, judged, store, string};
use olemem::audit::{Kind, Parameter};

#[test]
fn kept() {
    assert_kept(&judged(|audit| {
        let mut text = string("old");
        free(text);
        text = std::ptr::null_mut();
        // SAFETY: a variable of this frame's.
        let call = unsafe {
            audit
                .call("IBrowser::get_StatusText")
                .out_raw(Parameter::bstr("text"), &raw mut text)
        };
        let result = call.invoke(|text| {
            store(text, string("Ready"));
            OK
        });
        assert_eq!(result, Ok(()));
        free(text);
    }));
}

/// The caller has another pointer to it, and frees it later.
#[test]
fn kept_by_an_alias() {
    assert_kept(&judged(|audit| {
        let mut text = string("old");
        let alias = text;
        // SAFETY: a variable of this frame's.
        let call = unsafe {
            audit
                .call("IBrowser::get_StatusText")
                .out_raw(Parameter::bstr("text"), &raw mut text)
        };
        call.invoke(|text| store(text, std::ptr::null_mut()));
        assert!(text.is_null());
        free(alias);
    }));
}

#[test]
fn broken() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        let mut text = string("old");
        lost = text;
        // SAFETY: a variable of this frame's.
        let call = unsafe {
            audit
                .call("IBrowser::get_StatusText")
                .out_raw(Parameter::bstr("text"), &raw mut text)
        };
        call.invoke(|text| store(text, string("Ready")));
        free(text);
    });
    assert_told(
        &report,
        "\
error[out-owned-at-entry]: the variable held a BSTR when the call began, which was never freed
  call IBrowser::get_StatusText, parameter text
  block 1: BSTR, 6 bytes, \"old\"
  rule: R7
  help: free what the variable holds, and set it to NULL, before it is passed as [out]",
    );
    free(lost);
}

/// The callee never writes to the variable, so nothing is lost in the call: what the caller does with it is another mistake.
#[test]
fn broken_by_the_caller_after_a_call_that_left_it() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        let mut text = string("old");
        // SAFETY: a variable of this frame's.
        let call = unsafe {
            audit
                .call("IBrowser::get_StatusText")
                .out_raw(Parameter::bstr("text"), &raw mut text)
        };
        call.invoke(|_| ());
        lost = text;
    });
    report.assert_kinds([Kind::OutNotSet, Kind::Leak]);
    free(lost);
}
