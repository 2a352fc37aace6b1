//! `backtrace=short`: where C's calls come from, told by return addresses and frame pointers, in programs that have
//! such pointers, in others, and in some that have nonsense instead.
#![cfg(all(feature = "cli", unix, not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cc::{Compiler, Language, compilers, text};
use serde_json::Value;

/// A frame: its function, and its line.
type Place = (String, Option<u64>);

const WITH_FRAME_POINTERS: &str = "-fno-omit-frame-pointer";
const WITHOUT_FRAME_POINTERS: &str = "-fomit-frame-pointer";

/// Whether functions of C note where they are called from.
const HAS_ENTRANCES: bool = cfg!(all(
    any(target_os = "linux", target_os = "macos"),
    any(target_arch = "x86_64", target_arch = "aarch64")
));

/// Programs as they come from each compiler, by what it was told.
fn programs(
    test: &str,
    levels: &[&'static str],
    pointers: &[&'static str],
) -> Vec<(PathBuf, Vec<&'static str>)> {
    let dir = tools::scratch(&format!("short-stacks-{test}"));
    let compilers = compilers().into_iter();
    let compilers: Vec<Compiler> = compilers
        .filter(|compiler| compiler.language == Language::C)
        .collect();
    let mut built = Vec::new();
    for compiler in &compilers {
        for level in levels {
            for pointer in pointers {
                let flags = vec![*level, *pointer, "-g", "-pthread"];
                let program = dir.join(format!("{}{level}{pointer}", compiler.name));
                let source = cc::source("audit/sites", Language::C);
                tools::run_ok(
                    compiler
                        .command()
                        .arg(compiler.language.standard())
                        .args(&flags)
                        .arg(source)
                        .arg("-o")
                        .arg(&program)
                        .arg(tools::library_with(tools::Library::Static, "export,audit"))
                        .args(tools::system_libraries()),
                );
                built.push((program, flags));
            }
        }
    }
    built
}

/// Where the leaks of a case were allocated, in the order of their allocation.
#[track_caller]
fn leaks(program: &Path, backtrace: &str, case: &str) -> Vec<Vec<Place>> {
    let output = tools::run(
        Command::new(env!("CARGO_BIN_EXE_olemem"))
            .args(["check", "--format", "json", "--backtrace", backtrace, "--"])
            .arg(program)
            .arg(case)
            .env_remove("OLEMEM"),
    );
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(99), "{program:?} {case}: {said}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let violations = report["violations"].as_array().expect("a list");
    let stacks = violations.iter().map(|violation| {
        assert_eq!(violation["kind"], "leak");
        let frames = violation["allocated_at"].as_array().expect("a list");
        let places = frames.iter().map(|frame| {
            let function = frame["function"].as_str().unwrap_or("");
            (function.to_owned(), frame["line"].as_u64())
        });
        places.collect()
    });
    stacks.collect()
}

/// The line of the program that ends with a remark.
#[track_caller]
fn line(remark: &str) -> Option<u64> {
    let source = fs::read_to_string(cc::source("audit/sites", Language::C)).expect("the source");
    let remark = format!("/* {remark} */");
    let found = source.lines().position(|line| line.ends_with(&remark));
    Some(found.expect("the remark") as u64 + 1)
}

fn place(function: &str, remark: &str) -> Place {
    (function.to_owned(), line(remark))
}

fn chain() -> [Place; 3] {
    [
        place("inner", "inner"),
        place("middle", "middle"),
        place("outer", "outer"),
    ]
}

#[test]
fn with_frame_pointers_all_callers_are_told() {
    let levels = ["-O0", "-O1", "-O2", "-O3"];
    for (program, flags) in programs(
        "with_frame_pointers_all_callers_are_told",
        &levels,
        &[WITH_FRAME_POINTERS],
    ) {
        let stacks = leaks(&program, "short", "chain");
        assert_eq!(stacks.len(), 1, "{flags:?}");
        assert_eq!(stacks[0][..3], chain(), "{flags:?}");
        assert_eq!(stacks[0].last().expect("frames").0, "main", "{flags:?}");
    }
}

/// The caller, and at most what is true besides.
#[test]
fn without_frame_pointers_the_caller_is_told() {
    let levels = ["-O0", "-O1", "-O2", "-O3"];
    for (program, flags) in programs(
        "without_frame_pointers_the_caller_is_told",
        &levels,
        &[WITHOUT_FRAME_POINTERS],
    ) {
        for case in ["chain", "deep", "small"] {
            let stacks = leaks(&program, "short", case);
            assert_eq!(stacks.len(), 1, "{flags:?} {case}");
            assert_eq!(stacks[0][0], chain()[0], "{flags:?} {case}");
        }
    }
}

#[test]
fn full_stacks_go_through_the_entrance() {
    for (program, flags) in programs(
        "full_stacks_go_through_the_entrance",
        &["-O0", "-O2"],
        &[WITHOUT_FRAME_POINTERS],
    ) {
        let stacks = leaks(&program, "full", "chain");
        assert_eq!(stacks.len(), 1, "{flags:?}");
        assert_eq!(stacks[0][..3], chain(), "{flags:?}");
        assert_eq!(stacks[0].last().expect("frames").0, "main", "{flags:?}");
    }
}

#[test]
fn a_deep_stack_is_told_in_part() {
    for (program, flags) in programs(
        "a_deep_stack_is_told_in_part",
        &["-O0", "-O2"],
        &[WITH_FRAME_POINTERS],
    ) {
        let stacks = leaks(&program, "short", "deep");
        assert_eq!(stacks[0][0], chain()[0], "{flags:?}");
        let names: Vec<&str> = stacks[0].iter().map(|(name, _)| name.as_str()).collect();
        // The compiler may make several calls of one.
        assert!(names[1..].iter().all(|name| *name == "deeper"), "{names:?}");
        if HAS_ENTRANCES {
            assert!((2..=100).contains(&names.len()), "{flags:?}: {names:?}");
        }
    }
}

#[test]
fn a_thread_has_a_stack_of_its_own() {
    for (program, flags) in programs(
        "a_thread_has_a_stack_of_its_own",
        &["-O0", "-O2"],
        &[WITH_FRAME_POINTERS],
    ) {
        let stacks = leaks(&program, "short", "small");
        assert_eq!(stacks[0][..3], chain(), "{flags:?}");
        if HAS_ENTRANCES {
            let names = stacks[0].iter().map(|(name, _)| name.as_str());
            assert!(names.clone().any(|name| name == "in_thread"), "{flags:?}");
            assert!(!names.clone().any(|name| name == "main"), "{flags:?}");
        }
    }
}

/// Of a stack that is not the thread's nothing is read.
#[test]
fn on_another_stack_the_caller_is_told() {
    for (program, flags) in programs(
        "on_another_stack_the_caller_is_told",
        &["-O0", "-O2"],
        &[WITH_FRAME_POINTERS],
    ) {
        let stacks = leaks(&program, "short", "coroutine");
        assert_eq!(stacks[0][0], chain()[0], "{flags:?}");
        if HAS_ENTRANCES && cfg!(target_os = "linux") {
            assert_eq!(stacks[0].len(), 1, "{flags:?}");
        }
    }
}

#[test]
fn each_function_notes_its_caller() {
    let all = [WITH_FRAME_POINTERS, WITHOUT_FRAME_POINTERS];
    for (program, flags) in programs("each_function_notes_its_caller", &["-O0", "-O2"], &all) {
        let stacks = leaks(&program, "short", "each");
        let told: Vec<_> = stacks.iter().map(|stack| stack[0].1).collect();
        let expected: Vec<_> = (1..=14).map(|n| line(&format!("lost {n}"))).collect();
        assert_eq!(told, expected, "{flags:?}");
    }
}

/// What is no frame pointer is not followed, wherever it leads, and the program goes on.
#[test]
fn nonsense_is_not_followed() {
    if !HAS_ENTRANCES {
        return;
    }
    for (program, flags) in programs(
        "nonsense_is_not_followed",
        &["-O0", "-O2"],
        &[WITHOUT_FRAME_POINTERS],
    ) {
        let stacks = leaks(&program, "short", "broken");
        assert_eq!(stacks.len(), 16, "{flags:?}");
        for stack in stacks {
            let names: Vec<_> = stack.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["alloc_with_frame"], "{flags:?}");
        }
    }
}
