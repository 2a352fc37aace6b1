//! What a callee answers: success, or a failure.

use core::fmt::Debug;

use crate::com::HResult;

/// Whether a callee succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It did.
    Success,
    /// It did not: the code or the error, as a table shows it.
    Failure(String),
}

/// What a swept closure gives: it tells success from failure.
///
/// Implemented for [`HResult`]; for `i32`, which is an `HRESULT` as well (of windows-sys; of the `windows` crate by its
/// field); for `Result`, `Option` and `bool`; for `()`, which always succeeds. A pointer is null for failure.
///
/// # Examples
///
/// ```
/// use olemem::HResult;
/// use olemem::audit::{Answer, Outcome};
///
/// assert_eq!(HResult::S_FALSE.answer(), Answer::Success);
/// assert_eq!(HResult::E_FAIL.answer(), Answer::Failure("E_FAIL".to_owned()));
/// assert_eq!(Err::<u8, _>("no memory").answer(), Answer::Failure("\"no memory\"".to_owned()));
/// assert_eq!(false.answer(), Answer::Failure("false".to_owned()));
/// ```
pub trait Outcome {
    /// What it tells.
    fn answer(&self) -> Answer;
}

impl Outcome for HResult {
    fn answer(&self) -> Answer {
        if self.is_success() {
            Answer::Success
        } else {
            let name = self.name().map(str::to_owned);
            Answer::Failure(name.unwrap_or_else(|| self.to_string()))
        }
    }
}

impl Outcome for i32 {
    fn answer(&self) -> Answer {
        HResult::from_raw(*self).answer()
    }
}

impl Outcome for () {
    fn answer(&self) -> Answer {
        Answer::Success
    }
}

impl Outcome for bool {
    fn answer(&self) -> Answer {
        told(*self, "false")
    }
}

impl<T> Outcome for Option<T> {
    fn answer(&self) -> Answer {
        told(self.is_some(), "None")
    }
}

impl<T> Outcome for *mut T {
    fn answer(&self) -> Answer {
        told(!self.is_null(), "NULL")
    }
}

impl<T> Outcome for *const T {
    fn answer(&self) -> Answer {
        self.cast_mut().answer()
    }
}

impl<T, E: Debug> Outcome for Result<T, E> {
    fn answer(&self) -> Answer {
        match self {
            Ok(_) => Answer::Success,
            Err(error) => Answer::Failure(format!("{error:?}")),
        }
    }
}

fn told(is_success: bool, failure: &str) -> Answer {
    if is_success {
        Answer::Success
    } else {
        Answer::Failure(failure.to_owned())
    }
}
