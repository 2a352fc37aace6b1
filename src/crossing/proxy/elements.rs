//! Elements, whose number another parameter says: buffers and arrays.

use core::ffi::c_void;
use core::ptr;

use super::count::{Count, Counted};
use super::judged::{Judged, of_pointer, parameter, parameter_of};
use super::types::{Pointer, Variable, Wire};
use crate::audit::Parameter;

/// The direction of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Extent {
    /// \[out\].
    Out,
    /// \[in, out\].
    InOut,
}

/// An element that need not be set, and what was planted in it.
#[derive(Debug)]
pub(super) struct Optional {
    slot: *mut *mut c_void,
    planted: *mut c_void,
}

impl Optional {
    /// It holds NULL if it was not set.
    ///
    /// # Safety
    ///
    /// * The variable is still there, and nobody else uses it.
    pub(super) unsafe fn pass(&self) {
        // SAFETY: the caller's promise; something was planted, so it is initialised.
        if unsafe { self.slot.read() } == self.planted {
            // SAFETY: the caller's promise.
            unsafe { self.slot.write(ptr::null_mut()) };
        }
    }
}

impl Judged {
    /// Declares \[in\] elements whose number the caller says. What is no resource is not looked at: the callee is given the caller's
    /// own.
    ///
    /// # Safety
    ///
    /// * `value` is null or points to as many initialised elements, which nobody writes to until the call has returned.
    pub unsafe fn elements<T: Pointer>(
        &mut self,
        name: &str,
        value: T::Raw,
        capacity: usize,
    ) -> T::Raw
    where
        T::Raw: Copy,
    {
        let start = T::address(value).cast::<*mut c_void>();
        if let Some(what) = T::Held::WHAT
            && !start.is_null()
            && self.crossing.is_watched()
        {
            for index in 0..capacity {
                let name = format!("{name}[{index}]");
                // SAFETY: within the caller's elements, and initialised.
                let element = unsafe { start.wrapping_add(index).read() };
                // SAFETY: the caller's promise.
                unsafe { self.crossing.input(parameter(what, &name), element) };
            }
        }
        value
    }

    /// Declares \[out\] or \[in, out\] elements whose number the caller says: those of a buffer, or resources.
    ///
    /// # Safety
    ///
    /// * `value` is null or points to as many elements, which nobody but the callee uses until the call has returned. Resources
    ///   are initialised if they are \[in, out\].
    /// * `count` is none, or null, or points to a number that says how many there are when the call has succeeded, and if they are
    ///   \[in, out\] before it as well.
    pub unsafe fn sized<T: Variable, C: Count>(
        &mut self,
        name: &str,
        value: T::Raw,
        direction: Extent,
        capacity: usize,
        count: Option<*const C>,
    ) -> T::Raw
    where
        T::Raw: Copy,
    {
        let start = T::address(value);
        if start.is_null() {
            return value;
        }
        let Some(what) = T::Held::WHAT else {
            let bytes = capacity.saturating_mul(size_of::<<T::Held as Wire>::Raw>());
            // SAFETY: the caller's promise.
            let given = unsafe { self.crossing.buffer(name, start.cast(), bytes) };
            // SAFETY: a pointer to as many bytes.
            return unsafe { of_pointer::<T>(given.cast()) };
        };
        if !self.crossing.is_watched() {
            return value;
        }
        let start = start.cast::<*mut c_void>();
        let has_length = count.is_some();
        let count = count.unwrap_or(ptr::null());
        if count.is_null() {
            for index in 0..capacity {
                let at = start.wrapping_add(index);
                let name = format!("{name}[{index}]");
                let parameter = parameter_of::<T::Held>(what, &name);
                match direction {
                    Extent::Out => {
                        // SAFETY: within the caller's elements.
                        unsafe { self.crossing.output(parameter, at) };
                        if has_length && self.optional.try_reserve(1).is_ok() {
                            // SAFETY: it was just written to.
                            let planted = unsafe { at.read() };
                            self.optional.push(Optional { slot: at, planted });
                        }
                    }
                    // SAFETY: within the caller's elements, and initialised.
                    Extent::InOut => unsafe { self.crossing.in_out(parameter, at) },
                }
            }
            return value;
        }
        let entering = match direction {
            // SAFETY: the caller's promise.
            Extent::InOut => unsafe { count.read() }.saturated(),
            Extent::Out => 0,
        };
        let capacity = u32::try_from(capacity).unwrap_or(u32::MAX);
        let parameter = parameter_of::<T::Held>(what, name);
        if let Some(count) = self.counted(count, entering) {
            // SAFETY: the caller's promise; the number is ours.
            unsafe {
                self.crossing
                    .array(parameter, start, capacity, entering, count)
            };
        }
        value
    }

    /// Declares an \[out\] array that the callee allocates.
    ///
    /// # Safety
    ///
    /// * As for [`output`](Self::output); `count` is null or points to a number that is the elements' when the call has
    ///   succeeded.
    pub unsafe fn output_array<T: Variable, C: Count>(
        &mut self,
        name: &str,
        value: T::Raw,
        count: *const C,
    ) -> T::Raw
    where
        T::Raw: Copy,
        T::Held: Pointer,
    {
        let slot = T::address(value).cast::<*mut c_void>();
        let what = <T::Held as Pointer>::Held::WHAT.filter(|_| !count.is_null());
        if let Some(what) = what
            && let Some(count) = self.counted(count, 0)
        {
            let parameter = parameter_of::<<T::Held as Pointer>::Held>(what, name);
            // SAFETY: the caller's promise; the number is ours.
            unsafe { self.crossing.output_array(parameter, slot, count) };
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.crossing.output(Parameter::block(name), slot) };
        }
        value
    }

    /// A number of ours that is the caller's when the call has succeeded, and as many as enter until then. `None` without memory.
    fn counted<C: Count>(&mut self, count: *const C, entering: u32) -> Option<*const u32> {
        self.counts.try_reserve(1).ok()?;
        let counted = Counted::new(count, entering)?;
        let number = counted.number();
        self.counts.push(counted);
        Some(number)
    }
}
