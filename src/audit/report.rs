//! What a session found, as data and as text.

use core::fmt;
use std::collections::HashMap;

use super::frame::{self, Frame};
use super::ledger::{Counts, Deed, Detail, Facts, Record, SessionBook};
use super::options::Budget;
use super::rules::{Kind, Rule, Severity};
#[cfg(all(unix, not(miri)))]
use super::site;
use super::site::Stack;
use crate::error::Counted;
use crate::task::block::Family;
use crate::task::fault::Planner;
use crate::task::hook::Part;

mod beside;
mod failure;
mod json;
mod message;
mod paint;
mod sarif;
mod signalled;
#[cfg(all(unix, not(miri)))]
mod wire;

#[cfg(all(unix, not(miri)))]
pub use beside::Beside;
pub use failure::Failure;
pub(super) use json::{Frames, Violations, name as family_name, text as json_text};
pub(super) use paint::Painted;
pub(super) use sarif::{log as sarif_log, place as sarif_place, sentence};
pub(super) use signalled::signal_words;
#[cfg(all(unix, not(miri)))]
pub use signalled::{Live, Signalled};

/// A session that ended, as the books had it, and its stacks.
pub(super) struct Closed {
    pub(super) book: SessionBook,
    /// Of each violation: where the block was allocated, where it was freed, where it happened.
    pub(super) stacks: Vec<[Stack; 3]>,
    /// Of each planned failure: where it happened.
    pub(super) failed_at: Vec<Stack>,
}

/// A block, as it was when its violation was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Block {
    /// Its number within the session: the first that was allocated is 1. 0 if it was allocated before.
    pub id: u64,
    /// Whose it is.
    pub family: Family,
    /// Bytes that its holder thinks of: of a BSTR those that its length counts, but for one that was allocated before the
    /// session, of which it is all.
    pub bytes: usize,
    /// What it is a part of, if olemem made it for something larger.
    pub part: Option<Part>,
    /// The beginning of a BSTR's text as far as it was written, with escapes, as it was when it was handed over or freed, or
    /// else when it was made; nothing if it has an odd length and so is no text, or is no BSTR.
    pub preview: Option<String>,
}

/// An annotated call, as a violation names it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The method, as the call gave it.
    pub method: String,
    /// The parameter, if it is about one.
    pub parameter: Option<String>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.method)?;
        match &self.parameter {
            Some(parameter) => write!(f, ", parameter {parameter}"),
            None => Ok(()),
        }
    }
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// What kind it is.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// What happened, in one sentence.
    pub message: String,
    /// Those of its kind, unless more is known.
    rules: &'static [Rule],
    /// The annotated call that it belongs to, if it does to one.
    pub call: Option<Call>,
    /// The block, if one is known.
    pub block: Option<Block>,
    /// Where the block was allocated, innermost first. Empty without a block or without stacks.
    pub allocated_at: Vec<Frame>,
    /// Where it was freed, if it was.
    pub freed_at: Vec<Frame>,
    /// Where the violation happened. Empty if it was found when the session ended; but of a reference to an interface that was
    /// never released it is where that was added.
    pub at: Vec<Frame>,
}

impl Violation {
    /// The rules that it breaks.
    #[must_use]
    pub const fn rules(&self) -> &'static [Rule] {
        self.rules
    }

    /// What to do instead.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match &self.block {
            Some(block) if matches!(self.kind, Kind::Leak) && block.part.is_some() => {
                "whoever owns the array at the end destroys it, with its data: SafeArrayDestroy"
            }
            _ => self.kind.help_on(self.rules),
        }
    }

    fn with_frames(record: &Record, [allocated_at, freed_at, at]: [Vec<Frame>; 3]) -> Self {
        Self {
            kind: record.kind,
            severity: record.severity,
            message: message::of(record),
            rules: record.rules,
            call: record.call.map(|call| Call {
                method: call.method.as_str().to_owned(),
                parameter: call.spelled(),
            }),
            block: record.block.as_ref().map(Block::new),
            allocated_at,
            freed_at,
            at,
        }
    }
}

