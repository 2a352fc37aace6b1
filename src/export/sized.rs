//! Structures of the caller's that begin with their size, so that they can grow.

use core::mem::size_of;
use core::slice;

/// The caller's structure; `None` if it is smaller than the one that is known here, or has members that are not known
/// here and not zero.
///
/// # Safety
///
/// * `structure` points to a structure that begins with a `usize`, and has as many bytes as that says.
pub(super) unsafe fn read<T: Copy>(structure: *const T) -> Option<T> {
    let known = size_of::<T>();
    // SAFETY: the first member is there in any case.
    let size = unsafe { structure.cast::<usize>().read() };
    let beyond = size.checked_sub(known)?;
    // SAFETY: so many bytes were promised.
    let read = unsafe { structure.read() };
    // SAFETY: the promise is for `size` bytes, of which these are the rest.
    let rest = unsafe { structure.cast::<u8>().add(known) };
    // SAFETY: as above.
    let rest = unsafe { slice::from_raw_parts(rest, beyond) };
    rest.iter().all(|byte| *byte == 0).then_some(read)
}
