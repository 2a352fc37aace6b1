//! Several threads: strings freed by another than made them, and threads that only share the heap.
//!
//! larson, xmalloc-test, sh6bench and cache-scratch are the patterns of the programs of those names in
//! mimalloc-bench, written anew for strings of the sizes that BSTRs have.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::{Glibc, Mimalloc, Peer, Rust, Static, Text};
use crate::rounds::{Contestant, Dice, Settings, Workload, contest, everybody, units};
use crate::single::Pair;

/// Spins until something is there, and lets others run if that takes long.
fn wait_for<T>(mut find: impl FnMut() -> Option<T>) -> T {
    let mut spins = 0_u32;
    loop {
        if let Some(found) = find() {
            return found;
        }
        spins += 1;
        if spins.is_multiple_of(10_000) {
            thread::yield_now();
        }
        spin_loop();
    }
}

/// What the other thread sent, as soon as it has.
fn receive<T>(from: &Receiver<T>) -> T {
    wait_for(|| match from.try_recv() {
        Ok(sent) => Some(sent),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Disconnected) => panic!("the other thread has ended"),
    })
}

/// Keeps this thread on a core of its own, as far as there are some. The system puts two threads that wake one
/// another on one core, and then they never run at the same time.
fn keep_to(number: usize) {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: a set of no cores is all zeros.
        let mut allowed: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        let size = size_of_val(&allowed);
        let first = std::process::id() as libc::pid_t;
        // SAFETY: the set is writable, and of that size. The process's first thread is asked, which is not bound.
        if unsafe { libc::sched_getaffinity(first, size, &mut allowed) } != 0 {
            return;
        }
        // SAFETY: the number is one that a set has a place for.
        let is_allowed = |core: &usize| unsafe { libc::CPU_ISSET(*core, &allowed) };
        let cores: Vec<usize> = (0..libc::CPU_SETSIZE as usize).filter(is_allowed).collect();
        // SAFETY: as above.
        let mut own: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the core was in a set.
        unsafe { libc::CPU_SET(cores[number % cores.len()], &mut own) };
        // SAFETY: the set is readable, and of that size; 0 is this thread.
        unsafe { libc::sched_setaffinity(0, size, &own) };
    }
}

/// Has threads work at the same time, each on a core of its own, and gives what each says.
fn crew<T: Send>(workers: Vec<Box<dyn FnOnce() -> T + Send + '_>>) -> Vec<T> {
    let count = workers.len();
    let ready = AtomicUsize::new(0);
    thread::scope(|scope| {
        let started: Vec<_> = workers
            .into_iter()
            .enumerate()
            .map(|(number, work)| {
                let ready = &ready;
                scope.spawn(move || {
                    keep_to(number);
                    ready.fetch_add(1, Ordering::AcqRel);
                    wait_for(|| (ready.load(Ordering::Acquire) == count).then_some(()));
                    work()
                })
            })
            .collect();
        started
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    })
}

/// The time that one of the threads took, on average.
fn average(times: Vec<Duration>) -> Duration {
    let count = times.len() as u32;
    times.into_iter().sum::<Duration>() / count
}

/// A thread makes a thousand strings and hands them over, another frees them; both all the time. What counts
/// is what both spend on it, without the time that they wait for one another.
struct Remote(Vec<u16>);

impl Remote {
    const BATCH: usize = 1000;
    /// Batches under way, beside the two that are being filled and emptied.
    const AHEAD: usize = 4;
}

