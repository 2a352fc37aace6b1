//! The vectors of `IMallocSpy`, each by its number, through the C functions: the spy is a COM object as C
//! would write it. Then what C's spies may do wrong, and Wine's defects, each shown absent.
#![cfg(all(feature = "export", any(not(windows), miri)))]

#[cfg(all(unix, not(miri)))]
#[path = "support/children.rs"]
mod children;

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use olemem::com::{IID_MALLOC_SPY, IID_UNKNOWN, MallocSpyVtbl, MallocVtbl, Object, UnknownVtbl};
use olemem::export::*;
use olemem::fault::fail_nth;
use olemem::layout::HEADER as BSTR_HEADER;
use olemem::{Guid, HResult};

type Pointer = *mut c_void;

/// One call of the spy's, with its arguments. Pointers are addresses.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    PreAlloc(usize),
    PostAlloc(usize),
    PreFree(usize, i32),
    PostFree(i32),
    PreRealloc(usize, usize, i32),
    PostRealloc(usize, i32),
    PreGetSize(usize, i32),
    PostGetSize(usize, i32),
    PreDidAlloc(usize, i32),
    PostDidAlloc(usize, i32, i32),
    PreHeapMinimize,
    PostHeapMinimize,
    AddRef,
    Release,
    Query(Guid),
}

use Call::*;

/// What the spy does to the calls.
#[derive(Clone, Copy, Default)]
struct Ways {
    /// Bytes before each block.
    header: usize,
    /// Requests of so many bytes fail.
    refuses: Option<usize>,
    /// What `PreFree`, `PreRealloc`, `PreGetSize` and `PreDidAlloc` hand back instead.
    loses: Option<usize>,
    /// `PreRealloc` stores nothing.
    forgets: bool,
    /// What `PostGetSize` and `PostDidAlloc` answer instead.
    answers: Option<i32>,
    /// `PostRealloc` puts a header only where it is told that the block is spyed.
    goes_by_flag: bool,
    /// It has no `IMallocSpy`.
    is_none: bool,
}

/// A spy as C would write it.
#[repr(C)]
struct ComSpy {
    vtbl: &'static MallocSpyVtbl,
    references: AtomicU32,
    calls: Mutex<Vec<Call>>,
    ways: Mutex<Ways>,
}

static VTBL: MallocSpyVtbl = MallocSpyVtbl {
    unknown: UnknownVtbl {
        query_interface,
        add_ref,
        release,
    },
    pre_alloc,
    post_alloc,
    pre_free,
    post_free,
    pre_realloc,
    post_realloc,
    pre_get_size,
    post_get_size,
    pre_did_alloc,
    post_did_alloc,
    pre_heap_minimize,
    post_heap_minimize,
};

/// The object behind a `this`.
fn spy<'a>(this: Pointer) -> &'a ComSpy {
    // SAFETY: the methods are called with their own object alone, which lives longer than the call.
    unsafe { &*this.cast::<ComSpy>() }
}

impl ComSpy {
    fn new(ways: Ways) -> Arc<Self> {
        Arc::new(Self {
            vtbl: &VTBL,
            references: AtomicU32::new(1),
            calls: Mutex::default(),
            ways: Mutex::new(ways),
        })
    }

    fn this(&self) -> Pointer {
        ptr::from_ref(self).cast_mut().cast()
    }

    fn hear(&self, call: Call) -> Ways {
        self.calls.lock().expect("nothing panics here").push(call);
        *self.ways.lock().expect("nothing panics here")
    }

    fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().expect("nothing panics here"))
    }

    fn references(&self) -> u32 {
        self.references.load(Ordering::Relaxed)
    }

    fn change(&self, change: impl FnOnce(&mut Ways)) {
        change(&mut self.ways.lock().expect("nothing panics here"));
    }
}

impl Ways {
    fn ask(self, size: usize) -> usize {
        if self.refuses == Some(size) {
            0
        } else {
            self.header + size
        }
    }

    fn give(self, actual: Pointer) -> Pointer {
        if actual.is_null() {
            actual
        } else {
            actual.wrapping_byte_add(self.header)
        }
    }

    fn undo(self, request: Pointer, spyed: i32) -> Pointer {
        match self.loses {
            Some(other) => ptr::without_provenance_mut(other),
            None if spyed != 0 => request.wrapping_byte_sub(self.header),
            None => request,
        }
    }
}

