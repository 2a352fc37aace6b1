//! `olemem sweep`, as a user runs it: each way a run may end, each format, each option, each exit status.
#![cfg(all(feature = "cli", unix, not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/programs.rs"]
mod programs;
#[path = "support/schema.rs"]
mod schema;
#[path = "support/tools.rs"]
mod tools;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cc::Language::C;
use cc::text;
use programs::{NAMES_FILES, ends};
use serde_json::{Value, json};
use tools::Library;

/// `tests/c/audit/sweep.c`. `None` without a C compiler.
fn program() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT
        .get_or_init(|| programs::build("sweep", C, Library::Static, "export,audit"))
        .as_deref()
}

/// The command with options, for any program.
fn of(options: &[&str], program: impl AsRef<OsStr>) -> Command {
    let mut command = programs::command(env!("CARGO_BIN_EXE_olemem"));
    command.arg("sweep").args(options).arg("--").arg(program);
    command
}

/// The command with options, for a case of the program's.
fn sweep(options: &[&str], case: &str) -> Option<Command> {
    let mut command = of(options, program()?);
    command.arg(case);
    Some(command)
}

/// The table and all that follows, without places, and the exit status.
#[track_caller]
fn said(options: &[&str], case: &str) -> Option<(String, i32)> {
    let mut command = sweep(options, case)?;
    let output = tools::run(command.env("OLEMEM", "backtrace=off"));
    let status = output.status.code().expect("it exits");
    Some((text(&output.stdout), status))
}

/// The sweep as JSON, which must be of the documented form.
#[track_caller]
fn parsed(options: &[&str], case: &str) -> Option<Value> {
    let options: Vec<_> = options
        .iter()
        .copied()
        .chain(["--format", "json"])
        .collect();
    let output = tools::run(&mut sweep(&options, case)?);
    Some(schema::sweep(&text(&output.stdout)))
}

/// What is wrong with each run.
fn wrongs(sweep: &Value) -> Vec<Value> {
    let runs = sweep["runs"].as_array().expect("a list");
    runs.iter().map(|run| run["wrong"].clone()).collect()
}

// ---------------------------------------------------------------------------------- a method, and its twin

#[test]
fn a_careful_method_is_clean() {
    let Some((said, status)) = said(&[], "careful") else {
        return;
    };
    assert_eq!(
        said,
        "\
allocation  what            the callee             verdict
         1  BSTR, 32 bytes  failed: exit status 3  ok
         2  BSTR, 32 bytes  failed: exit status 3  ok
         3  BSTR, 32 bytes  failed: exit status 3  ok
         4  nothing         succeeded              ok

olemem: 4 runs, 3 allocations failed in turn; 0 runs are broken: 0 errors, 0 warnings
"
    );
    assert_eq!(status, 0);
}

#[test]
fn its_sloppy_twin_is_caught_at_each_point() {
    let Some(mut command) = sweep(&[], "sloppy") else {
        return;
    };
    let output = tools::run(&mut command);
    ends(&output, 99);
    programs::is_as_in("sweep-sloppy.txt", &text(&output.stdout));
    let note = text(&output.stderr);
    assert!(
        note.starts_with("olemem: one of them alone: olemem check --fail-at 1 -- "),
        "{note}"
    );
    assert!(
        note.ends_with("sweep-static-export-audit sloppy\n"),
        "{note}"
    );
    let (table, _) = said(&[], "sloppy").expect("as above");
    assert!(
        table.starts_with(
            "\
allocation  what            the callee                    verdict
         1  BSTR, 32 bytes  crashed: signal 11 (SIGSEGV)  crashed
         2  BSTR, 32 bytes  failed: exit status 3         leak
         3  BSTR, 32 bytes  failed: exit status 3         double-free
         4  nothing         succeeded                     ok

"
        ),
        "{table}"
    );
}

// ---------------------------------------------------------------------------------------- how a run may end

#[test]
fn a_program_that_tries_again_ends() {
    let Some(sweep) = parsed(&[], "retry") else {
        return;
    };
    assert_eq!(
        sweep["summary"],
        json!({ "runs": 4, "allocations": 3, "broken": 0, "complete": true, "errors": 0, "warnings": 0 })
    );
}

#[test]
fn a_program_that_hangs_is_ended() {
    let began = Instant::now();
    for case in ["hang", "ignore-end"] {
        let Some((said, status)) = said(&["--timeout", "0.3"], case) else {
            return;
        };
        let line = tools::line_with(&said, "         1  ");
        let end = "task memory, 8 bytes  did not come back in time  timed-out";
        assert!(line.ends_with(end), "{said}");
        assert_eq!(status, 99);
    }
    assert!(began.elapsed() < Duration::from_secs(30));
}

