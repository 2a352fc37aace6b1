//! R12: to keep an incoming string a callee stores a copy.

use crate::counted::lent;
use crate::support::{assert_kept, assert_told, free, judged, store, string};
use olemem::audit::{CountingObject, Kind, Parameter, Session};
use olemem::{Bstr, UnitLen, raw};

const HELP: &str = "help: to keep an incoming string, store a copy";

/// Keeps what it was lent.
fn put(audit: &Session, text: &Bstr) -> *mut u16 {
    let mut own = std::ptr::null_mut();
    audit
        .call("IBrowser::put_StatusText")
        .in_bstr("text", text)
        .invoke(|text| own = text);
    own
}

#[test]
fn kept() {
    assert_kept(&judged(|audit| {
        let text = Bstr::from("Ready");
        let own = put(audit, &text);
        // It has forgotten it in the meantime.
        assert!(!own.is_null());
        audit.call("IBrowser::Quit").invoke(|| ());
        drop(text);
        let again = Bstr::from("again");
        put(audit, &again);
    }));
}

#[test]
fn broken_by_a_free() {
    assert_told(
        &judged(|audit| {
            let text = Bstr::from("Ready");
            let own = put(audit, &text);
            audit.call("IBrowser::Quit").invoke(|| free(own));
            assert_eq!(text, "Ready");
        }),
        &format!(
            "\
error[in-retained-by-callee]: the callee freed a BSTR that it was lent as [in] in an earlier call
  call IBrowser::put_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R1, R12
  {HELP}"
        ),
    );
}

#[test]
fn broken_by_handing_it_out() {
    assert_told(
        &judged(|audit| {
            let text = Bstr::from("Ready");
            let own = put(audit, &text);
            let same = audit
                .call("IBrowser::get_StatusText")
                .out_bstr("text")
                .invoke(|text| store(text, own));
            drop(same);
            std::mem::forget(text);
        }),
        &format!(
            "\
error[in-retained-by-callee]: the callee handed out a BSTR that it was lent as [in] in an earlier call
  call IBrowser::get_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R1, R12
  {HELP}"
        ),
    );
}

/// Through an interface that the object was given, in this call or an earlier one, the caller's code may be the one that
/// frees or reallocates: a warning that says so.
#[test]
fn broken_where_a_callback_could_be_to_blame() {
    let told = |how: &str, use_it: fn(*mut u16)| {
        for in_this_call in [true, false] {
            let report = judged(|audit| {
                let sink = CountingObject::unknown();
                let text = Bstr::from("Ready");
                let own = put(audit, &text);
                // SAFETY: the sink is live.
                let advise = unsafe {
                    audit
                        .call("IBrowser::Advise")
                        .in_raw(Parameter::interface("sink"), lent(&sink))
                };
                advise.invoke(|_| {
                    if in_this_call {
                        use_it(own);
                    }
                });
                if !in_this_call {
                    audit.call("IBrowser::Navigate").invoke(|| use_it(own));
                }
            });
            assert_told(
                &report,
                &format!(
                    "\
warning[in-retained-by-callee]: the callee, or code that it called back, {how} a BSTR that it was lent as [in] in an earlier call
  call IBrowser::put_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R1, R12
  {HELP}"
                ),
            );
            report.assert_clean();
        }
    };
    told("freed", free);
    told("reallocated", |text| {
        let mut text = text;
        // SAFETY: the string is live, and nobody else has this variable.
        assert!(unsafe { raw::realloc_units(&raw mut text, std::ptr::null(), UnitLen::new(99)) });
        free(text);
    });
}

/// So it is where it is handed out.
#[test]
fn broken_by_handing_it_out_where_a_callback_could_be_to_blame() {
    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        let own = put(audit, &text);
        let same = audit
            .call("IBrowser::get_StatusText")
            .calls_back()
            .out_bstr("text")
            .invoke(|text| store(text, own));
        drop(same);
        std::mem::forget(text);
    });
    report.assert_kinds([Kind::InRetainedByCallee]);
    report.assert_clean();
}

/// A callback that is itself a call is nobody else's doing: what it frees it may have to free.
#[test]
fn kept_by_a_callback_that_frees_what_is_its_own() {
    assert_kept(&judged(|audit| {
        let text = Bstr::from("Ready");
        put(audit, &text);
        let mut text = Some(text);
        audit.call("IBrowser::Navigate").invoke(|| {
            audit.call("IEvents::OnNavigate").invoke(|| text = None);
        });
        assert!(text.is_none());
    }));
}

/// The caller freed its string, as it may: the callee that still has it is to blame.
#[test]
fn broken_after_the_caller_freed_it() {
    let told = |how: &str, use_it: fn(*mut u16)| {
        let report = judged(|audit| {
            let text = Bstr::from("Ready");
            let own = put(audit, &text);
            drop(text);
            audit.call("IBrowser::Quit").invoke(|| use_it(own));
        });
        assert_told(
            &report,
            &format!(
                "\
error[in-retained-by-callee]: the callee {how} a BSTR that it was lent as [in] in an earlier call
  call IBrowser::put_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R1, R12
  {HELP}"
            ),
        );
    };
    told("freed", free);
    told("used", |text| {
        // SAFETY: the audit knows that it was freed, and reads nothing.
        assert_eq!(unsafe { raw::byte_len(text) }.get(), 0);
    });
}

