//! R6: what an [out] variable holds when the call begins means nothing to the callee.

use crate::support::{OK, assert_kept, assert_told, free, free_task, judged, load, store, string};
use olemem::audit::{Kind, Report};
use olemem::{Bstr, UnitLen, raw};

fn told(read: impl FnOnce(*mut *mut u16)) -> Report {
    judged(|audit| {
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| {
                read(text);
                store(text, string("Ready"));
                OK
            });
        assert_eq!(text.expect("it succeeds"), "Ready");
    })
}

#[track_caller]
fn assert_read(report: &Report, how: &str) {
    let story = format!(
        "\
error[out-read-by-callee]: what an [out] variable held when the call began is {how}
  call IBrowser::get_StatusText, parameter text
  rule: R6
  help: store NULL in [out] variables first; what they hold when the call begins means nothing"
    );
    assert_told(report, &story);
}

#[test]
fn kept() {
    assert_kept(&told(|_| ()));
    assert_kept(&told(|text| {
        store(text, std::ptr::null_mut());
        free(load(text));
    }));
}

#[test]
fn broken_by_a_free() {
    assert_read(&told(|text| free(load(text))), "freed");
}

#[test]
fn broken_by_the_other_free() {
    assert_read(&told(|text| free_task(load(text).cast())), "freed");
}

#[test]
fn broken_by_a_length() {
    assert_read(
        &told(|text| {
            // SAFETY: what is planted may be read.
            assert_eq!(unsafe { raw::byte_len(load(text).cast_const()) }.get(), 0);
        }),
        "read",
    );
}

#[test]
fn broken_by_a_copy() {
    assert_read(
        &told(|text| {
            // SAFETY: what is planted may be read, a unit of it.
            free(unsafe { raw::alloc_units(load(text).cast_const(), UnitLen::new(1)) });
        }),
        "copied from",
    );
}

#[test]
fn broken_by_a_reallocation() {
    assert_read(
        &told(|text| {
            // SAFETY: the variable is the callee's.
            let done = unsafe { raw::realloc_units(text, std::ptr::null(), UnitLen::new(5)) };
            assert!(!done);
        }),
        "reallocated",
    );
}

/// The callee took it for a buffer.
#[test]
fn broken_by_a_write() {
    assert_read(&told(|text| store(load(text), 0x41)), "written through");
}

/// However it is used.
#[test]
fn broken_by_a_free_and_a_write() {
    let both = told(|text| {
        free(load(text));
        store(load(text), 0x41);
    });
    assert_read(&both, "freed");
}

/// It reads as an empty string, of either sort, for those who do not ask olemem.
#[test]
fn what_is_planted_is_an_empty_string() {
    assert_kept(&told(|text| {
        let planted = load(text);
        assert_eq!(load(planted), 0);
        assert_eq!(load(planted.wrapping_byte_sub(4).cast::<[u8; 4]>()), [0; 4]);
    }));
}

/// One mistake, however often it is used; and each variable has its own.
#[test]
fn broken_in_two_variables() {
    let report = judged(|audit| {
        drop(Bstr::from("something"));
        let both = audit
            .call("IBrowser::get_Both")
            .out_bstr("first")
            .out_bstr("second")
            .invoke(|first, second| {
                for _ in 0..3 {
                    free(load(second));
                    free(load(first));
                }
                store(first, std::ptr::null_mut());
                store(second, std::ptr::null_mut());
            });
        drop(both);
    });
    report.assert_kinds([Kind::OutReadByCallee; 2]);
    let parameters: Vec<_> = report
        .violations()
        .iter()
        .map(|violation| violation.call.as_ref().expect("a call").parameter.clone())
        .collect();
    assert_eq!(
        parameters,
        [Some("second".to_owned()), Some("first".to_owned())]
    );
}

/// What is planted for a call stays that call's, however many others there are meanwhile.
#[test]
fn kept_by_more_calls_than_there_are_values() {
    // Miri breaks down where a value is planted anew that a callee of another test has written to by halves.
    let calls = if cfg!(miri) { 8 } else { 1100 };
    let report = judged(|audit| {
        let outer = audit
            .call("ISite::get_Host")
            .out_interface::<olemem::com::UnknownVtbl>("host");
        let host = outer.invoke(|host| {
            for _ in 0..calls {
                let text = audit
                    .call("IBrowser::get_StatusText")
                    .out_bstr("text")
                    .invoke(|text| store(text, std::ptr::null_mut()));
                assert!(text.is_null());
            }
            store(host, std::ptr::null_mut());
        });
        assert!(host.is_none());
    });
    assert!(report.violations().is_empty(), "{report}");
}

/// Calls within calls, each with a value of its own. (More of them than there are values: `tests/planted.rs`.)
#[test]
fn kept_by_calls_within_calls() {
    fn deeper(audit: &olemem::audit::Session, depth: u32) -> Bstr {
        audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| {
                let inner = match depth {
                    0 => Bstr::from("Ready"),
                    _ => deeper(audit, depth - 1),
                };
                store(text, inner.into_raw().cast_mut());
            })
    }
    assert_kept(&judged(|audit| assert_eq!(deeper(audit, 8), "Ready")));
}

/// Reallocating what is in the variable, and leaving it there: one mistake.
#[test]
fn broken_by_a_reallocation_alone() {
    let report = judged(|audit| {
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| {
                // SAFETY: the variable is the callee's; what is planted there is no block, which is told.
                assert!(!unsafe { raw::realloc_units(text, std::ptr::null(), UnitLen::new(4)) });
            });
        assert!(text.is_null());
    });
    report.assert_kinds([Kind::OutReadByCallee]);
}

/// So is an interface that is called, and left there.
#[test]
fn broken_by_a_call_alone() {
    use olemem::com::UnknownVtbl;

    let report = judged(|audit| {
        let host = audit
            .call("ISite::get_Host")
            .out_interface::<UnknownVtbl>("host")
            .invoke(|host| {
                let planted = load(host);
                // SAFETY: what is planted is laid out as an object.
                let vtbl = unsafe { (*planted).vtbl };
                // SAFETY: and may be called as one.
                unsafe { (vtbl.add_ref)(planted.cast()) };
            });
        assert!(host.is_none());
    });
    report.assert_kinds([Kind::OutReadByCallee]);
}
