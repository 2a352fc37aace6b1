//! R2: what is [in] is read only.

use crate::support::{assert_kept, assert_told, judged, load, store};
use olemem::Bstr;
use olemem::audit::{Kind, Severity};

const STORY: &str = "\
warning[in-modified-by-callee]: the callee wrote to a BSTR that it was lent as [in]
  call IBrowser::put_StatusText, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R2
  help: treat what is [in] as read-only; change a copy of one's own";

#[test]
fn kept() {
    assert_kept(&judged(|audit| {
        let text = Bstr::from("Ready");
        let units = audit
            .call("IBrowser::get_Length")
            .in_bstr("text", &text)
            .invoke(|text| u32::from(load(text)));
        assert_eq!(units, 0x52);
    }));
}

#[test]
fn broken_contents() {
    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        audit
            .call("IBrowser::put_StatusText")
            .in_bstr("text", &text)
            .invoke(|text| store(text.wrapping_add(4), 0x21));
    });
    assert_told(&report, STORY);
    // A warning alone is clean.
    report.assert_clean();
    assert_eq!(report.count(Severity::Warning), 1);
}

#[test]
fn broken_prefix() {
    assert_told(
        &judged(|audit| {
            let text = Bstr::from("Ready");
            audit
                .call("IBrowser::put_StatusText")
                .in_bstr("text", &text)
                .invoke(|text| {
                    store(
                        text.wrapping_byte_sub(4).cast::<[u8; 4]>(),
                        8_u32.to_ne_bytes(),
                    );
                    store(text.wrapping_add(4), 0);
                });
        }),
        STORY,
    );
}

/// A prefix that is shortened leaves no terminator where the string then ends: one mistake.
#[test]
fn broken_by_a_shorter_length() {
    let report = judged(|audit| {
        let text = Bstr::from("Ready");
        audit
            .call("IBrowser::put_StatusText")
            .in_bstr("text", &text)
            // SAFETY: the prefix is before the string. (It is not the callee's to write, which is the mistake.)
            .invoke(|text| unsafe { text.cast::<u32>().wrapping_sub(1).write(2) });
    });
    report.assert_kinds([Kind::InModifiedByCallee]);
}
