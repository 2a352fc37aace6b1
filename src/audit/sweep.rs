//! Every allocation made to fail, one after another.
//!
//! ```text
//!  run 1: the first allocation fails ─► what did the callee do? what did the audit find?
//!  run 2: the second one fails       ─► the same
//!    …
//!  run N+1: there is no such allocation, nothing fails: the end
//! ```

use core::fmt;
use std::panic::{self, AssertUnwindSafe};
#[cfg(all(unix, not(miri)))]
use std::time::Duration;

use super::ledger::SessionId;
use super::options::Options;
use super::report::{Closed, Failure, Report, Violation};
use super::rules::{Kind, Severity};
use super::session::Session;
use super::site::Stack;
use crate::task::block::Family;
use crate::task::fault::Planner;
use crate::task::fault_plan::FaultPlan;

#[cfg(all(unix, not(miri)))]
mod child;
mod json;
mod outcome;
mod sarif;
mod table;

pub use outcome::{Answer, Outcome};
/// Runs a callee again and again, and has the first allocation fail, then the second, and so on, until a run needs
/// none to fail any more: N allocations take N + 1 runs.
///
/// Each run is a session of its own, so it must free all that it allocates, whatever the callee answers. What the
/// closure gives says whether it failed, and is dropped within the session. What else must hold after a failure (an
/// \[out\] parameter is null, an \[in,out\] one is whole) the closure asserts: a panic is a row of the table.
///
/// * The closure makes its component anew in each run, or leaves it as it found it.
/// * Threads that [join](Session::joiner) the session count as well. A session that the closure begins takes its
///   thread over, and nothing fails there.
/// * A callee that tries again until it has memory succeeds: one allocation fails, and no more.
///   [`from_then_on`](SweepOptions::from_then_on) is for the other case, that memory has run out for good.
///
/// # Examples
///
/// ```
/// use olemem::{Bstr, HResult, Out, audit};
///
/// extern "system" fn get_status_text(text: Out<'_, Bstr>) -> HResult {
///     text.fill(|| Ok(Bstr::try_from_str("Ready")?))
/// }
///
/// let sweep = audit::sweep(|_| {
///     let mut text = Bstr::new();
///     let code = get_status_text(Out::new(&mut text));
///     assert_eq!(text.is_null(), code.is_failure());
///     code
/// });
/// sweep.assert_clean();
/// assert_eq!(sweep.runs().len(), 2);
/// ```
pub fn sweep<T: Outcome>(callee: impl FnMut(&Session) -> T) -> Sweep {
    Sweep::options().run(callee)
}

/// What the callee did in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Did {
    /// It succeeded. Where an allocation had failed, it coped.
    Succeeded,
    /// It came back with a failure: the code, the error, the exit status.
    Failed(String),
    /// It panicked, with this message.
    Panicked(String),
    /// A signal ended it. In a child, or a process of its own.
    Crashed(i32),
    /// It ended its process, with this status. In a child.
    Exited(i32),
    /// It did not come back in time, and was ended. In a child, or a process of its own.
    TimedOut,
}

/// What is wrong with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wrong {
    /// A rule was broken.
    Broke(Kind),
    /// The callee panicked.
    Panicked,
    /// A signal ended it.
    Crashed,
    /// It ended its process.
    Exited,
    /// It did not come back in time.
    TimedOut,
    /// It tried again and again, and was given memory in the end.
    NeverGaveUp,
    /// Nothing was made to fail, and it failed.
    FailedByItself,
    /// The session saw no operation: there was nothing to judge.
    RecordedNothing,
    /// None of the allocations that were to fail, by their family or size, was made.
    NothingMatched,
    /// The process left no report.
    LeftNoReport,
}

impl Wrong {
    /// Its name: that of the kind, or words with dashes between them.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Broke(kind) => kind.name(),
            Self::Panicked => "panicked",
            Self::Crashed => "crashed",
            Self::Exited => "exited",
            Self::TimedOut => "timed-out",
            Self::NeverGaveUp => "never-gave-up",
            Self::FailedByItself => "failed-by-itself",
            Self::RecordedNothing => "recorded-nothing",
            Self::NothingMatched => "nothing-matched",
            Self::LeftNoReport => "left-no-report",
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One run of a sweep: a row of its table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Run {
    /// The number of the allocation that was to fail. There is none of that number in the last run.
    pub number: u64,
    /// The allocations that failed: none in the last run; several where all that followed failed as well, or in
    /// several processes.
    pub failures: Vec<Failure>,
    /// What the callee did.
    pub did: Did,
    /// How many allocations failed: `failures` has no more than a hundred of them.
    failed: u64,
    report: Report,
    wrongs: Vec<Wrong>,
}

impl Run {
    /// The broken rules.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        self.report.violations()
    }

    /// What the audit found, with its numbers.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// All that is wrong with the run, each once; warnings are not.
    #[must_use]
    pub fn wrongs(&self) -> &[Wrong] {
        &self.wrongs
    }

