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
    left: usize,
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
        Self::of(Reader::new(buffer, start), count.into(), syntax)
    }

    fn of(reader: Reader<'a>, count: u64, syntax: Syntax) -> Result<Self, WireError> {
        let left = reader.left();
        let possible = usize::try_from(count).ok().filter(|count| {
            let least = count.checked_mul(syntax.header());
            least.is_some_and(|least| least <= left)
        });
        match possible {
            Some(count) => Ok(Self {
                reader,
                left: count,
                syntax,
            }),
            None => Err(reader.error(Malformed::ArrayTruncated { count, left })),
        }
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
    /// The count is what NDR puts before an array (its conformance). The picture is of NDR 2.0: in NDR64 it has 64 bits
    /// and is aligned to 8. `Size` says the same once more; neither it nor anything else before the count is read.
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
        reader.align(syntax.align())?;
        let count = reader.count(syntax)?;
        Self::of(reader, count, syntax)
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
        (self.left.min(1), Some(self.left))
    }
}

impl FusedIterator for TransmittedBstrs<'_> {}
