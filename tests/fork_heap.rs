//! What the child of a fork finds in the heap, and its child: every block of the thread that forked, and all
//! the memory of the threads that are not there any more.
//!
//! A process of its own: the handlers that other tests of forks register take a lock of theirs.
#![cfg(all(feature = "std", unix, not(miri)))]

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use olemem::heap::{self, DidAlloc, Family};

unsafe extern "C" {
    safe fn fork() -> i32;
    safe fn alarm(seconds: u32) -> u32;
    safe fn _exit(status: i32) -> !;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
}

/// Waits for a child that should end with the status 7; otherwise says with which it did.
fn wait(process: i32) -> Result<(), i32> {
    assert!(process > 0, "no more processes to be had");
    let mut status = 0;
    // SAFETY: the variable is this frame's.
    let waited = unsafe { waitpid(process, &raw mut status, 0) };
    // Ended by itself, with the status it chose.
    if (waited, status) == (process, 7 << 8) {
        Ok(())
    } else {
        Err(status)
    }
}

/// A block and what it is full of.
#[derive(Clone, Copy)]
struct Filled {
    block: *mut u8,
    size: usize,
    with: u8,
}

// SAFETY: the tests hand blocks on, and one thread uses each.
unsafe impl Send for Filled {}

impl Filled {
    fn new(size: usize, with: u8) -> Self {
        let block = heap::alloc(size, Family::Task);
        assert!(!block.is_null(), "there is memory");
        // SAFETY: the block has so many bytes.
        unsafe { block.write_bytes(with, size) };
        Self { block, size, with }
    }

    /// Whether the block is there, as large and as full as it was.
    fn is_whole(&self) -> bool {
        // SAFETY: any address will do.
        let size = unsafe { heap::size_of(self.block) };
        // SAFETY: live, and filled when it was made.
        let bytes = unsafe { std::slice::from_raw_parts(self.block, self.size) };
        size == Some(self.size) && bytes.iter().all(|byte| *byte == self.with)
    }

    fn free(self) {
        // SAFETY: live, and its last use.
        unsafe { heap::free(self.block, Family::Task) };
    }

    /// Frees the block, and says whether it is then none.
    fn is_gone_when_freed(self) -> bool {
        self.free();
        // SAFETY: any address will do.
        unsafe { heap::did_alloc(self.block) == DidAlloc::No }
    }
}

/// Forks, and has the child do something. A child that finds something wrong says where by its status.
fn in_child(deeds: impl FnOnce() -> Result<(), u32>) -> Result<(), i32> {
    match fork() {
        0 => {
            // A child that waits for ever is killed.
            alarm(20);
            match deeds() {
                Ok(()) => _exit(7),
                // The status has eight bits, of which the lowest numbers mean other things.
                Err(line) => _exit(10 + i32::try_from(line % 240).expect("small")),
            }
        }
        process => wait(process),
    }
}

/// The line that a child's child named, or one that none has if it did not end by itself.
fn line_of(status: i32) -> u32 {
    u32::try_from(status >> 8).map_or(0, |code| code.saturating_sub(10))
}

/// Nothing is printed in a child: whoever was printing is gone.
macro_rules! hold {
    ($what:expr) => {
        if !$what {
            return Err(line!());
        }
    };
}

/// What must hold in a child, and in its child: the blocks are whole, each can be freed, and there are new ones.
fn look_around(held: &[Filled], generation: u32) -> Result<(), u32> {
    hold!(held.iter().all(Filled::is_whole));
    if generation > 0 {
        in_child(|| look_around(held, generation - 1)).map_err(line_of)?;
    }
    // The last first, and in the middle of it what gives memory back.
    let (some, others) = held.split_at(held.len() / 2);
    hold!(others.iter().rev().all(|block| block.is_gone_when_freed()));
    heap::minimize();
    hold!(some.iter().all(Filled::is_whole));
    hold!(some.iter().all(|block| block.is_gone_when_freed()));
    let new: Vec<_> = held
        .iter()
        .map(|block| Filled::new(block.size, !block.with))
        .collect();
    let distinct: HashSet<_> = new.iter().map(|block| block.block).collect();
    hold!(distinct.len() == new.len());
    hold!(new.iter().all(Filled::is_whole));
    // Another thread has a part of the heap, too.
    let both = thread::scope(|scope| {
        let there = scope.spawn(|| new.into_iter().all(Filled::is_gone_when_freed));
        there.join().is_ok_and(|all| all)
    });
    hold!(both);
    heap::minimize();
    Ok(())
}

/// Small blocks of many sizes, and a few large ones.
fn sizes() -> impl Iterator<Item = usize> {
    (0..240).map(|number| match number % 40 {
        39 => 40_000 + number,
        other => 1 + other * other * 3,
    })
}

