//! The lock of the heap: one that never allocates.
//!
//! A global allocator may stand on olemem, so taking the lock must not come back to it. The standard
//! library's mutex is a futex on Linux and asks for no memory; on Apple's systems it is boxed at first
//! use, so the system's own lock stands there.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::task::thread_identity::identity;

/// A value behind a lock.
pub(crate) struct Lock<T> {
    raw: UnsafeCell<raw::RawLock>,
    /// The thread that keeps the lock while it forks; 0 if none does.
    forking: AtomicUsize,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through a guard, of which there is one at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self {
            raw: UnsafeCell::new(raw::RawLock::new()),
            forking: AtomicUsize::new(0),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits for the lock, and holds it until the guard is dropped.
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        // No ordering is needed: only this thread itself could have put its number there.
        let forking = self.forking.load(Ordering::Relaxed);
        let held = if forking != 0 && forking == identity() {
            // Another handler of the fork is at work, on this thread, and no guard lives.
            None
        } else {
            // SAFETY: replaced by `make_anew` alone, when no other thread is there.
            Some(unsafe { &*self.raw.get() }.lock())
        };
        Guard { lock: self, held }
    }
}

#[cfg(all(unix, not(miri)))]
impl<T> Lock<T> {
    /// Holds the lock until the guard is dropped, if nobody does. It does not wait, so that a handler of a signal may
    /// ask, whatever its thread was doing.
    #[cfg(feature = "audit")]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        if self.forking.load(Ordering::Relaxed) != 0 {
            return None;
        }
        // SAFETY: replaced by `make_anew` alone, when no other thread is there.
        let held = unsafe { &*self.raw.get() }.try_lock()?;
        Some(Guard {
            lock: self,
            held: Some(held),
        })
    }

    /// Makes the lock free, in the child of a fork, whoever held it.
    ///
    /// # Safety
    ///
    /// * This is the only thread. The value is in order, or will be put in order.
    /// * No guard of the lock is used any more, though one may be dropped after the lock was taken anew.
    pub(crate) unsafe fn make_anew(&self) {
        // SAFETY: nobody uses the lock.
        unsafe { self.raw.get().write(raw::RawLock::new()) };
    }
}

/// The lock, held.
pub(crate) struct Guard<'a, T> {
    lock: &'a Lock<T>,
    /// Dropping it gives the lock back. `None` if the thread keeps the lock for a fork.
    #[cfg_attr(
        any(not(unix), miri),
        expect(dead_code, reason = "it is there to be dropped")
    )]
    held: Option<raw::Held<'a>>,
}

/// The lock, kept by this thread while it forks: other handlers of the fork may use what it guards, on
/// this thread alone.
#[cfg(all(unix, not(miri)))]
pub(crate) struct Kept<'a> {
    forking: &'a AtomicUsize,
    held: Option<raw::Held<'a>>,
}

#[cfg(all(unix, not(miri)))]
impl<'a, T> Guard<'a, T> {
    /// Keeps the lock for a fork.
    pub(crate) fn keep(self) -> Kept<'a> {
        let forking = &self.lock.forking;
        forking.store(identity(), Ordering::Relaxed);
        Kept {
            forking,
            held: self.held,
        }
    }
}

#[cfg(all(unix, not(miri)))]
impl Kept<'_> {
    /// Gives the lock back in the parent.
    pub(crate) fn release(self) {
        self.forking.store(0, Ordering::Relaxed);
        drop(self.held);
    }

    /// Gives the lock back in the child, where the thread that took it is a copy.
    pub(crate) fn release_in_child(self) {
        self.forking.store(0, Ordering::Relaxed);
        if let Some(held) = self.held {
            raw::release_in_child(held);
        }
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held, and this guard is borrowed for as long.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, and this guard is borrowed alone for as long.
        unsafe { &mut *self.lock.value.get() }
    }
}

#[cfg(not(target_vendor = "apple"))]
mod raw {
    #[cfg(all(feature = "audit", unix, not(miri)))]
    use std::sync::TryLockError;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    pub(super) struct RawLock(Mutex<()>);

    pub(super) type Held<'a> = MutexGuard<'a, ()>;

    #[cfg(all(unix, not(miri)))]
    pub(super) fn release_in_child(held: Held<'_>) {
        // A futex does not know who took it.
        drop(held);
    }

    impl RawLock {
        pub(super) const fn new() -> Self {
            Self(Mutex::new(()))
        }

        pub(super) fn lock(&self) -> Held<'_> {
            // Nothing panics between two consistent states of what it guards.
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        #[cfg(all(feature = "audit", unix, not(miri)))]
        pub(super) fn try_lock(&self) -> Option<Held<'_>> {
            match self.0.try_lock() {
                Ok(held) => Some(held),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            }
        }
    }
}

#[cfg(target_vendor = "apple")]
mod raw {
    use std::cell::UnsafeCell;
    use std::marker::PhantomData;

    // `os/lock.h`: a 32-bit word, zero when free, which must not move while it is used.
    unsafe extern "C" {
        fn os_unfair_lock_lock(lock: *mut u32);
        fn os_unfair_lock_unlock(lock: *mut u32);
        #[cfg(feature = "audit")]
        fn os_unfair_lock_trylock(lock: *mut u32) -> bool;
    }

    pub(super) struct RawLock(UnsafeCell<u32>);

    pub(super) struct Held<'a> {
        lock: &'a RawLock,
        /// Only the thread that took the lock may give it back.
        this_thread: PhantomData<*const ()>,
    }

    impl RawLock {
        pub(super) const fn new() -> Self {
            Self(UnsafeCell::new(0))
        }

        pub(super) fn lock(&self) -> Held<'_> {
            // SAFETY: the word is the lock's own and stays where it is while `self` is borrowed.
            unsafe { os_unfair_lock_lock(self.0.get()) };
            Held {
                lock: self,
                this_thread: PhantomData,
            }
        }

        #[cfg(feature = "audit")]
        pub(super) fn try_lock(&self) -> Option<Held<'_>> {
            // SAFETY: as in `lock`.
            let is_held = unsafe { os_unfair_lock_trylock(self.0.get()) };
            is_held.then(|| Held {
                lock: self,
                this_thread: PhantomData,
            })
        }
    }

    /// The lock knows its thread by a name that the child's thread does not have: it is made anew.
    pub(super) fn release_in_child(held: Held<'_>) {
        // SAFETY: the child has no other thread that could use the word.
        unsafe { held.lock.0.get().write(0) };
        std::mem::forget(held);
    }

    impl Drop for Held<'_> {
        fn drop(&mut self) {
            // SAFETY: this thread took the lock, and gives it back once.
            unsafe { os_unfair_lock_unlock(self.lock.0.get()) };
        }
    }
}
