//! `olemem check`, as a user runs it, on C, C++ and Rust programs: each way a process may end, each format, each
//! option, each exit status.
#![cfg(all(feature = "cli", unix, not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/children.rs"]
mod children;
#[path = "support/programs.rs"]
mod programs;
#[path = "support/schema.rs"]
mod schema;
#[path = "support/tools.rs"]
mod tools;

use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};

use cc::Language::{C, Cxx};
use cc::text;
use programs::{NAMES_FILES, build, ends, is_as_in, normalised};
use serde_json::{Value, json};
use tools::Library;

/// The command with options, for a program of `process.c`'s cases. `None` without a C compiler.
fn check(options: &[&str], case: &[&str]) -> Option<Command> {
    let mut command = of(options, programs::process()?);
    command.args(case);
    Some(command)
}

/// The command with options, for any program.
fn of(options: &[&str], program: impl AsRef<OsStr>) -> Command {
    let mut command = programs::command(env!("CARGO_BIN_EXE_olemem"));
    command.arg("check").args(options).arg("--").arg(program);
    command
}

/// Runs a case without options: what it said, and its status.
#[track_caller]
fn said(case: &[&str]) -> Option<(String, Option<i32>)> {
    let output = tools::run(&mut check(&[], case)?);
    assert_eq!(text(&output.stdout), "", "{case:?}");
    Some((normalised(&output.stderr), output.status.code()))
}

/// The kinds that a case is reported to have.
#[track_caller]
fn kinds(case: &[&str]) -> Option<Vec<String>> {
    let output = tools::run(&mut check(&["--format", "json"], case)?);
    Some(kinds_of(&schema::report(&text(&output.stdout))))
}

fn kinds_of(report: &Value) -> Vec<String> {
    let violations = report["violations"].as_array().expect("a list");
    violations
        .iter()
        .map(|violation| violation["kind"].as_str().expect("a name").to_owned())
        .collect()
}

// ------------------------------------------------------------------------------ how a process ends

#[test]
fn a_clean_program_keeps_its_status() {
    let Some((said, status)) = said(&["clean"]) else {
        return;
    };
    assert_eq!(status, Some(5));
    assert_eq!(
        said,
        "olemem: 0 errors, 0 warnings; 2 operations (1 allocated, 1 freed, 0 live, at most 32 bytes at a time)\n"
    );
}

#[test]
fn leaks_are_told_by_site() {
    let Some((said, status)) = said(&["leaks"]) else {
        return;
    };
    assert_eq!(status, Some(99));
    is_as_in("leaks.txt", &said);
}

#[test]
fn a_double_free_is_told_with_its_three_places() {
    let Some((said, status)) = said(&["double-free"]) else {
        return;
    };
    assert_eq!(status, Some(99));
    is_as_in("double-free.txt", &said);
}

#[test]
fn threads_are_covered_and_may_live_at_the_end() {
    let Some(found) = kinds(&["thread"]) else {
        return;
    };
    assert_eq!(found, ["leak"]);
    assert_eq!(
        said(&["thread-stays"]).and_then(|(_, status)| status),
        Some(0)
    );
}

#[test]
fn exit_is_as_a_return() {
    let Some((said, status)) = said(&["exit"]) else {
        return;
    };
    assert!(said.starts_with("error[leak]"), "{said}");
    assert_eq!(status, Some(99));
}

#[test]
fn what_leaves_without_destructors_is_not_covered() {
    for case in ["_exit", "quick_exit"] {
        let Some((said, status)) = said(&[case]) else {
            return;
        };
        assert_eq!(status, Some(98), "{said}");
        tools::line_with(&said, "ended without a report: by _exit or quick_exit");
    }
}

/// What an input did that was under way counts, as what those before it did.
#[test]
fn a_fatal_signal_in_an_input_loses_no_numbers() {
    let Some(program) = build("input", C, Library::Static, "export,audit") else {
        return;
    };
    let output = tools::run(&mut of(&[], program));
    ends(&output, 128 + 11);
    let told = text(&output.stderr);
    tools::line_with(&told, "3 operations (2 allocated, 1 freed, ");
}

#[test]
fn a_fatal_signal_is_reported_with_what_was_live() {
    let Some((told, status)) = said(&["segv"]) else {
        return;
    };
    assert_eq!(status, Some(128 + 11));
    is_as_in("segv.txt", &told);
    for (case, signal, name) in [
        ("abort", 6, "SIGABRT"),
        ("term", 15, "SIGTERM"),
        ("overflow", 11, "SIGSEGV"),
    ] {
        let Some((said, status)) = said(&[case]) else {
            return;
        };
        assert_eq!(status, Some(128 + signal), "{case}: {said}");
        let line = tools::line_with(&said, "was killed by");
        let end = format!("was killed by signal {signal} ({name}); live then: 1 block, 32 bytes");
        assert!(line.ends_with(&end), "{line}");
        if NAMES_FILES {
            tools::line_with(&said, "    hold at tests/c/audit/process.c:");
        }
    }
}

