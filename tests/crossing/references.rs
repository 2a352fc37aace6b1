//! R43, R44, R46: references that change places, and those that are added or released outside of annotated calls; R17 of
//! interface pointers.

use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::Relaxed;

use crate::counted::{Pointer, add_ref, lent, owned, release};
use crate::support::{FAIL, assert_kept, assert_told, judged, load, store};
use olemem::audit::{CountingObject, Joiner, Kind, Parameter, Report, Session};
use olemem::com::UnknownVtbl;
use olemem::crossing::Reference;

type Variable = *mut Pointer;

/// Swaps what two variables hold.
fn swap(one: Variable, other: Variable) {
    let held = load(one);
    store(one, load(other));
    store(other, held);
}

/// Adds a reference on a thread of its own, which is in no call.
fn add_on_a_worker(joiner: &Joiner, site: Pointer) -> Pointer {
    let shared = AtomicPtr::new(site);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _joined = joiner.join();
            add_ref(shared.load(Relaxed));
        });
    });
    site
}

/// A call that is given a site by an owner.
fn given(audit: &Session, method: &str, site: &Option<Reference>, callee: impl FnOnce(Pointer)) {
    audit.call(method).in_interface("site", site).invoke(callee);
}

/// The same of a handle's pointer.
fn lent_to(audit: &Session, method: &str, site: &CountingObject, callee: impl FnOnce(Pointer)) {
    // SAFETY: the site is live.
    let call = unsafe {
        audit
            .call(method)
            .in_raw(Parameter::interface("site"), lent(site))
    };
    call.invoke(callee);
}

// -------------------------------------------------------------------------- they change places

#[test]
fn kept_by_a_swap() {
    assert_kept(&judged(|audit| {
        let (left, right) = (CountingObject::unknown(), CountingObject::unknown());
        let (mut one, mut other) = (owned(&left), owned(&right));
        audit
            .call("ISwap::Swap")
            .inout_interface("one", &mut one)
            .inout_interface("other", &mut other)
            .invoke(swap);
        assert_eq!(one.as_ref().map(Reference::as_raw), Some(lent(&right)));
        drop(one);
        assert_eq!((left.references(), right.references()), (2, 1));
    }));
}

/// Whichever is declared first.
#[test]
fn kept_by_a_move() {
    fn take(moved: Variable, from: Variable) {
        store(moved, load(from));
        store(from, ptr::null_mut());
    }
    assert_kept(&judged(|audit| {
        let object = CountingObject::unknown();
        let mut value = owned(&object);
        let moved = audit
            .call("IMove::Take")
            .out_interface::<UnknownVtbl>("moved")
            .inout_interface("from", &mut value)
            .invoke(take);
        assert!(value.is_none());
        let mut value = moved;
        let moved = audit
            .call("IMove::Take")
            .inout_interface("from", &mut value)
            .out_interface::<UnknownVtbl>("moved")
            .invoke(|from, moved| take(moved, from));
        assert!(moved.is_some() && value.is_none());
        assert_eq!(object.references(), 2);
    }));
}

/// A method that has another one of its object's replace the value.
#[test]
fn kept_by_a_call_within() {
    assert_kept(&judged(|audit| {
        let (old, new) = (CountingObject::unknown(), CountingObject::unknown());
        let mut value = owned(&old);
        audit
            .call("ISited::ExchangeSite")
            .inout_interface("site", &mut value)
            .invoke(|site| {
                audit.call("ISited::Clear").invoke(|| {
                    release(load(site));
                });
                store(site, add_ref(lent(&new)));
            });
        assert_eq!((old.references(), new.references()), (1, 2));
    }));
}

/// R43: the reference that the callee adds is told, and not the caller's, which stays in the variable.
#[test]
fn broken_by_a_reference_beside_the_value() {
    let mut lost: Pointer = ptr::null_mut();
    let report = judged(|audit| {
        let object = CountingObject::unknown();
        let mut value = audit
            .call("ISited::GetSite")
            .out_interface::<UnknownVtbl>("site")
            .invoke(|site| store(site, add_ref(lent(&object))));
        audit
            .call("ISited::ExchangeSite")
            .inout_interface("site", &mut value)
            .invoke(|site| lost = add_ref(load(site)));
    });
    assert_told(
        &report,
        "\
error[interface-leaked]: an object still has 1 reference, which the callee added
  call ISited::ExchangeSite, parameter site
  rule: R43
  help: release each reference that AddRef added, when the pointer is replaced or its holder goes",
    );
    release(lost);
}