/// One that never has memory again tries for ever, which its time-out tells.
#[test]
fn all_allocations_behind_the_first_may_fail() {
    let Some(sweep) = parsed(
        &["--from-then-on", "--timeout", "0.5", "--limit", "1"],
        "retry",
    ) else {
        return;
    };
    assert_eq!(wrongs(&sweep), [json!(["timed-out"])]);
    // All are counted, and the first hundred told.
    let run = &sweep["runs"][0];
    assert!(run["failed"].as_u64() > Some(100), "{run}");
    assert_eq!(run["failures"].as_array().map(Vec::len), Some(100));
}

#[test]
fn a_signal_is_a_row_whichever_it_is() {
    let Some(sweep) = parsed(&[], "kill") else {
        return;
    };
    assert_eq!(
        wrongs(&sweep),
        [json!(["crashed"]), json!(["crashed"]), json!([])]
    );
    assert_eq!(
        sweep["runs"][0]["did"],
        json!({ "what": "crashed", "number": 9, "text": null })
    );
    // It was written down before the signal.
    assert_eq!(sweep["runs"][0]["failures"][0]["bytes"], 8);
}

#[test]
fn a_child_that_crashes_is_a_row() {
    let Some(sweep) = parsed(&[], "child") else {
        return;
    };
    assert_eq!(
        wrongs(&sweep),
        [json!(["crashed"]), json!(["crashed"]), json!([])]
    );
    assert_eq!(sweep["runs"][0]["did"]["what"], "succeeded");
}

#[test]
fn what_leaves_without_a_report_is_not_judged() {
    let Some((said, status)) = said(&[], "_exit") else {
        return;
    };
    assert_eq!(status, 98, "{said}");
    let line = tools::line_with(&said, "         1  ");
    assert!(
        line.ends_with("failed: exit status 4  left-no-report"),
        "{said}"
    );
}

#[test]
fn the_programs_own_status_is_kept() {
    let Some((said, status)) = said(&[], "status") else {
        return;
    };
    assert_eq!(status, 7, "{said}");
}

// ------------------------------------------------------------------------------------------------- options

#[test]
fn runs_side_by_side_find_the_same() {
    let Some(alone) = parsed(&[], "many") else {
        return;
    };
    assert_eq!(alone["summary"]["runs"], 21);
    for jobs in ["2", "7", "40"] {
        assert_eq!(parsed(&["--jobs", jobs], "many"), Some(alone.clone()));
    }
}

#[test]
fn one_family_or_the_large_ones_alone() {
    for (options, family) in [
        (&["--family", "bstr"] as &[&str], "bstr"),
        (&["--family", "task"], "task"),
        (&["--above", "1000"], "bstr"),
    ] {
        let Some(sweep) = parsed(options, "families") else {
            return;
        };
        assert_eq!(sweep["summary"]["runs"], 2);
        assert_eq!(sweep["runs"][0]["failures"][0]["family"], family);
    }
}

#[test]
fn a_limit_is_told() {
    let Some((said, status)) = said(&["--limit", "2"], "many") else {
        return;
    };
    assert!(
        said.ends_with("there are more allocations than runs were allowed\n"),
        "{said}"
    );
    assert_eq!(status, 0);
}

#[test]
fn what_is_suppressed_is_counted() {
    let known = tools::scratch("sweep-suppress").join("file");
    fs::write(&known, "leak\ndouble-free\n").expect("the build folder can be written");
    let file = known.to_str().expect("a plain path");
    let Some(mut command) = sweep(&["--suppress", file, "--format", "json"], "sloppy") else {
        return;
    };
    let output = tools::run(&mut command);
    let sweep: Value = serde_json::from_str(&text(&output.stdout)).expect("it is JSON");
    assert_eq!(
        wrongs(&sweep),
        [json!(["crashed"]), json!([]), json!([]), json!([])]
    );
    tools::line_with(&text(&output.stderr), "olemem: 2 violations suppressed");
}

#[test]
fn the_status_of_errors_can_be_chosen() {
    let Some((_, status)) = said(&["--error-exitcode", "5"], "sloppy") else {
        return;
    };
    assert_eq!(status, 5);
}

#[test]
fn what_the_program_prints_is_dropped_unless_it_is_wanted() {
    let Some((plain, _)) = said(&[], "prints") else {
        return;
    };
    assert!(plain.starts_with("allocation"), "{plain}");
    let (shown, _) = said(&["--show-output"], "prints").expect("as above");
    assert!(shown.starts_with("0\n1\nallocation"), "{shown}");
}

