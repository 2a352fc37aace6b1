//! R32, R34: arrays of pointers. Each element is freed, then the array; what a smaller count leaves behind is, too.

use std::ffi::c_void;

use crate::counted::{Pointer, add_ref, lent, release};
use crate::support::{
    FAIL, OK, Raw, assert_kept, assert_told, free, free_task, judged, load, store, string, task,
};
use olemem::HResult;
use olemem::audit::{Backtrace, CountingObject, Crossing, Guard, Kind, Parameter, Report, Session};

/// An array that the callee allocates, of these strings.
fn handed_out(texts: &[Raw], told: u32) -> *mut Raw {
    let array = task(size_of_val(texts)).cast::<Raw>();
    for (at, text) in texts.iter().enumerate() {
        store(array.wrapping_add(at), *text);
    }
    assert!(told as usize >= texts.len());
    array
}

/// A method that hands out such an array.
fn list(audit: &Session, callee: impl FnOnce() -> (*mut Raw, u32)) -> (*mut Raw, u32) {
    let (mut titles, mut count) = (std::ptr::null_mut::<Raw>(), 0_u32);
    let (slot, number) = (&raw mut titles, &raw mut count);
    audit
        .call("IBrowser::ListTitles")
        .with(|call| {
            let titles = Parameter::bstr("titles");
            // SAFETY: variables of this frame's.
            unsafe { call.output_array(titles, slot.cast(), number) };
        })
        .invoke(|| {
            let (array, told) = callee();
            store(slot, array);
            store(number, told);
            OK
        })
        .expect("it succeeds");
    (load(slot), load(number))
}

/// The same, and a caller.
fn listed(callee: impl FnOnce() -> (*mut Raw, u32), caller: impl FnOnce(*mut Raw, u32)) -> Report {
    judged(|audit| {
        let (array, count) = list(audit, callee);
        caller(array, count);
    })
}

fn free_all(array: *mut Raw, count: u32) {
    for at in 0..count as usize {
        free(load(array.wrapping_add(at)));
    }
    free_task(array.cast());
}

#[test]
fn kept() {
    assert_kept(&listed(
        || {
            (
                handed_out(&[string("a"), string("b"), std::ptr::null_mut()], 3),
                3,
            )
        },
        free_all,
    ));
    // Nothing to return (R19).
    assert_kept(&listed(
        || {
            drop(olemem::Bstr::from("something"));
            (std::ptr::null_mut(), 0)
        },
        |array, _| assert!(array.is_null()),
    ));
}

#[test]
fn broken_by_freeing_the_array_alone() {
    let mut lost = Vec::new();
    let report = listed(
        || {
            lost.extend(["a", "b"].map(string));
            (handed_out(&lost, 2), 2)
        },
        |array, _| free_task(array.cast()),
    );
    let story = |name: &str, id: u32, text: &str| {
        format!(
            "\
error[element-leaked]: the array was freed, and a BSTR that it held was not
  call IBrowser::ListTitles, parameter {name}
  block {id}: BSTR, 2 bytes, \"{text}\"
  rule: R32
  help: free each element before the array, and those that a smaller count leaves behind
"
        )
    };
    assert_told(
        &report,
        &[story("titles[0]", 1, "a"), story("titles[1]", 2, "b")].join("\n"),
    );
    lost.into_iter().for_each(free);
}

/// R11: an element is the caller's, and not the callee's to free in a later call.
#[test]
fn broken_by_a_callee_that_frees_an_element_later() {
    let report = judged(|audit| {
        let own = string("Ready");
        let (array, count) = list(audit, || (handed_out(&[own], 1), 1));
        audit.call("IBrowser::Quit").invoke(|| free(own));
        free_all(array, count);
    });
    report.assert_kinds([Kind::OutFreedByCallee]);
}

/// All of it lost: leaks as any other.
#[test]
fn broken_by_the_caller_who_forgets_it() {
    let mut lost = std::ptr::null_mut();
    let report = listed(
        || (handed_out(&[string("a")], 1), 1),
        |array, _| lost = array,
    );
    report.assert_kinds([Kind::Leak; 2]);
    free_all(lost, 1);
}

#[test]
fn broken_by_an_element_of_the_wrong_family() {
    let mut lost = std::ptr::null_mut();
    let report = listed(
        || {
            lost = task(6);
            (handed_out(&[string("a"), lost.cast()], 2), 2)
        },
        |array, _| free_all(array, 1),
    );
    assert_told(
        &report,
        "\
error[element-invalid]: an element is task memory, of the wrong family
  call IBrowser::ListTitles, parameter titles[1]
  block 1: task memory, 6 bytes
  rule: R32
  help: fill every element up to the count with NULL or a block of the declared family",
    );
    free_task(lost);
}

#[test]
fn broken_by_a_count_that_is_too_large() {
    let report = listed(
        || (handed_out(&[string("a")], 1), 4),
        |array, _| free_all(array, 1),
    );
    assert_told(
        &report,
        &format!(
            "\
error[element-invalid]: the count says more elements than the array has room for
  call IBrowser::ListTitles, parameter titles
  block 2: task memory, {} bytes
  rule: R32
  help: fill every element up to the count with NULL or a block of the declared family",
            size_of::<Raw>()
        ),
    );
}

/// A caller's array of two strings, which the callee changes.
fn shrunk(callee: impl FnOnce(*mut Raw, *mut u32)) -> Report {
    judged(|audit| {
        let (mut titles, mut count) = ([string("a"), string("b")], 2_u32);
        let (start, number) = ((&raw mut titles).cast::<Raw>(), &raw mut count);
        audit
            .call("IBrowser::Filter")
            .with(|call| {
                let titles = Parameter::bstr("titles");
                // SAFETY: variables of this frame's.
                unsafe { call.array(titles, start.cast(), 2, 2, number) };
            })
            .invoke(|| callee(start, number));
        for at in 0..load(number) as usize {
            free(load(start.wrapping_add(at)));
        }
    })
}

#[test]
fn kept_by_one_that_shrinks() {
    assert_kept(&shrunk(|_, _| ()));
    assert_kept(&shrunk(|titles, count| {
        free(load(titles));
        store(titles, load(titles.wrapping_add(1)));
        store(count, 1);
    }));
}

/// What the caller had from another call is still its own.
#[test]
fn kept_by_elements_that_stay() {
    assert_kept(&judged(|audit| {
        let get = || {
            let text = audit
                .call("IBrowser::get_Title")
                .out_bstr("title")
                .invoke(|title| store(title, string("a title")));
            text.into_raw().cast_mut()
        };
        let (mut titles, mut count) = ([get(), get()], 2_u32);
        let (start, number) = ((&raw mut titles).cast::<Raw>(), &raw mut count);
        audit
            .call("IBrowser::Sort")
            .with(|call| {
                let titles = Parameter::bstr("titles");
                // SAFETY: variables of this frame's.
                unsafe { call.array(titles, start.cast(), 2, 2, number) };
            })
            .invoke(|| {
                let first = load(start);
                store(start, load(start.wrapping_add(1)));
                store(start.wrapping_add(1), first);
            });
        free(load(start));
        free(load(start.wrapping_add(1)));
    }));
}

