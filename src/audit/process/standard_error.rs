//! Standard error as it was when the program began. By its end the program may have closed it, and be writing to a file
//! of its own under the number.

use core::mem::MaybeUninit;
use std::fs::File;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;

/// Out of the way of programs that count on the lowest free number, and below the usual limit.
const NUMBER: libc::c_int = 1000;

/// A descriptor, and the file that it was for.
#[derive(Clone, Copy, Debug)]
pub(super) struct StandardError {
    number: libc::c_int,
    file: (libc::dev_t, libc::ino_t),
}

impl StandardError {
    /// Keeps a descriptor of its own, which programs that are executed do not inherit. `None` if there is none to be had.
    pub(super) fn keep() -> Option<Self> {
        // SAFETY: it asks for a number.
        let number = unsafe { libc::fcntl(2, libc::F_DUPFD_CLOEXEC, NUMBER) };
        if number < 0 {
            return None;
        }
        let file = file(number)?;
        Some(Self { number, file })
    }

    /// Writes there, by its own number or by 2, whichever is still for the same file; `false` if neither is.
    pub(super) fn write(&self, text: &str) -> bool {
        let same = |number: &libc::c_int| file(*number) == Some(self.file);
        let Some(number) = [self.number, 2].into_iter().find(same) else {
            return false;
        };
        // SAFETY: it is open, for it was just asked; and it is not closed here.
        let mut file = ManuallyDrop::new(unsafe { File::from_raw_fd(number) });
        file.write_all(text.as_bytes()).is_ok()
    }
}

/// Which file a descriptor is for.
fn file(number: libc::c_int) -> Option<(libc::dev_t, libc::ino_t)> {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the place is there.
    if unsafe { libc::fstat(number, found.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call succeeded, and has written it.
    let found = unsafe { found.assume_init() };
    Some((found.st_dev, found.st_ino))
}
