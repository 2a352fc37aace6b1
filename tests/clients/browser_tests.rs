// The browser component, called by its clients: through the interface, and through its vtable as
// native code does. Nothing here frees a string twice or loses one, or Miri says so. The file that
// includes this one brings `BSTR`, `IUnknown`, `Interface`, and the component's names into scope.

use std::ffi::c_void;
use std::mem::ManuallyDrop;

fn put(browser: &IBrowser, text: &BSTR) {
    // SAFETY: the string is live during the call; an [in] parameter stays the caller's.
    unsafe { browser.put_StatusText(text) }.expect("put_StatusText succeeds");
}

fn get(browser: &IBrowser) -> BSTR {
    let mut text = BSTR::new();
    // SAFETY: the variable outlives the call, and holds nothing that could be lost.
    unsafe { browser.get_StatusText(&mut text) }.expect("get_StatusText succeeds");
    text
}

/// AddRef and Release at once: the number of references there were.
fn references(unknown: &IUnknown) -> u32 {
    let vtable = unknown.vtable();
    // SAFETY: the object is alive and this is its own vtable.
    let more = unsafe { (vtable.AddRef)(unknown.as_raw()) };
    // SAFETY: as above; this gives back the reference just taken.
    let back = unsafe { (vtable.Release)(unknown.as_raw()) };
    assert_eq!(back, more - 1);
    back
}

#[test]
fn in_and_out() {
    let browser = Browser::create();
    let text = BSTR::from("Loading 𝄞…");
    put(&browser, &text);
    assert_eq!(text, "Loading 𝄞…");

    let got = get(&browser);
    assert_eq!(got, text);
    assert_ne!(got.as_ptr(), text.as_ptr());

    let again = get(&browser);
    assert_eq!(again, text);
    assert_ne!(again.as_ptr(), got.as_ptr());
}

#[test]
fn null_and_embedded_nul() {
    let browser = Browser::create();
    assert_eq!(get(&browser), "");

    put(&browser, &BSTR::new());
    assert_eq!(get(&browser), "");

    let odd = BSTR::from_wide(&[0x61, 0, 0xD800, 0x62]);
    put(&browser, &odd);
    assert_eq!(&*get(&browser), [0x61, 0, 0xD800, 0x62]);
}

#[test]
fn an_out_variable_is_emptied_first() {
    let browser = Browser::create();
    put(&browser, &BSTR::from("new"));
    let mut text = BSTR::from("old, and freed on the way in");
    // SAFETY: the variable outlives the call.
    unsafe { browser.get_StatusText(&mut text) }.expect("get_StatusText succeeds");
    assert_eq!(text, "new");
}

#[test]
fn a_null_out_pointer_is_an_error() {
    let browser = Browser::create();
    put(&browser, &BSTR::from("text"));
    // SAFETY: the method allows a null pointer and says so by its result.
    let outcome = unsafe { browser.get_StatusText(None::<&mut BSTR>) };
    assert_eq!(outcome.unwrap_err().code(), NULL_POINTER);
    // SAFETY: as above.
    let outcome = unsafe { browser.AppendStatusText(std::ptr::null_mut()) };
    assert_eq!(outcome.unwrap_err().code(), NULL_POINTER);
}

#[test]
fn in_out_replaces() {
    let browser = Browser::create();
    put(&browser, &BSTR::from("ready"));

    let mut text = BSTR::from("Status: ");
    // SAFETY: the variable holds a live string, which the method may free and replace.
    unsafe { browser.AppendStatusText(&mut text) }.expect("AppendStatusText succeeds");
    assert_eq!(text, "Status: ready");

    let mut text = BSTR::new();
    // SAFETY: as above; null is a string too.
    unsafe { browser.AppendStatusText(&mut text) }.expect("AppendStatusText succeeds");
    assert_eq!(text, "ready");
}

#[test]
fn in_out_is_kept_on_failure() {
    let browser = Browser::create();
    let mut text = BSTR::from("mine");
    let before = text.as_ptr();
    // SAFETY: the variable holds a live string, which the method may free and replace.
    let outcome = unsafe { browser.Refuse(&mut text) };
    assert_eq!(outcome.unwrap_err().code(), FAILED);
    assert_eq!(text.as_ptr(), before);
    assert_eq!(text, "mine");
}

