//! `olemem demo`, as a user runs it.
#![cfg(all(
    feature = "cli",
    not(windows),
    not(miri),
    target_pointer_width = "64",
    target_endian = "little"
))]

#[path = "support/tools.rs"]
mod tools;

use std::process::Command;

fn olemem() -> Command {
    Command::new(env!("CARGO_BIN_EXE_olemem"))
}

#[test]
fn the_demo_shows_every_byte_and_every_owner() {
    let output = tools::run_ok(olemem().arg("demo"));
    let shown = String::from_utf8(output.stdout).expect("the demo prints text");
    let expected = include_str!("demo/expected.txt");
    assert_eq!(shown, expected);
    assert!(output.stderr.is_empty());
}

/// Every mistake, made and avoided, word by word. That each is told as itself, and nothing else, is the status.
#[test]
fn every_mistake_is_made_and_avoided() {
    let output = tools::run_ok(olemem().args(["demo", "all"]));
    let shown = String::from_utf8(output.stdout).expect("the demo prints text");
    let expected = include_str!("demo/mistakes.txt");
    assert!(
        shown == expected,
        "printed:\n{shown}\nexpected:\n{expected}"
    );

    let one = tools::run_ok(olemem().args(["demo", "leak"]));
    let one = String::from_utf8(one.stdout).expect("the demo prints text");
    assert!(
        one.starts_with("leak: ") && expected.ends_with(&one),
        "{one}"
    );
}

#[test]
fn a_mistake_that_is_not_known_is_told() {
    let output = olemem()
        .args(["demo", "no-such-kind"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.starts_with("olemem: no-such-kind: no such kind"),
        "{told}"
    );
}

#[test]
fn the_page_on_the_layout_shows_what_the_demo_prints() {
    let page = include_str!("../docs/layout.md");
    let picture = page
        .split("```text\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the page has a picture");
    assert!(include_str!("demo/expected.txt").contains(picture));
}

#[test]
fn help_names_the_commands() {
    let output = tools::run_ok(olemem().arg("--help"));
    let help = String::from_utf8(output.stdout).expect("help is text");
    tools::line_with(&help, "demo");
    let version = tools::run_ok(olemem().arg("--version"));
    assert_eq!(
        String::from_utf8_lossy(&version.stdout),
        concat!("olemem ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn an_unknown_command_is_refused() {
    for arguments in [&["nonsense"][..], &[]] {
        let output = tools::run(olemem().args(arguments));
        assert_eq!(output.status.code(), Some(2));
        assert!(!output.stderr.is_empty());
    }
}

// The demo allocates as any program does, so a bad mode in the environment is told.
#[test]
fn a_mode_that_is_not_known_is_told_and_the_demo_runs() {
    let output = tools::run_ok(olemem().arg("demo").env("OLEMEM", "nonsense"));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "olemem: OLEMEM=nonsense: unknown; valid are plain, pass-through, cache=off, cache=windows, \
         cache=adversarial, fail-at=, fail-every=, fail-rate=, fail-seed=, fail-above=, fail-family=, fail-then=, and, \
         for the audit, check, report=, format=, backtrace=, quarantine=, guard=, halt=, exitcode=, suppress=\n"
    );
}
