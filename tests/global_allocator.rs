//! A program whose global allocator stands on olemem: every `Vec` and `String` of it, the standard
//! library's and the test harness's own, is task memory. olemem must then never need the global
//! allocator while it serves it: that would be recursion without end, or a lock taken twice.
#![cfg(feature = "std")]

#[path = "support/children.rs"]
mod children;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use olemem::heap::{self, ALIGN, DidAlloc, Family};
use olemem::{Bstr, TaskBox, TaskSlice};

/// The task heap for all that it aligns well enough, the system for the rest.
struct OnTheTaskHeap;

static SERVED: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static GLOBAL: OnTheTaskHeap = OnTheTaskHeap;

// SAFETY: blocks of the task heap are aligned to `ALIGN`, as large as asked for, and stay until they
// are freed; a failed reallocation leaves the old block. What wants more alignment goes to the system
// both ways, for the layout is the same at both ends.
unsafe impl GlobalAlloc for OnTheTaskHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGN {
            // SAFETY: the caller's promise is the precondition.
            return unsafe { System.alloc(layout) };
        }
        SERVED.fetch_add(1, Ordering::Relaxed);
        heap::alloc(layout.size(), Family::Task)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.align() > ALIGN {
            // SAFETY: the caller's promise is the precondition.
            unsafe { System.dealloc(block, layout) };
        } else {
            // SAFETY: the block is live, and came from `alloc` above.
            unsafe { heap::free(block, Family::Task) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() > ALIGN {
            // SAFETY: the caller's promise is the precondition.
            return unsafe { System.realloc(block, layout, size) };
        }
        // SAFETY: the block is live, came from `alloc` above, and the size is not zero.
        unsafe { heap::realloc(block, size, Family::Task) }
    }
}

/// The size of a block, as the heap knows it.
fn extent(block: *mut u8) -> Option<usize> {
    // SAFETY: the tests ask about live blocks, and of other addresses only where any will do.
    unsafe { heap::size_of(block) }
}

/// Whether the heap knows a block.
fn whose(block: *mut u8) -> DidAlloc {
    // SAFETY: as above.
    unsafe { heap::did_alloc(block) }
}

#[repr(align(64))]
struct Wide([u8; 64]);

#[test]
fn everything_is_task_memory() {
    let before = SERVED.load(Ordering::Relaxed);
    let mut numbers = Vec::with_capacity(3);
    numbers.extend([1_u32, 2, 3]);
    assert!(SERVED.load(Ordering::Relaxed) > before);
    let block = numbers.as_mut_ptr().cast::<u8>();
    assert_eq!(whose(block), DidAlloc::Yes);
    assert_eq!(extent(block), Some(12));
    numbers.extend(4..100);
    assert_eq!(numbers.iter().sum::<u32>(), 4950);

    // Beyond the heap's alignment: the system's, and unknown to the heap.
    let mut wide = Box::new(Wide([7; 64]));
    assert_eq!((&raw mut *wide).addr() % 64, 0);
    // Windows could not be asked about memory that is not its own.
    if cfg!(any(not(windows), miri)) {
        assert_eq!(whose((&raw mut *wide).cast::<u8>()), DidAlloc::No);
    }
    assert_eq!(wide.0, [7; 64]);
}

#[test]
fn a_global_block_and_a_task_block_are_the_same_thing() {
    // What the standard library allocated, a task owner frees; and the other way round.
    let taken = Box::into_raw(Box::new(5_u64));
    // SAFETY: the box was a live task block, given away a line above.
    let taken = unsafe { TaskBox::from_raw(taken) };
    assert_eq!(*taken, 5);
    let given = TaskBox::into_raw(TaskBox::new(6_u64));
    // SAFETY: the block is what the global allocator gives for a `u64`.
    let given = unsafe { Box::from_raw(given) };
    assert_eq!(*given, 6);
}

#[test]
fn strings_maps_and_bstrs_live_together() {
    let rounds = if cfg!(miri) { 20 } else { 2_000 };
    let mut texts = HashMap::new();
    for n in 0..rounds {
        let text = format!("text {n}");
        let mut bstr = Bstr::from(text.as_str());
        bstr.push_str(&"é".repeat(n % 50));
        texts.insert(n, (text, bstr));
    }
    for (n, (text, bstr)) in &texts {
        assert_eq!(bstr.to_string(), format!("{text}{}", "é".repeat(n % 50)));
    }
    let kept = TaskSlice::try_from_fn(3, |n| format!("{n}")).expect("there is memory");
    assert_eq!(*kept, ["0", "1", "2"]);
}

