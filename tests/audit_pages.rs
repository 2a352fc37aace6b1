//! Page guards: a stray access is told at the access, as the kind that it is, and ends the program.
#![cfg(all(feature = "audit", unix, not(miri)))]

#[path = "support/children.rs"]
mod children;

use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;

use olemem::audit::{Backtrace, Guard, Kind, Report, Session};
use olemem::heap::{self, Family};
use olemem::{Bstr, UnitLen, raw};

fn watched(code: impl FnOnce()) -> Report {
    let options = Session::options().guard(Guard::Page);
    let session = options.backtrace(Backtrace::Off).begin();
    code();
    session.finish()
}

fn string(units: u32) -> *mut u16 {
    let text = [0x41_u16; 200];
    // SAFETY: 200 units are there.
    unsafe { raw::alloc_units(text.as_ptr(), UnitLen::new(units)) }
}

fn free(bstr: *mut u16) {
    // SAFETY: either live and at its last use, or the audit judges the address.
    unsafe { raw::free(bstr) };
}

/// Reads a byte, so many bytes away.
fn read<T>(pointer: *const T, offset: isize) {
    let at = pointer.cast::<u8>().wrapping_offset(offset);
    // SAFETY: it is not allowed: the page is shut, and the program ends here.
    black_box(unsafe { at.read_volatile() });
}

/// Writes a byte, so many bytes away.
fn write<T>(pointer: *mut T, offset: isize) {
    let at = pointer.cast::<u8>().wrapping_offset(offset);
    // SAFETY: either a guard byte on the block's own pages, or as above.
    unsafe { at.write_volatile(7) };
}

unsafe extern "C" {
    fn raise(signal: i32) -> i32;
}

/// Behind a source without a zero there is a page that may not be touched, and a freed one may not be touched at all.
#[test]
fn a_text_is_read_no_further_than_its_block() {
    let report = watched(|| {
        let block = heap::alloc(16, Family::Task).cast::<u16>();
        // SAFETY: the block has so many bytes.
        unsafe { block.cast::<[u16; 8]>().write([0x41; 8]) };
        for bytes in [16, 0] {
            // SAFETY: the audit says how far may be read.
            let copy = unsafe { raw::alloc(block) };
            // SAFETY: it was made just before.
            assert_eq!(unsafe { raw::byte_len(copy) }.get(), bytes);
            free(copy);
            if bytes == 16 {
                // SAFETY: it is the audit's to judge from now on.
                unsafe { heap::free(block.cast(), Family::Task) };
            }
        }
    });
    report.assert_kinds([Kind::SourceOverRead, Kind::UseAfterFree]);
}

/// What a child does; it ends in the middle of it.
fn trespass(deed: &str) {
    let _session = Session::options().guard(Guard::Page).begin();
    let text = string(12);
    let block = heap::alloc(64, Family::Task);
    match deed {
        // 8 bytes of header, 24 of text, 2 of terminator, 14 of slack.
        "read behind a string" => read(text, 40),
        "write behind a string" => write(text, 40),
        "write behind a block" => write(block, 64),
        "write far before a block" => write(block, -5000),
        "read a freed string" => {
            free(text);
            read(text, 2);
        }
        "write to a freed string" => {
            free(text);
            write(text, 0);
        }
        "a signal that was sent" => {
            // The standard library's own handler takes the first for a fault, and waits for the next.
            for _ in 0..2 {
                // SAFETY: it ends the process.
                assert_eq!(unsafe { raise(11) }, 0);
            }
        }
        other => panic!("{other}"),
    }
    panic!("it went unnoticed");
}

#[test]
fn child() {
    if let Some(deed) = children::deed() {
        trespass(&deed);
    }
}

/// The first line that the child told, and the signal that it ended by.
#[track_caller]
fn assert_told(deed: &str, told: &str) {
    let output = children::child("child", deed).output().expect("it runs");
    let all = children::all_of(&output);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let first = stderr.lines().find(|line| line.starts_with("error["));
    assert_eq!(first, Some(told), "{all}");
    assert!(matches!(output.status.signal(), Some(7 | 10 | 11)), "{all}");
    // Where it happened, and where the block came from: the first frame is this file's.
    for what in ["happened at", "allocated at"] {
        let mut lines = stderr.lines().skip_while(|line| line.trim() != what);
        let frame = lines.nth(1).unwrap_or("");
        assert!(frame.contains(" at tests/audit_pages.rs:"), "{what}: {all}");
    }
}