#[test]
fn sarif_has_a_result_for_each_thing_that_is_wrong() {
    let Some(mut command) = sweep(&["--format", "sarif"], "sloppy") else {
        return;
    };
    let output = tools::run(&mut command);
    ends(&output, 99);
    let log = schema::sarif(&text(&output.stdout));
    let results = log["runs"][0]["results"].as_array().expect("a list");
    let ids: Vec<_> = results.iter().map(|result| &result["ruleId"]).collect();
    assert_eq!(ids, ["crashed", "leak", "double-free"]);
    assert_eq!(
        results[1]["message"]["text"],
        "A BSTR was never freed. With allocation 2 failing (BSTR, 32 bytes)."
    );
    if NAMES_FILES {
        for result in results {
            let place = &result["locations"][0]["physicalLocation"]["artifactLocation"];
            assert_eq!(place["uri"], "tests/c/audit/sweep.c");
        }
    }
}

/// On a terminal a bar tells how far it has come; it is gone at the end.
#[test]
fn a_terminal_has_a_bar() {
    let Some(program) = program() else {
        return;
    };
    let Some(script) = tools::tool(&["script"]).filter(|_| cfg!(target_os = "linux")) else {
        return;
    };
    let olemem = env!("CARGO_BIN_EXE_olemem");
    let sweep = format!(
        "'{olemem}' sweep --output /dev/null -- '{}' many",
        program.display()
    );
    let mut command = programs::command(script);
    command
        .env("TERM", "xterm")
        .args(["-qec", &sweep])
        .arg("/dev/null");
    let shown = text(&tools::run_ok(&mut command).stdout);
    assert!(shown.contains("of some 21 runs"), "{shown}");
    let mut command = sweep_to_null(program);
    assert_eq!(text(&tools::run_ok(&mut command).stderr), "");
}

fn sweep_to_null(program: &Path) -> Command {
    let mut command = of(&["--output", "/dev/null"], program);
    command.arg("many");
    command
}

#[test]
fn a_choice_that_nothing_matches_is_an_error_of_its_own() {
    let Some(mut command) = sweep(&["--above", "100000"], "families") else {
        return;
    };
    let output = tools::run(&mut command);
    ends(&output, 98);
    tools::line_with(&text(&output.stdout), "nothing-matched");
    tools::line_with(&text(&output.stderr), "nothing was made to fail");
}

// -------------------------------------------------------------------------------------- what goes wrong

#[test]
fn a_program_without_olemem_is_an_error_of_its_own() {
    let Some(true_) = tools::tool(&["true"]) else {
        return;
    };
    let output = tools::run(&mut of(&[], true_));
    ends(&output, 98);
    tools::line_with(
        &text(&output.stderr),
        "nothing was recorded: the program holds no olemem",
    );
}

#[test]
fn a_program_that_cannot_be_started_is_told() {
    let output = tools::run(&mut of(&[], "./there-is-no-such-program"));
    ends(&output, 127);
    let said = text(&output.stderr);
    tools::line_with(&said, "olemem: ./there-is-no-such-program: ");
    ends(&tools::run(&mut of(&[], tools::root())), 126);
}

#[test]
fn mistakes_in_the_arguments_are_told() {
    for (options, what) in [
        (&["--nonsense"] as &[&str], "--nonsense"),
        (&["--format", "xml"], "text, json, sarif"),
        (&["--jobs", "0"], "--jobs"),
        (&["--limit", "0"], "--limit"),
        (&["--timeout", "0"], "a number of seconds is needed"),
        (&["--family", "heap"], "bstr, task"),
        (&["--above", "much"], "--above"),
        (&["--suppress", "/nowhere"], "/nowhere"),
    ] {
        let output = tools::run(&mut of(options, "true"));
        ends(&output, 2);
        tools::line_with(&text(&output.stderr), what);
    }
    let output = tools::run(&mut of(&["--output", "/nowhere/at/all"], "true"));
    ends(&output, 97);
}

/// A signal ends the program that runs, and what was found so far is told.
#[test]
fn a_signal_to_the_command_ends_it_in_order() {
    let folder = tools::scratch("sweep-signal");
    let Some(mut command) = sweep(&[], "hang") else {
        return;
    };
    command
        .env("TMPDIR", &folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let running = command.spawn().expect("it starts");
    let began = Instant::now();
    while fs::read_dir(&folder).expect("it is there").next().is_none() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "nothing was started"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let process = running.id().to_string();
    tools::run_ok(Command::new("kill").args(["-TERM", &process]));
    let output = running.wait_with_output().expect("it ends");
    ends(&output, 128 + 15);
    tools::line_with(
        &text(&output.stdout),
        "more allocations than runs were allowed",
    );
    let left: Vec<_> = fs::read_dir(&folder).expect("it is there").collect();
    assert!(left.is_empty(), "{left:?}");
}
