//! Identifiers as text, and `SHStrDup*`.

use core::ptr;
use core::slice;

use crate::com::{Guid, HResult};
use crate::guid_text;
use crate::task::hook;
use crate::task::string::{TaskStr, source_len};

entrance! {
    /// Stores a new task string of the identifier's text: braces, upper-case digits, 38 units and a zero.
    ///
    /// *Ownership:* the caller frees it with `CoTaskMemFree`. `E_OUTOFMEMORY` stores NULL; a NULL argument
    /// is `E_INVALIDARG`. As Windows: `semantics.md` 7, V148.
    ///
    /// # Safety
    ///
    /// * `clsid` is NULL or points to an identifier; `text` is an out pointer.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn StringFromCLSID(clsid: *const Guid, text: *mut *mut u16) -> HResult {
        // SAFETY: the caller's promise is the precondition.
        unsafe { text_of("StringFromCLSID", clsid, text) }
    }
}

entrance! {
    /// As [`StringFromCLSID`], of which it is another name.
    ///
    /// # Safety
    ///
    /// * As for [`StringFromCLSID`].
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn StringFromIID(iid: *const Guid, text: *mut *mut u16) -> HResult {
        // SAFETY: the caller's promise is the precondition.
        unsafe { text_of("StringFromIID", iid, text) }
    }
}

/// Stores an identifier's text.
///
/// # Safety
///
/// * As for [`StringFromCLSID`].
unsafe fn text_of(function: &'static str, guid: *const Guid, text: *mut *mut u16) -> HResult {
    // SAFETY: the caller's promise.
    let made = match unsafe { guid.as_ref() } {
        Some(guid) => {
            TaskStr::try_from_units(&guid_text::encode(guid).map(u16::from)).map_err(HResult::from)
        }
        None => Err(HResult::E_INVALIDARG),
    };
    // SAFETY: the caller's promise.
    unsafe { store(function, text, made) }
}

entrance! {
    /// Writes the identifier's text into a buffer of `capacity` units: 39, the zero included, or 0 and
    /// nothing written if it does not fit or an argument is NULL. As Windows: V145 to V147.
    ///
    /// # Safety
    ///
    /// * `guid` is NULL or points to an identifier; `text` is NULL or has `capacity` writable units.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn StringFromGUID2(
        guid: *const Guid,
        text: *mut u16,
        capacity: i32,
    ) -> i32 {
        const UNITS: i32 = 39;
        // SAFETY: the caller's promise.
        let Some(guid) = (unsafe { guid.as_ref() }) else {
            return 0;
        };
        if capacity < UNITS || text.is_null() {
            return 0;
        }
        let mut terminated = [0; guid_text::LEN + 1];
        for (unit, byte) in terminated.iter_mut().zip(guid_text::encode(guid)) {
            *unit = byte.into();
        }
        // SAFETY: the caller promises at least 39 writable units.
        unsafe { text.copy_from_nonoverlapping(terminated.as_ptr(), terminated.len()) };
        UNITS
    }
}

entrance! {
    /// Stores NULL and is `REGDB_E_CLASSNOTREG`: off Windows there is no registry, so no class is in it. A
    /// NULL `text` is `E_INVALIDARG`. As Windows for an unknown class: V143, V144.
    ///
    /// # Safety
    ///
    /// * `text` is an out pointer.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn ProgIDFromCLSID(_clsid: *const Guid, text: *mut *mut u16) -> HResult {
        // SAFETY: the caller's promise.
        unsafe { store("ProgIDFromCLSID", text, Err(HResult::REGDB_E_CLASSNOTREG)) }
    }
}

entrance! {
    /// Stores a copy of a string in task memory. `E_INVALIDARG` and NULL stored for a NULL source,
    /// `E_OUTOFMEMORY` and NULL stored if there is no memory, `E_INVALIDARG` for a NULL `copy`.
    ///
    /// *Ownership:* the caller frees it with `CoTaskMemFree`. As Windows: V149.
    ///
    /// # Safety
    ///
    /// * `source` is a string; `copy` is an out pointer.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SHStrDupW(source: *const u16, copy: *mut *mut u16) -> HResult {
        let made = if source.is_null() {
            Err(HResult::E_INVALIDARG)
        } else {
            // SAFETY: the caller promises units up to a zero, and it is not null.
            let len = unsafe { source_len(source) };
            // SAFETY: so many units were just read.
            let units = unsafe { slice::from_raw_parts(source, len) };
            TaskStr::try_from_units(units).map_err(HResult::from)
        };
        // SAFETY: the caller's promise.
        unsafe { store("SHStrDupW", copy, made) }
    }
}

entrance! {
    /// As [`SHStrDupW`] from a narrow string, which is read as UTF-8: olemem's ANSI code page, as a Windows
    /// process may choose it too. What is not UTF-8 becomes U+FFFD.
    ///
    /// # Safety
    ///
    /// * `source` is a string of bytes; `copy` is an out pointer.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SHStrDupA(source: *const u8, copy: *mut *mut u16) -> HResult {
        let made = if source.is_null() {
            Err(HResult::E_INVALIDARG)
        } else {
            // SAFETY: the caller promises bytes up to a zero, and it is not null.
            let len = unsafe { source_len(source) };
            // SAFETY: so many bytes were just read.
            let bytes = unsafe { slice::from_raw_parts(source, len) };
            TaskStr::try_from_str(&String::from_utf8_lossy(bytes)).map_err(HResult::from)
        };
        // SAFETY: the caller's promise.
        unsafe { store("SHStrDupA", copy, made) }
    }
}

/// Stores the string, or NULL and the failure; `E_INVALIDARG` if there is nowhere to store.
///
/// # Safety
///
/// * `out` is an out pointer.
unsafe fn store(
    function: &'static str,
    out: *mut *mut u16,
    made: Result<TaskStr, HResult>,
) -> HResult {
    if out.is_null() {
        hook::null_out(function);
        return HResult::E_INVALIDARG;
    }
    let (text, code) = match made {
        Ok(text) => (TaskStr::into_raw(text), HResult::S_OK),
        Err(code) => (ptr::null_mut(), code),
    };
    // SAFETY: the caller promises a writable variable, and it is not null.
    unsafe { out.write(text) };
    code
}
