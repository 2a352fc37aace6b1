//! A process that is watched, in adversity: forks at the wrong moment, signals of all kinds, small stacks, few
//! descriptors, no memory. What was found must be told all the same, once, and nowhere else.
#![cfg(all(feature = "cli", unix, not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/children.rs"]
mod children;
#[path = "support/programs.rs"]
mod programs;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use cc::Language::C;
use cc::text;
use programs::ends;
use tools::Library;

/// `tests/c/audit/adversity.c`. `None` without a C compiler.
fn program() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT
        .get_or_init(|| programs::build("adversity", C, Library::Static, "export,audit"))
        .as_deref()
}

/// A case with a value of `OLEMEM`.
fn alone(keys: &str, case: &[&str]) -> Option<Output> {
    let mut command = programs::command(program()?);
    Some(tools::run(command.args(case).env("OLEMEM", keys)))
}

/// A case under the command.
fn checked(options: &[&str], case: &[&str]) -> Option<Output> {
    let mut command = programs::command(env!("CARGO_BIN_EXE_olemem"));
    command.arg("check").args(options).arg("--").arg(program()?);
    Some(tools::run(command.args(case)))
}

/// How many violations of a kind a text tells.
fn count(said: &[u8], kind: &str) -> usize {
    text(said).matches(&format!("error[{kind}]")).count()
}

// -------------------------------------------------------------------------------------- forks

#[test]
fn a_child_may_allocate_that_was_forked_in_anothers_first_allocation() {
    for keys in ["check", "check,guard=page", "fail-at=1000"] {
        for microseconds in ["0", "30", "60", "100", "150", "200"] {
            let Some(output) = alone(keys, &["fork-in-the-first", microseconds]) else {
                return;
            };
            ends(&output, 0);
        }
    }
}

#[test]
fn what_was_damaged_before_a_fork_is_told_by_the_parent_alone() {
    let Some(output) = checked(&[], &["fork-after-damage"]) else {
        return;
    };
    ends(&output, 99);
    let said = text(&output.stderr);
    let stories = [
        "\"over\"",
        "\"sound\"",
        "\"ends\"",
        "\"long\"",
        "task memory, 16 bytes",
    ];
    for story in stories {
        assert_eq!(said.matches(story).count(), 1, "{story}: {said}");
    }
}

// ------------------------------------------------------------------------- the first of all calls

#[test]
fn a_null_pointer_for_a_result_is_told_in_the_first_call() {
    for case in ["null-out", "null-out-malloc", "null-out-string"] {
        let Some(output) = checked(&[], &[case]) else {
            return;
        };
        ends(&output, 99);
        assert_eq!(count(&output.stderr, "null-out-pointer"), 1, "{output:?}");
    }
}

/// A C function's name is not taken for an encoded one of C++: not by the program, nor by who reads its crash record.
#[test]
#[cfg(target_os = "linux")]
fn functions_of_c_have_their_own_names() {
    for case in ["short-name", "short-name-abort"] {
        let Some(output) = checked(&[], &[case]) else {
            return;
        };
        tools::line_with(&text(&output.stderr), "    v at tests/c/audit/adversity.c:");
    }
}

/// The program's own functions stay, whatever their names are.
#[test]
#[cfg(target_os = "linux")]
fn functions_with_the_names_of_others_stay() {
    let build = programs::build("named", cc::Language::Cxx, Library::Static, "export,audit");
    let Some(program) = build else {
        return;
    };
    let mut command = programs::command(program);
    let output = tools::run(command.env("OLEMEM", "check"));
    let said = text(&output.stderr);
    for name in ["core::Browser::put_Title", "alloc::text", "start_thread"] {
        let line = tools::line_with(&said, &format!("    {name}"));
        assert!(line.contains(" at tests/c/audit/named.cpp:"), "{line}");
    }
}

// ------------------------------------------------------------------------------------ signals