/// Starts the command, sends it signals when its program is ready, and waits for its end.
fn signalled(command: &mut Command, signals: &[&str]) -> std::process::Output {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;

    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // Whoever started the tests in the background, or by `nohup`, may have had them ignored.
    let heeds = || {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
            // SAFETY: to do what is usual with a signal is allowed wherever it comes.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: nothing is asked for memory, and no lock is taken.
    unsafe { command.pre_exec(heeds) };
    let mut running = command.spawn().expect("it starts");
    let mut ready = String::new();
    let stdout = running.stdout.take().expect("it is piped");
    BufReader::new(stdout)
        .read_line(&mut ready)
        .expect("it can be read");
    assert_eq!(ready, "ready\n");
    let process = running.id().to_string();
    for signal in signals {
        tools::run_ok(Command::new("kill").args([signal, process.as_str()]));
    }
    running.wait_with_output().expect("it ends")
}

/// A time-out ends the command: the program is told, and what was live is reported.
#[test]
fn a_signal_to_the_command_is_handed_on() {
    for (name, number) in [
        ("TERM", libc::SIGTERM),
        ("HUP", libc::SIGHUP),
        ("INT", libc::SIGINT),
        ("QUIT", libc::SIGQUIT),
        ("USR1", libc::SIGUSR1),
        ("USR2", libc::SIGUSR2),
    ] {
        let Some(mut command) = check(&[], &["wait"]) else {
            return;
        };
        let output = signalled(&mut command, &[&format!("-{name}")]);
        ends(&output, 128 + number);
        let killed =
            format!("was killed by signal {number} (SIG{name}); live then: 1 block, 32 bytes");
        tools::line_with(&text(&output.stderr), &killed);
    }
}

/// As under `nohup`: what is ignored when the command starts means nothing to the program either.
#[test]
fn a_signal_that_is_ignored_is_not_handed_on() {
    let Some(program) = programs::process() else {
        return;
    };
    let mut command = programs::command("sh");
    let script = "trap '' HUP; exec \"$@\"";
    command.args([
        "-c",
        script,
        "sh",
        env!("CARGO_BIN_EXE_olemem"),
        "check",
        "--",
    ]);
    let output = signalled(command.arg(program).arg("wait"), &["-HUP", "-TERM"]);
    ends(&output, 128 + 15);
    tools::line_with(&text(&output.stderr), "was killed by signal 15 (SIGTERM)");
}

#[test]
fn a_report_after_a_signal_has_the_same_form() {
    let Some(mut command) = check(&["--format", "json"], &["segv"]) else {
        return;
    };
    let output = tools::run(&mut command);
    let report = schema::report(&text(&output.stdout));
    assert_eq!(kinds_of(&report), ["double-free"]);
    assert_eq!(report["summary"]["live"], 1);
    assert_eq!(report["summary"]["operations"], 4);
    // The signal and what was live are data as well.
    let signals = report["signals"].as_array().expect("a list");
    let [signal] = signals.as_slice() else {
        panic!("{signals:?}");
    };
    assert_eq!(signal["signal"], 11);
    assert_eq!(signal["name"], "SIGSEGV");
    assert_eq!(signal["fatal"], true);
    assert!(signal["process"].as_u64() > Some(0));
    let live = signal["live"].as_array().expect("it is known");
    let [live] = live.as_slice() else {
        panic!("{live:?}");
    };
    assert_eq!(live["block"]["id"], 2);
    assert_eq!(live["block"]["family"], "bstr");
    if NAMES_FILES {
        assert_eq!(live["allocated_at"][0]["function"], "hold");
        assert_eq!(live["allocated_at"][1]["function"], "main");
    }
    // A program with a handler of its own ends by itself; SIGKILL leaves nothing.
    for (case, number, is_fatal, is_known) in [
        ("handler", 11, false, true),
        ("kill", 9, true, false),
        ("clean", 0, false, false),
    ] {
        let mut command = check(&["--format", "json"], &[case]).expect("as above");
        let report = schema::report(&text(&tools::run(&mut command).stdout));
        let signals = report["signals"].as_array().expect("a list");
        assert_eq!(signals.len(), usize::from(number > 0), "{case}");
        for signal in signals {
            assert_eq!(signal["signal"], number, "{case}");
            assert_eq!(signal["fatal"], is_fatal, "{case}");
            assert_eq!(signal["live"].is_array(), is_known, "{case}");
        }
    }
}

#[test]
fn sarif_after_a_signal_has_it_as_an_invocation() {
    let Some(mut command) = check(&["--format", "sarif"], &["segv"]) else {
        return;
    };
    let output = tools::run(&mut command);
    ends(&output, 128 + 11);
    let log = schema::sarif(&text(&output.stdout));
    let run = &log["runs"][0];
    assert_eq!(run["results"][0]["ruleId"], "double-free");
    let invocations = run["invocations"].as_array().expect("a list");
    let [invocation] = invocations.as_slice() else {
        panic!("{invocations:?}");
    };
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(invocation["exitSignalNumber"], 11);
    assert_eq!(invocation["exitSignalName"], "SIGSEGV");
    let told = &invocation["toolExecutionNotifications"];
    assert_eq!(told[0]["level"], "error");
    assert_eq!(
        told[0]["message"]["text"],
        "The process was killed by signal 11 (SIGSEGV); 1 block was live then."
    );
    assert_eq!(told[1]["level"], "note");
    assert_eq!(
        told[1]["message"]["text"],
        "Live: block 2: BSTR, 8 bytes, \"held\"."
    );
    if NAMES_FILES {
        let place = &told[1]["locations"][0]["physicalLocation"]["artifactLocation"];
        assert_eq!(place["uri"], "tests/c/audit/process.c");
    }
    let mut command = check(&["--format", "sarif"], &["clean"]).expect("as above");
    let output = tools::run(&mut command);
    let log = schema::sarif(&text(&output.stdout));
    assert_eq!(log["runs"][0]["invocations"], json!([]));
}

#[test]
fn a_handler_of_the_programs_own_is_called() {
    let Some((said, status)) = said(&["handler"]) else {
        return;
    };
    assert_eq!(status, Some(7), "{said}");
    assert!(said.starts_with("the program's own handler\n"), "{said}");
    tools::line_with(&said, "ended by itself after signal 11 (SIGSEGV)");
}

#[test]
fn a_killed_program_is_said_not_to_be_known() {
    let Some((said, status)) = said(&["kill"]) else {
        return;
    };
    assert_eq!(status, Some(128 + 9));
    tools::line_with(&said, "was killed; what it held is not known");
    tools::line_with(&said, "the program was killed by signal 9 (SIGKILL)");
}

#[test]
fn destructors_of_globals_come_before_the_report() {
    for library in [Library::Static, Library::Shared] {
        let Some(program) = build("global", Cxx, library, "export,audit") else {
            return;
        };
        let output = tools::run(&mut of(&[], &program));
        ends(&output, 0);
        let output = tools::run(of(&["--format", "json"], &program).arg("lose"));
        ends(&output, 99);
        let report = schema::report(&text(&output.stdout));
        assert_eq!(kinds_of(&report), ["leak"]);
        assert_eq!(report["violations"][0]["block"]["preview"], "lost");
    }
    for case in ["atexit", "destructor"] {
        let Some((said, status)) = said(&[case]) else {
            return;
        };
        assert_eq!(status, Some(0), "{case}: {said}");
    }
}

#[test]
fn the_shared_library_is_covered_as_the_static_one_is() {
    let Some(program) = build("process", C, Library::Shared, "export,audit") else {
        return;
    };
    ends(&tools::run(of(&[], &program).arg("clean")), 5);
    ends(&tools::run(of(&[], &program).arg("destructor")), 0);
    let output = tools::run(of(&[], &program).arg("double-free"));
    ends(&output, 99);
    let said = text(&output.stderr);
    if NAMES_FILES {
        tools::line_with(&said, "    twice at tests/c/audit/process.c:");
    }
    let output = tools::run(of(&[], &program).arg("segv"));
    ends(&output, 128 + 11);
    tools::line_with(&text(&output.stderr), "live then: 1 block, 32 bytes");
}

#[test]
fn a_library_that_is_closed_stays_until_the_end() {
    let Some(program) = build("plugin", C, Library::Shared, "export,audit") else {
        return;
    };
    let library = tools::library_with(Library::Shared, "export,audit");
    let output = tools::run(of(&[], &program).arg(&library));
    ends(&output, 99);
    assert_eq!(text(&output.stdout), "closed\n");
    tools::line_with(&text(&output.stderr), "error[leak]: a BSTR was never freed");
    let output = tools::run(of(&[], &program).arg(&library).arg("and-die"));
    ends(&output, 128 + 15);
    tools::line_with(
        &text(&output.stderr),
        "was killed by signal 15 (SIGTERM); live then: 1 block, 32 bytes",
    );
    // Opened once more it goes on where it was.
    let mut command = of(&["--format", "json"], &program);
    let output = tools::run(command.arg(&library).arg("twice"));
    ends(&output, 99);
    assert!(text(&output.stdout).starts_with("closed\n{"), "{output:?}");
    let report = schema::report(text(&output.stdout).trim_start_matches("closed\n"));
    assert_eq!(kinds_of(&report), ["leak", "leak"]);
    // Nor does an exit status of its own end a program where it closes the library.
    let mut command = programs::command(&program);
    command.env("OLEMEM", "check,exitcode=9");
    let output = tools::run(command.arg(&library).arg("twice"));
    ends(&output, 9);
    assert_eq!(text(&output.stdout), "closed\n");
    let said = text(&output.stderr);
    tools::line_with(&said, "olemem: 2 errors, 0 warnings; 2 operations");
}

// ------------------------------------------------------------------------------- several processes

#[test]
fn a_forked_child_reports_what_it_did_itself() {
    let Some((told, status)) = said(&["fork"]) else {
        return;
    };
    assert_eq!(status, Some(99));
    is_as_in("fork.txt", &told);
    let Some((said, status)) = said(&["fork-quiet"]) else {
        return;
    };
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn children_that_left_nothing_are_named() {
    for case in ["fork-killed", "fork-leaves"] {
        let Some((said, status)) = said(&[case]) else {
            return;
        };
        assert_eq!(status, Some(0), "{said}");
        tools::line_with(
            &said,
            "ended without a report: by _exit or quick_exit, by SIGKILL",
        );
    }
    let Some(mut command) = check(&["--deny", "vanished"], &["fork-leaves"]) else {
        return;
    };
    ends(&tools::run(&mut command), 99);
    let Some((said, _)) = said(&["fork-crashes"]) else {
        return;
    };
    tools::line_with(
        &said,
        "was killed by signal 11 (SIGSEGV); live then: 0 blocks",
    );
}

/// What is found while a process runs is written down then, what its verdicts and its quarantine find included; and those of
/// its kind's rules that it breaks, as after a signal.
#[test]
fn what_a_child_found_is_told_though_it_left() {
    let Some(program) = build("leaves", C, Library::Static, "export,audit") else {
        return;
    };
    let found = |case: &[&str], status| {
        let mut command = of(&["--format", "json"], &program);
        let output = tools::run(command.args(case));
        ends(&output, status);
        schema::report(&text(&output.stdout))
    };
    for case in [&["call"][..], &["call", "abort"]] {
        let report = found(case, 99);
        assert_eq!(kinds_of(&report), ["out-set-on-failure"], "{case:?}");
        assert_eq!(report["violations"][0]["rule"], json!(["R14"]), "{case:?}");
    }
    assert_eq!(kinds_of(&found(&["late"], 99)), ["write-after-free"]);
    // Nothing knows of it before the end.
    assert!(kinds_of(&found(&["lose"], 0)).is_empty());
}

#[test]
fn a_program_that_becomes_another_is_covered_from_there() {
    let Some(found) = kinds(&["exec", "leak"]) else {
        return;
    };
    assert_eq!(found, ["leak"]);
}

#[test]
fn all_processes_of_a_runner_are_covered() {
    let Some(program) = programs::process() else {
        return;
    };
    let script = "for case in leak clean double-free clean leak; do \"$0\" $case & done; wait";
    let mut command = of(&["--format", "json"], "sh");
    let output = tools::run(command.args(["-c", script]).arg(program));
    ends(&output, 99);
    let report = schema::report(&text(&output.stdout));
    assert_eq!(kinds_of(&report), ["double-free", "leak", "leak"]);
    assert_eq!(report["summary"]["allocated"], 5);
    assert_eq!(report["summary"]["errors"], 3);
    let said = normalised(&output.stderr);
    let lines = said.lines().filter(|line| line.contains("process N ("));
    assert_eq!(lines.count(), 5, "{said}");
}

/// What this binary does as a child.
#[test]
fn a_child() {
    match children::deed().as_deref() {
        Some("leak") => {
            let _ = olemem::Bstr::from("lost by Rust").into_raw();
        }
        Some("clean") => drop(olemem::Bstr::from("freed")),
        Some("thread-local") => {
            thread_local! {
                static KEPT: std::cell::RefCell<olemem::Bstr> = const { std::cell::RefCell::new(olemem::Bstr::new()) };
            }
            KEPT.set(olemem::Bstr::from("freed when its thread ends"));
        }
        Some("thread") => {
            let lose = || olemem::Bstr::from("lost by a thread").into_raw().addr();
            std::thread::spawn(lose).join().expect("it does not panic");
        }
        Some("sweep") => {
            let sweep = olemem::audit::Sweep::options().in_children();
            let sweep = sweep.run(|_| olemem::TaskBox::try_new(1_u8).is_ok());
            sweep.assert_clean();
            assert_eq!(sweep.runs().len(), 2);
            drop(olemem::Bstr::from("freed"));
        }
        Some("session") => {
            // A session of the program's own takes its thread over.
            let session = olemem::audit::Session::begin();
            let _ = olemem::Bstr::from("lost in a session").into_raw();
            session.finish().assert_kinds([olemem::audit::Kind::Leak]);
            drop(olemem::Bstr::from("freed"));
        }
        _ => {}
    }
}

#[test]
fn rust_programs_are_covered() {
    for (deed, status, preview) in [
        ("clean", 0, None),
        ("leak", 99, Some("lost by Rust")),
        ("thread", 99, Some("lost by a thread")),
        ("thread-local", 0, None),
        ("session", 0, None),
        // Nor is there a word of its children.
        ("sweep", 0, None),
    ] {
        let child = children::child("a_child", deed);
        let file = tools::scratch(&format!("check-rust-{deed}")).join("report");
        let path = file.to_str().expect("a plain name");
        let options = ["--output", path, "--format", "json"];
        let mut command = of(&options, child.get_program());
        command.args(child.get_args());
        for (name, value) in child.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        let output = tools::run(&mut command);
        ends(&output, status);
        let note = text(&output.stderr);
        // Of what the program looks for itself there is a line.
        let has_own = deed == "session";
        let told = "in sessions of the program's own, which had reports of their own\n";
        assert_eq!(note.ends_with(told), has_own, "{deed}: {note}");
        assert_eq!(note.lines().count(), usize::from(has_own), "{deed}: {note}");
        let report = schema::report(&fs::read_to_string(&file).expect("a report"));
        let found = report["violations"].as_array().expect("a list");
        assert_eq!(found.len(), usize::from(preview.is_some()), "{deed}");
        if let Some(preview) = preview {
            let violation = &found[0];
            assert_eq!(violation["block"]["preview"], preview);
            let function = violation["allocated_at"][0]["function"].as_str();
            let function = function.expect("it has a name");
            assert!(function.contains("a_child"), "{function}");
        }
    }
}

// ------------------------------------------------------------------------------------------ formats

#[test]
fn json_and_sarif_are_as_their_schemas_ask() {
    let Some(mut command) = check(&["--format", "json"], &["double-free"]) else {
        return;
    };
    let output = tools::run(&mut command);
    ends(&output, 99);
    assert_eq!(text(&output.stderr), "");
    schema::report(&text(&output.stdout));
    is_as_in("double-free.json", &normalised(&output.stdout));
    for case in ["clean", "leaks", "overrun", "warning"] {
        let Some(mut command) = check(&["--format=json"], &[case]) else {
            return;
        };
        schema::report(&text(&tools::run(&mut command).stdout));
        let mut command = check(&["--format=sarif"], &[case]).expect("as above");
        schema::sarif(&text(&tools::run(&mut command).stdout));
    }
}

/// Nothing was found because nothing could be: no page of results is to take that for clean.
#[test]
fn what_could_not_be_judged_is_in_every_format() {
    let told = |format: &str, program: &OsStr, case: &[&str]| {
        let output = tools::run(of(&["--format", format], program).args(case));
        ends(&output, 98);
        text(&output.stdout)
    };
    let judge = |program: &OsStr, case: &[&str], note: &str| {
        let report = schema::report(&told("json", program, case));
        assert_eq!(report["complete"], false);
        let notes = report["notes"].as_array().expect("a list");
        let is_it = |told: &Value| told.as_str().is_some_and(|told| told.contains(note));
        assert!(notes.iter().any(is_it), "{notes:?}");
        let log = schema::sarif(&told("sarif", program, case));
        let invocations = &log["runs"][0]["invocations"];
        assert_eq!(invocations.as_array().map(Vec::len), Some(1));
        assert_eq!(invocations[0]["executionSuccessful"], false);
        let notification = &invocations[0]["toolExecutionNotifications"][0];
        assert_eq!(notification["level"], "error");
        let message = notification["message"]["text"].as_str().expect("text");
        assert!(
            message.to_lowercase().contains(&note.to_lowercase()),
            "{message}"
        );
    };
    if let Some(true_) = tools::tool(&["true"]) {
        judge(
            true_.as_ref(),
            &[],
            "nothing was recorded: the program holds no olemem",
        );
    }
    let Some(program) = programs::process() else {
        return;
    };
    judge(program.as_os_str(), &["_exit"], "ended without a report");
    let mut command = check(&["--format", "json"], &["clean"]).expect("as above");
    let report = schema::report(&text(&tools::run(&mut command).stdout));
    assert_eq!(report["complete"], true);
    assert_eq!(report["notes"], json!([]));
    // Several processes that were all judged have their numbers as notes.
    let mut command = check(&["--format", "sarif"], &["fork"]).expect("as above");
    let log = schema::sarif(&text(&tools::run(&mut command).stdout));
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], true);
    assert_eq!(invocation["toolExecutionNotifications"][0]["level"], "note");
}

