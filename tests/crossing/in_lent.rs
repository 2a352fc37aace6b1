//! R1: what is [in] is the caller's to free.

use crate::support::{OK, assert_kept, assert_told, free, free_task, judged, string};
use olemem::audit::Kind;
use olemem::{Bstr, HResult, TaskBox, UnitLen, raw};

const FREED: &str = "\
error[in-freed-by-callee]: the callee freed a BSTR that it was lent as [in]
  call IBrowser::put_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R1
  help: leave what is [in] to the caller; to keep or change a string, make a copy of one's own";

#[test]
fn kept() {
    assert_kept(&judged(|audit| {
        let text = Bstr::from("Ready");
        let mut copy = std::ptr::null_mut();
        let result = audit
            .call("IBrowser::put_StatusText")
            .in_bstr("text", &text)
            .invoke(|text| {
                // SAFETY: the text is live.
                copy = unsafe { raw::alloc(text) };
                OK
            });
        assert_eq!(result, Ok(()));
        free(copy);
        assert_eq!(text, "Ready");
    }));
}

/// The caller's own free is then the only one, and its string is whole.
#[test]
fn broken() {
    assert_told(
        &judged(|audit| {
            let text = Bstr::from("Ready");
            let result = audit
                .call("IBrowser::put_StatusText")
                .in_bstr("text", &text)
                .invoke(|text| {
                    free(text);
                    OK
                });
            assert_eq!(result, Ok(()));
            assert_eq!(text, "Ready");
        }),
        FREED,
    );
}

/// However often: one mistake.
#[test]
fn broken_twice_in_a_call() {
    assert_told(
        &judged(|audit| {
            let text = Bstr::from("Ready");
            audit
                .call("IBrowser::put_StatusText")
                .in_bstr("text", &text)
                .invoke(|text| {
                    free(text);
                    free(text);
                });
        }),
        FREED,
    );
}

#[test]
fn broken_by_a_reallocation() {
    assert_told(
        &judged(|audit| {
            let text = Bstr::from("Ready");
            let result = audit
                .call("IBrowser::put_StatusText")
                .in_bstr("text", &text)
                .invoke(|mut text| {
                    // SAFETY: a variable of this frame's, and a live string.
                    let grown = unsafe {
                        raw::realloc_units(&raw mut text, std::ptr::null(), UnitLen::new(99))
                    };
                    if grown { OK } else { HResult::E_OUTOFMEMORY }
                });
            assert_eq!(result, Err(HResult::E_OUTOFMEMORY));
            assert_eq!(text, "Ready");
        }),
        "\
error[in-freed-by-callee]: the callee reallocated a BSTR that it was lent as [in]
  call IBrowser::put_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R1
  help: leave what is [in] to the caller; to keep or change a string, make a copy of one's own",
    );
}

#[test]
fn broken_task_memory() {
    assert_told(
        &judged(|audit| {
            let block = Some(TaskBox::new(5_u32));
            audit
                .call("IBrowser::put_Size")
                .in_block("size", &block)
                .invoke(|size| free_task(size.cast()));
            assert_eq!(block.as_deref(), Some(&5));
        }),
        "\
error[in-freed-by-callee]: the callee freed task memory that it was lent as [in]
  call IBrowser::put_Size, parameter size
  block 1: task memory, 4 bytes
  rule: R1
  help: leave what is [in] to the caller; to keep or change a string, make a copy of one's own",
    );
}

/// A pinned string is there as long as it is pinned, and was freed all the same.
#[test]
fn broken_while_it_is_pinned() {
    let report = judged(|audit| {
        let text = Bstr::from("Ready").into_raw().cast_mut();
        assert!(raw::pin(text).is_ok());
        // SAFETY: the string is live.
        let call = unsafe {
            audit
                .call("IBrowser::put_StatusText")
                .in_raw(olemem::audit::Parameter::bstr("text"), text)
        };
        call.invoke(free);
        // SAFETY: a pin of this frame's.
        unsafe { raw::unpin(text) };
    });
    assert_told(&report, FREED);
}

