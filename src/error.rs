//! One small error per failure.
//!
//! * [`TooLong`]: a length that no BSTR can have, or no array. Found before any memory is touched.
//! * [`OutOfMemory`]: the allocator said no, or a test told it to ([`crate::fault`]).
//! * [`CreateError`]: either of them, from whatever makes or grows an object.
//! * [`Refused`]: a `CreateError` that gives the value back which could not be stored.
//! * [`PinError`]: a string that could not be pinned.
//! * [`ArrayError`]: what could not be done with an array.
//! * [`InvalidUtf16`], [`OddBytes`], [`DecodeError`]: a BSTR that is not the text it was taken for.
//! * [`InteriorNul`]: text that a zero-terminated string cannot hold.
//!
//! A COM method answers a [`CreateError`] with `E_OUTOFMEMORY`: see its conversion into
//! [`HResult`].

use core::fmt;

use crate::com::HResult;

/// A length beyond what a BSTR can have on this target, or an array of bytes.
///
/// The limit is `0xFFFF_FFFF` minus the header, the terminator and the rounding of the block:
/// `semantics.md` 1.5 calls it the PAL limit. An array has as many elements as 32 bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    requested: usize,
    of: &'static str,
    holder: &'static str,
}

/// The allocator had no memory for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// Bytes of the block that could not be had.
    pub requested: usize,
}

/// Why a string or block could not be made or grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateError {
    /// No such object can exist.
    TooLong(TooLong),
    /// It can, and there was no memory.
    OutOfMemory(OutOfMemory),
}

/// A [`CreateError`], and the value that could not be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused<T> {
    /// Why.
    pub error: CreateError,
    /// What was to be stored, unharmed.
    pub value: T,
}

/// Why a string could not be pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinError {
    /// No live BSTR is there.
    NotABstr,
    /// There was no memory to record the pin.
    OutOfMemory(OutOfMemory),
}

/// What could not be done with an array, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrayError {
    /// There is no array, or none of its elements where there should be some.
    Missing,
    /// It is locked.
    Locked,
    /// It is not locked, or as often as it can be.
    LockCount,
    /// It has no such dimension.
    BadIndex,
    /// It is not of the shape or type that is wanted.
    TypeMismatch,
    /// What was to be made of it could not be.
    Create(CreateError),
}

/// A code unit that is half a surrogate pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUtf16 {
    /// Index of the unit.
    pub index: usize,
    /// The unit itself.
    pub unit: u16,
}

/// A BSTR of an odd number of bytes: binary data, not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OddBytes {
    /// The length in bytes.
    pub bytes: u32,
}

/// Why a BSTR is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It holds a lone surrogate.
    InvalidUtf16(InvalidUtf16),
    /// It ends in half a unit.
    OddBytes(OddBytes),
}

/// A zero unit inside text that is to be zero-terminated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InteriorNul {
    /// Index of the unit, or byte.
    pub index: usize,
}

/// Why a zero-terminated string could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrError {
    /// The text holds a zero.
    InteriorNul(InteriorNul),
    /// There was no memory.
    Create(CreateError),
}

impl TooLong {
    pub(crate) const fn units(requested: usize) -> Self {
        Self {
            requested,
            of: "code units",
            holder: "a BSTR",
        }
    }

    pub(crate) const fn bytes(requested: usize) -> Self {
        Self {
            requested,
            of: "bytes",
            holder: "a BSTR",
        }
    }

    /// Of an array's.
    #[cfg(feature = "std")]
    pub(crate) const fn elements(requested: usize) -> Self {
        Self {
            requested,
            of: "elements",
            holder: "an array",
        }
    }

    /// The length asked for, in the unit that `Display` names.
    #[must_use]
    pub const fn requested(&self) -> usize {
        self.requested
    }
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            requested,
            of,
            holder,
        } = self;
        write!(f, "{requested} {of} are more than {holder} holds")
    }
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = Counted(self.requested as u64, "byte");
        write!(f, "no memory for a block of {bytes}")
    }
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(error) => error.fmt(f),
            Self::OutOfMemory(error) => error.fmt(f),
        }
    }
}

impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotABstr => f.write_str("no live BSTR is there"),
            Self::OutOfMemory(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for ArrayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no array, or it has no data",
            Self::Locked => "the array is locked",
            Self::LockCount => "the array is not locked, or as often as it can be",
            Self::BadIndex => "the array has no such dimension",
            Self::TypeMismatch => "the array is not of the shape or type that is wanted",
            Self::Create(error) => return error.fmt(f),
        })
    }
}

impl fmt::Display for InvalidUtf16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "lone surrogate {:#06x} at unit {}",
            self.unit, self.index
        )
    }
}

