//! What the tests that start other programs share: finding a tool, running it, building our C library.
//!
//! A tool that is absent makes its test say so and pass; `OLEMEM_REQUIRE=cc,wine,…` (or `all`) turns
//! the absence of the tools named into a failure, so that CI cannot skip by accident.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test crate uses its own part"
)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// The first of `names` found on the path. `None` says on standard error what is skipped.
#[track_caller]
pub fn tool(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = names
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |dir| dir.join(name)))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        skipped(names, "not on the path");
    }
    found
}

/// Says that something is missing, by all the names it goes by, and why; fails if it is required.
#[track_caller]
pub fn skipped(names: &[&str], why: &str) {
    let required = std::env::var("OLEMEM_REQUIRE").unwrap_or_default();
    let required = required
        .split(',')
        .any(|want| want == "all" || names.contains(&want));
    assert!(!required, "required, but missing: {names:?}: {why}");
    eprintln!("SKIPPED: {names:?}: {why}");
}

/// Runs to the end and gives back everything, whatever the status.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{command:?} cannot be started: {error}"),
    }
}

/// Runs, and shows everything that was printed if the status is not success.
#[track_caller]
pub fn run_ok(command: &mut Command) -> Output {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

/// The package's own folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder of this test's own below the build folder, empty at first.
pub fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("the build folder can be written");
    dir
}

/// What a C library is built as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// `libolemem.a`.
    Static,
    /// `libolemem.so`, `libolemem.dylib`.
    Shared,
}

/// Tells Cargo where a build of the library goes. What it is made of goes to a folder that builds of the same features and
/// kinds share: others would take its place, and it theirs, again and again. (Before Cargo 1.91, to each its own.)
pub fn build_into<'a>(command: &'a mut Command, target: &Path, of: &str) -> &'a mut Command {
    command
        .env("CARGO_TARGET_DIR", target)
        .env(
            "CARGO_BUILD_BUILD_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("parts-{of}")),
        )
        .env_remove("RUSTFLAGS")
}

/// Builds the C library as its users do and gives back its path.
#[track_caller]
pub fn library(kind: Library) -> PathBuf {
    library_with(kind, "export")
}

/// As [`library`], with other features: a list with commas. Each list has a build folder of its own. Cargo's own lock and
/// fingerprints make this safe to ask for from every test, and it is asked once.
#[track_caller]
pub fn library_with(kind: Library, features: &str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let name = match features {
        "" => "default".to_owned(),
        others => others.replace(',', "-"),
    };
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = built.entry(name.clone()).or_insert_with(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("c-library-{name}"));
        // Both kinds at once: they are compiled once.
        run_ok(
            build_into(&mut Command::new(env!("CARGO")), &target, &name)
                .current_dir(root())
                .args(["rustc", "--quiet", "--lib", "--release"])
                .args(["--features", features])
                .args(["--crate-type", "staticlib,cdylib"]),
        );
        target.join("release")
    });
    folder.join(match kind {
        Library::Static => "libolemem.a",
        Library::Shared if cfg!(target_os = "macos") => "libolemem.dylib",
        Library::Shared => "libolemem.so",
    })
}

/// What a C program needs beside the static library.
pub fn system_libraries() -> &'static [&'static str] {
    if cfg!(target_os = "macos") {
        &["-lSystem"]
    } else {
        &["-lpthread", "-ldl", "-lm"]
    }
}

/// What a program is told that runs under Wine: Wine's picture of a C: drive is our own, one for all tests and kept, because
/// making one takes long. No chatter, no debugger on a crash, and no offers to install components.
pub fn under_wine() -> [(&'static str, PathBuf); 3] {
    let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wine");
    std::fs::create_dir_all(&prefix).expect("the build folder can be written");
    [
        ("WINEPREFIX", prefix),
        ("WINEDEBUG", "-all".into()),
        ("WINEDLLOVERRIDES", "winedbg.exe,mscoree,mshtml=d".into()),
    ]
}

/// The folder of the forwarding headers: the one `-I` that C code needs.
pub fn include() -> PathBuf {
    root().join("src/export/include/win32")
}

/// `-I` as one argument.
pub fn include_flag() -> std::ffi::OsString {
    let mut flag = std::ffi::OsString::from("-I");
    flag.push(include().as_os_str());
    flag
}

/// The first line of `text` that contains `needle`.
#[track_caller]
pub fn line_with<'a>(text: &'a str, needle: &str) -> &'a str {
    text.lines()
        .find(|line| line.contains(needle))
        .unwrap_or_else(|| panic!("no line has {needle:?} in:\n{text}"))
}

/// Appends an argument list of mixed string types to a command.
pub fn args<S: AsRef<OsStr>>(command: &mut Command, list: &[S]) {
    for arg in list {
        command.arg(arg);
    }
}
