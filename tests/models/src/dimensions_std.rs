//! How large the parts of the heap are: small, so that little work reaches every corner.

/// Classes of 16, 32, 48, 64, 80 bytes, and 96, 112, 128, 144.
pub(crate) const FIRST: usize = 64;
pub(crate) const DOUBLINGS: usize = 1;
pub(crate) const SINGLE_MAX: usize = 80;

/// A slab has 16 slots of 16 bytes; the largest have three in two units.
pub(crate) const UNIT_SHIFT: u32 = 8;
pub(crate) const UNIT: usize = 1 << UNIT_SHIFT;
pub(crate) const CHUNK_UNITS: usize = 4;

pub(crate) const MAGAZINE: u32 = 4;
pub(crate) const MAGAZINE_BYTES: usize = 256;
pub(crate) const SPARE_UNITS: usize = 2;
pub(crate) const FEW_SLABS: usize = 8;
pub(crate) const SPARE_DIRTY: usize = 2;

/// Miri's addresses are low, and its tables had better be short.
pub(crate) const ADDRESS_BITS: u32 = if cfg!(miri) { 26 } else { 48 };
pub(crate) const ROOT_BITS: u32 = (ADDRESS_BITS - UNIT_SHIFT) / 2;
pub(crate) const LEAF_BITS: u32 = ADDRESS_BITS - UNIT_SHIFT - ROOT_BITS;

pub(crate) const SEATS: usize = 2;
