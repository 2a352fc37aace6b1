//! R43 to R47, R51: references to objects, by direction.

use std::cell::Cell;
use std::ffi::c_void;

use crate::counted::{Pointer, add_ref, lent, owned, release};
use crate::support::{FAIL, OK, assert_kept, assert_told, judged, load, store};
use olemem::audit::{COUNTED, CountingObject, Kind, Parameter, Rule, Session};
use olemem::com::{IID_UNKNOWN, Object, UnknownVtbl};
use olemem::crossing::{Call, NoOuts, WithCode};
use olemem::{Guid, HResult};

fn put_site(audit: &Session, site: &CountingObject, callee: impl FnOnce(Pointer)) {
    // SAFETY: the site is live.
    let call = unsafe {
        audit
            .call("ISited::SetSite")
            .in_raw(Parameter::interface("site"), lent(site))
    };
    call.invoke(callee);
}

fn get_site(audit: &Session) -> Call<'_, (), NoOuts> {
    audit.call("ISited::GetSite")
}

#[test]
fn kept() {
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let mut own = std::ptr::null_mut();
        put_site(audit, &site, |site| own = add_ref(site));
        assert_eq!(site.references(), 2);
        let found = get_site(audit)
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| store(found, add_ref(own)));
        assert_eq!(site.references(), 3);
        drop(found);
        // The last that it has: it gives up what it added.
        put_site(audit, &site, |_| {
            release(own);
        });
        let mut held = owned(&site);
        let other = CountingObject::unknown();
        audit
            .call("ISited::ExchangeSite")
            .inout_interface("site", &mut held)
            .invoke(|held| {
                release(load(held));
                store(held, add_ref(lent(&other)));
            });
        assert_eq!((site.references(), other.references()), (1, 2));
        drop(held);
    });
    assert_kept(&report);
}

/// An object that was made in the call comes with its first reference.
#[test]
fn kept_by_a_creator() {
    assert_kept(&judged(|audit| {
        let made = audit
            .call("IFactory::Create")
            .out_interface::<UnknownVtbl>("object")
            .invoke(|made| {
                let object = CountingObject::unknown();
                store(made, add_ref(lent(&object)));
            });
        assert!(made.is_some());
    }));
}

/// R44: released without a reference of its own. The caller's is put back.
#[test]
fn broken_by_releasing_what_is_in() {
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        put_site(audit, &site, |site| {
            release(site);
        });
        assert_eq!(site.references(), 1);
    });
    assert_told(
        &report,
        "\
error[interface-over-released]: the callee released an interface pointer without a reference of its own
  call ISited::SetSite, parameter site
  rule: R44
  help: release in the callee only what it added: an [in] pointer is the caller's",
    );
}

/// R44, R46: of several the one is named that was released.
#[test]
fn broken_by_releasing_one_of_two() {
    let report = judged(|audit| {
        let (left, right) = (CountingObject::unknown(), CountingObject::unknown());
        let call = audit.call("ISited::Compare");
        // SAFETY: it is live.
        let call = unsafe { call.in_raw(Parameter::interface("left"), lent(&left)) };
        // SAFETY: as above.
        let call = unsafe { call.in_raw(Parameter::interface("right"), lent(&right)) };
        call.invoke(|_, right| {
            release(right);
        });
        let (mut one, mut other) = (owned(&left), owned(&right));
        audit
            .call("ISited::Order")
            .inout_interface("one", &mut one)
            .inout_interface("other", &mut other)
            .invoke(|_, other| {
                release(load(other));
            });
    });
    assert_told(
        &report,
        "\
error[interface-over-released]: the callee released an interface pointer without a reference of its own
  call ISited::Compare, parameter right
  rule: R44
  help: release in the callee only what it added: an [in] pointer is the caller's

error[interface-over-released]: the callee released an interface pointer without a reference of its own
  call ISited::Order, parameter other
  rule: R46
  help: release an [in,out] pointer only when another, or NULL, is stored in its place",
    );
}

/// R43: kept and never released.
#[test]
fn broken_by_a_reference_that_is_never_released() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        put_site(audit, &site, |site| lost = add_ref(site));
    });
    assert_told(
        &report,
        "\
error[interface-leaked]: an object still has 1 reference, which the callee added
  call ISited::SetSite, parameter site
  rule: R43
  help: release each reference that AddRef added, when the pointer is replaced or its holder goes",
    );
    release(lost);
}

