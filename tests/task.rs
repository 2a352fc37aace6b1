//! `TaskBox`, `TaskSlice`, `TaskStr` and `TaskAllocator`, from outside.
#![cfg(feature = "std")]

#[path = "support/balance.rs"]
mod balance;

use std::cell::{Cell, RefCell};
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::MutexGuard;

use olemem::error::{CreateError, InteriorNul, OutOfMemory, StrError};
use olemem::fault::fail_nth;
use olemem::heap::{self, ALIGN, DidAlloc, Family};
use olemem::{HResult, TaskAllocator, TaskBox, TaskSlice, TaskStr};
use static_assertions::{assert_eq_size, assert_impl_all, assert_not_impl_any, const_assert_eq};

use balance::balanced;

assert_eq_size!(TaskBox<[u64; 9]>, Option<TaskBox<[u64; 9]>>, *mut u8);
assert_eq_size!(
    TaskStr,
    TaskStr<u8>,
    Option<TaskStr>,
    Option<TaskStr<u8>>,
    *mut u8
);
assert_eq_size!(TaskSlice<u8>, Option<TaskSlice<u8>>, (*mut u8, usize));
assert_eq_size!(TaskAllocator, ());
const_assert_eq!(ALIGN, 2 * size_of::<usize>());

// What a box may do, these may; what it may not, these may not.
assert_impl_all!(TaskBox<u8>: Send, Sync, Unpin);
assert_impl_all!(TaskSlice<u8>: Send, Sync, Unpin);
assert_impl_all!(TaskStr: Send, Sync, Unpin);
assert_impl_all!(TaskStr<u8>: Send, Sync, Unpin);
assert_impl_all!(TaskAllocator: Send, Sync, Unpin, Copy, Default, Eq);
assert_impl_all!(TaskBox<Cell<u8>>: Send);
assert_not_impl_any!(TaskBox<Cell<u8>>: Sync);
assert_impl_all!(TaskSlice<Cell<u8>>: Send);
assert_not_impl_any!(TaskSlice<Cell<u8>>: Sync);
assert_impl_all!(TaskBox<MutexGuard<'static, u8>>: Sync);
assert_not_impl_any!(TaskBox<MutexGuard<'static, u8>>: Send);
assert_impl_all!(TaskSlice<MutexGuard<'static, u8>>: Sync);
assert_not_impl_any!(TaskSlice<MutexGuard<'static, u8>>: Send);
assert_not_impl_any!(TaskBox<Rc<u8>>: Send, Sync);
assert_not_impl_any!(TaskSlice<Rc<u8>>: Send, Sync);
assert_not_impl_any!(TaskBox<*const u8>: Send, Sync);
assert_not_impl_any!(TaskBox<u8>: Copy);

fn no_memory(requested: usize) -> CreateError {
    CreateError::OutOfMemory(OutOfMemory { requested })
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

/// The message of a panic.
#[track_caller]
fn panic_of<T>(what: impl FnOnce() -> T) -> String {
    let payload = panic::catch_unwind(AssertUnwindSafe(|| drop(what()))).expect_err("it panics");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a message")).to_owned(),
    }
}

/// Counts its own drops, and clones; panics where it is told to.
struct Counted<'a> {
    log: &'a Log,
    id: usize,
}

#[derive(Default)]
struct Log {
    dropped: RefCell<Vec<usize>>,
    clones_left: Cell<Option<usize>>,
    drop_panics_at: Cell<Option<usize>>,
}

impl Log {
    fn dropped(&self) -> Vec<usize> {
        self.dropped.take()
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.log.dropped.borrow_mut().push(self.id);
        assert_ne!(
            self.log.drop_panics_at.get(),
            Some(self.id),
            "a drop that panics"
        );
    }
}

impl Clone for Counted<'_> {
    fn clone(&self) -> Self {
        if let Some(left) = self.log.clones_left.get() {
            assert_ne!(left, 0, "a clone that panics");
            self.log.clones_left.set(Some(left - 1));
        }
        Self {
            log: self.log,
            id: self.id + 100,
        }
    }
}

impl fmt::Debug for Counted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.id)
    }
}

/// The most that a block is aligned to.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(target_pointer_width = "64", repr(align(16)))]
#[cfg_attr(target_pointer_width = "32", repr(align(8)))]
struct Aligned(u8);

const_assert_eq!(align_of::<Aligned>(), ALIGN);

mod boxes {
    use super::*;

    #[test]
    fn a_box_is_a_task_block_of_the_size_of_its_value() {
        let _balance = balanced();
        let boxed = TaskBox::new([1_u8, 2, 3]);
        let block = TaskBox::as_raw(&boxed).cast::<u8>();
        assert_eq!(whose(block), DidAlloc::Yes);
        assert_eq!(extent(block), Some(3));
        assert_eq!(block.addr() % ALIGN, 0);
        assert_eq!(*boxed, [1, 2, 3]);
    }

    #[test]
    fn its_value_is_dropped_once() {
        let _balance = balanced();
        let log = Log::default();
        drop(TaskBox::new(Counted { log: &log, id: 1 }));
        assert_eq!(log.dropped(), [1]);
        let taken = TaskBox::into_inner(TaskBox::new(Counted { log: &log, id: 2 }));
        assert_eq!(log.dropped(), [0; 0]);
        drop(taken);
        assert_eq!(log.dropped(), [2]);
    }

