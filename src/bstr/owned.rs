//! `Bstr`: a BSTR of one's own.

use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr;
use core::slice;

use crate::bstr::borrowed::BstrRef;
use crate::bstr::{compare, raw};
use crate::error::{CreateError, OutOfMemory, TooLong};
use crate::layout::PointerWidth;
use crate::task::caller::Caller;
use crate::transcode::{self, Place};
use crate::units::{ByteLen, UnitLen};

/// An owned BSTR: pointer-sized, possibly null, freed when dropped.
///
/// It may be passed by value where C expects a `BSTR` to take over, and by [`as_raw`](Self::as_raw)
/// where C only reads. Everything that the `windows` crate's `BSTR` offers is here under the same
/// name and does the same; beyond that:
///
/// * Null and empty stay what they are through [`clone`](Clone::clone) and conversion, and compare
///   equal, as COM has it. Conversions of nothing (`""`, `&[]`) give null and allocate nothing;
///   [`Bstr::empty`] is the allocated empty string that `SysAllocString("")` gives.
/// * An odd number of bytes stays odd. Text operations, `len` and `is_empty` among them, see whole units.
/// * Every constructor has a fallible form, `try_…`; the convenient forms panic if there is no memory.
///
/// *Ownership:* the value's. [`into_raw`](Self::into_raw) gives it away, [`from_raw`](Self::from_raw)
/// takes it over. Source of the behaviour: `semantics.md` sections 1 and 2.
///
/// # Examples
///
/// ```
/// use olemem::{Bstr, ByteLen};
///
/// let text = Bstr::from("olé");
/// assert_eq!(text, "olé");
/// assert_eq!(text.byte_len(), ByteLen::new(6));
/// assert_eq!(text.to_string(), "olé");
///
/// let data = Bstr::from_bytes(b"abc");
/// assert_eq!(data.clone().byte_len(), ByteLen::new(3));
/// ```
#[repr(transparent)]
pub struct Bstr {
    /// Invariant: null, or a live BSTR whose counted bytes are initialised and which only this value
    /// may write or free.
    ptr: *mut u16,
}

// SAFETY: the value is the string's only owner, and the heap may be used from any thread.
unsafe impl Send for Bstr {}
// SAFETY: a shared `Bstr` is only read.
unsafe impl Sync for Bstr {}