/// R45: the caller never releases what came as [out].
#[test]
fn broken_by_the_caller() {
    let mut lost = None;
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        lost = get_site(audit)
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| store(found, add_ref(lent(&site))));
    });
    assert_told(
        &report,
        "\
error[interface-leaked]: an object still has 1 reference, which was handed out to the caller
  call ISited::GetSite, parameter site
  rule: R45
  help: release what came as [out] when it is used no more",
    );
    drop(lost);
}

const NOT_ADDED: &str = "\
error[interface-not-addrefed]: an interface pointer was handed out without a reference for the caller
  call ISited::GetSite, parameter site
  rule: R45, R47
  help: call AddRef on a pointer before it is handed out";

/// R45, R47: an object of a global's.
#[test]
fn broken_by_an_out_without_a_reference() {
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let found = get_site(audit)
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| store(found, lent(&site)));
        drop(found);
        assert_eq!(site.references(), 1);
    });
    assert_told(&report, NOT_ADDED);
}

/// A stored pointer whose own reference goes later: then it is clear that it was not given up.
#[test]
fn broken_by_a_stored_pointer_that_is_handed_out_as_it_is() {
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let mut own = std::ptr::null_mut();
        put_site(audit, &site, |site| own = add_ref(site));
        let found = get_site(audit)
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| store(found, own));
        drop(found);
        audit.call("ISited::Quit").invoke(|| release(own));
    });
    assert_told(&report, NOT_ADDED);
}

/// A stored pointer that is detached is legal: its reference goes along.
#[test]
fn kept_by_a_detached_pointer() {
    assert_kept(&judged(|audit| {
        let site = CountingObject::unknown();
        let mut own = std::ptr::null_mut();
        put_site(audit, &site, |site| own = add_ref(site));
        let found = get_site(audit)
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| store(found, own));
        drop(found);
        assert_eq!(site.references(), 1);
    }));
}

/// R46, R47: another one takes the place of an [in,out] value, without a reference.
#[test]
fn broken_by_storing_another_without_a_reference() {
    let report = judged(|audit| {
        let (old, new) = (CountingObject::unknown(), CountingObject::unknown());
        let mut site = owned(&old);
        audit
            .call("ISited::ExchangeSite")
            .inout_interface("site", &mut site)
            .invoke(|site| {
                release(load(site));
                store(site, lent(&new));
            });
        drop(site);
        assert_eq!((old.references(), new.references()), (1, 1));
    });
    assert_told(&report, &NOT_ADDED.replace("GetSite", "ExchangeSite"));
}

/// R46: replaced, and the old one not released.
#[test]
fn broken_by_replacing_without_a_release() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        let (old, new) = (CountingObject::unknown(), CountingObject::unknown());
        let mut site = owned(&old);
        audit
            .call("ISited::ExchangeSite")
            .inout_interface("site", &mut site)
            .invoke(|site| {
                lost = load(site);
                store(site, add_ref(lent(&new)));
            });
    });
    assert_told(
        &report,
        "\
error[interface-leaked]: an object still has 1 reference, which the callee kept when it stored another pointer
  call ISited::ExchangeSite, parameter site
  rule: R46
  help: release the old pointer when another one is stored in its place",
    );
    release(lost);
}

/// R46: released though it was not replaced.
#[test]
fn broken_by_releasing_what_stays() {
    let report = judged(|audit| {
        let object = CountingObject::unknown();
        let mut site = owned(&object);
        audit
            .call("ISited::ExchangeSite")
            .inout_interface("site", &mut site)
            .invoke(|site| {
                release(load(site));
            });
        assert_eq!(object.references(), 2);
    });
    assert_told(
        &report,
        "\
error[interface-over-released]: the callee released an interface pointer without a reference of its own
  call ISited::ExchangeSite, parameter site
  rule: R46
  help: release an [in,out] pointer only when another, or NULL, is stored in its place",
    );
}

/// R48 and R14: NULL on failure; R15: set at all; R6: not called before it is set.
#[test]
fn broken_like_other_out_parameters() {
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let result = get_site(audit)
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| {
                store(found, add_ref(lent(&site)));
                FAIL
            });
        assert_eq!(result.unwrap_err(), FAIL);
    });
    report.assert_kinds([Kind::OutSetOnFailure]);
    let report = judged(|audit| {
        drop(CountingObject::unknown());
        let result = get_site(audit)
            .out_interface::<UnknownVtbl>("site")
            .invoke(|_| HResult::E_NOINTERFACE);
        assert!(result.is_err());
    });
    report.assert_kinds([Kind::OutNotSet]);
    let report = judged(|audit| {
        drop(CountingObject::unknown());
        let found = get_site(audit)
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| {
                release(load(found));
                store(found, std::ptr::null_mut());
                OK
            });
        assert!(found.expect("it succeeds").is_none());
    });
    assert_told(
        &report,
        "\
error[out-read-by-callee]: what an [out] variable held when the call began is freed
  call ISited::GetSite, parameter site
  rule: R6
  help: store NULL in [out] variables first; what they hold when the call begins means nothing",
    );
}