#[test]
fn broken_by_one_that_shrinks() {
    let mut lost = std::ptr::null_mut();
    let report = shrunk(|titles, count| {
        lost = load(titles.wrapping_add(1));
        store(count, 1);
    });
    assert_told(
        &report,
        "\
error[element-leaked]: a BSTR was left behind by the array, and never freed
  call IBrowser::Filter, parameter titles
  block 2: BSTR, 2 bytes, \"b\"
  rule: R34
  help: free each element before the array, and those that a smaller count leaves behind",
    );
    free(lost);
}

#[test]
fn broken_by_an_element_that_is_freed_and_left() {
    let report = shrunk(|titles, _| free(load(titles)));
    report.assert_kinds([Kind::ElementInvalid]);
}

/// A method that fills an array of the caller's with room for three, of which the first two are there.
fn filled(callee: impl FnOnce(*mut Raw, *mut u32) -> HResult) -> (Report, [Raw; 3]) {
    let mut titles = [std::ptr::null_mut(); 3];
    let report = judged(|audit| {
        titles[0] = string("a");
        titles[1] = string("b");
        let mut count = 2_u32;
        let (start, number) = (titles.as_mut_ptr(), &raw mut count);
        let _result = audit
            .call("IBrowser::Fill")
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.array(Parameter::bstr("titles"), start.cast(), 3, 2, number);
            })
            .invoke(|| callee(start, number));
        for at in 0..3 {
            free(load(start.wrapping_add(at)));
        }
    });
    (report, titles)
}

/// A call that fails and leaves the elements as they were.
#[test]
fn kept_by_a_failure() {
    let (report, _) = filled(|_, _| FAIL);
    assert_kept(&report);
}

/// R14, R33: what it put there before it failed is gone.
#[test]
fn broken_by_a_failure_that_leaves_an_element() {
    let (report, _) = filled(|titles, count| {
        store(titles.wrapping_add(2), string("c"));
        store(count, 3);
        FAIL
    });
    assert_told(
        &report,
        "\
error[out-set-on-failure]: the call failed, and a BSTR was left in the array
  call IBrowser::Fill, parameter titles[2]
  block 3: BSTR, 2 bytes, \"c\"
  rule: R14
  help: on failure free what was made so far and store NULL; a method that fails with data on purpose needs a waiver",
    );
}

/// R17: an element that was there is there still, or NULL.
#[test]
fn broken_by_a_failure_that_frees_an_element() {
    let (report, _) = filled(|titles, _| {
        free(load(titles));
        FAIL
    });
    assert_told(
        &report,
        "\
error[element-invalid]: the call failed, and an element is a BSTR that it freed
  call IBrowser::Fill, parameter titles[0]
  block 1: BSTR, 2 bytes, \"a\"
  rule: R32
  help: fill every element up to the count with NULL or a block of the declared family",
    );
}

#[test]
fn broken_by_a_count_beyond_the_callers_room() {
    let (report, _) = filled(|_, count| {
        store(count, 7);
        OK
    });
    report.assert_kinds([Kind::ElementInvalid]);
    let message = &report.violations()[0].message;
    assert_eq!(
        message,
        "the count says more elements than the array has room for"
    );
}

#[test]
fn broken_by_a_count_without_an_array() {
    let report = listed(|| (std::ptr::null_mut(), 3), |_, _| ());
    report.assert_kinds([Kind::ElementInvalid]);
}

/// An array that is handed out by a call that fails is one mistake, whatever is in it.
#[test]
fn broken_by_handing_it_out_and_failing() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        let (mut titles, mut count) = (std::ptr::null_mut::<Raw>(), 0_u32);
        let (slot, number) = (&raw mut titles, &raw mut count);
        let result = audit
            .call("IBrowser::ListTitles")
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.output_array(Parameter::bstr("titles"), slot.cast(), number);
            })
            .invoke(|| {
                lost = handed_out(&[string("a"), string("b")], 2);
                store(slot, lost);
                store(number, 2);
                FAIL
            });
        assert_eq!(result, Err(FAIL));
    });
    report.assert_kinds([Kind::OutSetOnFailure]);
    free_all(lost, 2);
}

/// Elements that are interface pointers are no blocks; the array that holds them is one.
#[test]
fn kept_by_interfaces() {
    assert_kept(&judged(|audit| {
        let item = CountingObject::unknown();
        let (mut items, mut count) = ([std::ptr::null_mut::<c_void>(); 2], 0_u32);
        let (start, number) = (items.as_mut_ptr(), &raw mut count);
        audit
            .call("IEnumUnknown::Next")
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.array(Parameter::interface("items"), start, 2, 0, number);
            })
            .invoke(|| {
                store(start, add_ref(lent(&item)).cast());
                store(number, 1);
            });
        audit
            .call("IItems::Replace")
            // SAFETY: as above.
            .with(|call| unsafe {
                call.array(Parameter::interface("items"), start, 2, 1, number);
            })
            .invoke(|| {
                release(load(start).cast());
                store(start, add_ref(lent(&item)).cast());
            });
        release(load(start).cast());

        let mut array = std::ptr::null_mut::<c_void>();
        let slot = &raw mut array;
        audit
            .call("IItems::All")
            // SAFETY: as above.
            .with(|call| unsafe {
                call.output_array(Parameter::interface("items"), slot, number);
            })
            .invoke(|| {
                let all = task(size_of::<Pointer>()).cast::<Pointer>();
                store(all, add_ref(lent(&item)));
                store(slot, all.cast());
                store(number, 1);
            });
        release(load(load(slot).cast::<Pointer>()));
        free_task(load(slot).cast());
    }));
}

#[test]
fn broken_by_an_array_of_interfaces_in_no_block() {
    let mut item = std::ptr::null_mut::<c_void>();
    let place = &raw mut item;
    let report = judged(|audit| {
        let (mut array, mut count) = (std::ptr::null_mut::<c_void>(), 0_u32);
        let (slot, number) = (&raw mut array, &raw mut count);
        audit
            .call("IItems::All")
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.output_array(Parameter::interface("items"), slot, number);
            })
            .invoke(|| {
                store(slot, place.cast());
                store(number, 1);
            });
        assert!(load(slot).is_null());
    });
    assert_told(
        &report,
        "\
error[out-wrong-family]: what was handed out is no block at all
  call IItems::All, parameter items
  rule: R5
  help: hand out a BSTR that SysAllocString* made where a BSTR is declared, else memory of CoTaskMemAlloc",
    );
}

/// `Next(1, &text, NULL)`: as many as there is room for.
fn next_one(callee: impl FnOnce(*mut Raw) -> HResult, look: impl FnOnce(Raw)) -> Report {
    judged(|audit| {
        let mut text = std::ptr::without_provenance_mut(0xDEAD);
        let start: *mut Raw = &raw mut text;
        let _result = audit
            .call("IEnumString::Next")
            // SAFETY: a variable of this frame's.
            .with(|call| unsafe {
                call.array(
                    Parameter::bstr("texts"),
                    start.cast(),
                    1,
                    0,
                    std::ptr::null(),
                );
            })
            .invoke(|| callee(start));
        look(load(start));
    })
}

