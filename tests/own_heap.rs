//! `heap::Heap`: the heap over another backing allocator, which here counts, fails and remembers.
//!
//! Slabs of the real size take Miri many minutes; it runs the same heap with small ones in `tests/models`.
#![cfg(all(feature = "std", not(windows), not(miri)))]

#[cfg(unix)]
#[path = "support/children.rs"]
mod children;

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicIsize, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError, mpsc};
use std::thread;

use allocator_api2::alloc::{AllocError, Allocator, System};
use olemem::heap::{ALIGN, DidAlloc, Family, Heap};

/// A backing that counts what it gave, and fails when it is told to.
struct Counting {
    /// Bytes that are out.
    out: AtomicIsize,
    /// Requests so far.
    requests: AtomicU64,
    /// From this request on none is granted.
    limit: AtomicU64,
    /// None is granted of more bytes.
    most: AtomicUsize,
}

impl Counting {
    const fn new() -> Self {
        Self {
            out: AtomicIsize::new(0),
            requests: AtomicU64::new(0),
            limit: AtomicU64::new(u64::MAX),
            most: AtomicUsize::new(usize::MAX),
        }
    }

    fn out(&self) -> usize {
        usize::try_from(self.out.load(Ordering::SeqCst)).expect("no more comes back than went out")
    }

    fn count(&self, bytes: usize) {
        let bytes = isize::try_from(bytes).expect("a size");
        self.out.fetch_add(bytes, Ordering::SeqCst);
    }

    fn discount(&self, bytes: usize) {
        let bytes = isize::try_from(bytes).expect("a size");
        self.out.fetch_sub(bytes, Ordering::SeqCst);
    }
}

// SAFETY: every method is that of the system allocator, or fails.
unsafe impl Allocator for Counting {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let request = self.requests.fetch_add(1, Ordering::SeqCst);
        if request >= self.limit.load(Ordering::SeqCst)
            || layout.size() > self.most.load(Ordering::SeqCst)
        {
            return Err(AllocError);
        }
        let memory = System.allocate(layout)?;
        self.count(layout.size());
        Ok(memory)
    }

    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        self.discount(layout.size());
        // SAFETY: the trait's promise is the precondition.
        unsafe { System.deallocate(memory, layout) };
    }
}

/// A backing of this test's own, for the rest of the program.
type Own = Heap<&'static Counting>;

/// What was leaked on purpose stays in sight of leak checkers.
static KEPT: Mutex<Vec<&'static Own>> = Mutex::new(Vec::new());

fn own() -> (&'static Own, &'static Counting) {
    let backing: &'static Counting = Box::leak(Box::new(Counting::new()));
    let heap: &'static Own = Box::leak(Box::new(Heap::new_in(backing)));
    KEPT.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(heap);
    (heap, backing)
}

/// A block as the tests hold it: sent between threads.
#[derive(Clone, Copy, Debug)]
struct Block {
    start: *mut u8,
    size: usize,
}

// SAFETY: a block is memory, of which the tests see to it that one thread at a time uses it.
unsafe impl Send for Block {}

impl Block {
    /// A block full of a byte that its size tells.
    fn new(heap: &'static Own, size: usize) -> Option<Self> {
        let start = heap.alloc(size, Family::Task);
        if start.is_null() {
            return None;
        }
        assert!(start.addr().is_multiple_of(ALIGN));
        // SAFETY: the block is new and has so many bytes.
        unsafe { start.write_bytes(Self::byte(size), size) };
        Some(Self { start, size })
    }

    fn byte(size: usize) -> u8 {
        u8::try_from(size % 251).expect("less than 251")
    }

    /// Still what it was.
    #[track_caller]
    fn check(&self, heap: &'static Own) {
        assert_eq!(heap.size_of(self.start), Some(self.size));
        assert_eq!(heap.did_alloc(self.start), DidAlloc::Yes);
        // SAFETY: the block is live, and was filled.
        let bytes = unsafe { std::slice::from_raw_parts(self.start, self.size) };
        assert!(bytes.iter().all(|byte| *byte == Self::byte(self.size)));
    }

