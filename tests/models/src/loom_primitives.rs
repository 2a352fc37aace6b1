//! What the heap shares state by, as loom has it.

use std::ops::{Deref, DerefMut};

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use loom::cell::UnsafeCell;

use loom::sync::atomic;
pub(crate) use loom::sync::atomic::Ordering;

/// What every use of an atomic passes by.
///
/// Loom looks for another order where two uses of an object depend on each other, and of the earlier uses it
/// remembers the last alone: a thread that loads before it exchanges hides what others loaded before. Here
/// all depend on each other, and nothing is known by it of what others did.
struct Turnstile(atomic::AtomicUsize);

impl Turnstile {
    fn new() -> Self {
        Self(atomic::AtomicUsize::new(0))
    }

    fn pass(&self) {
        self.0.fetch_add(0, Ordering::Relaxed);
    }
}

/// An atomic of loom's behind a turnstile.
///
/// To loom two stores of different threads have no order, not even where one is of an exchange that must
/// have come first: for it found what was there before both. So a state word, which the owner stores and
/// others exchange, is stored by a swap. (Not so a pointer: what a swap follows is released with it.)
macro_rules! atomics {
    ($($name:ident $(<$parameter:ident>)?: $value:ty, stored by $store:ident;)*) => {$(
        pub(crate) struct $name$(<$parameter>)? {
            turnstile: Turnstile,
            real: atomic::$name$(<$parameter>)?,
        }

        impl$(<$parameter>)? $name$(<$parameter>)? {
            pub(crate) fn new(value: $value) -> Self {
                Self { turnstile: Turnstile::new(), real: atomic::$name::new(value) }
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.turnstile.pass();
                self.real.load(order)
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.turnstile.pass();
                let _ = self.real.$store(value, order);
            }

            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.turnstile.pass();
                self.real.swap(value, order)
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.turnstile.pass();
                self.real.compare_exchange(current, new, success, failure)
            }

            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                // It fails for no reason now and then, and is then tried again: loom need not.
                self.compare_exchange(current, new, success, failure)
            }
        }
    )*};
}

atomics! {
    AtomicPtr<T>: *mut T, stored by store;
    AtomicU32: u32, stored by swap;
    AtomicUsize: usize, stored by store;
}

impl AtomicUsize {
    pub(crate) fn fetch_add(&self, value: usize, order: Ordering) -> usize {
        self.turnstile.pass();
        self.real.fetch_add(value, order)
    }
}

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

/// A value in memory of the backing's; `None` if there is no memory.
macro_rules! boxed {
    ($type:ty, $new:expr, $backing:expr) => {
        allocator_api2::boxed::Box::<$type, _>::try_new_in($new, $backing).ok()
    };
}
pub(crate) use boxed;

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
