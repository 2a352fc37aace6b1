//! `BSTR_User*`, and olemem's own functions that know where a buffer ends.

use core::ptr;
use core::slice;

use crate::bstr::owned::Bstr;
use crate::bstr::raw;
use crate::com::HResult;
use crate::error::TooLong;
use crate::layout::{ByteOrder, PointerWidth};
use crate::task::hook;
use crate::wire::{Syntax, TransmittedBstr};

/// What a BSTR is marshalled as, the byte behind an odd length as it is in memory (`semantics.md` 5.1).
///
/// # Errors
///
/// [`TooLong`] for a prefix that was written over, or is of another's making, and says more than there can be.
///
/// # Safety
///
/// * `bstr` is a BSTR, and stays as it is for `'a`; of one that is too long nothing but the prefix is read.
unsafe fn transmitted<'a>(bstr: *const u16) -> Result<TransmittedBstr<'a>, TooLong> {
    if bstr.is_null() {
        return Ok(TransmittedBstr::NULL);
    }
    // SAFETY: the caller's promise is the precondition.
    let len = unsafe { raw::byte_len(bstr) };
    // On 32-bit targets a slice ends before a BSTR has to.
    if len > PointerWidth::NATIVE.max_bytes() || isize::try_from(len.as_usize()).is_err() {
        return Err(TooLong::bytes(len.as_usize()));
    }
    let first = bstr.cast::<u8>();
    // SAFETY: a BSTR has so many bytes, and no slice is too short for them.
    let bytes = unsafe { slice::from_raw_parts(first, len.as_usize()) };
    let pad = if len.is_odd() {
        // SAFETY: behind its bytes a BSTR has a zero unit.
        let behind = unsafe { first.add(len.as_usize()) };
        // SAFETY: as above.
        unsafe { behind.read() }
    } else {
        0
    };
    TransmittedBstr::in_order(bytes, ByteOrder::NATIVE, pad)
}

/// What is in a variable, and what it is marshalled as; a NULL pointer is taken for a variable that holds NULL.
///
/// # Errors
///
/// As [`transmitted`].
///
/// # Safety
///
/// * `bstr` is NULL or points to a BSTR, which stays as it is for `'a`.
unsafe fn in_variable<'a>(bstr: *const *mut u16) -> Result<TransmittedBstr<'a>, TooLong> {
    if bstr.is_null() {
        return Ok(TransmittedBstr::NULL);
    }
    // SAFETY: the caller's promise.
    let bstr = unsafe { bstr.read() };
    // SAFETY: as above.
    unsafe { transmitted(bstr) }
}

/// Puts what came over the wire in the place of a string.
///
/// # Errors
///
/// `E_OUTOFMEMORY`; then nothing has changed.
///
/// # Safety
///
/// * `target` is a variable that holds a BSTR, which nothing else uses.
unsafe fn store(received: TransmittedBstr<'_>, target: *mut *mut u16) -> Result<(), HResult> {
    let new = Bstr::try_from(received)?;
    // SAFETY: the caller's promise.
    let old = unsafe { target.read() };
    // SAFETY: as above.
    unsafe { target.write(new.into_raw().cast_mut()) };
    if !old.is_null() {
        // SAFETY: as above: it was the variable's, and is in it no more.
        unsafe { raw::free(old) };
    }
    Ok(())
}

/// Where the marshalled form of `*bstr` ends, or `u32::MAX`.
///
/// # Safety
///
/// * As for [`BSTR_UserSize`].
unsafe fn user_size(syntax: Syntax, start: u32, bstr: *const *mut u16) -> u32 {
    // SAFETY: the caller's promise.
    let bstr = unsafe { in_variable(bstr) };
    let end = bstr.ok().and_then(|bstr| bstr.end(start as usize, syntax));
    end.and_then(|end| u32::try_from(end).ok())
        .unwrap_or(u32::MAX)
}