    #[test]
    fn it_is_given_away_and_taken_back() {
        let _balance = balanced();
        let log = Log::default();
        let boxed = TaskBox::new(Counted { log: &log, id: 7 });
        let address = TaskBox::as_raw(&boxed);
        let raw = TaskBox::into_raw(boxed);
        assert_eq!(raw, address);
        assert_eq!(log.dropped(), [0; 0]);
        // SAFETY: given away above, and taken back once.
        let boxed = unsafe { TaskBox::from_raw(raw) };
        assert_eq!(boxed.id, 7);
        drop(boxed);
        assert_eq!(log.dropped(), [7]);
    }

    #[test]
    fn c_frees_what_it_is_given() {
        let _balance = balanced();
        let raw = TaskBox::into_raw(TaskBox::new(5_u32));
        // SAFETY: live, of the family, and its last use.
        unsafe { heap::free(raw.cast(), Family::Task) };
    }

    #[test]
    fn it_takes_over_what_c_allocated() {
        let _balance = balanced();
        let block = heap::alloc(size_of::<u64>(), Family::Task).cast::<u64>();
        assert!(!block.is_null());
        // SAFETY: a new block of that size, aligned as blocks are.
        unsafe { block.write(9) };
        // SAFETY: a live task block that holds a value, handed over here.
        let mut boxed = unsafe { TaskBox::from_raw(block) };
        *boxed += 1;
        assert_eq!(*boxed, 10);
    }

    #[test]
    fn it_does_what_its_value_does() {
        let _balance = balanced();
        let log = Log::default();
        let boxed = TaskBox::new(Counted { log: &log, id: 1 });
        let copy = boxed.clone();
        assert_eq!(format!("{boxed:?} {copy:?}"), "#1 #101");
        assert_ne!(TaskBox::as_raw(&boxed), TaskBox::as_raw(&copy));
        assert_eq!(*TaskBox::<u32>::default(), 0);
        assert_eq!(format!("{:04}", *TaskBox::new(7)), "0007");
        assert_eq!(format!("{:#?}", TaskBox::new([7])), format!("{:#?}", [7]));
    }

    #[test]
    fn values_of_no_size_have_blocks_of_their_own() {
        let _balance = balanced();
        struct Nothing<'a>(&'a Cell<u32>, [u8; 0]);
        impl Drop for Nothing<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        let (one, two) = (TaskBox::new(()), TaskBox::new(()));
        assert_ne!(TaskBox::as_raw(&one), TaskBox::as_raw(&two));
        assert_eq!(extent(TaskBox::as_raw(&one).cast()), Some(0));
        drop(one);

        thread_local! { static DROPPED: Cell<u32> = const { Cell::new(0) }; }
        struct Empty;
        impl Drop for Empty {
            fn drop(&mut self) {
                DROPPED.set(DROPPED.get() + 1);
            }
        }
        assert_eq!(size_of::<Empty>(), 0);
        drop(TaskBox::new(Empty));
        drop(TaskBox::into_inner(TaskBox::new(Empty)));
        drop(TaskSlice::try_from_fn(5, |_| Empty).expect("there is memory"));
        assert_eq!(DROPPED.get(), 7);

