//! Where a heap's memory comes from; and handing a bad call on to the system allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::{self, NonNull};

use allocator_api2::alloc::{AllocError, Allocator};

use crate::task::large;

/// The allocator behind a heap, and what more is known of its memory.
pub(crate) struct Backing<A> {
    allocator: A,
    /// Has the system forget what is in whole pages, which stay the heap's: their memory goes back. `None` if
    /// that is not known to be allowed.
    forget: Option<unsafe fn(NonNull<u8>, usize)>,
}

impl<A> Backing<A> {
    /// An allocator of which nothing more is known.
    pub(crate) const fn new(allocator: A) -> Self {
        Self {
            allocator,
            forget: None,
        }
    }

    /// Has the system forget what is in these pages; `false` if that cannot be.
    ///
    /// # Safety
    ///
    /// * `bytes` bytes from `pages` on are whole units of an allocation of this backing's, and nobody uses them.
    pub(crate) unsafe fn forget(&self, pages: NonNull<u8>, bytes: usize) -> bool {
        if let Some(forget) = self.forget {
            // SAFETY: the caller's promise is the precondition.
            unsafe { forget(pages, bytes) };
        }
        self.forget.is_some()
    }
}

impl Backing<System> {
    /// The system's allocator.
    pub(crate) const fn system() -> Self {
        Self {
            allocator: System,
            #[cfg(all(any(target_os = "linux", target_vendor = "apple"), not(miri)))]
            forget: Some(pages::forget),
            #[cfg(not(all(any(target_os = "linux", target_vendor = "apple"), not(miri))))]
            forget: None,
        }
    }
}

// SAFETY: every method is the allocator's own.
unsafe impl<A: Allocator> Allocator for Backing<A> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.allocator.allocate(layout)
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.allocator.allocate_zeroed(layout)
    }

    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        // SAFETY: the trait's promise is the precondition.
        unsafe { self.allocator.deallocate(memory, layout) };
    }

    unsafe fn grow(
        &self,
        memory: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the trait's promise is the precondition.
        unsafe { self.allocator.grow(memory, old, new) }
    }

    unsafe fn shrink(
        &self,
        memory: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the trait's promise is the precondition.
        unsafe { self.allocator.shrink(memory, old, new) }
    }
}

#[cfg(all(any(target_os = "linux", target_vendor = "apple"), not(miri)))]
mod pages {
    use std::ffi::c_void;
    use std::ptr::NonNull;

    unsafe extern "C" {
        fn madvise(address: *mut c_void, bytes: usize, advice: i32) -> i32;
    }

    /// `MADV_DONTNEED`: the pages go at once, and read as zeros.
    #[cfg(target_os = "linux")]
    const ADVICE: i32 = 4;
    /// `MADV_FREE`: the pages go when the system wants them.
    #[cfg(target_vendor = "apple")]
    const ADVICE: i32 = 5;

    /// # Safety
    ///
    /// * `bytes` bytes from `pages` on are of an allocation, and nobody uses them. Units are multiples of pages.
    pub(super) unsafe fn forget(pages: NonNull<u8>, bytes: usize) {
        // Where the system will not, as it may with locked memory, the pages stay.
        // SAFETY: the caller's promise: what the pages hold is nobody's.
        let _ = unsafe { madvise(pages.as_ptr().cast(), bytes, ADVICE) };
    }
}

/// A pointer that is no live block is freed all the same, so that the tool which watches the
/// system allocator reports it with its own stacks.
///
/// # Safety
///
/// * Only under such a tool: it ends or reports the call before harm is done.
pub(crate) unsafe fn hand_on_free(block: *mut u8) {
    let unknown = Layout::new::<u8>();
    // SAFETY: not met, on purpose: the tool that the caller vouches for stops here.
    unsafe { System.dealloc(block, unknown) };
}

/// As [`hand_on_free`], for a reallocation.
///
/// # Safety
///
/// * As for [`hand_on_free`].
pub(crate) unsafe fn hand_on_realloc(block: *mut u8, size: usize) -> *mut u8 {
    let Some(new) = large::layout(size) else {
        return ptr::null_mut();
    };
    let unknown = Layout::new::<u8>();
    // SAFETY: not met, on purpose: the tool that the caller vouches for stops here.
    unsafe { System.realloc(block, unknown, new.size()) }
}
