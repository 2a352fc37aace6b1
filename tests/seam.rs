//! The seam: every event of every door, in order, with its arguments.
#![cfg(all(feature = "export", any(not(windows), miri)))]

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use olemem::com::{MEMCTX_TASK, MallocVtbl, Object};
use olemem::export::*;
use olemem::fault::fail_nth;
use olemem::heap::{self, DidAlloc, Family};
use olemem::layout::HEADER;
use olemem::seam::{BlockEvent, BstrEvent, Listener, Listening, Seat, SeatTaken, listen};
use olemem::{Bstr, BstrRef, ByteLen, Guid, TaskBox, TaskStr, UnitLen, bstr, raw};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Block(BlockEvent),
    Bstr(BstrEvent),
}

thread_local! {
    /// What this thread's operations raised, while it records.
    static HEARD: RefCell<Option<Vec<Event>>> = const { RefCell::new(None) };
}

/// Writes down what the recording thread does.
struct Recorder;

impl Recorder {
    fn hear(event: Event) {
        HEARD.with_borrow_mut(|heard| {
            if let Some(heard) = heard {
                heard.push(event);
            }
        });
    }
}

impl Listener for Recorder {
    fn block(&self, event: &BlockEvent) {
        // Before the block goes and after it came: alive in both.
        if let BlockEvent::Freeing { block, .. }
        | BlockEvent::Reallocating { block, .. }
        | BlockEvent::Allocated { block, .. } = *event
            && !block.is_null()
            && HEARD.with_borrow(Option::is_some)
        {
            let heard = HEARD.take();
            assert_eq!(whose(block), DidAlloc::Yes);
            HEARD.set(heard);
        }
        Self::hear(Event::Block(*event));
    }

    fn bstr(&self, event: &BstrEvent) {
        Self::hear(Event::Bstr(*event));
    }
}

static RECORDER: Seat = Seat::new(&Recorder);

/// There is one seat: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A listening recorder.
struct Recording {
    _listening: Listening,
    _alone: MutexGuard<'static, ()>,
}

impl Recording {
    fn new() -> Self {
        let alone = alone();
        Self {
            _listening: listen(&RECORDER).expect("the seat is free"),
            _alone: alone,
        }
    }