/// What no schema asks for: the parts belong together.
#[test]
fn sarif_has_a_rule_a_kind_and_a_result_a_violation() {
    let Some(mut command) = check(&["--format", "sarif"], &["double-free"]) else {
        return;
    };
    let output = tools::run(&mut command);
    ends(&output, 99);
    let log = schema::sarif(&text(&output.stdout));
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "olemem");
    let rules = driver["rules"].as_array().expect("a list");
    let ids: Vec<_> = rules
        .iter()
        .filter_map(|rule| rule["id"].as_str())
        .collect();
    let names: Vec<_> = olemem::audit::Kind::ALL
        .iter()
        .map(|kind| kind.name())
        .collect();
    assert_eq!(ids, names);
    for rule in rules {
        let help = rule["help"]["text"].as_str().expect("there is help");
        assert!(help.ends_with('.'), "{help}");
    }
    let results = run["results"].as_array().expect("a list");
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("a number");
        assert_eq!(
            result["ruleId"],
            ids[usize::try_from(index).expect("it is small")]
        );
        let place = &result["locations"][0]["physicalLocation"]["artifactLocation"];
        if NAMES_FILES {
            assert_eq!(place["uri"], "tests/c/audit/process.c");
            assert_eq!(place["uriBaseId"], "ROOT");
        }
    }
    let results = serde_json::to_string_pretty(results).expect("it was read");
    is_as_in("double-free.sarif", &(results + "\n"));
}

