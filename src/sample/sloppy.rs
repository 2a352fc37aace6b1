//! The component's sloppy twin: as good as the other one while there is memory, and wrong at each allocation that
//! fails. What a sweep is for.
//!
//! ```text
//! method               the first allocation fails           the second one fails
//! put_StatusText       frees its status and keeps it        forgets the first
//! get_StatusText       succeeds with nothing                forgets the first
//! ExchangeStatusText   frees the caller's string            forgets the first
//! ```

use core::ffi::c_void;
use core::mem;
use std::sync::{Mutex, PoisonError};

use super::{BrowserVtbl, component};
use crate::bstr::owned::Bstr;
use crate::bstr::raw;
use crate::com::{HResult, UnknownVtbl};
use crate::param::{In, InOut, Out};
use crate::sample::{add_ref, query_interface, release};
use crate::task::owned::TaskBox;

pub(super) static VTBL: BrowserVtbl = BrowserVtbl {
    unknown: UnknownVtbl {
        query_interface,
        add_ref,
        release,
    },
    put_status_text,
    get_status_text,
    exchange_status_text,
};

/// Frees a string that somebody else goes on owning.
///
/// # Safety
///
/// * A session of the audit's watches the string, and swallows its second free. Nobody reads it any more.
unsafe fn free_of_others(text: &Bstr) {
    let text = text.as_bstr().as_raw().cast_mut();
    // SAFETY: the string is live, and the caller's promise is for what comes after.
    unsafe { raw::free(text) };
}

/// What was forgotten. The audit goes by what was freed; a leak checker, which goes by what can be reached, is to find
/// no leaks in tests.
static FORGOTTEN: Mutex<Vec<Bstr>> = Mutex::new(Vec::new());

/// Forgets a string.
fn forget(text: Bstr) {
    let mut forgotten = FORGOTTEN.lock().unwrap_or_else(PoisonError::into_inner);
    forgotten.push(text);
}

/// A note of the call, which every method makes and throws away.
fn note() -> Option<TaskBox<u32>> {
    TaskBox::try_new(1).ok()
}

unsafe extern "system" fn put_status_text(this: *mut c_void, text: In<'_, Bstr>) -> HResult {
    // SAFETY: the caller holds a reference to this component.
    let component = unsafe { component(this) };
    let Ok(copy) = text.try_clone() else {
        // SAFETY: what a sweep makes fail, its session watches; the destructor frees without reading.
        unsafe { free_of_others(&component.text()) };
        return HResult::E_OUTOFMEMORY;
    };
    let Some(_note) = note() else {
        forget(copy);
        return HResult::E_OUTOFMEMORY;
    };
    *component.text() = copy;
    HResult::S_OK
}

unsafe extern "system" fn get_status_text(this: *mut c_void, text: Out<'_, Bstr>) -> HResult {
    // SAFETY: the caller holds a reference to this component.
    let component = unsafe { component(this) };
    text.fill(|| {
        let Ok(copy) = component.text().try_clone() else {
            return Ok(Bstr::new());
        };
        let Some(_note) = note() else {
            forget(copy);
            return Err(HResult::E_OUTOFMEMORY);
        };
        Ok(copy)
    })
}

unsafe extern "system" fn exchange_status_text(
    this: *mut c_void,
    text: InOut<'_, Bstr>,
) -> HResult {
    // SAFETY: the caller holds a reference to this component.
    let component = unsafe { component(this) };
    text.update(|old| {
        let Ok(copy) = old.try_clone() else {
            // SAFETY: as above; the caller frees without reading.
            unsafe { free_of_others(old) };
            return Err(HResult::E_OUTOFMEMORY);
        };
        let Some(_note) = note() else {
            forget(copy);
            return Err(HResult::E_OUTOFMEMORY);
        };
        Ok(mem::replace(&mut *component.text(), copy))
    })
}
