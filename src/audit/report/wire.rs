//! A report as one process of `olemem check` hands it in: as JSON, with what a merged report needs besides.

use serde_core::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::Value;

use super::json::{Violations, name, part_name, text};
use super::{Block, Call, Counts, Family, Frame, Kind, Part, Report, Rule, Severity, Violation};
use crate::audit::kept;

impl Report {
    /// As JSON in the form that one process hands to another.
    pub(crate) fn to_wire(&self, program: &str) -> String {
        text(&Wire {
            report: self,
            program,
        })
    }

    /// Reads what [`to_wire`](Self::to_wire) wrote: the report, and the program of the process.
    pub(crate) fn from_wire(text: &str) -> Option<(Self, String)> {
        let value: Value = serde_json::from_str(text).ok()?;
        let number = |key: &str| value["counts"][key].as_u64();
        let counts = Counts {
            operations: number("operations")?,
            allocated: number("allocated")?,
            freed: number("freed")?,
            failed: number("failed")?,
            live: number("live")?,
            live_bytes: number("live_bytes")?,
            peak_bytes: number("peak_bytes")?,
            total_bytes: number("total_bytes")?,
        };
        let violations = value["violations"].as_array()?;
        let report = Self {
            counts,
            violations: violations.iter().map(violation).collect::<Option<_>>()?,
            dropped: value["dropped"].as_u64()?,
            ..Self::of_nothing()
        };
        Some((report, value["program"].as_str()?.to_owned()))
    }
}

fn violation(value: &Value) -> Option<Violation> {
    let kind: Kind = value["kind"].as_str()?.parse().ok()?;
    let severity = if value["severity"] == Severity::Warning.name() {
        Severity::Warning
    } else {
        Severity::Error
    };
    Some(Violation {
        kind,
        severity,
        message: value["message"].as_str()?.to_owned(),
        rules: rules(kind, &value["rule"])?,
        call: call(&value["call"]),
        block: block(&value["block"]),
        allocated_at: frames(&value["allocated_at"])?,
        freed_at: frames(&value["freed_at"])?,
        at: frames(&value["at"])?,
    })
}

/// Those of its kind, or others, each list of which is kept once.
fn rules(kind: Kind, value: &Value) -> Option<&'static [Rule]> {
    let rule = |value: &Value| Rule::new(value.as_str()?.strip_prefix('R')?.parse().ok()?);
    let rules: Vec<Rule> = value.as_array()?.iter().map(rule).collect::<Option<_>>()?;
    Some(if rules == kind.rules() {
        kind.rules()
    } else {
        kept::rules(rules)
    })
}

fn call(value: &Value) -> Option<Call> {
    Some(Call {
        method: value["method"].as_str()?.to_owned(),
        parameter: value["parameter"].as_str().map(str::to_owned),
    })
}

fn block(value: &Value) -> Option<Block> {
    Some(Block {
        id: value["id"].as_u64()?,
        family: if value["family"] == name(Family::Bstr) {
            Family::Bstr
        } else {
            Family::Task
        },
        bytes: value["bytes"].as_u64()?.try_into().ok()?,
        part: [Part::Array, Part::ArrayData]
            .into_iter()
            .find(|part| value["part"] == part_name(*part)),
        preview: value["preview"].as_str().map(str::to_owned),
    })
}

fn frames(value: &Value) -> Option<Vec<Frame>> {
    let frame = |value: &Value| {
        Some(Frame {
            function: value["function"].as_str().map(str::to_owned),
            file: value["file"].as_str().map(str::to_owned),
            line: value["line"].as_u64().and_then(|line| line.try_into().ok()),
            address: value["address"].as_u64()?.try_into().ok()?,
        })
    };
    value.as_array()?.iter().map(frame).collect()
}

/// What a process hands in.
struct Wire<'a> {
    report: &'a Report,
    program: &'a str,
}

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Wire", 4)?;
        object.serialize_field("program", self.program)?;
        object.serialize_field("counts", &All(self.report.counts))?;
        object.serialize_field("dropped", &self.report.dropped)?;
        object.serialize_field("violations", &Violations(self.report, true))?;
        object.end()
    }
}

struct All(Counts);

impl Serialize for All {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = self.0;
        let mut object = serializer.serialize_struct("Counts", 8)?;
        object.serialize_field("operations", &counts.operations)?;
        object.serialize_field("allocated", &counts.allocated)?;
        object.serialize_field("freed", &counts.freed)?;
        object.serialize_field("failed", &counts.failed)?;
        object.serialize_field("live", &counts.live)?;
        object.serialize_field("live_bytes", &counts.live_bytes)?;
        object.serialize_field("peak_bytes", &counts.peak_bytes)?;
        object.serialize_field("total_bytes", &counts.total_bytes)?;
        object.end()
    }
}
