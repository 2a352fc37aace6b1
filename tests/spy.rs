//! Spies in safe Rust: what they are told, what they may do, when they go.
#![cfg(all(any(feature = "export", feature = "audit"), any(not(windows), miri)))]

#[cfg(all(unix, not(miri)))]
#[path = "support/children.rs"]
mod children;
#[path = "spy/model.rs"]
mod model;

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;

use olemem::fault::fail_nth;
use olemem::heap::{self, ALIGN, DidAlloc, Family};
use olemem::spy::{self, Block, Margins, Registered, Request, Spy, Verdict};
use olemem::{Bstr, ByteLen, HResult, TaskAllocator, TaskBox, TaskStr, UnitLen, raw};

/// One callback.
#[derive(Clone, Debug, PartialEq)]
enum Call {
    PreAlloc(usize, Family),
    /// The address for the caller, 0 for none.
    PostAlloc(usize),
    /// The pointer, and whether it is spyed.
    PreFree(usize, bool),
    PostFree(bool),
    PreRealloc(usize, bool, usize),
    PostRealloc(usize, bool),
    PreGetSize(usize, bool),
    PostGetSize(Option<usize>, bool),
    PreDidAlloc(usize, bool),
    PostDidAlloc(usize, bool, DidAlloc),
    PreHeapMinimize,
    PostHeapMinimize,
}

use Call::*;

/// Writes down every callback. What it does beside that is set by the test.
#[derive(Debug, Default)]
struct Recorder {
    calls: Mutex<Vec<Call>>,
    margins: Margins,
    /// Requests of so many bytes fail.
    refuses: Option<usize>,
}

impl Recorder {
    fn with(margins: Margins) -> Self {
        Self {
            margins,
            ..Self::default()
        }
    }

    fn refusing(size: usize) -> Self {
        Self {
            refuses: Some(size),
            ..Self::default()
        }
    }

    fn hear(&self, call: Call) {
        self.calls.lock().expect("nothing panics here").push(call);
    }

    fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().expect("nothing panics here"))
    }

    fn judge(&self, request: Request) -> Verdict {
        if self.refuses == Some(request.size) {
            Verdict::Fail
        } else {
            Verdict::Proceed
        }
    }
}

fn address(block: Option<&mut Block<'_>>) -> usize {
    block.map_or(0, |block| block.as_ptr().addr())
}

impl Spy for Recorder {
    fn margins(&self, _: Request) -> Margins {
        self.margins
    }
    fn pre_alloc(&self, request: Request) -> Verdict {
        self.hear(PreAlloc(request.size, request.family));
        self.judge(request)
    }
    fn post_alloc(&self, request: Request, block: Option<&mut Block<'_>>) {
        if let Some(block) = &block {
            assert_eq!(block.size(), Some(request.size));
            assert_eq!(block.family(), Some(request.family));
        }
        self.hear(PostAlloc(address(block)));
    }
    fn pre_free(&self, block: &mut Block<'_>) {
        self.hear(PreFree(block.as_ptr().addr(), block.is_spyed()));
    }
    fn post_free(&self, spyed: bool) {
        self.hear(PostFree(spyed));
    }
    fn pre_realloc(&self, request: Request, block: Option<&mut Block<'_>>) -> Verdict {
        let spyed = block.as_ref().is_some_and(|block| block.is_spyed());
        self.hear(PreRealloc(address(block), spyed, request.size));
        self.judge(request)
    }
    fn post_realloc(&self, _: Request, block: Option<&mut Block<'_>>, spyed: bool) {
        self.hear(PostRealloc(address(block), spyed));
    }
    fn pre_get_size(&self, block: &Block<'_>) {
        self.hear(PreGetSize(block.as_ptr().addr(), block.is_spyed()));
    }
    fn post_get_size(&self, size: Option<usize>, spyed: bool) {
        self.hear(PostGetSize(size, spyed));
    }
    fn pre_did_alloc(&self, block: &Block<'_>) {
        self.hear(PreDidAlloc(block.as_ptr().addr(), block.is_spyed()));
    }
    fn post_did_alloc(&self, block: &Block<'_>, answer: DidAlloc) {
        self.hear(PostDidAlloc(
            block.as_ptr().addr(),
            block.is_spyed(),
            answer,
        ));
    }
    fn pre_heap_minimize(&self) {
        self.hear(PreHeapMinimize);
    }
    fn post_heap_minimize(&self) {
        self.hear(PostHeapMinimize);
    }
}

/// There is one seat: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A registered spy, and the right to it. The spy goes first.
struct Spying<S> {
    spy: Arc<S>,
    registered: Registered,
    _alone: MutexGuard<'static, ()>,
}

impl<S: Spy + 'static> Spying<S> {
    fn new(spy: S) -> Self {
        let alone = alone();
        let spy = Arc::new(spy);
        Self {
            registered: spy::register(spy.clone()).expect("there is no other spy"),
            spy,
            _alone: alone,
        }
    }

    /// Revokes, with no block left.
    #[track_caller]
    fn end(self) {
        self.registered.revoke().expect("no block is left");
        assert_eq!(Arc::strong_count(&self.spy), 1, "the spy was let go");
    }
}

fn alloc(size: usize) -> *mut u8 {
    heap::alloc(size, Family::Task)
}

fn realloc(block: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: the tests pass null or what is live, and use the new pointer alone.
    unsafe { heap::realloc(block, size, Family::Task) }
}

fn free(block: *mut u8) {
    // SAFETY: the tests free what is live, once.
    unsafe { heap::free(block, Family::Task) };
}

fn extent(block: *mut u8) -> Option<usize> {
    // SAFETY: any address will do here.
    unsafe { heap::size_of(block) }
}

fn whose(block: *mut u8) -> DidAlloc {
    // SAFETY: any address will do here.
    unsafe { heap::did_alloc(block) }
}