    /// Whether nothing is.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.wrongs.is_empty()
    }
}

/// What a run was, before it is judged.
pub(super) struct Ran {
    pub(super) number: u64,
    pub(super) failures: Vec<Failure>,
    pub(super) failed: u64,
    pub(super) did: Did,
    pub(super) report: Report,
}

impl Ran {
    /// The run with all that is wrong with it, but for what the caller knows better.
    pub(super) fn judged(self, others: impl IntoIterator<Item = Wrong>) -> Run {
        let mut wrongs = Vec::new();
        wrongs.extend(match self.did {
            Did::Panicked(_) => Some(Wrong::Panicked),
            Did::Crashed(_) => Some(Wrong::Crashed),
            Did::Exited(_) => Some(Wrong::Exited),
            Did::TimedOut => Some(Wrong::TimedOut),
            Did::Succeeded | Did::Failed(_) => None,
        });
        wrongs.extend(others);
        for violation in self.report.violations() {
            let wrong = Wrong::Broke(violation.kind);
            if violation.severity == Severity::Error && !wrongs.contains(&wrong) {
                wrongs.push(wrong);
            }
        }
        let Self {
            number,
            failures,
            failed,
            did,
            report,
        } = self;
        Run {
            number,
            failures,
            did,
            failed,
            report,
            wrongs,
        }
    }
}

/// What a sweep found: a row for each allocation that was made to fail, and one for the run in which none was.
///
/// `Display` is the table, the story of each violation, and a line of numbers.
#[derive(Clone, Debug)]
pub struct Sweep {
    runs: Vec<Run>,
    is_complete: bool,
}

impl Sweep {
    /// How a sweep is made: see there.
    #[must_use]
    pub fn options() -> SweepOptions {
        SweepOptions::default()
    }

    /// Of processes, whose runs the command has judged.
    #[cfg(all(unix, not(miri)))]
    pub(super) const fn of(runs: Vec<Run>, is_complete: bool) -> Self {
        Self { runs, is_complete }
    }

    /// The rows, in the order of their numbers.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Whether all allocations were made to fail, and the limit of runs was not reached.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Whether it is complete, and nothing is wrong with any run. Warnings do not count.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.is_complete && self.runs.iter().all(Run::is_clean)
    }

    /// Panics with the table and the whole story unless the sweep is clean.
    ///
    /// # Panics
    ///
    /// See above.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "\n{self}");
    }

    /// How many violations of a severity there are, in all runs.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let reports = self.runs.iter().map(Run::report);
        reports.map(|report| report.count(severity)).sum()
    }

    /// How many allocations were made to fail in turn.
    fn allocations(&self) -> usize {
        self.runs.iter().filter(|run| run.failed > 0).count()
    }

    /// How many runs have something wrong with them.
    fn broken(&self) -> usize {
        self.runs.iter().filter(|run| !run.is_clean()).count()
    }
}

impl<'a> IntoIterator for &'a Sweep {
    type Item = &'a Run;
    type IntoIter = core::slice::Iter<'a, Run>;

    fn into_iter(self) -> Self::IntoIter {
        self.runs.iter()
    }
}

/// How a sweep is made. Made by [`Sweep::options`].
///
/// # Examples
///
/// ```
/// use olemem::audit::{Backtrace, Did, Session, Sweep};
/// use olemem::{Bstr, TaskBox, heap::Family};
///
/// let sweep = Sweep::options()
///     .of(Family::Task)
///     .from_then_on()
///     .session(Session::options().backtrace(Backtrace::Off))
///     .run(|_| {
///         let text = Bstr::from("not made to fail");
///         TaskBox::try_new(text.len()).or_else(|_| TaskBox::try_new(0)).ok()
///     });
/// sweep.assert_clean();
/// let [first, last] = sweep.runs() else { panic!("{sweep}") };
/// assert_eq!(first.failures.len(), 2);
/// assert_eq!(first.did, Did::Failed("None".to_owned()));
/// assert_eq!(last.did, Did::Succeeded);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SweepOptions {
    session: Options,
    family: Option<Family>,
    above: usize,
    goes_on: bool,
    patience: u64,
    limit: u64,
    #[cfg(all(unix, not(miri)))]
    in_children: bool,
    #[cfg(all(unix, not(miri)))]
    time: Duration,
}

impl Default for SweepOptions {
    /// All allocations, each alone, in no more than 10,000 runs, within this process.
    fn default() -> Self {
        Self {
            session: Options::default(),
            family: None,
            above: 0,
            goes_on: false,
            patience: 1000,
            limit: 10_000,
            #[cfg(all(unix, not(miri)))]
            in_children: false,
            #[cfg(all(unix, not(miri)))]
            time: Duration::from_secs(60),
        }
    }
}

impl SweepOptions {
    /// What the session of each run does. A plan of failures of its own is replaced.
    #[must_use]
    pub const fn session(mut self, options: Options) -> Self {
        self.session = options;
        self
    }