// ------------------------------------------------------------------------------- after a failure

fn exchanged(audit: &Session, value: &mut Option<Reference>, callee: impl FnOnce(Variable)) {
    let result = audit
        .call("ISited::ExchangeSite")
        .inout_interface("site", value)
        .invoke(|site| {
            callee(site);
            FAIL
        });
    assert_eq!(result, Err(FAIL));
}

/// R17: untouched; or NULL, with the old reference released, or kept by the callee.
#[test]
fn kept_after_a_failure() {
    assert_kept(&judged(|audit| {
        let object = CountingObject::unknown();
        let mut value = owned(&object);
        exchanged(audit, &mut value, |_| ());
        exchanged(audit, &mut value, |site| {
            release(load(site));
            store(site, ptr::null_mut());
        });
        assert!(value.is_none());
        assert_eq!(object.references(), 1);
        let mut own = ptr::null_mut();
        let mut value = owned(&object);
        exchanged(audit, &mut value, |site| {
            own = load(site);
            store(site, ptr::null_mut());
        });
        audit.call("ISited::Quit").invoke(|| release(own));
    }));
}

/// R17: another one stands there. It is told once, whether the old one was released or not.
#[test]
fn broken_by_another_after_a_failure() {
    for is_released in [true, false] {
        let mut lost = ptr::null_mut();
        let report = judged(|audit| {
            let (old, new) = (CountingObject::unknown(), CountingObject::unknown());
            let mut value = owned(&old);
            exchanged(audit, &mut value, |site| {
                if is_released {
                    release(load(site));
                } else {
                    lost = load(site);
                }
                store(site, add_ref(lent(&new)));
            });
        });
        assert_told(
            &report,
            "\
error[inout-changed-on-failure]: the call failed, and another interface pointer stands in place of the old one
  call ISited::ExchangeSite, parameter site
  rule: R17
  help: on failure leave an [in,out] value as it was, or free it and store NULL",
        );
        if !lost.is_null() {
            release(lost);
        }
    }
}

/// What the program does with the old one, which the call released, is another mistake.
#[test]
fn broken_by_another_after_a_failure_and_by_the_program() {
    let mut lost = ptr::null_mut();
    let report = judged(|audit| {
        let (old, new) = (CountingObject::unknown(), CountingObject::unknown());
        let mut value = owned(&old);
        exchanged(audit, &mut value, |site| {
            release(load(site));
            store(site, add_ref(lent(&new)));
        });
        lost = add_ref(lent(&old));
    });
    report.assert_kinds([Kind::InoutChangedOnFailure, Kind::InterfaceLeaked]);
    release(lost);
}

/// R17, R46: NULL, and the old one is nobody's.
#[test]
fn broken_by_null_after_a_failure() {
    let mut lost = ptr::null_mut();
    let report = judged(|audit| {
        let object = CountingObject::unknown();
        let mut value = owned(&object);
        exchanged(audit, &mut value, |site| {
            lost = load(site);
            store(site, ptr::null_mut());
        });
    });
    report.assert_kinds([Kind::InterfaceLeaked]);
    release(lost);
}

// ----------------------------------------------------------------------------- outside of calls

/// A constructor, which is not annotated, adds what a method releases.
#[test]
fn kept_by_a_constructor() {
    assert_kept(&judged(|audit| {
        let sink = CountingObject::unknown();
        let own = add_ref(lent(&sink));
        let mine = owned(&sink);
        given(audit, "IEvents::Unadvise", &mine, |_| {
            release(own);
        });
        drop(mine);
        assert_eq!(sink.references(), 1);
        // The last that the object itself has, when its maker has let go.
        let own = add_ref(lent(&sink));
        drop(sink);
        audit.call("IEvents::Close").invoke(|| release(own));
    }));
}

