//! Programs on windows-rs' crates, exactly as these are published, run over olemem's memory.
//!
//! Each is a package of its own in `tests/clients`, with a lock file, so that nothing of windows-rs is
//! in olemem's own graph. windows-sys compiles anywhere and lacks its functions when it is linked: it
//! runs natively. The others have BSTR for Windows only: Miri, which interprets Windows code on any
//! machine, finds olemem's functions where the program imports the system's. Without BSTR windows-core
//! runs natively as well.
#![cfg(all(unix, not(miri)))]

#[path = "support/clients.rs"]
mod clients;
#[path = "support/tools.rs"]
mod tools;

use std::process::{Command, Output};

/// windows-core's `#[implement]` breaks both borrow models: it goes from one interface's pointer to
/// the whole object. All other checks stay.
const WITHOUT_BORROWS: &str = "-Zmiri-disable-stacked-borrows";
/// For the tests that do without `#[implement]`: our memory keeps to the model, theirs or not.
const TREE_BORROWS: &str = "-Zmiri-tree-borrows";

/// The tests that ran, by the harness's own count, in all of its binaries.
#[track_caller]
fn passed(output: &Output) -> usize {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .filter_map(|line| line.strip_prefix("test result: ok. "))
        .map(|rest| {
            let count = rest.split(' ').next().unwrap_or_default();
            count.parse::<usize>().expect("a count of tests")
        })
        .sum()
}

/// The functions that windows-sys has and olemem defines: all that olemem exports.
const FUNCTIONS: [&str; 20] = [
    "SysAllocString",
    "SysAllocStringLen",
    "SysAllocStringByteLen",
    "SysReAllocString",
    "SysReAllocStringLen",
    "SysFreeString",
    "SysStringLen",
    "SysStringByteLen",
    "VarBstrCat",
    "VarBstrCmp",
    "CoTaskMemAlloc",
    "CoTaskMemRealloc",
    "CoTaskMemFree",
    "CoGetMalloc",
    "StringFromCLSID",
    "StringFromIID",
    "StringFromGUID2",
    "ProgIDFromCLSID",
    "SHStrDupW",
    "SHStrDupA",
];

#[test]
fn windows_sys_natively() {
    let name = "windows-sys-0.61";
    let Some(package) = clients::client(name) else {
        return;
    };
    let target = clients::target(name);
    if clients::fetched(&package, &target).is_none() {
        return;
    }
    for profile in ["--profile=dev", "--profile=release"] {
        let output = tools::run_ok(
            clients::cargo(&package, &target)
                .args(["test", "--locked", "--offline", "--tests"])
                .arg(profile),
        );
        assert!(passed(&output) >= 11, "{profile}: {output:?}");
    }
}

/// windows-core without its BSTR, which is for Windows only: objects and pointers of its own, and proxies between them.
#[test]
fn windows_core_natively() {
    let Some(package) = clients::client("windows-core-native") else {
        return;
    };
    // With the other proxy's client olemem is compiled already.
    let target = clients::target("proxy");
    if clients::fetched(&package, &target).is_none() {
        return;
    }
    let output = tools::run_ok(clients::cargo(&package, &target).args([
        "test",
        "--locked",
        "--offline",
        "--tests",
    ]));
    assert!(passed(&output) >= 4, "{output:?}");
}

#[test]
fn windows_sys_calls_every_function() {
    let Some(package) = clients::client("windows-sys-0.61") else {
        return;
    };
    let source = std::fs::read_to_string(package.join("tests/win32.rs")).expect("a test file");
    for function in FUNCTIONS {
        assert!(
            source.contains(&format!("unsafe {{ {function}(")),
            "{function} is not called"
        );
    }
}

/// The command that runs a client's tests under Miri's Windows, or `None` where there is no Miri.
#[track_caller]
fn miri(name: &str, flags: &str) -> Option<Command> {
    let package = clients::client(name)?;
    let target = clients::target(name);
    let version = clients::nightly_cargo(&package, &target)
        .args(["miri", "--version"])
        .output();
    if !version.is_ok_and(|output| output.status.success()) {
        tools::skipped(&["miri"], "`cargo +nightly miri` does not run");
        return None;
    }
    let setup = tools::run(clients::nightly_cargo(&package, &target).args([
        "miri",
        "setup",
        "--quiet",
        "--target",
        clients::WINDOWS,
    ]));
    if !setup.status.success() {
        let said = String::from_utf8_lossy(&setup.stderr);
        tools::skipped(&["miri"], &said);
        return None;
    }
    clients::fetched(&package, &target)?;
    let mut command = clients::nightly_cargo(&package, &target);
    command
        .env("MIRIFLAGS", flags)
        .args(["miri", "test", "--locked", "--offline"])
        .args(["--target", clients::WINDOWS]);
    Some(command)
}

/// Everything in the package; then, under a borrow model, what does not touch `#[implement]`.
#[track_caller]
fn runs(name: &str, at_least: usize) {
    let Some(mut command) = miri(name, WITHOUT_BORROWS) else {
        return;
    };
    let output = tools::run_ok(command.arg("--tests"));
    assert!(passed(&output) >= at_least, "{output:?}");

    let Some(mut command) = miri(name, TREE_BORROWS) else {
        return;
    };
    let output = tools::run_ok(command.args(["--test", "bstr_api", "--test", "memory"]));
    assert!(passed(&output) >= 8 + 32, "{output:?}");
}

