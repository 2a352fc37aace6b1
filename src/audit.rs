//! The audit: every ownership rule that is broken, told as a story.
//!
//! A [`Session`] watches all blocks that its thread allocates, BSTRs and task memory, through whichever door: the
//! safe types, the raw operations, the C functions. When it ends it reports what was broken and where: each block
//! that leaked, each second free, each use after a free, each write past an end.
//!
//! ```
//! use olemem::audit::{Kind, Session};
//! use olemem::{Bstr, raw};
//!
//! let session = Session::begin();
//! let kept = Bstr::from("status");
//! let lost = kept.clone().into_raw();
//! drop(kept);
//!
//! let report = session.finish();
//! report.assert_kinds([Kind::Leak]);
//! assert_eq!(report.violations()[0].message, "a BSTR was never freed");
//! # // SAFETY: live, and its last use.
//! # unsafe { raw::free(lost) };
//! ```
//!
//! [`check`] is a session around a closure, for tests:
//!
//! ```
//! olemem::audit::check(|_| {
//!     drop(olemem::Bstr::from("nothing to see"));
//! });
//! ```
//!
//! # What it does to a program
//!
//! * Blocks have [guard bytes](GUARD) around them, new ones are [filled](FRESH), freed ones are [filled](FREED) and
//!   kept for a while, so that their addresses are not used again.
//! * A bad call is reported and swallowed. A test that breaks a rule on purpose has no undefined behaviour, unless
//!   it writes through stale pointers.
//! * A reallocation that grows a block moves it.
//! * All else is as without: the same results, the same sizes.
//!
//! # A whole process
//!
//! `OLEMEM=check` in the environment has all of a process watched, and `olemem check` runs a program so: see
//! `docs/audit.md` in the repository and the package.
//!
//! What is not in a session is as it ever was. The seam that the audit listens at costs nothing while there is none.

mod counting;
#[cfg(all(unix, not(miri)))]
mod crash;
mod crossing;
mod current;
#[cfg(all(unix, not(miri)))]
mod forking;
mod frame;
mod frame_pointers;
mod guard;
mod guide;
#[cfg(all(unix, not(miri)))]
mod hand_on;
mod identity;
pub(crate) mod input;
mod judge;
#[cfg(all(unix, not(miri)))]
mod kept;
mod ledger;
#[cfg(feature = "export")]
pub(crate) mod numbered;
mod options;
#[cfg(all(unix, not(miri)))]
mod other_stack;
mod overseer;
mod page;
#[cfg(all(unix, not(miri)))]
mod process;
#[doc(hidden)]
#[cfg(all(unix, not(miri)))]
pub mod records;
mod report;
mod rules;
mod sentinel;
mod session;
#[cfg(all(unix, not(miri)))]
mod settings;
#[cfg(all(unix, not(miri)))]
mod signals;
mod site;
mod suppress;
mod sweep;
#[cfg(all(unix, not(miri)))]
mod trespass;

pub use crate::task::hook::Part;
pub(crate) use counting::bury;
pub use counting::{COUNTED, CountingObject};
pub(crate) use crossing::outside;
pub use crossing::{Crossing, Parameter, What, register_literal};
pub(crate) use current::{is_open, present};
pub use frame::Frame;
pub use guard::{FREED, FRESH, GUARD, Guard};
pub use guide::{Check, Guide};
pub use input::input;
pub use ledger::Counts;
pub use options::{Budget, Options};
pub use report::{Block, Call, Failure, Report, Violation};
pub use rules::{Kind, Rule, Severity, UnknownKind};
pub use session::{Joined, Joiner, Session, check, ignore};
pub use site::Backtrace;
pub use suppress::{BadLine, Suppressions};
pub use sweep::{Answer, Did, Outcome, Run, Sweep, SweepOptions, Wrong, sweep};
