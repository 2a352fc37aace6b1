//! Threads that come and go, and blocks that travel between them: contents stay, counts come out even,
//! and the process does not grow.
//!
//! `OLEMEM_SOAK_SECONDS` says how long (2), `OLEMEM_SOAK_SEED` with which numbers, and `OLEMEM_SOAK_GROWTH` how
//! many MiB the process may grow: under a sanitizer it is the sanitizer that does.
#![cfg(all(feature = "std", not(windows), not(miri)))]

use std::alloc::Layout;
use std::collections::HashSet;
use std::env;
use std::num::NonZeroU64;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use allocator_api2::alloc::{AllocError, Allocator, System};
use olemem::heap::{self, DidAlloc, Family, Heap};
use olemem::{ByteLen, raw};

/// Threads at a time.
const THREADS: usize = 6;

/// Steps of a thread's life.
const LIFE: u64 = 3_000;

/// Blocks that a thread keeps, and with what is on its way to it about as many again.
const KEPT: usize = 300;

/// MiB by which the process may grow after the first half, unless `OLEMEM_SOAK_GROWTH` says otherwise: what the
/// system allocator's arenas need to settle, and a few more slabs. A short run never settles.
const fn growth(seconds: u64) -> u64 {
    if seconds < 10 { 64 } else { 24 }
}

/// A backing allocator that counts.
struct Counting {
    blocks: AtomicIsize,
    bytes: AtomicIsize,
}

/// What a slab's memory comes in.
const CHUNK: usize = 1 << 20;

// SAFETY: every block is the system's.
unsafe impl Allocator for Counting {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let memory = System.allocate(layout)?;
        // Only what comes back: what describes chunks and threads is kept for the next.
        if layout.align() >= 1 << 16 || layout.size() > 1 << 15 && layout.align() == heap::ALIGN {
            self.blocks.fetch_add(1, Ordering::Relaxed);
            self.bytes
                .fetch_add(layout.size().cast_signed(), Ordering::Relaxed);
        }
        Ok(memory)
    }

    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        if layout.align() >= 1 << 16 || layout.size() > 1 << 15 && layout.align() == heap::ALIGN {
            self.blocks.fetch_sub(1, Ordering::Relaxed);
            self.bytes
                .fetch_sub(layout.size().cast_signed(), Ordering::Relaxed);
        }
        // SAFETY: the trait's promise is the precondition.
        unsafe { System.deallocate(memory, layout) };
    }
}

/// A heap of the test's own beside the process's.
static OWN: Heap<&Counting> = Heap::new_in(&COUNTING);
static COUNTING: Counting = Counting {
    blocks: AtomicIsize::new(0),
    bytes: AtomicIsize::new(0),
};

/// Numbers without much meaning.
struct Dice(NonZeroU64);

impl Dice {
    fn new(seed: u64) -> Self {
        let mixed = (seed ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        Self(NonZeroU64::new(mixed).unwrap_or(NonZeroU64::MIN))
    }

    fn roll(&mut self) -> u64 {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0 = NonZeroU64::new(x).expect("it never becomes zero");
        x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % bound as u64).expect("below a usize")
    }

    /// Mostly small, at times too large for a slot.
    fn size(&mut self) -> usize {
        match self.below(100) {
            0..60 => self.below(256),
            60..90 => self.below(5_000),
            90..98 => self.below(40_000),
            _ => self.below(200_000),
        }
    }
}

/// Where a block is from.
#[derive(Clone, Copy, Debug)]
enum Door {
    Task,
    /// A BSTR; the block's bytes are its payload.
    Bstr,
    /// The C functions.
    C,
    CString,
    Own,
}

impl Door {
    const ALL: [Self; 5] = [Self::Task, Self::Bstr, Self::C, Self::CString, Self::Own];
}

/// A live block, full of what only it has.
struct Block {
    door: Door,
    start: NonNull<u8>,
    size: usize,
    seed: u64,
}

// SAFETY: the memory is the holder's alone.
unsafe impl Send for Block {}

/// The functions of the two doors that the C ABI has, or what does the same without it.
#[cfg(feature = "export")]
mod c {
    use olemem::export::{CoTaskMemAlloc, CoTaskMemFree, CoTaskMemRealloc};
    use olemem::export::{SysAllocStringByteLen, SysFreeString};
    use std::ptr;