#[test]
fn blocks_cross_threads() {
    let (threads, each) = if cfg!(miri) { (2, 10) } else { (8, 2_000) };
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for thread in 0..threads {
            let sender = sender.clone();
            scope.spawn(move || {
                for n in 0..each {
                    let text = Bstr::from(format!("{thread}:{n}").as_str());
                    sender
                        .send((vec![n; n % 30], text))
                        .expect("somebody receives");
                }
            });
        }
        drop(sender);
        let mut seen = 0;
        for (numbers, text) in receiver {
            assert!(numbers.iter().all(|n| n % 30 == numbers.len()));
            assert!(text.to_string().ends_with(&format!(
                ":{}",
                numbers.first().map_or_else(
                    || {
                        text.to_string()
                            .split(':')
                            .nth(1)
                            .unwrap_or_default()
                            .to_owned()
                    },
                    usize::to_string
                )
            )));
            seen += 1;
        }
        assert_eq!(seen, threads * each);
    });
}

/// The first allocation of such a program happens before `main`, and has olemem read its environment
/// variable: that must not allocate through itself.
#[cfg(all(unix, not(miri)))]
mod from_the_first_allocation {
    use std::os::unix::process::ExitStatusExt as _;
    use std::time::{Duration, Instant};

    use super::*;

    const CHILD: &str = "from_the_first_allocation::child";

    #[test]
    fn child() {
        match children::deed().as_deref() {
            Some("work") => everything_is_task_memory(),
            Some("double free") => {
                let block = heap::alloc(27, Family::Task);
                // SAFETY: live, and its last use but the one that is the matter of the test.
                unsafe { heap::free(block, Family::Task) };
                // SAFETY: the heap judges the pointer and ends the process.
                unsafe { heap::free(block, Family::Task) };
            }
            _ => {}
        }
    }

    /// As `output()`, but a program that hangs is a failure, not a test run without end.
    #[track_caller]
    fn outcome(deed: &str, olemem: Option<&str>) -> std::process::Output {
        let mut command = children::child(CHILD, deed);
        if let Some(value) = olemem {
            command.env("OLEMEM", value);
        }
        let mut running = command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the test binary starts");
        let start = Instant::now();
        while running.try_wait().expect("it can be waited for").is_none() {
            if start.elapsed() > Duration::from_secs(30) {
                running.kill().expect("it can be stopped");
                panic!("OLEMEM={olemem:?}: the child hangs");
            }
            thread::sleep(Duration::from_millis(5));
        }
        running.wait_with_output().expect("its output can be read")
    }

    #[test]
    fn no_variable() {
        let output = outcome("work", None);
        children::assert_passed(&output);
        assert_eq!(children::complaints(&output), [""; 0]);
    }

    #[test]
    fn a_mode_that_is_known() {
        for mode in ["", "plain", "pass-through"] {
            let output = outcome("work", Some(mode));
            children::assert_passed(&output);
            assert_eq!(children::complaints(&output), [""; 0]);
        }
    }

    #[test]
    fn a_mode_that_is_not_known() {
        let output = outcome("work", Some("nonsense"));
        children::assert_passed(&output);
        assert_eq!(
            children::complaints(&output),
            [
                "olemem: OLEMEM=nonsense: unknown; valid are plain, pass-through, cache=off, cache=windows, \
                 cache=adversarial, fail-at=, fail-every=, fail-rate=, fail-seed=, fail-above=, fail-family=, \
                 fail-then=, and, for the audit, check, report=, format=, backtrace=, quarantine=, guard=, halt=, \
                 exitcode=, suppress="
            ]
        );
    }

    #[test]
    fn a_bad_free_is_told() {
        let output = outcome("double free", Some("plain"));
        assert_eq!(
            output.status.signal(),
            Some(6),
            "{}",
            children::all_of(&output)
        );
        assert_eq!(children::complaints(&output).len(), 1);
    }
}

/// A listener at the seam allocates like anybody else.
#[cfg(all(feature = "export", any(not(windows), miri)))]
#[test]
fn a_listener_may_allocate() {
    use std::cell::Cell;

    use olemem::seam::{BlockEvent, BstrEvent, Listener, Seat, listen};

    thread_local! {
        static LISTENS: Cell<bool> = const { Cell::new(false) };
        static HEARD: Cell<u32> = const { Cell::new(0) };
    }

    struct Allocates;

    impl Listener for Allocates {
        fn block(&self, event: &BlockEvent) {
            // What it allocates itself it is told as well: it must know that.
            if LISTENS.replace(false) {
                let told = format!("{event:?}");
                HEARD.set(HEARD.get() + u32::from(!told.is_empty()));
                drop(told);
                LISTENS.set(true);
            }
        }

        fn bstr(&self, _: &BstrEvent) {}
    }

    static SEAT: Seat = Seat::new(&Allocates);
    let listening = listen(&SEAT).expect("nobody else listens in this program");
    LISTENS.set(true);
    drop(vec![1, 2, 3]);
    drop(Bstr::from("text"));
    LISTENS.set(false);
    drop(listening);
    assert_eq!(HEARD.get(), 4);
}