fn fill(block: *mut u8, with: &[u8]) {
    // SAFETY: the tests' blocks have room for it.
    unsafe { block.copy_from(with.as_ptr(), with.len()) };
}

fn contents(block: *mut u8, size: usize) -> Vec<u8> {
    // SAFETY: the tests' blocks have so many bytes, which they filled.
    unsafe { std::slice::from_raw_parts(block, size) }.to_vec()
}

mod protocol {
    use super::*;

    #[test]
    fn every_call_is_told_before_and_after() {
        let spying = Spying::new(Recorder::default());
        let block = alloc(27);
        assert_eq!(extent(block), Some(27));
        assert_eq!(whose(block), DidAlloc::Yes);
        heap::minimize();
        let moved = realloc(block, 100);
        free(moved);
        let (old, new) = (block.addr(), moved.addr());
        assert_eq!(
            spying.spy.take(),
            [
                PreAlloc(27, Family::Task),
                PostAlloc(old),
                PreGetSize(old, true),
                PostGetSize(Some(27), true),
                PreDidAlloc(old, true),
                PostDidAlloc(old, true, DidAlloc::Yes),
                PreHeapMinimize,
                PostHeapMinimize,
                PreRealloc(old, true, 100),
                PostRealloc(new, true),
                PreFree(new, true),
                PostFree(true),
            ]
        );
        spying.end();
    }

    /// Questions with nothing spyed, where Wine reads a table that is not there.
    #[test]
    fn questions_may_be_asked_of_any_address() {
        let spying = Spying::new(Recorder::default());
        let wild = ptr::without_provenance_mut::<u8>(1);
        assert_eq!(extent(wild), None);
        assert_eq!(whose(wild), DidAlloc::No);
        assert_eq!(
            spying.spy.take(),
            [
                PreGetSize(1, false),
                PostGetSize(None, false),
                PreDidAlloc(1, false),
                PostDidAlloc(1, false, DidAlloc::No),
            ]
        );
        spying.end();
    }

    #[test]
    fn null_is_no_call() {
        let spying = Spying::new(Recorder::default());
        free(ptr::null_mut());
        assert_eq!(extent(ptr::null_mut()), None);
        assert_eq!(whose(ptr::null_mut()), DidAlloc::Unknown);
        assert_eq!(spying.spy.take(), []);
        spying.end();
    }

    #[test]
    fn a_reallocation_of_null_is_one() {
        let spying = Spying::new(Recorder::with(Margins::new(16, 4)));
        for size in [0, 40] {
            let block = realloc(ptr::null_mut(), size);
            assert_eq!(extent(block), Some(size));
            spying.spy.take();
            free(block);
            let at = block.addr();
            assert_eq!(spying.spy.take(), [PreFree(at, true), PostFree(true)]);
        }
        let block = realloc(ptr::null_mut(), 40);
        let at = block.addr();
        assert_eq!(
            spying.spy.take(),
            [PreRealloc(0, false, 40), PostRealloc(at, false)]
        );
        free(block);
        spying.end();
    }

    /// Wine says that it was freed, and does not.
    #[test]
    fn a_reallocation_to_no_bytes_frees() {
        let spying = Spying::new(Recorder::with(Margins::new(16, 16)));
        let block = alloc(10);
        let at = block.addr();
        spying.spy.take();
        assert!(realloc(block, 0).is_null());
        assert_eq!(
            spying.spy.take(),
            [PreRealloc(at, true, 0), PostRealloc(0, true)]
        );
        assert_eq!(whose(block), DidAlloc::No);
        spying.end();
    }

    #[test]
    fn a_forced_failure_is_null_without_a_post_call() {
        let spying = Spying::new(Recorder::refusing(50));
        assert!(alloc(50).is_null());
        assert!(TaskBox::try_new([0_u8; 50]).is_err());
        let pre = PreAlloc(50, Family::Task);
        assert_eq!(spying.spy.take(), [pre.clone(), pre]);
        assert!(realloc(ptr::null_mut(), 50).is_null());
        assert_eq!(spying.spy.take(), [PreRealloc(0, false, 50)]);
        spying.end();
    }

    /// Wine forgets that the block is spyed.
    #[test]
    fn after_a_forced_failure_a_block_is_whole_and_spyed() {
        let spying = Spying::new(Recorder::refusing(50));
        let block = alloc(3);
        fill(block, b"abc");
        let at = block.addr();
        spying.spy.take();
        assert!(realloc(block, 50).is_null());
        assert_eq!(contents(block, 3), b"abc");
        free(block);
        assert_eq!(
            spying.spy.take(),
            [PreRealloc(at, true, 50), PreFree(at, true), PostFree(true)]
        );
        spying.end();
    }

    #[test]
    fn no_bytes_cannot_be_made_to_fail() {
        let spying = Spying::new(Recorder::refusing(0));
        let block = alloc(0);
        assert_eq!(extent(block), Some(0));
        assert!(realloc(block, 0).is_null());
        assert_eq!(whose(block), DidAlloc::No);
        spying.end();
    }

    #[test]
    fn a_real_failure_is_told() {
        let spying = Spying::new(Recorder::with(Margins::new(32, 0)));
        {
            let _failing = fail_nth(1);
            assert!(alloc(5).is_null());
        }
        assert_eq!(spying.spy.take(), [PreAlloc(5, Family::Task), PostAlloc(0)]);
        assert!(alloc(usize::MAX).is_null());
        assert!(alloc(usize::MAX - 40).is_null());
        let block = alloc(5);
        fill(block, b"hello");
        spying.spy.take();
        {
            let _failing = fail_nth(1);
            assert!(realloc(block, 5000).is_null());
        }
        let at = block.addr();
        assert_eq!(
            spying.spy.take(),
            [PreRealloc(at, true, 5000), PostRealloc(0, true)]
        );
        assert_eq!(contents(block, 5), b"hello");
        assert_eq!(extent(block), Some(5));
        free(block);
        spying.end();
    }

