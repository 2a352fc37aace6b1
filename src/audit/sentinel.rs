//! What is planted in an \[out\] variable: values that no callee can have by right.
//!
//! ```text
//!  FIELD ┬ a word of zero ┬ a word of zero, or a vtable ┬ the next …
//!        │ … the prefix ──┤▲ a sentinel: an empty BSTR, an empty LPWSTR; or an object
//! ```
//!
//! 1. A sentinel leads to memory of olemem's own, which is there for ever: whoever reads or writes through it does
//!    no harm.
//! 2. It is zero throughout, so that it reads as an empty string of either sort; or it begins with the address of a vtable.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::com::UnknownVtbl;

/// How many there are. They are used in turn.
pub(super) const COUNT: usize = 512;

const STRIDE: usize = 2;
const BYTES: usize = STRIDE * size_of::<usize>();

static FIELD: [AtomicPtr<UnknownVtbl>; COUNT * STRIDE] =
    [const { AtomicPtr::new(ptr::null_mut()) }; COUNT * STRIDE];

/// The sentinel of a number.
pub(super) fn of(index: usize) -> *mut u8 {
    // A pointer into all of it: what stands before the sentinel may be read as well.
    let start = (&raw const FIELD).cast::<u8>().cast_mut();
    start.wrapping_add(index % COUNT * BYTES + size_of::<usize>())
}

/// The number of the sentinel that an address lies at, or in.
pub(super) fn index_of(address: usize) -> Option<usize> {
    let offset = address.checked_sub((&raw const FIELD).addr())?;
    (offset < size_of_val(&FIELD)).then_some(offset / BYTES)
}

/// Makes a sentinel an empty string, or an object.
pub(super) fn plant(index: usize, vtbl: Option<&'static UnknownVtbl>) {
    let first = index % COUNT * STRIDE;
    FIELD[first].store(ptr::null_mut(), Ordering::Relaxed);
    FIELD[first + 1].store(word(vtbl), Ordering::Relaxed);
}

/// Whether somebody wrote through a sentinel, which was made what it says.
pub(super) fn was_written(index: usize, vtbl: Option<&'static UnknownVtbl>) -> bool {
    let first = index % COUNT * STRIDE;
    !FIELD[first].load(Ordering::Relaxed).is_null()
        || FIELD[first + 1].load(Ordering::Relaxed) != word(vtbl)
}

fn word(vtbl: Option<&'static UnknownVtbl>) -> *mut UnknownVtbl {
    vtbl.map_or(ptr::null_mut(), |vtbl| ptr::from_ref(vtbl).cast_mut())
}
