//! Checking proxies before the windows crate's objects, called through the crate's own interface pointers.
#![cfg(miri)]

use std::mem::ManuallyDrop;

use client_windows::{Browser, FAILED, IBrowser, IBrowser_Impl, IHistory};
use olemem::audit::{Backtrace, Kind, Report, Session};
use olemem::crossing::{Reference, proxy};
use windows::core::{BSTR, IUnknown, Interface, OutRef, Ref, Result, implement};

include!("../../sloppy_browser.rs");

/// The directions, which the crate's declarations do not have.
mod directions {
    olemem::checked_interface! {
        pub interface IBrowser("6f1a3b52-5c1e-4f7e-9d7a-0d6f3c0f2b11"): IUnknown {
            fn put_StatusText([in] text: BSTR) -> HRESULT;
            fn get_StatusText([out, retval] text: *mut BSTR) -> HRESULT;
            fn AppendStatusText([in, out] text: *mut BSTR) -> HRESULT;
            fn Refuse([in, out] text: *mut BSTR) -> HRESULT;
        }
        pub interface IHistory("6f1a3b52-5c1e-4f7e-9d7a-0d6f3c0f2b12"): IUnknown {
            fn Count() -> u32;
            fn Item([in] index: u32, [out, retval] text: *mut BSTR) -> HRESULT;
        }
    }
}

/// A proxy, as the crate's own pointer.
fn checked(browser: IBrowser) -> IBrowser {
    proxy::know::<directions::IHistory>();
    // SAFETY: a live object of this interface, whose methods are those that were declared.
    let proxy = unsafe { directions::IBrowser::wrap(browser.as_raw()) }.expect("an object");
    // SAFETY: its reference is the pointer's from now on.
    unsafe { IBrowser::from_raw(Reference::into_raw(proxy).cast()) }
}

fn judged(code: impl FnOnce()) -> Report {
    let session = Session::options().backtrace(Backtrace::Off).begin();
    code();
    session.finish()
}

fn put(browser: &IBrowser, text: &BSTR) {
    // SAFETY: the string is live during the call.
    unsafe { browser.put_StatusText(text) }.expect("it succeeds");
}

fn get(browser: &IBrowser) -> BSTR {
    let mut text = BSTR::new();
    // SAFETY: the variable outlives the call, and holds nothing that could be lost.
    unsafe { browser.get_StatusText(&mut text) }.expect("it succeeds");
    text
}

#[test]
fn a_component_that_keeps_the_rules() {
    let report = judged(|| {
        let browser = checked(Browser::create());
        put(&browser, &BSTR::from("Ready"));
        assert_eq!(get(&browser), "Ready");
        let mut text = BSTR::from("Now: ");
        // SAFETY: the variable holds a live string, which the method may free and replace.
        unsafe { browser.AppendStatusText(&mut text) }.expect("it succeeds");
        assert_eq!(text, "Now: Ready");
        // SAFETY: as above.
        let refused = unsafe { browser.Refuse(&mut text) };
        assert_eq!(refused.unwrap_err().code(), FAILED);
        assert_eq!(text, "Now: Ready");

        // Both interfaces are the proxy's, and so is their identity.
        let history: IHistory = browser.cast().expect("the browser has a history");
        // SAFETY: the object is alive.
        assert_eq!(unsafe { history.Count() }, 1);
        let mut text = BSTR::new();
        // SAFETY: the variable outlives the call.
        unsafe { history.Item(0, &mut text) }.expect("there is one");
        assert_eq!(text, "Ready");
        let unknown: IUnknown = browser.cast().expect("every object is an IUnknown");
        assert_eq!(history.cast::<IUnknown>().expect("as above"), unknown);
    });
    report.assert_clean();
    assert!(report.violations().is_empty(), "{report}");
}

#[test]
fn a_component_that_breaks_them() {
    let mut lost = std::ptr::null();
    let report = judged(|| {
        let browser = checked(Sloppy.into());
        put(&browser, &BSTR::from("Ready"));
        assert_eq!(get(&browser), "");
        let mut text = BSTR::from("old");
        lost = text.as_ptr();
        // SAFETY: the variable holds a live string, which the method may free and replace.
        unsafe { browser.AppendStatusText(&mut text) }.expect("it succeeds");
        // SAFETY: as above.
        assert!(unsafe { browser.Refuse(&mut text) }.is_err());
        assert_eq!(text, "changed");
    });
    report.assert_kinds([
        Kind::InFreedByCallee,
        Kind::OutNotSet,
        Kind::InoutChangedOnFailure,
        Kind::InoutLeaked,
    ]);
    // SAFETY: it leaked, and is nobody's.
    drop(unsafe { BSTR::from_raw(lost) });
}

/// A client that keeps a reference too many: the object and its proxy are never released.
#[test]
fn a_client_that_leaks() {
    let mut lost = None;
    let report = judged(|| {
        let browser = checked(Browser::create());
        assert_eq!(get(&browser), "");
        lost = Some(ManuallyDrop::new(browser.clone()));
    });
    report.assert_kinds([Kind::InterfaceLeaked]);
    drop(lost.map(ManuallyDrop::into_inner));
}
