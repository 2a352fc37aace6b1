//! R31: a buffer that the caller sizes is written within its size.

use crate::support::{assert_kept, assert_told, free_task, judged, load, store};
use olemem::Bstr;
use olemem::audit::Report;

const SIZE: usize = 8;

/// A callee that writes `count` units.
fn filled(count: usize) -> Report {
    judged(|audit| {
        drop(Bstr::from("something"));
        let mut buffer = [0x2E_u16; SIZE];
        let written = audit
            .call("IBrowser::GetTitle")
            .buffer("buffer", &mut buffer)
            .invoke(|buffer| {
                for at in 0..count {
                    store(buffer.wrapping_add(at), 0x41);
                }
                u32::try_from(count).expect("a few")
            });
        assert_eq!(written as usize, count);
        for (at, unit) in buffer.iter().enumerate() {
            assert_eq!(*unit, if at < count { 0x41 } else { 0x2E });
        }
    })
}

#[track_caller]
fn assert_beyond(report: &Report, byte: &str) {
    let story = format!(
        "\
error[buffer-overrun]: byte {byte}
  call IBrowser::GetTitle, parameter buffer
  rule: R31
  help: write no more than the size that came with the buffer"
    );
    assert_told(report, &story);
}

#[test]
fn kept() {
    for count in [0, 1, SIZE] {
        assert_kept(&filled(count));
    }
}

/// The callee sees what was in it.
#[test]
fn kept_in_both_directions() {
    assert_kept(&judged(|audit| {
        drop(Bstr::from("something"));
        let mut numbers = [1_u32, 2, 3];
        audit
            .call("IMath::Double")
            .buffer("numbers", &mut numbers)
            .invoke(|numbers| {
                for at in 0..3 {
                    let number = numbers.wrapping_add(at);
                    store(number, 2 * load(number));
                }
            });
        assert_eq!(numbers, [2, 4, 6]);
        let mut none: [u8; 0] = [];
        audit
            .call("IMath::Nothing")
            .buffer("none", &mut none)
            .invoke(|_| ());
    }));
}

/// Units are no bytes: as large a mistake as that is seen, and does no harm.
#[test]
fn broken_by_one_unit_and_by_twice_the_size() {
    for count in [SIZE + 1, 2 * SIZE] {
        // The first byte of a unit, in the machine's order.
        let [first, _] = u16::from(b'A').to_ne_bytes();
        let byte = format!("1 behind the caller's buffer was overwritten, by {first:#04x}");
        assert_beyond(&filled(count), &byte);
    }
}

#[test]
fn broken_before_the_start() {
    let report = judged(|audit| {
        drop(Bstr::from("something"));
        let mut buffer = [0_u8; 4];
        audit
            .call("IBrowser::GetTitle")
            .buffer("buffer", &mut buffer)
            .invoke(|buffer| store(buffer.wrapping_sub(3), 0));
    });
    assert_beyond(
        &report,
        "3 before the caller's buffer was overwritten, by 0x00",
    );
}

/// A callee that panics leaves what it wrote.
#[test]
fn broken_by_a_callee_that_panics() {
    let report = judged(|audit| {
        drop(Bstr::from("something"));
        let mut buffer = [0_u8; 4];
        let call = std::panic::AssertUnwindSafe(|| {
            audit
                .call("IBrowser::GetTitle")
                .buffer("buffer", &mut buffer)
                .invoke(|buffer| -> () {
                    store(buffer.cast::<[u8; 5]>(), [7; 5]);
                    std::panic::resume_unwind(Box::new("panic of the callee"));
                });
        });
        assert!(std::panic::catch_unwind(call).is_err());
        assert_eq!(buffer, [7; 4]);
    });
    assert_beyond(
        &report,
        "1 behind the caller's buffer was overwritten, by 0x07",
    );
}

/// It is not the callee's to free.
#[test]
fn broken_by_a_free() {
    let report = judged(|audit| {
        let mut buffer = [0x2E_u16; SIZE];
        audit
            .call("IBrowser::GetTitle")
            .buffer("buffer", &mut buffer)
            .invoke(|buffer| free_task(buffer.cast()));
    });
    assert_told(
        &report,
        "\
error[foreign-free]: a pointer to no block, or to one freed long before, is freed as task memory
  call IBrowser::GetTitle
  rule: R20
  help: free only what SysAllocString*, CoTaskMemAlloc or IMalloc::Alloc gave; memory from elsewhere goes back there",
    );
}
