//! The audit's C functions, from Rust: what the C programs cannot show, Miri looking on.
#![cfg(all(feature = "export", feature = "audit", any(not(windows), miri)))]

use std::ffi::CStr;
use std::mem::size_of;
use std::ptr;
use std::thread;

use olemem::export::{
    Counts, Report, SessionOptions, SysAllocStringLen, SysFreeString, olemem_ignore,
    olemem_report_count, olemem_report_counts, olemem_report_errors, olemem_report_is_clean,
    olemem_report_kind, olemem_report_release, olemem_report_text, olemem_report_warnings,
    olemem_session_begin, olemem_session_check, olemem_session_end, olemem_session_join,
    olemem_session_leave,
};

static USUAL: SessionOptions = SessionOptions {
    size: size_of::<SessionOptions>(),
    quarantine: 0,
    backtrace: 1,
    guard: 0,
};

fn begin(options: *const SessionOptions) -> u64 {
    // SAFETY: the tests give structures of their size.
    unsafe { olemem_session_begin(options) }
}

fn text() -> *mut u16 {
    let units = [0x61_u16; 3];
    // SAFETY: so many units are there.
    unsafe { SysAllocStringLen(units.as_ptr(), 3) }
}

fn free(text: *mut u16) {
    // SAFETY: the tests' strings are live, and this is their last use.
    unsafe { SysFreeString(text) };
}

/// A report, which is released in the end.
struct Found(*mut Report);

impl Found {
    fn in_session(session: u64) -> Self {
        Self(olemem_session_end(session))
    }

    fn is_clean(&self) -> bool {
        // SAFETY: the report is live.
        let clean = unsafe { olemem_report_is_clean(self.0) };
        clean != 0
    }

    fn count(&self, kind: Option<&CStr>) -> usize {
        let kind = kind.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: the report is live, the name ends.
        unsafe { olemem_report_count(self.0, kind) }
    }

    fn errors_and_warnings(&self) -> (usize, usize) {
        // SAFETY: the report is live.
        let errors = unsafe { olemem_report_errors(self.0) };
        // SAFETY: as above.
        (errors, unsafe { olemem_report_warnings(self.0) })
    }

    fn counts(&self, counts: *mut Counts) -> bool {
        // SAFETY: the report is live, the structure has its size.
        let stored = unsafe { olemem_report_counts(self.0, counts) };
        stored != 0
    }

    fn kinds(&self) -> Vec<&str> {
        // SAFETY: the report is live; NULL ends the list.
        let kind = |index| unsafe { olemem_report_kind(self.0, index) };
        (0..)
            .map(kind)
            .take_while(|kind| !kind.is_null())
            // SAFETY: a text of the report's.
            .map(|kind| unsafe { CStr::from_ptr(kind) })
            .map(|kind| kind.to_str().expect("plain letters"))
            .collect()
    }

    fn text(&self) -> &str {
        // SAFETY: the report is live.
        let text = unsafe { olemem_report_text(self.0) };
        // SAFETY: a text of the report's.
        let text = unsafe { CStr::from_ptr(text) };
        text.to_str().expect("UTF-8")
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        // SAFETY: its own, and not used again.
        unsafe { olemem_report_release(self.0) };
    }
}

#[test]
fn a_leak_is_told_by_number_kind_and_text() {
    let session = begin(&raw const USUAL);
    assert_ne!(session, 0);
    let lost = text();
    let found = Found::in_session(session);
    assert!(!found.is_clean());
    assert_eq!(found.kinds(), ["leak"]);
    assert_eq!(found.count(None), 1);
    assert_eq!(found.count(Some(c"leak")), 1);
    assert_eq!(found.count(Some(c"overrun")), 0);
    assert_eq!(found.count(Some(c"leek")), usize::MAX);
    assert_eq!(found.errors_and_warnings(), (1, 0));
    let mut counts = Counts {
        size: size_of::<Counts>(),
        ..Counts::default()
    };
    assert!(found.counts(&raw mut counts));
    assert_eq!((counts.allocated, counts.live), (1, 1));
    let story = found.text();
    assert!(
        story.starts_with("error[leak]: a BSTR was never freed"),
        "{story}"
    );
    assert!(
        story.contains("\"aaa\"") && !story.ends_with('\n'),
        "{story}"
    );
    free(lost);
}

