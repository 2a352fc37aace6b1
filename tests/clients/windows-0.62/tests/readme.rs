//! The README's example, word for word: `tests/readme.rs` of olemem compares the two.

use olemem as _; // without this line the linker drops the symbols
use windows::Win32::Foundation::{E_POINTER, S_OK};
use windows::core::{BSTR, HRESULT, IUnknown, IUnknown_Vtbl, implement, interface};

#[interface("5c1e1b5a-0c0e-4f0b-9b57-6f6c656d656d")]
unsafe trait IBrowser: IUnknown {
    unsafe fn get_status_text(&self, text: *mut BSTR) -> HRESULT;
}

#[implement(IBrowser)]
struct Browser;

impl IBrowser_Impl for Browser_Impl {
    unsafe fn get_status_text(&self, text: *mut BSTR) -> HRESULT {
        if text.is_null() {
            return E_POINTER;
        }
        // SAFETY: an [out] pointer that is not null points to the caller's variable.
        unsafe { text.write(BSTR::from("Ready")) };
        S_OK
    }
}

#[test]
fn the_caller_frees_what_it_was_given() {
    let browser: IBrowser = Browser.into();
    let mut text = BSTR::new();
    // SAFETY: the variable is null before the call, so nothing is lost.
    let code = unsafe { browser.get_status_text(&mut text) };
    assert_eq!(code, S_OK);
    assert_eq!(text, "Ready");
}
