//! R33: what fails half-way releases what it made.

use crate::support::{FAIL, OK, assert_kept, assert_told, free, judged, load, store, string};
use olemem::audit::{Kind, Parameter, Report};

#[repr(C)]
#[derive(Clone, Copy)]
struct Page {
    title: *mut u16,
    address: *mut u16,
}

/// A method that fills a page.
fn got(callee: impl FnOnce(*mut Page) -> olemem::HResult) -> Report {
    judged(|audit| {
        let null = std::ptr::null_mut();
        let mut page = Page {
            title: null,
            address: null,
        };
        let page = &raw mut page;
        let result = audit
            .call("IBrowser::get_Page")
            .with(|call| {
                for (name, offset) in [
                    ("page.title", std::mem::offset_of!(Page, title)),
                    ("page.address", std::mem::offset_of!(Page, address)),
                ] {
                    let slot = page.wrapping_byte_add(offset).cast();
                    // SAFETY: the structure is there until the call has returned.
                    unsafe { call.output(Parameter::bstr(name).member(), slot) };
                }
            })
            .invoke(|| callee(page));
        let page = load(page);
        if result.is_ok() {
            free(page.title);
            free(page.address);
        } else {
            assert!(page.title.is_null() && page.address.is_null());
        }
    })
}

#[test]
fn kept() {
    assert_kept(&got(|page| {
        let (title, address) = (string("olemem"), string("localhost"));
        store(page, Page { title, address });
        OK
    }));
    assert_kept(&got(|page| {
        free(string("olemem"));
        let null = std::ptr::null_mut();
        store(
            page,
            Page {
                title: null,
                address: null,
            },
        );
        FAIL
    }));
}

/// The title was made, the address could not be, and both are NULL in the end.
#[test]
fn broken() {
    let mut lost = std::ptr::null_mut();
    let report = got(|page| {
        lost = string("olemem");
        let null = std::ptr::null_mut();
        store(
            page,
            Page {
                title: null,
                address: null,
            },
        );
        FAIL
    });
    assert_told(
        &report,
        "\
error[orphaned-on-failure]: the call failed, and a BSTR that was allocated in it was never freed
  call IBrowser::get_Page
  block 1: BSTR, 12 bytes, \"olemem\"
  rule: R33
  help: on failure free what the structure or array was given so far",
    );
    free(lost);
}

/// What another thread loses meanwhile is no fault of the call's.
#[test]
fn what_another_thread_leaks_is_its_own() {
    let lost = std::sync::atomic::AtomicPtr::new(std::ptr::null_mut());
    let report = judged(|audit| {
        let joiner = audit.joiner();
        let mut title = std::ptr::null_mut::<std::ffi::c_void>();
        let slot = &raw mut title;
        let parameter = Parameter::bstr("page.title").member();
        let result = audit
            .call("IBrowser::GetPage")
            // SAFETY: a variable of this frame's.
            .with(|call| unsafe { call.output(parameter, slot) })
            .invoke(|| {
                std::thread::scope(|threads| {
                    threads.spawn(|| {
                        let _joined = joiner.join();
                        lost.store(string("other"), std::sync::atomic::Ordering::Relaxed);
                    });
                });
                store(slot, std::ptr::null_mut());
                FAIL
            });
        assert_eq!(result, Err(FAIL));
    });
    report.assert_kinds([Kind::Leak]);
    free(lost.into_inner());
}

/// What its caller, which is in a call itself, made before and loses is no fault of the call's.
#[test]
fn what_was_made_before_is_the_callers() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        audit.call("IBrowser::Open").invoke(|| {
            lost = string("before");
            let mut title = std::ptr::null_mut::<std::ffi::c_void>();
            let slot = &raw mut title;
            let parameter = Parameter::bstr("page.title").member();
            let result = audit
                .call("IPage::GetPage")
                // SAFETY: a variable of this frame's.
                .with(|call| unsafe { call.output(parameter, slot) })
                .invoke(|| {
                    drop(olemem::Bstr::from("made, and freed again"));
                    store(slot, std::ptr::null_mut());
                    FAIL
                });
            assert_eq!(result, Err(FAIL));
        });
    });
    report.assert_kinds([Kind::Leak]);
    free(lost);
}
