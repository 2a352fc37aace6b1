//! Annotated calls over the windows crate's interfaces: pointers cross as raw pointers, as in native code.
#![cfg(miri)]

use std::ffi::c_void;

use client_windows::{Browser, FAILED, IBrowser, IBrowser_Impl};
use olemem::audit::{Backtrace, Kind, Parameter, Report, Session};
use olemem::{Bstr, HResult};
use windows::core::{BSTR, HRESULT, Interface, OutRef, Ref, Result, implement};

type Put = unsafe extern "system" fn(*mut c_void, *const u16) -> HRESULT;
type Get = unsafe extern "system" fn(*mut c_void, *mut *mut u16) -> HRESULT;
type Change = unsafe extern "system" fn(*mut c_void, *mut *mut u16) -> HRESULT;

/// A browser's methods as C has them.
struct Methods {
    this: *mut c_void,
    put: Put,
    get: Get,
    append: Change,
    refuse: Change,
}

impl Methods {
    fn of(browser: &IBrowser) -> Self {
        let table: *const *const c_void = std::ptr::from_ref(browser.vtable()).cast();
        let slot = |index: usize| {
            // SAFETY: IUnknown's three methods and IBrowser's four are seven pointers.
            let place = unsafe { table.add(index) };
            // SAFETY: as above.
            unsafe { place.read() }
        };
        Self {
            this: browser.as_raw(),
            // SAFETY: slot 3 is put_StatusText, whose Ref<BSTR> is a string's pointer.
            put: unsafe { std::mem::transmute::<*const c_void, Put>(slot(3)) },
            // SAFETY: slot 4 is get_StatusText, whose OutRef<BSTR> is a pointer to a string's pointer.
            get: unsafe { std::mem::transmute::<*const c_void, Get>(slot(4)) },
            // SAFETY: slots 5 and 6 take a pointer to a string.
            append: unsafe { std::mem::transmute::<*const c_void, Change>(slot(5)) },
            // SAFETY: as above.
            refuse: unsafe { std::mem::transmute::<*const c_void, Change>(slot(6)) },
        }
    }

    fn put(&self, audit: &Session, text: &Bstr) {
        audit
            .call("IBrowser::put_StatusText")
            .on(self.this)
            .in_bstr("text", text)
            // SAFETY: the object is alive and so is the string.
            .invoke(|text| unsafe { (self.put)(self.this, text) }.0)
            .expect("it succeeds");
    }

    fn get(&self, audit: &Session) -> Bstr {
        audit
            .call("IBrowser::get_StatusText")
            .on(self.this)
            .out_bstr("text")
            // SAFETY: the object is alive, and the variable outlives the call.
            .invoke(|text| unsafe { (self.get)(self.this, text) }.0)
            .expect("it succeeds")
    }
}

fn judged(code: impl FnOnce(&Session)) -> Report {
    let session = Session::options().backtrace(Backtrace::Off).begin();
    code(&session);
    session.finish()
}

#[test]
fn a_component_that_keeps_the_rules() {
    let report = judged(|audit| {
        let browser = Browser::create();
        let methods = Methods::of(&browser);
        methods.put(audit, &Bstr::from("Ready"));
        assert_eq!(methods.get(audit), "Ready");

        let mut text = Bstr::from("Now: ");
        audit
            .call("IBrowser::AppendStatusText")
            .on(methods.this)
            .inout_bstr("text", &mut text)
            // SAFETY: the object is alive, and the variable outlives the call.
            .invoke(|text| unsafe { (methods.append)(methods.this, text) }.0)
            .expect("it succeeds");
        assert_eq!(text, "Now: Ready");
        let refused = audit
            .call("IBrowser::Refuse")
            .on(methods.this)
            .inout_bstr("text", &mut text)
            // SAFETY: as above.
            .invoke(|text| unsafe { (methods.refuse)(methods.this, text) }.0);
        assert_eq!(refused, Err(HResult::from_raw(FAILED.0)));
        assert_eq!(text, "Now: Ready");

        // A string of the windows crate's own, by its address.
        let own = BSTR::from("a BSTR of windows-strings");
        let address = own.as_ptr().cast_mut();
        // SAFETY: the string is live.
        let call = unsafe {
            audit
                .call("IBrowser::put_StatusText")
                .in_raw(Parameter::bstr("text"), address)
        };
        // SAFETY: as above.
        call.invoke(|text| unsafe { (methods.put)(methods.this, text) }.0)
            .expect("it succeeds");
        drop(own);
        assert_eq!(methods.get(audit), "a BSTR of windows-strings");
    });
    report.assert_clean();
    assert!(report.violations().is_empty(), "{report}");
}

include!("../../sloppy_browser.rs");

#[test]
fn a_component_that_breaks_them() {
    let mut lost = std::ptr::null();
    let report = judged(|audit| {
        let browser: IBrowser = Sloppy.into();
        let methods = Methods::of(&browser);
        methods.put(audit, &Bstr::from("Ready"));
        assert!(methods.get(audit).is_null());
        let mut text = Bstr::from("old");
        lost = text.as_raw();
        audit
            .call("IBrowser::AppendStatusText")
            .inout_bstr("text", &mut text)
            // SAFETY: the object is alive, and the variable outlives the call.
            .invoke(|text| unsafe { (methods.append)(methods.this, text) }.0)
            .expect("it succeeds");
        let refused = audit
            .call("IBrowser::Refuse")
            .inout_bstr("text", &mut text)
            // SAFETY: as above.
            .invoke(|text| unsafe { (methods.refuse)(methods.this, text) }.0);
        assert!(refused.is_err());
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
