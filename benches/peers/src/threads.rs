//! Several threads: strings freed by another than made them, and threads that only share the heap.
//!
//! larson, xmalloc-test, sh6bench and cache-scratch are the patterns of the programs of those names in
//! mimalloc-bench, written anew for strings of the sizes that BSTRs have.

use std::hint::{black_box, spin_loop};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::{Glibc, Mimalloc, Peer, Rust, Static, Text};
use crate::rounds::{Contestant, Dice, Settings, Workload, contest, everybody, units};
use crate::single::Pair;

/// Spins until something has come about, and lets others run if that takes long.
fn wait_for(mut is_so: impl FnMut() -> bool) {
    let mut spins = 0_u32;
    while !is_so() {
        spins += 1;
        if spins.is_multiple_of(10_000) {
            thread::yield_now();
        }
        spin_loop();
    }
}

/// A thread makes a thousand strings and hands them over, another frees them; both all the time. What counts
/// is what both spend on it, without the time that they wait for one another.
struct Remote(Vec<u16>);

impl Remote {
    const BATCH: usize = 1000;
    /// Batches under way.
    const AHEAD: usize = 4;
}

impl Workload for Remote {
    fn run<P: Peer, const CHECK: bool>(&self, times: u64) -> Duration {
        let (batches, received) = sync_channel::<Vec<Text<P>>>(Self::AHEAD);
        let (empty, empties) = sync_channel(Self::AHEAD + 2);
        for _ in 0..Self::AHEAD + 2 {
            empty.send(Vec::with_capacity(Self::BATCH)).expect("room");
        }
        let begin = &Barrier::new(2);
        let text = self.0.as_slice();
        // A few that are not counted: a thread's first string is its dearest.
        let warm = if CHECK { 0 } else { 8 };
        thread::scope(|scope| {
            let maker = scope.spawn(move || {
                begin.wait();
                let mut busy = Duration::ZERO;
                for number in 0..times + warm {
                    let mut batch = empties.recv().expect("the other lives");
                    let start = Instant::now();
                    for _ in 0..Self::BATCH {
                        batch.push(Text::new(black_box(text)));
                    }
                    if number >= warm {
                        busy += start.elapsed();
                    }
                    batches.send(batch).expect("the other lives");
                }
                drop(batches);
                busy
            });
            let freer = scope.spawn(move || {
                begin.wait();
                let (mut busy, mut number) = (Duration::ZERO, 0);
                for mut batch in received {
                    assert_eq!(batch.len(), Self::BATCH);
                    let start = Instant::now();
                    for string in batch.drain(..) {
                        if CHECK {
                            string.check(text);
                        }
                        string.free();
                    }
                    if number >= warm {
                        busy += start.elapsed();
                    }
                    number += 1;
                    let _ = empty.send(batch);
                }
                assert_eq!(number, times + warm);
                busy
            });
            maker.join().expect("no panic") + freer.join().expect("no panic")
        })
    }

    fn calls(&self) -> u64 {
        Self::BATCH as u64
    }
}

/// How long most strings are: half of them up to 16 units, few above 100.
fn lengths(count: usize, seed: u64) -> Vec<u16> {
    let mut dice = Dice::new(seed);
    let length = |_| {
        let most = [16, 16, 40, 100, 200][dice.below(5)];
        1 + dice.below(most) as u16
    };
    (0..count).map(length).collect()
}

/// larson: a server's threads. Each replaces strings that it was left by the thread before it, and ends.
struct Larson(Vec<u16>);

impl Larson {
    const THREADS: usize = 2;
    const LIVE: usize = 1000;
    const STEPS: usize = 20_000;

    fn serve<P: Peer, const CHECK: bool>(
        &self,
        mut live: Vec<(u16, Text<P>)>,
        seed: u64,
    ) -> Vec<(u16, Text<P>)> {
        let lengths = lengths(1024, seed);
        let mut dice = Dice::new(seed);
        for step in 0..Self::STEPS {
            let len = lengths[step % lengths.len()];
            let new = Text::new(&self.0[..usize::from(len)]);
            let place = dice.below(Self::LIVE);
            let (old_len, old) = std::mem::replace(&mut live[place], (len, new));
            if CHECK {
                old.check(&self.0[..usize::from(old_len)]);
            }
            old.free();
        }
        live
    }
}

