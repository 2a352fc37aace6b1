//! Joining and comparing: `VarBstrCat` and `VarBstrCmp`.

use core::cmp::Ordering;
use core::ptr;

use crate::bstr::raw;
use crate::task::caller::Caller;

/// `NORM_IGNORECASE`: letters that differ in case alone are equal.
pub const IGNORE_CASE: u32 = 1;

/// A new BSTR of the bytes of `left` followed by those of `right`; null strings are empty.
///
/// Lengths are bytes: an odd left shifts what follows by half a unit (V068). Two nulls give an empty
/// string, not null.
///
/// *Ownership:* the caller frees it with [`free`](raw::free); the sources stay whose they are. Null
/// means that there is no memory, or that the sum is too long for a BSTR; the sum is checked, as it is
/// not in Wine. Source: `VarBstrCat`, `semantics.md` 2.10.
///
/// # Safety
///
/// * `left` and `right` are null or BSTRs: prefix and counted bytes are readable. They need no
///   alignment.
#[must_use]
#[track_caller]
pub unsafe fn concat(left: *const u16, right: *const u16) -> *mut u16 {
    // SAFETY: the caller's promise is the precondition.
    Caller::here().enter(|| unsafe { concat_entered(left, right) })
}

/// # Safety
///
/// * As for [`concat()`].
unsafe fn concat_entered(left: *const u16, right: *const u16) -> *mut u16 {
    // SAFETY: the caller's promise is the precondition.
    let left_len = unsafe { raw::byte_len(left) };
    // One string twice is asked once: what is wrong with it is one mistake.
    let right_len = if ptr::eq(left, right) {
        left_len
    } else {
        // SAFETY: as above.
        unsafe { raw::byte_len(right) }
    };
    let Some(len) = left_len.checked_add(right_len) else {
        return ptr::null_mut();
    };
    // SAFETY: a null source needs nothing.
    let joined = unsafe { raw::alloc_bytes(ptr::null(), len) };
    if joined.is_null() {
        return joined;
    }
    for (source, offset, bytes) in [(left, 0, left_len), (right, left_len.as_usize(), right_len)] {
        // A null source has no bytes.
        if !source.is_null() {
            // SAFETY: the caller promises the source's bytes; the payload has room for both, and a new
            // block overlaps nothing.
            unsafe { raw::fill(joined, offset, source.cast(), bytes.as_usize()) };
        }
    }
    raw::filled(joined);
    joined
}

/// The order of two BSTRs under a locale; null strings are empty.
///
/// Exact for `lcid` 0: byte by byte, then by length; `flags` are ignored. For any other locale olemem
/// has no tables of language, and on Linux and macOS compares so: an empty string, or one that starts
/// with a zero unit, is less than one that does not; zero units are skipped; ASCII letters are compared
/// as lower case, everything else by code unit; of strings equal but for case the first difference
/// puts lower case first, and with [`IGNORE_CASE`] they are equal. Other flags are ignored. That is
/// what Windows does with ASCII letters and digits in a Latin-script locale, and an approximation
/// beyond. On Windows itself the system compares.
///
/// Source: `VarBstrCmp`, `semantics.md` 2.11. `VARCMP_LT`, `EQ`, `GT` are [`Ordering`] here.
///
/// # Safety
///
/// * `left` and `right` are null or BSTRs: prefix, counted bytes and terminator are readable and
///   initialised, in one object of no more than `isize::MAX` bytes. They need no alignment.
#[must_use]
#[track_caller]
pub unsafe fn compare(left: *const u16, right: *const u16, lcid: u32, flags: u32) -> Ordering {
    // SAFETY: the caller's promise is the precondition.
    Caller::here().enter(|| unsafe { imp::compare(left, right, lcid, flags) })
}

#[cfg(any(not(windows), miri))]
mod imp {
    use core::{ptr, slice};

    use super::{IGNORE_CASE, Ordering, raw};