    #[track_caller]
    fn free(self, heap: &'static Own) {
        self.check(heap);
        // SAFETY: the block is live, and this is its last use.
        unsafe { heap.free(self.start) };
        // Nothing can be said of the address now: another thread may have it already.
    }

    /// As [`free`](Self::free), where no other thread is.
    #[track_caller]
    fn free_alone(self, heap: &'static Own) {
        self.free(heap);
        assert_eq!(heap.did_alloc(self.start), DidAlloc::No);
        assert_eq!(heap.size_of(self.start), None);
    }
}

/// Sizes around every border between classes, and between small and large.
fn sizes() -> Vec<usize> {
    let mut sizes: Vec<usize> = (0..=80).collect();
    let mut round = 64;
    while round <= 128 * 1024 {
        for quarter in 4..8 {
            let border = round / 4 * quarter + 16;
            sizes.extend([border - 1, border, border + 1]);
        }
        round *= 2;
    }
    sizes
}

#[test]
fn every_size_is_exact_and_nothing_overlaps() {
    let (heap, _) = own();
    let blocks: Vec<Block> = sizes()
        .into_iter()
        .flat_map(|size| [size; 3])
        .map(|size| Block::new(heap, size).expect("there is memory"))
        .collect();
    for block in &blocks {
        block.check(heap);
        for inside in 1..block.size.min(40) {
            let inside = block.start.wrapping_add(inside);
            assert_eq!(heap.did_alloc(inside), DidAlloc::No);
            assert_eq!(heap.size_of(inside), None);
        }
    }
    blocks.into_iter().for_each(|block| block.free_alone(heap));
}

#[test]
fn questions_read_no_memory() {
    let (heap, _) = own();
    let block = Block::new(heap, 40).expect("there is memory");
    let high = usize::MAX << (usize::BITS - 16);
    for address in [
        1,
        8,
        0xFFFF,
        0x10000,
        usize::MAX,
        usize::MAX - 0xFFFF,
        block.start.addr() ^ high,
        block.start.addr() | high,
        !block.start.addr(),
    ] {
        if address != block.start.addr() {
            let address = std::ptr::without_provenance(address);
            assert_eq!(heap.did_alloc(address), DidAlloc::No, "{address:?}");
            assert_eq!(heap.size_of(address), None, "{address:?}");
        }
    }
    block.free(heap);
}

/// Up, down, and across the border between small and large; contents stay.
#[test]
fn reallocation_keeps_what_fits() {
    let (heap, _) = own();
    for family in [Family::Task, Family::Bstr] {
        for pair in sizes()
            .windows(2)
            .chain([&[40, 100_000], &[100_000, 40]] as [&[usize]; 2])
        {
            let &[from, to] = pair else { continue };
            if to == 0 {
                continue;
            }
            let block = heap.alloc(from, family);
            // SAFETY: so many bytes.
            unsafe { block.write_bytes(7, from) };
            // SAFETY: live, and nobody else's.
            let moved = unsafe { heap.realloc(block, to, family) };
            assert_eq!(heap.size_of(moved), Some(to));
            // SAFETY: live, and so many bytes were filled.
            let kept = unsafe { std::slice::from_raw_parts(moved, from.min(to)) };
            assert!(kept.iter().all(|byte| *byte == 7), "{from} to {to}");
            if to < from && family == Family::Bstr {
                assert_eq!(moved, block, "a string that shrinks stays: {from} to {to}");
            }
            // SAFETY: live.
            unsafe { heap.free(moved) };
        }
    }
}

/// A string that grows by small steps is copied seldom: its address changes no more often than by half as much
/// again each time.
#[test]
fn growth_is_copied_seldom() {
    let (heap, _) = own();
    let most = 300_000;
    let mut block = heap.alloc(16, Family::Bstr);
    let mut moves = 0;
    for size in (32..most).step_by(16) {
        // SAFETY: live, and nobody else's.
        let grown = unsafe { heap.realloc(block, size, Family::Bstr) };
        moves += u32::from(grown != block);
        block = grown;
    }
    assert!(moves <= 30, "moved {moves} times");
    // SAFETY: live.
    unsafe { heap.free(block) };
}

