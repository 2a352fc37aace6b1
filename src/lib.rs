//! COM's memory for Linux and macOS: BSTR strings and the COM task allocator, byte for byte as Windows
//! lays them out.
//!
//! Windows programs in the COM style pass strings as BSTRs and all other shared memory through the task
//! allocator. Who allocates and who frees is a set of documented rules; break one, and Windows leaks or
//! corrupts in silence. olemem emulates that memory from scratch, so that such code is unit-tested
//! where there is no Windows: by hand in Rust, through the C ABI, or with the unmodified `windows` crate
//! under Miri.
//!
//! # Types
//!
//! | for | there is |
//! | --- | --- |
//! | a BSTR of one's own, of another's, in static storage | [`Bstr`], [`BstrRef`], [`bstr!`] |
//! | a value, several, a zero-terminated string in task memory | [`TaskBox`], [`TaskSlice`], [`TaskStr`] |
//! | collections in task memory | [`TaskAllocator`] |
//! | parameters that keep COM's rules | [`In`], [`Out`], [`InOut`], of any [`Resource`] |
//! | bytes as a SAFEARRAY, to and from a BSTR | [`ByteVector`] |
//! | the same as raw pointers | [`raw`] for BSTRs, [`heap`] for blocks, [`mod@array`] for SAFEARRAYs |
//! | lengths that say what they count | [`UnitLen`], [`ByteLen`] |
//! | result codes, identifiers, vtables | [`HResult`], [`Guid`], [`com`] |
//! | failing allocations, for tests | [`fault`] |
//! | what Windows keeps of freed strings | [`cache`] |
//! | a lent string that must outlast a free | [`Pinned`] |
//! | a witness of every call, as `IMallocSpy` is | module `spy`, with the feature `export` or `audit` |
//! | broken ownership rules, told as a story | module `audit`, with the feature `audit` |
//! | strings and bytes for fuzz targets | module `fuzzing`, with the feature `arbitrary` |
//! | the numbers behind it all | [`layout`] |
//!
//! # Examples
//!
//! ```
//! use olemem::{Bstr, Out};
//!
//! extern "system" fn get_status_text(text: Out<'_, Bstr>) -> olemem::HResult {
//!     text.fill(|| Ok(Bstr::try_from_str("Ready")?))
//! }
//!
//! let mut text = Bstr::new();
//! assert!(get_status_text(Out::new(&mut text)).is_success());
//! assert_eq!(text, "Ready");
//! ```
//!
//! # Parameters
//!
//! COM says who allocates and who frees by a parameter's direction. The types say it in the signature:
//!
//! | parameter | C | rule | what the type does |
//! | --- | --- | --- | --- |
//! | [`In<Bstr>`](In) | `BSTR` | the caller allocates and frees; the callee only reads (R1, R2) | lends, never frees |
//! | [`Out<Bstr>`](Out) | `BSTR*` | the callee allocates, the caller frees; null after a failure (R5, R6, R14, R15) | null until filled, null after a failure |
//! | [`InOut<Bstr>`](InOut) | `BSTR*` | the callee may replace, and then frees the old value; untouched after a failure (R8, R9, R17) | replaces and frees exactly once |
//!
//! ```
//! use olemem::{Bstr, HResult, In, InOut};
//!
//! extern "system" fn append(text: InOut<'_, Bstr>, tail: In<'_, Bstr>) -> HResult {
//!     text.update(|old| Ok(Bstr::try_concat(old.as_bstr(), tail.as_bstr())?))
//! }
//!
//! let mut text = Bstr::from("done");
//! let tail = Bstr::from("!");
//! assert_eq!(append(InOut::new(&mut text), In::new(&tail)), HResult::S_OK);
//! assert_eq!(text, "done!");
//! ```
//!
//! # The C ABI
//!
//! With the feature `export` the Windows names (module `export`) are real symbols. A Rust program that wants
//! only them must still name the crate, or the linker drops it:
//!
//! ```
//! use olemem as _;
//! ```
//!
//! # Which memory
//!
//! On Linux and macOS all of it is olemem's own. On Windows the same types sit on the system's oleaut32
//! and ole32, and there is no `export`; under Miri's Windows targets the memory is olemem's again.
//! Memory comes from [`std::alloc::System`], never from the global allocator, which may itself stand on
//! [`TaskAllocator`].
//!
//! # Bad calls
//!
//! Freeing or reallocating what is no live block is refused before anything is read or written: one line
//! on standard error, and the process is aborted. Under Miri, AddressSanitizer and Valgrind, found at the
//! first allocation, the pointer goes to the system allocator unchanged, so that the tool reports it
//! with its own stacks. (AddressSanitizer is found on Linux and macOS, Valgrind on x86-64 and aarch64
//! Linux.) AddressSanitizer is also told where a string ends in its block, so that it sees an access behind the
//! terminator; while a spy is registered it is not, nor in a session of the audit, which looks there itself. `OLEMEM=plain` or `OLEMEM=pass-through` in the environment chooses by hand, except under Miri.
//!
//! `OLEMEM=cache=windows` and `OLEMEM=cache=adversarial`, also after a comma, choose a model of the Windows
//! BSTR [`cache`], under which a second free may go unnoticed as it does there.
//!
//! A stale pointer whose address was handed out again is the start of a live block: freeing it frees that
//! block. The memory tools, which keep freed memory aside, tell the two apart.
//!
//! # Sources
//!
//! `semantics.md` with a section, `V036`, `R14`, `L5` and their like refer to `docs/semantics.md` in the
//! repository and the package: what each function does on Windows, with the evidence for it.
//!
//! # Features
//!
//! | feature | adds |
//! | --- | --- |
//! | `std` (default) | the heap and all that stands on it; without it: [`layout`], lengths, errors, [`com`], [`guid_text`], [`image`], [`wire`], [`BstrRef`] |
//! | `export` | the C ABI; spies |
//! | `audit` | sessions that watch every block and report broken rules, annotated calls (`crossing`), process mode; spies |
//! | `serde` | `Serialize` and `Deserialize` for `Bstr`, `Serialize` for `BstrRef` |
//! | `allocator-api2-04` | `TaskAllocator` for allocator-api2 0.4 as well as 0.2 |
//! | `arbitrary` | `Arbitrary` for `Bstr`, and the module `fuzzing` with more of that kind |
//! | `cli` | the command `olemem` |
#![cfg_attr(not(feature = "std"), no_std)]
// The page above speaks of the whole crate.
#![cfg_attr(not(feature = "std"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(all(feature = "audit", any(not(windows), miri)))]
pub mod audit;
mod bstr;
pub mod com;
#[cfg(all(feature = "audit", any(not(windows), miri)))]
pub mod crossing;
pub mod error;
#[cfg(all(feature = "export", any(not(windows), miri)))]
pub mod export;
#[cfg(feature = "arbitrary")]
pub mod fuzzing;
pub mod guid_text;
pub mod image;
pub mod layout;
#[cfg(feature = "std")]
mod param;
#[doc(hidden)]
#[cfg(feature = "std")]
pub mod sample;
#[cfg(feature = "std")]
mod task;
#[cfg(feature = "std")]
mod transcode;
mod units;
pub mod wire;