    /// # Safety
    ///
    /// * As for [`compare`](super::compare).
    pub(super) unsafe fn compare(
        left: *const u16,
        right: *const u16,
        lcid: u32,
        flags: u32,
    ) -> Ordering {
        // SAFETY: the caller's promise; the borrow ends with this call.
        let left_bytes = unsafe { bytes(left) };
        // One string twice is asked once: what is wrong with it is one mistake.
        let right_bytes = if ptr::eq(left, right) {
            left_bytes
        } else {
            // SAFETY: as above.
            unsafe { bytes(right) }
        };
        // SAFETY: as above.
        let left_starts = unsafe { starts_with_text(left) };
        // SAFETY: as above.
        let right_starts = unsafe { starts_with_text(right) };
        match (left_starts, right_starts) {
            (false, true) => return Ordering::Less,
            (true, false) => return Ordering::Greater,
            _ => {}
        }
        if lcid == 0 {
            return left_bytes.cmp(right_bytes);
        }
        let (left_units, right_units) = (left_bytes.len() / 2, right_bytes.len() / 2);
        if left_units == 0 || right_units == 0 {
            return left_units.cmp(&right_units);
        }
        by_language(left_bytes, right_bytes, flags)
    }

    /// The counted bytes; none for null. Bytes, for BSTR-shaped memory may stand at any address.
    ///
    /// # Safety
    ///
    /// * `bstr` is null or a BSTR that is not written while the slice lives.
    unsafe fn bytes<'a>(bstr: *const u16) -> &'a [u8] {
        if bstr.is_null() {
            return &[];
        }
        // SAFETY: the caller's promise.
        let len = unsafe { raw::byte_len(bstr) };
        // SAFETY: the caller promises as many initialised bytes.
        unsafe { slice::from_raw_parts(bstr.cast(), len.as_usize()) }
    }

    /// Whether there is a first unit and it is not zero. It is the unit at the pointer, whatever the
    /// prefix says: a string shortened in place may still start with text.
    ///
    /// # Safety
    ///
    /// * `bstr` is null, or a unit is readable there.
    unsafe fn starts_with_text(bstr: *const u16) -> bool {
        // SAFETY: not null, so the caller promises a unit.
        !bstr.is_null() && unsafe { bstr.read_unaligned() } != 0
    }

    /// The approximation that [`compare`](super::compare) documents.
    fn by_language(left: &[u8], right: &[u8], flags: u32) -> Ordering {
        let fold = |unit: u16| match unit {
            0x41..=0x5A => unit | 0x20,
            _ => unit,
        };
        let by_letter = visible(left).map(fold).cmp(visible(right).map(fold));
        if by_letter != Ordering::Equal || flags & IGNORE_CASE != 0 {
            return by_letter;
        }
        // Lower case has the greater code unit, and comes first.
        visible(right).cmp(visible(left))
    }

    /// The whole units that are not zero.
    fn visible(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
        bytes
            .chunks_exact(2)
            .map(|unit| u16::from_ne_bytes([unit[0], unit[1]]))
            .filter(|unit| *unit != 0)
    }
}

#[cfg(all(windows, not(miri)))]
mod imp {
    use super::Ordering;
    use crate::com::HResult;

    // On 32-bit x86 the compiler decorates the names, and the library does not.
    #[cfg_attr(
        target_arch = "x86",
        link(
            name = "oleaut32",
            kind = "raw-dylib",
            import_name_type = "undecorated"
        )
    )]
    #[cfg_attr(not(target_arch = "x86"), link(name = "oleaut32", kind = "raw-dylib"))]
    unsafe extern "system" {
        fn VarBstrCmp(left: *const u16, right: *const u16, lcid: u32, flags: u32) -> HResult;
    }

    /// # Safety
    ///
    /// * As for [`compare`](super::compare).
    pub(super) unsafe fn compare(
        left: *const u16,
        right: *const u16,
        lcid: u32,
        flags: u32,
    ) -> Ordering {
        // SAFETY: the caller's promise is the precondition.
        let answer = unsafe { VarBstrCmp(left, right, lcid, flags) };
        answer.as_raw().cmp(&1)
    }
}
