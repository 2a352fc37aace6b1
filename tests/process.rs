//! Process mode without the command: what `OLEMEM=check` with its keys does to a program.
#![cfg(all(feature = "export", feature = "audit", unix, not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/programs.rs"]
mod programs;
#[path = "support/schema.rs"]
mod schema;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use cc::text;
use programs::ends;
use tools::Library;

/// A case of `process.c` with a value of `OLEMEM`. `None` without a C compiler.
fn run(keys: &str, case: &str) -> Option<Output> {
    Some(tools::run(&mut command(keys, case)?))
}

fn command(keys: &str, case: &str) -> Option<Command> {
    let mut command = programs::command(programs::process()?);
    command.arg(case).env("OLEMEM", keys);
    Some(command)
}

fn folder(name: &str) -> PathBuf {
    tools::scratch(&format!("process-{name}"))
}

/// The names in a folder, in order.
fn names(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("it is there")
        .map(|entry| entry.expect("it can be read").file_name().into_string())
        .map(|name| name.expect("a plain name"))
        .collect();
    names.sort();
    names
}

/// A program may close standard error, and get its number for a file of its own.
#[test]
fn the_report_goes_to_no_file_of_the_programs() {
    let Some(mut command) = command("check", "reuses-stderr") else {
        return;
    };
    let file = folder("reused").join("data");
    let output = tools::run(command.arg(&file));
    ends(&output, 0);
    tools::line_with(&text(&output.stderr), "error[leak]: a BSTR was never freed");
    assert_eq!(fs::read_to_string(&file).expect("it is written"), "data");
}

#[test]
fn the_report_goes_to_standard_error_and_the_status_stays() {
    let Some(output) = run("check", "exit") else {
        return;
    };
    ends(&output, 3);
    assert_eq!(text(&output.stdout), "");
    let said = text(&output.stderr);
    assert!(
        said.starts_with("error[leak]: a BSTR was never freed\n"),
        "{said}"
    );
    if programs::NAMES_FILES {
        tools::line_with(&said, "    lose at tests/c/audit/process.c:");
    }
    assert!(
        said.ends_with("(1 allocated, 0 freed, 1 live, at most 32 bytes at a time)\n"),
        "{said}"
    );
    assert!(!said.contains('\x1b'));
}

#[test]
fn without_the_word_nothing_is_watched() {
    let output = run("", "leak");
    let Some(output) = output else { return };
    ends(&output, 0);
    assert_eq!(text(&output.stderr), "");
    let output = run("report=/nowhere", "leak").expect("there is a compiler");
    ends(&output, 0);
    assert_eq!(
        text(&output.stderr),
        "olemem: OLEMEM=report=/nowhere: nothing is checked without the word check\n"
    );
}

#[test]
fn a_path_may_name_the_process_and_is_where_the_first_allocation_found_it() {
    let folder = folder("path");
    for (case, status) in [("chdir", 0), ("leak", 0)] {
        let Some(mut command) = command("check,report=r-%p.json,format=json", case) else {
            return;
        };
        let child = command.current_dir(&folder).spawn().expect("it starts");
        let id = child.id();
        let output = child.wait_with_output().expect("it ends");
        ends(&output, status);
        let report = fs::read_to_string(folder.join(format!("r-{id}.json")));
        let report = report.expect("it was written");
        assert!(
            report.starts_with("{\n  \"schema\": \"olemem-report/1\","),
            "{report}"
        );
        assert!(report.contains("\"kind\": \"leak\""), "{report}");
    }
}

#[test]
fn a_forked_child_has_a_file_of_its_own() {
    let folder = folder("fork");
    let report = folder.join("report");
    let Some(output) = run(&format!("check,report={}", report.display()), "fork") else {
        return;
    };
    ends(&output, 0);
    assert_eq!(text(&output.stderr), "");
    let names = names(&folder);
    let [parent, child] = names.as_slice() else {
        panic!("{names:?}");
    };
    let of = |name: &str| fs::read_to_string(folder.join(name)).expect("it is there");
    assert_eq!(parent, "report");
    assert!(of(parent).starts_with("olemem: 0 errors"), "{}", of(parent));
    assert!(child.starts_with("report."), "{child}");
    assert!(of(child).starts_with("error[leak]"), "{}", of(child));
}

#[test]
fn a_child_that_did_nothing_says_nothing() {
    let Some(output) = run("check", "fork-quiet") else {
        return;
    };
    ends(&output, 0);
    let said = text(&output.stderr);
    // Of three processes one did not use olemem.
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn sarif_is_written() {
    let Some(output) = run("check,format=sarif", "double-free") else {
        return;
    };
    ends(&output, 0);
    let said = text(&output.stderr);
    let log = schema::sarif(&said);
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "double-free");
}

#[test]
fn an_exit_code_is_given_after_errors_and_what_was_printed_is_not_lost() {
    let Some(output) = run("check,exitcode=42", "prints") else {
        return;
    };
    ends(&output, 42);
    assert_eq!(text(&output.stdout), "not flushed");
    ends(&run("check,exitcode=42", "clean").expect("as above"), 5);
    ends(&run("check,exitcode=42", "warning").expect("as above"), 0);
}

