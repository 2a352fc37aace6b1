//! What a call hands out, and the pointers that it is made with: lists that grow by one.

use super::slot::Slot;
use crate::param::Resource;

/// A list of pointers that takes one more.
#[diagnostic::on_unimplemented(
    message = "an annotated call is given up to six pointers",
    note = "declare the others by `with(|call| ...)`, and have `invoke`'s closure pass them"
)]
pub trait Append<T> {
    /// The longer list.
    type With;

    /// Adds one at the end.
    fn append(self, last: T) -> Self::With;
}

/// A list of \[out\] values that takes one more.
#[diagnostic::on_unimplemented(
    message = "an annotated call hands out up to three values",
    note = "declare the others by `with(|call| ...)`, over variables of your own"
)]
pub trait Push<T: Resource> {
    /// The longer list.
    type With;

    /// Adds a variable at the end.
    fn push(self, slot: Slot<T>) -> Self::With;
}

/// A list of \[out\] values, when the call has returned.
pub trait Outs {
    /// The values: nothing, a value, or a tuple.
    type Values;
    /// The values with one before them.
    type After<T>;

    /// Takes them out of their variables.
    fn values(self) -> Self::Values;

    /// The same, with one before them.
    fn after<T>(self, first: T) -> Self::After<T>;
}

/// Nothing is handed out.
#[derive(Debug)]
pub struct NoOuts;

/// One value is handed out.
#[derive(Debug)]
pub struct OneOut<A: Resource>(Slot<A>);

/// Two values are.
#[derive(Debug)]
pub struct TwoOuts<A: Resource, B: Resource>(Slot<A>, Slot<B>);

/// Three values are.
#[derive(Debug)]
pub struct ThreeOuts<A: Resource, B: Resource, C: Resource>(Slot<A>, Slot<B>, Slot<C>);

impl<T: Resource> Push<T> for NoOuts {
    type With = OneOut<T>;

    fn push(self, slot: Slot<T>) -> OneOut<T> {
        OneOut(slot)
    }
}

impl<A: Resource, T: Resource> Push<T> for OneOut<A> {
    type With = TwoOuts<A, T>;

    fn push(self, slot: Slot<T>) -> TwoOuts<A, T> {
        TwoOuts(self.0, slot)
    }
}

impl<A: Resource, B: Resource, T: Resource> Push<T> for TwoOuts<A, B> {
    type With = ThreeOuts<A, B, T>;

    fn push(self, slot: Slot<T>) -> ThreeOuts<A, B, T> {
        ThreeOuts(self.0, self.1, slot)
    }
}

impl Outs for NoOuts {
    type Values = ();
    type After<T> = T;

    fn values(self) {}

    fn after<T>(self, first: T) -> T {
        first
    }
}

impl<A: Resource> Outs for OneOut<A> {
    type Values = A;
    type After<T> = (T, A);

    fn values(mut self) -> A {
        self.0.take()
    }

    fn after<T>(self, first: T) -> (T, A) {
        (first, self.values())
    }
}

impl<A: Resource, B: Resource> Outs for TwoOuts<A, B> {
    type Values = (A, B);
    type After<T> = (T, A, B);

    fn values(mut self) -> (A, B) {
        (self.0.take(), self.1.take())
    }

    fn after<T>(self, first: T) -> (T, A, B) {
        let (a, b) = self.values();
        (first, a, b)
    }
}

impl<A: Resource, B: Resource, C: Resource> Outs for ThreeOuts<A, B, C> {
    type Values = (A, B, C);
    type After<T> = (T, A, B, C);

    fn values(mut self) -> (A, B, C) {
        (self.0.take(), self.1.take(), self.2.take())
    }

    fn after<T>(self, first: T) -> (T, A, B, C) {
        let (a, b, c) = self.values();
        (first, a, b, c)
    }
}

/// A tuple and one more.
macro_rules! append {
    ($($name:ident $type:ident),*) => {
        impl<T, $($type),*> Append<T> for ($($type,)*) {
            type With = ($($type,)* T,);

            fn append(self, last: T) -> Self::With {
                let ($($name,)*) = self;
                ($($name,)* last,)
            }
        }
    };
}

append!();
append!(a A);
append!(a A, b B);
append!(a A, b B, c C);
append!(a A, b B, c C, d D);
append!(a A, b B, c C, d D, e E);