#[test]
fn kept_without_a_count() {
    let fill = |text| {
        store(text, string("a"));
        OK
    };
    assert_kept(&next_one(fill, free));
    // Nothing was left: what was in the variable is no element.
    for result in [HResult::S_FALSE, FAIL] {
        let tried = |_| {
            free(string("tried"));
            result
        };
        assert_kept(&next_one(tried, |text| assert!(text.is_null())));
    }
    // An array that the callee allocates is judged by itself.
    assert_kept(&judged(|audit| {
        let mut titles = std::ptr::null_mut::<c_void>();
        let slot = &raw mut titles;
        audit
            .call("IBrowser::ListTitles")
            // SAFETY: a variable of this frame's.
            .with(|call| unsafe {
                call.output_array(Parameter::bstr("titles"), slot, std::ptr::null());
            })
            .invoke(|| store(slot, handed_out(&[string("a")], 1).cast()));
        free_all(load(slot).cast(), 1);
    }));
}

#[test]
fn broken_without_a_count() {
    let mut lost = std::ptr::null_mut();
    let report = next_one(
        |text| {
            lost = task(4);
            store(text, lost.cast());
            OK
        },
        |_| (),
    );
    assert_told(
        &report,
        "\
error[element-invalid]: an element is task memory, of the wrong family
  call IEnumString::Next, parameter texts[0]
  block 1: task memory, 4 bytes
  rule: R32
  help: fill every element up to the count with NULL or a block of the declared family",
    );
    free_task(lost);
    let report = next_one(
        |text| {
            store(text, string("a"));
            FAIL
        },
        free,
    );
    assert_told(
        &report,
        "\
error[out-set-on-failure]: the call failed, and a BSTR was left in the array
  call IEnumString::Next, parameter texts[0]
  block 1: BSTR, 2 bytes, \"a\"
  rule: R14
  help: on failure free what was made so far and store NULL; a method that fails with data on purpose needs a waiver",
    );
}

/// A method with an \[in,out\] array, all of whose elements are there when it begins, and how many are when it has returned.
fn with_array(
    audit: &Session,
    method: &str,
    titles: &mut [Raw],
    callee: impl FnOnce(*mut Raw, *mut u32) -> HResult,
) -> u32 {
    let room = u32::try_from(titles.len()).expect("they are few");
    let mut count = room;
    let (start, number) = (titles.as_mut_ptr(), &raw mut count);
    let _result = audit
        .call(method)
        // SAFETY: variables of the caller's.
        .with(|call| unsafe {
            call.array(Parameter::bstr("titles"), start.cast(), room, room, number);
        })
        .invoke(|| callee(start, number));
    count
}

/// Frees and replaces each.
fn refresh(audit: &Session, titles: &mut [Raw]) {
    let len = titles.len();
    with_array(audit, "IBrowser::Refresh", titles, |titles, _| {
        for at in 0..len {
            let title = titles.wrapping_add(at);
            free(load(title));
            store(title, string("new"));
        }
        OK
    });
}

/// Takes the last one.
fn take(audit: &Session, titles: &mut [Raw]) -> Raw {
    let mut taken = std::ptr::null_mut();
    with_array(audit, "IBrowser::Take", titles, |titles, count| {
        let last = load(count) - 1;
        let place = titles.wrapping_add(last as usize);
        taken = load(place);
        store(place, std::ptr::null_mut());
        store(count, last);
        OK
    });
    taken
}

fn get(audit: &Session, text: Raw) -> Raw {
    let got = audit
        .call("IBrowser::get_Title")
        .out_bstr("title")
        .invoke(|title| store(title, text));
    got.into_raw().cast_mut()
}

fn put(audit: &Session, title: Raw) {
    // SAFETY: a live string.
    let call = unsafe {
        audit
            .call("IBrowser::put_Title")
            .in_raw(Parameter::bstr("title"), title)
    };
    call.invoke(|_| ());
}

fn close(audit: &Session, own: Raw) {
    audit.call("IBrowser::Close").invoke(|| free(own));
}

/// An element is the callee's to free and to replace, wherever it comes from.
#[test]
fn kept_by_replacing_what_crossed_before() {
    assert_kept(&judged(|audit| {
        let mut titles = [get(audit, string("a")), string("b")];
        put(audit, load(&raw mut titles[1]));
        refresh(audit, &mut titles);
        // As often as anybody likes.
        refresh(audit, &mut titles);
        titles.into_iter().for_each(free);

        let mut titles: [Raw; 2] = [std::ptr::null_mut(); 2];
        let mut count = 0_u32;
        let (start, number) = (titles.as_mut_ptr(), &raw mut count);
        audit
            .call("IBrowser::Next")
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.array(Parameter::bstr("titles"), start.cast(), 2, 0, number);
            })
            .invoke(|| {
                store(start, string("a"));
                store(start.wrapping_add(1), string("b"));
                store(number, 2);
            });
        refresh(audit, &mut titles);
        titles.into_iter().for_each(free);
    }));
}

/// What it handed out, and what it was lent, is not its own unless it is in the array.
#[test]
fn broken_by_freeing_what_is_not_in_the_array() {
    let report = judged(|audit| {
        let (got, lent) = (get(audit, string("a")), string("b"));
        put(audit, lent);
        let mut titles = [string("c")];
        with_array(audit, "IBrowser::Refresh", &mut titles, |_, _| {
            free(got);
            free(lent);
            OK
        });
        [got, lent, titles[0]].into_iter().for_each(free);
    });
    assert_told(
        &report,
        "\
error[out-freed-by-callee]: the callee freed a BSTR that it had handed out in an earlier call
  call IBrowser::get_Title, parameter title
  block 1: BSTR, 2 bytes, \"a\"
  rule: R11
  help: what was handed out is the caller's to free

error[in-retained-by-callee]: the callee freed a BSTR that it was lent as [in] in an earlier call
  call IBrowser::put_Title, parameter title
  block 2: BSTR, 2 bytes, \"b\"
  rule: R1, R12
  help: to keep an incoming string, store a copy",
    );
}

/// What left the array is the callee's: to free it, or to hand it out.
#[test]
fn kept_by_what_the_callee_takes() {
    assert_kept(&judged(|audit| {
        let mut titles = [get(audit, string("a")), string("b")];
        let taken = take(audit, &mut titles);
        close(audit, taken);
        let taken = take(audit, &mut titles[..1]);
        let again = get(audit, taken);
        let taken = take(audit, &mut [again]);
        close(audit, taken);
    }));
}

#[test]
fn broken_by_freeing_what_stayed() {
    let report = judged(|audit| {
        let mut titles = [get(audit, string("a"))];
        with_array(audit, "IBrowser::Sort", &mut titles, |_, _| OK);
        close(audit, titles[0]);
        titles.into_iter().for_each(free);
    });
    assert_told(
        &report,
        "\
error[out-freed-by-callee]: the callee freed a BSTR that it had handed out in an earlier call
  call IBrowser::get_Title, parameter title
  block 1: BSTR, 2 bytes, \"a\"
  rule: R11
  help: what was handed out is the caller's to free",
    );
}

/// R34: taken, and never freed.
#[test]
fn broken_by_what_the_callee_takes() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| lost = take(audit, &mut [get(audit, string("a"))]));
    assert_told(
        &report,
        "\
error[element-leaked]: a BSTR was left behind by the array, and never freed
  call IBrowser::Take, parameter titles
  block 1: BSTR, 2 bytes, \"a\"
  rule: R34
  help: free each element before the array, and those that a smaller count leaves behind",
    );
    free(lost);
}

