//! The heap of the process: the one that the doors lead to.
#![forbid(unsafe_code)]

use allocator_api2::alloc::System;

use crate::task::store::Store;

/// The heap of the doors.
pub(crate) static HEAP: Store = Store::new(System);
