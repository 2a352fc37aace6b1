//! Random programs that keep the rules, and one that breaks one of them, judged by the audit.

use std::ptr;

use olemem::audit::{Backtrace, Kind, Session};
use olemem::heap::{self, Family};
use olemem::{UnitLen, raw};

use super::steps::{Choices, number, same};
use super::support::{byte_len, free, free_task, poke, string, task};

fn size(choices: &mut Choices<'_>) -> usize {
    // Miri fills and compares byte by byte.
    let bounds = if cfg!(miri) {
        [4, 8, 16, 40]
    } else {
        [8, 40, 300, 5000]
    };
    let bound = bounds[choices.below(4) as usize];
    choices.below(bound) as usize
}

/// What a program holds.
#[derive(Default)]
pub(crate) struct Held {
    strings: Vec<*mut u16>,
    blocks: Vec<*mut u8>,
}

impl Held {
    fn one<T: Copy>(list: &[T], choices: &mut Choices<'_>) -> Option<(usize, T)> {
        let len = u32::try_from(list.len()).expect("small");
        if len == 0 {
            return None;
        }
        let index = choices.below(len) as usize;
        Some((index, list[index]))
    }

    /// One correct operation.
    pub(crate) fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.below(12) {
            0..=2 => {
                let units = vec![0x41_u16; size(choices)];
                let len = UnitLen::try_from(units.len()).expect("small");
                // SAFETY: so many units are there.
                self.strings
                    .push(unsafe { raw::alloc_units(units.as_ptr(), len) });
            }
            3 => {
                let size = size(choices);
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
                let len = UnitLen::try_from(size(choices)).expect("small");
                if let Some((index, _)) = Self::one(&self.strings, choices) {
                    let target = &raw mut self.strings[index];
                    // SAFETY: the string is live, and a null source needs nothing.
                    assert!(unsafe { raw::realloc_units(target, ptr::null(), len) });
                }
            }
            8 => {
                let size = size(choices) + 1;
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

    pub(crate) fn free_all(self) {
        self.strings.into_iter().for_each(free);
        self.blocks.into_iter().for_each(free_task);
    }
}

/// One mistake, and what is left to be done for it after the session.
pub(crate) fn break_a_rule(kind: Kind) -> Option<*mut u16> {
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

pub(crate) const TRIED: [Kind; 9] = [
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

/// A fuzzer's bytes: which mistake is made, or none; behind which step; and the steps' choices.
pub(crate) fn input(data: &[u8]) -> Result<(), String> {
    let [mistake, at, choices @ ..] = data else {
        return Ok(());
    };
    let mistake = TRIED.get(usize::from(*mistake)).copied();
    let session = Session::options().backtrace(Backtrace::Off).begin();
    let mut left = None;
    let mut chosen = choices.chunks(2);
    let mut held = Held::default();
    for step in 0..=MOST {
        if step == usize::from(*at) % MOST {
            left = mistake.and_then(break_a_rule);
        }
        if chosen.len() > 0 {
            let mut next = || number(chosen.next().unwrap_or_default());
            held.step(&mut Choices(&mut next));
        }
    }
    held.free_all();
    let report = session.finish();
    if let Some(text) = left {
        free(text);
    }
    let found: Vec<Kind> = report.violations().iter().map(|it| it.kind).collect();
    let expected: Vec<Kind> = mistake.into_iter().collect();
    same("what the audit tells", &found, &expected).map_err(|error| format!("{error}\n{report}"))
}

/// Steps of a program.
const MOST: usize = 64;
