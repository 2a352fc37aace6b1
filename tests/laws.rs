//! Laws: any sequence of operations does what a naive model of it does.
//!
//! Each step is done twice, by olemem and on plain vectors of bytes, and after each everything that
//! lives is compared: contents, prefix, terminator, alignment, exact size. Any step may have its
//! allocation fail; then nothing may have changed.
#![cfg(feature = "std")]

#[path = "support/balance.rs"]
mod balance;
#[cfg(all(feature = "export", any(not(windows), miri)))]
#[path = "laws/c_abi.rs"]
mod c_abi;
#[path = "laws/image.rs"]
mod image_law;
#[path = "laws/inputs.rs"]
mod inputs;
#[path = "laws/overlap.rs"]
mod overlap;
#[path = "laws/raw.rs"]
mod raw_law;
#[path = "laws/safe.rs"]
mod safe_law;
#[path = "support/seeds.rs"]
mod seeds;
#[path = "laws/steps.rs"]
mod steps;
#[path = "support/tools.rs"]
mod tools;
#[path = "laws/wire.rs"]
mod wire_law;

use quickcheck::{Arbitrary, Gen, QuickCheck, TestResult};

use balance::balanced;
use steps::{Choices, Operation, Step, World, run};

impl<O: Operation> Arbitrary for Step<O> {
    fn arbitrary(g: &mut Gen) -> Self {
        Self::choose(&mut Choices(&mut || u32::arbitrary(g)))
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let fails = self.fails;
        let calm = fails.then(|| Self {
            operation: self.operation.clone(),
            fails: false,
        });
        let smaller = self.operation.smaller().into_iter();
        Box::new(
            calm.into_iter()
                .chain(smaller.map(move |operation| Self { operation, fails })),
        )
    }
}

/// Random sequences, another set each time, and the smallest that breaks the law if one does.
pub(crate) fn holds_for_any_sequence<W: World>() {
    fn law<W: World>(steps: Vec<Step<W::Operation>>) -> TestResult {
        match run::<W>(&steps) {
            Ok(()) => TestResult::passed(),
            Err(error) => TestResult::error(error),
        }
    }
    let _balance = balanced();
    let (tests, size) = if cfg!(miri) { (4, 8) } else { (150, 60) };
    QuickCheck::new()
        .tests(tests)
        .rng(Gen::new(size))
        .quickcheck(law::<W> as fn(Vec<Step<W::Operation>>) -> TestResult);
}

/// One long sequence, the same each time.
pub(crate) fn holds_for_a_long_sequence<W: World>() {
    let _balance = balanced();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        // Marsaglia's xorshift64*.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32
    };
    let count = if cfg!(miri) { 15 } else { 12_000 };
    let steps: Vec<_> = (0..count)
        .map(|_| Step::choose(&mut Choices(&mut next)))
        .collect();
    if let Err(error) = run::<W>(&steps) {
        panic!("{error}");
    }
}

/// The smallest sequence that still has a property: what quickcheck would report.
pub(crate) fn shrunk<O: Operation>(
    mut steps: Vec<Step<O>>,
    has: impl Fn(&[Step<O>]) -> bool,
) -> Vec<Step<O>> {
    assert!(has(&steps));
    while let Some(smaller) = steps.shrink().find(|smaller| has(smaller)) {
        steps = smaller;
    }
    steps
}
