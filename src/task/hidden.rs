//! A pointer to keep where a leak checker looks.

use std::ptr;

/// A pointer whose address is complemented: kept as it is, it would look to a leak checker like a reference, and hide a
/// leak. (Miri goes by what a pointer may reach, and takes it for a live one.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hidden(*mut u8);

// SAFETY: only whoever uses the pointer again does something with it, and has an argument for that.
unsafe impl Send for Hidden {}

impl Hidden {
    /// No pointer.
    pub(crate) const NONE: Self = Self(ptr::null_mut());

    pub(crate) fn new(pointer: *mut u8) -> Self {
        Self(pointer.map_addr(|address| !address))
    }

    /// The pointer, if there is one.
    pub(crate) fn get(self) -> Option<*mut u8> {
        (!self.0.is_null()).then(|| self.reveal())
    }

    /// The pointer, where there is one.
    pub(crate) fn reveal(self) -> *mut u8 {
        self.0.map_addr(|address| !address)
    }
}
