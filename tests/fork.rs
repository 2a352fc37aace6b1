//! A process that forks while other threads are inside the heap, the cache or the pins: the child's work.
#![cfg(all(feature = "std", unix, not(miri)))]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once};
use std::thread;

use olemem::cache::{self, Model};
use olemem::{Bstr, TaskBox};

unsafe extern "C" {
    safe fn fork() -> i32;
    safe fn alarm(seconds: u32) -> u32;
    safe fn _exit(status: i32) -> !;
    safe fn pthread_atfork(
        prepare: extern "C" fn(),
        parent: extern "C" fn(),
        child: extern "C" fn(),
    ) -> i32;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
}

/// Handlers of the program's own, there before the heap is first used: around a fork they run nearest to
/// it, while the heap's own lock is kept.
fn with_handlers_of_others() {
    extern "C" fn before() {
        drop(SHARED.lock());
        work();
    }
    extern "C" fn after() {
        work();
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        assert_eq!(pthread_atfork(before, after, after), 0);
    });
}

/// A lock of the program's that its handlers take, and that another thread holds while it uses the heap.
static SHARED: Mutex<()> = Mutex::new(());

fn work() {
    let text = Bstr::from("text");
    let copy = text.clone();
    assert_eq!(copy, "text");
    let pinned = text.as_bstr().pin();
    assert_eq!(*pinned.expect("a live string"), "text");
    drop(TaskBox::new([1_u64; 8]));
}

#[test]
fn a_child_is_not_left_with_a_lock_that_nobody_holds() {
    // A parent that waits for ever is ended as well.
    alarm(120);
    with_handlers_of_others();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    work();
                }
            });
        }
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _shared = SHARED.lock();
                work();
            }
        });
        work();
        for child in 0..210 {
            match child {
                70 => cache::set(Model::Windows),
                140 => cache::set(Model::Adversarial),
                _ => {}
            }
            match fork() {
                0 => {
                    // A child that waits for ever is killed, and that is seen below.
                    alarm(20);
                    work();
                    _exit(7);
                }
                process => {
                    assert!(process > 0, "no more processes to be had");
                    let mut status = 0;
                    // SAFETY: the variable is this frame's.
                    let waited = unsafe { waitpid(process, &raw mut status, 0) };
                    // Ended by itself, with the status it chose.
                    if (waited, status) != (process, 7 << 8) {
                        done.store(true, Ordering::Relaxed);
                        panic!("child {child} ended with wait status {status:#x}");
                    }
                }
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    alarm(0);
}