/// Writes the marshalled form of `*bstr`, and gives back where it ends, or NULL.
///
/// # Safety
///
/// * As for [`BSTR_UserMarshal`].
unsafe fn user_marshal(syntax: Syntax, buffer: *mut u8, bstr: *const *mut u16) -> *mut u8 {
    // SAFETY: the caller's promise.
    let bstr = unsafe { in_variable(bstr) };
    let Ok(bstr) = bstr else {
        return ptr::null_mut();
    };
    let size = bstr.end(0, syntax);
    let Some(size) = size.filter(|size| isize::try_from(*size).is_ok()) else {
        return ptr::null_mut();
    };
    let block = buffer.map_addr(|address| address.next_multiple_of(syntax.align()));
    // It may never have been written to.
    // SAFETY: the caller promises room for the block.
    unsafe { block.write_bytes(0, size) };
    // SAFETY: as above; it was written above, nothing else uses it, and no slice is too short for it.
    let room = unsafe { slice::from_raw_parts_mut(block, size) };
    match bstr.encode(room, 0, syntax) {
        Ok(end) => block.wrapping_add(end),
        Err(_) => ptr::null_mut(),
    }
}

/// Replaces `*bstr` by the BSTR whose marshalled form is at `buffer`, and gives back where that ends, or NULL.
///
/// # Safety
///
/// * As for [`BSTR_UserUnmarshal`]; `bstr` is not NULL.
unsafe fn user_unmarshal(syntax: Syntax, buffer: *const u8, bstr: *mut *mut u16) -> *const u8 {
    let block = buffer.map_addr(|address| address.next_multiple_of(syntax.align()));
    // SAFETY: the caller promises a header.
    let header = unsafe { slice::from_raw_parts(block, syntax.header()) };
    // It is judged before there is a slice of what it promises.
    let size = TransmittedBstr::announced_end(header, 0, syntax).ok();
    let Some(size) = size.filter(|size| isize::try_from(*size).is_ok()) else {
        return ptr::null();
    };
    // SAFETY: the caller promises as much data as the header says, and no slice is too short for it.
    let bytes = unsafe { slice::from_raw_parts(block, size) };
    let Ok((received, end)) = TransmittedBstr::decode(bytes, 0, syntax) else {
        return ptr::null();
    };
    // SAFETY: the caller's promise, and it is not null.
    match unsafe { store(received, bstr) } {
        Ok(()) => block.wrapping_add(end),
        Err(_) => ptr::null(),
    }
}

/// Frees `*bstr` and stores NULL.
///
/// # Safety
///
/// * As for [`BSTR_UserFree`].
unsafe fn user_free(bstr: *mut *mut u16) {
    if bstr.is_null() {
        return;
    }
    // SAFETY: the caller's promise.
    let old = unsafe { bstr.replace(ptr::null_mut()) };
    if !old.is_null() {
        // SAFETY: as above.
        unsafe { raw::free(old) };
    }
}

entrance! {
    /// Where the marshalled form of `*bstr` ends that begins at the offset `start`, which is aligned to 4 first.
    ///
    /// *Ownership:* stays where it is. The flags are not looked at. As Windows: `semantics.md` 5.3; an end that 32 bits do not hold is
    /// `0xFFFF_FFFF`, and so is that of a BSTR whose prefix says more than a BSTR can have.
    ///
    /// # Safety
    ///
    /// * `bstr` is NULL or points to a BSTR.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn BSTR_UserSize(_flags: *mut u32, start: u32, bstr: *const *mut u16) -> u32 {
        // SAFETY: the caller's promise is the precondition.
        unsafe { user_size(Syntax::Ndr, start, bstr) }
    }
}

entrance! {
    /// As [`BSTR_UserSize`], in NDR64, where the form is aligned to 8. **Not verified** against Windows: [`Syntax::Ndr64`].
    ///
    /// *Ownership:* as there.
    ///
    /// # Safety
    ///
    /// * As there.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn BSTR_UserSize64(_flags: *mut u32, start: u32, bstr: *const *mut u16) -> u32 {
        // SAFETY: the caller's promise is the precondition.
        unsafe { user_size(Syntax::Ndr64, start, bstr) }
    }
}