#[test]
fn text_has_colours_where_they_are_wanted() {
    let said = |options: &[&str], no_colour: bool| {
        let mut command = check(options, &["leak"])?;
        if no_colour {
            command.env("NO_COLOR", "1");
        }
        Some(text(&tools::run(&mut command).stderr))
    };
    let Some(painted) = said(&["--color", "always"], false) else {
        return;
    };
    assert!(painted.starts_with("\x1b[1;31merror[leak]\x1b[0m: a BSTR was never freed\n"));
    let plain = said(&[], false).expect("there is a compiler");
    assert!(!plain.contains('\x1b'), "{plain}");
    assert_eq!(Some(&plain), said(&["--color", "never"], false).as_ref());
    // On a terminal, but for NO_COLOR.
    let Some(script) = tools::tool(&["script"]).filter(|_| cfg!(target_os = "linux")) else {
        return;
    };
    let on_terminal = |no_colour: bool| {
        let mut command = Command::new(&script);
        let program = programs::process().expect("there is a compiler");
        let olemem = env!("CARGO_BIN_EXE_olemem");
        command
            .current_dir(tools::root())
            .env_remove("OLEMEM")
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .args([
                "-qec",
                &format!("'{olemem}' check -- '{}' leak", program.display()),
            ])
            .arg("/dev/null");
        if no_colour {
            command.env("NO_COLOR", "1");
        }
        text(&tools::run(&mut command).stdout)
    };
    assert!(on_terminal(false).contains("\x1b[1;31merror[leak]"));
    let plain = on_terminal(true);
    assert!(
        plain.contains("error[leak]") && !plain.contains('\x1b'),
        "{plain}"
    );
}

