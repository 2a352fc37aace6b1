//! How large the parts of the heap are: as small as can be, so that every schedule can be tried.

/// Classes of 16 and 32 bytes, and no others.
pub(crate) const FIRST: usize = 16;
pub(crate) const DOUBLINGS: usize = 0;
pub(crate) const SINGLE_MAX: usize = 32;

/// A slab has four slots of 16 bytes or two of 32.
pub(crate) const UNIT_SHIFT: u32 = 6;
pub(crate) const UNIT: usize = 1 << UNIT_SHIFT;
pub(crate) const CHUNK_UNITS: usize = 2;

pub(crate) const MAGAZINE: u32 = 1;
pub(crate) const MAGAZINE_BYTES: usize = 64;
pub(crate) const SPARE_UNITS: usize = 1;
pub(crate) const FEW_SLABS: usize = 2;
pub(crate) const SPARE_DIRTY: usize = 0;

pub(crate) const ADDRESS_BITS: u32 = UNIT_SHIFT + 3;
pub(crate) const ROOT_BITS: u32 = (ADDRESS_BITS - UNIT_SHIFT) / 2;
pub(crate) const LEAF_BITS: u32 = ADDRESS_BITS - UNIT_SHIFT - ROOT_BITS;

pub(crate) const SEATS: usize = 2;
