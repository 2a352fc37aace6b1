//! What the threads of the heap share state by: atomics, cells, the lock.
//!
//! The files that hold blocks take these from here and from nowhere else, so that a model checker can put
//! its own in their place: `tests/models` compiles the same files over loom's.

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;

pub(crate) use std::cell::Cell;
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

pub(crate) use crate::task::lock::Lock;

/// A function that statics call. A model checker's atomics are made at run time.
macro_rules! constructor {
    ($(#[$attribute:meta])* $visible:vis fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty $body:block) => {
        $(#[$attribute])*
        $visible const fn $name($($argument: $type),*) -> $result $body
    };
}
pub(crate) use constructor;

/// A value of a large type, made in memory of the backing's and nowhere before: it would be much for the stack
/// of a small thread. `None` if there is no memory.
macro_rules! boxed {
    ($type:ty, $new:expr, $backing:expr) => {{
        static NEW: $type = $new;
        allocator_api2::boxed::Box::<$type, _>::try_new_uninit_in($backing)
            .ok()
            .map(|mut place| {
                // SAFETY: both are of the type. Nobody uses the static but by copying it here, so a copy is a
                // new value.
                unsafe { place.as_mut_ptr().copy_from_nonoverlapping(&raw const NEW, 1) };
                // SAFETY: it was written above.
                unsafe { place.assume_init() }
            })
    }};
}
pub(crate) use boxed;

/// An array of as many values, each made anew.
macro_rules! array {
    ($value:expr; $count:expr) => {
        [const { $value }; $count]
    };
}
pub(crate) use array;

/// Null pointers, untouched memory where that is to be had; `None` if there is no memory.
pub(crate) fn nulls<T, const COUNT: usize, A: Allocator>(
    backing: A,
) -> Option<Box<[AtomicPtr<T>; COUNT], A>> {
    let nulls = Box::try_new_zeroed_in(backing).ok()?;
    // SAFETY: all zeros are null pointers.
    Some(unsafe { nulls.assume_init() })
}
