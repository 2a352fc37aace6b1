//! R43, R45, R51: who counts wrongly is told, and does no harm.

use std::ptr;

use olemem::audit::Kind;
use olemem::crossing::Reference;
use olemem::{Bstr, HResult};

use crate::component::{Any, Good, IBrowser, browser, call, lent, let_go, retain};
use crate::support::{OK, assert_kept, assert_told, judged};

#[test]
fn kept() {
    assert_kept(&judged(|_| {
        let made = browser(Good);
        // SAFETY: a live browser.
        let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        let_go(made.object);
        let pointer: Any = Reference::into_raw(checked).cast();
        assert_eq!(retain(pointer), 2);
        assert_eq!(let_go(pointer), 1);
        assert!(made.is_alive());
        // The last reference to the proxy takes the object with it, at once.
        assert_eq!(let_go(pointer), 0);
        assert!(!made.is_alive());
    }));
}

/// A proxy may outlive the session that it was made in, and be made in none.
#[test]
fn kept_beyond_the_session() {
    let made = browser(Good);
    // SAFETY: a live browser.
    let before = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
    let_go(made.object);
    let report = judged(|_| {
        let text = Bstr::from("text");
        assert_eq!(call!(before, put_Text, lent(&text)), OK);
    });
    assert_kept(&report);
    assert_eq!(call!(before, put_Text, ptr::null_mut()), OK);
    drop(before);
    assert!(!made.is_alive());
}

#[test]
fn broken_by_one_release_too_many() {
    let report = judged(|_| {
        let made = browser(Good);
        // SAFETY: a live browser.
        let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        let_go(made.object);
        let pointer: Any = Reference::into_raw(checked).cast();
        assert_eq!(let_go(pointer), 0);
        assert!(!made.is_alive());
        assert_eq!(let_go(pointer), 0);
    });
    assert_told(
        &report,
        "\
error[interface-over-released]: an object is released that has no reference any more
  rule: R51
  help: release only what AddRef added or what was handed over, each reference once",
    );
}

#[test]
fn broken_by_a_leak() {
    let mut pointer: Any = ptr::null_mut();
    let made = browser(Good);
    let report = judged(|_| {
        // SAFETY: a live browser.
        let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        pointer = Reference::into_raw(checked).cast();
    });
    report.assert_kinds([Kind::InterfaceLeaked]);
    let_go(made.object);
    assert!(made.is_alive());
    // It is as good as before.
    assert_eq!(let_go(pointer), 0);
    assert!(!made.is_alive());
}

#[test]
fn broken_by_a_call_to_what_is_gone() {
    let report = judged(|_| {
        let made = browser(Good);
        // SAFETY: a live browser.
        let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        let_go(made.object);
        let pointer = Reference::into_raw(checked);
        let_go(pointer.cast());
        // SAFETY: the session keeps the memory of the proxy.
        let vtbl = unsafe { (*pointer).vtbl };
        let text = Bstr::from("text");
        // SAFETY: as above.
        let result = unsafe { (vtbl.put_Text)(pointer.cast(), lent(&text)) };
        assert_eq!(result, HResult::E_UNEXPECTED);
        // SAFETY: as above.
        assert_eq!(unsafe { (vtbl.Tabs)(pointer.cast(), 7, 2.0) }, 0);
    });
    report.assert_kinds([Kind::InterfaceUsedAfterDestroy]);
}
