//! A spy that loses a pointer. No safe spy can, so this one is written as C would have it, against the seat itself.

use core::ptr;
use std::sync::Arc;

use crate::task::block::{DidAlloc, Family};
use crate::task::hidden::Hidden;
use crate::task::seat::{Agent, Frame, Plan};
use crate::task::spy;

/// Asks for nothing and changes nothing, but for one thing.
struct Lossy {
    /// `PreFree` hands back what is no block.
    loses: bool,
}

/// The spy, registered.
pub(super) struct LossySpy {
    number: u64,
}

impl LossySpy {
    /// Registers it, unless there is a spy already.
    pub(super) fn register(loses: bool) -> Option<Self> {
        let number = spy::install(|| Some(Arc::new(Lossy { loses }))).ok()?;
        Some(Self { number })
    }

    /// Revokes it.
    pub(super) fn revoke(self) {
        let _ = spy::revoke(Some(self.number));
    }
}

fn plan(size: usize, family: Family) -> Plan {
    Plan {
        total: size,
        frame: Frame {
            start: Hidden::NONE,
            before: 0,
            size,
            after: 0,
            family,
        },
    }
}

impl Agent for Lossy {
    fn pre_alloc(&self, size: usize, family: Family) -> Plan {
        plan(size, family)
    }

    unsafe fn post_alloc(&self, actual: *mut u8, _: &mut Frame) -> *mut u8 {
        actual
    }

    unsafe fn pre_free(&self, request: *mut u8, _: Option<Frame>) -> *mut u8 {
        if self.loses {
            ptr::without_provenance_mut(usize::MAX - 15)
        } else {
            request
        }
    }

    fn post_free(&self, _: Option<Frame>) {}

    unsafe fn pre_realloc(
        &self,
        request: *mut u8,
        size: usize,
        family: Family,
        _: Option<Frame>,
    ) -> (Plan, *mut u8) {
        (plan(size, family), request)
    }

    unsafe fn post_realloc(&self, actual: *mut u8, _: &mut Frame, _: Option<Frame>) -> *mut u8 {
        actual
    }

    fn pre_get_size(&self, request: *mut u8, _: Option<Frame>) -> *mut u8 {
        request
    }

    fn post_get_size(&self, actual: Option<usize>, _: Option<Frame>) -> Option<usize> {
        actual
    }

    fn pre_did_alloc(&self, request: *mut u8, _: Option<Frame>) -> *mut u8 {
        request
    }

    fn post_did_alloc(&self, _: *mut u8, _: Option<Frame>, actual: DidAlloc) -> i32 {
        actual.as_raw()
    }

    fn pre_heap_minimize(&self) {}

    fn post_heap_minimize(&self) {}
}
