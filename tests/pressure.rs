//! The heap in a process that may have no more memory.
#![cfg(all(
    feature = "std",
    target_os = "linux",
    target_pointer_width = "64",
    not(miri)
))]

#[path = "support/children.rs"]
mod children;

use olemem::heap::{self, Family};

#[repr(C)]
struct Limit {
    soft: u64,
    hard: u64,
}

unsafe extern "C" {
    fn setrlimit(resource: i32, limit: *const Limit) -> i32;
}

/// From now on this process gets no address space beyond what it has.
fn no_more_memory() {
    const ADDRESS_SPACE: i32 = 9;
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages: u64 = pages
        .split(' ')
        .next()
        .and_then(|pages| pages.parse().ok())
        .expect("a number of pages");
    let limit = Limit {
        soft: pages * 4096,
        hard: pages * 4096,
    };
    // SAFETY: the limit is this frame's.
    assert_eq!(unsafe { setrlimit(ADDRESS_SPACE, &raw const limit) }, 0);
}

#[test]
fn child() {
    match children::deed().as_deref() {
        Some("minimize") => minimize(),
        #[cfg(any(feature = "export", feature = "audit"))]
        Some("spy") => spy::all_that_can_be_had(),
        Some(other) => panic!("{other}"),
        None => {}
    }
}

fn minimize() {
    let blocks: Vec<*mut u8> = (0..1_000_000)
        .map(|_| heap::alloc(1, Family::Task))
        .collect();
    let (kept, freed) = blocks.split_at(700_000);
    for block in freed {
        // SAFETY: the block is live, and this is its last use.
        unsafe { heap::free(*block, Family::Task) };
    }
    no_more_memory();
    // Nor what the C library still has from before.
    while !heap::alloc(1 << 22, Family::Task).is_null() {}
    // The table of live blocks would be made anew, smaller: there is no memory for that.
    heap::minimize();
    for block in kept {
        // SAFETY: the block is live, and this is its last use.
        unsafe { heap::free(*block, Family::Task) };
    }
}

#[test]
fn giving_memory_back_needs_none() {
    let output = children::child("child", "minimize")
        .output()
        .expect("the test binary starts");
    children::assert_passed(&output);
}

/// A spyed block must be recorded: without memory for that there is no block either.
#[cfg(any(feature = "export", feature = "audit"))]
mod spy {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use olemem::heap::{self, Family};
    use olemem::spy::{self, Block, Request, Spy};

    use super::{children, no_more_memory};

    #[derive(Default)]
    struct Counts {
        given: AtomicUsize,
        failed: AtomicUsize,
        freed: AtomicUsize,
    }

    impl Spy for Counts {
        fn post_alloc(&self, _: Request, block: Option<&mut Block<'_>>) {
            let count = if block.is_some() {
                &self.given
            } else {
                &self.failed
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
        fn post_free(&self, spyed: bool) {
            self.freed.fetch_add(usize::from(spyed), Ordering::Relaxed);
        }
    }

    pub(super) fn all_that_can_be_had() {
        let counts = Arc::new(Counts::default());
        let registered = spy::register(counts.clone()).expect("there is no other spy");
        // No more than the loop below can have before the limit is felt.
        let mut blocks = Vec::with_capacity(4_000_000);
        let mut alloc = || {
            let block = heap::alloc(1, Family::Task);
            if !block.is_null() {
                blocks.push(block);
            }
            !block.is_null()
        };
        while blocks_wanted(&counts) {
            assert!(alloc());
        }
        no_more_memory();
        while alloc() {}
        for block in &blocks {
            // SAFETY: the block is live, and this is its last use.
            unsafe { heap::free(*block, Family::Task) };
        }
        assert_eq!(counts.failed.load(Ordering::Relaxed), 1);
        assert_eq!(counts.given.load(Ordering::Relaxed), blocks.len());
        assert_eq!(counts.freed.load(Ordering::Relaxed), blocks.len());
        assert!(registered.revoke().is_ok());
    }

    /// Enough that the records have grown a few times.
    fn blocks_wanted(counts: &Counts) -> bool {
        counts.given.load(Ordering::Relaxed) < 100_000
    }

    #[test]
    fn without_a_record_there_is_no_block() {
        let output = children::child("child", "spy")
            .output()
            .expect("the test binary starts");
        children::assert_passed(&output);
    }
}