/// All that end a process by default, but for the real-time ones and SIGKILL.
#[test]
fn every_signal_that_ends_a_process_leaves_a_record() {
    let signals = [
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGABRT,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGUSR1,
        libc::SIGSEGV,
        libc::SIGUSR2,
        libc::SIGPIPE,
        libc::SIGALRM,
        libc::SIGTERM,
        libc::SIGXCPU,
        libc::SIGXFSZ,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGSYS,
        #[cfg(target_os = "linux")]
        libc::SIGSTKFLT,
        #[cfg(target_os = "linux")]
        libc::SIGIO,
        #[cfg(target_os = "linux")]
        libc::SIGPWR,
    ];
    for signal in signals {
        let Some(output) = alone("check,backtrace=off", &["signal", &signal.to_string()]) else {
            return;
        };
        assert_eq!(output.status.signal(), Some(signal), "{output:?}");
        let said = text(&output.stderr);
        tools::line_with(&said, &format!("signal {signal}"));
        tools::line_with(&said, "live 1 bstr 8 string");
    }
}

#[test]
fn a_fault_that_the_program_expects_ends_no_watch_of_the_pages() {
    let Some(output) = alone("check,guard=page", &["fault-and-overrun"]) else {
        return;
    };
    ends(&output, 0);
    let said = text(&output.stderr);
    tools::line_with(
        &said,
        "error[overrun]: byte 1 behind task memory is written to",
    );
    tools::line_with(&said, "olemem: 1 error,");
}

#[test]
fn a_stack_that_ran_out_leaves_a_record_under_guarded_pages() {
    for guard in ["guard=bytes", "guard=page"] {
        let Some(output) = alone(&format!("check,{guard}"), &["overflow"]) else {
            return;
        };
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{output:?}");
        tools::line_with(&text(&output.stderr), "live 1 bstr 8 string");
    }
}

#[test]
fn a_program_with_a_small_stack_for_signals_has_its_handler_called() {
    for guard in ["guard=bytes", "guard=page"] {
        for bytes in ["8192", "12288", "16384"] {
            let keys = format!("check,{guard}");
            let Some(output) = alone(&keys, &["small-stack", bytes]) else {
                return;
            };
            ends(&output, 42);
            let said = text(&output.stderr);
            tools::line_with(&said, "live 1 bstr 8 string");
            tools::line_with(&said, "the program's own handler");
        }
    }
}

/// What this binary does as a child: Rust has a stack for signals of its own, and a handler.
#[test]
fn a_child() {
    #[allow(
        unconditional_recursion,
        reason = "that the stack runs out is what is asked for"
    )]
    #[inline(never)]
    fn overflow(depth: usize) -> usize {
        let frame = std::hint::black_box([depth; 512]);
        overflow(depth + 1) + frame[depth % 512]
    }
    if children::deed().is_some() {
        let _ = olemem::Bstr::from("held").into_raw();
        std::hint::black_box(overflow(0));
    }
}

#[test]
fn a_rust_program_whose_stack_runs_out_says_so_and_leaves_a_record() {
    for guard in ["guard=bytes", "guard=page"] {
        let mut child = children::child("a_child", "overflow");
        child.env("OLEMEM", format!("check,{guard}"));
        let output = tools::run(&mut child);
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
        let said = text(&output.stderr);
        tools::line_with(&said, "has overflowed its stack");
        tools::line_with(&said, "live 1 bstr 8 string");
    }
}

// --------------------------------------------------------------------------- where the report goes

#[test]
fn a_program_with_few_descriptors_has_no_report_in_its_own_file() {
    let folder = tools::scratch("adversity-few");
    for (case, told) in [
        ("few-descriptors", "error[leak]: a BSTR was never freed"),
        ("few-descriptors-abort", "signal 6"),
    ] {
        let file = folder.join(case);
        let name = file.to_str().expect("a plain path");
        let Some(output) = alone("check", &[case, name]) else {
            return;
        };
        tools::line_with(&text(&output.stderr), told);
        assert_eq!(fs::read_to_string(&file).expect("it is written"), "data");
    }
}