    #[test]
    fn room_that_there_cannot_be_is_no_memory() {
        for margins in [
            Margins::new(usize::MAX, 0),
            Margins::new(0, usize::MAX),
            Margins::new(usize::MAX / 2, usize::MAX / 2),
            Margins::new(usize::MAX, usize::MAX),
        ] {
            let spying = Spying::new(Recorder::with(margins));
            assert!(alloc(5).is_null());
            assert_eq!(spying.spy.take(), [PreAlloc(5, Family::Task), PostAlloc(0)]);
            assert!(realloc(ptr::null_mut(), 5).is_null());
            spying.end();
        }
    }

    #[test]
    fn every_nth_may_fail() {
        struct EveryThird(AtomicUsize);
        impl Spy for EveryThird {
            fn pre_alloc(&self, _: Request) -> Verdict {
                let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
                if count.is_multiple_of(3) {
                    Verdict::Fail
                } else {
                    Verdict::Proceed
                }
            }
        }
        let spying = Spying::new(EveryThird(AtomicUsize::new(0)));
        let failed: Vec<bool> = (0..9)
            .map(|n| Bstr::try_from_str(&"x".repeat(n + 1)).is_err())
            .collect();
        assert_eq!(failed, [false, false, true].repeat(3));
        spying.end();
    }
}

mod margins {
    use super::*;

    const HEAD: [u8; 32] = *b"thirty-two bytes before a block.";
    const TAIL: [u8; 7] = *b"behind.";

    /// Marks both margins, and looks at them whenever a block comes by.
    #[derive(Default)]
    struct Fences {
        looked: AtomicUsize,
        broken: AtomicUsize,
    }

    impl Fences {
        fn raise(block: &mut Block<'_>) {
            block.before().copy_from_slice(&HEAD);
            block.after().copy_from_slice(&TAIL);
        }

        fn look(&self, block: &mut Block<'_>) {
            if block.is_spyed() {
                self.looked.fetch_add(1, Ordering::Relaxed);
                let whole = block.before() == HEAD && block.after() == TAIL;
                self.broken
                    .fetch_add(usize::from(!whole), Ordering::Relaxed);
            } else {
                assert!(block.before().is_empty() && block.after().is_empty());
                assert!(block.contents().is_empty());
                assert_eq!((block.size(), block.family()), (None, None));
            }
        }

        fn broken(&self) -> usize {
            self.broken.load(Ordering::Relaxed)
        }
    }

    impl Spy for Fences {
        fn margins(&self, _: Request) -> Margins {
            Margins::new(HEAD.len(), TAIL.len())
        }
        fn post_alloc(&self, request: Request, block: Option<&mut Block<'_>>) {
            if let Some(block) = block {
                assert_eq!(block.before(), [0; HEAD.len()]);
                assert_eq!(block.after(), [0; TAIL.len()]);
                assert_eq!(block.contents().len(), request.size);
                for byte in block.contents() {
                    byte.write(0xAA);
                }
                Self::raise(block);
            }
        }
        fn pre_free(&self, block: &mut Block<'_>) {
            self.look(block);
            for byte in block.contents() {
                byte.write(0xDD);
            }
        }
        fn pre_realloc(&self, _: Request, block: Option<&mut Block<'_>>) -> Verdict {
            if let Some(block) = block {
                self.look(block);
                assert!(block.contents().is_empty());
            }
            Verdict::Proceed
        }
        fn post_realloc(&self, request: Request, block: Option<&mut Block<'_>>, spyed: bool) {
            let Some(block) = block else { return };
            assert_eq!(block.size(), Some(request.size));
            if spyed {
                // The room before went along, the room after is new.
                assert_eq!(block.before(), HEAD);
            }
            assert!(block.after().iter().all(|byte| *byte == 0));
            if !block.before().is_empty() {
                Self::raise(block);
            }
        }
        fn pre_get_size(&self, block: &Block<'_>) {
            assert!(format!("{block:?}").starts_with("Block {"));
        }
    }

    #[test]
    fn a_header_and_a_trailer_are_kept_and_checked() {
        let spying = Spying::new(Fences::default());
        let sizes = (0..40).step_by(if cfg!(miri) { 7 } else { 1 });
        for size in sizes.clone() {
            let block = alloc(size);
            assert!(block.addr().is_multiple_of(ALIGN));
            assert_eq!(extent(block), Some(size));
            assert_eq!(contents(block, size), vec![0xAA; size]);
            let mut block = block;
            let mut kept = size;
            for next in [size + 100, size + 1, size / 2 + 1, 700] {
                fill(block, &vec![7; kept]);
                block = realloc(block, next);
                kept = kept.min(next);
                assert_eq!(contents(block, kept), vec![7; kept]);
                assert_eq!(extent(block), Some(next));
                assert_eq!(whose(block), DidAlloc::Yes);
                kept = next;
                fill(block, &vec![7; kept]);
            }
            free(block);
        }
        assert_eq!(spying.spy.looked.load(Ordering::Relaxed), sizes.len() * 5);
        assert_eq!(spying.spy.broken(), 0);
        spying.end();
    }

    #[test]
    fn a_write_past_either_end_is_found() {
        let spying = Spying::new(Fences::default());
        for offset in [-1_isize, -32, 10, 16] {
            let before = spying.spy.broken();
            let block = alloc(10);
            // SAFETY: the byte is a margin's.
            unsafe { block.wrapping_offset(offset).write(0) };
            free(block);
            assert_eq!(spying.spy.broken(), before + 1, "{offset}");
        }
        spying.end();
    }