/// The same where the pointer that is passed is a handle's.
#[test]
fn kept_by_a_constructor_beside_a_handle() {
    assert_kept(&judged(|audit| {
        let sink = CountingObject::unknown();
        let own = add_ref(lent(&sink));
        lent_to(audit, "IEvents::Unadvise", &sink, |_| {
            release(own);
        });
        assert_eq!(sink.references(), 1);
    }));
}

/// A constructor adds what a method hands out, detached.
#[test]
fn kept_by_a_constructor_whose_reference_is_handed_out() {
    assert_kept(&judged(|audit| {
        let site = CountingObject::unknown();
        let own = add_ref(lent(&site));
        let found = audit
            .call("ISited::DetachSite")
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| store(found, own));
        drop(found);
        assert_eq!(site.references(), 1);
    }));
}

/// A worker thread adds what a method releases or hands out.
#[test]
fn kept_by_a_worker() {
    assert_kept(&judged(|audit| {
        let joiner = audit.joiner();
        let site = CountingObject::unknown();
        let mine = owned(&site);
        given(audit, "IWorker::Start", &mine, |given| {
            add_on_a_worker(&joiner, add_ref(given));
        });
        given(audit, "IWorker::Stop", &mine, |own| {
            release(own);
            release(own);
        });
        let found = audit
            .call("IWorker::get_Result")
            .out_interface::<UnknownVtbl>("result")
            .invoke(|found| store(found, add_on_a_worker(&joiner, lent(&site))));
        drop((found, mine));
        assert_eq!(site.references(), 1);
    }));
}

/// A destructor releases what a method added; and then another object's method what its constructor added.
#[test]
fn kept_by_a_destructor() {
    assert_kept(&judged(|audit| {
        let sink = CountingObject::unknown();
        let first = owned(&sink);
        let mut own = ptr::null_mut();
        let one = 1_u32;
        audit
            .call("IEvents::Advise")
            .on(&raw const one)
            .in_interface("sink", &first)
            .invoke(|sink| own = add_ref(sink));
        // The other one's constructor, the first one's destructor.
        let another = add_ref(lent(&sink));
        release(own);
        given(audit, "IOther::Unadvise", &first, |_| {
            release(another);
        });
        drop(first);
        assert_eq!(sink.references(), 1);
    }));
}

/// Two interfaces of one object, of which no call says so.
#[test]
fn kept_by_an_object_of_two_interfaces() {
    assert_kept(&judged(|audit| {
        let site = CountingObject::unknown();
        let mut own = ptr::null_mut();
        lent_to(audit, "IOleObject::SetClientSite", &site, |site| {
            own = add_ref(site);
        });
        audit.call("IPersist::Close").invoke(|| release(own));
        assert_eq!(site.references(), 1);
    }));
}

// -------------------------------------------------------------------------------- one too many

const OF_FINISH: &str = "\
error[interface-over-released]: the callee released an interface pointer without a reference of its own
  call ISited::Finish
  rule: R44
  help: release in the callee only what it added: an [in] pointer is the caller's";

/// R44: kept without a reference, and released in a later call in which it is no parameter.
#[test]
fn broken_by_a_release_in_a_later_call() {
    assert_told(
        &judged(|audit| {
            let site = CountingObject::unknown();
            let mut own = ptr::null_mut();
            lent_to(audit, "ISited::SetSite", &site, |site| own = site);
            audit.call("ISited::Finish").invoke(|| release(own));
            assert_eq!(site.references(), 1);
        }),
        OF_FINISH,
    );
}

/// What another object holds pays for nothing.
#[test]
fn broken_by_a_release_of_what_another_holds() {
    assert_told(
        &judged(|audit| {
            let site = CountingObject::unknown();
            let other = 1_u32;
            let mut own = ptr::null_mut();
            audit
                .call("IOther::SetSite")
                .on(&raw const other)
                .in_interface("site", &owned(&site))
                .invoke(|site| own = add_ref(site));
            audit.call("ISited::Finish").invoke(|| release(own));
            assert_eq!(site.references(), 2);
            audit
                .call("IOther::Quit")
                .on(&raw const other)
                .invoke(|| release(own));
        }),
        OF_FINISH,
    );
}

const LATER: &str = "\
error[interface-over-released]: the callee released a reference that it had not added, and one is missing now
  call ISited::Finish
  rule: R44
  help: release in the callee only what it added: an [in] pointer is the caller's";