        let count = Cell::new(0);
        drop(TaskBox::new(Nothing(&count, [])));
        assert_eq!(count.get(), 1);
    }

    #[test]
    fn blocks_are_aligned_for_what_they_hold() {
        let _balance = balanced();
        let boxes: Vec<_> = (0..20)
            .map(|n| (TaskBox::new(n), TaskBox::new(Aligned(n))))
            .collect();
        for (n, (small, aligned)) in (0_u8..).zip(&boxes) {
            assert_eq!(TaskBox::as_raw(small).addr() % ALIGN, 0);
            assert_eq!(TaskBox::as_raw(aligned).addr() % ALIGN, 0);
            assert_eq!((**small, **aligned), (n, Aligned(n)));
        }
        let slice = TaskSlice::try_from_slice(&[Aligned(1); 3]).expect("there is memory");
        assert_eq!(slice.as_ptr().addr() % ALIGN, 0);
    }

    #[test]
    fn without_memory_the_value_comes_back() {
        let _balance = balanced();
        let log = Log::default();
        let failing = fail_nth(1);
        let refused = TaskBox::try_new(Counted { log: &log, id: 3 }).expect_err("no memory");
        assert!(failing.has_failed());
        assert_eq!(refused.error, no_memory(size_of::<Counted<'_>>()));
        assert_eq!(
            refused.to_string(),
            format!(
                "no memory for a block of {} bytes",
                size_of::<Counted<'_>>()
            )
        );
        assert_eq!(log.dropped(), [0; 0], "the value is unharmed");
        assert_eq!(HResult::from(refused), HResult::E_OUTOFMEMORY);
        assert_eq!(log.dropped(), [3]);
        assert!(TaskBox::try_new(1_u8).is_ok(), "only the first was to fail");
    }

    #[test]
    fn the_convenient_forms_panic_and_lose_nothing() {
        let _balance = balanced();
        let log = Log::default();
        let size = size_of::<Counted<'_>>();
        let wanted = format!("task memory: no memory for a block of {size} bytes");
        let original = TaskBox::new(Counted { log: &log, id: 1 });

        let failing = fail_nth(1);
        assert_eq!(
            panic_of(|| TaskBox::new(Counted { log: &log, id: 2 })),
            wanted
        );
        assert!(failing.has_failed());
        assert_eq!(log.dropped(), [2]);

        let failing = fail_nth(1);
        assert_eq!(panic_of(|| original.clone()), wanted);
        assert!(failing.has_failed());
        assert_eq!(log.dropped(), [101]);

        let failing = fail_nth(1);
        assert_eq!(
            panic_of(TaskBox::<u64>::default),
            "task memory: no memory for a block of 8 bytes"
        );
        assert!(failing.has_failed());
    }

    #[test]
    fn a_drop_or_clone_that_panics_frees_the_block_all_the_same() {
        let _balance = balanced();
        let log = Log::default();
        log.drop_panics_at.set(Some(4));
        let message = panic_of(|| drop(TaskBox::new(Counted { log: &log, id: 4 })));
        assert!(message.contains("a drop that panics"), "{message}");
        assert_eq!(log.dropped(), [4]);

        log.clones_left.set(Some(0));
        let original = TaskBox::new(Counted { log: &log, id: 5 });
        let message = panic_of(|| original.clone());
        assert!(message.contains("a clone that panics"), "{message}");
        assert_eq!(log.dropped(), [0; 0]);
    }

    #[test]
    fn it_crosses_threads() {
        let _balance = balanced();
        let boxed = TaskBox::new(String::from("moved"));
        let boxed = std::thread::spawn(move || {
            assert_eq!(*boxed, "moved");
            boxed
        })
        .join()
        .expect("it does not panic");
        assert_eq!(TaskBox::into_inner(boxed), "moved");
    }
}

mod slices {
    use super::*;

    fn counted<'a>(log: &'a Log, len: usize) -> TaskSlice<Counted<'a>> {
        TaskSlice::try_from_fn(len, |id| Counted { log, id }).expect("there is memory")
    }

    #[test]
    fn a_slice_is_one_block_of_exact_size() {
        let _balance = balanced();
        for len in [0, 1, 2, 7, 100] {
            let slice =
                TaskSlice::try_from_fn(len, |n| u32::try_from(n).expect("small")).expect("memory");
            let block = slice.as_ptr().cast_mut().cast::<u8>();
            assert_eq!(whose(block), DidAlloc::Yes);
            assert_eq!(extent(block), Some(4 * len));
            assert!(
                slice
                    .iter()
                    .copied()
                    .eq(0..u32::try_from(len).expect("small"))
            );
        }
    }

    #[test]
    fn its_values_are_dropped_once_and_in_order() {
        let _balance = balanced();
        let log = Log::default();
        drop(counted(&log, 4));
        assert_eq!(log.dropped(), [0, 1, 2, 3]);
    }

    #[test]
    fn it_is_given_away_and_taken_back() {
        let _balance = balanced();
        let log = Log::default();
        let slice = counted(&log, 3);
        let address = slice.as_ptr();
        let (raw, len) = TaskSlice::into_raw_parts(slice);
        assert_eq!((raw.cast_const(), len), (address, 3));
        assert_eq!(log.dropped(), [0; 0]);
        // SAFETY: given away above, and taken back once.
        let mut slice = unsafe { TaskSlice::from_raw_parts(raw, len) };
        slice[1].id = 9;
        assert_eq!(format!("{slice:?}"), "[#0, #9, #2]");
        drop(slice);
        assert_eq!(log.dropped(), [0, 9, 2]);

        let (raw, _) =
            TaskSlice::into_raw_parts(TaskSlice::try_from_slice(&[1, 2]).expect("there is memory"));
        // SAFETY: live, of the family, and its last use; numbers need no drop.
        unsafe { heap::free(raw.cast(), Family::Task) };
    }

    #[test]
    fn copies_are_clones() {
        let _balance = balanced();
        let log = Log::default();
        let originals = [1, 2].map(|id| Counted { log: &log, id });
        let slice = TaskSlice::try_from_slice(&originals).expect("there is memory");
        assert_eq!(format!("{slice:?}"), "[#101, #102]");
        drop(slice);
        assert_eq!(log.dropped(), [101, 102]);
    }

    /// A clone that panics midway: what was made goes, what was not is not touched, the block is freed.
    #[test]
    fn a_clone_that_panics_leaves_nothing_behind() {
        for at in 0..4 {
            let _balance = balanced();
            let log = Log::default();
            let originals = [0, 1, 2, 3].map(|id| Counted { log: &log, id });
            log.clones_left.set(Some(at));
            let message = panic_of(|| TaskSlice::try_from_slice(&originals));
            assert!(message.contains("a clone that panics"), "{message}");
            let made: Vec<usize> = (100..100 + at).collect();
            assert_eq!(log.dropped(), made);
        }
    }

    #[test]
    fn a_drop_that_panics_drops_the_rest_and_frees_the_block() {
        for at in 0..4 {
            let _balance = balanced();
            let log = Log::default();
            log.drop_panics_at.set(Some(at));
            let slice = counted(&log, 4);
            let message = panic_of(|| drop(slice));
            assert!(message.contains("a drop that panics"), "{message}");
            assert_eq!(log.dropped(), [0, 1, 2, 3]);
        }
    }

    #[test]
    fn without_memory_nothing_is_made() {
        let _balance = balanced();
        let failing = fail_nth(1);
        let error = TaskSlice::<u32>::try_from_fn(5, |_| panic!("nothing is to be made"))
            .expect_err("no memory");
        assert!(failing.has_failed());
        assert_eq!(error, no_memory(20));
        let log = Log::default();
        let originals = [Counted { log: &log, id: 1 }];
        let failing = fail_nth(1);
        assert!(TaskSlice::try_from_slice(&originals).is_err());
        assert!(failing.has_failed());
        assert_eq!(log.dropped(), [0; 0]);
    }

    #[test]
    fn sizes_never_wrap() {
        let _balance = balanced();
        let half = usize::MAX / 2 + 1;
        for (len, requested) in [
            (half, usize::MAX),
            (usize::MAX, usize::MAX),
            (half / 2, half),
        ] {
            let error = TaskSlice::<u16>::try_from_fn(len, |_| panic!("nothing is to be made"))
                .expect_err("more than there can be");
            assert_eq!(error, no_memory(requested));
        }
    }

    #[test]
    fn many_values_of_no_size() {
        let _balance = balanced();
        let slice = TaskSlice::try_from_fn(1000, |_| ()).expect("there is memory");
        assert_eq!(slice.len(), 1000);
        assert_eq!(extent(slice.as_ptr().cast_mut().cast()), Some(0));
    }
}

