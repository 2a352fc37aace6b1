//! The string functions through the windows crate.

use std::ffi::c_void;
use std::mem::ManuallyDrop;

use olemem as _;
use windows::Win32::Foundation::{
    E_INVALIDARG, REGDB_E_CLASSNOTREG, SysAllocString, SysAllocStringByteLen, SysAllocStringLen,
    SysFreeString, SysReAllocString, SysReAllocStringLen, SysStringByteLen, SysStringLen,
};
use windows::Win32::System::Com::{
    CoTaskMemFree, ProgIDFromCLSID, StringFromCLSID, StringFromGUID2, StringFromIID,
};
use windows::Win32::System::Ole::{VarBstrCat, VarBstrCmp};
use windows::Win32::UI::Shell::{SHStrDupA, SHStrDupW};
use windows::core::{BSTR, GUID, HRESULT, IUnknown, Interface, PCSTR, PCWSTR, PWSTR, s, w};

const TEXT_OF_IUNKNOWN: &str = "{00000000-0000-0000-C000-000000000046}";

fn len(text: &BSTR) -> u32 {
    // SAFETY: the string is null or live.
    unsafe { SysStringLen(text) }
}

fn byte_len(text: &BSTR) -> u32 {
    // SAFETY: the string is null or live.
    unsafe { SysStringByteLen(text) }
}

/// The payload, odd bytes included.
fn bytes(text: &BSTR) -> Vec<u8> {
    let length = byte_len(text) as usize;
    // SAFETY: a `BSTR` is a pointer; reading it leaves the owner as it is.
    let raw: *const u8 = unsafe { std::mem::transmute_copy(text) };
    if raw.is_null() {
        return Vec::new();
    }
    // SAFETY: the payload has as many bytes as the prefix says.
    unsafe { std::slice::from_raw_parts(raw, length) }.to_vec()
}

fn byte_string(text: &[u8]) -> BSTR {
    // SAFETY: the slice has its length.
    unsafe { SysAllocStringByteLen(Some(text)) }
}

/// A task string, read and freed as its new owner does.
fn take(text: PWSTR) -> String {
    // SAFETY: the function that made it ended it with a zero.
    let copy = unsafe { text.to_string() }.expect("plain text");
    // SAFETY: the string is task memory, and ours.
    unsafe { CoTaskMemFree(Some(text.as_ptr().cast())) };
    copy
}

#[test]
fn sys_alloc_string() {
    // SAFETY: the literal ends with a zero.
    let text = unsafe { SysAllocString(w!("Test")) };
    assert_eq!(text, "Test");
    assert_eq!((len(&text), byte_len(&text)), (4, 8));

    // SAFETY: null is allowed.
    let null = unsafe { SysAllocString(PCWSTR::null()) };
    assert!(null.into_raw().is_null());

    // SAFETY: the literal ends with a zero.
    let empty = unsafe { SysAllocString(w!("")) };
    assert_eq!((len(&empty), byte_len(&empty)), (0, 0));
    let raw = ManuallyDrop::new(empty);
    // SAFETY: a `BSTR` is a pointer; reading it leaves the owner as it is.
    let pointer: *const u16 = unsafe { std::mem::transmute_copy(&*raw) };
    assert!(!pointer.is_null(), "an empty string is not the null string");
    drop(ManuallyDrop::into_inner(raw));
}

#[test]
fn sys_alloc_string_stops_at_the_first_zero() {
    let source = BSTR::from("a\0b");
    // SAFETY: a BSTR ends with a zero.
    let text = unsafe { SysAllocString(&source) };
    assert_eq!(text, "a");
}

#[test]
fn sys_alloc_string_len() {
    // SAFETY: the slice has its length.
    let text = unsafe { SysAllocStringLen(Some(&[0x61, 0, 0x62, 0xD800, 0x63])) };
    assert_eq!(&*text, [0x61, 0, 0x62, 0xD800, 0x63]);
    assert_eq!((len(&text), byte_len(&text)), (5, 10));

    // SAFETY: `None` is a null source of length zero.
    let empty = unsafe { SysAllocStringLen(None) };
    assert_eq!(len(&empty), 0);
    assert!(!empty.into_raw_and_free().is_null());
}

/// The pointer a string had, after the string is freed.
trait IntoRawAndFree {
    fn into_raw_and_free(self) -> *const u16;
}

