//! The last thing that is done when the process ends in an orderly way.

use core::hint;

/// Runs [`finish`](super::finish) after all destructors of this program or library: an array of destructors is
/// run from its end, and this is the first by its number. What the program has `atexit` do, or its destructors
/// of globals in C++, was done before.
#[cfg(not(target_vendor = "apple"))]
#[used]
#[unsafe(link_section = ".fini_array.00000")]
static AT_EXIT: extern "C" fn() = at_exit;

/// Sets the handler when the program or library is loaded: what is set later is done earlier.
#[cfg(target_vendor = "apple")]
#[used]
#[unsafe(link_section = "__DATA,__mod_init_func")]
static AT_EXIT: extern "C" fn() = {
    extern "C" fn at_load() {
        // It fails for lack of memory only.
        // SAFETY: a function of the program.
        let _ = unsafe { libc::atexit(at_exit) };
    }
    at_load
};

extern "C" fn at_exit() {
    super::finish();
}

/// The reference keeps the record in a static link.
pub(super) fn watch() {
    hint::black_box(&AT_EXIT);
}