/// R44: the program had one more, which might have been the callee's. It is told when that one is released as well, and of
/// the call, not of its rightful owner.
#[test]
fn broken_by_a_release_that_may_have_been_right() {
    assert_told(
        &judged(|audit| {
            let site = CountingObject::unknown();
            let mine = owned(&site);
            let mut own = ptr::null_mut();
            given(audit, "ISited::SetSite", &mine, |site| own = site);
            audit.call("ISited::Finish").invoke(|| release(own));
            drop(mine);
        }),
        LATER,
    );
}

/// The same, if the object is asked for something when it is gone.
#[test]
fn broken_by_a_release_that_is_told_by_a_call() {
    assert_told(
        &judged(|audit| {
            let site = CountingObject::unknown();
            let mine = owned(&site);
            audit.call("ISited::Finish").invoke(|| {
                release(lent(&site));
            });
            let pointer = lent(&site);
            drop(site);
            add_ref(pointer);
            drop(mine);
        }),
        LATER,
    );
}

/// Or if it is missed in a call that does no wrong.
#[test]
fn broken_by_a_release_that_another_call_would_be_blamed_for() {
    assert_told(
        &judged(|audit| {
            let site = CountingObject::unknown();
            let own = add_ref(lent(&site));
            audit.call("ISited::Finish").invoke(|| release(own));
            audit.call("ISited::Close").invoke(|| release(own));
            assert_eq!(site.references(), 1);
        }),
        LATER,
    );
}

/// A release that was right, and another object's that was not.
#[test]
fn broken_by_another_than_the_one_that_may_have_been_right() {
    assert_told(
        &judged(|audit| {
            let site = CountingObject::unknown();
            let own = add_ref(lent(&site));
            audit.call("IOther::Unadvise").invoke(|| release(own));
            audit.call("ISited::Finish").invoke(|| release(own));
            assert_eq!(site.references(), 1);
        }),
        OF_FINISH,
    );
}

fn released(audit: &Session, site: &CountingObject, callee: impl FnOnce(Pointer)) {
    lent_to(audit, "ISited::SetSite", site, callee);
}

/// However often it is released in the call, and used afterwards: it is one mistake.
#[test]
fn broken_once() {
    const TOLD: &str = "\
error[interface-over-released]: the callee released an interface pointer without a reference of its own
  call ISited::SetSite, parameter site
  rule: R44
  help: release in the callee only what it added: an [in] pointer is the caller's";
    let once = |callee: fn(Pointer)| -> Report {
        judged(|audit| {
            let site = CountingObject::unknown();
            released(audit, &site, callee);
            assert_eq!(site.references(), 1);
        })
    };
    let twice = once(|site| {
        release(site);
        release(site);
    });
    assert_told(&twice, TOLD);
    let used = once(|site| {
        release(site);
        add_ref(site);
    });
    assert_told(&used, TOLD);
    // What a constructor added does not pay for two.
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        add_ref(lent(&site));
        let mine = owned(&site);
        given(audit, "ISited::SetSite", &mine, |site| {
            release(site);
            release(site);
        });
        assert_eq!(site.references(), 3);
        release(lent(&site));
    });
    assert_told(&report, TOLD);
}

/// R45: handed out without a reference, though one was added outside of calls: for another.
#[test]
fn broken_by_handing_out_what_a_constructor_keeps() {
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let own = add_ref(lent(&site));
        let found = audit
            .call("ISited::GetSite")
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| store(found, own));
        drop(found);
        audit.call("ISited::Quit").invoke(|| release(own));
    });
    report.assert_kinds([Kind::InterfaceNotAddrefed]);
    let call = report.violations()[0].call.as_ref().expect("a call");
    assert_eq!(call.to_string(), "ISited::GetSite, parameter site");
}

// -------------------------------------------------------------------------------------- stories

/// R43: several are left, and one of them is told of.
#[test]
fn broken_by_two_references() {
    let mut lost = ptr::null_mut();
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        lent_to(audit, "ISited::SetSite", &site, |site| {
            lost = add_ref(add_ref(site));
        });
    });
    assert_told(
        &report,
        "\
error[interface-leaked]: an object still has 2 references, one of which the callee added
  call ISited::SetSite, parameter site
  rule: R43
  help: release each reference that AddRef added, when the pointer is replaced or its holder goes",
    );
    release(lost);
    release(lost);
}

