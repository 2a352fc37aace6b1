//! R48, R49: one object, whichever way it is asked.

use std::ptr;

use olemem::audit::Kind;
use olemem::com::IID_UNKNOWN;
use olemem::crossing::Reference;
use olemem::crossing::proxy;
use olemem::{Guid, HResult};

use crate::component::{
    Any, Good, IBrowser, IBrowser2, IID_BROWSER, IID_BROWSER_2, IID_OTHER, IID_SITE, ISite, ask,
    browser, call, let_go, retain, site,
};
use crate::support::{OK, assert_kept, assert_told, judged, store};

#[test]
fn kept() {
    assert_kept(&judged(|audit| {
        proxy::know::<IBrowser2>();
        let made = browser(Good);
        // SAFETY: a live browser.
        let first = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        // SAFETY: as above.
        let again = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        let pointer: Any = Reference::as_raw(&first).cast();
        assert_eq!(Reference::as_raw(&again).cast(), pointer);
        assert_ne!(pointer, made.object);

        // A proxy is not put before a proxy.
        // SAFETY: a live browser.
        let same = unsafe { IBrowser::wrap(pointer) }.expect("it is not null");
        assert_eq!(Reference::as_raw(&same).cast(), pointer);

        let unknown = ask(pointer, IID_UNKNOWN).expect("every object has it");
        let newer = ask(pointer, IID_BROWSER_2).expect("browsers have it");
        assert_ne!(newer, made.object);
        for from in [unknown, newer, pointer] {
            for (iid, expected) in [
                (IID_UNKNOWN, unknown),
                (IID_BROWSER, pointer),
                (IID_BROWSER_2, newer),
            ] {
                assert_eq!(ask(from, iid), Ok(expected));
                let_go(expected);
            }
            assert_eq!(ask(from, IID_SITE), Err(HResult::E_NOINTERFACE));
        }
        // SAFETY: a live object.
        unsafe {
            audit.check_identity("IBrowser", pointer, &[IID_BROWSER, IID_BROWSER_2, IID_SITE])
        };
        let_go(unknown);
        let_go(newer);
        drop((first, again, same));
        assert!(made.is_alive());
        assert_eq!(made.references(), 1);
        let_go(made.object);
        assert!(!made.is_alive());
    }));
}

/// The object's own pointer, which knows nothing of the proxy.
#[test]
fn kept_with_an_interface_that_nobody_declared() {
    assert_kept(&judged(|_| {
        let made = browser(Good);
        // SAFETY: a live browser.
        let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        let other = ask(Reference::as_raw(&checked).cast(), IID_OTHER);
        assert_eq!(other, Ok(made.object));
        let_go(made.object);
        let_go(made.object);
        drop(checked);
        assert!(!made.is_alive());
    }));
}

#[test]
fn kept_with_null() {
    // SAFETY: null is allowed.
    assert!(unsafe { ISite::wrap(ptr::null_mut()) }.is_none());
    let made = browser(Good);
    // SAFETY: a live browser.
    let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
    let_go(made.object);
    let object = Reference::as_raw(&checked);
    // SAFETY: the reference keeps it.
    let query = unsafe { (*object).vtbl }.base.query_interface;
    // SAFETY: NULL is what is asked about.
    let result = unsafe { query(object.cast(), &IID_UNKNOWN, ptr::null_mut()) };
    assert_eq!(result, HResult::E_POINTER);
}

/// The object hands itself out, and gets itself: for the caller it is the proxy, for itself it is itself.
#[test]
fn kept_when_it_crosses_itself() {
    assert_kept(&judged(|_| {
        let made = browser(Good);
        // SAFETY: a live browser.
        let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        let pointer = Reference::as_raw(&checked);
        let mut parent = ptr::null_mut();
        assert_eq!(call!(checked, get_Parent, &raw mut parent), OK);
        assert_eq!(parent, pointer);
        let_go(parent.cast());
        let returned = call!(checked, Parent);
        assert_eq!(returned, pointer);
        let_go(returned.cast());
        assert_eq!(call!(checked, IsSame, pointer), 1);
        drop(checked);
        assert_eq!(made.references(), 1);
        let_go(made.object);
    }));
}

