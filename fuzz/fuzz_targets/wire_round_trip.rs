//! Strings that are written for the wire are read as they were, by themselves, in arrays and in VARIANTs.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| olemem_fuzz::wire_round_trip(data));