mod strings {
    use super::*;

    const TEXTS: [&str; 6] = ["", "a", "olé", "\u{20AC}", "🎈", "a longer text ✓"];

    fn hash_of(value: &impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn wide_text_there_and_back() {
        let _balance = balanced();
        for text in TEXTS {
            let units: Vec<u16> = text.encode_utf16().collect();
            let string: TaskStr = TaskStr::try_from_str(text).expect("no nul");
            assert_eq!(string.as_units(), units);
            assert_eq!(
                string.as_units_with_nul(),
                units.iter().copied().chain([0]).collect::<Vec<_>>()
            );
            let block = string.as_raw().cast_mut().cast::<u8>();
            assert_eq!(extent(block), Some(2 * (units.len() + 1)));
            assert_eq!(string.try_to_string().ok().as_deref(), Some(text));
            assert_eq!(string.to_string_lossy(), text);
            assert_eq!(string.to_string(), text);
            assert_eq!(format!("{string:>20.2}|"), format!("{text:>20.2}|"));
            assert_eq!(format!("{string:?}"), format!("{text:?}"));
            assert_eq!(string, text);
            assert_eq!(string, *text);
            assert_eq!(string, TaskStr::try_from_units(&units).expect("no nul"));
        }
    }

    #[test]
    fn narrow_text_there_and_back() {
        let _balance = balanced();
        for text in TEXTS {
            let string = TaskStr::<u8>::try_from_str(text).expect("no nul");
            assert_eq!(string.as_units(), text.as_bytes());
            assert_eq!(string.as_units_with_nul(), format!("{text}\0").as_bytes());
            let block = string.as_raw().cast_mut();
            assert_eq!(extent(block), Some(text.len() + 1));
            assert_eq!(string.try_to_string().as_deref(), Ok(text));
            assert_eq!(string.to_string(), text);
            assert_eq!(format!("{string:?}"), format!("{text:?}"));
            assert_eq!(string, text);
            assert_eq!(
                string,
                TaskStr::<u8>::try_from_units(text.as_bytes()).expect("no nul")
            );
        }
    }

    #[test]
    fn what_is_no_text_is_kept_and_told() {
        let _balance = balanced();
        let wide: TaskStr = TaskStr::try_from_units(&[0x61, 0xD800]).expect("no nul");
        assert!(wide.try_to_string().is_err());
        assert_eq!(wide.to_string_lossy(), "a\u{FFFD}");
        assert_eq!(wide.clone().as_units(), [0x61, 0xD800]);
        let narrow = TaskStr::<u8>::try_from_units(b"a\xFFz").expect("no nul");
        let error = narrow.try_to_string().expect_err("not UTF-8");
        assert_eq!(error.valid_up_to(), 1);
        assert_eq!(narrow.to_string(), "a\u{FFFD}z");
        assert_ne!(narrow, "a\u{FFFD}z");
    }

    #[test]
    fn a_nul_inside_is_refused_where_it_is() {
        let _balance = balanced();
        let failing = fail_nth(1);
        let nul = |index| StrError::InteriorNul(InteriorNul { index });
        for (text, wide, narrow) in [
            ("\0", 0, 0),
            ("a\0b", 1, 1),
            ("é🎈\0", 3, 6),
            ("a\0\0", 1, 1),
        ] {
            assert_eq!(TaskStr::<u16>::try_from_str(text), Err(nul(wide)));
            assert_eq!(TaskStr::<u8>::try_from_str(text), Err(nul(narrow)));
        }
        assert_eq!(TaskStr::<u16>::try_from_units(&[1, 0]), Err(nul(1)));
        assert_eq!(TaskStr::<u8>::try_from_units(&[0]), Err(nul(0)));
        assert_eq!(
            nul(6).to_string(),
            "nul at index 6 of a zero-terminated string"
        );
        assert_eq!(HResult::from(nul(0)), HResult::E_INVALIDARG);
        assert!(!failing.has_failed(), "no memory was asked for");
    }

    #[test]
    fn it_is_given_away_and_taken_back() {
        let _balance = balanced();
        let string: TaskStr = TaskStr::try_from_str("name").expect("no nul");
        let address = string.as_raw();
        let raw = TaskStr::into_raw(string);
        assert_eq!(raw.cast_const(), address);
        // SAFETY: given away above, and taken back once.
        let string = unsafe { TaskStr::from_raw(raw) };
        assert_eq!(string, "name");
        let raw = TaskStr::into_raw(string);
        // SAFETY: live, of the family, and its last use.
        unsafe { heap::free(raw.cast(), Family::Task) };
    }

    /// C may shorten a string in its buffer: the first zero ends it.
    #[test]
    fn it_ends_at_the_first_zero() {
        let _balance = balanced();
        let raw = TaskStr::into_raw(TaskStr::<u8>::try_from_str("longer").expect("no nul"));
        // SAFETY: within the string.
        let at = unsafe { raw.add(4) };
        // SAFETY: as above; nothing else uses the string.
        unsafe { at.write(0) };
        // SAFETY: given away above, and taken back once.
        let string = unsafe { TaskStr::<u8>::from_raw(raw) };
        assert_eq!(string, "long");
        assert_eq!(string.clone().as_units_with_nul(), b"long\0");
    }

    #[test]
    fn it_compares_by_units() {
        let make = |text| TaskStr::<u16>::try_from_str(text).expect("no nul");
        let (a, b) = (make("a"), make("b"));
        assert!(a < b);
        assert!(make("") < a);
        assert!(make("\u{10000}") < make("\u{FFFF}"));
        assert_eq!(a, a.clone());
        assert_eq!(hash_of(&a), hash_of(&a.clone()));
        assert_ne!(hash_of(&a), hash_of(&b));
        assert_ne!(a, "ab");
        assert_ne!(a, "");
    }

    #[test]
    fn without_memory() {
        let _balance = balanced();
        let string: TaskStr = TaskStr::try_from_str("four").expect("no nul");
        let failing = fail_nth(1);
        let error = TaskStr::<u16>::try_from_str("four").expect_err("no memory");
        assert!(failing.has_failed());
        assert_eq!(error, StrError::Create(no_memory(10)));
        assert_eq!(error.to_string(), "no memory for a block of 10 bytes");
        assert_eq!(HResult::from(error), HResult::E_OUTOFMEMORY);
        let failing = fail_nth(1);
        assert_eq!(
            TaskStr::<u8>::try_from_units(b"four"),
            Err(StrError::Create(no_memory(5)))
        );
        assert!(failing.has_failed());
        let failing = fail_nth(1);
        assert_eq!(
            panic_of(|| string.clone()),
            "task memory: no memory for a block of 10 bytes"
        );
        assert!(failing.has_failed());
        assert_eq!(string, "four");
    }
}

/// The same tests over each version of the trait.
macro_rules! allocator_tests {
    ($module:ident, $version:ident) => {
        mod $module {
            use std::alloc::Layout;
            use std::mem::ManuallyDrop;
            use std::ptr::NonNull;

            use super::*;
            use $version::alloc::{AllocError, Allocator};
            use $version::boxed::Box;
            use $version::vec::Vec;

            fn layout(size: usize) -> Layout {
                Layout::from_size_align(size, 1).expect("a valid layout")
            }

            fn contents(block: NonNull<[u8]>) -> std::vec::Vec<u8> {
                // SAFETY: the tests ask for initialised blocks.
                unsafe { block.as_ref() }.to_vec()
            }

            fn free(block: NonNull<[u8]>) {
                let layout = layout(block.len());
                // SAFETY: live, of that layout, and its last use.
                unsafe { TaskAllocator.deallocate(block.cast(), layout) };
            }

            fn filled(size: usize) -> NonNull<[u8]> {
                let block = TaskAllocator
                    .allocate(layout(size))
                    .expect("there is memory");
                for (n, byte) in (1..=u8::MAX).cycle().take(size).enumerate() {
                    // SAFETY: within the block.
                    let at = unsafe { block.cast::<u8>().add(n) };
                    // SAFETY: as above.
                    unsafe { at.write(byte) };
                }
                block
            }

            #[test]
            fn blocks_are_exact_task_blocks() {
                let _balance = balanced();
                for size in [0, 1, 15, 16, 17, 1000] {
                    for align in [1, 2, ALIGN / 2, ALIGN] {
                        let layout = Layout::from_size_align(size, align).expect("valid");
                        let block = TaskAllocator.allocate(layout).expect("there is memory");
                        let start = block.cast::<u8>().as_ptr();
                        assert_eq!(block.len(), size);
                        assert_eq!(start.addr() % align, 0);
                        // No bytes need no block.
                        if size != 0 {
                            assert_eq!(extent(start), Some(size));
                            assert_eq!(whose(start), DidAlloc::Yes);
                            assert_eq!(start.addr() % ALIGN, 0);
                        }
                        // SAFETY: live, of that layout, and its last use.
                        unsafe { TaskAllocator.deallocate(block.cast(), layout) };
                    }
                }
            }

            #[test]
            fn zeroed_blocks_are_zero() {
                let _balance = balanced();
                // The memory of a block that was full, if the system gives it again.
                free(filled(200));
                let block = TaskAllocator.allocate_zeroed(layout(200)).expect("memory");
                assert_eq!(contents(block), [0; 200]);
                free(block);
                let block = TaskAllocator.allocate_zeroed(layout(0)).expect("memory");
                assert_eq!(block.len(), 0);
                free(block);
            }

            #[test]
            fn growing_keeps_the_contents() {
                let _balance = balanced();
                for (old, new) in [(0, 0), (0, 5), (5, 5), (5, 6), (16, 4000), (33, 34)] {
                    let block = filled(old);
                    let before = contents(block);
                    let (start, old_layout) = (block.cast(), layout(old));
                    // SAFETY: live, of the old layout; the new one is no smaller.
                    let grown = unsafe { TaskAllocator.grow(start, old_layout, layout(new)) };
                    let grown = grown.expect("there is memory");
                    assert_eq!(grown.len(), new);
                    if new != 0 {
                        assert_eq!(extent(grown.cast::<u8>().as_ptr()), Some(new));
                    }
                    let kept = NonNull::slice_from_raw_parts(grown.cast::<u8>(), old);
                    assert_eq!(contents(kept), before);
                    free(grown);
                }
            }

            #[test]
            fn growing_zeroed_clears_the_rest() {
                let _balance = balanced();
                for (full, old, new) in [(9, 9, 9), (0, 0, 8), (64, 5, 64), (64, 5, 2000)] {
                    let block = filled(full);
                    let (start, full_layout) = (block.cast(), layout(full));
                    // SAFETY: live, of the full layout; the new one is no larger.
                    let block = unsafe { TaskAllocator.shrink(start, full_layout, layout(old)) };
                    let block = block.expect("nothing was planned to fail");
                    let mut expected = contents(block);
                    // SAFETY: live, of the old layout; the new one is no smaller.
                    let grown = unsafe {
                        TaskAllocator.grow_zeroed(block.cast(), layout(old), layout(new))
                    }
                    .expect("there is memory");
                    expected.resize(new, 0);
                    assert_eq!(contents(grown), expected);
                    free(grown);
                }
            }

            #[test]
            fn shrinking_keeps_the_contents_and_is_no_failure() {
                let _balance = balanced();
                let mut block = filled(100);
                let before = contents(block);
                let failing = fail_nth(1);
                for (old, new) in [(100, 100), (100, 64), (64, 1), (1, 0), (0, 0)] {
                    let start = block.cast();
                    // SAFETY: live, of the old layout; the new one is no larger.
                    let shrunk = unsafe { TaskAllocator.shrink(start, layout(old), layout(new)) };
                    block = shrunk.expect("shrinking needs no memory");
                    assert_eq!(contents(block), before[..new]);
                    if new != 0 {
                        assert_eq!(extent(block.cast::<u8>().as_ptr()), Some(new));
                    }
                }
                assert!(!failing.has_failed());
                free(block);
            }

            /// A collection without capacity has no buffer, and gives none back: nothing may have been
            /// allocated for it.
            #[test]
            fn no_bytes_are_no_block() {
                let _balance = balanced();
                let failing = fail_nth(1);
                for align in [1, 4, ALIGN] {
                    let none = Layout::from_size_align(0, align).expect("valid");
                    for block in [
                        TaskAllocator.allocate(none).expect("needs no memory"),
                        TaskAllocator
                            .allocate_zeroed(none)
                            .expect("needs no memory"),
                    ] {
                        assert_eq!(block.len(), 0);
                        assert_eq!(block.cast::<u8>().addr().get() % align, 0);
                    }
                }
                let mut texts: Vec<String, _> = Vec::with_capacity_in(0, TaskAllocator);
                texts.shrink_to_fit();
                drop(texts.into_boxed_slice());
                let mut nothing = Vec::new_in(TaskAllocator);
                nothing.extend([(); 100]);
                drop(nothing.into_boxed_slice());
                drop(Box::new_in([0_u64; 0], TaskAllocator));
                assert!(!failing.has_failed());
                drop(failing);
                let mut emptied = Vec::new_in(TaskAllocator);
                emptied.extend([1, 2, 3]);
                emptied.clear();
                emptied.shrink_to_fit();
                drop(emptied.into_boxed_slice());
            }

            #[test]
            fn more_alignment_than_there_is_is_refused() {
                let _balance = balanced();
                let block = filled(32);
                for align in [2 * ALIGN, 4 * ALIGN, 4096] {
                    let wide = Layout::from_size_align(64, align).expect("valid");
                    let none = Layout::from_size_align(0, align).expect("valid");
                    for layout in [wide, none] {
                        assert_eq!(TaskAllocator.allocate(layout), Err(AllocError));
                        assert_eq!(TaskAllocator.allocate_zeroed(layout), Err(AllocError));
                    }
                    let start = block.cast::<u8>();
                    // SAFETY: live, of the old layout; the new one is no smaller.
                    let grown = unsafe { TaskAllocator.grow(start, layout(32), wide) };
                    assert_eq!(grown, Err(AllocError));
                    // SAFETY: as above.
                    let grown = unsafe { TaskAllocator.grow_zeroed(start, layout(32), wide) };
                    assert_eq!(grown, Err(AllocError));
                    // SAFETY: live, of the old layout; the new one is no larger.
                    let shrunk = unsafe { TaskAllocator.shrink(start, layout(32), none) };
                    assert_eq!(shrunk, Err(AllocError));
                }
                assert_eq!(contents(block), (1..=32).collect::<std::vec::Vec<_>>());
                free(block);

                #[cfg_attr(target_pointer_width = "64", repr(align(32)))]
                #[cfg_attr(target_pointer_width = "32", repr(align(16)))]
                struct Wide(u8);
                assert_eq!(align_of::<Wide>(), 2 * ALIGN);
                let mut wide: Vec<Wide, _> = Vec::new_in(TaskAllocator);
                assert!(wide.try_reserve(1).is_err());
                assert!(
                    Box::try_new_in(Wide(1), TaskAllocator)
                        .map(|wide| wide.0)
                        .is_err()
                );
            }

            #[test]
            fn without_memory_the_old_block_is_whole() {
                let _balance = balanced();
                let failing = fail_nth(1);
                assert_eq!(TaskAllocator.allocate(layout(8)), Err(AllocError));
                assert!(failing.has_failed());
                let failing = fail_nth(1);
                assert_eq!(TaskAllocator.allocate_zeroed(layout(8)), Err(AllocError));
                assert!(failing.has_failed());
                let block = filled(16);
                for zeroed in [false, true] {
                    let start = block.cast::<u8>();
                    let failing = fail_nth(1);
                    let grown = if zeroed {
                        // SAFETY: live, of the old layout; the new one is no smaller.
                        unsafe { TaskAllocator.grow_zeroed(start, layout(16), layout(999)) }
                    } else {
                        // SAFETY: as above.
                        unsafe { TaskAllocator.grow(start, layout(16), layout(999)) }
                    };
                    assert_eq!(grown, Err(AllocError));
                    assert!(failing.has_failed());
                }
                assert_eq!(contents(block), (1..=16).collect::<std::vec::Vec<_>>());
                assert_eq!(extent(block.cast::<u8>().as_ptr()), Some(16));
                free(block);
            }

            #[test]
            fn every_copy_is_the_same_allocator() {
                let _balance = balanced();
                let one = TaskAllocator;
                let other = one;
                assert_eq!(one, other);
                let block = one.allocate(layout(5)).expect("there is memory");
                // SAFETY: live, of that layout, and its last use.
                unsafe { other.deallocate(block.cast(), layout(5)) };
                let by_reference: &dyn Allocator = &TaskAllocator;
                let numbers = {
                    let mut numbers = Vec::new_in(by_reference);
                    numbers.extend([1, 2]);
                    numbers
                };
                assert_eq!(numbers, [1, 2]);
            }

            #[test]
            fn a_vec() {
                let _balance = balanced();
                let mut numbers = Vec::new_in(TaskAllocator);
                let count = if cfg!(miri) { 50 } else { 5000 };
                for n in 0..count {
                    numbers.push(n);
                    assert_eq!(
                        extent(numbers.as_mut_ptr().cast()),
                        Some(numbers.capacity() * size_of_val(&n))
                    );
                }
                assert_eq!(numbers.iter().sum::<u32>(), count * (count - 1) / 2);
                numbers.truncate(3);
                numbers.shrink_to_fit();
                assert_eq!(extent(numbers.as_mut_ptr().cast()), Some(12));
                assert_eq!(numbers, [0, 1, 2]);
                let mut copy = numbers.clone();
                copy.insert(1, 9);
                copy.retain(|n| *n != 0);
                assert_eq!(copy, [9, 1, 2]);
                let texts: Vec<String, _> = {
                    let mut texts = Vec::with_capacity_in(2, TaskAllocator);
                    texts.extend(["a", "b", "c"].map(str::to_owned));
                    texts
                };
                assert_eq!(texts.concat(), "abc");
            }

            #[test]
            fn a_vec_without_memory() {
                let _balance = balanced();
                let mut numbers = Vec::new_in(TaskAllocator);
                let failing = fail_nth(1);
                assert!(numbers.try_reserve(4).is_err());
                assert!(failing.has_failed());
                numbers.extend([1_u8, 2, 3]);
                let failing = fail_nth(1);
                assert!(numbers.try_reserve(1000).is_err());
                assert!(failing.has_failed());
                assert_eq!(numbers, [1, 2, 3]);
            }

            /// What a `Vec` holds is C's to free, and what C allocated a `Vec` may hold.
            #[test]
            fn a_vec_from_c_and_to_c() {
                let _balance = balanced();
                let mut numbers = Vec::new_in(TaskAllocator);
                numbers.extend([1_u32, 2, 3]);
                let given = ManuallyDrop::new(numbers).as_mut_ptr();
                // SAFETY: the buffer is a live task block, and this is its last use.
                unsafe { heap::free(given.cast(), Family::Task) };

                let block = heap::alloc(4 * size_of::<u32>(), Family::Task).cast::<u32>();
                assert!(!block.is_null());
                // SAFETY: a new block of four numbers.
                unsafe { block.write(7) };
                // SAFETY: the global allocator's contract with `Vec` is `TaskAllocator`'s: a live block
                // of that capacity, of which one number is initialised.
                let mut taken = unsafe { Vec::from_raw_parts_in(block, 1, 4, TaskAllocator) };
                taken.extend([8, 9, 10, 11]);
                assert_eq!(taken, [7, 8, 9, 10, 11]);
            }

            #[cfg(all(feature = "export", any(not(windows), miri)))]
            #[test]
            fn a_vec_freed_by_the_c_function() {
                let _balance = balanced();
                let mut text = Vec::new_in(TaskAllocator);
                text.extend(b"for C\0".iter().copied());
                let given = ManuallyDrop::new(text).as_mut_ptr();
                // SAFETY: the buffer is a live task block, and this is its last use.
                unsafe { olemem::export::CoTaskMemFree(given.cast()) };
            }

            #[test]
            fn a_box() {
                let _balance = balanced();
                let log = Log::default();
                let boxed = Box::new_in(Counted { log: &log, id: 1 }, TaskAllocator);
                let (raw, _) = Box::into_raw_with_allocator(boxed);
                assert_eq!(extent(raw.cast()), Some(size_of::<Counted<'_>>()));
                // One owner's block is the other's.
                // SAFETY: a live task block that holds the value, given away above.
                let boxed = unsafe { TaskBox::from_raw(raw) };
                assert_eq!(boxed.id, 1);
                let raw = TaskBox::into_raw(boxed);
                // SAFETY: as above, the other way.
                let boxed = unsafe { Box::from_raw_in(raw, TaskAllocator) };
                drop(boxed);
                assert_eq!(log.dropped(), [1]);
                let failing = fail_nth(1);
                assert!(Box::try_new_in(5_u8, TaskAllocator).is_err());
                assert!(failing.has_failed());
            }

            #[test]
            fn a_vec_that_unwinds_frees_its_buffer() {
                let _balance = balanced();
                let log = Log::default();
                let message = panic_of(|| {
                    let mut kept = Vec::new_in(TaskAllocator);
                    for id in 0..3 {
                        kept.push(Counted { log: &log, id });
                    }
                    log.drop_panics_at.set(Some(1));
                    drop(kept);
                });
                assert!(message.contains("a drop that panics"), "{message}");
                assert_eq!(log.dropped(), [0, 1, 2]);
            }
        }
    };
}

allocator_tests!(allocator_02, allocator_api2);
#[cfg(feature = "allocator-api2-04")]
allocator_tests!(allocator_04, allocator_api2_04);

/// On 32-bit x86 hashbrown asks for groups aligned to 16 bytes, which is more than task memory has.
#[cfg(target_pointer_width = "64")]
mod maps {
    use hashbrown::{HashMap, HashSet};

    use super::*;

    #[test]
    fn a_map_of_task_memory() {
        let _balance = balanced();
        let count = if cfg!(miri) { 60 } else { 5000 };
        let mut map = HashMap::new_in(TaskAllocator);
        for n in 0..count {
            map.insert(n, format!("{n}"));
        }
        for n in (0..count).step_by(2) {
            assert_eq!(map.remove(&n).as_deref(), Some(n.to_string().as_str()));
        }
        assert_eq!(map.len(), count / 2);
        assert!(
            map.iter()
                .all(|(n, text)| n % 2 == 1 && *text == n.to_string())
        );
        map.shrink_to_fit();
        let copy = map.clone();
        drop(map);
        assert_eq!(copy.len(), count / 2);
        assert_eq!(*copy.allocator(), TaskAllocator);
    }

    #[test]
    fn a_set_without_memory() {
        let _balance = balanced();
        let mut set = HashSet::<u32, hashbrown::DefaultHashBuilder, _>::new_in(TaskAllocator);
        let failing = fail_nth(1);
        assert!(set.try_reserve(10).is_err());
        assert!(failing.has_failed());
        set.extend([1, 2, 3]);
        let failing = fail_nth(1);
        assert!(set.try_reserve(1000).is_err());
        assert!(failing.has_failed());
        assert_eq!(set.len(), 3);
        assert!((1..=3).all(|n| set.contains(&n)));
    }
}

/// bumpalo's own chunks come from the global allocator: it takes no other. What it shares with
/// `TaskAllocator` is the trait, so that one piece of code serves both.
mod bump {
    use allocator_api2::alloc::Allocator;
    use allocator_api2::boxed::Box;
    use allocator_api2::vec::Vec;
    use bumpalo::Bump;

    use super::*;

    fn squares<A: Allocator>(count: u32, allocator: A) -> Vec<u32, A> {
        let mut squares = Vec::new_in(allocator);
        squares.extend((0..count).map(|n| n * n));
        squares
    }

    #[test]
    fn one_piece_of_code_for_both() {
        let _balance = balanced();
        let bump = Bump::new();
        let scratch = squares(50, &bump);
        let kept = squares(50, TaskAllocator);
        assert_eq!(scratch, kept);
        // Windows could not be asked about memory that is not its own.
        if cfg!(any(not(windows), miri)) {
            assert_eq!(whose(scratch.as_ptr().cast_mut().cast()), DidAlloc::No);
        }
        assert_eq!(whose(kept.as_ptr().cast_mut().cast()), DidAlloc::Yes);
    }

    #[test]
    fn what_was_built_in_an_arena_is_handed_out_as_task_memory() {
        let _balance = balanced();
        let bump = Bump::new();
        let mut scratch = Vec::new_in(&bump);
        for word in ["handed", "out"] {
            scratch.push(Box::new_in(word.to_owned(), &bump));
        }
        let mut out = Vec::with_capacity_in(scratch.len(), TaskAllocator);
        out.extend(scratch.iter().map(|word| word.len()));
        drop(scratch);
        drop(bump);
        assert_eq!(out, [6, 3]);
        assert_eq!(
            extent(out.as_mut_ptr().cast()),
            Some(2 * size_of::<usize>())
        );
    }
}