impl Block {
    pub(super) fn new(facts: &Facts) -> Self {
        Self {
            id: facts.id,
            family: facts.family,
            bytes: facts.bytes,
            part: facts.part,
            // What has an odd length is no text.
            preview: (facts.is_bstr && facts.previewed > 0 && facts.bytes.is_multiple_of(2))
                .then(|| preview(facts)),
        }
    }
}

/// The beginning of a BSTR's text, with escapes for what does not print and dots for what was left out.
fn preview(facts: &Facts) -> String {
    let units = facts.preview[..facts.previewed]
        .chunks_exact(2)
        .map(|unit| u16::from_ne_bytes([unit[0], unit[1]]));
    let mut text = String::new();
    for decoded in char::decode_utf16(units) {
        match decoded {
            // What stands in double quotes has none to fear.
            Ok('\'') => text.push('\''),
            Ok(c) => text.extend(c.escape_debug()),
            Err(lone) => text.push_str(&format!("\\u{{{:x}}}", lone.unpaired_surrogate())),
        }
    }
    if facts.bytes > facts.previewed {
        text.push('…');
    }
    text
}

/// What a session found.
///
/// `Display` tells the story of every violation; [`Severity::Error`] ones make it unclean.
#[derive(Clone, Debug)]
pub struct Report {
    counts: Counts,
    budget: Option<Budget>,
    violations: Vec<Violation>,
    dropped: u64,
    failures: Vec<Failure>,
}

impl Report {
    pub(super) fn new(closed: Option<Closed>) -> Self {
        closed.map_or_else(Self::of_nothing, |closed| {
            Self::of_closed(closed, Stack::resolve)
        })
    }

    fn of_nothing() -> Self {
        Self {
            counts: Counts::default(),
            budget: None,
            violations: Vec::new(),
            dropped: 0,
            failures: Vec::new(),
        }
    }

    /// Of a session, its frames found by `resolve`.
    pub(super) fn of_closed(closed: Closed, resolve: fn(&Stack) -> Vec<Frame>) -> Self {
        let Closed {
            book,
            stacks,
            failed_at,
        } = closed;
        // Of one site there may be many, and to find the names takes long.
        let mut known: HashMap<Stack, Vec<Frame>> = HashMap::new();
        let mut frames = |stack: &Stack| -> Vec<Frame> {
            let found = known.entry(*stack).or_insert_with(|| resolve(stack));
            found.clone()
        };
        let found = book.records.iter().copied().zip(stacks);
        let found = found.map(|(record, stacks)| (record, stacks.each_ref().map(&mut frames)));
        let found = found.collect();
        let failures = book.failures.iter().zip(failed_at);
        let failures = failures.map(|(failed, at)| Failure {
            number: failed.fault.number,
            family: failed.family,
            bytes: failed.size,
            at: frames(&at),
            planner: failed.fault.planner,
        });
        Self {
            failures: failures.collect(),
            ..Self::of(book.counts, book.options.budget, book.dropped, found)
        }
    }

    /// Of violations in the order in which they were found, with their frames.
    pub(super) fn of(
        counts: Counts,
        budget: Option<Budget>,
        dropped: u64,
        mut found: Vec<(Record, [Vec<Frame>; 3])>,
    ) -> Self {
        // As found; leaks last, by block.
        found.sort_by_key(|(record, _)| {
            let leak = record.kind == Kind::Leak;
            let id = record.block.map_or(0, |block| block.id);
            (leak, if leak { id } else { 0 })
        });
        Self {
            counts,
            budget,
            violations: found
                .into_iter()
                .map(|(record, frames)| Violation::with_frames(&record, frames))
                .collect(),
            dropped,
            failures: Vec::new(),
        }
    }

    /// Of several processes: all that they found, one after another. The most bytes at a time are those of one.
    #[cfg(all(unix, not(miri)))]
    pub(super) fn merged(reports: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self::of_nothing();
        for report in reports {
            whole.counts.add(report.counts);
            whole.violations.extend(report.violations);
            whole.dropped += report.dropped;
        }
        whole
            .violations
            .sort_by_key(|violation| violation.kind == Kind::Leak);
        whole
    }

    /// Adds what another session of the process found.
    #[cfg(all(unix, not(miri)))]
    pub(super) fn take_over(&mut self, other: Self) {
        self.violations.extend(other.violations);
        self.violations
            .sort_by_key(|violation| violation.kind == Kind::Leak);
        self.dropped += other.dropped;
        self.failures.extend(other.failures);
    }

