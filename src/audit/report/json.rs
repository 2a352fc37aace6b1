//! A report as JSON: `docs/report.schema.json` says how it looks.

use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use super::beside::Beside;
use super::signalled::{Live, Signalled};
use super::{Block, Budget, Call, Family, Frame, Part, Report, Severity, Violation};

/// The name of the form.
const SCHEMA: &str = "olemem-report/1";

impl Report {
    /// The report as JSON, of the form `olemem-report/1`: `docs/report.schema.json` describes it.
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::Bstr;
    /// use olemem::audit::Session;
    ///
    /// let session = Session::begin();
    /// drop(Bstr::from("text"));
    /// let json = session.finish().to_json();
    /// assert!(json.contains(r#""schema": "olemem-report/1""#));
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        self.to_json_with(&Beside::default())
    }

    /// The same, with what is known beside it.
    pub(crate) fn to_json_with(&self, beside: &Beside) -> String {
        let mut text = text(&Plain(self, beside));
        text.push('\n');
        text
    }
}

pub(crate) fn text(what: &impl Serialize) -> String {
    // Strings, numbers and lists of them cannot fail to be written to memory.
    serde_json::to_string_pretty(what).unwrap_or_default()
}

/// The name of a family in reports.
pub(crate) fn name(family: Family) -> &'static str {
    match family {
        Family::Bstr => "bstr",
        Family::Task => "task",
    }
}

/// The name of a part in reports.
pub(crate) fn part_name(part: Part) -> &'static str {
    match part {
        Part::Array => "array",
        Part::ArrayData => "array-data",
    }
}

/// What users see.
struct Plain<'a>(&'a Report, &'a Beside);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(report, beside) = *self;
        let mut notes = report.gaps(beside);
        let is_complete = notes.is_empty();
        notes.extend(report.over_budget());
        notes.extend_from_slice(&beside.notes);
        let mut object = serializer.serialize_struct("Report", 7)?;
        object.serialize_field("schema", SCHEMA)?;
        object.serialize_field("complete", &is_complete)?;
        object.serialize_field("summary", &Summary(report))?;
        object.serialize_field("budget", &OfBudget::of(report))?;
        object.serialize_field("violations", &Violations(report, false))?;
        object.serialize_field("signals", &Signals(&beside.signals))?;
        object.serialize_field("notes", &notes)?;
        object.end()
    }
}

/// What was allowed, and whether more was allocated.
struct OfBudget<'a>(&'a Report, Budget);

impl<'a> OfBudget<'a> {
    fn of(report: &'a Report) -> Option<Self> {
        Some(Self(report, report.budget?))
    }
}

impl Serialize for OfBudget<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(report, budget) = self;
        let mut object = serializer.serialize_struct("Budget", 4)?;
        object.serialize_field("allocations", &budget.allocations)?;
        object.serialize_field("bytes", &budget.bytes)?;
        object.serialize_field("total_bytes", &report.counts.total_bytes)?;
        object.serialize_field("exceeded", &report.exceeds_budget())?;
        object.end()
    }
}

struct Signals<'a>(&'a [Signalled]);

impl Serialize for Signals<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(OfSignal))
    }
}

struct OfSignal<'a>(&'a Signalled);

impl Serialize for OfSignal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let signalled = self.0;
        let mut object = serializer.serialize_struct("Signal", 6)?;
        object.serialize_field("process", &signalled.process)?;
        object.serialize_field("program", &signalled.program)?;
        object.serialize_field("signal", &signalled.signal)?;
        object.serialize_field("name", &signalled.name())?;
        object.serialize_field("fatal", &signalled.is_fatal)?;
        object.serialize_field("live", &signalled.live.as_deref().map(AllLive))?;
        object.end()
    }
}

struct AllLive<'a>(&'a [Live]);

impl Serialize for AllLive<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(OfLive))
    }
}

struct OfLive<'a>(&'a Live);

impl Serialize for OfLive<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let live = self.0;
        let mut object = serializer.serialize_struct("Live", 2)?;
        object.serialize_field("block", &OfBlock(&live.block))?;
        object.serialize_field("allocated_at", &Frames(&live.allocated_at, false))?;
        object.end()
    }
}

struct Summary<'a>(&'a Report);

impl Serialize for Summary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = self.0.counts;
        let mut object = serializer.serialize_struct("Summary", 7)?;
        object.serialize_field("operations", &counts.operations)?;
        object.serialize_field("allocated", &counts.allocated)?;
        object.serialize_field("freed", &counts.freed)?;
        object.serialize_field("live", &counts.live)?;
        object.serialize_field("peak_bytes", &counts.peak_bytes)?;
        object.serialize_field("errors", &self.0.count(Severity::Error))?;
        object.serialize_field("warnings", &self.0.count(Severity::Warning))?;
        object.end()
    }
}

/// All violations; with the addresses of frames or without.
pub(crate) struct Violations<'a>(pub(crate) &'a Report, pub(crate) bool);

impl Serialize for Violations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let violations = &self.0.violations;
        serializer.collect_seq(violations.iter().map(|violation| One(violation, self.1)))
    }
}

struct One<'a>(&'a Violation, bool);

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(violation, with_addresses) = *self;
        let rules: Vec<String> = violation.rules().iter().map(ToString::to_string).collect();
        let mut object = serializer.serialize_struct("Violation", 10)?;
        object.serialize_field("kind", violation.kind.name())?;
        object.serialize_field("severity", violation.severity.name())?;
        object.serialize_field("rule", &rules)?;
        object.serialize_field("message", &violation.message)?;
        object.serialize_field("help", violation.help())?;
        object.serialize_field("call", &violation.call.as_ref().map(OfCall))?;
        object.serialize_field("block", &violation.block.as_ref().map(OfBlock))?;
        for (key, frames) in [
            ("allocated_at", &violation.allocated_at),
            ("freed_at", &violation.freed_at),
            ("at", &violation.at),
        ] {
            object.serialize_field(key, &Frames(frames, with_addresses))?;
        }
        object.end()
    }
}

struct OfCall<'a>(&'a Call);

impl Serialize for OfCall<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Call", 2)?;
        object.serialize_field("method", &self.0.method)?;
        object.serialize_field("parameter", &self.0.parameter)?;
        object.end()
    }
}

struct OfBlock<'a>(&'a Block);

impl Serialize for OfBlock<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let block = self.0;
        let mut object = serializer.serialize_struct("Block", 5)?;
        object.serialize_field("id", &block.id)?;
        object.serialize_field("family", name(block.family))?;
        object.serialize_field("bytes", &block.bytes)?;
        match block.part {
            Some(part) => object.serialize_field("part", part_name(part))?,
            None => object.skip_field("part")?,
        }
        object.serialize_field("preview", &block.preview)?;
        object.end()
    }
}

/// A stack; with the addresses of frames or without.
pub(crate) struct Frames<'a>(pub(crate) &'a [Frame], pub(crate) bool);

impl Serialize for Frames<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|frame| OfFrame(frame, self.1)))
    }
}

struct OfFrame<'a>(&'a Frame, bool);

impl Serialize for OfFrame<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(frame, with_address) = *self;
        let mut object = serializer.serialize_struct("Frame", 3 + usize::from(with_address))?;
        object.serialize_field("function", &frame.function)?;
        object.serialize_field("file", &frame.file)?;
        object.serialize_field("line", &frame.line)?;
        if with_address {
            object.serialize_field("address", &frame.address)?;
        }
        object.end()
    }
}
