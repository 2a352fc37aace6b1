//! `CoTaskMem*`.

use core::ffi::c_void;

use crate::task::block::Family;
use crate::task::heap;

entrance! {
    /// A block of `size` bytes, contents undefined; also of none. NULL if there is no memory.
    ///
    /// *Ownership:* the caller frees it with [`CoTaskMemFree`]. As Windows: `semantics.md` A1, A2.
    #[unsafe(no_mangle)]
    pub extern "system" fn CoTaskMemAlloc(size: usize) -> *mut c_void {
        heap::alloc_by::<QUIET>(size, Family::Task).cast()
    }
}

entrance! {
    /// The block at another size. NULL for a block allocates; size 0 frees and gives NULL; NULL otherwise
    /// is failure, and the old block is whole.
    ///
    /// *Ownership:* on success the old block is gone, the new one is the caller's. As Windows:
    /// `semantics.md` A3 to A6.
    ///
    /// # Safety
    ///
    /// * `block` is a block that nothing else uses.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn CoTaskMemRealloc(block: *mut c_void, size: usize) -> *mut c_void {
        // SAFETY: the caller's promise is the precondition.
        unsafe { heap::realloc(block.cast(), size, Family::Task) }.cast()
    }
}

entrance! {
    /// Gives a block back. NULL does nothing. What is no live block ends the process, where Windows may
    /// corrupt its heap in silence: `semantics.md` A7, A8.
    ///
    /// *Ownership:* ends here.
    ///
    /// # Safety
    ///
    /// * `block` is a block that nothing uses any more.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn CoTaskMemFree(block: *mut c_void) {
        if !block.is_null() {
            // SAFETY: the caller's promise, and it is not null.
            unsafe { heap::free_by::<QUIET>(block.cast(), Family::Task) };
        }
    }
}
