//! R11: what was handed out is the caller's, and not the callee's to free.

use crate::support::{assert_kept, assert_told, free, judged, store, string};
use olemem::Bstr;
use olemem::audit::Kind;

#[test]
fn kept() {
    assert_kept(&judged(|audit| {
        let own = string("Ready");
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| store(text, string("Ready")));
        audit.call("IBrowser::Quit").invoke(|| free(own));
        assert_eq!(text, "Ready");
    }));
}

/// The caller's string is whole.
#[test]
fn broken() {
    assert_told(
        &judged(|audit| {
            let mut own = std::ptr::null_mut();
            let text = audit
                .call("IBrowser::get_StatusText")
                .out_bstr("text")
                .invoke(|text| {
                    own = string("Ready");
                    store(text, own);
                });
            audit.call("IBrowser::Quit").invoke(|| free(own));
            assert_eq!(text, "Ready");
        }),
        "\
error[out-freed-by-callee]: the callee freed a BSTR that it had handed out in an earlier call
  call IBrowser::get_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R11
  help: what was handed out is the caller's to free",
    );
}

/// Another object may have been given it in the meantime.
#[test]
fn objects_are_told_apart() {
    let (one, other) = (1_u8, 2_u8);
    let hand_out = |code: &olemem::audit::Session| -> Bstr {
        code.call("IBrowser::get_StatusText")
            .on(&raw const one)
            .out_bstr("text")
            .invoke(|text| store(text, string("Ready")))
    };
    assert_kept(&judged(|audit| {
        let text = hand_out(audit).into_raw().cast_mut();
        audit
            .call("IBrowser::Adopt")
            .on(&raw const other)
            .invoke(|| free(text));
    }));
    let report = judged(|audit| {
        let text = hand_out(audit);
        let raw = text.as_raw().cast_mut();
        audit
            .call("IBrowser::Quit")
            .on(&raw const one)
            .invoke(|| free(raw));
    });
    report.assert_kinds([Kind::OutFreedByCallee]);
}

/// The caller has freed it, as it should; the callee frees it once more.
#[test]
fn broken_after_the_caller_freed_it() {
    let report = judged(|audit| {
        let own = string("Ready");
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| store(text, own));
        drop(text);
        audit.call("IBrowser::Quit").invoke(|| free(own));
    });
    report.assert_kinds([Kind::OutFreedByCallee]);
    assert_eq!(
        report.violations()[0].message,
        "the callee freed a BSTR that it had handed out in an earlier call"
    );
}
