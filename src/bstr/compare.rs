//! Joining and comparing: `VarBstrCat` and `VarBstrCmp`.

use core::cmp::Ordering;
use core::ptr;

use crate::bstr::raw;

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
/// * `left` and `right` are null or BSTRs, readable with prefix and counted bytes.
#[must_use]
pub unsafe fn concat(left: *const u16, right: *const u16) -> *mut u16 {
    // SAFETY: the caller's promise is the precondition.
    let left_len = unsafe { raw::byte_len(left) };
    // SAFETY: as above.
    let right_len = unsafe { raw::byte_len(right) };
    let Some(len) = left_len.checked_add(right_len) else {
        return ptr::null_mut();
    };
    // SAFETY: a null source needs nothing.
    let joined = unsafe { raw::alloc_bytes(ptr::null(), len) };
    if joined.is_null() {
        return joined;
    }
    let start = joined.cast::<u8>();
    // SAFETY: within the payload, whose length is the sum.
    let middle = unsafe { start.add(left_len.as_usize()) };
    // A null source has no bytes, and no copy of none needs a pointer.
    for (to, from, bytes) in [(start, left, left_len), (middle, right, right_len)] {
        if !from.is_null() {
            // SAFETY: the caller promises the source's bytes; the payload has room for both, and a new
            // block overlaps nothing.
            unsafe { to.copy_from_nonoverlapping(from.cast(), bytes.as_usize()) };
        }
    }
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
/// * `left` and `right` are null or BSTRs as [`BstrRef::from_raw`](crate::BstrRef::from_raw) wants
///   them, with a terminator.
#[must_use]
pub unsafe fn compare(left: *const u16, right: *const u16, lcid: u32, flags: u32) -> Ordering {
    // SAFETY: the caller's promise is the precondition.
    unsafe { imp::compare(left, right, lcid, flags) }
}

#[cfg(any(not(windows), miri))]
mod imp {
    use super::{IGNORE_CASE, Ordering};
    use crate::bstr::borrowed::BstrRef;
    #[cfg(feature = "export")]
    use crate::task::{
        hook::{self, BstrEvent},
        mode,
    };

    /// # Safety
    ///
    /// * As for [`compare`](super::compare).
    pub(super) unsafe fn compare(
        left: *const u16,
        right: *const u16,
        lcid: u32,
        flags: u32,
    ) -> Ordering {
        #[cfg(feature = "export")]
        if mode::armed() {
            hook::raise_bstr(&BstrEvent::Read { bstr: left });
            hook::raise_bstr(&BstrEvent::Read { bstr: right });
        }
        // SAFETY: the caller's promise; the borrow ends with this call.
        let left = unsafe { BstrRef::from_raw(left) };
        // SAFETY: as above.
        let right = unsafe { BstrRef::from_raw(right) };
        // SAFETY: as above, with the zero unit that ends a BSTR.
        let left_starts = unsafe { starts_with_text(left) };
        // SAFETY: as above.
        let right_starts = unsafe { starts_with_text(right) };
        match (left_starts, right_starts) {
            (false, true) => return Ordering::Less,
            (true, false) => return Ordering::Greater,
            _ => {}
        }
        if lcid == 0 {
            return left.as_bytes().cmp(right.as_bytes());
        }
        let (left, right) = (left.as_units(), right.as_units());
        if left.is_empty() || right.is_empty() {
            return left.len().cmp(&right.len());
        }
        by_language(left, right, flags)
    }

    /// Whether there is a first unit and it is not zero. It is the unit at the pointer, whatever the
    /// prefix says: a string shortened in place may still start with text.
    ///
    /// # Safety
    ///
    /// * A unit is readable where `text` points, unless it is null.
    unsafe fn starts_with_text(text: BstrRef<'_>) -> bool {
        // SAFETY: the caller's promise, or a static zero for null.
        unsafe { text.as_ptr().read() != 0 }
    }

    /// The approximation that [`compare`](super::compare) documents.
    fn by_language(left: &[u16], right: &[u16], flags: u32) -> Ordering {
        let fold = |unit: u16| match unit {
            0x41..=0x5A => unit | 0x20,
            _ => unit,
        };
        fn visible(text: &[u16]) -> impl Iterator<Item = u16> + '_ {
            text.iter().copied().filter(|unit| *unit != 0)
        }
        let by_letter = visible(left).map(fold).cmp(visible(right).map(fold));
        if by_letter != Ordering::Equal || flags & IGNORE_CASE != 0 {
            return by_letter;
        }
        // Lower case has the greater code unit, and comes first.
        visible(right).cmp(visible(left))
    }
}

#[cfg(all(windows, not(miri)))]
mod imp {
    use super::Ordering;
    use crate::com::HResult;

    #[link(name = "oleaut32", kind = "raw-dylib")]
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
