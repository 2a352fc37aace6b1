//! A number of this thread's own.
//!
//! Where the machine keeps the address of the thread's storage in a register, that is the number: asking for
//! it costs one instruction, in a shared library too, where a `thread_local!` costs a call. It is one thread's
//! for as long as the thread lives, and the copy of a thread in the child of a fork has the same.

/// A number of this thread's own: no other living thread has it, and it is none of the first few.
#[inline]
#[cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(miri)
))]
pub(crate) fn identity() -> usize {
    let pointer;
    // SAFETY: the psABI has the thread's control block start with its own address, where fs points; nothing is
    // written.
    unsafe {
        std::arch::asm!(
            "mov {}, fs:0",
            out(reg) pointer,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    pointer
}

/// A number of this thread's own: no other living thread has it, and it is none of the first few.
#[inline]
#[cfg(all(target_os = "linux", target_arch = "aarch64", not(miri)))]
pub(crate) fn identity() -> usize {
    let pointer;
    // SAFETY: the register holds the thread's pointer, and any program may read it.
    unsafe {
        std::arch::asm!(
            "mrs {}, tpidr_el0",
            out(reg) pointer,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    pointer
}

/// A number of this thread's own: no other living thread has it, and it is none of the first few.
#[inline]
#[cfg(not(all(
    target_os = "linux",
    any(
        all(target_arch = "x86_64", target_pointer_width = "64"),
        target_arch = "aarch64"
    ),
    not(miri)
)))]
pub(crate) fn identity() -> usize {
    use std::cell::Cell;
    thread_local! {
        static HERE: Cell<u8> = const { Cell::new(0) };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}