// ------------------------------------------------------------------------------------------ options

fn scratch(name: &str, content: &str) -> std::path::PathBuf {
    let path = tools::scratch(&format!("check-{name}")).join("file");
    fs::write(&path, content).expect("the build folder can be written");
    path
}

#[test]
fn what_is_suppressed_is_counted() {
    let known = scratch("suppress", "# known\nleak lose *\n");
    let file = known.to_str().expect("a plain path");
    let Some(mut command) = check(&["--suppress", file], &["leaks"]) else {
        return;
    };
    let output = tools::run(&mut command);
    ends(&output, 99);
    let said = text(&output.stderr);
    tools::line_with(&said, "olemem: 1 error, 0 warnings");
    tools::line_with(&said, "olemem: 3 violations suppressed");
    let mut command = check(&["--suppress", file], &["leak"]).expect("as above");
    ends(&tools::run(&mut command), 0);
    let mut command =
        check(&["--suppress", file, "--halt-first"], &["double-free"]).expect("as above");
    ends(&tools::run(&mut command), 128 + 6);
}

/// A path is as it is in the program, or as reports show it.
#[test]
fn a_file_is_suppressed_by_the_path_that_the_report_shows() {
    if !NAMES_FILES {
        return;
    }
    let whole = tools::root().join("tests/c/audit/process.c");
    for path in [
        "tests/c/audit/process.c",
        "*/process.c",
        whole.to_str().expect("plain"),
    ] {
        let known = scratch("suppress-path", &format!("leak lose {path}\n"));
        let file = known.to_str().expect("a plain path");
        let Some(mut command) = check(&["--suppress", file], &["leak"]) else {
            return;
        };
        ends(&tools::run(&mut command), 0);
    }
}

