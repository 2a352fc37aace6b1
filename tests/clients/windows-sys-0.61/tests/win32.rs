//! Every function of windows-sys that olemem defines, called as a native program calls it.

use std::ffi::c_void;
use std::ptr;

use client_windows_sys::{IID_IMALLOC, MallocTable};
use olemem as _;
use windows_sys::Win32::Foundation::{
    E_INVALIDARG, E_NOINTERFACE, REGDB_E_CLASSNOTREG, S_OK, SysAllocString, SysAllocStringByteLen,
    SysAllocStringLen, SysFreeString, SysReAllocString, SysReAllocStringLen, SysStringByteLen,
    SysStringLen,
};
use windows_sys::Win32::System::Com::{
    CoGetMalloc, CoTaskMemAlloc, CoTaskMemFree, CoTaskMemRealloc, ProgIDFromCLSID, StringFromCLSID,
    StringFromGUID2, StringFromIID,
};
use windows_sys::Win32::System::Ole::{VarBstrCat, VarBstrCmp};
use windows_sys::Win32::UI::Shell::{SHStrDupA, SHStrDupW};
use windows_sys::core::{BSTR, GUID, IID_IUnknown, w};

const TEXT_OF_IUNKNOWN: &str = "{00000000-0000-0000-C000-000000000046}";

/// The units of a string; nothing for the null string.
fn units(text: BSTR) -> Vec<u16> {
    // SAFETY: the tests hand over a live string or null.
    let length = unsafe { SysStringLen(text) } as usize;
    if length == 0 {
        return Vec::new();
    }
    // SAFETY: the string has as many units as it says.
    unsafe { std::slice::from_raw_parts(text, length) }.to_vec()
}

fn text_of(text: BSTR) -> String {
    String::from_utf16(&units(text)).expect("well-formed")
}

/// The payload, odd bytes included.
fn bytes(text: BSTR) -> Vec<u8> {
    // SAFETY: the tests hand over a live string or null.
    let length = unsafe { SysStringByteLen(text) } as usize;
    if length == 0 {
        return Vec::new();
    }
    // SAFETY: the string has as many bytes as it says.
    unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) }.to_vec()
}

fn from_text(text: &str) -> BSTR {
    let units: Vec<u16> = text.encode_utf16().collect();
    let length = u32::try_from(units.len()).expect("a short text");
    // SAFETY: the source has as many units.
    let made = unsafe { SysAllocStringLen(units.as_ptr(), length) };
    assert!(!made.is_null());
    made
}

fn from_bytes(bytes: &[u8]) -> BSTR {
    let length = u32::try_from(bytes.len()).expect("a short text");
    // SAFETY: the source has as many bytes.
    let made = unsafe { SysAllocStringByteLen(bytes.as_ptr(), length) };
    assert!(!made.is_null());
    made
}

fn free(text: BSTR) {
    // SAFETY: the tests hand over a live string or null, once.
    unsafe { SysFreeString(text) };
}

/// A task string, read up to its zero and freed.
fn take(text: *mut u16) -> String {
    assert!(!text.is_null());
    let mut read = Vec::new();
    loop {
        // SAFETY: the string has a zero at its end, and this stops there.
        let place = unsafe { text.add(read.len()) };
        // SAFETY: as above.
        match unsafe { place.read() } {
            0 => break,
            unit => read.push(unit),
        }
    }
    // SAFETY: the string is task memory, and ours.
    unsafe { CoTaskMemFree(text.cast()) };
    String::from_utf16(&read).expect("well-formed")
}

