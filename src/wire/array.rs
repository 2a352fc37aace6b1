//! Several BSTRs, one behind the other.
#![forbid(unsafe_code)]

use core::iter::FusedIterator;

use super::{Malformed, Reader, Syntax, TransmittedBstr, WireError};

/// The BSTRs of an array, each at its turn.
///
/// The first error is the last item: what lies behind malformed bytes is not known.
#[derive(Clone, Debug)]
pub struct TransmittedBstrs<'a> {
    reader: Reader<'a>,
    left: u32,
    syntax: Syntax,
}

impl<'a> TransmittedBstrs<'a> {
    /// So many BSTRs from an offset on.
    ///
    /// # Errors
    ///
    /// [`WireError`] if there cannot be so many: each takes a header at least.
    pub fn new(
        buffer: &'a [u8],
        start: usize,
        count: u32,
        syntax: Syntax,
    ) -> Result<Self, WireError> {
        let reader = Reader::new(buffer, start);
        let left = reader.left();
        let least = (count as usize).checked_mul(syntax.header());
        if least.is_none_or(|least| least > left) {
            return Err(reader.error(Malformed::ArrayTruncated { count, left }));
        }
        Ok(Self {
            reader,
            left: count,
            syntax,
        })
    }

    /// A count at an offset, and so many BSTRs: the strings of a SAFEARRAY as Wine's `LPSAFEARRAY_UserMarshal` writes
    /// them.
    ///
    /// ```text
    ///  the structure SAFEARR_BSTR     the array's bounds         from here on it is read
    ///  ┌────────┬───────────────────┬──────────────────────────┬─────────┬────────────────────────────
    ///  │ Size   │ referent of aBstr │ count, first index: as   │ count   │ the first BSTR, the second …
    ///  │ u32    │ u32               │ many as dimensions       │ u32     │ each aligned, as it is alone
    ///  └────────┴───────────────────┴──────────────────────────┴─────────┴────────────────────────────
    /// ```
    ///
    /// The count is what NDR puts before an array (its conformance). `Size` says the same once more; neither it nor
    /// anything else before the count is read.
    ///
    /// **Not verified** against bytes from Windows: `SAFEARR_BSTR` (MS-OAUT 2.2.30.2) is declared as an array of pointers,
    /// for which NDR has one referent for each string between the count and the first of them. Wine writes none, and
    /// none is read here (`semantics.md` 5.9).
    ///
    /// # Errors
    ///
    /// [`WireError`] if the count is not there, or there cannot be so many.
    pub fn counted(buffer: &'a [u8], start: usize, syntax: Syntax) -> Result<Self, WireError> {
        let mut reader = Reader::new(buffer, start);
        reader.align(size_of::<u32>())?;
        let count = reader.u32()?;
        Self::new(buffer, reader.at, count, syntax)
    }

    /// Where the last BSTR ends that was read.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.reader.at
    }
}

impl<'a> Iterator for TransmittedBstrs<'a> {
    type Item = Result<TransmittedBstr<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let bstr = self.reader.bstr(self.syntax);
        if bstr.is_err() {
            self.left = 0;
        }
        Some(bstr)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.left as usize;
        (left.min(1), Some(left))
    }
}

impl FusedIterator for TransmittedBstrs<'_> {}
