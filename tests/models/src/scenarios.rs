//! What threads may do to each other in the heap. Every schedule of each is tried, within a bound.

use std::cell::{Cell as Plain, RefCell};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use allocator_api2::boxed::Box;
use loom::thread::JoinHandle;

use super::task::block::Family;
use super::task::store::{NotLive, Store};
use super::task::sync::{Cell, array};
use super::task::thread;
use crate::backing::{self, Backing};
use crate::dimensions::UNIT;
use crate::loom_primitives::identity;

/// Sizes of the two classes, whose slabs have four slots and two.
const SMALL: usize = 16;
const LARGE: usize = 32;

/// Identities: their places among the seats are the same or not, as it happens.
const MAIN: usize = 16;
const SECOND: usize = 32;
const THIRD: usize = 48;

const PLACES: usize = backing::UNITS * UNIT / SMALL;

thread_local! {
    /// Blocks that somebody has. No part of the model: nothing waits for it.
    static LIVE: RefCell<HashSet<usize>> = RefCell::default();
    static RUNS: Plain<u64> = const { Plain::new(0) };
}

/// One run of a model.
#[derive(Clone, Copy)]
struct World {
    heap: &'static Store<Backing>,
    /// What is written in each slot: loom sees whether its holders follow one another.
    contents: &'static [Cell<usize>; PLACES],
}

/// A block, or what was one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Block(*mut u8);

// SAFETY: the models pass blocks on.
unsafe impl Send for Block {}

impl World {
    fn new() -> Self {
        backing::reset();
        LIVE.with_borrow_mut(HashSet::clear);
        RUNS.set(RUNS.get() + 1);
        identity::set(MAIN);
        Self {
            heap: leak(Store::new(crate::task::backing::Backing::new(Backing))),
            contents: leak(array![Cell::new(0); PLACES]),
        }
    }

    fn content(&self, block: Block) -> &'static Cell<usize> {
        &self.contents[(block.0.addr() - backing::base()) / SMALL]
    }

    /// A new block, which nobody else has.
    fn alloc(&self, size: usize) -> Block {
        let block = Block(self.heap.alloc(size, Family::Task));
        assert!(!block.0.is_null(), "there is memory");
        assert!(
            LIVE.with_borrow_mut(|live| live.insert(block.0.addr())),
            "a block was handed out twice"
        );
        self.content(block).set(identity::get());
        block
    }

    /// Frees a block that is live, and used until now.
    fn free(&self, block: Block) {
        self.content(block).set(0);
        LIVE.with_borrow_mut(|live| live.remove(&block.0.addr()));
        assert_eq!(self.try_free(block), Ok(()), "the block was live");
    }

    /// Frees a block that may have been freed before.
    fn try_free(&self, block: Block) -> Result<(), NotLive> {
        LIVE.with_borrow_mut(|live| live.remove(&block.0.addr()));
        // SAFETY: nobody uses it; what is no block is refused.
        unsafe { self.heap.free(block.0) }
    }

    /// Another thread, that ends when it is through.
    fn spawn<T: 'static>(
        self,
        identity: usize,
        deeds: impl FnOnce(World) -> T + 'static,
    ) -> JoinHandle<T> {
        loom::thread::spawn(move || {
            identity::set(identity);
            let result = deeds(self);
            thread::end();
            result
        })
    }

    /// At the end of a run, with the blocks that are left: nothing is lost, and all memory comes back.
    fn settle(&self, blocks: &[Block]) {
        loom::stop_exploring();
        for block in blocks {
            self.free(*block);
        }
        assert!(LIVE.with_borrow(HashSet::is_empty), "the model frees all");
        // This thread has been told of all that came back, and ended threads have left nothing.
        self.heap.minimize();
        assert_eq!(backing::chunks(), 0, "memory stays");
        thread::end();
        self.heap.minimize();
        assert_eq!(backing::chunks(), 0, "memory was lost");
        loom::explore();
    }
}

/// Leaves a value in the run's memory.
fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new_in(value, Backing))
}

