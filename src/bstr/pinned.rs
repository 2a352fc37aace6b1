//! `Pinned`: a pin that is taken back when it is dropped.

use core::fmt;
use core::ops::Deref;

use crate::bstr::borrowed::BstrRef;
use crate::bstr::pin;
use crate::error::PinError;

/// A pinned BSTR. Made by [`BstrRef::pin`].
///
/// *Ownership:* none. Dropping it takes the pin back.
pub struct Pinned<'a> {
    /// Invariant: null, or one of its pins is this value's.
    text: BstrRef<'a>,
}

impl<'a> BstrRef<'a> {
    /// Pins the string until the guard is dropped: should somebody free it meanwhile against the rules, its
    /// memory stays.
    ///
    /// For a callee that passes control to code it does not trust while it uses a string that it was
    /// lent. Null is pinned by doing nothing. Source: `SysAddRefString`, `semantics.md` 2.9. Not on Windows
    /// itself, where the function is not part of every version.
    ///
    /// # Errors
    ///
    /// [`PinError::NotABstr`] for what the allocator did not make, such as a literal;
    /// [`PinError::OutOfMemory`] if the pin cannot be recorded.
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::{Bstr, HResult, In, raw};
    ///
    /// extern "system" fn run(script: In<'_, Bstr>, callback: extern "system" fn(*const u16)) -> HResult {
    ///     let script = match script.as_bstr().pin() {
    ///         Ok(script) => script,
    ///         Err(error) => return error.into(),
    ///     };
    ///     callback(script.as_raw());
    ///     assert_eq!(*script, "1 + 1");
    ///     HResult::S_OK
    /// }
    ///
    /// extern "system" fn harmless(_: *const u16) {}
    ///
    /// let script = Bstr::from("1 + 1");
    /// assert_eq!(run(In::new(&script), harmless), HResult::S_OK);
    /// ```
    #[track_caller]
    pub fn pin(self) -> Result<Pinned<'a>, PinError> {
        pin::pin(self.as_raw())?;
        Ok(Pinned { text: self })
    }
}

impl<'a> Pinned<'a> {
    /// The string itself.
    #[must_use]
    pub fn as_bstr(&self) -> BstrRef<'a> {
        self.text
    }
}

impl<'a> Deref for Pinned<'a> {
    type Target = BstrRef<'a>;

    fn deref(&self) -> &BstrRef<'a> {
        &self.text
    }
}

impl fmt::Debug for Pinned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pinned").field(&self.text).finish()
    }
}

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        // SAFETY: the pin is this value's. Should the string have been freed, it lived for as long as this
        // value only, and this was its last use.
        unsafe { pin::unpin(self.text.as_raw()) };
    }
}