    #[test]
    fn blocks_from_before_have_none() {
        let alone = alone();
        let (kept, grown) = (alloc(5), alloc(5));
        fill(grown, b"hello");
        drop(alone);
        let spying = Spying::new(Fences::default());
        free(kept);
        let grown = realloc(grown, 500);
        assert_eq!(contents(grown, 5), b"hello");
        // Spyed by now: the spy cannot go.
        assert!(spy::register(Arc::new(Fences::default())).is_err());
        assert_eq!(extent(grown), Some(500));
        assert!(realloc(grown, 0).is_null());
        assert_eq!(spying.spy.looked.load(Ordering::Relaxed), 1);
        spying.end();
    }

    #[test]
    fn strings_stand_in_them() {
        let spying = Spying::new(Fences::default());
        let mut text = Bstr::from("text");
        text.push_units(&[0x21; 300]);
        assert_eq!(text.len(), 304);
        let joined = Bstr::try_concat(text.as_bstr(), text.as_bstr()).expect("memory is there");
        assert_eq!(joined.len(), 608);
        drop(TaskStr::<u16>::try_from_str("task string").expect("no zero in it"));
        let mut list = allocator_api2::vec::Vec::new_in(TaskAllocator);
        list.extend(0..1000_u64);
        assert_eq!(list.iter().sum::<u64>(), 499_500);
        drop((text, joined, list));
        assert_eq!(spying.spy.broken(), 0);
        spying.end();
    }

    /// A source that lies in the string itself, wherever in its block that is.
    #[test]
    fn a_string_may_be_filled_from_itself() {
        let spying = Spying::new(Fences::default());
        let letters: Vec<u16> = (0x61..0x61 + 20).collect();
        for from in [0_usize, 1, 5, 19] {
            for len in [1_u32, 5, 20, 400] {
                // SAFETY: the source holds 20 units.
                let mut bstr = unsafe { raw::alloc_units(letters.as_ptr(), UnitLen::new(20)) };
                let source = bstr.wrapping_add(from);
                // SAFETY: the variable holds a live BSTR, and the source is inside it.
                assert!(unsafe { raw::realloc_units(&raw mut bstr, source, UnitLen::new(len)) });
                let kept = (20 - from).min(len as usize);
                // SAFETY: so many units were copied.
                let units = unsafe { std::slice::from_raw_parts(bstr, kept) };
                assert_eq!(units, &letters[from..from + kept], "{from} {len}");
                // SAFETY: the terminator is always there.
                assert_eq!(unsafe { bstr.wrapping_add(len as usize).read() }, 0);
                // SAFETY: the string is live, and this is its last use.
                unsafe { raw::free(bstr) };
            }
        }
        assert_eq!(spying.spy.broken(), 0);
        spying.end();
    }
}

mod strings {
    use super::*;
    use olemem::layout::{HEADER, PointerWidth};

    #[test]
    fn are_seen_as_their_blocks() {
        let spying = Spying::new(Recorder::default());
        let text = [0x54_u16, 0x65, 0x73, 0x74];
        // SAFETY: the source holds four units.
        let mut bstr = unsafe { raw::alloc_units(text.as_ptr(), UnitLen::new(4)) };
        let size = |units: u32| {
            let len = ByteLen::new(2 * units);
            PointerWidth::NATIVE.block_size(len).expect("short") as usize
        };
        let old = bstr.addr() - HEADER;
        let whole = if cfg!(target_pointer_width = "64") {
            32
        } else {
            16
        };
        assert_eq!(size(4), whole);
        assert_eq!(
            spying.spy.take(),
            [PreAlloc(whole, Family::Bstr), PostAlloc(old)]
        );
        // SAFETY: the variable holds a live BSTR; a null source needs nothing.
        assert!(unsafe { raw::realloc_units(&raw mut bstr, ptr::null(), UnitLen::new(100)) });
        let new = bstr.addr() - HEADER;
        assert_eq!(
            spying.spy.take(),
            [PreRealloc(old, true, size(100)), PostRealloc(new, true)]
        );
        // SAFETY: the string is live, and this is its last use.
        unsafe { raw::free(bstr) };
        assert_eq!(spying.spy.take(), [PreFree(new, true), PostFree(true)]);
        spying.end();
    }
}

/// What the BSTR functions ask of a block is answered as its holder sees it, whatever is around it.
mod cache_and_pins {
    use super::*;
    use olemem::cache::{self, Model};
    use olemem::layout::{HEADER, PointerWidth};

    /// Has its own bytes around every block, and looks at them.
    struct Fence {
        margins: Margins,
        broken: AtomicUsize,
        calls: AtomicUsize,
    }

    impl Fence {
        const BYTE: u8 = 0xEE;
        /// What a new block is filled with.
        const NEW: u8 = 0xAA;

        fn new(before: usize, after: usize) -> Self {
            Self {
                margins: Margins::new(before, after),
                broken: AtomicUsize::new(0),
                calls: AtomicUsize::new(0),
            }
        }

        fn raise(&self, block: Option<&mut Block<'_>>) {
            self.calls.fetch_add(1, Ordering::Relaxed);
            if let Some(block) = block {
                block.before().fill(Self::BYTE);
                block.after().fill(Self::BYTE);
                for byte in block.contents() {
                    byte.write(Self::NEW);
                }
            }
        }

        fn look(&self, block: &mut Block<'_>) {
            self.calls.fetch_add(1, Ordering::Relaxed);
            let is_whole = |margin: &[u8]| margin.iter().all(|byte| *byte == Self::BYTE);
            if !(is_whole(block.before()) && is_whole(block.after())) {
                self.broken.fetch_add(1, Ordering::Relaxed);
            }
        }

        fn calls(&self) -> usize {
            self.calls.swap(0, Ordering::Relaxed)
        }
    }

