//! As `setting`, watched whatever the environment says: for services, which give a program none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use olemem::{Bstr, audit, raw};
use olemem_fuzz::setting::get_name;

/// What is done with an input.
fn find_name(setting: &Bstr) {
    let mut name = std::ptr::null_mut();
    // SAFETY: the setting is lent, the variable may be written.
    let _ = unsafe { get_name(setting.as_raw(), &mut name) };
    // SAFETY: what comes out is the caller's to free, and null after a failure.
    unsafe { raw::free(name) };
}

fuzz_target!(
    init: {
        // SAFETY: there is no other thread yet.
        unsafe { std::env::set_var("OLEMEM", "check,halt=first,backtrace=short") };
    },
    |setting: Bstr| audit::input(|| find_name(&setting))
);