impl Workload for Larson {
    fn run<P: Peer, const CHECK: bool>(&self, times: u64) -> Duration {
        let mut sets: Vec<Vec<(u16, Text<P>)>> = (0..Self::THREADS)
            .map(|_| {
                let new = |len| (len, Text::new(&self.0[..usize::from(len)]));
                lengths(Self::LIVE, 3).into_iter().map(new).collect()
            })
            .collect();
        let begin = Instant::now();
        for generation in 0..times {
            sets = thread::scope(|scope| {
                let threads: Vec<_> = sets
                    .drain(..)
                    .enumerate()
                    .map(|(number, set)| {
                        scope.spawn(move || {
                            self.serve::<P, CHECK>(set, 1 + generation * 2 + number as u64)
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().expect("no panic"))
                    .collect()
            });
        }
        let taken = begin.elapsed();
        for (len, text) in sets.into_iter().flatten() {
            text.check(&self.0[..usize::from(len)]);
            text.free();
        }
        taken
    }

    fn calls(&self) -> u64 {
        (Self::THREADS * Self::STEPS) as u64
    }
}

/// xmalloc-test: every thread makes batches for another, and frees what it is handed.
struct Xmalloc(Vec<u16>);

impl Xmalloc {
    const BATCH: usize = 120;
    const ROUNDS: usize = 100;
}

impl Workload for Xmalloc {
    fn run<P: Peer, const CHECK: bool>(&self, times: u64) -> Duration {
        let lengths = lengths(Self::BATCH, 5);
        let (to_second, from_first) = sync_channel::<Vec<Text<P>>>(4);
        let (to_first, from_second) = sync_channel::<Vec<Text<P>>>(4);
        let total = times * Self::ROUNDS as u64;
        let barrier = Barrier::new(3);
        thread::scope(|scope| {
            for (give, take) in [(to_second, from_second), (to_first, from_first)] {
                let (barrier, lengths) = (&barrier, &lengths);
                scope.spawn(move || {
                    barrier.wait();
                    let new = |len: &u16| Text::new(&self.0[..usize::from(*len)]);
                    for _ in 0..total {
                        // The same number of batches is on its way in both directions.
                        give.send(lengths.iter().map(new).collect()).expect("alive");
                        for (text, len) in take.recv().expect("alive").into_iter().zip(lengths) {
                            if CHECK {
                                text.check(&self.0[..usize::from(*len)]);
                            }
                            text.free();
                        }
                    }
                    barrier.wait();
                });
            }
            barrier.wait();
            let begin = Instant::now();
            barrier.wait();
            begin.elapsed()
        })
    }

    fn calls(&self) -> u64 {
        (2 * Self::BATCH * Self::ROUNDS) as u64
    }
}

/// sh6bench: runs of strings of one size; of each run some are freed at once, in the order they were made or
/// from the last one back, and some stay until much later.
struct Sh6bench(Vec<u16>);

impl Sh6bench {
    const THREADS: usize = 2;
    const RUN: usize = 48;
    const KEPT: usize = 24;
    const RUNS: usize = 300;

    fn work<P: Peer, const CHECK: bool>(&self, seed: u64, times: u64) {
        let lengths = lengths(Self::RUNS, seed);
        let mut kept: Vec<Vec<(u16, Text<P>)>> = (0..Self::KEPT).map(|_| Vec::new()).collect();
        let free = |(len, text): (u16, Text<P>)| {
            if CHECK {
                text.check(&self.0[..usize::from(len)]);
            }
            text.free();
        };
        for _ in 0..times {
            for (number, len) in lengths.iter().enumerate() {
                let mut run: Vec<_> = (0..Self::RUN)
                    .map(|_| (*len, Text::new(&self.0[..usize::from(*len)])))
                    .collect();
                let stay = run.split_off(Self::RUN * 2 / 3);
                if number % 2 == 0 {
                    run.into_iter().for_each(free);
                } else {
                    run.into_iter().rev().for_each(free);
                }
                std::mem::replace(&mut kept[number % Self::KEPT], stay)
                    .into_iter()
                    .for_each(free);
            }
        }
        kept.into_iter().flatten().for_each(free);
    }
}

impl Workload for Sh6bench {
    fn run<P: Peer, const CHECK: bool>(&self, times: u64) -> Duration {
        let begin = Instant::now();
        thread::scope(|scope| {
            for seed in 0..Self::THREADS as u64 {
                scope.spawn(move || self.work::<P, CHECK>(seed, times));
            }
        });
        begin.elapsed()
    }

    fn calls(&self) -> u64 {
        (Self::THREADS * Self::RUNS * Self::RUN) as u64
    }
}

/// cache-scratch: each thread is given one string, frees it, and from then on makes and writes its own. A heap
/// that hands neighbours to two threads makes them wait for one another's cache lines.
struct Scratch(Vec<u16>);

impl Scratch {
    const THREADS: usize = 2;
    const WRITES: usize = 1000;
}

impl Workload for Scratch {
    fn run<P: Peer, const CHECK: bool>(&self, times: u64) -> Duration {
        let given: Vec<Text<P>> = (0..Self::THREADS).map(|_| Text::new(&self.0)).collect();
        let ready = AtomicUsize::new(0);
        let begin = Instant::now();
        thread::scope(|scope| {
            for text in given {
                let ready = &ready;
                scope.spawn(move || {
                    text.free();
                    ready.fetch_add(1, Ordering::AcqRel);
                    wait_for(|| ready.load(Ordering::Acquire) == Self::THREADS);
                    for _ in 0..times {
                        let mut own = Text::<P>::new(&self.0);
                        for write in 0..Self::WRITES {
                            own.scratch(write as u16);
                        }
                        own.scratch(self.0[0]);
                        if CHECK {
                            own.check(&self.0);
                        }
                        own.free();
                    }
                });
            }
        });
        begin.elapsed()
    }

    fn calls(&self) -> u64 {
        Self::THREADS as u64
    }
}

/// What each of some threads takes for its own work, on average.
fn side_by_side(threads: usize, work: impl Fn() -> Duration + Sync) -> Duration {
    let barrier = Barrier::new(threads);
    let total: Duration = thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    work()
                })
            })
            .collect();
        started
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum()
    });
    total / threads as u32
}

