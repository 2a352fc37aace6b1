//! R28: each pin is taken back once, and only a live BSTR is pinned.

use crate::support::{Raw, assert_kept, assert_told, free, string, watched};
use olemem::audit::{self, Kind};
use olemem::{UnitLen, raw};

fn unpin(bstr: *mut u16) {
    // SAFETY: either a pin of the caller's own, or the audit judges the address.
    unsafe { raw::unpin(bstr) };
}

#[test]
fn kept() {
    assert_kept(&watched(|| {
        let text = string("text");
        raw::pin(text).expect("live");
        raw::pin(text).expect("live");
        free(text);
        unpin(text);
        unpin(text);

        let text = string("text");
        raw::pin(text).expect("live");
        unpin(text);
        free(text);
    }));
}

#[test]
fn broken_by_a_pin_too_few() {
    let report = watched(|| {
        let text = string("text");
        unpin(text);
        free(text);
    });
    assert_told(
        &report,
        "\
error[unbalanced-pin]: a pin was taken back that was never given
  block 1: BSTR, 8 bytes, \"text\"
  rule: R28
  help: pair each successful SysAddRefString with one SysReleaseString",
    );
}

/// One mistake, not a leak as well.
#[test]
fn broken_by_a_pin_that_was_left() {
    let mut text = std::ptr::null_mut();
    let report = watched(|| {
        text = string("text");
        raw::pin(text).expect("live");
        raw::pin(text).expect("live");
        free(text);
        unpin(text);
    });
    assert_told(
        &report,
        "\
error[unbalanced-pin]: 1 pin of a BSTR was never taken back
  block 1: BSTR, 8 bytes, \"text\"
  rule: R28
  help: pair each successful SysAddRefString with one SysReleaseString",
    );
    unpin(text);
}

#[test]
fn broken_by_a_pin_of_a_freed_string() {
    let report = watched(|| {
        let text = string("text");
        free(text);
        assert!(raw::pin(text).is_err());
    });
    assert_told(
        &report,
        "\
error[pin-of-non-bstr]: what was to be pinned is no live BSTR
  block 1: BSTR, 8 bytes, \"text\"
  rule: R28
  help: pin only a live BSTR",
    );
}

#[test]
fn broken_by_a_pin_of_something_else() {
    let units = [0_u16; 8];
    let report = watched(|| assert!(raw::pin(units.as_ptr()).is_err()));
    report.assert_kinds([Kind::PinOfNonBstr]);
}

/// What was refused is not taken back either: one mistake. A pin too many taken back is another.
#[test]
fn broken_by_a_refused_pin_that_is_taken_back() {
    let units = [0_u16; 8];
    for (unpins, kinds) in [
        (1, &[Kind::PinOfNonBstr] as &[Kind]),
        (2, &[Kind::PinOfNonBstr, Kind::UnbalancedPin]),
    ] {
        let report = watched(|| {
            let text = string("text");
            free(text);
            assert!(raw::pin(text).is_err());
            (0..unpins).for_each(|_| unpin(text));
        });
        report.assert_kinds(kinds.iter().copied());
        let report = watched(|| {
            assert!(raw::pin(units.as_ptr()).is_err());
            (0..unpins).for_each(|_| unpin(units.as_ptr().cast_mut()));
        });
        report.assert_kinds(kinds.iter().copied());
    }
    // Another one's is another mistake.
    let others = [0_u16; 8];
    watched(|| {
        assert!(raw::pin(units.as_ptr()).is_err());
        unpin(others.as_ptr().cast_mut());
    })
    .assert_kinds([Kind::PinOfNonBstr, Kind::UnbalancedPin]);
    // Neither is known any longer than its session.
    watched(|| assert!(raw::pin(units.as_ptr()).is_err())).assert_kinds([Kind::PinOfNonBstr]);
    watched(|| unpin(units.as_ptr().cast_mut())).assert_kinds([Kind::UnbalancedPin]);
}

