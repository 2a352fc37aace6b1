// Mistakes, made on purpose. Miri must report each of them in this program's own words (memory
// leaked; a freed allocation used again), through whatever bookkeeping olemem does beside it. Each is
// `#[ignore]`d: nothing but `tests/clients.rs` asks for them, by name, and reads what Miri says.

/// A string that nobody frees.
#[test]
#[ignore = "leaks on purpose"]
fn a_leaked_bstr() {
    let text = BSTR::from("nobody frees this");
    assert_eq!(text.len(), 17);
    std::mem::forget(text);
}

/// An out parameter that nobody frees: the rule that COM code breaks most.
#[test]
#[ignore = "leaks on purpose"]
fn a_leaked_out_parameter() {
    let browser = Browser::create();
    let text = BSTR::from("status");
    // SAFETY: the string is live during the call; an [in] parameter stays the caller's.
    unsafe { browser.put_StatusText(&text) }.expect("put_StatusText succeeds");
    let mut got = std::mem::ManuallyDrop::new(BSTR::new());
    // SAFETY: the variable outlives the call.
    unsafe { browser.get_StatusText(&mut *got) }.expect("get_StatusText succeeds");
    assert_eq!(*got, text);
}

/// Two owners of one string.
#[test]
#[ignore = "frees twice on purpose"]
fn a_double_free() {
    let raw = BSTR::from("freed twice").into_raw();
    // SAFETY: the pointer came from `into_raw`.
    drop(unsafe { BSTR::from_raw(raw) });
    // SAFETY: none, and that is the point: the string is gone.
    drop(unsafe { BSTR::from_raw(raw) });
}

/// A callee that frees its [in] parameter, and a caller that rightly frees it too.
#[test]
#[ignore = "frees twice on purpose"]
fn an_in_parameter_freed_by_the_callee() {
    fn callee(text: *const u16) {
        // SAFETY: none: an [in] string is not the callee's to own.
        drop(unsafe { BSTR::from_raw(text) });
    }
    let text = BSTR::from("the caller's");
    callee(text.as_ptr());
}

/// A length asked of a string that is gone.
#[test]
#[ignore = "reads freed memory on purpose"]
fn a_read_after_free() {
    let raw = BSTR::from("gone").into_raw();
    // SAFETY: the pointer came from `into_raw`.
    drop(unsafe { BSTR::from_raw(raw) });
    // SAFETY: none: the string is gone.
    let stale = std::mem::ManuallyDrop::new(unsafe { BSTR::from_raw(raw) });
    assert_eq!(stale.len(), 4);
}
