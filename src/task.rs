//! Task memory: the COM task allocator, and what is built on it.
//!
//! ```text
//!  string ─► owned
//!              │
//!  allocator ──┴─► heap (the doors) ─► emulated ─► table, backing     everywhere but Windows
//!                    │                 windows  ─► ole32              on Windows itself
//!                    ├─► mode (the one byte) ─► hook (who listens)
//!                    └─► spy (IMallocSpy) ─► seat (who spies, on what) ─► turn (one thread at a time)
//! ```

pub(crate) mod allocator;
#[cfg(any(not(windows), miri))]
pub(crate) mod aside;
#[cfg(any(not(windows), miri))]
mod backing;
#[cfg(all(unix, not(miri)))]
mod beginning;
pub(crate) mod block;
pub(crate) mod caller;
#[cfg(any(not(windows), miri))]
mod checker;
#[cfg(any(not(windows), miri))]
pub(crate) mod complain;
pub(crate) mod fault;
pub(crate) mod fault_plan;
#[cfg(all(unix, not(miri)))]
pub(crate) mod fork;
pub mod heap;
#[cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]
pub(crate) mod hidden;
#[cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]
pub(crate) mod hook;
#[cfg(any(not(windows), miri))]
pub(crate) mod lock;
#[cfg(any(not(windows), miri))]
pub(crate) mod mode;
pub(crate) mod owned;
#[cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]
pub(crate) mod seat;
#[cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]
pub mod spy;
pub(crate) mod string;

#[cfg(any(not(windows), miri))]
mod depot;
#[cfg(any(not(windows), miri))]
mod dimensions;
#[cfg(any(not(windows), miri))]
mod large;
#[cfg(any(not(windows), miri))]
mod local;
#[cfg(any(not(windows), miri))]
mod order;
#[cfg(any(not(windows), miri))]
mod process_heap;
#[cfg(any(not(windows), miri))]
mod registry;
#[cfg(any(not(windows), miri))]
mod size_class;
#[cfg(any(not(windows), miri))]
mod slab;
#[cfg(any(not(windows), miri))]
mod slab_list;
#[cfg(any(not(windows), miri))]
mod store;
#[cfg(any(not(windows), miri))]
mod sync;
#[cfg(any(not(windows), miri))]
pub(crate) mod table_memory;
#[cfg(any(not(windows), miri))]
mod thread;
#[cfg(any(not(windows), miri))]
mod thread_identity;
#[cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]
mod turn;
#[cfg(any(not(windows), miri))]
mod whole;
