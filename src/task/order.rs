//! Addresses in order: where the nearest block before an address starts.
//!
//! ```text
//!  rows ─┬─ a row of keys, in ascending order, none empty, each no longer than ROW
//!        ├─ the next: all of its keys are greater
//!        └─ …
//! ```
//!
//! Keys are complements of addresses, as in all tables here, so a greater key is a lower address. To put one in or take
//! one out moves no more than a row and the list of rows, which is short: at a million keys some thousands.

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;

/// Keys of a row at most. Half of it is a page.
const ROW: usize = if cfg!(miri) { 8 } else { 1024 };

/// There was no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory;

/// Keys in order.
pub(crate) struct Order<A: Allocator + 'static> {
    rows: Vec<Vec<usize, &'static A>, &'static A>,
}

impl<A: Allocator> Order<A> {
    pub(crate) fn new(backing: &'static A) -> Self {
        Self {
            rows: Vec::new_in(backing),
        }
    }

    /// The row where a key is or would be: the first whose greatest key is not less, or the last.
    fn row(&self, key: usize) -> usize {
        let is_before = |row: &Vec<usize, &'static A>| row.last().is_some_and(|last| *last < key);
        let found = self.rows.partition_point(is_before);
        found.min(self.rows.len().saturating_sub(1))
    }

    /// Puts a key in, which is not there.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], and nothing is changed.
    pub(crate) fn insert(&mut self, key: usize) -> Result<(), NoMemory> {
        let backing = *self.rows.allocator();
        let mut index = self.row(key);
        let is_full = self.rows.get(index).is_none_or(|row| row.len() == ROW);
        if is_full {
            // A row of its own, or the second half of the full one.
            let mut new = Vec::new_in(backing);
            new.try_reserve_exact(ROW).map_err(|_| NoMemory)?;
            self.rows.try_reserve(1).map_err(|_| NoMemory)?;
            if let Some(full) = self.rows.get_mut(index) {
                new.extend(full.drain(ROW / 2..));
                self.rows.insert(index + 1, new);
                index = self.row(key);
            } else {
                self.rows.push(new);
            }
        }
        let row = &mut self.rows[index];
        let at = row.partition_point(|other| *other < key);
        row.insert(at, key);
        Ok(())
    }

    /// Takes a key out, if it is there.
    pub(crate) fn remove(&mut self, key: usize) {
        let index = self.row(key);
        let Some(row) = self.rows.get_mut(index) else {
            return;
        };
        if let Ok(at) = row.binary_search(&key) {
            row.remove(at);
            if row.is_empty() {
                self.rows.remove(index);
            }
        }
    }

    /// The least key that is not less: of addresses, the nearest that is not higher.
    pub(crate) fn from(&self, key: usize) -> Option<usize> {
        let row = self.rows.get(self.row(key))?;
        let at = row.partition_point(|other| *other < key);
        row.get(at).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use allocator_api2::alloc::Global;

    use super::Order;

    /// As a set of the standard library's does, over keys that come and go in no order.
    #[test]
    fn it_is_a_set_in_order() {
        static BACKING: Global = Global;
        let (mut order, mut model) = (Order::new(&BACKING), BTreeSet::new());
        let mut state = 1_u64;
        // Rows are looked through one by one, and under Miri there are many.
        for step in 0..if cfg!(miri) { 150 } else { 200_000 } {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let key = usize::try_from(state >> 40).expect("it is small") % 20_000;
            // It grows first, and is empty at times later.
            if model.contains(&key) {
                order.remove(key);
                model.remove(&key);
            } else if step < 100_000 || state & 0x300 == 0 {
                order.insert(key).expect("there is memory");
                model.insert(key);
            } else {
                order.remove(key);
            }
            let near = key ^ 1;
            assert_eq!(order.from(near), model.range(near..).next().copied());
        }
        for key in model {
            assert_eq!(order.from(key), Some(key));
            order.remove(key);
        }
        assert_eq!(order.from(0), None);
    }
}