/// Whether a write can be told from a read.
const TELLS_WRITES: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

#[test]
fn a_read_behind_the_end_is_told() {
    assert_told(
        "read behind a string",
        "error[overrun]: byte 15 behind a BSTR is read",
    );
}

#[test]
fn a_write_behind_the_end_is_told() {
    if TELLS_WRITES {
        assert_told(
            "write behind a string",
            "error[overrun]: byte 15 behind a BSTR is written to",
        );
        assert_told(
            "write behind a block",
            "error[overrun]: byte 1 behind task memory is written to",
        );
    }
}

#[test]
fn a_write_before_the_start_is_told() {
    if TELLS_WRITES {
        assert_told(
            "write far before a block",
            "error[underrun]: byte 5000 before task memory is written to",
        );
    }
}

#[test]
fn a_freed_block_may_not_be_touched() {
    assert_told(
        "read a freed string",
        "error[use-after-free]: a BSTR is read after it was freed, 2 bytes behind its start",
    );
    if TELLS_WRITES {
        assert_told(
            "write to a freed string",
            "error[write-after-free]: a BSTR is written to after it was freed, at its start",
        );
    }
}

/// It is not ours, and comes to whoever it is for: here nobody.
#[test]
fn a_signal_that_was_sent_ends_the_program() {
    let output = children::child("child", "a signal that was sent")
        .output()
        .expect("it runs");
    let all = children::all_of(&output);
    assert_eq!(output.status.signal(), Some(11), "{all}");
    assert!(!all.contains("error["), "{all}");
}

#[test]
fn correct_programs_are_not_touched() {
    let report = watched(|| {
        let mut text = Bstr::from("grows");
        for _ in 0..50 {
            text.push_str(" and grows");
        }
        assert_eq!(text.len(), 505);
        let empty = heap::alloc(0, Family::Task);
        // SAFETY: the block is live.
        assert_eq!(unsafe { heap::size_of(empty) }, Some(0));
        // SAFETY: live, and its last use.
        unsafe { heap::free(empty, Family::Task) };
        let large = heap::alloc(3_000_001, Family::Task);
        // SAFETY: the last byte.
        unsafe { large.wrapping_add(3_000_000).write(1) };
        // SAFETY: live, and nothing else uses it.
        let large = unsafe { heap::realloc(large, 100, Family::Task) };
        // SAFETY: live, and its last use.
        unsafe { heap::free(large, Family::Task) };
        for units in 0..200 {
            free(string(units));
        }
    });
    report.assert_clean();
}

/// What is on the block's own pages is seen as with guard bytes, when it is freed.
#[test]
fn what_is_left_over_on_the_pages_is_guarded() {
    let report = watched(|| {
        let text = string(12);
        write(text, 26);
        free(text);
        let block = heap::alloc(63, Family::Task);
        write(block, 63);
        write(block, -1);
        // SAFETY: live, and its last use.
        unsafe { heap::free(block, Family::Task) };
    });
    report.assert_kinds([Kind::Overrun, Kind::Overrun, Kind::Underrun]);
}

/// All other kinds are as they were.
#[test]
fn other_mistakes_are_told_as_ever() {
    let mut lost = std::ptr::null_mut();
    let report = watched(|| {
        let text = string(5);
        free(text.wrapping_add(1));
        free(text);
        free(text);
        // SAFETY: the audit says that it must not be read.
        assert_eq!(unsafe { raw::byte_len(text) }.get(), 0);
        lost = string(3);
        // SAFETY: the audit judges the address, and touches nothing.
        unsafe { heap::free(lost.cast(), Family::Task) };
    });
    report.assert_kinds([
        Kind::InteriorFree,
        Kind::DoubleFree,
        Kind::UseAfterFree,
        Kind::FamilyMismatch,
    ]);
    free(lost);
}

/// More blocks than there may be mappings: the others have guard bytes.
#[test]
fn blocks_that_find_no_pages_have_guard_bytes() {
    let report = watched(|| {
        let many: Vec<_> = (0..40_000).map(|_| string(1)).collect();
        assert!(many.iter().all(|text| !text.is_null()));
        for text in many {
            free(text);
        }
    });
    report.assert_clean();
}
