//! The audit beside what is the whole process's: cache models, forks, a global allocator that stands on olemem.
#![cfg(all(feature = "audit", any(not(windows), miri)))]

#[cfg(all(unix, not(miri)))]
#[path = "support/children.rs"]
mod children;

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Mutex, MutexGuard, PoisonError};

use olemem::audit::{Backtrace, Kind, Report, Session};
use olemem::cache::{self, Model};
use olemem::heap::{self, Family};
use olemem::{Bstr, UnitLen, raw};

/// Everything that this program allocates is task memory, the audit's own reports included.
struct Tasked;

// SAFETY: the doors of the heap keep `GlobalAlloc`'s promises for alignments up to theirs, and the system's
// allocator has the rest.
unsafe impl GlobalAlloc for Tasked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > heap::ALIGN {
            // SAFETY: the caller's promise.
            unsafe { std::alloc::System.alloc(layout) }
        } else {
            heap::alloc(layout.size(), Family::Task)
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.align() > heap::ALIGN {
            // SAFETY: the caller's promise.
            unsafe { std::alloc::System.dealloc(block, layout) }
        } else {
            // SAFETY: the caller's promise.
            unsafe { heap::free(block, Family::Task) }
        }
    }
}

#[global_allocator]
static TASKED: Tasked = Tasked;

/// One test at a time: a model is the whole process's.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn string(text: &str) -> *mut u16 {
    let mut units = [0; 64];
    let mut len = 0;
    for unit in text.encode_utf16() {
        units[len] = unit;
        len += 1;
    }
    let len = UnitLen::try_from(len).expect("a short text");
    // SAFETY: so many units are there.
    unsafe { raw::alloc_units(units.as_ptr(), len) }
}

fn free(bstr: *mut u16) {
    // SAFETY: either live and at its last use, or the audit judges the address.
    unsafe { raw::free(bstr) };
}

fn byte_len(bstr: *mut u16) -> u32 {
    // SAFETY: either live, or the audit says that it must not be read.
    unsafe { raw::byte_len(bstr) }.get()
}

fn watched(code: impl FnOnce()) -> Report {
    let session = Session::options().backtrace(Backtrace::Off).begin();
    code();
    session.finish()
}

/// What a callee frees that is its caller's is told as that, though the cache takes it; the caller's own free is then no
/// mistake.
#[test]
fn a_callee_frees_into_the_cache_what_is_its_callers() {
    let _alone = alone();
    for model in [Model::Windows, Model::Adversarial] {
        cache::set(model);
        let session = Session::options().backtrace(Backtrace::Off).begin();
        let handed = session
            .call("IText::get_Text")
            .out_bstr("text")
            // SAFETY: the variable is the call's own.
            .invoke(|text| unsafe { text.write(string("handed")) });
        let own = handed.as_raw().cast_mut();
        session.call("IText::Close").invoke(|| free(own));
        drop(handed);
        let report = session.finish();
        report.assert_kinds([Kind::OutFreedByCallee]);
        assert!(report.to_string().starts_with(HANDED), "{report}");
        assert_eq!(report.counts().live, 0);

        let session = Session::options().backtrace(Backtrace::Off).begin();
        let lent = Bstr::from("lent");
        let mut own = std::ptr::null_mut();
        session
            .call("IText::put_Text")
            .in_bstr("text", &lent)
            .invoke(|text| own = text);
        session.call("IText::Close").invoke(|| free(own));
        drop(lent);
        let report = session.finish();
        report.assert_kinds([Kind::InRetainedByCallee]);
        assert_eq!(report.counts().live, 0);
        cache::set(Model::Off);
    }
}

const HANDED: &str = "\
error[out-freed-by-callee]: the callee freed a BSTR that it had handed out in an earlier call
  call IText::get_Text, parameter text
  block 1: BSTR, 12 bytes, \"handed\"
  rule: R11
  help: what was handed out is the caller's to free
";

/// Under a cache model a second free is told as long as the address is nobody else's.
#[test]
fn a_cached_string_is_freed_twice() {
    let _alone = alone();
    for model in [Model::Windows, Model::Adversarial] {
        cache::set(model);
        let report = watched(|| {
            let text = string("text");
            free(text);
            free(text);
            assert_eq!(byte_len(text), 0);
        });
        report.assert_kinds([Kind::DoubleFree, Kind::UseAfterFree]);
        assert_eq!(report.counts().live, 0);
        cache::set(Model::Off);
    }
}