/// Where a callback could be to blame it is told as what it is in any case, and not as less.
#[test]
fn broken_after_the_caller_freed_it_where_a_callback_could_be_to_blame() {
    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        let own = put(audit, &text);
        drop(text);
        audit
            .call("IBrowser::Navigate")
            .calls_back()
            .invoke(|| free(own));
    });
    report.assert_kinds([Kind::DoubleFree]);
    assert!(!report.is_clean());
}

/// The same by code of no call's is a second free as any other; so is one by a callee that never had it.
#[test]
fn broken_by_somebody_else() {
    let report = judged(|audit| {
        let text = string("Ready");
        put(audit, &Bstr::from("Ready"));
        free(text);
        free(text);
        let text = string("Ready");
        free(text);
        audit.call("IBrowser::Quit").invoke(|| free(text));
    });
    let story = |call: &str, id: u32| {
        format!(
            "\
error[double-free]: a BSTR that was freed before is freed again
{call}  block {id}: BSTR, 10 bytes, \"Ready\"
  rule: R21
  help: free each block once; after handing ownership on, or freeing, set the variable to NULL
"
        )
    };
    let both = [story("", 1), story("  call IBrowser::Quit\n", 3)];
    assert_told(&report, &both.join("\n"));
}

/// The caller says that its own code runs within the call: what is freed there is its own to free.
#[test]
fn kept_by_a_declared_callback() {
    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        put(audit, &text);
        let mut text = Some(text);
        audit
            .call("IBrowser::Navigate")
            .calls_back()
            .invoke(|| text = None);
    });
    assert_kept(&report);
    assert_eq!(report.counts().live, 0);
}

/// If it was the callee all the same, that is told when the owner frees.
#[test]
fn broken_behind_a_declared_callback() {
    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        let own = put(audit, &text);
        audit
            .call("IBrowser::Navigate")
            .calls_back()
            .invoke(|| free(own));
        drop(text);
    });
    report.assert_kinds([Kind::DoubleFree]);
}

/// It was given back to the callee for good, as an [in,out] value that is replaced.
#[test]
fn kept_by_a_string_that_was_given_away_later() {
    assert_kept(&judged(|audit| {
        let mut text = Bstr::from("Ready");
        let own = put(audit, &text);
        audit
            .call("IBrowser::ExchangeStatusText")
            .inout_bstr("text", &mut text)
            .invoke(|text| store(text, string("Old")));
        audit.call("IBrowser::Quit").invoke(|| free(own));
        assert_eq!(text, "Old");
    }));
}

/// The object's own string comes back to it, by whomever it lent it to, or by itself. It was its own all the time.
#[test]
fn kept_by_an_object_that_is_lent_what_is_its_own() {
    let (application, worker) = (0_u8, 0_u8);
    for by_a_worker in [true, false] {
        assert_kept(&judged(|audit| {
            let on_text = |own: &Bstr| {
                audit
                    .call("ISink::OnText")
                    .on(&raw const application)
                    .in_bstr("text", own)
                    .invoke(|text| assert!(!text.is_null()));
            };
            let mut own = None;
            audit
                .call("IApplication::Start")
                .on(&raw const application)
                .invoke(|| {
                    let text = Bstr::from("own");
                    if by_a_worker {
                        audit
                            .call("IWorker::Work")
                            .on(&raw const worker)
                            .in_bstr("text", &text)
                            .invoke(|_| on_text(&text));
                    } else {
                        on_text(&text);
                    }
                    own = Some(text);
                });
            audit
                .call("IApplication::Stop")
                .on(&raw const application)
                .invoke(|| own = None);
            assert!(own.is_none());
        }));
    }
}

/// What is somebody else's it may not keep, though it is in a call of its own.
#[test]
fn broken_by_an_object_that_is_lent_what_is_anothers() {
    let (application, worker) = (0_u8, 0_u8);
    let report = judged(|audit| {
        let mut own = std::ptr::null_mut();
        let text = Bstr::from("the worker's");
        audit
            .call("IApplication::Start")
            .on(&raw const application)
            .invoke(|| {
                audit
                    .call("IWorker::Work")
                    .on(&raw const worker)
                    .invoke(|| {
                        audit
                            .call("ISink::OnText")
                            .on(&raw const application)
                            .in_bstr("text", &text)
                            .invoke(|text| own = text);
                    });
            });
        audit
            .call("IApplication::Stop")
            .on(&raw const application)
            .invoke(|| free(own));
    });
    report.assert_kinds([Kind::InRetainedByCallee]);
}

/// A sink may be given by an [in,out] parameter as well.
#[test]
fn broken_where_a_sink_that_was_exchanged_could_be_to_blame() {
    let report = judged(|audit| {
        let sink = CountingObject::unknown();
        let text = Bstr::from("Ready");
        let own = put(audit, &text);
        let mut given = lent(&sink);
        // SAFETY: the variable is there until the call has returned.
        let exchange = unsafe {
            audit
                .call("IBrowser::ExchangeSink")
                .inout_raw(Parameter::interface("sink"), &raw mut given)
        };
        exchange.invoke(|_| ());
        audit.call("IBrowser::Navigate").invoke(|| free(own));
        // It is done.
        std::mem::forget(text);
    });
    report.assert_kinds([Kind::InRetainedByCallee]);
    report.assert_clean();
}
