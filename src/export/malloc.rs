//! `CoGetMalloc` and the allocator as an object.
//!
//! The object is one for the process and is never destroyed: its reference count answers 2 and 1, as
//! in Wine, and callers pair `Release` with `CoGetMalloc` all the same (`semantics.md` 3.3).

use core::ffi::c_void;
use core::ptr;

use crate::com::{
    Guid, HResult, IID_MALLOC, IID_MALLOC_SPY, IID_UNKNOWN, MEMCTX_TASK, MallocVtbl, Object,
    UnknownVtbl,
};
use crate::task::block::Family;
use crate::task::{heap, hook};

/// Identifies `IUnknown`.
#[unsafe(no_mangle)]
pub static IID_IUnknown: Guid = IID_UNKNOWN;
/// Identifies `IMalloc`.
#[unsafe(no_mangle)]
pub static IID_IMalloc: Guid = IID_MALLOC;
/// Identifies `IMallocSpy`.
#[unsafe(no_mangle)]
pub static IID_IMallocSpy: Guid = IID_MALLOC_SPY;

static MALLOC: Object<MallocVtbl> = Object {
    vtbl: &MallocVtbl {
        unknown: UnknownVtbl {
            query_interface,
            add_ref,
            release,
        },
        alloc,
        realloc,
        free,
        get_size,
        did_alloc,
        heap_minimize,
    },
};

entrance! {
    /// Stores the task allocator: `S_OK`. Any context but 1 (`MEMCTX_TASK`) stores NULL and is
    /// `E_INVALIDARG`; so is a NULL `malloc`, on which Windows crashes.
    ///
    /// *Ownership:* the caller releases the reference. Needs no `CoInitialize`. As Windows:
    /// `semantics.md` 3.2.
    ///
    /// # Safety
    ///
    /// * `malloc` is an out pointer.
    #[unsafe(no_mangle)]
    pub unsafe extern "system" fn CoGetMalloc(context: u32, malloc: *mut *mut c_void) -> HResult {
        let (found, code) = if context == MEMCTX_TASK {
            (ptr::from_ref(&MALLOC).cast_mut().cast(), HResult::S_OK)
        } else {
            (ptr::null_mut(), HResult::E_INVALIDARG)
        };
        // SAFETY: the caller's promise.
        unsafe { store("CoGetMalloc", malloc, found, code, HResult::E_INVALIDARG) }
    }
}

/// Stores and gives `code`; `null` if there is nowhere to store.
///
/// # Safety
///
/// * `out` is an out pointer.
unsafe fn store(
    function: &'static str,
    out: *mut *mut c_void,
    value: *mut c_void,
    code: HResult,
    null: HResult,
) -> HResult {
    if out.is_null() {
        hook::null_out(function);
        return null;
    }
    // SAFETY: the caller promises a writable variable, and it is not null.
    unsafe { out.write(value) };
    code
}

/// `S_OK` and the object for `IUnknown` and `IMalloc`; else `E_NOINTERFACE` and NULL, which Wine
/// forgets to store; `E_POINTER` if `out` is NULL (`semantics.md` 3.3, R48).
///
/// # Safety
///
/// * `iid` points to an identifier; `out` is an out pointer.
unsafe extern "system" fn query_interface(
    this: *mut c_void,
    iid: *const Guid,
    out: *mut *mut c_void,
) -> HResult {
    // SAFETY: the caller promises an identifier.
    let known = match unsafe { iid.as_ref() } {
        Some(iid) => [IID_UNKNOWN, IID_MALLOC].contains(iid),
        None => false,
    };
    let (found, code) = if known {
        (this, HResult::S_OK)
    } else {
        (ptr::null_mut(), HResult::E_NOINTERFACE)
    };
    // SAFETY: the caller's promise.
    unsafe {
        store(
            "IMalloc::QueryInterface",
            out,
            found,
            code,
            HResult::E_POINTER,
        )
    }
}

extern "system" fn add_ref(_: *mut c_void) -> u32 {
    2
}

extern "system" fn release(_: *mut c_void) -> u32 {
    1
}

entrance! {
    extern "system" fn alloc(_this: *mut c_void, size: usize) -> *mut c_void {
        heap::alloc(size, Family::Task).cast()
    }
}

entrance! {
    /// # Safety
    ///
    /// * As for `CoTaskMemRealloc`.
    unsafe extern "system" fn realloc(_this: *mut c_void, block: *mut c_void, size: usize) -> *mut c_void {
        // SAFETY: the caller's promise is the precondition.
        unsafe { heap::realloc(block.cast(), size, Family::Task) }.cast()
    }
}

entrance! {
    /// # Safety
    ///
    /// * As for `CoTaskMemFree`.
    unsafe extern "system" fn free(_this: *mut c_void, block: *mut c_void) {
        // SAFETY: the caller's promise is the precondition.
        unsafe { heap::free(block.cast(), Family::Task) };
    }
}

entrance! {
    /// Exactly what was asked for; -1 for NULL and for what is no block.
    extern "system" fn get_size(_this: *mut c_void, block: *mut c_void) -> usize {
        // SAFETY: where this is compiled, any address will do.
        unsafe { heap::size_of(block.cast()) }.unwrap_or(usize::MAX)
    }
}

entrance! {
    extern "system" fn did_alloc(_this: *mut c_void, block: *mut c_void) -> i32 {
        heap::did_alloc_raw(block.cast())
    }
}

extern "system" fn heap_minimize(_: *mut c_void) {
    heap::minimize();
}
