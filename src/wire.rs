//! The transmitted form of a BSTR: what it is marshalled as between processes and machines (MS-OAUT 2.2.23).
//!
//! ```text
//!  start, aligned to 4
//!  │  max_count   cBytes      clSize      asData: clSize units, and nothing behind them
//!  ▼ ┌───────────┬───────────┬───────────┬──────────────────────┐
//!    │ u32       │ u32       │ u32       │ u16 u16 u16 …        │       all little-endian, whoever sends
//!    └───────────┴───────────┴───────────┴──────────────────────┘
//!      = clSize    bytes, or   units,       the last byte pads an odd length
//!                  0xFFFFFFFF  rounded up
//!                  for null
//! ```
//!
//! * The null BSTR and the empty one are told apart, and an odd length survives.
//! * Offsets are counted from the start of the stream, which is what they are aligned to: a slice need not lie at any
//!   particular address.
//! * Decoding is strict (`semantics.md` 5.8), takes the time of one BSTR's header, copies nothing and allocates
//!   nothing: what a length promises has to be there. On Windows malformed bytes are an RPC exception.
//! * From a stream, [`TransmittedBstr::announced_end`] says how much to wait for.
//! * Around the block stands what the pointer that leads to it is marshalled as; that is the caller's.
//!
//! [`Bstr`](crate::Bstr) and [`BstrRef`](crate::BstrRef) convert both ways.
//!
//! # Examples
//!
//! ```
//! use olemem::wire::{Syntax, TransmittedBstr};
//!
//! let sent = TransmittedBstr::from_bytes(b"o\0k\0")?;
//! let mut buffer = [0; 32];
//! // Aligned to 4, a header of 12, 4 bytes of text.
//! let end = sent.encode(&mut buffer, 1, Syntax::Ndr)?;
//! assert_eq!(end, 20);
//! assert_eq!(sent.end(1, Syntax::Ndr), Some(20));
//!
//! let (received, end) = TransmittedBstr::decode(&buffer, 1, Syntax::Ndr)?;
//! assert_eq!(end, 20);
//! assert_eq!(received.as_bytes(), b"o\0k\0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use core::fmt;

use crate::error::TooLong;
use crate::layout::{ByteOrder, PointerWidth};
use crate::units::ByteLen;

mod array;
mod error;
mod variant;

pub use array::TransmittedBstrs;
pub use error::{Malformed, NoRoom, WireError};
pub use variant::TransmittedVariant;

/// What `cBytes` says of the null BSTR.
const NULL: u32 = u32::MAX;

/// The transfer syntax: how counts are written, and to what blocks are aligned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// NDR 2.0, the 32-bit syntax: what `BSTR_UserMarshal` writes.
    #[default]
    Ndr,
    /// NDR64, in which an array's count has 64 bits and the block is aligned to 8: what `BSTR_UserMarshal64` should
    /// write by MS-RPCE 2.2.5.3.2.1, and olemem's does. **Not verified** against bytes from Windows.
    Ndr64,
}

impl Syntax {
    /// Bytes to which a block is aligned.
    #[must_use]
    pub const fn align(self) -> usize {
        match self {
            Self::Ndr => 4,
            Self::Ndr64 => 8,
        }
    }

    /// Bytes of a block before its data.
    #[must_use]
    pub const fn header(self) -> usize {
        match self {
            Self::Ndr => 12,
            Self::Ndr64 => 16,
        }
    }
}

/// A BSTR's contents on their way: a view of bytes that belong to somebody else.
#[derive(Clone, Copy)]
pub struct TransmittedBstr<'a> {
    /// `None` is the null BSTR. Never longer than a BSTR can be.
    bytes: Option<&'a [u8]>,
    /// In which order the bytes of a unit are.
    order: ByteOrder,
    /// The byte behind an odd length.
    pad: u8,
}

impl<'a> TransmittedBstr<'a> {
    /// The null BSTR.
    pub const NULL: Self = Self {
        bytes: None,
        order: ByteOrder::Little,
        pad: 0,
    };

