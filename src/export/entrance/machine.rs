//! Entrances in assembly.
//!
//! What an entrance may do is little: arguments are in registers, and there they must be when the function proper
//! begins. No function of ours has more than four, all of them numbers or pointers, and none has a result that does
//! not fit one register. Where nobody listens, at a memory checker's for instance, it leaves no frame behind.

use core::arch::naked_asm;

use crate::task::caller::Entrance;

/// Functions as they are written.
pub(in crate::export) enum Plain {}

/// The same, for who has found that nobody is to be told.
pub(in crate::export) enum Quiet {}

/// What C calls. The function is written as it would be without; in its body `QUIET` is known.
macro_rules! entrance {
    ($(#[$attribute:meta])* $visible:vis extern "system" fn $name:ident(
        $($argument:ident: $type:ty),* $(,)?
    ) $(-> $result:ty)? $body:block) => {
        entrance!(@twin Plain false $name ($($argument: $type),*) ($($result)?) $body);
        entrance!(@twin Quiet true $name ($($argument: $type),*) ($($result)?) $body);
        $(#[$attribute])*
        #[unsafe(naked)]
        $visible extern "system" fn $name($($argument: $type),*) $(-> $result)? {
            enter!($name)
        }
    };
    ($(#[$attribute:meta])* $visible:vis unsafe extern "system" fn $name:ident(
        $($argument:ident: $type:ty),* $(,)?
    ) $(-> $result:ty)? $body:block) => {
        entrance!(@twin Plain false $name ($($argument: $type),*) ($($result)?) $body);
        entrance!(@twin Quiet true $name ($($argument: $type),*) ($($result)?) $body);
        $(#[$attribute])*
        #[unsafe(naked)]
        $visible unsafe extern "system" fn $name($($argument: $type),*) $(-> $result)? {
            enter!($name)
        }
    };
    (@twin $twin:ident $quiet:literal $name:ident ($($argument:ident: $type:ty),*) ($($result:ty)?) $body:block) => {
        impl $crate::export::entrance::machine::$twin {
            #[allow(non_snake_case, reason = "the name is C's")]
            unsafe extern "system" fn $name($($argument: $type),*) $(-> $result)? {
                #[allow(dead_code, reason = "not every function has a short way")]
                const QUIET: bool = $quiet;
                $body
            }
        }
    };
}

/// The instructions of an entrance: the mode is looked at, and arguments stay where they are.
#[cfg(target_arch = "x86_64")]
macro_rules! enter {
    ($name:ident) => {
        core::arch::naked_asm!(
            "cmp byte ptr [rip + {mode}], {quiet}",
            "jne 2f",
            "jmp {short}",
            "2:",
            "movzx eax, byte ptr [rip + {mode}]",
            "and eax, {heard}",
            "cmp eax, {quiet}",
            "je 3f",
            "lea rax, [rip + {plain}]",
            "jmp {observed}",
            "3:",
            "jmp {plain}",
            mode = sym $crate::task::mode::MODE,
            quiet = const $crate::task::mode::QUIET,
            heard = const $crate::task::mode::HEARD,
            short = sym $crate::export::entrance::machine::Quiet::$name,
            plain = sym $crate::export::entrance::machine::Plain::$name,
            observed = sym $crate::export::entrance::machine::observed,
        )
    };
}

/// The instructions of an entrance: the mode is looked at, and arguments stay where they are.
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
macro_rules! enter {
    ($name:ident) => {
        core::arch::naked_asm!(
            "adrp x9, {mode}",
            "ldrb w9, [x9, :lo12:{mode}]",
            "cmp w9, {quiet}",
            "b.ne 2f",
            "b {short}",
            "2:",
            "mov w10, {heard}",
            "and w9, w9, w10",
            "cmp w9, {quiet}",
            "b.eq 3f",
            "adrp x9, {plain}",
            "add x9, x9, :lo12:{plain}",
            "b {observed}",
            "3:",
            "b {plain}",
            mode = sym $crate::task::mode::MODE,
            quiet = const $crate::task::mode::QUIET,
            heard = const $crate::task::mode::HEARD,
            short = sym $crate::export::entrance::machine::Quiet::$name,
            plain = sym $crate::export::entrance::machine::Plain::$name,
            observed = sym $crate::export::entrance::machine::observed,
        )
    };
}

/// The instructions of an entrance: the mode is looked at, and arguments stay where they are.
#[cfg(all(target_arch = "aarch64", target_os = "macos"))]
macro_rules! enter {
    ($name:ident) => {
        core::arch::naked_asm!(
            "adrp x9, {mode}@PAGE",
            "ldrb w9, [x9, {mode}@PAGEOFF]",
            "cmp w9, {quiet}",
            "b.ne 2f",
            "b {short}",
            "2:",
            "mov w10, {heard}",
            "and w9, w9, w10",
            "cmp w9, {quiet}",
            "b.eq 3f",
            "adrp x9, {plain}@PAGE",
            "add x9, x9, {plain}@PAGEOFF",
            "b {observed}",
            "3:",
            "b {plain}",
            mode = sym $crate::task::mode::MODE,
            quiet = const $crate::task::mode::QUIET,
            heard = const $crate::task::mode::HEARD,
            short = sym $crate::export::entrance::machine::Quiet::$name,
            plain = sym $crate::export::entrance::machine::Plain::$name,
            observed = sym $crate::export::entrance::machine::observed,
        )
    };
}

/// Room on the stack for what is noted of a call, with the stack as aligned behind it as before.
const ROOM: usize = size_of::<Entrance>().next_multiple_of(16);

/// Calls the function whose address is in `rax`, with the arguments in their registers, and has the call noted
/// while it lasts.
///
/// ```text
///  rbp + 8    where the call returns to
///  rbp        the caller's frame pointer
///  rbp - 8    rdi, later the result
///  rbp - 32   rsi, rdx, rcx
///  rbp - 40   rax: the function
///  rbp - 48   nothing
///  rsp        the entrance
/// ```
///
/// # Safety
///
/// * Jumped to by an entrance, with a function in `rax` that takes what is in the registers.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub(in crate::export) unsafe extern "C" fn observed() {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rdi",
        "push rsi",
        "push rdx",
        "push rcx",
        "push rax",
        "sub rsp, {room} + 8",
        "mov rdi, rsp",
        "mov rsi, [rbp + 8]",
        "mov rdx, [rbp]",
        "call {open}",
        "mov rdi, [rbp - 8]",
        "mov rsi, [rbp - 16]",
        "mov rdx, [rbp - 24]",
        "mov rcx, [rbp - 32]",
        "call qword ptr [rbp - 40]",
        "mov [rbp - 8], rax",
        "mov rdi, rsp",
        "call {close}",
        "mov rax, [rbp - 8]",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        room = const ROOM,
        open = sym Entrance::open_c,
        close = sym Entrance::close_c,
    )
}