/// R51: released below zero, by nobody's call.
#[test]
fn broken_by_a_release_too_many() {
    let report = judged(|_| {
        let site = CountingObject::unknown();
        release(lent(&site));
    });
    assert_told(
        &report,
        "\
error[interface-over-released]: an object is released that has no reference any more
  rule: R51
  help: release only what AddRef added or what was handed over, each reference once",
    );
}

#[repr(C)]
struct SiteVtbl {
    unknown: UnknownVtbl,
    on_done: unsafe extern "system" fn(*mut c_void) -> HResult,
}

unsafe extern "system" fn on_done(this: *mut c_void) -> HResult {
    // SAFETY: the tests call it with a site whose session is open.
    match unsafe { CountingObject::<SiteVtbl>::state::<Cell<u32>>(this) } {
        Some(calls) => {
            calls.set(calls.get() + 1);
            HResult::S_OK
        }
        None => HResult::E_UNEXPECTED,
    }
}

static SITE: SiteVtbl = SiteVtbl {
    unknown: COUNTED,
    on_done,
};
const IID_SITE: Guid = Guid::from_u128(0x5173_0000_0000_0000_0000_0000_0000_0001);

fn site() -> CountingObject<SiteVtbl> {
    // SAFETY: the vtable begins with `COUNTED`.
    unsafe { CountingObject::with_vtable(&SITE, &[IID_SITE], Cell::new(0_u32)) }
}

/// A site as a callee has it.
fn done(site: *mut c_void) -> HResult {
    let site = site.cast::<Object<SiteVtbl>>();
    // SAFETY: a site, whose memory is there as long as the session is open.
    let method = unsafe { &*site }.vtbl.on_done;
    // SAFETY: as above.
    unsafe { method(site.cast()) }
}

/// R51: called when it is gone. The pointer was kept without a reference (R43).
#[test]
fn broken_by_a_call_after_the_last_release() {
    let report = judged(|audit| {
        let site = site();
        let mut own = std::ptr::null_mut();
        // SAFETY: the site is live.
        let call = unsafe {
            audit
                .call("ISited::SetSite")
                .in_raw(Parameter::interface("site"), site.as_raw())
        };
        call.invoke(|site| {
            own = site;
            done(site)
        })
        .expect("it is there");
        drop(site);
        let result = audit.call("ISited::Finish").invoke(|| done(own));
        assert_eq!(result, Err(HResult::E_UNEXPECTED));
    });
    assert_told(
        &report,
        "\
error[interface-used-after-destroy]: an object is called after its last reference was released
  call ISited::Finish
  rule: R51
  help: keep a reference for as long as the pointer is used",
    );
}

/// A pointer to an object that is gone is passed.
#[test]
fn broken_by_passing_what_is_gone() {
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let gone = lent(&site);
        drop(site);
        // SAFETY: its memory is there as long as the session is open.
        let call = unsafe {
            audit
                .call("ISited::SetSite")
                .in_raw(Parameter::interface("site"), gone)
        };
        call.invoke(|_| ());
    });
    report.assert_kinds([Kind::InterfaceUsedAfterDestroy]);
}

/// An object outlives its session, and is none of its business any more.
#[test]
fn kept_after_the_session() {
    let mut site = None;
    let report = judged(|_| {
        let object = CountingObject::unknown();
        site = Some(object);
    });
    report.assert_kinds([Kind::InterfaceLeaked]);
    let site = site.expect("it was made");
    assert_eq!(release(add_ref(lent(&site))), 1);
}

/// Whoever has an interface of the caller's may call back: what it frees then is a warning.
#[test]
fn an_interface_that_is_passed_may_be_called() {
    let report = judged(|audit| {
        let sink = CountingObject::unknown();
        let text = olemem::Bstr::from("Ready");
        let mut own = std::ptr::null_mut();
        audit
            .call("ISited::put_Text")
            .in_bstr("text", &text)
            .invoke(|text| own = text);
        put_site(audit, &sink, |_| ());
        audit
            .call("ISited::Finish")
            .invoke(|| crate::support::free(own));
    });
    report.assert_kinds([Kind::InRetainedByCallee]);
    report.assert_clean();
}

