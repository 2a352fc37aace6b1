//! What the tests of the calls share.

use olemem::HResult;
use olemem::audit::{Backtrace, Report, Session};

#[path = "../audit/support.rs"]
mod kinds;

pub(crate) use kinds::{Raw, assert_kept, assert_told, free, free_task, string, task};

pub(crate) const OK: HResult = HResult::S_OK;
pub(crate) const FAIL: HResult = HResult::E_FAIL;

/// Runs code in a session that keeps no stacks, so that its text is the same everywhere.
pub(crate) fn judged(code: impl FnOnce(&Session)) -> Report {
    let session = Session::options().backtrace(Backtrace::Off).begin();
    code(&session);
    session.finish()
}

/// Stores a value, as a callee does.
pub(crate) fn store<T>(variable: *mut T, value: T) {
    // SAFETY: the tests give callees variables of their own.
    unsafe { variable.write(value) };
}

/// What is in a variable, as a callee sees it.
pub(crate) fn load<T: Copy>(variable: *mut T) -> T {
    // SAFETY: as above; the variable is initialised.
    unsafe { variable.read() }
}
