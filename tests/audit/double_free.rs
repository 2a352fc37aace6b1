//! R21: a block is freed once.

use crate::support::{assert_kept, assert_told, byte_len, free, free_task, string, task, watched};
use olemem::audit::{Backtrace, Kind, Session};

const BSTR: &str = "\
error[double-free]: a BSTR that was freed before is freed again
  block 1: BSTR, 8 bytes, \"text\"
  rule: R21
  help: free each block once; after handing ownership on, or freeing, set the variable to NULL";

#[test]
fn kept() {
    let report = watched(|| {
        free(string("once"));
        free_task(task(3));
        free(std::ptr::null_mut());
        free_task(std::ptr::null_mut());
    });
    assert_kept(&report);
    assert_eq!((report.counts().allocated, report.counts().freed), (2, 2));
}

#[test]
fn broken_string() {
    let report = watched(|| {
        let text = string("text");
        free(text);
        free(text);
    });
    assert_told(&report, BSTR);
}

#[test]
fn broken_task_memory() {
    let report = watched(|| {
        let block = task(40);
        free_task(block);
        free_task(block);
    });
    assert_told(
        &report,
        "\
error[double-free]: task memory that was freed before is freed again
  block 1: task memory, 40 bytes
  rule: R21
  help: free each block once; after handing ownership on, or freeing, set the variable to NULL",
    );
}

/// Each free too many is a mistake of its own.
#[test]
fn broken_three_times() {
    let report = watched(|| {
        let text = string("text");
        for _ in 0..4 {
            free(text);
        }
    });
    report.assert_kinds([Kind::DoubleFree; 3]);
}

/// The quarantine lets the oldest go for which there is no room, and no more: what was freed last is known.
#[test]
fn broken_after_many_frees() {
    let session = Session::options()
        .quarantine(2000)
        .backtrace(Backtrace::Off)
        .begin();
    for _ in 0..if cfg!(miri) { 20 } else { 200 } {
        let text = string("text");
        free(text);
        free(text);
    }
    let report = session.finish();
    report.assert_kinds(vec![Kind::DoubleFree; if cfg!(miri) { 20 } else { 200 }]);
}

/// Many frees ago, while it is in quarantine.
#[test]
fn broken_much_later() {
    let report = watched(|| {
        let text = string("text");
        free(text);
        for _ in 0..if cfg!(miri) { 50 } else { 10_000 } {
            free(string("another"));
        }
        free(text);
    });
    assert_told(&report, BSTR);
}

/// The block of one thread, freed by two others that take no part.
#[test]
fn broken_on_other_threads() {
    let report = watched(|| {
        let text = string("text");
        let address = Sent(text);
        let other = std::thread::spawn(move || free(address.get()));
        other.join().expect("it ends");
        let address = Sent(text);
        let third = std::thread::spawn(move || free(address.get()));
        third.join().expect("it ends");
    });
    assert_told(&report, BSTR);
}

/// Two threads at once: one of them is the second, whichever it is.
#[test]
fn broken_by_two_threads_at_once() {
    for _ in 0..if cfg!(miri) { 2 } else { 200 } {
        let report = watched(|| {
            let text = string("text");
            let barrier = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    let (address, barrier) = (Sent(text), &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        free(address.get());
                    });
                }
            });
        });
        report.assert_kinds([Kind::DoubleFree]);
    }
}

/// A string that was freed, then by the other family's function: that it is the second time counts.
#[test]
fn broken_by_the_other_family() {
    let report = watched(|| {
        let text = string("text");
        free(text);
        free_task(text.cast());
    });
    report.assert_kinds([Kind::DoubleFree]);
    let report = watched(|| {
        let block = task(16);
        free_task(block);
        free(block.cast());
    });
    report.assert_kinds([Kind::DoubleFree]);
}

/// What was in quarantine when its session ended is the heap's: the next session does not know it.
#[test]
fn is_told_to_the_session_of_the_block() {
    let outer = Session::begin();
    let text = string("outer");
    let inner = Session::begin();
    free(text);
    free(text);
    drop(olemem::Bstr::from("something"));
    inner.finish().assert_clean();
    outer.finish().assert_kinds([Kind::DoubleFree]);
}

/// A pointer on its way to another thread.
struct Sent(*mut u16);

// SAFETY: whoever gets it only gives it to `free`.
unsafe impl Send for Sent {}

impl Sent {
    fn get(&self) -> *mut u16 {
        self.0
    }
}

/// A block that is larger than the quarantine does not push the others out.
#[test]
fn broken_after_the_free_of_a_large_block() {
    let report = watched(|| {
        let text = string("text");
        let large = task(if cfg!(miri) { 40_000 } else { 4 << 20 });
        free(text);
        free_task(large);
        free(text);
    });
    assert_told(&report, BSTR);
}

/// A block from before the session is held back like the session's own, its contents as they are.
#[test]
fn broken_with_a_block_from_before() {
    for size in [0, 24] {
        let (text, block) = (string("before"), task(size));
        let report = watched(|| {
            free(text);
            free_task(block);
            free(text);
            assert_eq!(byte_len(text), 0);
            free_task(block);
        });
        assert_told(
            &report,
            &format!(
                "\
error[double-free]: a BSTR that was freed before is freed again
  block from before: BSTR, 32 bytes
  rule: R21
  help: free each block once; after handing ownership on, or freeing, set the variable to NULL

error[use-after-free]: a BSTR is read after it was freed
  block from before: BSTR, 32 bytes
  rule: R22
  help: use the block before it is freed, or keep a copy of one's own

error[double-free]: task memory that was freed before is freed again
  block from before: task memory, {size} bytes
  rule: R21
  help: free each block once; after handing ownership on, or freeing, set the variable to NULL"
            ),
        );
        assert_eq!(report.counts().freed, 0);
    }
}

/// It is held back as long as there is room for it.
#[test]
fn is_not_told_of_a_block_from_before_that_left_the_quarantine() {
    let text = string("before");
    let session = Session::options().quarantine(0).begin();
    free(text);
    free(text);
    session.finish().assert_kinds([Kind::ForeignFree]);
}

/// A string of a session that is over is held back by the one that it is freed in.
#[test]
fn broken_with_a_block_of_an_earlier_session() {
    let first = Session::options().backtrace(Backtrace::Off).begin();
    let (text, other) = (string("Ready"), string("Ready"));
    first.finish().assert_kinds([Kind::Leak; 2]);
    let session = Session::options().backtrace(Backtrace::Off).begin();
    free(text);
    free(text);
    free(other);
    assert_eq!(byte_len(other), 0);
    let report = session.finish();
    report.assert_kinds([Kind::DoubleFree, Kind::UseAfterFree]);
    assert_eq!(report.counts().live, 0);
}

/// One that is larger than all of the quarantine is kept until another one is freed.
#[test]
fn broken_with_a_block_that_is_larger_than_the_quarantine() {
    let options = Session::options().backtrace(Backtrace::Off);
    let session = options.quarantine(1024).begin();
    let [first, second] = [600, 700].map(|units| string(&"x".repeat(units)));
    free(first);
    free(first);
    let small = string("small");
    free(small);
    free(small);
    free(second);
    assert_eq!(byte_len(second), 0);
    let report = session.finish();
    report.assert_kinds([Kind::DoubleFree, Kind::DoubleFree, Kind::UseAfterFree]);
}
