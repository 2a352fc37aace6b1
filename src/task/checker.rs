//! Whether a memory checker watches this process: Miri, AddressSanitizer, LeakSanitizer, Valgrind.
//!
//! Each must be found in the process itself, before the first allocation, whatever way it came in.

/// Whether one of them watches.
#[cfg(miri)]
pub(super) fn is_present() -> bool {
    true
}

/// Whether one of them watches.
#[cfg(not(miri))]
pub(super) fn is_present() -> bool {
    sanitizer::is_present() || valgrind()
}

/// What AddressSanitizer is told of memory by.
#[derive(Clone, Copy)]
pub(super) struct Regions {
    /// Nobody may touch these bytes from now on.
    pub(super) close: Region,
    /// Anybody may who has them.
    pub(super) open: Region,
}

/// A function of AddressSanitizer's that is told of so many bytes.
type Region = unsafe extern "C" fn(*const u8, usize);

/// AddressSanitizer's functions, if it watches.
#[cfg(miri)]
pub(super) fn regions() -> Option<Regions> {
    None
}

/// AddressSanitizer's functions, if it watches.
#[cfg(not(miri))]
pub(super) fn regions() -> Option<Regions> {
    let [close, open] = sanitizer::regions();
    Some(Regions {
        close: close?,
        open: open?,
    })
}

/// The sanitizers' runtimes are found by functions that only they define. A weak reference to one is null
/// elsewhere; looking it up by name at run time would miss a runtime that is linked statically. Stable
/// Rust has no weak references, so data words hold them.
#[cfg(all(target_os = "linux", not(miri)))]
mod sanitizer {
    use super::Region;

    macro_rules! weak_references {
        ($word:literal) => {
            std::arch::global_asm!(
                ".weak __asan_init",
                ".weak __lsan_init",
                ".weak __asan_poison_memory_region",
                ".weak __asan_unpoison_memory_region",
                ".hidden olemem_sanitizers",
                ".globl olemem_sanitizers",
                ".pushsection .data.rel.ro.olemem_sanitizers,\"aw\"",
                ".balign 8",
                "olemem_sanitizers:",
                concat!($word, " __asan_init"),
                concat!($word, " __lsan_init"),
                concat!($word, " __asan_poison_memory_region"),
                concat!($word, " __asan_unpoison_memory_region"),
                ".popsection",
            );
        };
    }
    #[cfg(target_pointer_width = "64")]
    weak_references!(".8byte");
    #[cfg(target_pointer_width = "32")]
    weak_references!(".4byte");

    /// The functions in the order of the words. Those that are not there are null; the first two are of another kind, and
    /// nobody calls them.
    fn found() -> [Option<Region>; 4] {
        unsafe extern "C" {
            static olemem_sanitizers: [Option<Region>; 4];
        }
        // SAFETY: the words are defined above, never written after relocation, and null or a function's address.
        unsafe { (&raw const olemem_sanitizers).read_volatile() }
    }

    pub(super) fn is_present() -> bool {
        let [address, leak, ..] = found();
        address.is_some() || leak.is_some()
    }

    pub(super) fn regions() -> [Option<Region>; 2] {
        let [_, _, close, open] = found();
        [close, open]
    }
}

/// On Apple's systems a runtime is always a dynamic library, which can be asked for by name.
#[cfg(all(target_vendor = "apple", not(miri)))]
mod sanitizer {
    use std::ffi::{CStr, c_char, c_void};

    use super::Region;

    unsafe extern "C" {
        fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    }

    fn found(name: &CStr) -> *mut c_void {
        // `dlfcn.h`: look in every image, in the order they were loaded.
        const RTLD_DEFAULT: *mut c_void = std::ptr::without_provenance_mut(usize::MAX - 1);
        // SAFETY: the handle is the one that stands for all images, and the name is a string.
        unsafe { dlsym(RTLD_DEFAULT, name.as_ptr()) }
    }

    pub(super) fn is_present() -> bool {
        !found(c"__asan_init").is_null() || !found(c"__lsan_init").is_null()
    }

    pub(super) fn regions() -> [Option<Region>; 2] {
        [
            c"__asan_poison_memory_region",
            c"__asan_unpoison_memory_region",
        ]
        .map(|name| {
            // SAFETY: null, or a function of this kind: no other has these names.
            unsafe { std::mem::transmute::<*mut c_void, Option<Region>>(found(name)) }
        })
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple", miri)))]
mod sanitizer {
    use super::Region;

    pub(super) fn is_present() -> bool {
        false
    }

    pub(super) fn regions() -> [Option<Region>; 2] {
        [None; 2]
    }
}

/// Valgrind's client request `RUNNING_ON_VALGRIND`: four rotations that add up to nothing and an
/// exchange that does nothing, which its translator knows and answers in the result register.
#[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
fn valgrind() -> bool {
    const RUNNING_ON_VALGRIND: u64 = 0x1001;
    let request: [u64; 6] = [RUNNING_ON_VALGRIND, 0, 0, 0, 0, 0];
    let mut answer = 0_u64;
    // SAFETY: outside Valgrind the instructions change nothing: the rotations of rdi sum to 128
    // bits and rbx is exchanged with itself. Under it, six words at rax are read and rdx is set.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            inout("rdx") answer,
            in("rax") request.as_ptr(),
            out("rdi") _,
        );
    }
    answer != 0
}

/// As above: rotations of x12, and an `orr` of x10 with itself.
#[cfg(all(target_os = "linux", target_arch = "aarch64", not(miri)))]
fn valgrind() -> bool {
    const RUNNING_ON_VALGRIND: u64 = 0x1001;
    let request: [u64; 6] = [RUNNING_ON_VALGRIND, 0, 0, 0, 0, 0];
    let mut answer = 0_u64;
    // SAFETY: outside Valgrind the instructions change nothing: the rotations of x12 sum to 128
    // bits and x10 is merged with itself. Under it, six words at x4 are read and x3 is set.
    unsafe {
        std::arch::asm!(
            "ror x12, x12, 3",
            "ror x12, x12, 13",
            "ror x12, x12, 51",
            "ror x12, x12, 61",
            "orr x10, x10, x10",
            inout("x3") answer,
            in("x4") request.as_ptr(),
            out("x12") _,
        );
    }
    answer != 0
}

#[cfg(not(any(
    all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ),
    miri
)))]
fn valgrind() -> bool {
    false
}
