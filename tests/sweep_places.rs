//! Sweeps that keep stacks. They are by themselves: while one is under way, other sessions of the process have stacks too.
#![cfg(all(feature = "audit", unix, not(miri)))]

use olemem::TaskBox;
use olemem::audit::Sweep;

/// With stacks, whose names this process finds.
#[test]
fn places_have_names() {
    fn asks_for_memory() -> bool {
        TaskBox::try_new(1_u8).is_ok()
    }
    for options in [Sweep::options(), Sweep::options().in_children()] {
        let sweep = options.run(|_| asks_for_memory());
        let at = &sweep.runs()[0].failures[0].at;
        let function = at[0].function.as_deref().expect("a name");
        assert!(function.contains("asks_for_memory"), "{sweep}");
        assert!(
            sweep
                .to_string()
                .contains("asks_for_memory at tests/sweep_places.rs:"),
            "{sweep}"
        );
    }
}
