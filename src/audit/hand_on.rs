//! A signal is handed on to whoever had it before.

use core::ffi::{c_int, c_void};
use core::mem::{MaybeUninit, transmute};
use core::ptr;

/// Bytes of a stack for signals on which another signal finds room: its registers alone take half of that.
const ROOM: usize = 8 << 10;

/// The other stack that this thread has for signals, in use or switched off; `None` if the system does not say.
pub(super) fn signal_stack() -> Option<libc::stack_t> {
    // SAFETY: zeros are a stack of nothing.
    let mut there: libc::stack_t = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: the place is there, and nothing is changed.
    let asked = unsafe { libc::sigaltstack(ptr::null(), &raw mut there) };
    (asked == 0).then_some(there)
}

/// The same, if it is the one that this is called on.
pub(super) fn signal_stack_in_use() -> Option<libc::stack_t> {
    signal_stack().filter(|stack| stack.ss_flags & libc::SS_ONSTACK != 0)
}

/// While a handler runs that may end in `abort`, on a stack with no room for another signal: the process ends at
/// once then, as it would without us. What there was to tell was told at the first signal.
struct PlainAbort(Option<libc::sigaction>);

impl PlainAbort {
    fn where_cramped(signal: c_int) -> Self {
        let Some(stack) = signal_stack_in_use() else {
            return Self(None);
        };
        let left = (&raw const stack).addr().wrapping_sub(stack.ss_sp.addr());
        if signal == libc::SIGABRT || left >= ROOM {
            return Self(None);
        }
        // SAFETY: zeros are a `sigaction` with no flags, an empty mask, and the default.
        let default: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        let mut there = default;
        // SAFETY: both are there.
        let done = unsafe { libc::sigaction(libc::SIGABRT, &raw const default, &raw mut there) };
        Self((done == 0).then_some(there))
    }
}

impl Drop for PlainAbort {
    fn drop(&mut self) {
        if let Some(there) = &self.0 {
            // SAFETY: it was there before.
            unsafe { libc::sigaction(libc::SIGABRT, there, ptr::null_mut()) };
        }
    }
}

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
            let _abort = PlainAbort::where_cramped(signal);
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