    pub(super) fn alloc(size: usize) -> *mut u8 {
        CoTaskMemAlloc(size).cast()
    }
    pub(super) unsafe fn realloc(block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { CoTaskMemRealloc(block.cast(), size) }.cast()
    }
    pub(super) unsafe fn free(block: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { CoTaskMemFree(block.cast()) }
    }
    pub(super) fn alloc_string(len: u32) -> *mut u8 {
        // SAFETY: a null source needs nothing.
        unsafe { SysAllocStringByteLen(ptr::null(), len) }.cast()
    }
    pub(super) unsafe fn free_string(bstr: *mut u16) {
        // SAFETY: the caller's promise.
        unsafe { SysFreeString(bstr) }
    }
}
#[cfg(not(feature = "export"))]
mod c {
    use olemem::heap::{self, Family};
    use olemem::{ByteLen, raw};
    use std::ptr;

    pub(super) fn alloc(size: usize) -> *mut u8 {
        heap::alloc(size, Family::Task)
    }
    pub(super) unsafe fn realloc(block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { heap::realloc(block, size, Family::Task) }
    }
    pub(super) unsafe fn free(block: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { heap::free(block, Family::Task) }
    }
    pub(super) fn alloc_string(len: u32) -> *mut u8 {
        // SAFETY: a null source needs nothing.
        unsafe { raw::alloc_bytes(ptr::null(), ByteLen::new(len)) }.cast()
    }
    pub(super) unsafe fn free_string(bstr: *mut u16) {
        // SAFETY: the caller's promise.
        unsafe { raw::free(bstr) }
    }
}

impl Block {
    fn new(dice: &mut Dice) -> Self {
        let door = Door::ALL[dice.below(Door::ALL.len())];
        let size = dice.size();
        let len = u32::try_from(size).expect("it is small");
        let start = match door {
            Door::Task => heap::alloc(size, Family::Task),
            // SAFETY: a null source needs nothing.
            Door::Bstr => unsafe { raw::alloc_bytes(ptr::null(), ByteLen::new(len)) }.cast(),
            Door::C => c::alloc(size),
            Door::CString => c::alloc_string(len),
            Door::Own => OWN.alloc(size, Family::Task),
        };
        let block = Self {
            door,
            start: NonNull::new(start).expect("there is memory"),
            size,
            seed: dice.roll(),
        };
        block.fill();
        block
    }

