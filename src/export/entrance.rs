//! How C comes in: by functions that note who called, where somebody listens.
//!
//! ```text
//!  C: SysAllocStringLen ── quiet? ─► Quiet::SysAllocStringLen          a comparison, a jump, and the short way
//!                            │ no
//!                            ├── nobody listens ─► Plain::SysAllocStringLen
//!                            ▼
//!                         observed ─► open(entrance, return address, frame pointer)
//!                            ├──────► Plain::SysAllocStringLen
//!                            └──────► close(entrance)
//! ```
//!
//! `#[track_caller]` is not for C's functions. What tells of a caller in C is where its call returns to, and where
//! its frame is; both are known at a function's first instruction, and later to the unwinder alone. So a function
//! that the linker knows begins in assembly where the machine is one that we know. Elsewhere it is the plain
//! function, and the unwinder is asked.
//!
//! Each function is written once, as any other. `entrance!` makes two of it that differ in one constant: `QUIET`
//! says that the mode was looked at already, so that a short way need not look again.

#[cfg(all(
    feature = "audit",
    not(miri),
    any(target_os = "linux", target_os = "macos"),
    any(
        all(target_arch = "x86_64", target_pointer_width = "64"),
        target_arch = "aarch64"
    )
))]
#[macro_use]
pub(super) mod machine;
#[cfg(not(all(
    feature = "audit",
    not(miri),
    any(target_os = "linux", target_os = "macos"),
    any(
        all(target_arch = "x86_64", target_pointer_width = "64"),
        target_arch = "aarch64"
    )
)))]
#[macro_use]
mod plain;