/// R43: the program's own.
#[test]
fn broken_by_the_program() {
    let mut lost = ptr::null_mut();
    let report = judged(|_| {
        let site = CountingObject::unknown();
        lost = add_ref(lent(&site));
    });
    assert_told(
        &report,
        "\
error[interface-leaked]: an object still has 1 reference, which was added outside of calls
  rule: R43
  help: release each reference that AddRef added, when the pointer is replaced or its holder goes",
    );
    release(lost);
}

#[inline(never)]
fn keep_site(site: Pointer) -> Pointer {
    add_ref(site)
}

#[inline(never)]
fn drop_site(site: Pointer) {
    release(site);
}

/// Where the reference was added that is never released, and where one was released without one.
#[test]
#[cfg_attr(
    any(miri, target_os = "macos", not(panic = "unwind")),
    ignore = "there are no stacks, or no names for them"
)]
fn broken_with_stacks() {
    let session = Session::begin();
    let site = CountingObject::unknown();
    let mut lost = ptr::null_mut();
    lent_to(&session, "ISited::SetSite", &site, |site| {
        lost = keep_site(site);
    });
    let other = CountingObject::unknown();
    lent_to(&session, "ISited::SetOther", &other, drop_site);
    drop((site, other));
    let report = session.finish();
    let stories = report.to_string();
    for (violation, function) in report.violations().iter().zip(["drop_site", "keep_site"]) {
        let is_there = violation.at.iter().any(|frame| {
            let name = frame.function.as_deref().unwrap_or_default();
            name.ends_with(function)
        });
        assert!(is_there, "{function}: {stories}");
    }
    report.assert_kinds([Kind::InterfaceOverReleased, Kind::InterfaceLeaked]);
    assert!(stories.contains("  added at\n"), "{stories}");
    assert!(stories.contains("  happened at\n"), "{stories}");
    release(lost);
}

// ------------------------------------------------------------------------- what is suspected, and of whom

const GONE: &str = "\
error[interface-used-after-destroy]: an object is called after its last reference was released
  rule: R51
  help: keep a reference for as long as the pointer is used";

/// R45: the object's own reference is handed out beside others that the call adds and releases. That it was not given up is seen
/// when the object releases it.
#[test]
fn broken_by_handing_out_what_the_object_keeps() {
    let told = |method: &str, hand_out: fn(&Session, Pointer)| {
        let report = judged(|audit| {
            let site = CountingObject::unknown();
            let mut own = ptr::null_mut();
            lent_to(audit, "ISited::SetSite", &site, |site| own = add_ref(site));
            hand_out(audit, own);
            audit.call("ISited::Quit").invoke(|| release(own));
        });
        assert_told(
            &report,
            &format!(
                "\
error[interface-not-addrefed]: an interface pointer was handed out without a reference for the caller
  call {method}, parameter found
  rule: R45, R47
  help: call AddRef on a pointer before it is handed out"
            ),
        );
    };
    told("ISited::GetSite", |audit, own| {
        let found = audit
            .call("ISited::GetSite")
            .out_interface::<UnknownVtbl>("found")
            .invoke(|found| {
                release(add_ref(own));
                store(found, own);
            });
        drop(found);
    });
    // What it lends on is not what it hands out.
    told("ISited::MoveSite", |audit, own| {
        let found = audit
            .call("ISited::MoveSite")
            .out_interface::<UnknownVtbl>("found")
            .invoke(|found| {
                // SAFETY: the reference that is added is the value's.
                let mut value = unsafe { Reference::from_raw(add_ref(own)) };
                audit
                    .call("IOther::Take")
                    .inout_interface("site", &mut value)
                    .invoke(|site| {
                        release(load(site));
                        store(site, ptr::null_mut());
                    });
                store(found, own);
            });
        drop(found);
    });
    // The value of an [in,out] parameter goes back to the caller.
    told("ISited::CheckSite", |audit, own| {
        // SAFETY: the reference that is added is the value's.
        let mut value = unsafe { Reference::from_raw(add_ref(own)) };
        let found = audit
            .call("ISited::CheckSite")
            .inout_interface("site", &mut value)
            .out_interface::<UnknownVtbl>("found")
            .invoke(|_, found| store(found, own));
        drop((found, value));
    });
}