unsafe extern "system" fn query_interface(
    this: Pointer,
    iid: *const Guid,
    out: *mut Pointer,
) -> HResult {
    // SAFETY: an identifier is there.
    let iid = unsafe { iid.read() };
    let ways = spy(this).hear(Query(iid));
    let known = iid == IID_UNKNOWN || iid == IID_MALLOC_SPY && !ways.is_none;
    // SAFETY: a variable is there.
    unsafe { out.write(if known { this } else { ptr::null_mut() }) };
    if known {
        spy(this).references.fetch_add(1, Ordering::Relaxed);
        HResult::S_OK
    } else {
        HResult::E_NOINTERFACE
    }
}
extern "system" fn add_ref(this: Pointer) -> u32 {
    spy(this).hear(AddRef);
    spy(this).references.fetch_add(1, Ordering::Relaxed) + 1
}
extern "system" fn release(this: Pointer) -> u32 {
    spy(this).hear(Release);
    spy(this).references.fetch_sub(1, Ordering::Relaxed) - 1
}
extern "system" fn pre_alloc(this: Pointer, size: usize) -> usize {
    spy(this).hear(PreAlloc(size)).ask(size)
}
extern "system" fn post_alloc(this: Pointer, actual: Pointer) -> Pointer {
    spy(this).hear(PostAlloc(actual.addr())).give(actual)
}
extern "system" fn pre_free(this: Pointer, request: Pointer, spyed: i32) -> Pointer {
    let ways = spy(this).hear(PreFree(request.addr(), spyed));
    ways.undo(request, spyed)
}
extern "system" fn post_free(this: Pointer, spyed: i32) {
    spy(this).hear(PostFree(spyed));
}
unsafe extern "system" fn pre_realloc(
    this: Pointer,
    request: Pointer,
    size: usize,
    actual: *mut Pointer,
    spyed: i32,
) -> usize {
    let ways = spy(this).hear(PreRealloc(request.addr(), size, spyed));
    if !ways.forgets {
        // SAFETY: a variable is there.
        unsafe { actual.write(ways.undo(request, spyed)) };
    }
    ways.ask(size)
}
extern "system" fn post_realloc(this: Pointer, actual: Pointer, spyed: i32) -> Pointer {
    let ways = spy(this).hear(PostRealloc(actual.addr(), spyed));
    if ways.goes_by_flag && spyed == 0 {
        return actual;
    }
    ways.give(actual)
}
extern "system" fn pre_get_size(this: Pointer, request: Pointer, spyed: i32) -> Pointer {
    let ways = spy(this).hear(PreGetSize(request.addr(), spyed));
    ways.undo(request, spyed)
}
extern "system" fn post_get_size(this: Pointer, actual: usize, spyed: i32) -> usize {
    let ways = spy(this).hear(PostGetSize(actual, spyed));
    match ways.answers {
        Some(answer) => (answer as isize).cast_unsigned(),
        None if spyed != 0 && actual != usize::MAX => actual - ways.header,
        None => actual,
    }
}
extern "system" fn pre_did_alloc(this: Pointer, request: Pointer, spyed: i32) -> Pointer {
    let ways = spy(this).hear(PreDidAlloc(request.addr(), spyed));
    ways.undo(request, spyed)
}
extern "system" fn post_did_alloc(this: Pointer, request: Pointer, spyed: i32, actual: i32) -> i32 {
    let ways = spy(this).hear(PostDidAlloc(request.addr(), spyed, actual));
    ways.answers.unwrap_or(actual)
}
extern "system" fn pre_heap_minimize(this: Pointer) {
    spy(this).hear(PreHeapMinimize);
}
extern "system" fn post_heap_minimize(this: Pointer) {
    spy(this).hear(PostHeapMinimize);
}

/// There is one seat: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn register(spy: &ComSpy) -> HResult {
    // SAFETY: a COM object, which outlives its registration in every test.
    unsafe { CoRegisterMallocSpy(spy.this()) }
}

/// A registered spy that has been told nothing yet.
fn registered(ways: Ways) -> Arc<ComSpy> {
    let spy = ComSpy::new(ways);
    assert_eq!(register(&spy), HResult::S_OK);
    spy.take();
    spy
}

fn header() -> Ways {
    Ways {
        header: 32,
        ..Ways::default()
    }
}

/// Revokes with no block left.
#[track_caller]
fn revoke(spy: &ComSpy) {
    spy.take();
    assert_eq!(CoRevokeMallocSpy(), HResult::S_OK);
    assert_eq!(spy.take(), [Release]);
    assert_eq!(spy.references(), 1);
}

