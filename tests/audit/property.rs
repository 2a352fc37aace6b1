//! Random correct programs yield nothing, and one mistake yields that mistake.

use std::ptr;
use std::thread;

use crate::support::{byte_len, free, free_task, poke, string, task};
use olemem::audit::{Backtrace, Kind, Session};
use olemem::heap::{self, Family};
use olemem::{UnitLen, raw};

/// Pseudo-random numbers: Marsaglia's xorshift.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn size(&mut self) -> usize {
        // Miri fills and compares byte by byte.
        let bounds = if cfg!(miri) {
            [4, 8, 16, 40]
        } else {
            [8, 40, 300, 5000]
        };
        let bound = bounds[usize::try_from(self.below(4)).expect("small")];
        usize::try_from(self.below(bound)).expect("small")
    }
}

/// What a program holds.
#[derive(Default)]
struct Held {
    strings: Vec<*mut u16>,
    blocks: Vec<*mut u8>,
}

impl Held {
    fn one<T: Copy>(list: &[T], choices: &mut Choices) -> Option<(usize, T)> {
        let len = u64::try_from(list.len()).expect("small");
        if len == 0 {
            return None;
        }
        let index = usize::try_from(choices.below(len)).expect("small");
        Some((index, list[index]))
    }

    /// One correct operation.
    fn step(&mut self, choices: &mut Choices) {
        match choices.below(12) {
            0..=2 => {
                let units = vec![0x41_u16; choices.size()];
                let len = UnitLen::try_from(units.len()).expect("small");
                // SAFETY: so many units are there.
                self.strings
                    .push(unsafe { raw::alloc_units(units.as_ptr(), len) });
            }
            3 => {
                let size = choices.size();
                self.blocks.push(task(size));
            }
            4 | 5 => {
                if let Some((index, text)) = Self::one(&self.strings, choices) {
                    self.strings.swap_remove(index);
                    free(text);
                }
            }
            6 => {
                if let Some((index, block)) = Self::one(&self.blocks, choices) {
                    self.blocks.swap_remove(index);
                    free_task(block);
                }
            }
            7 => {
                let len = UnitLen::try_from(choices.size()).expect("small");
                if let Some((index, _)) = Self::one(&self.strings, choices) {
                    let target = &raw mut self.strings[index];
                    // SAFETY: the string is live, and a null source needs nothing.
                    assert!(unsafe { raw::realloc_units(target, ptr::null(), len) });
                }
            }
            8 => {
                let size = choices.size() + 1;
                if let Some((index, block)) = Self::one(&self.blocks, choices) {
                    // SAFETY: the block is live.
                    let new = unsafe { heap::realloc(block, size, Family::Task) };
                    assert!(!new.is_null());
                    // SAFETY: it has so many bytes.
                    unsafe { new.write_bytes(2, size) };
                    self.blocks[index] = new;
                }
            }
            9 => {
                if let (Some((_, left)), Some((_, right))) = (
                    Self::one(&self.strings, choices),
                    Self::one(&self.strings, choices),
                ) && byte_len(left) + byte_len(right) < 20_000
                {
                    // SAFETY: both are live.
                    self.strings.push(unsafe { raw::concat(left, right) });
                }
            }
            10 => {
                if let Some((_, text)) = Self::one(&self.strings, choices) {
                    raw::pin(text).expect("live");
                    // SAFETY: the pin is that of the line above.
                    unsafe { raw::unpin(text) };
                }
            }
            _ => {
                if let Some((_, block)) = Self::one(&self.blocks, choices) {
                    // SAFETY: the block is live.
                    assert!(unsafe { heap::size_of(block) }.is_some());
                }
            }
        }
        if self.strings.len() + self.blocks.len() > 300 {
            self.strings.drain(..).for_each(free);
            self.blocks.drain(..).for_each(free_task);
        }
    }

    fn free_all(self) {
        self.strings.into_iter().for_each(free);
        self.blocks.into_iter().for_each(free_task);
    }
}

/// One mistake, and what is left to be done for it after the session.
fn break_a_rule(kind: Kind) -> Option<*mut u16> {
    let text = string("the broken one");
    match kind {
        Kind::DoubleFree => {
            free(text);
            free(text);
        }
        Kind::UseAfterFree => {
            free(text);
            assert_eq!(byte_len(text), 0);
        }
        Kind::Overrun => {
            // SAFETY: a guard byte behind 14 units and their terminator.
            unsafe { poke(text, 30, 1) };
            free(text);
        }
        Kind::Underrun => {
            // SAFETY: a guard byte.
            unsafe { poke(text, -9, 1) };
            free(text);
        }
        Kind::WriteAfterFree => {
            free(text);
            // SAFETY: the block is in quarantine.
            unsafe { poke(text, 1, 1) };
        }
        Kind::FamilyMismatch => {
            free_task(text.cast());
            free(text);
        }
        Kind::InteriorFree => {
            free(text.wrapping_add(1));
            free(text);
        }
        Kind::ForeignFree => {
            let mut units = [0_u16; 8];
            free(units.as_mut_ptr());
            free(text);
        }
        Kind::Leak => return Some(text),
        _ => unreachable!("not among those that are tried"),
    }
    None
}

const TRIED: [Kind; 9] = [
    Kind::DoubleFree,
    Kind::UseAfterFree,
    Kind::Overrun,
    Kind::Underrun,
    Kind::WriteAfterFree,
    Kind::FamilyMismatch,
    Kind::InteriorFree,
    Kind::ForeignFree,
    Kind::Leak,
];

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
                let mut choices = Choices(seed ^ (number << 32));
                let mut held = Held::default();
                for _ in 0..steps {
                    held.step(&mut choices);
                }
                held.free_all();
            });
        }
        let mut choices = Choices(seed);
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
