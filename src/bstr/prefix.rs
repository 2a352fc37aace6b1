//! The one place where a length prefix is read, and the way from a BSTR to its block.

#[cfg(all(feature = "std", any(not(windows), miri)))]
use crate::layout::HEADER;
use crate::layout::PREFIX;
use crate::units::ByteLen;

/// The length prefix of a BSTR.
///
/// # Safety
///
/// * `bstr` is not null, and the four bytes before it are initialised and readable.
#[inline]
pub(crate) unsafe fn read(bstr: *const u16) -> ByteLen {
    // SAFETY: the caller promises readable bytes there, in the same object.
    let prefix = unsafe { bstr.byte_sub(PREFIX) };
    // SAFETY: as above. Bytes need no alignment.
    let bytes = unsafe { prefix.cast::<[u8; PREFIX]>().read() };
    ByteLen::new(u32::from_ne_bytes(bytes))
}

/// The start of the block that a BSTR stands in. Only an address: nothing says that a block is there.
#[cfg(all(feature = "std", any(not(windows), miri)))]
#[inline]
pub(crate) fn block_of(bstr: *mut u16) -> *mut u8 {
    bstr.cast::<u8>().wrapping_sub(HEADER)
}

/// Where the BSTR of a block stands. Only an address, as above.
#[cfg(all(
    feature = "std",
    any(not(windows), miri),
    any(feature = "export", feature = "audit")
))]
pub(crate) fn bstr_in(block: *mut u8) -> *mut u16 {
    block.wrapping_add(HEADER).cast()
}
