//! What a program in C needs to have its interface checked: the methods with their directions, and one function.

use std::ffi::c_void;
use std::ptr;

use olemem::crossing::Reference;

olemem::checked_interface! {
    interface IBrowser("5c1e1b5a-0c0e-4f0b-9b57-6f6c656d656d"): IUnknown {
        fn put_StatusText([in] text: BSTR) -> HRESULT;
        fn get_StatusText([out, retval] text: *mut BSTR) -> HRESULT;
        fn Rename([in] name: BSTR, [in, out] title: *mut BSTR) -> HRESULT;
        fn Tabs() -> u32;
    }
}

/// A proxy before a browser, with a reference that is the caller's; NULL for NULL.
///
/// # Safety
///
/// * `browser` is NULL or a live `IBrowser`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn checked_browser(browser: *mut c_void) -> *mut c_void {
    // SAFETY: the caller's promise.
    let checked = unsafe { IBrowser::wrap(browser) };
    checked.map_or(ptr::null_mut(), |checked| {
        Reference::into_raw(checked).cast()
    })
}
