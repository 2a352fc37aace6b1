//! BSTR: raw operations on pointers, and the safe types over them.
//!
//! ```text
//!  prefix ← raw ← borrowed ← owned ← convert, traits        compare stands beside owned, over raw
//!    ▲      ▼
//!    └─ cache ← pin                                          what becomes of a freed string
//!
//!  raw ← vector;  vector, owned ← bytes                      SAFEARRAYs, and the one of bytes as a safe type
//! ```

pub(crate) mod borrowed;
#[cfg(feature = "std")]
pub(crate) mod bytes;
#[cfg(all(feature = "std", any(not(windows), miri)))]
pub mod cache;
#[cfg(feature = "std")]
pub(crate) mod compare;
#[cfg(feature = "std")]
mod convert;
#[doc(hidden)]
pub mod literal;
#[cfg(feature = "std")]
pub(crate) mod owned;
#[cfg(all(feature = "std", any(not(windows), miri)))]
pub(crate) mod pin;
#[cfg(all(feature = "std", any(not(windows), miri)))]
pub(crate) mod pinned;
mod prefix;
#[cfg(feature = "std")]
pub(crate) mod raw;
mod traits;
#[cfg(feature = "std")]
pub(crate) mod vector;
