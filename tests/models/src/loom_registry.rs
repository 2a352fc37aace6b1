//! The registry, for addresses that start with the model's memory.

#[path = "../../../src/task/registry.rs"]
mod real;

use crate::task::slab::Slab;

pub(crate) struct Registry(real::Registry);

impl Registry {
    pub(crate) fn new() -> Self {
        Self(real::Registry::new())
    }

    pub(crate) fn get(&self, address: usize) -> Option<&'static Slab> {
        self.0.get(address.wrapping_sub(crate::backing::base()))
    }

    pub(crate) fn reserve(&self, address: usize, units: usize) -> bool {
        self.0.reserve(address - crate::backing::base(), units)
    }

    pub(crate) fn set(&self, address: usize, units: usize, slab: Option<&'static Slab>) {
        self.0.set(address - crate::backing::base(), units, slab);
    }
}
