//! Any sequence of operations does what a naive model of it does: the laws of `tests/laws`, their choices made by
//! the fuzzer. AddressSanitizer watches, and the heap passes every block through to it.
#![no_main]

#[allow(
    dead_code,
    reason = "the fuzzer has its own way of making things smaller"
)]
#[path = "../../tests/laws/raw.rs"]
mod raw_law;
#[allow(
    dead_code,
    reason = "the fuzzer has its own way of making things smaller"
)]
#[path = "../../tests/laws/safe.rs"]
mod safe_law;
#[allow(dead_code, reason = "as above")]
#[path = "../../tests/laws/steps.rs"]
mod steps;

use libfuzzer_sys::fuzz_target;
use raw_law::Raw;
use safe_law::Safe;
use steps::{Choices, Step, World, run};

/// More steps make a finding harder to read, and find nothing new.
const STEPS: usize = 64;

/// As many steps as the bytes tell of: two of them a choice.
fn law<W: World>(data: &[u8]) {
    let mut left = data.chunks(2);
    let mut steps = Vec::new();
    while left.len() > 0 && steps.len() < STEPS {
        let mut next = || {
            let number = left.next().unwrap_or_default();
            number
                .iter()
                .fold(0, |number, byte| number << 8 | u32::from(*byte))
        };
        steps.push(Step::<W::Operation>::choose(&mut Choices(&mut next)));
    }
    if let Err(error) = run::<W>(&steps) {
        panic!("{error}");
    }
}

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((door, data)) if door % 2 == 0 => law::<Raw>(data),
        Some((_, data)) => law::<Safe>(data),
        None => {}
    }
});