// ---------------------------------------------------------------------------------------- identity

/// An object whose QueryInterface does what a test says: it counts nothing.
#[repr(C)]
struct Odd {
    vtbl: *const UnknownVtbl,
    conduct: Conduct,
    /// The other face of the object.
    other: Cell<*mut c_void>,
    asked: Cell<u32>,
}

#[derive(Clone, Copy, PartialEq)]
enum Conduct {
    Good,
    TwoUnknowns,
    Changing,
    NoWayBack,
    SetOnFailure,
}

static ODD: UnknownVtbl = UnknownVtbl {
    query_interface: odd_query,
    add_ref: odd_count,
    release: odd_count,
};

unsafe extern "system" fn odd_count(_: *mut c_void) -> u32 {
    1
}

unsafe extern "system" fn odd_query(
    this: *mut c_void,
    iid: *const Guid,
    out: *mut *mut c_void,
) -> HResult {
    // SAFETY: the tests' own object.
    let odd = unsafe { &*this.cast::<Odd>() };
    // SAFETY: the caller passes an identifier.
    let iid = unsafe { *iid };
    odd.asked.set(odd.asked.get() + 1);
    let is_first = !odd.other.get().is_null();
    let found = match (odd.conduct, iid) {
        (Conduct::TwoUnknowns, IID_UNKNOWN) => this,
        (Conduct::Changing, IID_SITE) if odd.asked.get() % 2 == 0 => std::ptr::null_mut(),
        (Conduct::NoWayBack, IID_SITE) if !is_first => std::ptr::null_mut(),
        (_, IID_UNKNOWN) if is_first => this,
        (_, IID_UNKNOWN) => odd.asked.as_ptr().cast(),
        (_, IID_SITE) if is_first => odd.other.get(),
        (_, IID_SITE) => this,
        (Conduct::SetOnFailure, _) => {
            store(out, this);
            return HResult::E_NOINTERFACE;
        }
        _ => std::ptr::null_mut(),
    };
    let found = if found == odd.asked.as_ptr().cast() {
        // The second face knows the first by its own `other`, which is null: the test set it beside it.
        FIRST.with(Cell::get)
    } else {
        found
    };
    store(out, found);
    if found.is_null() {
        HResult::E_NOINTERFACE
    } else {
        HResult::S_OK
    }
}

thread_local! {
    static FIRST: Cell<*mut c_void> = const { Cell::new(std::ptr::null_mut()) };
}

fn identity(conduct: Conduct) -> olemem::audit::Report {
    const IID_NONE: Guid = Guid::from_u128(0x5173_0000_0000_0000_0000_0000_0000_0002);
    let face = |other| Odd {
        vtbl: &raw const ODD,
        conduct,
        other: Cell::new(other),
        asked: Cell::new(0),
    };
    judged(|audit| {
        drop(olemem::Bstr::from("something"));
        let mut second = face(std::ptr::null_mut());
        let second = (&raw mut second).cast::<c_void>();
        let mut first = face(second);
        let first = (&raw mut first).cast::<c_void>();
        FIRST.set(first);
        // SAFETY: the object is there.
        unsafe { audit.check_identity("IOdd", first, &[IID_SITE, IID_NONE]) };
    })
}

#[test]
fn kept_identity() {
    assert_kept(&identity(Conduct::Good));
    assert_kept(&judged(|audit| {
        let site = site();
        // SAFETY: the site is live.
        unsafe { audit.check_identity("ISite", site.as_raw(), &[IID_SITE]) };
    }));
}

#[test]
fn broken_identity() {
    for (conduct, what) in [
        (
            Conduct::TwoUnknowns,
            "an object gave different pointers for IUnknown",
        ),
        (
            Conduct::Changing,
            "an interface was there at one time and not at another",
        ),
        (
            Conduct::NoWayBack,
            "an interface is to be had from one interface and not from another",
        ),
    ] {
        assert_told(
            &identity(conduct),
            &format!(
                "\
error[identity-broken]: {what}
  call IOdd
  rule: R49
  help: give the same IUnknown from every interface, and the same answer for an interface as long as the object lives"
            ),
        );
    }
}

