//! COM's memory for Linux and macOS.
#![cfg_attr(not(feature = "std"), no_std)]

mod bstr;
pub mod com;
pub mod error;
#[cfg(all(feature = "export", any(not(windows), miri)))]
pub mod export;
pub mod guid_text;
pub mod layout;
#[cfg(feature = "std")]
pub mod param;
#[doc(hidden)]
#[cfg(feature = "std")]
pub mod sample;
#[cfg(feature = "std")]
mod task;
mod units;

pub use crate::bstr::borrowed::BstrRef;
#[doc(hidden)]
pub use crate::bstr::literal as __literal;
#[cfg(feature = "std")]
pub use crate::bstr::owned::Bstr;
pub use crate::com::{Guid, HResult};
pub use crate::units::{ByteLen, UnitLen};
#[cfg(feature = "std")]
pub use crate::{
    error::CreateError,
    param::{In, InOut, Out},
    task::allocator::TaskAllocator,
    task::owned::{TaskBox, TaskSlice, TaskStr},
};

#[cfg(feature = "std")]
pub use crate::task::heap;

/// Where observers attach. Not public API yet: the command's demo and the tests listen here.
#[cfg(all(feature = "export", any(not(windows), miri)))]
#[doc(hidden)]
pub mod seam {
    pub use crate::task::hook::{
        BlockEvent, BstrEvent, Listener, Listening, Seat, SeatTaken, listen,
    };
}

/// Making an allocation fail, to test what becomes of the caller.
#[cfg(feature = "std")]
pub mod fault {
    pub use crate::task::backing::{FailNth, fail_nth};
}

#[cfg(feature = "std")]
pub mod raw {
    //! The operations on BSTRs as raw pointers: what `SysAllocString` and its kin do, under Rust names.
    //!
    //! | here | on Windows |
    //! | --- | --- |
    //! | [`alloc`] | `SysAllocString` |
    //! | [`alloc_units`] | `SysAllocStringLen` |
    //! | [`alloc_bytes`] | `SysAllocStringByteLen` |
    //! | [`realloc`] | `SysReAllocString` |
    //! | [`realloc_units`] | `SysReAllocStringLen` |
    //! | [`free`] | `SysFreeString` |
    //! | [`unit_len`], [`byte_len`] | `SysStringLen`, `SysStringByteLen` |
    //! | [`concat`](crate::raw::concat) | `VarBstrCat` |
    //! | [`compare`](crate::raw::compare) | `VarBstrCmp` |
    //!
    //! A null BSTR is the empty string wherever one is read. On Windows itself these call oleaut32, so
    //! that a string made here may be freed by the system, and the other way round.
    //!
    //! # Examples
    //!
    //! ```
    //! use olemem::{UnitLen, raw};
    //!
    //! let text = [0x4F_u16, 0x4C, 0x45];
    //! // SAFETY: the source holds three units.
    //! let bstr = unsafe { raw::alloc_units(text.as_ptr(), UnitLen::new(3)) };
    //! assert!(!bstr.is_null());
    //! // SAFETY: `bstr` is live.
    //! assert_eq!(unsafe { raw::byte_len(bstr) }.get(), 6);
    //! // SAFETY: `bstr` is live, and this is its last use.
    //! unsafe { raw::free(bstr) };
    //! ```

    pub use crate::bstr::compare::{IGNORE_CASE, compare, concat};
    pub use crate::bstr::raw::{
        alloc, alloc_bytes, alloc_units, byte_len, free, realloc, realloc_units, unit_len,
    };
}
