//! What is planted in an \[out\] variable: values that no callee can have by right.
//!
//! ```text
//!  FIELD ┬ 0000 0000 0000 0000 │ 0000 0000 0000 0000 ┬ the next …
//!        │ a prefix of no bytes│▲ a sentinel: an empty BSTR, an empty LPWSTR
//! ```
//!
//! 1. A sentinel leads to memory of olemem's own, which is there for ever: whoever reads or writes through it does
//!    no harm.
//! 2. It is zero throughout, so that it reads as an empty string of either sort.

use core::sync::atomic::{AtomicU64, Ordering};

/// How many there are. They are used in turn.
pub(super) const COUNT: usize = 512;

const STRIDE: usize = 2;
const BYTES: usize = STRIDE * size_of::<u64>();

static FIELD: [AtomicU64; COUNT * STRIDE] = [const { AtomicU64::new(0) }; COUNT * STRIDE];

/// The sentinel of a number.
pub(super) fn of(index: usize) -> *mut u8 {
    FIELD[index % COUNT * STRIDE + 1].as_ptr().cast()
}

/// The number of the sentinel that an address lies at, or in.
pub(super) fn index_of(address: usize) -> Option<usize> {
    let offset = address.checked_sub((&raw const FIELD).addr())?;
    (offset < size_of_val(&FIELD)).then_some(offset / BYTES)
}

/// Whether somebody wrote through a sentinel. It reads as empty again afterwards.
pub(super) fn was_written(index: usize) -> bool {
    let first = index % COUNT * STRIDE;
    let pair = &FIELD[first..first + STRIDE];
    pair.iter().fold(false, |is, word| {
        (word.swap(0, Ordering::Relaxed) != 0) | is
    })
}
