//! Pins: each sentence of theirs, through Rust and through C, and any sequence against a model.
//!
//! The tests of this file take turns: what is said of a freed address holds only while no other test
//! allocates.
#![cfg(all(feature = "std", any(not(windows), miri)))]

#[cfg(all(unix, not(miri)))]
#[path = "support/children.rs"]
mod children;

use std::ptr;
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;

use olemem::cache::{self, Model};
use olemem::error::PinError;
use olemem::heap::{self, DidAlloc, Family};
use olemem::layout::HEADER;
use olemem::{Bstr, BstrRef, HResult, UnitLen, bstr, fault, raw};

/// A turn of a test. No cache is on afterwards.
struct Turn {
    _alone: MutexGuard<'static, ()>,
}

fn turn() -> Turn {
    static ALONE: Mutex<()> = Mutex::new(());
    let turn = Turn {
        _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner),
    };
    cache::set(Model::Off);
    turn
}

impl Drop for Turn {
    fn drop(&mut self) {
        cache::set(Model::Off);
    }
}

/// A new string.
fn text(text: &str) -> *mut u16 {
    Bstr::from(text).into_raw().cast_mut()
}

/// What a string reads, freed or not, as long as its memory is there.
#[track_caller]
fn content(bstr: *mut u16) -> String {
    assert!(is_live(bstr));
    // SAFETY: the block is live, and holds a string.
    unsafe { BstrRef::from_raw(bstr) }.to_string_lossy()
}

fn free(bstr: *mut u16) {
    // SAFETY: the tests free what is live or pinned.
    unsafe { raw::free(bstr) }
}

fn block_of(bstr: *mut u16) -> *mut u8 {
    bstr.cast::<u8>().wrapping_sub(HEADER)
}

fn is_live(bstr: *mut u16) -> bool {
    // SAFETY: the question may be asked of any address here.
    unsafe { heap::did_alloc(block_of(bstr)) == DidAlloc::Yes }
}

/// The two doors, under the same names.
mod rust {
    use super::*;

    pub(crate) fn pin(bstr: *const u16) -> HResult {
        match raw::pin(bstr) {
            Ok(()) => HResult::S_OK,
            Err(error) => error.into(),
        }
    }

    pub(crate) fn unpin(bstr: *const u16) {
        // SAFETY: the tests take their own pins back, or ask for what changes nothing.
        unsafe { raw::unpin(bstr) }
    }
}

#[cfg(feature = "export")]
mod c {
    use super::*;
    use olemem::export::{SysAddRefString, SysReleaseString};

    pub(crate) fn pin(bstr: *const u16) -> HResult {
        SysAddRefString(bstr)
    }

    pub(crate) fn unpin(bstr: *const u16) {
        // SAFETY: as above.
        unsafe { SysReleaseString(bstr) }
    }
}

/// Whether a block has the address of one that was just freed: under a memory checker it has not.
fn addresses_are_had_again() -> bool {
    let probe = || {
        let block = heap::alloc(200, Family::Task);
        // SAFETY: the block is live, and this is its last use.
        unsafe { heap::free(block, Family::Task) };
        block.addr()
    };
    probe() == probe()
}

