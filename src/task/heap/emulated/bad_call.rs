//! What is wrong with a pointer that is handed in.

use std::fmt;

use super::caller_pointer;
use crate::layout;
use crate::task::block::{Family, Found};
use crate::task::process_heap::HEAP;

/// What is wrong with a pointer, as well as the live blocks can tell.
pub(super) struct BadCall<'a> {
    call: &'a str,
    /// The address that the caller holds.
    pointer: usize,
    family: Family,
    /// The live block that the caller's pointer lies in.
    inside: Option<Found>,
}

impl<'a> BadCall<'a> {
    pub(super) fn judge(call: &'a str, block: *mut u8, family: Family) -> Self {
        let pointer = caller_pointer(block, family);
        Self {
            call,
            pointer,
            family,
            inside: HEAP.containing(pointer),
        }
    }
}

impl fmt::Display for BadCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            call,
            pointer,
            family,
            inside,
        } = self;
        write!(f, "{call} of {pointer:#x} as {family}: ")?;
        let Some(block) = inside else {
            return f.write_str("no live block is there (freed before, or never from this heap)");
        };
        let offset = pointer.wrapping_sub(block.start);
        match (family, block.family, offset) {
            (Family::Bstr, Family::Task, 0) => f.write_str("it is task memory"),
            (Family::Task, Family::Bstr, layout::HEADER) => f.write_str("it is a BSTR"),
            (_, owner, _) => write!(
                f,
                "it points {offset} bytes into a live block of {} bytes ({owner})",
                block.size
            ),
        }
    }
}
