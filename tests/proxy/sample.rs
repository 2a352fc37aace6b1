//! The documentation's own component, which keeps every rule, behind a proxy.

use std::ptr;

use olemem::audit::Kind;
use olemem::sample::{Browser, IID_BROWSER};
use olemem::{Bstr, checked_interface, raw};

use crate::component::{Any, ask, call, lent, let_go};
use crate::support::{OK, assert_kept, free, judged};

checked_interface! {
    interface IBrowser("5c1e1b5a-0c0e-4f0b-9b57-6f6c656d656d"): IUnknown {
        fn put_StatusText([in] text: BSTR) -> HRESULT;
        fn get_StatusText([out, retval] text: *mut BSTR) -> HRESULT;
        fn ExchangeStatusText([in, out] text: *mut BSTR) -> HRESULT;
    }
}

#[test]
fn kept() {
    assert_kept(&judged(|_| {
        let browser = Browser::new();
        // SAFETY: a live browser.
        let checked = unsafe { IBrowser::wrap(browser.as_raw()) }.expect("it is not null");
        drop(browser);
        let text = Bstr::from("Ready");
        assert_eq!(call!(checked, put_StatusText, lent(&text)), OK);
        drop(text);
        let mut shown = ptr::null_mut();
        assert_eq!(call!(checked, get_StatusText, &raw mut shown), OK);
        // SAFETY: a string that was handed out.
        assert_eq!(unsafe { raw::unit_len(shown) }.get(), 5);
        assert_eq!(call!(checked, ExchangeStatusText, &raw mut shown), OK);
        free(shown);
        let pointer: Any = olemem::crossing::Reference::as_raw(&checked).cast();
        assert_eq!(ask(pointer, IID_BROWSER), Ok(pointer));
        let_go(pointer);
    }));
}

/// A caller that has its variable filled twice.
#[test]
fn broken_by_the_caller() {
    let mut lost = ptr::null_mut();
    let report = judged(|_| {
        let browser = Browser::new();
        // SAFETY: a live browser.
        let checked = unsafe { IBrowser::wrap(browser.as_raw()) }.expect("it is not null");
        let text = Bstr::from("Ready");
        assert_eq!(call!(checked, put_StatusText, lent(&text)), OK);
        assert_eq!(call!(checked, get_StatusText, &raw mut lost), OK);
        let mut shown = lost;
        assert_eq!(call!(checked, get_StatusText, &raw mut shown), OK);
        free(shown);
    });
    report.assert_kinds([Kind::OutOwnedAtEntry]);
    free(lost);
}
