//! What a call is made with: a pointer, or a parameter type that is good for the time of the call alone.

use core::fmt;
use core::marker::PhantomData;

use crate::param::{In, InOut, Out, Resource};

/// Something that a call is made with.
pub trait Given {
    /// What the closure of [`invoke`](super::Call::invoke) gets.
    type As<'x>;

    /// Gives it, for the time of the call.
    #[doc(hidden)]
    fn give<'x>(self) -> Self::As<'x>;
}

/// A pointer.
#[derive(Debug)]
pub struct Pointer<T>(pub(super) T);

impl<T> Given for Pointer<T> {
    type As<'x> = T;

    fn give<'x>(self) -> Self::As<'x> {
        self.0
    }
}

/// An [`In`].
pub struct Lending<'a, T: Resource>(pub(super) &'a T);

impl<'a, T: Resource + 'a> Given for Lending<'a, T> {
    type As<'x> = In<'a, T>;

    fn give<'x>(self) -> Self::As<'x> {
        In::new(self.0)
    }
}

/// An [`Out`].
pub struct Filling<T: Resource> {
    variable: *mut T,
    value: PhantomData<T>,
}

impl<T: Resource> Filling<T> {
    /// # Safety
    ///
    /// * The variable is there until the call has returned, and nothing else uses it meanwhile. It may hold anything.
    pub(super) const unsafe fn new(variable: *mut T) -> Self {
        Self {
            variable,
            value: PhantomData,
        }
    }
}

impl<T: Resource + 'static> Given for Filling<T> {
    type As<'x> = Out<'x, T>;

    fn give<'x>(self) -> Self::As<'x> {
        // SAFETY: the promise of `new`; the closure cannot keep it, for it has to do with any lifetime.
        Out::over(unsafe { &mut *self.variable.cast() })
    }
}

/// An [`InOut`].
pub struct Updating<T: Resource> {
    variable: *mut T,
    value: PhantomData<T>,
}

impl<T: Resource> Updating<T> {
    /// # Safety
    ///
    /// * The variable is there until the call has returned, holds a value, and nothing else uses it meanwhile.
    pub(super) const unsafe fn new(variable: *mut T) -> Self {
        Self {
            variable,
            value: PhantomData,
        }
    }
}

impl<T: Resource + 'static> Given for Updating<T> {
    type As<'x> = InOut<'x, T>;

    fn give<'x>(self) -> Self::As<'x> {
        // SAFETY: as for `Filling`.
        InOut::new(unsafe { &mut *self.variable })
    }
}

macro_rules! debug {
    ($($name:literal $type:ty),*) => {$(
        impl<T: Resource> fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($name)
            }
        }
    )*};
}

debug!("Lending" Lending<'_, T>, "Filling" Filling<T>, "Updating" Updating<T>);
