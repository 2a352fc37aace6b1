//! What a heap takes of the system's memory. Each question is asked in a process of its own.

use std::fs;
use std::sync::Barrier;
use std::thread;

use crate::peer::{
    Glibc, Jemalloc, Mimalloc, OverJemalloc, OverMimalloc, OverSnmalloc, OverSystem, Peer, Rust,
    Snmalloc, Text, block_size,
};
use crate::report::Row;
use crate::rounds::{Dice, units};

/// Bytes of this process that are in memory and its own.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/status").expect("a Linux");
    let line = text.lines().find(|line| line.starts_with("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    1024 * number
        .and_then(|number| number.parse::<usize>().ok())
        .expect("a number")
}

fn grown(before: usize) -> f64 {
    resident().saturating_sub(before) as f64
}

fn say(work: &str, who: &str, value: f64) {
    let row = Row {
        group: "memory".to_owned(),
        work: work.to_owned(),
        size: 0,
        who: who.to_owned(),
        value,
        ratio: 0.0,
        low: 0.0,
        high: 0.0,
    };
    println!("{}", row.line());
}

pub const MILLION: &str = "overhead of a million strings of 16 units, %";
pub const IDLE: &str = "kept for an idle thread, MiB";
pub const PEAK: &str = "resident after 1 GiB was freed, MiB";
pub const MINIMIZED: &str = "and after HeapMinimize, MiB";

/// A million strings of 16 units, beside the bytes of their blocks.
fn million<P: Peer>(smoke: bool) {
    let count = if smoke { 10_000 } else { 1_000_000 };
    let text = units(16);
    let mut live: Vec<Option<Text<P>>> = (0..count).map(|_| None).collect();
    // Memory of zeros is not there until it is written: the list's own must not count.
    for place in &mut live {
        *std::hint::black_box(&mut *place) = None;
    }
    std::hint::black_box(&mut live);
    // The first string makes the heap; that is no overhead of a million.
    Text::<P>::new(&text).free();
    let before = resident();
    for place in &mut live {
        *place = Some(Text::new(&text));
    }
    let wanted = (count * block_size(16)) as f64;
    let overhead = (grown(before) - wanted) / wanted * 100.0;
    for place in live {
        let string = place.expect("a string");
        string.check(&text);
        string.free();
    }
    say(MILLION, P::NAME, overhead);
}

/// Strings of all sizes that slots are for, 4 MiB of them, freed in no order.
fn mixed<P: Peer>(text: &[u16], live: &mut Vec<(usize, Option<Text<P>>)>, seed: u64) {
    let mut dice = Dice::new(seed);
    for _ in 0..4 {
        let mut bytes = 0;
        while bytes < 4 << 20 {
            // As many of each doubling.
            let most = 4_usize << dice.below(13);
            let len = 1 + dice.below(most.min(text.len()));
            bytes += 2 * len;
            live.push((len, Some(Text::new(&text[..len]))));
        }
        dice.shuffle(live);
        for (len, string) in live.drain(..) {
            let string = string.expect("a string");
            string.check(&text[..len]);
            string.free();
        }
    }
}

/// Threads that have allocated and freed, and now wait. What the process has to spare is asked to be given back
/// before it is counted, where that can be: what is left is the threads' own.
fn idle<P: Peer>(smoke: bool, minimize: Option<fn()>) {
    let count = if smoke { 4 } else { 50 };
    let text = units(16_384);
    let (started, measured) = (Barrier::new(count + 1), Barrier::new(count + 1));
    let done = Barrier::new(count + 1);
    let end = Barrier::new(count + 1);
    let kept = thread::scope(|scope| {
        for seed in 0..count as u64 {
            let (text, started, measured, done, end) = (&text, &started, &measured, &done, &end);
            scope.spawn(move || {
                // The stack that the work will need is there before.
                std::hint::black_box([0_u8; 32 * 1024]);
                // And the list of the strings, which is nothing of the heap's.
                let mut live: Vec<(usize, Option<Text<P>>)> = Vec::new();
                live.resize_with(16_384, || (1, None));
                live.clear();
                started.wait();
                measured.wait();
                mixed::<P>(text, &mut live, seed);
                assert!(live.capacity() == 16_384, "the list has grown");
                done.wait();
                end.wait();
            });
        }
        started.wait();
        let before = resident();
        measured.wait();
        done.wait();
        if let Some(minimize) = minimize {
            minimize();
        }
        let kept = grown(before);
        end.wait();
        kept
    });
    say(IDLE, P::NAME, kept / count as f64 / f64::from(1 << 20));
}

/// What stays after a peak, and what after all spare memory was asked to be given back.
fn peak<P: Peer>(smoke: bool, minimize: Option<fn()>) {
    let most = if smoke { 8 << 20 } else { 1 << 30 };
    let text = units(1000);
    let before = resident();
    let mut dice = Dice::new(17);
    let mut live = Vec::new();
    let mut bytes = 0;
    while bytes < most {
        let len = 1 + dice.below(text.len());
        bytes += block_size(len as u32);
        live.push(Text::<P>::new(&text[..len]));
    }
    dice.shuffle(&mut live);
    live.into_iter().for_each(Text::free);
    let mib = f64::from(1 << 20);
    say(PEAK, P::NAME, grown(before) / mib);
    if let Some(minimize) = minimize {
        minimize();
        say(MINIMIZED, P::NAME, grown(before) / mib);
    }
}

/// The questions, by the names that a child process is started with.
pub fn questions() -> Vec<String> {
    let mut list = Vec::new();
    for question in ["million", "idle", "peak"] {
        for who in [
            "malloc",
            "Rust",
            "mimalloc",
            "jemalloc",
            "snmalloc",
            "over-system",
            "over-mimalloc",
            "over-jemalloc",
            "over-snmalloc",
        ] {
            list.push(format!("{question} {who}"));
        }
    }
    list
}

/// Answers one of the questions.
pub fn run(smoke: bool, question: &str) {
    fn ask<P: Peer>(smoke: bool, what: &str, minimize: Option<fn()>) {
        match what {
            "million" => million::<P>(smoke),
            "idle" => idle::<P>(smoke, minimize),
            "peak" => peak::<P>(smoke, minimize),
            _ => panic!("no such question: {what}"),
        }
    }
    let (what, who) = question.split_once(' ').expect("a question and a name");
    match who {
        "malloc" => ask::<Glibc>(smoke, what, None),
        "Rust" => ask::<Rust>(smoke, what, Some(olemem::heap::minimize)),
        "mimalloc" => ask::<Mimalloc>(smoke, what, None),
        "jemalloc" => ask::<Jemalloc>(smoke, what, None),
        "snmalloc" => ask::<Snmalloc>(smoke, what, None),
        "over-system" => ask::<OverSystem>(smoke, what, Some(OverSystem::minimize)),
        "over-mimalloc" => ask::<OverMimalloc>(smoke, what, Some(OverMimalloc::minimize)),
        "over-jemalloc" => ask::<OverJemalloc>(smoke, what, Some(OverJemalloc::minimize)),
        "over-snmalloc" => ask::<OverSnmalloc>(smoke, what, Some(OverSnmalloc::minimize)),
        _ => panic!("no such allocator: {who}"),
    }
}
