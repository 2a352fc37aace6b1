//! A browser component, its sloppy twin, and an observer, by windows-core's macros. That crate compiles anywhere and has its
//! BSTR for Windows only: strings are olemem's here, and cross as what they are, pointers.
#![expect(non_snake_case, reason = "COM's names")]

use std::cell::RefCell;
use std::mem;
use std::ptr;
use std::rc::Rc;

use olemem::{Bstr, BstrRef, raw};
use windows_core::{HRESULT, IUnknown, Ref, implement, interface};

/// Whoever wants to know of a new status text.
#[interface("6f1a3b52-5c1e-4f7e-9d7a-0d6f3c0f2b21")]
pub unsafe trait IObserver: IUnknown {
    /// `[in]`.
    pub fn StatusChanged(&self, text: *mut u16) -> HRESULT;
}

/// A browser, as its clients see it.
#[interface("6f1a3b52-5c1e-4f7e-9d7a-0d6f3c0f2b22")]
pub unsafe trait IBrowser: IUnknown {
    /// `[in]`.
    pub fn put_StatusText(&self, text: *mut u16) -> HRESULT;
    /// `[out, retval]`.
    pub fn get_StatusText(&self, text: *mut *mut u16) -> HRESULT;
    /// `[in, out]`: the string becomes the status, and the former one takes its place.
    pub fn ExchangeStatusText(&self, text: *mut *mut u16) -> HRESULT;
    /// `[in]`.
    pub fn put_Observer(&self, observer: Ref<IObserver>) -> HRESULT;
}

/// S_OK.
pub const OK: HRESULT = HRESULT(0);
/// E_OUTOFMEMORY.
pub const NO_MEMORY: HRESULT = HRESULT(0x8007_000E_u32.cast_signed());

/// The component that keeps the rules.
#[implement(IBrowser)]
#[derive(Default)]
pub struct Browser {
    text: RefCell<Bstr>,
    observer: RefCell<Option<IObserver>>,
}

impl IBrowser_Impl for Browser_Impl {
    unsafe fn put_StatusText(&self, text: *mut u16) -> HRESULT {
        // SAFETY: an [in] parameter is null or a string of the caller's.
        let Ok(copy) = unsafe { BstrRef::from_raw(text) }.try_to_owned() else {
            return NO_MEMORY;
        };
        self.text.replace(copy);
        match &*self.observer.borrow() {
            // SAFETY: the string is lent on.
            Some(observer) => unsafe { observer.StatusChanged(text) },
            None => OK,
        }
    }

    unsafe fn get_StatusText(&self, text: *mut *mut u16) -> HRESULT {
        let (text_now, code) = match self.text.borrow().try_clone() {
            Ok(copy) => (copy, OK),
            Err(_) => (Bstr::new(), NO_MEMORY),
        };
        // SAFETY: an [out] parameter is a variable of the caller's.
        unsafe { text.write(text_now.into_raw().cast_mut()) };
        code
    }

    unsafe fn ExchangeStatusText(&self, text: *mut *mut u16) -> HRESULT {
        // SAFETY: an [in, out] parameter is a variable of the caller's with a string, or null.
        let new = unsafe { text.read() };
        // SAFETY: as above. From here on the string is the component's, and the one that it has is the caller's.
        let new = unsafe { Bstr::from_raw(new) };
        let former = self.text.replace(new);
        // SAFETY: as above.
        unsafe { text.write(former.into_raw().cast_mut()) };
        OK
    }

    unsafe fn put_Observer(&self, observer: Ref<IObserver>) -> HRESULT {
        self.observer.replace(observer.cloned());
        OK
    }
}

/// One that breaks a rule in each method. Where a session watches it no harm is done.
#[implement(IBrowser)]
pub struct Sloppy;

impl IBrowser_Impl for Sloppy_Impl {
    unsafe fn put_StatusText(&self, text: *mut u16) -> HRESULT {
        // SAFETY: none: the string is the caller's. The audit swallows it.
        unsafe { raw::free(text) };
        OK
    }

    unsafe fn get_StatusText(&self, text: *mut *mut u16) -> HRESULT {
        // SAFETY: the caller's variable.
        unsafe { text.write(Bstr::from("and a failure").into_raw().cast_mut()) };
        NO_MEMORY
    }

    unsafe fn ExchangeStatusText(&self, text: *mut *mut u16) -> HRESULT {
        // SAFETY: the caller's variable; what was in it is lost.
        unsafe { text.write(ptr::null_mut()) };
        OK
    }

    unsafe fn put_Observer(&self, observer: Ref<IObserver>) -> HRESULT {
        // A reference that nobody will give back.
        mem::forget(observer.cloned());
        OK
    }
}

/// An observer that keeps copies of what it is told.
#[implement(IObserver)]
pub struct Observer {
    told: Rc<RefCell<Vec<Bstr>>>,
}

impl Observer {
    /// One that tells by a list that it shares.
    pub fn create(told: &Rc<RefCell<Vec<Bstr>>>) -> IObserver {
        let told = Rc::clone(told);
        Self { told }.into()
    }
}

impl IObserver_Impl for Observer_Impl {
    unsafe fn StatusChanged(&self, text: *mut u16) -> HRESULT {
        // SAFETY: an [in] parameter is null or a string of the caller's.
        let text = unsafe { BstrRef::from_raw(text) };
        self.told.borrow_mut().push(text.to_owned());
        OK
    }
}