/// Tries every schedule with so many preemptions.
fn model(name: &str, preemptions: usize, run: impl Fn(World) + Sync + Send + 'static) {
    let began = Instant::now();
    RUNS.set(0);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 100_000;
    builder.check(move || run(World::new()));
    println!("{name}: {} schedules, {:.1?}", RUNS.get(), began.elapsed());
}

/// What a scenario does before its threads part.
fn first<T>(deeds: impl FnOnce() -> T) -> T {
    loom::stop_exploring();
    let result = deeds();
    loom::explore();
    result
}

/// Another thread frees blocks of a slab while the owner frees, allocates and collects.
pub fn a_return_against_the_owner() {
    model("a return against the owner", 5, |world| {
        let blocks = first(|| [(); 4].map(|()| world.alloc(SMALL)));
        let [a, b, c, d] = blocks;
        let other = world.spawn(SECOND, move |world| {
            world.free(a);
            world.free(b);
        });
        world.free(c);
        // From the magazine, and then from what has come back, or from another slab.
        let e = world.alloc(SMALL);
        let f = world.alloc(SMALL);
        other.join().expect("it ends");
        world.settle(&[d, e, f]);
    });
}

/// Two other threads free one block: one of them is refused.
pub fn two_returns_of_one_block() {
    model("two returns of one block", 3, |world| {
        let (a, b) = first(|| (world.alloc(SMALL), world.alloc(SMALL)));
        let second = world.spawn(SECOND, move |world| world.try_free(a).is_ok());
        let third = world.spawn(THIRD, move |world| world.try_free(a).is_ok());
        world.heap.minimize();
        let freed = [
            second.join().expect("it ends"),
            third.join().expect("it ends"),
        ];
        assert!(freed[0] != freed[1], "a block is freed once: {freed:?}");
        world.settle(&[b]);
    });
}

/// The owner and another thread free one block: one of them is refused, or both are told when the block is
/// collected, and until then nobody gets it twice.
pub fn the_owner_and_another_free_one_block() {
    for collects_first in [false, true] {
        model("the owner and another free one block", 4, move |world| {
            let (a, b) = first(|| (world.alloc(SMALL), world.alloc(SMALL)));
            let other = world.spawn(SECOND, move |world| world.try_free(a).is_ok());
            let here = world.try_free(a).is_ok();
            let there = other.join().expect("it ends");
            assert!(here || there, "a block is freed");
            let collect = || {
                let result = catch_unwind(AssertUnwindSafe(|| world.heap.minimize()));
                assert_eq!(result.is_err(), here && there, "two frees are told of");
            };
            loom::stop_exploring();
            if collects_first {
                collect();
            }
            // The slab has four slots, of which one is taken.
            let more = [(); 3].map(|()| world.alloc(SMALL));
            if !collects_first {
                collect();
            }
            loom::explore();
            if !(here && there) {
                world.settle(&[&more[..], &[b]].concat());
            }
        });
    }
}

/// A thread ends while another frees its blocks, and a third adopts what it left.
pub fn an_end_against_a_return_and_an_adoption() {
    for leaves_one in [true, false] {
        model("an end against a return and an adoption", 4, move |world| {
            let owner = world.spawn(SECOND, move |world| {
                let a = world.alloc(SMALL);
                let b = leaves_one.then(|| world.alloc(SMALL));
                let other = world.spawn(THIRD, move |world| world.free(a));
                (b, other)
            });
            let c = world.alloc(SMALL);
            let (b, other) = owner.join().expect("it ends");
            let d = world.alloc(SMALL);
            other.join().expect("it ends");
            world.settle(&[&[c, d][..], b.as_slice()].concat());
        });
    }
}

/// The last blocks of a slab of nobody's are freed by two threads at once.
pub fn the_last_blocks_of_an_orphan() {
    model("the last blocks of an orphan", 4, |world| {
        let (a, b) = first(|| {
            let owner = world.spawn(SECOND, |world| (world.alloc(SMALL), world.alloc(SMALL)));
            owner.join().expect("it ends")
        });
        let other = world.spawn(THIRD, move |world| world.free(a));
        world.free(b);
        other.join().expect("it ends");
        assert_eq!(backing::chunks(), 0, "a slab without blocks goes at once");
        world.settle(&[]);
    });
}

