//! Many cells, told as one.

use std::cell::UnsafeCell;

/// A value that others reach by a reference to what it is a part of.
///
/// Miri looks at every cell behind a reference each time that the reference is passed on, and the heap is one value
/// of some ten thousand: a program under it would be a hundred times slower for that. One cell around them all is
/// looked at once.
#[repr(transparent)]
pub(crate) struct Whole<T>(UnsafeCell<T>);

// SAFETY: what is handed out are shared references.
unsafe impl<T: Sync> Sync for Whole<T> {}

impl<T> Whole<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    #[inline]
    pub(crate) fn get(&self) -> &T {
        // SAFETY: of a value that lives as long as `self`; nobody has a reference to it that is not shared.
        unsafe { &*self.0.get() }
    }
}

impl<T, const COUNT: usize> Whole<[T; COUNT]> {
    /// The value in one of the places that there are.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> &T {
        assert!(index < COUNT);
        let first = self.0.get().cast::<T>();
        // SAFETY: it was looked that there are so many.
        let value = unsafe { first.add(index) };
        // SAFETY: of a value that lives as long as `self`; nobody has a reference to it that is not shared.
        unsafe { &*value }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..COUNT).map(|index| self.at(index))
    }
}
