//! Annotated calls as C and C++ programs make them: what is told of each, word by word; and that nothing is left of them where
//! the audit is not wanted.
#![cfg(all(unix, feature = "export", feature = "audit", not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/sanitizer.rs"]
mod sanitizer;
#[path = "support/tools.rs"]
mod tools;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cc::Language::{C, Cxx};
use cc::{Compiler, compilers, text};
use sanitizer::{ASAN_FLAGS, Sanitizer};

/// The features of an installed library.
const FEATURES: &str = "export,audit";

/// What is told of the cases that both languages have.
const TOLD: &str = include_str!("c/crossing.txt");

const OF_C: &str = "== unknown\n";

const OF_CXX: &str = "\
== macros
error[inout-leaked]: an [in,out] value was replaced, and a BSTR that it was is never freed
  call IBrowser::Rename, parameter title
  block 2: BSTR, 6 bytes, \"old\"
  rule: R8, R9
  help: free the old value when a new one is assigned

== counted
error[interface-over-released]: the callee released an interface pointer without a reference of its own
  call ISited::ExchangeSite, parameter site
  rule: R46
  help: release an [in,out] pointer only when another, or NULL, is stored in its place

== temporaries
== temporary_freed
error[in-freed-by-callee]: the callee freed a BSTR that it was lent as [in]
  call IBrowser::put_Text, parameter text
  block 2: BSTR, 10 bytes, \"Ready\"
  rule: R1
  help: leave what is [in] to the caller; to keep or change a string, make a copy of one's own

";

const OF_EXCEPTIONS: &str = "\
== thrown
error[in-freed-by-callee]: the callee freed a BSTR that it was lent as [in]
  call IBrowser::put_Text, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R1
  help: leave what is [in] to the caller; to keep or change a string, make a copy of one's own

error[in-freed-by-callee]: the callee freed a BSTR that it was lent as [in]
  call IBrowser::put_Title, parameter title
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R1
  help: leave what is [in] to the caller; to keep or change a string, make a copy of one's own

== never_made
";

/// Ways of building the language's program.
fn ways(compiler: &Compiler) -> &'static [&'static [&'static str]] {
    match compiler.language {
        C => &[&["-O0"], &["-O2"]],
        Cxx => &[
            &["-O0"],
            &["-O2", "-std=c++20", "-Wold-style-cast"],
            &["-O2", "-fno-exceptions", "-fno-rtti"],
        ],
    }
}

fn build(compiler: &Compiler, dir: &Path, flags: &[&str]) -> PathBuf {
    // A warning that the header's own constants give is no business of its users'.
    let system = format!("-isystem{}", tools::include().display());
    let mut flags = flags.to_vec();
    if flags.contains(&"-Wold-style-cast") {
        flags.push(&system);
    }
    compiler.build_with(dir, "crossing", &flags, FEATURES)
}

/// The run's story is the one expected.
#[track_caller]
fn tells(compiler: &Compiler, with_exceptions: bool, output: &Output) {
    let said = text(&output.stdout);
    let (told, counted) = said.rsplit_once("ok ").expect("a count of the checks");
    assert!(counted.ends_with(" checks\n"), "{said}");
    let own = match (compiler.language, with_exceptions) {
        (C, _) => OF_C.to_owned(),
        (Cxx, false) => OF_CXX.to_owned(),
        (Cxx, true) => [OF_CXX, OF_EXCEPTIONS].concat(),
    };
    assert_eq!(told, [TOLD, &own].concat(), "{compiler:?}");
}

#[test]
fn each_case_is_told_word_by_word() {
    let dir = tools::scratch("c-crossings");
    for compiler in compilers() {
        for way in ways(&compiler) {
            let output = tools::run_ok(&mut Command::new(build(&compiler, &dir, way)));
            tells(&compiler, !way.contains(&"-fno-exceptions"), &output);
            assert_eq!(text(&output.stderr), "", "{compiler:?} {way:?}");
        }
    }
}

#[test]
fn the_stories_are_the_same_under_address_sanitizer() {
    let dir = tools::scratch("c-crossings-asan");
    for compiler in compilers() {
        if let Some(sanitizer) = Sanitizer::of(&compiler, &dir) {
            let program = compiler.build_with(&dir, "crossing", ASAN_FLAGS, FEATURES);
            let mut command = sanitizer.run(&program);
            tells(&compiler, true, &tools::run_ok(&mut command));
        }
    }
}

