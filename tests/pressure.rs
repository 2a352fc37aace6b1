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
    if children::deed().is_none() {
        return;
    }
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