    /// Adds a violation of another process.
    #[cfg(all(unix, not(miri)))]
    pub(super) fn add(&mut self, record: &Record, frames: [Vec<Frame>; 3]) {
        let violation = Violation::with_frames(record, frames);
        self.violations.push(violation);
    }

    /// Keeps the violations that are to be kept, and tells how many were not.
    pub(super) fn retain(&mut self, keep: impl FnMut(&Violation) -> bool) -> usize {
        let before = self.violations.len();
        self.violations.retain(keep);
        before - self.violations.len()
    }

    /// A report of one violation, while its session goes on.
    #[cfg(all(unix, not(miri)))]
    pub(super) fn of_one(record: &Record, stacks: &[Stack; 3]) -> Self {
        Self {
            violations: vec![Violation::with_frames(
                record,
                stacks.each_ref().map(Stack::resolve),
            )],
            ..Self::of_nothing()
        }
    }

    /// The violations in the order in which they were found; leaks last, by the number of their block.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The allocations that failed because a [`FaultPlan`](crate::fault::FaultPlan) said so, whoever's plan it was:
    /// the first hundred.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// The failures of one planner, which are then no more in the report.
    pub(super) fn take_failures(&mut self, planner: Planner) -> Vec<Failure> {
        self.failures
            .extract_if(.., |failure| failure.planner == planner)
            .collect()
    }

    /// Finds names for frames that have but their addresses, in this process.
    #[cfg(all(unix, not(miri)))]
    pub(super) fn name_frames(&mut self) {
        for violation in &mut self.violations {
            let Violation {
                allocated_at,
                freed_at,
                at,
                ..
            } = violation;
            for frames in [allocated_at, freed_at, at] {
                *frames = site::resolved(frames.iter().map(|frame| frame.address));
            }
        }
    }

    /// The session's numbers, when it ended.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// How many violations are of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let is_so = |violation: &&Violation| violation.severity == severity;
        self.violations.iter().filter(is_so).count()
    }

    /// Violations that could not be kept, for want of memory.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether the session saw anything at all.
    #[must_use]
    pub const fn has_recorded(&self) -> bool {
        self.counts.operations > 0
    }

    /// Whether more was allocated than the session allowed.
    #[must_use]
    pub fn exceeds_budget(&self) -> bool {
        self.budget.is_some_and(|budget| {
            self.counts.allocated > budget.allocations || self.counts.total_bytes > budget.bytes
        })
    }

    /// Whether no rule was broken, something was recorded, and no budget exceeded. Warnings do not count.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.has_recorded()
            && self.count(Severity::Error) == 0
            && self.dropped == 0
            && !self.exceeds_budget()
    }

    /// Panics with the whole story unless the report is clean.
    ///
    /// # Panics
    ///
    /// See above.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "\n{self}");
    }

    /// Panics with the whole story unless just these kinds were found, warnings included, in any order, each as
    /// often as it is said.
    ///
    /// # Panics
    ///
    /// See above.
    #[track_caller]
    pub fn assert_kinds(&self, kinds: impl IntoIterator<Item = Kind>) {
        let mut wanted: Vec<Kind> = kinds.into_iter().collect();
        let mut found: Vec<Kind> = self.violations.iter().map(|v| v.kind).collect();
        wanted.sort_unstable();
        found.sort_unstable();
        assert!(
            wanted == found,
            "\nexpected {}, found {}\n\n{self}",
            names(&wanted),
            names(&found)
        );
    }

    /// Panics if more was allocated.
    ///
    /// # Panics
    ///
    /// See above.
    #[track_caller]
    pub fn assert_at_most(&self, allocations: u64, bytes: u64) {
        let Counts {
            allocated,
            total_bytes,
            ..
        } = self.counts;
        assert!(
            allocated <= allocations && total_bytes <= bytes,
            "{allocated} allocations of {total_bytes} bytes together, where {allocations} of {bytes} are allowed"
        );
    }
}

impl<'a> IntoIterator for &'a Report {
    type Item = &'a Violation;
    type IntoIter = core::slice::Iter<'a, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.violations.iter()
    }
}