/// A string for whose growth there is no more memory than it needs gets that.
#[test]
fn growth_takes_what_there_is() {
    let (heap, backing) = own();
    for (from, to) in [(30_000, 50_000), (100_000, 110_000)] {
        let block = heap.alloc(from, Family::Bstr);
        assert!(!block.is_null());
        backing.most.store(to + 4096, Ordering::SeqCst);
        // SAFETY: live, and nobody else's.
        let grown = unsafe { heap.realloc(block, to, Family::Bstr) };
        assert!(!grown.is_null(), "{from} to {to}");
        assert_eq!(heap.size_of(grown), Some(to));
        // And if there is not even that, it stays as it was.
        // SAFETY: as above.
        let none = unsafe { heap.realloc(grown, 2 * to + 100_000, Family::Bstr) };
        assert!(none.is_null());
        assert_eq!(heap.size_of(grown), Some(to));
        backing.most.store(usize::MAX, Ordering::SeqCst);
        // SAFETY: live.
        unsafe { heap.free(grown) };
    }
}

/// All that was used goes back, but for the heap's own books.
#[test]
fn memory_goes_back() {
    let (heap, backing) = own();
    let count = 100_000;
    let peak = {
        let blocks: Vec<_> = (0..count)
            .map(|index| Block::new(heap, index % 2000).expect("there is memory"))
            .collect();
        let peak = backing.out();
        blocks.into_iter().for_each(|block| block.free(heap));
        peak
    };
    heap.minimize();
    let left = backing.out();
    // Parts of threads, descriptions of chunks and a table stay; chunks and books of slabs do not.
    let books = 256 * 1024 + peak / 50;
    assert!(left < books, "{left} of {peak} bytes are left");
    // And it is used again.
    let before = backing.out();
    let block = Block::new(heap, 100).expect("there is memory");
    assert!(backing.out() > before);
    block.free(heap);
}

/// What the heap keeps of memory that a thread freed.
#[test]
fn little_is_kept_without_being_asked() {
    let (heap, backing) = own();
    let block = Block::new(heap, 1).expect("there is memory");
    let before = backing.out();
    let each = 400;
    for _ in 0..2 {
        let blocks: Vec<_> = (0..each)
            .flat_map(|_| sizes())
            .filter(|size| *size <= 32_784)
            .map(|size| Block::new(heap, size).expect("there is memory"))
            .collect();
        blocks.into_iter().for_each(|block| block.free(heap));
    }
    // Some spare chunks, what the magazines hold, and the slabs that these are in.
    let kept = backing.out() - before;
    assert!(kept < 80 << 20, "{kept} bytes are kept");
    block.free(heap);
}

/// Blocks of a thread that has ended are freed by another, and their slabs are used again.
#[test]
fn what_a_thread_leaves_is_taken_over() {
    let (heap, backing) = own();
    let rounds = 50;
    let count = 5000;
    let mut highest = 0;
    for round in 0..rounds {
        let blocks: Vec<Block> = thread::spawn(move || {
            (0..count)
                .map(|index| Block::new(heap, 100 + index % 100).expect("there is memory"))
                .collect()
        })
        .join()
        .expect("the thread does well");
        let (kept, freed): (Vec<_>, Vec<_>) = blocks
            .into_iter()
            .enumerate()
            .partition(|(index, _)| index % 10 == 0);
        freed.into_iter().for_each(|(_, block)| block.free(heap));
        // This thread takes over what is half empty, and blocks that are left there stay whole.
        let mine: Vec<_> = (0..count / 2)
            .map(|index| Block::new(heap, 100 + index % 100).expect("there is memory"))
            .collect();
        kept.iter().for_each(|(_, block)| block.check(heap));
        mine.into_iter().for_each(|block| block.free(heap));
        kept.into_iter().for_each(|(_, block)| block.free(heap));
        if round == rounds / 2 {
            highest = backing.out();
        }
    }
    assert!(
        backing.out() <= highest + (1 << 20),
        "{} after {highest}: memory is lost",
        backing.out()
    );
}