fn realloc(block: Pointer, size: usize) -> Pointer {
    // SAFETY: the vectors pass null or what is live, and use the new pointer alone.
    unsafe { CoTaskMemRealloc(block, size) }
}

fn free(block: Pointer) {
    // SAFETY: the vectors free what is live, or null.
    unsafe { CoTaskMemFree(block) };
}

fn malloc() -> &'static Object<MallocVtbl> {
    let mut malloc = ptr::null_mut();
    // SAFETY: the variable is this frame's.
    assert!(unsafe { CoGetMalloc(1, &raw mut malloc) }.is_success());
    // SAFETY: the object lives as long as the process.
    unsafe { &*malloc.cast() }
}

fn get_size(block: Pointer) -> usize {
    let malloc = malloc();
    let this = ptr::from_ref(malloc).cast_mut().cast();
    // SAFETY: any address will do.
    unsafe { (malloc.vtbl.get_size)(this, block) }
}

fn did_alloc(block: Pointer) -> i32 {
    let malloc = malloc();
    let this = ptr::from_ref(malloc).cast_mut().cast();
    // SAFETY: any address will do.
    unsafe { (malloc.vtbl.did_alloc)(this, block) }
}

fn fill(block: Pointer, byte: u8, size: usize) {
    // SAFETY: the vectors' blocks have so many bytes.
    unsafe { block.cast::<u8>().write_bytes(byte, size) };
}

fn contents(block: Pointer, size: usize) -> Vec<u8> {
    // SAFETY: the vectors' blocks have so many bytes, which they filled.
    unsafe { std::slice::from_raw_parts(block.cast(), size) }.to_vec()
}

mod vectors {
    use super::*;

    #[test]
    fn v160_to_v167_registration_and_a_free_of_null() {
        let _alone = alone();
        let spy = ComSpy::new(Ways::default());
        // SAFETY: null is refused.
        let nothing = || unsafe { CoRegisterMallocSpy(ptr::null_mut()) };
        assert_eq!(nothing(), HResult::E_INVALIDARG, "V160");
        assert_eq!(CoRevokeMallocSpy(), HResult::CO_E_OBJNOTREG, "V161");
        assert_eq!(register(&spy), HResult::S_OK, "V162");
        assert_eq!(spy.take(), [Query(IID_MALLOC_SPY)], "S3");
        assert_eq!(spy.references(), 2, "S3");
        assert_eq!(nothing(), HResult::E_INVALIDARG, "V163");
        assert_eq!(register(&spy), HResult::CO_E_OBJISREG, "V164");
        assert_eq!(
            register(&ComSpy::new(Ways::default())),
            HResult::CO_E_OBJISREG,
            "S4"
        );
        let malloc = malloc();
        let this = ptr::from_ref(malloc).cast_mut().cast();
        // SAFETY: null is no call.
        unsafe { (malloc.vtbl.free)(this, ptr::null_mut()) };
        // SAFETY: the object is alive, and the reference that was given is given back.
        unsafe { (malloc.vtbl.unknown.release)(this) };
        assert_eq!(spy.take(), [], "V165");
        assert_eq!(CoRevokeMallocSpy(), HResult::S_OK, "V166");
        assert_eq!(spy.take(), [Release], "S7");
        assert_eq!(CoRevokeMallocSpy(), HResult::CO_E_OBJNOTREG, "V167");
        assert_eq!(spy.references(), 1);
    }

    #[test]
    fn v168_a_spy_adds_a_header() {
        let _alone = alone();
        let spy = registered(header());
        let block = CoTaskMemAlloc(100);
        let real = block.addr() - 32;
        assert_eq!(spy.take(), [PreAlloc(100), PostAlloc(real)]);
        fill(block, 0xFF, 100);
        free(block);
        assert_eq!(spy.take(), [PreFree(block.addr(), 1), PostFree(1)]);
        revoke(&spy);
    }

    #[test]
    fn v169_v170_a_forced_failure_and_no_bytes() {
        let _alone = alone();
        let spy = registered(Ways {
            refuses: Some(7),
            ..Ways::default()
        });
        assert!(CoTaskMemAlloc(7).is_null());
        assert_eq!(spy.take(), [PreAlloc(7)], "V169");
        spy.change(|ways| ways.refuses = Some(0));
        let block = CoTaskMemAlloc(0);
        assert!(!block.is_null());
        assert_eq!(spy.take(), [PreAlloc(0), PostAlloc(block.addr())], "V170");
        free(block);
        revoke(&spy);
    }

