//! The storage behind [`bstr!`](crate::bstr!). Not public API: the macro alone uses it.

use crate::bstr::borrowed::BstrRef;
use crate::layout::Header64;

/// A BSTR in static storage, in the 64-bit shape on every target: a wider header does no harm.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Literal<const UNITS: usize> {
    /// Prefix, and what stands before it.
    header: Header64,
    units: [u16; UNITS],
    terminator: u16,
}

/// Code units that `text` takes.
#[must_use]
pub const fn unit_count(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut count = 0;
    let mut at = 0;
    while at < bytes.len() {
        // One unit a character, two where it takes four bytes of UTF-8; none for the bytes that follow.
        count += match bytes[at] {
            0x80..=0xBF => 0,
            0xF0..=0xFF => 2,
            _ => 1,
        };
        at += 1;
    }
    count
}

impl<const UNITS: usize> Literal<UNITS> {
    /// The literal of `text`, which takes `UNITS` units.
    ///
    /// # Panics
    ///
    /// While compiling, if it takes another number, or more than a BSTR holds.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "each unit is masked to its bits; the length is checked"
    )]
    pub const fn new(text: &str) -> Self {
        assert!(UNITS <= 0x7FFF_FFF3, "longer than a BSTR can be");
        let bytes = text.as_bytes();
        let mut units = [0; UNITS];
        let mut at = 0;
        let mut filled = 0;
        while at < bytes.len() {
            let (lead, following) = match bytes[at] {
                lead @ 0x00..=0x7F => (lead as u32, 0),
                lead @ 0x80..=0xDF => (lead as u32 & 0x1F, 1),
                lead @ 0xE0..=0xEF => (lead as u32 & 0x0F, 2),
                lead @ 0xF0..=0xFF => (lead as u32 & 0x07, 3),
            };
            let mut scalar = lead;
            let mut read = 0;
            while read < following {
                read += 1;
                scalar = scalar << 6 | bytes[at + read] as u32 & 0x3F;
            }
            at += 1 + following;
            if scalar < 0x1_0000 {
                units[filled] = scalar as u16;
                filled += 1;
            } else {
                let offset = scalar - 0x1_0000;
                units[filled] = 0xD800 | (offset >> 10) as u16;
                units[filled + 1] = 0xDC00 | (offset & 0x3FF) as u16;
                filled += 2;
            }
        }
        assert!(filled == UNITS, "the count is that of unit_count");
        Self {
            header: Header64 {
                padding: 0,
                prefix: UNITS as u32 * 2,
            },
            units,
            terminator: 0,
        }
    }

    /// The literal as a BSTR.
    #[must_use]
    pub const fn as_bstr(&'static self) -> BstrRef<'static> {
        const { assert!(core::mem::offset_of!(Self, units) == size_of::<Header64>()) };
        let start = core::ptr::from_ref(self).cast::<u8>();
        // SAFETY: the units start behind the header, within the object.
        let units = unsafe { start.add(size_of::<Header64>()) };
        // SAFETY: the prefix stands before the units and counts them, they are initialised, and a
        // shared static is never written.
        unsafe { BstrRef::from_raw(units.cast()) }
    }
}

/// A BSTR literal in static storage: a [`BstrRef<'static>`](crate::BstrRef), made while compiling.
///
/// It reads as a BSTR everywhere, and is nobody's to free: giving it to
/// [`raw::free`](crate::raw::free) is a bad free. Rust has no wide string literals; this takes any
/// constant `&str`.
///
/// # Examples
///
/// ```
/// use olemem::{BstrRef, ByteLen, bstr};
///
/// const READY: BstrRef<'static> = bstr!("Ready – ✓");
/// assert_eq!(READY.byte_len(), ByteLen::new(18));
/// assert_eq!(READY.to_string(), "Ready – ✓");
/// ```
#[macro_export]
macro_rules! bstr {
    ($text:expr) => {{
        // Items are not hygienic: names of the user's own would be shadowed in `$text`.
        const __OLEMEM_TEXT: &str = $text;
        const __OLEMEM_UNITS: usize = $crate::__literal::unit_count(__OLEMEM_TEXT);
        static __OLEMEM_LITERAL: $crate::__literal::Literal<__OLEMEM_UNITS> =
            $crate::__literal::Literal::new(__OLEMEM_TEXT);
        __OLEMEM_LITERAL.as_bstr()
    }};
}
