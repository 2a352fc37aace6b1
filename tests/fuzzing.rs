//! The fuzz targets of `fuzz/`, built by cargo-fuzz as a user builds them: libFuzzer drives, AddressSanitizer
//! watches, and the heap passes every block through to it.
//!
//! Left out of a plain `cargo test`: they are built with a nightly compiler, which takes a minute.
#![cfg(all(target_os = "linux", not(miri)))]

#[path = "support/clients.rs"]
mod clients;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// cargo-fuzz, and what it is to fuzz.
struct Kit {
    package: PathBuf,
    target: PathBuf,
}

impl Kit {
    /// `None` where cargo-fuzz is missing, or these sources came without targets, as a published package does.
    #[track_caller]
    fn new() -> Option<Self> {
        tools::tool(&["cargo-fuzz"])?;
        let package = tools::root().join("fuzz");
        if !package.join("Cargo.toml").is_file() {
            tools::skipped(&["cargo-fuzz"], "fuzz is not part of these sources");
            return None;
        }
        Some(Self {
            package,
            target: clients::target("fuzz"),
        })
    }

    /// `cargo fuzz`, with a verb and one of the targets.
    fn fuzz(&self, verb: &str, name: &str) -> Command {
        let mut command = clients::nightly_cargo(&self.package, &self.target);
        command
            .args(["fuzz", verb, "--target-dir"])
            .arg(&self.target)
            .arg(name);
        command
    }

    /// Builds a target, and gives back its program.
    #[track_caller]
    fn program(&self, name: &str) -> PathBuf {
        tools::run_ok(&mut self.fuzz("build", name));
        let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        self.target.join(host).join("release").join(name)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The heap does not hand out its own blocks there: an access past the end of a string is one past a block of the
/// sanitizer's, which is as large as the string's is on Windows.
#[test]
#[ignore = "builds with libFuzzer: a minute"]
fn blocks_pass_through_to_the_sanitizer() {
    let Some(kit) = Kit::new() else { return };
    let dir = tools::scratch("fuzzing");
    let program = kit.program("parser_with_a_bug");
    let run = |name: &str, text: &str| {
        let input = dir.join(name);
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        fs::write(&input, bytes).expect("the scratch folder can be written");
        tools::run(Command::new(&program).arg(&input).current_dir(&dir))
    };
    let kept = run("kept", "name=text");
    assert!(kept.status.success(), "{}", said(&kept));
    for text in ["a", "ab", "name", "a name without a sign"] {
        let broken = run("broken", text);
        assert!(!broken.status.success(), "{text:?} was not found");
        let said = said(&broken);
        // As on Windows: eight bytes with the prefix, the units, the terminator, rounded up.
        let size = (8 + 2 * text.len() + 2).next_multiple_of(16);
        tools::line_with(&said, "AddressSanitizer: heap-buffer-overflow");
        let place = tools::line_with(&said, "is located");
        assert!(
            place.contains(&format!("0 bytes after {size}-byte region")),
            "{place}"
        );
        tools::line_with(&said, "READ of size 2");
    }
}

/// The fuzzer finds such an input by itself, in a moment.
#[test]
#[ignore = "builds with libFuzzer: a minute"]
fn a_parser_with_a_bug_is_found_out() {
    let Some(kit) = Kit::new() else { return };
    let dir = tools::scratch("fuzzing-finds");
    let program = kit.program("parser_with_a_bug");
    let output = tools::run(
        Command::new(&program)
            .args(["-runs=100000", "-seed=1"])
            .current_dir(&dir),
    );
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    tools::line_with(&said, "AddressSanitizer: heap-buffer-overflow");
    tools::line_with(&said, "Test unit written to ./crash-");
}

/// The targets that are to find nothing.
const CLEAN: &[&str] = &["operations"];

/// A few seconds of each.
#[test]
#[ignore = "builds with libFuzzer: a minute"]
fn targets_find_nothing() {
    let Some(kit) = Kit::new() else { return };
    let dir = tools::scratch("fuzzing-finds-nothing");
    for name in CLEAN {
        let program = kit.program(name);
        let output = tools::run_ok(
            Command::new(&program)
                .args(["-max_total_time=5", "-timeout=10", "-rss_limit_mb=4096"])
                .current_dir(&dir),
        );
        let said = said(&output);
        let done = tools::line_with(&said, "Done ");
        let runs: u64 = done
            .split_whitespace()
            .nth(1)
            .and_then(|runs| runs.parse().ok())
            .unwrap_or_else(|| panic!("{done:?}"));
        assert!(runs > 1_000, "{name}: {done}");
    }
}
