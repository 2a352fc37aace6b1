//! The stack by its frame pointers.
//!
//! ```text
//!            │ ...                │ high: the end of the thread's stack
//!            ├────────────────────┤
//!            │ return address     │
//!  frame ──► │ the next frame ────┼──► further up
//!            ├────────────────────┤
//!            │ ...                │
//!            │ the entrance       │ above: what lies below is olemem's
//! ```
//!
//! The compiler may have put anything into the register that frame pointers are in, and so may the program on the
//! stack. So a frame is believed only if it is aligned, further up than the last one and within the stack of this
//! thread, all of which may be read. What is read there may be nonsense all the same; it is never followed as code.

use core::ptr;

/// A word.
const WORD: usize = size_of::<usize>();

/// What addresses of code have: on some machines return addresses are signed, above these bits.
const CODE: usize = if cfg!(target_arch = "aarch64") {
    (1 << 48) - 1
} else {
    usize::MAX
};

/// Gives the return addresses of the frames from `frame` on that lie above an address of this thread's stack, the
/// innermost first, until there is none or no more is wanted.
pub(super) fn walk(frame: usize, above: usize, mut keep: impl FnMut(usize) -> bool) {
    let Some((low, high)) = bounds::of_this_thread() else {
        return;
    };
    // A coroutine, or the handler of a signal, is on a stack of its own.
    if above < low || above >= high {
        return;
    }
    let (mut last, mut frame) = (above, frame);
    while frame > last && frame.is_multiple_of(WORD) && frame <= high - 2 * WORD {
        // SAFETY: aligned, and two words from there on lie within this thread's stack, above where it is in use.
        let next = unsafe { read(frame) };
        // SAFETY: as above.
        let return_address = unsafe { read(frame + WORD) } & CODE;
        // No function is there; the outermost frame says so.
        if return_address < 4096 || !keep(return_address) {
            return;
        }
        (last, frame) = (frame, next);
    }
}

/// A word of the stack.
///
/// # Safety
///
/// * The address is aligned, and a word there may be read.
unsafe fn read(address: usize) -> usize {
    // What compilers keep there is no object of this program's, so they must not think about it.
    let pointer: *const usize = ptr::with_exposed_provenance(address);
    // SAFETY: the caller's promise.
    unsafe { pointer.read_volatile() }
}

/// Where the stack of a thread begins and ends.
mod bounds {
    use core::cell::Cell;

    thread_local! {
        /// Those of this thread; nothing before they were asked for. Both 0: they cannot be had.
        static BOUNDS: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
    }

    /// The lowest address of this thread's stack, and the one behind its highest.
    pub(super) fn of_this_thread() -> Option<(usize, usize)> {
        let bounds = BOUNDS.get().unwrap_or_else(|| {
            let asked = ask().unwrap_or((0, 0));
            BOUNDS.set(Some(asked));
            asked
        });
        (bounds.1 > 0).then_some(bounds)
    }

    /// Asks the system.
    #[cfg(target_os = "linux")]
    fn ask() -> Option<(usize, usize)> {
        use core::mem::MaybeUninit;
        use core::ptr;

        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
        // SAFETY: the function takes no pointer.
        let this = unsafe { libc::pthread_self() };
        // SAFETY: the thread is this one, and there is room for its attributes.
        if unsafe { libc::pthread_getattr_np(this, attributes.as_mut_ptr()) } != 0 {
            return None;
        }
        let (mut start, mut size) = (ptr::null_mut(), 0);
        // SAFETY: the attributes were initialised above, and the variables may be written.
        let code = unsafe {
            libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut start, &raw mut size)
        };
        // SAFETY: as above, and this is their last use.
        unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
        let low = start.addr();
        (code == 0).then_some((low, low + size))
    }

    /// Asks the system.
    #[cfg(target_os = "macos")]
    fn ask() -> Option<(usize, usize)> {
        // SAFETY: the function takes no pointer.
        let this = unsafe { libc::pthread_self() };
        // SAFETY: the thread is this one.
        let high = unsafe { libc::pthread_get_stackaddr_np(this) }.addr();
        // SAFETY: as above.
        let size = unsafe { libc::pthread_get_stacksize_np(this) };
        Some((high - size, high))
    }

    /// There is nobody to ask.
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    fn ask() -> Option<(usize, usize)> {
        None
    }
}