/// Hands out the last element, with what there is in the array when the call begins and when it has returned.
fn pop(audit: &Session, titles: &mut [Raw], left: u32) -> Raw {
    let mut last: Raw = std::ptr::null_mut();
    let room = u32::try_from(titles.len()).expect("they are few");
    let mut count = room;
    let (start, number, slot) = (titles.as_mut_ptr(), &raw mut count, &raw mut last);
    audit
        .call("IBrowser::Pop")
        // SAFETY: variables of the caller's.
        .with(|call| unsafe {
            call.array(Parameter::bstr("titles"), start.cast(), room, room, number);
        })
        // SAFETY: as above.
        .with(|call| unsafe { call.output(Parameter::bstr("last"), slot.cast()) })
        .invoke(|| {
            store(slot, load(start.wrapping_add(room as usize - 1)));
            store(number, left);
        });
    last
}

#[test]
fn kept_by_handing_out_an_element() {
    assert_kept(&judged(|audit| {
        let mut titles = [string("a"), get(audit, string("b"))];
        let last = pop(audit, &mut titles, 1);
        assert_eq!(last, titles[1]);
        titles.into_iter().for_each(free);
    }));
}

#[test]
fn broken_by_handing_out_an_element_that_stays() {
    let report = judged(|audit| {
        let mut titles = [string("a"), string("b")];
        pop(audit, &mut titles, 2);
        titles.into_iter().for_each(free);
    });
    assert_told(
        &report,
        "\
error[out-not-a-copy]: a BSTR was handed out that the [in,out] variable still has
  call IBrowser::Pop, parameter last
  block 2: BSTR, 2 bytes, \"b\"
  rule: R13
  help: hand out a copy of a stored string; or detach it, and keep no pointer to it",
    );
}

/// An element goes to another array, and a variable's value to the first.
#[test]
fn kept_by_elements_that_change_places() {
    assert_kept(&judged(|audit| {
        let (mut left, mut right) = ([get(audit, string("a"))], [string("b")]);
        let (mut text, count) = (string("c"), 1_u32);
        let (of_left, of_right) = (left.as_mut_ptr(), right.as_mut_ptr());
        let (slot, number) = (&raw mut text, &raw const count);
        audit
            .call("IBrowser::Rotate")
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.array(Parameter::bstr("left"), of_left.cast(), 1, 1, number);
            })
            // SAFETY: as above.
            .with(|call| unsafe {
                call.array(Parameter::bstr("right"), of_right.cast(), 1, 1, number);
            })
            // SAFETY: as above.
            .with(|call| unsafe { call.in_out(Parameter::bstr("text"), slot.cast()) })
            .invoke(|| {
                let first = load(of_left);
                store(of_left, load(of_right));
                store(of_right, load(slot));
                store(slot, first);
            });
        [left[0], right[0], text].into_iter().for_each(free);
    }));
}

/// R37, within an array: whatever the callee does with the block.
#[test]
fn broken_by_a_block_that_is_in_it_twice() {
    let report = judged(|audit| {
        let mut titles = [string("a"); 2];
        refresh(audit, &mut titles);
        titles.into_iter().for_each(free);
    });
    assert_told(
        &report,
        "\
error[aliased-parameters]: a BSTR is passed twice, once as [in,out]
  call IBrowser::Refresh, parameter titles[1]
  block 1: BSTR, 2 bytes, \"a\"
  rule: R37
  help: pass each block once; where a method needs a value twice, pass a copy",
    );
}

/// R37, among parameters, in whatever order.
#[test]
fn broken_by_an_element_that_is_another_parameter() {
    let story = |parameter: &str| {
        format!(
            "\
error[aliased-parameters]: a BSTR is passed twice, once as [in,out]
  call IBrowser::Add, parameter {parameter}
  block 1: BSTR, 2 bytes, \"a\"
  rule: R37
  help: pass each block once; where a method needs a value twice, pass a copy"
        )
    };
    for (is_array_first, is_in_out, told) in [
        (true, true, "text"),
        (true, false, "text"),
        (false, true, "titles[0]"),
        (false, false, "titles[0]"),
    ] {
        let report = judged(|audit| {
            let (mut text, count) = (string("a"), 1_u32);
            let mut titles = [text];
            let (start, slot) = (titles.as_mut_ptr(), &raw mut text);
            let number = &raw const count;
            audit
                .call("IBrowser::Add")
                .with(|call| {
                    let array = |call: &mut Crossing| {
                        let titles = Parameter::bstr("titles");
                        // SAFETY: variables of this frame's.
                        unsafe { call.array(titles, start.cast(), 1, 1, number) };
                    };
                    if is_array_first {
                        array(call);
                    }
                    let text = Parameter::bstr("text");
                    if is_in_out {
                        // SAFETY: as above.
                        unsafe { call.in_out(text, slot.cast()) };
                    } else {
                        // SAFETY: a live string.
                        unsafe { call.input(text, load(slot).cast()) };
                    }
                    if !is_array_first {
                        array(call);
                    }
                })
                .invoke(|| {
                    free(load(start));
                    store(start, string("new"));
                    if is_in_out {
                        store(slot, std::ptr::null_mut());
                    }
                });
            free(titles[0]);
        });
        assert_told(&report, &story(told));
    }
}

/// R17: on failure each element is as it was, or NULL with the block freed. That they changed places is no matter.
#[test]
fn kept_by_a_failure_that_frees_or_sorts() {
    let (report, _) = filled(|titles, _| {
        free(load(titles));
        store(titles, std::ptr::null_mut());
        FAIL
    });
    assert_kept(&report);
    let (report, _) = filled(|titles, count| {
        let first = load(titles);
        store(titles, load(titles.wrapping_add(1)));
        store(titles.wrapping_add(1), first);
        // Whatever a failure does to the count.
        store(count, 0);
        FAIL
    });
    assert_kept(&report);
}

#[track_caller]
fn assert_changed(report: &Report, what: &str, block: &str) {
    let story = format!(
        "\
error[inout-changed-on-failure]: the call failed, and {what}
  call IBrowser::Fill, parameter titles[0]
  {block}
  rule: R17
  help: on failure leave an [in,out] value as it was, or free it and store NULL"
    );
    assert_told(report, &story);
}

#[test]
fn broken_by_a_failure_that_loses_an_element() {
    let mut lost = std::ptr::null_mut();
    let block = "block 1: BSTR, 2 bytes, \"a\"";
    let (report, _) = filled(|titles, _| {
        lost = load(titles);
        store(titles, std::ptr::null_mut());
        FAIL
    });
    assert_changed(&report, "NULL stands in place of a BSTR", block);
    free(lost);
    let (report, _) = filled(|titles, count| {
        lost = load(titles);
        store(titles, load(titles.wrapping_add(1)));
        store(titles.wrapping_add(1), std::ptr::null_mut());
        store(count, 1);
        FAIL
    });
    assert_changed(&report, "another value stands in place of a BSTR", block);
    free(lost);
}

#[test]
fn broken_by_a_failure_that_replaces_an_element() {
    let (report, _) = filled(|titles, _| {
        free(load(titles));
        store(titles, string("new"));
        FAIL
    });
    let what = "a BSTR stands in place of the old value";
    assert_changed(&report, what, "block 3: BSTR, 6 bytes, \"new\"");
}