/// R48: a QueryInterface that fails stores NULL.
#[test]
fn broken_by_a_query_that_fails_with_a_pointer() {
    let report = identity(Conduct::SetOnFailure);
    report.assert_kinds([Kind::OutSetOnFailure]);
    assert_eq!(
        report.violations()[0].message,
        "QueryInterface failed, and its variable is not NULL"
    );
}

/// R45 after a failure that hands something out on purpose: it is the caller's to release.
#[test]
fn kept_and_broken_after_a_failure_by_a_waiver() {
    let fails = |audit: &Session, site: &CountingObject| {
        let (code, found) = get_site(audit)
            .may_fail_with_outs()
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| {
                store(found, add_ref(lent(site)));
                WithCode(FAIL)
            });
        assert_eq!(code, FAIL);
        found
    };
    assert_kept(&judged(|audit| {
        drop(fails(audit, &CountingObject::unknown()));
    }));
    let mut lost = None;
    let report = judged(|audit| lost = fails(audit, &CountingObject::unknown()));
    report.assert_kinds([Kind::InterfaceLeaked]);
    assert_eq!(
        report.violations()[0].rules(),
        [Rule::new(45).expect("there is one")]
    );
    drop(lost);
}

/// R14: what a call that failed handed out the caller does not release: one mistake.
#[test]
fn broken_by_a_failure_with_a_pointer_that_nobody_releases() {
    let mut lost: Pointer = std::ptr::null_mut();
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let slot = &raw mut lost;
        // SAFETY: a variable of this test's.
        let call = unsafe { get_site(audit).out_raw(Parameter::interface("site"), slot) };
        let result = call.invoke(|found| {
            store(found, add_ref(lent(&site)));
            FAIL
        });
        assert_eq!(result, Err(FAIL));
    });
    report.assert_kinds([Kind::OutSetOnFailure]);
    release(lost);
}

/// R51: a method that handed out a reference as it should is not to blame for the program's releases.
#[test]
fn broken_by_the_program_after_a_call_that_did_no_wrong() {
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let found = get_site(audit)
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| store(found, add_ref(lent(&site))));
        drop(found);
        release(lent(&site));
    });
    assert_told(
        &report,
        "\
error[interface-over-released]: an object is released that has no reference any more
  rule: R51
  help: release only what AddRef added or what was handed over, each reference once",
    );
}

/// R6: what is planted knows no interfaces.
#[test]
fn broken_by_asking_what_is_planted() {
    let report = judged(|audit| {
        drop(CountingObject::unknown());
        let found = get_site(audit)
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| {
                let planted = load(found);
                let mut other = planted.cast::<c_void>();
                // SAFETY: what is planted is an object, whose methods take any variable and none.
                let query = unsafe { &*planted }.vtbl.query_interface;
                for variable in [&raw mut other, std::ptr::null_mut()] {
                    // SAFETY: as above.
                    let result = unsafe { query(planted.cast(), &IID_UNKNOWN, variable) };
                    assert_eq!(result, HResult::E_NOINTERFACE);
                }
                assert!(other.is_null());
                store(found, std::ptr::null_mut());
            });
        assert!(found.is_none());
    });
    report.assert_kinds([Kind::OutReadByCallee]);
}

/// By NULL nobody calls back.
#[test]
fn no_interface_is_not_called() {
    let report = judged(|audit| {
        let text = olemem::Bstr::from("Ready");
        let mut own = std::ptr::null_mut();
        audit
            .call("ISited::put_Text")
            .in_bstr("text", &text)
            .invoke(|text| own = text);
        audit
            .call("ISited::SetSite")
            .in_interface::<UnknownVtbl>("site", &None)
            .invoke(|_| ());
        audit
            .call("ISited::Finish")
            .invoke(|| crate::support::free(own));
    });
    report.assert_kinds([Kind::InRetainedByCallee]);
    assert!(!report.is_clean());
}

/// R53: a pointer that stays the callee's comes without a reference.
#[test]
fn kept_by_a_pointer_that_stays_the_callees() {
    assert_kept(&judged(|audit| {
        let site = CountingObject::unknown();
        let mut found: Pointer = std::ptr::null_mut();
        let parameter = Parameter::interface("site").stays_callees();
        // SAFETY: a variable of this frame's.
        let call = unsafe { get_site(audit).out_raw(parameter, &raw mut found) };
        call.invoke(|found| store(found, lent(&site)));
        assert_eq!((found, site.references()), (lent(&site), 1));
    }));
}