/// A string that was never freed, and a pin that was never taken back: neither would mend the other.
#[test]
fn broken_by_a_pin_that_was_left_of_a_string_that_was_lost() {
    let mut lost = std::ptr::null_mut();
    let report = watched(|| {
        lost = string("lost");
        raw::pin(lost).expect("live");
    });
    report.assert_kinds([Kind::UnbalancedPin, Kind::Leak]);
    free(lost);
    unpin(lost);
}

/// A string that is meant to live on has its pins taken back all the same.
#[test]
fn broken_by_a_pin_that_was_left_of_a_string_that_lives_on() {
    for is_freed in [false, true] {
        let mut kept = std::ptr::null_mut();
        let report = watched(|| {
            kept = string("a global");
            assert!(audit::ignore(kept));
            raw::pin(kept).expect("live");
            if is_freed {
                free(kept);
            }
        });
        report.assert_kinds([Kind::UnbalancedPin]);
        if !is_freed {
            free(kept);
        }
        unpin(kept);
    }
}

/// A double free of a pinned string changes nothing on Windows, and is told when the pins are gone.
#[test]
fn broken_by_a_free_when_the_last_pin_is_gone() {
    let report = watched(|| {
        let text = string("text");
        raw::pin(text).expect("live");
        free(text);
        free(text);
        unpin(text);
        free(text);
    });
    report.assert_kinds([Kind::DoubleFree]);
}

/// What reallocates a BSTR as C does: by the whole string, or by so many units.
fn reallocate(bstr: &mut Raw, by_units: bool) {
    let units: Vec<u16> = "another text".encode_utf16().chain([0]).collect();
    let done = if by_units {
        // SAFETY: the variable holds a live string, and so many units are there.
        unsafe { raw::realloc_units(bstr, units.as_ptr(), UnitLen::new(12)) }
    } else {
        // SAFETY: as above, and a zero is behind them.
        unsafe { raw::realloc(bstr, units.as_ptr()) }
    };
    assert!(done);
}

#[test]
fn kept_when_a_pinned_string_is_reallocated() {
    for by_units in [false, true] {
        assert_kept(&watched(|| {
            let mut text = string("text");
            let pinned = text;
            raw::pin(pinned).expect("live");
            raw::pin(pinned).expect("live");
            reallocate(&mut text, by_units);
            reallocate(&mut text, by_units);
            unpin(pinned);
            unpin(pinned);
            free(text);
        }));
    }
}

/// The pins stay with the old string: taking them back by the variable misses them. One mistake, not one of the new
/// string and one of the old.
#[test]
fn broken_by_a_pin_that_is_looked_for_behind_a_reallocation() {
    for by_units in [false, true] {
        for pins in [1, 2] {
            let mut pinned = std::ptr::null_mut();
            let report = watched(|| {
                let mut text = string("text");
                pinned = text;
                for _ in 0..pins {
                    raw::pin(pinned).expect("live");
                }
                reallocate(&mut text, by_units);
                for _ in 0..pins {
                    unpin(text);
                }
                // What took its place may itself be replaced.
                reallocate(&mut text, by_units);
                free(text);
            });
            assert_told(
                &report,
                "\
error[unbalanced-pin]: a pin was taken back from a BSTR that took the place of the pinned one
  block 2: BSTR, 24 bytes, \"another text\"
  rule: R28
  help: pair each successful SysAddRefString with one SysReleaseString",
            );
            for _ in 0..pins {
                unpin(pinned);
            }
        }
    }
}

/// Pins that nobody took back by any pointer are another mistake, and so is one too many.
#[test]
fn broken_by_a_pin_that_is_looked_for_and_another_that_is_not() {
    for (pins, unpins) in [(2, 1), (1, 2)] {
        let mut pinned = std::ptr::null_mut();
        let report = watched(|| {
            let mut text = string("text");
            pinned = text;
            for _ in 0..pins {
                raw::pin(pinned).expect("live");
            }
            reallocate(&mut text, false);
            reallocate(&mut text, false);
            for _ in 0..unpins {
                unpin(text);
            }
            free(text);
        });
        report.assert_kinds([Kind::UnbalancedPin, Kind::UnbalancedPin]);
        for _ in 0..pins {
            unpin(pinned);
        }
    }
}
