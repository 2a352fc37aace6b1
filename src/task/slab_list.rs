//! Lists of slabs that run through the slabs themselves, so that they need no memory.

use crate::task::slab::{Link, Mine, Slab};
use crate::task::sync::{Cell, constructor};

/// A list, by one of the links that a slab has.
///
/// Its methods are unsafe as [`Slab::mine`] is: the thread may use that part of every slab in the list, and
/// of the one it is called with.
pub(crate) struct List {
    first: Cell<Option<&'static Slab>>,
    link: fn(&Mine) -> &Link,
}

impl List {
    constructor! {
        /// The list that runs through the links of a slab's class.
        pub(crate) fn of_class() -> Self {
            Self { first: Cell::new(None), link: |mine| &mine.of_class }
        }
    }

    constructor! {
        /// The list that runs through the links of a slab's owner.
        pub(crate) fn of_owner() -> Self {
            Self { first: Cell::new(None), link: |mine| &mine.of_owner }
        }
    }

    /// The slab that was put in last.
    pub(crate) fn first(&self) -> Option<&'static Slab> {
        self.first.get()
    }

    /// # Safety
    ///
    /// * The thread may use the slab's own part.
    unsafe fn link(&self, slab: &'static Slab) -> &'static Link {
        // SAFETY: the caller's promise is the precondition.
        (self.link)(unsafe { slab.mine() })
    }

    /// Puts a slab in, which is in no list by this link.
    ///
    /// # Safety
    ///
    /// * As the type says.
    pub(crate) unsafe fn push(&self, slab: &'static Slab) {
        let second = self.first.replace(Some(slab));
        // SAFETY: the caller's promise.
        let link = unsafe { self.link(slab) };
        link.next.set(second);
        link.previous.set(None);
        if let Some(second) = second {
            // SAFETY: as above.
            unsafe { self.link(second) }.previous.set(Some(slab));
        }
    }

    /// Takes a slab out that is in the list.
    ///
    /// # Safety
    ///
    /// * As the type says.
    pub(crate) unsafe fn remove(&self, slab: &'static Slab) {
        // SAFETY: the caller's promise.
        let link = unsafe { self.link(slab) };
        let (next, previous) = (link.next.take(), link.previous.take());
        match previous {
            // SAFETY: as above.
            Some(previous) => unsafe { self.link(previous) }.next.set(next),
            None => self.first.set(next),
        }
        if let Some(next) = next {
            // SAFETY: as above.
            unsafe { self.link(next) }.previous.set(previous);
        }
    }

    /// Forgets all slabs, without looking at them.
    pub(crate) fn forget(&self) {
        self.first.set(None);
    }
}