    #[test]
    fn v171_no_memory_is_told() {
        let _alone = alone();
        let spy = registered(header());
        assert!(CoTaskMemAlloc(usize::MAX - 100).is_null());
        assert_eq!(spy.take(), [PreAlloc(usize::MAX - 100), PostAlloc(0)]);
        {
            let _failing = fail_nth(1);
            assert!(CoTaskMemAlloc(8).is_null());
        }
        assert_eq!(spy.take(), [PreAlloc(8), PostAlloc(0)]);
        revoke(&spy);
    }

    #[test]
    fn v172_a_forced_failure_of_a_reallocation() {
        let _alone = alone();
        let spy = registered(Ways {
            refuses: Some(500),
            ..header()
        });
        let block = CoTaskMemAlloc(5);
        fill(block, 9, 5);
        spy.take();
        assert!(realloc(block, 500).is_null());
        assert_eq!(spy.take(), [PreRealloc(block.addr(), 500, 1)]);
        assert_eq!(contents(block, 5), [9; 5]);
        free(block);
        assert_eq!(spy.take(), [PreFree(block.addr(), 1), PostFree(1)]);
        revoke(&spy);
    }

    #[test]
    fn v173_a_block_from_before_is_reallocated() {
        let _alone = alone();
        let block = CoTaskMemAlloc(5);
        let spy = registered(Ways::default());
        let moved = realloc(block, 500);
        assert_eq!(
            spy.take(),
            [
                PreRealloc(block.addr(), 500, 0),
                PostRealloc(moved.addr(), 1)
            ]
        );
        // From now on it is spyed, and keeps the spy.
        assert_eq!(CoRevokeMallocSpy(), HResult::E_ACCESSDENIED);
        free(moved);
        assert_eq!(spy.take(), [PreFree(moved.addr(), 1), PostFree(1), Release]);
    }

    /// A spy that puts its header where it is told TRUE takes it off again where it is told TRUE.
    #[test]
    fn v173_a_header_is_put_where_it_is_looked_for() {
        let _alone = alone();
        let block = CoTaskMemAlloc(5);
        let spy = registered(Ways {
            goes_by_flag: true,
            ..header()
        });
        let moved = realloc(block, 500);
        fill(moved, 7, 500);
        assert_eq!((get_size(moved), did_alloc(moved)), (500, 1));
        let moved = realloc(moved, 900);
        assert_eq!(contents(moved, 500), [7; 500]);
        free(moved);
        revoke(&spy);
    }

    #[test]
    fn v174_a_revoke_is_remembered() {
        let _alone = alone();
        let spy = registered(header());
        let block = CoTaskMemAlloc(1);
        assert_eq!(CoRevokeMallocSpy(), HResult::E_ACCESSDENIED);
        assert_eq!(CoRevokeMallocSpy(), HResult::E_ACCESSDENIED, "S11");
        assert_eq!(register(&spy), HResult::CO_E_OBJISREG, "S10");
        let later = CoTaskMemAlloc(2);
        free(block);
        assert_eq!(spy.references(), 2, "S12");
        spy.take();
        free(later);
        assert_eq!(spy.take(), [PreFree(later.addr(), 1), PostFree(1), Release]);
        assert_eq!(CoRevokeMallocSpy(), HResult::CO_E_OBJNOTREG);
        assert_eq!(spy.references(), 1);
        free(CoTaskMemAlloc(3));
        assert_eq!(spy.take(), []);
    }

    #[test]
    fn v175_a_block_from_before_is_freed() {
        let _alone = alone();
        let block = CoTaskMemAlloc(1);
        let spy = registered(header());
        free(block);
        assert_eq!(spy.take(), [PreFree(block.addr(), 0), PostFree(0)]);
        revoke(&spy);
    }

    #[test]
    fn v176_v177_a_string_is_seen_as_its_block() {
        let _alone = alone();
        let spy = registered(Ways::default());
        let text: Vec<u16> = "Test\0".encode_utf16().collect();
        // SAFETY: the source is terminated.
        let mut bstr = unsafe { SysAllocString(text.as_ptr()) };
        let size = if cfg!(target_pointer_width = "64") {
            32
        } else {
            16
        };
        let start = bstr.addr() - BSTR_HEADER;
        assert_eq!(spy.take(), [PreAlloc(size), PostAlloc(start)]);
        // SAFETY: the variable holds a live BSTR; null needs nothing.
        let done = unsafe { SysReAllocStringLen(&raw mut bstr, ptr::null(), 200) };
        assert_eq!(done, 1);
        let moved = bstr.addr() - BSTR_HEADER;
        let calls = spy.take();
        assert!(matches!(calls[0], PreRealloc(at, _, 1) if at == start));
        assert_eq!(calls[1..], [PostRealloc(moved, 1)]);
        // SAFETY: the string is live, and this is its last use.
        unsafe { SysFreeString(bstr) };
        assert_eq!(spy.take(), [PreFree(moved, 1), PostFree(1)]);
        revoke(&spy);
    }

