//! R44 to R47: interfaces that are parameters. Those of the caller's are wrapped for the callee.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

use olemem::audit::Kind;
use olemem::com::IID_UNKNOWN;
use olemem::crossing::{Reference, proxy};
use olemem::{Bstr, HResult};

use crate::component::{
    Any, Good, IBrowser, IID_OTHER, IID_SITE, ISite, Made, Methods, ask, browser, call, lent,
    let_go, methods, retain, site, tell,
};
use crate::support::{
    OK, Raw, assert_kept, assert_told, free, free_task, judged, load, store, string,
};

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

/// A callee that releases what it is given as [in,out] lets the caller's object go.
#[test]
fn kept_in_out_taken_away() {
    struct Drops;
    impl Methods for Drops {
        fn swap_site(&self, site: *mut Any) -> HResult {
            let_go(load(site));
            store(site, ptr::null_mut());
            OK
        }
    }
    assert_kept(&judged(|_| {
        let site = site(Good);
        let browser = checked!(Drops);
        let mut variable = site.object.cast();
        assert_eq!(call!(browser, SwapSite, &raw mut variable), OK);
        assert!(variable.is_null());
        assert!(!site.is_alive());
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

/// Keeps a site, without a reference.
struct Keeps(Cell<Any>);

impl Keeps {
    fn new() -> Self {
        Self(Cell::new(ptr::null_mut()))
    }
}

impl Methods for Keeps {
    fn put_site(&self, site: Any) -> HResult {
        self.0.set(site);
        OK
    }
    fn get_site(&self, site: *mut Any) -> HResult {
        // It has one from now on, which it gives away.
        assert_eq!(retain(self.0.get()), 1);
        store(site, self.0.get());
        OK
    }
    fn put_text(&self, text: Raw) -> HResult {
        tell(self.0.get(), text)
    }
}

/// A parent that outlives its child needs no reference, if that is declared.
#[test]
fn kept_without_a_reference() {
    let (parent, child) = (site(Good), browser(Keeps::new()));
    let report = judged(|_| {
        // SAFETY: a live browser.
        let checked = unsafe { IBrowser::wrap(child.object) }.expect("it is not null");
        let text = Bstr::from("text");
        assert_eq!(call!(checked, put_Parent, parent.object.cast()), OK);
        assert_eq!(parent.references(), 1);
        assert_eq!(call!(checked, put_Text, lent(&text)), OK);
        // The same pointer may be lent again, and comes back as what it was.
        assert_eq!(call!(checked, put_Parent, parent.object.cast()), OK);
        let mut back = ptr::null_mut();
        assert_eq!(call!(checked, get_Site, &raw mut back), OK);
        assert_eq!(back.cast(), parent.object);
        assert_eq!(parent.references(), 2);
        let_go(back.cast());
        assert_eq!(call!(checked, put_Text, lent(&text)), OK);
    });
    assert_kept(&report);
    assert_eq!(report.violations().len(), 0);
    // Session and proxy are gone, and the child has its parent.
    assert_eq!((parent.references(), child.references()), (1, 1));
    assert_eq!(methods(child.object).put_text(ptr::null_mut()), OK);
    let_go(child.object);
    let_go(parent.object);
    assert!(!parent.is_alive());
}

/// A child that was told of its parent where there was no session.
#[test]
fn kept_without_a_reference_or_a_session() {
    let (parent, child) = (site(Good), browser(Keeps::new()));
    // SAFETY: a live browser.
    let checked = unsafe { IBrowser::wrap(child.object) }.expect("it is not null");
    assert_eq!(call!(checked, put_Site, parent.object.cast()), OK);
    assert_eq!(call!(checked, put_Text, ptr::null_mut()), OK);
    drop(checked);
    assert_eq!((parent.references(), child.references()), (1, 1));
    let_go(child.object);
    let_go(parent.object);
}

/// Where it is not declared it works all the same, and is told once, for it is more often a reference that was forgotten.
#[test]
fn broken_by_keeping_without_a_reference() {
    let report = judged(|_| {
        let site = site(Good);
        let browser = checked!(Keeps::new());
        let text = Bstr::from("text");
        assert_eq!(call!(browser, put_Site, site.object.cast()), OK);
        for _ in 0..2 {
            assert_eq!(call!(browser, put_Text, lent(&text)), OK);
        }
        let_go(site.object);
    });
    assert_told(
        &report,
        "\
warning[interface-used-after-destroy]: an object is called by a pointer that nobody has a reference for
  call IBrowser::put_Text
  rule: R43
  help: keep a reference for as long as the pointer is used",
    );
}

/// It is the object's last reference that goes with the call: what is kept leads nowhere.
#[test]
fn broken_by_keeping_what_is_gone() {
    struct Releases(Keeps, Any);
    impl Methods for Releases {
        fn put_site(&self, site: Any) -> HResult {
            // By another way it has the caller's one reference, and the right to release it.
            let_go(self.1);
            self.0.put_site(site)
        }
        fn put_text(&self, text: Raw) -> HResult {
            self.0.put_text(text)
        }
    }
    let report = judged(|_| {
        let site = site(Good);
        let browser = checked!(Releases(Keeps::new(), site.object));
        let text = Bstr::from("text");
        assert_eq!(call!(browser, put_Site, site.object.cast()), OK);
        assert!(!site.is_alive());
        let result = call!(browser, put_Text, lent(&text));
        assert_eq!(result, HResult::E_UNEXPECTED);
    });
    assert_told(
        &report,
        "\
error[interface-used-after-destroy]: an object is called after its last reference was released
  call IBrowser::put_Text
  rule: R51
  help: keep a reference for as long as the pointer is used",
    );
}

/// Who keeps without a reference has none to release.
#[test]
fn broken_by_a_release_of_what_was_kept_without_a_reference() {
    struct Releases(Keeps);
    impl Methods for Releases {
        fn put_site(&self, site: Any) -> HResult {
            let old = self.0.0.replace(site);
            if !old.is_null() {
                let_go(old);
            }
            OK
        }
    }
    let report = judged(|_| {
        let site = site(Good);
        let browser = checked!(Releases(Keeps::new()));
        assert_eq!(call!(browser, put_Parent, site.object.cast()), OK);
        assert_eq!(call!(browser, put_Parent, ptr::null_mut()), OK);
        assert_eq!(site.references(), 1);
        let_go(site.object);
    });
    report.assert_kinds([Kind::InterfaceOverReleased]);
}

/// What is at the address of an object that is gone is another object.
#[test]
fn kept_at_an_address_that_was_used_before() {
    let sites = || {
        assert_kept(&judged(|_| {
            let site = site(Good);
            let browser = checked!(Sited::new());
            let text = Bstr::from("text");
            assert_eq!(call!(browser, put_Site, site.object.cast()), OK);
            assert_eq!(call!(browser, put_Text, lent(&text)), OK);
            drop(browser);
            assert_eq!(site.references(), 1);
            let_go(site.object);
            assert!(!site.is_alive());
        }));
    };
    sites();
    sites();
}

/// A method that hands out what an identifier says, as `QueryInterface` does, and takes it.
#[test]
fn kept_by_iid() {
    assert_kept(&judged(|_| {
        let site = site(Good);
        let browser = checked!(Sited::new());
        let text = Bstr::from("text");
        let iid = ptr::from_ref(&IID_SITE);
        assert_eq!(call!(browser, put_Site, site.object.cast()), OK);
        // Its own site comes back to the caller.
        let mut back = ptr::null_mut();
        assert_eq!(call!(browser, get_Site2, iid, &raw mut back), OK);
        assert_eq!(back, site.object);
        let_go(back);
        // And goes there again, as what the identifier says.
        assert_eq!(call!(browser, put_Site, ptr::null_mut()), OK);
        assert_eq!(call!(browser, put_Site2, iid, site.object.cast()), OK);
        assert_eq!(call!(browser, put_Text, lent(&text)), OK);
        let mut variable = ptr::null_mut();
        assert_eq!(call!(browser, SwapSite2, &raw mut variable, iid), OK);
        assert_eq!(variable, site.object);
        assert_eq!(call!(browser, SwapSite2, &raw mut variable, iid), OK);
        assert!(variable.is_null());
        drop(browser);
        assert_eq!(site.references(), 1);
        let_go(site.object);
    }));
}

/// What the callee makes is wrapped by the interface that was asked for, and has its methods.
#[test]
fn broken_by_what_an_iid_gave() {
    struct Frees;
    impl Methods for Frees {
        fn told(&self, text: Raw) -> HResult {
            free(text);
            OK
        }
    }
    struct Makes;
    impl Methods for Makes {
        fn get_site(&self, out: *mut Any) -> HResult {
            store(out, site(Frees).object);
            OK
        }
    }
    let report = judged(|_| {
        let browser = checked!(Makes);
        proxy::know::<ISite>();
        let mut made = ptr::null_mut();
        let iid = ptr::from_ref(&IID_SITE);
        assert_eq!(call!(browser, get_Site2, iid, &raw mut made), OK);
        let text = Bstr::from("text");
        assert_eq!(tell(made, lent(&text)), OK);
        let unknown = ask(made, IID_UNKNOWN).expect("every object has it");
        let_go(unknown);
        let_go(made);

        // As `IUnknown` it is the identity.
        let mut made = ptr::null_mut();
        let iid = ptr::from_ref(&IID_UNKNOWN);
        assert_eq!(call!(browser, get_Site2, iid, &raw mut made), OK);
        let unknown = ask(made, IID_UNKNOWN).expect("every object has it");
        assert_eq!(unknown, made);
        let_go(unknown);
        let_go(made);

        // Of an interface that nobody declared it is the object's own, and judged as far as that goes.
        let mut made = ptr::null_mut();
        let iid = ptr::from_ref(&IID_OTHER);
        assert_eq!(call!(browser, get_Site2, iid, &raw mut made), OK);
        assert_eq!(retain(made), 2);
        let_go(made);
        let_go(made);
    });
    assert_told(
        &report,
        "\
error[in-freed-by-callee]: the callee freed a BSTR that it was lent as [in]
  call ISite::Told, parameter text
  block 1: BSTR, 8 bytes, \"text\"
  rule: R1
  help: leave what is [in] to the caller; to keep or change a string, make a copy of one's own",
    );
}

/// A failure leaves NULL, whatever the interface.
#[test]
fn broken_by_a_failure_that_gives_an_iid() {
    struct Fails;
    impl Methods for Fails {
        fn get_site(&self, out: *mut Any) -> HResult {
            store(out, ptr::without_provenance_mut(16));
            HResult::E_NOINTERFACE
        }
    }
    let report = judged(|_| {
        let browser = checked!(Fails);
        let mut made = ptr::null_mut();
        let iid = ptr::from_ref(&IID_OTHER);
        let result = call!(browser, get_Site2, iid, &raw mut made);
        assert_eq!(result, HResult::E_NOINTERFACE);
    });
    report.assert_kinds([Kind::OutSetOnFailure]);
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

/// Elements of an array are passed as they are, and are no blocks.
#[test]
fn kept_in_arrays() {
    let site = site(Good);
    assert_kept(&judged(|_| {
        let browser = checked!(Sited::new());
        assert_eq!(call!(browser, put_Site, site.object.cast()), OK);
        let (mut sites, mut fetched) = ([ptr::null_mut::<c_void>(); 2], 0);
        let result = call!(
            browser,
            NextSites,
            2,
            sites.as_mut_ptr().cast(),
            &raw mut fetched
        );
        assert_eq!((result, fetched), (OK, 2));
        let mut one: Any = ptr::null_mut();
        let result = call!(
            browser,
            NextSites,
            1,
            (&raw mut one).cast(),
            ptr::null_mut()
        );
        assert_eq!(result, OK);
        for site in [one, sites[0], sites[1]] {
            let_go(site);
        }
        let (mut array, mut count) = (ptr::null_mut(), 0);
        assert_eq!(
            call!(browser, get_Sites, &raw mut array, &raw mut count),
            OK
        );
        let_go(load(array).cast());
        free_task(array.cast());
    }));
    assert_eq!(site.references(), 1);
    let_go(site.object);
}
