//! The audit's sessions as C and C++ programs see them, and the C++17 part of the header: plain, under
//! AddressSanitizer and under Valgrind.
#![cfg(all(unix, feature = "export", feature = "audit", not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/sanitizer.rs"]
mod sanitizer;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cc::Language::{C, Cxx};
use cc::{Compiler, compilers, silent, text};
use sanitizer::{ASAN_FLAGS, Sanitizer};

/// The features of an installed library.
const FEATURES: &str = "export,audit";

fn build(compiler: &Compiler, dir: &Path, flags: &[&str]) -> PathBuf {
    compiler.build_with(dir, "session", flags, FEATURES)
}

/// Ways of building the language's program.
fn ways(compiler: &Compiler) -> &'static [&'static [&'static str]] {
    match compiler.language {
        C => &[&["-O0"], &["-O2"], &["-O2", "-fshort-wchar"]],
        Cxx => &[
            &["-O0"],
            &["-O2", "-Wshadow"],
            &["-O2", "-std=c++20"],
            &["-O2", "-fno-rtti"],
            &["-O2", "-fno-exceptions", "-fno-rtti"],
            &["-O2", "-fshort-wchar"],
        ],
    }
}

/// A run that must succeed and say only how much it checked.
#[track_caller]
fn passes(command: &mut Command) -> Output {
    let output = tools::run_ok(command);
    let said = text(&output.stdout);
    assert!(
        said.starts_with("ok ") && said.ends_with(" checks\n"),
        "{command:?} said {said:?}"
    );
    output
}

#[test]
fn sessions_run() {
    let dir = tools::scratch("c-sessions");
    for compiler in compilers() {
        for way in ways(&compiler) {
            let output = passes(&mut Command::new(build(&compiler, &dir, way)));
            assert_eq!(text(&output.stderr), "", "{compiler:?} {way:?}");
        }
    }
}

/// The story is on standard error, its frames are the program's own, and C++ names can be read.
#[test]
fn the_story_leads_to_the_line() {
    let dir = tools::scratch("c-sessions-story");
    for compiler in compilers() {
        let program = build(&compiler, &dir, &["-O0", "-g", "-gdwarf-4"]);
        let part = match compiler.language {
            C => "story",
            Cxx => "dropped",
        };
        let said = text(&passes(Command::new(program).arg(part)).stderr);
        assert!(
            said.starts_with("error[leak]: a BSTR was never freed\n"),
            "{said}"
        );
        let (_, frames) = said.split_once("  allocated at\n").expect("a stack");
        let first = frames.lines().next().expect("a frame").trim_start();
        let expected = match compiler.language {
            C => "lose_text at ",
            Cxx => "client::lose_text(std::",
        };
        assert!(first.starts_with(expected), "{said}");
        assert!(first.contains("tests/c/session.c"), "{said}");
        assert!(said.ends_with(" at a time)\n"), "{said}");
    }
}

#[test]
fn an_assertion_that_fails_ends_the_program_with_the_story() {
    let dir = tools::scratch("c-sessions-assert");
    for compiler in compilers().iter().filter(|known| known.language == Cxx) {
        for way in [&["-O1"] as &[&str], &["-O1", "-fno-exceptions"]] {
            let output = tools::run(Command::new(build(compiler, &dir, way)).arg("assert"));
            const SIGABRT: i32 = 6;
            assert_eq!(output.status.signal(), Some(SIGABRT), "{way:?}");
            let said = text(&output.stderr);
            assert!(said.contains("error[leak]: "), "{way:?}: {said}");
        }
    }
}

#[test]
fn sessions_are_clean_under_address_sanitizer() {
    let dir = tools::scratch("c-sessions-asan");
    for compiler in compilers() {
        if let Some(sanitizer) = Sanitizer::of(&compiler, &dir) {
            let output = passes(&mut sanitizer.run(&build(&compiler, &dir, ASAN_FLAGS)));
            assert_eq!(text(&output.stderr), "", "{compiler:?}");
        }
    }
}

#[test]
fn sessions_are_clean_under_valgrind() {
    let Some(valgrind) = tools::tool(&["valgrind"]) else {
        return;
    };
    let dir = tools::scratch("c-sessions-valgrind");
    for compiler in compilers()
        .iter()
        .filter(|known| known.name.starts_with('g'))
    {
        let program = build(compiler, &dir, &["-O1", "-g", "-gdwarf-4"]);
        passes(
            Command::new(&valgrind)
                .args(["--leak-check=full", "--error-exitcode=99"])
                .arg(program),
        );
    }
}

/// What the header promises not to compile.
#[test]
fn mistakes_do_not_compile() {
    let dir = tools::scratch("c-sessions-mistakes");
    let mistakes = [
        (
            "a BSTR is not text",
            "BSTR raw = nullptr; olemem::bstr text(raw);",
        ),
        ("no copies unasked", "olemem::bstr a; olemem::bstr b = a;"),
        ("no string of itself", "olemem::bstr a; SysFreeString(a);"),
        (
            "a session has one owner",
            "olemem::session a; olemem::session b(a);",
        ),
    ];
    for compiler in compilers().iter().filter(|known| known.language == Cxx) {
        let check = |name: &str, body: &str| {
            let file = dir.join(format!("{}-{}.cpp", compiler.name, name.replace(' ', "-")));
            let body = format!("#include <windows.h>\nvoid f();\nvoid f() {{ {body} }}\n");
            fs::write(&file, body).expect("the scratch folder can be written");
            let mut command = compiler.command();
            command.args(["-fsyntax-only", Cxx.standard()]).arg(file);
            command
        };
        silent(&mut check(
            "right",
            "olemem::bstr a(u\"x\"); SysFreeString(a.release());",
        ));
        for (name, body) in mistakes {
            let output = tools::run(&mut check(name, body));
            assert!(!output.status.success(), "{compiler:?}: {name}");
        }
    }
}
