//! Signals that end the process: what the audit knows then is written down first.
//!
//! Handlers that were there before are called afterwards; where there was none the signal does what it does by
//! default. Nothing in the handler but what a handler may do: no memory is asked for, no lock waited for.

use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::mem::{MaybeUninit, transmute};
use core::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::hand_on::{hand_on, signal_stack};
use super::other_stack;

/// Those that tell of a mistake, and those that end a process by default and may be meant.
const SIGNALS: &[(c_int, Meant)] = &[
    (libc::SIGSEGV, Meant::Never),
    (libc::SIGBUS, Meant::Never),
    (libc::SIGABRT, Meant::Never),
    (libc::SIGILL, Meant::Never),
    (libc::SIGFPE, Meant::Never),
    (libc::SIGTERM, Meant::Perhaps),
    (libc::SIGINT, Meant::Perhaps),
    (libc::SIGHUP, Meant::Perhaps),
    (libc::SIGQUIT, Meant::Perhaps),
    (libc::SIGPIPE, Meant::Perhaps),
    (libc::SIGALRM, Meant::Perhaps),
    (libc::SIGVTALRM, Meant::Perhaps),
    (libc::SIGPROF, Meant::Perhaps),
    (libc::SIGUSR1, Meant::Perhaps),
    (libc::SIGUSR2, Meant::Perhaps),
    (libc::SIGXCPU, Meant::Perhaps),
    (libc::SIGXFSZ, Meant::Perhaps),
    (libc::SIGTRAP, Meant::Perhaps),
    (libc::SIGSYS, Meant::Perhaps),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    (libc::SIGIO, Meant::Perhaps),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    (libc::SIGPWR, Meant::Perhaps),
    #[cfg(all(
        any(target_os = "linux", target_os = "android"),
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    (libc::SIGSTKFLT, Meant::Perhaps),
];

/// Whether the program may live on after the signal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meant {
    Never,
    /// If it handles the signal, or ignores it, that is left to it.
    Perhaps,
}

/// What was there before, one for each of [`SIGNALS`].
struct Before(UnsafeCell<[MaybeUninit<libc::sigaction>; SIGNALS.len()]>);

// SAFETY: written by `watch` before the handler that reads it is there, and never again.
unsafe impl Sync for Before {}

static BEFORE: Before = Before(UnsafeCell::new([MaybeUninit::uninit(); SIGNALS.len()]));

/// What is to be done first; a `fn(c_int)`, or 0.
static DEED: AtomicUsize = AtomicUsize::new(0);

/// Bytes of the other stack: of the thread that began, on which a signal after a stack overflow can be handled.
const STACK: usize = 64 << 10;

struct OtherStack(UnsafeCell<[u8; STACK]>);

// SAFETY: the system's, once it was told of it.
unsafe impl Sync for OtherStack {}

static OTHER_STACK: OtherStack = OtherStack(UnsafeCell::new([0; STACK]));

/// Has `deed` done before a signal ends the process. Called once, or once more in a forked child, whose deed is
/// another one.
pub(super) fn watch(deed: fn(c_int)) {
    DEED.store(deed as usize, Ordering::Release);
    give_stack();
    for (index, &(signal, meant)) in SIGNALS.iter().enumerate() {
        // SAFETY: zeros are a `sigaction` with no flags, an empty mask, and the default.
        let mut now: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: the place is there, and no new handler is given.
        let asked = unsafe { libc::sigaction(signal, ptr::null(), &raw mut now) };
        let there = now.sa_sigaction;
        if asked != 0 || there == handler as extern "C" fn(_, _, _) as usize {
            continue;
        }
        let before = BEFORE.0.get().cast::<libc::sigaction>().wrapping_add(index);
        // SAFETY: the place is one of the array's, which nobody reads yet: the handler is not there.
        unsafe { before.write(now) };
        if there == libc::SIG_IGN || (meant == Meant::Perhaps && there != libc::SIG_DFL) {
            continue;
        }
        // SAFETY: zeros are a `sigaction` with no flags, an empty mask, and the default.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler as extern "C" fn(_, _, _) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: the mask is there.
        unsafe { libc::sigfillset(&raw mut action.sa_mask) };
        // SAFETY: the action is whole, and the old one is known.
        unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    }
}

/// Gives this thread another stack for signals, unless it has one.
fn give_stack() {
    if signal_stack().is_none_or(|stack| stack.ss_flags & libc::SS_DISABLE == 0) {
        return;
    }
    let ours = libc::stack_t {
        ss_sp: OTHER_STACK.0.get().cast::<c_void>(),
        ss_flags: 0,
        ss_size: STACK,
    };
    // SAFETY: the memory is nobody else's, for ever.
    unsafe { libc::sigaltstack(&raw const ours, ptr::null_mut()) };
}

/// Gives the signals back, and this thread's stack for them: the code that handles them may be about to go, where a
/// library is closed.
pub(super) fn give_back() {
    for (index, &(signal, _)) in SIGNALS.iter().enumerate() {
        // SAFETY: zeros are a `sigaction` with no flags, an empty mask, and the default.
        let mut now: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: the place is there, and nothing is changed.
        let asked = unsafe { libc::sigaction(signal, ptr::null(), &raw mut now) };
        if asked == 0 && now.sa_sigaction == handler as extern "C" fn(_, _, _) as usize {
            let before = BEFORE.0.get().cast::<libc::sigaction>().wrapping_add(index);
            // SAFETY: the handler is there, so what was before it was written.
            unsafe { libc::sigaction(signal, before, ptr::null_mut()) };
        }
    }
    if let Some(mut there) = signal_stack()
        && there.ss_sp == OTHER_STACK.0.get().cast::<c_void>()
    {
        there.ss_flags = libc::SS_DISABLE;
        // SAFETY: a thread may go without.
        unsafe { libc::sigaltstack(&raw const there, ptr::null_mut()) };
    }
}

extern "C" fn handler(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let errno = Errno::keep();
    let deed = DEED.load(Ordering::Acquire);
    if deed != 0 {
        // SAFETY: stored by `watch`, from a function of that type.
        let deed = unsafe { transmute::<*const (), fn(c_int)>(ptr::with_exposed_provenance(deed)) };
        other_stack::call(deed, signal);
    }
    errno.give_back();
    if let Some(index) = SIGNALS.iter().position(|(one, _)| *one == signal) {
        let before = BEFORE.0.get().cast::<libc::sigaction>().wrapping_add(index);
        // SAFETY: the handler is called for signals whose place was written before.
        let before = unsafe { &*before };
        hand_on(signal, before, info, context);
    }
}

/// The calling thread's `errno`, as it was.
struct Errno {
    place: *mut c_int,
    value: c_int,
}

impl Errno {
    fn keep() -> Self {
        #[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "hurd"))]
        // SAFETY: it may be asked for at any time.
        let place = unsafe { libc::__errno_location() };
        #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
        // SAFETY: as above.
        let place = unsafe { libc::__error() };
        #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
        // SAFETY: as above.
        let place = unsafe { libc::__errno() };
        // SAFETY: the thread's own.
        let value = unsafe { place.read() };
        Self { place, value }
    }

    fn give_back(self) {
        // SAFETY: the thread's own.
        unsafe { self.place.write(self.value) };
    }
}