    /// What `what` gives, and what it raised.
    fn of<T>(&self, what: impl FnOnce() -> T) -> (T, Vec<Event>) {
        HEARD.set(Some(Vec::new()));
        let given = what();
        (given, HEARD.take().unwrap_or_default())
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

fn allocated(block: *mut u8, size: usize, family: Family) -> Event {
    Event::Block(BlockEvent::Allocated {
        block,
        size,
        family,
    })
}

/// A reallocation is told twice: before, while the block is whole, and after.
fn reallocated(old: *mut u8, new: *mut u8, size: usize, family: Family) -> [Event; 2] {
    let before = BlockEvent::Reallocating {
        block: old,
        size,
        family,
    };
    let after = BlockEvent::Reallocated {
        old,
        new,
        size,
        family,
    };
    [before, after].map(Event::Block)
}

fn freeing(block: *mut u8, family: Family) -> Event {
    Event::Block(BlockEvent::Freeing { block, family })
}

fn measured(block: *mut u8, size: Option<usize>) -> Event {
    Event::Block(BlockEvent::Measured { block, size })
}

fn asked(block: *mut u8) -> Event {
    Event::Block(BlockEvent::Asked { block })
}

const MINIMIZED: Event = Event::Block(BlockEvent::Minimized);

fn read(bstr: *const u16) -> Event {
    Event::Bstr(BstrEvent::Read { bstr })
}

fn source<T>(source: *const T, bytes: usize) -> Event {
    Event::Bstr(BstrEvent::Source {
        source: source.cast(),
        bytes,
    })
}

/// The block that a BSTR stands in.
fn block_of(bstr: *const u16) -> *mut u8 {
    bstr.cast_mut().cast::<u8>().wrapping_sub(HEADER)
}

/// Bytes of the block of a BSTR of `n` bytes.
fn block(n: usize) -> usize {
    (HEADER + n + 2 + 15) & !15
}

fn null<T>() -> *mut T {
    ptr::null_mut()
}

fn wild() -> *mut u8 {
    ptr::without_provenance_mut(0xdead_bee0)
}

const TEXT: [u16; 4] = [0x74, 0x65, 0x78, 0];
const TASK: Family = Family::Task;
const BSTR: Family = Family::Bstr;

/// The doors of the heap, and the C functions that are nothing but them.
mod block_events {
    use super::*;

    struct Doors {
        alloc: fn(usize) -> *mut u8,
        realloc: fn(*mut u8, usize) -> *mut u8,
        free: fn(*mut u8),
        size_of: fn(*mut u8) -> Option<usize>,
        did_alloc: fn(*mut u8) -> i32,
        minimize: fn(),
    }

    const RUST: Doors = Doors {
        alloc: |size| heap::alloc(size, TASK),
        // SAFETY: the tests pass null or what is live.
        realloc: |block, size| unsafe { heap::realloc(block, size, TASK) },
        // SAFETY: as above.
        free: |block| unsafe { heap::free(block, TASK) },
        size_of: extent,
        did_alloc: |block| whose(block).as_raw(),
        minimize: heap::minimize,
    };

    const C: Doors = Doors {
        alloc: |size| CoTaskMemAlloc(size).cast(),
        // SAFETY: as above.
        realloc: |block, size| unsafe { CoTaskMemRealloc(block.cast(), size) }.cast(),
        // SAFETY: as above.
        free: |block| unsafe { CoTaskMemFree(block.cast()) },
        ..OBJECT
    };

    /// Through `IMalloc`.
    const OBJECT: Doors = Doors {
        // SAFETY: the object lives as long as the process; the arguments are the tests' own.
        alloc: |size| unsafe { (malloc().vtbl.alloc)(this(), size) }.cast(),
        realloc: |block, size| {
            // SAFETY: as above.
            unsafe { (malloc().vtbl.realloc)(this(), block.cast(), size) }.cast()
        },
        // SAFETY: as above.
        free: |block| unsafe { (malloc().vtbl.free)(this(), block.cast()) },
        size_of: |block| {
            // SAFETY: as above.
            let size = unsafe { (malloc().vtbl.get_size)(this(), block.cast()) };
            (size != usize::MAX).then_some(size)
        },
        // SAFETY: as above.
        did_alloc: |block| unsafe { (malloc().vtbl.did_alloc)(this(), block.cast()) },
        // SAFETY: as above.
        minimize: || unsafe { (malloc().vtbl.heap_minimize)(this()) },
    };

    fn this() -> *mut core::ffi::c_void {
        let mut malloc = null();
        // SAFETY: the variable is a local.
        let code = unsafe { CoGetMalloc(MEMCTX_TASK, &raw mut malloc) };
        assert!(code.is_success());
        malloc
    }

    fn malloc() -> &'static Object<MallocVtbl> {
        // SAFETY: the object lives as long as the process, and starts with its vtable.
        unsafe { &*this().cast::<Object<MallocVtbl>>() }
    }

    fn every_door(doors: &Doors) {
        let recording = Recording::new();
        let (first, events) = recording.of(|| (doors.alloc)(27));
        assert_eq!(events, [allocated(first, 27, TASK)]);
        let (empty, events) = recording.of(|| (doors.alloc)(0));
        assert_eq!(events, [allocated(empty, 0, TASK)]);
        let (from_null, events) = recording.of(|| (doors.realloc)(null(), 5));
        assert_eq!(events, [allocated(from_null, 5, TASK)]);

        let (grown, events) = recording.of(|| (doors.realloc)(first, 5000));
        assert_eq!(events, reallocated(first, grown, 5000, TASK));
        let (shrunk, events) = recording.of(|| (doors.realloc)(grown, 3));
        assert_eq!(events, reallocated(grown, shrunk, 3, TASK));

        let (_, events) = recording.of(|| (doors.size_of)(shrunk));
        assert_eq!(events, [measured(shrunk, Some(3))]);
        let (_, events) = recording.of(|| (doors.size_of)(wild()));
        assert_eq!(events, [measured(wild(), None)]);
        let inside = shrunk.wrapping_add(1);
        let (_, events) = recording.of(|| (doors.size_of)(inside));
        assert_eq!(events, [measured(inside, None)]);
        for pointer in [shrunk, wild(), inside] {
            let (_, events) = recording.of(|| (doors.did_alloc)(pointer));
            assert_eq!(events, [asked(pointer)]);
        }
        let ((), events) = recording.of(|| (doors.minimize)());
        assert_eq!(events, [MINIMIZED]);

        let ((), events) = recording.of(|| (doors.free)(shrunk));
        assert_eq!(events, [freeing(shrunk, TASK)]);
        let (gone, events) = recording.of(|| (doors.realloc)(empty, 0));
        assert_eq!((gone, events), (null(), vec![freeing(empty, TASK)]));
        let ((), events) = recording.of(|| (doors.free)(from_null));
        assert_eq!(events, [freeing(from_null, TASK)]);

        // Null passes no door.
        let ((), events) = recording.of(|| {
            (doors.free)(null());
            assert_eq!((doors.size_of)(null()), None);
            assert_eq!((doors.did_alloc)(null()), -1);
        });
        assert_eq!(events, []);
    }

    fn failures(doors: &Doors) {
        let recording = Recording::new();
        let block = (doors.alloc)(8);
        for failure in [8, usize::MAX, usize::MAX / 2 + 1] {
            let ((), events) = recording.of(|| {
                let _failing = fail_nth(1);
                assert!((doors.alloc)(failure).is_null());
            });
            assert_eq!(events, [allocated(null(), failure, TASK)]);
        }
        for failure in [800, usize::MAX] {
            let ((), events) = recording.of(|| {
                let _failing = fail_nth(1);
                assert!((doors.realloc)(block, failure).is_null());
            });
            assert_eq!(events, reallocated(block, null(), failure, TASK));
        }
        (doors.free)(block);
    }

    #[test]
    fn rust() {
        every_door(&RUST);
        failures(&RUST);
    }

    #[test]
    fn c_functions() {
        every_door(&C);
        failures(&C);
    }

    #[test]
    fn c_object() {
        every_door(&OBJECT);
        failures(&OBJECT);
    }
}

/// The operations on BSTRs, through Rust and through C.
mod bstr_events {
    use super::*;