entrance! {
    /// Writes the marshalled form of `*bstr` at `buffer`, which is aligned to 4 first, and gives back where it ends.
    ///
    /// NULL, and nothing is written, for a BSTR whose prefix says more than a BSTR can have.
    ///
    /// *Ownership:* stays where it is. The flags are not looked at. As Windows: `semantics.md` 5.4. [`olemem_bstr_marshal`] is told where the
    /// buffer ends.
    ///
    /// # Safety
    ///
    /// * `bstr` is NULL or points to a BSTR; `buffer` has room for what [`BSTR_UserSize`] says.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn BSTR_UserMarshal(
        _flags: *mut u32,
        buffer: *mut u8,
        bstr: *const *mut u16,
    ) -> *mut u8 {
        // SAFETY: the caller's promise is the precondition.
        unsafe { user_marshal(Syntax::Ndr, buffer, bstr) }
    }
}

entrance! {
    /// As [`BSTR_UserMarshal`], in NDR64, where the form is aligned to 8. **Not verified** against Windows: [`Syntax::Ndr64`].
    ///
    /// *Ownership:* as there.
    ///
    /// # Safety
    ///
    /// * `bstr` is NULL or points to a BSTR; `buffer` has room for what [`BSTR_UserSize64`] says.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn BSTR_UserMarshal64(
        _flags: *mut u32,
        buffer: *mut u8,
        bstr: *const *mut u16,
    ) -> *mut u8 {
        // SAFETY: the caller's promise is the precondition.
        unsafe { user_marshal(Syntax::Ndr64, buffer, bstr) }
    }
}

entrance! {
    /// Replaces `*bstr` by the BSTR whose marshalled form is at `buffer`, which is aligned to 4 first, and gives back
    /// where that ends.
    ///
    /// An odd length stays odd, as MS-OAUT has it; Wine rounds it up. NULL for bytes that no BSTR was marshalled as, where Windows raises an
    /// RPC exception, and if there is no memory; then nothing has changed. `semantics.md` 5.5, 5.8. How much there is at `buffer` is not
    /// known here, so a header that agrees with itself is believed: [`olemem_bstr_unmarshal`] is for bytes that are not to be trusted.
    ///
    /// *Ownership:* the old string is freed, the new one is the caller's.
    ///
    /// # Safety
    ///
    /// * `buffer` points to a header, and to as much data as that says; `bstr` is an out pointer that holds a BSTR.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn BSTR_UserUnmarshal(
        _flags: *mut u32,
        buffer: *const u8,
        bstr: *mut *mut u16,
    ) -> *const u8 {
        if bstr.is_null() {
            hook::null_out("BSTR_UserUnmarshal");
            return ptr::null();
        }
        // SAFETY: the caller's promise is the precondition, and it is not null.
        unsafe { user_unmarshal(Syntax::Ndr, buffer, bstr) }
    }
}

entrance! {
    /// As [`BSTR_UserUnmarshal`], in NDR64, where the form is aligned to 8. **Not verified** against Windows: [`Syntax::Ndr64`].
    ///
    /// *Ownership:* as there.
    ///
    /// # Safety
    ///
    /// * As there.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn BSTR_UserUnmarshal64(
        _flags: *mut u32,
        buffer: *const u8,
        bstr: *mut *mut u16,
    ) -> *const u8 {
        if bstr.is_null() {
            hook::null_out("BSTR_UserUnmarshal64");
            return ptr::null();
        }
        // SAFETY: the caller's promise is the precondition, and it is not null.
        unsafe { user_unmarshal(Syntax::Ndr64, buffer, bstr) }
    }
}

entrance! {
    /// Frees `*bstr` and stores NULL. As Windows: `semantics.md` 5.6.
    ///
    /// *Ownership:* ends here.
    ///
    /// # Safety
    ///
    /// * `bstr` is NULL or points to a BSTR that nothing uses any more.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn BSTR_UserFree(_flags: *mut u32, bstr: *mut *mut u16) {
        // SAFETY: the caller's promise is the precondition.
        unsafe { user_free(bstr) }
    }
}

