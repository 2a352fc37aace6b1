//! Callees that panic, that never return, that call back, that run at once; and what they return.

use crate::support::{FAIL, OK, assert_kept, assert_told, free, judged, load, store, string};
use olemem::audit::{Crossing, Kind, Parameter, Report, Session};
use olemem::crossing::{Outcome, WithCode};
use olemem::{Bstr, HResult};

/// The panic goes on, and what can be judged was.
#[test]
fn a_panic_is_a_failure() {
    let report = judged(|audit| {
        let mut title = Bstr::from("old");
        let mut text = string("held before");
        let slot = &raw mut text;
        let call = std::panic::AssertUnwindSafe(|| {
            let call = audit
                .call("IBrowser::Rename")
                .inout_bstr("title", &mut title)
                .out_bstr("first")
                .out_bstr("second");
            // SAFETY: a variable of this frame's.
            let call = unsafe { call.out_raw(Parameter::bstr("third"), slot) };
            let nothing = call.invoke(|title, first, second, _third| -> () {
                free(load(title));
                store(title, string("new"));
                store(first, string("made"));
                store(second, std::ptr::null_mut());
                std::panic::resume_unwind(Box::new("panic of the callee"))
            });
            drop(nothing);
        });
        let panic = std::panic::catch_unwind(call).expect_err("it panics");
        assert_eq!(
            *panic.downcast::<&str>().expect("a text"),
            "panic of the callee"
        );
        assert_eq!(title, "new");
        // The variable that it never reached holds what it held.
        free(load(slot));
    });
    report.assert_kinds([Kind::InoutChangedOnFailure, Kind::OutSetOnFailure]);
}

/// A pointer on its way to another thread.
struct Sent(*const u16);

// SAFETY: the string that it leads to is only looked at.
unsafe impl Send for Sent {}

impl Sent {
    fn get(&self) -> *const u16 {
        self.0
    }
}

/// A thread that ends within a call, without unwinding: nothing is lent to it any more.
#[test]
#[cfg_attr(miri, ignore = "what is never given back is a leak")]
fn a_callee_that_never_returns() {
    assert_kept(&judged(|audit| {
        let joiner = audit.joiner();
        let text = Bstr::from("Ready");
        let lent = Sent(text.as_raw());
        std::thread::spawn(move || {
            let _joined = joiner.join();
            let text = lent.get();
            let mut call = Crossing::begin("IBrowser::Run");
            // SAFETY: the string is live.
            unsafe { call.input(Parameter::bstr("text"), text.cast()) };
            std::mem::forget(call);
        })
        .join()
        .expect("it ends");
        drop(text);
        let other = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| store(text, string("Ready")));
        drop(other);
    }));
}

/// A call that was left by other ways than a return is over when the next one begins, or its caller frees something, well above it on the stack.
#[test]
#[cfg(not(miri))]
fn a_callee_that_jumps_out() {
    #[inline(never)]
    fn jumps(text: &Bstr) {
        let mut call = Crossing::begin("IBrowser::Jump");
        // SAFETY: the string is live.
        unsafe { call.input(Parameter::bstr("text"), text.as_raw().cast()) };
        std::mem::forget(call);
    }
    #[inline(never)]
    fn deeper(text: &Bstr) {
        let room = std::hint::black_box([0_u8; 4096]);
        jumps(text);
        std::hint::black_box(room);
    }
    assert_kept(&judged(|audit| {
        let text = Bstr::from("Ready");
        deeper(&text);
        audit.call("IBrowser::Quit").invoke(|| ());
        drop(text);
        // Nor need there be another call.
        let text = Bstr::from("Steady");
        deeper(&text);
        drop(text);
    }));
}

/// A call within a call, of the same object and of another.
#[test]
fn calls_within_calls() {
    assert_kept(&judged(|audit| {
        let text = Bstr::from("Ready");
        let seen = audit
            .call("IBrowser::Navigate")
            .in_bstr("address", &text)
            .out_bstr("seen")
            .invoke(|address, seen| {
                // SAFETY: lent on, while it is lent.
                let inner = unsafe {
                    audit
                        .call("IEvents::OnNavigate")
                        .in_raw(Parameter::bstr("address"), address)
                };
                let copy = inner.out_bstr("title").invoke(|_, title| {
                    store(title, string("a title"));
                    OK
                });
                store(seen, copy.expect("it succeeds").into_raw().cast_mut());
                OK
            });
        assert_eq!(seen.expect("it succeeds"), "a title");
    }));
}

