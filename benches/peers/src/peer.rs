//! Who takes part: olemem by three doors, and allocators that hold the same string in the same block.
//!
//! All of them do the same work: a block of `block(n)` bytes, a header of 8 bytes with the length in it, the
//! copy, the terminator.

use std::ffi::{CString, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use allocator_api2::alloc::{AllocError, Allocator, Layout, System};
use olemem::heap::{Family, Heap};
use olemem::layout::{HEADER, PREFIX, PointerWidth};
use olemem::{ByteLen, UnitLen, raw};

/// Holds strings of UTF-16 units as BSTRs are held.
///
/// # Safety
///
/// * What `alloc` and `grow` give is null or a BSTR of so many units, until it is freed or grown.
pub unsafe trait Peer: 'static {
    /// Its name in the tables.
    const NAME: &str;

    /// A new string, as `SysAllocStringLen`.
    ///
    /// # Safety
    ///
    /// * `len` units are readable at `source`.
    unsafe fn alloc(source: *const u16, len: u32) -> *mut u16;

    /// # Safety
    ///
    /// * The string is live, and this is its last use.
    unsafe fn free(bstr: *mut u16);

    /// The string at another length, as `SysReAllocStringLen` without a source.
    ///
    /// # Safety
    ///
    /// * The string is live, and the old pointer is not used any more.
    unsafe fn grow(bstr: *mut u16, len: u32) -> *mut u16;
}

/// A string of a peer's. It must be freed by hand: what is measured should be in sight.
#[must_use]
pub struct Text<P> {
    bstr: NonNull<u16>,
    of: PhantomData<fn() -> P>,
}

// SAFETY: every peer's strings may be freed by any thread.
unsafe impl<P> Send for Text<P> {}

impl<P: Peer> Text<P> {
    #[inline(always)]
    pub fn new(text: &[u16]) -> Self {
        // SAFETY: the slice has so many units.
        let bstr = unsafe { P::alloc(text.as_ptr(), text.len() as u32) };
        Self::live(bstr)
    }

    #[inline(always)]
    fn live(bstr: *mut u16) -> Self {
        Self {
            bstr: NonNull::new(bstr).expect("there is memory"),
            of: PhantomData,
        }
    }

    #[inline(always)]
    pub fn free(self) {
        // SAFETY: the string is live, and it ends with `self`.
        unsafe { P::free(self.bstr.as_ptr()) }
    }

    /// One unit longer.
    #[inline(always)]
    pub fn push(self, len: u32, unit: u16) -> Self {
        // SAFETY: the string is live, and the old pointer ends with `self`.
        let grown = Self::live(unsafe { P::grow(self.bstr.as_ptr(), len + 1) });
        // SAFETY: there are `len + 1` units.
        let last = unsafe { grown.bstr.add(len as usize) };
        // SAFETY: aligned, in the string, and nobody else's.
        unsafe { last.write(unit) };
        grown
    }

    /// Writes the first unit.
    #[inline(always)]
    pub fn scratch(&mut self, unit: u16) {
        // SAFETY: no string here is empty; volatile, so that each write happens.
        unsafe { self.bstr.as_ptr().write_volatile(unit) };
    }

    /// Panics unless the string is this one: its length, each unit, the terminator.
    pub fn check(&self, text: &[u16]) {
        // SAFETY: the prefix is before the string.
        let prefix = unsafe { self.bstr.byte_sub(PREFIX) }.cast::<u32>();
        // SAFETY: readable and initialised.
        let bytes = unsafe { prefix.read_unaligned() };
        assert_eq!(bytes as usize, text.len() * 2, "{}: the length", P::NAME);
        // SAFETY: so many units are there, and the terminator.
        let held = unsafe { std::slice::from_raw_parts(self.bstr.as_ptr(), text.len() + 1) };
        assert_eq!(&held[..text.len()], text, "{}: the text", P::NAME);
        assert_eq!(held[text.len()], 0, "{}: the terminator", P::NAME);
    }
}

impl<P: Peer> fmt::Debug for Text<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", P::NAME, self.bstr)
    }
}

// ------------------------------------------------------------------------------------- olemem

/// olemem, called from Rust.
pub struct Rust;

// SAFETY: these are BSTRs.
unsafe impl Peer for Rust {
    const NAME: &str = "Rust";