#[test]
fn a_report_that_cannot_be_written_is_told_and_not_lost() {
    let Some(output) = run("check,report=/nowhere/at/all", "leak") else {
        return;
    };
    ends(&output, 0);
    let said = text(&output.stderr);
    assert!(
        said.starts_with("olemem: report=/nowhere/at/all: No such file or directory"),
        "{said}"
    );
    tools::line_with(&said, "error[leak]");
}

#[test]
fn mistakes_are_told_and_the_program_runs() {
    for (keys, told) in [
        (
            "check,nonsense",
            "olemem: OLEMEM=check,nonsense: unknown; valid are plain, pass-through, cache=off, cache=windows, \
             cache=adversarial, fail-at=, fail-every=, fail-rate=, fail-seed=, fail-above=, fail-family=, fail-then=, \
             and, for the audit, check, report=, format=, backtrace=, quarantine=, guard=, halt=, exitcode=, suppress=",
        ),
        (
            "check,format=xml",
            "olemem: OLEMEM: format=xml: valid is text, json, sarif",
        ),
        (
            "check,guard=wall",
            "olemem: OLEMEM: guard=wall: valid is bytes, page",
        ),
        (
            "check,suppress=/nowhere",
            "olemem: suppress=/nowhere: No such file or directory (os error 2); nothing is suppressed",
        ),
    ] {
        let Some(output) = run(keys, "clean") else {
            return;
        };
        ends(&output, 5);
        let said = text(&output.stderr);
        assert_eq!(tools::line_with(&said, "olemem: "), told);
        tools::line_with(&said, "olemem: 0 errors");
    }
}

#[test]
fn what_is_known_is_suppressed_and_counted() {
    let file = folder("suppress").join("known");
    fs::write(&file, "leak lose\n").expect("the build folder can be written");
    let keys = format!("check,exitcode=9,suppress={}", file.display());
    let Some(output) = run(&keys, "leak") else {
        return;
    };
    ends(&output, 0);
    let said = text(&output.stderr);
    tools::line_with(&said, "olemem: 0 errors");
    tools::line_with(&said, "olemem: 1 violation suppressed");
}

#[test]
fn the_first_violation_ends_the_process_if_that_is_asked_for() {
    use std::os::unix::process::ExitStatusExt;
    let Some(output) = run("check,halt=first", "double-free") else {
        return;
    };
    assert_eq!(output.status.signal(), Some(6));
    let said = text(&output.stderr);
    assert!(said.starts_with("error[double-free]"), "{said}");
    // The report is all there is: no record of a crash behind it.
    assert!(!said.contains("olemem-crash"), "{said}");
    let output = run("check,halt=first", "leak").expect("there is a compiler");
    ends(&output, 0);
    // What the parent found, and was suppressed, does not hide what the child finds.
    let file = folder("halt").join("known");
    fs::write(&file, "double-free twice\n").expect("the build folder can be written");
    let keys = format!("check,halt=first,suppress={}", file.display());
    let output = run(&keys, "fork-late").expect("there is a compiler");
    ends(&output, 6);
    tools::line_with(&text(&output.stderr), "error[overrun]");
}

#[test]
fn an_allocation_of_the_process_fails() {
    let Some(output) = run("check,fail-at=2", "out-of-memory") else {
        return;
    };
    ends(&output, 0);
    assert_eq!(text(&output.stdout), "1 0\n");
}

#[test]
fn a_signal_leaves_a_record_where_the_report_would_go() {
    use std::os::unix::process::ExitStatusExt;
    let file = folder("signal").join("record");
    let Some(output) = run(&format!("check,report={}", file.display()), "segv") else {
        return;
    };
    assert_eq!(output.status.signal(), Some(11));
    assert_eq!(text(&output.stderr), "");
    let record = fs::read_to_string(file).expect("it was written");
    assert!(record.starts_with("olemem-crash/1\nprocess "), "{record}");
    tools::line_with(&record, "found double-free error free as bstr");
    tools::line_with(&record, "live 2 bstr 8 string");
    if cfg!(target_os = "linux") {
        tools::line_with(&record, "process-static-export-audit");
    }
    // A handler of a signal has no memory to make anything else with.
    for format in ["json", "sarif"] {
        let output = run(&format!("check,format={format}"), "segv").expect("as above");
        assert_eq!(output.status.signal(), Some(11));
        let record = text(&output.stderr);
        assert!(record.starts_with("olemem-crash/1\nprocess "), "{record}");
    }
}

/// A debugger finds the function to stop at by its name, in both libraries.
#[test]
fn a_debugger_can_stop_at_a_violation() {
    let Some(nm) = tools::tool(&["nm", "llvm-nm"]) else {
        return;
    };
    let Some(program) = programs::process() else {
        return;
    };
    let shared = tools::library_with(Library::Shared, "export,audit");
    for binary in [program, shared.as_path()] {
        let listed = tools::run_ok(Command::new(&nm).arg(binary));
        let listed = text(&listed.stdout);
        let is_there = |line: &str| line.ends_with("olemem_on_violation");
        assert!(listed.lines().any(is_there), "{}", binary.display());
    }
}
