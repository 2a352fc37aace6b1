//! `TaskBox`, `TaskSlice`: owners of values in task memory.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};
use core::slice;

use crate::error::{CreateError, OutOfMemory, Refused};
use crate::task::block::{ALIGN, Family};
use crate::task::heap;

/// A block for a `T` or several, or why there is none.
#[track_caller]
fn allocate<T>(count: usize) -> Result<NonNull<T>, CreateError> {
    const {
        assert!(
            align_of::<T>() <= ALIGN,
            "task memory is not aligned enough for this type"
        );
    }
    // More bytes than a number holds are more than there is.
    let size = size_of::<T>().saturating_mul(count);
    NonNull::new(heap::alloc(size, Family::Task))
        .map(NonNull::cast)
        .ok_or(CreateError::OutOfMemory(OutOfMemory { requested: size }))
}

/// # Safety
///
/// * `block` is a live task block that nothing uses any more.
#[track_caller]
pub(super) unsafe fn free<T>(block: NonNull<T>) {
    // SAFETY: the caller's promise is the precondition.
    unsafe { heap::free(block.as_ptr().cast(), Family::Task) };
}

/// The convenient form of a fallible one.
#[track_caller]
pub(super) fn expect<T, E: fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("task memory: {error}"),
    }
}

/// A value in a task block of its own, dropped and freed together.
///
/// It is never null; `Option<TaskBox<T>>` is a nullable pointer of the same size. What C allocated
/// with `CoTaskMemAlloc` it takes over by [`from_raw`](Self::from_raw), and what it holds C may free
/// with `CoTaskMemFree` after [`into_raw`](Self::into_raw). A type that wants more alignment than
/// [`ALIGN`] does not compile.
///
/// *Ownership:* the value's.
///
/// # Examples
///
/// ```
/// use olemem::TaskBox;
///
/// #[derive(Debug, PartialEq)]
/// #[repr(C)]
/// struct Point { x: i32, y: i32 }
///
/// let mut point = TaskBox::new(Point { x: 1, y: 2 });
/// point.x = 3;
/// let raw = TaskBox::into_raw(point); // for C, which frees it with CoTaskMemFree
/// // SAFETY: it was given away a line above and is taken back once.
/// let point = unsafe { TaskBox::from_raw(raw) };
/// assert_eq!(*point, Point { x: 3, y: 2 });
/// ```
#[repr(transparent)]
pub struct TaskBox<T> {
    /// Invariant: the start of a live task block that holds a `T`, used by this value alone.
    block: NonNull<T>,
    owns: PhantomData<T>,
}

// SAFETY: it owns its `T` as a box does, and the heap may be used from any thread.
unsafe impl<T: Send> Send for TaskBox<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for TaskBox<T> {}

impl<T> TaskBox<T> {
    /// Puts a value into task memory.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the value if there is no memory.
    #[track_caller]
    pub fn try_new(value: T) -> Result<Self, Refused<T>> {
        match allocate::<T>(1) {
            Ok(block) => {
                // SAFETY: a new block of the size and at least the alignment of a `T`.
                unsafe { block.write(value) };
                Ok(Self {
                    block,
                    owns: PhantomData,
                })
            }
            Err(error) => Err(Refused { error, value }),
        }
    }

    /// As [`try_new`](Self::try_new).
    ///
    /// # Panics
    ///
    /// If there is no memory.
    #[must_use]
    #[track_caller]
    pub fn new(value: T) -> Self {
        expect(Self::try_new(value))
    }

    /// Takes over a block.
    ///
    /// *Ownership:* the value's from now on.
    ///
    /// # Safety
    ///
    /// * `raw` is the start of a live task block that holds a valid `T`, and nobody else will use or
    ///   free it.
    #[must_use]
    pub unsafe fn from_raw(raw: *mut T) -> Self {
        Self {
            // SAFETY: no block starts at null.
            block: unsafe { NonNull::new_unchecked(raw) },
            owns: PhantomData,
        }
    }

    /// Gives the block away.
    ///
    /// *Ownership:* the caller's, who drops the value and frees the block with
    /// [`heap::free`] or `CoTaskMemFree`.
    #[must_use = "nothing else will free the block"]
    pub fn into_raw(this: Self) -> *mut T {
        ManuallyDrop::new(this).block.as_ptr()
    }

    /// The pointer, for C that does not keep it.
    ///
    /// *Ownership:* stays here.
    #[must_use]
    pub fn as_raw(this: &Self) -> *mut T {
        this.block.as_ptr()
    }

    /// The value, out of its block, which is freed.
    #[must_use]
    #[track_caller]
    pub fn into_inner(this: Self) -> T {
        let this = ManuallyDrop::new(this);
        // SAFETY: the field's invariant; the value is read once, for `this` is not dropped.
        let value = unsafe { this.block.read() };
        // SAFETY: the field's invariant, and the block's last use was the line above.
        unsafe { free(this.block) };
        value
    }
}

impl<T> Drop for TaskBox<T> {
    fn drop(&mut self) {
        let block = FreeOnDrop(self.block.cast());
        // SAFETY: the field's invariant, and this is the value's last use.
        unsafe { self.block.drop_in_place() };
        drop(block);
    }
}

