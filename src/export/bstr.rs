//! `Sys*` and `VarBstr*`.

use crate::bstr::{cache, compare, pin, raw};
use crate::com::HResult;
use crate::task::hook;
use crate::units::{ByteLen, UnitLen};

entrance! {
    /// A new BSTR of the units before the first zero. NULL gives NULL; so does running out of memory.
    ///
    /// *Ownership:* the caller frees it with [`SysFreeString`]. As Windows: `semantics.md` 2.1.
    ///
    /// # Safety
    ///
    /// * `source` is a string.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SysAllocString(source: *const u16) -> *mut u16 {
        // SAFETY: the caller's promise is the precondition.
        unsafe { raw::alloc(source) }
    }
}

entrance! {
    /// A new BSTR of exactly `len` units; contents undefined if `source` is NULL. NULL: no memory, or
    /// `len` beyond the limit, which is looked at first.
    ///
    /// *Ownership:* the caller frees it with [`SysFreeString`]. As Windows: `semantics.md` 2.2; the limit
    /// is that of 1.5.
    ///
    /// # Safety
    ///
    /// * `source` is NULL or has `len` readable units, unless `len` is beyond the limit.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SysAllocStringLen(source: *const u16, len: u32) -> *mut u16 {
        // SAFETY: the caller's promise is the precondition.
        unsafe { raw::alloc_units_by::<QUIET>(source, UnitLen::new(len)) }
    }
}

entrance! {
    /// A new BSTR of exactly `len` bytes; contents undefined if `source` is NULL. NULL: no memory, or
    /// `len` beyond the limit, which is looked at first.
    ///
    /// *Ownership:* the caller frees it with [`SysFreeString`]. As Windows: `semantics.md` 2.3; the limit
    /// is that of 1.5.
    ///
    /// # Safety
    ///
    /// * `source` is NULL or has `len` readable bytes, unless `len` is beyond the limit.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SysAllocStringByteLen(source: *const u8, len: u32) -> *mut u16 {
        // SAFETY: the caller's promise is the precondition.
        unsafe { raw::alloc_bytes_by::<QUIET>(source, ByteLen::new(len)) }
    }
}

entrance! {
    /// Replaces `*target` by a new BSTR of the units before the first zero; NULL stores NULL. 1, or 0 if
    /// there is no memory or `target` is NULL; then nothing has changed.
    ///
    /// *Ownership:* the old string is freed, the new one is the caller's. Windows crashes on a NULL
    /// `target`; Wine loses the old string when out of memory: `semantics.md` 2.4, 2.6, 9.
    ///
    /// # Safety
    ///
    /// * `target` is an out pointer to a BSTR; `source` is a string.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SysReAllocString(target: *mut *mut u16, source: *const u16) -> i32 {
        // SAFETY: the caller's promise is the precondition.
        unsafe { raw::realloc(target, source) }.into()
    }
}

entrance! {
    /// Makes `*target` `len` units long and fills it from `source`; a NULL source, or the string itself,
    /// keeps the contents. 1, or 0 if there is no memory, `len` is beyond the limit or `target` is NULL;
    /// then nothing has changed.
    ///
    /// *Ownership:* the old string is gone, the new one is the caller's. Windows crashes on a NULL
    /// `target`; a source elsewhere in the old string, which Windows leaves open, is read safely:
    /// `semantics.md` 2.5, 2.6, 9.
    ///
    /// # Safety
    ///
    /// * `target` is an out pointer to a BSTR; `source` is NULL, or inside the old string, or has `len`
    ///   readable units.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SysReAllocStringLen(
        target: *mut *mut u16,
        source: *const u16,
        len: u32,
    ) -> i32 {
        // SAFETY: the caller's promise is the precondition.
        unsafe { raw::realloc_units(target, source, UnitLen::new(len)) }.into()
    }
}

entrance! {
    /// Frees a BSTR. NULL does nothing. What is no live BSTR ends the process, where Windows may corrupt
    /// its heap in silence: `semantics.md` 2.7.
    ///
    /// *Ownership:* ends here.
    ///
    /// # Safety
    ///
    /// * `bstr` is a BSTR that nothing uses any more.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SysFreeString(bstr: *mut u16) {
        if !bstr.is_null() {
            // SAFETY: the caller's promise, and it is not null.
            unsafe { raw::free_by::<QUIET>(bstr) };
        }
    }
}