    /// The byte at an offset.
    fn byte(&self, offset: usize) -> u8 {
        let mixed = (self.seed ^ (offset as u64 / 7)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed.to_le_bytes()[offset % 8]
    }

    /// The offsets that are written and read: all of a small block, and of a large one so many that no page
    /// is left out.
    fn offsets(&self) -> impl Iterator<Item = usize> {
        let all = self.size.min(512);
        let last = self.size.saturating_sub(1).max(all)..self.size;
        (0..all).chain((all..self.size).step_by(509)).chain(last)
    }

    /// Writes the bytes.
    fn fill(&self) {
        for offset in self.offsets() {
            // SAFETY: within the block.
            let place = unsafe { self.start.add(offset) };
            // SAFETY: as above, and the block is this one's alone.
            unsafe { place.write(self.byte(offset)) };
        }
    }

    /// The bytes are those that were written, as far as `size`.
    fn check_bytes(&self, size: usize) {
        let (door, start) = (self.door, self.start);
        for offset in self.offsets().filter(|offset| *offset < size) {
            // SAFETY: within the block.
            let place = unsafe { start.add(offset) };
            // SAFETY: as above, and `fill` wrote it.
            let byte = unsafe { place.read() };
            assert_eq!(byte, self.byte(offset), "{door:?} {start:?}+{offset}");
        }
    }

    /// The block is what it was when it was made.
    fn check(&self) {
        self.check_bytes(self.size);
        let start = self.start;
        match self.door {
            // SAFETY: live.
            Door::Bstr | Door::CString => assert_eq!(
                // SAFETY: as above.
                unsafe { raw::byte_len(start.as_ptr().cast()) }.as_usize(),
                self.size
            ),
            Door::Own => assert_eq!(OWN.size_of(start.as_ptr()), Some(self.size)),
            // SAFETY: any address will do.
            Door::Task | Door::C => {
                // SAFETY: the block is live.
                assert_eq!(unsafe { heap::size_of(start.as_ptr()) }, Some(self.size))
            }
        }
    }

    /// Where the heap's own block starts.
    fn address(&self) -> *mut u8 {
        match self.door {
            Door::Bstr | Door::CString => self.start.as_ptr().wrapping_sub(olemem::layout::HEADER),
            Door::Task | Door::C | Door::Own => self.start.as_ptr(),
        }
    }

    fn is_known(&self) -> DidAlloc {
        match self.door {
            Door::Own => OWN.did_alloc(self.address()),
            // SAFETY: any address will do.
            _ => unsafe { heap::did_alloc(self.address()) },
        }
    }

    /// The same block with another size and what it held before; strings have a new one of that size.
    fn resize(mut self, dice: &mut Dice) -> Self {
        let size = dice.size().max(1);
        let old = self.start.as_ptr();
        let new = match self.door {
            // SAFETY: live, and only the new pointer is used.
            Door::Task => unsafe { heap::realloc(old, size, Family::Task) },
            // SAFETY: as above.
            Door::C => unsafe { c::realloc(old, size) },
            // SAFETY: as above.
            Door::Own => unsafe { OWN.realloc(old, size, Family::Task) },
            Door::Bstr | Door::CString => return self,
        };
        self.start = NonNull::new(new).expect("there is memory");
        self.check_bytes(size);
        self.size = size;
        self.fill();
        self
    }

    fn free(self) -> *mut u8 {
        self.check();
        let (start, address) = (self.start.as_ptr(), self.address());
        match self.door {
            // SAFETY: live, and its last use.
            Door::Task => unsafe { heap::free(start, Family::Task) },
            // SAFETY: as above.
            Door::Bstr => unsafe { raw::free(start.cast()) },
            // SAFETY: as above.
            Door::C => unsafe { c::free(start) },
            // SAFETY: as above.
            Door::CString => unsafe { c::free_string(start.cast()) },
            // SAFETY: as above.
            Door::Own => unsafe { OWN.free(start) },
        }
        address
    }
}

/// What the threads have in common.
struct Soak {
    over: AtomicBool,
    made: AtomicU64,
    freed: AtomicU64,
    resized: AtomicU64,
    questions: AtomicU64,
    threads: AtomicU64,
}

/// A thread's life: some of its blocks are freed by others, and what is left at its end by its successor.
fn live(
    soak: &Soak,
    mut dice: Dice,
    post: &[Sender<Block>],
    mail: Receiver<Block>,
) -> (Vec<Block>, Receiver<Block>) {
    let mut kept = Vec::new();
    let (mut made, mut freed, mut resized, mut questions) = (0, 0, 0, 0);
    for _ in 0..LIFE {
        if soak.over.load(Ordering::Relaxed) {
            break;
        }
        let arrived = mail.try_iter().take(4).collect::<Vec<_>>();
        for block in arrived {
            if dice.below(4) == 0 {
                kept.push(block.resize(&mut dice));
                resized += 1;
            } else {
                block.free();
                freed += 1;
            }
        }
        let block = Block::new(&mut dice);
        made += 1;
        if dice.below(16) == 0 {
            assert_eq!(block.is_known(), DidAlloc::Yes);
            questions += 1;
        }
        if dice.below(3) == 0 {
            let to = dice.below(post.len());
            post[to].send(block).expect("somebody receives");
        } else {
            kept.push(block);
        }
        while kept.len() > KEPT || !kept.is_empty() && dice.below(3) == 0 {
            kept.swap_remove(dice.below(kept.len())).free();
            freed += 1;
        }
        if dice.below(5_000) == 0 {
            heap::minimize();
            OWN.minimize();
        }
    }
    soak.made.fetch_add(made, Ordering::Relaxed);
    soak.freed.fetch_add(freed, Ordering::Relaxed);
    soak.resized.fetch_add(resized, Ordering::Relaxed);
    soak.questions.fetch_add(questions, Ordering::Relaxed);
    soak.threads.fetch_add(1, Ordering::Relaxed);
    (kept, mail)
}

/// Bytes of the process that are in memory, where the system says.
fn resident() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn threads_come_and_go() {
    let seconds = number("OLEMEM_SOAK_SECONDS").unwrap_or(2);
    let clock = || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.map_or(1, |now| u64::from(now.subsec_nanos()))
    };
    let seed = number("OLEMEM_SOAK_SEED").unwrap_or_else(clock);
    println!("OLEMEM_SOAK_SEED={seed} OLEMEM_SOAK_SECONDS={seconds}");

