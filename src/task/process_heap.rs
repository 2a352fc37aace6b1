//! The heap of the process: the one that the doors lead to.
#![forbid(unsafe_code)]

use crate::task::backing::Backing;
use crate::task::store::Store;

/// The heap of the doors.
pub(crate) static HEAP: Store = Store::new(Backing::system());