    struct Doors {
        alloc: unsafe fn(*const u16) -> *mut u16,
        alloc_units: unsafe fn(*const u16, u32) -> *mut u16,
        alloc_bytes: unsafe fn(*const u8, u32) -> *mut u16,
        realloc: unsafe fn(*mut *mut u16, *const u16) -> bool,
        realloc_units: unsafe fn(*mut *mut u16, *const u16, u32) -> bool,
        free: unsafe fn(*mut u16),
        unit_len: unsafe fn(*const u16) -> u32,
        byte_len: unsafe fn(*const u16) -> u32,
        concat: unsafe fn(*const u16, *const u16) -> *mut u16,
        compare: unsafe fn(*const u16, *const u16, u32) -> i32,
    }

    // SAFETY: each passes its arguments on to the function of the same precondition.
    const RUST: Doors = Doors {
        alloc: raw::alloc,
        // SAFETY: the precondition is the function's own.
        alloc_units: |source, len| unsafe { raw::alloc_units(source, UnitLen::new(len)) },
        // SAFETY: as above.
        alloc_bytes: |source, len| unsafe { raw::alloc_bytes(source, ByteLen::new(len)) },
        realloc: raw::realloc,
        realloc_units: |target, source, len| {
            // SAFETY: as above.
            unsafe { raw::realloc_units(target, source, UnitLen::new(len)) }
        },
        // SAFETY: as above.
        free: |bstr| unsafe { raw::free(bstr) },
        // SAFETY: as above.
        unit_len: |bstr| unsafe { raw::unit_len(bstr) }.get(),
        // SAFETY: as above.
        byte_len: |bstr| unsafe { raw::byte_len(bstr) }.get(),
        concat: raw::concat,
        // SAFETY: as above.
        compare: |left, right, lcid| unsafe { raw::compare(left, right, lcid, 0) } as i32,
    };

