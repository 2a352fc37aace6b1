//! Checking proxies before windows-core's objects, called through windows-core's interface pointers.

use std::cell::RefCell;
use std::mem;
use std::ptr;
use std::rc::Rc;

use client_windows_core_native::{Browser, IBrowser, IObserver, NO_MEMORY, OK, Observer, Sloppy};
use olemem::audit::{Backtrace, Kind, Report, Session};
use olemem::crossing::Reference;
use olemem::{Bstr, HResult, raw};
use windows_core::{HRESULT, IUnknown, Interface};

/// The directions, which windows-core's declarations do not have.
mod directions {
    olemem::checked_interface! {
        pub interface IObserver("6f1a3b52-5c1e-4f7e-9d7a-0d6f3c0f2b21"): IUnknown {
            fn StatusChanged([in] text: BSTR) -> HRESULT;
        }
        pub interface IBrowser("6f1a3b52-5c1e-4f7e-9d7a-0d6f3c0f2b22"): IUnknown {
            fn put_StatusText([in] text: BSTR) -> HRESULT;
            fn get_StatusText([out, retval] text: *mut BSTR) -> HRESULT;
            fn ExchangeStatusText([in, out] text: *mut BSTR) -> HRESULT;
            fn put_Observer([in] observer: *mut IObserver) -> HRESULT;
        }
    }
}

/// A proxy, as windows-core's own pointer.
fn checked(browser: IBrowser) -> IBrowser {
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

fn get(browser: &IBrowser) -> Bstr {
    let mut text = ptr::null_mut();
    // SAFETY: the variable outlives the call.
    assert_eq!(unsafe { browser.get_StatusText(&mut text) }, OK);
    // SAFETY: what was handed out is the caller's.
    unsafe { Bstr::from_raw(text) }
}

fn put(browser: &IBrowser, text: &Bstr) {
    // SAFETY: the string is live.
    let code = unsafe { browser.put_StatusText(text.as_raw().cast_mut()) };
    assert_eq!(code, OK);
}

#[test]
fn a_component_that_keeps_the_rules() {
    let report = judged(|| {
        let browser = checked(Browser::default().into());
        put(&browser, &Bstr::from("Ready"));
        assert_eq!(get(&browser), "Ready");

        let mut text = Bstr::from("Loading").into_raw().cast_mut();
        // SAFETY: the variable holds a string, and outlives the call.
        assert_eq!(unsafe { browser.ExchangeStatusText(&mut text) }, OK);
        // SAFETY: what is there now is the caller's.
        assert_eq!(unsafe { Bstr::from_raw(text) }, "Ready");
        assert_eq!(get(&browser), "Loading");

        // One identity, and one pointer for each interface: the proxy's.
        let unknown: IUnknown = browser.cast().expect("every object is an IUnknown");
        let same: IBrowser = unknown.cast().expect("a browser");
        assert_eq!(same.as_raw(), browser.as_raw());
        assert_eq!(same.cast::<IUnknown>().expect("as above"), unknown);
        assert!(browser.cast::<IObserver>().is_err());
    });
    report.assert_clean();
    assert!(report.violations().is_empty(), "{report}");
}

/// The object that the caller passes gets a proxy of its own, by which it is called.
#[test]
fn a_callback_is_judged_as_well() {
    let told = Rc::default();
    let report = judged(|| {
        let browser = checked(Browser::default().into());
        let observer = Observer::create(&told);
        // SAFETY: a live object.
        assert_eq!(unsafe { browser.put_Observer(&observer) }, OK);
        drop(observer);
        put(&browser, &Bstr::from("Ready"));
        let texts: &RefCell<Vec<Bstr>> = &told;
        assert_eq!(texts.take(), ["Ready"]);
    });
    report.assert_clean();
    assert!(report.violations().is_empty(), "{report}");
}

#[test]
fn a_component_that_breaks_them() {
    let mut lost = ptr::null();
    let told = Rc::default();
    let report = judged(|| {
        let browser = checked(Sloppy.into());
        put(&browser, &Bstr::from("Ready"));
        let mut text = ptr::null_mut();
        // SAFETY: the variable outlives the call.
        assert_eq!(unsafe { browser.get_StatusText(&mut text) }, NO_MEMORY);
        // SAFETY: null, or a string that is nobody's after a failure.
        drop(unsafe { Bstr::from_raw(text) });
        let mut text = Bstr::from("old").into_raw().cast_mut();
        lost = text.cast_const();
        // SAFETY: as above; the variable holds a string.
        assert_eq!(unsafe { browser.ExchangeStatusText(&mut text) }, OK);
        assert!(text.is_null());
        let observer = Observer::create(&told);
        // SAFETY: a live object.
        assert_eq!(unsafe { browser.put_Observer(&observer) }, OK);
    });
    // SAFETY: nobody's any more.
    unsafe { raw::free(lost.cast_mut()) };
    report.assert_kinds([
        Kind::InFreedByCallee,
        Kind::OutSetOnFailure,
        Kind::InoutLeaked,
        Kind::InterfaceLeaked,
    ]);
    let calls = report.violations().iter().filter_map(|violation| {
        let call = violation.call.as_ref()?;
        Some((call.method.as_str(), call.parameter.as_deref()))
    });
    let calls: Vec<_> = calls.collect();
    assert_eq!(
        calls,
        [
            ("IBrowser::put_StatusText", Some("text")),
            ("IBrowser::get_StatusText", Some("text")),
            ("IBrowser::ExchangeStatusText", Some("text")),
            ("IBrowser::put_Observer", Some("observer")),
        ]
    );
}

/// One reference too many that is given up, by the client: what is called then is told, and harmless.
#[test]
fn a_client_that_releases_too_often() {
    let report = judged(|| {
        let browser = checked(Browser::default().into());
        // SAFETY: none: the reference is `browser`'s.
        drop(unsafe { IBrowser::from_raw(browser.as_raw()) });
        let mut text = ptr::null_mut();
        // SAFETY: none: the object is gone. The session keeps the proxy's memory.
        let code = unsafe { browser.get_StatusText(&mut text) };
        assert_eq!(code, HRESULT(HResult::E_UNEXPECTED.as_raw()));
        mem::forget(browser);
    });
    report.assert_kinds([Kind::InterfaceUsedAfterDestroy]);
}