/// Threads at once, each with calls of its own.
#[test]
fn threads_at_once() {
    assert_kept(&judged(|audit| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let joiner = audit.joiner();
                scope.spawn(move || {
                    let _joined = joiner.join();
                    for _ in 0..if cfg!(miri) { 3 } else { 300 } {
                        let mut call = Crossing::begin("IBrowser::get_StatusText");
                        let mut text = std::ptr::null_mut::<u16>();
                        let slot = &raw mut text;
                        // SAFETY: a variable of this frame's.
                        unsafe { call.output(Parameter::bstr("text"), slot.cast()) };
                        store(slot, string("Ready"));
                        call.end(false);
                        free(load(slot));
                    }
                });
            }
        });
    }));
}

/// A session that ends within a call: nothing of the call is judged, and its variables hold what they held.
#[test]
fn a_session_that_ends_within_a_call() {
    let mut text = std::ptr::null_mut::<u16>();
    let slot = &raw mut text;
    let mut title = std::ptr::null_mut();
    let mut buffer = [1_u8; 4];
    let mut call = None;
    let mut given = std::ptr::null_mut();
    let report = judged(|_| {
        title = string("old");
        let mut begun = Crossing::begin("IBrowser::Rename");
        // SAFETY: variables of this frame's.
        unsafe { begun.output(Parameter::bstr("text"), slot.cast()) };
        // SAFETY: as above.
        unsafe { begun.in_out(Parameter::bstr("title"), (&raw mut title).cast()) };
        // SAFETY: as above.
        given = unsafe { begun.buffer("buffer", (&raw mut buffer).cast(), 4) };
        call = Some(begun);
    });
    report.assert_kinds([Kind::Leak]);
    store(given, 7);
    call.expect("it began").end(false);
    assert!(load(slot).is_null());
    assert_eq!(load((&raw mut buffer).cast::<u8>()), 7);
    free(load(&raw mut title));
}

/// In process mode a call that is in no session is the process's, and `halt=first` ends the process with the verdict.
#[test]
#[cfg(all(unix, not(miri)))]
fn a_verdict_ends_the_process_that_is_to_halt() {
    if std::env::var_os("OLEMEM_TEST_HALTS").is_some() {
        let mut call = Crossing::begin("IBrowser::get_StatusText");
        let mut text = std::ptr::null_mut::<u16>();
        // SAFETY: a variable of this frame's.
        unsafe { call.output(Parameter::bstr("text"), (&raw mut text).cast()) };
        call.end(false);
        println!("it went on");
        return;
    }
    let this = std::env::current_exe().expect("this program");
    let output = std::process::Command::new(this)
        .args([
            "--exact",
            "callees::a_verdict_ends_the_process_that_is_to_halt",
        ])
        .arg("--nocapture")
        .env("OLEMEM_TEST_HALTS", "1")
        .env("OLEMEM", "check,halt=first,backtrace=off")
        .output()
        .expect("it can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("error[out-not-set]"), "{said}");
    assert!(
        said.contains("call IBrowser::get_StatusText, parameter text"),
        "{said}"
    );
    assert!(!String::from_utf8_lossy(&output.stdout).contains("it went on"));
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    assert_eq!(signal, Some(6), "{said}");
}

/// Parallel sessions do not see each other's calls.
#[test]
fn sessions_at_once() {
    let other = Session::begin();
    let text = Bstr::from("outer");
    assert_kept(&judged(|audit| {
        drop(Bstr::from("something"));
        audit
            .call("IBrowser::put_StatusText")
            .in_bstr("text", &text)
            .invoke(|_| ());
    }));
    drop(text);
    other.finish().assert_clean();
}

/// A method that hands out a string and returns this.
fn returned(result: impl Outcome) -> Report {
    judged(|audit| {
        let call = audit.call("IBrowser::get_StatusText").out_bstr("text");
        drop(call.invoke(|text| {
            store(text, string("Ready"));
            result
        }));
    })
}

/// Each type that a call may return says whether it failed.
#[test]
fn what_is_returned_says_whether_it_failed() {
    for report in [
        returned(()),
        returned(7_u32),
        returned(OK),
        returned(HResult::S_FALSE),
        returned(0),
        returned(1),
        returned(Ok::<(), &str>(())),
        returned(WithCode(HResult::S_FALSE)),
    ] {
        assert_kept(&report);
    }
    for report in [
        returned(FAIL),
        returned(FAIL.as_raw()),
        returned(Err::<(), &str>("of the program's own")),
        returned(WithCode(FAIL)),
    ] {
        report.assert_kinds([Kind::OutSetOnFailure]);
    }
}

/// What is handed out comes in the order in which it was declared.
#[test]
fn three_values_are_handed_out() {
    assert_kept(&judged(|audit| {
        let values = audit
            .call("IBrowser::GetAll")
            .out_bstr("title")
            .out_bstr("address")
            .out_bstr("text")
            .invoke(|title, address, text| {
                store(title, string("olemem"));
                store(address, string("localhost"));
                store(text, string("Ready"));
                OK
            });
        let expected = ["olemem", "localhost", "Ready"].map(Bstr::from);
        assert_eq!(values.map(<[Bstr; 3]>::from), Ok(expected));
    }));
}

/// A string that is lent to an object, which keeps the pointer.
fn kept_by(audit: &Session, text: &Bstr) -> *mut u16 {
    let mut own = std::ptr::null_mut();
    audit
        .call("IBrowser::put_StatusText")
        .in_bstr("text", text)
        .invoke(|text| own = text);
    own
}

/// A call within it has returned, and the outer one is under way still.
#[test]
fn a_call_within_ends_before_its_caller() {
    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        let own = kept_by(audit, &text);
        audit.call("IBrowser::Quit").invoke(|| {
            audit.call("IEvents::OnQuit").invoke(|| ());
            free(own);
        });
    });
    report.assert_kinds([Kind::InRetainedByCallee]);
}