#[test]
fn query_interface_and_references() {
    let browser = Browser::create();
    let unknown: IUnknown = browser.cast().expect("every object is an IUnknown");
    assert_eq!(references(&unknown), 2);
    let history: IHistory = browser.cast().expect("the browser has a history");
    assert_eq!(references(&unknown), 3);
    let same: IUnknown = history.cast().expect("every object is an IUnknown");
    assert_eq!(same.as_raw(), unknown.as_raw());
    drop(same);
    assert_eq!(references(&unknown), 3);

    put(&browser, &BSTR::from("one"));
    put(&browser, &BSTR::from("two"));
    // SAFETY: the object is alive.
    assert_eq!(unsafe { history.Count() }, 2);
    let mut text = BSTR::new();
    // SAFETY: the variable outlives the call.
    unsafe { history.Item(1, &mut text) }.expect("there is a second text");
    assert_eq!(text, "two");
    // SAFETY: as above; the old value is freed on the way in.
    let outcome = unsafe { history.Item(2, &mut text) };
    assert_eq!(outcome.unwrap_err().code(), INVALID_ARGUMENT);
    assert!(text.into_raw().is_null());

    drop(browser);
    drop(history);
    assert_eq!(references(&unknown), 1);
}

#[test]
fn an_unknown_interface_is_refused() {
    let browser = Browser::create();
    let iid = windows_core::GUID::from_u128(0x6f1a3b52_5c1e_4f7e_9d7a_0d6f3c0f2bff);
    let mut found: *mut c_void = std::ptr::dangling_mut();
    // SAFETY: the object is alive; both pointers are those of local variables.
    let outcome = unsafe { browser.query(&iid, &mut found) };
    assert_eq!(outcome, NO_INTERFACE);
    assert!(found.is_null());
}

#[test]
fn through_the_vtable() {
    // What a C client does: function pointers out of the table, raw strings, frees by hand.
    type Put = unsafe extern "system" fn(*mut c_void, *const u16) -> HRESULT;
    type Get = unsafe extern "system" fn(*mut c_void, *mut *const u16) -> HRESULT;
    let browser = Browser::create();
    let this = browser.as_raw();
    let table: *const *const c_void = std::ptr::from_ref(browser.vtable()).cast();
    let slot = |index: usize| {
        // SAFETY: IUnknown's three methods and IBrowser's four are seven pointers.
        let place = unsafe { table.add(index) };
        // SAFETY: as above.
        unsafe { place.read() }
    };
    // SAFETY: slot 3 is put_StatusText, whose Ref<BSTR> is a string's pointer.
    let put: Put = unsafe { std::mem::transmute(slot(3)) };
    // SAFETY: slot 4 is get_StatusText, whose OutRef<BSTR> is a pointer to a string's pointer.
    let get: Get = unsafe { std::mem::transmute(slot(4)) };

    let sent = ManuallyDrop::new(BSTR::from("by hand"));
    // SAFETY: the object is alive and so is the string.
    assert_eq!(unsafe { put(this, sent.as_ptr()) }, HRESULT(0));
    let mut received: *const u16 = std::ptr::null();
    // SAFETY: as above; the variable outlives the call.
    assert_eq!(unsafe { get(this, &mut received) }, HRESULT(0));
    assert_ne!(received, sent.as_ptr());
    // SAFETY: an [out] string is the caller's.
    assert_eq!(unsafe { BSTR::from_raw(received) }, "by hand");
    drop(ManuallyDrop::into_inner(sent));
}

#[test]
fn the_object_frees_what_it_kept() {
    // Dropping the last reference runs the destructor: a hundred strings, none lost.
    let browser = Browser::create();
    let count = if cfg!(miri) { 20 } else { 100 };
    for number in 0..count {
        put(&browser, &BSTR::from(format!("text {number}")));
    }
    assert_eq!(get(&browser), format!("text {}", count - 1));
}