#[test]
fn broken_by_a_failure_that_writes_to_an_element() {
    let (report, _) = filled(|titles, _| {
        store(load(titles), u16::from(b'A'));
        FAIL
    });
    let what = "a BSTR was written to";
    assert_changed(&report, what, "block 1: BSTR, 2 bytes, \"a\"");
}

/// What a failure leaves there has to be a block as well.
#[test]
fn broken_by_a_failure_that_stores_no_block() {
    let mut lost = std::ptr::null_mut();
    let (report, _) = filled(|titles, _| {
        free(load(titles));
        lost = task(4);
        store(titles, lost.cast());
        FAIL
    });
    report.assert_kinds([Kind::ElementInvalid]);
    free_task(lost);
}

/// What was told when the call began is not told again.
#[test]
fn broken_at_entry_and_left() {
    let report = judged(|audit| {
        let stale = string("a");
        free(stale);
        with_array(audit, "IBrowser::Sort", &mut [stale], |_, _| OK);
    });
    assert_told(
        &report,
        "\
error[element-invalid]: an element is a BSTR that was freed
  call IBrowser::Sort, parameter titles[0]
  block 1: BSTR, 2 bytes, \"a\"
  rule: R32
  help: fill every element up to the count with NULL or a block of the declared family",
    );
}

/// R13: an element is copied to another's place, which has to be a copy of the string.
#[test]
fn broken_by_an_element_that_is_there_twice() {
    let report = judged(|audit| {
        let mut titles = [string("a"), string("b")];
        with_array(audit, "IBrowser::Level", &mut titles, |titles, _| {
            free(load(titles.wrapping_add(1)));
            store(titles.wrapping_add(1), load(titles));
            OK
        });
        titles.into_iter().for_each(free);
    });
    assert_told(
        &report,
        "\
error[out-not-a-copy]: a BSTR was handed out that the array has already
  call IBrowser::Level, parameter titles[1]
  block 1: BSTR, 2 bytes, \"a\"
  rule: R13
  help: hand out a copy of a stored string; or detach it, and keep no pointer to it",
    );
}

/// What the variable held when the call began is not the callee's array, whatever the count says.
#[test]
fn broken_by_an_array_that_is_never_set() {
    let report = judged(|audit| {
        let own = string("a");
        let mut titles = handed_out(&[own], 1);
        let mut count = 1_u32;
        let (slot, number) = (&raw mut titles, &raw mut count);
        audit
            .call("IBrowser::ListTitles")
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.output_array(Parameter::bstr("titles"), slot.cast(), number);
            })
            .invoke(|| ());
        // The elements are still the caller's, and go after their array.
        let own = load(load(slot));
        free_task(load(slot).cast());
        free(own);
    });
    assert_told(
        &report,
        "\
error[out-not-set]: the call returned, and an [out] variable was never written
  call IBrowser::ListTitles, parameter titles
  rule: R15
  help: store NULL in every [out] variable when the method begins, whatever it returns later",
    );
}

/// What stayed in the array, and is lost afterwards, was not left behind by the call.
#[test]
fn broken_by_the_caller_who_forgets_what_stayed() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        lost = string("a");
        let (mut titles, mut count) = ([lost], 1_u32);
        let (start, number) = (titles.as_mut_ptr(), &raw mut count);
        audit
            .call("IBrowser::Sort")
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.array(Parameter::bstr("titles"), start.cast(), 1, 1, number);
            })
            .invoke(|| ());
    });
    report.assert_kinds([Kind::Leak]);
    free(lost);
}

/// What stands in the array when it is passed as [out] means nothing, and neither does it if the call fails.
#[test]
fn kept_by_a_failure_over_what_was_left_there() {
    assert_kept(&judged(|audit| {
        let gone = string("gone");
        free(gone);
        let others = string("another's");
        let (mut titles, mut count) = ([gone, others], 2_u32);
        let (start, number) = (titles.as_mut_ptr(), &raw mut count);
        let result = audit
            .call("IBrowser::Fill")
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.array(Parameter::bstr("titles"), start.cast(), 2, 0, number);
            })
            .invoke(|| FAIL);
        assert_eq!(result, Err(FAIL));
        free(others);
    }));
}

/// A method that fails with data on purpose.
#[test]
fn kept_by_a_failure_with_an_element_by_a_waiver() {
    assert_kept(&judged(|audit| {
        let (mut titles, mut count) = ([std::ptr::null_mut::<u16>(); 1], 0_u32);
        let (start, number) = (titles.as_mut_ptr(), &raw mut count);
        let result = audit
            .call("IBrowser::Fill")
            .may_fail_with_outs()
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.array(Parameter::bstr("titles"), start.cast(), 1, 0, number);
            })
            .invoke(|| {
                store(start, string("a"));
                store(number, 1);
                FAIL
            });
        assert_eq!(result, Err(FAIL));
        free(load(start));
    }));
}

/// A block from before the session that is handed out by a call that fails: nobody knows what is in it, so it is not looked into.
#[test]
fn broken_by_handing_out_what_nobody_knows_and_failing() {
    let array = olemem::heap::alloc(size_of::<Raw>(), olemem::heap::Family::Task).cast::<Raw>();
    let report = judged(|audit| {
        drop(olemem::Bstr::from("something"));
        let (mut titles, mut count) = (std::ptr::null_mut::<Raw>(), 0_u32);
        let (slot, number) = (&raw mut titles, &raw mut count);
        let result = audit
            .call("IBrowser::ListTitles")
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.output_array(Parameter::bstr("titles"), slot.cast(), number);
            })
            .invoke(|| {
                store(slot, array);
                store(number, 1);
                FAIL
            });
        assert_eq!(result, Err(FAIL));
    });
    report.assert_kinds([Kind::OutSetOnFailure]);
    free_task(array.cast());
}

/// R32: what is in the array when it is passed; one mistake with what becomes of it.
#[test]
fn broken_at_entry() {
    let report = judged(|audit| {
        let gone = string("gone");
        free(gone);
        let (mut titles, mut count) = ([string("a"), gone], 2_u32);
        let (start, number) = (titles.as_mut_ptr(), &raw mut count);
        audit
            .call("IBrowser::Sort")
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.array(Parameter::bstr("titles"), start.cast(), 2, 2, number);
            })
            .invoke(|| {
                free(load(start.wrapping_add(1)));
                store(number, 1);
            });
        free(load(start));
    });
    assert_told(
        &report,
        "\
error[element-invalid]: an element is a BSTR that was freed
  call IBrowser::Sort, parameter titles[1]
  block 1: BSTR, 8 bytes, \"gone\"
  rule: R32
  help: fill every element up to the count with NULL or a block of the declared family",
    );
}

/// What the count says after a failure means nothing.
#[test]
fn kept_by_a_failure_with_any_count() {
    let (report, _) = filled(|_, count| {
        store(count, 7);
        FAIL
    });
    assert_kept(&report);
}

/// R14: that nobody frees what was left in the array is no second mistake.
#[test]
fn broken_by_a_failure_that_leaves_an_element_to_nobody() {
    let mut lost = std::ptr::null_mut();
    let report = judged(|audit| {
        let (mut titles, mut count) = ([std::ptr::null_mut::<u16>(); 1], 0_u32);
        let (start, number) = (titles.as_mut_ptr(), &raw mut count);
        let result = audit
            .call("IBrowser::Fill")
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.array(Parameter::bstr("titles"), start.cast(), 1, 0, number);
            })
            .invoke(|| {
                lost = string("a");
                store(start, lost);
                store(number, 1);
                FAIL
            });
        assert_eq!(result, Err(FAIL));
    });
    report.assert_kinds([Kind::OutSetOnFailure]);
    free(lost);
}

