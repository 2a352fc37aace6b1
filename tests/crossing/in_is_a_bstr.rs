//! R3: what is declared a BSTR is one, for [in] as well.

use crate::support::{assert_kept, assert_told, free, free_task, judged, string, task};
use olemem::audit::{Kind, Parameter, Report};
use olemem::layout::HEADER;
use olemem::{Bstr, bstr};

fn passed(text: *mut u16) -> Report {
    judged(|audit| {
        drop(Bstr::from("something"));
        // SAFETY: any address that is none.
        let call = unsafe {
            audit
                .call("IBrowser::put_StatusText")
                .in_raw(Parameter::bstr("text"), text)
        };
        call.invoke(|_| ());
    })
}

#[track_caller]
fn assert_refused(report: &Report, what: &str, block: &str) {
    let story = format!(
        "\
error[in-not-a-bstr]: what is passed as a BSTR is {what}
  call IBrowser::put_StatusText, parameter text
{block}  rule: R3
  help: pass NULL or what SysAllocString* gave, for [in] as well; a static literal of a BSTR's shape has to be registered"
    );
    assert_told(report, &story);
}

#[test]
fn kept() {
    assert_kept(&passed(std::ptr::null_mut()));
    let before = string("from before the session");
    assert_kept(&passed(before));
    free(before);
    assert_kept(&judged(|audit| {
        let text = Bstr::from("text");
        audit
            .call("IBrowser::put_StatusText")
            .in_bstr("text", &text)
            .invoke(|_| ());
        audit
            .call("IBrowser::put_StatusText")
            .in_literal("text", bstr!("a literal"))
            .invoke(|_| ());
    }));
    // L5: task memory with a prefix of its own passes for one.
    assert_kept(&judged(|audit| {
        let block = task(20);
        // SAFETY: a string of no bytes, which nobody writes to.
        let call = unsafe {
            audit.call("IBrowser::put_StatusText").in_raw(
                Parameter::bstr("text"),
                block.wrapping_add(HEADER).cast::<u16>(),
            )
        };
        call.invoke(|_| ());
        free_task(block);
    }));
}

/// Zero-terminated text alone.
#[test]
fn broken_literal() {
    let mut text = [0x52, 0x65, 0];
    assert_refused(&passed(text.as_mut_ptr()), "no block at all", "");
}

/// Of a BSTR's shape, and nobody registered it.
#[test]
fn broken_unregistered_literal() {
    let text = bstr!("unregistered");
    assert_refused(&passed(text.as_raw().cast_mut()), "no block at all", "");
}

#[test]
fn broken_interior_pointer() {
    let report = judged(|audit| {
        let text = string("  Ready");
        // SAFETY: the block is live.
        let call = unsafe {
            audit
                .call("IBrowser::put_StatusText")
                .in_raw(Parameter::bstr("text"), text.wrapping_add(2))
        };
        call.invoke(|_| ());
        free(text);
    });
    let block = "  block 1: BSTR, 14 bytes, \"  Ready\"\n";
    assert_refused(&report, "a pointer into a BSTR", block);
}

#[test]
fn broken_task_memory() {
    let report = judged(|audit| {
        let text = task(32);
        // SAFETY: the block is live.
        let call = unsafe {
            audit
                .call("IBrowser::put_StatusText")
                .in_raw(Parameter::bstr("text"), text.cast::<u16>())
        };
        call.invoke(|_| ());
        free_task(text);
    });
    let block = "  block 1: task memory, 32 bytes\n";
    assert_refused(&report, "task memory, of the wrong family", block);
}

#[test]
fn broken_freed_string() {
    let report = judged(|audit| {
        let text = string("gone");
        free(text);
        // SAFETY: a freed block is none.
        let call = unsafe {
            audit
                .call("IBrowser::put_StatusText")
                .in_raw(Parameter::bstr("text"), text)
        };
        call.invoke(|_| ());
    });
    assert_refused(
        &report,
        "a BSTR that was freed",
        "  block 1: BSTR, 8 bytes, \"gone\"\n",
    );
}

/// What was freed before the call, and is freed once more by the callee, which cannot know: one mistake.
#[test]
fn broken_by_what_was_freed_and_is_freed_again() {
    let report = judged(|audit| {
        let text = string("gone");
        free(text);
        // SAFETY: an address whose block is gone.
        let call = unsafe {
            audit
                .call("IBrowser::put_StatusText")
                .in_raw(Parameter::bstr("text"), text)
        };
        call.invoke(free);
    });
    report.assert_kinds([Kind::InNotABstr]);
}
