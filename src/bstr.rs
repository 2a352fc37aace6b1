//! BSTR: raw operations on pointers, and the safe types over them.
//!
//! ```text
//!  prefix ← raw ← borrowed ← owned ← convert, traits        compare stands beside owned, over raw
//! ```

pub(crate) mod borrowed;
#[cfg(feature = "std")]
pub(crate) mod compare;
#[cfg(feature = "std")]
mod convert;
#[doc(hidden)]
pub mod literal;
#[cfg(feature = "std")]
pub(crate) mod owned;
mod prefix;
#[cfg(feature = "std")]
pub(crate) mod raw;
mod traits;
