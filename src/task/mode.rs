//! The one mode byte: whether an operation may take the short way.
//!
//! ```text
//!  bit 0  READY              the environment and the process were looked at
//!  bit 1  PASS_THROUGH       a memory checker watches the system allocator: every block is an allocation
//!                            of its own there, and bad calls are handed on to it
//!  bit 2  LISTENED           somebody listens at the seam
//!  bit 3  SPIED              an IMallocSpy is registered
//!  bit 4  FAILING            some thread, or the environment, has asked for a failure to come, now or earlier
//!  bit 5  CACHE_WINDOWS      freed BSTRs are kept as Windows keeps them
//!  bit 6  CACHE_ADVERSARIAL  freed BSTRs are handed out again at once
//!  bit 7  PINNED             some BSTR is pinned
//! ```
//!
//! An operation compares the whole byte with READY alone, two instructions: that is [`is_quiet`], and the
//! short way. Anything else is the long way, which is out of line and asks bit by bit.
//!
//! `OLEMEM` is read once, before the first allocation: words with commas between them. `plain` and
//! `pass-through` choose how blocks are held; without either, pass-through is chosen under Miri,
//! AddressSanitizer, LeakSanitizer and Valgrind. `cache=off`, `cache=windows` and `cache=adversarial` choose a
//! model of the Windows BSTR cache. `OANOCACHE`, set to anything, is as `cache=off`. `fail-at=` and its kin choose
//! allocations of the process that fail. `check` has the audit watch the whole process; its keys are the audit's to
//! read.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::task::{checker, fault_plan};

/// One bit of the byte, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode(u8);

impl Mode {
    const READY: Self = Self(1);
    /// A memory checker is to see every block and every bad call.
    pub(crate) const PASS_THROUGH: Self = Self(2);
    /// Somebody listens at the seam.
    #[cfg(any(feature = "export", feature = "audit"))]
    pub(crate) const LISTENED: Self = Self(4);
    /// An `IMallocSpy` is registered.
    #[cfg(any(feature = "export", feature = "audit"))]
    pub(crate) const SPIED: Self = Self(8);
    /// Some thread has asked for a failure to come, now or earlier.
    pub(crate) const FAILING: Self = Self(16);
    /// Freed BSTRs are kept as Windows keeps them.
    pub(crate) const CACHE_WINDOWS: Self = Self(32);
    /// Freed BSTRs are handed out again at once.
    pub(crate) const CACHE_ADVERSARIAL: Self = Self(64);
    /// Freed BSTRs are kept by either model.
    pub(crate) const CACHE: Self = Self::CACHE_WINDOWS.and(Self::CACHE_ADVERSARIAL);
    /// Some BSTR is pinned.
    pub(crate) const PINNED: Self = Self(128);

    /// Whether any of these bits is set.
    pub(crate) const fn has(self, bits: Self) -> bool {
        self.0 & bits.0 != 0
    }

    /// The bits of both.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The byte. Only an entrance of C's looks at it from outside.
pub(crate) static MODE: AtomicU8 = AtomicU8::new(0);

/// What the byte is while nothing keeps an operation from the short way.
pub(crate) const QUIET: u8 = Mode::READY.0;

/// The bits of it that say whether anybody could hear who calls: nobody, if of these it has as many as [`QUIET`].
#[cfg(all(feature = "export", feature = "audit"))]
#[allow(dead_code, reason = "not on every machine an entrance asks")]
pub(crate) const HEARD: u8 = Mode::READY.0 | Mode::LISTENED.0;

/// What the audit, which stands above this file, is called for.
#[cfg(all(feature = "audit", unix, not(miri)))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// To watch from now on. Nothing is ready yet: it must ask no global allocator for memory.
    Begin,
    /// To say what it did not understand.
    Complain,
}