#[test]
fn suppressions_of_nothing_are_told() {
    let known = scratch(
        "suppress-nothing",
        "# known\nleak lose\nleak  main process.c # why\n",
    );
    let file = known.to_str().expect("a plain path");
    let Some(mut command) = check(&["--suppress", file], &["leak"]) else {
        return;
    };
    let output = tools::run(&mut command);
    ends(&output, 0);
    assert!(
        text(&output.stderr).ends_with(
            "olemem: 1 violation suppressed\nolemem: suppressions: nothing is of line 3: leak main process.c\n"
        ),
        "{output:?}"
    );
}

/// A global keeps what it has on purpose: the program says so itself, or a file does.
#[test]
fn what_globals_keep_is_named_or_suppressed() {
    for (name, language, pattern, leaks) in [
        ("kept", C, "leak keep *kept.c\n", 2),
        ("global", Cxx, "leak *for_ever* *\n", 1),
    ] {
        let Some(program) = build(name, language, Library::Static, "export,audit") else {
            return;
        };
        ends(&tools::run(of(&[], &program).arg("on-purpose")), 0);
        let output = tools::run(of(&["--format", "json"], &program).arg("keep"));
        ends(&output, 99);
        let report = schema::report(&text(&output.stdout));
        assert_eq!(kinds_of(&report), vec!["leak"; leaks]);
        assert_eq!(report["violations"][0]["block"]["preview"], "of a static");
        if !NAMES_FILES {
            continue;
        }
        let known = scratch(&format!("suppress-{name}"), pattern);
        let file = known.to_str().expect("a plain path");
        let output = tools::run(of(&["--suppress", file], &program).arg("keep"));
        ends(&output, 0);
        let suppressed = format!("olemem: {leaks} violation");
        tools::line_with(&text(&output.stderr), &suppressed);
    }
}