/// A later call of [`left.c`](c/left.c), which is judged as ever.
fn later(block: u32) -> String {
    format!(
        "\
error[in-freed-by-callee]: the callee freed a BSTR that it was lent as [in]
  call IBrowser::put_Text, parameter text
  block {block}: BSTR, 10 bytes, \"Ready\"
  rule: R1
  help: leave what is [in] to the caller; to keep or change a string, make a copy of one's own

"
    )
}

/// What is told of one of its calls that is judged as one that failed.
fn changed(method: &str) -> String {
    format!(
        "\
error[inout-changed-on-failure]: the call failed, and a BSTR stands in place of the old value
  call IBrowser::{method}, parameter title
  block 3: BSTR, 12 bytes, \"olemem\"
  rule: R17
  help: on failure leave an [in,out] value as it was, or free it and store NULL

"
    )
}

const HANDED_OUT: &str = "\
error[out-set-on-failure]: the call failed, and a BSTR was handed out all the same
  call IBrowser::Rename, parameter first
  block 4: BSTR, 12 bytes, \"olemem\"
  rule: R14
  help: on failure free what was made so far and store NULL; a method that fails with data on purpose needs a waiver

";

/// Calls that are left by `longjmp`, or because their thread ends: nothing waits for them, the caller is not blamed for
/// freeing what was lent to them, and later ones are judged.
#[test]
fn calls_that_never_return() {
    let dir = tools::scratch("c-crossings-left");
    for compiler in compilers().iter().filter(|known| known.language == C) {
        for (flags, has_unwinding) in [
            (&["-pthread", "-O0"] as &[&str], false),
            (&["-pthread", "-O2"], false),
            (&["-pthread", "-O2", "-fexceptions"], true),
        ] {
            // glibc unwinds the stack of a thread that ends, and so the call is abandoned.
            let abandoned = if has_unwinding && cfg!(target_env = "gnu") {
                changed("Run")
            } else {
                String::new()
            };
            let expected = [
                format!("== jumped far\n{}", later(5)),
                format!("== jumped far, and called\n{}", later(5)),
                format!(
                    "== jumped here\n{}{HANDED_OUT}{}",
                    changed("Rename"),
                    later(5)
                ),
                format!("== thread ended\n{abandoned}{}", later(4)),
                format!("== thread ended within two\n{abandoned}{}", later(4)),
            ];
            let program = compiler.build_with(&dir, "left", flags, FEATURES);
            let output = tools::run_ok(&mut Command::new(program));
            let said = text(&output.stdout);
            let (told, _) = said.rsplit_once("ok ").expect("a count of the checks");
            assert_eq!(told, expected.concat(), "{compiler:?} {flags:?}");
            assert_eq!(text(&output.stderr), "", "{compiler:?} {flags:?}");
        }
    }
}

/// The bare calls, no symbol of the audit's, and not a warning.
#[test]
fn without_the_audit_nothing_is_left() {
    let dir = tools::scratch("c-crossings-none");
    let Some(nm) = tools::tool(&["nm", "llvm-nm"]) else {
        return;
    };
    for compiler in compilers() {
        let flags = ["-O0", "-DOLEMEM_NO_AUDIT", "-Wunused"];
        let program = compiler.build_with(&dir, "crossing", &flags, FEATURES);
        let output = tools::run_ok(Command::new(&program).arg("kept"));
        assert!(text(&output.stdout).starts_with("ok "), "{compiler:?}");

        let object = dir.join(format!("crossing-{}.o", compiler.name));
        cc::silent(
            compiler
                .command()
                .args([compiler.language.standard(), "-c"])
                .args(flags)
                .arg(cc::source("crossing", compiler.language))
                .arg("-o")
                .arg(&object),
        );
        let output = tools::run_ok(Command::new(&nm).arg("-u").arg(&object));
        let asked = text(&output.stdout);
        assert!(asked.contains("olemem_session_begin"), "{asked}");
        assert!(!asked.contains("olemem_call"), "{asked}");
        assert!(!asked.contains("olemem_literal"), "{asked}");
    }
}
