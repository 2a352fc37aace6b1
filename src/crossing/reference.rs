//! An owner of one reference to a COM object.

use core::ffi::c_void;
use core::fmt;
use core::ptr::NonNull;

use super::Crosses;
use crate::audit::What;
use crate::com::{Object, UnknownVtbl};
use crate::param::Resource;

/// One reference to a COM object, whose vtable is `V`: released when it is dropped, added when it is cloned.
///
/// # Examples
///
/// ```
/// use olemem::audit::{CountingObject, Session};
/// use olemem::crossing::Reference;
///
/// let session = Session::begin();
/// let site = CountingObject::unknown();
/// // SAFETY: the added reference is this one's.
/// let reference: Reference = unsafe { Reference::from_raw(site.add_ref().cast()) }.unwrap();
/// let another = reference.clone();
/// assert_eq!(site.references(), 3);
/// drop((reference, another));
/// assert_eq!(site.references(), 1);
/// drop(site);
/// session.finish().assert_clean();
/// ```
#[repr(transparent)]
pub struct Reference<V: 'static = UnknownVtbl> {
    /// Invariant: an object whose vtable begins with that of `IUnknown`, and of whose references one is this one's.
    object: NonNull<Object<V>>,
}

impl<V> Reference<V> {
    /// Of a reference that was handed over; `None` for null.
    ///
    /// # Safety
    ///
    /// * `raw` is null or an interface pointer whose vtable is a `V`, which is `repr(C)` and begins with an [`UnknownVtbl`].
    /// * One reference to it is the new owner's.
    #[must_use]
    pub unsafe fn from_raw(raw: *mut Object<V>) -> Option<Self> {
        NonNull::new(raw).map(|object| Self { object })
    }

    /// Hands the reference over.
    #[must_use]
    pub fn into_raw(this: Self) -> *mut Object<V> {
        let this = core::mem::ManuallyDrop::new(this);
        this.object.as_ptr()
    }

    /// The pointer, lent.
    #[must_use]
    pub fn as_raw(this: &Self) -> *mut Object<V> {
        this.object.as_ptr()
    }

    fn unknown(&self) -> &'static UnknownVtbl {
        let object = self.object.cast::<Object<UnknownVtbl>>();
        // SAFETY: the object is there, and its vtable begins with that of `IUnknown`.
        unsafe { object.as_ref() }.vtbl
    }

    fn this(&self) -> *mut c_void {
        self.object.as_ptr().cast()
    }
}

impl<V> Clone for Reference<V> {
    fn clone(&self) -> Self {
        // SAFETY: the object is there.
        unsafe { (self.unknown().add_ref)(self.this()) };
        Self {
            object: self.object,
        }
    }
}

impl<V> Drop for Reference<V> {
    fn drop(&mut self) {
        // SAFETY: one reference is this one's.
        unsafe { (self.unknown().release)(self.this()) };
    }
}

impl<V> fmt::Debug for Reference<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reference").field(&self.object).finish()
    }
}

// SAFETY: transparent over a `NonNull`, so the option is a nullable pointer; `Default` is `None`.
unsafe impl<V> Resource for Option<Reference<V>> {}

// SAFETY: an interface pointer.
unsafe impl<V: 'static> Crosses for Option<Reference<V>> {
    type Target = Object<V>;
    const WHAT: What = What::Interface;
}