pub use crate::bstr::borrowed::BstrRef;
#[cfg(feature = "std")]
pub use crate::bstr::bytes::ByteVector;
#[doc(hidden)]
pub use crate::bstr::literal as __literal;
#[cfg(feature = "std")]
pub use crate::bstr::owned::Bstr;
#[cfg(all(feature = "std", any(not(windows), miri)))]
pub use crate::bstr::pinned::Pinned;
pub use crate::com::types::{Guid, HResult};
pub use crate::units::{ByteLen, UnitLen};
#[cfg(feature = "std")]
pub use crate::{
    param::{In, InOut, Out, OutSlot, Resource},
    task::allocator::TaskAllocator,
    task::owned::{TaskBox, TaskSlice},
    task::string::{StrUnit, TaskStr},
};

#[cfg(all(feature = "std", any(not(windows), miri)))]
pub use crate::bstr::cache;
#[cfg(feature = "std")]
pub use crate::task::heap;

/// Where observers attach. Not public API yet: the command's demo and the tests listen here.
#[cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]
#[doc(hidden)]
pub mod seam {
    pub use crate::task::hook::{
        BlockEvent, BstrEvent, Listener, Listening, Part, Seat, SeatTaken, listen,
    };
}

#[cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]
pub use crate::task::spy;

