//! What a string costs where many live already.

use std::hint::black_box;
use std::time::Instant;

use crate::peer::{Glibc, Mimalloc, Peer, Rust, Text};
use crate::rounds::{Contestant, Dice, Settings, contest, units};

const LEN: usize = 16;

/// One peer's strings.
struct Crowd<P> {
    text: Vec<u16>,
    live: Vec<Text<P>>,
    dice: Dice,
}

impl<P: Peer> Crowd<P> {
    fn new() -> Self {
        Self {
            text: units(LEN),
            live: Vec::new(),
            dice: Dice::new(13),
        }
    }

    /// As many as `count`, in no order.
    fn grow(&mut self, count: usize) {
        self.live.reserve_exact(count - self.live.len());
        while self.live.len() < count {
            self.live.push(Text::new(&self.text));
        }
        self.dice.shuffle(&mut self.live);
    }

    fn pairs(&self) -> Contestant<'_> {
        Contestant {
            name: P::NAME.to_owned(),
            base: 0,
            run: Box::new(|times| {
                let begin = Instant::now();
                for _ in 0..times {
                    black_box(Text::<P>::new(black_box(&self.text))).free();
                }
                begin.elapsed()
            }),
        }
    }

    fn replacements(&mut self) -> Contestant<'_> {
        Contestant {
            name: P::NAME.to_owned(),
            base: 0,
            run: Box::new(|times| {
                let begin = Instant::now();
                for _ in 0..times {
                    let place = self.dice.below(self.live.len());
                    let new = Text::new(black_box(&self.text));
                    std::mem::replace(&mut self.live[place], new).free();
                }
                begin.elapsed()
            }),
        }
    }

    fn check_and_free(self) {
        for text in self.live {
            text.check(&self.text);
            text.free();
        }
    }
}

/// Work without memory beside them: by it the speed of the machine, which changes between two points of a curve,
/// cancels out.
fn with_control(mut contestants: Vec<Contestant<'_>>) -> Vec<Contestant<'_>> {
    let control = |times| {
        let mut dice = Dice::new(1);
        let begin = Instant::now();
        for _ in 0..times * 8 {
            black_box(dice.next());
        }
        begin.elapsed()
    };
    contestants.push(Contestant {
        name: CONTROL.to_owned(),
        base: 0,
        run: Box::new(control),
    });
    contestants
}

/// The name of the work without memory.
pub const CONTROL: &str = "no memory at all";

pub fn run(settings: Settings) {
    let most = if settings.smoke { 5 } else { 7 };
    let mut malloc = Crowd::<Glibc>::new();
    let mut rust = Crowd::<Rust>::new();
    let mut mimalloc = Crowd::<Mimalloc>::new();
    // The longer a run, the more it meets of a large crowd.
    let settings = Settings {
        slice: settings.slice * 4,
        ..settings
    };
    for count in (3..=most).map(|digits| 10_usize.pow(digits)) {
        malloc.grow(count);
        rust.grow(count);
        mimalloc.grow(count);
        contest(
            settings,
            ("scale", "pair beside so many", count as u64),
            1,
            with_control(vec![malloc.pairs(), rust.pairs(), mimalloc.pairs()]),
        );
        contest(
            settings,
            ("scale", "one of so many replaced", count as u64),
            1,
            vec![
                malloc.replacements(),
                rust.replacements(),
                mimalloc.replacements(),
            ],
        );
    }
    malloc.check_and_free();
    rust.check_and_free();
    mimalloc.check_and_free();
}
