//! Rounds: all contestants one after another, in an order that changes, and again. What counts is the ratio of
//! two that ran in the same round: a machine that is slow for a while is slow for both.

use std::hint::black_box;
use std::time::Duration;

use crate::peer::Peer;
use crate::report::Row;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub rounds: usize,
    /// How long one contestant runs in one round, about.
    pub slice: Duration,
    /// Everything once, and as little of it as there can be.
    pub smoke: bool,
}

/// One that runs a workload so many times, and says how long it took.
pub struct Contestant<'a> {
    pub name: String,
    /// The one that it is compared with: its place among all.
    pub base: usize,
    pub run: Box<dyn FnMut(u64) -> Duration + 'a>,
}

/// What each contestant took for one operation, and the ratio to its base. `calls` operations are one run.
pub fn contest(
    settings: Settings,
    (group, work, size): (&str, &str, u64),
    calls: u64,
    mut contestants: Vec<Contestant<'_>>,
) -> Vec<Row> {
    let times = calibrate(settings, &mut contestants);
    let count = contestants.len();
    let mut taken = vec![Vec::new(); count];
    // The first is a warm-up, and is not kept.
    for round in 0..=settings.rounds {
        for place in 0..count {
            let turn = (round + place) % count;
            let turn = if round % 2 == 0 {
                turn
            } else {
                count - 1 - turn
            };
            let time = (contestants[turn].run)(times).as_secs_f64();
            if round > 0 {
                taken[turn].push(time);
            }
        }
    }
    let rows: Vec<Row> = contestants
        .iter()
        .enumerate()
        .map(|(number, contestant)| {
            let base = &taken[contestant.base];
            let ratios = taken[number].iter().zip(base).map(|(own, base)| own / base);
            let ratios = sorted(ratios.collect());
            Row {
                group: group.to_owned(),
                work: work.to_owned(),
                size,
                who: contestant.name.clone(),
                value: middle(&sorted(taken[number].clone())) * 1e9 / (times * calls) as f64,
                ratio: middle(&ratios),
                low: ratios[ratios.len() / 10],
                high: ratios[ratios.len() - 1 - ratios.len() / 10],
            }
        })
        .collect();
    for row in &rows {
        println!("{}", row.line());
    }
    rows
}

/// How often the work must be done to fill a slice.
fn calibrate(settings: Settings, contestants: &mut [Contestant<'_>]) -> u64 {
    let mut times = 1;
    loop {
        // The shorter of two: a machine that was busy once has not done more work.
        let taken = (contestants[0].run)(times).min((contestants[0].run)(times));
        if taken >= settings.slice {
            return times;
        }
        let missing = settings.slice.as_secs_f64() / taken.as_secs_f64().max(1e-9);
        // Not too far at once: the first runs are slow.
        times = (times as f64 * missing.clamp(1.2, 8.0)).ceil() as u64;
    }
}

fn sorted(mut numbers: Vec<f64>) -> Vec<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[half]
    } else {
        f64::midpoint(sorted[half - 1], sorted[half])
    }
}

/// Something to do with strings of any peer's.
pub trait Workload {
    /// Does it so many times. With `CHECK` each string is looked at before it is freed.
    fn run<P: Peer, const CHECK: bool>(&self, times: u64) -> Duration;

    /// Strings that are made, and freed, in one run.
    fn calls(&self) -> u64 {
        1
    }
}

/// A peer as a contestant; what it does with this workload has been checked.
pub fn entrant<'a, P: Peer, W: Workload>(work: &'a W) -> Contestant<'a> {
    black_box(work.run::<P, true>(3));
    Contestant {
        name: P::NAME.to_owned(),
        base: 0,
        run: Box::new(|times| work.run::<P, false>(times)),
    }
}

/// Peers as contestants; the first is the base of all.
macro_rules! field {
    ($work:expr; $($peer:ty),+ $(,)?) => {
        vec![$($crate::rounds::entrant::<$peer, _>($work)),+]
    };
}
pub(crate) use field;

/// Everybody, compared with malloc.
macro_rules! everybody {
    ($work:expr) => {{
        use $crate::peer::*;
        $crate::rounds::field![
            $work; Glibc, Rust, Static, Shared, Mimalloc, Jemalloc, Snmalloc, OverSystem, OverMimalloc,
            OverJemalloc, OverSnmalloc
        ]
    }};
}
pub(crate) use everybody;

/// olemem's three doors and malloc.
macro_rules! doors {
    ($work:expr) => {{
        use $crate::peer::*;
        $crate::rounds::field![$work; Glibc, Rust, Static, Shared]
    }};
}
pub(crate) use doors;

/// Random numbers that are the same every time.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    #[inline(always)]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    #[inline(always)]
    pub fn below(&mut self, end: usize) -> usize {
        (((self.next() >> 32) * end as u64) >> 32) as usize
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end + 1));
        }
    }
}

/// So many units of text, no two of them alike, none of them zero.
pub fn units(len: usize) -> Vec<u16> {
    (0..len).map(|unit| 0x20 + (unit % 0xD000) as u16).collect()
}
