//! Strings that grow: one unit at a time, and by short pieces.

use std::hint::black_box;
use std::time::{Duration, Instant};

use olemem::Bstr;

use crate::peer::Text;
use crate::peer::{Glibc, Jemalloc, Mimalloc, OverSystem, Peer, Rust, Shared, Snmalloc, Static};
use crate::rounds::{Contestant, Settings, Workload, contest, field, units};

/// From one unit to 64 Ki, by one at a time.
struct Growth(Vec<u16>);

impl Workload for Growth {
    #[inline(never)]
    fn run<P: Peer, const CHECK: bool>(&self, times: u64) -> Duration {
        let begin = Instant::now();
        for _ in 0..times {
            let mut text = Text::<P>::new(&self.0[..1]);
            for (len, unit) in (1..).zip(&self.0[1..]) {
                text = text.push(len, *unit);
                if CHECK && (len.is_power_of_two() || len < 100) {
                    text.check(&self.0[..=len as usize]);
                }
            }
            if CHECK {
                text.check(&self.0);
            }
            black_box(&text);
            text.free();
        }
        begin.elapsed()
    }

    fn calls(&self) -> u64 {
        self.0.len() as u64
    }
}

pub fn run(settings: Settings) {
    let work = Growth(units(65_536));
    let mut contestants = field![
        &work; Glibc, Rust, Static, Shared, Mimalloc, Jemalloc, Snmalloc, OverSystem
    ];
    /// As a call, which growth by `SysReAllocStringLen` is too. Within the loop the compiler keeps the vector in
    /// registers.
    #[inline(never)]
    fn push(vector: &mut Vec<u16>, unit: u16) {
        vector.push(unit);
    }
    fn pushed(units: &[u16], times: u64, push: impl Fn(&mut Vec<u16>, u16)) -> Duration {
        let begin = Instant::now();
        for _ in 0..times {
            let mut vector = Vec::new();
            for unit in units {
                push(&mut vector, *unit);
            }
            assert_eq!(black_box(&vector).len(), units.len());
        }
        begin.elapsed()
    }
    let all = &work.0;
    contestants.push(Contestant {
        name: "Vec::push, in the loop".to_owned(),
        base: 0,
        run: Box::new(move |times| pushed(all, times, Vec::push)),
    });
    contestants.push(Contestant {
        name: "Vec::push, as a call".to_owned(),
        base: 0,
        run: Box::new(move |times| pushed(all, times, push)),
    });
    // The same again, with the vector as the base.
    let base = contestants.len() - 1;
    for (name, run) in [
        (
            "Rust",
            Growth::run::<Rust, false> as fn(&Growth, u64) -> Duration,
        ),
        ("C static", Growth::run::<Static, false>),
        ("C shared", Growth::run::<Shared, false>),
    ] {
        let work = &work;
        contestants.push(Contestant {
            name: format!("{name}, by Vec::push"),
            base,
            run: Box::new(move |times| run(work, times)),
        });
    }
    let key = ("growth", "by one unit to 65536", 0);
    contest(settings, key, work.calls(), contestants);

    const PIECES: usize = 4096;
    let piece = "a piece ";
    let string = |times| {
        let begin = Instant::now();
        for _ in 0..times {
            let mut text = String::new();
            for _ in 0..PIECES {
                text.push_str(black_box(piece));
            }
            assert_eq!(black_box(&text).len(), PIECES * piece.len());
        }
        begin.elapsed()
    };
    let bstr = |times| {
        let begin = Instant::now();
        for _ in 0..times {
            let mut text = Bstr::new();
            for _ in 0..PIECES {
                text.push_str(black_box(piece));
            }
            assert_eq!(black_box(&text).len(), PIECES * piece.len());
        }
        begin.elapsed()
    };
    let mut whole = Bstr::new();
    (0..PIECES).for_each(|_| whole.push_str(piece));
    assert_eq!(whole.to_string_lossy(), piece.repeat(PIECES));
    let contestants = vec![
        Contestant {
            name: "String::push_str".to_owned(),
            base: 0,
            run: Box::new(string),
        },
        Contestant {
            name: "Bstr::push_str".to_owned(),
            base: 0,
            run: Box::new(bstr),
        },
    ];
    let key = ("growth", "by pieces of 8 letters to 32768", 0);
    contest(settings, key, PIECES as u64, contestants);
}
