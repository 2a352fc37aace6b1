//! R28: a callee may pin what is its caller's, and take the pin back when the caller has freed it.

use crate::support::{assert_kept, assert_told, free, judged, store, string};
use olemem::audit::{Kind, Parameter, Session};
use olemem::raw;

fn pin(text: *mut u16) {
    raw::pin(text).expect("a live string");
}

fn unpin(text: *mut u16) {
    // SAFETY: the tests take back what they gave, and the audit judges what is too much.
    unsafe { raw::unpin(text) };
}

fn byte_len(text: *mut u16) -> u32 {
    // SAFETY: the string is there while it is pinned.
    unsafe { raw::byte_len(text) }.get()
}

/// Lends a string to a callee that does something with it.
fn put(audit: &Session, text: *mut u16, callee: impl FnOnce(*mut u16)) {
    // SAFETY: the string is live.
    let call = unsafe {
        audit
            .call("IBrowser::put_StatusText")
            .in_raw(Parameter::bstr("text"), text)
    };
    call.invoke(callee);
}

/// Has a callee make a string, which it keeps pinned.
fn get_pinned(audit: &Session) -> *mut u16 {
    let text = audit
        .call("IBrowser::get_StatusText")
        .out_bstr("text")
        .invoke(|text| {
            let own = string("Ready");
            pin(own);
            store(text, own);
        });
    text.into_raw().cast_mut()
}

#[test]
fn kept_over_calls_while_the_caller_frees_it() {
    assert_kept(&judged(|audit| {
        let text = string("Ready");
        put(audit, text, pin);
        free(text);
        audit
            .call("IBrowser::Navigate")
            .invoke(|| assert_eq!(byte_len(text), 10));
        audit.call("IBrowser::Quit").invoke(|| unpin(text));
    }));
}

#[test]
fn kept_where_the_pin_goes_first() {
    assert_kept(&judged(|audit| {
        let text = string("Ready");
        put(audit, text, pin);
        audit.call("IBrowser::Quit").invoke(|| unpin(text));
        free(text);
    }));
}

#[test]
fn kept_within_a_call() {
    assert_kept(&judged(|audit| {
        let text = string("Ready");
        put(audit, text, |text| {
            pin(text);
            unpin(text);
        });
        free(text);
    }));
}

#[test]
fn kept_of_what_was_handed_out() {
    assert_kept(&judged(|audit| {
        let text = get_pinned(audit);
        free(text);
        audit.call("IBrowser::Quit").invoke(|| unpin(text));
    }));
}

/// The pin is the callee's, the string is not: the verdict tells it, for the free was put off.
#[test]
fn broken_by_a_callee_that_pins_and_frees() {
    let report = judged(|audit| {
        let text = string("Ready");
        put(audit, text, |text| {
            pin(text);
            free(text);
            unpin(text);
        });
        free(text);
    });
    assert_told(
        &report,
        "\
error[in-freed-by-callee]: the callee freed a BSTR that it was lent as [in]
  call IBrowser::put_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R1
  help: leave what is [in] to the caller; to keep or change a string, make a copy of one's own",
    );
}

/// So is that of a string that was handed out, where it is freed: what the caller does with it then is no second mistake.
#[test]
fn broken_by_a_callee_that_frees_what_it_pinned_and_handed_out() {
    let report = judged(|audit| {
        let text = get_pinned(audit);
        audit.call("IBrowser::Quit").invoke(|| {
            free(text);
            unpin(text);
        });
        free(text);
    });
    assert_told(
        &report,
        "\
error[out-freed-by-callee]: the callee freed a BSTR that it had handed out in an earlier call
  call IBrowser::get_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R11
  help: what was handed out is the caller's to free",
    );
}

/// Once the last pin is gone the string is freed, whoever frees it once more.
#[test]
fn broken_by_a_free_after_the_last_pin() {
    let report = judged(|audit| {
        let text = string("Ready");
        put(audit, text, pin);
        free(text);
        audit.call("IBrowser::Quit").invoke(|| {
            unpin(text);
            free(text);
        });
    });
    report.assert_kinds([Kind::InRetainedByCallee]);
}

/// A string that its caller has freed stays until the last pin goes, and may be lent on.
#[test]
fn kept_by_a_callee_that_lends_on_what_it_pinned() {
    assert_kept(&judged(|audit| {
        let text = string("Ready");
        put(audit, text, pin);
        free(text);
        audit.call("IBrowser::Navigate").invoke(|| {
            // SAFETY: the string is there while it is pinned.
            let told = unsafe {
                audit
                    .call("IEvents::OnText")
                    .in_raw(Parameter::bstr("text"), text)
            };
            told.invoke(|text| assert_eq!(byte_len(text), 10));
        });
        audit.call("IBrowser::Quit").invoke(|| unpin(text));
    }));
}
