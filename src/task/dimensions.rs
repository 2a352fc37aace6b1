//! How large the parts of the heap are. Models of it compile with smaller ones.

/// From this size on, classes are no more 16 bytes apart.
pub(crate) const FIRST: usize = 256;

/// How often that doubles until the largest class.
pub(crate) const DOUBLINGS: usize = 7;

/// The largest slot of which a slab of one unit has three at least, and some to spare.
pub(crate) const SINGLE_MAX: usize = 4_112;

/// Slabs start at multiples of this many bytes: `1 << UNIT_SHIFT`.
pub(crate) const UNIT_SHIFT: u32 = 16;

/// Bytes of a unit, the smallest slab.
pub(crate) const UNIT: usize = 1 << UNIT_SHIFT;

/// Units of a chunk, which is what the backing allocator is asked for: 4 MiB. An allocator may waste a unit for
/// the alignment of each.
pub(crate) const CHUNK_UNITS: usize = 64;

/// The most slots in a magazine. A power of two.
pub(crate) const MAGAZINE: u32 = 32;

/// A magazine holds no more than so many bytes, but one slot at least.
pub(crate) const MAGAZINE_BYTES: usize = 8 * 1024;

/// A thread keeps no more than so many units of slabs without any block: 256 KiB.
pub(crate) const SPARE_UNITS: usize = 4;

/// A thread with more slabs than so many does not look for those that only its magazines hold: they are few
/// beside the others.
pub(crate) const FEW_SLABS: usize = 64;

/// The depot keeps the pages of no more than so many units that no slab has: 64 MiB. A program that frees much
/// and asks for as much again would wait for the system each time.
#[cfg(target_pointer_width = "64")]
pub(crate) const SPARE_DIRTY: usize = 1024;
#[cfg(target_pointer_width = "32")]
pub(crate) const SPARE_DIRTY: usize = 256;

/// Bits of an address that the registry knows; no machine has more for a program.
#[cfg(target_pointer_width = "64")]
pub(crate) const ADDRESS_BITS: u32 = 48;
#[cfg(target_pointer_width = "32")]
pub(crate) const ADDRESS_BITS: u32 = 32;

/// Bits of an address that choose a leaf of the registry. More of them would make the heap itself larger, of
/// which the root is a part; fewer the leaves, of which a process touches a few pages.
pub(crate) const ROOT_BITS: u32 = if ADDRESS_BITS == 48 { 14 } else { 8 };

/// Bits of an address that choose a place in a leaf.
pub(crate) const LEAF_BITS: u32 = ADDRESS_BITS - UNIT_SHIFT - ROOT_BITS;

/// Places in which threads find their own part of the heap.
pub(crate) const SEATS: usize = 1024;
