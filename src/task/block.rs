//! What is known of a block.

use std::fmt;

/// The alignment of every block: what the Windows heap guarantees (`semantics.md` A-align).
///
/// 16 bytes on 64-bit targets, 8 on 32-bit ones.
pub const ALIGN: usize = 2 * size_of::<usize>();

/// Which pair of functions a block belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Family {
    /// Made by an operation on BSTRs. Freed by [`free`](crate::raw::free).
    Bstr,
    /// Plain task memory. Freed by [`heap::free`](crate::heap::free).
    Task,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bstr => "BSTR",
            Self::Task => "task memory",
        })
    }
}

/// What the allocator says of an address: the three answers of `IMalloc::DidAlloc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DidAlloc {
    /// A live block starts there.
    Yes,
    /// No live block starts there: freed, interior, or never ours.
    No,
    /// The pointer is null.
    Unknown,
}

impl DidAlloc {
    /// 1, 0 or -1, as `IMalloc::DidAlloc` returns it.
    #[must_use]
    pub const fn as_raw(self) -> i32 {
        match self {
            Self::Yes => 1,
            Self::No => 0,
            Self::Unknown => -1,
        }
    }
}

/// A live block, as the heap holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg(any(not(windows), miri))]
pub(crate) struct Found {
    /// Its address.
    pub(crate) start: usize,
    /// Bytes asked for.
    pub(crate) size: usize,
    /// Whose it is.
    pub(crate) family: Family,
}