#[test]
fn allocation() {
    // SAFETY: the literal ends with a zero.
    let text = unsafe { SysAllocString(w!("Test")) };
    assert_eq!(text_of(text), "Test");
    assert_eq!(text.addr() % size_of::<usize>(), 0);
    // SAFETY: a string has its length in the four bytes before it.
    let prefix = unsafe { text.cast::<u32>().sub(1) };
    // SAFETY: as above; a BSTR's prefix is aligned.
    assert_eq!(unsafe { prefix.read() }, 8);
    free(text);

    // SAFETY: null is allowed.
    assert!(unsafe { SysAllocString(ptr::null()) }.is_null());
    // SAFETY: a null source of length zero is allowed.
    let empty = unsafe { SysAllocStringLen(ptr::null(), 0) };
    assert!(!empty.is_null());
    // SAFETY: the terminator is there.
    assert_eq!(unsafe { empty.read() }, 0);
    free(empty);

    let odd = from_bytes(b"abc");
    assert_eq!(bytes(odd), b"abc");
    assert_eq!(units(odd).len(), 1);
    free(odd);

    let all = [0x61, 0, 0x62, 0xD800, 0x63];
    // SAFETY: the source has five units.
    let text = unsafe { SysAllocStringLen(all.as_ptr(), 5) };
    assert_eq!(units(text), all);
    free(text);
}

#[test]
fn impossible_lengths() {
    // The length is judged before the source is looked at.
    // SAFETY: too long for any source.
    let none = unsafe { SysAllocStringLen(ptr::dangling(), u32::MAX) };
    assert!(none.is_null());
    // SAFETY: as above.
    let none = unsafe { SysAllocStringByteLen(ptr::dangling(), u32::MAX) };
    assert!(none.is_null());
    let mut text = from_text("kept");
    let before = text;
    // SAFETY: as above.
    let done = unsafe { SysReAllocStringLen(&mut text, ptr::dangling(), 0x7FFF_FFFF) };
    assert_eq!(done, 0);
    assert_eq!(text, before);
    assert_eq!(text_of(text), "kept");
    free(text);
}

#[test]
fn null_strings() {
    // SAFETY: null is allowed.
    unsafe { SysFreeString(ptr::null()) };
    // SAFETY: as above.
    assert_eq!(unsafe { SysStringLen(ptr::null()) }, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { SysStringByteLen(ptr::null()) }, 0);
}

#[test]
fn reallocation() {
    let mut text = from_text("Test");
    // SAFETY: the variable holds a live string; the literals end with a zero.
    assert_eq!(unsafe { SysReAllocString(&mut text, w!("x")) }, 1);
    assert_eq!(text_of(text), "x");
    // SAFETY: as above.
    assert_eq!(unsafe { SysReAllocString(&mut text, w!("Larger")) }, 1);
    assert_eq!(text_of(text), "Larger");
    // SAFETY: the source has three units.
    assert_eq!(unsafe { SysReAllocStringLen(&mut text, w!("abc"), 3) }, 1);
    assert_eq!(text_of(text), "abc");
    let itself = text;
    // SAFETY: the string itself is an allowed source, for whatever length.
    let done = unsafe { SysReAllocStringLen(&mut text, itself, 100_000) };
    assert_eq!(done, 1);
    // SAFETY: the string is live.
    assert_eq!(unsafe { SysStringLen(text) }, 100_000);
    // SAFETY: as above; a null source keeps what is there.
    assert_eq!(unsafe { SysReAllocStringLen(&mut text, ptr::null(), 3) }, 1);
    assert_eq!(text_of(text), "abc");
    free(text);

    // SAFETY: a null pointer for the variable is refused.
    assert_eq!(unsafe { SysReAllocString(ptr::null_mut(), w!("x")) }, 0);
    // SAFETY: as above.
    let done = unsafe { SysReAllocStringLen(ptr::null_mut(), w!("x"), 1) };
    assert_eq!(done, 0);
}

#[test]
fn joining() {
    let (have, cigar) = (from_bytes(b"Have "), from_bytes(b"A Cigar"));
    let mut joined: BSTR = ptr::null();
    // SAFETY: both strings are live; the variable outlives the call.
    assert_eq!(unsafe { VarBstrCat(have, cigar, &mut joined) }, S_OK);
    assert_eq!(bytes(joined), b"Have A Cigar");
    free(joined);

    // SAFETY: null strings are allowed.
    let outcome = unsafe { VarBstrCat(ptr::null(), ptr::null(), &mut joined) };
    assert_eq!(outcome, S_OK);
    assert!(!joined.is_null());
    assert!(units(joined).is_empty());
    free(joined);

    // SAFETY: a null out pointer is refused.
    let outcome = unsafe { VarBstrCat(have, cigar, ptr::null_mut()) };
    assert_eq!(outcome, E_INVALIDARG);
    free(have);
    free(cigar);
}