impl Bstr {
    /// The null BSTR, which reads as the empty string. Allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ptr: ptr::null_mut(),
        }
    }

    /// An allocated string of no units: what `SysAllocString("")` gives.
    ///
    /// # Errors
    ///
    /// [`CreateError::OutOfMemory`] if there is none.
    #[track_caller]
    pub fn try_empty() -> Result<Self, CreateError> {
        Self::allocate(ByteLen::ZERO)
    }

    /// As [`try_empty`](Self::try_empty).
    ///
    /// # Panics
    ///
    /// If there is no memory.
    #[must_use]
    #[track_caller]
    pub fn empty() -> Self {
        expect(Self::try_empty())
    }

    /// A string of these units, zeros and lone surrogates included. None of them give null.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if there is no memory, or too many units for a BSTR.
    #[track_caller]
    pub fn try_from_units(units: &[u16]) -> Result<Self, CreateError> {
        Self::try_from_bytes(bytemuck::must_cast_slice(units))
            .map_err(|error| in_units(error, units.len()))
    }

    /// As [`try_from_units`](Self::try_from_units), under the `windows` crate's name.
    ///
    /// # Panics
    ///
    /// If there is no memory, or too many units for a BSTR.
    #[must_use]
    #[track_caller]
    pub fn from_wide(units: &[u16]) -> Self {
        expect(Self::try_from_units(units))
    }

    /// A string of these bytes, which may be an odd number. None of them give null.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if there is no memory, or too many bytes for a BSTR.
    #[track_caller]
    pub fn try_from_bytes(bytes: &[u8]) -> Result<Self, CreateError> {
        if bytes.is_empty() {
            return Ok(Self::new());
        }
        let len = ByteLen::try_from(bytes.len())?;
        check_len(len)?;
        // SAFETY: the slice has so many readable bytes.
        let ptr = unsafe { raw::alloc_bytes(bytes.as_ptr(), len) };
        Self::made(ptr, len)
    }

    /// As [`try_from_bytes`](Self::try_from_bytes).
    ///
    /// # Panics
    ///
    /// If there is no memory, or too many bytes for a BSTR.
    #[must_use]
    #[track_caller]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        expect(Self::try_from_bytes(bytes))
    }

    /// A string of this text. No text gives null.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if there is no memory, or the text is too long for a BSTR.
    #[track_caller]
    pub fn try_from_str(text: &str) -> Result<Self, CreateError> {
        let units = transcode::unit_len(text);
        if units == 0 {
            return Ok(Self::new());
        }
        let len = longer_by(ByteLen::ZERO, units)?;
        // SAFETY: a null source needs nothing.
        let ptr = unsafe { raw::alloc_units(ptr::null(), len.units()) };
        let bstr = Self::made(ptr, len)?;
        // SAFETY: the payload of the new string has so many units, and `bstr` is their only user. A place may be
        // undefined.
        let places = unsafe { slice::from_raw_parts_mut(ptr.cast::<Place>(), units) };
        // Every unit is written, as the field's invariant asks.
        transcode::encode(text, places);
        raw::filled(ptr);
        Ok(bstr)
    }

    /// A string of `len` zero units, to be filled in place. None of them give the allocated empty
    /// string.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if there is no memory, or `len` is too long for a BSTR.
    #[track_caller]
    pub fn try_zeroed(len: UnitLen) -> Result<Self, CreateError> {
        let bytes = len.bytes().ok_or(TooLong::units(len.as_usize()))?;
        Self::allocate(bytes).map_err(|error| in_units(error, len.as_usize()))
    }

    /// A copy: null stays null, empty stays empty, an odd byte stays.
    ///
    /// # Errors
    ///
    /// [`CreateError::OutOfMemory`] if there is none.
    #[track_caller]
    pub fn try_clone(&self) -> Result<Self, CreateError> {
        Self::try_copy(self.as_bstr())
    }

    /// The bytes of both, one after the other: `VarBstrCat`. Never null, even of two nulls.
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::{Bstr, BstrRef, bstr};
    ///
    /// let joined = Bstr::try_concat(bstr!("status: "), bstr!("done"))?;
    /// assert_eq!(joined, "status: done");
    /// assert!(!Bstr::try_concat(BstrRef::NULL, BstrRef::NULL)?.is_null());
    /// # Ok::<(), olemem::error::CreateError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`CreateError`] if there is no memory, or the sum is too long for a BSTR.
    #[track_caller]
    pub fn try_concat(left: BstrRef<'_>, right: BstrRef<'_>) -> Result<Self, CreateError> {
        let sum = left.byte_len().as_usize() + right.byte_len().as_usize();
        let len = ByteLen::try_from(sum)?;
        check_len(len)?;
        // SAFETY: two borrowed BSTRs are BSTRs.
        let ptr = unsafe { compare::concat(left.as_raw(), right.as_raw()) };
        Self::made(ptr, len)
    }

    /// Takes over a BSTR of C's.
    ///
    /// *Ownership:* the value's from now on.
    ///
    /// # Safety
    ///
    /// * `raw` is null or a live BSTR that was made by `SysAllocString` or a relative of it, through
    ///   this crate or through C, and that nobody else will free, write, or read once it is dropped.
    /// * Its counted bytes are initialised.
    #[must_use]
    pub const unsafe fn from_raw(raw: *const u16) -> Self {
        Self {
            ptr: raw.cast_mut(),
        }
    }

    /// Gives the BSTR away.
    ///
    /// *Ownership:* the caller's, who frees it with [`raw::free`] or
    /// `SysFreeString`, or by [`from_raw`](Self::from_raw).
    #[must_use = "nothing else will free the string"]
    pub fn into_raw(self) -> *const u16 {
        ManuallyDrop::new(self).ptr
    }

    /// The pointer, for C that only reads.
    ///
    /// *Ownership:* stays here.
    #[must_use]
    pub const fn as_raw(&self) -> *const u16 {
        self.ptr
    }

    /// A pointer to the text and its terminator, for C that wants a `const WCHAR*`: never null.
    #[must_use]
    pub const fn as_ptr(&self) -> *const u16 {
        self.as_bstr().as_ptr()
    }

    /// A borrower of it.
    #[must_use]
    pub const fn as_bstr(&self) -> BstrRef<'_> {
        // SAFETY: the field's invariant; the borrow keeps the owner from writing and freeing. The heap
        // gives no block of more than `isize::MAX` bytes.
        unsafe { BstrRef::from_raw(self.ptr) }
    }

    /// Whether there is no string at all. The meaning is that of the empty string.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        self.ptr.is_null()
    }

    /// Bytes, as the prefix counts them.
    #[must_use]
    pub fn byte_len(&self) -> ByteLen {
        self.as_bstr().byte_len()
    }

    /// Whole units; the odd last byte is not counted.
    #[must_use]
    pub fn unit_len(&self) -> UnitLen {
        self.as_bstr().unit_len()
    }

    /// The whole units.
    #[must_use]
    pub fn as_units(&self) -> &[u16] {
        self.as_bstr().as_units()
    }

    /// The whole units, to be written in place.
    #[must_use]
    pub fn as_mut_units(&mut self) -> &mut [u16] {
        let len = self.unit_len().as_usize();
        if len == 0 {
            return &mut [];
        }
        // SAFETY: the field's invariant: aligned, `len` initialised units, and this value their only
        // user, which is borrowed for as long.
        unsafe { slice::from_raw_parts_mut(self.ptr, len) }
    }

    /// The payload, byte by byte, an odd last one included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.as_bstr().as_bytes()
    }

    /// What `Display` prints, under the name that newer `windows` crates use.
    pub fn display(&self) -> impl core::fmt::Display + '_ {
        self.as_bstr()
    }

    /// Takes the string out and leaves null.
    #[must_use]
    pub fn take(&mut self) -> Self {
        core::mem::take(self)
    }

    /// Frees the string and leaves null.
    #[track_caller]
    pub fn clear(&mut self) {
        Caller::here().enter(|| drop(self.take()));
    }

    /// Appends text. After an error the string is as it was.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if there is no memory, or the sum is too long for a BSTR.
    #[track_caller]
    pub fn try_push_str(&mut self, text: &str) -> Result<(), CreateError> {
        let write = |places: &mut [Place]| transcode::encode(text, places);
        self.try_append(transcode::unit_len(text), write)
    }

    /// Appends units. After an error the string is as it was.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if there is no memory, or the sum is too long for a BSTR.
    #[track_caller]
    pub fn try_push_units(&mut self, units: &[u16]) -> Result<(), CreateError> {
        self.try_append(units.len(), |places| {
            for (place, unit) in places.iter_mut().zip(units) {
                place.write(unit.to_ne_bytes());
            }
        })
    }

    /// Makes room for `additional` units more, so that appending them copies nothing that is here. Text that
    /// grows step by step needs none of that: it gets room for half as much again whenever it is short of it.
    ///
    /// The length stays. Room for any at all turns null into the allocated empty string. After an error the
    /// string is as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::{Bstr, UnitLen};
    ///
    /// let mut text = Bstr::new();
    /// text.try_reserve(UnitLen::new(100))?;
    /// let address = text.as_raw();
    /// for _ in 0..100 {
    ///     text.push_str("x");
    /// }
    /// # #[cfg(not(windows))]
    /// assert_eq!(text.as_raw(), address);
    /// # Ok::<(), olemem::error::CreateError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`CreateError`] if there is no memory, or the sum is too long for a BSTR.
    #[track_caller]
    pub fn try_reserve(&mut self, additional: UnitLen) -> Result<(), CreateError> {
        if additional == UnitLen::ZERO {
            return Ok(());
        }
        let old = self.byte_len();
        let len = longer_by(old, additional.as_usize())?;
        if old.is_odd() {
            // Only whole units can be reallocated, and an odd string is none that grows by them in place.
            return Ok(());
        }
        // A block that shrinks keeps its room (V036).
        self.try_resize(len)?;
        self.try_resize(old)
    }

    /// As [`try_reserve`](Self::try_reserve).
    ///
    /// # Panics
    ///
    /// If there is no memory, or the sum is too long for a BSTR.
    #[track_caller]
    pub fn reserve(&mut self, additional: UnitLen) {
        expect(self.try_reserve(additional));
    }

    /// As [`try_push_str`](Self::try_push_str).
    ///
    /// # Panics
    ///
    /// If there is no memory, or the sum is too long for a BSTR.
    #[track_caller]
    pub fn push_str(&mut self, text: &str) {
        expect(self.try_push_str(text));
    }

    /// As [`try_push_units`](Self::try_push_units).
    ///
    /// # Panics
    ///
    /// If there is no memory, or the sum is too long for a BSTR.
    #[track_caller]
    pub fn push_units(&mut self, units: &[u16]) {
        expect(self.try_push_units(units));
    }

    /// Shortens the string to its first `len` units; its address stays. A string no longer than that
    /// is left alone.
    #[track_caller]
    pub fn truncate(&mut self, len: UnitLen) {
        if len >= self.unit_len() {
            return;
        }
        // SAFETY: the field is a live BSTR of this value's; a null source keeps the contents.
        let done = unsafe { raw::realloc_units(&raw mut self.ptr, ptr::null(), len) };
        debug_assert!(done, "shrinking needs no memory");
    }

    /// Appends `units` units, all of which `write` writes; nor does it unwind.
    #[track_caller]
    fn try_append(
        &mut self,
        units: usize,
        write: impl FnOnce(&mut [Place]),
    ) -> Result<(), CreateError> {
        if units == 0 {
            return Ok(());
        }
        let old = self.byte_len();
        let len = longer_by(old, units)?;
        if old.is_odd() {
            // Only whole units can be reallocated: a longer string takes this one's place.
            let mut longer = Self::allocate(len)?;
            longer.as_mut_bytes()[..old.as_usize()].copy_from_slice(self.as_bytes());
            *self = longer;
        } else {
            self.try_resize(len)?;
        }
        // SAFETY: the payload is `len` bytes now, of which `old` were there before.
        let tail = unsafe { self.ptr.cast::<Place>().byte_add(old.as_usize()) };
        // SAFETY: so many pairs of bytes follow, and the borrow of `self` makes them this slice's alone. A place
        // may be undefined, and at an odd address.
        let places = unsafe { slice::from_raw_parts_mut(tail, units) };
        // What the reallocation left undefined is now defined, as the field's invariant asks.
        write(places);
        raw::filled(self.ptr);
        Ok(())
    }

    /// Makes the string `len` bytes long, an even number. What comes after the old contents is undefined: the
    /// caller defines it, or makes the string as short again.
    #[track_caller]
    fn try_resize(&mut self, len: ByteLen) -> Result<(), CreateError> {
        // SAFETY: the field is a null or live BSTR of this value's; a null source keeps the contents.
        let done = unsafe { raw::realloc_units(&raw mut self.ptr, ptr::null(), len.units()) };
        if done { Ok(()) } else { Err(no_memory(len)) }
    }

    /// The payload, to be written in place.
    fn as_mut_bytes(&mut self) -> &mut [u8] {
        let len = self.byte_len().as_usize();
        if len == 0 {
            return &mut [];
        }
        // SAFETY: the field's invariant: `len` initialised bytes, and this value their only user,
        // which is borrowed for as long.
        unsafe { slice::from_raw_parts_mut(self.ptr.cast(), len) }
    }

    /// A string of `len` zero bytes; never null.
    #[track_caller]
    fn allocate(len: ByteLen) -> Result<Self, CreateError> {
        check_len(len)?;
        // SAFETY: a null source needs nothing.
        let ptr = unsafe { raw::alloc_bytes(ptr::null(), len) };
        if !ptr.is_null() {
            // SAFETY: the payload of the new string has `len` bytes. Until now they were undefined.
            unsafe { ptr.cast::<u8>().write_bytes(0, len.as_usize()) };
        }
        Self::made(ptr, len)
    }

    /// What an allocation of `len` bytes gave.
    fn made(ptr: *mut u16, len: ByteLen) -> Result<Self, CreateError> {
        if ptr.is_null() {
            Err(no_memory(len))
        } else {
            Ok(Self { ptr })
        }
    }

    /// A copy of a borrowed string.
    #[track_caller]
    fn try_copy(source: BstrRef<'_>) -> Result<Self, CreateError> {
        match source.as_bytes() {
            [] if source.is_null() => Ok(Self::new()),
            [] => Self::try_empty(),
            bytes => Self::try_from_bytes(bytes),
        }
    }
}

