//! What a session does depends on no other.

use std::ptr;

use olemem::Bstr;
use olemem::audit::{Kind, Session};
use olemem::com::IID_UNKNOWN;
use olemem::crossing::{Reference, proxy};

use crate::component::{
    Any, Good, IBrowser, IBrowser2, IID_BROWSER_2, Made, ask, browser, call, lent, let_go,
};
use crate::support::{OK, assert_kept, judged};

/// Whether a browser's newer interface comes from its proxy as a pointer to that.
fn leads_to_the_proxy(made: &Made) -> bool {
    // SAFETY: a live browser.
    let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
    let newer = ask(Reference::as_raw(&checked).cast(), IID_BROWSER_2).expect("browsers have it");
    let_go(newer);
    newer != made.object
}

/// What one session wraps or knows no other one does.
#[test]
fn kept_apart() {
    let made = browser(Good);
    let asked = || {
        let mut leads = None;
        assert_kept(&judged(|_| leads = Some(leads_to_the_proxy(&made))));
        leads
    };
    assert_eq!(asked(), Some(false));
    assert_kept(&judged(|_| {
        // SAFETY: a live browser, of both interfaces.
        let newer = unsafe { IBrowser2::wrap(made.object) }.expect("it is not null");
        assert!(leads_to_the_proxy(&made));
        drop(newer);
    }));
    assert_eq!(asked(), Some(false));
    assert_kept(&judged(|_| {
        proxy::know::<IBrowser2>();
        assert!(leads_to_the_proxy(&made));
    }));
    assert_eq!(asked(), Some(false));
    let_go(made.object);
    assert!(!made.is_alive());
}

/// Two sessions that are open at once have a proxy each of an object.
#[test]
fn kept_apart_at_once() {
    let made = browser(Good);
    let address = made.object.addr();
    let outer = judged(|_| {
        // SAFETY: a live browser.
        let first = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        let object = made.object;
        let inner = judged(|_| {
            // SAFETY: a live browser.
            let second = unsafe { IBrowser::wrap(object) }.expect("it is not null");
            assert_ne!(Reference::as_raw(&first), Reference::as_raw(&second));
            drop(second);
        });
        assert_kept(&inner);
        assert_eq!(call!(first, Tabs, 3, 2.0), 3);
    });
    assert_kept(&outer);
    assert_eq!((made.object.addr(), made.references()), (address, 1));
    let_go(made.object);
}

/// A reference that is lost in a session is told there, though an older one has a proxy too.
#[test]
fn broken_though_another_session_has_a_proxy() {
    let made = browser(Good);
    let mut kept = None;
    let first = judged(|_| {
        // SAFETY: a live browser.
        kept = unsafe { IBrowser::wrap(made.object) };
    });
    first.assert_kinds([Kind::InterfaceLeaked]);
    let mut lost = ptr::null_mut();
    let second = judged(|_| {
        // SAFETY: a live browser.
        let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        lost = Reference::into_raw(checked);
    });
    second.assert_kinds([Kind::InterfaceLeaked]);
    drop(kept);
    let_go(lost.cast());
    let_go(made.object);
    assert!(!made.is_alive());
}

/// A proxy that is carried from one session to the next is the same object there, whatever it hands out.
#[test]
fn kept_when_it_is_carried_over() {
    let made = browser(Good);
    // SAFETY: a live browser.
    let carried = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
    let_go(made.object);
    let pointer: Any = Reference::as_raw(&carried).cast();
    let unknown = ask(pointer, IID_UNKNOWN).expect("every object has it");
    let_go(unknown);
    for _ in 0..2 {
        assert_kept(&judged(|_| {
            let mut parent = ptr::null_mut();
            assert_eq!(call!(carried, get_Parent, &raw mut parent), OK);
            assert_eq!(parent.cast(), pointer);
            let_go(parent.cast());
            assert_eq!(ask(pointer, IID_UNKNOWN), Ok(unknown));
            let_go(unknown);
            let text = Bstr::from("text");
            assert_eq!(call!(carried, put_Text, lent(&text)), OK);
        }));
    }
    drop(carried);
    assert!(!made.is_alive());
}

/// Sessions of threads of their own, which all wrap one object, and leave it unheld.
#[test]
fn kept_apart_by_threads() {
    let made = browser(Good);
    let address = made.object.expose_provenance();
    let rounds = if cfg!(miri) { 2 } else { 100 };
    let thread = || {
        std::thread::spawn(move || {
            for _ in 0..rounds {
                let session = Session::begin();
                let object = ptr::with_exposed_provenance_mut(address);
                // SAFETY: a live browser: the test holds a reference.
                let checked = unsafe { IBrowser::wrap(object) }.expect("it is not null");
                assert_eq!(call!(checked, Tabs, 3, 2.0), 3);
                drop(checked);
                session.finish().assert_clean();
            }
        })
    };
    let threads = [thread(), thread(), thread()];
    for thread in threads {
        thread.join().expect("it ends");
    }
    assert_eq!(made.references(), 1);
    let_go(made.object);
    assert!(!made.is_alive());
}
