//! The parameter directions as types: `In`, `Out`, `InOut`.
//!
//! COM says who allocates and who frees by a parameter's direction (`semantics.md` section 6). These
//! types stand in a method's signature where C has `BSTR`, `BSTR*`, `LPWSTR*` or `T**`, are exactly
//! that pointer in memory, and leave no room to break the rule. The crate's front page has the table.

use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ops::Deref;

use crate::bstr::bytes::ByteVector;
use crate::bstr::owned::Bstr;
use crate::com::HResult;
use crate::task::caller::Caller;
use crate::task::owned::TaskBox;
use crate::task::string::{StrUnit, TaskStr};

/// What may cross a COM boundary as one pointer, with an owner who must release it.
///
/// # Safety
///
/// * The type has the size, alignment and ABI of one nullable pointer.
/// * Null is a valid value of it, is its `Default`, and owns nothing.
/// * The pointer in it cannot be changed through a shared reference: [`In`] lends a copy of it.
pub unsafe trait Resource: Default {}

// SAFETY: transparent over a nullable pointer; `Default` is null.
unsafe impl Resource for Bstr {}
// SAFETY: `ByteVector` is transparent over a `NonNull`, so the option is a nullable pointer; `Default` is
// `None`.
unsafe impl Resource for Option<ByteVector> {}
// SAFETY: `TaskBox` is transparent over a `NonNull`, so the option is a nullable pointer; `Default` is
// `None`.
unsafe impl<T> Resource for Option<TaskBox<T>> {}
// SAFETY: as for `TaskBox`.
unsafe impl<U: StrUnit> Resource for Option<TaskStr<U>> {}

/// An \[in\] parameter: lent by the caller for the call. In memory, the pointer itself.
///
/// It derefs to the value and never frees it. To keep the value, clone it (R12).
///
/// # From C
///
/// A pointer that C passes for it must be null or what `T` owns (for `Bstr` any aligned BSTR-shaped
/// memory will do), and valid for the call.
///
/// # Examples
///
/// ```
/// use olemem::{Bstr, In};
///
/// fn length(text: In<'_, Bstr>) -> usize {
///     text.len()
/// }
///
/// assert_eq!(length(In::new(&Bstr::from("four"))), 4);
/// ```
#[repr(transparent)]
pub struct In<'a, T: Resource> {
    value: ManuallyDrop<T>,
    lifetime: PhantomData<&'a T>,
}

impl<'a, T: Resource> In<'a, T> {
    /// Lends a value for a call.
    #[must_use]
    pub fn new(value: &'a T) -> Self {
        let copy = core::ptr::from_ref(value).cast::<ManuallyDrop<T>>();
        Self {
            // SAFETY: a bitwise copy of a valid value. It is never dropped and only lent while the
            // original is, and `Resource` promises that it is but a pointer.
            value: unsafe { copy.read() },
            lifetime: PhantomData,
        }
    }
}

impl<T: Resource> Deref for In<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Resource + fmt::Debug> fmt::Debug for In<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// An \[out\] parameter: filled by the callee, freed by the caller. In memory, a pointer to the
/// caller's variable; null if the caller passed none.
///
/// What the variable holds on entry is never read and never freed (R6). Dropping an `Out` that was
/// not used stores null (R15).
///
/// # From C
///
/// A pointer that C passes for it must be null or point to a variable that nothing else uses during
/// the call.
///
/// # Examples
///
/// ```
/// use olemem::{Bstr, HResult, Out};
///
/// extern "system" fn get_text(text: Out<'_, Bstr>) -> HResult {
///     text.fill(|| Err(HResult::E_FAIL))
/// }
///
/// let mut text = Bstr::new();
/// assert_eq!(get_text(Out::new(&mut text)), HResult::E_FAIL);
/// assert!(text.is_null());
/// ```
#[repr(transparent)]
pub struct Out<'a, T: Resource> {
    variable: Option<&'a mut MaybeUninit<T>>,
}

impl<'a, T: Resource> Out<'a, T> {
    /// Passes a variable. What it held is freed first, so that nothing is lost when the callee writes
    /// over it (R7).
    #[track_caller]
    pub fn new(variable: &'a mut T) -> Self {
        Caller::here().enter(|| *variable = T::default());
        let variable = core::ptr::from_mut(variable).cast::<MaybeUninit<T>>();
        Self {
            // SAFETY: the variable is borrowed for as long, and every end of an `Out` leaves a valid
            // value in it: null, or what the callee stored.
            variable: Some(unsafe { &mut *variable }),
        }
    }

    /// Passes a variable as it is: whatever it holds stays there until the callee writes.
    #[cfg(all(feature = "audit", any(not(windows), miri)))]
    pub(crate) fn over(variable: &'a mut MaybeUninit<T>) -> Self {
        Self {
            variable: Some(variable),
        }
    }

    /// No variable: what C passes as NULL.
    #[must_use]
    pub const fn null() -> Self {
        Self { variable: None }
    }

