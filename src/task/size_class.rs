//! Size classes: which slots a block fits.
//!
//! ```text
//!  16  32  48  …  272      every 16 bytes: 17 classes
//!  336 400 464 528         then four a doubling, each 16 bytes above the round number:
//!  656 784 912 1040        a BSTR of 2^k units needs 2^(k+1) bytes and ten more
//!  …           32784
//! ```
#![forbid(unsafe_code)]

use static_assertions::const_assert_eq;

use crate::task::dimensions::{DOUBLINGS, FIRST, MAGAZINE, MAGAZINE_BYTES, SINGLE_MAX, UNIT};

/// Number of classes.
pub(crate) const CLASSES: usize = LINEAR + 4 * DOUBLINGS;

/// The largest block that a slot holds.
pub(crate) const SMALL_MAX: usize = slot_size(CLASSES - 1);

/// Classes that are 16 bytes apart.
const LINEAR: usize = (FIRST + EXTRA) / 16;
/// What the other classes have above the round number.
const EXTRA: usize = 16;

const_assert_eq!(slot_size(LINEAR - 1), FIRST + EXTRA);

/// Bytes of a slot.
pub(crate) const fn slot_size(class: usize) -> usize {
    if class < LINEAR {
        16 * (class + 1)
    } else {
        let step = class - LINEAR;
        (FIRST << (step / 4)) / 4 * (5 + step % 4) + EXTRA
    }
}

/// The smallest class whose slots hold `size` bytes, which are no more than [`SMALL_MAX`].
#[inline]
pub(crate) const fn class_of(size: usize) -> usize {
    if size <= FIRST + EXTRA {
        size.saturating_sub(1) / 16
    } else {
        let above = size - EXTRA - 1;
        let doubling = above.ilog2();
        LINEAR + 4 * (doubling - FIRST.ilog2()) as usize + ((above >> (doubling - 2)) & 3)
    }
}

/// Units of a slab. The larger slots get two, so that a slab holds three at least.
pub(crate) const fn units(class: usize) -> usize {
    if slot_size(class) <= SINGLE_MAX { 1 } else { 2 }
}

/// The most slots that a slab has.
pub(crate) const MOST_SLOTS: usize = slots(0);

/// Slots of a slab.
pub(crate) const fn slots(class: usize) -> usize {
    units(class) * UNIT / slot_size(class)
}

/// The most slots of a class that a thread's magazine holds.
#[expect(clippy::cast_possible_truncation, reason = "no more than a magazine")]
pub(crate) const fn magazine(class: usize) -> u32 {
    match MAGAZINE_BYTES / slot_size(class) {
        0 => 1,
        many if many > MAGAZINE as usize => MAGAZINE,
        some => some as u32,
    }
}

/// Bytes by which the slots of a slab are moved that starts at this address: out of what they leave over.
///
/// Were they not, the first slots of all slabs would lie at the same place in a page, which is where large
/// sources of copies lie as well; and a processor that compares the low bits of addresses takes a load from the
/// one for a load of what was just stored to the other.
pub(crate) const fn shift(class: usize, address: usize) -> usize {
    const STEP: usize = 64;
    let steps = (units(class) * UNIT - slots(class) * slot_size(class)) / STEP;
    let mixed = (address / UNIT).wrapping_mul(0x9E37_79B1) >> 8;
    mixed % (steps + 1) * STEP
}

/// Division by a slot size, by one multiplication.
///
/// With `m = ceil(2^32 / d)`, `n * m` has the quotient in its upper half, and the lower half is less than `m`
/// if and only if `d` divides `n` (Lemire, Kaser, Kurz: Faster remainder by direct computation, 2019). That
/// holds wherever `s * (m * d - 2^32)` is less than `m`, where `s` is the number of slots; that is asserted below
/// for every class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divisor(u32);

impl Divisor {
    /// By the slots of a class.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "no slot is smaller than 16 bytes"
    )]
    pub(crate) const fn of(class: usize) -> Self {
        Self((1_u64 << 32).div_ceil(slot_size(class) as u64) as u32)
    }

    #[inline]
    const fn product(self, offset: usize) -> u64 {
        (offset as u64).wrapping_mul(self.0 as u64)
    }

    /// The number of the slot that starts at this offset into a slab, if one does.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the halves of the product")]
    pub(crate) const fn exact(self, offset: usize) -> Option<usize> {
        let product = self.product(offset);
        if (product as u32) < self.0 {
            Some((product >> 32) as usize)
        } else {
            None
        }
    }

    /// The number of the slot that this offset lies in.
    pub(crate) const fn within(self, offset: usize) -> usize {
        (self.product(offset) >> 32) as usize
    }

    /// Whether division by the slots of a class is exact all over a slab.
    const fn is_exact(class: usize) -> bool {
        let multiplier = Self::of(class).0 as u64;
        let excess = multiplier * slot_size(class) as u64 - (1 << 32);
        slots(class) as u64 * excess < multiplier
    }
}

const _: () = {
    let mut class = 0;
    while class < CLASSES {
        assert!(Divisor::is_exact(class));
        class += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::{
        CLASSES, Divisor, LINEAR, SMALL_MAX, UNIT, class_of, shift, slot_size, slots, units,
    };

    #[test]
    fn the_sizes_are_those_of_the_picture() {
        assert_eq!(LINEAR, 17);
        assert_eq!(slot_size(LINEAR), 336);
        assert_eq!(SMALL_MAX, 32_784);
    }

    #[test]
    fn the_smallest_slot_that_fits() {
        let step = if cfg!(miri) { 13 } else { 1 };
        for size in (0..=SMALL_MAX).step_by(step) {
            let class = class_of(size);
            assert!(slot_size(class) >= size.max(1));
            assert!(class == 0 || slot_size(class - 1) < size);
        }
    }

    #[test]
    fn moved_slots_stay_in_the_slab() {
        for class in 0..CLASSES {
            for unit in (0..200).step_by(if cfg!(miri) { 29 } else { 1 }) {
                let shift = shift(class, unit * UNIT);
                assert!(shift < UNIT && shift.is_multiple_of(16));
                assert!(shift + slots(class) * slot_size(class) <= units(class) * UNIT);
            }
        }
    }

    #[test]
    fn division_is_exact() {
        for class in 0..CLASSES {
            let (divisor, size) = (Divisor::of(class), slot_size(class));
            let step = if cfg!(miri) { 997 } else { 1 };
            for offset in (0..slots(class) * size).step_by(step) {
                assert_eq!(divisor.within(offset), offset / size);
                let expected = offset.is_multiple_of(size).then_some(offset / size);
                assert_eq!(divisor.exact(offset), expected);
            }
        }
    }

    #[test]
    fn a_slab_has_room_for_several() {
        for class in 0..CLASSES {
            assert!(slots(class) >= 3 && slots(class) <= 1 << 12);
        }
    }
}