/// A part of a larger structure is not padding: what a newer header has there must be zero.
#[test]
fn options_of_every_size() {
    #[repr(C)]
    struct Larger {
        known: SessionOptions,
        later: [u8; 3],
    }
    let size = size_of::<SessionOptions>() + 3;
    let mut larger = Larger {
        known: SessionOptions { size, ..USUAL },
        later: [0; 3],
    };
    let session = begin((&raw const larger).cast());
    assert_ne!(session, 0);
    assert!(Found::in_session(session).kinds().is_empty());
    larger.later[2] = 1;
    assert_eq!(begin((&raw const larger).cast()), 0);

    // No more is read than there is.
    for size in 0..size_of::<SessionOptions>() {
        let mut words = vec![0_usize; size.div_ceil(size_of::<usize>()).max(1)];
        words[0] = size;
        assert_eq!(begin(words.as_ptr().cast()), 0);
    }
    for refused in [
        SessionOptions {
            backtrace: 4,
            ..USUAL
        },
        SessionOptions { guard: 3, ..USUAL },
    ] {
        assert_eq!(begin(&raw const refused), 0);
    }
}

#[test]
fn counts_of_every_size() {
    let session = begin(&raw const USUAL);
    free(text());
    let found = Found::in_session(session);
    const WORDS: usize = size_of::<Counts>() / 8 + 2;
    for size in 0..=WORDS * 8 {
        let mut words = [0xAAAA_AAAA_AAAA_AAAA_u64; WORDS];
        // SAFETY: aligned, and the caller's.
        unsafe { words.as_mut_ptr().cast::<usize>().write(size) };
        let before = words;
        let stored = found.counts(words.as_mut_ptr().cast());
        assert_eq!(stored, size >= size_of::<usize>());
        let written = size.min(size_of::<Counts>()) / 8;
        assert_eq!(words[written + 1..], before[written + 1..], "{size}");
    }
}

#[test]
fn what_is_over_is_over() {
    let session = begin(&raw const USUAL);
    free(text());
    assert_eq!(olemem_session_check(session), 1);
    for session in [session, 0, u64::MAX] {
        assert!(olemem_session_end(session).is_null());
        assert_eq!(olemem_session_check(session), 0);
    }
    // SAFETY: NULL is none.
    unsafe { olemem_report_release(ptr::null_mut()) };
    assert_eq!(olemem_ignore(ptr::null()), 0);
}

/// A session that is yet to come is nobody's to join.
#[test]
fn what_is_yet_to_come_is_none() {
    assert_eq!(olemem_session_join(u64::MAX), 0);
    assert_eq!(olemem_session_join(0), 0);
}

/// A string that goes from one thread to another.
struct Lost(*mut u16);

// SAFETY: it is one thread's at a time.
unsafe impl Send for Lost {}

/// A session that ends elsewhere leaves its thread in none, even while other sessions keep the audit busy.
#[test]
fn a_thread_whose_session_ended_elsewhere_is_in_none() {
    let busy = begin(&raw const USUAL);
    let kept = text();
    let session = begin(&raw const USUAL);
    let thread = thread::spawn(move || {
        let before = olemem_session_join(session);
        let lost = Lost(text());
        olemem_session_leave(before);
        free(text());
        assert_eq!(Found::in_session(session).kinds(), ["leak"]);
        lost
    });
    let Lost(lost) = thread.join().expect("the thread ends well");
    let unwatched = text();
    assert_eq!(olemem_ignore(unwatched.cast()), 0);
    assert_eq!(Found::in_session(busy).kinds(), ["leak"]);
    free(lost);
    free(kept);
    free(unwatched);
}