    /// Whether the caller passed no variable.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        self.variable.is_none()
    }

    /// The whole of an \[out\] method: stores null, makes the value, stores it.
    ///
    /// `S_OK` and the value; or the code of `make` and null; or `E_POINTER` without making anything,
    /// if the caller passed no variable. A `make` that panics leaves null.
    pub fn fill(self, make: impl FnOnce() -> Result<T, HResult>) -> HResult {
        let mut slot = match self.begin() {
            Ok(slot) => slot,
            Err(code) => return code,
        };
        match make() {
            Ok(value) => {
                slot.set(value);
                slot.keep();
                HResult::S_OK
            }
            Err(code) => code,
        }
    }

    /// Stores null, and gives a slot to be filled: for methods with several \[out\] parameters.
    ///
    /// # Errors
    ///
    /// `E_POINTER` if the caller passed no variable.
    pub fn begin(mut self) -> Result<OutSlot<'a, T>, HResult> {
        match self.variable.take() {
            Some(variable) => Ok(OutSlot {
                value: variable.write(T::default()),
                kept: false,
            }),
            None => Err(HResult::E_POINTER),
        }
    }
}

impl<T: Resource> Drop for Out<'_, T> {
    fn drop(&mut self) {
        if let Some(variable) = self.variable.take() {
            variable.write(T::default());
        }
    }
}

impl<T: Resource> fmt::Debug for Out<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out")
            .field("is_null", &self.is_null())
            .finish_non_exhaustive()
    }
}

/// The variable behind an [`Out`], null until filled. Unless [`keep`](Self::keep) is called it is
/// freed and null again when the slot is dropped: a method that returns early breaks no rule.
///
/// # Examples
///
/// Two \[out\] parameters: both or none.
///
/// ```
/// use olemem::{Bstr, HResult, Out};
///
/// fn get_both(first: Out<'_, Bstr>, second: Out<'_, Bstr>) -> Result<(), HResult> {
///     let (mut first, mut second) = (first.begin()?, second.begin()?);
///     first.set(Bstr::try_from_str("one")?);
///     second.set(Bstr::try_from_str("two")?);
///     first.keep();
///     second.keep();
///     Ok(())
/// }
///
/// let (mut first, mut second) = (Bstr::new(), Bstr::new());
/// assert!(get_both(Out::new(&mut first), Out::null()).is_err());
/// assert!(first.is_null());
/// assert!(get_both(Out::new(&mut first), Out::new(&mut second)).is_ok());
/// assert_eq!(second, "two");
/// ```
#[derive(Debug)]
#[must_use = "a slot that is not kept is null again"]
pub struct OutSlot<'a, T: Resource> {
    value: &'a mut T,
    kept: bool,
}

impl<T: Resource> OutSlot<'_, T> {
    /// Stores a value. One that was stored before is freed.
    #[track_caller]
    pub fn set(&mut self, value: T) {
        Caller::here().enter(|| *self.value = value);
    }

    /// What is stored.
    #[must_use]
    pub fn get(&self) -> &T {
        self.value
    }

    /// Leaves what is stored to the caller: the call succeeds.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl<T: Resource> Drop for OutSlot<'_, T> {
    fn drop(&mut self) {
        if !self.kept {
            *self.value = T::default();
        }
    }
}

/// An \[in,out\] parameter: the caller's value, which the callee may replace. In memory, a pointer to
/// the caller's variable; null if the caller passed none.
///
/// # From C
///
/// A pointer that C passes for it must be null or point to a variable that holds null or what `T`
/// owns, and that nothing else uses during the call (R8).
///
/// # Examples
///
/// ```
/// use olemem::{Bstr, HResult, InOut};
///
/// extern "system" fn trim(text: InOut<'_, Bstr>) -> HResult {
///     text.update(|old| Ok(Bstr::try_from_str(old.to_string_lossy().trim())?))
/// }
///
/// let mut text = Bstr::from("  done ");
/// assert_eq!(trim(InOut::new(&mut text)), HResult::S_OK);
/// assert_eq!(text, "done");
/// ```
#[repr(transparent)]
pub struct InOut<'a, T: Resource> {
    variable: Option<&'a mut T>,
}

impl<'a, T: Resource> InOut<'a, T> {
    /// Passes a variable.
    pub fn new(variable: &'a mut T) -> Self {
        Self {
            variable: Some(variable),
        }
    }

    /// No variable: what C passes as NULL.
    #[must_use]
    pub const fn null() -> Self {
        Self { variable: None }
    }

    /// The whole of an \[in,out\] method: makes a new value from the old one, stores it, frees the old.
    ///
    /// `S_OK`; or the code of `make`, and the old value is untouched (R17); or `E_POINTER` without
    /// making anything, if the caller passed no variable.
    #[track_caller]
    pub fn update(mut self, make: impl FnOnce(&T) -> Result<T, HResult>) -> HResult {
        let Some(value) = self.get_mut() else {
            return HResult::E_POINTER;
        };
        match make(value) {
            Ok(new) => {
                Caller::here().enter(|| *value = new);
                HResult::S_OK
            }
            Err(code) => code,
        }
    }

    /// The caller's value, or `None` if the caller passed no variable.
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.variable.as_deref()
    }

    /// The caller's value, to be changed in place.
    #[must_use]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.variable.as_deref_mut()
    }

    /// Replaces the value; the old one is freed, once.
    ///
    /// # Errors
    ///
    /// The new value, if the caller passed no variable.
    #[track_caller]
    pub fn set(&mut self, value: T) -> Result<(), T> {
        match self.get_mut() {
            Some(variable) => {
                Caller::here().enter(|| *variable = value);
                Ok(())
            }
            None => Err(value),
        }
    }

    /// Takes the value out and leaves null. `None` if the caller passed no variable.
    #[must_use]
    pub fn take(&mut self) -> Option<T> {
        self.get_mut().map(core::mem::take)
    }
}

impl<T: Resource + fmt::Debug> fmt::Debug for InOut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InOut").field(&self.get()).finish()
    }
}