    /// A BSTR of these bytes, its units little-endian, as on the wire.
    ///
    /// # Errors
    ///
    /// [`TooLong`] beyond what a BSTR can have on this target.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, TooLong> {
        Self::in_order(bytes, ByteOrder::Little, 0)
    }

    /// A BSTR of these bytes, its units in this order, and the byte behind an odd length.
    pub(crate) fn in_order(bytes: &'a [u8], order: ByteOrder, pad: u8) -> Result<Self, TooLong> {
        match u32::try_from(bytes.len()) {
            Ok(len) if ByteLen::new(len) <= PointerWidth::NATIVE.max_bytes() => Ok(Self {
                bytes: Some(bytes),
                order,
                pad,
            }),
            _ => Err(TooLong::bytes(bytes.len())),
        }
    }

    /// Whether it is the null BSTR.
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.bytes.is_none()
    }

    /// Bytes, as the length prefix is to count them; none for the null BSTR.
    #[must_use]
    pub fn byte_len(self) -> ByteLen {
        // No longer than a BSTR can be: nothing is lost.
        ByteLen::new(u32::try_from(self.as_bytes().len()).unwrap_or(u32::MAX))
    }

    /// The bytes, in the order in which they lie there: [`order`](Self::order) says which.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        match self.bytes {
            Some(bytes) => bytes,
            None => &[],
        }
    }

    /// In which order the bytes of a unit are: little-endian, for what was decoded.
    #[must_use]
    pub const fn order(self) -> ByteOrder {
        self.order
    }

    /// The whole units.
    pub fn units(self) -> impl Iterator<Item = u16> + 'a {
        self.order.units(self.as_bytes())
    }

    /// Units of the block, the last of an odd length rounded up.
    fn unit_count(self) -> u32 {
        self.byte_len().get().div_ceil(2)
    }

    /// Where the block ends that starts at an offset, or a little behind it because of the alignment: what
    /// `BSTR_UserSize` answers. `None` if no offset is so large.
    #[must_use]
    pub fn end(self, start: usize, syntax: Syntax) -> Option<usize> {
        let block = start.checked_next_multiple_of(syntax.align())?;
        let data = padded(self.byte_len())?;
        block.checked_add(syntax.header())?.checked_add(data)
    }

    /// Writes the block at an offset of the buffer, or a little behind it because of the alignment, and gives back
    /// where it ends. The bytes in between are left as they are.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the buffer ends before; then nothing was written.
    pub fn encode(self, buffer: &mut [u8], start: usize, syntax: Syntax) -> Result<usize, NoRoom> {
        let end = self.end(start, syntax);
        let no_room = NoRoom { needed: end };
        let end = end.ok_or(no_room)?;
        let block = start
            .checked_next_multiple_of(syntax.align())
            .ok_or(no_room)?;
        let block = buffer.get_mut(block..end).ok_or(no_room)?;
        let units = self.unit_count();
        let said = match self.bytes {
            Some(_) => self.byte_len().get(),
            None => NULL,
        };
        let (header, data) = block.split_at_mut(syntax.header());
        let numbers = [
            Some(units),
            (syntax == Syntax::Ndr64).then_some(0),
            Some(said),
            Some(units),
        ];
        let numbers = numbers.into_iter().flatten().flat_map(u32::to_le_bytes);
        for (place, byte) in header.iter_mut().zip(numbers) {
            *place = byte;
        }
        let (places, _) = data.as_chunks_mut::<2>();
        let (pairs, odd) = self.as_bytes().as_chunks::<2>();
        for (place, unit) in places.iter_mut().zip(pairs) {
            *place = self.order.unit(*unit).to_le_bytes();
        }
        if let ([byte], Some(place)) = (odd, places.last_mut()) {
            *place = [*byte, self.pad];
        }
        Ok(end)
    }

    /// Reads the block at an offset of the buffer, or a little behind it because of the alignment: the BSTR, and
    /// where it ends.
    ///
    /// # Errors
    ///
    /// [`WireError`] for whatever `BSTR_UserMarshal` would not have written.
    pub fn decode(
        buffer: &'a [u8],
        start: usize,
        syntax: Syntax,
    ) -> Result<(Self, usize), WireError> {
        let mut reader = Reader::new(buffer, start);
        let bstr = reader.bstr(syntax)?;
        Ok((bstr, reader.at))
    }

    /// Where the block ends that starts at an offset of the buffer, or a little behind it because of the alignment, as
    /// its header says: the data need not be there yet.
    ///
    /// # Errors
    ///
    /// [`WireError`] for a header that `BSTR_UserMarshal` would not have written.
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::wire::{Syntax, TransmittedBstr};
    ///
    /// let header = b"\x02\0\0\0\x04\0\0\0\x02\0\0\0";
    /// assert_eq!(TransmittedBstr::announced_end(header, 0, Syntax::Ndr)?, 16);
    /// # Ok::<(), olemem::wire::WireError>(())
    /// ```
    pub fn announced_end(buffer: &[u8], start: usize, syntax: Syntax) -> Result<usize, WireError> {
        let mut reader = Reader::new(buffer, start);
        let Some(len) = reader.header(syntax)? else {
            return Ok(reader.at);
        };
        let end = padded(len).and_then(|padded| reader.at.checked_add(padded));
        end.ok_or(reader.truncated(len))
    }
}

