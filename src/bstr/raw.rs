//! The operations on BSTRs as raw pointers. Their public face, with the table of Windows names, is
//! `olemem::raw`.

#[cfg(any(not(windows), miri))]
mod emulated;
#[cfg(all(windows, not(miri)))]
mod windows;

#[cfg(any(not(windows), miri))]
use emulated as imp;
#[cfg(all(windows, not(miri)))]
use windows as imp;

#[cfg(all(feature = "export", any(not(windows), miri)))]
pub(crate) use emulated::{alloc_bytes_by, alloc_units_by, byte_len_by, free_by};

use crate::units::{ByteLen, UnitLen};

/// A new BSTR of the units before the first zero at `source`. Null gives null.
///
/// An embedded nul ends the text: a BSTR as a source may lose its tail.
///
/// *Ownership:* the caller frees it with [`free`]. Null for another source than null means that there
/// is no memory, or that the text is too long for a BSTR. Source: `SysAllocString`, `semantics.md` 2.1.
///
/// # Safety
///
/// * `source` is null, or aligned and readable up to and including a zero unit.
#[must_use]
#[track_caller]
pub unsafe fn alloc(source: *const u16) -> *mut u16 {
    // SAFETY: the caller's promise is the precondition.
    unsafe { imp::alloc(source) }
}

/// A new BSTR of exactly `len` units from `source`, zeros included. With a null source the contents
/// are undefined, and the terminator is there all the same.
///
/// *Ownership:* the caller frees it with [`free`]. Null means that there is no memory or that `len` is
/// beyond the limit; the limit is looked at before the source. Source: `SysAllocStringLen`,
/// `semantics.md` 2.2.
///
/// # Safety
///
/// * `source` is null, or `len` units are readable there, or `len` is beyond
///   [`PointerWidth::max_units`](crate::layout::PointerWidth::max_units).
#[must_use]
#[track_caller]
pub unsafe fn alloc_units(source: *const u16, len: UnitLen) -> *mut u16 {
    // SAFETY: the caller's promise is the precondition.
    unsafe { imp::alloc_units(source, len) }
}

/// A new BSTR of exactly `len` bytes from `source`, an odd number if need be. With a null source the
/// contents are undefined, and the terminator is there all the same.
///
/// *Ownership:* the caller frees it with [`free`]. Null means that there is no memory or that `len` is
/// beyond the limit. Source: `SysAllocStringByteLen`, `semantics.md` 2.3.
///
/// # Safety
///
/// * `source` is null, or `len` bytes are readable there, or `len` is beyond
///   [`PointerWidth::max_bytes`](crate::layout::PointerWidth::max_bytes).
#[must_use]
#[track_caller]
pub unsafe fn alloc_bytes(source: *const u8, len: ByteLen) -> *mut u16 {
    // SAFETY: the caller's promise is the precondition.
    unsafe { imp::alloc_bytes(source, len) }
}

/// Replaces the BSTR at `target` by a new one of the units before the first zero at `source`. A null
/// source stores null.
///
/// `false` means that there is no memory, or that `target` is null: then nothing has changed. (Wine
/// loses the old string and says `true`: `semantics.md` 2.6 and 9.) The source may lie inside the old
/// string; Windows calls the result of that unexpected.
///
/// *Ownership:* the old string is freed, the new one is the caller's. Source: `SysReAllocString`,
/// `semantics.md` 2.4.
///
/// # Safety
///
/// * `target` is null or points to a null or live BSTR that nothing else uses.
/// * `source` is null, or aligned and readable up to and including a zero unit.
#[must_use]
#[track_caller]
pub unsafe fn realloc(target: *mut *mut u16, source: *const u16) -> bool {
    if target.is_null() {
        #[cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]
        crate::task::hook::null_out("SysReAllocString");
        return false;
    }
    // SAFETY: the caller's promise, and `target` is not null.
    unsafe { imp::realloc(target, source) }
}

