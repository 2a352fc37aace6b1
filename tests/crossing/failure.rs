//! R14, R16, R18: after a failure every [out] pointer is NULL, those in the caller's structures as well.

use crate::support::{FAIL, OK, assert_kept, assert_told, free, judged, store, string};
use olemem::audit::{Kind, Parameter};
use olemem::crossing::WithCode;
use olemem::{Bstr, HResult};

const REST: &str = "\
rule: R14
  help: on failure free what was made so far and store NULL; a method that fails with data on purpose needs a waiver";

#[test]
fn kept() {
    assert_kept(&judged(|audit| {
        let result = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| {
                store(text, std::ptr::null_mut());
                drop(Bstr::from("made, and freed again"));
                FAIL
            });
        assert_eq!(result, Err(FAIL));
    }));
}

#[test]
fn broken() {
    assert_told(
        &judged(|audit| {
            let result = audit
                .call("IBrowser::get_StatusText")
                .out_bstr("text")
                .invoke(|text| {
                    store(text, string("Ready"));
                    FAIL
                });
            assert_eq!(result, Err(FAIL));
        }),
        &format!(
            "\
error[out-set-on-failure]: the call failed, and a BSTR was handed out all the same
  call IBrowser::get_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  {REST}"
        ),
    );
}

#[test]
fn broken_by_what_is_no_block() {
    let mut literal = [0x52, 0];
    assert_told(
        &judged(|audit| {
            drop(Bstr::from("something"));
            let result: Result<Bstr, HResult> = audit
                .call("IBrowser::get_StatusText")
                .out_bstr("text")
                .invoke(|text| {
                    store(text, literal.as_mut_ptr());
                    FAIL.as_raw()
                });
            assert_eq!(result, Err(FAIL));
        }),
        &format!(
            "\
error[out-set-on-failure]: the call failed, and an [out] variable is not NULL
  call IBrowser::get_StatusText, parameter text
  {REST}"
        ),
    );
}

/// R18: a caller that frees it all the same makes it no worse, and one that does not neither.
#[test]
fn broken_whatever_the_caller_does() {
    for frees in [true, false] {
        let mut left = std::ptr::null_mut();
        let report = judged(|audit| {
            let mut text = std::ptr::null_mut();
            // SAFETY: a variable of this frame's.
            let call = unsafe {
                audit
                    .call("IBrowser::get_StatusText")
                    .out_raw(Parameter::bstr("text"), &raw mut text)
            };
            let result: Result<(), &str> = call.invoke(|text| {
                store(text, string("Ready"));
                Err("of the program's own")
            });
            assert_eq!(result, Err("of the program's own"));
            if frees {
                free(text);
            } else {
                left = text;
            }
        });
        report.assert_kinds([Kind::OutSetOnFailure]);
        free(left);
    }
}

/// A method that fails with data: said so it is judged as a success.
#[test]
fn kept_by_a_waiver() {
    assert_kept(&judged(|audit| {
        let (code, text) = audit
            .call("IParser::Parse")
            .may_fail_with_outs()
            .out_bstr("rest")
            .invoke(|rest| {
                store(rest, string("what is left"));
                WithCode(FAIL)
            });
        assert_eq!(code, FAIL);
        assert_eq!(text, "what is left");
    }));
    // Who asks for the code alone has it freed.
    assert_kept(&judged(|audit| {
        let result = audit
            .call("IParser::Parse")
            .may_fail_with_outs()
            .out_bstr("rest")
            .invoke(|rest| {
                store(rest, string("what is left"));
                FAIL
            });
        assert_eq!(result, Err(FAIL));
    }));
    let mut literal = [0x52, 0];
    let report = judged(|audit| {
        drop(Bstr::from("something"));
        let result = audit
            .call("IParser::Parse")
            .may_fail_with_outs()
            .out_bstr("rest")
            .invoke(|rest| {
                store(rest, literal.as_mut_ptr());
                FAIL
            });
        assert_eq!(result, Err(FAIL));
    });
    report.assert_kinds([Kind::OutWrongFamily]);
}

#[repr(C)]
struct Page {
    title: *mut u16,
    visits: u32,
}

fn get_page(result: HResult) -> olemem::audit::Report {
    judged(|audit| {
        let mut page = Page {
            title: std::ptr::null_mut(),
            visits: 0,
        };
        let page = &raw mut page;
        let got = audit
            .call("IBrowser::get_Page")
            .with(|call| {
                let title = page.wrapping_byte_add(std::mem::offset_of!(Page, title));
                // SAFETY: the structure is there until the call has returned.
                unsafe { call.output(Parameter::bstr("page.title").member(), title.cast()) };
            })
            .invoke(|| {
                let visits = 1;
                let title = string("olemem");
                store(page, Page { title, visits });
                result
            });
        assert_eq!(got.is_ok(), result.is_success());
        // SAFETY: this frame's.
        let page = unsafe { page.read() };
        assert_eq!(page.visits, 1);
        free(page.title);
    })
}

/// R16: a member of the caller's structure.
#[test]
fn kept_member() {
    assert_kept(&get_page(OK));
}

#[test]
fn broken_member() {
    assert_told(
        &get_page(FAIL),
        &format!(
            "\
error[out-set-on-failure]: the call failed, and a BSTR was handed out all the same
  call IBrowser::get_Page, parameter page.title
  block 1: BSTR, 12 bytes, \"olemem\"
  {}",
            REST.replace("R14", "R16")
        ),
    );
}