#[test]
#[ignore = "needs nightly's Miri, and a minute or two"]
fn windows_under_miri() {
    runs("windows-0.62", 10 + 32 + 16 + 14 + 2 + 3);
}

#[test]
#[ignore = "needs nightly's Miri, and a minute or two"]
fn windows_core_under_miri() {
    runs("windows-core-0.100", 10 + 32 + 8);
}

/// Runs one of the mistakes and gives back what Miri says of it.
#[track_caller]
fn mistake(name: &str, test: &str) -> Option<String> {
    let mut command = miri(name, WITHOUT_BORROWS)?;
    let output = tools::run(
        command
            .args(["--test", "mistakes", "--", "--ignored", "--exact"])
            .arg(test),
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{test} went unnoticed:\n{said}");
    assert!(!said.contains("unsupported operation"), "{test}:\n{said}");
    Some(said)
}

/// A leak is one report: of the string, by the function that made it, in the test that lost it.
#[track_caller]
fn is_a_leak(name: &str, test: &str) {
    let Some(said) = mistake(name, test) else {
        return;
    };
    // One, not two: what olemem keeps about its blocks is neither a leak itself nor a way to reach
    // the lost block from, which would hide it.
    assert_eq!(
        said.matches("error: memory leaked").count(),
        1,
        "{test}:\n{said}"
    );
    for part in ["SysAllocStringLen", test, "mistakes.rs"] {
        assert!(said.contains(part), "{test}: no {part:?} in\n{said}");
    }
}

/// A use of freed memory is told with all three places: made, freed, used again.
#[track_caller]
fn is_a_use_after_free(name: &str, test: &str, function: &str) {
    let Some(said) = mistake(name, test) else {
        return;
    };
    let told = said.contains("error: Undefined Behavior")
        && (said.contains("has been freed") || said.contains("double free"));
    assert!(told, "{test}:\n{said}");
    for part in ["was allocated here", "was deallocated here", function, test] {
        assert!(said.contains(part), "{test}: no {part:?} in\n{said}");
    }
}

fn mistakes_are_seen(name: &str) {
    is_a_leak(name, "a_leaked_bstr");
    is_a_leak(name, "a_leaked_out_parameter");
    is_a_use_after_free(name, "a_double_free", "SysFreeString");
    is_a_use_after_free(name, "an_in_parameter_freed_by_the_callee", "SysFreeString");
    is_a_use_after_free(name, "a_read_after_free", "SysStringLen");
}

#[test]
#[ignore = "needs nightly's Miri, and a minute or two"]
fn mistakes_on_windows_are_seen() {
    mistakes_are_seen("windows-0.62");
}

#[test]
#[ignore = "needs nightly's Miri, and a minute or two"]
fn mistakes_on_windows_core_are_seen() {
    mistakes_are_seen("windows-core-0.100");
}

/// The README's own lines, in a package made of nothing else.
#[test]
#[ignore = "needs nightly's Miri, and a minute or two"]
fn the_readme_under_miri() {
    let Some(client) = clients::client("windows-0.62") else {
        return;
    };
    let readme = include_str!("../README.md");
    let (_, rest) = readme
        .split_once("<!-- Cargo.toml -->\n```toml\n")
        .expect("the dependencies");
    let dependencies = rest.split("```").next().unwrap_or_default();
    assert!(dependencies.contains("olemem = { version = \"0.1\","));
    let local = format!("olemem = {{ path = {:?},", tools::root());
    let dependencies = dependencies.replace("olemem = { version = \"0.1\",", &local);
    let package = tools::scratch("readme-package");
    let folder = |name: &str| {
        let folder = package.join(name);
        std::fs::create_dir_all(&folder).expect("the build folder can be written");
        folder
    };
    let manifest = format!(
        "[package]\nname = \"client-windows\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [workspace]\n\n{dependencies}"
    );
    let write = |path: std::path::PathBuf, text: &str| {
        std::fs::write(path, text).expect("the build folder can be written");
    };
    write(package.join("Cargo.toml"), &manifest);
    write(folder("src").join("lib.rs"), "");
    let example = std::fs::read_to_string(client.join("tests/readme.rs")).expect("a test file");
    write(folder("tests").join("status.rs"), &example);
    // The same versions as the client's, which are here already.
    std::fs::copy(client.join("Cargo.lock"), package.join("Cargo.lock")).expect("a lock file");
    if miri("windows-0.62", WITHOUT_BORROWS).is_none() {
        return;
    }
    // What is compiled for that client is compiled for this one.
    let target = clients::target("windows-0.62");
    let output = tools::run_ok(
        clients::nightly_cargo(&package, &target)
            .env("MIRIFLAGS", WITHOUT_BORROWS)
            .args([
                "miri",
                "test",
                "--offline",
                "--target",
                clients::WINDOWS,
                "--tests",
            ]),
    );
    assert_eq!(passed(&output), 1, "{output:?}");
}