/// A producer allocates, a consumer frees: what comes back is used again.
#[test]
fn blocks_freed_elsewhere_come_back() {
    let (heap, backing) = own();
    let (rounds, count) = (200, 1000);
    let (give, take) = mpsc::sync_channel::<Vec<Block>>(1);
    let consumer = thread::spawn(move || {
        for blocks in take {
            blocks.into_iter().for_each(|block| block.free(heap));
        }
    });
    let mut highest = 0;
    for round in 0..rounds {
        let blocks = (0..count)
            .map(|index| Block::new(heap, index % 300).expect("there is memory"))
            .collect();
        give.send(blocks).expect("the consumer waits");
        if round == rounds / 2 {
            highest = backing.out();
        }
    }
    drop(give);
    consumer.join().expect("the consumer does well");
    assert!(
        backing.out() <= highest + (2 << 20),
        "{} after {highest}: memory is lost",
        backing.out()
    );
}

/// Another thread may ask, and resize in place and elsewhere.
#[test]
fn other_threads_may_ask_and_resize() {
    let (heap, _) = own();
    let blocks: Vec<Block> = [40, 1000, 20_000, 100_000]
        .map(|size| Block::new(heap, size).expect("there is memory"))
        .into();
    thread::scope(|scope| {
        scope.spawn(move || {
            for (index, block) in blocks.into_iter().enumerate() {
                block.check(heap);
                let size = [block.size + 1, block.size + 5000, block.size.max(2) - 1][index % 3];
                // SAFETY: live, and this thread's alone.
                let moved = unsafe { heap.realloc(block.start, size, Family::Bstr) };
                assert_eq!(heap.size_of(moved), Some(size));
                // SAFETY: live, and its last use.
                unsafe { heap.free(moved) };
            }
        });
    });
}

/// Every request to the backing fails once, at every point of a program: each failure is a null, and nothing
/// is lost or harmed.
#[test]
fn every_failure_of_the_backing_is_a_null() {
    let sizes = [0, 16, 40, 300, 5000, 33_000, 100_000, 40, 2000];
    let work = |heap: &'static Own| {
        let mut nulls = 0;
        let mut blocks = Vec::new();
        for size in sizes {
            match Block::new(heap, size) {
                Some(block) => blocks.push(block),
                None => nulls += 1,
            }
        }
        for block in &mut blocks {
            // SAFETY: live, and nobody else's.
            let moved = unsafe { heap.realloc(block.start, block.size + 40_000, Family::Task) };
            if moved.is_null() {
                nulls += 1;
                block.check(heap);
            } else {
                block.start = moved;
                block.size += 40_000;
                // SAFETY: so many bytes.
                unsafe { moved.write_bytes(Block::byte(block.size), block.size) };
            }
        }
        blocks.into_iter().for_each(|block| block.free(heap));
        nulls
    };
    let mut failures = 0;
    for limit in 0.. {
        let (heap, backing) = own();
        backing.limit.store(limit, Ordering::SeqCst);
        let nulls = work(heap);
        // With memory again all is as if nothing had happened.
        backing.limit.store(u64::MAX, Ordering::SeqCst);
        assert_eq!(work(heap), 0, "after the failure of request {limit}");
        if nulls == 0 {
            break;
        }
        failures += 1;
        assert!(limit < 1000, "the work needs no so many requests");
    }
    assert!(failures > 10, "the backing was asked {failures} times only");
}

/// Two heaps know nothing of each other.
#[test]
fn heaps_are_apart() {
    let (one, _) = own();
    let (other, _) = own();
    let block = Block::new(one, 40).expect("there is memory");
    assert_eq!(other.did_alloc(block.start), DidAlloc::No);
    assert_eq!(other.size_of(block.start), None);
    block.free_alone(one);
}