    impl Spy for Fence {
        fn margins(&self, _: Request) -> Margins {
            self.margins
        }
        fn post_alloc(&self, _: Request, block: Option<&mut Block<'_>>) {
            self.raise(block);
        }
        fn pre_free(&self, block: &mut Block<'_>) {
            self.look(block);
        }
        fn pre_realloc(&self, _: Request, block: Option<&mut Block<'_>>) -> Verdict {
            if let Some(block) = block {
                self.look(block);
            }
            Verdict::Proceed
        }
        fn post_realloc(&self, _: Request, block: Option<&mut Block<'_>>, _: bool) {
            self.raise(block);
        }
    }

    const MARGINS: [(usize, usize); 4] = [(0, 0), (0, 16), (32, 0), (32, 40)];

    fn text(len: usize) -> *mut u16 {
        Bstr::from("x".repeat(len).as_str()).into_raw().cast_mut()
    }

    fn free_text(text: *mut u16) {
        // SAFETY: the tests free what is live, pinned, or taken by a cache a second time.
        unsafe { raw::free(text) };
    }

    #[test]
    fn a_cache_keeps_blocks_at_their_holders_size() {
        for (before, after) in MARGINS {
            for model in [Model::Windows, Model::Adversarial] {
                let spying = Spying::new(Fence::new(before, after));
                cache::set(model);
                let (short, long) = (11, 16);
                let first = text(short);
                spying.spy.calls();
                free_text(first);
                assert_eq!(spying.spy.calls(), 0, "{model:?} {before} {after}");
                // It is too short for that one, margin or no margin.
                let other = text(long);
                assert_ne!(other, first, "{model:?} {before} {after}");
                spying.spy.calls();
                assert_eq!(text(short), first, "{model:?} {before} {after}");
                assert_eq!(spying.spy.calls(), 0);
                free_text(other);
                free_text(first);
                if model == Model::Windows {
                    // A second free changes nothing.
                    free_text(first);
                }
                assert_eq!(spying.spy.calls(), 0);
                cache::set(Model::Off);
                assert_eq!(spying.spy.calls(), 2);
                assert_eq!(spying.spy.broken.load(Ordering::Relaxed), 0);
                spying.end();
            }
        }
    }

    #[test]
    fn a_pinned_string_is_freed_through_the_spy() {
        for (before, after) in MARGINS {
            let spying = Spying::new(Fence::new(before, after));
            let pinned = text(10);
            raw::pin(pinned).expect("a live string");
            spying.spy.calls();
            free_text(pinned);
            free_text(pinned);
            assert_eq!(spying.spy.calls(), 0, "{before} {after}");
            // SAFETY: it is pinned, so it is there.
            assert_eq!(unsafe { raw::unit_len(pinned) }.get(), 10);
            // SAFETY: the pin is this test's.
            unsafe { raw::unpin(pinned) };
            assert_eq!(spying.spy.calls(), 1, "{before} {after}");
            assert!(raw::pin(pinned).is_err());
            assert_eq!(spying.spy.broken.load(Ordering::Relaxed), 0);
            spying.end();
        }
    }

    #[test]
    fn a_pinned_string_that_is_reallocated_stays() {
        let spying = Spying::new(Fence::new(32, 40));
        let pinned = text(10);
        raw::pin(pinned).expect("a live string");
        let mut other = pinned;
        // SAFETY: the variable holds a live BSTR; a null source needs nothing.
        assert!(unsafe { raw::realloc_units(&raw mut other, ptr::null(), UnitLen::new(40)) });
        assert_ne!(other, pinned);
        // SAFETY: as long as it was, it was copied.
        let units = unsafe { std::slice::from_raw_parts(other, 10) };
        assert_eq!(units, [0x78; 10]);
        free_text(other);
        // SAFETY: the pin is this test's.
        unsafe { raw::unpin(pinned) };
        assert_eq!(spying.spy.broken.load(Ordering::Relaxed), 0);
        spying.end();
    }

    /// What a spy put behind a string is no part of it.
    #[test]
    fn a_string_filled_from_itself_ends_where_its_block_does() {
        for (before, after) in MARGINS {
            let spying = Spying::new(Fence::new(before, after));
            let mut bstr = text(8);
            let len = ByteLen::new(2 * 8);
            let whole = PointerWidth::NATIVE.block_size(len).expect("short") as usize;
            let source = bstr.wrapping_add(1);
            let held = (whole - HEADER) / 2 - 1;
            // SAFETY: the variable holds a live BSTR, and the source is inside it.
            assert!(unsafe { raw::realloc_units(&raw mut bstr, source, UnitLen::new(30)) });
            // SAFETY: the spy has written all of the new block.
            let units = unsafe { std::slice::from_raw_parts(bstr, 30) };
            assert_eq!(units[..7], [0x78; 7], "{before} {after}");
            let rest = &units[held..];
            let new = u16::from_ne_bytes([Fence::NEW; 2]);
            assert!(rest.iter().all(|unit| *unit == new), "{rest:x?}");
            free_text(bstr);
            spying.end();
        }
    }
}

mod registration {
    use super::*;

    #[test]
    fn there_is_one_spy_at_a_time() {
        let spying = Spying::new(Recorder::default());
        let second = spy::register(Arc::new(Recorder::default())).expect_err("one at a time");
        assert_eq!(second.code(), HResult::CO_E_OBJISREG);
        assert_eq!(second.to_string(), "a spy is registered already");
        spying.end();
    }

