//! Allocations that failed because somebody planned it.

use core::fmt;

use super::{Family, Frame, plural};
use crate::task::fault::Planner;

/// An allocation that failed because a [`FaultPlan`](crate::fault::FaultPlan) said so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// Its number, as the plan counts: the first is 1.
    pub number: u64,
    /// Whose it would have been.
    pub family: Family,
    /// Bytes that were asked of the heap: of a BSTR the header, the terminator and what the block is rounded up by
    /// as well.
    pub bytes: usize,
    /// Where it was asked for, innermost first. Empty without stacks.
    pub at: Vec<Frame>,
    /// Whose plan it was.
    pub(crate) planner: Planner,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, bytes, .. } = self;
        write!(f, "{family}, {}", plural(*bytes as u64, "byte"))
    }
}
