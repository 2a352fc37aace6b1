//! The one place where a length prefix is read.

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
