//! R8, R9: an [in,out] value is NULL or a live block; the callee frees what it replaces, and nothing else.

use crate::support::{
    FAIL, OK, assert_kept, assert_told, free, free_task, judged, load, store, string, task,
};
use olemem::audit::{Kind, Parameter, Session};
use olemem::{Bstr, TaskStr, UnitLen, raw};

#[test]
fn kept() {
    assert_kept(&judged(|audit| {
        let mut title = Bstr::from("old");
        // It stays.
        audit
            .call("IBrowser::Rename")
            .inout_bstr("title", &mut title)
            .invoke(|_| OK)
            .expect("it succeeds");
        assert_eq!(title, "old");
        // It is replaced.
        audit
            .call("IBrowser::Rename")
            .inout_bstr("title", &mut title)
            .invoke(|title| {
                free(load(title));
                store(title, string("new"));
                OK
            })
            .expect("it succeeds");
        assert_eq!(title, "new");
        // It grows, and moves.
        audit
            .call("IBrowser::Rename")
            .inout_bstr("title", &mut title)
            .invoke(|title| {
                // SAFETY: the variable is the callee's.
                assert!(unsafe { raw::realloc_units(title, std::ptr::null(), UnitLen::new(200)) });
            });
        assert_eq!(title.len(), 200);
        // It is taken away.
        audit
            .call("IBrowser::Rename")
            .inout_bstr("title", &mut title)
            .invoke(|title| {
                free(load(title));
                store(title, std::ptr::null_mut());
            });
        assert!(title.is_null());
        // It was NULL, and comes to be something.
        let mut name = None;
        audit
            .call("IBrowser::Rename")
            .inout_string::<u16>("name", &mut name)
            .invoke(|name| {
                let text = TaskStr::try_from_str("olemem").expect("there is memory");
                store(name, TaskStr::into_raw(text));
            });
        assert_eq!(name.expect("a string").to_string(), "olemem");
    }));
}

/// A string that is the callee's for the time of the call may be written to; and a variable that is not there is nobody's.
#[test]
fn kept_by_a_write() {
    assert_kept(&judged(|audit| {
        let mut title = Bstr::from("old");
        let nowhere = std::ptr::null_mut();
        let call = audit.call("IBrowser::Rename").with(|call| {
            // SAFETY: no variable.
            unsafe { call.in_out(Parameter::bstr("name"), nowhere) };
            // SAFETY: as above.
            unsafe { call.output(Parameter::bstr("text"), nowhere) };
            // SAFETY: as above.
            unsafe { call.returned(Parameter::bstr("return value"), nowhere) };
        });
        call.inout_bstr("title", &mut title)
            .invoke(|title| store(load(title), u16::from(b'O')));
        assert_eq!(title, "Old");
    }));
}

/// The callee keeps the old value as its own, and hands it out or frees it one day.
#[test]
fn kept_by_an_exchange() {
    assert_kept(&judged(|audit| {
        let mut title = Bstr::from("mine");
        let mut own = string("its");
        for _ in 0..3 {
            audit
                .call("IBrowser::ExchangeStatusText")
                .inout_bstr("text", &mut title)
                .invoke(|text| {
                    let old = load(text);
                    store(text, own);
                    own = old;
                });
        }
        let text = audit
            .call("IBrowser::DetachStatusText")
            .out_bstr("text")
            .invoke(|text| store(text, std::mem::take(&mut Pointer(own)).0));
        assert_eq!(text, "mine");
        assert_eq!(title, "its");
    }));
}

struct Pointer(*mut u16);

impl Default for Pointer {
    fn default() -> Self {
        Self(std::ptr::null_mut())
    }
}

const HELP: &str = "help: pass, and leave behind, NULL or a block of the standard allocator";

#[test]
fn broken_at_entry() {
    let mut literal = [0x52, 0];
    let report = judged(|audit| {
        drop(Bstr::from("something"));
        let mut title = literal.as_mut_ptr();
        // SAFETY: a variable of this frame's, with an address that is no block's.
        let call = unsafe {
            audit
                .call("IBrowser::Rename")
                .inout_raw(Parameter::bstr("title"), &raw mut title)
        };
        call.invoke(|_| ());
    });
    assert_told(
        &report,
        &format!(
            "\
error[inout-invalid]: what is passed as [in,out] is no block at all
  call IBrowser::Rename, parameter title
  rule: R8
  {HELP}"
        ),
    );
}

#[test]
fn broken_at_exit() {
    let mut literal = [0x52, 0];
    let report = judged(|audit| {
        let mut title = Bstr::from("old");
        audit
            .call("IBrowser::Rename")
            .inout_bstr("title", &mut title)
            .invoke(|title| {
                free(load(title));
                store(title, literal.as_mut_ptr());
                OK
            })
            .expect("it succeeds");
        assert!(title.is_null());
    });
    assert_told(
        &report,
        &format!(
            "\
error[inout-invalid]: what was left as [in,out] is no block at all
  call IBrowser::Rename, parameter title
  rule: R8
  {HELP}"
        ),
    );
}

#[test]
fn broken_by_the_wrong_family() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        let mut title = Bstr::new();
        lost = task(20);
        audit
            .call("IBrowser::Rename")
            .inout_bstr("title", &mut title)
            .invoke(|title| store(title, lost.cast()));
        assert!(title.is_null());
    });
    assert_told(
        &report,
        &format!(
            "\
error[inout-invalid]: what was left as [in,out] is task memory, of the wrong family
  call IBrowser::Rename, parameter title
  block 1: task memory, 20 bytes
  rule: R8
  {HELP}"
        ),
    );
    free_task(lost);
}