/// A slab of nobody's is adopted while its blocks are freed.
pub fn a_return_against_an_adoption() {
    model("a return against an adoption", 3, |world| {
        let blocks = first(|| {
            let owner = world.spawn(SECOND, |world| [(); 3].map(|()| world.alloc(SMALL)));
            owner.join().expect("it ends")
        });
        let [a, b, c] = blocks;
        let second = world.spawn(SECOND, move |world| world.free(a));
        let third = world.spawn(THIRD, move |world| world.free(b));
        let d = world.alloc(SMALL);
        let e = world.alloc(SMALL);
        second.join().expect("it ends");
        third.join().expect("it ends");
        world.settle(&[c, d, e]);
    });
}

/// A thread of the same identity as one that has ended, and blocks of both.
pub fn an_identity_again() {
    model("an identity again", 4, |world| {
        let a = first(|| {
            let before = world.spawn(SECOND, |world| world.alloc(SMALL));
            before.join().expect("it ends")
        });
        let other = world.spawn(SECOND, move |world| {
            world.free(a);
            world.alloc(SMALL)
        });
        let b = world.alloc(SMALL);
        let c = other.join().expect("it ends");
        world.settle(&[b, c]);
    });
}

/// The owner is told of a slab, collects, and is told again.
pub fn told_again() {
    model("told again", 5, |world| {
        let (a, b) = first(|| {
            let a = [(); 4].map(|()| world.alloc(SMALL));
            (a, [(); 2].map(|()| world.alloc(LARGE)))
        });
        let second = world.spawn(SECOND, move |world| {
            world.free(a[0]);
            world.free(b[0]);
            world.free(a[1]);
        });
        // There is no free slot of this size: it collects.
        let c = world.alloc(LARGE);
        let d = world.alloc(SMALL);
        second.join().expect("it ends");
        world.settle(&[a[2], a[3], b[1], c, d]);
    });
}

/// Two threads tell the owner of two slabs while it collects.
pub fn told_by_two() {
    model("told by two", 4, |world| {
        let (a, b) = first(|| {
            let a = [(); 4].map(|()| world.alloc(SMALL));
            (a, [(); 2].map(|()| world.alloc(LARGE)))
        });
        let second = world.spawn(SECOND, move |world| world.free(a[0]));
        let third = world.spawn(THIRD, move |world| world.free(b[0]));
        world.heap.minimize();
        second.join().expect("it ends");
        third.join().expect("it ends");
        // All slots can be had, and no slab beside these two is needed.
        let c = world.alloc(LARGE);
        let d = world.alloc(SMALL);
        assert_eq!(backing::chunks(), 1, "a slot was lost");
        world.settle(&[a[1], a[2], a[3], b[1], c, d]);
    });
}

/// Another thread asks while the owner frees and the slab melts, and changes a block of its own.
pub fn questions() {
    model("questions", 4, |world| {
        let (a, b) = first(|| (world.alloc(SMALL), world.alloc(SMALL)));
        let other = world.spawn(SECOND, move |world| {
            let size = world.heap.size_of(a.0.addr());
            assert!(matches!(size, None | Some(SMALL)));
            // SAFETY: this thread has the block.
            assert_eq!(unsafe { world.heap.resize(b.0, 10, Family::Task) }, Ok(b.0));
            assert_eq!(world.heap.size_of(b.0.addr()), Some(10));
            world.free(b);
            let found = world.heap.containing(a.0.addr() + 1);
            assert!(found.is_none_or(|found| found.start == a.0.addr()));
            assert_eq!(world.heap.size_of(b.0.addr()), None);
        });
        world.free(a);
        world.heap.minimize();
        other.join().expect("it ends");
        world.settle(&[]);
    });
}