    #[test]
    fn v178_the_size_is_the_spys() {
        let _alone = alone();
        let spy = registered(header());
        let block = CoTaskMemAlloc(100);
        spy.take();
        assert_eq!(get_size(block), 100);
        assert_eq!(
            spy.take(),
            [PreGetSize(block.addr(), 1), PostGetSize(132, 1)]
        );
        spy.change(|ways| ways.answers = Some(77));
        assert_eq!(get_size(block), 77);
        spy.change(|ways| ways.answers = Some(-1));
        assert_eq!(get_size(block), usize::MAX);
        free(block);
        revoke(&spy);
    }

    #[test]
    fn v179_one_call_at_a_time() {
        let _alone = alone();
        let rounds = if cfg!(miri) { 5 } else { 300 };
        let spy = registered(header());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for round in 0..rounds {
                        free(realloc(CoTaskMemAlloc(round), round + 50));
                    }
                });
            }
        });
        let calls = spy.take();
        assert_eq!(calls.len(), 3 * rounds * 6);
        for pair in calls.chunks(2) {
            assert!(
                matches!(
                    pair,
                    [PreAlloc(_), PostAlloc(_)]
                        | [PreRealloc(..), PostRealloc(..)]
                        | [PreFree(..), PostFree(_)]
                ),
                "{pair:?}"
            );
        }
        revoke(&spy);
    }

    #[test]
    fn s5_an_object_that_is_no_spy() {
        let _alone = alone();
        let spy = ComSpy::new(Ways {
            is_none: true,
            ..Ways::default()
        });
        assert_eq!(register(&spy), HResult::E_INVALIDARG);
        assert_eq!(spy.take(), [Query(IID_MALLOC_SPY)]);
        assert_eq!(CoRevokeMallocSpy(), HResult::CO_E_OBJNOTREG);
        assert_eq!(spy.references(), 1);
    }

    /// The question is passed on as it was asked, and Wine passes the adjusted pointer.
    #[test]
    fn post_did_alloc_is_told_the_pointer_of_the_question() {
        let _alone = alone();
        let spy = registered(header());
        let block = CoTaskMemAlloc(1);
        spy.take();
        assert_eq!(did_alloc(block), 1);
        assert_eq!(
            spy.take(),
            [
                PreDidAlloc(block.addr(), 1),
                PostDidAlloc(block.addr(), 1, 1)
            ]
        );
        // Whatever the spy answers is what the caller is told.
        for answer in [0, 1, -1, 42, i32::MIN] {
            spy.change(|ways| ways.answers = Some(answer));
            assert_eq!(did_alloc(block), answer);
        }
        assert_eq!(did_alloc(ptr::null_mut()), -1);
        free(block);
        revoke(&spy);
    }

    #[test]
    fn realloc_of_null_and_to_no_bytes() {
        let _alone = alone();
        let spy = registered(header());
        let block = realloc(ptr::null_mut(), 10);
        assert_eq!(
            spy.take(),
            [PreRealloc(0, 10, 0), PostRealloc(block.addr() - 32, 1)]
        );
        assert!(realloc(block, 0).is_null());
        assert_eq!(
            spy.take(),
            [PreRealloc(block.addr(), 0, 1), PostRealloc(0, 1)]
        );
        revoke(&spy);
    }

    #[test]
    fn heap_minimize_is_told() {
        let _alone = alone();
        let spy = registered(header());
        let malloc = malloc();
        // SAFETY: the method takes nothing but its object.
        unsafe { (malloc.vtbl.heap_minimize)(ptr::from_ref(malloc).cast_mut().cast()) };
        assert_eq!(spy.take(), [PreHeapMinimize, PostHeapMinimize]);
        revoke(&spy);
    }
}

/// `semantics.md` 4.6, in its order.
/// Pins, the cache and a source inside the string, under a spy of C's that moves pointers.
mod strings_behind_a_header {
    use super::*;
    use olemem::cache::{self, Model};