    #[test]
    fn a_spy_is_let_go_with_its_last_block() {
        let Spying {
            spy,
            registered,
            _alone,
        } = Spying::new(Recorder::default());
        let block = alloc(1);
        let still = registered.revoke().expect_err("a block is spyed");
        assert_eq!(still.code(), HResult::E_ACCESSDENIED);
        assert!(still.to_string().contains("spyed"));
        // It is there, and sees everything; what comes now prolongs its stay.
        assert!(spy::register(spy.clone()).is_err());
        let later = alloc(2);
        free(block);
        assert_eq!(Arc::strong_count(&spy), 2);
        spy.take();
        let at = later.addr();
        free(later);
        assert_eq!(Arc::strong_count(&spy), 1);
        assert_eq!(spy.take(), [PreFree(at, true), PostFree(true)]);
        free(alloc(3));
        assert_eq!(spy.take(), []);
        let again = spy::register(spy.clone()).expect("there is no spy any more");
        assert!(again.revoke().is_ok());
    }

    /// Wine lets it go in the middle of the call.
    #[test]
    fn reallocating_the_last_block_keeps_the_spy() {
        let Spying {
            spy,
            registered,
            _alone,
        } = Spying::new(Recorder::with(Margins::new(32, 8)));
        let block = alloc(10);
        fill(block, b"0123456789");
        drop(registered);
        spy.take();
        let moved = realloc(block, 1000);
        assert_eq!(
            spy.take(),
            [
                PreRealloc(block.addr(), true, 1000),
                PostRealloc(moved.addr(), true)
            ]
        );
        assert_eq!(contents(moved, 10), b"0123456789");
        assert_eq!(Arc::strong_count(&spy), 2);
        assert!(realloc(moved, 0).is_null());
        assert_eq!(Arc::strong_count(&spy), 1);
        assert_eq!(
            spy.take(),
            [PreRealloc(moved.addr(), true, 0), PostRealloc(0, true)]
        );
    }

    #[test]
    fn a_block_from_before_keeps_nobody() {
        let block = {
            let _alone = alone();
            alloc(9)
        };
        let spying = Spying::new(Recorder::default());
        assert_eq!(extent(block), Some(9));
        spying.end();
        free(block);
    }

    /// Does what the test says in its callbacks.
    struct Acts<F: Fn(&'static str) + Send + Sync>(F);

    impl<F: Fn(&'static str) + Send + Sync> Spy for Acts<F> {
        fn pre_alloc(&self, _: Request) -> Verdict {
            self.0("pre");
            Verdict::Proceed
        }
        fn post_alloc(&self, _: Request, _: Option<&mut Block<'_>>) {
            self.0("post");
        }
        fn post_free(&self, _: bool) {
            self.0("freed");
        }
    }

    #[test]
    fn a_spy_that_revokes_itself_is_there_to_the_end_of_the_call() {
        let _alone = alone();
        let guard: Arc<Mutex<Option<Registered>>> = Arc::default();
        let said = Arc::new(Mutex::new(Vec::new()));
        let spy = {
            let (guard, said) = (guard.clone(), said.clone());
            Arc::new(Acts(move |at| {
                said.lock().expect("no panic").push(at);
                let taken = guard.lock().expect("no panic").take();
                if let Some(registered) = taken {
                    // Not now, though no block is there.
                    assert!(registered.revoke().is_err());
                    assert!(spy::register(Arc::new(Recorder::default())).is_err());
                }
            }))
        };
        let registered = spy::register(spy.clone()).expect("there is no other spy");
        *guard.lock().expect("no panic") = Some(registered);
        let block = alloc(8);
        assert_eq!(Arc::strong_count(&spy), 2);
        free(block);
        assert_eq!(Arc::strong_count(&spy), 1);
        assert_eq!(*said.lock().expect("no panic"), ["pre", "post", "freed"]);

        let registered = spy::register(spy.clone()).expect("there is no spy any more");
        let block = alloc(8);
        *guard.lock().expect("no panic") = Some(registered);
        free(block);
        assert_eq!(Arc::strong_count(&spy), 1);
    }

    /// The spy's last code runs where a spy may be registered, and memory be had.
    #[test]
    fn a_spy_may_allocate_and_register_when_it_goes() {
        struct Last(Arc<AtomicUsize>);
        impl Spy for Last {}
        impl Drop for Last {
            fn drop(&mut self) {
                drop(Bstr::from("last words"));
                let next = spy::register(Arc::new(Recorder::default()));
                assert!(next.expect("the seat is free").revoke().is_ok());
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let _alone = alone();
        let drops = Arc::new(AtomicUsize::new(0));
        let registered = spy::register(Arc::new(Last(drops.clone()))).expect("no other spy");
        let block = alloc(1);
        drop(registered);
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        free(block);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        let registered = spy::register(Arc::new(Last(drops.clone()))).expect("no other spy");
        drop(registered);
        assert_eq!(drops.load(Ordering::Relaxed), 2);
    }

    #[cfg(feature = "export")]
    #[test]
    fn a_guard_revokes_its_own_spy_only() {
        let Spying {
            spy,
            registered: first,
            _alone,
        } = Spying::new(Recorder::default());
        assert_eq!(olemem::export::CoRevokeMallocSpy(), HResult::S_OK);
        let second = spy::register(spy.clone()).expect("the seat is free");
        drop(first);
        assert!(spy::register(spy.clone()).is_err());
        assert!(second.revoke().is_ok());
    }
}

mod reentrancy {
    use super::*;

    thread_local! {
        static DEPTH: Cell<usize> = const { Cell::new(0) };
    }

    /// Uses the allocator in every callback.
    #[derive(Default)]
    struct Busy {
        calls: AtomicUsize,
    }

    impl Busy {
        fn work(&self) {
            self.calls.fetch_add(1, Ordering::Relaxed);
            if DEPTH.get() < 2 {
                DEPTH.set(DEPTH.get() + 1);
                let block = realloc(alloc(3), 300);
                assert_eq!(extent(block), Some(300));
                assert_eq!(whose(block), DidAlloc::Yes);
                free(block);
                DEPTH.set(DEPTH.get() - 1);
            }
        }
    }

    impl Spy for Busy {
        fn margins(&self, _: Request) -> Margins {
            self.work();
            Margins::new(48, 1)
        }
        fn pre_alloc(&self, _: Request) -> Verdict {
            self.work();
            Verdict::Proceed
        }
        fn post_alloc(&self, _: Request, _: Option<&mut Block<'_>>) {
            self.work();
        }
        fn pre_free(&self, block: &mut Block<'_>) {
            block.before().fill(1);
            self.work();
            assert!(block.before().iter().all(|byte| *byte == 1));
        }
        fn post_free(&self, _: bool) {
            self.work();
        }
        fn pre_realloc(&self, _: Request, _: Option<&mut Block<'_>>) -> Verdict {
            self.work();
            Verdict::Proceed
        }
        fn post_realloc(&self, _: Request, _: Option<&mut Block<'_>>, _: bool) {
            self.work();
        }
        fn pre_get_size(&self, _: &Block<'_>) {
            self.work();
        }
        fn post_did_alloc(&self, _: &Block<'_>, _: DidAlloc) {
            self.work();
        }
        fn pre_heap_minimize(&self) {
            self.work();
        }
    }

    #[test]
    fn a_spy_may_use_the_allocator() {
        let spying = Spying::new(Busy::default());
        let block = realloc(alloc(10), 20);
        assert_eq!(extent(block), Some(20));
        free(block);
        heap::minimize();
        // Each call of the outermost depth makes some of the next.
        assert!(spying.spy.calls.load(Ordering::Relaxed) > 100);
        spying.end();
    }
}

mod threads {
    use super::*;

    /// Whose call is under way.
    #[derive(Default)]
    struct Turnstile {
        inside: AtomicBool,
        passed: AtomicUsize,
    }

    impl Turnstile {
        fn enter(&self) {
            assert!(
                !self.inside.swap(true, Ordering::Relaxed),
                "another is inside"
            );
            thread::yield_now();
        }
        fn leave(&self) {
            assert!(
                self.inside.swap(false, Ordering::Relaxed),
                "nobody is inside"
            );
            self.passed.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Spy for Turnstile {
        fn pre_alloc(&self, _: Request) -> Verdict {
            self.enter();
            Verdict::Proceed
        }
        fn post_alloc(&self, _: Request, _: Option<&mut Block<'_>>) {
            self.leave();
        }
        fn pre_free(&self, _: &mut Block<'_>) {
            self.enter();
        }
        fn post_free(&self, _: bool) {
            self.leave();
        }
        fn pre_realloc(&self, _: Request, _: Option<&mut Block<'_>>) -> Verdict {
            self.enter();
            Verdict::Proceed
        }
        fn post_realloc(&self, _: Request, _: Option<&mut Block<'_>>, _: bool) {
            self.leave();
        }
    }

    #[test]
    fn wait_for_each_other_from_pre_to_post() {
        let (threads, rounds) = if cfg!(miri) { (3, 4) } else { (4, 500) };
        let spying = Spying::new(Turnstile::default());
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for round in 0..rounds {
                        let block = realloc(alloc(round), 2 * round + 1);
                        free(block);
                    }
                });
            }
        });
        assert_eq!(
            spying.spy.passed.load(Ordering::Relaxed),
            threads * rounds * 3
        );
        spying.end();
    }

