//! Standard error as it was when the program began. By its end the program may have closed it, and be writing to a file
//! of its own under the number.

use core::mem::MaybeUninit;
use std::fs::File;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;

/// Out of the way of programs that count on the lowest free number, and below the usual limit; where the limit is
/// lower, below that.
const NUMBERS: [libc::c_int; 6] = [1000, 500, 250, 120, 60, 30];

/// A descriptor, and the file that it was for.
#[derive(Clone, Copy, Debug)]
pub(super) struct StandardError {
    number: libc::c_int,
    file: (libc::dev_t, libc::ino_t),
}

impl StandardError {
    /// Keeps a descriptor of its own, which programs that are executed do not inherit, if one is to be had; else it
    /// remembers which file it was. `None` if there is no standard error.
    pub(super) fn keep() -> Option<Self> {
        let file = file(2)?;
        let own = NUMBERS.into_iter().find_map(|least| {
            // SAFETY: it asks for a number.
            let number = unsafe { libc::fcntl(2, libc::F_DUPFD_CLOEXEC, least) };
            (number >= 0).then_some(number)
        });
        let number = own.unwrap_or(2);
        Some(Self { number, file })
    }

    /// Its own number, or 2, whichever is still for the same file; `None` if neither is. A handler of a signal may ask.
    pub(super) fn number(&self) -> Option<libc::c_int> {
        let same = |number: &libc::c_int| file(*number) == Some(self.file);
        [self.number, 2].into_iter().find(same)
    }

    /// Writes there, as far as it can be done: nobody else is left to be told.
    pub(super) fn write(&self, text: &str) {
        if let Some(number) = self.number() {
            // SAFETY: it is open, for it was just asked; and it is not closed here.
            let mut file = ManuallyDrop::new(unsafe { File::from_raw_fd(number) });
            let _ = file.write_all(text.as_bytes());
        }
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