/// R51: what a call releases that was given it as [in,out] is its own: the program's mistake is the program's.
#[test]
fn broken_by_the_program_after_an_exchange() {
    let report = judged(|audit| {
        let object = CountingObject::unknown();
        let mut value = owned(&object);
        audit
            .call("ISited::Clear")
            .inout_interface("site", &mut value)
            .invoke(|site| {
                release(load(site));
                store(site, ptr::null_mut());
            });
        let gone = lent(&object);
        drop(object);
        add_ref(gone);
    });
    assert_told(&report, GONE);
}

/// R51: a handle that is dropped in a call is the callee's, which may do so; but then the object is gone, while the call is under way
/// already.
#[test]
fn broken_by_use_after_a_handle_that_a_call_drops() {
    let report = judged(|audit| {
        let object = CountingObject::unknown();
        let gone = lent(&object);
        audit.call("ISited::Quit").invoke(|| drop(object));
        add_ref(gone);
    });
    assert_told(&report, GONE);
    let report = judged(|audit| {
        let object = CountingObject::unknown();
        let gone = lent(&object);
        audit.call("ISited::Quit").invoke(|| {
            release(add_ref(gone));
            drop(object);
            add_ref(gone);
        });
    });
    let within = GONE.replace("  rule", "  call ISited::Quit\n  rule");
    assert_told(&report, &within);
}

/// R45: a value that is moved from one parameter to another, and then lost.
#[test]
fn broken_by_the_caller_after_a_move() {
    let mut lost = None;
    let report = judged(|audit| {
        let object = CountingObject::unknown();
        let mut value = owned(&object);
        lost = audit
            .call("IMove::Take")
            .out_interface::<UnknownVtbl>("moved")
            .inout_interface("from", &mut value)
            .invoke(|moved, from| {
                store(moved, load(from));
                store(from, ptr::null_mut());
            });
    });
    assert_told(
        &report,
        "\
error[interface-leaked]: an object still has 1 reference, which was handed out to the caller
  call IMove::Take, parameter moved
  rule: R45
  help: release what came as [out] when it is used no more",
    );
    drop(lost);
}

/// R44: a call that is made within it changes nothing of what the outer one released.
#[test]
fn broken_by_a_release_before_a_call_within() {
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        lent_to(audit, "ISited::SetSite", &site, |site| {
            release(site);
            audit.call("IEvents::OnSite").invoke(|| ());
        });
        assert_eq!(site.references(), 1);
    });
    report.assert_kinds([Kind::InterfaceOverReleased]);
    let call = report.violations()[0].call.as_ref().expect("a call");
    assert_eq!(call.to_string(), "ISited::SetSite, parameter site");
}

/// References that another object holds, by a call of its own.
fn held_by<'a>(audit: &Session, other: &'a u32, site: Pointer, count: u32) -> &'a u32 {
    let call = audit.call("IOther::SetSite").on(ptr::from_ref(other));
    // SAFETY: the site is live.
    let call = unsafe { call.in_raw(Parameter::interface("site"), site) };
    call.invoke(|site| {
        for _ in 0..count {
            add_ref(site);
        }
    });
    other
}

fn lets_go(audit: &Session, other: &u32, site: Pointer, count: u32) {
    audit
        .call("IOther::Quit")
        .on(ptr::from_ref(other))
        .invoke(|| {
            for _ in 0..count {
                release(site);
            }
        });
}

/// R44: released twice and added once is one too many, and as many are put back.
#[test]
fn broken_by_as_many_as_are_put_back() {
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let own = lent(&site);
        let other = held_by(audit, &1, own, 2);
        audit.call("ISited::Finish").invoke(|| {
            release(own);
            release(own);
            add_ref(own);
        });
        assert_eq!(site.references(), 3);
        lets_go(audit, other, own, 2);
    });
    assert_told(&report, OF_FINISH);
}

