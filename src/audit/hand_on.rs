//! A signal is handed on to whoever had it before.

use core::ffi::{c_int, c_void};
use core::mem::transmute;
use core::ptr;

/// Does what would have been done without us. Called by a handler, as the last that it does.
pub(super) fn hand_on(
    signal: c_int,
    before: &libc::sigaction,
    info: *mut libc::siginfo_t,
    context: *mut c_void,
) {
    match before.sa_sigaction {
        libc::SIG_DFL => {
            // SAFETY: what was there is there again.
            unsafe { libc::sigaction(signal, before, ptr::null_mut()) };
            // It comes when this handler returns.
            // SAFETY: a signal may be sent at any time.
            unsafe { libc::raise(signal) };
        }
        libc::SIG_IGN => {}
        other => {
            let other: *const () = ptr::with_exposed_provenance(other);
            if before.sa_flags & libc::SA_SIGINFO != 0 {
                // SAFETY: so it was registered.
                let other = unsafe {
                    transmute::<*const (), extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void)>(
                        other,
                    )
                };
                other(signal, info, context);
            } else {
                // SAFETY: so it was registered.
                let other = unsafe { transmute::<*const (), extern "C" fn(c_int)>(other) };
                other(signal);
            }
        }
    }
}
