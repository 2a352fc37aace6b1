//! What is planted in [out] variables, and how long it stays one call's: in a process of its own, for while all of it is planted
//! no other call is watched.
#![cfg(all(feature = "audit", not(windows), not(miri)))]

#[allow(
    dead_code,
    unused_imports,
    reason = "the tests of the calls use more of it"
)]
#[path = "crossing/support.rs"]
mod support;

use std::collections::{BTreeSet, HashSet};
use std::hint::black_box;
use std::mem::forget;

use olemem::Bstr;
use olemem::audit::{Crossing, Kind, Parameter, Session};

use support::{Raw, assert_kept, free, judged, load, store, string};

/// More calls than there are values to plant.
const MANY: usize = 1100;

/// As many calls as these have values of their own for certain.
const TURN: usize = 500;

/// A call that does no wrong; what was planted for it.
fn called(audit: &Session) -> Raw {
    let mut planted = std::ptr::null_mut();
    let text = audit
        .call("IBrowser::get_StatusText")
        .out_bstr("text")
        .invoke(|text| {
            planted = load(text);
            store(text, std::ptr::null_mut());
        });
    assert!(text.is_null());
    assert!(!planted.is_null());
    planted
}

/// A call that is left by other ways than a return.
#[inline(never)]
fn left(depth: u32) {
    let room = black_box([0_u8; 1024]);
    if depth > 0 {
        left(depth - 1);
    } else {
        let mut text: Raw = std::ptr::null_mut();
        let mut call = Crossing::begin("IBrowser::Jump");
        // SAFETY: nobody uses the variable when the call was left.
        unsafe { call.output(Parameter::bstr("text"), (&raw mut text).cast()) };
        forget(call);
    }
    black_box(room);
}

/// Many calls, one after another: each value is planted again when all others were, and one whose call is under way is not.
/// Whatever else ends meanwhile.
fn takes_turns() {
    let report = judged(|audit| {
        let host = audit.call("ISite::get_Host").out_bstr("host");
        let host = host.invoke(|host| {
            let planted = load(host);
            let turns = || {
                let all: Vec<Raw> = (0..MANY).map(|_| called(audit)).collect();
                assert!(!all.contains(&planted));
                for some in all.windows(TURN) {
                    let different: HashSet<&Raw> = some.iter().collect();
                    assert_eq!(different.len(), TURN);
                }
                all[MANY - 7]
            };
            turns();
            drop(Session::options().begin().finish());
            (0..MANY).for_each(|_| left(8));
            let late = turns();
            // It is told of the variable that it was planted in, and so is one whose call is over.
            free(planted);
            free(late);
            store(host, string("localhost"));
        });
        assert_eq!(host, "localhost");
        let unset = audit
            .call("IBrowser::get_Title")
            .out_bstr("title")
            .invoke(|_| ());
        drop(unset);
    });
    let told: Vec<_> = report.violations().iter().collect();
    let calls = told
        .iter()
        .map(|told| told.call.as_ref().expect("a call").to_string());
    assert_eq!(
        calls.collect::<Vec<_>>(),
        [
            "ISite::get_Host, parameter host",
            "IBrowser::get_StatusText, parameter text",
            "IBrowser::get_Title, parameter title",
        ]
    );
    report.assert_kinds([
        Kind::OutReadByCallee,
        Kind::OutReadByCallee,
        Kind::OutNotSet,
    ]);
}

/// Calls that were never ended are over with their session.
fn outlives_no_session() {
    judged(|_| {
        drop(Bstr::from("something"));
        (0..MANY).for_each(|_| left(0));
    })
    .assert_clean();
    assert_kept(&judged(|audit| {
        drop(Bstr::from("something"));
        called(audit);
    }));
}

/// Calls within calls: the innermost go unwatched, and nothing wrong is told.
fn runs_out() {
    fn deeper(audit: &Session, depth: usize, planted: &mut Vec<Raw>) -> Bstr {
        audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| {
                planted.push(load(text));
                let inner = match depth {
                    0 => Bstr::from("Ready"),
                    _ => deeper(audit, depth - 1, planted),
                };
                store(text, inner.into_raw().cast_mut());
            })
    }
    let mut planted = Vec::new();
    assert_kept(&judged(|audit| {
        assert_eq!(deeper(audit, 520, &mut planted), "Ready");
    }));
    let is_watched = |planted: &Raw| !planted.is_null();
    let watched = planted.iter().take_while(|it| is_watched(it)).count();
    assert!(!planted.iter().skip(watched).any(is_watched));
    assert!(watched >= TURN && watched < planted.len());
    let different: BTreeSet<&Raw> = planted.iter().take(watched).collect();
    assert_eq!(different.len(), watched);
}

#[test]
fn what_is_planted() {
    takes_turns();
    outlives_no_session();
    runs_out();
}
