//! R32, R34: arrays of pointers. Each element is freed, then the array; what a smaller count leaves behind is, too.

use crate::support::{
    FAIL, OK, Raw, assert_kept, assert_told, free, free_task, judged, load, store, string, task,
};
use olemem::audit::{Kind, Parameter, Report};

/// An array that the callee allocates, of these strings.
fn handed_out(texts: &[Raw], told: u32) -> *mut Raw {
    let array = task(size_of_val(texts)).cast::<Raw>();
    for (at, text) in texts.iter().enumerate() {
        store(array.wrapping_add(at), *text);
    }
    assert!(told as usize >= texts.len());
    array
}

/// A method that hands out such an array, and a caller.
fn listed(callee: impl FnOnce() -> (*mut Raw, u32), caller: impl FnOnce(*mut Raw, u32)) -> Report {
    judged(|audit| {
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
        caller(load(slot), load(number));
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
fn filled(callee: impl FnOnce(*mut Raw, *mut u32) -> olemem::HResult) -> (Report, [Raw; 3]) {
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
