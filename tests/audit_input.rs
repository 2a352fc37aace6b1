//! Inputs of a fuzzer's: in a watched process each answers for itself, elsewhere nothing happens.
#![cfg(all(feature = "audit", unix, not(miri)))]

#[path = "support/children.rs"]
mod children;

use std::os::unix::process::ExitStatusExt;
use std::panic::{catch_unwind, resume_unwind};
use std::process::Output;

use olemem::audit::{self, Backtrace, Kind, Session};
use olemem::{Bstr, raw};

unsafe extern "C" {
    safe fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
}

/// Says how far the child has come.
fn reached(place: &str) {
    println!("reached {place}");
}

/// Has a child that does nothing.
fn fork_and_wait() {
    let pid = fork();
    if pid == 0 {
        std::process::exit(0);
    }
    let mut status = -1;
    // SAFETY: an int is what is written.
    let ended = unsafe { waitpid(pid, &raw mut status, 0) };
    assert_eq!((ended, status), (pid, 0));
}

/// Two strings to be freed, and never are.
fn leak() {
    let _ = [
        Bstr::from("first").into_raw(),
        Bstr::from("second").into_raw(),
    ];
}

fn free_twice() {
    let text = Bstr::from("twice").into_raw();
    // SAFETY: the string is live.
    unsafe { raw::free(text) };
    // SAFETY: not argued: in a watched process nothing is touched.
    unsafe { raw::free(text) };
}

#[test]
fn child() {
    let Some(deed) = children::deed() else {
        return;
    };
    let before = Bstr::from("from before");
    let length = audit::input(|| Bstr::from("freed").len());
    assert_eq!(length, 5);
    audit::input(|| drop(before));
    reached("the input");
    match &*deed {
        "nothing" => audit::input(|| {}),
        "leaks" => audit::input(leak),
        "leaks and unwinds" => audit::input(|| {
            leak();
            resume_unwind(Box::new(()));
        }),
        "unwinds" => {
            let result = catch_unwind(|| {
                audit::input(|| {
                    let _freed = Bstr::from("freed on the way");
                    resume_unwind(Box::new("why"));
                });
            });
            let why = result.expect_err("it unwound");
            assert_eq!(why.downcast_ref(), Some(&"why"));
        }
        "frees twice" => audit::input(|| {
            free_twice();
            reached("the end of the input");
        }),
        "frees what is older twice" => {
            let text = Bstr::from("twice").into_raw();
            audit::input(|| {
                // SAFETY: the string is live.
                unsafe { raw::free(text) };
                // SAFETY: not argued: in a watched process nothing is touched.
                unsafe { raw::free(text) };
                reached("the end of the input");
            });
        }
        "writes behind what is older" => {
            let text = Bstr::from("behind");
            audit::input(|| {
                let behind = text.len() + 1;
                let end = text.as_raw().cast_mut().wrapping_add(behind).cast::<u8>();
                // SAFETY: not argued: in a watched process guards are there, and nobody else uses them.
                unsafe { end.write(0x41) };
                reached("the end of the input");
            });
        }
        "was wrong before" => {
            free_twice();
            audit::input(|| {});
        }
        #[cfg(feature = "export")]
        "frees what is older twice in C" => {
            let text = Bstr::from("twice").into_raw();
            let number = olemem::export::olemem_input_begin();
            // SAFETY: the string is live.
            unsafe { raw::free(text) };
            // SAFETY: not argued: in a watched process nothing is touched.
            unsafe { raw::free(text) };
            reached("the end of the input");
            olemem::export::olemem_input_end(number);
        }
        "forks" => fork_and_wait(),
        "forks in an input" => audit::input(|| {
            let _text = Bstr::from("theirs");
            fork_and_wait();
        }),
        "keeps" => audit::input(|| {
            assert!(audit::ignore(Bstr::from("for ever").into_raw()));
        }),
        "has a session" => audit::input(|| {
            // What a session of the program's finds is its own to tell.
            let session = Session::options().backtrace(Backtrace::Off).begin();
            free_twice();
            session.finish().assert_kinds([Kind::DoubleFree]);
        }),
        #[cfg(feature = "export")]
        "leaks in C" => {
            let number = olemem::export::olemem_input_begin();
            leak();
            olemem::export::olemem_input_end(number);
            assert_eq!(number, 0);
        }
        #[cfg(feature = "export")]
        "is over in C" => {
            let number = olemem::export::olemem_input_begin();
            olemem::export::olemem_input_end(number);
            leak();
            olemem::export::olemem_input_end(number);
        }
        other => panic!("{other}"),
    }
    reached("the end");
    // What is left is not for the process's own report.
    std::process::exit(7);
}