/// A method that fills an array of the caller's with room for two, wherever that is.
fn fills(audit: &Session, start: *mut Raw, callee: impl FnOnce(*mut Raw, *mut u32)) {
    let mut count = 2_u32;
    let number = &raw mut count;
    audit
        .call("IBrowser::Fill")
        // SAFETY: the array and the variable are the test's; both elements are initialised.
        .with(|call| unsafe {
            call.array(Parameter::bstr("titles"), start.cast(), 2, 2, number);
        })
        .invoke(|| callee(start, number));
}

/// An array in a block, so many elements from its start; in all there is room for three.
fn allocated(at: usize) -> (*mut Raw, *mut Raw) {
    let block = task(3 * size_of::<Raw>()).cast::<Raw>();
    let start = block.wrapping_add(at);
    store(start, string("a"));
    store(start.wrapping_add(1), std::ptr::null_mut());
    (block, start)
}

#[test]
fn kept_by_an_array_in_task_memory() {
    for at in [0, 1] {
        assert_kept(&judged(|audit| {
            let (block, start) = allocated(at);
            for _ in 0..2 {
                fills(audit, start, |titles, _| {
                    free(load(titles));
                    store(titles, string("b"));
                });
            }
            free(load(start));
            free_task(block.cast());
        }));
    }
}

/// R1: the caller's array is the caller's to free. It stays, so what is in it is looked at as ever.
#[test]
fn broken_by_freeing_the_callers_array() {
    assert_told(
        &judged(|audit| {
            let (block, start) = allocated(0);
            fills(audit, start, |titles, _| free_task(titles.cast()));
            free(load(start));
            free_task(block.cast());
        }),
        &format!(
            "\
error[in-freed-by-callee]: the callee freed task memory that it was lent as [in]
  call IBrowser::Fill, parameter titles
  block 1: task memory, {} bytes
  rule: R1
  help: leave what is [in] to the caller; to keep or change a string, make a copy of one's own",
            3 * size_of::<Raw>()
        ),
    );
}

/// A later call has no more right to it.
#[test]
fn broken_by_freeing_the_callers_array_later() {
    let report = judged(|audit| {
        let (block, start) = allocated(0);
        fills(audit, start, |_, _| ());
        audit
            .call("IBrowser::Close")
            .invoke(|| free_task(block.cast()));
        free(load(start));
        free_task(block.cast());
    });
    report.assert_kinds([Kind::InRetainedByCallee]);
}

/// Of an array within a block nothing is read when that is gone: whoever frees what.
#[test]
fn kept_by_an_array_whose_block_is_gone() {
    for guard in [Guard::Bytes, Guard::Page] {
        let options = Session::options().guard(guard);
        let audit = options.backtrace(Backtrace::Off).begin();
        let (block, start) = allocated(1);
        fills(&audit, start, |titles, _| {
            free(load(titles));
            free_task(block.cast());
        });
        assert_kept(&audit.finish());
    }
}

/// The callee of another parameter may free it: it is declared as \[in,out\].
#[test]
fn kept_by_a_callee_that_may_replace_the_array() {
    assert_kept(&judged(|audit| {
        let (mut block, start) = allocated(0);
        let (slot, mut count) = (&raw mut block, 1_u32);
        let number = &raw mut count;
        audit
            .call("IBrowser::Grow")
            // SAFETY: a variable of this frame's.
            .with(|call| unsafe { call.in_out(Parameter::block("titles"), slot.cast()) })
            // SAFETY: an array that is there, whose first element is initialised.
            .with(|call| unsafe {
                call.array(Parameter::bstr("*titles"), start.cast(), 3, 1, number);
            })
            .invoke(|| {
                let grown = task(4 * size_of::<Raw>()).cast::<Raw>();
                store(grown, load(start));
                free_task(start.cast());
                store(slot, grown);
            });
        free(load(load(slot)));
        free_task(load(slot).cast());
    }));
}

/// What was freed before the call is not read either.
#[test]
fn broken_by_an_array_that_was_freed() {
    assert_told(
        &judged(|audit| {
            let (block, start) = allocated(0);
            free(load(start));
            free_task(block.cast());
            fills(audit, start, |_, _| ());
        }),
        &format!(
            "\
error[element-invalid]: the array is task memory that was freed
  call IBrowser::Fill, parameter titles
  block 1: task memory, {} bytes
  rule: R32
  help: fill every element up to the count with NULL or a block of the declared family",
            3 * size_of::<Raw>()
        ),
    );
}

/// Elements that stay the callee's: a constant and a string of its own, which it shows twice.
#[test]
fn kept_by_elements_that_stay_the_callees() {
    static NAME: [u16; 2] = [0x61, 0];
    assert_kept(&judged(|audit| {
        let own = string("own");
        let shown = [NAME.as_ptr().cast_mut(), own];
        for _ in 0..2 {
            for result in [OK, FAIL] {
                let (mut titles, mut count) = ([std::ptr::null_mut::<u16>(); 2], 0_u32);
                let (start, number) = (titles.as_mut_ptr(), &raw mut count);
                let _result = audit
                    .call("IBrowser::Next")
                    // SAFETY: variables of this frame's.
                    .with(|call| unsafe {
                        let titles = Parameter::bstr("titles").stays_callees();
                        call.array(titles, start.cast(), 2, 0, number);
                    })
                    .invoke(|| {
                        store(start.cast(), shown);
                        store(number, 2);
                        result
                    });
                assert_eq!((titles, count), (shown, 2), "untouched");
            }
        }
        // Nothing of it became the caller's.
        audit.call("IBrowser::Close").invoke(|| free(own));
    }));
}

/// Of an array that the callee allocates only the block is handed out.
#[test]
fn kept_by_an_array_of_what_stays_the_callees() {
    assert_kept(&judged(|audit| {
        let own = string("own");
        let (mut titles, mut count) = (std::ptr::null_mut::<Raw>(), 0_u32);
        let (slot, number) = (&raw mut titles, &raw mut count);
        audit
            .call("IBrowser::ListTitles")
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                let titles = Parameter::bstr("titles").stays_callees();
                call.output_array(titles, slot.cast(), number);
            })
            .invoke(|| {
                store(slot, handed_out(&[own, std::ptr::dangling_mut()], 2));
                store(number, 2);
            });
        free_task(load(slot).cast());
        audit.call("IBrowser::Close").invoke(|| free(own));
    }));
}