/// A session that sees something, and ends.
fn another_session() {
    assert_kept(&judged(|_| drop(Bstr::from("of another session"))));
}

/// The end of one session changes nothing of what another knows: what is lent, what was, what failed, and who may be called back.
#[test]
fn a_session_that_ends_beside_a_call() {
    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        let call = audit
            .call("IBrowser::put_StatusText")
            .in_bstr("text", &text);
        call.invoke(|text| {
            another_session();
            free(text);
        });
    });
    report.assert_kinds([Kind::InFreedByCallee]);

    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        let own = kept_by(audit, &text);
        another_session();
        audit.call("IBrowser::Quit").invoke(|| free(own));
    });
    report.assert_kinds([Kind::InRetainedByCallee]);

    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        let mut title = std::ptr::null_mut::<u16>();
        let slot = &raw mut title;
        let result = audit
            .call("IBrowser::get_Page")
            // SAFETY: a variable of this frame's.
            .with(|call| unsafe {
                call.output(Parameter::bstr("page.title").member(), slot.cast());
            })
            .invoke(|| {
                lost = string("olemem");
                store(slot, std::ptr::null_mut());
                FAIL
            });
        assert_eq!(result, Err(FAIL));
        another_session();
    });
    report.assert_kinds([Kind::OrphanedOnFailure]);
    free(lost);

    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        let own = kept_by(audit, &text);
        audit.call("IBrowser::Advise").calls_back().invoke(|| ());
        another_session();
        audit.call("IBrowser::Quit").invoke(|| free(own));
        std::mem::forget(text);
    });
    report.assert_kinds([Kind::InRetainedByCallee]);
    report.assert_clean();
}

/// A call that never returned is over with its session: what the next one is given is the program's.
#[test]
fn a_session_that_ends_before_the_next_one() {
    judged(|_| {
        drop(Bstr::from("something"));
        std::mem::forget(Crossing::begin("IBrowser::Run"));
    })
    .assert_clean();
    let report = judged(|audit| {
        let mut own = std::ptr::null_mut();
        let text = audit
            .call("IBrowser::get_StatusText")
            .out_bstr("text")
            .invoke(|text| {
                own = string("Ready");
                store(text, own);
            });
        audit.call("IBrowser::Quit").invoke(|| free(own));
        drop(text);
    });
    assert_told(
        &report,
        "\
error[out-freed-by-callee]: the callee freed a BSTR that it had handed out in an earlier call
  call IBrowser::get_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R11
  help: what was handed out is the caller's to free",
    );
}
