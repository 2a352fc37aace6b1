//! Task memory through the windows crate: the three functions, and the allocator as an object.

use std::ffi::c_void;
use std::sync::atomic::AtomicPtr;
use std::thread;

use olemem as _;
use windows::Win32::Foundation::{E_INVALIDARG, E_NOINTERFACE};
use windows::Win32::System::Com::{
    CoGetMalloc, CoTaskMemAlloc, CoTaskMemFree, CoTaskMemRealloc, IMalloc, MEMCTX_MACSYSTEM,
    MEMCTX_SAME, MEMCTX_SHARED, MEMCTX_TASK, MEMCTX_UNKNOWN,
};
use windows::core::{Array, BSTR, GUID, IUnknown, Interface};

fn alloc(size: usize) -> *mut c_void {
    // SAFETY: allocating asks nothing of the caller.
    unsafe { CoTaskMemAlloc(size) }
}

fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the tests hand over a live block or null.
    unsafe { CoTaskMemRealloc(Some(block), size) }
}

fn free(block: *mut c_void) {
    // SAFETY: the tests hand over a live block or null, once.
    unsafe { CoTaskMemFree(Some(block)) }
}

fn fill(block: *mut c_void, size: usize) {
    for index in 0..size {
        // SAFETY: the index lies inside the block.
        let place = unsafe { block.cast::<u8>().add(index) };
        // SAFETY: as above; the block is this test's alone.
        unsafe { place.write((index % 251) as u8) };
    }
}

fn is_filled(block: *mut c_void, size: usize) -> bool {
    // SAFETY: the block holds at least `size` bytes, all written by `fill`.
    let bytes = unsafe { std::slice::from_raw_parts(block.cast::<u8>(), size) };
    bytes
        .iter()
        .enumerate()
        .all(|(index, byte)| *byte == (index % 251) as u8)
}

fn malloc() -> IMalloc {
    // SAFETY: the context is the documented one.
    unsafe { CoGetMalloc(MEMCTX_TASK.0.cast_unsigned()) }.expect("there is a task allocator")
}

fn size_of_block(malloc: &IMalloc, block: *const c_void) -> usize {
    // SAFETY: the size of anything may be asked for, null included.
    unsafe { malloc.GetSize(Some(block)) }
}

fn did_alloc(malloc: &IMalloc, block: *const c_void) -> i32 {
    // SAFETY: any address at all may be asked about.
    unsafe { malloc.DidAlloc(Some(block)) }
}

#[test]
fn alloc_and_free() {
    for size in [1, 2, 15, 16, 17, 64, 1000] {
        let block = alloc(size);
        assert!(!block.is_null());
        assert_eq!(block.addr() % 16, 0);
        fill(block, size);
        assert!(is_filled(block, size));
        free(block);
    }
}

#[test]
fn zero_bytes_are_a_block() {
    let one = alloc(0);
    let two = alloc(0);
    assert!(!one.is_null());
    assert!(!two.is_null());
    assert_ne!(one, two);
    free(one);
    free(two);
}

#[test]
fn free_of_null() {
    free(std::ptr::null_mut());
    // SAFETY: `None` is null.
    unsafe { CoTaskMemFree(None) };
}

#[test]
fn realloc_keeps_the_contents() {
    let mut block = alloc(10);
    fill(block, 10);
    for size in [10, 11, 64, 500, 30, 10] {
        block = realloc(block, size);
        assert!(!block.is_null());
        assert!(is_filled(block, 10));
    }
    free(block);
}

#[test]
fn realloc_of_null_allocates_and_to_zero_frees() {
    // SAFETY: `None` is null.
    let block = unsafe { CoTaskMemRealloc(None, 8) };
    assert!(!block.is_null());
    fill(block, 8);
    assert!(realloc(block, 0).is_null());

    // SAFETY: `None` is null.
    let empty = unsafe { CoTaskMemRealloc(None, 0) };
    assert!(!empty.is_null());
    free(empty);
}

#[test]
fn a_failed_realloc_loses_nothing() {
    let block = alloc(24);
    fill(block, 24);
    assert!(realloc(block, usize::MAX / 2 + 1).is_null());
    assert!(is_filled(block, 24));
    free(block);
}

#[test]
fn too_much_is_null() {
    assert!(alloc(usize::MAX).is_null());
    assert!(alloc(usize::MAX / 2 + 1).is_null());
}

#[test]
fn a_block_changes_threads() {
    let made = thread::spawn(|| {
        let block = alloc(40);
        fill(block, 40);
        AtomicPtr::new(block)
    });
    let block = made
        .join()
        .expect("the other thread ends well")
        .into_inner();
    assert!(is_filled(block, 40));
    free(block);
}

