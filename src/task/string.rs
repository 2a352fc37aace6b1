//! `TaskStr`: an owner of a zero-terminated string in task memory.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::mem::forget;
use core::ptr::NonNull;
use core::slice;
use core::str::FromStr;

use crate::error::{InteriorNul, StrError};
use crate::task::owned::{TaskSlice, expect, free};
#[cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]
use crate::task::{
    caller::Caller,
    hook,
    mode::{self, Mode},
};

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for u16 {}
}

/// The unit of a zero-terminated string: `u16` for `LPWSTR`, `u8` for `LPSTR`.
pub trait StrUnit: sealed::Sealed + Copy + Eq + Ord + Hash + 'static {
    /// The terminator.
    const NUL: Self;

    /// The units of a text.
    fn encode(text: &str) -> impl Iterator<Item = Self> + Clone + '_;

    /// The text of units, U+FFFD for what is none.
    fn decode_lossy(units: &[Self]) -> String;
}

impl StrUnit for u16 {
    const NUL: Self = 0;

    fn encode(text: &str) -> impl Iterator<Item = Self> + Clone + '_ {
        text.encode_utf16()
    }

    fn decode_lossy(units: &[Self]) -> String {
        String::from_utf16_lossy(units)
    }
}

/// UTF-8, which is olemem's ANSI code page.
impl StrUnit for u8 {
    const NUL: Self = 0;

    fn encode(text: &str) -> impl Iterator<Item = Self> + Clone + '_ {
        text.bytes()
    }

    fn decode_lossy(units: &[Self]) -> String {
        String::from_utf8_lossy(units).into_owned()
    }
}

/// Units before the first zero.
///
/// # Safety
///
/// * `source` is aligned and readable up to and including a zero unit.
pub(crate) unsafe fn terminated_len<U: StrUnit>(source: *const U) -> usize {
    let mut len = 0;
    loop {
        // SAFETY: no zero was seen before this unit, so it is readable and its offset is in bounds.
        let at = unsafe { source.add(len) };
        // SAFETY: as above.
        if unsafe { at.read() } == U::NUL {
            return len;
        }
        len += 1;
    }
}

/// As [`terminated_len`], of what a caller gave for a string. Where somebody watches, what is freed counts as empty, and no
/// more is read than the block holds that it lies in: both are told.
///
/// # Safety
///
/// * As for [`terminated_len`].
#[cfg(any(not(windows), miri))]
#[track_caller]
pub(crate) unsafe fn source_len<U: StrUnit>(source: *const U) -> usize {
    #[cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]
    if !mode::is_quiet()
        && mode::get().has(Mode::LISTENED)
        // SAFETY: the caller's promise, or the overseer says how far it holds.
        && let Some(len) = Caller::here().enter(|| unsafe { overseen_len(source) })
    {
        return len;
    }
    // SAFETY: the caller's promise is the precondition.
    unsafe { terminated_len(source) }
}

/// As [`source_len`], if somebody knows where the source ends at the latest, and has told if it does not.
///
/// # Safety
///
/// * `source` is aligned, and readable as far as the overseer says that its block goes.
#[cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]
unsafe fn overseen_len<U: StrUnit>(source: *const U) -> Option<usize> {
    let most = hook::scanning(source.cast())? / size_of::<U>();
    for len in 0..most {
        // SAFETY: so many units are in the block from there on.
        let at = unsafe { source.add(len) };
        // SAFETY: as above.
        if unsafe { at.read() } == U::NUL {
            return Some(len);
        }
    }
    hook::is_unterminated_told(source.cast()).then_some(most)
}

/// A zero-terminated string in a task block: what COM passes as `LPWSTR`, and with `u8` as `LPSTR`.
///
/// It is never null; `Option<TaskStr>` is a nullable pointer of the same size.
///
/// *Ownership:* the value's.
///
/// # Examples
///
/// ```
/// use olemem::TaskStr;
///
/// let wide: TaskStr = TaskStr::try_from_str("name")?;
/// assert_eq!(wide.as_units_with_nul(), [0x6E, 0x61, 0x6D, 0x65, 0]);
/// assert_eq!(wide.to_string(), "name");
///
/// let narrow = TaskStr::<u8>::try_from_str("name")?;
/// assert_eq!(narrow.as_units(), b"name");
/// # Ok::<(), olemem::error::StrError>(())
/// ```
#[repr(transparent)]
pub struct TaskStr<U: StrUnit = u16> {
    /// Invariant: the start of a live task block that holds units up to a zero, used by this value
    /// alone.
    block: NonNull<U>,
    owns: PhantomData<U>,
}

// SAFETY: it owns its units as a boxed slice does, and the heap may be used from any thread.
unsafe impl<U: StrUnit> Send for TaskStr<U> {}
// SAFETY: as above.
unsafe impl<U: StrUnit> Sync for TaskStr<U> {}

impl<U: StrUnit> TaskStr<U> {
    /// A string of this text.
    ///
    /// # Errors
    ///
    /// [`StrError`] if the text holds a nul, or there is no memory.
    #[track_caller]
    pub fn try_from_str(text: &str) -> Result<Self, StrError> {
        Self::try_from_iter(U::encode(text))
    }