const TWICE: &str = "\
error[double-free]: a BSTR that was freed before is freed again
  block 1: BSTR, 8 bytes, \"text\"
  rule: R21
  help: free each block once; after handing ownership on, or freeing, set the variable to NULL
";

/// Where the cache was switched off it neither keeps the string nor gives it back: each free is the program's.
#[test]
fn a_string_in_a_cache_that_was_switched_off_is_freed_twice() {
    let _alone = alone();
    for model in [Model::Windows, Model::Adversarial] {
        cache::set(model);
        let report = watched(|| {
            let text = string("text");
            free(text);
            cache::disable();
            free(text);
            free(text);
            assert_eq!(byte_len(text), 0);
        });
        report.assert_kinds([Kind::DoubleFree, Kind::DoubleFree, Kind::UseAfterFree]);
        assert!(report.to_string().starts_with(TWICE), "{report}");
        cache::set(Model::Off);
    }
}

/// What it gives back itself is no mistake of anybody's, whatever the reason.
#[test]
fn what_the_cache_gives_back_is_no_free_of_the_programs() {
    let _alone = alone();
    cache::set(Model::Windows);
    let report = watched(|| {
        // A bin is full, and the smallest makes room.
        let texts: Vec<_> = (1..=7).map(|len| string(&"x".repeat(len))).collect();
        texts.into_iter().for_each(free);
        cache::set(Model::Windows);
        free(string("text"));
        cache::set(Model::Off);
    });
    report.assert_clean();
}

/// A string from before the session is in no book; that the cache has it already is known.
#[test]
fn a_string_from_before_is_cached_and_freed_twice() {
    let _alone = alone();
    for model in [Model::Windows, Model::Adversarial] {
        cache::set(model);
        // Of one size with either width of pointers.
        let text = string("before");
        let report = watched(|| {
            free(text);
            free(text);
        });
        cache::set(Model::Off);
        report.assert_kinds([Kind::DoubleFree]);
        assert!(
            report.to_string().starts_with(
                "\
error[double-free]: a BSTR that was freed before is freed again
  block from before: BSTR, 32 bytes
  rule: R21
"
            ),
            "{report}"
        );
    }
}

/// What the cache takes and hands out is an operation as any other.
#[test]
fn what_goes_by_the_cache_is_counted() {
    let _alone = alone();
    for model in [Model::Windows, Model::Adversarial] {
        cache::set(model);
        let report = watched(|| {
            let text = string("text");
            free(text);
            free(text);
            free(text);
            free(string("text"));
        });
        // Emptied here: that is the cache's own doing.
        cache::set(Model::Off);
        let counts = report.counts();
        assert_eq!(
            (counts.operations, counts.allocated, counts.freed),
            (6, 2, 2),
            "{model:?}"
        );
    }
    cache::set(Model::Windows);
    let report = watched(|| {
        free(string("text"));
        cache::set(Model::Off);
    });
    assert_eq!(report.counts().operations, 2);
}

/// By the allocator, which is refused without an audit.
#[test]
fn a_cached_string_is_freed_as_task_memory() {
    let _alone = alone();
    cache::set(Model::Windows);
    let report = watched(|| {
        let text = string("text");
        free(text);
        let block = text.cast::<u8>().wrapping_sub(olemem::layout::HEADER);
        // SAFETY: the audit judges the address.
        unsafe { heap::free(block, Family::Task) };
        // SAFETY: as above.
        assert!(unsafe { heap::realloc(block, 9, Family::Task) }.is_null());
    });
    cache::set(Model::Off);
    report.assert_kinds([Kind::DoubleFree; 2]);
}

/// A leak is blamed on who had the block last, and on nobody else.
#[test]
fn a_string_out_of_the_cache_is_its_new_owners() {
    let _alone = alone();
    cache::set(Model::Windows);
    let mut lost = std::ptr::null_mut();
    let report = watched(|| {
        let first = string("first");
        free(first);
        lost = string("again");
        assert_eq!(lost, first);
        assert_eq!(byte_len(lost), 10);
    });
    report.assert_kinds([Kind::Leak]);
    let block = report.violations()[0].block.clone().expect("a block");
    assert_eq!((block.id, block.preview.as_deref()), (2, Some("again")));
    free(lost);
    cache::set(Model::Off);
}