#[test]
fn comparing() {
    let (a, b) = (from_text("a"), from_text("b"));
    for (left, right, expected) in [
        (a, b, 0),
        (a, a, 1),
        (b, a, 2),
        (a, ptr::null(), 2),
        (ptr::null(), a, 0),
        (ptr::null(), ptr::null(), 1),
    ] {
        // SAFETY: both strings are live or null.
        assert_eq!(unsafe { VarBstrCmp(left, right, 0, 0) }, expected);
    }
    free(a);
    free(b);
}

#[test]
fn task_memory() {
    // SAFETY: allocating asks nothing of the caller.
    let block = unsafe { CoTaskMemAlloc(3) };
    assert_eq!(block.addr() % (2 * size_of::<usize>()), 0);
    // SAFETY: three bytes are there.
    unsafe {
        block
            .cast::<u8>()
            .copy_from_nonoverlapping([7, 8, 9].as_ptr(), 3)
    };
    // SAFETY: the block is live and this function's own.
    let block = unsafe { CoTaskMemRealloc(block, 3000) };
    // SAFETY: the first three bytes are the old ones.
    let start = unsafe { std::slice::from_raw_parts(block.cast::<u8>(), 3) };
    assert_eq!(start, [7, 8, 9]);
    // SAFETY: the block is live and this function's own; the size is impossible.
    assert!(unsafe { CoTaskMemRealloc(block, usize::MAX) }.is_null());
    // SAFETY: the failure left the block alone.
    unsafe { CoTaskMemFree(block) };
    // SAFETY: null is allowed.
    unsafe { CoTaskMemFree(ptr::null()) };
    // SAFETY: allocating asks nothing of the caller.
    let empty = unsafe { CoTaskMemAlloc(0) };
    assert!(!empty.is_null());
    // SAFETY: the block is live and this function's own; zero frees it.
    assert!(unsafe { CoTaskMemRealloc(empty, 0) }.is_null());
}

#[test]
fn the_allocator_as_an_object() {
    let mut object: *mut c_void = ptr::null_mut();
    // SAFETY: the variable outlives the call.
    assert_eq!(unsafe { CoGetMalloc(1, &mut object) }, S_OK);
    // SAFETY: a COM object begins with the pointer to its table.
    let table = unsafe { object.cast::<*const MallocTable>().read() };
    // SAFETY: the table lives as long as the process.
    let table = unsafe { &*table };

    // SAFETY: allocating asks nothing of the caller.
    let block = unsafe { (table.alloc)(object, 16) };
    // SAFETY: any address may be asked about.
    assert_eq!(unsafe { (table.did_alloc)(object, block) }, 1);
    // SAFETY: the block is live.
    assert_eq!(unsafe { (table.get_size)(object, block) }, 16);
    let inside = block.wrapping_byte_add(4);
    // SAFETY: any address may be asked about.
    assert_eq!(unsafe { (table.did_alloc)(object, inside) }, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { (table.did_alloc)(object, ptr::null()) }, -1);
    // SAFETY: as above.
    let junk = unsafe { (table.did_alloc)(object, ptr::without_provenance(1)) };
    assert_eq!(junk, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { (table.get_size)(object, ptr::null()) }, usize::MAX);
    // SAFETY: the block is live and this function's own.
    let block = unsafe { (table.realloc)(object, block, 40) };
    // SAFETY: the block is live.
    assert_eq!(unsafe { (table.get_size)(object, block) }, 40);
    // SAFETY: the block is live and this function's own.
    unsafe { (table.free)(object, block) };
    // SAFETY: the method takes no argument.
    unsafe { (table.heap_minimize)(object) };

    for iid in [IID_IUnknown, IID_IMALLOC] {
        let mut found: *mut c_void = ptr::null_mut();
        // SAFETY: both variables outlive the call.
        let outcome = unsafe { (table.query_interface)(object, &iid, &mut found) };
        assert_eq!(outcome, S_OK);
        assert_eq!(found, object);
        // SAFETY: QueryInterface gave a reference.
        unsafe { (table.release)(found) };
    }
    let mut found: *mut c_void = ptr::dangling_mut();
    let other = GUID::from_u128(7);
    // SAFETY: both variables outlive the call.
    let outcome = unsafe { (table.query_interface)(object, &other, &mut found) };
    assert_eq!(outcome, E_NOINTERFACE);
    assert!(found.is_null());

    // SAFETY: the object is alive.
    let more = unsafe { (table.add_ref)(object) };
    // SAFETY: this gives back the reference just taken.
    assert_eq!(unsafe { (table.release)(object) }, more - 1);
    // SAFETY: this gives back CoGetMalloc's.
    unsafe { (table.release)(object) };
}

