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

/// The sanitizers' runtimes are found by a function that only they define. A weak reference to it is null
/// elsewhere; looking it up by name at run time would miss a runtime that is linked statically. Stable
/// Rust has no weak references, so data words hold them.
#[cfg(all(target_os = "linux", not(miri)))]
mod sanitizer {
    macro_rules! weak_references {
        ($word:literal) => {
            std::arch::global_asm!(
                ".weak __asan_init",
                ".weak __lsan_init",
                ".hidden olemem_sanitizers",
                ".globl olemem_sanitizers",
                ".pushsection .data.rel.ro.olemem_sanitizers,\"aw\"",
                ".balign 8",
                "olemem_sanitizers:",
                concat!($word, " __asan_init"),
                concat!($word, " __lsan_init"),
                ".popsection",
            );
        };
    }
    #[cfg(target_pointer_width = "64")]
    weak_references!(".8byte");
    #[cfg(target_pointer_width = "32")]
    weak_references!(".4byte");

    pub(super) fn is_present() -> bool {
        unsafe extern "C" {
            static olemem_sanitizers: [usize; 2];
        }
        // SAFETY: the words are defined above, never written after relocation, and read as they are
        // declared.
        let addresses = unsafe { (&raw const olemem_sanitizers).read_volatile() };
        addresses != [0, 0]
    }
}

/// On Apple's systems a runtime is always a dynamic library, which can be asked for by name.
#[cfg(all(target_vendor = "apple", not(miri)))]
mod sanitizer {
    use std::ffi::{CStr, c_char, c_void};

    unsafe extern "C" {
        fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    }

    fn is_defined(name: &CStr) -> bool {
        // `dlfcn.h`: look in every image, in the order they were loaded.
        const RTLD_DEFAULT: *mut c_void = std::ptr::without_provenance_mut(usize::MAX - 1);
        // SAFETY: the handle is the one that stands for all images, and the name is a string.
        !unsafe { dlsym(RTLD_DEFAULT, name.as_ptr()) }.is_null()
    }

    pub(super) fn is_present() -> bool {
        is_defined(c"__asan_init") || is_defined(c"__lsan_init")
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple", miri)))]
mod sanitizer {
    pub(super) fn is_present() -> bool {
        false
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