/// What was cached before the session is not handed out in it: nobody would watch it.
#[test]
fn what_was_cached_before_is_no_way_around() {
    let _alone = alone();
    for model in [Model::Windows, Model::Adversarial] {
        cache::set(model);
        free(string("warm"));
        let mut lost = std::ptr::null_mut();
        watched(|| lost = string("lost")).assert_kinds([Kind::Leak]);
        free(lost);
        cache::set(Model::Off);
    }
}

/// What is in the cache when the session ends is no leak, whoever empties it.
#[test]
fn what_the_cache_keeps_is_no_leak() {
    let _alone = alone();
    cache::set(Model::Windows);
    watched(|| free(string("kept"))).assert_kinds([]);
    watched(|| {
        cache::set(Model::Off);
        free(string("other"));
    })
    .assert_kinds([]);
}

/// The report itself is made of task memory, and is nobody's leak.
#[test]
fn a_global_allocator_that_stands_on_olemem_is_watched() {
    let _alone = alone();
    let report = watched(|| {
        let numbers: Vec<u64> = (0..100).collect();
        let text = format!("{numbers:?}");
        assert!(text.len() > 100);
    });
    report.assert_clean();
    assert!(report.counts().allocated >= 2);
    // A box that outlives its session goes back to the heap by the books' pointer, and not by its own, which is good for
    // its bytes alone. No machine minds; the borrow models do.
    if cfg!(miri) {
        return;
    }
    let mut lost = None;
    let session = Session::begin();
    lost.replace(Box::new([7_u8; 50]));
    let report = session.finish();
    report.assert_kinds([Kind::Leak]);
    assert!(!report.to_string().is_empty());
    drop(lost);
}

#[cfg(all(unix, not(miri)))]
mod forks {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use olemem::audit::Violation;

    use super::*;

    unsafe extern "C" {
        safe fn fork() -> i32;
        safe fn alarm(seconds: u32) -> u32;
        safe fn _exit(status: i32) -> !;
        fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    }

    /// Forks while other threads allocate in a session; the child's own session works, and blames nobody for what
    /// was the parent's.
    fn work_in_children() {
        let session = Session::options().backtrace(Backtrace::Off).begin();
        let inherited = string("the parent's");
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                let (joiner, stop) = (session.joiner(), &stop);
                scope.spawn(move || {
                    let _joined = joiner.join();
                    while !stop.load(Ordering::Relaxed) {
                        drop(Bstr::from("busy"));
                    }
                });
            }
            for _ in 0..3 {
                let child = fork();
                if child == 0 {
                    alarm(20);
                    // The parent's session goes on here, with nothing of the parent's to answer for.
                    let own = string("the child's");
                    free(own);
                    let report = Session::begin();
                    let lost = string("lost");
                    let found = report.finish();
                    let is_right = found.violations().len() == 1 && !lost.is_null();
                    free(lost);
                    free(inherited);
                    free(inherited);
                    _exit(i32::from(!is_right));
                }
                let mut status = -1;
                // SAFETY: a child, and a variable of this frame's.
                assert_eq!(unsafe { waitpid(child, &raw mut status, 0) }, child);
                assert_eq!(status, 0);
            }
            stop.store(true, Ordering::Relaxed);
        });
        free(inherited);
        // What the standard library keeps of its threads is task memory here.
        let is_string = |violation: &&Violation| {
            let block = violation.block.as_ref();
            block.is_none_or(|block| block.family == Family::Bstr)
        };
        let report = session.finish();
        assert_eq!(report.violations().iter().find(is_string), None);
    }

    #[test]
    fn child() {
        if children::deed().as_deref() == Some("fork") {
            work_in_children();
        }
    }

    /// In a process of its own: a fork of a test binary with its threads would be another test's business.
    #[test]
    fn in_a_session_the_child_works() {
        let output = children::child("forks::child", "fork")
            .output()
            .expect("it runs");
        children::assert_passed(&output);
    }
}