/// Any object as `IUnknown`: it comes back as what it was.
#[test]
fn kept_when_it_crosses_as_unknown() {
    assert_kept(&judged(|_| {
        let made = browser(Good);
        // SAFETY: a live browser.
        let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        let_go(made.object);
        let site = site(Good);
        let mut same = ptr::null_mut();
        assert_eq!(call!(checked, Echo, site.object.cast(), &raw mut same), OK);
        assert_eq!(same.cast(), site.object);
        let_go(same.cast());
        assert_eq!(site.references(), 1);
        let_go(site.object);

        let pointer: Any = Reference::as_raw(&checked).cast();
        let unknown = ask(pointer, IID_UNKNOWN).expect("every object has it");
        assert_eq!(call!(checked, Echo, pointer.cast(), &raw mut same), OK);
        assert_eq!(same.cast(), unknown);
        let_go(same.cast());
        let_go(unknown);
    }));
}

/// What fails has to leave NULL, in `QueryInterface` too.
#[test]
fn broken_by_a_failure_that_sets() {
    use std::ffi::c_void;

    use olemem::com::{Object, UnknownVtbl};

    unsafe extern "system" fn query(this: Any, iid: *const Guid, out: *mut Any) -> HResult {
        store(out, this);
        // SAFETY: the caller passes an identifier.
        if unsafe { *iid } == IID_UNKNOWN {
            OK
        } else {
            HResult::E_NOINTERFACE
        }
    }
    unsafe extern "system" fn count(_: Any) -> u32 {
        1
    }
    static VTBL: UnknownVtbl = UnknownVtbl {
        query_interface: query,
        add_ref: count,
        release: count,
    };
    let report = judged(|_| {
        let mut object = Object { vtbl: &VTBL };
        let object: *mut c_void = (&raw mut object).cast();
        // SAFETY: a live object; none of the methods is called that it does not have.
        let checked = unsafe { ISite::wrap(object) }.expect("it is not null");
        let found = ask(Reference::as_raw(&checked).cast(), IID_OTHER);
        assert_eq!(found, Err(HResult::E_NOINTERFACE));
    });
    report.assert_kinds([Kind::OutSetOnFailure]);
    let call = report.violations()[0].call.as_ref().expect("a call");
    assert_eq!(call.method, "IUnknown::QueryInterface");
}

/// An interface that is another object's.
#[test]
fn broken_by_an_interface_of_another_identity() {
    use olemem::com::{Object, UnknownVtbl};

    /// First of an array of two objects: the second is what it hands out.
    unsafe extern "system" fn query(this: Any, iid: *const Guid, out: *mut Any) -> HResult {
        let another = this.cast::<Object<UnknownVtbl>>().wrapping_add(1).cast();
        // SAFETY: the caller passes an identifier.
        let is_unknown = unsafe { *iid } == IID_UNKNOWN;
        store(out, if is_unknown { this } else { another });
        OK
    }
    unsafe extern "system" fn count(_: Any) -> u32 {
        1
    }
    static VTBL: UnknownVtbl = UnknownVtbl {
        query_interface: query,
        add_ref: count,
        release: count,
    };
    let report = judged(|_| {
        let mut objects = [Object { vtbl: &VTBL }, Object { vtbl: &VTBL }];
        let object: Any = objects.as_mut_ptr().cast();
        // SAFETY: a live object; none of the methods is called that it does not have.
        let checked = unsafe { ISite::wrap(object) }.expect("it is not null");
        assert!(ask(Reference::as_raw(&checked).cast(), IID_OTHER).is_ok());
    });
    assert_told(
        &report,
        "\
error[identity-broken]: an object gave different pointers for IUnknown
  call IUnknown::QueryInterface
  rule: R49
  help: give the same IUnknown from every interface, and the same answer for an interface as long as the object lives",
    );
}

/// Threads that wrap, ask and let go of one object at a time.
#[test]
fn kept_by_threads() {
    struct Sent(Any);
    // SAFETY: the component counts by atomics, and has no other state.
    unsafe impl Send for Sent {}
    impl Sent {
        fn used(self) {
            // SAFETY: a live browser: the test holds a reference.
            let checked = unsafe { IBrowser::wrap(self.0) }.expect("it is not null");
            let pointer: Any = Reference::as_raw(&checked).cast();
            let unknown = ask(pointer, IID_UNKNOWN).expect("every object has it");
            assert_eq!(ask(unknown, IID_BROWSER), Ok(pointer));
            let_go(pointer);
            let_go(unknown);
            assert_eq!(call!(checked, Tabs, 3, 2.0), 3);
        }
    }
    let made = browser(Good);
    let rounds = if cfg!(miri) { 2 } else { 200 };
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let address = Sent(made.object);
            std::thread::spawn(move || {
                let address = address;
                for _ in 0..rounds {
                    Sent(address.0).used();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("it ends");
    }
    assert_eq!(made.references(), 1);
    retain(made.object);
    let_go(made.object);
    let_go(made.object);
    assert!(!made.is_alive());
}