/// Many threads, each with blocks of its own and of others.
#[test]
fn threads_do_not_disturb_each_other() {
    let (heap, _) = own();
    let (threads, rounds) = (8, 20_000);
    let start = Arc::new(Barrier::new(threads));
    let handles: Vec<_> = (0..threads)
        .map(|number| {
            let start = Arc::clone(&start);
            let (give, take) = mpsc::channel::<Block>();
            let handle = thread::spawn(move || {
                start.wait();
                let mut random = number as u64 + 1;
                let mut mine: Vec<Block> = Vec::new();
                for _ in 0..rounds {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    if random.is_multiple_of(3) && !mine.is_empty() {
                        let index = usize::try_from(random >> 40).expect("24 bits") % mine.len();
                        mine.swap_remove(index).free(heap);
                    } else {
                        let size = usize::try_from(random >> 40).expect("24 bits") % 700;
                        mine.push(Block::new(heap, size).expect("there is memory"));
                    }
                }
                mine.into_iter()
                    .for_each(|block| give.send(block).expect("somebody waits"));
            });
            (handle, take)
        })
        .collect();
    for (handle, take) in handles {
        // While the thread may still be there, and after it has ended.
        take.into_iter().for_each(|block| block.free(heap));
        handle.join().expect("the thread does well");
    }
}

/// What ends the process does so with one line, before anything is harmed.
#[cfg(unix)]
mod bad_calls {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const SIGABRT: i32 = 6;

    fn live(size: usize) -> (&'static Own, Block) {
        let (heap, _) = own();
        (heap, Block::new(heap, size).expect("there is memory"))
    }

    fn free(heap: &'static Own, pointer: *mut u8) {
        // SAFETY: not met, on purpose: the heap refuses before it touches anything.
        unsafe { heap.free(pointer) };
    }

    fn deeds(deed: &str) {
        let (what, size) = deed.rsplit_once(' ').expect("a size");
        let (heap, block) = live(size.parse().expect("a number"));
        match what {
            "twice" => {
                free(heap, block.start);
                free(heap, block.start);
            }
            "inside" => free(heap, block.start.wrapping_add(8)),
            "foreign" => free(heap, Box::leak(Box::new([0_u8; 64])).as_mut_ptr()),
            "twice elsewhere" => {
                let there = thread::spawn(move || {
                    let block = block;
                    free(heap, block.start);
                });
                there.join().expect("the first one is right");
                free(heap, block.start);
            }
            "here, then elsewhere" => {
                free(heap, block.start);
                let there = thread::spawn(move || {
                    let block = block;
                    free(heap, block.start);
                });
                let _ = there.join();
            }
            "after the thread ended, twice" => {
                let block = thread::spawn(move || Block::new(heap, block.size))
                    .join()
                    .expect("it does well")
                    .expect("there is memory");
                free(heap, block.start);
                free(heap, block.start);
            }
            "reallocated" => {
                free(heap, block.start);
                // SAFETY: not met, on purpose.
                let _ = unsafe { heap.realloc(block.start, 50, Family::Task) };
            }
            // Both may find the block live; then it is seen no later than when the return is collected.
            "by two at once" => loop {
                let (heap, block) = live(block.size);
                let start = Arc::new(Barrier::new(2));
                let there = {
                    let start = Arc::clone(&start);
                    thread::spawn(move || {
                        let block = block;
                        start.wait();
                        free(heap, block.start);
                    })
                };
                start.wait();
                free(heap, block.start);
                there.join().expect("it does well, or nothing does");
                heap.minimize();
            },
            _ => panic!("unknown deed"),
        }
    }

    #[test]
    fn child() {
        if let Some(deed) = children::deed() {
            deeds(&deed);
        }
    }

    #[test]
    fn one_line_and_the_end() {
        for what in [
            "twice",
            "inside",
            "foreign",
            "twice elsewhere",
            "here, then elsewhere",
            "after the thread ended, twice",
            "reallocated",
            "by two at once",
        ] {
            for size in [40, 20_000, 100_000] {
                let deed = format!("{what} {size}");
                let output = children::child("bad_calls::child", &deed)
                    .output()
                    .expect("the test binary starts");
                let said = children::complaints(&output);
                assert_eq!(output.status.signal(), Some(SIGABRT), "{deed}: {said:?}");
                let [line] = &said[..] else {
                    panic!("{deed}: {said:?}");
                };
                let expected = if what == "reallocated" {
                    "reallocation of "
                } else {
                    "free of "
                };
                assert!(line.contains(expected), "{deed}: {line}");
                let told = [
                    "no live block of this heap starts there",
                    "two threads freed this block at the same time",
                ];
                assert!(
                    told.iter().any(|told| line.ends_with(told)),
                    "{deed}: {line}"
                );
            }
        }
    }
}
