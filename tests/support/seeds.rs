//! The inputs that are kept in `fuzz/seeds`, a folder a target: where the fuzzers begin, and what once broke a law.

use std::collections::BTreeSet;
use std::fs;

use crate::tools;

/// Whether the sources came with them, which those of a published package do not; then it is said.
#[track_caller]
fn are_there() -> bool {
    let there = tools::root().join("fuzz/Cargo.toml").is_file();
    if !there {
        tools::skipped(&["seeds"], "fuzz is not part of these sources");
    }
    there
}

/// Holds the folders against the targets whose inputs are replayed.
#[track_caller]
#[allow(dead_code, reason = "asked once, by the laws")]
pub(crate) fn are_all(targets: impl IntoIterator<Item = &'static str>) {
    if !are_there() {
        return;
    }
    let folders = fs::read_dir(tools::root().join("fuzz/seeds")).expect("the folder can be read");
    let folders: BTreeSet<String> = folders
        .map(|folder| {
            let name = folder.expect("the folder can be read").file_name();
            name.into_string().expect("names are plain")
        })
        .collect();
    let targets = targets.into_iter().map(str::to_owned);
    assert_eq!(folders, targets.collect());
}

/// Holds each of a target's inputs against its law, where they are there.
#[track_caller]
pub(crate) fn replay(target: &str, law: fn(&[u8]) -> Result<(), String>) {
    let folder = tools::root().join("fuzz/seeds").join(target);
    if !are_there() {
        return;
    }
    let entries = fs::read_dir(&folder).expect("each target has seeds");
    let mut replayed = 0;
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        let data = fs::read(&path).expect("a seed can be read");
        if let Err(error) = law(&data) {
            panic!("{}: {error}", path.display());
        }
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
}
