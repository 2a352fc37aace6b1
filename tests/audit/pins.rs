//! R28: each pin is taken back once, and only a live BSTR is pinned.

use crate::support::{assert_kept, assert_told, free, string, watched};
use olemem::audit::Kind;
use olemem::raw;

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
  block 1: BSTR, 8 bytes
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
