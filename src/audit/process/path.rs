//! Paths, without memory being asked for.

use core::ffi::c_int;
use core::fmt::{self, Write};

/// A path for the system, without memory being asked for.
pub(super) struct Path {
    bytes: [u8; 4352],
    len: usize,
}

impl Path {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; 4352],
            len: 0,
        }
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.bytes.fill(0);
        self.len = 0;
    }

    /// Adds to it; what does not fit is an error. One byte is left for the zero.
    pub(super) fn add(&mut self, bytes: &[u8]) -> fmt::Result {
        let end = self.len + bytes.len();
        if end >= self.bytes.len() {
            return Err(fmt::Error);
        }
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Opens it to write to, made anew; `None` if that cannot be.
    pub(super) fn create(&self) -> Option<c_int> {
        self.open(libc::O_TRUNC)
    }

    /// As [`create`](Self::create), and it must not be there yet.
    pub(super) fn create_new(&self) -> Option<c_int> {
        self.open(libc::O_EXCL)
    }

    /// Opens it to write to behind what is there; `None` if that cannot be.
    pub(super) fn append(&self) -> Option<c_int> {
        self.open(libc::O_APPEND)
    }

    fn open(&self, flags: c_int) -> Option<c_int> {
        let flags = flags | libc::O_WRONLY | libc::O_CREAT | libc::O_CLOEXEC;
        // SAFETY: there are zeros behind the bytes, the last one in any case.
        let file = unsafe { libc::open(self.bytes.as_ptr().cast(), flags, 0o644) };
        (file >= 0).then_some(file)
    }
}

impl Write for Path {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes())
    }
}
