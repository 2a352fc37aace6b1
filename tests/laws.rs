//! Laws: any sequence of operations does what a naive model of it does.
//!
//! Each step is done twice, by olemem and on plain vectors of bytes, and after each everything that
//! lives is compared: contents, prefix, terminator, alignment, exact size. Any step may have its
//! allocation fail; then nothing may have changed.
#![cfg(feature = "std")]

#[path = "support/balance.rs"]
mod balance;
#[path = "laws/raw.rs"]
mod raw_law;
#[path = "laws/safe.rs"]
mod safe_law;

use std::fmt::Debug;

use quickcheck::{Arbitrary, Gen, QuickCheck, TestResult};

use balance::balanced;

/// Where the choices of a step come from: quickcheck, or a fixed sequence of numbers.
pub(crate) struct Choices<'a>(&'a mut dyn FnMut() -> u32);

impl Choices<'_> {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        (self.0)() % bound
    }

    /// A length: mostly around the edges of small blocks, now and then a large one.
    pub(crate) fn len(&mut self) -> u16 {
        let small = [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 22, 23, 26, 27, 54, 55];
        let index = self.below(20) as usize;
        match small.get(index) {
            Some(len) => *len,
            None => u16::try_from(self.below(600)).expect("below the bound"),
        }
    }

    /// Units with zeros and surrogates among them.
    pub(crate) fn units(&mut self) -> Vec<u16> {
        let len = self.len();
        (0..len)
            .map(|_| match self.below(8) {
                0 => 0,
                1 => 0xD83C,
                2 => 0xDF88,
                _ => u16::try_from(self.below(0x1_0000)).expect("below the bound"),
            })
            .collect()
    }

    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        let len = self.len();
        (0..len)
            .map(|_| u8::try_from(self.below(256)).expect("below the bound"))
            .collect()
    }
}

/// One operation, chosen and made smaller.
pub(crate) trait Operation: Clone + Debug + 'static {
    fn choose(choices: &mut Choices<'_>) -> Self;
    /// Simpler operations that may fail alike.
    fn smaller(&self) -> Vec<Self>;
}

/// An operation, and whether the first allocation in it is to fail.
#[derive(Clone, Debug)]
pub(crate) struct Step<O> {
    pub(crate) operation: O,
    pub(crate) fails: bool,
}

impl<O: Operation> Step<O> {
    fn choose(choices: &mut Choices<'_>) -> Self {
        Self {
            operation: O::choose(choices),
            fails: choices.below(8) == 0,
        }
    }
}

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

/// olemem and its model, side by side.
pub(crate) trait World: Default {
    type Operation: Operation;
    /// Does a step on both sides; what their answers differ in is the error.
    fn step(&mut self, step: &Step<Self::Operation>) -> Result<(), String>;
    /// Compares everything that lives.
    fn check(&self) -> Result<(), String>;
}

/// All steps, and a look at everything after each.
fn run<W: World>(steps: &[Step<W::Operation>]) -> Result<(), String> {
    let mut world = W::default();
    for (index, step) in steps.iter().enumerate() {
        world
            .step(step)
            .and_then(|()| world.check())
            .map_err(|error| format!("at step {index}, {step:?}: {error}"))?;
    }
    Ok(())
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
    let (tests, size) = if cfg!(miri) { (5, 10) } else { (150, 60) };
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
    let count = if cfg!(miri) { 40 } else { 12_000 };
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

/// Smaller versions of a vector, with a few units rather than all tried.
pub(crate) fn smaller_vec<T: Clone + Default + PartialEq>(vec: &[T]) -> Vec<Vec<T>> {
    let mut smaller = Vec::new();
    if !vec.is_empty() {
        smaller.push(Vec::new());
        smaller.push(vec[..vec.len() / 2].to_vec());
        smaller.push(vec[..vec.len() - 1].to_vec());
        if vec.iter().any(|item| *item != T::default()) {
            smaller.push(vec![T::default(); vec.len()]);
        }
    }
    smaller
}

/// Smaller versions of a number.
pub(crate) fn smaller_number(number: u16) -> Vec<u16> {
    match number {
        0 => Vec::new(),
        1 => vec![0],
        _ => vec![0, number / 2, number - 1],
    }
}
