//! R5, R10, R29: what is handed out is a live block of the declared family, and the caller frees it.

use crate::support::{
    OK, Raw, assert_kept, assert_told, free, free_task, judged, store, string, task,
};
use olemem::audit::{Kind, Report};
use olemem::crossing::Handed;
use olemem::layout::HEADER;
use olemem::{Bstr, TaskBox, TaskStr};

#[track_caller]
fn assert_refused(report: &Report, rule: &str, method: &str, what: &str, block: &str) {
    let story = format!(
        "\
error[out-wrong-family]: what was handed out is {what}
  call {method}
{block}  rule: {rule}
  help: hand out a BSTR that SysAllocString* made where a BSTR is declared, else memory of CoTaskMemAlloc"
    );
    assert_told(report, &story);
}

fn handed(make: impl FnOnce() -> Raw) -> Report {
    judged(|audit| {
        drop(Bstr::from("something"));
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| {
                store(text, make());
                OK
            })
            .expect("it succeeds");
        assert!(text.is_null());
    })
}

const METHOD: &str = "IBrowser::get_StatusText, parameter text";

#[test]
fn kept() {
    assert_kept(&judged(|audit| {
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| {
                store(text, string("Ready"));
                OK
            });
        assert_eq!(text.expect("it succeeds"), "Ready");

        let title = audit
            .call("IBrowser::get_Title")
            .out_string::<u16>("title")
            .invoke(|title| {
                let text = TaskStr::try_from_str("olemem").expect("there is memory");
                store(title, TaskStr::into_raw(text));
                OK
            });
        let title = title.expect("it succeeds").expect("a string");
        assert_eq!(title.to_string(), "olemem");

        let (size, narrow) = audit
            .call("IBrowser::get_Size")
            .out_block::<u32>("size")
            .out_string::<u8>("unit")
            .invoke(|size, unit| {
                store(size, TaskBox::into_raw(TaskBox::new(7)));
                let text = TaskStr::<u8>::try_from_str("px").expect("there is memory");
                store(unit, TaskStr::into_raw(text));
                OK
            })
            .expect("it succeeds");
        assert_eq!(size.map(|size| *size), Some(7));
        assert_eq!(narrow.expect("a string").as_units(), b"px");

        // SAFETY: a string of the caller's.
        let text: Bstr = audit
            .call("status_text")
            .invoke(|| unsafe { Handed::new(string("Ready")) });
        assert_eq!(text, "Ready");
    }));
}

#[test]
fn broken_literal() {
    let mut literal = [0x52, 0];
    let report = handed(|| literal.as_mut_ptr());
    assert_refused(&report, "R5", METHOD, "no block at all", "");
}

#[test]
fn broken_freed_before_it_was_handed_out() {
    let report = handed(|| {
        let text = string("Ready");
        free(text);
        text
    });
    let block = "  block 2: BSTR, 10 bytes, \"Ready\"\n";
    assert_refused(&report, "R5", METHOD, "a BSTR that was freed", block);
}

#[test]
fn broken_interior_pointer() {
    let mut own = std::ptr::null_mut();
    let report = judged(|audit| {
        own = string("Ready");
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| store(text, own.wrapping_add(1)));
        assert!(text.is_null());
        free(own);
    });
    let block = "  block 1: BSTR, 10 bytes, \"Ready\"\n";
    assert_refused(&report, "R5", METHOD, "a pointer into a BSTR", block);
}

#[test]
fn broken_task_memory_for_a_bstr() {
    let mut lost = std::ptr::null_mut();
    let report = handed(|| {
        lost = task(12);
        lost.cast()
    });
    let block = "  block 2: task memory, 12 bytes\n";
    assert_refused(
        &report,
        "R5",
        METHOD,
        "task memory, of the wrong family",
        block,
    );
    free_task(lost);
}

/// R29: a BSTR where an LPWSTR is declared.
#[test]
fn broken_bstr_for_a_string() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        lost = string("olemem");
        let title = audit
            .call("IBrowser::get_Title")
            .out_string::<u16>("title")
            .invoke(|title| {
                store(title, lost);
                OK
            });
        assert!(title.expect("it succeeds").is_none());
    });
    assert_refused(
        &report,
        "R29",
        "IBrowser::get_Title, parameter title",
        "a BSTR, of the wrong family",
        "  block 1: BSTR, 12 bytes, \"olemem\"\n",
    );
    free(lost);
}

/// The block that a BSTR stands in is no task memory either.
#[test]
fn broken_block_of_a_bstr_for_a_string() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        lost = string("olemem");
        let title = audit
            .call("IBrowser::get_Title")
            .out_string::<u16>("title")
            .invoke(|title| store(title, lost.wrapping_byte_sub(HEADER)));
        assert!(title.is_none());
    });
    assert_refused(
        &report,
        "R29",
        "IBrowser::get_Title, parameter title",
        "a BSTR, of the wrong family",
        "  block 1: BSTR, 12 bytes, \"olemem\"\n",
    );
    free(lost);
}

/// R10: a returned value.
#[test]
fn broken_returned_value() {
    let mut literal = [0x52, 0];
    let report = judged(|audit| {
        drop(Bstr::from("something"));
        // SAFETY: in a session it may be anything.
        let text: Bstr = audit
            .call("status_text")
            .invoke(|| unsafe { Handed::new(literal.as_mut_ptr()) });
        assert!(text.is_null());
    });
    let method = "status_text, parameter return value";
    assert_refused(&report, "R10", method, "no block at all", "");
}

/// R5: the caller frees it, or it is a leak of its own rule, told with the call.
#[test]
fn broken_by_the_caller() {
    let mut lost = std::ptr::null();
    let report = judged(|audit| {
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| store(text, string("Ready")));
        lost = text.into_raw();
    });
    assert_told(
        &report,
        "\
error[leak]: a BSTR was never freed
  call IBrowser::get_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R5
  help: whoever owns the block at the end frees it: SysFreeString for a BSTR, CoTaskMemFree for task memory",
    );
    report.assert_kinds([Kind::Leak]);
    free(lost.cast_mut());
}