/// Makes the BSTR at `target` `len` units long, and fills it from `source`.
///
/// A null source, or the string itself, keeps the old contents up to the new length; what comes after
/// them is undefined. Shrinking that way keeps the address (V036). A source elsewhere in the old
/// string is copied as far as the old block reaches; Windows does not say what happens then. A null
/// BSTR at `target` allocates. A pinned string stays as it is, as if it were freed, and the new one stands
/// elsewhere.
///
/// `false` means that there is no memory, that `len` is beyond the limit, or that `target` is null:
/// then nothing has changed (`semantics.md` 2.6 and 9).
///
/// *Ownership:* the old string is gone, the new one is the caller's. Source: `SysReAllocStringLen`,
/// `semantics.md` 2.5.
///
/// # Safety
///
/// * `target` is null or points to a null or live BSTR that nothing else uses.
/// * `source` is null, or inside the old string, or `len` units are readable there, or `len` is beyond
///   [`PointerWidth::max_units`](crate::layout::PointerWidth::max_units).
#[must_use]
#[track_caller]
pub unsafe fn realloc_units(target: *mut *mut u16, source: *const u16, len: UnitLen) -> bool {
    if target.is_null() {
        #[cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]
        crate::task::hook::null_out("SysReAllocStringLen");
        return false;
    }
    // SAFETY: the caller's promise, and `target` is not null.
    unsafe { imp::realloc_units(target, source, len) }
}

/// Frees a BSTR. Null does nothing.
///
/// A task block with a header of its own, given as block start plus
/// [`HEADER`](crate::layout::HEADER), is freed as well (`semantics.md` L5). A pinned string goes with its
/// last pin, and where a model of the Windows cache is on, the memory of others may stay; neither on
/// Windows itself, where the system decides. Source: `SysFreeString`, 2.7.
///
/// # Aborts
///
/// As [`heap::free`](crate::heap::free).
///
/// # Safety
///
/// * Nothing uses the string any more.
/// * Under Miri, AddressSanitizer and Valgrind, and on Windows: `bstr` is null or a live BSTR.
#[track_caller]
pub unsafe fn free(bstr: *const u16) {
    if !bstr.is_null() {
        // SAFETY: the caller's promise, and `bstr` is not null.
        unsafe { imp::free(bstr.cast_mut()) }
    }
}

/// Whole units of a BSTR; 0 for null. Reads the prefix, and so serves any memory of that shape.
///
/// Source: `SysStringLen`, `semantics.md` 2.8.
///
/// # Safety
///
/// * `bstr` is null, or the four bytes before it are readable and initialised.
#[must_use]
#[track_caller]
pub unsafe fn unit_len(bstr: *const u16) -> UnitLen {
    // SAFETY: the caller's promise is the precondition.
    unsafe { byte_len(bstr) }.units()
}

/// Bytes of a BSTR, as its prefix counts them; 0 for null. Serves any memory of that shape.
///
/// Source: `SysStringByteLen`, `semantics.md` 2.8.
///
/// # Safety
///
/// * `bstr` is null, or the four bytes before it are readable and initialised.
#[must_use]
#[track_caller]
pub unsafe fn byte_len(bstr: *const u16) -> ByteLen {
    if bstr.is_null() {
        return ByteLen::ZERO;
    }
    // SAFETY: the caller's promise, and `bstr` is not null.
    unsafe { imp::byte_len(bstr) }
}

/// Copies `bytes` bytes into the payload, `offset` bytes from its start.
///
/// # Safety
///
/// * `bytes` bytes are readable at `source`, and fit the payload of `bstr` behind the offset.
pub(super) unsafe fn fill(bstr: *mut u16, offset: usize, source: *const u8, bytes: usize) {
    // SAFETY: the caller's promise is the precondition.
    unsafe { imp::fill(bstr, offset, source, bytes) };
}

/// Tells that the text of a string was written, by whoever made it and is its only user.
#[inline]
pub(super) fn filled(bstr: *mut u16) {
    #[cfg(any(not(windows), miri))]
    imp::filled(bstr);
    let _ = bstr;
}