fn run(keys: Option<&str>, deed: &str) -> Output {
    let mut command = children::child("child", deed);
    if let Some(keys) = keys {
        command.env("OLEMEM", keys);
    }
    command.output().expect("it runs")
}

/// The places that a child reached.
fn places(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stdout);
    let places = said.lines().filter_map(|line| line.split_once("reached "));
    places.map(|(_, place)| place.to_owned()).collect()
}

#[track_caller]
fn ends(output: &Output) {
    let all = children::all_of(output);
    assert_eq!(output.status.code(), Some(7), "{all}");
    assert_eq!(places(output), ["the input", "the end"], "{all}");
}

#[track_caller]
fn is_aborted(output: &Output, reached: &[&str], story: &str) {
    let all = children::all_of(output);
    assert_eq!(output.status.signal(), Some(6), "{all}");
    assert_eq!(places(output), reached, "{all}");
    let said = String::from_utf8_lossy(&output.stderr);
    let (told, _) = said.rsplit_once("olemem: ").expect("numbers at the end");
    assert_eq!(told.trim_end(), story.trim_end(), "{all}");
}

const LEAKS: &str = "\
error[leak]: a BSTR was never freed
  block 1: BSTR, 10 bytes, \"first\"
  rule: R1
  help: whoever owns the block at the end frees it: SysFreeString for a BSTR, CoTaskMemFree for task memory

error[leak]: a BSTR was never freed
  block 2: BSTR, 12 bytes, \"second\"
  rule: R1
  help: whoever owns the block at the end frees it: SysFreeString for a BSTR, CoTaskMemFree for task memory
";

const TWICE: &str = "\
error[double-free]: a BSTR that was freed before is freed again
  block 1: BSTR, 10 bytes, \"twice\"
  rule: R21
  help: free each block once; after handing ownership on, or freeing, set the variable to NULL
";

#[test]
fn an_input_that_leaks_ends_the_process() {
    for keys in ["check,backtrace=off", "check,halt=first,backtrace=off"] {
        is_aborted(&run(Some(keys), "leaks"), &["the input"], LEAKS);
        let unwinds = run(Some(keys), "leaks and unwinds");
        is_aborted(&unwinds, &["the input"], LEAKS);
        #[cfg(feature = "export")]
        is_aborted(&run(Some(keys), "leaks in C"), &["the input"], LEAKS);
    }
}

#[test]
fn a_bad_call_does_so_at_once_or_at_the_end_of_the_input() {
    let output = run(Some("check,halt=first,backtrace=off"), "frees twice");
    is_aborted(&output, &["the input"], TWICE);
    let output = run(Some("check,backtrace=off"), "frees twice");
    is_aborted(&output, &["the input", "the end of the input"], TWICE);
}

