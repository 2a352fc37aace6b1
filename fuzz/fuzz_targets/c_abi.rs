//! Any sequence of calls of the C functions does what a naive model of it does.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| olemem_fuzz::c_abi(data));
