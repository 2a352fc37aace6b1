//! What machines are told beside the violations: signals, notes, and what is missing from the report.
#![cfg_attr(
    not(all(unix, not(miri))),
    expect(unreachable_pub, reason = "there is no command to tell of it")
)]

use super::signalled::Signalled;
use super::{Budget, Report, plural};

/// What a report alone does not tell.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// The signals that met processes.
    pub signals: Vec<Signalled>,
    /// What could not be judged, a sentence each. With any of them nobody may take the report for a clean one.
    pub gaps: Vec<String>,
    /// What else there is to say.
    pub notes: Vec<String>,
}

impl Report {
    /// What could not be judged: as others know, or else as the report itself does.
    pub(super) fn gaps(&self, beside: &Beside) -> Vec<String> {
        let mut gaps = beside.gaps.clone();
        if gaps.is_empty() && !self.has_recorded() && self.violations.is_empty() {
            gaps.push("recorded nothing".to_owned());
        }
        gaps.extend(self.lost());
        gaps
    }

    /// How many violations could not be kept, if there were any.
    pub(super) fn lost(&self) -> Option<String> {
        (self.dropped > 0)
            .then(|| format!("{} could not be kept", plural(self.dropped, "violation")))
    }

    /// What is said where more was allocated than is allowed.
    pub(super) fn over_budget(&self) -> Option<String> {
        let Budget { allocations, bytes } = self.budget.filter(|_| self.exceeds_budget())?;
        Some(format!(
            "over budget: {} of {} together, where {allocations} of {} are allowed",
            plural(self.counts.allocated, "allocation"),
            plural(self.counts.total_bytes, "byte"),
            plural(bytes, "byte"),
        ))
    }
}