/// What a string costs while another thread works as well, against what it costs without one. The machine has
/// a part in it: that is what work without memory tells.
fn one_and_two(settings: Settings) {
    fn alone_and_not<'a, P: Peer>(work: &'a Pair, contestants: &mut Vec<Contestant<'a>>) {
        for threads in [1, 2] {
            // Long enough for the second thread to have started.
            let run = move |times| {
                side_by_side(threads, || {
                    work.run::<P, false>(times / 8);
                    work.run::<P, false>(times)
                })
            };
            add(
                contestants,
                format!("{}, {threads}", P::NAME),
                threads,
                Box::new(run),
            );
        }
    }
    fn add<'a>(
        contestants: &mut Vec<Contestant<'a>>,
        name: String,
        threads: usize,
        run: Box<dyn FnMut(u64) -> Duration + 'a>,
    ) {
        let number = contestants.len();
        contestants.push(Contestant {
            name,
            base: if threads == 1 { number } else { number - 1 },
            run,
        });
    }
    let work = Pair::of(16);
    let mut contestants = Vec::new();
    for threads in [1, 2] {
        let run = move |times| {
            side_by_side(threads, || {
                let mut dice = Dice::new(1);
                let begin = Instant::now();
                for _ in 0..times * 8 {
                    black_box(dice.next());
                }
                begin.elapsed()
            })
        };
        let name = format!("no memory at all, {threads}");
        add(&mut contestants, name, threads, Box::new(run));
    }
    alone_and_not::<Glibc>(&work, &mut contestants);
    alone_and_not::<Rust>(&work, &mut contestants);
    alone_and_not::<Static>(&work, &mut contestants);
    alone_and_not::<Mimalloc>(&work, &mut contestants);
    let settings = Settings {
        slice: settings.slice * 2,
        ..settings
    };
    contest(
        settings,
        ("threads", "pair beside another thread", 16),
        1,
        contestants,
    );
}

pub fn run(settings: Settings) {
    for size in [4, 16, 64, 255, 1024] {
        let work = Remote(units(size));
        let key = ("threads", "freed by another thread", size as u64);
        contest(settings, key, work.calls(), everybody!(&work));
    }
    let work = Larson(units(200));
    contest(
        settings,
        ("threads", "larson", 0),
        work.calls(),
        everybody!(&work),
    );
    let work = Xmalloc(units(200));
    contest(
        settings,
        ("threads", "xmalloc-test", 0),
        work.calls(),
        everybody!(&work),
    );
    let work = Sh6bench(units(200));
    contest(
        settings,
        ("threads", "sh6bench", 0),
        work.calls(),
        everybody!(&work),
    );
    let work = Scratch(units(4));
    contest(
        settings,
        ("threads", "cache-scratch", 0),
        work.calls(),
        everybody!(&work),
    );
    one_and_two(settings);
}
