//! Random correct programs yield nothing, and one mistake yields that mistake.

use std::thread;

use olemem::audit::{Backtrace, Kind, Session};
use quickcheck::{QuickCheck, TestResult};

use crate::programs::{Held, TRIED, break_a_rule, input};
use crate::steps::Choices;
use crate::support::free;

/// Pseudo-random numbers: the higher halves of Marsaglia's xorshift.
fn numbers(mut state: u64) -> impl FnMut() -> u32 {
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u32
    }
}

/// A program of so many steps on so many threads, with a mistake in the middle of one of them.
fn run(seed: u64, threads: u64, steps: u64, mistake: Option<Kind>) {
    let session = Session::options().backtrace(Backtrace::Off).begin();
    let joiner = session.joiner();
    let mut left = None;
    thread::scope(|scope| {
        for number in 1..threads {
            let joiner = joiner.clone();
            scope.spawn(move || {
                let _joined = joiner.join();
                let mut next = numbers(seed ^ (number << 32));
                let mut choices = Choices(&mut next);
                let mut held = Held::default();
                for _ in 0..steps {
                    held.step(&mut choices);
                }
                held.free_all();
            });
        }
        let mut next = numbers(seed);
        let mut choices = Choices(&mut next);
        let mut held = Held::default();
        for step in 0..steps {
            if let Some(kind) = mistake
                && step == steps / 2
            {
                left = break_a_rule(kind);
            }
            held.step(&mut choices);
        }
        held.free_all();
    });
    session.finish().assert_kinds(mistake);
    if let Some(text) = left {
        free(text);
    }
}

#[test]
fn correct_programs_yield_nothing() {
    // A million steps, but where they are emulated.
    let (steps, seeds) = match (cfg!(miri), cfg!(target_arch = "s390x")) {
        (true, _) => (25, 1),
        (_, true) => (500, 1),
        _ => (62_500, 4),
    };
    for seed in 1..=seeds {
        run(seed * 0x9E37_79B9, 4, steps, None);
    }
}

#[test]
fn one_mistake_yields_that_mistake() {
    let (steps, seeds) = if cfg!(miri) { (8, 1) } else { (500, 10) };
    for seed in 1..=seeds {
        for kind in TRIED {
            run(seed * 0x9E37_79B9, 2, steps, Some(kind));
        }
    }
}

/// The law that a fuzzer tries as well.
#[test]
fn any_input_yields_its_mistake() {
    fn law(mistake: u8, mut data: Vec<u8>) -> TestResult {
        data.insert(0, mistake % 16);
        input(&data).map_or_else(TestResult::error, |()| TestResult::passed())
    }
    QuickCheck::new()
        .tests(if cfg!(miri) { 4 } else { 200 })
        .quickcheck(law as fn(u8, Vec<u8>) -> TestResult);
}

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn inputs_that_are_kept_yield_their_mistakes() {
    crate::seeds::replay("audit", input);
}
