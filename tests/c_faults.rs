//! Allocations made to fail from C and C++: without the audit, with it, and within a session.
#![cfg(all(unix, feature = "export", not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/tools.rs"]
mod tools;

use std::process::Command;

use cc::Language::{C, Cxx};
use cc::{compilers, text};

/// A run that must succeed and say only how much it checked.
#[track_caller]
fn passes(command: &mut Command) {
    let output = tools::run_ok(command);
    let said = text(&output.stdout);
    assert!(
        said.starts_with("ok ") && said.ends_with(" checks\n"),
        "{command:?} said {said:?}"
    );
    assert_eq!(text(&output.stderr), "", "{command:?}");
}

#[test]
fn each_function_meets_its_failure() {
    let dir = tools::scratch("c-faults");
    for compiler in compilers().iter().filter(|known| known.language == C) {
        for way in [&["-O0"] as &[&str], &["-O2"]] {
            passes(&mut Command::new(compiler.build(
                &dir,
                "fault",
                &[way, &["-pthread"]].concat(),
            )));
        }
    }
}

#[cfg(feature = "audit")]
#[test]
fn and_so_it_does_within_a_session() {
    let dir = tools::scratch("c-faults-audited");
    for compiler in compilers().iter().filter(|known| known.language == C) {
        let flags = ["-O1", "-g", "-pthread", "-DAUDITED"];
        let program = compiler.build_with(&dir, "fault", &flags, "export,audit");
        passes(Command::new(&program).arg("audited"));
        passes(&mut Command::new(&program));
    }
}

#[test]
fn the_guard_of_c_plus_plus_ends_with_its_scope() {
    let dir = tools::scratch("c-faults-guard");
    for compiler in compilers().iter().filter(|known| known.language == Cxx) {
        for way in [
            &["-O0", "-Wshadow"] as &[&str],
            &["-O2", "-std=c++20"],
            &["-O2", "-fno-exceptions", "-fno-rtti"],
        ] {
            passes(&mut Command::new(compiler.build(&dir, "fault", way)));
        }
    }
}