#[test]
fn an_allocation_fails_where_it_is_asked_for() {
    for (nth, printed) in [("1", "0 1\n"), ("2", "1 0\n"), ("3", "1 1\n")] {
        let Some(mut command) = check(&["--fail-at", nth], &["out-of-memory"]) else {
            return;
        };
        let output = tools::run(&mut command);
        ends(&output, 0);
        assert_eq!(text(&output.stdout), printed);
    }
}

#[test]
fn the_first_violation_halts() {
    let Some(mut command) = check(&["--halt-first"], &["overrun"]) else {
        return;
    };
    let output = tools::run(&mut command);
    ends(&output, 128 + 6);
    assert!(text(&output.stderr).starts_with("error[overrun]: byte 1 behind a BSTR"));
}

#[test]
fn a_stray_access_is_told_where_it_happens_if_there_are_pages() {
    let Some(mut command) = check(&["--guard", "page"], &["stray"]) else {
        return;
    };
    let output = tools::run(&mut command);
    if cfg!(target_os = "linux") {
        ends(&output, 128 + 11);
        let said = text(&output.stderr);
        assert_eq!(said.matches("error[overrun]").count(), 1, "{said}");
        tools::line_with(&said, "    stray at tests/c/audit/process.c:");
    }
    let mut command = check(&["--guard", "page"], &["clean"]).expect("as above");
    ends(&tools::run(&mut command), 5);
}

#[test]
fn warnings_count_where_they_are_denied() {
    let Some(mut command) = check(&[], &["warning"]) else {
        return;
    };
    let output = tools::run(&mut command);
    ends(&output, 0);
    tools::line_with(&text(&output.stderr), "warning[terminator-overwritten]");
    let mut command = check(&["--deny", "warnings"], &["warning"]).expect("as above");
    ends(&tools::run(&mut command), 99);
    let mut command = check(&["--error-exitcode", "7"], &["leak"]).expect("as above");
    ends(&tools::run(&mut command), 7);
}

#[test]
fn stacks_and_the_quarantine_may_be_left_out() {
    let Some(mut command) = check(
        &[
            "--backtrace",
            "off",
            "--quarantine",
            "0",
            "--format",
            "json",
        ],
        &["leak"],
    ) else {
        return;
    };
    let report = schema::report(&text(&tools::run(&mut command).stdout));
    assert_eq!(report["violations"][0]["allocated_at"], json!([]));
}

#[test]
fn the_report_goes_where_it_is_to_go() {
    let path = scratch(
        "output",
        "something else, and longer than the report is going to be",
    );
    let file = path.to_str().expect("a plain path");
    let Some(mut command) = check(&["--output", file], &["clean"]) else {
        return;
    };
    let output = tools::run(&mut command);
    ends(&output, 5);
    assert_eq!(text(&output.stderr), "");
    let said = fs::read_to_string(path).expect("it was written");
    assert!(
        said.starts_with("olemem: 0 errors") && said.ends_with("at a time)\n"),
        "{said}"
    );
}

// ------------------------------------------------------------------------------------ what goes wrong

#[test]
fn a_program_without_olemem_is_an_error_of_its_own() {
    let Some(true_) = tools::tool(&["true"]) else {
        return;
    };
    let output = tools::run(&mut of(&[], true_));
    ends(&output, 98);
    let said = text(&output.stderr);
    tools::line_with(&said, "nothing was recorded: the program holds no olemem");
    let Some(program) = build("process", C, Library::Static, "export") else {
        return;
    };
    let output = tools::run(of(&[], program).arg("clean"));
    ends(&output, 98);
    let said = text(&output.stderr);
    tools::line_with(&said, "this program's olemem is built without the audit");
    tools::line_with(&said, "or one without the feature `audit`");
}

#[test]
fn a_program_that_cannot_be_started_is_told() {
    let output = tools::run(&mut of(&[], "./there-is-no-such-program"));
    ends(&output, 127);
    tools::line_with(
        &text(&output.stderr),
        "olemem: ./there-is-no-such-program: ",
    );
    let output = tools::run(&mut of(&[], tools::root()));
    ends(&output, 126);
    tools::line_with(&text(&output.stderr), "olemem: ");
}

#[test]
fn an_unwritable_report_is_told_before_the_program_runs() {
    let Some(mut command) = check(&["--output", "/nowhere/at/all"], &["prints"]) else {
        return;
    };
    let output = tools::run(&mut command);
    ends(&output, 97);
    assert_eq!(text(&output.stdout), "");
    tools::line_with(
        &text(&output.stderr),
        "olemem: /nowhere/at/all: No such file",
    );
}

