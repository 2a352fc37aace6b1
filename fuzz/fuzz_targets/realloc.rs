//! Any sequence of reallocations, also from sources within what they change, does what a naive model of it does.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| olemem_fuzz::realloc(data));
