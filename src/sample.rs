//! The documentation's own example: a browser component with a status text, called through its vtable.
//! The command's demo and the tests use it.
//!
//! ```text
//! interface IBrowser : IUnknown {
//!     HRESULT put_StatusText([in] BSTR text);
//!     HRESULT get_StatusText([out, retval] BSTR* text);
//!     HRESULT ExchangeStatusText([in, out] BSTR* text);
//! }
//! ```

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bstr::owned::Bstr;
use crate::com::{Guid, HResult, IID_UNKNOWN, Object, UnknownVtbl};
use crate::param::{In, InOut, Out};

#[cfg(all(feature = "audit", any(not(windows), miri)))]
mod crossings;
#[cfg(all(feature = "export", any(not(windows), miri)))]
mod demonstration;
#[cfg(all(feature = "export", any(not(windows), miri)))]
mod journal;
#[cfg(all(feature = "audit", any(not(windows), miri)))]
mod lossy_spy;
#[cfg(all(feature = "audit", any(not(windows), miri)))]
mod mistakes;
#[cfg(all(feature = "audit", any(not(windows), miri)))]
mod sloppy;
#[cfg(all(feature = "export", any(not(windows), miri)))]
pub use demonstration::{Call, Demonstration, demonstrate};
#[cfg(all(feature = "export", any(not(windows), miri)))]
pub use journal::{Record, Turn};
#[cfg(all(feature = "audit", any(not(windows), miri)))]
pub use mistakes::{Conduct, perform};

/// Identifies `IBrowser`.
pub const IID_BROWSER: Guid = Guid::from_u128(0x5C1E1B5A_0C0E_4F0B_9B57_6F6C656D656D);