    const C: Doors = Doors {
        // SAFETY: the precondition is the function's own.
        alloc: |source| unsafe { SysAllocString(source) },
        // SAFETY: as above.
        alloc_units: |source, len| unsafe { SysAllocStringLen(source, len) },
        // SAFETY: as above.
        alloc_bytes: |source, len| unsafe { SysAllocStringByteLen(source, len) },
        // SAFETY: as above.
        realloc: |target, source| unsafe { SysReAllocString(target, source) } == 1,
        realloc_units: |target, source, len| {
            // SAFETY: as above.
            let done = unsafe { SysReAllocStringLen(target, source, len) };
            done == 1
        },
        // SAFETY: as above.
        free: |bstr| unsafe { SysFreeString(bstr) },
        // SAFETY: as above.
        unit_len: |bstr| unsafe { SysStringLen(bstr) },
        // SAFETY: as above.
        byte_len: |bstr| unsafe { SysStringByteLen(bstr) },
        concat: |left, right| {
            let mut joined = null();
            // SAFETY: as above, and the variable is a local.
            let code = unsafe { VarBstrCat(left, right, &raw mut joined) };
            assert_eq!(code.is_success(), !joined.is_null());
            joined
        },
        // SAFETY: as above.
        compare: |left, right, lcid| unsafe { VarBstrCmp(left, right, lcid, 0) }.as_raw() - 1,
    };

    fn every_operation(doors: &Doors) {
        let recording = Recording::new();
        // SAFETY (for all calls in this test): sources are null, terminated or as long as said;
        // strings are live, and freed once at the end of it.
        let text = TEXT.as_ptr();
        let alloc = |source| {
            // SAFETY: said above.
            unsafe { (doors.alloc)(source) }
        };
        let free = |bstr| {
            // SAFETY: said above.
            unsafe { (doors.free)(bstr) }
        };

        let (made, events) = recording.of(|| alloc(text));
        assert_eq!(
            events,
            [allocated(block_of(made), block(6), BSTR), source(text, 6)]
        );
        let ((), events) = recording.of(|| assert!(alloc(null()).is_null()));
        assert_eq!(events, []);

        let (units, events) = recording.of(|| {
            // SAFETY: said above.
            unsafe { (doors.alloc_units)(text, 2) }
        });
        assert_eq!(
            events,
            [allocated(block_of(units), block(4), BSTR), source(text, 4)]
        );
        let (blank, events) = recording.of(|| {
            // SAFETY: said above.
            unsafe { (doors.alloc_units)(null(), 9) }
        });
        assert_eq!(events, [allocated(block_of(blank), block(18), BSTR)]);
        let (bytes, events) = recording.of(|| {
            // SAFETY: said above.
            unsafe { (doors.alloc_bytes)(text.cast(), 5) }
        });
        assert_eq!(
            events,
            [allocated(block_of(bytes), block(5), BSTR), source(text, 5)]
        );

        // What cannot be reaches no door.
        let ((), events) = recording.of(|| {
            // SAFETY: beyond the limit nothing is read.
            assert!(unsafe { (doors.alloc_units)(wild().cast(), u32::MAX) }.is_null());
            // SAFETY: as above.
            assert!(unsafe { (doors.alloc_bytes)(wild(), u32::MAX) }.is_null());
            let mut variable = made;
            // SAFETY: as above.
            assert!(!unsafe { (doors.realloc_units)(&raw mut variable, wild().cast(), u32::MAX) });
        });
        assert_eq!(events, []);

        let (len, events) = recording.of(|| {
            // SAFETY: said above.
            unsafe { (doors.unit_len)(bytes) }
        });
        assert_eq!((len, events), (2, vec![read(bytes)]));
        let (len, events) = recording.of(|| {
            // SAFETY: said above.
            unsafe { (doors.byte_len)(bytes) }
        });
        assert_eq!((len, events), (5, vec![read(bytes)]));
        let ((), events) = recording.of(|| {
            // SAFETY: null has no length.
            assert_eq!(unsafe { (doors.unit_len)(null()) }, 0);
            // SAFETY: as above.
            assert_eq!(unsafe { (doors.byte_len)(null()) }, 0);
            free(null());
        });
        assert_eq!(events, []);

        let (joined, events) = recording.of(|| {
            // SAFETY: said above.
            unsafe { (doors.concat)(made, bytes) }
        });
        let joined_block = allocated(block_of(joined), block(11), BSTR);
        assert_eq!(
            events,
            [
                read(made),
                read(bytes),
                joined_block,
                source(made, 6),
                source(bytes, 5)
            ]
        );
        for lcid in [0, 0x409] {
            let (order, events) = recording.of(|| {
                // SAFETY: said above.
                unsafe { (doors.compare)(made, units, lcid) }
            });
            assert_eq!((order, events), (1, vec![read(made), read(units)]));
        }

        for bstr in [units, blank, bytes, joined, made] {
            let ((), events) = recording.of(|| free(bstr));
            assert_eq!(events, [freeing(block_of(bstr), BSTR)]);
        }
    }

