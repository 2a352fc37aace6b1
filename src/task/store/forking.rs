//! A heap in a process that forks.

use allocator_api2::alloc::Allocator;

use crate::task::large::KeptTables;
use crate::task::lock::Kept;
use crate::task::store::{LATE, Store};
use crate::task::sync::Ordering;
use crate::task::thread_identity::identity;

/// The locks of a heap, kept by a thread while it forks.
pub(crate) struct KeptHeap {
    late: Kept<'static>,
    depot: Kept<'static>,
    tables: KeptTables,
}

impl<A: Allocator + Sync> Store<A> {
    /// Takes all locks but those of slabs, which the child makes anew.
    pub(crate) fn keep(&'static self) -> KeptHeap {
        KeptHeap {
            late: self.late.lock().keep(),
            depot: self.depot.lock().keep(),
            tables: self.large.keep(),
        }
    }

    /// Gives the locks back in the parent.
    pub(crate) fn release(&'static self, kept: KeptHeap) {
        kept.tables.release();
        kept.depot.release();
        kept.late.release();
    }

    /// Puts the heap in order in the child, and gives the locks back. What other threads had is nobody's.
    pub(crate) fn release_in_child(&'static self, kept: KeptHeap) {
        let me = identity();
        {
            // The lock is kept by this thread, which may therefore take it.
            let depot = self.depot.lock();
            depot.forget_waiting();
            let survives = |identity| identity == me || identity == LATE;
            for local in depot.parts() {
                let identity = local.home.identity.load(Ordering::Relaxed);
                if survives(identity) {
                    let _ = local.home.take_told();
                } else if identity != 0 {
                    local.forget();
                    local.home.identity.store(0, Ordering::Relaxed);
                    depot.dismiss(local);
                }
            }
            let _ = self.late_part.get().home.take_told();
            for slab in depot.places() {
                // SAFETY: the child has one thread. What has slots is put in order below.
                unsafe { slab.unlock() };
            }
            for slab in depot.slabs() {
                // SAFETY: the child has one thread, and it has the depot; the parts of others were emptied.
                unsafe { slab.recover(survives) };
                if slab.is_nobodys() {
                    // SAFETY: nobody owns it, and what waited was forgotten.
                    unsafe { depot.receive(slab, &self.registry, &self.backing) };
                } else if slab.has_returned() {
                    slab.tell_owner();
                }
            }
        }
        kept.tables.release_in_child();
        kept.depot.release_in_child();
        kept.late.release_in_child();
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, Ordering};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use allocator_api2::alloc::System;

    use crate::task::backing::Backing;
    use crate::task::block::Family;
    use crate::task::store::Store;

    /// A thread may ask about a slab that is melted before it has the answer, and is gone in the child.
    #[test]
    fn the_lock_of_a_slab_that_is_no_more_is_free_in_the_child() {
        // Made at run time, for a model has no other, and for ever; leak checkers find it by the static.
        static KEPT: AtomicPtr<Store> = AtomicPtr::new(ptr::null_mut());
        let heap: &'static Store = Box::leak(Box::new(Store::new(Backing::new(System))));
        KEPT.store(ptr::from_ref(heap).cast_mut(), Ordering::Relaxed);
        // This thread must not need the heap at its end, if the lock is taken.
        let before = thread::spawn(move || {
            let block = heap.alloc(1, Family::Task);
            let slab = heap.registry.get(block.addr()).expect("a small block");
            // SAFETY: live, and its last use.
            assert!(unsafe { heap.free(block) }.is_ok());
            heap.minimize();
            assert!(slab.containing(block.addr()).is_none());
            slab.leave_locked();
        });
        before.join().expect("it ends");
        let kept = heap.keep();
        heap.release_in_child(kept);

        let (done, wait) = mpsc::channel();
        thread::spawn(move || done.send(heap.alloc(1, Family::Task).is_null()));
        let is_null = wait.recv_timeout(Duration::from_secs(20));
        assert_eq!(is_null, Ok(false));
    }
}
