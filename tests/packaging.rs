//! Two traps of a package that defines other people's symbols, and what Cargo and the linker do.
#![cfg(all(unix, not(miri)))]

#[path = "support/clients.rs"]
mod clients;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::path::Path;
use std::process::Output;

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

/// A package with olemem's own `[package]` table, in another version, and nothing in it.
fn copy(dir: &Path, version: &str, with_links: bool) {
    let manifest = fs::read_to_string(tools::root().join("Cargo.toml")).expect("our manifest");
    let table = manifest
        .split("\n[")
        .next()
        .expect("the manifest begins with its package table");
    assert!(table.starts_with("[package]\n"));
    assert!(table.contains("\nlinks = \"olemem\"\n"), "{table}");
    let table: String = table
        .lines()
        .filter(|line| with_links || !line.starts_with("links = "))
        .map(|line| {
            if line.starts_with("version = ") {
                format!("version = \"{version}\"\n")
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    write(&dir.join("Cargo.toml"), &table);
    write(&dir.join("build.rs"), "fn main() {}\n");
    write(&dir.join("src/lib.rs"), "");
}

/// What Cargo says to a program that depends on two versions of olemem.
fn two_copies(name: &str, with_links: bool) -> Output {
    let dir = tools::scratch(name);
    copy(&dir.join("one"), "0.1.0", with_links);
    copy(&dir.join("two"), "0.2.0", with_links);
    let program = dir.join("program");
    write(
        &program.join("Cargo.toml"),
        r#"[package]
name = "program"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
one = { package = "olemem", version = "0.1", path = "../one" }
two = { package = "olemem", version = "0.2", path = "../two" }
"#,
    );
    write(&program.join("src/main.rs"), "fn main() {}\n");
    tools::run(clients::cargo(&program, &dir.join("target")).args([
        "metadata",
        "--offline",
        "--format-version",
        "1",
    ]))
}

#[test]
fn two_copies_in_one_program_are_refused() {
    let output = two_copies("two-copies", true);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "Cargo took two copies:\n{said}");
    assert!(said.contains("links"), "{said}");
    assert!(said.contains("native library `olemem`"), "{said}");
}

#[test]
fn nothing_but_the_links_key_refuses_them() {
    let output = two_copies("two-copies-without-links", false);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

const MAIN: &str = r#"
use windows_sys::Win32::Foundation::{SysAllocString, SysFreeString, SysStringLen};
use windows_sys::core::w;

fn main() {
    let text = unsafe { SysAllocString(w!("linked")) };
    assert_eq!(unsafe { SysStringLen(text) }, 6);
    unsafe { SysFreeString(text) };
    println!("linked");
}
"#;

/// Builds and runs a program on windows-sys: the windows-sys client under another name, with its
/// manifest and its lock file, so that nothing is resolved anew. `None` where that client cannot be
/// built.
#[track_caller]
fn program(name: &str, main: &str) -> Option<Output> {
    let client = clients::client("windows-sys-0.61")?;
    let target = clients::target("windows-sys-0.61");
    clients::fetched(&client, &target)?;
    let dir = tools::scratch(name);
    let manifest = fs::read_to_string(client.join("Cargo.toml")).expect("the client's manifest");
    let root = tools::root().to_str().expect("a path that TOML can hold");
    // Its own name, or Cargo would take both programs, which share a build folder, for one.
    let moved = manifest
        .replace("client-windows-sys", name)
        .replace("path = \"../../..\"", &format!("path = {root:?}"))
        .replace("\n[lib]\ndoctest = false\n", "");
    assert_ne!(moved, manifest);
    write(&dir.join("Cargo.toml"), &moved);
    let lock = fs::read_to_string(client.join("Cargo.lock")).expect("the client's lock file");
    write(
        &dir.join("Cargo.lock"),
        &lock.replace("client-windows-sys", name),
    );
    write(&dir.join("src/main.rs"), main);
    Some(tools::run(clients::cargo(&dir, &target).args([
        "run",
        "--locked",
        "--offline",
        "--quiet",
    ])))
}

#[test]
fn a_program_that_uses_olemem_links() {
    let Some(output) = program("client-with-use", &format!("use olemem as _;\n{MAIN}")) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(output.stdout, b"linked\n");
}

#[test]
fn a_program_that_only_depends_on_olemem_does_not_link() {
    // The trap that the documentation tells of: a dependency that nothing names is not linked.
    let Some(output) = program("client-without-use", MAIN) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success(),
        "it linked: tell the documentation"
    );
    assert!(said.to_lowercase().contains("undefined"), "{said}");
    assert!(said.contains("SysAllocString"), "{said}");
}
