//! Any bytes, taken for a BSTR in memory and for a dump with BSTRs in it, are read as a naive reader reads them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| olemem_fuzz::image(data));
