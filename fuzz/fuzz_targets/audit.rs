//! A correct program is clean to the audit, whatever it does, and one with a mistake has that mistake.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| olemem_fuzz::audit(data));