    #[inline(always)]
    unsafe fn alloc(source: *const u16, len: u32) -> *mut u16 {
        // SAFETY: the caller's promise.
        unsafe { raw::alloc_units(source, UnitLen::new(len)) }
    }

    #[inline(always)]
    unsafe fn free(bstr: *mut u16) {
        // SAFETY: the caller's promise.
        unsafe { raw::free(bstr) }
    }

    #[inline(always)]
    unsafe fn grow(mut bstr: *mut u16, len: u32) -> *mut u16 {
        // SAFETY: the caller's promise; a null source keeps the contents.
        let grown = unsafe { raw::realloc_units(&mut bstr, ptr::null(), UnitLen::new(len)) };
        assert!(grown);
        bstr
    }
}

// The symbols that olemem defines, called as C calls them: by name, across a crate that is not inlined.
unsafe extern "system" {
    fn SysAllocStringLen(source: *const u16, len: u32) -> *mut u16;
    fn SysFreeString(bstr: *mut u16);
    fn SysReAllocStringLen(bstr: *mut *mut u16, source: *const u16, len: u32) -> i32;
}

/// olemem by its C ABI, linked statically.
pub struct Static;

// SAFETY: these are BSTRs.
unsafe impl Peer for Static {
    const NAME: &str = "C static";

    #[inline(always)]
    unsafe fn alloc(source: *const u16, len: u32) -> *mut u16 {
        // SAFETY: the caller's promise.
        unsafe { SysAllocStringLen(source, len) }
    }

    #[inline(always)]
    unsafe fn free(bstr: *mut u16) {
        // SAFETY: the caller's promise.
        unsafe { SysFreeString(bstr) }
    }

    #[inline(always)]
    unsafe fn grow(mut bstr: *mut u16, len: u32) -> *mut u16 {
        // SAFETY: the caller's promise.
        let grown = unsafe { SysReAllocStringLen(&mut bstr, ptr::null(), len) };
        assert_ne!(grown, 0);
        bstr
    }
}

/// olemem by its C ABI, in a shared library. It has a heap of its own.
pub struct Shared;

/// Its functions, where a program finds those of a library: in words that the loader fills in.
static SHARED: [AtomicPtr<c_void>; 3] = [const { AtomicPtr::new(ptr::null_mut()) }; 3];

impl Shared {
    /// Loads the library. To be called before the first string is made.
    pub fn load(path: &Path) {
        let name = CString::new(path.as_os_str().as_encoded_bytes()).expect("a path");
        // SAFETY: the name is a string; the library's constructors do nothing.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!library.is_null(), "{} cannot be loaded", path.display());
        let names = [
            c"SysAllocStringLen",
            c"SysFreeString",
            c"SysReAllocStringLen",
        ];
        for (place, name) in SHARED.iter().zip(names) {
            // SAFETY: the library is loaded, the name a string.
            let function = unsafe { libc::dlsym(library, name.as_ptr()) };
            assert!(!function.is_null(), "{name:?}");
            place.store(function, Ordering::Release);
        }
    }
}

// SAFETY: these are BSTRs.
unsafe impl Peer for Shared {
    const NAME: &str = "C shared";

    #[inline(always)]
    unsafe fn alloc(source: *const u16, len: u32) -> *mut u16 {
        type Function = unsafe extern "system" fn(*const u16, u32) -> *mut u16;
        // SAFETY: the function by that name has this type, and was loaded.
        let function: Function = unsafe { std::mem::transmute(SHARED[0].load(Ordering::Relaxed)) };
        // SAFETY: the caller's promise.
        unsafe { function(source, len) }
    }

    #[inline(always)]
    unsafe fn free(bstr: *mut u16) {
        type Function = unsafe extern "system" fn(*mut u16);
        // SAFETY: as above.
        let function: Function = unsafe { std::mem::transmute(SHARED[1].load(Ordering::Relaxed)) };
        // SAFETY: the caller's promise.
        unsafe { function(bstr) }
    }