    /// Spies come and go while other threads allocate: nobody is told of a pointer that a spy before it gave.
    #[test]
    fn may_allocate_while_spies_come_and_go() {
        let rounds = if cfg!(miri) { 5 } else { 300 };
        let _alone = alone();
        let done = AtomicBool::new(false);
        // While it is set nobody allocates anew: a spy that is to go waits for a moment without blocks, and
        // such a moment may not come by itself for long.
        let pause = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        if pause.load(Ordering::Relaxed) {
                            thread::yield_now();
                            continue;
                        }
                        let mut text = Bstr::from("a text");
                        text.push_units(&[0x21; 40]);
                        assert_eq!(text.len(), 46);
                        drop(text);
                        // Now and then nobody holds a block, and a spy can go.
                        thread::yield_now();
                    }
                });
            }
            for _ in 0..rounds {
                let spy = Arc::new(Recorder::with(Margins::new(32, 3)));
                let registered = loop {
                    match spy::register(spy.clone()) {
                        Ok(registered) => break registered,
                        // The one before is still there, with somebody's block.
                        Err(_) => {
                            pause.store(true, Ordering::Relaxed);
                            thread::yield_now();
                        }
                    }
                };
                pause.store(false, Ordering::Relaxed);
                free(alloc(7));
                drop(registered);
            }
            done.store(true, Ordering::Relaxed);
        });
        // The last block went with its thread, and the last spy with it.
        let registered = spy::register(Arc::new(Recorder::default()));
        assert!(registered.expect("the seat is free").revoke().is_ok());
    }

    #[test]
    fn a_revoke_waits_for_a_call_under_way() {
        struct Slow(Barrier, AtomicBool);
        impl Spy for Slow {
            fn pre_heap_minimize(&self) {
                self.0.wait();
                for _ in 0..50 {
                    thread::yield_now();
                }
                self.1.store(true, Ordering::Relaxed);
            }
        }
        let spying = Spying::new(Slow(Barrier::new(2), AtomicBool::new(false)));
        thread::scope(|scope| {
            scope.spawn(heap::minimize);
            spying.spy.0.wait();
            let spy = spying.spy.clone();
            spying.registered.revoke().expect("no block is there");
            assert!(spy.1.load(Ordering::Relaxed));
        });
    }
}

#[cfg(all(unix, not(miri)))]
mod forks {
    use super::*;

