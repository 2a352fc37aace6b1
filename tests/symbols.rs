//! Without `export` and `audit` nothing of the seam is in a program: no function that raises an event, none that
//! listens.
#![cfg(all(unix, feature = "std", not(miri)))]

#[path = "support/tools.rs"]
mod tools;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Parts of names: modules and types that only the seam has.
const OF_THE_SEAM: [&str; 8] = [
    "hook",
    "raise_block",
    "raise_bstr",
    "listen",
    "Listen",
    "spy",
    "4task4seat",
    "4task4turn",
];

/// The names of olemem's own in the Rust library, local ones too, that have to do with the seam, and how many
/// there are besides. (In a C library a function that nothing exported needs is left out, with or without the
/// seam.)
fn names(nm: &Path, features: &str) -> (BTreeSet<String>, usize) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("symbols-{features}"));
    tools::run_ok(
        tools::build_into(
            &mut Command::new(env!("CARGO")),
            &target,
            &format!("symbols-{features}"),
        )
        .current_dir(tools::root())
        // Optimised, so that a question whose answer is known is none; but no more than that.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .args(["rustc", "--quiet", "--lib", "--release"])
        .args(["--features", features, "--crate-type", "lib"]),
    );
    let output = tools::run_ok(Command::new(nm).arg(target.join("release/libolemem.rlib")));
    let text = String::from_utf8_lossy(&output.stdout);
    // Of the standard library's names, some speak of hooks.
    let (seam, others): (BTreeSet<String>, BTreeSet<String>) = text
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .filter(|name| name.contains("olemem"))
        .map(str::to_owned)
        .partition(|name| OF_THE_SEAM.iter().any(|part| name.contains(part)));
    (seam, others.len())
}

#[test]
fn without_its_features_there_is_no_seam() {
    let Some(nm) = tools::tool(&["nm", "llvm-nm"]) else {
        return;
    };
    let (seam, others) = names(&nm, "");
    assert!(seam.is_empty(), "{seam:?}");
    // Not empty by mistake: the heap's functions are there.
    assert!(others > 100, "{others} names of olemem's");
}

#[test]
fn with_either_of_them_there_is() {
    let Some(nm) = tools::tool(&["nm", "llvm-nm"]) else {
        return;
    };
    for features in ["export", "audit"] {
        let (seam, _) = names(&nm, features);
        for function in ["raise_block", "raise_bstr", "listen", "Listening"] {
            assert!(
                seam.iter().any(|name| name.contains(function)),
                "{features}: {seam:?}"
            );
        }
    }
}
