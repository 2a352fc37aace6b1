//! What the heap shares state by, as loom has it.

use std::ops::{Deref, DerefMut};

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use loom::cell::UnsafeCell;

pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// A cell whose uses must be in an order that the threads know.
pub(crate) struct Cell<T>(UnsafeCell<T>);

impl<T> Cell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    pub(crate) fn set(&self, value: T) {
        drop(self.replace(value));
    }

    pub(crate) fn replace(&self, value: T) -> T {
        // SAFETY: nobody else uses the value, or loom ends the model.
        self.0
            .with_mut(|place| std::mem::replace(unsafe { &mut *place }, value))
    }

    pub(crate) fn take(&self) -> T
    where
        T: Default,
    {
        self.replace(T::default())
    }

    pub(crate) fn get(&self) -> T
    where
        T: Copy,
    {
        // SAFETY: nobody else writes the value, or loom ends the model.
        self.0.with(|place| unsafe { *place })
    }
}

/// The lock.
pub(crate) struct Lock<T>(loom::sync::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        Guard(self.0.lock().expect("a model that panics ends"))
    }

    pub(crate) unsafe fn make_anew(&self) {
        unimplemented!("models do not fork");
    }
}

/// The lock, held.
pub(crate) struct Guard<'a, T>(loom::sync::MutexGuard<'a, T>);

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// The lock, kept for a fork: there is none in a model.
pub(crate) struct Kept<'a>(std::marker::PhantomData<&'a ()>);

impl<'a, T> Guard<'a, T> {
    pub(crate) fn keep(self) -> Kept<'a> {
        unimplemented!("models do not fork");
    }
}

impl Kept<'_> {
    pub(crate) fn release(self) {}
    pub(crate) fn release_in_child(self) {}
}

/// A function that makes one of these, at run time.
macro_rules! constructor {
    ($(#[$attribute:meta])* $visible:vis fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty $body:block) => {
        $(#[$attribute])*
        $visible fn $name($($argument: $type),*) -> $result $body
    };
}
pub(crate) use constructor;

/// An array of as many values, each made anew.
macro_rules! array {
    ($value:expr; $count:expr) => {
        std::array::from_fn::<_, { $count }, _>(|_| $value)
    };
}
pub(crate) use array;

/// Null pointers; `None` if there is no memory.
pub(crate) fn nulls<T, const COUNT: usize, A: Allocator>(
    backing: A,
) -> Option<Box<[AtomicPtr<T>; COUNT], A>> {
    Box::try_new_in(array![AtomicPtr::new(std::ptr::null_mut()); COUNT], backing).ok()
}

/// Which thread this is: what the model says.
pub(crate) mod identity {
    use std::cell::Cell;

    loom::thread_local! {
        static IDENTITY: Cell<usize> = Cell::new(0);
    }

    pub(crate) fn set(identity: usize) {
        IDENTITY.with(|it| it.set(identity));
    }

    pub(crate) fn get() -> usize {
        let identity = IDENTITY.with(Cell::get);
        assert_ne!(identity, 0, "the model gives its threads identities");
        identity
    }
}