    /// A null string is not there to be read.
    fn nulls(doors: &Doors) {
        let recording = Recording::new();
        // SAFETY: the source is terminated.
        let made = unsafe { (doors.alloc)(TEXT.as_ptr()) };
        let (joined, events) = recording.of(|| {
            // SAFETY: null or live.
            unsafe { (doors.concat)(null(), made) }
        });
        let joined_block = allocated(block_of(joined), block(6), BSTR);
        assert_eq!(events, [read(made), joined_block, source(made, 6)]);
        let (order, events) = recording.of(|| {
            // SAFETY: null or live.
            unsafe { (doors.compare)(null(), made, 0) }
        });
        assert_eq!((order, events), (-1, vec![read(made)]));
        let (order, events) = recording.of(|| {
            // SAFETY: null or live.
            unsafe { (doors.compare)(null(), null(), 0) }
        });
        assert_eq!((order, events), (0, vec![]));
        for bstr in [made, joined] {
            // SAFETY: live, and its last use.
            unsafe { (doors.free)(bstr) };
        }
    }

    fn reallocations(doors: &Doors) {
        let recording = Recording::new();
        let text = TEXT.as_ptr();
        let mut variable: *mut u16 = null();
        let target = &raw mut variable;
        let held = || {
            // SAFETY: the variable is a local, written only through this pointer.
            unsafe { target.read() }
        };
        let realloc = |source| {
            // SAFETY: the variable holds null or a live string; sources are null or terminated.
            recording
                .of(|| assert!(unsafe { (doors.realloc)(target, source) }))
                .1
        };
        let realloc_units = |source, len| {
            // SAFETY: as above; the source is null, in the string, or has so many units.
            recording
                .of(|| assert!(unsafe { (doors.realloc_units)(target, source, len) }))
                .1
        };

        assert_eq!(realloc(null()), []);
        let events = realloc(text);
        let first = held();
        let made = allocated(block_of(first), block(6), BSTR);
        assert_eq!(events, [made, source(text, 6)]);
        // The new string is there before the old one goes.
        let events = realloc(text);
        let second = held();
        let made = allocated(block_of(second), block(6), BSTR);
        assert_eq!(
            events,
            [made, source(text, 6), freeing(block_of(first), BSTR)]
        );
        assert_eq!(realloc(null()), [freeing(block_of(second), BSTR)]);

        let events = realloc_units(text, 2);
        let third = held();
        let made = allocated(block_of(third), block(4), BSTR);
        assert_eq!(events, [made, source(text, 4)]);
        for (keeping, len, size) in [(null(), 3, block(6)), (third, 1, block(2))] {
            let events = realloc_units(keeping, len);
            let kept = reallocated(block_of(third), block_of(held()), size, BSTR);
            assert_eq!(events, kept);
            assert_eq!(held(), third);
        }
        let events = realloc_units(null(), 1000);
        let grown = held();
        let kept = reallocated(block_of(third), block_of(grown), block(2000), BSTR);
        assert_eq!(events, kept);
        let events = realloc_units(text, 3);
        let kept = reallocated(block_of(grown), block_of(held()), block(6), BSTR);
        assert_eq!(events, [kept[0], kept[1], source(text, 6)]);

        // From inside: a new string, and the old one goes after it was read.
        let old = held();
        let inside = old.wrapping_add(1);
        let events = realloc_units(inside, 2);
        let made = allocated(block_of(held()), block(4), BSTR);
        assert_eq!(
            events,
            [made, source(inside, 4), freeing(block_of(old), BSTR)]
        );

        // Failures are told, and nothing goes.
        let last = held();
        let ((), events) = recording.of(|| {
            let _failing = fail_nth(1);
            // SAFETY: as above.
            assert!(!unsafe { (doors.realloc)(target, text) });
        });
        assert_eq!(events, [allocated(null(), block(6), BSTR)]);
        let ((), events) = recording.of(|| {
            let _failing = fail_nth(1);
            // SAFETY: as above.
            assert!(!unsafe { (doors.realloc_units)(target, null(), 1000) });
        });
        assert_eq!(
            events,
            reallocated(block_of(last), null(), block(2000), BSTR)
        );
        let ((), events) = recording.of(|| {
            // SAFETY: no variable is a failure.
            assert!(!unsafe { (doors.realloc)(null(), text) });
            // SAFETY: as above.
            assert!(!unsafe { (doors.realloc_units)(null(), text, 3) });
        });
        assert_eq!(events, []);
        assert_eq!(held(), last);
        assert_eq!(realloc(null()), [freeing(block_of(last), BSTR)]);
    }

