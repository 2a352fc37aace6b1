//! The hash of keys that are addresses, and of names.

use core::hash::{BuildHasher, Hasher};

use crate::task::table_memory::hash;

/// The hash of keys that are addresses, or complements of them, alone; and of short texts.
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
            #[expect(clippy::cast_possible_truncation, reason = "it is a hash")]
            let before = self.0 as usize;
            self.write_usize(before ^ usize::from(*byte));
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.0 = hash(number);
    }
}
