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

use crate::task::dimensions::{UNIT, UNIT_SHIFT};

/// Number of classes.
pub(crate) const CLASSES: usize = LINEAR + 4 * DOUBLINGS;

/// The largest block that a slot holds.
pub(crate) const SMALL_MAX: usize = slot_size(CLASSES - 1);

/// Classes that are 16 bytes apart.
const LINEAR: usize = 17;
const DOUBLINGS: usize = 7;
/// What the other classes have above the round number.
const EXTRA: usize = 16;
/// The round number that they start from.
const FIRST: usize = 256;

const_assert_eq!(slot_size(LINEAR - 1), FIRST + EXTRA);
const_assert_eq!(slot_size(LINEAR), 336);
const_assert_eq!(SMALL_MAX, 32_784);

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

/// Units of a slab. The larger slots get more, so that a slab holds seven at least.
pub(crate) const fn units(class: usize) -> usize {
    match slot_size(class) {
        0..=4_112 => 1,
        4_113..=8_208 => 2,
        _ => 4,
    }
}

/// The most slots that a slab has.
pub(crate) const MOST_SLOTS: usize = slots(0);

/// Slots of a slab.
pub(crate) const fn slots(class: usize) -> usize {
    units(class) * UNIT / slot_size(class)
}

/// Division by a slot size, by one multiplication.
///
/// With `m = ceil(2^36 / d)`, `n * m` has the quotient above its low 36 bits, and these are less than `m`
/// if and only if `d` divides `n`: for all `n` below `2^20` and `d` up to `2^16`, since 36 is no less than
/// 20 + 16 (Lemire, Kaser, Kurz: Faster remainder by direct computation, 2019).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divisor(u64);

impl Divisor {
    const SHIFT: u32 = 36;

    /// By the slots of a class; by nothing that divides anything but 0 where there is no class.
    pub(crate) const fn of(class: usize) -> Self {
        Self((1_u64 << Self::SHIFT).div_ceil(slot_size(class) as u64))
    }

    /// The number of the slot that starts at this offset into a slab, if one does. It may be one that
    /// would reach beyond the end.
    #[inline]
    pub(crate) const fn exact(self, offset: usize) -> Option<usize> {
        let product = (offset as u64).wrapping_mul(self.0);
        if product & ((1 << Self::SHIFT) - 1) < self.0 {
            Some((product >> Self::SHIFT) as usize)
        } else {
            None
        }
    }

    /// The number of the slot that this offset lies in.
    pub(crate) const fn within(self, offset: usize) -> usize {
        ((offset as u64).wrapping_mul(self.0) >> Self::SHIFT) as usize
    }
}

const_assert_eq!(UNIT_SHIFT + units(CLASSES - 1).ilog2(), 18);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_slot_that_fits() {
        for size in 0..=SMALL_MAX {
            let class = class_of(size);
            assert!(slot_size(class) >= size.max(1));
            assert!(class == 0 || slot_size(class - 1) < size);
        }
    }

    #[test]
    fn division_is_exact() {
        for class in 0..CLASSES {
            let (divisor, size) = (Divisor::of(class), slot_size(class));
            let step = if cfg!(miri) { 61 } else { 1 };
            for offset in (0..units(class) * UNIT).step_by(step) {
                assert_eq!(divisor.within(offset), offset / size);
                let expected = offset.is_multiple_of(size).then_some(offset / size);
                assert_eq!(divisor.exact(offset), expected);
            }
        }
    }

    #[test]
    fn a_slab_has_room_for_several() {
        for class in 0..CLASSES {
            assert!(slots(class) >= 7 && slots(class) <= 1 << 12);
        }
    }
}
