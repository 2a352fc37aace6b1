//! The inputs that are kept in `fuzz/seeds`, a folder a target: where the fuzzers begin, and what once broke a law.

use std::fs;

use crate::tools;

/// Holds each of a target's inputs against its law. Where the sources came without them, as a published package does,
/// it says so.
#[track_caller]
pub(crate) fn replay(target: &str, law: fn(&[u8]) -> Result<(), String>) {
    let folder = tools::root().join("fuzz/seeds").join(target);
    if !tools::root().join("fuzz/Cargo.toml").is_file() {
        tools::skipped(&["seeds"], "fuzz is not part of these sources");
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