    /// A string of these units.
    ///
    /// # Errors
    ///
    /// [`StrError`] if one of them is zero, or there is no memory.
    #[track_caller]
    pub fn try_from_units(units: &[U]) -> Result<Self, StrError> {
        Self::try_from_iter(units.iter().copied())
    }

    #[track_caller]
    fn try_from_iter(units: impl Iterator<Item = U> + Clone) -> Result<Self, StrError> {
        let mut len = 0;
        for unit in units.clone() {
            if unit == U::NUL {
                return Err(InteriorNul { index: len }.into());
            }
            len += 1;
        }
        let mut terminated = units.chain([U::NUL]);
        let slice = TaskSlice::try_from_fn(len + 1, |_| terminated.next().unwrap_or(U::NUL))?;
        let (block, _) = TaskSlice::into_raw_parts(slice);
        // SAFETY: the block was just filled with the units and their terminator, and given away.
        Ok(unsafe { Self::from_raw(block) })
    }

    /// Takes over a string of C's.
    ///
    /// *Ownership:* the value's from now on.
    ///
    /// # Safety
    ///
    /// * `raw` is the start of a live task block that holds initialised units up to a zero, and nobody
    ///   else will use or free it.
    #[must_use]
    pub unsafe fn from_raw(raw: *mut U) -> Self {
        Self {
            // SAFETY: no block starts at null.
            block: unsafe { NonNull::new_unchecked(raw) },
            owns: PhantomData,
        }
    }

    /// Gives the string away.
    ///
    /// *Ownership:* the caller's, who frees it with [`heap::free`](crate::heap::free) or
    /// `CoTaskMemFree`.
    #[must_use = "nothing else will free the string"]
    pub fn into_raw(this: Self) -> *mut U {
        let block = this.block.as_ptr();
        forget(this);
        block
    }

    /// The pointer, for C that only reads.
    ///
    /// *Ownership:* stays here.
    #[must_use]
    pub fn as_raw(&self) -> *const U {
        self.block.as_ptr()
    }

    /// Units before the terminator. They are counted anew at each call.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_units().len()
    }

    /// Whether the terminator comes first.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The units before the terminator.
    #[must_use]
    pub fn as_units(&self) -> &[U] {
        let with_nul = self.as_units_with_nul();
        &with_nul[..with_nul.len() - 1]
    }

    /// The units and the terminator.
    #[must_use]
    pub fn as_units_with_nul(&self) -> &[U] {
        // SAFETY: the field's invariant.
        let len = unsafe { terminated_len(self.as_raw()) };
        // SAFETY: so many units were just read, and the terminator.
        unsafe { slice::from_raw_parts(self.as_raw(), len + 1) }
    }

    /// The text, U+FFFD for what is none.
    #[must_use]
    pub fn to_string_lossy(&self) -> String {
        U::decode_lossy(self.as_units())
    }
}

impl TaskStr<u16> {
    /// The text.
    ///
    /// # Errors
    ///
    /// The standard library's error if there is a lone surrogate.
    pub fn try_to_string(&self) -> Result<String, std::string::FromUtf16Error> {
        String::from_utf16(self.as_units())
    }
}

impl TaskStr<u8> {
    /// The text.
    ///
    /// # Errors
    ///
    /// The standard library's error if it is not UTF-8.
    pub fn try_to_string(&self) -> Result<String, std::str::Utf8Error> {
        std::str::from_utf8(self.as_units()).map(str::to_owned)
    }
}

impl<U: StrUnit> Drop for TaskStr<U> {
    fn drop(&mut self) {
        // SAFETY: the field's invariant, and this is its last use.
        unsafe { free(self.block) };
    }
}

/// # Panics
///
/// If there is no memory.
impl<U: StrUnit> Clone for TaskStr<U> {
    #[track_caller]
    fn clone(&self) -> Self {
        expect(Self::try_from_units(self.as_units()))
    }
}

impl<U: StrUnit> fmt::Display for TaskStr<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_string_lossy())
    }
}

impl<U: StrUnit> fmt::Debug for TaskStr<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_string_lossy().fmt(f)
    }
}

impl<U: StrUnit> PartialEq for TaskStr<U> {
    fn eq(&self, other: &Self) -> bool {
        self.as_units() == other.as_units()
    }
}

impl<U: StrUnit> Eq for TaskStr<U> {}

impl<U: StrUnit> PartialOrd for TaskStr<U> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<U: StrUnit> Ord for TaskStr<U> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_units().cmp(other.as_units())
    }
}

impl<U: StrUnit> Hash for TaskStr<U> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_units().hash(state);
    }
}

impl<U: StrUnit> FromStr for TaskStr<U> {
    type Err = StrError;

    #[track_caller]
    fn from_str(text: &str) -> Result<Self, StrError> {
        Self::try_from_str(text)
    }
}

impl<U: StrUnit> PartialEq<String> for TaskStr<U> {
    fn eq(&self, text: &String) -> bool {
        self == text.as_str()
    }
}

impl<U: StrUnit> PartialEq<str> for TaskStr<U> {
    fn eq(&self, text: &str) -> bool {
        self.as_units().iter().copied().eq(U::encode(text))
    }
}

impl<U: StrUnit> PartialEq<&str> for TaskStr<U> {
    fn eq(&self, text: &&str) -> bool {
        self == *text
    }
}
