//! The whole heap at small dimensions, over the standard library's primitives: for Miri, with many seeds, and
//! for the machine, with many steps.
#![cfg(not(feature = "loom"))]

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use allocator_api2::alloc::{AllocError, Allocator, System};
use models::heap::{DidAlloc, Family, Heap};

/// Bytes of a chunk at these dimensions, of which a heap without blocks keeps none when it was minimized.
const CHUNK: usize = 4 * 256;

/// Counts chunks.
struct Counting(AtomicUsize);

// SAFETY: every block is the system's.
unsafe impl Allocator for Counting {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if (layout.size(), layout.align()) == (CHUNK, 256) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        System.allocate(layout)
    }

    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        if (layout.size(), layout.align()) == (CHUNK, 256) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
        // SAFETY: the trait's promise is the precondition.
        unsafe { System.deallocate(memory, layout) };
    }
}

static HEAP: Heap<&Counting> = Heap::new_in(&CHUNKS);
static CHUNKS: Counting = Counting(AtomicUsize::new(0));
static SECOND: Heap = Heap::new_in(System);

/// Numbers without much meaning.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        usize::try_from((self.0 >> 33) % bound as u64).expect("below a usize")
    }
}

struct Block {
    start: *mut u8,
    size: usize,
    with: u8,
    family: Family,
}

// SAFETY: the memory is the holder's alone.
unsafe impl Send for Block {}

impl Block {
    fn new(dice: &mut Dice) -> Self {
        // Slots hold 144 bytes.
        let most = if dice.below(8) == 0 { 400 } else { 144 };
        let size = dice.below(most + 1);
        let family = [Family::Task, Family::Bstr][dice.below(2)];
        let start = HEAP.alloc(size, family);
        assert!(!start.is_null(), "there is memory");
        Self {
            start,
            size,
            with: 0,
            family,
        }
        .fill(dice)
    }

    fn fill(mut self, dice: &mut Dice) -> Self {
        self.with = u8::try_from(dice.below(256)).expect("a byte");
        // SAFETY: the block has so many bytes.
        unsafe { self.start.write_bytes(self.with, self.size) };
        self
    }

    fn check(&self, size: usize) {
        // SAFETY: the block has so many bytes, which were filled.
        let bytes = unsafe { std::slice::from_raw_parts(self.start, size) };
        assert!(bytes.iter().all(|byte| *byte == self.with));
        assert_eq!(HEAP.size_of(self.start), Some(self.size));
        assert_eq!(HEAP.did_alloc(self.start), DidAlloc::Yes);
    }

    fn resize(mut self, dice: &mut Dice) -> Self {
        let (kept, size) = (self.size, 1 + dice.below(300));
        self.check(kept);
        // SAFETY: live, and only the new pointer is used.
        self.start = unsafe { HEAP.realloc(self.start, size, self.family) };
        assert!(!self.start.is_null(), "there is memory");
        self.size = size;
        self.check(kept.min(size));
        self.fill(dice)
    }

    fn free(self) -> usize {
        self.check(self.size);
        // SAFETY: live, and its last use.
        unsafe { HEAP.free(self.start) };
        self.start.addr()
    }
}

/// A thread's life. What it has left goes to others.
fn live(seed: usize, steps: usize, post: &[Sender<Block>], mail: &Receiver<Block>) {
    let mut dice = Dice(seed as u64);
    let mut kept = Vec::new();
    for _ in 0..steps {
        match dice.below(8) {
            0..3 => kept.push(Block::new(&mut dice)),
            3 if !kept.is_empty() => {
                let block: Block = kept.swap_remove(dice.below(kept.len()));
                kept.push(block.resize(&mut dice));
            }
            4 | 5 if !kept.is_empty() => {
                kept.swap_remove(dice.below(kept.len())).free();
            }
            6 if !kept.is_empty() => {
                let block = kept.swap_remove(dice.below(kept.len()));
                post[dice.below(post.len())]
                    .send(block)
                    .expect("it is kept");
            }
            _ => {
                mail.try_iter().take(3).for_each(|block| {
                    block.free();
                });
                if dice.below(16) == 0 {
                    HEAP.minimize();
                    // SAFETY: live, and its last use.
                    unsafe { SECOND.free(SECOND.alloc(20, Family::Task)) };
                }
            }
        }
    }
    for block in kept {
        post[dice.below(post.len())]
            .send(block)
            .expect("it is kept");
    }
}

#[test]
fn threads_come_and_go() {
    let (threads, generations, steps) = if cfg!(miri) {
        (3, 2, 24)
    } else {
        (4, 300, 1_000)
    };
    let (post, mail): (Vec<_>, Vec<_>) = (0..threads).map(|_| channel()).unzip();
    let mut mail: Vec<Receiver<Block>> = mail;
    for generation in 0..generations {
        mail = thread::scope(|scope| {
            let lives: Vec<_> = mail
                .into_iter()
                .enumerate()
                .map(|(line, mail)| {
                    let post = &post;
                    scope.spawn(move || {
                        live(generation * 31 + line, steps, post, &mail);
                        mail
                    })
                })
                .collect();
            lives
                .into_iter()
                .map(|life| life.join().expect("it lives"))
                .collect()
        });
    }
    let left: Vec<_> = mail.iter().flat_map(Receiver::try_iter).collect();
    let addresses: Vec<_> = left.into_iter().map(Block::free).collect();
    for address in addresses {
        let block = std::ptr::without_provenance(address);
        assert_eq!(HEAP.did_alloc(block), DidAlloc::No);
    }
    HEAP.minimize();
    assert_eq!(CHUNKS.0.load(Ordering::Relaxed), 0, "memory was lost");
}