#[cfg(all(feature = "audit", unix, not(miri)))]
unsafe extern "Rust" {
    /// The audit's process mode, by the name that the linker knows it by. An import would go upward; something that
    /// registers itself when it is loaded would be left out of a C program that links the static library, since
    /// nothing there refers to it.
    fn olemem_check_process(value: &'static std::ffi::CStr, step: Step);
}

/// Whether an operation may take the short way: blocks are held in slabs, and nobody listens, spies, pins,
/// keeps freed strings or waits for a failure.
#[inline]
pub(crate) fn is_quiet() -> bool {
    MODE.load(Ordering::Relaxed) == QUIET
}

/// Sets bits, or clears them.
///
/// What they stand for is made ready before they are set and outlives their clearing: a thread that reads
/// the byte late finds it there, or finds that it is gone.
pub(crate) fn set(bits: Mode, on: bool) {
    if on {
        MODE.fetch_or(bits.0, Ordering::AcqRel);
    } else {
        MODE.fetch_and(!bits.0, Ordering::AcqRel);
    }
}

/// The byte, after the first look around.
#[inline]
pub(crate) fn get() -> Mode {
    let mode = Mode(MODE.load(Ordering::Acquire));
    if mode.has(Mode::READY) {
        mode
    } else {
        look_around()
    }
}

/// Two threads may both come here; they find the same, and the first to be done writes it: by the time of
/// the other somebody may have chosen otherwise. Nothing here allocates before the byte is written: a
/// global allocator that stands on olemem would come back here.
#[cold]
#[inline(never)]
fn look_around() -> Mode {
    let wishes = environment::wishes();
    let mut found = wishes.cache;
    {
        #[cfg(all(unix, not(miri)))]
        let _beginning = super::beginning::lock();
        wishes.begin_check();
        if let Some(plan) = wishes.faults() {
            fault_plan::set_for_process(plan);
            found = found.and(Mode::FAILING);
        }
    }
    if wishes.pass_through.unwrap_or_else(checker::is_present) {
        found = found.and(Mode::PASS_THROUGH);
    }
    let found = Mode::READY.and(found);
    let written = MODE.fetch_update(Ordering::AcqRel, Ordering::Acquire, |mode| {
        let mode = Mode(mode);
        (!mode.has(Mode::READY)).then(|| mode.and(found).0)
    });
    match written {
        Ok(before) => {
            #[cfg(all(unix, not(miri)))]
            super::fork::watch();
            wishes.complain();
            Mode(before).and(found)
        }
        Err(now) => Mode(now),
    }
}

#[cfg(not(miri))]
mod environment {
    use std::ffi::{CStr, c_char};

    use super::Mode;
    use crate::task::complain::complain;
    use crate::task::fault_plan::{self, FaultPlan};

    unsafe extern "C" {
        fn getenv(name: *const c_char) -> *const c_char;
    }

    /// A variable of the environment.
    ///
    /// The C function, for the standard library's copies the value into memory of the global
    /// allocator's.
    fn variable(name: &CStr) -> Option<&'static CStr> {
        // SAFETY: the name is a string. As everywhere, a program that changes its environment does so
        // before its threads and its first allocation.
        let value = unsafe { getenv(name.as_ptr()) };
        if value.is_null() {
            return None;
        }
        // SAFETY: not null, so a string, which stays as it is for the same reason.
        Some(unsafe { CStr::from_ptr(value) })
    }

    /// What the environment asks for.
    pub(super) struct Wishes {
        /// Whether `plain` or `pass-through` was said; the last one counts.
        pub(super) pass_through: Option<bool>,
        /// The bits of the cache model.
        pub(super) cache: Mode,
        /// The value, if it holds a word that is not known.
        unknown: Option<&'static CStr>,
        /// The value, if the audit is to watch the process.
        check: Option<&'static CStr>,
        /// The value, if it holds keys that are the audit's.
        keys: Option<&'static CStr>,
        /// The allocations of the process that are to fail.
        faults: fault_plan::Wishes,
        /// The value, if what it says of them is wrong.
        wrong_faults: Option<&'static CStr>,
    }

    /// Keys of the audit's.
    const KEYS: [&[u8]; 8] = [
        b"report=",
        b"format=",
        b"backtrace=",
        b"quarantine=",
        b"guard=",
        b"halt=",
        b"exitcode=",
        b"suppress=",
    ];

    /// The words of a value. Empty ones are as none.
    fn words(value: &CStr) -> impl Iterator<Item = &[u8]> {
        value
            .to_bytes()
            .split(|byte| *byte == b',')
            .filter(|word| !word.is_empty())
    }

    pub(super) fn wishes() -> Wishes {
        const NONE: Mode = Mode(0);
        let mut wishes = Wishes {
            pass_through: None,
            cache: NONE,
            unknown: None,
            check: None,
            keys: None,
            faults: fault_plan::Wishes::default(),
            wrong_faults: None,
        };
        if let Some(value) = variable(c"OLEMEM") {
            for word in words(value) {
                match word {
                    b"plain" => wishes.pass_through = Some(false),
                    b"pass-through" => wishes.pass_through = Some(true),
                    b"cache=off" => wishes.cache = NONE,
                    b"cache=windows" => wishes.cache = Mode::CACHE_WINDOWS,
                    b"cache=adversarial" => wishes.cache = Mode::CACHE_ADVERSARIAL,
                    b"check" => wishes.check = Some(value),
                    _ if KEYS.iter().any(|key| word.starts_with(key)) => wishes.keys = Some(value),
                    _ => match wishes.faults.take(word) {
                        Some(Ok(())) => {}
                        Some(Err(_)) => wishes.wrong_faults = Some(value),
                        None => wishes.unknown = Some(value),
                    },
                }
            }
            if wishes.faults.lacks_choice() {
                wishes.wrong_faults = Some(value);
            }
        }
        if variable(c"OANOCACHE").is_some() {
            wishes.cache = NONE;
        }
        wishes
    }

    impl Wishes {
        /// Has the audit watch the process, if that was asked for.
        pub(super) fn begin_check(&self) {
            #[cfg(all(feature = "audit", unix))]
            if let Some(value) = self.check {
                // SAFETY: the function is Rust's own, of that type, and asks for nothing else.
                unsafe { super::olemem_check_process(value, super::Step::Begin) };
            }
        }

        /// The allocations of the process that are to fail.
        pub(super) fn faults(&self) -> Option<FaultPlan> {
            self.faults.plan()
        }

        /// Says what was wrong about failures.
        fn complain_of_faults(value: &CStr) {
            let mut faults = fault_plan::Wishes::default();
            for word in words(value) {
                if let Some(Err(valid)) = faults.take(word) {
                    complain(format_args!(
                        "OLEMEM: {}: valid is {valid}",
                        String::from_utf8_lossy(word)
                    ));
                }
            }
            if faults.lacks_choice() {
                complain(format_args!(
                    "OLEMEM={}: nothing fails: one of fail-at=, fail-every=, fail-rate=, fail-above=, fail-family= is \
                     needed",
                    value.to_string_lossy()
                ));
            }
        }

        /// Says what was not understood.
        pub(super) fn complain(&self) {
            if let Some(value) = self.wrong_faults {
                Self::complain_of_faults(value);
            }
            if let Some(value) = self.unknown {
                complain(format_args!(
                    "OLEMEM={}: unknown; valid are plain, pass-through, cache=off, cache=windows, \
                     cache=adversarial, fail-at=, fail-every=, fail-rate=, fail-seed=, fail-above=, fail-family=, \
                     fail-then=, and, for the audit, check, report=, format=, backtrace=, quarantine=, guard=, \
                     halt=, exitcode=, suppress=",
                    value.to_string_lossy()
                ));
            }
            match (self.check, self.keys) {
                #[cfg(all(feature = "audit", unix))]
                (Some(value), _) => {
                    // SAFETY: as above.
                    unsafe { super::olemem_check_process(value, super::Step::Complain) };
                }
                #[cfg(not(all(feature = "audit", unix)))]
                (Some(value), _) => complain(format_args!(
                    "OLEMEM={}: this program's olemem is built without the audit",
                    value.to_string_lossy()
                )),
                (None, Some(value)) => complain(format_args!(
                    "OLEMEM={}: nothing is checked without the word check",
                    value.to_string_lossy()
                )),
                (None, None) => {}
            }
        }
    }
}

/// Miri watches whatever the environment says.
#[cfg(miri)]
mod environment {
    use super::Mode;
    use crate::task::fault_plan::FaultPlan;

    pub(super) struct Wishes {
        pub(super) pass_through: Option<bool>,
        pub(super) cache: Mode,
    }

    pub(super) fn wishes() -> Wishes {
        Wishes {
            pass_through: None,
            cache: Mode(0),
        }
    }

    impl Wishes {
        pub(super) fn begin_check(&self) {}

        pub(super) fn faults(&self) -> Option<FaultPlan> {
            None
        }

        pub(super) fn complain(&self) {}
    }
}