#[test]
fn broken_by_a_leak() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        let mut title = Bstr::from("old");
        lost = title.as_raw().cast_mut();
        audit
            .call("IBrowser::Rename")
            .inout_bstr("title", &mut title)
            .invoke(|title| store(title, string("new")));
        assert_eq!(title, "new");
    });
    assert_told(
        &report,
        "\
error[inout-leaked]: an [in,out] value was replaced, and a BSTR that it was is never freed
  call IBrowser::Rename, parameter title
  block 1: BSTR, 6 bytes, \"old\"
  rule: R8, R9
  help: free the old value when a new one is assigned",
    );
    free(lost);
}

/// NULL is a value as any other.
#[test]
fn broken_by_a_leak_for_null() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        let mut title = Bstr::from("old");
        audit
            .call("IBrowser::Rename")
            .inout_bstr("title", &mut title)
            .invoke(|title| {
                lost = load(title);
                store(title, std::ptr::null_mut());
            });
    });
    report.assert_kinds([Kind::InoutLeaked]);
    free(lost);
}

#[test]
fn broken_by_a_dangling_pointer() {
    let report = judged(|audit| {
        let mut title = Bstr::from("old");
        audit
            .call("IBrowser::Rename")
            .inout_bstr("title", &mut title)
            .invoke(|title| {
                free(load(title));
                OK
            })
            .expect("it succeeds");
        assert!(title.is_null());
    });
    assert_told(
        &report,
        "\
error[inout-dangling]: a BSTR was freed, and the [in,out] variable still points at it
  call IBrowser::Rename, parameter title
  block 1: BSTR, 6 bytes, \"old\"
  rule: R8, R9
  help: free the old value only when a new one, or NULL, is stored in its place",
    );
}

/// An alias of the caller's may be freed afterwards: one mistake.
#[test]
fn broken_by_a_dangling_pointer_that_is_freed_again() {
    let report = judged(|audit| {
        let mut title = string("old");
        let alias = title;
        // SAFETY: a variable of this frame's.
        let call = unsafe {
            audit
                .call("IBrowser::Rename")
                .inout_raw(Parameter::bstr("title"), &raw mut title)
        };
        call.invoke(|title| free(load(title)));
        free(alias);
    });
    report.assert_kinds([Kind::InoutDangling]);
}

/// R8: the caller frees the final value.
#[test]
fn broken_by_the_caller() {
    let mut lost = std::ptr::null();
    let report = judged(|audit| {
        let mut title = Bstr::new();
        audit
            .call("IBrowser::Rename")
            .inout_bstr("title", &mut title)
            .invoke(|title| store(title, string("new")));
        lost = title.into_raw();
    });
    assert_told(
        &report,
        "\
error[leak]: a BSTR was never freed
  call IBrowser::Rename, parameter title
  block 1: BSTR, 6 bytes, \"new\"
  rule: R8
  help: whoever owns the block at the end frees it: SysFreeString for a BSTR, CoTaskMemFree for task memory",
    );
    free(lost.cast_mut());
}

/// What was freed before the call is passed, and freed once more by the callee, which cannot know: one mistake.
#[test]
fn broken_at_entry_by_what_was_freed() {
    let report = judged(|audit| {
        let mut title = string("old");
        free(title);
        // SAFETY: a variable of this frame's, with an address whose block is gone.
        let call = unsafe {
            audit
                .call("IBrowser::Rename")
                .inout_raw(Parameter::bstr("title"), &raw mut title)
        };
        call.invoke(|title| {
            free(load(title));
            store(title, string("new"));
        });
        free(title);
    });
    report.assert_kinds([Kind::InoutInvalid]);
}

/// R8: a value that stayed is the caller's to free, as before.
#[test]
fn broken_by_the_caller_whose_value_stayed() {
    let mut lost = std::ptr::null();
    let report = judged(|audit| {
        let mut title = Bstr::from("old");
        audit
            .call("IBrowser::Rename")
            .inout_bstr("title", &mut title)
            .invoke(|_| ());
        lost = title.into_raw();
    });
    assert_told(
        &report,
        "\
error[leak]: a BSTR was never freed
  call IBrowser::Rename, parameter title
  block 1: BSTR, 6 bytes, \"old\"
  rule: R8
  help: whoever owns the block at the end frees it: SysFreeString for a BSTR, CoTaskMemFree for task memory",
    );
    free(lost.cast_mut());
}

/// What it was replaced by may have its address: without a quarantine, and with a cache, a block goes to the next that asks.
#[test]
fn kept_at_an_address_that_is_used_again() {
    let session = Session::options().quarantine(0).begin();
    let mut title = Bstr::from("old");
    session
        .call("IBrowser::Rename")
        .inout_bstr("title", &mut title)
        .invoke(|title| {
            free(load(title));
            store(title, string("new"));
        });
    assert_eq!(title, "new");
    drop(title);
    assert_kept(&session.finish());
}

/// After a failure it is not the old value, wherever it is.
#[test]
fn broken_after_a_failure_at_an_address_that_is_used_again() {
    let session = Session::options().quarantine(0).begin();
    let mut title = Bstr::from("old");
    let failed = session
        .call("IBrowser::Rename")
        .inout_bstr("title", &mut title)
        .invoke(|title| {
            free(load(title));
            store(title, string("new"));
            FAIL
        });
    assert!(failed.is_err());
    drop(title);
    session.finish().assert_kinds([Kind::InoutChangedOnFailure]);
}