impl fmt::Debug for TransmittedBstr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes {
            None => f.write_str("TransmittedBstr(null)"),
            Some(bytes) => {
                let text = char::decode_utf16(self.units());
                f.write_str("TransmittedBstr(\"")?;
                for c in text.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)) {
                    write!(f, "{}", c.escape_debug())?;
                }
                write!(f, "\", {} bytes)", bytes.len())
            }
        }
    }
}

/// The same contents, whatever order they lie in.
impl PartialEq for TransmittedBstr<'_> {
    fn eq(&self, other: &Self) -> bool {
        let last = |it: &Self| it.as_bytes().as_chunks::<2>().1.first().copied();
        self.is_null() == other.is_null()
            && self.units().eq(other.units())
            && last(self) == last(other)
    }
}

impl Eq for TransmittedBstr<'_> {}

/// Bytes that data of this length takes: an odd one is padded.
fn padded(len: ByteLen) -> Option<usize> {
    len.as_usize().checked_next_multiple_of(2)
}

/// Bytes that are read one after the other.
#[derive(Clone, Copy, Debug)]
struct Reader<'a> {
    buffer: &'a [u8],
    /// The next of them.
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(buffer: &'a [u8], at: usize) -> Self {
        Self { buffer, at }
    }

    /// Goes on to a multiple of this.
    fn align(&mut self, align: usize) -> Result<(), WireError> {
        self.at = self
            .at
            .checked_next_multiple_of(align)
            .ok_or(self.error(Malformed::HeaderTruncated))?;
        Ok(())
    }

    fn left(&self) -> usize {
        self.buffer.len().saturating_sub(self.at)
    }

    fn error(&self, cause: Malformed) -> WireError {
        WireError {
            offset: self.at,
            cause,
        }
    }

    /// So many bytes, if they are there.
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let bytes = self.buffer.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn number<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], WireError> {
        let bytes = self.bytes(SIZE).and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or(self.error(Malformed::HeaderTruncated))
    }

    fn u16(&mut self) -> Result<u16, WireError> {
        self.number().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        self.number().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, WireError> {
        self.number().map(u64::from_le_bytes)
    }

    /// An array's count.
    fn count(&mut self, syntax: Syntax) -> Result<u64, WireError> {
        match syntax {
            Syntax::Ndr => self.u32().map(u64::from),
            Syntax::Ndr64 => self.u64(),
        }
    }

    /// The numbers before the data: how many bytes that has, or `None` for the null BSTR.
    fn header(&mut self, syntax: Syntax) -> Result<Option<ByteLen>, WireError> {
        self.align(syntax.align())?;
        let block = *self;
        if self.left() < syntax.header() {
            return Err(self.error(Malformed::HeaderTruncated));
        }
        let max_count = self.count(syntax)?;
        let bytes = self.u32()?;
        let units = self.u32()?;
        if max_count != u64::from(units) {
            return Err(block.error(Malformed::CountMismatch { max_count, units }));
        }
        if bytes == NULL {
            return match units {
                0 => Ok(None),
                _ => Err(block.error(Malformed::NullWithData { units })),
            };
        }
        if units != bytes.div_ceil(2) {
            return Err(block.error(Malformed::LengthMismatch { bytes, units }));
        }
        let len = ByteLen::new(bytes);
        if len > PointerWidth::NATIVE.max_bytes() {
            return Err(block.error(Malformed::TooLong(TooLong::bytes(len.as_usize()))));
        }
        Ok(Some(len))
    }

    /// The error that the data is not all there, which begins here.
    fn truncated(&self, len: ByteLen) -> WireError {
        let left = self.left();
        self.error(Malformed::DataTruncated { len, left })
    }

    fn bstr(&mut self, syntax: Syntax) -> Result<TransmittedBstr<'a>, WireError> {
        let Some(len) = self.header(syntax)? else {
            return Ok(TransmittedBstr::NULL);
        };
        let data = padded(len).and_then(|padded| self.bytes(padded));
        let parts = data.and_then(|data| data.split_at_checked(len.as_usize()));
        let (data, pad) = parts.ok_or(self.truncated(len))?;
        Ok(TransmittedBstr {
            bytes: Some(data),
            order: ByteOrder::Little,
            pad: pad.first().copied().unwrap_or(0),
        })
    }
}
