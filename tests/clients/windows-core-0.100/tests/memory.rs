//! Task memory and the BSTR functions, declared as windows-core's users declare what they import.
//!
//! windows-core brings no Win32 functions of its own: a program says which ones it wants with
//! `link!`, and which interfaces with `#[interface]`.
#![expect(non_snake_case, reason = "COM's names")]

use std::ffi::c_void;
use std::mem::ManuallyDrop;

use olemem as _;
use windows_core::{
    Array, BSTR, GUID, HRESULT, IUnknown, Interface, PCWSTR, PWSTR, Result, interface, link, w,
};

link!("ole32.dll" "system" fn CoTaskMemAlloc(size: usize) -> *mut c_void);
link!("ole32.dll" "system" fn CoTaskMemRealloc(block: *mut c_void, size: usize) -> *mut c_void);
link!("ole32.dll" "system" fn CoTaskMemFree(block: *mut c_void));
link!("ole32.dll" "system" fn CoGetMalloc(context: u32, malloc: *mut *mut c_void) -> HRESULT);
link!("ole32.dll" "system" fn StringFromCLSID(clsid: *const GUID, text: *mut PWSTR) -> HRESULT);
link!("ole32.dll" "system" fn StringFromGUID2(guid: *const GUID, text: *mut u16, units: i32) -> i32);
link!("oleaut32.dll" "system" fn SysAllocString(text: PCWSTR) -> ManuallyDrop<BSTR>);
link!("oleaut32.dll" "system" fn SysAllocStringByteLen(text: *const u8, length: u32) -> ManuallyDrop<BSTR>);
link!("oleaut32.dll" "system" fn SysReAllocStringLen(text: *mut BSTR, source: *const u16, length: u32) -> i32);
link!("oleaut32.dll" "system" fn SysStringByteLen(text: *const u16) -> u32);
link!("oleaut32.dll" "system" fn VarBstrCat(left: *const u16, right: *const u16, joined: *mut BSTR) -> HRESULT);
link!("oleaut32.dll" "system" fn VarBstrCmp(left: *const u16, right: *const u16, lcid: u32, flags: u32) -> HRESULT);

/// The allocator as an interface: what this file says of its table is what Windows says.
#[interface("00000002-0000-0000-c000-000000000046")]
unsafe trait IMalloc: IUnknown {
    fn Alloc(&self, size: usize) -> *mut c_void;
    fn Realloc(&self, block: *mut c_void, size: usize) -> *mut c_void;
    fn Free(&self, block: *mut c_void);
    fn GetSize(&self, block: *const c_void) -> usize;
    fn DidAlloc(&self, block: *const c_void) -> i32;
    fn HeapMinimize(&self);
}

const TASK: u32 = 1;

fn malloc() -> Result<IMalloc> {
    let mut found = std::ptr::null_mut();
    // SAFETY: the variable outlives the call.
    unsafe { CoGetMalloc(TASK, &mut found) }.ok()?;
    // SAFETY: on success the pointer is an IMalloc with a reference that is ours.
    Ok(unsafe { IMalloc::from_raw(found) })
}

fn raw(text: &BSTR) -> *const u16 {
    // SAFETY: a `BSTR` is a pointer; reading it leaves the owner as it is.
    unsafe { std::mem::transmute_copy(text) }
}

#[test]
fn task_memory() {
    // SAFETY: allocating asks nothing of the caller.
    let block = unsafe { CoTaskMemAlloc(3) }.cast::<u8>();
    // SAFETY: three bytes are there.
    unsafe { block.copy_from_nonoverlapping([7, 8, 9].as_ptr(), 3) };
    // SAFETY: the block is live and this function's own.
    let block = unsafe { CoTaskMemRealloc(block.cast(), 300) }.cast::<u8>();
    // SAFETY: the first three bytes are the old ones.
    assert_eq!(unsafe { std::slice::from_raw_parts(block, 3) }, [7, 8, 9]);
    // SAFETY: the block is live and this function's own.
    unsafe { CoTaskMemFree(block.cast()) };
    // SAFETY: null is allowed.
    unsafe { CoTaskMemFree(std::ptr::null_mut()) };

    // SAFETY: allocating asks nothing of the caller; null means a new block.
    let block = unsafe { CoTaskMemRealloc(std::ptr::null_mut(), 0) };
    assert!(!block.is_null());
    // SAFETY: the block is live and this function's own; zero frees it.
    assert!(unsafe { CoTaskMemRealloc(block, 0) }.is_null());
}