    let soak = Soak {
        over: AtomicBool::new(false),
        made: AtomicU64::new(0),
        freed: AtomicU64::new(0),
        resized: AtomicU64::new(0),
        questions: AtomicU64::new(0),
        threads: AtomicU64::new(0),
    };
    let (post, mail): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel()).unzip();
    let mut figures = Vec::new();
    let mut left = Vec::new();
    thread::scope(|scope| {
        let lines: Vec<_> = mail
            .into_iter()
            .zip(1_u64..)
            .map(|(mut mail, line)| {
                let (soak, post) = (&soak, post.clone());
                scope.spawn(move || {
                    let mut left: Vec<Block> = Vec::new();
                    let mut dice = Dice::new(seed.wrapping_mul(line));
                    while !soak.over.load(Ordering::Relaxed) {
                        let childs = Dice::new(dice.roll());
                        // A thread of its own, whose blocks outlive it.
                        let orphans;
                        (orphans, mail) = thread::scope(|scope| {
                            let post = &post;
                            let life = scope.spawn(move || live(soak, childs, post, mail));
                            life.join().expect("it lives")
                        });
                        for block in left.drain(..) {
                            block.free();
                            soak.freed.fetch_add(1, Ordering::Relaxed);
                        }
                        left = orphans;
                    }
                    (left, mail)
                })
            })
            .collect();
        let began = Instant::now();
        let whole = Duration::from_secs(seconds);
        while began.elapsed() < whole {
            thread::sleep(whole.min(Duration::from_secs(1)) / 20);
            figures.extend(resident());
        }
        soak.over.store(true, Ordering::Relaxed);
        let ended: Vec<_> = lines
            .into_iter()
            .map(|line| line.join().expect("it ends"))
            .collect();
        for (blocks, mail) in ended {
            left.extend(blocks);
            left.extend(mail.try_iter());
        }
    });

    let mut addresses = HashSet::new();
    let mut own = HashSet::new();
    for block in left {
        let is_own = matches!(block.door, Door::Own);
        let address = block.free();
        soak.freed.fetch_add(1, Ordering::Relaxed);
        assert!(if is_own {
            own.insert(address)
        } else {
            addresses.insert(address)
        });
    }
    // No other test runs in this process: nothing is live.
    for address in addresses {
        // SAFETY: any address will do.
        assert_eq!(unsafe { heap::did_alloc(address) }, DidAlloc::No);
    }
    for address in own {
        assert_eq!(OWN.did_alloc(address), DidAlloc::No);
    }
    let made = soak.made.into_inner();
    assert_eq!(made, soak.freed.into_inner());
    heap::minimize();
    OWN.minimize();
    let (blocks, bytes) = (
        COUNTING.blocks.load(Ordering::Relaxed),
        COUNTING.bytes.load(Ordering::Relaxed),
    );
    assert_eq!(
        (blocks, bytes),
        (0, 0),
        "chunks of {CHUNK} bytes that are kept"
    );

    println!(
        "{made} blocks made and freed, {} resized, {} asked about, by {} threads",
        soak.resized.into_inner(),
        soak.questions.into_inner(),
        soak.threads.into_inner()
    );
    if let [_, .., last] = figures[..] {
        let peak = |part: &[usize]| part.iter().copied().max().unwrap_or(0);
        let (early, later) = figures.split_at(figures.len() / 2);
        let middle = figures[figures.len() / 2];
        println!(
            "resident: {} KiB at first, {} KiB in the middle, {} KiB at last; the most was {} KiB in the first half, {} KiB later",
            figures[0] >> 10,
            middle >> 10,
            last >> 10,
            peak(early) >> 10,
            peak(later) >> 10
        );
        let bound = number("OLEMEM_SOAK_GROWTH").unwrap_or(growth(seconds)) << 20;
        let grown = peak(later).saturating_sub(peak(early));
        assert!(
            grown as u64 <= bound,
            "the process has grown by {grown} bytes"
        );
    }
}
