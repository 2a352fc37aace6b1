//! R15: every [out] variable is written, whatever the result.

use crate::support::{FAIL, OK, assert_kept, assert_told, free, judged, store, string};
use olemem::HResult;
use olemem::audit::{Parameter, Report};

fn returns(result: HResult) -> Report {
    judged(|audit| {
        drop(olemem::Bstr::from("something"));
        let got = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|_| result);
        assert_eq!(got.is_ok(), result.is_success());
        assert!(got.unwrap_or_default().is_null());
    })
}

const STORY: &str = "\
error[out-not-set]: the call returned, and an [out] variable was never written
  call IBrowser::get_StatusText, parameter text
  rule: R15
  help: store NULL in every [out] variable when the method begins, whatever it returns later";

#[test]
fn kept() {
    assert_kept(&judged(|audit| {
        for result in [OK, FAIL] {
            let text = audit
                .call("IBrowser::get_StatusText")
                .out_bstr("text")
                .invoke(|text| {
                    store(text, std::ptr::null_mut());
                    if result.is_success() {
                        store(text, string("Ready"));
                    }
                    result
                });
            assert_eq!(text.is_ok(), result.is_success());
        }
    }));
}

#[test]
fn broken_on_success() {
    assert_told(&returns(OK), STORY);
}

#[test]
fn broken_on_failure() {
    assert_told(&returns(FAIL), STORY);
}

/// The variable then holds what it held: a caller that goes by that has lost nothing.
#[test]
fn broken_and_nothing_lost() {
    let report = judged(|audit| {
        let mut text = string("old");
        // SAFETY: a variable of this frame's.
        let call = unsafe {
            audit
                .call("IBrowser::get_StatusText")
                .out_raw(Parameter::bstr("text"), &raw mut text)
        };
        assert_eq!(call.invoke(|_| FAIL), Err(FAIL));
        free(text);
    });
    assert_told(&report, STORY);
}
