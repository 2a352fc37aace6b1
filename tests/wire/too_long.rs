//! Strings that are longer than any that olemem makes: they come from elsewhere, and cannot be sent.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::slice;

use olemem::layout::PointerWidth;
use olemem::wire::TransmittedBstr;
use olemem::{BstrRef, HResult};

/// A string of zeros, which the system has as long as nobody reads them.
struct Zeros {
    block: *mut u8,
    layout: Layout,
}

impl Zeros {
    const HEADER: usize = 8;

    /// `None` if there is no memory.
    fn new(len: u32) -> Option<Self> {
        let layout = Layout::from_size_align(Self::HEADER + len as usize + 2, 8).expect("it fits");
        // SAFETY: there are bytes.
        let block = unsafe { alloc_zeroed(layout) };
        if block.is_null() {
            return None;
        }
        // SAFETY: the block has a header, and the prefix is its second half.
        let prefix = unsafe { block.add(4) };
        // SAFETY: as above.
        unsafe { prefix.cast::<u32>().write(len) };
        Some(Self { block, layout })
    }

    fn first(&self) -> *const u8 {
        self.block.wrapping_add(Self::HEADER)
    }

    fn as_bstr(&self) -> BstrRef<'_> {
        // SAFETY: behind the prefix lie so many bytes and a zero unit.
        unsafe { BstrRef::from_raw(self.first().cast()) }
    }

    fn as_bytes(&self) -> &[u8] {
        let len = self.layout.size() - Self::HEADER - 2;
        // SAFETY: so many bytes lie there, and are zero.
        unsafe { slice::from_raw_parts(self.first(), len) }
    }
}

impl Drop for Zeros {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.block, self.layout) };
    }
}

#[test]
fn what_nobody_could_receive_is_not_sent() {
    let most = PointerWidth::NATIVE.max_bytes().get();
    for (len, can_be) in [(most, true), (most + 1, false), (u32::MAX, false)] {
        let Some(zeros) = Zeros::new(len) else {
            eprintln!("SKIPPED: there are no {len} bytes");
            return;
        };
        let borrowed = zeros.as_bstr().transmitted();
        assert_eq!(borrowed.is_ok(), can_be, "{len}");
        let bytes = TransmittedBstr::from_bytes(zeros.as_bytes());
        assert_eq!(bytes.is_ok(), can_be, "{len}");
        for error in [borrowed.err(), bytes.err()].into_iter().flatten() {
            assert_eq!(error.requested(), len as usize);
            assert_eq!(HResult::from(error), HResult::E_OUTOFMEMORY);
        }
    }
}