impl fmt::Display for OddBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = Counted(self.bytes.into(), "byte");
        write!(f, "a length of {bytes} is no whole number of code units")
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUtf16(error) => error.fmt(f),
            Self::OddBytes(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for InteriorNul {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nul at index {} of a zero-terminated string", self.index)
    }
}

impl fmt::Display for StrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InteriorNul(error) => error.fmt(f),
            Self::Create(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TooLong {}
impl core::error::Error for OutOfMemory {}
impl core::error::Error for CreateError {}
impl<T: fmt::Debug> core::error::Error for Refused<T> {}
impl core::error::Error for PinError {}
impl core::error::Error for ArrayError {}
impl core::error::Error for InvalidUtf16 {}
impl core::error::Error for OddBytes {}
impl core::error::Error for DecodeError {}
impl core::error::Error for InteriorNul {}
impl core::error::Error for StrError {}

impl From<TooLong> for CreateError {
    fn from(error: TooLong) -> Self {
        Self::TooLong(error)
    }
}

impl From<OutOfMemory> for CreateError {
    fn from(error: OutOfMemory) -> Self {
        Self::OutOfMemory(error)
    }
}

impl From<CreateError> for ArrayError {
    fn from(error: CreateError) -> Self {
        Self::Create(error)
    }
}

impl From<InvalidUtf16> for DecodeError {
    fn from(error: InvalidUtf16) -> Self {
        Self::InvalidUtf16(error)
    }
}

impl From<OddBytes> for DecodeError {
    fn from(error: OddBytes) -> Self {
        Self::OddBytes(error)
    }
}

impl From<InteriorNul> for StrError {
    fn from(error: InteriorNul) -> Self {
        Self::InteriorNul(error)
    }
}

impl From<CreateError> for StrError {
    fn from(error: CreateError) -> Self {
        Self::Create(error)
    }
}

impl<T> From<Refused<T>> for CreateError {
    fn from(refused: Refused<T>) -> Self {
        refused.error
    }
}

/// A length that nothing can have is `E_OUTOFMEMORY`: Windows has no other word for it (`semantics.md`
/// 1.5, 2.10).
impl From<TooLong> for HResult {
    fn from(_: TooLong) -> Self {
        Self::E_OUTOFMEMORY
    }
}

/// Running out of memory is `E_OUTOFMEMORY`.
impl From<OutOfMemory> for HResult {
    fn from(_: OutOfMemory) -> Self {
        Self::E_OUTOFMEMORY
    }
}

/// Both causes are `E_OUTOFMEMORY`.
impl From<CreateError> for HResult {
    fn from(_: CreateError) -> Self {
        Self::E_OUTOFMEMORY
    }
}

/// The cause alone counts; the value is dropped.
impl<T> From<Refused<T>> for HResult {
    fn from(_: Refused<T>) -> Self {
        Self::E_OUTOFMEMORY
    }
}

/// What is no live BSTR is `E_INVALIDARG`, no memory `E_OUTOFMEMORY`: Windows documents no codes.
impl From<PinError> for HResult {
    fn from(error: PinError) -> Self {
        match error {
            PinError::NotABstr => Self::E_INVALIDARG,
            PinError::OutOfMemory(error) => error.into(),
        }
    }
}

/// The codes that Windows documents for its functions on arrays (`semantics.md` 2.16).
impl From<ArrayError> for HResult {
    fn from(error: ArrayError) -> Self {
        match error {
            ArrayError::Missing => Self::E_INVALIDARG,
            ArrayError::Locked => Self::DISP_E_ARRAYISLOCKED,
            ArrayError::LockCount => Self::E_UNEXPECTED,
            ArrayError::BadIndex => Self::DISP_E_BADINDEX,
            ArrayError::TypeMismatch => Self::DISP_E_TYPEMISMATCH,
            ArrayError::Create(error) => error.into(),
        }
    }
}

/// An interior nul is `E_INVALIDARG`.
impl From<StrError> for HResult {
    fn from(error: StrError) -> Self {
        match error {
            StrError::InteriorNul(_) => Self::E_INVALIDARG,
            StrError::Create(error) => error.into(),
        }
    }
}

/// What is not text is `E_INVALIDARG`.
impl From<DecodeError> for HResult {
    fn from(_: DecodeError) -> Self {
        Self::E_INVALIDARG
    }
}

/// A number of things, as a message has it.
pub(crate) struct Counted<'a>(pub(crate) u64, pub(crate) &'a str);

impl fmt::Display for Counted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, thing) = self;
        let plural = if *count == 1 { "" } else { "s" };
        write!(f, "{count} {thing}{plural}")
    }
}

/// How many of some things are there.
pub(crate) struct There(pub(crate) usize);

impl fmt::Display for There {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 is there"),
            count => write!(f, "{count} are there"),
        }
    }
}