/// By a thread that takes no part in the session, while the call is under way.
#[test]
fn broken_on_another_thread() {
    struct Sent(*mut u16);
    // SAFETY: whoever gets it only gives it to `free`.
    unsafe impl Send for Sent {}
    impl Sent {
        fn free(&self) {
            free(self.0);
        }
    }

    assert_told(
        &judged(|audit| {
            let text = Bstr::from("Ready");
            audit
                .call("IBrowser::put_StatusText")
                .in_bstr("text", &text)
                .invoke(|text| {
                    let text = Sent(text);
                    let other = std::thread::spawn(move || text.free());
                    other.join().expect("it ends");
                });
        }),
        &FREED.replace(
            "the callee freed a BSTR that it was lent",
            "another thread freed a BSTR that the call was lent",
        ),
    );
}

/// Two calls have the same string, and the callee of one frees it: the other is not blamed.
#[test]
fn broken_by_one_of_two_threads() {
    use olemem::audit::{Crossing, Parameter};
    use std::sync::Barrier;

    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        let joiner = audit.joiner();
        audit
            .call("IFirst::Guilty")
            .in_bstr("text", &text)
            .invoke(|lent| {
                let (begun, freed) = (Barrier::new(2), Barrier::new(2));
                std::thread::scope(|threads| {
                    threads.spawn(|| {
                        let _joined = joiner.join();
                        let mut call = Crossing::begin("ISecond::Innocent");
                        // SAFETY: the string outlives both calls.
                        unsafe { call.input(Parameter::bstr("text"), text.as_raw().cast()) };
                        begun.wait();
                        freed.wait();
                        call.end(false);
                    });
                    begun.wait();
                    free(lent);
                    freed.wait();
                });
            });
    });
    assert_told(
        &report,
        &FREED.replace("IBrowser::put_StatusText", "IFirst::Guilty"),
    );
}

/// Whoever knows that the callee took it does not free it: one mistake.
#[test]
fn broken_with_the_callers_consent() {
    let mut lost = std::ptr::null();
    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        audit
            .call("IBrowser::put_StatusText")
            .in_bstr("text", &text)
            .invoke(free);
        lost = text.into_raw();
    });
    assert_told(&report, FREED);
    free(lost.cast_mut());
}

/// A callee that fails, or panics, has freed it all the same.
#[test]
fn broken_by_a_callee_that_panics() {
    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        let call = std::panic::AssertUnwindSafe(|| {
            audit
                .call("IBrowser::put_StatusText")
                .in_bstr("text", &text)
                .invoke(|text| -> () {
                    free(text);
                    std::panic::resume_unwind(Box::new("panic of the callee"));
                });
        });
        assert!(std::panic::catch_unwind(call).is_err());
        assert_eq!(text, "Ready");
    });
    assert_told(&report, FREED);
}

/// A string from before the session: it is known to be a block, and no more.
#[test]
fn broken_with_a_string_from_before() {
    let text = string("before");
    let report = judged(|audit| {
        drop(Bstr::from("something"));
        // SAFETY: the string is live.
        let call = unsafe {
            audit
                .call("IBrowser::put_StatusText")
                .in_raw(olemem::audit::Parameter::bstr("text"), text)
        };
        call.invoke(free);
    });
    report.assert_kinds([Kind::InFreedByCallee]);
    assert!(report.violations()[0].block.is_none());
}

/// Where there are stacks the callee's is told.
#[test]
#[cfg(not(miri))]
fn broken_with_the_stack_of_the_callee() {
    #[inline(never)]
    fn careless_callee(text: *mut u16) {
        free(text);
        // So that it is there while it frees, and not jumped out of.
        std::hint::black_box(text);
    }
    let session = olemem::audit::Session::begin();
    let text = Bstr::from("Ready");
    session
        .call("IBrowser::put_StatusText")
        .in_bstr("text", &text)
        .invoke(careless_callee);
    drop(text);
    let report = session.finish();
    report.assert_kinds([Kind::InFreedByCallee]);
    let frames = &report.violations()[0].at;
    let is_callee = |name: &String| name.contains("careless_callee");
    assert!(
        frames
            .iter()
            .any(|frame| frame.function.as_ref().is_some_and(is_callee)),
        "{report}"
    );
}
