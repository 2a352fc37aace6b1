//! The heap's files, and what stands in for those that a model has its own of.

#[path = "../../../src/task/backing.rs"]
pub(crate) mod backing;
#[path = "../../../src/task/block.rs"]
pub mod block;
#[path = "../../../src/task/depot.rs"]
mod depot;
#[path = "../../../src/task/large.rs"]
mod large;
#[path = "../../../src/task/local.rs"]
pub(crate) mod local;
#[path = "../../../src/task/order.rs"]
mod order;
#[path = "../../../src/task/size_class.rs"]
mod size_class;
#[path = "../../../src/task/slab.rs"]
pub(crate) mod slab;
#[path = "../../../src/task/slab_list.rs"]
mod slab_list;
#[path = "../../../src/task/store.rs"]
pub(crate) mod store;
#[path = "../../../src/task/table_memory.rs"]
mod table_memory;
#[path = "../../../src/task/whole.rs"]
mod whole;

pub(crate) use crate::dimensions;

#[cfg(feature = "loom")]
#[path = "complain.rs"]
mod complain;
#[cfg(feature = "loom")]
#[path = "loom_registry.rs"]
mod registry;
#[cfg(feature = "loom")]
#[path = "loom_thread.rs"]
pub(crate) mod thread;
#[cfg(feature = "loom")]
mod lock {
    pub(crate) use crate::loom_primitives::Kept;
}
#[cfg(feature = "loom")]
pub(crate) mod sync {
    pub(crate) use crate::loom_primitives::{
        AtomicPtr, AtomicU32, AtomicUsize, Cell, Lock, Ordering, array, boxed, constructor, nulls,
    };
}
#[cfg(feature = "loom")]
pub(crate) mod thread_identity {
    pub(crate) use crate::loom_primitives::identity::get as identity;
}

#[cfg(not(feature = "loom"))]
#[path = "../../../src/task/complain.rs"]
mod complain;
#[cfg(not(feature = "loom"))]
#[path = "../../../src/task/lock.rs"]
mod lock;
#[cfg(not(feature = "loom"))]
#[path = "../../../src/task/registry.rs"]
mod registry;
#[cfg(not(feature = "loom"))]
#[path = "../../../src/task/sync.rs"]
mod sync;
#[cfg(not(feature = "loom"))]
#[path = "../../../src/task/thread.rs"]
mod thread;
#[cfg(not(feature = "loom"))]
#[path = "../../../src/task/thread_identity.rs"]
mod thread_identity;

/// A whole heap.
#[cfg(not(feature = "loom"))]
pub mod heap {
    pub use super::block::{DidAlloc, Family};
    pub use super::own::Heap;
}
#[cfg(not(feature = "loom"))]
#[path = "../../../src/task/heap/own.rs"]
mod own;
