//! Text in and out, and the bytes of other machines.

use std::borrow::Cow;
use std::str::FromStr;
use std::string::FromUtf16Error;

use crate::bstr::borrowed::BstrRef;
use crate::bstr::owned::{Bstr, expect};
use crate::error::{CreateError, DecodeError, InvalidUtf16, OddBytes, TooLong};
use crate::image::PresentedBstr;
use crate::layout::ByteOrder;
use crate::transcode;
use crate::wire::TransmittedBstr;

impl BstrRef<'_> {
    /// The text.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if it is not text: a lone surrogate, or an odd number of bytes.
    pub fn try_to_string(self) -> Result<String, DecodeError> {
        let bytes = self.byte_len();
        if bytes.is_odd() {
            return Err(OddBytes { bytes: bytes.get() }.into());
        }
        let units = self.as_units();
        let mut text = transcode::decode_ascii_start(units);
        let mut index = text.len();
        for decoded in char::decode_utf16(units[index..].iter().copied()) {
            match decoded {
                Ok(c) => {
                    text.push(c);
                    index += c.len_utf16();
                }
                Err(lone) => {
                    return Err(InvalidUtf16 {
                        index,
                        unit: lone.unpaired_surrogate(),
                    }
                    .into());
                }
            }
        }
        Ok(text)
    }

    /// The text, U+FFFD for each lone surrogate; an odd last byte is left out.
    #[must_use]
    pub fn to_string_lossy(self) -> String {
        let units = self.as_units();
        let mut text = transcode::decode_ascii_start(units);
        let rest = char::decode_utf16(units[text.len()..].iter().copied());
        text.extend(rest.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
        text
    }
}

impl Bstr {
    /// The text.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if it is not text: a lone surrogate, or an odd number of bytes.
    pub fn try_to_string(&self) -> Result<String, DecodeError> {
        self.as_bstr().try_to_string()
    }

    /// The text, U+FFFD for each lone surrogate; an odd last byte is left out.
    #[must_use]
    pub fn to_string_lossy(&self) -> String {
        self.as_bstr().to_string_lossy()
    }
}

/// # Panics
///
/// If there is no memory, or the text is too long for a BSTR.
impl From<&str> for Bstr {
    #[track_caller]
    fn from(text: &str) -> Self {
        expect(Self::try_from_str(text))
    }
}

/// # Panics
///
/// As the conversion from `&str`.
impl From<String> for Bstr {
    #[track_caller]
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

/// # Panics
///
/// As the conversion from `&str`.
impl From<&String> for Bstr {
    #[track_caller]
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

/// # Panics
///
/// As the conversion from `&str`.
impl From<Cow<'_, str>> for Bstr {
    #[track_caller]
    fn from(text: Cow<'_, str>) -> Self {
        Self::from(text.as_ref())
    }
}

/// # Panics
///
/// If there is no memory, or there are too many units for a BSTR.
impl From<&[u16]> for Bstr {
    #[track_caller]
    fn from(units: &[u16]) -> Self {
        Self::from_wide(units)
    }
}

/// A copy. Null stays null, empty stays empty.
///
/// # Panics
///
/// If there is no memory.
impl From<BstrRef<'_>> for Bstr {
    #[track_caller]
    fn from(source: BstrRef<'_>) -> Self {
        source.to_owned()
    }
}

impl FromStr for Bstr {
    type Err = CreateError;

    #[track_caller]
    fn from_str(text: &str) -> Result<Self, CreateError> {
        Self::try_from_str(text)
    }
}

/// The error is the standard library's, as the `windows` crate has it.
/// [`try_to_string`](Bstr::try_to_string) tells more.
impl TryFrom<&Bstr> for String {
    type Error = FromUtf16Error;

    fn try_from(bstr: &Bstr) -> Result<Self, FromUtf16Error> {
        let text = transcode::decode_ascii_start(bstr);
        if text.len() == bstr.len() {
            return Ok(text);
        }
        Self::from_utf16(bstr)
    }
}

/// As from `&Bstr`.
impl TryFrom<Bstr> for String {
    type Error = FromUtf16Error;

    fn try_from(bstr: Bstr) -> Result<Self, FromUtf16Error> {
        Self::try_from(&bstr)
    }
}

impl TryFrom<BstrRef<'_>> for String {
    type Error = DecodeError;

    fn try_from(bstr: BstrRef<'_>) -> Result<Self, DecodeError> {
        bstr.try_to_string()
    }
}

impl<'a> BstrRef<'a> {
    /// What it is marshalled as: [`TransmittedBstr::encode`] writes it.
    ///
    /// The byte that pads an odd length is zero; `BSTR_UserMarshal` takes the one that is behind the string.
    ///
    /// # Errors
    ///
    /// [`TooLong`] for a string that olemem did not make and that is longer than any that it would: nobody could receive it.
    pub fn transmitted(self) -> Result<TransmittedBstr<'a>, TooLong> {
        if self.is_null() {
            return Ok(TransmittedBstr::NULL);
        }
        TransmittedBstr::in_order(self.as_bytes(), ByteOrder::NATIVE, 0)
    }
}

impl Bstr {
    /// As [`BstrRef::transmitted`].
    ///
    /// # Errors
    ///
    /// As there; a string that olemem made is never too long.
    pub fn transmitted(&self) -> Result<TransmittedBstr<'_>, TooLong> {
        self.as_bstr().transmitted()
    }

    /// A string of these bytes, whose units are in that order: in any case an allocated one.
    fn try_from_order(bytes: &[u8], order: ByteOrder) -> Result<Self, CreateError> {
        let mut bstr = match bytes {
            [] => Self::try_empty()?,
            _ => Self::try_from_bytes(bytes)?,
        };
        if order != ByteOrder::NATIVE {
            for unit in bstr.as_mut_units() {
                *unit = unit.swap_bytes();
            }
        }
        Ok(bstr)
    }
}

/// What came over the wire, in memory: null as null, empty as empty, an odd length as it was (MS-OAUT 2.2.23.2).
///
/// *Ownership:* the string is the caller's.
///
/// # Examples
///
/// ```
/// use olemem::Bstr;
/// use olemem::wire::{Syntax, TransmittedBstr};
///
/// let mut buffer = [0; 64];
/// let end = Bstr::from("text").transmitted()?.encode(&mut buffer, 0, Syntax::Ndr)?;
/// let (received, read) = TransmittedBstr::decode(&buffer, 0, Syntax::Ndr)?;
/// assert_eq!((read, Bstr::try_from(received)?), (end, Bstr::from("text")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl TryFrom<TransmittedBstr<'_>> for Bstr {
    type Error = CreateError;

    fn try_from(bstr: TransmittedBstr<'_>) -> Result<Self, CreateError> {
        if bstr.is_null() {
            return Ok(Self::new());
        }
        Self::try_from_order(bstr.as_bytes(), bstr.order())
    }
}

/// A copy on this machine; no longer null, for it stood somewhere.
///
/// *Ownership:* the string is the caller's.
impl TryFrom<PresentedBstr<'_>> for Bstr {
    type Error = CreateError;

    fn try_from(bstr: PresentedBstr<'_>) -> Result<Self, CreateError> {
        Self::try_from_order(bstr.as_bytes(), bstr.order())
    }
}