/// What enters may be anything as well, and the callee may move it on: an array, and a variable.
#[test]
fn kept_by_what_enters_and_stays_the_callees() {
    static TEXT: [u16; 3] = [0x61, 0x62, 0];
    let start = TEXT.as_ptr().cast_mut();
    for result in [OK, FAIL] {
        assert_kept(&judged(|audit| {
            free(string("something"));
            let mut places = [start; 3];
            let (array, mut count) = (places.as_mut_ptr(), 2_u32);
            let (last, number) = (array.wrapping_add(2), &raw mut count);
            let _result = audit
                .call("IBrowser::Advance")
                // SAFETY: variables of this frame's; two elements are initialised.
                .with(|call| unsafe {
                    let places = Parameter::bstr("places").stays_callees();
                    call.array(places, array.cast(), 2, 2, number);
                })
                // SAFETY: a variable of this frame's.
                .with(|call| unsafe {
                    let place = Parameter::bstr("place").stays_callees();
                    call.in_out(place, last.cast());
                })
                .invoke(|| {
                    for at in 0..3 {
                        let place = array.wrapping_add(at);
                        store(place, load(place).wrapping_add(1));
                    }
                    result
                });
            assert_eq!(places, [start.wrapping_add(1); 3], "untouched");
        }));
    }
}

/// R53: that a count beyond the array's room is wrong holds of any elements.
#[test]
fn broken_by_a_count_of_what_stays_the_callees() {
    assert_told(
        &judged(|audit| {
            let (mut titles, mut count) = ([std::ptr::null_mut::<u16>(); 1], 0_u32);
            let (start, number) = (titles.as_mut_ptr(), &raw mut count);
            audit
                .call("IBrowser::Next")
                // SAFETY: variables of this frame's.
                .with(|call| unsafe {
                    let titles = Parameter::bstr("titles").stays_callees();
                    call.array(titles, start.cast(), 1, 0, number);
                })
                .invoke(|| store(number, 2));
        }),
        "\
error[element-invalid]: the count says more elements than the array has room for
  call IBrowser::Next, parameter titles
  rule: R32
  help: fill every element up to the count with NULL or a block of the declared family",
    );
}

/// A method that may fail with data hands out an array of what is given, and fails; the caller may free it.
fn parsed(elements: impl FnOnce() -> Vec<Raw>, caller: impl FnOnce(*mut Raw, u32)) -> Report {
    judged(|audit| {
        let (mut titles, mut count) = (std::ptr::null_mut::<Raw>(), 7_u32);
        let (slot, number) = (&raw mut titles, &raw mut count);
        let result = audit
            .call("IParser::Parse")
            .may_fail_with_outs()
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.output_array(Parameter::bstr("titles"), slot.cast(), number);
            })
            .invoke(|| {
                let elements = elements();
                let array = match u32::try_from(elements.len()) {
                    Ok(0) => std::ptr::null_mut(),
                    told => {
                        store(number, told.expect("few"));
                        handed_out(&elements, load(number))
                    }
                };
                store(slot, array);
                FAIL
            });
        assert_eq!(result, Err(FAIL));
        caller(load(slot), load(number));
    })
}

#[test]
fn kept_by_an_array_of_a_failure_by_a_waiver() {
    assert_kept(&parsed(
        || vec![string("a"), std::ptr::null_mut()],
        free_all,
    ));
    // It need not hand out any, and then the count means nothing.
    let nothing = || {
        drop(olemem::Bstr::from("something"));
        Vec::new()
    };
    assert_kept(&parsed(nothing, |array, _| assert!(array.is_null())));
}

/// As after a success: the caller is told of what it loses.
#[test]
fn broken_by_the_caller_of_a_failure_by_a_waiver() {
    let mut lost = std::ptr::null_mut();
    let report = parsed(
        || vec![string("a")],
        |array, _| {
            lost = load(array);
            free_task(array.cast());
        },
    );
    assert_told(
        &report,
        "\
error[element-leaked]: the array was freed, and a BSTR that it held was not
  call IParser::Parse, parameter titles[0]
  block 1: BSTR, 2 bytes, \"a\"
  rule: R32
  help: free each element before the array, and those that a smaller count leaves behind",
    );
    free(lost);
    let mut lost = std::ptr::null_mut();
    let report = parsed(|| vec![string("a")], |array, _| lost = array);
    report.assert_kinds([Kind::Leak; 2]);
    free_all(lost, 1);
}

/// As after a success: what the callee made and lost is a leak.
#[test]
fn broken_by_a_failure_by_a_waiver_that_loses_a_block() {
    let mut lost = std::ptr::null_mut();
    let report = parsed(
        || {
            lost = string("lost");
            vec![string("a")]
        },
        free_all,
    );
    report.assert_kinds([Kind::Leak]);
    free(lost);
}

/// As after a success: the callee answers for each element.
#[test]
fn broken_by_an_element_of_a_failure_by_a_waiver() {
    let told = |parameter: &str, block: u32| {
        format!(
            "\
error[element-invalid]: an element is task memory, of the wrong family
  call IParser::Parse, parameter {parameter}
  block {block}: task memory, 6 bytes
  rule: R32
  help: fill every element up to the count with NULL or a block of the declared family"
        )
    };
    let report = parsed(
        || vec![string("a"), task(6).cast()],
        |array, _| {
            free_task(load(array.wrapping_add(1)).cast());
            free_all(array, 1);
        },
    );
    assert_told(&report, &told("titles[1]", 2));
    let report = judged(|audit| {
        let (mut titles, mut count) = ([string("old"), std::ptr::null_mut()], 1_u32);
        let (start, number) = (titles.as_mut_ptr(), &raw mut count);
        let result = audit
            .call("IParser::Parse")
            .may_fail_with_outs()
            // SAFETY: variables of this frame's; one element is initialised.
            .with(|call| unsafe {
                call.array(Parameter::bstr("titles"), start.cast(), 2, 1, number);
            })
            .invoke(|| {
                store(start.wrapping_add(1), task(6).cast());
                store(number, 2);
                FAIL
            });
        assert_eq!(result, Err(FAIL));
        free(load(start));
        free_task(load(start.wrapping_add(1)).cast());
    });
    assert_told(&report, &told("titles[1]", 2));
}

/// R17 holds of what entered all the same.
#[test]
fn broken_by_replacing_an_element_and_failing_with_a_waiver() {
    let report = judged(|audit| {
        let (mut titles, mut count) = ([string("old")], 1_u32);
        let (start, number) = (titles.as_mut_ptr(), &raw mut count);
        let result = audit
            .call("IParser::Parse")
            .may_fail_with_outs()
            // SAFETY: variables of this frame's.
            .with(|call| unsafe {
                call.array(Parameter::bstr("titles"), start.cast(), 1, 1, number);
            })
            .invoke(|| {
                free(load(start));
                store(start, string("new"));
                FAIL
            });
        assert_eq!(result, Err(FAIL));
        free(load(start));
    });
    report.assert_kinds([Kind::InoutChangedOnFailure]);
}

/// What the callee hands out it has no more, and cannot hand out once more.
#[test]
fn broken_by_an_element_of_failures_that_is_handed_out_twice() {
    let report = judged(|audit| {
        let own = string("own");
        for _ in 0..2 {
            let (mut titles, mut count) = ([std::ptr::null_mut::<u16>(); 1], 0_u32);
            let (start, number) = (titles.as_mut_ptr(), &raw mut count);
            let result = audit
                .call("IParser::Parse")
                .may_fail_with_outs()
                // SAFETY: variables of this frame's.
                .with(|call| unsafe {
                    call.array(Parameter::bstr("titles"), start.cast(), 1, 0, number);
                })
                .invoke(|| {
                    store(start, own);
                    store(number, 1);
                    FAIL
                });
            assert_eq!(result, Err(FAIL));
        }
        free(own);
    });
    assert_told(
        &report,
        "\
error[out-not-a-copy]: a BSTR was handed out that was handed out before and has an owner
  call IParser::Parse, parameter titles[0]
  block 1: BSTR, 6 bytes, \"own\"
  rule: R13
  help: hand out a copy of a stored string; or detach it, and keep no pointer to it",
    );
}