entrance! {
    /// As [`BSTR_UserFree`], for what [`BSTR_UserUnmarshal64`] made.
    ///
    /// *Ownership:* ends here.
    ///
    /// # Safety
    ///
    /// * As there.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn BSTR_UserFree64(_flags: *mut u32, bstr: *mut *mut u16) {
        // SAFETY: the caller's promise is the precondition.
        unsafe { user_free(bstr) }
    }
}

entrance! {
    /// Writes the marshalled form of a BSTR into a buffer of `length` bytes, at the offset `*offset`, which is aligned to 4 first; the offset
    /// is then where it ends.
    ///
    /// `E_INVALIDARG` for a NULL `offset`, and for a NULL buffer that is not empty; `HRESULT_FROM_WIN32(ERROR_INSUFFICIENT_BUFFER)` if there is no
    /// room; `E_OUTOFMEMORY` for a BSTR whose prefix says more than a BSTR can have. Then nothing was written. (olemem's own: Windows trusts the buffer.)
    ///
    /// *Ownership:* stays where it is.
    ///
    /// # Safety
    ///
    /// * `bstr` is a BSTR; `buffer` has `length` initialised bytes that nothing else uses; `offset` is an out pointer.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn olemem_bstr_marshal(
        bstr: *const u16,
        buffer: *mut u8,
        length: usize,
        offset: *mut usize,
    ) -> HResult {
        if offset.is_null() || (buffer.is_null() && length != 0) {
            return HResult::E_INVALIDARG;
        }
        // SAFETY: the caller's promise.
        let bstr = match unsafe { transmitted(bstr) } {
            Ok(bstr) => bstr,
            Err(error) => return error.into(),
        };
        // SAFETY: as above, and it is not null.
        let start = unsafe { offset.read() };
        let room = if buffer.is_null() {
            &mut []
        } else {
            // SAFETY: as above.
            unsafe { slice::from_raw_parts_mut(buffer, length) }
        };
        match bstr.encode(room, start, Syntax::Ndr) {
            Ok(end) => {
                // SAFETY: as above.
                unsafe { offset.write(end) };
                HResult::S_OK
            }
            Err(error) => error.into(),
        }
    }
}

entrance! {
    /// Replaces `*bstr` by the BSTR whose marshalled form is in a buffer of `length` bytes at the offset `*offset`, which is aligned to 4
    /// first; the offset is then where it ends.
    ///
    /// Nothing is believed: `RPC_X_BAD_STUB_DATA`, as an HRESULT, for bytes that no BSTR was marshalled as, and no memory is asked for that they do
    /// not fill; `E_OUTOFMEMORY`; `E_INVALIDARG` for NULL pointers. Then nothing has changed. (olemem's own: `semantics.md` 5.8.)
    ///
    /// *Ownership:* the old string is freed, the new one is the caller's.
    ///
    /// # Safety
    ///
    /// * `buffer` has `length` readable bytes; `offset` is an out pointer; `bstr` is one that holds a BSTR.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn olemem_bstr_unmarshal(
        buffer: *const u8,
        length: usize,
        offset: *mut usize,
        bstr: *mut *mut u16,
    ) -> HResult {
        if bstr.is_null() {
            hook::null_out("olemem_bstr_unmarshal");
            return HResult::E_INVALIDARG;
        }
        if offset.is_null() || (buffer.is_null() && length != 0) {
            return HResult::E_INVALIDARG;
        }
        // SAFETY: the caller's promise, and it is not null.
        let start = unsafe { offset.read() };
        let bytes = if buffer.is_null() {
            &[]
        } else {
            // SAFETY: as above.
            unsafe { slice::from_raw_parts(buffer, length) }
        };
        let (received, end) = match TransmittedBstr::decode(bytes, start, Syntax::Ndr) {
            Ok(read) => read,
            Err(error) => return error.into(),
        };
        // SAFETY: as above.
        if let Err(error) = unsafe { store(received, bstr) } {
            return error;
        }
        // SAFETY: as above.
        unsafe { offset.write(end) };
        HResult::S_OK
    }
}