    #[test]
    fn rust() {
        every_operation(&RUST);
        reallocations(&RUST);
    }

    #[test]
    fn c_functions() {
        every_operation(&C);
        reallocations(&C);
    }

    #[test]
    fn null_strings() {
        nulls(&RUST);
        nulls(&C);
    }

    /// A task block dressed up as a string goes by the pair that frees it.
    #[test]
    fn a_dressed_up_block() {
        let recording = Recording::new();
        let block = heap::alloc(64, TASK);
        let bstr = block.wrapping_add(HEADER).cast();
        let ((), events) = recording.of(|| {
            // SAFETY: a live block, given as its start plus the header.
            unsafe { raw::free(bstr) };
        });
        assert_eq!(events, [freeing(block, BSTR)]);
    }
}

/// The safe types pass through the same doors, and a borrowed string through none.
mod safe_types {
    use super::*;

    #[test]
    fn owned_strings() {
        let recording = Recording::new();
        let (mut bstr, events) = recording.of(|| Bstr::from("ab"));
        let at = block_of(bstr.as_raw());
        assert_eq!(events, [allocated(at, block(4), BSTR)]);
        let (copy, events) = recording.of(|| bstr.clone());
        let made = allocated(block_of(copy.as_raw()), block(4), BSTR);
        assert_eq!(events, [made, source(bstr.as_raw(), 4)]);
        let ((), events) = recording.of(|| drop(copy));
        assert!(matches!(
            events[..],
            [Event::Block(BlockEvent::Freeing { .. })]
        ));
        let ((), events) = recording.of(|| bstr.truncate(UnitLen::new(1)));
        assert_eq!(events, reallocated(at, at, block(2), BSTR));
        let ((), events) = recording.of(|| bstr.push_str(&"x".repeat(100)));
        let moved = block_of(bstr.as_raw());
        assert_eq!(events, reallocated(at, moved, block(202), BSTR));
        let ((), events) = recording.of(|| {
            let nothing = Bstr::new();
            assert_eq!(nothing.take_nothing(), bstr!(""));
        });
        assert_eq!(events, []);
        let ((), events) = recording.of(|| drop(bstr));
        assert_eq!(events, [freeing(moved, BSTR)]);
    }

