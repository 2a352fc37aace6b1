//! Pages of a block's own, between two that nobody may touch.
//!
//! ```text
//!  ├─ a page shut ─┼─ pages for the block ─┼─ a page shut ─┤
//!                  ▲ what `map` gives
//! ```

#[cfg(all(unix, not(miri)))]
pub(super) use pages::{map, shut, size, unmap};

#[cfg(all(unix, not(miri)))]
mod pages {
    use core::ptr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Bytes of a page.
    pub(crate) fn size() -> usize {
        static SIZE: AtomicUsize = AtomicUsize::new(0);
        let known = SIZE.load(Ordering::Relaxed);
        if known != 0 {
            return known;
        }
        // SAFETY: it asks for a number.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let size = usize::try_from(size)
            .ok()
            .filter(|size| size.is_power_of_two())
            .unwrap_or(4096);
        SIZE.store(size, Ordering::Relaxed);
        size
    }

    /// Pages for `bytes` bytes, zeroed: where they begin, and how many bytes they have. `None` if there are none.
    pub(crate) fn map(bytes: usize) -> Option<(*mut u8, usize)> {
        let page = size();
        let usable = bytes.max(1).checked_next_multiple_of(page)?;
        let all = usable.checked_add(2 * page)?;
        // SAFETY: new pages, wherever the system puts them.
        let mapped = unsafe {
            libc::mmap(
                ptr::null_mut(),
                all,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANON,
                -1,
                0,
            )
        };
        if mapped == libc::MAP_FAILED {
            return None;
        }
        let start = mapped.cast::<u8>().wrapping_add(page);
        // SAFETY: the pages were just mapped.
        let opened =
            unsafe { libc::mprotect(start.cast(), usable, libc::PROT_READ | libc::PROT_WRITE) };
        if opened != 0 {
            // SAFETY: as above.
            unsafe { unmap(start, usable) };
            return None;
        }
        Some((start, usable))
    }

    /// Has nobody touch the pages any more; what they held is gone.
    ///
    /// # Safety
    ///
    /// * `start` and `usable` are what [`map`] gave, and nobody uses the pages any more.
    pub(crate) unsafe fn shut(start: *mut u8, usable: usize) {
        // SAFETY: the caller's promise. It may fail, as it needs memory of the kernel's: then the pages are as
        // they were, and a late access goes unnoticed.
        unsafe { libc::mprotect(start.cast(), usable, libc::PROT_NONE) };
        // SAFETY: as above: nobody will ask for the contents. It is advice.
        unsafe { libc::madvise(start.cast(), usable, libc::MADV_DONTNEED) };
    }

    /// Gives the pages back.
    ///
    /// # Safety
    ///
    /// * `start` and `usable` are what [`map`] gave, and nobody uses the pages any more.
    pub(crate) unsafe fn unmap(start: *mut u8, usable: usize) {
        let page = size();
        let mapped = start.wrapping_sub(page);
        // SAFETY: the caller's promise.
        unsafe { libc::munmap(mapped.cast(), usable + 2 * page) };
    }
}

#[cfg(not(all(unix, not(miri))))]
pub(super) use nothing::{map, shut, size, unmap};

/// There are no pages to be had here.
#[cfg(not(all(unix, not(miri))))]
mod nothing {
    pub(crate) fn size() -> usize {
        4096
    }

    pub(crate) fn map(_: usize) -> Option<(*mut u8, usize)> {
        None
    }

    /// # Safety
    ///
    /// * None: there is nothing to shut.
    pub(crate) unsafe fn shut(_: *mut u8, _: usize) {}

    /// # Safety
    ///
    /// * None: there is nothing to give back.
    pub(crate) unsafe fn unmap(_: *mut u8, _: usize) {}
}