/// Calls the function whose address is in `x9`, with the arguments in their registers, and has the call noted
/// while it lasts.
///
/// ```text
///  x29 + 64   the entrance
///  x29 + 48   x9: the function
///  x29 + 16   x0, later the result; x1, x2, x3
///  x29 + 8    where the call returns to
///  x29, sp    the caller's frame pointer
/// ```
///
/// # Safety
///
/// * Jumped to by an entrance, with a function in `x9` that takes what is in the registers.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub(in crate::export) unsafe extern "C" fn observed() {
    naked_asm!(
        ".cfi_startproc",
        "sub sp, sp, {room} + 64",
        ".cfi_def_cfa_offset {room} + 64",
        "stp x29, x30, [sp]",
        ".cfi_offset x29, -{room} - 64",
        ".cfi_offset x30, -{room} - 56",
        "mov x29, sp",
        ".cfi_def_cfa x29, {room} + 64",
        "stp x0, x1, [x29, 16]",
        "stp x2, x3, [x29, 32]",
        "str x9, [x29, 48]",
        "add x0, x29, 64",
        "mov x1, x30",
        "ldr x2, [x29]",
        "bl {open}",
        "ldp x0, x1, [x29, 16]",
        "ldp x2, x3, [x29, 32]",
        "ldr x9, [x29, 48]",
        "blr x9",
        "str x0, [x29, 16]",
        "add x0, x29, 64",
        "bl {close}",
        "ldr x0, [x29, 16]",
        "ldp x29, x30, [sp]",
        "add sp, sp, {room} + 64",
        ".cfi_def_cfa sp, 0",
        "ret",
        ".cfi_endproc",
        room = const ROOM,
        open = sym Entrance::open_c,
        close = sym Entrance::close_c,
    )
}