impl BstrRef<'_> {
    /// A copy that is the caller's own: null stays null, empty stays empty, an odd byte stays.
    ///
    /// # Errors
    ///
    /// [`CreateError::OutOfMemory`] if there is none.
    #[track_caller]
    pub fn try_to_owned(self) -> Result<Bstr, CreateError> {
        Bstr::try_copy(self)
    }

    /// As [`try_to_owned`](Self::try_to_owned).
    ///
    /// # Panics
    ///
    /// If there is no memory.
    #[must_use]
    #[track_caller]
    pub fn to_owned(self) -> Bstr {
        expect(self.try_to_owned())
    }
}

/// `units` whole units more than `len` bytes.
fn longer_by(len: ByteLen, units: usize) -> Result<ByteLen, TooLong> {
    let sum = units
        .checked_mul(2)
        .and_then(|more| more.checked_add(len.as_usize()))
        .ok_or(TooLong::units(units))?;
    ByteLen::try_from(sum)
        .and_then(|len| check_len(len).map(|()| len))
        .map_err(|_| TooLong::units(sum / 2))
}

/// A length within the limit, so that what fails after this is memory.
fn check_len(len: ByteLen) -> Result<(), TooLong> {
    match PointerWidth::NATIVE.block_size(len) {
        Some(_) => Ok(()),
        None => Err(TooLong::bytes(len.as_usize())),
    }
}

fn no_memory(len: ByteLen) -> CreateError {
    let requested = PointerWidth::NATIVE.block_size(len).unwrap_or(u32::MAX);
    CreateError::OutOfMemory(OutOfMemory {
        requested: requested as usize,
    })
}

/// A length that was asked for in units is told in units.
fn in_units(error: CreateError, units: usize) -> CreateError {
    match error {
        CreateError::TooLong(_) => TooLong::units(units).into(),
        CreateError::OutOfMemory(_) => error,
    }
}

/// The convenient form of a fallible one.
#[track_caller]
pub(super) fn expect<T>(result: Result<T, CreateError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("BSTR: {error}"),
    }
}

impl Drop for Bstr {
    fn drop(&mut self) {
        // SAFETY: the field's invariant, and this is its last use.
        unsafe { raw::free(self.ptr) };
    }
}

impl Default for Bstr {
    fn default() -> Self {
        Self::new()
    }
}

/// # Panics
///
/// If there is no memory.
impl Clone for Bstr {
    #[track_caller]
    fn clone(&self) -> Self {
        expect(self.try_clone())
    }
}

impl Deref for Bstr {
    type Target = [u16];

    fn deref(&self) -> &[u16] {
        self.as_units()
    }
}
