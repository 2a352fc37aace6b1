//! R37: parameters do not alias where one of them is [in,out].

use crate::support::{assert_kept, assert_told, free, judged, load, store, string};
use olemem::Bstr;
use olemem::audit::{Kind, Parameter, Session};

/// Replaces a title by a name, after it freed the title.
fn rename(audit: &Session, name: *mut u16, title: *mut *mut u16) {
    // SAFETY: a live string.
    let call = unsafe {
        audit
            .call("IBrowser::Rename")
            .in_raw(Parameter::bstr("name"), name)
    };
    // SAFETY: a variable of the caller's.
    let call = unsafe { call.inout_raw(Parameter::bstr("title"), title) };
    call.invoke(|_, title| {
        free(load(title));
        store(title, string("new"));
    });
}

const REST: &str = "\
block 1: BSTR, 6 bytes, \"old\"
  rule: R37
  help: pass each block once; where a method needs a value twice, pass a copy";

#[test]
fn kept() {
    assert_kept(&judged(|audit| {
        let name = string("old");
        let mut title = string("old");
        rename(audit, name, &raw mut title);
        free(name);
        free(title);
    }));
    // Twice as [in] is no mistake.
    assert_kept(&judged(|audit| {
        let text = Bstr::from("text");
        audit
            .call("IBrowser::Compare")
            .in_bstr("left", &text)
            .in_bstr("right", &text)
            .invoke(|left, right| left == right);
    }));
}

#[test]
fn broken() {
    assert_told(
        &judged(|audit| {
            let mut title = string("old");
            rename(audit, title, &raw mut title);
            free(title);
        }),
        &format!(
            "\
error[aliased-parameters]: a BSTR is passed twice, once as [in,out]
  call IBrowser::Rename, parameter title
  {REST}"
        ),
    );
}

/// In whatever order.
#[test]
fn broken_the_other_way_round() {
    assert_told(
        &judged(|audit| {
            let mut title = string("old");
            // SAFETY: a variable of this frame's.
            let call = unsafe {
                audit
                    .call("IBrowser::Rename")
                    .inout_raw(Parameter::bstr("title"), &raw mut title)
            };
            // SAFETY: a live string.
            let call = unsafe { call.in_raw(Parameter::bstr("name"), load(&raw mut title)) };
            call.invoke(|_, _| ());
            free(title);
        }),
        &format!(
            "\
error[aliased-parameters]: a BSTR is passed twice, once as [in,out]
  call IBrowser::Rename, parameter name
  {REST}"
        ),
    );
}

/// What an [out] variable holds when the call begins never counts.
#[test]
fn kept_by_what_an_out_variable_holds() {
    assert_kept(&judged(|audit| {
        let name = string("old");
        let mut text = name;
        // SAFETY: a live string.
        let call = unsafe {
            audit
                .call("IBrowser::Copy")
                .in_raw(Parameter::bstr("name"), name)
        };
        // SAFETY: a variable of this frame's.
        let call = unsafe { call.out_raw(Parameter::bstr("text"), &raw mut text) };
        call.invoke(|_, text| store(text, string("new")));
        free(name);
        free(text);
    }));
}

/// The callee frees it by the one, and leaves it in the other: one mistake.
#[test]
fn broken_and_freed() {
    let report = judged(|audit| {
        let (mut first, mut second) = (std::ptr::null_mut(), std::ptr::null_mut());
        let text = string("Ready");
        store(&raw mut first, text);
        store(&raw mut second, text);
        // SAFETY: variables of this frame's.
        let call = unsafe {
            audit
                .call("IBrowser::Both")
                .inout_raw(Parameter::bstr("first"), &raw mut first)
        };
        // SAFETY: as above.
        let call = unsafe { call.inout_raw(Parameter::bstr("second"), &raw mut second) };
        call.invoke(|first, _| {
            free(load(first));
            store(first, std::ptr::null_mut());
        });
    });
    report.assert_kinds([Kind::AliasedParameters]);
}

/// The same the other way round, as [in] behind [in,out]. What else the call was lent is the caller's all the same, and so is the
/// string for another call that has it.
#[test]
fn broken_and_freed_the_other_way_round() {
    let report = judged(|audit| {
        let mut title = string("old");
        let other = Bstr::from("other");
        let call = audit.call("IBrowser::Rename").in_bstr("other", &other);
        // SAFETY: a variable of this frame's.
        let call = unsafe { call.inout_raw(Parameter::bstr("title"), &raw mut title) };
        // SAFETY: a live string.
        let call = unsafe { call.in_raw(Parameter::bstr("name"), load(&raw mut title)) };
        call.invoke(|other, title, _| {
            free(load(title));
            store(title, string("new"));
            free(other);
        });
        assert_eq!(other, "other");
        free(title);
    });
    report.assert_kinds([Kind::AliasedParameters, Kind::InFreedByCallee]);
}

/// The caller's caller lent it: it stays lent to that call.
#[test]
fn broken_within_a_call_that_was_lent_it() {
    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        audit
            .call("IBrowser::put_StatusText")
            .in_bstr("text", &text)
            .invoke(|text| {
                let mut title = text;
                // SAFETY: a live string.
                let call = unsafe {
                    audit
                        .call("IEvents::OnText")
                        .in_raw(Parameter::bstr("name"), text)
                };
                // SAFETY: a variable of this frame's.
                let call = unsafe { call.inout_raw(Parameter::bstr("title"), &raw mut title) };
                call.invoke(|_, _| ());
                free(text);
            });
        assert_eq!(text, "Ready");
    });
    report.assert_kinds([Kind::AliasedParameters, Kind::InFreedByCallee]);
}
