//! The cache of freed strings: what Windows was seen to do (V050 to V057), each sentence of the model, the
//! model against a naive one, and what it refuses.
//!
//! The model is the whole process's, so the tests of this file take turns.
#![cfg(all(feature = "std", any(not(windows), miri)))]

#[cfg(all(unix, not(miri)))]
#[path = "support/children.rs"]
mod children;
#[allow(
    dead_code,
    unused_imports,
    reason = "the vectors of other files use the rest"
)]
#[path = "vectors/doors.rs"]
mod doors;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use olemem::cache::{self, Model};
use olemem::heap::{self, DidAlloc, Family};
use olemem::layout::{HEADER, PointerWidth};
use olemem::{Bstr, ByteLen, UnitLen, fault, raw};

/// A turn of a test, with a model in force and nothing in the cache. It is off again afterwards.
struct Turn {
    _alone: MutexGuard<'static, ()>,
}

fn turn(model: Model) -> Turn {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    if from_environment() {
        assert_eq!(cache::get(), model);
    } else {
        cache::set(model);
    }
    Turn { _alone: alone }
}

impl Drop for Turn {
    fn drop(&mut self) {
        cache::set(Model::Off);
    }
}

/// Whether this process was started by a test, with a model chosen in its environment.
fn from_environment() -> bool {
    #[cfg(all(unix, not(miri)))]
    return children::deed().as_deref() == Some("environment");
    #[cfg(not(all(unix, not(miri))))]
    false
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

fn units(len: u32) -> *mut u16 {
    // SAFETY: no source is needed.
    let bstr = unsafe { raw::alloc_units(std::ptr::null(), UnitLen::new(len)) };
    assert!(!bstr.is_null());
    bstr
}

fn free(bstr: *mut u16) {
    // SAFETY: the tests free what is live, or what the model takes a second time.
    unsafe { raw::free(bstr) }
}

/// A task block with a header, as a BSTR.
fn dressed_up(size: usize) -> *mut u16 {
    let block = heap::alloc(size, Family::Task);
    assert!(!block.is_null());
    block.wrapping_add(HEADER).cast()
}

fn block_of(bstr: *mut u16) -> *mut u8 {
    bstr.cast::<u8>().wrapping_sub(HEADER)
}

fn is_live(bstr: *mut u16) -> bool {
    // SAFETY: the question may be asked of any address here.
    unsafe { heap::did_alloc(block_of(bstr)) == DidAlloc::Yes }
}

fn size(bstr: *mut u16) -> Option<usize> {
    // SAFETY: as above.
    unsafe { heap::size_of(block_of(bstr)) }
}

/// Bytes of the block of a string of so many units.
fn block(units: u32) -> usize {
    PointerWidth::NATIVE
        .block_size(ByteLen::new(2 * units))
        .expect("a short string") as usize
}

macro_rules! through_both {
    ($(fn $name:ident() $body:block)*) => {
        mod through_rust {
            use super::{*, doors::rust::*};
            $(#[test] fn $name() $body)*
        }
        #[cfg(feature = "export")]
        mod through_c {
            use super::{*, doors::c::*};
            $(#[test] fn $name() $body)*
        }
        /// Their names, for those who run them in processes of their own.
        #[cfg(all(unix, not(miri)))]
        const VECTORS: &[&str] = &[
            $(concat!("vectors::through_rust::", stringify!($name)),)*
            $(#[cfg(feature = "export")] concat!("vectors::through_c::", stringify!($name)),)*
        ];
    };
}

mod vectors {
    #[allow(unused_imports, reason = "the doors have functions of the same names")]
    use super::HEADER;
    use super::{Model, block, block_of, doors, is_live, turn, wide};

    fn content(bstr: *mut u16, count: usize) -> Vec<u16> {
        // SAFETY: the vectors ask for units of blocks that are live, cached ones among them.
        unsafe { std::slice::from_raw_parts(bstr, count) }.to_vec()
    }

    through_both! {
        fn v050_v051_a_cached_string_reads_is_freed_twice_and_handed_out_again() {
            let _turn = turn(Model::Windows);
            let s = alloc(wide("test").as_ptr());
            free(s);
            free(s);
            assert_eq!(len(s), 4);
            assert_eq!(content(s, 5), wide("test"));
            let s2 = alloc(wide("test").as_ptr());
            assert_eq!(s2, s);
            free(s2);
        }

        fn v052_to_v055_task_blocks_are_cached_in_order_by_their_own_size() {
            let _turn = turn(Model::Windows);
            let strs: Vec<*mut u16> = (0..20)
                .map(|_| {
                    let start = task_alloc(64);
                    // SAFETY: the block has 64 bytes, and is aligned for a word.
                    unsafe { start.cast::<usize>().write(0) };
                    start.wrapping_add(HEADER).cast()
                })
                .collect();
            for bstr in &strs {
                free(*bstr);
            }
            let first = alloc_len(std::ptr::null(), 24);
            assert_eq!(block(24), 64);
            assert_eq!(first, strs[0]);
            let second = alloc_len(std::ptr::null(), 16);
            assert_eq!(block(16), 48);
            assert_eq!(second, strs[1]);
            free(first);
            free(second);
            free(first);
            free(second);
            // What is in the cache is live to the allocator.
            assert_eq!(did_alloc(block_of(first)), 1);
            assert_eq!(size_of(block_of(second)), 64);
        }

        fn v056_without_the_model_nothing_is_kept() {
            let _turn = turn(Model::Off);
            let s = alloc(wide("test").as_ptr());
            free(s);
            assert!(!is_live(s));
        }
    }

    /// V057.
    #[cfg(feature = "export")]
    #[test]
    fn v057_off_from_that_moment_on() {
        use olemem::export::SetOaNoCache;

        let _turn = turn(Model::Windows);
        let before = doors::c::alloc(wide("test").as_ptr());
        doors::c::free(before);
        SetOaNoCache();
        assert_eq!(super::cache::get(), Model::Off);
        for _ in 0..3 {
            let s = doors::c::alloc(wide("test").as_ptr());
            assert_ne!(s, before, "it is not handed out any more");
            doors::c::free(s);
            assert_eq!(doors::c::did_alloc(block_of(s)), 0);
        }
        // It was not released, and is still the allocator's.
        assert_eq!(doors::c::did_alloc(block_of(before)), 1);
        // Frees go straight to the allocator, this one too.
        doors::c::free(before);
        assert_eq!(doors::c::did_alloc(block_of(before)), 0);
    }

    #[cfg(all(unix, not(miri)))]
    mod in_processes_of_their_own {
        use super::super::children;
        use super::VECTORS;

        #[test]
        fn by_the_environment() {
            for name in VECTORS {
                let model = if name.contains("v056") {
                    "off"
                } else {
                    "windows"
                };
                for mode in ["", "plain,", "pass-through,"] {
                    let mut command = children::child(name, "environment");
                    command.env_remove("OANOCACHE");
                    command.env("OLEMEM", format!("{mode}cache={model}"));
                    let output = command.output().expect("the test binary starts");
                    children::assert_passed(&output);
                    assert_eq!(children::complaints(&output), [""; 0]);
                }
            }
        }

        /// V056: the variable's presence counts, not its value.
        #[test]
        fn v056_oanocache_of_any_value() {
            let (off, on): (Vec<_>, Vec<_>) =
                VECTORS.iter().partition(|name| name.contains("v056"));
            assert!(!off.is_empty() && !on.is_empty());
            for name in off {
                for value in ["0", "1", ""] {
                    let mut command = children::child(name, "environment");
                    command
                        .env("OANOCACHE", value)
                        .env("OLEMEM", "cache=windows");
                    children::assert_passed(&command.output().expect("the test binary starts"));
                }
            }
            // And not where the code decides.
            for name in on {
                let mut command = children::child(name, "code");
                command
                    .env("OANOCACHE", "1")
                    .env("OLEMEM", "cache=adversarial");
                children::assert_passed(&command.output().expect("the test binary starts"));
            }
        }
    }
}

/// Each sentence of the `windows` model that is not a vector.
mod windows {
    use super::*;

    #[test]
    fn the_block_decides_and_not_the_prefix() {
        let _turn = turn(Model::Windows);
        let large = units(100);
        let small = units(2);
        // SAFETY: the prefix is this test's own.
        unsafe { large.cast::<u32>().wrapping_sub(1).write(0) };
        // SAFETY: as above.
        unsafe { small.cast::<u32>().wrapping_sub(1).write(1000) };
        free(large);
        free(small);
        assert_eq!(units(2), small);
        assert_eq!(units(100), large);
        free(large);
        free(small);
    }

    #[test]
    fn a_bin_serves_its_own_sizes_only() {
        let _turn = turn(Model::Windows);
        // Blocks of the bounds, and strings whose own blocks lie to either side.
        for (size, served, passed_by) in [
            (32, Some(2), 14),
            (33, None, 8),
            (64, Some(16), 8),
            (65, None, 26),
            (80, Some(30), 8),
            (256, Some(100), 16),
            (257, None, 16),
            (32768, Some(16000), 100),
        ] {
            let bstr = dressed_up(size);
            free(bstr);
            assert!(is_live(bstr), "{size}");
            let other = units(passed_by);
            assert_ne!(other, bstr, "{size}");
            if let Some(served) = served {
                assert_eq!(units(served), bstr, "{size}");
                free(bstr);
            }
            free(other);
            cache::set(Model::Windows);
        }
        let bstr = dressed_up(32769);
        free(bstr);
        assert!(!is_live(bstr));
    }

    #[test]
    fn one_that_is_too_small_is_left_for_another() {
        let _turn = turn(Model::Windows);
        let small = dressed_up(40);
        let large = dressed_up(64);
        free(small);
        free(large);
        assert_eq!(units(14), large, "it needs 48 bytes");
        assert!(is_live(small));
        free(large);
    }

    #[test]
    fn a_full_bin_gives_its_smallest_back() {
        let _turn = turn(Model::Windows);
        let sizes = [100, 90, 120, 90, 110, 200];
        let kept = sizes.map(dressed_up);
        for bstr in kept {
            free(bstr);
        }
        // No larger than the smallest: it goes itself.
        for size in [80, 90] {
            let newcomer = dressed_up(size);
            free(newcomer);
            assert!(!is_live(newcomer), "{size}");
        }
        // Larger: the older of the two smallest goes.
        let newcomer = dressed_up(95);
        free(newcomer);
        assert_eq!(kept.map(is_live), [true, false, true, true, true, true]);
        assert!(is_live(newcomer));
        // Another bin has room of its own.
        let other = dressed_up(64);
        free(other);
        assert!(is_live(other));
    }

    #[test]
    fn contents_are_not_touched() {
        let _turn = turn(Model::Windows);
        let bstr = units(20);
        // SAFETY: twenty units are this test's own.
        unsafe { bstr.write_bytes(0xAB, 20) };
        free(bstr);
        assert_eq!(units(17), bstr);
        // SAFETY: the block is the old one, and its contents are what they were.
        let stale = unsafe { std::slice::from_raw_parts(bstr, 17) };
        assert_eq!(stale, [0xABAB; 17]);
        // Prefix and terminator are the new string's; the block is not.
        // SAFETY: the string is live.
        assert_eq!(unsafe { raw::unit_len(bstr) }.get(), 17);
        // SAFETY: as above; the terminator stands there.
        assert_eq!(unsafe { bstr.wrapping_add(17).read() }, 0);
        assert_eq!(size(bstr), Some(block(20)));
        free(bstr);
    }

    #[test]
    fn a_reallocation_passes_it_by() {
        let _turn = turn(Model::Windows);
        let cached = units(24);
        let mut bstr = units(4);
        free(cached);
        // SAFETY: the variable holds a live string; no source is needed.
        assert!(unsafe { raw::realloc_units(&raw mut bstr, std::ptr::null(), UnitLen::new(24)) });
        assert_ne!(bstr, cached);
        assert!(is_live(cached));
        // A null string is an allocation like any other.
        let mut null = std::ptr::null_mut();
        // SAFETY: as above.
        assert!(unsafe { raw::realloc_units(&raw mut null, std::ptr::null(), UnitLen::new(24)) });
        assert_eq!(null, cached);
        free(bstr);
        free(null);
    }

    #[test]
    fn replacing_makes_and_frees() {
        let _turn = turn(Model::Windows);
        let cached = units(4);
        let mut bstr = units(4);
        let old = bstr;
        free(cached);
        // SAFETY: the variable holds a live string, the source ends in zero.
        assert!(unsafe { raw::realloc(&raw mut bstr, wide("text").as_ptr()) });
        assert_eq!(bstr, cached);
        assert_eq!(units(3), old);
        free(bstr);
        free(old);
    }

    #[test]
    fn the_safe_types_use_it() {
        let _turn = turn(Model::Windows);
        let first = Bstr::from("text").into_raw();
        free(first.cast_mut());
        let second = Bstr::from("next");
        assert_eq!(second.as_raw(), first);
        assert_eq!(second, "next");
        let third = Bstr::try_concat(second.as_bstr(), second.as_bstr()).expect("memory");
        assert_eq!(third, "nextnext");
    }
}

mod adversarial {
    use super::*;

    #[test]
    fn a_stale_pointer_meets_the_next_string() {
        let _turn = turn(Model::Adversarial);
        let first = units(100);
        let last = units(30);
        free(first);
        free(last);
        assert_eq!(units(30), last, "the newest");
        assert_eq!(units(1), first, "whatever its size");
        free(first);
        free(last);
        assert_eq!(units(100), first, "the newest that fits");
        let larger = units(101);
        assert_ne!(larger, last, "none fits");
        free(first);
        free(larger);
    }

    #[test]
    fn keeps_any_size_and_so_many() {
        let _turn = turn(Model::Adversarial);
        let large = units(1_000_000);
        free(large);
        assert_eq!(units(10), large);
        let many: Vec<*mut u16> = (0..64).map(|_| units(3)).collect();
        free(large);
        for bstr in &many {
            assert!(is_live(large));
            free(*bstr);
        }
        assert!(!is_live(large), "the oldest goes");
        assert!(many.iter().all(|bstr| is_live(*bstr)));
    }
}

/// What becomes of the cached when the model changes.
mod switching {
    use super::*;

    #[test]
    fn a_new_model_begins_empty() {
        for before in [Model::Windows, Model::Adversarial] {
            for after in [Model::Off, Model::Windows, Model::Adversarial] {
                let _turn = turn(before);
                let bstr = units(4);
                free(bstr);
                assert!(is_live(bstr));
                cache::set(after);
                assert!(!is_live(bstr), "it was given back");
                assert_eq!(cache::get(), after);
            }
        }
    }

    #[test]
    fn disabling_keeps_what_is_there_from_everybody() {
        let _turn = turn(Model::Windows);
        let bstr = units(4);
        free(bstr);
        cache::disable();
        assert_eq!(cache::get(), Model::Off);
        assert!(is_live(bstr));
        // Also from a later cache.
        cache::set(Model::Windows);
        let other = units(4);
        assert_ne!(other, bstr);
        assert!(is_live(bstr));
        free(other);
        cache::disable();
        cache::disable();
        // The allocator takes them back as it takes any block.
        free(bstr);
        free(other);
        assert!(!is_live(bstr) && !is_live(other));
    }

    #[test]
    fn off_is_the_default() {
        assert_eq!(Model::default(), Model::Off);
        let _turn = turn(Model::Off);
        let bstr = units(4);
        free(bstr);
        assert!(!is_live(bstr));
    }
}

#[test]
fn what_is_in_the_cache_cannot_fail() {
    for model in [Model::Windows, Model::Adversarial] {
        let _turn = turn(model);
        let bstr = units(4);
        free(bstr);
        let failing = fault::fail_nth(1);
        assert_eq!(units(4), bstr);
        assert!(!failing.has_failed());
        // SAFETY: no source is needed.
        let none = unsafe { raw::alloc_units(std::ptr::null(), UnitLen::new(4)) };
        assert!(none.is_null());
        assert!(failing.has_failed());
        free(bstr);
    }
}

/// Random sequences against a model of a few lines that knows ids, sizes and order, and no addresses.
mod laws {
    use super::*;
    use quickcheck::{Gen, QuickCheck};

    /// A string or block that was made, never to be forgotten: its address names it.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Made {
        bstr: *mut u16,
        size: usize,
    }

    /// The `windows` model: four queues.
    #[derive(Default)]
    struct Bins([Vec<Made>; 4]);

    impl Bins {
        fn of(&mut self, size: usize) -> Option<&mut Vec<Made>> {
            let bin = [32, 64, 256, 32768].iter().position(|most| size <= *most)?;
            Some(&mut self.0[bin])
        }
    }

    trait Naive: Default {
        const MODEL: Model;
        fn alloc(&mut self, size: usize) -> Option<Made>;
        /// Who goes to the heap, if anybody does.
        fn free(&mut self, made: Made) -> Option<Made>;
        fn all(&self) -> Vec<Made>;
    }

    impl Naive for Bins {
        const MODEL: Model = Model::Windows;

        fn alloc(&mut self, size: usize) -> Option<Made> {
            let bin = self.of(size)?;
            let at = bin.iter().position(|made| made.size >= size)?;
            Some(bin.remove(at))
        }

        fn free(&mut self, made: Made) -> Option<Made> {
            let Some(bin) = self.of(made.size) else {
                return Some(made);
            };
            bin.push(made);
            if bin.len() <= 6 {
                return None;
            }
            // The newcomer first: it is the one to go among equals.
            let least = bin.iter().map(|made| made.size).min()?;
            let at = if made.size == least {
                6
            } else {
                bin.iter().position(|made| made.size == least)?
            };
            Some(bin.remove(at))
        }

        fn all(&self) -> Vec<Made> {
            self.0.concat()
        }
    }

    /// The `adversarial` model: a stack.
    #[derive(Default)]
    struct Stack(Vec<Made>);

    impl Naive for Stack {
        const MODEL: Model = Model::Adversarial;

        fn alloc(&mut self, size: usize) -> Option<Made> {
            let at = self.0.iter().rposition(|made| made.size >= size)?;
            Some(self.0.remove(at))
        }

        fn free(&mut self, made: Made) -> Option<Made> {
            self.0.push(made);
            (self.0.len() > 64).then(|| self.0.remove(0))
        }

        fn all(&self) -> Vec<Made> {
            self.0.clone()
        }
    }

    const UNITS: [u32; 16] = [
        0, 3, 4, 11, 12, 19, 24, 27, 28, 60, 100, 123, 124, 500, 16379, 16380,
    ];
    const SIZES: [usize; 16] = [
        0, 8, 16, 31, 32, 33, 48, 64, 65, 70, 256, 257, 300, 32767, 32768, 32769,
    ];

    /// Bytes of a block that are written and compared.
    const MOST: usize = if cfg!(miri) { 8 } else { 300 };

    /// Bytes that are the holder's: what is behind a string in its block is nobody's, and AddressSanitizer knows.
    fn payload(made: Made) -> usize {
        if made.size < HEADER {
            return 0;
        }
        // SAFETY: the block has a header, which was written.
        unsafe { raw::byte_len(made.bstr) }.as_usize().min(MOST)
    }

    fn fill(made: Made) {
        let payload = payload(made);
        let byte = u8::try_from(made.bstr.addr() >> 4 & 0xFF).expect("eight bits");
        // SAFETY: so many bytes of the live block follow its header.
        unsafe { made.bstr.cast::<u8>().write_bytes(byte, payload) };
    }

    fn is_filled(made: Made) -> bool {
        let payload = payload(made);
        let byte = u8::try_from(made.bstr.addr() >> 4 & 0xFF).expect("eight bits");
        // SAFETY: as above; `fill` wrote them.
        let bytes = unsafe { std::slice::from_raw_parts(made.bstr.cast::<u8>(), payload) };
        bytes.iter().all(|found| *found == byte)
    }

    fn agrees<N: Naive>(steps: &[(u8, u8)]) {
        cache::set(N::MODEL);
        let mut naive = N::default();
        let mut live: Vec<Made> = Vec::new();
        for &(kind, number) in steps {
            let index = usize::from(number);
            match kind % 8 {
                0..=2 => {
                    let len = UNITS[index % UNITS.len()];
                    let expected = naive.alloc(block(len));
                    let bstr = units(len);
                    let size = size(bstr).expect("a live block");
                    match expected {
                        Some(made) => assert_eq!(made, Made { bstr, size }),
                        None => assert_eq!(size, block(len), "a new block"),
                    }
                    assert!(
                        live.iter().all(|made| made.bstr != bstr),
                        "handed out twice"
                    );
                    let made = Made { bstr, size };
                    fill(made);
                    live.push(made);
                }
                3 => {
                    let size = SIZES[index % SIZES.len()];
                    let made = Made {
                        bstr: dressed_up(size),
                        size,
                    };
                    if let Some(bytes) = size.checked_sub(HEADER) {
                        let prefix = made.bstr.cast::<u32>().wrapping_sub(1);
                        // SAFETY: the header is in the block.
                        unsafe { prefix.write_unaligned(u32::try_from(bytes).expect("few")) };
                    }
                    fill(made);
                    live.push(made);
                }
                4..=5 if !live.is_empty() => {
                    let made = live.swap_remove(index % live.len());
                    let gone = naive.free(made);
                    free(made.bstr);
                    if let Some(gone) = gone {
                        assert!(!is_live(gone.bstr), "{gone:?} is still there");
                    }
                }
                6 if N::MODEL == Model::Windows => {
                    let cached = naive.all();
                    if let Some(made) = cached.get(index % cached.len().max(1)) {
                        free(made.bstr);
                    }
                }
                7 if !live.is_empty() => {
                    let index = index % live.len();
                    let len = UNITS[usize::from(number) % UNITS.len()];
                    let mut bstr = live[index].bstr;
                    // SAFETY: the variable holds a live string; no source is needed.
                    let done = unsafe {
                        raw::realloc_units(&raw mut bstr, std::ptr::null(), UnitLen::new(len))
                    };
                    assert!(done);
                    let made = Made {
                        bstr,
                        size: size(bstr).expect("a live block"),
                    };
                    fill(made);
                    live[index] = made;
                }
                _ => {}
            }
            for made in naive.all() {
                assert!(is_live(made.bstr), "{made:?} is not there");
                assert_eq!(size(made.bstr), Some(made.size));
                assert!(is_filled(made), "{made:?} was touched");
            }
            assert!(live.iter().all(|made| is_filled(*made)));
        }
        for made in live {
            free(made.bstr);
        }
    }

    fn hold(law: fn(Vec<(u8, u8)>) -> bool) {
        let (tests, length) = if cfg!(miri) { (5, 12) } else { (100, 100) };
        QuickCheck::new()
            .rng(Gen::new(length))
            .tests(tests)
            .quickcheck(law);
    }

    #[test]
    fn windows() {
        fn law(steps: Vec<(u8, u8)>) -> bool {
            agrees::<Bins>(&steps);
            true
        }
        let _turn = turn(Model::Windows);
        hold(law);
    }

    #[test]
    fn adversarial() {
        fn law(steps: Vec<(u8, u8)>) -> bool {
            agrees::<Stack>(&steps);
            true
        }
        let _turn = turn(Model::Adversarial);
        hold(law);
    }
}

/// Strings that other threads free and are handed are whole, and nobody has one twice.
#[test]
fn threads() {
    let rounds = if cfg!(miri) { 20 } else { 3000 };
    for model in [Model::Windows, Model::Adversarial] {
        let _turn = turn(model);
        let mailbox = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for thread in 0..4_u16 {
                let mailbox = &mailbox;
                scope.spawn(move || {
                    let mut mine = Vec::new();
                    for round in 0..rounds {
                        let text = [thread; 40];
                        let text = &text[..usize::from(round % 40_u16) + 1];
                        mine.push(Bstr::from_wide(text));
                        if mine.len() == 8 {
                            for bstr in mine.drain(..) {
                                assert!(bstr.iter().all(|unit| *unit == thread));
                                mailbox.lock().expect("no thread panicked").push(bstr);
                            }
                        }
                        let others = mailbox.lock().expect("no thread panicked").pop();
                        if let Some(bstr) = others {
                            assert!(bstr.iter().all(|unit| *unit == bstr[0]));
                        }
                    }
                });
            }
            // The model may change meanwhile.
            scope.spawn(|| {
                for _ in 0..rounds / 10 {
                    cache::set(model);
                    thread::yield_now();
                }
            });
        });
    }
}

/// What the seam is told, and what not.
#[cfg(feature = "export")]
mod at_the_seam {
    use super::*;
    use olemem::seam::{BlockEvent, BstrEvent, Listener, Seat, listen};

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Event {
        Block(BlockEvent),
        Bstr(BstrEvent),
    }

    use Event::{Block, Bstr as OfBstr};

    static HEARD: Mutex<Vec<Heard>> = Mutex::new(Vec::new());

    /// Events hold pointers, which are not for other threads.
    struct Heard(Event);

    // SAFETY: the pointers are compared, never followed.
    unsafe impl Send for Heard {}

    struct Recorder;

    impl Listener for Recorder {
        fn block(&self, event: &BlockEvent) {
            HEARD.lock().expect("no panic").push(Heard(Block(*event)));
        }

        fn bstr(&self, event: &BstrEvent) {
            // It is kept already, and not handed out before this is over.
            if let BstrEvent::Cached { bstr, again: false } = *event {
                assert!(is_live(bstr.cast_mut()));
                HEARD.lock().expect("no panic").clear();
                if cache::get() == Model::Windows {
                    let other = units(4);
                    assert_ne!(other.cast_const(), bstr);
                    heap_free(other);
                    HEARD.lock().expect("no panic").clear();
                }
            }
            HEARD.lock().expect("no panic").push(Heard(OfBstr(*event)));
        }
    }

    /// Frees past the cache.
    fn heap_free(bstr: *mut u16) {
        // SAFETY: the string is live, and this is its last use.
        unsafe { heap::free(block_of(bstr), Family::Bstr) }
    }

    static RECORDER: Seat = Seat::new(&Recorder);

    fn heard() -> Vec<Event> {
        let mut heard = HEARD.lock().expect("no panic");
        heard.drain(..).map(|heard| heard.0).collect()
    }

    #[test]
    fn kept_and_handed_out_again() {
        for model in [Model::Windows, Model::Adversarial] {
            let _turn = turn(model);
            let bstr = units(4);
            let listening = listen(&RECORDER).expect("nobody else listens");
            heard();
            free(bstr);
            assert_eq!(heard(), [OfBstr(BstrEvent::Cached { bstr, again: false })]);
            if model == Model::Windows {
                free(bstr);
                assert_eq!(heard(), [OfBstr(BstrEvent::Cached { bstr, again: true })]);
            }
            assert_eq!(units(3), bstr);
            assert_eq!(heard(), [OfBstr(BstrEvent::Reused { bstr, bytes: 6 })]);
            // What the heap is asked for it tells of, as ever.
            let other = units(3);
            let allocated = BlockEvent::Allocated {
                block: block_of(other),
                size: block(3),
                family: Family::Bstr,
            };
            assert_eq!(heard(), [Block(allocated)]);
            heap_free(other);
            free(bstr);
            heard();
            // And of what leaves the cache.
            cache::set(Model::Off);
            let freeing = BlockEvent::Freeing {
                block: block_of(bstr),
                family: Family::Bstr,
            };
            assert_eq!(heard(), [Block(freeing)]);
            drop(listening);
        }
    }
}

/// Bad calls, in child processes.
#[cfg(all(unix, not(miri)))]
mod bad_calls {
    use super::*;
    use std::io::Write;
    use std::os::unix::process::ExitStatusExt;

    const NO_BLOCK: &str = "no live block is there (freed before, or never from this heap)";
    const CACHED: &str = "it is a BSTR that was freed before and is in the cache";

    const INSIDE: &str = match HEADER {
        8 => "it points 10 bytes into a live block of 64 bytes (BSTR)",
        _ => "it points 6 bytes into a live block of 64 bytes (BSTR)",
    };

    fn cached() -> *mut u16 {
        let bstr = units(22);
        free(bstr);
        bstr
    }

    struct Case {
        name: &'static str,
        model: &'static str,
        pointer: fn() -> *mut u8,
        call: fn(*mut u8),
        line: (&'static str, &'static str, &'static str),
    }

    fn free_bstr(pointer: *mut u8) {
        free(pointer.cast());
    }

    fn free_task(pointer: *mut u8) {
        // SAFETY: not met, on purpose: the heap refuses.
        unsafe { heap::free(pointer, Family::Task) }
    }

    const FREE: &str = "free of";
    const BSTR: &str = "as BSTR";

    const CASES: &[Case] = &[
        Case {
            name: "a literal",
            model: "windows",
            pointer: || olemem::bstr!("literal").as_raw().cast_mut().cast(),
            call: free_bstr,
            line: (FREE, BSTR, NO_BLOCK),
        },
        Case {
            name: "inside a cached string",
            model: "windows",
            pointer: || cached().wrapping_add(1).cast(),
            call: free_bstr,
            line: (FREE, BSTR, INSIDE),
        },
        Case {
            name: "task memory as it is",
            model: "windows",
            pointer: || heap::alloc(64, Family::Task),
            call: free_bstr,
            line: (FREE, BSTR, "it is task memory"),
        },
        Case {
            name: "a second free of one that was too large",
            model: "windows",
            pointer: || {
                let bstr = units(20_000);
                free(bstr);
                bstr.cast()
            },
            call: free_bstr,
            line: (FREE, BSTR, NO_BLOCK),
        },
        Case {
            name: "a second free of one that had to go",
            model: "windows",
            pointer: || {
                let all = [(); 7].map(|()| units(22));
                all.into_iter().for_each(free);
                all[6].cast()
            },
            call: free_bstr,
            line: (FREE, BSTR, NO_BLOCK),
        },
        Case {
            name: "a second free of one that left for another",
            model: "windows",
            pointer: || {
                let small = units(14);
                free(small);
                let all = [(); 6].map(|()| units(22));
                all.into_iter().for_each(free);
                small.cast()
            },
            call: free_bstr,
            line: (FREE, BSTR, NO_BLOCK),
        },
        Case {
            name: "a second free, adversarial",
            model: "adversarial",
            pointer: || cached().cast(),
            call: free_bstr,
            line: (FREE, BSTR, CACHED),
        },
        Case {
            name: "a literal, adversarial",
            model: "adversarial",
            pointer: || olemem::bstr!("literal").as_raw().cast_mut().cast(),
            call: free_bstr,
            line: (FREE, BSTR, NO_BLOCK),
        },
        Case {
            name: "the block of a cached string",
            model: "windows",
            pointer: || block_of(cached()),
            call: free_task,
            line: (FREE, "as task memory", CACHED),
        },
        Case {
            name: "the block of a cached string, reallocated",
            model: "windows",
            pointer: || block_of(cached()),
            call: |pointer| {
                // SAFETY: not met, on purpose: the heap refuses.
                let _ = unsafe { heap::realloc(pointer, 100, Family::Task) };
            },
            line: ("reallocation of", "as task memory", CACHED),
        },
        Case {
            name: "a cached string, reallocated",
            model: "windows",
            pointer: || cached().cast(),
            call: |pointer| {
                let mut bstr = pointer.cast();
                // SAFETY: not met, on purpose: the heap refuses.
                let _ = unsafe {
                    raw::realloc_units(&raw mut bstr, std::ptr::null(), UnitLen::new(100))
                };
            },
            line: ("reallocation of", BSTR, CACHED),
        },
    ];

    #[test]
    fn child() {
        let Some(deed) = children::deed() else { return };
        let case = CASES.iter().find(|case| case.name == deed);
        let case = case.expect("a known deed");
        let pointer = (case.pointer)();
        println!("ADDRESS {pointer:p}");
        std::io::stdout().flush().expect("standard output is open");
        (case.call)(pointer);
        println!("STILL THERE");
    }

    #[test]
    fn one_line_and_the_end() {
        const SIGABRT: i32 = 6;
        for case in CASES {
            let mut command = children::child("bad_calls::child", case.name);
            command.env("OLEMEM", format!("plain,cache={}", case.model));
            command.env_remove("OANOCACHE");
            let output = command.output().expect("the test binary starts");
            let all = format!("{}: {}", case.name, children::all_of(&output));
            assert_eq!(output.status.signal(), Some(SIGABRT), "{all}");
            let stdout = String::from_utf8_lossy(&output.stdout);
            let (_, address) = stdout.split_once("ADDRESS ").expect(&all);
            let (call, family, why) = case.line;
            assert_eq!(
                String::from_utf8_lossy(&output.stderr),
                format!("olemem: {call} {} {family}: {why}\n", address.trim_end()),
                "{}",
                case.name
            );
        }
    }
}