    fn text(len: u32) -> *mut u16 {
        let units = vec![0x61; len as usize];
        // SAFETY: the source holds so many units.
        unsafe { SysAllocStringLen(units.as_ptr(), len) }
    }

    fn free_text(text: *mut u16) {
        // SAFETY: the tests free what is live or pinned.
        unsafe { SysFreeString(text) };
    }

    #[test]
    fn a_pin_puts_the_free_off() {
        let _alone = alone();
        let spy = registered(header());
        let pinned = text(4);
        assert_eq!(SysAddRefString(pinned), HResult::S_OK);
        spy.take();
        free_text(pinned);
        assert_eq!(spy.take(), []);
        // SAFETY: the pin is this test's.
        unsafe { SysReleaseString(pinned) };
        let block = pinned.addr() - BSTR_HEADER;
        assert_eq!(spy.take(), [PreFree(block, 1), PostFree(1)]);
        assert_eq!(SysAddRefString(pinned), HResult::E_INVALIDARG);
        revoke(&spy);
    }

    #[test]
    fn the_cache_keeps_them() {
        let _alone = alone();
        let spy = registered(header());
        cache::set(Model::Windows);
        let first = text(4);
        spy.take();
        free_text(first);
        // The spy's header is no room for a longer one.
        let longer = text(20);
        assert_ne!(longer, first);
        spy.take();
        assert_eq!(text(4), first);
        assert_eq!(spy.take(), []);
        free_text(first);
        free_text(longer);
        assert_eq!(CoRevokeMallocSpy(), HResult::E_ACCESSDENIED);
        cache::set(Model::Off);
        assert_eq!(spy.references(), 1);
        assert_eq!(CoRevokeMallocSpy(), HResult::CO_E_OBJNOTREG);
    }

    #[test]
    fn a_source_inside_is_bounded_by_what_was_asked_for() {
        let _alone = alone();
        let spy = registered(header());
        let mut bstr = text(20);
        let source = bstr.wrapping_add(5);
        // SAFETY: the variable holds a live BSTR, and the source is inside it.
        let done = unsafe { SysReAllocStringLen(&raw mut bstr, source, 300) };
        assert_eq!(done, 1);
        // SAFETY: so many units were copied.
        let units = unsafe { std::slice::from_raw_parts(bstr, 15) };
        assert_eq!(units, [0x61; 15]);
        free_text(bstr);
        revoke(&spy);
    }
}

mod defects_of_wine {
    use super::*;

    #[test]
    fn d1_the_size_that_pre_alloc_gives_is_allocated() {
        let _alone = alone();
        let spy = registered(header());
        let block = CoTaskMemAlloc(8);
        let real = block.wrapping_byte_sub(32);
        fill(real, 1, 40);
        revoke_after(&spy, block);
    }

    #[test]
    fn d2_after_a_forced_failure_a_block_is_spyed() {
        let _alone = alone();
        let spy = registered(Ways {
            refuses: Some(9),
            ..header()
        });
        let block = CoTaskMemAlloc(8);
        assert!(realloc(block, 9).is_null());
        spy.take();
        assert_eq!(get_size(block), 8);
        assert_eq!(
            spy.take(),
            [PreGetSize(block.addr(), 1), PostGetSize(40, 1)]
        );
        assert_eq!(CoRevokeMallocSpy(), HResult::E_ACCESSDENIED);
        free(block);
        assert_eq!(spy.references(), 1);
    }

    #[test]
    fn d3_a_reallocation_to_no_bytes_frees() {
        let _alone = alone();
        let spy = registered(header());
        let block = CoTaskMemAlloc(8);
        let real = block.wrapping_byte_sub(32);
        assert!(realloc(block, 0).is_null());
        assert_eq!(did_alloc(real), 0);
        revoke(&spy);
    }

    #[test]
    fn d4_a_spy_on_its_way_out_sees_a_reallocation_to_its_end() {
        let _alone = alone();
        let spy = registered(header());
        let block = CoTaskMemAlloc(8);
        fill(block, 3, 8);
        assert_eq!(CoRevokeMallocSpy(), HResult::E_ACCESSDENIED);
        spy.take();
        let moved = realloc(block, 300);
        assert_eq!(
            spy.take(),
            [
                PreRealloc(block.addr(), 300, 1),
                PostRealloc(moved.addr() - 32, 1)
            ]
        );
        assert_eq!(contents(moved, 8), [3; 8]);
        fill(moved, 4, 300);
        free(moved);
        assert_eq!(spy.take().last(), Some(&Release));
    }