impl Workload for Remote {
    fn run<P: Peer, const CHECK: bool>(&self, times: u64) -> Duration {
        let (batches, received) = sync_channel::<Vec<Text<P>>>(Self::AHEAD + 2);
        let (empty, empties) = sync_channel(Self::AHEAD + 2);
        for _ in 0..Self::AHEAD + 2 {
            empty.send(Vec::with_capacity(Self::BATCH)).expect("room");
        }
        let text = self.0.as_slice();
        // A few that are not counted: a thread's first string is its dearest.
        let warm = if CHECK { 0 } else { 8 };
        let maker = move || {
            let mut busy = Duration::ZERO;
            for number in 0..times + warm {
                let mut batch = receive(&empties);
                let start = Instant::now();
                for _ in 0..Self::BATCH {
                    batch.push(Text::new(black_box(text)));
                }
                if number >= warm {
                    busy += start.elapsed();
                }
                batches.send(batch).expect("there is room for all");
            }
            busy
        };
        let freer = move || {
            let mut busy = Duration::ZERO;
            for number in 0..times + warm {
                let mut batch = receive(&received);
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
                // The other may have ended.
                let _ = empty.send(batch);
            }
            busy
        };
        crew(vec![Box::new(maker), Box::new(freer)])
            .into_iter()
            .sum()
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
        let mut taken = Duration::ZERO;
        for generation in 0..times {
            let workers = sets.drain(..).enumerate().map(|(number, set)| {
                let seed = 1 + generation * 2 + number as u64;
                let work = move || {
                    let begin = Instant::now();
                    (self.serve::<P, CHECK>(set, seed), begin.elapsed())
                };
                Box::new(work) as Box<dyn FnOnce() -> _ + Send>
            });
            let (left, times): (Vec<_>, Vec<_>) = crew(workers.collect()).into_iter().unzip();
            sets = left;
            taken += average(times);
        }
        for (len, text) in sets.into_iter().flatten() {
            text.check(&self.0[..usize::from(len)]);
            text.free();
        }
        taken
    }

    fn calls(&self) -> u64 {
        Self::STEPS as u64
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
        let lengths = &lengths(Self::BATCH, 5);
        let (to_second, from_first) = sync_channel::<Vec<Text<P>>>(4);
        let (to_first, from_second) = sync_channel::<Vec<Text<P>>>(4);
        let total = times * Self::ROUNDS as u64;
        let worker = |give: SyncSender<Vec<Text<P>>>, take: Receiver<Vec<Text<P>>>| {
            let work = move || {
                let begin = Instant::now();
                // The lists go round with the strings.
                let mut spare = Vec::with_capacity(Self::BATCH);
                for _ in 0..total {
                    let new = |len: &u16| Text::new(&self.0[..usize::from(*len)]);
                    spare.extend(lengths.iter().map(new));
                    // The same number of batches is on its way in both directions.
                    give.send(spare)
                        .expect("room, for the other has sent as many");
                    spare = receive(&take);
                    for (text, len) in spare.drain(..).zip(lengths) {
                        if CHECK {
                            text.check(&self.0[..usize::from(*len)]);
                        }
                        text.free();
                    }
                }
                (begin.elapsed(), give)
            };
            Box::new(work) as Box<dyn FnOnce() -> _ + Send>
        };
        let workers = vec![worker(to_second, from_second), worker(to_first, from_first)];
        average(crew(workers).into_iter().map(|(time, _)| time).collect())
    }

    fn calls(&self) -> u64 {
        (Self::BATCH * Self::ROUNDS) as u64
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
        let worker = |seed| {
            let work = move || {
                let begin = Instant::now();
                self.work::<P, CHECK>(seed, times);
                begin.elapsed()
            };
            Box::new(work) as Box<dyn FnOnce() -> _ + Send>
        };
        average(crew((0..Self::THREADS as u64).map(worker).collect()))
    }

    fn calls(&self) -> u64 {
        (Self::RUNS * Self::RUN) as u64
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
        let worker = |text: Text<P>| {
            let work = move || {
                text.free();
                let begin = Instant::now();
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
                begin.elapsed()
            };
            Box::new(work) as Box<dyn FnOnce() -> _ + Send>
        };
        let given: Vec<Text<P>> = (0..Self::THREADS).map(|_| Text::new(&self.0)).collect();
        average(crew(given.into_iter().map(worker).collect()))
    }
}

/// What each of some threads takes for its own work, on average.
fn side_by_side(threads: usize, work: impl Fn() -> Duration + Sync) -> Duration {
    let work = &work;
    let worker = |_| Box::new(work) as Box<dyn FnOnce() -> _ + Send>;
    average(crew((0..threads).map(worker).collect()))
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