#[cfg(feature = "std")]
pub mod array {
    //! SAFEARRAYs as raw pointers, as far as a vector of bytes and its owner need them: what `SafeArrayCreate` and its kin do, under
    //! Rust names. [`ByteVector`](crate::ByteVector) is the safe type.
    //!
    //! | here | on Windows |
    //! | --- | --- |
    //! | [`create`] | `SafeArrayCreate` |
    //! | [`create_vector`] | `SafeArrayCreateVector` |
    //! | [`destroy`] | `SafeArrayDestroy` |
    //! | [`lock`], [`unlock`] | `SafeArrayLock`, `SafeArrayUnlock` |
    //! | [`access`], [`unaccess`] | `SafeArrayAccessData`, `SafeArrayUnaccessData` |
    //! | [`dims`], [`element_size`] | `SafeArrayGetDim`, `SafeArrayGetElemsize` |
    //! | [`lower_bound`], [`upper_bound`] | `SafeArrayGetLBound`, `SafeArrayGetUBound` |
    //! | [`element_type`] | `SafeArrayGetVartype` |
    //! | [`from_bstr`] | `VectorFromBstr` |
    //! | [`to_bstr`] | `BstrFromVector` |
    //!
    //! [`com::SafeArray`](crate::com::SafeArray) is the descriptor, and has the picture of it. Elements are numbers or BSTRs: see
    //! [`VarType::element_size`](crate::com::VarType::element_size). On Windows itself these call oleaut32, so that an array made here may be
    //! destroyed by the system, and the other way round.
    //!
    //! # Examples
    //!
    //! ```
    //! use olemem::{Bstr, ByteLen, array};
    //!
    //! let data = Bstr::from_bytes(b"odd");
    //! // SAFETY: a live BSTR.
    //! let vector = unsafe { array::from_bstr(data.as_raw()) };
    //! // SAFETY: there is memory, so an array.
    //! assert_eq!(unsafe { array::upper_bound(vector, 1) }, Ok(2));
    //! // SAFETY: as above.
    //! let copy = unsafe { array::to_bstr(vector) }?;
    //! // SAFETY: it is the caller's.
    //! assert_eq!(unsafe { Bstr::from_raw(copy) }.byte_len(), ByteLen::new(3));
    //! // SAFETY: its last use.
    //! unsafe { array::destroy(vector) }?;
    //! # Ok::<(), olemem::error::ArrayError>(())
    //! ```

    pub use crate::bstr::vector::{
        access, create, create_vector, destroy, dims, element_size, element_type, from_bstr, lock,
        lower_bound, to_bstr, unaccess, unlock, upper_bound,
    };
}

#[cfg(feature = "std")]
pub mod fault {
    //! Making allocations fail, to test what becomes of the caller.
    //!
    //! | for | there is |
    //! | --- | --- |
    //! | the next allocation, or the one after that | [`fail_nth`] |
    //! | others: by family, by size, by chance, one after another, for good | [`FaultPlan`] |
    //! | each allocation of a call in turn, judged by the audit | `audit::sweep`, with the feature `audit` |
    //! | each allocation of a program in turn | `olemem sweep`, with the feature `cli` |
    //!
    //! `docs/faults.md` in the repository and the package has all of it.

    pub use crate::task::fault::{Failing, fail_nth};
    pub use crate::task::fault_plan::FaultPlan;
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
    //! | [`concat()`] | `VarBstrCat` |
    //! | [`compare`] | `VarBstrCmp` |
    //! | `pin`, `unpin` | `SysAddRefString`, `SysReleaseString` (not on Windows itself) |
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
    #[cfg(any(not(windows), miri))]
    pub use crate::bstr::pin::{pin, unpin};
    pub use crate::bstr::raw::{
        alloc, alloc_bytes, alloc_units, byte_len, free, realloc, realloc_units, unit_len,
    };
}

/// The examples of the page on failures are tested, where there is an audit.
#[cfg(all(doctest, feature = "audit", any(not(windows), miri)))]
#[doc = include_str!("../docs/faults.md")]
struct Faults;

/// The README's Rust examples are tested, where there is an audit.
#[cfg(all(doctest, feature = "audit", any(not(windows), miri)))]
#[doc = include_str!("../README.md")]
struct Readme;
