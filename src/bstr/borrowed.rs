//! `BstrRef`: a BSTR that somebody else owns.

use core::cmp::Ordering;
use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr;
use core::slice;

use crate::bstr::prefix;
use crate::units::{ByteLen, UnitLen};

/// What a null or empty BSTR reads as: no units, and a terminator where its pointer points.
static EMPTY: [u16; 1] = [0];

/// A borrowed BSTR: pointer-sized, possibly null, never freed.
///
/// It reads the length prefix and nothing else, so any memory of that shape serves: a string of the
/// allocator's, a struct on the stack, a literal ([`bstr!`](crate::bstr!)). It compares by bytes, and
/// null equals empty, as COM has it. `len`, `is_empty` and the rest of a slice's methods are those of
/// its whole units.
///
/// *Ownership:* none. To keep the string, copy it: [`to_owned`](Self::try_to_owned).
///
/// # Examples
///
/// ```
/// use olemem::{BstrRef, bstr};
///
/// fn shout(text: BstrRef<'_>) -> String {
///     text.to_string_lossy().to_uppercase()
/// }
///
/// assert_eq!(shout(bstr!("done")), "DONE");
/// assert_eq!(shout(BstrRef::NULL), "");
/// ```
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct BstrRef<'a> {
    /// Invariant: null, or for `'a` an aligned pointer to a payload whose prefix and counted bytes are
    /// initialised, readable and not written, and no more than `isize::MAX`.
    ptr: *const u16,
    lifetime: PhantomData<&'a [u16]>,
}

// SAFETY: the memory behind it is not written while it lives; it is a shared slice in all but name.
unsafe impl Send for BstrRef<'_> {}
// SAFETY: as above.
unsafe impl Sync for BstrRef<'_> {}

impl<'a> BstrRef<'a> {
    /// The null BSTR, which reads as the empty string.
    pub const NULL: Self = Self {
        ptr: ptr::null(),
        lifetime: PhantomData,
    };

    /// Borrows a BSTR of C's.
    ///
    /// *Ownership:* stays where it is.
    ///
    /// # Safety
    ///
    /// * `ptr` is null, or a BSTR: aligned for `u16`, a length prefix in the four bytes before it, that
    ///   many initialised bytes from it on, all of one object and no more than `isize::MAX`.
    /// * For `'a` nobody writes to it and nobody frees it.
    #[must_use]
    pub const unsafe fn from_raw(ptr: *const u16) -> Self {
        Self {
            ptr,
            lifetime: PhantomData,
        }
    }

    /// The pointer, for C.
    #[must_use]
    pub const fn as_raw(self) -> *const u16 {
        self.ptr
    }

    /// A pointer to the text and its terminator, for C that wants a `const WCHAR*`: never null.
    ///
    /// A slice's own `as_ptr` is not for that: the terminator is out of the slice's bounds.
    #[must_use]
    pub const fn as_ptr(self) -> *const u16 {
        if self.ptr.is_null() {
            (&raw const EMPTY).cast()
        } else {
            self.ptr
        }
    }

    /// Whether there is no string at all. The meaning is that of the empty string.
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.ptr.is_null()
    }

    /// Bytes, as the prefix counts them.
    #[must_use]
    pub fn byte_len(self) -> ByteLen {
        if self.ptr.is_null() {
            return ByteLen::ZERO;
        }
        // SAFETY: the field's invariant.
        unsafe { prefix::read(self.ptr) }
    }

    /// Whole units; the odd last byte is not counted.
    #[must_use]
    pub fn unit_len(self) -> UnitLen {
        self.byte_len().units()
    }

    /// The whole units. The slice's pointer leads to a zero-terminated string even if it is empty.
    #[must_use]
    pub fn as_units(self) -> &'a [u16] {
        let len = self.unit_len().as_usize();
        if len == 0 {
            // One byte of payload is less than a unit, but its memory is the caller's: point there
            // only if a whole unit is.
            return &EMPTY[..0];
        }
        // SAFETY: the field's invariant: aligned, `len` initialised units, unwritten for `'a`.
        unsafe { slice::from_raw_parts(self.ptr, len) }
    }

    /// The payload, byte by byte, an odd last one included.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        let len = self.byte_len().as_usize();
        if len == 0 {
            return &[];
        }
        // SAFETY: the field's invariant: `len` initialised bytes, unwritten for `'a`.
        unsafe { slice::from_raw_parts(self.ptr.cast(), len) }
    }

    /// The odd last byte, if there is one.
    #[must_use]
    pub fn odd_byte(self) -> Option<u8> {
        let bytes = self.as_bytes();
        if self.byte_len().is_odd() {
            bytes.last().copied()
        } else {
            None
        }
    }
}

impl Default for BstrRef<'_> {
    fn default() -> Self {
        Self::NULL
    }
}

impl Deref for BstrRef<'_> {
    type Target = [u16];

    fn deref(&self) -> &[u16] {
        self.as_units()
    }
}

impl PartialEq for BstrRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for BstrRef<'_> {}

/// The order of code units; of two strings alike in whole units, the one with an odd byte more is
/// greater.
impl Ord for BstrRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_units()
            .cmp(other.as_units())
            .then_with(|| self.odd_byte().cmp(&other.odd_byte()))
    }
}

impl PartialOrd for BstrRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl core::hash::Hash for BstrRef<'_> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

/// The text, U+FFFD for each lone surrogate; an odd last byte is left out.
impl fmt::Display for BstrRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        if f.width().is_some() || f.precision().is_some() {
            return pad(f, self.as_units());
        }
        decoded(self.as_units()).try_for_each(|c| f.write_char(c))
    }
}

/// The text as `Display` prints it; with `{:#?}` quoted and escaped, null and an odd byte told.
impl fmt::Debug for BstrRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        if self.is_null() {
            return f.write_str("null");
        }
        f.write_char('"')?;
        for unit in char::decode_utf16(self.as_units().iter().copied()) {
            match unit {
                Ok(c) => write!(f, "{}", c.escape_debug())?,
                Err(lone) => write!(f, "\\u{{{:x}}}", lone.unpaired_surrogate())?,
            }
        }
        f.write_char('"')?;
        match self.odd_byte() {
            Some(byte) => write!(f, " and byte {byte:#04x}"),
            None => Ok(()),
        }
    }
}

fn decoded(units: &[u16]) -> impl Iterator<Item = char> + Clone + '_ {
    char::decode_utf16(units.iter().copied()).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// Honours width and precision without a buffer.
fn pad(f: &mut fmt::Formatter<'_>, units: &[u16]) -> fmt::Result {
    use fmt::Write as _;
    let shown = f.precision().unwrap_or(usize::MAX);
    let text = decoded(units).take(shown);
    let missing = f.width().unwrap_or(0).saturating_sub(text.clone().count());
    let before = match f.align() {
        None | Some(fmt::Alignment::Left) => 0,
        Some(fmt::Alignment::Center) => missing / 2,
        Some(fmt::Alignment::Right) => missing,
    };
    let fill = f.fill();
    for _ in 0..before {
        f.write_char(fill)?;
    }
    for c in text {
        f.write_char(c)?;
    }
    for _ in before..missing {
        f.write_char(fill)?;
    }
    Ok(())
}
