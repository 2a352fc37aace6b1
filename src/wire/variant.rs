//! The BSTR inside a VARIANT.
#![forbid(unsafe_code)]

use super::{Malformed, Reader, Syntax, TransmittedBstr, WireError};
use crate::com::VarType;

/// `VT_BYREF`: a pointer to what the rest of the type says.
const VT_BYREF: u16 = 0x4000;

/// Bytes to which a VARIANT is aligned, and in which its size is counted.
const SIZE_UNIT: usize = 8;

/// A VARIANT that holds a BSTR, as `VARIANT_UserMarshal` writes it (`semantics.md` 5.9), in NDR 2.0.
///
/// ```text
///  start, aligned to 8
///  │  clSize  reserved   vt   3 × reserved  discriminator   [4, if VT_BYREF]   referent     the BSTR
///  ▼ ┌───────┬──────────┬────┬────────────┬────────────────┬──────────────────┬────────────┬──────────
///    │ u32   │ u32      │ u16│ u16 u16 u16│ u32            │ u32              │ u32, not 0 │ …
///    └───────┴──────────┴────┴────────────┴────────────────┴──────────────────┴────────────┴──────────
/// ```
///
/// The reserved numbers may be anything: a receiver ignores them (MS-OAUT 2.2.29.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransmittedVariant<'a> {
    /// The BSTR that it holds, or leads to.
    pub bstr: TransmittedBstr<'a>,
    /// Whether it leads to a variable that holds the BSTR: `VT_BYREF`.
    pub is_by_ref: bool,
}

impl<'a> TransmittedVariant<'a> {
    /// Reads the VARIANT at an offset of the buffer, or a little behind it because of the alignment: the VARIANT, and
    /// where it ends.
    ///
    /// # Errors
    ///
    /// [`WireError`] for a VARIANT that holds no BSTR, and for whatever `VARIANT_UserMarshal` would not have written,
    /// reserved numbers apart.
    pub fn decode(buffer: &'a [u8], start: usize) -> Result<(Self, usize), WireError> {
        let mut reader = Reader::new(buffer, start);
        reader.align(SIZE_UNIT)?;
        let header = reader;
        let size = reader.u32()?;
        let _reserved = reader.u32()?;
        let vt = reader.u16()?;
        for _ in 0..3 {
            let _reserved = reader.u16()?;
        }
        let discriminator = reader.u32()?;
        if VarType::from_raw(vt & !VT_BYREF) != VarType::BSTR {
            return Err(header.error(Malformed::NotABstr { vt }));
        }
        if discriminator != u32::from(vt) {
            return Err(header.error(Malformed::TypeMismatch { vt, discriminator }));
        }
        let is_by_ref = vt & VT_BYREF != 0;
        if is_by_ref {
            let said = reader.u32()?;
            if said != 4 {
                return Err(header.error(Malformed::PointerSize { said }));
            }
        }
        if reader.u32()? == 0 {
            return Err(header.error(Malformed::NullReferent));
        }
        let bstr = reader.bstr(Syntax::Ndr)?;
        let bytes = reader.at.saturating_sub(header.at);
        if u32::try_from(bytes.div_ceil(SIZE_UNIT)) != Ok(size) {
            return Err(header.error(Malformed::VariantSize { said: size, bytes }));
        }
        Ok((Self { bstr, is_by_ref }, reader.at))
    }
}