    trait TakeNothing {
        fn take_nothing(self) -> Bstr;
    }

    impl TakeNothing for Bstr {
        fn take_nothing(mut self) -> Bstr {
            self.take()
        }
    }

    #[test]
    fn borrowed_strings() {
        let recording = Recording::new();
        let bstr = Bstr::from("text");
        let ((), events) = recording.of(|| {
            for borrowed in [bstr.as_bstr(), bstr!("text")] {
                assert_eq!(borrowed.unit_len(), UnitLen::new(4));
                assert_eq!(borrowed.as_bytes().len(), 8);
                assert_eq!(borrowed.to_string(), "text");
                assert_eq!(borrowed, bstr);
                assert!(borrowed > BstrRef::NULL);
            }
            assert_eq!(bstr.byte_len(), ByteLen::new(8));
            assert_eq!(*bstr, TEXT_UNITS);
        });
        assert_eq!(events, []);
    }

    const TEXT_UNITS: [u16; 4] = [0x74, 0x65, 0x78, 0x74];

    #[test]
    fn task_memory() {
        let recording = Recording::new();
        let (boxed, events) = recording.of(|| TaskBox::new([0_u8; 9]));
        let at = TaskBox::as_raw(&boxed).cast();
        assert_eq!(events, [allocated(at, 9, TASK)]);
        let ((), events) = recording.of(|| drop(boxed));
        assert_eq!(events, [freeing(at, TASK)]);
        let (text, events) = recording.of(|| TaskStr::<u16>::try_from_str("abc"));
        let text = text.expect("no nul");
        let at = text.as_raw().cast_mut().cast();
        assert_eq!(events, [allocated(at, 8, TASK)]);
        let ((), events) = recording.of(|| drop(text));
        assert_eq!(events, [freeing(at, TASK)]);
    }

    #[test]
    fn the_other_c_functions() {
        let recording = Recording::new();
        let guid = Guid::from_u128(1);
        let mut text = null();
        for make in [StringFromCLSID, StringFromIID] {
            let ((), events) = recording.of(|| {
                // SAFETY: an identifier and a local variable.
                let code = unsafe { make(&raw const guid, &raw mut text) };
                assert!(code.is_success());
            });
            assert_eq!(events, [allocated(text.cast(), 2 * 39, TASK)]);
            // SAFETY: live, and its last use.
            unsafe { CoTaskMemFree(text.cast()) };
        }
        let ((), events) = recording.of(|| {
            // SAFETY: a terminated source and a local variable.
            let code = unsafe { SHStrDupW(TEXT.as_ptr(), &raw mut text) };
            assert!(code.is_success());
        });
        assert_eq!(events, [allocated(text.cast(), 8, TASK)]);
        // SAFETY: live, and its last use.
        unsafe { CoTaskMemFree(text.cast()) };
        let ((), events) = recording.of(|| {
            // SAFETY: as above.
            let code = unsafe { SHStrDupA(c"text".as_ptr().cast(), &raw mut text) };
            assert!(code.is_success());
        });
        assert_eq!(events, [allocated(text.cast(), 10, TASK)]);
        // SAFETY: live, and its last use.
        unsafe { CoTaskMemFree(text.cast()) };
        let ((), events) = recording.of(|| {
            let mut buffer = [0; 39];
            // SAFETY: an identifier, and so many units.
            let written = unsafe { StringFromGUID2(&raw const guid, buffer.as_mut_ptr(), 39) };
            assert_eq!(written, 39);
            // SAFETY: an identifier and a local variable.
            let code = unsafe { ProgIDFromCLSID(&raw const guid, &raw mut text) };
            assert!(code.is_failure());
        });
        assert_eq!(events, []);
    }
}

mod seats {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let recording = Recording::new();
        static OTHER: Seat = Seat::new(&Recorder);
        for seat in [&RECORDER, &OTHER] {
            assert_eq!(listen(seat).err(), Some(SeatTaken));
        }
        let error: Box<dyn std::error::Error> = Box::new(SeatTaken);
        assert_eq!(error.to_string(), "somebody listens at the seam already");
        // The refusal did not disturb who listens.
        let (block, events) = recording.of(|| heap::alloc(1, TASK));
        assert_eq!(events, [allocated(block, 1, TASK)]);
        // SAFETY: live, and its last use.
        unsafe { heap::free(block, TASK) };
        drop(recording);
        let _alone = alone();
        drop(listen(&OTHER).expect("the seat is free again"));
        drop(listen(&OTHER).expect("and again"));
    }

