//! A spy in a program whose every allocation is olemem's: the records of spies must not come back to it.
#![cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use olemem::heap::{self, ALIGN, Family};
use olemem::spy::{self, Block, Margins, Request, Spy};

/// The task heap as the global allocator; what it cannot align is the system's.
struct OnOlemem;

// SAFETY: blocks are live from `alloc` to `dealloc`, and as aligned as the layout asks.
unsafe impl GlobalAlloc for OnOlemem {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGN {
            // SAFETY: the caller's promise is the precondition.
            return unsafe { System.alloc(layout) };
        }
        heap::alloc(layout.size(), Family::Task)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.align() > ALIGN {
            // SAFETY: the caller's promise is the precondition.
            unsafe { System.dealloc(block, layout) };
        } else {
            // SAFETY: the block is of `alloc` or `realloc`, and its last use is over.
            unsafe { heap::free(block, Family::Task) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() > ALIGN {
            // SAFETY: the caller's promise is the precondition.
            return unsafe { System.realloc(block, layout, size) };
        }
        // SAFETY: as for `dealloc`; the size is not 0.
        unsafe { heap::realloc(block, size, Family::Task) }
    }
}

#[global_allocator]
static GLOBAL: OnOlemem = OnOlemem;

/// Counts, and asks for no memory.
#[derive(Default)]
struct Counts {
    given: AtomicUsize,
    broken: AtomicUsize,
}

impl Spy for Counts {
    /// None under Miri: a `Box` that is an argument may be freed there by the pointer that it is alone, and a
    /// block with room around it is freed by its start.
    fn margins(&self, _: Request) -> Margins {
        if cfg!(miri) {
            Margins::default()
        } else {
            Margins::new(16, 5)
        }
    }
    fn post_alloc(&self, _: Request, block: Option<&mut Block<'_>>) {
        if let Some(block) = block {
            block.after().fill(0xEE);
            self.given.fetch_add(1, Ordering::Relaxed);
        }
    }
    fn post_realloc(&self, _: Request, block: Option<&mut Block<'_>>, _: bool) {
        if let Some(block) = block {
            block.after().fill(0xEE);
        }
    }
    fn pre_free(&self, block: &mut Block<'_>) {
        let whole = block.after().iter().all(|byte| *byte == 0xEE);
        self.broken
            .fetch_add(usize::from(!whole), Ordering::Relaxed);
    }
}

const TEXTS: usize = if cfg!(miri) { 12 } else { 100 };

fn work() {
    let mut map = BTreeMap::new();
    for n in 0..TEXTS {
        map.insert(n, format!("{n}").repeat(n));
    }
    let one_digit: usize = (0..10).sum();
    let two_digits: usize = (10..TEXTS).sum();
    let length: usize = map.values().map(String::len).sum();
    assert_eq!(length, one_digit + 2 * two_digits);
}

/// Spies come and go, each with memory that another spy, or none, saw allocated.
#[test]
fn everything_the_program_allocates_is_seen() {
    let rounds = if cfg!(miri) { 2 } else { 50 };
    // What the standard library allocates once, and keeps, is had before the first spy.
    thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    for _ in 0..rounds {
        let counts = Arc::new(Counts::default());
        let registered = spy::register(counts.clone()).expect("the spy before is gone");
        work();
        thread::scope(|scope| {
            scope.spawn(work);
            scope.spawn(work);
        });
        drop(registered);
        assert!(counts.given.load(Ordering::Relaxed) > 3 * TEXTS);
        assert_eq!(counts.broken.load(Ordering::Relaxed), 0);
        // A thread that has ended may hold spyed memory for a while.
        for _ in 0..10_000 {
            if Arc::strong_count(&counts) == 1 {
                break;
            }
            thread::yield_now();
        }
        assert_eq!(Arc::strong_count(&counts), 1);
    }
}