impl IntoRawAndFree for BSTR {
    fn into_raw_and_free(self) -> *const u16 {
        let raw = self.into_raw();
        // SAFETY: the pointer came from `into_raw`.
        drop(unsafe { BSTR::from_raw(raw) });
        raw
    }
}

#[test]
fn sys_alloc_string_byte_len() {
    for length in 0..20_u8 {
        let source: Vec<u8> = (1..=length).collect();
        let text = byte_string(&source);
        assert_eq!(byte_len(&text), u32::from(length));
        assert_eq!(len(&text), u32::from(length / 2));
        assert_eq!(bytes(&text), source);
    }
}

#[test]
fn sys_free_string() {
    let text = ManuallyDrop::new(BSTR::from("freed by hand"));
    // SAFETY: the string is live, and its owner will not free it.
    unsafe { SysFreeString(&text) };
    let null = ManuallyDrop::new(BSTR::new());
    // SAFETY: null is allowed.
    unsafe { SysFreeString(&null) };
}

#[test]
fn sys_re_alloc_string() {
    let mut text = BSTR::from("Test");
    // SAFETY: the variable holds a live string; the literals end with a zero.
    assert_eq!(unsafe { SysReAllocString(&mut text, w!("x")) }, 1);
    assert_eq!(text, "x");
    // SAFETY: as above.
    assert_eq!(unsafe { SysReAllocString(&mut text, w!("Larger")) }, 1);
    assert_eq!(text, "Larger");
    assert_eq!(byte_len(&text), 12);
}

#[test]
fn sys_re_alloc_string_len() {
    let mut text = BSTR::from("Test");
    // SAFETY: the variable holds a live string; the source has six units.
    let done = unsafe { SysReAllocStringLen(&mut text, w!("Larger"), 6) };
    assert_eq!(done, 1);
    assert_eq!(text, "Larger");

    // SAFETY: a null source leaves the contents as they are.
    let done = unsafe { SysReAllocStringLen(&mut text, PCWSTR::null(), 5) };
    assert_eq!(done, 1);
    assert_eq!(text, "Large");

    let itself = PCWSTR(text.as_ptr());
    // SAFETY: the string itself is an allowed source, for whatever length.
    assert_eq!(unsafe { SysReAllocStringLen(&mut text, itself, 5000) }, 1);
    assert_eq!(len(&text), 5000);
    // The units behind the old ones are not yet written: only the old ones are looked at.
    // SAFETY: a `BSTR` is a pointer; reading it leaves the owner as it is.
    let raw: *const u16 = unsafe { std::mem::transmute_copy(&text) };
    // SAFETY: the first five units are the old ones.
    let old = unsafe { std::slice::from_raw_parts(raw, 5) };
    assert_eq!(String::from_utf16_lossy(old), "Large");

    let mut null = BSTR::new();
    // SAFETY: the variable holds the null string; the source has two units.
    assert_eq!(unsafe { SysReAllocStringLen(&mut null, w!("ab"), 2) }, 1);
    assert_eq!(null, "ab");
}

#[test]
fn null_has_no_length() {
    assert_eq!((len(&BSTR::new()), byte_len(&BSTR::new())), (0, 0));
}

fn cat(left: &BSTR, right: &BSTR) -> BSTR {
    // SAFETY: both strings are null or live.
    unsafe { VarBstrCat(left, right) }.expect("there is memory")
}

#[test]
fn var_bstr_cat() {
    let (a, b) = (BSTR::from("a"), BSTR::from("b"));
    assert_eq!(cat(&a, &b), "ab");
    assert_eq!(cat(&a, &BSTR::new()), "a");
    assert_eq!(cat(&BSTR::new(), &b), "b");
    assert!(
        !cat(&BSTR::new(), &BSTR::new())
            .into_raw_and_free()
            .is_null()
    );
    assert_eq!(cat(&BSTR::from("a\0"), &BSTR::from("b\0")), "a\0b\0");

    let joined = cat(&byte_string(b"Have "), &byte_string(b"A Cigar"));
    assert_eq!(bytes(&joined), b"Have A Cigar");
    assert_eq!(len(&joined), 6);
}