    #[inline(always)]
    unsafe fn grow(mut bstr: *mut u16, len: u32) -> *mut u16 {
        type Function = unsafe extern "system" fn(*mut *mut u16, *const u16, u32) -> i32;
        // SAFETY: as above.
        let function: Function = unsafe { std::mem::transmute(SHARED[2].load(Ordering::Relaxed)) };
        // SAFETY: the caller's promise.
        let grown = unsafe { function(&mut bstr, ptr::null(), len) };
        assert_ne!(grown, 0);
        bstr
    }
}

// --------------------------------------------------------------------- a string over a malloc

/// What a string can stand on.
///
/// # Safety
///
/// * As of C's `malloc`, `realloc` and `free`; aligned to 8 bytes at least.
pub unsafe trait Malloc: 'static {
    const NAME: &str;

    fn malloc(size: usize) -> *mut u8;

    /// # Safety
    ///
    /// * The block is live; on success it is gone.
    unsafe fn realloc(block: *mut u8, size: usize) -> *mut u8;

    /// # Safety
    ///
    /// * The block is live, and this is its last use.
    unsafe fn free(block: *mut u8);
}

/// Bytes of the block of so many units: header, text and terminator, rounded up to 16.
#[inline(always)]
pub fn block_size(len: u32) -> usize {
    (HEADER + 2 * len as usize + 2 + 15) & !15
}

/// Writes what is around the text.
///
/// # Safety
///
/// * The block has room for a string of so many units.
#[inline(always)]
unsafe fn frame(block: *mut u8, len: u32) -> *mut u16 {
    // SAFETY: the header is the start of the block.
    unsafe { block.cast::<u64>().write(u64::from(2 * len) << 32) };
    // SAFETY: within the block.
    let bstr = unsafe { block.add(HEADER) }.cast::<u16>();
    // SAFETY: within the block.
    let terminator = unsafe { bstr.add(len as usize) };
    // SAFETY: within the block, and aligned as it is.
    unsafe { terminator.write(0) };
    bstr
}

// SAFETY: written as a BSTR is.
unsafe impl<M: Malloc> Peer for M {
    const NAME: &str = M::NAME;

    #[inline(always)]
    unsafe fn alloc(source: *const u16, len: u32) -> *mut u16 {
        let block = M::malloc(block_size(len));
        assert!(!block.is_null());
        // SAFETY: the block is so large.
        let bstr = unsafe { frame(block, len) };
        // SAFETY: the caller's promise; a new block overlaps nothing.
        unsafe { bstr.copy_from_nonoverlapping(source, len as usize) };
        bstr
    }

    #[inline(always)]
    unsafe fn free(bstr: *mut u16) {
        // SAFETY: the string stands so far in its block.
        let block = unsafe { bstr.byte_sub(HEADER) };
        // SAFETY: the caller's promise.
        unsafe { M::free(block.cast()) }
    }

    #[inline(always)]
    unsafe fn grow(bstr: *mut u16, len: u32) -> *mut u16 {
        // SAFETY: the string stands so far in its block.
        let block = unsafe { bstr.byte_sub(HEADER) };
        // SAFETY: the caller's promise.
        let block = unsafe { M::realloc(block.cast(), block_size(len)) };
        assert!(!block.is_null());
        // SAFETY: the block is so large.
        unsafe { frame(block, len) }
    }
}