#[test]
fn the_allocator_as_an_object() {
    let malloc = malloc().expect("there is a task allocator");
    // SAFETY: allocating asks nothing of the caller.
    let block = unsafe { malloc.Alloc(27) };
    // SAFETY: any address may be asked about.
    assert_eq!(unsafe { malloc.DidAlloc(block) }, 1);
    // SAFETY: the block is live.
    assert_eq!(unsafe { malloc.GetSize(block) }, 27);
    // SAFETY: the block is live and this function's own.
    let block = unsafe { malloc.Realloc(block, 5) };
    // SAFETY: the block is live.
    assert_eq!(unsafe { malloc.GetSize(block) }, 5);
    // SAFETY: any address may be asked about.
    assert_eq!(unsafe { malloc.DidAlloc(block.wrapping_byte_add(1)) }, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { malloc.DidAlloc(std::ptr::null()) }, -1);
    // SAFETY: as above.
    assert_eq!(unsafe { malloc.GetSize(std::ptr::null()) }, usize::MAX);
    // SAFETY: the block is live and this function's own.
    unsafe { malloc.Free(block) };
    // SAFETY: the method takes no argument.
    unsafe { malloc.HeapMinimize() };
}

#[test]
fn the_allocator_is_a_com_object() {
    let malloc = malloc().expect("there is a task allocator");
    let unknown: IUnknown = malloc.cast().expect("every object is an IUnknown");
    let back: IMalloc = unknown.cast().expect("the allocator is an IMalloc");
    assert_eq!(back.as_raw(), malloc.as_raw());

    let vtable = unknown.vtable();
    // SAFETY: the object is alive and this is its own vtable.
    let more = unsafe { (vtable.AddRef)(unknown.as_raw()) };
    // SAFETY: as above; this gives back the reference just taken.
    let left = unsafe { (vtable.Release)(unknown.as_raw()) };
    assert_eq!(left, more - 1);
}

#[test]
fn another_context_is_an_error() {
    let mut found = std::ptr::dangling_mut();
    // SAFETY: the variable outlives the call.
    let outcome = unsafe { CoGetMalloc(2, &mut found) };
    assert_eq!(outcome, HRESULT(0x8007_0057_u32.cast_signed()));
    assert!(found.is_null());
}

#[test]
fn the_crate_s_own_array_stands_on_task_memory() {
    let mut array = Array::<BSTR>::with_len(2);
    array[1] = BSTR::from("second");
    let malloc = malloc().expect("there is a task allocator");
    // SAFETY: the array's block is live.
    let size = unsafe { malloc.GetSize(array.as_ptr().cast()) };
    assert_eq!(size, 2 * size_of::<*const u16>());
}

#[test]
fn strings_made_by_the_functions() {
    // SAFETY: the literal ends with a zero.
    let text = ManuallyDrop::into_inner(unsafe { SysAllocString(w!("Test")) });
    assert_eq!(text, "Test");

    // SAFETY: three bytes are there.
    let odd = ManuallyDrop::into_inner(unsafe { SysAllocStringByteLen(b"abc".as_ptr(), 3) });
    assert_eq!(odd.len(), 1);
    // SAFETY: the string is live.
    assert_eq!(unsafe { SysStringByteLen(raw(&odd)) }, 3);

    let mut text = text;
    // SAFETY: the variable holds a live string; the source has six units.
    let done = unsafe { SysReAllocStringLen(&mut text, w!("Larger").as_ptr(), 6) };
    assert_eq!(done, 1);
    assert_eq!(text, "Larger");
}

#[test]
fn joined_and_compared() {
    let (left, right) = (BSTR::from("left "), BSTR::from("right"));
    let mut joined = BSTR::new();
    // SAFETY: both strings are live, and the variable holds nothing that could be lost.
    let outcome = unsafe { VarBstrCat(raw(&left), raw(&right), &mut joined) };
    assert_eq!(outcome, HRESULT(0));
    assert_eq!(joined, "left right");
    // SAFETY: both strings are live.
    let order = unsafe { VarBstrCmp(raw(&left), raw(&right), 0, 0) };
    assert_eq!(order, HRESULT(0), "less, which is S_OK");
    // SAFETY: as above.
    let order = unsafe { VarBstrCmp(raw(&left), raw(&left), 0, 0) };
    assert_eq!(order, HRESULT(1), "equal, which is S_FALSE");
}

#[test]
fn identifiers_as_text() {
    let mut text = PWSTR::null();
    // SAFETY: both variables outlive the call.
    let outcome = unsafe { StringFromCLSID(&IMalloc::IID, &mut text) };
    assert_eq!(outcome, HRESULT(0));
    // SAFETY: the function ended the text with a zero.
    let read = unsafe { text.to_string() }.expect("plain text");
    assert_eq!(read, "{00000002-0000-0000-C000-000000000046}");
    // SAFETY: the text is task memory, and ours.
    unsafe { CoTaskMemFree(text.as_ptr().cast()) };

    let mut buffer = [0_u16; 39];
    // SAFETY: the buffer has 39 units.
    let count = unsafe { StringFromGUID2(&IMalloc::IID, buffer.as_mut_ptr(), 39) };
    assert_eq!(count, 39);
    assert_eq!(String::from_utf16_lossy(&buffer[..38]), read);
}