/// Blocks from before an input are the process's; what the input does to them is its own.
#[test]
fn what_is_done_to_an_older_block_is_a_finding_of_the_input() {
    let places = ["the input", "the end of the input"];
    let twice = |deed: &str| {
        let output = run(Some("check,backtrace=off"), deed);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Its number is that of a block of the process's.
        let (_, number) = said.split_once("block ").expect("there is a block");
        let (number, _) = number.split_once(':').expect("a number");
        let story = TWICE.replace("block 1:", &format!("block {number}:"));
        is_aborted(&output, &places, &story);
    };
    twice("frees what is older twice");
    #[cfg(feature = "export")]
    twice("frees what is older twice in C");
    let output = run(Some("check,backtrace=off"), "writes behind what is older");
    let all = children::all_of(&output);
    assert_eq!(output.status.signal(), Some(6), "{all}");
    assert_eq!(self::places(&output), places, "{all}");
    assert!(all.contains("error[overrun]"), "{all}");
    // What was wrong before is the process's, and told when it ends.
    let output = run(Some("check,backtrace=off"), "was wrong before");
    ends(&output);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("error[double-free]").count(), 1, "{said}");
}

/// Of a string that was made and freed in an input, and one that was made before.
const NUMBERS: &str = "olemem: 0 errors, 0 warnings; 4 operations (2 allocated, 2 freed, 0 live, at most 32 bytes at a time)\n";

#[test]
fn inputs_that_keep_the_rules_say_nothing() {
    let says_nothing = |keys: &str, deed: &str| {
        let output = run(Some(keys), deed);
        ends(&output);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("error["), "{deed}: {said}");
    };
    for deed in ["nothing", "keeps", "unwinds"] {
        says_nothing("check,halt=first", deed);
    }
    // What inputs did is in the numbers at the end, all of it.
    let output = run(Some("check"), "nothing");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        NUMBERS,
        "{}",
        children::all_of(&output)
    );
    // A child that did nothing has none: they are its parent's.
    let output = run(Some("check"), "forks");
    assert_eq!(String::from_utf8_lossy(&output.stderr), NUMBERS);
    let output = run(Some("check"), "forks in an input");
    let one_more = NUMBERS.replace(
        "4 operations (2 allocated, 2 freed",
        "6 operations (3 allocated, 3 freed",
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), one_more);
    // What a session of the program's own finds is in its report, unless the first violation is to end the process.
    says_nothing("check", "has a session");
    let output = run(Some("check,halt=first,backtrace=off"), "has a session");
    is_aborted(&output, &["the input"], TWICE);
}

#[test]
fn what_is_suppressed_is_no_finding() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit-input");
    std::fs::create_dir_all(&folder).expect("the build folder can be written");
    let known = folder.join("known");
    std::fs::write(&known, "double-free\n").expect("the folder can be written");
    let keys = format!("check,halt=first,suppress={}", known.display());
    let output = run(Some(&keys), "frees twice");
    let all = children::all_of(&output);
    assert_eq!(output.status.code(), Some(7), "{all}");
    assert_eq!(
        places(&output),
        ["the input", "the end of the input", "the end"],
        "{all}"
    );
    let output = run(Some(&keys), "leaks");
    assert_eq!(
        output.status.signal(),
        Some(6),
        "{}",
        children::all_of(&output)
    );
}

#[test]
fn the_report_goes_where_the_keys_say() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit-input-report");
    std::fs::create_dir_all(&folder).expect("the build folder can be written");
    let report = folder.join("report.json");
    let keys = format!("check,format=json,report={}", report.display());
    let output = run(Some(&keys), "leaks");
    assert_eq!(
        output.status.signal(),
        Some(6),
        "{}",
        children::all_of(&output)
    );
    let text = std::fs::read_to_string(&report).expect("it is written");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let kinds: Vec<_> = json["violations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| &it["kind"])
        .collect();
    assert_eq!(kinds, ["leak", "leak"]);
}

#[test]
fn without_the_audit_nothing_happens() {
    for keys in [None, Some("plain")] {
        ends(&run(keys, "leaks"));
        #[cfg(feature = "export")]
        ends(&run(keys, "leaks in C"));
    }
}

#[test]
#[cfg(feature = "export")]
fn a_number_that_is_over_is_harmless() {
    let output = run(Some("check"), "is over in C");
    ends(&output);
}
