//! The one mode byte: whether anybody listens, and what becomes of a bad free.
//!
//! ```text
//!  bit 0  READY         the environment and the process were looked at
//!  bit 1  PASS_THROUGH  a memory checker watches the system allocator: bad calls are handed on to it
//!  bit 2  OBSERVED      somebody listens at the seam
//! ```
//!
//! `OLEMEM` is read once, before the first allocation. `plain` and `pass-through` choose the mode;
//! without it, pass-through is chosen under Miri, AddressSanitizer and Valgrind.

use std::sync::atomic::{AtomicU8, Ordering};

const READY: u8 = 1;
const PASS_THROUGH: u8 = 2;
#[cfg(feature = "export")]
const OBSERVED: u8 = 4;

static MODE: AtomicU8 = AtomicU8::new(0);

/// Whether somebody listens.
#[cfg(feature = "export")]
#[inline]
pub(crate) fn armed() -> bool {
    MODE.load(Ordering::Acquire) & OBSERVED != 0
}

/// Says that somebody listens, or that nobody does any more.
#[cfg(feature = "export")]
pub(crate) fn set_observed(observed: bool) {
    if observed {
        MODE.fetch_or(OBSERVED, Ordering::AcqRel);
    } else {
        MODE.fetch_and(!OBSERVED, Ordering::AcqRel);
    }
}

/// Whether a memory checker is to see bad calls.
pub(crate) fn pass_through() -> bool {
    ready() & PASS_THROUGH != 0
}

/// The byte, after the first look around.
#[inline]
pub(crate) fn ready() -> u8 {
    let mode = MODE.load(Ordering::Relaxed);
    if mode & READY == 0 {
        look_around()
    } else {
        mode
    }
}

/// Two threads may both come here; they find the same. Nothing here allocates before the byte is
/// written: a global allocator that stands on olemem would come back here.
#[cold]
#[inline(never)]
fn look_around() -> u8 {
    let chosen = environment::chosen();
    let found = match chosen {
        Some(Ok(mode)) => mode,
        _ if checker::is_present() => PASS_THROUGH,
        _ => 0,
    };
    let before = MODE.fetch_or(READY | found, Ordering::AcqRel);
    if before & READY != 0 {
        return before | found;
    }
    #[cfg(all(unix, not(miri)))]
    super::fork::watch();
    if let Some(Err(unknown)) = chosen {
        super::complain::complain(format_args!(
            "OLEMEM={}: unknown; valid are plain, pass-through",
            unknown.to_string_lossy()
        ));
    }
    READY | found
}

#[cfg(not(miri))]
mod environment {
    use std::ffi::{CStr, c_char};

    use super::PASS_THROUGH;

    unsafe extern "C" {
        fn getenv(name: *const c_char) -> *const c_char;
    }

    /// What `OLEMEM` asks for, or the word that is not known. Empty is as unset.
    ///
    /// The C function, for the standard library's copies the value into memory of the global
    /// allocator's.
    pub(super) fn chosen() -> Option<Result<u8, &'static CStr>> {
        // SAFETY: the name is a string. As everywhere, a program that changes its environment does so
        // before its threads and its first allocation.
        let value = unsafe { getenv(c"OLEMEM".as_ptr()) };
        if value.is_null() {
            return None;
        }
        // SAFETY: not null, so a string, which stays as it is for the same reason.
        let value = unsafe { CStr::from_ptr(value) };
        match value.to_bytes() {
            b"" => None,
            b"plain" => Some(Ok(0)),
            b"pass-through" => Some(Ok(PASS_THROUGH)),
            _ => Some(Err(value)),
        }
    }
}

#[cfg(miri)]
mod environment {
    use std::ffi::CStr;

    /// Miri watches whatever the environment says.
    pub(super) fn chosen() -> Option<Result<u8, &'static CStr>> {
        None
    }
}

#[cfg(miri)]
mod checker {
    pub(super) fn is_present() -> bool {
        true
    }
}

#[cfg(not(miri))]
mod checker {
    /// Whether AddressSanitizer or Valgrind watches this process.
    pub(super) fn is_present() -> bool {
        address_sanitizer() || valgrind()
    }

    // AddressSanitizer's runtime defines `__asan_init`. A weak reference to it is null elsewhere;
    // looking it up by name at run time would miss a runtime that is linked statically. Stable Rust
    // has no weak references, so a data word holds one.
    #[cfg(target_os = "linux")]
    macro_rules! weak_reference {
        ($word:literal) => {
            std::arch::global_asm!(
                ".weak __asan_init",
                ".hidden olemem_asan_init",
                ".globl olemem_asan_init",
                ".pushsection .data.rel.ro.olemem_asan_init,\"aw\"",
                ".balign 8",
                "olemem_asan_init:",
                concat!($word, " __asan_init"),
                ".popsection",
            );
        };
    }
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    weak_reference!(".8byte");
    #[cfg(all(target_os = "linux", target_pointer_width = "32"))]
    weak_reference!(".4byte");

    #[cfg(target_os = "linux")]
    fn address_sanitizer() -> bool {
        unsafe extern "C" {
            static olemem_asan_init: usize;
        }
        // SAFETY: the word is defined above, never written after relocation, and read as it is
        // declared.
        let address = unsafe { (&raw const olemem_asan_init).read_volatile() };
        address != 0
    }

    /// On Apple's systems the runtime is always a dynamic library, which can be asked for by name.
    #[cfg(target_vendor = "apple")]
    fn address_sanitizer() -> bool {
        use std::ffi::{c_char, c_void};
        unsafe extern "C" {
            fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
        }
        // `dlfcn.h`: look in every image, in the order they were loaded.
        const RTLD_DEFAULT: *mut c_void = std::ptr::without_provenance_mut(usize::MAX - 1);
        // SAFETY: the handle is the one that stands for all images, and the name is a string.
        !unsafe { dlsym(RTLD_DEFAULT, c"__asan_init".as_ptr()) }.is_null()
    }

    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    fn address_sanitizer() -> bool {
        false
    }

    /// Valgrind's client request `RUNNING_ON_VALGRIND`: four rotations that add up to nothing and an
    /// exchange that does nothing, which its translator knows and answers in the result register.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
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
    #[cfg(all(target_os = "linux", target_arch = "aarch64"))]
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

    #[cfg(not(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )))]
    fn valgrind() -> bool {
        false
    }
}
