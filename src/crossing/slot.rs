//! The variable of an \[out\] parameter, where the caller has none.

use core::alloc::Layout;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use allocator_api2::alloc::{Allocator, System};

use crate::param::Resource;

/// A variable for a resource: null, until a callee stores something. It stays where it is when the slot is moved.
///
/// Its memory is the system's, for the global allocator may stand on olemem.
#[derive(Debug)]
pub struct Slot<T: Resource> {
    variable: NonNull<*mut c_void>,
    holds: PhantomData<T>,
}

const LAYOUT: Layout = Layout::new::<*mut c_void>();

impl<T: Resource> Slot<T> {
    /// A variable that holds null.
    ///
    /// # Panics
    ///
    /// If there is no memory.
    pub(super) fn new() -> Self {
        let Ok(memory) = System.allocate(LAYOUT) else {
            panic!("no memory for a variable");
        };
        let variable = memory.cast::<*mut c_void>();
        // SAFETY: it was just allocated for that.
        unsafe { variable.write(ptr::null_mut()) };
        Self {
            variable,
            holds: PhantomData,
        }
    }

    pub(super) fn address(&self) -> *mut *mut c_void {
        self.variable.as_ptr()
    }

    /// What is in it; null is left.
    pub(super) fn take(&mut self) -> T {
        // SAFETY: initialised; nobody uses it any more.
        let value = unsafe { self.variable.replace(ptr::null_mut()) };
        let value = &raw const value;
        // SAFETY: null, or a live resource that the caller got: the crossing leaves nothing else. It was taken out of the variable.
        unsafe { value.cast::<T>().read() }
    }
}

impl<T: Resource> Drop for Slot<T> {
    fn drop(&mut self) {
        drop(self.take());
        // SAFETY: allocated with this layout.
        unsafe { System.deallocate(self.variable.cast(), LAYOUT) };
    }
}