    unsafe extern "C" {
        safe fn fork() -> i32;
        safe fn alarm(seconds: u32) -> u32;
        safe fn _exit(status: i32) -> !;
        fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    }

    /// Forks; the child does what it is told, and the parent sees that it did.
    #[track_caller]
    fn in_a_child(work: impl FnOnce()) {
        match fork() {
            0 => {
                // A child that waits for ever is killed.
                alarm(20);
                work();
                _exit(7);
            }
            process => {
                assert!(process > 0, "no more processes to be had");
                let mut status = 0;
                // SAFETY: the variable is this frame's.
                let waited = unsafe { waitpid(process, &raw mut status, 0) };
                assert_eq!((waited, status), (process, 7 << 8));
            }
        }
    }

    fn work() {
        let block = realloc(alloc(10), 300);
        assert_eq!(extent(block), Some(300));
        free(block);
    }

    #[test]
    fn the_child_has_a_turn_of_its_own() {
        /// Stays in its callback until it is told to go on.
        struct Stays(Barrier);
        impl Spy for Stays {
            fn margins(&self, _: Request) -> Margins {
                Margins::new(16, 16)
            }
            fn pre_heap_minimize(&self) {
                self.0.wait();
                self.0.wait();
            }
        }
        let spying = Spying::new(Stays(Barrier::new(2)));
        let mine = alloc(40);
        thread::scope(|scope| {
            scope.spawn(heap::minimize);
            spying.spy.0.wait();
            // Another thread is in its turn, which in the child it will never end.
            in_a_child(|| {
                work();
                free(mine);
            });
            spying.spy.0.wait();
        });
        free(mine);
        spying.end();
    }

    #[test]
    fn a_fork_in_a_callback_stays_in_its_turn() {
        struct Forks;
        impl Spy for Forks {
            fn pre_heap_minimize(&self) {
                // The child comes out of this callback as well.
                in_a_child(work);
            }
        }
        let spying = Spying::new(Forks);
        heap::minimize();
        work();
        spying.end();
    }

    #[test]
    fn a_fork_finds_what_is_spyed_whole() {
        let spying = Spying::new(Recorder::with(Margins::new(32, 0)));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut blocks = std::collections::VecDeque::new();
                    while !done.load(Ordering::Relaxed) {
                        blocks.push_back(alloc(5));
                        if blocks.len() > 200 {
                            free(blocks.pop_front().expect("there are many"));
                        }
                        spying.spy.take();
                    }
                    blocks.into_iter().for_each(free);
                });
            }
            for _ in 0..50 {
                in_a_child(|| {
                    // The recorder's own lock may be a vanished thread's, so no call is made that it is told
                    // of: what is spyed is looked at, and the turn is there to be had.
                    assert!(spy::register(Arc::new(Recorder::default())).is_err());
                });
            }
            done.store(true, Ordering::Relaxed);
        });
        spying.end();
    }
}

#[cfg(all(unix, not(miri)))]
mod bad_ends {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    struct Panics;

    impl Spy for Panics {
        fn pre_heap_minimize(&self) {
            panic!("in the middle of a call");
        }
        fn margins(&self, _: Request) -> Margins {
            Margins::new(16, 16)
        }
    }

    #[test]
    fn child() {
        let Some(deed) = children::deed() else { return };
        let registered = spy::register(Arc::new(Panics)).expect("there is no other spy");
        let block = alloc(8);
        match deed.as_str() {
            "panic" => {
                let _ = std::panic::catch_unwind(heap::minimize);
            }
            "double free" => {
                free(block);
                free(block);
            }
            "interior free" => free(block.wrapping_add(1)),
            "real start" => {
                // The caller has no business there; the block goes, and the spy's pointer with it.
                free(block.wrapping_sub(16));
                free(block);
            }
            "freed and reallocated" => {
                free(block);
                let _ = realloc(block, 9);
            }
            other => panic!("{other}"),
        }
        drop(registered);
    }

    #[test]
    fn are_told_in_one_line() {
        for (deed, line) in [
            ("panic", "olemem: a spy panicked"),
            ("double free", "olemem: free of 0x"),
            ("interior free", "olemem: free of 0x"),
            ("real start", "olemem: free of 0x"),
            ("freed and reallocated", "olemem: reallocation of 0x"),
        ] {
            let output = children::child("bad_ends::child", deed)
                .env("OLEMEM", "plain")
                .output()
                .expect("the test binary starts");
            let all = children::all_of(&output);
            assert_eq!(output.status.signal(), Some(6), "{all}");
            let said = children::complaints(&output);
            assert_eq!(said.len(), 1, "{all}");
            assert!(said[0].starts_with(line), "{all}");
        }
    }
}

mod the_seam {
    use super::*;
    use olemem::seam::{BlockEvent, BstrEvent, Listener, Seat, listen};

    /// The spy is outermost: a listener is told of the real blocks.
    #[test]
    fn is_inside() {
        struct Sizes;
        static SIZES: Mutex<Vec<usize>> = Mutex::new(Vec::new());
        impl Listener for Sizes {
            fn block(&self, event: &BlockEvent) {
                if let BlockEvent::Allocated { size, block, .. } = *event {
                    let size = if block.is_null() { 0 } else { size };
                    SIZES.lock().expect("no panic").push(size);
                }
            }
            fn bstr(&self, _: &BstrEvent) {}
        }
        static SEAT: Seat = Seat::new(&Sizes);
        let spying = Spying::new(Recorder::with(Margins::new(64, 1)));
        let listening = listen(&SEAT).expect("nobody else listens");
        free(alloc(10));
        {
            let _failing = fail_nth(1);
            assert!(alloc(10).is_null());
        }
        drop(listening);
        assert_eq!(*SIZES.lock().expect("no panic"), [75, 0]);
        spying.end();
    }
}