/// The vtable of `IBrowser`.
#[derive(Debug)]
#[repr(C)]
pub struct BrowserVtbl {
    /// Slots 0 to 2.
    pub unknown: UnknownVtbl,
    /// Slot 3.
    pub put_status_text: unsafe extern "system" fn(*mut c_void, In<'_, Bstr>) -> HResult,
    /// Slot 4.
    pub get_status_text: unsafe extern "system" fn(*mut c_void, Out<'_, Bstr>) -> HResult,
    /// Slot 5.
    pub exchange_status_text: unsafe extern "system" fn(*mut c_void, InOut<'_, Bstr>) -> HResult,
}

/// The component: the callee's side.
#[repr(C)]
struct Component {
    /// First, as COM has it: a pointer to the component is a pointer to this.
    object: Object<BrowserVtbl>,
    references: AtomicU32,
    text: Mutex<Bstr>,
}

static VTBL: BrowserVtbl = BrowserVtbl {
    unknown: UnknownVtbl {
        query_interface,
        add_ref,
        release,
    },
    put_status_text,
    get_status_text,
    exchange_status_text,
};

/// The component behind an interface pointer.
///
/// # Safety
///
/// * `this` is an interface pointer of a [`Component`] that lives for `'a`.
unsafe fn component<'a>(this: *mut c_void) -> &'a Component {
    // SAFETY: the caller's promise; the vtable pointer comes first.
    unsafe { &*this.cast::<Component>() }
}

impl Component {
    fn text(&self) -> MutexGuard<'_, Bstr> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

unsafe extern "system" fn query_interface(
    this: *mut c_void,
    iid: *const Guid,
    out: *mut *mut c_void,
) -> HResult {
    if out.is_null() {
        return HResult::E_POINTER;
    }
    // SAFETY: the caller passes null or an identifier.
    let known = unsafe { iid.as_ref() }.is_some_and(|iid| [IID_UNKNOWN, IID_BROWSER].contains(iid));
    let (found, code) = if known {
        // SAFETY: the caller holds a reference to this component.
        unsafe { add_ref(this) };
        (this, HResult::S_OK)
    } else {
        (ptr::null_mut(), HResult::E_NOINTERFACE)
    };
    // SAFETY: the caller passes a variable, and it is not null.
    unsafe { out.write(found) };
    code
}

unsafe extern "system" fn add_ref(this: *mut c_void) -> u32 {
    // SAFETY: the caller holds a reference to this component.
    let component = unsafe { component(this) };
    component.references.fetch_add(1, Ordering::Relaxed) + 1
}

unsafe extern "system" fn release(this: *mut c_void) -> u32 {
    // SAFETY: the caller holds a reference to this component, and gives it up.
    let left = unsafe { component(this) }
        .references
        .fetch_sub(1, Ordering::AcqRel)
        - 1;
    if left == 0 {
        // SAFETY: `Browser::new` leaked it from a box, and the last reference is gone.
        drop(unsafe { Box::from_raw(this.cast::<Component>()) });
    }
    left
}

/// \[in\]: the caller's string is only read; to keep it, it is copied (R12).
unsafe extern "system" fn put_status_text(this: *mut c_void, text: In<'_, Bstr>) -> HResult {
    // SAFETY: the caller holds a reference to this component.
    let component = unsafe { component(this) };
    match text.try_clone() {
        Ok(copy) => {
            *component.text() = copy;
            HResult::S_OK
        }
        Err(error) => error.into(),
    }
}

/// \[out\]: the caller is given a copy to free (R5, R13), or null and a failure (R14).
unsafe extern "system" fn get_status_text(this: *mut c_void, text: Out<'_, Bstr>) -> HResult {
    // SAFETY: the caller holds a reference to this component.
    let component = unsafe { component(this) };
    text.fill(|| Ok(component.text().try_clone()?))
}

/// \[in,out\]: the caller's string becomes the status, and the former status takes its place; the
/// caller's old string is freed (R8, R9), or untouched after a failure (R17).
unsafe extern "system" fn exchange_status_text(
    this: *mut c_void,
    text: InOut<'_, Bstr>,
) -> HResult {
    // SAFETY: the caller holds a reference to this component.
    let component = unsafe { component(this) };
    text.update(|old| {
        let copy = old.try_clone()?;
        Ok(core::mem::replace(&mut *component.text(), copy))
    })
}

/// A reference to a browser component: the caller's side. Every call goes through the vtable.
#[derive(Debug)]
pub struct Browser {
    /// Invariant: an interface pointer that this value holds a reference to.
    this: NonNull<Object<BrowserVtbl>>,
}

impl Browser {
    /// A component whose status text is null.
    #[must_use]
    pub fn new() -> Self {
        Self::with(&VTBL)
    }

    /// The same from its sloppy twin, which is wrong at each allocation that fails.
    ///
    /// # Safety
    ///
    /// * A session of the audit's watches every call, and what is done with a string after a failing one is freeing
    ///   it at most.
    #[cfg(all(feature = "audit", any(not(windows), miri)))]
    #[must_use]
    pub unsafe fn sloppy() -> Self {
        Self::with(&sloppy::VTBL)
    }

    fn with(vtbl: &'static BrowserVtbl) -> Self {
        let component = Box::new(Component {
            object: Object { vtbl },
            references: AtomicU32::new(1),
            text: Mutex::new(Bstr::new()),
        });
        Self {
            this: NonNull::from(Box::leak(component)).cast(),
        }
    }

    /// The interface pointer, for C.
    ///
    /// *Ownership:* stays here.
    #[must_use]
    pub fn as_raw(&self) -> *mut c_void {
        self.this.as_ptr().cast()
    }

    fn vtbl(&self) -> &'static BrowserVtbl {
        // SAFETY: the field's invariant.
        unsafe { self.this.as_ref() }.vtbl
    }

    /// `IBrowser::put_StatusText`.
    pub fn put_status_text(&self, text: In<'_, Bstr>) -> HResult {
        // SAFETY: the field's invariant; the parameter's type keeps the rest.
        unsafe { (self.vtbl().put_status_text)(self.as_raw(), text) }
    }

    /// `IBrowser::get_StatusText`.
    pub fn get_status_text(&self, text: Out<'_, Bstr>) -> HResult {
        // SAFETY: as above.
        unsafe { (self.vtbl().get_status_text)(self.as_raw(), text) }
    }

    /// `IBrowser::ExchangeStatusText`.
    pub fn exchange_status_text(&self, text: InOut<'_, Bstr>) -> HResult {
        // SAFETY: as above.
        unsafe { (self.vtbl().exchange_status_text)(self.as_raw(), text) }
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // SAFETY: the field's invariant: this value's own reference is given up.
        unsafe { (self.vtbl().unknown.release)(self.as_raw()) };
    }
}
