//! What a session does.

use super::guard::Guard;
use super::site::Backtrace;
use crate::task::fault_plan::FaultPlan;

/// What a session may allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Blocks, those of reallocations that moved included.
    pub allocations: u64,
    /// Bytes of all of them together.
    pub bytes: u64,
}

/// What a session does. Made by [`Session::options`](super::Session::options).
///
/// # Examples
///
/// ```
/// use olemem::Bstr;
/// use olemem::audit::{Backtrace, Session};
///
/// let session = Session::options()
///     .quarantine(64 << 20)
///     .backtrace(Backtrace::Off)
///     .begin();
/// drop(Bstr::from("text"));
/// session.finish().assert_clean();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub(super) quarantine: usize,
    pub(super) guard: Guard,
    pub(super) backtrace: Backtrace,
    pub(super) budget: Option<Budget>,
    pub(super) faults: Option<FaultPlan>,
    /// Whether what is live at the end may be read. In safe Rust it may be another thread's at that moment.
    pub(super) reads_at_end: bool,
    /// Whether the first violation ends the process, where it is watched.
    pub(super) halts: bool,
}

impl Default for Options {
    /// Guard bytes, a quarantine of 1 MiB, and stacks.
    fn default() -> Self {
        Self {
            quarantine: 1 << 20,
            guard: Guard::Bytes,
            backtrace: Backtrace::Full,
            budget: None,
            faults: None,
            reads_at_end: false,
            halts: false,
        }
    }
}

impl Options {
    /// How many bytes of freed blocks are kept: 1 MiB, unless this says otherwise, their guards included, so that using them late is noticed. With 0
    /// none is.
    #[must_use]
    pub const fn quarantine(mut self, bytes: usize) -> Self {
        self.quarantine = bytes;
        self
    }

    /// What stands around each block.
    #[must_use]
    pub const fn guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    /// How much of the stack is kept with each allocation and free.
    #[must_use]
    pub const fn backtrace(mut self, backtrace: Backtrace) -> Self {
        self.backtrace = backtrace;
        self
    }

    /// Makes allocations within the session fail, on whichever of its threads. [`Report::failures`](super::Report::failures)
    /// tells which ones did.
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::Bstr;
    /// use olemem::audit::Session;
    /// use olemem::fault::FaultPlan;
    ///
    /// let session = Session::options().fail(FaultPlan::nth(2)).begin();
    /// assert!(Bstr::try_from_str("first").is_ok());
    /// assert!(Bstr::try_from_str("second").is_err());
    /// let report = session.finish();
    /// assert_eq!(report.failures()[0].number, 2);
    /// ```
    #[must_use]
    pub const fn fail(mut self, plan: FaultPlan) -> Self {
        self.faults = Some(plan);
        self
    }

    /// Has blocks that are live when the session ends looked at as they are then: for C, where nobody borrows them.
    #[cfg_attr(
        not(any(feature = "export", all(unix, not(miri)))),
        expect(dead_code, reason = "there is no C")
    )]
    pub(crate) const fn read_at_end(mut self) -> Self {
        self.reads_at_end = true;
        self
    }

    /// Allows so many allocations, of so many bytes together. What goes beyond is reported, and the report is not
    /// clean.
    #[must_use]
    pub const fn at_most(mut self, allocations: u64, bytes: u64) -> Self {
        self.budget = Some(Budget { allocations, bytes });
        self
    }
}
