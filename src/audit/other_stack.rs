//! A stack on which a signal's handler has room: alternate ones are small, and who gave the thread one is not known.
//! (Rust's threads have 8 KiB, of which the registers of a wide machine take half.)

use core::cell::UnsafeCell;
use core::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of it.
const SIZE: usize = 128 << 10;

/// Aligned as both machines want their stacks.
#[repr(align(16))]
struct Room(UnsafeCell<[u8; SIZE]>);

// SAFETY: whoever set `IS_TAKEN` has it.
unsafe impl Sync for Room {}

static ROOM: Room = Room(UnsafeCell::new([0; SIZE]));
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Calls a function on the larger stack; on this one if another thread is at it, and where the machine is not known.
///
/// Nothing but what a handler of a signal may do. The function must come back, and must not unwind.
pub(super) fn call(function: fn(c_int), argument: c_int) {
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64"))
        && !IS_TAKEN.swap(true, Ordering::Acquire)
    {
        let top = ROOM.0.get().cast::<u8>().wrapping_add(SIZE);
        // SAFETY: nobody else has it, it has room for much, and its end is aligned as its start is.
        unsafe { call_on(top, plainly, function as *const (), argument) };
        IS_TAKEN.store(false, Ordering::Release);
    } else {
        function(argument);
    }
}

/// Calls it in the C way, which the assembly knows.
extern "C" fn plainly(function: *const (), argument: c_int) {
    // SAFETY: `call` passes a function of that type.
    let function = unsafe { core::mem::transmute::<*const (), fn(c_int)>(function) };
    function(argument);
}

/// Calls `plainly` with the other arguments while the stack is another one.
///
/// # Safety
///
/// * `top` is the end of a stack that nobody uses, aligned to 16; `plainly` comes back and does not unwind.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn call_on(
    top: *mut u8,
    plainly: extern "C" fn(*const (), c_int),
    function: *const (),
    argument: c_int,
) {
    core::arch::naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "mov rsp, rdi",
        "mov rax, rsi",
        "mov rdi, rdx",
        "mov esi, ecx",
        "call rax",
        "mov rsp, rbp",
        "pop rbp",
        "ret",
    )
}

/// As above.
///
/// # Safety
///
/// * As above.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn call_on(
    top: *mut u8,
    plainly: extern "C" fn(*const (), c_int),
    function: *const (),
    argument: c_int,
) {
    core::arch::naked_asm!(
        "stp x29, x30, [sp, #-16]!",
        "mov x29, sp",
        "mov sp, x0",
        "mov x9, x1",
        "mov x0, x2",
        "mov w1, w3",
        "blr x9",
        "mov sp, x29",
        "ldp x29, x30, [sp], #16",
        "ret",
    )
}

/// As above, on the stack that there is.
///
/// # Safety
///
/// * None.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn call_on(
    _top: *mut u8,
    plainly: extern "C" fn(*const (), c_int),
    function: *const (),
    argument: c_int,
) {
    plainly(function, argument);
}