/// Frees a block, also when dropping what it holds panics.
struct FreeOnDrop(NonNull<u8>);

impl Drop for FreeOnDrop {
    fn drop(&mut self) {
        // SAFETY: made only by an owner of the block, in its own drop.
        unsafe { free(self.0) };
    }
}

impl<T> Deref for TaskBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the field's invariant.
        unsafe { self.block.as_ref() }
    }
}

impl<T> DerefMut for TaskBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the field's invariant.
        unsafe { self.block.as_mut() }
    }
}

impl<T: fmt::Debug> fmt::Debug for TaskBox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// # Panics
///
/// If there is no memory.
impl<T: Clone> Clone for TaskBox<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        Self::new((**self).clone())
    }
}

/// # Panics
///
/// If there is no memory.
impl<T: Default> Default for TaskBox<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// Values in one task block, dropped and freed together: what COM passes as a pointer and a count.
///
/// *Ownership:* the value's.
///
/// # Examples
///
/// ```
/// use olemem::TaskSlice;
///
/// let numbers = TaskSlice::try_from_slice(&[1, 2, 3])?;
/// let (raw, count) = TaskSlice::into_raw_parts(numbers); // for C, which frees raw with CoTaskMemFree
/// // SAFETY: it was given away a line above and is taken back once.
/// let numbers = unsafe { TaskSlice::from_raw_parts(raw, count) };
/// assert_eq!(*numbers, [1, 2, 3]);
/// # Ok::<(), olemem::error::CreateError>(())
/// ```
pub struct TaskSlice<T> {
    /// Invariant: the start of a live task block that holds `len` values, used by this value alone.
    block: NonNull<T>,
    len: usize,
    owns: PhantomData<T>,
}

// SAFETY: it owns its values as a boxed slice does, and the heap may be used from any thread.
unsafe impl<T: Send> Send for TaskSlice<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for TaskSlice<T> {}

impl<T> TaskSlice<T> {
    /// `len` values, each made from its index.
    ///
    /// If making one panics, those before it are dropped and the block is freed.
    ///
    /// # Errors
    ///
    /// [`CreateError::OutOfMemory`] if there is none; then nothing was made.
    #[track_caller]
    pub fn try_from_fn(len: usize, mut make: impl FnMut(usize) -> T) -> Result<Self, CreateError> {
        let mut slice = Self {
            block: allocate::<T>(len)?,
            len: 0,
            owns: PhantomData,
        };
        while slice.len < len {
            let value = make(slice.len);
            // SAFETY: the index is within the block.
            let place = unsafe { slice.block.add(slice.len) };
            // SAFETY: as above; the block is aligned for a `T`.
            unsafe { place.write(value) };
            slice.len += 1;
        }
        Ok(slice)
    }

    /// Copies of the values.
    ///
    /// # Errors
    ///
    /// [`CreateError::OutOfMemory`] if there is none; then nothing was cloned.
    #[track_caller]
    pub fn try_from_slice(values: &[T]) -> Result<Self, CreateError>
    where
        T: Clone,
    {
        Self::try_from_fn(values.len(), |index| values[index].clone())
    }

    /// Takes over a block.
    ///
    /// *Ownership:* the value's from now on.
    ///
    /// # Safety
    ///
    /// * `raw` is the start of a live task block that holds `len` valid values, and nobody else will use
    ///   or free it.
    #[must_use]
    pub unsafe fn from_raw_parts(raw: *mut T, len: usize) -> Self {
        Self {
            // SAFETY: no block starts at null.
            block: unsafe { NonNull::new_unchecked(raw) },
            len,
            owns: PhantomData,
        }
    }

    /// Gives the block away, with the number of values in it.
    ///
    /// *Ownership:* the caller's, who drops the values and frees the block with
    /// [`heap::free`] or `CoTaskMemFree`.
    #[must_use = "nothing else will free the block"]
    pub fn into_raw_parts(this: Self) -> (*mut T, usize) {
        let this = ManuallyDrop::new(this);
        (this.block.as_ptr(), this.len)
    }

    /// The pointer, for C that does not keep it.
    ///
    /// *Ownership:* stays here.
    #[must_use]
    pub fn as_raw(this: &Self) -> *mut T {
        this.block.as_ptr()
    }
}

impl<T> Drop for TaskSlice<T> {
    fn drop(&mut self) {
        let block = FreeOnDrop(self.block.cast());
        let values = ptr::slice_from_raw_parts_mut(self.block.as_ptr(), self.len);
        // SAFETY: the field's invariant, and this is the values' last use.
        unsafe { values.drop_in_place() };
        drop(block);
    }
}

impl<T> Deref for TaskSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the field's invariant.
        unsafe { slice::from_raw_parts(self.block.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for TaskSlice<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: the field's invariant.
        unsafe { slice::from_raw_parts_mut(self.block.as_ptr(), self.len) }
    }
}

/// # Panics
///
/// If there is no memory.
impl<T: Clone> Clone for TaskSlice<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        expect(Self::try_from_slice(self))
    }
}

impl<T: PartialEq> PartialEq for TaskSlice<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for TaskSlice<T> {}

impl<'a, T> IntoIterator for &'a TaskSlice<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> slice::Iter<'a, T> {
        self.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for TaskSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