macro_rules! through_both {
    ($(fn $name:ident() $body:block)*) => {
        mod through_rust {
            use super::{*, rust::*};
            $(#[test] fn $name() { let _turn = turn(); $body })*
        }
        #[cfg(feature = "export")]
        mod through_c {
            use super::{*, c::*};
            $(#[test] fn $name() { let _turn = turn(); $body })*
        }
    };
}

through_both! {
    fn null_is_pinned_by_doing_nothing() {
        assert_eq!(pin(ptr::null()), HResult::S_OK);
        unpin(ptr::null());
        unpin(ptr::null());
    }

    fn a_pin_alone_changes_nothing() {
        let s = text("text");
        assert_eq!(pin(s), HResult::S_OK);
        assert_eq!(content(s), "text");
        unpin(s);
        assert_eq!(content(s), "text");
        free(s);
        assert!(!is_live(s));
    }

    fn a_free_waits_for_the_last_pin() {
        let s = text("text");
        for _ in 0..3 {
            assert_eq!(pin(s), HResult::S_OK);
        }
        free(s);
        unpin(s);
        unpin(s);
        assert_eq!(content(s), "text");
        unpin(s);
        assert!(!is_live(s));
    }

    fn a_free_after_the_last_pin_is_the_owners() {
        let s = text("text");
        assert_eq!(pin(s), HResult::S_OK);
        unpin(s);
        assert!(is_live(s));
        free(s);
        assert!(!is_live(s));
    }

    fn more_frees_change_nothing() {
        let s = text("text");
        assert_eq!(pin(s), HResult::S_OK);
        for _ in 0..3 {
            free(s);
            assert_eq!(content(s), "text");
        }
        unpin(s);
        assert!(!is_live(s));
    }

    fn a_freed_string_is_pinned_again() {
        let s = text("text");
        assert_eq!(pin(s), HResult::S_OK);
        free(s);
        assert_eq!(pin(s), HResult::S_OK);
        unpin(s);
        assert_eq!(content(s), "text");
        unpin(s);
        assert!(!is_live(s));
    }

    fn without_a_pin_nothing_is_taken_back() {
        let s = text("text");
        unpin(s);
        assert_eq!(content(s), "text");
        // And none is owed.
        assert_eq!(pin(s), HResult::S_OK);
        free(s);
        assert!(is_live(s));
        unpin(s);
        assert!(!is_live(s));
        unpin(s);
        unpin(bstr!("literal").as_raw());
        unpin(ptr::without_provenance(0xdead_bee0));
        unpin(ptr::without_provenance(2));
    }

    fn what_is_no_live_string_is_not_pinned() {
        let s = text("text");
        let stack = [0_u16; 12];
        for other in [
            s.wrapping_add(1).cast_const(),
            block_of(s).cast_const().cast(),
            bstr!("literal").as_raw(),
            &raw const stack[4],
            ptr::without_provenance(0xdead_bee0),
            ptr::without_provenance(HEADER),
            ptr::without_provenance(2),
        ] {
            assert_eq!(pin(other), HResult::E_INVALIDARG);
            unpin(other);
        }
        free(s);
        assert_eq!(pin(s), HResult::E_INVALIDARG);
    }

    fn a_dressed_up_block_is_a_string() {
        let s: *mut u16 = heap::alloc(32, Family::Task).wrapping_add(HEADER).cast();
        assert_eq!(pin(s), HResult::S_OK);
        free(s);
        assert!(is_live(s));
        unpin(s);
        assert!(!is_live(s));
    }

    fn the_first_pin_needs_memory() {
        let s = text("text");
        let failing = fault::fail_nth(1);
        assert_eq!(pin(s), HResult::E_OUTOFMEMORY);
        assert!(failing.has_failed());
        drop(failing);
        // It was not recorded.
        assert_eq!(pin(s), HResult::S_OK);
        let failing = fault::fail_nth(1);
        assert_eq!(pin(s), HResult::S_OK);
        assert!(!failing.has_failed());
        // What is not pinned for another reason is not counted.
        assert_eq!(pin(bstr!("literal").as_raw()), HResult::E_INVALIDARG);
        assert!(!failing.has_failed());
        drop(failing);
        unpin(s);
        free(s);
        unpin(s);
        assert!(!is_live(s));
    }

    fn a_reallocation_leaves_the_pinned_string() {
        let other: Vec<u16> = "other text".encode_utf16().chain([0]).collect();
        for source in ["null", "itself", "inside", "outside"] {
            for len in [2_u32, 4, 9] {
                let old = text("text");
                assert_eq!(pin(old), HResult::S_OK);
                let mut s = old;
                let (from, expected) = match source {
                    "null" => (ptr::null(), "text"),
                    "itself" => (old.cast_const(), "text"),
                    "inside" => (old.wrapping_add(1).cast_const(), "ext"),
                    _ => (other.as_ptr(), "other text"),
                };
                // SAFETY: the variable holds a live string; the source is one that may be given.
                assert!(unsafe { raw::realloc_units(&raw mut s, from, UnitLen::new(len)) });
                assert_ne!(s, old, "{source} {len}");
                assert_eq!(content(old), "text");
                let kept = expected.len().min(len as usize);
                // SAFETY: as many units were written.
                let units = unsafe { std::slice::from_raw_parts(s, kept) };
                assert_eq!(String::from_utf16_lossy(units), expected[..kept]);
                // SAFETY: the string is live.
                assert_eq!(unsafe { raw::unit_len(s) }.get(), len);
                // SAFETY: the terminator stands there.
                assert_eq!(unsafe { s.wrapping_add(len as usize).read() }, 0);
                // The pins stay with the old string, which counts as freed.
                unpin(old);
                assert!(!is_live(old));
                free(s);
                assert!(!is_live(s));
            }
        }
    }

    fn replacing_leaves_the_pinned_string() {
        let next: Vec<u16> = "next".encode_utf16().chain([0]).collect();
        for source in [next.as_ptr(), ptr::null()] {
            let old = text("text");
            assert_eq!(pin(old), HResult::S_OK);
            let mut s = old;
            // SAFETY: the variable holds a live string; the source is null or ends in zero.
            assert!(unsafe { raw::realloc(&raw mut s, source) });
            assert_ne!(s, old);
            assert_eq!(content(old), "text");
            unpin(old);
            assert!(!is_live(old));
            free(s);
        }
    }

    fn a_failed_reallocation_changes_nothing() {
        let old = text("text");
        assert_eq!(pin(old), HResult::S_OK);
        let mut s = old;
        // Shrinking makes a new string here, and so needs memory.
        let failing = fault::fail_nth(1);
        // SAFETY: the variable holds a live string; no source is needed.
        assert!(!unsafe { raw::realloc_units(&raw mut s, ptr::null(), UnitLen::new(2)) });
        assert!(failing.has_failed());
        drop(failing);
        assert_eq!(s, old);
        unpin(old);
        assert_eq!(content(old), "text");
        // Without a pin it stays where it is again.
        // SAFETY: as above.
        assert!(unsafe { raw::realloc_units(&raw mut s, ptr::null(), UnitLen::new(2)) });
        assert_eq!(s, old);
        free(s);
    }

    fn the_cache_and_pins() {
        cache::set(Model::Windows);
        let s = text("text");
        assert_eq!(pin(s), HResult::S_OK);
        free(s);
        // It is not in the cache yet.
        let other = text("text");
        assert_ne!(other, s);
        unpin(s);
        // It is now, and no live string any more.
        assert_eq!(content(s), "text");
        assert_eq!(pin(s), HResult::E_INVALIDARG);
        free(s);
        assert_eq!(text("next"), s);
        assert_eq!(pin(s), HResult::S_OK);
        unpin(s);
        free(s);
        free(other);
    }

    fn freed_as_task_memory_it_is_gone() {
        let s = text("text");
        assert_eq!(pin(s), HResult::S_OK);
        // SAFETY: the block is live, and this is its last use.
        unsafe { heap::free(block_of(s), Family::Bstr) };
        assert!(!is_live(s));
        assert_eq!(pin(s), HResult::E_INVALIDARG);
        unpin(s);
    }

    fn who_has_the_address_next_has_no_pin() {
        let goes: [fn(*mut u16); 3] = [
            // SAFETY: the block is live, and this is its last use.
            |s| unsafe { heap::free(block_of(s), Family::Task) },
            // SAFETY: as above.
            |s| assert!(unsafe { heap::realloc(block_of(s), 0, Family::Task) }.is_null()),
            |s| {
                // SAFETY: as above.
                let moved = unsafe { heap::realloc(block_of(s), 5000, Family::Task) };
                assert_ne!(moved, block_of(s));
                // SAFETY: as above.
                unsafe { heap::free(moved, Family::Task) };
            },
        ];
        for goes in goes {
            let s = text("text");
            assert_eq!(pin(s), HResult::S_OK);
            goes(s);
            let next = text("next");
            // It is the same address, unless a memory checker keeps freed memory aside. Miri does as it likes.
            assert!(cfg!(miri) || !addresses_are_had_again() || next == s);
            let mut shorter = next;
            // SAFETY: the variable holds a live string; a null source needs nothing.
            assert!(unsafe { raw::realloc_units(&raw mut shorter, ptr::null(), UnitLen::new(2)) });
            assert_eq!(shorter, next);
            free(shorter);
            assert!(!is_live(next));
            unpin(s);
        }
    }

    fn a_pin_outlives_a_reallocation_that_leaves_the_block() {
        let s = text("text");
        assert_eq!(pin(s), HResult::S_OK);
        let failing = fault::fail_nth(1);
        // SAFETY: the block is live, and stays: the allocation is made to fail.
        assert!(unsafe { heap::realloc(block_of(s), 5000, Family::Bstr) }.is_null());
        drop(failing);
        free(s);
        assert_eq!(content(s), "text");
        unpin(s);
        assert!(!is_live(s));
    }

    fn any_number_of_strings() {
        let strings: Vec<*mut u16> = (0..100).map(|_| text("text")).collect();
        for s in &strings {
            assert_eq!(pin(*s), HResult::S_OK);
            free(*s);
        }
        for s in &strings {
            assert!(is_live(*s));
            unpin(*s);
            assert!(!is_live(*s));
        }
    }
}

mod guard {
    use super::*;

    #[test]
    fn takes_its_pin_back() {
        let _turn = turn();
        let s = text("text");
        // SAFETY: the string is live, and its memory stays while it is pinned.
        let pinned = unsafe { BstrRef::from_raw(s) }
            .pin()
            .expect("a live string");
        // Somebody breaks the rules.
        free(s);
        assert_eq!(*pinned, "text");
        assert_eq!(pinned.as_bstr(), bstr!("text"));
        assert_eq!(format!("{pinned:?}"), "Pinned(text)");
        assert!(is_live(s));
        drop(pinned);
        assert!(!is_live(s));
    }

    #[test]
    fn of_null_and_of_a_literal() {
        let _turn = turn();
        drop(BstrRef::NULL.pin().expect("nothing to do"));
        drop(Bstr::new().as_bstr().pin().expect("nothing to do"));
        assert_eq!(
            bstr!("literal").pin().expect_err("no string of the heap's"),
            PinError::NotABstr
        );
    }

    #[test]
    fn says_what_went_wrong() {
        assert_eq!(PinError::NotABstr.to_string(), "no live BSTR is there");
        let _turn = turn();
        let s = Bstr::from("text");
        let _failing = fault::fail_nth(1);
        let error = s.as_bstr().pin().expect_err("it was to fail");
        assert!(matches!(error, PinError::OutOfMemory(_)));
        assert!(error.to_string().starts_with("no memory for a block of "));
    }
}

/// Any sequence, against a count and a flag a string.
#[test]
fn laws() {
    #[derive(Clone, Copy)]
    struct Model {
        bstr: *mut u16,
        pins: u32,
        freed: bool,
    }

    fn law(steps: Vec<(u8, u8)>) -> bool {
        let mut strings: Vec<Model> = Vec::new();
        for (kind, number) in steps {
            if kind % 6 == 0 || strings.is_empty() {
                strings.push(Model {
                    bstr: text("text"),
                    pins: 0,
                    freed: false,
                });
                continue;
            }
            let index = usize::from(number) % strings.len();
            let model = &mut strings[index];
            match kind % 6 {
                1 | 2 => {
                    raw::pin(model.bstr).expect("a live string");
                    model.pins += 1;
                }
                3 | 4 => {
                    // SAFETY: a pin of this test's, or none, which changes nothing.
                    unsafe { raw::unpin(model.bstr) };
                    model.pins = model.pins.saturating_sub(1);
                }
                _ => {
                    free(model.bstr);
                    model.freed = true;
                }
            }
            let gone = model.freed && model.pins == 0;
            assert_eq!(is_live(model.bstr), !gone);
            if gone {
                strings.remove(index);
            }
            assert!(strings.iter().all(|model| content(model.bstr) == "text"));
        }
        for model in strings {
            for _ in 0..model.pins {
                // SAFETY: the pins are this test's.
                unsafe { raw::unpin(model.bstr) };
            }
            if !(model.freed && model.pins > 0) {
                free(model.bstr);
            }
            assert!(!is_live(model.bstr));
        }
        true
    }

    let _turn = turn();
    quickcheck::QuickCheck::new()
        .rng(quickcheck::Gen::new(if cfg!(miri) { 15 } else { 100 }))
        .tests(if cfg!(miri) { 4 } else { 300 })
        .quickcheck(law as fn(Vec<(u8, u8)>) -> bool);
}

/// A string that several threads pin, and one frees, goes with the last of them.
#[test]
fn threads() {
    struct Shared(*mut u16);
    // SAFETY: the threads read the string while they have it pinned.
    unsafe impl Sync for Shared {}
    // SAFETY: as above.
    unsafe impl Send for Shared {}

    let _turn = turn();
    let rounds = if cfg!(miri) { 3 } else { 300 };
    for _ in 0..rounds {
        let shared = Shared(text("text"));
        let shared = &shared;
        let pinned = Barrier::new(4);
        thread::scope(|scope| {
            for thread in 0..4 {
                let pinned = &pinned;
                scope.spawn(move || {
                    for _ in 0..3 {
                        raw::pin(shared.0).expect("a live string");
                    }
                    pinned.wait();
                    if thread == 0 {
                        free(shared.0);
                    }
                    for _ in 0..3 {
                        assert_eq!(content(shared.0), "text");
                        // SAFETY: the pin is this thread's, which has done with the string.
                        unsafe { raw::unpin(shared.0) };
                    }
                });
            }
        });
        assert!(!is_live(shared.0));
    }
}

/// What the seam is told.
#[cfg(feature = "export")]
mod at_the_seam {
    use super::*;
    use olemem::seam::{BlockEvent, BstrEvent, Listener, Seat, listen};

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Event {
        Block(BlockEvent),
        Bstr(BstrEvent),
    }

    /// Events hold pointers, which are not for other threads.
    struct Heard(Vec<Event>);

    // SAFETY: the pointers are compared, never followed.
    unsafe impl Send for Heard {}

    static HEARD: Mutex<Heard> = Mutex::new(Heard(Vec::new()));

    struct Recorder;

    impl Listener for Recorder {
        fn block(&self, event: &BlockEvent) {
            if !matches!(event, BlockEvent::Asked { .. }) {
                HEARD.lock().expect("no panic").0.push(Event::Block(*event));
            }
        }

        fn bstr(&self, event: &BstrEvent) {
            HEARD.lock().expect("no panic").0.push(Event::Bstr(*event));
        }
    }

    static RECORDER: Seat = Seat::new(&Recorder);

    fn heard() -> Vec<Event> {
        std::mem::take(&mut HEARD.lock().expect("no panic").0)
    }

    fn pinned(bstr: *const u16, is_live: bool, pins: usize) -> [Event; 1] {
        [Event::Bstr(BstrEvent::Pinned {
            bstr,
            is_live,
            pins,
        })]
    }

    fn unpinned(bstr: *const u16, left: Option<usize>, frees: bool) -> Event {
        Event::Bstr(BstrEvent::Unpinned { bstr, left, frees })
    }

    fn deferred(bstr: *const u16, again: bool) -> [Event; 1] {
        [Event::Bstr(BstrEvent::FreeDeferred { bstr, again })]
    }

    #[test]
    fn every_event() {
        let _turn = turn();
        let s = text("text");
        let literal = bstr!("literal").as_raw();
        let listening = listen(&RECORDER).expect("nobody else listens");
        heard();
        let unpin = rust::unpin;

        raw::pin(ptr::null()).expect("nothing to do");
        unpin(ptr::null());
        assert_eq!(heard(), []);
        raw::pin(s).expect("a live string");
        assert_eq!(heard(), pinned(s, true, 1));
        raw::pin(s).expect("a live string");
        assert_eq!(heard(), pinned(s, true, 2));
        raw::pin(literal).expect_err("no live string");
        assert_eq!(heard(), pinned(literal, false, 0));
        unpin(literal);
        assert_eq!(heard(), [unpinned(literal, None, false)]);
        free(s);
        assert_eq!(heard(), deferred(s, false));
        free(s);
        assert_eq!(heard(), deferred(s, true));
        unpin(s);
        assert_eq!(heard(), [unpinned(s, Some(1), false)]);
        unpin(s);
        let freeing = Event::Block(BlockEvent::Freeing {
            block: block_of(s),
            family: Family::Bstr,
        });
        assert_eq!(heard(), [unpinned(s, Some(0), true), freeing]);

        let s = text("text");
        heard();
        let failing = fault::fail_nth(1);
        raw::pin(s).expect_err("it was to fail");
        assert_eq!(heard(), pinned(s, true, 0));
        drop(failing);
        free(s);
        drop(listening);
    }
}

/// Bad calls, in child processes.
#[cfg(all(unix, not(miri)))]
mod bad_calls {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn after_the_last_pin() {
        let s = text("text");
        raw::pin(s).expect("a live string");
        free(s);
        // SAFETY: the pin is this function's.
        unsafe { raw::unpin(s) };
        free(s);
    }

    fn after_it_was_freed_past_its_pin() {
        let s = text("text");
        raw::pin(s).expect("a live string");
        // SAFETY: the block is live.
        unsafe { heap::free(block_of(s), Family::Bstr) };
        free(s);
    }

    fn of_another_while_one_is_pinned() {
        let s = text("text");
        raw::pin(s).expect("a live string");
        free(bstr!("literal").as_raw().cast_mut());
    }

    const CASES: [(&str, fn()); 3] = [
        ("after the last pin", after_the_last_pin),
        ("freed past its pin", after_it_was_freed_past_its_pin),
        ("of another", of_another_while_one_is_pinned),
    ];

    #[test]
    fn child() {
        let Some(deed) = children::deed() else { return };
        let (_, call) = CASES
            .iter()
            .find(|(name, _)| *name == deed)
            .expect("a known deed");
        call();
        println!("STILL THERE");
    }

    #[test]
    fn one_line_and_the_end() {
        for (name, _) in CASES {
            let mut command = children::child("bad_calls::child", name);
            let output = command.env("OLEMEM", "plain").output().expect("it starts");
            let all = children::all_of(&output);
            const SIGABRT: i32 = 6;
            assert_eq!(output.status.signal(), Some(SIGABRT), "{all}");
            let [line] = &children::complaints(&output)[..] else {
                panic!("{all}")
            };
            assert!(
                line.starts_with("olemem: free of 0x")
                    && line.ends_with(
                        " as BSTR: no live block is there (freed before, or never from this heap)"
                    ),
                "{line}"
            );
        }
    }
}