#[test]
fn only_the_task_context_is_known() {
    for context in [0, 2, 3, -1, -2_i32] {
        let mut object: *mut c_void = ptr::dangling_mut();
        // SAFETY: the variable outlives the call.
        let outcome = unsafe { CoGetMalloc(context.cast_unsigned(), &mut object) };
        assert_eq!(outcome, E_INVALIDARG);
        assert!(object.is_null());
    }
    // SAFETY: a null out pointer is refused.
    assert_eq!(unsafe { CoGetMalloc(1, ptr::null_mut()) }, E_INVALIDARG);
}

#[test]
fn identifiers_as_text() {
    let mut buffer = [0xFFFF_u16; 40];
    // SAFETY: the buffer has as many units.
    let count = unsafe { StringFromGUID2(&IID_IUnknown, buffer.as_mut_ptr(), 40) };
    assert_eq!(count, 39);
    assert_eq!(String::from_utf16_lossy(&buffer[..38]), TEXT_OF_IUNKNOWN);
    assert_eq!(buffer[38..], [0, 0xFFFF]);
    // SAFETY: as above.
    let count = unsafe { StringFromGUID2(&IID_IUnknown, buffer.as_mut_ptr(), 38) };
    assert_eq!(count, 0);

    let mut text: *mut u16 = ptr::null_mut();
    // SAFETY: both variables outlive the call.
    assert_eq!(unsafe { StringFromCLSID(&IID_IUnknown, &mut text) }, S_OK);
    assert_eq!(take(text), TEXT_OF_IUNKNOWN);
    // SAFETY: as above.
    assert_eq!(unsafe { StringFromIID(&IID_IUnknown, &mut text) }, S_OK);
    assert_eq!(take(text), TEXT_OF_IUNKNOWN);

    let mut text: *mut u16 = ptr::dangling_mut();
    // SAFETY: as above.
    let outcome = unsafe { ProgIDFromCLSID(&IID_IUnknown, &mut text) };
    assert_eq!(outcome, REGDB_E_CLASSNOTREG);
    assert!(text.is_null());
}

#[test]
fn duplicates() {
    let mut text: *mut u16 = ptr::null_mut();
    // SAFETY: the literal ends with a zero; the variable outlives the call.
    assert_eq!(unsafe { SHStrDupW(w!("wide"), &mut text) }, S_OK);
    assert_eq!(take(text), "wide");
    let narrow = "narrow, Grüße 𝄞\0";
    // SAFETY: as above.
    assert_eq!(unsafe { SHStrDupA(narrow.as_ptr(), &mut text) }, S_OK);
    assert_eq!(take(text), "narrow, Grüße 𝄞");

    text = ptr::dangling_mut();
    // SAFETY: a null source is refused, and the variable nulled.
    assert_eq!(unsafe { SHStrDupW(ptr::null(), &mut text) }, E_INVALIDARG);
    assert!(text.is_null());
    text = ptr::dangling_mut();
    // SAFETY: as above.
    assert_eq!(unsafe { SHStrDupA(ptr::null(), &mut text) }, E_INVALIDARG);
    assert!(text.is_null());
}
