//! Small C programs, one mistake each and its twin without: what the audit says of them, and what AddressSanitizer and
//! Valgrind say over the library without an audit.
#![cfg(all(feature = "cli", unix, not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/tools.rs"]
mod tools;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cc::Compiler;
use tools::Library;

/// A program of the corpus.
struct Case {
    name: String,
    path: PathBuf,
    /// The kind that it is to be reported as.
    kind: String,
}

/// All of them, by name.
fn corpus() -> Vec<Case> {
    let folder = tools::root().join("tests/c/corpus");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| {
            let path = entry.expect("a file").path();
            let text = fs::read_to_string(&path).expect("text");
            let kind = text
                .lines()
                .find_map(|line| line.strip_prefix("/* expect: ")?.strip_suffix(" */"))
                .unwrap_or_else(|| panic!("{} does not say what to expect", path.display()));
            let name = path.file_stem().expect("a name").to_string_lossy();
            Case {
                name: name.into_owned(),
                kind: kind.to_owned(),
                path,
            }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// With the mistake, or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Twin {
    Broken,
    Clean,
}

impl Case {
    fn build(
        &self,
        compiler: &Compiler,
        dir: &Path,
        twin: Twin,
        flags: &[&str],
        library: &Path,
    ) -> PathBuf {
        let out = dir.join(format!("{}-{twin:?}{}", self.name, flags.concat()));
        let mut command = compiler.command();
        command
            .args([compiler.language.standard(), "-g", "-DCOBJMACROS"])
            // The mistakes are what it is about.
            .args([
                "-Wno-use-after-free",
                "-Wno-free-nonheap-object",
                "-Wno-unknown-warning-option",
            ])
            .args(flags);
        if twin == Twin::Broken {
            command.arg("-DBUG");
        }
        command.arg(&self.path).arg("-o").arg(&out).arg(library);
        if library
            .extension()
            .is_some_and(|extension| extension != "a")
        {
            let folder = library.parent().expect("a folder");
            command.arg(format!("-Wl,-rpath,{}", folder.display()));
        }
        tools::run_ok(command.args(tools::system_libraries()));
        out
    }
}

/// The compiler for C, if there is one.
fn compiler(name: &str) -> Option<Compiler> {
    cc::compilers()
        .into_iter()
        .find(|compiler| compiler.name == name)
}

/// The kinds that `olemem check` reports of a program.
fn reported(program: &Path) -> Vec<String> {
    let report = program.with_extension("json");
    let mut check = Command::new(env!("CARGO_BIN_EXE_olemem"));
    check
        .args(["check", "--format", "json", "--output"])
        .arg(&report)
        .arg("--")
        .arg(program);
    check.env_remove("OLEMEM");
    let output = tools::run(&mut check);
    let text = fs::read_to_string(&report).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: {}",
            program.display(),
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let json: serde_json::Value = serde_json::from_str(&text).expect("the report is JSON");
    let violations = json["violations"].as_array().expect("an array");
    violations
        .iter()
        .map(|violation| violation["kind"].as_str().expect("a kind").to_owned())
        .collect()
}

/// Each mistake is told as itself and nothing else, each twin is clean, however the program was optimised.
#[test]
fn each_mistake_is_told_and_each_twin_is_clean() {
    let Some(gcc) = compiler("gcc") else { return };
    let dir = tools::scratch("corpus");
    let library = tools::library_with(Library::Shared, "export,audit");
    for case in corpus() {
        for level in ["-O0", "-O1", "-O2", "-O3"] {
            let program = case.build(&gcc, &dir, Twin::Broken, &[level], &library);
            assert_eq!(
                reported(&program),
                [case.kind.as_str()],
                "{} {level}",
                case.name
            );
            let program = case.build(&gcc, &dir, Twin::Clean, &[level], &library);
            assert_eq!(
                reported(&program),
                [""; 0],
                "{} {level}, without the mistake",
                case.name
            );
        }
    }
}

/// Every kind that a C program can break by itself has a case. (A spy is another matter.)
#[test]
fn the_corpus_has_every_kind() {
    let mut cases = BTreeMap::<_, usize>::new();
    for case in corpus() {
        *cases.entry(case.kind).or_default() += 1;
    }
    let of_heap = |kind: &&olemem::audit::Kind| kind.guide().check == olemem::audit::Check::Heap;
    for kind in olemem::audit::Kind::ALL.iter().filter(of_heap) {
        let is_there = cases.remove(kind.name()).is_some();
        assert!(
            is_there || *kind == olemem::audit::Kind::SpyPointerLost,
            "{kind}"
        );
    }
    assert!(cases.is_empty(), "{cases:?}");
}

/// What AddressSanitizer, with LeakSanitizer, and Valgrind report of the same programs: the table of `docs/audit.md`,
/// made here and compared.
#[test]
fn other_tools_report_what_the_page_says() {
    let (Some(clang), Some(gcc)) = (compiler("clang"), compiler("gcc")) else {
        return;
    };
    let Some(valgrind) = tools::tool(&["valgrind"]) else {
        return;
    };
    let dir = tools::scratch("corpus-tools");
    let library = tools::library(Library::Static);
    let mut table = String::from(
        "| program | olemem | AddressSanitizer, LeakSanitizer | Valgrind |\n| --- | --- | --- | --- |\n",
    );
    let (mut by_asan, mut by_valgrind, mut all) = (0, 0, 0);
    for case in corpus() {
        let program = case.build(
            &clang,
            &dir,
            Twin::Broken,
            &["-O0", "-fsanitize=address"],
            &library,
        );
        let asan = sanitized(&program);
        let program = case.build(&gcc, &dir, Twin::Broken, &["-O0"], &library);
        let memcheck = memchecked(&valgrind, &program);
        all += 1;
        by_asan += usize::from(asan != "nothing");
        by_valgrind += usize::from(memcheck != "nothing");
        table += &format!(
            "| `{}` | {} | {asan} | {memcheck} |\n",
            case.name, case.kind
        );
    }
    table += &format!("| of {all} | {all} | {by_asan} | {by_valgrind} |\n");
    let page = fs::read_to_string(tools::root().join("docs/audit.md")).expect("the page is there");
    assert!(
        page.contains(&table),
        "docs/audit.md does not have this table:\n\n{table}"
    );
}

/// What AddressSanitizer says of a program, in its own words. LeakSanitizer overlooks a leak while a stale copy of the
/// pointer lies on the stack, which depends on where that begins: several beginnings are tried.
fn sanitized(program: &Path) -> String {
    for length in [0, 40, 333, 1000, 3000] {
        let mut command = Command::new(program);
        command
            .env("ASAN_OPTIONS", "detect_leaks=1")
            .env("BEGINNING", "x".repeat(length))
            .env_remove("OLEMEM");
        let output = tools::run(&mut command);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if let Some(line) = said.lines().find(|line| line.contains("ERROR: ")) {
            let what = line.rsplit_once("Sanitizer: ").expect("its name").1;
            let what = what.split(" on ").next().expect("a word");
            let what = what.split(" (").next().expect("a word");
            return what.strip_prefix("detected ").unwrap_or(what).to_owned();
        }
    }
    "nothing".to_owned()
}

/// What Valgrind says of a program: its first error.
fn memchecked(valgrind: &Path, program: &Path) -> String {
    let mut command = Command::new(valgrind);
    command
        .args(["--leak-check=full", "-q"])
        .arg(program)
        .env_remove("OLEMEM");
    let output = tools::run(&mut command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let first = said.lines().find_map(|line| {
        let line = line.split_once("== ")?.1.trim();
        if line.contains("lost in loss record") {
            let how = line.split_once("are ")?.1.split(" in loss").next()?;
            return Some(format!("leak, {how}"));
        }
        let is_error = ["Invalid", "Mismatched", "Conditional", "Use of", "Argument"]
            .iter()
            .any(|word| line.starts_with(word));
        is_error.then(|| line.split(" of size").next().unwrap_or(line).to_owned())
    });
    first.unwrap_or_else(|| "nothing".to_owned())
}
