//! The C ABI: the Windows names as real symbols.
//!
//! Nothing is decided here: each function checks a null or a range and calls the room that knows.
//! `include/olemem.h` declares every one of them, for C11 and C++17.
//!
//! # What a valid pointer is
//!
//! Said once, for all functions below:
//!
//! * A *BSTR* is null, or points behind a length prefix of four bytes to as many readable bytes as that
//!   says and a zero unit. To be freed or reallocated it must be one that olemem made and that is live.
//! * A *string* is null, or points to aligned units (or bytes) up to and including a zero.
//! * An *out pointer* is null, which gives the documented error, or points to a writable variable that
//!   nothing else uses during the call.
//! * An *array* is null, or points to a SAFEARRAY as Windows lays it out. To be destroyed it must be one that olemem made and
//!   that is live.
//! * An *object* is null, or a COM object of the interface named, which keeps COM's rules.
//! * A *block* is null, or a live block of the task allocator. A question (`GetSize`, `DidAlloc`) may be
//!   asked of any address whatever.
//!
//! # Examples
//!
//! The functions as Rust sees them; C calls them through the header.
//!
//! ```
//! use olemem::com::{MallocVtbl, Object};
//! use olemem::export::{CoGetMalloc, CoTaskMemAlloc, CoTaskMemFree};
//!
//! let mut malloc = std::ptr::null_mut();
//! // SAFETY: the variable is writable.
//! assert!(unsafe { CoGetMalloc(1, &mut malloc) }.is_success());
//! // SAFETY: the object lives as long as the process.
//! let vtbl = unsafe { (*malloc.cast::<Object<MallocVtbl>>()).vtbl };
//!
//! let block = CoTaskMemAlloc(27);
//! // SAFETY: the question may be asked of any address.
//! assert_eq!(unsafe { (vtbl.get_size)(malloc, block) }, 27);
//! // SAFETY: the block is live, and this is its last use.
//! unsafe { CoTaskMemFree(block) };
//! ```
//!
//! # Where the names exist
//!
//! The names exist off Windows, and under Miri's Windows targets. On Windows itself they are the
//! system's.

#[macro_use]
mod entrance;

#[cfg(feature = "audit")]
mod audit;
mod bstr;
#[cfg(feature = "audit")]
mod counting;
#[cfg(feature = "audit")]
mod crossing;
mod fault;
mod malloc;
mod mallocspy;
mod safearray;
mod sized;
mod strings;
mod task;
mod wire;

#[cfg(feature = "audit")]
pub use audit::{
    Counts, Report, SessionOptions, olemem_ignore, olemem_input_begin, olemem_input_end,
    olemem_report_count, olemem_report_counts, olemem_report_errors, olemem_report_is_clean,
    olemem_report_kind, olemem_report_release, olemem_report_text, olemem_report_warnings,
    olemem_session_begin, olemem_session_check, olemem_session_end, olemem_session_join,
    olemem_session_leave,
};
pub use bstr::{
    SetOaNoCache, SysAddRefString, SysAllocString, SysAllocStringByteLen, SysAllocStringLen,
    SysFreeString, SysReAllocString, SysReAllocStringLen, SysReleaseString, SysStringByteLen,
    SysStringLen, VarBstrCat, VarBstrCmp,
};
#[cfg(feature = "audit")]
pub use counting::{
    olemem_counting_known_as, olemem_counting_object, olemem_counting_references,
    olemem_counting_state,
};
#[cfg(feature = "audit")]
pub use crossing::{
    AnnotatedCall, olemem_call_abandon, olemem_call_allow, olemem_call_array, olemem_call_begin,
    olemem_call_buffer, olemem_call_end, olemem_call_end_with, olemem_call_free_bstr,
    olemem_call_in, olemem_call_inout, olemem_call_out, olemem_call_out_array, olemem_literal,
};
pub use fault::{
    FaultPlan, olemem_fault_allocations, olemem_fault_begin, olemem_fault_end,
    olemem_fault_failures,
};
pub use malloc::{CoGetMalloc, IID_IMalloc, IID_IMallocSpy, IID_IUnknown};
pub use mallocspy::{CoRegisterMallocSpy, CoRevokeMallocSpy};
pub use safearray::{
    BstrFromVector, SafeArrayAccessData, SafeArrayCreate, SafeArrayCreateVector, SafeArrayDestroy,
    SafeArrayGetDim, SafeArrayGetElemsize, SafeArrayGetLBound, SafeArrayGetUBound,
    SafeArrayGetVartype, SafeArrayLock, SafeArrayUnaccessData, SafeArrayUnlock, VectorFromBstr,
};
pub use strings::{
    ProgIDFromCLSID, SHStrDupA, SHStrDupW, StringFromCLSID, StringFromGUID2, StringFromIID,
};
pub use task::{CoTaskMemAlloc, CoTaskMemFree, CoTaskMemRealloc};
pub use wire::{
    BSTR_UserFree, BSTR_UserFree64, BSTR_UserMarshal, BSTR_UserMarshal64, BSTR_UserSize,
    BSTR_UserSize64, BSTR_UserUnmarshal, BSTR_UserUnmarshal64, olemem_bstr_marshal,
    olemem_bstr_unmarshal,
};
