//! The laws of olemem's own tests as fuzz targets try them: what breaks one ends the process, and is a finding.
//!
//! Nothing is written here but who is called: the laws are those of `tests/laws`, which `cargo test` tries with
//! quickcheck, on stable Rust, along with all the inputs in `seeds`.

// The laws hold more than a fuzzer needs: quickcheck's ways of making things smaller, what tests alone ask.
#![allow(dead_code)]

#[path = "../../tests/laws/c_abi.rs"]
mod c_abi;
#[path = "../../tests/laws/image.rs"]
mod image_law;
#[path = "../../tests/laws/inputs.rs"]
mod inputs;
#[path = "../../tests/laws/overlap.rs"]
mod overlap;
#[path = "../../tests/laws/programs.rs"]
mod programs;
#[path = "../../tests/laws/raw.rs"]
mod raw_law;
#[path = "../../tests/laws/safe.rs"]
mod safe_law;
/// The example of `docs/fuzzing.md`.
#[path = "../../tests/laws/setting.rs"]
pub mod setting;
#[path = "../../tests/laws/steps.rs"]
mod steps;
#[path = "../../tests/audit/support.rs"]
mod support;
#[path = "../../tests/laws/wire.rs"]
mod wire_law;

/// Declares what each target calls.
macro_rules! targets {
    ($($(#[$doc:meta])* $name:ident: $law:path;)*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        ///
        /// If the law is broken.
        pub fn $name(data: &[u8]) {
            if let Err(error) = $law(data) {
                panic!("{error}");
            }
        }
    )*};
}

targets! {
    /// Images of BSTRs and dumps of memory, against a naive reader.
    image: image_law::input;
    /// Bytes from the wire: strings, arrays, VARIANTs, against a naive reader.
    wire_decode: wire_law::decode_input;
    /// Strings that go over the wire and come back.
    wire_round_trip: wire_law::round_trip_input;
    /// Sequences of raw and safe operations, against models.
    operations: inputs::operations;
    /// Reallocations, also from within the string that is reallocated, against a model.
    realloc: inputs::realloc;
    /// Programs that are correct, or have one mistake, judged by the audit.
    audit: programs::input;
    /// Sequences of C's calls, against a model.
    c_abi: inputs::c_abi;
}
