//! Any sequence of operations does what a naive model of it does. AddressSanitizer watches, and the heap passes every
//! block through to it; with `OLEMEM=plain` the blocks are the heap's own.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| olemem_fuzz::operations(data));
