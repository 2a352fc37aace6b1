//! Which parts of heaps a thread has, and what becomes of them when it ends.
//!
//! The system is asked to say when a thread ends, not the standard library: the library's thread-locals with
//! destructors may ask the global allocator for memory on some systems, and it may stand on us. What the
//! system calls then comes after those destructors, and once more if one of its own kind uses the heap.

use std::cell::Cell;

use crate::task::local::Local;
use crate::task::sync::Ordering;
use crate::task::thread_identity::identity;

thread_local! {
    /// This thread's parts of heaps.
    static PARTS: Cell<Option<&'static Local>> = const { Cell::new(None) };
}

/// This thread's part of a heap.
pub(crate) fn part_of(heap: *const ()) -> Option<&'static Local> {
    let mut parts = PARTS.get();
    while let Some(part) = parts {
        if part.leave.get().is_some_and(|leave| leave.heap == heap) {
            return Some(part);
        }
        parts = part.next.get();
    }
    None
}

/// Gives the thread a part of a heap; `false` if nothing would take it back when the thread ends.
pub(crate) fn add_part(part: &'static Local) -> bool {
    let parts = PARTS.get();
    part.next.set(parts);
    if !at_end::remember(part) {
        part.next.set(None);
        return false;
    }
    part.home.identity.store(identity(), Ordering::Relaxed);
    PARTS.set(Some(part));
    true
}

/// Gives up a thread's parts, of which this is the first.
fn leave(first: &'static Local) {
    PARTS.set(None);
    let mut parts = Some(first);
    while let Some(part) = parts {
        parts = part.next.take();
        if let Some(leave) = part.leave.get() {
            // SAFETY: the heap is what its function takes it for, and this is the thread's part of it.
            unsafe { (leave.function)(leave.heap, part) };
        }
    }
}

#[cfg(unix)]
mod at_end {
    use std::ffi::c_void;
    use std::ptr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{Local, leave};

    /// `pthread_key_t`.
    #[cfg(target_vendor = "apple")]
    type Key = std::ffi::c_ulong;
    #[cfg(not(target_vendor = "apple"))]
    type Key = std::ffi::c_uint;

    unsafe extern "C" {
        fn pthread_key_create(key: *mut Key, at_end: unsafe extern "C" fn(*mut c_void)) -> i32;
        fn pthread_key_delete(key: Key) -> i32;
        fn pthread_setspecific(key: Key, value: *const c_void) -> i32;
    }

    /// The key and one more; 0 while there is none.
    static KEY: AtomicUsize = AtomicUsize::new(0);

    /// The key, made at the first use; `None` if the system has no more.
    fn key() -> Option<Key> {
        let mut known = KEY.load(Ordering::Acquire);
        if known == 0 {
            let mut key = 0;
            // SAFETY: the variable is a local, and the function may be called with what `remember` sets.
            if unsafe { pthread_key_create(&raw mut key, ended) } != 0 {
                return None;
            }
            let mine = usize::try_from(key).ok()? + 1;
            match KEY.compare_exchange(0, mine, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => known = mine,
                Err(others) => {
                    // SAFETY: made above, and nobody else knows of it.
                    let _ = unsafe { pthread_key_delete(key) };
                    known = others;
                }
            }
        }
        Key::try_from(known - 1).ok()
    }

    /// Has the parts, of which this is the first, given up when the thread ends; `false` if that cannot be.
    pub(super) fn remember(first: &'static Local) -> bool {
        let Some(key) = key() else { return false };
        // SAFETY: the key is there for ever.
        unsafe { pthread_setspecific(key, ptr::from_ref(first).cast()) == 0 }
    }

    /// # Safety
    ///
    /// * `first` is what `remember` set.
    unsafe extern "C" fn ended(first: *mut c_void) {
        // SAFETY: a leaked `Local`, or null, for which the system does not call.
        if let Some(first) = unsafe { first.cast::<Local>().as_ref() } {
            leave(first);
        }
    }
}

/// Miri's Windows.
#[cfg(not(unix))]
mod at_end {
    use std::cell::Cell;

    use super::{Local, leave};

    struct Exit(Cell<Option<&'static Local>>);

    impl Drop for Exit {
        fn drop(&mut self) {
            if let Some(first) = self.0.take() {
                leave(first);
            }
        }
    }

    thread_local! {
        static EXIT: Exit = const { Exit(Cell::new(None)) };
    }

    /// Has the parts, of which this is the first, given up when the thread ends; `false` if it is ending.
    pub(super) fn remember(first: &'static Local) -> bool {
        EXIT.try_with(|exit| exit.0.set(Some(first))).is_ok()
    }
}