    #[test]
    fn d5_questions_with_nothing_spyed() {
        let _alone = alone();
        let block = CoTaskMemAlloc(8);
        let spy = registered(header());
        assert_eq!(get_size(block), 8);
        assert_eq!(did_alloc(block), 1);
        assert_eq!(
            spy.take(),
            [
                PreGetSize(block.addr(), 0),
                PostGetSize(8, 0),
                PreDidAlloc(block.addr(), 0),
                PostDidAlloc(block.addr(), 0, 1),
            ]
        );
        free(block);
        revoke(&spy);
    }

    #[track_caller]
    fn revoke_after(spy: &ComSpy, block: Pointer) {
        free(block);
        revoke(spy);
    }
}

/// Spies that hand back what they should not: R54 and its kin.
mod mistakes {
    use super::*;

    #[test]
    fn null_from_pre_free_frees_nothing() {
        let _alone = alone();
        let spy = registered(Ways {
            loses: Some(0),
            ..Ways::default()
        });
        let block = CoTaskMemAlloc(8);
        fill(block, 5, 8);
        spy.take();
        free(block);
        assert_eq!(spy.take(), [PreFree(block.addr(), 1), PostFree(1)]);
        // To no bytes it is the same.
        let other = CoTaskMemAlloc(8);
        assert!(realloc(other, 0).is_null());
        revoke(&spy);
        // Both are there, and nobody's.
        assert_eq!((did_alloc(block), did_alloc(other)), (1, 1));
        assert_eq!(contents(block, 8), [5; 8]);
        free(block);
        free(other);
    }

    #[test]
    fn null_from_pre_realloc_allocates() {
        let _alone = alone();
        let spy = registered(Ways {
            loses: Some(0),
            ..Ways::default()
        });
        let block = CoTaskMemAlloc(8);
        let new = realloc(block, 100);
        assert_ne!(new, block);
        spy.change(|ways| ways.loses = None);
        assert_eq!(get_size(new), 100);
        free(new);
        // The old one is nobody's.
        revoke(&spy);
        free(block);
    }

    #[test]
    fn a_pre_realloc_that_stores_nothing_changes_nothing() {
        let _alone = alone();
        let spy = registered(Ways {
            forgets: true,
            ..Ways::default()
        });
        let block = CoTaskMemAlloc(8);
        fill(block, 6, 8);
        let new = realloc(block, 100);
        assert_eq!(contents(new, 8), [6; 8]);
        free(new);
        revoke(&spy);
    }

    #[test]
    fn questions_about_any_pointer_have_an_answer() {
        let _alone = alone();
        let spy = registered(Ways::default());
        let block = CoTaskMemAlloc(8);
        for (loses, did) in [(0, -1), (1, 0), (usize::MAX, 0), (0xDEAD_BEE8, 0)] {
            spy.change(|ways| ways.loses = Some(loses));
            assert_eq!(get_size(block), usize::MAX);
            assert_eq!(did_alloc(block), did);
        }
        spy.change(|ways| ways.loses = None);
        free(block);
        revoke(&spy);
    }

    #[cfg(all(unix, not(miri)))]
    #[test]
    fn child() {
        let Some(deed) = children::deed() else { return };
        let block = CoTaskMemAlloc(8);
        // Offsets are undone for a block that has none.
        let spy = registered(Ways {
            loses: Some(block.addr() - 32),
            ..Ways::default()
        });
        match deed.as_str() {
            "free" => free(block),
            _ => drop(realloc(block, 9)),
        }
        revoke(&spy);
    }

