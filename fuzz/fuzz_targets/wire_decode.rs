//! Any bytes from the wire are read, or refused, as a naive reader does.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| olemem_fuzz::wire_decode(data));