    /// Allocations of one family alone.
    #[must_use]
    pub const fn of(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    /// Allocations of more than so many bytes alone, as [`FaultPlan::above`] counts them.
    #[must_use]
    pub const fn above(mut self, bytes: usize) -> Self {
        self.above = bytes;
        self
    }

    /// In each run all allocations that come after the one that fails, fail as well. A callee that goes on trying is given
    /// memory when its [patience](Self::patience) is shown, and [never gave up](Wrong::NeverGaveUp).
    #[must_use]
    pub const fn from_then_on(mut self) -> Self {
        self.goes_on = true;
        self
    }

    /// How many allocations fail in one run at most: 1,000, unless this says otherwise. A callee that goes on trying
    /// would never come back.
    #[must_use]
    pub const fn patience(mut self, failures: u64) -> Self {
        self.patience = failures;
        self
    }

    /// No more than so many runs. A sweep that would need more is [not complete](Sweep::is_complete).
    #[must_use]
    pub const fn runs_at_most(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// Each run in a child of this process, made by `fork`: so a crash, an abort, an endless loop are rows of the
    /// table. Nothing that the closure does to its variables is seen here. On Unix, and not under Miri.
    ///
    /// The child has this thread alone. A lock that another thread held, one of the program's own or standard
    /// output's, is never given back there; a run that waits for one is ended when its [time](Self::time_at_most) is up.
    #[cfg(all(unix, not(miri)))]
    #[must_use]
    pub const fn in_children(mut self) -> Self {
        self.in_children = true;
        self
    }

    /// How long a run in a child may take: 60 seconds, unless this says otherwise.
    #[cfg(all(unix, not(miri)))]
    #[must_use]
    pub const fn time_at_most(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Makes the sweep: see [`sweep`].
    ///
    /// # Panics
    ///
    /// If no session can begin, or no child be made.
    pub fn run<T: Outcome>(self, mut callee: impl FnMut(&Session) -> T) -> Sweep {
        let mut runs = Vec::new();
        let mut is_complete = false;
        for number in 1..=self.limit {
            let ran = self.once(number, &mut callee);
            is_complete = ran.failed == 0;
            runs.push(self.judged(ran));
            if is_complete {
                break;
            }
        }
        Sweep { runs, is_complete }
    }

    /// One run, in which the allocation of that number fails.
    fn once<T: Outcome>(&self, number: u64, callee: &mut impl FnMut(&Session) -> T) -> Ran {
        #[cfg(all(unix, not(miri)))]
        if self.in_children {
            return child::run(self, number, callee);
        }
        let (did, closed) = self.within(number, callee, |_| {});
        let failed = closed.book.planned_failures();
        let mut report = Report::of_closed(closed, Stack::resolve);
        Ran {
            number,
            failures: report.take_failures(Planner::Session),
            failed,
            did,
            report,
        }
    }

    /// One run in this process; `begun` is told of its session.
    fn within<T: Outcome>(
        &self,
        number: u64,
        callee: &mut impl FnMut(&Session) -> T,
        begun: impl FnOnce(SessionId),
    ) -> (Did, Closed) {
        let mut plan = FaultPlan::nth(number).above(self.above);
        if let Some(family) = self.family {
            plan = plan.of(family);
        }
        if self.goes_on {
            plan = plan.from_then_on().at_most(self.patience);
        }
        let session = self.session.fail(plan).begin();
        begun(session.id());
        let run = || match callee(&session).answer() {
            Answer::Success => Did::Succeeded,
            Answer::Failure(code) => Did::Failed(code),
        };
        let did = match panic::catch_unwind(AssertUnwindSafe(run)) {
            Ok(did) => did,
            Err(cause) => {
                let text = cause.downcast_ref::<&str>().copied();
                let text = text.or_else(|| cause.downcast_ref::<String>().map(String::as_str));
                Did::Panicked(text.unwrap_or("with something that is no text").to_owned())
            }
        };
        let closed = session.into_closed();
        (did, closed.expect("the session is held here"))
    }

    /// Whether some allocations are left alone.
    fn is_narrowed(&self) -> bool {
        self.family.is_some() || self.above > 0
    }

    /// The run with all that is wrong with it.
    fn judged(&self, ran: Ran) -> Run {
        let mut others = Vec::new();
        if self.goes_on && ran.failed >= self.patience {
            others.push(Wrong::NeverGaveUp);
        }
        if ran.failed == 0 && matches!(ran.did, Did::Failed(_)) {
            others.push(Wrong::FailedByItself);
        }
        let came_back = matches!(ran.did, Did::Succeeded | Did::Failed(_));
        if came_back && !ran.report.has_recorded() {
            others.push(Wrong::RecordedNothing);
        } else if came_back && self.is_narrowed() && ran.number == 1 && ran.failed == 0 {
            others.push(Wrong::NothingMatched);
        }
        ran.judged(others)
    }
}
