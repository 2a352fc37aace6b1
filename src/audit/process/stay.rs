//! Has the library that olemem is in stay where it is.

use core::ffi::c_void;
use core::mem::MaybeUninit;

/// Keeps the shared library that this code is in, if it is in one, until the process ends: closed by `dlclose` it would
/// take along what was found, and a second load would begin anew. To a program, which stays in any case, nothing is done.
///
/// No lock may be held that others wait for: it takes the loader's.
pub(super) fn until_the_end() {
    let here: *const u8 = &raw const HERE;
    let mut found = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: any address may be asked for, and the place is there.
    if unsafe { libc::dladdr(here.cast::<c_void>(), found.as_mut_ptr()) } == 0 {
        return;
    }
    // SAFETY: the call succeeded, and has written it.
    let found = unsafe { found.assume_init() };
    if found.dli_fname.is_null() {
        return;
    }
    let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
    // What it gives is not given back: that is the purpose. Where it fails, as for a program, there is nothing to keep.
    // SAFETY: the name is the loader's, which has not let go of the library that runs this.
    let _ = unsafe { libc::dlopen(found.dli_fname, flags) };
}

/// An address within the library.
static HERE: u8 = 0;