/// The addresses of two objects.
static OBJECTS: [u8; 2] = [0; 2];

/// An object takes from an enumerator, which fills an array of two, and does with it what is given.
fn collected(
    audit: &Session,
    enumerator: impl FnOnce(*mut Pointer),
    collector: impl FnOnce(*mut Pointer),
) {
    audit
        .call("IApp::Collect")
        .on(&raw const OBJECTS[0])
        .invoke(|| {
            let (mut items, mut count) = ([std::ptr::null_mut::<c_void>(); 2], 0_u32);
            let (start, number) = (items.as_mut_ptr(), &raw mut count);
            audit
                .call("IEnumUnknown::Next")
                .on(&raw const OBJECTS[1])
                // SAFETY: variables of this frame's.
                .with(|call| unsafe {
                    call.array(Parameter::interface("items"), start, 2, 0, number);
                })
                .invoke(|| {
                    enumerator(start.cast());
                    store(number, 2);
                });
            collector(start.cast());
        });
}

/// What stands in an array is the caller's, be it an object or the program, as what a variable holds is.
#[test]
fn kept_by_an_object_that_takes_interfaces() {
    assert_kept(&judged(|audit| {
        let item = CountingObject::unknown();
        let fill = |items: *mut Pointer| {
            store(items, add_ref(lent(&item)));
            store(items.wrapping_add(1), add_ref(lent(&item)));
        };
        collected(audit, fill, |items| {
            release(load(items));
            release(load(items.wrapping_add(1)));
        });
        // It may keep one, and release it one day.
        let mut kept = std::ptr::null_mut();
        collected(audit, fill, |items| {
            kept = load(items);
            release(load(items.wrapping_add(1)));
        });
        audit
            .call("IApp::Drop")
            .on(&raw const OBJECTS[0])
            .invoke(|| release(kept));
    }));
}

#[test]
fn kept_by_an_object_that_takes_an_array_of_interfaces() {
    for result in [OK, FAIL] {
        assert_kept(&judged(|audit| {
            let item = CountingObject::unknown();
            audit.call("IApp::Collect").invoke(|| {
                let (mut array, mut count) = (std::ptr::null_mut::<c_void>(), 0_u32);
                let (slot, number) = (&raw mut array, &raw mut count);
                let _result = audit
                    .call("IItems::All")
                    .may_fail_with_outs()
                    // SAFETY: variables of this frame's.
                    .with(|call| unsafe {
                        call.output_array(Parameter::interface("items"), slot, number);
                    })
                    .invoke(|| {
                        let all = task(size_of::<Pointer>()).cast::<Pointer>();
                        store(all, add_ref(lent(&item)));
                        store(slot, all.cast());
                        store(number, 1);
                        result
                    });
                release(load(load(slot).cast::<Pointer>()));
                free_task(load(slot).cast());
            });
        }));
    }
}

/// A list of three items of an object's, which it has another object change.
fn changed(callee: impl Fn(*mut Pointer, *mut u32) -> HResult) -> Report {
    judged(|audit| {
        let items = [(); 3].map(|()| CountingObject::unknown());
        audit.call("IApp::Filter").invoke(|| {
            let mut held = items.each_ref().map(|item| add_ref(lent(item)));
            let (start, mut count) = (held.as_mut_ptr(), 3_u32);
            let number = &raw mut count;
            let _result = audit
                .call("IFilter::Filter")
                // SAFETY: variables of this frame's, all of which are initialised.
                .with(|call| unsafe {
                    let items = Parameter::interface("items");
                    call.array(items, start.cast(), 3, 3, number);
                })
                .invoke(|| callee(start, number));
            for at in 0..load(number) as usize {
                release(load(start.wrapping_add(at)));
            }
        });
    })
}

/// What enters is the callee's to release, to replace and to move, as an \[in,out\] value is.
#[test]
fn kept_by_an_array_of_interfaces_that_changes() {
    let swap = |items: *mut Pointer| {
        let first = load(items);
        store(items, load(items.wrapping_add(1)));
        store(items.wrapping_add(1), first);
    };
    for result in [OK, FAIL] {
        assert_kept(&changed(|_, _| result));
        assert_kept(&changed(|items, _| {
            swap(items);
            result
        }));
    }
    assert_kept(&changed(|items, count| {
        release(load(items));
        store(items, load(items.wrapping_add(2)));
        store(count, 2);
        OK
    }));
    assert_kept(&changed(|items, _| {
        release(load(items));
        store(items, add_ref(load(items.wrapping_add(1))));
        OK
    }));
    // It may keep what it took, until a later call or the end.
    let kept = std::cell::Cell::new(std::ptr::null_mut());
    let report = changed(|items, count| {
        kept.set(load(items.wrapping_add(2)));
        store(count, 2);
        OK
    });
    report.assert_kinds([Kind::InterfaceLeaked]);
    let call = report.violations()[0].call.as_ref().expect("a call");
    assert_eq!(call.parameter.as_deref(), Some("items[2]"));
}

/// R45: a pointer in an array comes with a reference, too.
#[test]
fn broken_by_an_element_without_a_reference() {
    let report = judged(|audit| {
        let item = CountingObject::unknown();
        let fill = |items: *mut Pointer| {
            store(items, add_ref(lent(&item)));
            store(items.wrapping_add(1), lent(&item));
        };
        collected(audit, fill, |items| {
            release(load(items));
            release(load(items.wrapping_add(1)));
        });
    });
    assert_told(
        &report,
        "\
error[interface-not-addrefed]: an interface pointer was handed out without a reference for the caller
  call IEnumUnknown::Next, parameter items[1]
  rule: R45, R47
  help: call AddRef on a pointer before it is handed out",
    );
}

/// R43: whoever was handed it releases it.
#[test]
fn broken_by_an_object_that_forgets_an_element() {
    let report = judged(|audit| {
        let item = CountingObject::unknown();
        let fill = |items: *mut Pointer| {
            store(items, add_ref(lent(&item)));
            store(items.wrapping_add(1), std::ptr::null_mut());
        };
        collected(audit, fill, |_| ());
    });
    assert_told(
        &report,
        "\
error[interface-leaked]: an object still has 1 reference, which was handed out to the caller
  call IEnumUnknown::Next, parameter items[0]
  rule: R45
  help: release what came as [out] when it is used no more",
    );
}

/// R44: what came by an array may be released once.
#[test]
fn broken_by_an_object_that_releases_an_element_twice() {
    let report = judged(|audit| {
        let item = CountingObject::unknown();
        let fill = |items: *mut Pointer| {
            store(items, add_ref(lent(&item)));
            store(items.wrapping_add(1), std::ptr::null_mut());
        };
        collected(audit, fill, |items| {
            release(load(items));
            release(load(items));
        });
    });
    assert_told(
        &report,
        "\
error[interface-over-released]: the callee released an interface pointer without a reference of its own
  call IApp::Collect
  rule: R44
  help: release in the callee only what it added: an [in] pointer is the caller's",
    );
}
