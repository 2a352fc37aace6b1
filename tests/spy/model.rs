//! Random calls against a model of section 4 that fits on a page.

use std::collections::BTreeSet;
use std::sync::Arc;

use olemem::heap::{DidAlloc, Family};
use olemem::spy::{self, Margins, Registered};
use quickcheck::{Arbitrary, Gen};

use super::Call::{self, *};
use super::{Recorder, alloc, alone, contents, extent, fill, free, realloc, whose};

/// The size that the spy refuses.
const REFUSED: usize = 13;

#[derive(Clone, Copy, Debug)]
enum Step {
    Alloc(usize),
    /// Of the block with that index among the live ones, which counts round; of null if there is none.
    Realloc(usize, usize),
    Free(usize),
    Size(usize),
    Did(usize),
    Register,
    Revoke,
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let which = usize::arbitrary(g) % 8;
        let size = *g
            .choose(&[0, 1, 7, REFUSED, 16, 40, 300])
            .expect("there are some");
        match u8::arbitrary(g) % 12 {
            0..4 => Self::Alloc(size),
            4..6 => Self::Realloc(which, size),
            6..8 => Self::Free(which),
            8 => Self::Size(which),
            9 => Self::Did(which),
            10 => Self::Register,
            _ => Self::Revoke,
        }
    }
}

/// What is known without looking: who spies, on what.
#[derive(Default)]
struct Model {
    present: bool,
    pending: bool,
    spyed: BTreeSet<usize>,
    calls: Vec<Call>,
}

impl Model {
    fn tell(&mut self, calls: impl IntoIterator<Item = Call>) {
        if self.present {
            self.calls.extend(calls);
        }
    }
    fn has(&self, at: usize) -> bool {
        self.spyed.contains(&at)
    }
    fn is_refused(&self, size: usize) -> bool {
        self.present && size == REFUSED
    }
    fn settle(&mut self) {
        if self.pending && self.spyed.is_empty() {
            (self.present, self.pending) = (false, false);
        }
    }
    fn given(&mut self, at: usize) {
        if self.present && at != 0 {
            self.spyed.insert(at);
        }
    }
    fn alloc(&mut self, size: usize, at: usize) {
        self.tell([PreAlloc(size, Family::Task)]);
        if !self.is_refused(size) {
            self.tell([PostAlloc(at)]);
            self.given(at);
        }
    }
    fn realloc(&mut self, old: usize, size: usize, new: usize) {
        if !self.present {
            return;
        }
        let spyed = self.has(old);
        self.tell([PreRealloc(old, spyed, size)]);
        if !self.is_refused(size) {
            self.tell([PostRealloc(new, spyed)]);
            self.spyed.remove(&old);
            self.given(new);
        }
        self.settle();
    }
    fn free(&mut self, at: usize) {
        let spyed = self.spyed.remove(&at);
        self.tell([PreFree(at, spyed), PostFree(spyed)]);
        self.settle();
    }
}

fn holds(margins: Margins, steps: &[Step]) {
    let _alone = alone();
    let mut model = Model::default();
    let spy = Arc::new(Recorder {
        margins,
        refuses: Some(REFUSED),
        ..Recorder::default()
    });
    let mut registered: Option<Registered> = None;
    // Live blocks: pointer, size, the byte they are filled with.
    let mut live: Vec<(*mut u8, usize, u8)> = Vec::new();
    for (round, step) in steps.iter().enumerate() {
        let byte = u8::try_from(round % 200).expect("below the bound");
        let nth = |which: usize| (!live.is_empty()).then(|| which % live.len());
        match *step {
            Step::Alloc(size) => {
                let block = alloc(size);
                model.alloc(size, block.addr());
                assert_eq!(block.is_null(), model.is_refused(size));
                if !block.is_null() {
                    fill(block, &vec![byte; size]);
                    live.push((block, size, byte));
                }
            }
            Step::Realloc(which, size) => {
                let (old, held, old_byte) = match nth(which) {
                    Some(index) => live.swap_remove(index),
                    None => (std::ptr::null_mut(), 0, 0),
                };
                let refused = model.is_refused(size);
                let new = realloc(old, size);
                model.realloc(old.addr(), size, new.addr());
                let frees = size == 0 && !old.is_null();
                assert_eq!(new.is_null(), refused || frees);
                if refused {
                    if !old.is_null() {
                        assert_eq!(contents(old, held), vec![old_byte; held]);
                        live.push((old, held, old_byte));
                    }
                } else if !frees {
                    let kept = held.min(size);
                    assert_eq!(contents(new, kept), vec![old_byte; kept]);
                    fill(new, &vec![byte; size]);
                    live.push((new, size, byte));
                }
            }
            Step::Free(which) => {
                if let Some(index) = nth(which) {
                    let (block, size, byte) = live.swap_remove(index);
                    assert_eq!(contents(block, size), vec![byte; size]);
                    free(block);
                    model.free(block.addr());
                }
            }
            Step::Size(which) => {
                if let Some(index) = nth(which) {
                    let (block, size, _) = live[index];
                    assert_eq!(extent(block), Some(size));
                    let spyed = model.has(block.addr());
                    model.tell([
                        PreGetSize(block.addr(), spyed),
                        PostGetSize(Some(size), spyed),
                    ]);
                }
            }
            Step::Did(which) => {
                if let Some(index) = nth(which) {
                    let at = live[index].0.addr();
                    assert_eq!(whose(live[index].0), DidAlloc::Yes);
                    let spyed = model.has(at);
                    model.tell([
                        PreDidAlloc(at, spyed),
                        PostDidAlloc(at, spyed, DidAlloc::Yes),
                    ]);
                }
            }
            Step::Register => match spy::register(spy.clone()) {
                Ok(guard) => {
                    assert!(!model.present);
                    model.present = true;
                    registered = Some(guard);
                }
                Err(_) => assert!(model.present),
            },
            Step::Revoke => {
                if let Some(guard) = registered.take() {
                    let revoked = guard.revoke();
                    if model.present {
                        assert_eq!(revoked.is_ok(), model.spyed.is_empty());
                        model.pending = true;
                        model.settle();
                    }
                }
            }
        }
        assert_eq!(spy.take(), std::mem::take(&mut model.calls), "{step:?}");
        assert_eq!(Arc::strong_count(&spy) == 2, model.present);
    }
    for (block, ..) in live {
        free(block);
    }
    drop(registered);
    assert_eq!(Arc::strong_count(&spy), 1);
}

/// Shows the steps of a run that failed.
struct Shown<'a>(&'a [Step]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}", self.0);
        }
    }
}

/// A failed run leaves a spy and its blocks behind, so nothing can be shrunk.
#[test]
fn random_calls_are_as_the_model_says() {
    let (runs, size) = if cfg!(miri) { (3, 20) } else { (500, 120) };
    for margins in [Margins::default(), Margins::new(32, 5)] {
        let mut choices = Gen::new(size);
        for _ in 0..runs {
            let steps = Vec::<Step>::arbitrary(&mut choices);
            let shown = Shown(&steps);
            holds(margins, &steps);
            drop(shown);
        }
    }
}