/// Sends its blocks on, and frees those that arrive.
fn exchange(done: &AtomicBool, to: &Sender<Filled>, from: &Receiver<Filled>) {
    for with in (0..=255).cycle() {
        if done.load(Ordering::Relaxed) {
            return;
        }
        for size in sizes().step_by(7) {
            let block = Filled::new(size, with);
            if with % 2 == 0 {
                block.free();
            } else {
                // The other one may have gone home.
                let _ = to.send(block);
            }
        }
        from.try_iter().for_each(Filled::free);
    }
}

#[test]
fn a_child_has_every_block_and_all_the_memory() {
    alarm(240);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (to_first, first) = channel();
        let (to_second, second) = channel();
        let done = &done;
        scope.spawn(move || exchange(done, &to_second, &first));
        scope.spawn(move || exchange(done, &to_first, &second));
        // From threads that come and go.
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                thread::scope(|scope| {
                    scope.spawn(|| sizes().for_each(|size| Filled::new(size, 3).free()));
                });
            }
        });
        for round in 0..40 {
            // Of this thread, of one that has ended, and of one that waits.
            let make = move || sizes().map(move |size| Filled::new(size, round));
            let mut held: Vec<_> = make().collect();
            held.extend(thread::scope(|scope| {
                let ended = scope.spawn(move || make().collect::<Vec<_>>());
                ended.join().expect("it ends")
            }));
            let (made, wait_for_blocks) = channel();
            let (go_home, wait_for_the_end) = channel::<()>();
            let waiting = scope.spawn(move || {
                made.send(make().collect::<Vec<_>>()).expect("it is heard");
                let _ = wait_for_the_end.recv();
            });
            held.extend(wait_for_blocks.recv().expect("it speaks"));
            let result = in_child(|| look_around(&held, 1));
            drop(go_home);
            waiting.join().expect("it ends");
            if let Err(status) = result {
                done.store(true, Ordering::Relaxed);
                panic!("child {round} ended with wait status {status:#x}");
            }
            held.into_iter().for_each(Filled::free);
        }
        done.store(true, Ordering::Relaxed);
    });
    alarm(0);
}

/// Blocks of a size that nothing else here has, so many that they fill some slabs.
fn slabs_full(size: usize, count: u8) -> Vec<Filled> {
    (0..count).map(|with| Filled::new(size, with)).collect()
}

/// Whether the heap hands out what was freed, all of it, before it takes other memory.
fn are_used_again(size: usize, freed: &HashSet<*mut u8>) -> bool {
    let new: HashSet<_> = freed.iter().map(|_| Filled::new(size, 1).block).collect();
    new == *freed
}

#[test]
fn what_others_returned_before_a_fork_is_there_in_the_child() {
    const SIZE: usize = 6_000;
    alarm(120);
    let held = slabs_full(SIZE, 2 * 21);
    let returned: Vec<_> = held
        .iter()
        .enumerate()
        .filter_map(|(index, block)| (index % 7 != 0).then_some(*block))
        .collect();
    let freed = returned.iter().map(|block| block.block).collect();
    thread::scope(|scope| {
        scope.spawn(move || returned.into_iter().for_each(Filled::free));
    });
    let look = || {
        hold!(are_used_again(SIZE, &freed));
        hold!(held.iter().step_by(7).all(Filled::is_whole));
        Ok(())
    };
    let child = || {
        in_child(look).map_err(line_of)?;
        look()
    };
    assert_eq!(in_child(child), Ok(()));
    // The parent has it all as well.
    assert_eq!(look(), Ok(()));
    alarm(0);
}

#[test]
fn slabs_of_threads_that_are_gone_are_used_again() {
    const SIZE: usize = 7_000;
    alarm(120);
    let (made, wait_for_blocks) = channel();
    let (go_home, wait_for_the_end) = channel::<()>();
    let waiting = thread::spawn(move || {
        let blocks = slabs_full(SIZE, 5 * 18);
        made.send(blocks).expect("it is heard");
        let _ = wait_for_the_end.recv();
    });
    let held = wait_for_blocks.recv().expect("it speaks");
    let again = |held: &[Filled]| {
        hold!(held.iter().all(Filled::is_whole));
        // In every slab some stay.
        let mut old = HashSet::new();
        for (index, block) in held.iter().enumerate() {
            if index % 5 != 0 {
                hold!(block.is_gone_when_freed());
                old.insert(block.block);
            }
        }
        hold!(are_used_again(SIZE, &old));
        hold!(held.iter().step_by(5).all(Filled::is_whole));
        Ok(())
    };
    let result = in_child(|| {
        in_child(|| again(&held)).map_err(line_of)?;
        again(&held)
    });
    assert_eq!(result, Ok(()));
    drop(go_home);
    waiting.join().expect("it ends");
    held.into_iter().for_each(Filled::free);
    alarm(0);
}
