//! R13: to hand out a stored string a callee hands out a copy.

use crate::support::{assert_kept, assert_told, free, judged, load, store, string};
use olemem::Bstr;
use olemem::audit::{Kind, Session};

const HELP: &str =
    "help: hand out a copy of a stored string; or detach it, and keep no pointer to it";

fn get(audit: &Session, own: *mut u16) -> Bstr {
    audit
        .call("IBrowser::get_StatusText")
        .out_bstr("text")
        .invoke(|text| store(text, own))
}

#[test]
fn kept() {
    assert_kept(&judged(|audit| {
        let own = Bstr::from("Ready");
        for _ in 0..2 {
            let text = get(audit, own.clone().into_raw().cast_mut());
            assert_eq!(text, "Ready");
        }
    }));
}

/// An object may hand out its own string, and forget it.
#[test]
fn kept_by_a_detached_string() {
    assert_kept(&judged(|audit| {
        let own = string("Ready");
        assert_eq!(get(audit, own), "Ready");
    }));
}

/// What one object handed out to another is then the other's to hand out.
#[test]
fn kept_by_an_object_around_another() {
    for named in [true, false] {
        assert_kept(&judged(|audit| {
            let method = if named { "IOuter::get" } else { "IInner::get" };
            let text = audit.call(method).out_bstr("text").invoke(|text| {
                let inner = audit
                    .call("IInner::get")
                    .out_bstr("text")
                    .invoke(|text| store(text, string("Ready")));
                store(text, inner.into_raw().cast_mut());
            });
            assert_eq!(text, "Ready");
        }));
    }
}

/// Two owners, and two frees: one mistake.
#[test]
fn broken_by_handing_it_out_twice() {
    assert_told(
        &judged(|audit| {
            let own = string("Ready");
            drop((get(audit, own), get(audit, own)));
        }),
        &format!(
            "\
error[out-not-a-copy]: a BSTR was handed out that was handed out before and has an owner
  call IBrowser::get_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R13
  {HELP}"
        ),
    );
}

#[test]
fn broken_by_handing_out_what_is_lent() {
    assert_told(
        &judged(|audit| {
            let text = Bstr::from("Ready");
            let same = audit
                .call("IBrowser::Normalise")
                .in_bstr("text", &text)
                .out_bstr("result")
                .invoke(|text, result| store(result, text));
            assert_eq!(same, "Ready");
        }),
        &format!(
            "\
error[out-not-a-copy]: a BSTR was handed out that this call was lent as [in]
  call IBrowser::Normalise, parameter result
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R13
  {HELP}"
        ),
    );
}

/// The same string as two results.
#[test]
fn broken_within_a_call() {
    let report = judged(|audit| {
        let both = audit
            .call("IBrowser::get_Both")
            .out_bstr("first")
            .out_bstr("second")
            .invoke(|first, second| {
                let text = string("Ready");
                store(first, text);
                store(second, text);
            });
        drop(both);
    });
    report.assert_kinds([Kind::OutNotACopy]);
}

/// R53: what stays the callee's may be handed out again and again.
#[test]
fn kept_by_what_stays_the_callees() {
    use olemem::audit::Parameter;

    assert_kept(&judged(|audit| {
        let own = string("Ready");
        for _ in 0..2 {
            let mut text = std::ptr::null_mut();
            let parameter = Parameter::bstr("text").stays_callees();
            // SAFETY: a variable of this frame's.
            let call = unsafe {
                audit
                    .call("IBrowser::Lend")
                    .out_raw(parameter, &raw mut text)
            };
            call.invoke(|text| store(text, own));
            assert_eq!(text, own);
        }
        free(own);
    }));
}

/// Strings that came from annotated calls, which a callee exchanges.
#[test]
fn kept_by_a_swap() {
    assert_kept(&judged(|audit| {
        let (mut first, mut second) = (get(audit, string("a")), get(audit, string("b")));
        audit
            .call("ISwap::Swap")
            .inout_bstr("first", &mut first)
            .inout_bstr("second", &mut second)
            .invoke(|first, second| {
                let old = load(first);
                store(first, load(second));
                store(second, old);
            });
        assert_eq!((&first, &second), (&Bstr::from("b"), &Bstr::from("a")));
    }));
}

/// What is taken from an [in,out] may be handed out as [out], in whatever order the two are declared.
#[test]
fn kept_by_a_move() {
    let take = |from: *mut *mut u16, to: *mut *mut u16| {
        store(to, load(from));
        store(from, std::ptr::null_mut());
    };
    assert_kept(&judged(|audit| {
        let mut text = get(audit, string("Ready"));
        let moved = audit
            .call("IBrowser::Take")
            .out_bstr("to")
            .inout_bstr("from", &mut text)
            .invoke(|to, from| take(from, to));
        assert_eq!(moved, "Ready");
        let mut text = moved;
        let moved = audit
            .call("IBrowser::Take")
            .inout_bstr("from", &mut text)
            .out_bstr("to")
            .invoke(take);
        assert_eq!(moved, "Ready");
        // It is the caller's from now on, and so is its leak.
        audit
            .call("IBrowser::put_StatusText")
            .in_bstr("text", &moved)
            .invoke(|_| ());
    }));
}

#[test]
fn broken_by_leaving_it_in_the_other_variable() {
    let report = judged(|audit| {
        let mut text = string("Ready");
        let copied = audit
            .call("IBrowser::Take")
            .out_bstr("to")
            // SAFETY: a variable of this frame's.
            .with(|call| unsafe {
                call.in_out(
                    olemem::audit::Parameter::bstr("from"),
                    (&raw mut text).cast(),
                );
            })
            .invoke(|to| store(to, text));
        free(text);
        let _freed_already = copied.into_raw();
    });
    assert_told(
        &report,
        &format!(
            "\
error[out-not-a-copy]: a BSTR was handed out that the [in,out] variable still has
  call IBrowser::Take, parameter to
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R13
  {HELP}"
        ),
    );
}

/// A string may come to an object by calls that are not annotated, or by another interface of the object: what one
/// handed out another may hand out.
#[test]
fn kept_by_ways_that_nobody_watched() {
    assert_kept(&judged(|audit| {
        let own = get(audit, string("Ready")).into_raw().cast_mut();
        let text = audit
            .call("IOther::Detach")
            .out_bstr("text")
            .invoke(|text| store(text, own));
        assert_eq!(text, "Ready");
    }));
    assert_kept(&judged(|audit| {
        let (mut text, mut own) = (Bstr::from("mine"), string("its"));
        audit
            .call("IText::Exchange")
            .inout_bstr("text", &mut text)
            .invoke(|text| {
                let old = load(text);
                store(text, own);
                own = old;
            });
        let detached = audit
            .call("ITextStore::Detach")
            .out_bstr("text")
            .invoke(|text| store(text, own));
        assert_eq!(detached, "mine");
    }));
}