/// The crate's own `VarBstrCmp` keeps only success: this one keeps the answer.
fn compare(left: &BSTR, right: &BSTR, lcid: u32, flags: u32) -> HRESULT {
    windows_core::link!("oleaut32.dll" "system" fn VarBstrCmp(left: *const c_void, right: *const c_void, lcid: u32, flags: u32) -> HRESULT);
    // SAFETY: a `BSTR` is a pointer; reading it leaves the owner as it is.
    let left = unsafe { std::mem::transmute_copy(left) };
    // SAFETY: as above.
    let right = unsafe { std::mem::transmute_copy(right) };
    // SAFETY: both strings are null or live.
    unsafe { VarBstrCmp(left, right, lcid, flags) }
}

#[test]
fn var_bstr_cmp() {
    const LESS: HRESULT = HRESULT(0);
    const EQUAL: HRESULT = HRESULT(1);
    const GREATER: HRESULT = HRESULT(2);
    const ENGLISH: u32 = 0x0409;
    const IGNORE_CASE: u32 = 1;
    let (a, b, null) = (BSTR::from("a"), BSTR::from("b"), BSTR::new());
    assert_eq!(compare(&a, &b, 0, 0), LESS);
    assert_eq!(compare(&b, &a, 0, 0), GREATER);
    assert_eq!(compare(&a, &a.clone(), 0, 0), EQUAL);
    assert_eq!(compare(&a, &null, 0, 0), GREATER);
    assert_eq!(compare(&null, &a, 0, 0), LESS);
    assert_eq!(compare(&null, &null, 0, 0), EQUAL);
    assert_eq!(
        compare(&byte_string(&[1, 0, 1]), &byte_string(&[1, 0, 2]), 0, 0),
        LESS
    );
    assert_eq!(compare(&a, &BSTR::from("A"), ENGLISH, IGNORE_CASE), EQUAL);

    // SAFETY: both strings are live.
    assert!(unsafe { VarBstrCmp(&a, &b, 0, 0) }.is_ok());
}

#[test]
fn string_from_guid2() {
    let guid = GUID::from_u128(0x6f1a3b52_5c1e_4f7e_9d7a_0d6f3c0f2b11);
    let mut buffer = [0xFFFF_u16; 50];
    // SAFETY: the slice has its length.
    let count = unsafe { StringFromGUID2(&guid, &mut buffer) };
    assert_eq!(count, 39);
    assert_eq!(
        String::from_utf16_lossy(&buffer[..39]),
        "{6F1A3B52-5C1E-4F7E-9D7A-0D6F3C0F2B11}\0"
    );
    assert_eq!(buffer[39], 0xFFFF);

    // SAFETY: as above.
    assert_eq!(unsafe { StringFromGUID2(&guid, &mut buffer[..39]) }, 39);
    // SAFETY: as above: one unit too few.
    assert_eq!(unsafe { StringFromGUID2(&guid, &mut buffer[..38]) }, 0);
}

#[test]
fn string_from_clsid_and_iid() {
    // SAFETY: the identifier outlives the call.
    let text = unsafe { StringFromCLSID(&IUnknown::IID) }.expect("there is memory");
    assert_eq!(take(text), TEXT_OF_IUNKNOWN);
    // SAFETY: as above.
    let text = unsafe { StringFromIID(&IUnknown::IID) }.expect("there is memory");
    assert_eq!(take(text), TEXT_OF_IUNKNOWN);
}

#[test]
fn no_class_is_registered() {
    // SAFETY: the identifier outlives the call.
    let outcome = unsafe { ProgIDFromCLSID(&IUnknown::IID) };
    assert_eq!(outcome.unwrap_err().code(), REGDB_E_CLASSNOTREG);
}

#[test]
fn sh_str_dup() {
    // SAFETY: the literal ends with a zero.
    let text = unsafe { SHStrDupW(w!("wide 𝄞")) }.expect("there is memory");
    assert_eq!(take(text), "wide 𝄞");
    // SAFETY: as above.
    let text = unsafe { SHStrDupA(s!("narrow")) }.expect("there is memory");
    assert_eq!(take(text), "narrow");
    // SAFETY: as above.
    let text = unsafe { SHStrDupA(s!("")) }.expect("there is memory");
    assert_eq!(take(text), "");

    // SAFETY: null is allowed, and an error.
    let outcome = unsafe { SHStrDupW(PCWSTR::null()) };
    assert_eq!(outcome.unwrap_err().code(), E_INVALIDARG);
    // SAFETY: as above.
    let outcome = unsafe { SHStrDupA(PCSTR::null()) };
    assert_eq!(outcome.unwrap_err().code(), E_INVALIDARG);
}
