//! A buffer whose size the caller says: the callee gets a copy of it that stands among guard bytes.
//!
//! ```text
//!  memory  ├─ MARGIN bytes FD ─┬─ the buffer's bytes ─┬─ MARGIN bytes FD ─┤
//!                              ▲ what the callee is given
//! ```

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use allocator_api2::alloc::{Allocator, System};

use crate::audit::guard::GUARD;

/// Guard bytes on either side: a buffer that is mistaken for one of twice the units is seen to be. The copy is aligned to as many, for
/// elements of any type.
const MARGIN: usize = 64;

/// A buffer of the caller's, and the copy that the callee has.
#[derive(Debug)]
pub(super) struct Buffer {
    original: *mut u8,
    bytes: usize,
    copy: NonNull<u8>,
    layout: Layout,
}

impl Buffer {
    /// A copy; `None` if there is no memory.
    ///
    /// # Safety
    ///
    /// * `bytes` bytes are at `original`, which nobody else uses until the buffer is closed or dropped; they may be uninitialised.
    pub(super) unsafe fn new(original: *mut u8, bytes: usize) -> Option<Self> {
        let layout = Layout::from_size_align(bytes.checked_add(2 * MARGIN)?, MARGIN).ok()?;
        let copy = System.allocate(layout).ok()?.cast::<u8>();
        // SAFETY: as many bytes were just allocated.
        unsafe { copy.as_ptr().write_bytes(GUARD, layout.size()) };
        let this = Self {
            original,
            bytes,
            copy,
            layout,
        };
        // SAFETY: so many bytes are on both sides, and one of them is new. They may be uninitialised, and are then copied as such.
        unsafe { ptr::copy_nonoverlapping(original, this.start(), bytes) };
        Some(this)
    }

    /// What the callee is given.
    pub(super) fn start(&self) -> *mut u8 {
        self.copy.as_ptr().wrapping_add(MARGIN)
    }

    /// The nearest byte that was written outside, so many bytes behind the end or, below zero, before the start; and
    /// what stands there.
    pub(super) fn damage(&self) -> Option<(isize, u8)> {
        let end = self.start().wrapping_add(self.bytes);
        // SAFETY: so many guard bytes are behind the copy, initialised; the callee has returned.
        let behind = unsafe { core::slice::from_raw_parts(end, MARGIN) };
        if let Some(at) = behind.iter().position(|byte| *byte != GUARD) {
            return Some((at.cast_signed() + 1, behind[at]));
        }
        // SAFETY: and so many before it.
        let before = unsafe { core::slice::from_raw_parts(self.copy.as_ptr(), MARGIN) };
        let at = before.iter().rposition(|byte| *byte != GUARD)?;
        Some((at.cast_signed() - MARGIN.cast_signed(), before[at]))
    }

    /// The caller gets what the callee wrote.
    pub(super) fn copy_back(&self) {
        // SAFETY: so many bytes are on both sides, which are different allocations; the promise of `new`.
        unsafe { ptr::copy_nonoverlapping(self.start(), self.original, self.bytes) };
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and the callee has returned.
        unsafe { System.deallocate(self.copy, self.layout) };
    }
}
