//! A sweep as JSON: `docs/sweep.schema.json` says how it looks.

use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use super::super::report::{Frames, Violations, family_name, json_text};
use super::{Did, Run, Sweep};
use crate::audit::report::Failure;
use crate::audit::rules::Severity;

/// The name of the form.
const SCHEMA: &str = "olemem-sweep/1";

impl Sweep {
    /// The sweep as JSON, of the form `olemem-sweep/1`: `docs/sweep.schema.json` describes it.
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::{TaskBox, audit};
    ///
    /// let json = audit::sweep(|_| TaskBox::try_new(1)).to_json();
    /// assert!(json.contains(r#""schema": "olemem-sweep/1""#));
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = json_text(&Plain(self));
        text.push('\n');
        text
    }
}

struct Plain<'a>(&'a Sweep);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let runs: Vec<_> = self.0.runs.iter().map(Row).collect();
        let mut object = serializer.serialize_struct("Sweep", 3)?;
        object.serialize_field("schema", SCHEMA)?;
        object.serialize_field("summary", &Summary(self.0))?;
        object.serialize_field("runs", &runs)?;
        object.end()
    }
}

struct Summary<'a>(&'a Sweep);

impl Serialize for Summary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sweep = self.0;
        let mut object = serializer.serialize_struct("Summary", 6)?;
        object.serialize_field("runs", &sweep.runs.len())?;
        object.serialize_field("allocations", &sweep.allocations())?;
        object.serialize_field("broken", &sweep.broken())?;
        object.serialize_field("complete", &sweep.is_complete)?;
        object.serialize_field("errors", &sweep.count(Severity::Error))?;
        object.serialize_field("warnings", &sweep.count(Severity::Warning))?;
        object.end()
    }
}

struct Row<'a>(&'a Run);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let run = self.0;
        let failures: Vec<_> = run.failures.iter().map(OfFailure).collect();
        let wrongs: Vec<_> = run.wrongs.iter().map(|wrong| wrong.name()).collect();
        let mut object = serializer.serialize_struct("Run", 6)?;
        object.serialize_field("number", &run.number)?;
        object.serialize_field("failed", &run.failed)?;
        object.serialize_field("failures", &failures)?;
        object.serialize_field("did", &OfDeed(&run.did))?;
        object.serialize_field("wrong", &wrongs)?;
        object.serialize_field("violations", &Violations(&run.report, false))?;
        object.end()
    }
}

struct OfFailure<'a>(&'a Failure);

impl Serialize for OfFailure<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let failure = self.0;
        let mut object = serializer.serialize_struct("Failure", 4)?;
        object.serialize_field("number", &failure.number)?;
        object.serialize_field("family", family_name(failure.family))?;
        object.serialize_field("bytes", &failure.bytes)?;
        object.serialize_field("at", &Frames(&failure.at, false))?;
        object.end()
    }
}

struct OfDeed<'a>(&'a Did);

impl Serialize for OfDeed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (what, number, text) = match self.0 {
            Did::Succeeded => ("succeeded", None, None),
            Did::Failed(code) => ("failed", None, Some(code)),
            Did::Panicked(message) => ("panicked", None, Some(message)),
            Did::Crashed(signal) => ("crashed", Some(signal), None),
            Did::Exited(status) => ("exited", Some(status), None),
            Did::TimedOut => ("timed-out", None, None),
        };
        let mut object = serializer.serialize_struct("Did", 3)?;
        object.serialize_field("what", what)?;
        object.serialize_field("number", &number)?;
        object.serialize_field("text", &text)?;
        object.end()
    }
}