fn names(kinds: &[Kind]) -> String {
    if kinds.is_empty() {
        return "nothing".to_owned();
    }
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    names.join(", ")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f)?;
        self.summary(f)
    }
}

/// Violations that are told together: leaks of one site, of which the first stands for all.
struct Told<'a> {
    first: &'a Violation,
    /// All of them.
    count: usize,
    bytes: usize,
}

fn grouped(violations: &[Violation]) -> Vec<Told<'_>> {
    let mut told: Vec<Told<'_>> = Vec::new();
    for violation in violations {
        let bytes = violation.block.as_ref().map_or(0, |block| block.bytes);
        let same = told.iter_mut().find(|group| {
            violation.kind == Kind::Leak
                && group.first.kind == Kind::Leak
                && group.first.call == violation.call
                && !violation.allocated_at.is_empty()
                && frame::is_same_site(&group.first.allocated_at, &violation.allocated_at)
        });
        match same {
            Some(group) => {
                group.count += 1;
                group.bytes += bytes;
            }
            None => told.push(Told {
                first: violation,
                count: 1,
                bytes,
            }),
        }
    }
    told
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = Told {
            first: self,
            count: 1,
            bytes: 0,
        };
        told.fmt(f)
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let violation = self.first;
        let Violation {
            kind,
            severity,
            message,
            block,
            call,
            ..
        } = violation;
        writeln!(f, "{severity}[{kind}]: {message}")?;
        if let Some(call) = call {
            writeln!(f, "  call {call}")?;
        }
        if let Some(block) = block {
            write!(f, "  block {block}")?;
            if self.count > 1 {
                let (others, bytes) = (self.count - 1, self.bytes);
                write!(f, ", and {others} more from there, {bytes} bytes together")?;
            }
            writeln!(f)?;
        }
        let happened = match kind {
            Kind::InterfaceLeaked => "added at",
            _ => "happened at",
        };
        for (what, frames) in [
            ("allocated at", &violation.allocated_at),
            ("freed at", &violation.freed_at),
            (happened, &violation.at),
        ] {
            if !frames.is_empty() {
                writeln!(f, "  {what}")?;
            }
            for frame in frames {
                writeln!(f, "    {frame}")?;
            }
        }
        if let [first, rest @ ..] = violation.rules() {
            write!(f, "  rule: {first}")?;
            for rule in rest {
                write!(f, ", {rule}")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "  help: {}", violation.help())
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id, family, bytes, ..
        } = self;
        match id {
            0 => f.write_str("from before")?,
            id => write!(f, "{id}")?,
        }
        match self.part {
            Some(Part::Array) => f.write_str(": SAFEARRAY")?,
            Some(Part::ArrayData) => f.write_str(": data of a SAFEARRAY")?,
            None => write!(f, ": {family}")?,
        }
        write!(f, ", {}", plural(*bytes as u64, "byte"))?;
        match &self.preview {
            Some(preview) => write!(f, ", \"{preview}\""),
            None => Ok(()),
        }
    }
}

impl Report {
    /// The stories, each with an empty line behind it.
    pub(super) fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in grouped(&self.violations) {
            writeln!(f, "{violation}")?;
        }
        Ok(())
    }

    /// The last lines: what was seen, and how it ended.
    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.has_recorded() && self.violations.is_empty() {
            return f.write_str("olemem: recorded nothing");
        }
        let counts = self.counts;
        if let Some(told) = self.over_budget() {
            writeln!(f, "{told}\n")?;
        }
        write!(
            f,
            "olemem: {}, {}; {} ({} allocated, {} freed, {} live, at most {} at a time)",
            plural(self.count(Severity::Error) as u64, "error"),
            plural(self.count(Severity::Warning) as u64, "warning"),
            plural(counts.operations, "operation"),
            counts.allocated,
            counts.freed,
            counts.live,
            plural(counts.peak_bytes, "byte"),
        )?;
        if let Some(told) = self.lost() {
            write!(f, "; {told}")?;
        }
        Ok(())
    }
}

/// A number of things.
pub(super) fn plural(count: u64, thing: &str) -> String {
    Counted(count, thing).to_string()
}