#[test]
fn mistakes_in_the_arguments_are_told() {
    let bad = scratch("bad-suppressions", "leak\nnonsense main\n");
    let bad = bad.to_str().expect("a plain path");
    for (options, what) in [
        (&["--nonsense"] as &[&str], "--nonsense"),
        (&["--format", "xml"], "text, json, sarif"),
        (&["--quarantine", "1T"], "a number is needed"),
        (&["--fail-at", "0"], "--fail-at"),
        (&["--error-exitcode", "256"], "--error-exitcode"),
        (&["--deny", "errors"], "warnings"),
        (&["--suppress", "/nowhere"], "/nowhere"),
        (&["--suppress", bad], "line 2: nonsense"),
    ] {
        let output = tools::run(&mut of(options, "true"));
        ends(&output, 2);
        tools::line_with(&text(&output.stderr), what);
    }
    let output = tools::run(programs::command(env!("CARGO_BIN_EXE_olemem")).arg("check"));
    ends(&output, 2);
}

#[test]
fn what_the_environment_says_besides_goes_on() {
    let Some(mut command) = check(&[], &["clean"]) else {
        return;
    };
    let output = tools::run(command.env("OLEMEM", "cache=windows,nonsense"));
    ends(&output, 5);
    let said = text(&output.stderr);
    tools::line_with(&said, "OLEMEM=cache=windows,nonsense,check");
    tools::line_with(&said, "olemem: 0 errors");
}

/// The options are for what is not in the environment, or goes before it.
#[test]
fn an_option_goes_before_the_environment() {
    let leak_of = |options: &[&str], environment: &str| {
        let options = [options, &["--format", "json"]].concat();
        let output = tools::run(check(&options, &["leak"])?.env("OLEMEM", environment));
        ends(&output, 99);
        let report = schema::report(&text(&output.stdout));
        Some(report["violations"][0]["allocated_at"].clone())
    };
    let nothing = json!([]);
    let Some(places) = leak_of(&[], "backtrace=off") else {
        return;
    };
    assert_eq!(places, nothing);
    let places = leak_of(&["--backtrace", "full"], "backtrace=off").expect("as above");
    assert_ne!(places, nothing);

    // With pages the stray write ends the program, with guard bytes it is found later.
    let mut command = check(&[], &["stray"]).expect("as above");
    let output = tools::run(command.env("OLEMEM", "guard=page"));
    if cfg!(target_os = "linux") {
        ends(&output, 128 + 11);
    }
    let mut command = check(&["--guard", "bytes"], &["stray"]).expect("as above");
    let output = tools::run(command.env("OLEMEM", "guard=page"));
    ends(&output, 99);
}

#[test]
fn suppressions_may_be_named_in_the_environment() {
    let known = scratch("known-by-environment", "leak\n");
    let environment = format!("suppress={}", known.to_str().expect("a plain path"));
    let Some(mut command) = check(&[], &["leak"]) else {
        return;
    };
    let output = tools::run(command.env("OLEMEM", &environment));
    ends(&output, 0);
    let said = text(&output.stderr);
    assert!(!said.contains("error[leak]"), "{said}");
    tools::line_with(&said, "olemem: 1 violation suppressed");
    // The option's file, not this one.
    let other = scratch("known-by-option", "overrun\n");
    let other = other.to_str().expect("a plain path");
    let mut command = check(&["--suppress", other], &["leak"]).expect("as above");
    ends(&tools::run(command.env("OLEMEM", &environment)), 99);
    let mut command = check(&[], &["leak"]).expect("as above");
    let output = tools::run(command.env("OLEMEM", "suppress=/nowhere"));
    ends(&output, 2);
}

#[test]
fn keys_that_change_nothing_are_told() {
    let report = tools::scratch("not-followed").join("report");
    let Some(mut command) = check(&[], &["clean"]) else {
        return;
    };
    let environment = format!("format=json,report={}", report.display());
    let output = tools::run(command.env("OLEMEM", environment));
    ends(&output, 5);
    let said = text(&output.stderr);
    tools::line_with(
        &said,
        "olemem: report= in OLEMEM is not followed here: --output",
    );
    tools::line_with(
        &said,
        "olemem: format= in OLEMEM is not followed here: --format",
    );
    tools::line_with(&said, "olemem: 0 errors");
    assert!(!report.exists());
}

#[test]
fn a_quarantine_may_be_large() {
    let Some(mut command) = check(&["--quarantine", "99999999999"], &["clean"]) else {
        return;
    };
    let output = tools::run(&mut command);
    ends(&output, 5);
    // Nobody complains of it either.
    assert_eq!(text(&output.stderr).lines().count(), 1);
    let output = tools::run(&mut of(&["--quarantine", "99999999999G"], "true"));
    ends(&output, 2);
    tools::line_with(
        &text(&output.stderr),
        "that is more than there can be bytes",
    );
}

#[test]
fn no_records_stay_behind() {
    let folder = tools::scratch("check-records");
    let Some(mut command) = check(&[], &["fork"]) else {
        return;
    };
    ends(&tools::run(command.env("TMPDIR", &folder)), 99);
    let left: Vec<_> = fs::read_dir(&folder).expect("it is there").collect();
    assert!(left.is_empty(), "{left:?}");
    let output = tools::run(of(&[], "true").env("TMPDIR", "/nowhere/at/all"));
    ends(&output, 97);
}