/// R44: one that the program has pays for one release, and not for two: neither what another object holds, nor what the program
/// released while another one held some, that let go since.
#[test]
fn broken_by_two_releases_where_one_may_have_been_right() {
    let finish = |audit: &Session, site: Pointer| {
        audit.call("ISited::Finish").invoke(|| {
            release(site);
            release(site);
        });
    };
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let own = add_ref(lent(&site));
        drop(site);
        let other = held_by(audit, &1, own, 1);
        finish(audit, own);
        lets_go(audit, other, own, 1);
        release(own);
    });
    assert_told(&report, OF_FINISH);
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let own = add_ref(lent(&site));
        let other = held_by(audit, &1, own, 1);
        release(own);
        lets_go(audit, other, own, 1);
        add_ref(own);
        finish(audit, own);
        assert_eq!(site.references(), 2);
        release(own);
    });
    assert_told(&report, OF_FINISH);
}

/// R44: references that are spent are spent.
#[test]
fn broken_by_a_release_of_what_was_released_for_it() {
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let own = add_ref(lent(&site));
        lent_to(audit, "IOleObject::SetClientSite", &site, |site| {
            add_ref(site);
        });
        // It may be the same object, whose constructor added the other.
        audit.call("IPersist::Close").invoke(|| {
            release(own);
            release(own);
        });
        audit.call("IOleObject::Close").invoke(|| release(own));
        assert_eq!(site.references(), 1);
    });
    assert_told(
        &report,
        &OF_FINISH.replace("ISited::Finish", "IOleObject::Close"),
    );
}

/// R45: a release that may have been right is not held to be of what a call handed out, as long as there is another.
#[test]
fn broken_by_the_caller_beside_a_constructor() {
    let mut lost = None;
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let own = add_ref(lent(&site));
        lost = audit
            .call("ISited::GetSite")
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| store(found, add_ref(own)));
        audit.call("IEvents::Unadvise").invoke(|| release(own));
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

/// What a callee releases of its own, while others hold some, pays for nobody.
#[test]
fn broken_by_a_release_after_another_let_go() {
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let own = lent(&site);
        let other = held_by(audit, &1, own, 2);
        lets_go(audit, other, own, 1);
        audit.call("ISited::Finish").invoke(|| release(own));
        lets_go(audit, other, own, 1);
        assert_eq!(site.references(), 1);
    });
    assert_told(&report, OF_FINISH);
}

/// R44: released and added again.
#[test]
fn kept_by_a_release_that_is_made_good() {
    assert_kept(&judged(|audit| {
        let site = CountingObject::unknown();
        let own = lent(&site);
        let other = held_by(audit, &1, own, 1);
        audit.call("ISited::Finish").invoke(|| {
            release(own);
            add_ref(own);
        });
        lets_go(audit, other, own, 1);
    }));
}

/// R44: a destructor, which is in no call, has released what the object held.
#[test]
fn broken_by_a_release_after_a_destructor() {
    let report = judged(|audit| {
        let site = CountingObject::unknown();
        let own = lent(&site);
        lent_to(audit, "ISited::SetSite", &site, |site| {
            add_ref(site);
        });
        release(own);
        audit.call("ISited::Finish").invoke(|| release(own));
        assert_eq!(site.references(), 1);
    });
    assert_told(&report, OF_FINISH);
}

/// R51: what a call got from another, and hands on, has a reference: the program's mistake is the program's.
#[test]
fn broken_by_the_program_after_a_call_that_handed_on() {
    let report = judged(|audit| {
        let object = CountingObject::unknown();
        let found = audit
            .call("ISited::GetSite")
            .out_interface::<UnknownVtbl>("site")
            .invoke(|found| {
                let mut own = audit
                    .call("IOther::GetSite")
                    .out_interface::<UnknownVtbl>("site")
                    .invoke(|found| store(found, add_ref(lent(&object))));
                audit
                    .call("IOther::CheckSite")
                    .inout_interface("site", &mut own)
                    .invoke(|_| ());
                store(found, own.map_or(ptr::null_mut(), Reference::into_raw));
            });
        drop(found);
        let gone = lent(&object);
        drop(object);
        add_ref(gone);
    });
    assert_told(&report, GONE);
}