entrance! {
    /// Whole units of a BSTR, 0 for NULL. As Windows: `semantics.md` 2.8.
    ///
    /// # Safety
    ///
    /// * `bstr` is a BSTR; only its prefix is read.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SysStringLen(bstr: *const u16) -> u32 {
        if bstr.is_null() {
            return 0;
        }
        // SAFETY: the caller's promise, and it is not null.
        unsafe { raw::byte_len_by::<QUIET>(bstr) }.units().get()
    }
}

entrance! {
    /// Bytes of a BSTR, 0 for NULL. As Windows: `semantics.md` 2.8.
    ///
    /// # Safety
    ///
    /// * `bstr` is a BSTR; only its prefix is read.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SysStringByteLen(bstr: *const u16) -> u32 {
        if bstr.is_null() {
            return 0;
        }
        // SAFETY: the caller's promise, and it is not null.
        unsafe { raw::byte_len_by::<QUIET>(bstr) }.get()
    }
}

entrance! {
    /// Pins a BSTR: [`SysFreeString`] puts its release off until it is unpinned as often. `S_OK`, also for NULL;
    /// `E_INVALIDARG` if no live BSTR is there; `E_OUTOFMEMORY` if the pin cannot be recorded.
    ///
    /// *Ownership:* stays where it is; each pin is taken back with [`SysReleaseString`]. Windows documents the
    /// pin, and neither NULL nor the codes: `semantics.md` 2.9.
    #[unsafe(no_mangle)]
    pub extern "system" fn SysAddRefString(bstr: *const u16) -> HResult {
        match pin::pin(bstr) {
            Ok(()) => HResult::S_OK,
            Err(error) => error.into(),
        }
    }
}

entrance! {
    /// Takes one pin of a BSTR back. The last one releases the memory of a string that was freed meanwhile.
    /// NULL, and a string without a pin, change nothing.
    ///
    /// *Ownership:* ends here, if the string was freed. What Windows does with a free in between is not
    /// documented: `semantics.md` 2.9.
    ///
    /// # Safety
    ///
    /// * The pin is the caller's own, and nothing uses a string that was freed meanwhile.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn SysReleaseString(bstr: *const u16) {
        // SAFETY: the caller's promise is the precondition.
        unsafe { pin::unpin(bstr) };
    }
}

entrance! {
    /// Switches the cache of freed BSTRs off, from now on. What is in it is not released. As Windows:
    /// `semantics.md` 2.14. Here the cache is off unless [`cache`] is told otherwise.
    #[unsafe(no_mangle)]
    pub extern "system" fn SetOaNoCache() {
        cache::disable();
    }
}

entrance! {
    /// Stores a new BSTR of the bytes of both strings. `S_OK`; `E_OUTOFMEMORY` and NULL stored;
    /// `E_INVALIDARG` if `result` is NULL, where Windows crashes.
    ///
    /// *Ownership:* the caller frees the result; what `*result` held is neither read nor freed. The sum
    /// of the lengths is checked, as it is not in Wine: `semantics.md` 2.10, 9.
    ///
    /// # Safety
    ///
    /// * `left` and `right` are BSTRs; `result` is an out pointer.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn VarBstrCat(
        left: *const u16,
        right: *const u16,
        result: *mut *mut u16,
    ) -> HResult {
        if result.is_null() {
            hook::null_out("VarBstrCat");
            return HResult::E_INVALIDARG;
        }
        // SAFETY: the caller's promise is the precondition.
        let joined = unsafe { compare::concat(left, right) };
        // SAFETY: the caller promises a writable variable, and it is not null.
        unsafe { result.write(joined) };
        if joined.is_null() {
            HResult::E_OUTOFMEMORY
        } else {
            HResult::S_OK
        }
    }
}

entrance! {
    /// The order of two BSTRs: `VARCMP_LT` 0, `VARCMP_EQ` 1, `VARCMP_GT` 2, never `VARCMP_NULL`.
    ///
    /// Exact for `lcid` 0. For others olemem has no tables of language: see
    /// [`raw::compare`](crate::raw::compare) and `semantics.md` 2.11.
    ///
    /// # Safety
    ///
    /// * `left` and `right` are BSTRs.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn VarBstrCmp(
        left: *const u16,
        right: *const u16,
        lcid: u32,
        flags: u32,
    ) -> HResult {
        // SAFETY: the caller's promise is the precondition.
        let order = unsafe { compare::compare(left, right, lcid, flags) };
        HResult::from_raw(order as i32 + 1)
    }
}
