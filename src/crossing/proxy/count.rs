//! Numbers of elements, of whatever type a method has for them.

use core::alloc::Layout;
use core::ffi::c_void;
use core::ptr::NonNull;

use allocator_api2::alloc::{Allocator, System};

/// A type of numbers of elements.
#[diagnostic::on_unimplemented(
    message = "a number of elements is an integer, and `{Self}` is none",
    label = "size_is and length_is take integers, and pointers to them as `*count`"
)]
pub trait Count: Copy + Default {
    /// How many that is: none if it is negative, and as many as can be if it is too large.
    fn saturated(self) -> u32;
}

macro_rules! count {
    ($($type:ty),*) => {$(
        impl Count for $type {
            fn saturated(self) -> u32 {
                u32::try_from(self.max(0)).unwrap_or(u32::MAX)
            }
        }
    )*};
}

count!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

/// The number behind a pointer; none if there is no number.
///
/// # Safety
///
/// * `count` is null or points to an initialised number.
pub unsafe fn number_at<C: Count>(count: *const C) -> C {
    // SAFETY: the caller's promise.
    unsafe { count.as_ref() }.copied().unwrap_or_default()
}

/// A number of the caller's, and what it is in 32 bits when the call has succeeded: until then as many as entered. That is stored where it stays, in the
/// system's memory, for the global allocator may stand on olemem.
#[derive(Debug)]
pub(super) struct Counted {
    count: *const c_void,
    read: unsafe fn(*const c_void) -> u32,
    number: NonNull<u32>,
}

const LAYOUT: Layout = Layout::new::<u32>();

/// # Safety
///
/// * `count` points to an initialised `C`.
unsafe fn read<C: Count>(count: *const c_void) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { count.cast::<C>().read() }.saturated()
}

impl Counted {
    /// `None` if there is no memory.
    pub(super) fn new<C: Count>(count: *const C, entering: u32) -> Option<Self> {
        let number = System.allocate(LAYOUT).ok()?.cast();
        // SAFETY: allocated for one.
        unsafe { number.write(entering) };
        Some(Self {
            count: count.cast(),
            read: read::<C>,
            number,
        })
    }

    /// Where the number is, for as long as this is there.
    pub(super) fn number(&self) -> *const u32 {
        self.number.as_ptr()
    }

    /// The callee has set the number.
    ///
    /// # Safety
    ///
    /// * It is still there, and initialised.
    pub(super) unsafe fn update(&self) {
        // SAFETY: the caller's promise, and of the type that it was made for.
        let count = unsafe { (self.read)(self.count) };
        // SAFETY: allocated for one.
        unsafe { self.number.write(count) };
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and nobody asks any more.
        unsafe { System.deallocate(self.number.cast(), LAYOUT) };
    }
}