/// A malloc by its C functions.
macro_rules! malloc {
    ($(#[$doc:meta])* $name:ident, $shown:literal, $malloc:path, $realloc:path, $free:path) => {
        $(#[$doc])*
        pub struct $name;

        // SAFETY: it is a malloc.
        unsafe impl Malloc for $name {
            const NAME: &str = $shown;

            #[inline(always)]
            fn malloc(size: usize) -> *mut u8 {
                // SAFETY: any size may be asked for.
                unsafe { $malloc(size) }.cast()
            }

            #[inline(always)]
            unsafe fn realloc(block: *mut u8, size: usize) -> *mut u8 {
                // SAFETY: the caller's promise.
                unsafe { $realloc(block.cast(), size) }.cast()
            }

            #[inline(always)]
            unsafe fn free(block: *mut u8) {
                // SAFETY: the caller's promise.
                unsafe { $free(block.cast()) }
            }
        }
    };
}

malloc!(
    /// The system's malloc: glibc's on Linux.
    Glibc, "malloc", libc::malloc, libc::realloc, libc::free
);
malloc!(
    Mimalloc,
    "mimalloc",
    libmimalloc_sys::mi_malloc,
    libmimalloc_sys::mi_realloc,
    libmimalloc_sys::mi_free
);
malloc!(
    Jemalloc,
    "jemalloc",
    tikv_jemalloc_sys::malloc,
    tikv_jemalloc_sys::realloc,
    tikv_jemalloc_sys::free
);
malloc!(
    Snmalloc,
    "snmalloc",
    snmalloc_sys::sn_malloc,
    snmalloc_sys::sn_realloc,
    snmalloc_sys::sn_free
);

// ------------------------------------------------------- olemem's heap over other allocators

/// A backing allocator by two C functions.
macro_rules! backing {
    ($name:ident, $alloc:expr, $free:expr) => {
        /// As a backing of olemem's heap.
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        // SAFETY: the blocks are so large and so aligned, and live until they are given back.
        unsafe impl Allocator for $name {
            fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
                let block: *mut c_void = $alloc(layout);
                let block = NonNull::new(block.cast()).ok_or(AllocError)?;
                Ok(NonNull::slice_from_raw_parts(block, layout.size()))
            }

            unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
                $free(block.as_ptr().cast::<c_void>(), layout)
            }
        }
    };
}

backing!(
    OnMimalloc,
    // SAFETY: the alignment is a power of two.
    |layout: Layout| unsafe { libmimalloc_sys::mi_malloc_aligned(layout.size(), layout.align()) },
    // SAFETY: a block of that allocator's, of which this is the last use.
    |block, _| unsafe { libmimalloc_sys::mi_free(block) }
);
backing!(
    OnJemalloc,
    // SAFETY: the alignment is a power of two, and no layout asked for here has no size.
    |layout: Layout| unsafe {
        tikv_jemalloc_sys::mallocx(
            layout.size(),
            tikv_jemalloc_sys::MALLOCX_ALIGN(layout.align()),
        )
    },
    // SAFETY: as above.
    |block, _| unsafe { tikv_jemalloc_sys::dallocx(block, 0) }
);
backing!(
    OnSnmalloc,
    // SAFETY: the alignment is a power of two.
    |layout: Layout| unsafe { snmalloc_sys::sn_rust_alloc(layout.align(), layout.size()) },
    |block, layout: Layout| {
        // SAFETY: a block of that allocator's, of this layout.
        unsafe { snmalloc_sys::sn_rust_dealloc(block, layout.align(), layout.size()) };
    }
);

/// olemem's heap over a backing, with the same string in its blocks.
macro_rules! own {
    ($name:ident, $shown:literal, $backing:expr, $type:ty) => {
        pub struct $name;

        impl $name {
            fn heap() -> &'static Heap<$type> {
                static HEAP: Heap<$type> = Heap::new_in($backing);
                &HEAP
            }

            /// Gives spare memory back.
            pub fn minimize() {
                Self::heap().minimize();
            }
        }

        // SAFETY: it is a malloc.
        unsafe impl Malloc for $name {
            const NAME: &str = $shown;

            #[inline(always)]
            fn malloc(size: usize) -> *mut u8 {
                Self::heap().alloc(size, Family::Bstr)
            }

            #[inline(always)]
            unsafe fn realloc(block: *mut u8, size: usize) -> *mut u8 {
                // SAFETY: the caller's promise.
                unsafe { Self::heap().realloc(block, size, Family::Bstr) }
            }

            #[inline(always)]
            unsafe fn free(block: *mut u8) {
                // SAFETY: the caller's promise.
                unsafe { Self::heap().free(block) }
            }
        }
    };
}

own!(OverSystem, "Heap<System>", System, System);
own!(OverMimalloc, "Heap<mimalloc>", OnMimalloc, OnMimalloc);
own!(OverJemalloc, "Heap<jemalloc>", OnJemalloc, OnJemalloc);
own!(OverSnmalloc, "Heap<snmalloc>", OnSnmalloc, OnSnmalloc);

/// The numbers above are olemem's own.
pub fn check_sizes() {
    for len in [0, 1, 2, 3, 4, 16, 64, 255, 256, 40_000] {
        let size = PointerWidth::NATIVE.block_size(ByteLen::new(2 * len));
        assert_eq!(size, Some(block_size(len) as u32), "{len}");
    }
}
