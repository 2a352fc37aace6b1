//! R44 to R47: interfaces that are parameters. Those of the caller's are wrapped for the callee.

use std::cell::Cell;
use std::ptr;

use olemem::audit::Kind;
use olemem::crossing::Reference;
use olemem::{Bstr, HResult};

use crate::component::{
    Any, Good, IBrowser, Made, Methods, browser, call, lent, let_go, retain, site, tell,
};
use crate::support::{OK, Raw, assert_kept, free, judged, load, store, string};

/// A proxy before a browser, which goes with the proxy.
macro_rules! checked {
    ($methods:expr) => {{
        let made: Made = browser($methods);
        // SAFETY: a live browser.
        let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        let_go(made.object);
        checked
    }};
}

/// Keeps a site, with a reference, and tells it.
struct Sited(Cell<Any>);

impl Sited {
    fn new() -> Self {
        Self(Cell::new(ptr::null_mut()))
    }
}

impl Drop for Sited {
    fn drop(&mut self) {
        if !self.0.get().is_null() {
            let_go(self.0.get());
        }
    }
}

impl Methods for Sited {
    fn put_site(&self, site: Any) -> HResult {
        if !site.is_null() {
            retain(site);
        }
        let old = self.0.replace(site);
        if !old.is_null() {
            let_go(old);
        }
        OK
    }
    fn get_site(&self, site: *mut Any) -> HResult {
        let own = self.0.get();
        if !own.is_null() {
            retain(own);
        }
        store(site, own);
        OK
    }
    fn swap_site(&self, site: *mut Any) -> HResult {
        store(site, self.0.replace(load(site)));
        OK
    }
    fn put_text(&self, text: Raw) -> HResult {
        tell(self.0.get(), text)
    }
}

#[test]
fn kept() {
    assert_kept(&judged(|_| {
        let site = site(Good);
        let browser = checked!(Sited::new());
        assert_eq!(call!(browser, put_Site, site.object.cast()), OK);
        let text = Bstr::from("text");
        assert_eq!(call!(browser, put_Text, lent(&text)), OK);
        // It comes back as what it was.
        let mut back = ptr::null_mut();
        assert_eq!(call!(browser, get_Site, &raw mut back), OK);
        assert_eq!(back.cast(), site.object);
        let_go(back.cast());
        assert_eq!(call!(browser, put_Site, ptr::null_mut()), OK);
        assert_eq!(site.references(), 1);
        let_go(site.object);
        assert!(!site.is_alive());
    }));
}

#[test]
fn kept_in_out() {
    assert_kept(&judged(|_| {
        let (first, second) = (site(Good), site(Good));
        let browser = checked!(Sited::new());
        let mut variable = first.object.cast();
        assert_eq!(call!(browser, SwapSite, &raw mut variable), OK);
        assert!(variable.is_null());
        variable = second.object.cast();
        assert_eq!(call!(browser, SwapSite, &raw mut variable), OK);
        assert_eq!(variable.cast(), first.object);
        assert_eq!(first.references(), 1);
        let_go(first.object);
        drop(browser);
        assert!(!second.is_alive());
    }));
}

/// The same value stays in the variable.
#[test]
fn kept_in_out_unchanged() {
    assert_kept(&judged(|_| {
        let site = site(Good);
        let browser = checked!(Good);
        let mut variable = site.object.cast();
        assert_eq!(call!(browser, SwapSite, &raw mut variable), OK);
        assert_eq!(variable.cast(), site.object);
        assert_eq!(site.references(), 1);
        let_go(site.object);
    }));
}

/// A callback is a call: the caller's object is judged as well.
#[test]
fn broken_by_the_site() {
    struct Frees;
    impl Methods for Frees {
        fn told(&self, text: Raw) -> HResult {
            free(text);
            OK
        }
    }
    struct Tells(Sited);
    impl Methods for Tells {
        fn put_site(&self, site: Any) -> HResult {
            self.0.put_site(site)
        }
        fn put_text(&self, _: Raw) -> HResult {
            let own = string("own");
            let result = self.0.put_text(own);
            free(own);
            result
        }
    }
    let report = judged(|_| {
        let site = site(Frees);
        let browser = checked!(Tells(Sited::new()));
        assert_eq!(call!(browser, put_Site, site.object.cast()), OK);
        assert_eq!(call!(browser, put_Text, ptr::null_mut()), OK);
        drop(browser);
        let_go(site.object);
    });
    report.assert_kinds([Kind::InFreedByCallee]);
    let call = report.violations()[0].call.as_ref().expect("a call");
    assert_eq!(call.method, "ISite::Told");
}

#[test]
fn broken_by_a_release_of_what_is_lent() {
    struct Releases;
    impl Methods for Releases {
        fn put_site(&self, site: Any) -> HResult {
            let_go(site);
            OK
        }
    }
    let report = judged(|_| {
        let site = site(Good);
        let browser = checked!(Releases);
        assert_eq!(call!(browser, put_Site, site.object.cast()), OK);
        // The caller's own reference is untouched.
        assert_eq!(site.references(), 1);
        let_go(site.object);
    });
    report.assert_kinds([Kind::InterfaceOverReleased]);
    let call = report.violations()[0].call.as_ref();
    assert!(call.is_none_or(|call| call.method == "IBrowser::put_Site"));
}

/// A site that is kept without a reference is gone when the call is over, as far as the callee can tell.
#[test]
fn broken_by_keeping_without_a_reference() {
    struct Keeps(Cell<Any>);
    impl Methods for Keeps {
        fn put_site(&self, site: Any) -> HResult {
            self.0.set(site);
            OK
        }
        fn put_text(&self, text: Raw) -> HResult {
            tell(self.0.get(), text)
        }
    }
    let report = judged(|_| {
        let site = site(Good);
        let browser = checked!(Keeps(Cell::new(ptr::null_mut())));
        assert_eq!(call!(browser, put_Site, site.object.cast()), OK);
        assert_eq!(
            call!(browser, put_Text, ptr::null_mut()),
            HResult::E_UNEXPECTED
        );
        let_go(site.object);
    });
    report.assert_kinds([Kind::InterfaceUsedAfterDestroy]);
}

/// Who keeps a site for ever keeps the proxy before it.
#[test]
fn broken_by_a_leak_of_the_callees() {
    struct Leaks;
    impl Methods for Leaks {
        fn put_site(&self, site: Any) -> HResult {
            retain(site);
            OK
        }
    }
    let report = judged(|_| {
        let site = site(Good);
        let browser = checked!(Leaks);
        assert_eq!(call!(browser, put_Site, site.object.cast()), OK);
        drop(browser);
        let_go(site.object);
        assert!(site.is_alive());
    });
    report.assert_kinds([Kind::InterfaceLeaked]);
}

/// The variable's reference is the caller's: the proxy says when it is not released.
#[test]
fn broken_by_a_leak_of_the_callers() {
    let report = judged(|_| {
        let browser = checked!(Good);
        let mut parent = ptr::null_mut();
        assert_eq!(call!(browser, get_Parent, &raw mut parent), OK);
        assert_eq!(parent, Reference::as_raw(&browser));
    });
    report.assert_kinds([Kind::InterfaceLeaked]);
}
