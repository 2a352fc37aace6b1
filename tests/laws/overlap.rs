//! Reallocations, and sources that lie in what is reallocated: the raw operations against their model, chosen so that
//! little else happens.

use super::raw_law::{Op, Raw, Source};
use super::steps::{Choices, Operation, Step, World};

/// An operation of the raw law.
#[derive(Clone, Debug)]
pub(crate) struct Overlapping(Op);

fn source(choices: &mut Choices<'_>) -> Source {
    match choices.below(6) {
        0 => Source::Null,
        1 => Source::Units(choices.units()),
        2 => Source::Other(choices.len()),
        _ => Source::Own(choices.len()),
    }
}

impl Operation for Overlapping {
    fn choose(choices: &mut Choices<'_>) -> Self {
        Self(match choices.below(16) {
            0 => Op::AllocUnits(Source::Units(choices.units()), 0),
            1 => Op::AllocBytes(Some(choices.bytes()), 0),
            2..=5 => Op::Realloc(choices.len(), source(choices)),
            6..=10 => Op::ReallocUnits(choices.len(), source(choices), choices.len()),
            11 => Op::Shorten(choices.len(), choices.len()),
            12 => Op::Write(choices.len(), 1),
            13 => Op::TaskAlloc(choices.len()),
            14 => Op::TaskRealloc(choices.len(), choices.len()),
            _ => Op::Free(choices.len()),
        })
    }

    fn smaller(&self) -> Vec<Self> {
        self.0.smaller().into_iter().map(Self).collect()
    }
}

/// The raw operations and their model.
#[derive(Debug, Default)]
pub(crate) struct Overlap(Raw);

impl World for Overlap {
    type Operation = Overlapping;

    fn step(&mut self, step: &Step<Overlapping>) -> Result<(), String> {
        self.0.step(&Step {
            operation: step.operation.0.clone(),
            fails: step.fails,
        })
    }

    fn check(&self) -> Result<(), String> {
        self.0.check()
    }
}
