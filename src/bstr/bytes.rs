//! `ByteVector`: a SAFEARRAY of bytes of one's own.

use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::slice;

use crate::bstr::borrowed::BstrRef;
use crate::bstr::owned::Bstr;
use crate::bstr::vector;
use crate::com::{ArrayBound, SafeArray, VarType};
use crate::error::{ArrayError, CreateError, OutOfMemory, TooLong};
use crate::units::ByteLen;

/// An owned SAFEARRAY of bytes, which is destroyed when dropped: what COM methods pass binary data as, and what `VectorFromBstr` makes
/// of a BSTR.
///
/// It is never null; `Option<ByteVector>` is a nullable pointer of the same size, and may stand where C has `SAFEARRAY*`, or in an
/// [`Out`](crate::Out) where it has `SAFEARRAY**`. The bytes are those of the array, none added: an odd number of them stays odd, on the way from
/// a BSTR and back.
///
/// *Ownership:* the value's. [`into_raw`](Self::into_raw) gives it away, [`from_raw`](Self::from_raw) takes it over. An array that C
/// left locked is not destroyed when dropped: Windows refuses that, and so its memory stays. Source of the behaviour: `semantics.md` 2.12, 2.13
/// and 2.16.
///
/// # Examples
///
/// ```
/// use olemem::{Bstr, ByteVector};
///
/// let data = Bstr::from_bytes(b"odd");
/// let vector = ByteVector::try_from_bstr(data.as_bstr())?;
/// assert_eq!(vector.as_bytes(), b"odd");
/// assert_eq!(vector.try_to_bstr()?, data);
/// # Ok::<(), olemem::error::CreateError>(())
/// ```
#[repr(transparent)]
pub struct ByteVector {
    /// Invariant: a live array of one dimension and elements of one byte, which are initialised, and which only this value may use.
    array: NonNull<SafeArray>,
}

// SAFETY: the value is the array's only owner, and the heap may be used from any thread.
unsafe impl Send for ByteVector {}
// SAFETY: a shared `ByteVector` is only read.
unsafe impl Sync for ByteVector {}

impl ByteVector {
    /// An array of these bytes, the first at the index 0. There is one for no bytes, too.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if there is no memory, or more bytes than 32 bits count.
    #[track_caller]
    pub fn try_from_bytes(bytes: &[u8]) -> Result<Self, CreateError> {
        let count = u32::try_from(bytes.len()).map_err(|_| TooLong::elements(bytes.len()))?;
        let array = vector::create(VarType::UI1, &[ArrayBound { count, lower: 0 }]);
        let mut vector = Self::made(array, bytes.len())?;
        vector.as_mut_bytes().copy_from_slice(bytes);
        Ok(vector)
    }

    /// As [`try_from_bytes`](Self::try_from_bytes).
    ///
    /// # Panics
    ///
    /// If there is no memory, or there are more bytes than 32 bits count.
    #[must_use]
    #[track_caller]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        match Self::try_from_bytes(bytes) {
            Ok(vector) => vector,
            Err(error) => panic!("vector: {error}"),
        }
    }

    /// The bytes of a BSTR: `VectorFromBstr`. Null gives an array of none.
    ///
    /// # Errors
    ///
    /// [`CreateError::OutOfMemory`] if there is none.
    #[track_caller]
    pub fn try_from_bstr(bstr: BstrRef<'_>) -> Result<Self, CreateError> {
        // SAFETY: a borrowed BSTR is a BSTR.
        let array = unsafe { vector::from_bstr(bstr.as_raw()) };
        Self::made(array, bstr.byte_len().as_usize())
    }

    /// A BSTR of the bytes: `BstrFromVector`. No bytes give the allocated empty string.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if there is no memory, or more bytes than a BSTR holds.
    #[track_caller]
    pub fn try_to_bstr(&self) -> Result<Bstr, CreateError> {
        // SAFETY: the field's invariant; nobody writes to what is borrowed.
        match unsafe { vector::to_bstr(self.array.as_ptr()) } {
            // SAFETY: a new string, whose bytes are the array's.
            Ok(bstr) => Ok(unsafe { Bstr::from_raw(bstr) }),
            Err(ArrayError::Create(error)) => Err(error),
            Err(error) => unreachable!("a vector of bytes: {error}"),
        }
    }

    /// Takes over an array of C's.
    ///
    /// *Ownership:* the value's from now on.
    ///
    /// # Safety
    ///
    /// * `raw` is a live array that `SafeArrayCreate` or a relative of it made, through this crate or through C: of one dimension, its
    ///   elements one byte each, initialised, and no more than `isize::MAX`.
    /// * It is not locked, and nobody else will use or destroy it.
    #[must_use]
    pub const unsafe fn from_raw(raw: *mut SafeArray) -> Self {
        Self {
            // SAFETY: no array is at null.
            array: unsafe { NonNull::new_unchecked(raw) },
        }
    }

    /// Gives the array away.
    ///
    /// *Ownership:* the caller's, who destroys it with [`array::destroy`](crate::array::destroy) or `SafeArrayDestroy`, or by
    /// [`from_raw`](Self::from_raw).
    #[must_use = "nothing else will destroy the array"]
    pub fn into_raw(self) -> *mut SafeArray {
        ManuallyDrop::new(self).array.as_ptr()
    }

    /// The pointer, for C that does not keep it.
    ///
    /// *Ownership:* stays here.
    #[must_use]
    pub const fn as_raw(&self) -> *mut SafeArray {
        self.array.as_ptr()
    }

    /// How many bytes there are.
    #[must_use]
    pub fn byte_len(&self) -> ByteLen {
        let array = self.array.as_ptr();
        // SAFETY: the field's invariant: there is a bound.
        ByteLen::new(unsafe { (*array).bounds[0].count })
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let len = self.byte_len().as_usize();
        if len == 0 {
            return &[];
        }
        // SAFETY: the field's invariant: so many initialised bytes, which nobody writes while they are borrowed.
        unsafe { slice::from_raw_parts(self.data(), len) }
    }

    /// The bytes, to be written in place.
    #[must_use]
    pub fn as_mut_bytes(&mut self) -> &mut [u8] {
        let len = self.byte_len().as_usize();
        if len == 0 {
            return &mut [];
        }
        // SAFETY: the field's invariant: so many initialised bytes, and this value their only user, which is borrowed for as long.
        unsafe { slice::from_raw_parts_mut(self.data(), len) }
    }

    fn data(&self) -> *mut u8 {
        let array = self.array.as_ptr();
        // SAFETY: the field's invariant.
        unsafe { (*array).data }.cast()
    }

    /// An array that was just made for so many bytes, or null.
    fn made(array: *mut SafeArray, bytes: usize) -> Result<Self, CreateError> {
        match NonNull::new(array) {
            Some(array) => Ok(Self { array }),
            None => Err(CreateError::OutOfMemory(OutOfMemory { requested: bytes })),
        }
    }
}

impl Drop for ByteVector {
    fn drop(&mut self) {
        // One that is locked stays, and there is nobody to tell.
        // SAFETY: the field's invariant, and this is the array's last use.
        let _ = unsafe { vector::destroy(self.array.as_ptr()) };
    }
}

/// # Panics
///
/// If there is no memory.
impl Clone for ByteVector {
    #[track_caller]
    fn clone(&self) -> Self {
        Self::from_bytes(self.as_bytes())
    }
}

impl AsRef<[u8]> for ByteVector {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for ByteVector {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for ByteVector {}

impl fmt::Debug for ByteVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().fmt(f)
    }
}