/// A broken rule is written down at once: to leave by `_exit` hides no more than what was held.
#[test]
fn what_a_process_found_before_it_left_is_told() {
    for case in ["errs-and-leaves", "fork-errs-and-leaves"] {
        let Some(output) = checked(&["--format", "json"], &[case]) else {
            return;
        };
        ends(&output, 99);
        let report: serde_json::Value =
            serde_json::from_str(&text(&output.stdout)).expect("it is JSON");
        assert_eq!(report["complete"], false);
        let violations = report["violations"].as_array().expect("a list");
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0]["kind"], "double-free");
        for stack in ["allocated_at", "freed_at", "at"] {
            if programs::NAMES_FILES {
                assert_eq!(violations[0][stack][0]["function"], "twice", "{stack}");
            }
        }
        tools::line_with(
            &text(&output.stderr),
            "or not yet, but for 1 violation; what it held is not known",
        );
    }
}

/// Neither the beginning nor writing it down takes more stack than a thread may have.
#[test]
fn a_rule_may_be_broken_on_a_small_stack() {
    let Some(output) = checked(&[], &["errs-on-a-small-stack"]) else {
        return;
    };
    ends(&output, 99);
    assert_eq!(count(&output.stderr, "double-free"), 1, "{output:?}");
}

#[test]
fn a_report_that_cannot_be_handed_in_is_printed() {
    let Some(output) = checked(&[], &["write-no-more"]) else {
        return;
    };
    ends(&output, 98);
    let said = text(&output.stderr);
    tools::line_with(&said, "File too large (os error 27); the report follows");
    tools::line_with(&said, "error[leak]: a BSTR was never freed");
    tools::line_with(&said, "without a way to its record");
}

// ------------------------------------------------------------------------------ much, and nothing

#[test]
fn many_leaks_of_one_site_take_no_time_each() {
    let Some(output) = alone("check", &["many-leaks", "100000"]) else {
        return;
    };
    ends(&output, 0);
    let said = text(&output.stderr);
    tools::line_with(&said, "and 99999 more from there");
    assert_eq!(count(&output.stderr, "leak"), 1);
}

/// What cannot be told for want of memory is counted, and what can be is told.
#[test]
fn a_program_that_took_all_memory_has_a_report() {
    for keys in ["check", "check,backtrace=off", "check,format=json"] {
        let Some(output) = alone(keys, &["without-memory"]) else {
            return;
        };
        ends(&output, 0);
        let said = text(&output.stderr);
        if keys.ends_with("json") {
            let report: serde_json::Value = serde_json::from_str(&said).expect("it is JSON");
            let violations = report["violations"].as_array().expect("a list");
            assert!(!violations.is_empty());
        } else {
            assert!(count(&output.stderr, "leak") > 0);
            tools::line_with(&said, "violations could not be kept");
        }
    }
}

// ----------------------------------------------------------------------------------- sessions

#[test]
fn what_sessions_of_the_programs_own_found_is_no_secret() {
    let Some(output) = alone("check,exitcode=9", &["own-sessions"]) else {
        return;
    };
    ends(&output, 0);
    assert_eq!(text(&output.stdout), "went on\n");
    let said = text(&output.stderr);
    let (report, note) = said.split_once('\n').expect("two lines");
    assert!(report.starts_with("olemem: 0 errors, "), "{said}");
    assert_eq!(
        note,
        "olemem: 3 violations in sessions of the program's own, which had reports of their own\n"
    );
    // The first of all ends the process.
    let output = alone("check,halt=first", &["own-sessions"]).expect("there is a compiler");
    assert_eq!(output.status.signal(), Some(6));
    assert_eq!(text(&output.stdout), "");
    let said = text(&output.stderr);
    assert!(said.starts_with("error[double-free]"), "{said}");
    assert_eq!(said.matches("error[").count(), 1, "{said}");
}

#[test]
fn a_session_that_nobody_ends_is_not_lost() {
    let Some(output) = checked(&[], &["session-left"]) else {
        return;
    };
    ends(&output, 99);
    assert_eq!(count(&output.stderr, "double-free"), 1, "{output:?}");
    assert_eq!(count(&output.stderr, "leak"), 1, "{output:?}");

    let Some(output) = alone("", &["session-left"]) else {
        return;
    };
    ends(&output, 0);
    assert_eq!(
        text(&output.stderr),
        "olemem: 1 session left open when the process ended, with 1 violation and 1 live block: end a session to have \
         its report\n"
    );
    let output = alone("", &["session-left-sound"]).expect("there is a compiler");
    ends(&output, 0);
    assert_eq!(text(&output.stderr), "");
}
