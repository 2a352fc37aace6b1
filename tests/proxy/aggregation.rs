//! An object that is a part of another one, made through a proxy: each counts for the other.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use olemem::audit::Kind;
use olemem::com::{IID_UNKNOWN, Object, UnknownVtbl};
use olemem::crossing::proxy;
use olemem::{Bstr, Guid, HResult, checked_interface};

use crate::component::{Any, Good, IID_SITE, ISite, ask, call, lent, let_go, retain, site, tell};
use crate::support::{OK, Raw, assert_kept, free, judged, store};

checked_interface! {
    interface IMaker("b5a3c8f0-1d51-4c3f-a3a0-0d6f3c0f2b21"): IUnknown {
        fn Make([in, outer, unique] outer: *mut IUnknown, [in] riid: REFIID, [out, iid_is(riid)] made: *mut *mut c_void) -> HRESULT;
    }
}

/// A site that may be a part of another object.
#[repr(C)]
struct Part {
    /// Its own `IUnknown`, which is its outer object's alone to use.
    own: *const UnknownVtbl,
    /// Its interface, whose `IUnknown` is the outer object's; its own if there is none.
    site: *const SiteVtbl,
    outer: Any,
    references: AtomicU32,
}

#[repr(C)]
struct SiteVtbl {
    unknown: UnknownVtbl,
    told: unsafe extern "system" fn(Any, Raw) -> HResult,
}

static OWN: UnknownVtbl = UnknownVtbl {
    query_interface: own_query_interface,
    add_ref: own_add_ref,
    release: own_release,
};

static SITE: SiteVtbl = SiteVtbl {
    unknown: UnknownVtbl {
        query_interface,
        add_ref,
        release,
    },
    told,
};

fn part<'a>(own: Any) -> &'a Part {
    // SAFETY: only the vtables above lead here, and the test calls what is live.
    unsafe { &*own.cast::<Part>() }
}

/// The start of a part, by its interface.
fn own(site: Any) -> Any {
    site.wrapping_byte_sub(size_of::<Any>())
}

unsafe extern "system" fn own_query_interface(
    this: Any,
    iid: *const Guid,
    out: *mut Any,
) -> HResult {
    // SAFETY: the caller passes an identifier.
    let found = match unsafe { *iid } {
        IID_UNKNOWN => this,
        IID_SITE => this.wrapping_byte_add(size_of::<Any>()),
        _ => {
            store(out, ptr::null_mut());
            return HResult::E_NOINTERFACE;
        }
    };
    retain(found);
    store(out, found);
    OK
}

unsafe extern "system" fn own_add_ref(this: Any) -> u32 {
    part(this).references.fetch_add(1, Ordering::Relaxed) + 1
}

unsafe extern "system" fn own_release(this: Any) -> u32 {
    let left = part(this).references.fetch_sub(1, Ordering::Relaxed) - 1;
    if left == 0 {
        // SAFETY: it came from a box, and this was the last reference.
        drop(unsafe { Box::from_raw(this.cast::<Part>()) });
    }
    left
}

/// Whose `IUnknown` an interface has.
fn counts(site: Any) -> Any {
    let own = own(site);
    let outer = part(own).outer;
    if outer.is_null() { own } else { outer }
}

unsafe extern "system" fn query_interface(this: Any, iid: *const Guid, out: *mut Any) -> HResult {
    // SAFETY: the caller passes an identifier.
    match ask(counts(this), unsafe { *iid }) {
        Ok(found) => {
            store(out, found);
            OK
        }
        Err(code) => {
            store(out, ptr::null_mut());
            code
        }
    }
}

unsafe extern "system" fn add_ref(this: Any) -> u32 {
    retain(counts(this))
}

unsafe extern "system" fn release(this: Any) -> u32 {
    let_go(counts(this))
}

unsafe extern "system" fn told(_: Any, text: Raw) -> HResult {
    free(text);
    OK
}

#[repr(C)]
struct MakerVtbl {
    unknown: UnknownVtbl,
    make: unsafe extern "system" fn(Any, Any, *const Guid, *mut Any) -> HResult,
}

unsafe extern "system" fn make(_: Any, outer: Any, iid: *const Guid, out: *mut Any) -> HResult {
    let part: Any = Box::into_raw(Box::new(Part {
        own: &raw const OWN,
        site: &raw const SITE,
        outer,
        references: AtomicU32::new(1),
    }))
    .cast();
    // SAFETY: a live part, and what the caller passes.
    let result = unsafe { own_query_interface(part, iid, out) };
    let_go(part);
    result
}

unsafe extern "system" fn maker_query_interface(
    this: Any,
    _: *const Guid,
    out: *mut Any,
) -> HResult {
    store(out, this);
    OK
}

unsafe extern "system" fn maker_count(_: Any) -> u32 {
    1
}

static MAKER: MakerVtbl = MakerVtbl {
    unknown: UnknownVtbl {
        query_interface: maker_query_interface,
        add_ref: maker_count,
        release: maker_count,
    },
    make,
};

#[test]
fn kept() {
    let mut maker = Object { vtbl: &MAKER };
    assert_kept(&judged(|_| {
        proxy::know::<ISite>();
        // SAFETY: it lives as long as the session.
        let maker = unsafe { IMaker::wrap((&raw mut maker).cast()) }.expect("it is not null");
        let outer = site(Good);
        let mut own: *mut c_void = ptr::null_mut();
        let iid = ptr::from_ref(&IID_UNKNOWN);
        assert_eq!(
            call!(maker, Make, outer.object.cast(), iid, &raw mut own),
            OK
        );
        assert_eq!(outer.references(), 1);
        // The outer object keeps the interface, and no reference to itself, as it has to.
        let site = ask(own, IID_SITE).expect("it has it");
        assert_eq!(outer.references(), 2);
        assert_eq!(let_go(outer.object), 1);
        assert_eq!(ask(site, IID_UNKNOWN), Ok(outer.object));
        let_go(outer.object);
        // And lets go of it.
        retain(outer.object);
        let_go(site);
        let_go(own);
        assert_eq!(outer.references(), 1);
        let_go(outer.object);
        assert!(!outer.is_alive());
    }));
}

/// Where there is no outer object, what comes is judged.
#[test]
fn broken_without_an_outer_object() {
    let mut maker = Object { vtbl: &MAKER };
    let report = judged(|_| {
        proxy::know::<ISite>();
        // SAFETY: it lives as long as the session.
        let maker = unsafe { IMaker::wrap((&raw mut maker).cast()) }.expect("it is not null");
        let mut site: *mut c_void = ptr::null_mut();
        let iid = ptr::from_ref(&IID_SITE);
        assert_eq!(call!(maker, Make, ptr::null_mut(), iid, &raw mut site), OK);
        let text = Bstr::from("text");
        assert_eq!(tell(site, lent(&text)), OK);
        let_go(site);
    });
    report.assert_kinds([Kind::InFreedByCallee]);
}
