//! A function that takes a BSTR and gives one, as COM's do; and its twin with two mistakes, one on each way out that
//! nobody tried.

use std::ptr;
use std::slice;

use olemem::{HResult, UnitLen, raw};

/// Units before the first equals sign.
///
/// # Safety
///
/// * `setting` is a BSTR.
unsafe fn name_len(setting: *const u16) -> Option<UnitLen> {
    // SAFETY: the caller's promise.
    let len = unsafe { raw::unit_len(setting) };
    if setting.is_null() {
        return None;
    }
    // SAFETY: a BSTR that is not null has so many units.
    let units = unsafe { slice::from_raw_parts(setting, len.as_usize()) };
    let sign = units.iter().position(|unit| *unit == u16::from(b'='))?;
    UnitLen::try_from(sign).ok()
}

/// Stores the name of a setting, `colour` of `colour=red`, which the caller frees; NULL, and a failure, for what has
/// none.
///
/// # Safety
///
/// * `setting` is a BSTR; `name` points to a variable that may be written.
pub unsafe fn get_name(setting: *const u16, name: *mut *mut u16) -> HResult {
    // SAFETY: the caller's promise.
    let len = unsafe { name_len(setting) }.filter(|len| *len > UnitLen::ZERO);
    let (made, code) = match len {
        // SAFETY: the string is longer.
        Some(len) => match unsafe { raw::alloc_units(setting, len) } {
            made if made.is_null() => (made, HResult::E_OUTOFMEMORY),
            made => (made, HResult::S_OK),
        },
        None => (ptr::null_mut(), HResult::E_INVALIDARG),
    };
    // SAFETY: the caller's promise.
    unsafe { name.write(made) };
    code
}

/// The same with mistakes: a setting without an equals sign leaks what was allocated for it, and one without a name
/// leaves what was freed to be freed again.
///
/// # Safety
///
/// As [`get_name`].
pub unsafe fn get_name_with_a_bug(setting: *const u16, name: *mut *mut u16) -> HResult {
    // SAFETY: the caller's promise.
    unsafe { name.write(ptr::null_mut()) };
    // SAFETY: as above.
    let len = unsafe { raw::unit_len(setting) };
    // SAFETY: a BSTR has so many units, a null one none.
    let mut made = unsafe { raw::alloc_units(setting, len) };
    if made.is_null() {
        return HResult::E_OUTOFMEMORY;
    }
    // SAFETY: the caller's promise.
    let Some(len) = (unsafe { name_len(setting) }) else {
        return HResult::E_INVALIDARG;
    };
    // SAFETY: the variable holds a string; without a source it is cut.
    let _ = unsafe { raw::realloc_units(&raw mut made, ptr::null(), len) };
    // SAFETY: the caller's promise.
    unsafe { name.write(made) };
    if len == UnitLen::ZERO {
        // SAFETY: not argued: the caller has it already, and frees it too.
        unsafe { raw::free(made) };
        return HResult::E_INVALIDARG;
    }
    HResult::S_OK
}
