//! A test that runs one of its binary's own tests in a child process, to see it end badly.
//!
//! The child is the test binary itself, with one exact test selected and a word in the environment
//! that says what to do there. Without that word the selected test does nothing.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test crate uses its own part"
)]

use std::process::{Command, Output};

/// What the child is to do.
const DEED: &str = "OLEMEM_TEST_DEED";

/// What this process is to do, if it is a child.
pub fn deed() -> Option<String> {
    std::env::var(DEED).ok()
}

/// This binary's test `name`, to be started as a child that does `deed`.
pub fn child(name: &str, deed: &str) -> Command {
    let binary = std::env::current_exe().expect("the test binary knows itself");
    let mut command = Command::new(binary);
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(DEED, deed)
        .env_remove("OLEMEM")
        .env_remove("RUST_BACKTRACE");
    command
}

/// The lines that olemem wrote on standard error.
pub fn complaints(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter(|line| line.starts_with("olemem: "))
        .map(str::to_owned)
        .collect()
}

/// Everything that a child left behind, for messages.
pub fn all_of(output: &Output) -> String {
    format!(
        "{}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    )
}

/// A child that passed its one test, having said nothing of olemem's.
#[track_caller]
pub fn assert_passed(output: &Output) {
    let all = all_of(output);
    assert!(output.status.success(), "{all}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("1 passed"),
        "the test was not found: {all}"
    );
}
