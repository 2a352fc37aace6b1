//! What a session does depends on no other.

use std::cell::Cell;
use std::ptr;

use olemem::audit::{Kind, Session};
use olemem::com::IID_UNKNOWN;
use olemem::crossing::proxy::Interface;
use olemem::crossing::{Reference, proxy};
use olemem::{Bstr, HResult};

use crate::component::{
    Any, Good, IBrowser, IBrowser2, IID_BROWSER_2, Made, Methods, ask, browser, call, lent, let_go,
    retain, site,
};
use crate::support::{OK, assert_kept, judged, store};

type Vtbl = <IBrowser as Interface>::Vtbl;

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
    let outer = judged(|_| {
        // SAFETY: a live browser.
        let first = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        let inner = judged(|_| {
            // SAFETY: a live browser.
            let second = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
            assert_ne!(Reference::as_raw(&first), Reference::as_raw(&second));
            drop(second);
        });
        assert_kept(&inner);
        assert_eq!(call!(first, Tabs, 3, 2.0), 3);
    });
    assert_kept(&outer);
    assert_eq!(made.references(), 1);
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

/// What was doubted of an object in one session is forgotten in the next, though its proxy is the same.
#[test]
fn broken_in_the_session_that_it_is_told_in() {
    /// Gives away the reference that it has.
    struct Moves(Cell<Any>);
    impl Methods for Moves {
        fn put_site(&self, site: Any) -> HResult {
            retain(site);
            self.0.set(site);
            OK
        }
        fn get_site(&self, site: *mut Any) -> HResult {
            store(site, self.0.replace(ptr::null_mut()));
            OK
        }
    }
    struct Releases;
    impl Methods for Releases {
        fn put_site(&self, site: Any) -> HResult {
            let_go(site);
            OK
        }
    }
    let site = site(Good);
    let with = |made: &Made, code: &dyn Fn(&Reference<Vtbl>)| {
        let report = judged(|_| {
            // SAFETY: a live browser.
            let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
            assert_eq!(call!(checked, put_Site, site.object.cast()), OK);
            code(&checked);
        });
        let_go(made.object);
        report
    };
    assert_kept(&with(
        &browser(Moves(Cell::new(ptr::null_mut()))),
        &|checked| {
            let mut back = ptr::null_mut();
            assert_eq!(call!(checked, get_Site, &raw mut back), OK);
            let_go(back.cast());
        },
    ));
    let report = with(&browser(Releases), &|_| ());
    report.assert_kinds([Kind::InterfaceOverReleased]);
    assert_eq!(site.references(), 1);
    let_go(site.object);
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

/// Sessions of threads of their own, which all wrap one object, and leave it with no reference.
#[test]
fn kept_apart_by_threads() {
    #[derive(Clone, Copy)]
    struct Sent(Any);
    // SAFETY: the component counts by atomics, and has no other state.
    unsafe impl Send for Sent {}
    impl Sent {
        fn used(self) {
            let session = Session::begin();
            // SAFETY: a live browser: the test holds a reference.
            let checked = unsafe { IBrowser::wrap(self.0) }.expect("it is not null");
            assert_eq!(call!(checked, Tabs, 3, 2.0), 3);
            drop(checked);
            session.finish().assert_clean();
        }
    }
    let made = browser(Good);
    let sent = Sent(made.object);
    let rounds = if cfg!(miri) { 2 } else { 100 };
    let thread = || std::thread::spawn(move || (0..rounds).for_each(|_| sent.used()));
    let threads = [thread(), thread(), thread()];
    for thread in threads {
        thread.join().expect("it ends");
    }
    assert_eq!(made.references(), 1);
    let_go(made.object);
    assert!(!made.is_alive());
}
