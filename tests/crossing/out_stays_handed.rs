//! R11: what was handed out is the caller's, and not the callee's to free.

use crate::counted::lent;
use crate::support::{assert_kept, assert_told, free, judged, load, store, string};
use olemem::Bstr;
use olemem::audit::{CountingObject, Kind, Parameter};

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

/// Where the caller says that its own code runs within the call, what is freed there is the caller's to free.
#[test]
fn kept_by_a_callback_that_frees_what_is_its_own() {
    assert_kept(&judged(|audit| {
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| store(text, string("Ready")));
        let mut text = Some(text);
        audit
            .call("IBrowser::Navigate")
            .calls_back()
            .invoke(|| text = None);
        assert!(text.is_none());
    }));
}

/// If it was the callee all the same, that is told when the owner frees.
#[test]
fn broken_behind_a_callback() {
    let report = judged(|audit| {
        let own = string("Ready");
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| store(text, own));
        audit
            .call("IBrowser::Navigate")
            .calls_back()
            .invoke(|| free(own));
        drop(text);
    });
    report.assert_kinds([Kind::DoubleFree]);
}

/// Through an interface that the object was given in an earlier call, the caller's code may be the one that frees: a
/// warning that says so, and it is done.
#[test]
fn a_sink_may_free_what_is_its_own() {
    let report = judged(|audit| {
        let sink = CountingObject::unknown();
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| store(text, string("Ready")));
        // SAFETY: the sink is live.
        let advise = unsafe {
            audit
                .call("IBrowser::Advise")
                .in_raw(Parameter::interface("sink"), lent(&sink))
        };
        advise.invoke(|_| ());
        let mut text = Some(text);
        audit.call("IBrowser::Navigate").invoke(|| text = None);
        assert!(text.is_none());
    });
    assert_told(
        &report,
        "\
warning[out-freed-by-callee]: the callee, or code that it called back, freed a BSTR that it had handed out in an earlier call
  call IBrowser::get_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R11
  help: what was handed out is the caller's to free",
    );
    report.assert_clean();
    assert_eq!(report.counts().live, 0);
}

/// A callback that is itself a call is nobody else's doing.
#[test]
fn kept_by_a_callback_that_is_a_call() {
    assert_kept(&judged(|audit| {
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| store(text, string("Ready")));
        let mut text = Some(text);
        audit.call("IBrowser::Navigate").invoke(|| {
            audit.call("IEvents::OnNavigate").invoke(|| text = None);
        });
        assert!(text.is_none());
    }));
}

/// Once the caller has freed it, nobody frees it again, whoever may have been called back.
#[test]
fn broken_twice_where_a_callback_could_be_to_blame() {
    let report = judged(|audit| {
        let own = string("Ready");
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| store(text, own));
        drop(text);
        audit
            .call("IBrowser::Navigate")
            .calls_back()
            .invoke(|| free(own));
    });
    report.assert_kinds([Kind::DoubleFree]);
}

/// What was handed out came back by a call of another's, which passed it on, or by a method of no object. Whoever has it now
/// was given it by its caller.
#[test]
fn kept_by_a_string_that_came_back_by_another() {
    let (one, other) = (0_u8, 0_u8);
    for passes_it_on in [true, false] {
        assert_kept(&judged(|audit| {
            let mut text = audit
                .call("IBrowser::get_StatusText")
                .on(&raw const one)
                .out_bstr("text")
                .invoke(|text| store(text, string("Ready")));
            let mut own = std::ptr::null_mut();
            let mut exchange = |text: *mut *mut u16| {
                own = load(text);
                store(text, string("new"));
            };
            audit
                .call("IFrame::ExchangeStatusText")
                .on(&raw const other)
                .inout_bstr("text", &mut text)
                .invoke(|text| {
                    if passes_it_on {
                        // SAFETY: the variable is there until the call has returned.
                        let inner = unsafe {
                            audit
                                .call("IBrowser::ExchangeStatusText")
                                .on(&raw const one)
                                .inout_raw(Parameter::bstr("text"), text)
                        };
                        inner.invoke(exchange);
                    } else {
                        exchange(text);
                    }
                });
            let again = audit
                .call("IBrowser::get_StatusText")
                .on(&raw const one)
                .out_bstr("text")
                .invoke(|text| store(text, own));
            assert_eq!(
                (&*text, &*again),
                (&*Bstr::from("new"), &*Bstr::from("Ready"))
            );
        }));
    }
}

/// What was handed out as an [in,out] value is its caller's as well. (So is an element: see the arrays.)
#[test]
fn broken_by_an_in_out_value() {
    let report = judged(|audit| {
        let mut own = std::ptr::null_mut();
        let mut text = Bstr::new();
        audit
            .call("IBrowser::ExchangeStatusText")
            .inout_bstr("text", &mut text)
            .invoke(|text| {
                own = string("Ready");
                store(text, own);
            });
        audit.call("IBrowser::Quit").invoke(|| free(own));
        assert_eq!(text, "Ready");
    });
    assert_told(
        &report,
        "\
error[out-freed-by-callee]: the callee freed a BSTR that it had handed out in an earlier call
  call IBrowser::ExchangeStatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R11
  help: what was handed out is the caller's to free",
    );
}