    #[cfg(all(unix, not(miri)))]
    #[test]
    fn r54_a_pointer_that_is_no_block_ends_the_process() {
        use std::os::unix::process::ExitStatusExt as _;
        for (deed, line) in [
            ("free", "olemem: free of 0x"),
            ("realloc", "olemem: reallocation of 0x"),
        ] {
            let output = children::child("mistakes::child", deed)
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

/// The audit sits inside of the spy: it sees the real blocks.
#[cfg(feature = "audit")]
mod watched {
    use super::*;
    use olemem::audit::{Backtrace, Kind, Session};

    fn session() -> Session {
        Session::options().backtrace(Backtrace::Off).begin()
    }

    #[test]
    fn a_spy_that_keeps_the_rules_is_no_matter() {
        let _alone = alone();
        let spy = registered(header());
        let session = session();
        let block = realloc(ptr::null_mut(), 10);
        fill(block, 7, 10);
        assert_eq!(get_size(block), 10);
        assert_eq!(did_alloc(block), 1);
        let block = realloc(block, 500);
        assert_eq!(contents(block, 10), [7; 10]);
        let block = realloc(block, 3);
        free(block);
        // SAFETY: a null source needs nothing.
        let text = unsafe { SysAllocStringLen(ptr::null(), 5) };
        // SAFETY: live, and its last use.
        unsafe { SysFreeString(text) };
        revoke(&spy);
        session.finish().assert_kinds([]);
    }

    /// A string is replaced, pinned, cached: the seat knows it by its holder's pointer.
    #[test]
    fn strings_with_room_around_them_are_no_matter() {
        let _alone = alone();
        let spy = registered(header());
        let session = session();
        // SAFETY: terminated texts, and a variable of this frame's.
        let mut text = unsafe { SysAllocString([0x41, 0x42, 0].as_ptr()) };
        let longer = [0x43_u16; 40];
        // SAFETY: as above.
        let done = unsafe { SysReAllocStringLen(&raw mut text, longer.as_ptr(), 40) };
        assert_eq!(done, 1);
        // SAFETY: as above.
        let done = unsafe { SysReAllocString(&raw mut text, [0x44, 0].as_ptr()) };
        assert_eq!(done, 1);
        assert_eq!(SysAddRefString(text), HResult::S_OK);
        // SAFETY: pinned, then at its last use.
        unsafe { SysFreeString(text) };
        // SAFETY: the pin is this function's own.
        unsafe { SysReleaseString(text) };
        olemem::cache::set(olemem::cache::Model::Windows);
        // SAFETY: a terminated text.
        let kept = unsafe { SysAllocString([0x41, 0x42, 0].as_ptr()) };
        // SAFETY: live, and its last use.
        unsafe { SysFreeString(kept) };
        let report = session.finish();
        olemem::cache::set(olemem::cache::Model::Off);
        report.assert_kinds([]);
        revoke(&spy);
    }

    /// Where the spy's own room is left, and the leak is its caller's.
    #[test]
    fn leaks_are_told_of_the_real_blocks() {
        let _alone = alone();
        let spy = registered(header());
        let session = session();
        let block = realloc(ptr::null_mut(), 10);
        let report = session.finish();
        report.assert_kinds([Kind::Leak]);
        assert_eq!(
            report.violations()[0]
                .block
                .as_ref()
                .expect("a block")
                .bytes,
            42
        );
        free(block);
        revoke(&spy);
    }

    #[test]
    fn a_spy_that_loses_a_pointer_is_told() {
        let _alone = alone();
        let spy = registered(header());
        let session = session();
        let freed = realloc(ptr::null_mut(), 10);
        let grown = realloc(ptr::null_mut(), 20);
        spy.change(|ways| ways.loses = Some(0x1234_5670));
        free(freed);
        assert_eq!(realloc(grown, 40), ptr::null_mut());
        spy.change(|ways| ways.loses = None);
        let report = session.finish();
        report.assert_kinds([Kind::SpyPointerLost; 2]);
        assert_eq!(
            report.violations()[0].message,
            "the registered spy handed back a pointer that is no block"
        );
        free(freed.wrapping_byte_sub(32));
        free(grown);
        revoke(&spy);
    }

    /// Undone where there was nothing to undo: a block from before the spy.
    #[test]
    fn a_spy_that_moves_what_is_not_its_own_is_told() {
        let _alone = alone();
        let session = session();
        let before = realloc(ptr::null_mut(), 100);
        let spy = registered(Ways {
            loses: Some(before.addr() - 32),
            ..header()
        });
        free(before);
        spy.change(|ways| ways.loses = None);
        free(before);
        revoke(&spy);
        session.finish().assert_kinds([Kind::SpyPointerLost]);
    }

    /// What is wrong without a spy is told as without one.
    #[test]
    fn a_bad_free_under_a_spy_is_told_as_one() {
        let _alone = alone();
        let spy = registered(Ways::default());
        let session = session();
        let mut local = 0_u64;
        free((&raw mut local).cast());
        let block = realloc(ptr::null_mut(), 10);
        free(block);
        free(block);
        session
            .finish()
            .assert_kinds([Kind::ForeignFree, Kind::DoubleFree]);
        revoke(&spy);
    }
}
