//! `CoRegisterMallocSpy`, and an `IMallocSpy` of C's in the spy's seat.

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use std::sync::Arc;

use crate::com::{HResult, IID_MALLOC_SPY, MallocSpyVtbl, Object, UnknownVtbl};
use crate::task::block::{DidAlloc, Family};
use crate::task::hidden::Hidden;
use crate::task::seat::{Agent, Frame, Plan};
use crate::task::spy;

/// Registers a spy: `S_OK`. `E_INVALIDARG` if it is NULL or has no `IMallocSpy`; `CO_E_OBJISREG` if there
/// is one already, one whose revoke is remembered included.
///
/// *Ownership:* the object is asked for `IMallocSpy` once, and the reference that this gives is kept until
/// the spy is let go. As Windows: `semantics.md` S1 to S5, S10.
///
/// # Safety
///
/// * `spy` is an object of `IUnknown`. Its `IMallocSpy` may be called from any thread, one at a time, and
///   hands back pointers that it was given or computed from them as documented.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn CoRegisterMallocSpy(spy: *mut c_void) -> HResult {
    let Some(spy) = NonNull::new(spy) else {
        return HResult::E_INVALIDARG;
    };
    // SAFETY: the caller promises an object.
    match spy::install(|| unsafe { Spied::ask(spy.cast()) }) {
        Ok(_) => HResult::S_OK,
        Err(code) => code,
    }
}

/// Revokes the spy: `S_OK`, and its reference is given back. `CO_E_OBJNOTREG` if there is none.
///
/// `E_ACCESSDENIED` while blocks live that were allocated under the spy, or in one of its own calls: the
/// revoke is remembered, and the spy is let go with the last of them. Until then it sees every call.
///
/// As Windows: `semantics.md` S6 to S12.
#[unsafe(no_mangle)]
pub extern "system" fn CoRevokeMallocSpy() -> HResult {
    spy::revoke(None)
}

/// A spy of C's: a counted reference to its `IMallocSpy`.
struct Spied(NonNull<Object<MallocSpyVtbl>>);

// SAFETY: whoever registers a spy promises that it may be called, and let go, from any thread.
unsafe impl Send for Spied {}
// SAFETY: as above; calls come one at a time.
unsafe impl Sync for Spied {}

impl Spied {
    /// The `IMallocSpy` of an object, if it has one.
    ///
    /// # Safety
    ///
    /// * `object` is a COM object. Its `IMallocSpy`, if it has one, may be called from any thread.
    unsafe fn ask(object: NonNull<Object<UnknownVtbl>>) -> Option<Arc<dyn Agent>> {
        // SAFETY: the caller promises an object.
        let vtbl = unsafe { object.as_ref() }.vtbl;
        let iid = IID_MALLOC_SPY;
        let mut found = ptr::null_mut();
        // SAFETY: a call of its own object; the variables are this frame's.
        let code = unsafe {
            (vtbl.query_interface)(object.as_ptr().cast(), &raw const iid, &raw mut found)
        };
        let found = NonNull::new(found).filter(|_| code.is_success())?;
        Some(Arc::new(Self(found.cast())))
    }

    fn this(&self) -> *mut c_void {
        self.0.as_ptr().cast()
    }

    fn vtbl(&self) -> &MallocSpyVtbl {
        // SAFETY: the object lives as long as the reference to it is held.
        unsafe { self.0.as_ref() }.vtbl
    }
}

impl Drop for Spied {
    fn drop(&mut self) {
        // SAFETY: the reference is given back once.
        unsafe { (self.vtbl().unknown.release)(self.this()) };
    }
}

/// `fSpyed`.
fn flag(spyed: Option<Frame>) -> i32 {
    i32::from(spyed.is_some())
}

/// All that is known of a block under a spy of C's.
fn plan(total: usize, size: usize, family: Family) -> Plan {
    Plan {
        total,
        frame: Frame {
            start: Hidden::NONE,
            before: 0,
            size,
            after: 0,
            family,
        },
    }
}

impl Agent for Spied {
    fn pre_alloc(&self, size: usize, family: Family) -> Plan {
        // SAFETY: a call of its own object, as documented.
        let total = unsafe { (self.vtbl().pre_alloc)(self.this(), size) };
        plan(total, size, family)
    }

    unsafe fn post_alloc(&self, actual: *mut u8, _: &mut Frame) -> *mut u8 {
        // SAFETY: as above.
        unsafe { (self.vtbl().post_alloc)(self.this(), actual.cast()) }.cast()
    }

    unsafe fn pre_free(&self, request: *mut u8, spyed: Option<Frame>) -> *mut u8 {
        // SAFETY: as above.
        unsafe { (self.vtbl().pre_free)(self.this(), request.cast(), flag(spyed)) }.cast()
    }

    fn post_free(&self, spyed: Option<Frame>) {
        // SAFETY: as above.
        unsafe { (self.vtbl().post_free)(self.this(), flag(spyed)) };
    }

    unsafe fn pre_realloc(
        &self,
        request: *mut u8,
        size: usize,
        family: Family,
        spyed: Option<Frame>,
    ) -> (Plan, *mut u8) {
        // A spy must store a pointer; one that forgets has changed nothing.
        let mut actual = request.cast();
        // SAFETY: as above; the variable is this frame's.
        let total = unsafe {
            (self.vtbl().pre_realloc)(
                self.this(),
                request.cast(),
                size,
                &raw mut actual,
                flag(spyed),
            )
        };
        (plan(total, size, family), actual.cast())
    }

    unsafe fn post_realloc(&self, actual: *mut u8, _: &mut Frame, spyed: Option<Frame>) -> *mut u8 {
        // What came of it is spyed from now on (V173). Without a block it is the old one that is spoken of.
        let flag = i32::from(!actual.is_null() || spyed.is_some());
        // SAFETY: as above.
        unsafe { (self.vtbl().post_realloc)(self.this(), actual.cast(), flag) }.cast()
    }

    fn pre_get_size(&self, request: *mut u8, spyed: Option<Frame>) -> *mut u8 {
        // SAFETY: as above.
        unsafe { (self.vtbl().pre_get_size)(self.this(), request.cast(), flag(spyed)) }.cast()
    }

    fn post_get_size(&self, actual: Option<usize>, spyed: Option<Frame>) -> Option<usize> {
        let actual = actual.unwrap_or(usize::MAX);
        // SAFETY: as above.
        let size = unsafe { (self.vtbl().post_get_size)(self.this(), actual, flag(spyed)) };
        Some(size).filter(|size| *size != usize::MAX)
    }

    fn pre_did_alloc(&self, request: *mut u8, spyed: Option<Frame>) -> *mut u8 {
        // SAFETY: as above.
        unsafe { (self.vtbl().pre_did_alloc)(self.this(), request.cast(), flag(spyed)) }.cast()
    }

    fn post_did_alloc(&self, request: *mut u8, spyed: Option<Frame>, actual: DidAlloc) -> i32 {
        // SAFETY: as above.
        unsafe {
            (self.vtbl().post_did_alloc)(self.this(), request.cast(), flag(spyed), actual.as_raw())
        }
    }

    fn pre_heap_minimize(&self) {
        // SAFETY: as above.
        unsafe { (self.vtbl().pre_heap_minimize)(self.this()) };
    }

    fn post_heap_minimize(&self) {
        // SAFETY: as above.
        unsafe { (self.vtbl().post_heap_minimize)(self.this()) };
    }
}
