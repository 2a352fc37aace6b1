//! The target of `docs/fuzzing.md`: a function that takes a BSTR and gives one, and keeps the rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use olemem::{Bstr, audit, raw};
use olemem_fuzz::setting::get_name; // yours

fuzz_target!(|setting: Bstr| audit::input(|| {
    let mut name = std::ptr::null_mut();
    // SAFETY: the setting is lent, the variable may be written.
    let _ = unsafe { get_name(setting.as_raw(), &mut name) };
    // SAFETY: what comes out is the caller's to free, and null after a failure.
    unsafe { raw::free(name) };
}));