    #[test]
    fn nothing_is_heard_afterwards() {
        let recording = Recording::new();
        let (bstr, events) = recording.of(Bstr::empty);
        assert_eq!(events.len(), 1);
        drop(recording);
        let _alone = alone();
        HEARD.set(Some(Vec::new()));
        drop(bstr);
        drop(Bstr::from("unheard"));
        heap::minimize();
        assert_eq!(HEARD.take(), Some(Vec::new()));
    }

    /// An event is raised on the thread of its operation.
    #[test]
    fn on_its_own_thread() {
        let recording = Recording::new();
        let ((), events) = recording.of(|| {
            thread::spawn(|| drop(Bstr::from("elsewhere")))
                .join()
                .expect("it does not panic");
        });
        assert_eq!(events, []);
        thread::spawn(move || {
            HEARD.set(Some(Vec::new()));
            drop(Bstr::from("here"));
            assert_eq!(HEARD.take().map(|heard| heard.len()), Some(2));
        })
        .join()
        .expect("it does not panic");
    }

    thread_local! {
        static DEPTH: Cell<u32> = const { Cell::new(0) };
        static DEEPEST: Cell<u32> = const { Cell::new(0) };
    }

    /// Allocates, measures and frees in every event, three deep.
    struct Busy;

    impl Busy {
        fn work() {
            let depth = DEPTH.get();
            DEEPEST.set(DEEPEST.get().max(depth));
            if (1..3).contains(&depth) {
                DEPTH.set(depth + 1);
                let mut bstr = Bstr::from("work");
                // Each operation makes all of these a level deeper: Miri has time for some at the first.
                if !cfg!(miri) || depth == 2 {
                    bstr.push_str(&"more".repeat(20));
                    // SAFETY: live.
                    assert_eq!(unsafe { raw::unit_len(bstr.as_raw()) }.get(), 84);
                    let block = heap::alloc(3, TASK);
                    assert_eq!(extent(block), Some(3));
                    // SAFETY: live, and its last use.
                    unsafe { heap::free(block, TASK) };
                    heap::minimize();
                }
                drop(bstr);
                DEPTH.set(depth);
            }
        }
    }

    impl Listener for Busy {
        fn block(&self, _: &BlockEvent) {
            Self::work();
        }

        fn bstr(&self, _: &BstrEvent) {
            Self::work();
        }
    }

    #[test]
    fn a_listener_may_use_the_heap_itself() {
        static BUSY: Seat = Seat::new(&Busy);
        let _alone = alone();
        let listening = listen(&BUSY).expect("the seat is free");
        DEPTH.set(1);
        let mut bstr = Bstr::from("watched");
        bstr.truncate(UnitLen::new(2));
        let copy = bstr.clone();
        assert_eq!(copy, "wa");
        assert_eq!(whose(block_of(copy.as_raw())), DidAlloc::Yes);
        drop((bstr, copy));
        DEPTH.set(0);
        drop(listening);
        assert_eq!(DEEPEST.get(), 3);
    }

    /// Taking and leaving the seat while others work: no event is lost half way, nothing crashes.
    #[test]
    fn coming_and_going_while_others_work() {
        let _alone = alone();
        let rounds = if cfg!(miri) { 5 } else { 2000 };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(move || {
                        for _ in 0..rounds {
                            drop(Bstr::from("busy"));
                        }
                    })
                })
                .collect();
            while !workers.iter().all(|worker| worker.is_finished()) {
                let listening = listen(&RECORDER).expect("nobody else takes the seat");
                thread::yield_now();
                drop(listening);
            }
        });
    }
}
