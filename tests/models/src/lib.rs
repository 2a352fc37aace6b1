//! Models of olemem's heap.
//!
//! The files of `src/task` are compiled as they are, with dimensions so small that a few calls reach every
//! corner, over the primitives of a model checker (feature `loom`) or those of the standard library, for
//! Miri.
//!
//! ```text
//!  ../../src/task/*.rs ──┬─► task       over loom's or the standard library's primitives
//!                        │     └─► scenarios (loom), whole (Miri)
//!                        └─► build.rs breaks one thing in each of several copies
//!                              └─► broken::*::scenarios: the models see it
//! ```
#![allow(
    dead_code,
    unused_imports,
    reason = "the files are whole, and a model needs some of what they hold"
)]

mod task;

#[cfg(feature = "loom")]
mod backing;
#[cfg(feature = "loom")]
#[path = "dimensions_loom.rs"]
mod dimensions;
#[cfg(feature = "loom")]
mod loom_primitives;
#[cfg(feature = "loom")]
pub mod scenarios;

/// Copies of the heap with one thing wrong in each.
#[cfg(feature = "loom")]
#[allow(warnings, clippy::all, reason = "they are wrong on purpose")]
pub mod broken {
    include!(concat!(env!("OUT_DIR"), "/broken.rs"));
}

#[cfg(not(feature = "loom"))]
#[path = "dimensions_std.rs"]
mod dimensions;
#[cfg(not(feature = "loom"))]
pub use task::heap;
