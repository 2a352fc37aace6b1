//! The hash of keys that are addresses.

use core::hash::{BuildHasher, Hasher};

use crate::task::table_memory::hash;

/// The hash of keys that are addresses, or complements of them, alone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scramble;

impl BuildHasher for Scramble {
    type Hasher = Scrambled;

    fn build_hasher(&self) -> Scrambled {
        Scrambled(0)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Scrambled(u64);

impl Hasher for Scrambled {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize((*byte).into());
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.0 = hash(number);
    }
}
