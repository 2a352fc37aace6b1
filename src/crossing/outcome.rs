//! What a call returns: whether it failed, and what the caller gets of it.

use core::ffi::c_void;
use core::mem::ManuallyDrop;
use core::ptr;

use super::{Crosses, Outs, of};
use crate::audit::Crossing;
use crate::com::HResult;

/// What an annotated call may return.
///
/// | the call returns | `invoke` gives |
/// | --- | --- |
/// | [`HResult`], or an `i32` that is one | `Result` of what was handed out, or the code |
/// | `Result<(), E>` | `Result` of what was handed out, or the error |
/// | `()` | what was handed out |
/// | `u32`, `usize`, `bool` and their like | that, and what was handed out |
/// | [`WithCode`] of an [`HResult`] | the code, and what was handed out, failed or not |
/// | [`Handed`] pointer | the value, and what was handed out |
pub trait Outcome {
    /// What the caller gets.
    type With<O: Outs>;

    /// `FAILED(hr)`.
    fn has_failed(&self) -> bool;

    /// Declares what was returned, if that is a resource.
    #[doc(hidden)]
    fn declare(&mut self, crossing: &mut Crossing) {
        let _ = crossing;
    }

    /// What the caller gets.
    fn with<O: Outs>(self, outs: O) -> Self::With<O>;
}

impl Outcome for HResult {
    type With<O: Outs> = Result<O::Values, Self>;

    fn has_failed(&self) -> bool {
        self.is_failure()
    }

    fn with<O: Outs>(self, outs: O) -> Result<O::Values, Self> {
        self.ok().map(|()| outs.values())
    }
}

impl Outcome for i32 {
    type With<O: Outs> = Result<O::Values, HResult>;

    fn has_failed(&self) -> bool {
        *self < 0
    }

    fn with<O: Outs>(self, outs: O) -> Result<O::Values, HResult> {
        HResult::from_raw(self).with(outs)
    }
}

impl<E> Outcome for Result<(), E> {
    type With<O: Outs> = Result<O::Values, E>;

    fn has_failed(&self) -> bool {
        self.is_err()
    }

    fn with<O: Outs>(self, outs: O) -> Result<O::Values, E> {
        self.map(|()| outs.values())
    }
}

impl Outcome for () {
    type With<O: Outs> = O::Values;

    fn has_failed(&self) -> bool {
        false
    }

    fn with<O: Outs>(self, outs: O) -> O::Values {
        outs.values()
    }
}

/// A plain value, which says nothing of failure.
macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Outcome for $type {
            type With<O: Outs> = O::After<Self>;

            fn has_failed(&self) -> bool {
                false
            }

            fn with<O: Outs>(self, outs: O) -> O::After<Self> {
                outs.after(self)
            }
        }
    )*};
}

plain!(bool, u8, u16, u32, u64, usize, isize, i64);

/// A result code of which the caller wants to know, success or not: `S_FALSE` and its like.
///
/// # Examples
///
/// ```
/// use olemem::audit::Session;
/// use olemem::crossing::WithCode;
/// use olemem::{Bstr, HResult};
///
/// unsafe fn next(text: *mut *mut u16) -> HResult {
///     // SAFETY: the caller's variable.
///     unsafe { text.write(std::ptr::null_mut()) };
///     HResult::S_FALSE
/// }
///
/// let session = Session::begin();
/// let (code, text) = session
///     .call("IEnum::Next")
///     .out_bstr("text")
///     .invoke(|text| WithCode(unsafe { next(text) }));
/// assert_eq!((code, text), (HResult::S_FALSE, Bstr::new()));
/// # let _ = session.finish();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithCode(pub HResult);

impl Outcome for WithCode {
    type With<O: Outs> = O::After<HResult>;

    fn has_failed(&self) -> bool {
        self.0.is_failure()
    }

    fn with<O: Outs>(self, outs: O) -> O::After<HResult> {
        outs.after(self.0)
    }
}

/// A pointer that a function returned: it follows the rules of \[out\] (R10).
///
/// # Examples
///
/// ```
/// use olemem::Bstr;
/// use olemem::audit::{Kind, Session};
/// use olemem::crossing::Handed;
///
/// /// Still the browser's own.
/// fn status_text(own: &Bstr) -> *mut u16 {
///     own.as_raw().cast_mut()
/// }
///
/// let session = Session::begin();
/// let own = Bstr::from("Ready");
/// for _ in 0..2 {
///     // SAFETY: null or a BSTR.
///     let text: Bstr = session.call("status_text").invoke(|| unsafe { Handed::new(status_text(&own)) });
///     # std::mem::forget(text);
/// }
/// drop(own);
/// session.finish().assert_kinds([Kind::OutNotACopy]);
/// ```
#[derive(Debug)]
pub struct Handed<T: Crosses> {
    value: *mut c_void,
    value_of: core::marker::PhantomData<T>,
}

impl<T: Crosses> Handed<T> {
    /// Of what the function returned.
    ///
    /// # Safety
    ///
    /// * `value` is what a function returned that is declared to return such a resource: null, or the caller's now. In
    ///   an open session it may be anything, and is told if it is none.
    #[must_use]
    pub unsafe fn new(value: *mut T::Target) -> Self {
        Self {
            value: value.cast(),
            value_of: core::marker::PhantomData,
        }
    }
}

impl<T: Crosses> Outcome for Handed<T> {
    type With<O: Outs> = O::After<T>;

    fn has_failed(&self) -> bool {
        false
    }

    fn declare(&mut self, crossing: &mut Crossing) {
        let slot = &raw mut self.value;
        // SAFETY: it is not moved before the crossing has ended.
        unsafe { crossing.returned(of::<T>("return value"), slot) };
    }

    fn with<O: Outs>(self, outs: O) -> O::After<T> {
        let this = ManuallyDrop::new(self);
        let value = ptr::from_ref(&this.value).cast::<T>();
        // SAFETY: null, or a live resource that is the caller's: the promise of `new`, and the crossing leaves nothing else.
        outs.after(unsafe { value.read() })
    }
}
