//! The registry, for addresses that start with the model's memory.

use allocator_api2::alloc::Allocator;

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

    pub(crate) fn reserve(&self, address: usize, units: usize, backing: &impl Allocator) -> bool {
        self.0
            .reserve(address - crate::backing::base(), units, backing)
    }

    pub(crate) fn set(&self, address: usize, units: usize, slab: Option<&'static Slab>) {
        self.0.set(address - crate::backing::base(), units, slab);
    }
}