#[test]
fn the_allocator_as_an_object() {
    let malloc = malloc();
    // SAFETY: allocating asks nothing of the caller.
    let block = unsafe { malloc.Alloc(16) };
    assert!(!block.is_null());
    fill(block, 16);
    assert_eq!(size_of_block(&malloc, block), 16);
    // SAFETY: the block is live and this function's own.
    let block = unsafe { malloc.Realloc(Some(block), 48) };
    assert!(is_filled(block, 16));
    assert_eq!(size_of_block(&malloc, block), 48);
    // SAFETY: as above.
    unsafe { malloc.Free(Some(block)) };
    // SAFETY: `None` is null.
    unsafe { malloc.Free(None) };
    // SAFETY: the method takes no argument.
    unsafe { malloc.HeapMinimize() };
}

#[test]
fn functions_and_object_share_one_heap() {
    let malloc = malloc();
    // SAFETY: allocating asks nothing of the caller.
    let from_object = unsafe { malloc.Alloc(5) };
    free(from_object);

    let from_function = alloc(5);
    assert_eq!(size_of_block(&malloc, from_function), 5);
    // SAFETY: the block is live and this function's own.
    unsafe { malloc.Free(Some(from_function)) };
}

#[test]
fn sizes_are_exact() {
    let malloc = malloc();
    for size in [0, 1, 7, 16, 27, 100, 4096] {
        let block = alloc(size);
        assert_eq!(size_of_block(&malloc, block), size);
        free(block);
    }
    assert_eq!(size_of_block(&malloc, std::ptr::null()), usize::MAX);
}

#[test]
fn did_alloc_answers_for_any_address() {
    let malloc = malloc();
    let block = alloc(16);
    assert_eq!(did_alloc(&malloc, block), 1);
    // SAFETY: four bytes on is inside the block.
    let inside = unsafe { block.byte_add(4) };
    assert_eq!(did_alloc(&malloc, inside), 0);
    assert_eq!(did_alloc(&malloc, std::ptr::null()), -1);
    assert_eq!(did_alloc(&malloc, std::ptr::without_provenance(1)), 0);
    let local = 0_u64;
    assert_eq!(did_alloc(&malloc, std::ptr::from_ref(&local).cast()), 0);
    free(block);
}

#[test]
fn only_the_task_context_is_known() {
    for context in [
        0,
        MEMCTX_SHARED.0,
        MEMCTX_MACSYSTEM.0,
        MEMCTX_UNKNOWN.0,
        MEMCTX_SAME.0,
    ] {
        // SAFETY: any context may be asked for.
        let outcome = unsafe { CoGetMalloc(context.cast_unsigned()) };
        assert_eq!(
            outcome.unwrap_err().code(),
            E_INVALIDARG,
            "context {context}"
        );
    }
}

#[test]
fn the_allocator_is_a_com_object() {
    let malloc = malloc();
    let unknown: IUnknown = malloc.cast().expect("every object is an IUnknown");
    let back: IMalloc = unknown.cast().expect("the allocator is an IMalloc");
    assert_eq!(back.as_raw(), malloc.as_raw());
    assert_eq!(unknown.as_raw(), malloc.as_raw());
    assert_eq!(back, malloc);

    let mut found: *mut c_void = std::ptr::dangling_mut();
    let other = GUID::from_u128(0x0000001d_0000_0000_c000_000000000046);
    // SAFETY: the object is alive; both pointers are those of local variables.
    let outcome = unsafe { unknown.query(&other, &mut found) };
    assert_eq!(outcome, E_NOINTERFACE);
    assert!(found.is_null());
}

#[test]
fn references_are_paired() {
    let malloc = malloc();
    let unknown: IUnknown = malloc.cast().expect("every object is an IUnknown");
    let vtable = unknown.vtable();
    // SAFETY: the object is alive and this is its own vtable.
    let more = unsafe { (vtable.AddRef)(unknown.as_raw()) };
    // SAFETY: as above; this gives back the reference just taken.
    let back = unsafe { (vtable.Release)(unknown.as_raw()) };
    assert_eq!(back, more - 1);

    // It is the process's only one, and no number of releases makes it go away.
    let again = self::malloc();
    assert_eq!(again.as_raw(), malloc.as_raw());
    let copies = vec![again; 5];
    drop(copies);
    drop(unknown);
    let block = alloc(3);
    assert_eq!(did_alloc(&malloc, block), 1);
    free(block);
}

#[test]
fn the_crate_s_own_array_stands_on_task_memory() {
    let mut array = Array::<BSTR>::with_len(3);
    array[0] = BSTR::from("first");
    array[2] = BSTR::from("third");
    assert_eq!(array[0], "first");
    assert_eq!(array[1], "");
    let malloc = malloc();
    assert_eq!(
        size_of_block(&malloc, array.as_ptr().cast()),
        3 * size_of::<*const u16>()
    );
}
