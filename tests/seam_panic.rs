//! A listener that panics would leave an operation half done: it ends the process.
#![cfg(all(feature = "export", unix, not(miri)))]

#[path = "support/children.rs"]
mod children;

use std::os::unix::process::ExitStatusExt as _;

use olemem::Bstr;
use olemem::seam::{BlockEvent, BstrEvent, Listener, Seat, listen};

struct Panics;

impl Listener for Panics {
    fn block(&self, event: &BlockEvent) {
        if matches!(event, BlockEvent::Reallocated { .. }) {
            panic!("heard of a reallocation");
        }
    }

    fn bstr(&self, event: &BstrEvent) {
        if matches!(event, BstrEvent::Source { .. }) {
            panic!("heard of a source");
        }
    }
}

#[test]
fn child() {
    let Some(deed) = children::deed() else { return };
    static SEAT: Seat = Seat::new(&Panics);
    let mut text = Bstr::new();
    text.push_units(&[0x61; 10]);
    let _listening = listen(&SEAT).expect("nobody else listens");
    let _ = std::panic::catch_unwind(move || match deed.as_str() {
        "reallocate" => text.push_units(&[0x62; 1000]),
        _ => drop(Bstr::from_wide(&text)),
    });
}

#[test]
fn a_listener_that_panics_ends_the_process() {
    for deed in ["reallocate", "copy"] {
        let output = children::child("child", deed)
            .output()
            .expect("the test binary starts");
        let all = children::all_of(&output);
        assert_eq!(output.status.signal(), Some(6), "{all}");
        assert_eq!(
            children::complaints(&output),
            ["olemem: a listener at the seam panicked"],
            "{all}"
        );
    }
}
