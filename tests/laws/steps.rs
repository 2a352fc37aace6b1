//! What laws are made of: operations chosen by numbers, done by olemem and by a model of it.
//!
//! The numbers come from quickcheck, from a fixed sequence, or from a fuzzer's bytes.

use std::fmt::Debug;

/// Where the choices of a step come from: quickcheck, or a fixed sequence of numbers.
pub(crate) struct Choices<'a>(pub(crate) &'a mut dyn FnMut() -> u32);

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
    pub(crate) fn choose(choices: &mut Choices<'_>) -> Self {
        Self {
            operation: O::choose(choices),
            fails: choices.below(8) == 0,
        }
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
pub(crate) fn run<W: World>(steps: &[Step<W::Operation>]) -> Result<(), String> {
    let mut world = W::default();
    for (index, step) in steps.iter().enumerate() {
        world
            .step(step)
            .and_then(|()| world.check())
            .map_err(|error| format!("at step {index}, {step:?}: {error}"))?;
    }
    Ok(())
}

/// More steps make a finding harder to read, and find nothing new.
const STEPS: usize = 64;

/// As many steps as a fuzzer's bytes tell of: two of them a choice.
pub(crate) fn run_bytes<W: World>(data: &[u8]) -> Result<(), String> {
    let mut left = data.chunks(2);
    let mut steps = Vec::new();
    while left.len() > 0 && steps.len() < STEPS {
        let mut next = || number(left.next().unwrap_or_default());
        steps.push(Step::<W::Operation>::choose(&mut Choices(&mut next)));
    }
    run::<W>(&steps)
}

/// The number that a few bytes are, the first of them the highest.
pub(crate) fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// That something is as it is to be.
pub(crate) fn same<T: PartialEq + Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {found:?} instead of {expected:?}"))
    }
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
