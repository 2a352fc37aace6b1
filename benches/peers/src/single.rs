//! One thread: pairs, batches, churn.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::peer::{Peer, Text};
use crate::rounds::{Contestant, Dice, Settings, Workload, contest, doors, everybody, units};

/// Up to 64 units are judged strictly; the others are what P4 is about, but 128 to 255.
pub const SMALL: [u32; 6] = [4, 16, 64, 128, 200, 255];
pub const LARGE: [u32; 8] = [256, 512, 1024, 2048, 4096, 8192, 16_384, 40_000];

/// A string made, and freed at once.
pub struct Pair(Vec<u16>);

impl Pair {
    pub fn of(len: u32) -> Self {
        Self(units(len as usize))
    }
}

impl Workload for Pair {
    #[inline(never)]
    fn run<P: Peer, const CHECK: bool>(&self, times: u64) -> Duration {
        let begin = Instant::now();
        for _ in 0..times {
            let text = Text::<P>::new(black_box(&self.0));
            if CHECK {
                text.check(&self.0);
            }
            black_box(text).free();
        }
        begin.elapsed()
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Order {
    Same,
    Reverse,
    Random,
}

impl Order {
    pub const ALL: [Self; 3] = [Self::Same, Self::Reverse, Self::Random];

    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "batch, same order",
            Self::Reverse => "batch, reverse order",
            Self::Random => "batch, random order",
        }
    }
}

/// A thousand strings made, and then freed.
struct Batch {
    text: Vec<u16>,
    order: Vec<usize>,
}

impl Batch {
    const COUNT: usize = 1000;

    fn of(len: u32, order: Order) -> Self {
        let mut numbers: Vec<usize> = (0..Self::COUNT).collect();
        match order {
            Order::Same => {}
            Order::Reverse => numbers.reverse(),
            Order::Random => Dice::new(7).shuffle(&mut numbers),
        }
        Self {
            text: units(len as usize),
            order: numbers,
        }
    }
}

impl Workload for Batch {
    #[inline(never)]
    fn run<P: Peer, const CHECK: bool>(&self, times: u64) -> Duration {
        let mut live: Vec<Option<Text<P>>> = (0..Self::COUNT).map(|_| None).collect();
        let begin = Instant::now();
        for _ in 0..times {
            for place in &mut live {
                *place = Some(Text::new(black_box(&self.text)));
            }
            for number in &self.order {
                let text = live[*number].take().expect("each is freed once");
                if CHECK {
                    text.check(&self.text);
                }
                text.free();
            }
        }
        begin.elapsed()
    }

    fn calls(&self) -> u64 {
        Self::COUNT as u64
    }
}

/// Many strings live, of sizes as programs have them; one after another is replaced.
struct Churn {
    text: Vec<u16>,
    /// Which one is replaced, and by how many units.
    steps: Vec<(u16, u16)>,
}

impl Churn {
    const LIVE: usize = 2048;

    fn new() -> Self {
        let mut dice = Dice::new(11);
        let step = |_| (dice.below(Self::LIVE) as u16, 1 + dice.below(200) as u16);
        Self {
            text: units(200),
            steps: (0..16_384).map(step).collect(),
        }
    }
}

impl Workload for Churn {
    #[inline(never)]
    fn run<P: Peer, const CHECK: bool>(&self, times: u64) -> Duration {
        let mut live: Vec<(u16, Text<P>)> = (0..Self::LIVE)
            .map(|number| {
                let len = 1 + number % 200;
                (len as u16, Text::new(&self.text[..len]))
            })
            .collect();
        let begin = Instant::now();
        for _ in 0..times {
            for (number, len) in &self.steps {
                let new = Text::new(&self.text[..usize::from(*len)]);
                let (old_len, old) =
                    std::mem::replace(&mut live[usize::from(*number)], (*len, new));
                if CHECK {
                    old.check(&self.text[..usize::from(old_len)]);
                }
                old.free();
            }
        }
        let taken = begin.elapsed();
        for (len, text) in live {
            text.check(&self.text[..usize::from(len)]);
            text.free();
        }
        taken
    }

    fn calls(&self) -> u64 {
        self.steps.len() as u64
    }
}

fn entrants<W: Workload>(work: &W, all: bool) -> Vec<Contestant<'_>> {
    if all { everybody!(work) } else { doors!(work) }
}

/// All of them. Where glibc is in another state than the judged one, only olemem's doors run beside it.
pub fn run(settings: Settings, group: &str, all: bool) {
    let sizes: Vec<u32> = if settings.smoke {
        vec![16, 255, 256, 40_000]
    } else {
        SMALL.into_iter().chain(LARGE).collect()
    };
    for size in &sizes {
        let work = Pair::of(*size);
        let key = (group, "pair", u64::from(*size));
        contest(settings, key, 1, entrants(&work, all));
    }
    for order in Order::ALL {
        for size in &sizes {
            let work = Batch::of(*size, order);
            let key = (group, order.name(), u64::from(*size));
            contest(settings, key, work.calls(), entrants(&work, all));
        }
    }
    let work = Churn::new();
    let key = (group, "churn of 2048, 1 to 200 units", 0);
    contest(settings, key, work.calls(), entrants(&work, all));
}
