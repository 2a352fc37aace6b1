//! The README tells the truth: its commands are there, its examples are the ones that are tested.
#![cfg(all(feature = "export", unix, not(miri)))]

#[path = "support/tools.rs"]
mod tools;

use std::process::Command;

const README: &str = include_str!("../README.md");

/// The code block that follows a marker.
#[track_caller]
fn block(marker: &str) -> &'static str {
    let (_, after) = README.split_once(marker).expect("the marker is there");
    let (_, code) = after.split_once("```").expect("a block follows");
    let (_, code) = code.split_once('\n').expect("its language is named");
    code.split("```").next().expect("it ends")
}

#[test]
fn it_opens_with_a_sentence_and_two_commands() {
    let commands: Vec<&str> = README
        .lines()
        .filter(|line| line.starts_with("cargo "))
        .take(2)
        .collect();
    assert_eq!(
        commands,
        [
            "cargo run --release --features cli -- demo",
            "cargo test --all-features"
        ]
    );
    assert!(
        README
            .lines()
            .next()
            .is_some_and(|line| line.starts_with("olemem is "))
    );
}

#[test]
fn the_example_on_the_windows_crate_is_the_one_that_runs() {
    let path = tools::root().join("tests/clients/windows-0.62/tests/readme.rs");
    // A published package has no clients.
    let Ok(file) = std::fs::read_to_string(path) else {
        return;
    };
    let code = file
        .split_once("\n\n")
        .map_or(file.as_str(), |(_, code)| code);
    assert_eq!(
        code,
        block("<!-- tests/clients/windows-0.62/tests/readme.rs -->")
    );
}

/// Compiles a block as the README says to, and gives back what the program prints.
#[track_caller]
fn printed(compilers: &[&str], standard: Option<&str>, name: &str) -> Option<String> {
    let compiler = tools::tool(compilers)?;
    let folder = tools::scratch(&format!("readme-{name}"));
    let source = folder.join(name);
    std::fs::write(&source, block(&format!("<!-- {name} -->"))).expect("the folder can be written");
    let program = folder.join("status");
    let library = tools::library(tools::Library::Static);
    let mut compile = Command::new(compiler);
    compile
        .args(standard)
        .arg(tools::include_flag())
        .arg(source)
        .arg(library)
        .args(tools::system_libraries())
        .arg("-o")
        .arg(&program);
    tools::run_ok(&mut compile);
    let output = tools::run_ok(&mut Command::new(program));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The README's promise of a tool that sees what is not freed.
#[test]
fn the_example_without_its_free_is_a_leak_to_valgrind() {
    let (Some(compiler), Some(valgrind)) = (
        tools::tool(&["cc", "gcc", "clang"]),
        tools::tool(&["valgrind"]),
    ) else {
        return;
    };
    let folder = tools::scratch("readme-leak");
    let source = folder.join("status.c");
    let whole = block("<!-- status.c -->");
    let leaky = whole.replace("    SysFreeString(text);\n", "");
    assert_ne!(leaky, whole);
    std::fs::write(&source, leaky).expect("the folder can be written");
    let program = folder.join("status");
    let mut compile = Command::new(compiler);
    compile
        .arg(tools::include_flag())
        .arg(source)
        .arg(tools::library(tools::Library::Static))
        .args(tools::system_libraries())
        .arg("-o")
        .arg(&program);
    tools::run_ok(&mut compile);
    let output = tools::run(
        Command::new(valgrind)
            .args(["--leak-check=full", "--error-exitcode=9"])
            .arg(program),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(9), "{said}");
    // The C functions jump into the heap, so the frame above olemem's own is the caller's.
    assert!(said.contains("get_StatusText"), "{said}");
}

#[test]
fn the_example_links_with_the_shared_library_as_well() {
    let Some(compiler) = tools::tool(&["cc", "gcc", "clang"]) else {
        return;
    };
    let folder = tools::scratch("readme-shared");
    let source = folder.join("status.c");
    std::fs::write(&source, block("<!-- status.c -->")).expect("the folder can be written");
    let library = tools::library(tools::Library::Shared);
    let built = library.parent().expect("a file in a folder").display();
    let program = folder.join("status");
    assert!(
        README.contains("link with `-Ltarget/release -lolemem\n-Wl,-rpath,$PWD/target/release`")
    );
    let mut compile = Command::new(compiler);
    compile
        .arg(tools::include_flag())
        .arg(source)
        .args([format!("-L{built}"), "-lolemem".into()])
        .arg(format!("-Wl,-rpath,{built}"))
        .arg("-o")
        .arg(&program);
    tools::run_ok(&mut compile);
    let output = tools::run_ok(&mut Command::new(program));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "5 units in 10 bytes\n"
    );
}

#[test]
fn the_example_in_cpp_compiles_by_its_command_and_prints_what_is_said() {
    let Some(printed) = printed(&["c++", "g++", "clang++"], Some("-std=c++17"), "status.cpp")
    else {
        return;
    };
    assert_eq!(printed, "5 units in 10 bytes\n");
    assert!(README.contains(
        "c++ -std=c++17 -I src/export/include/win32 status.cpp target/release/libolemem.a -lpthread -ldl -lm -o status"
    ));
}

#[test]
fn the_example_in_c_compiles_by_its_command_and_prints_what_is_said() {
    let Some(printed) = printed(&["cc", "gcc", "clang"], None, "status.c") else {
        return;
    };
    assert_eq!(printed, "5 units in 10 bytes\n");
    assert!(README.contains("It prints `5 units in 10 bytes`."));
    assert!(README.contains(
        "cc -I src/export/include/win32 status.c target/release/libolemem.a -lpthread -ldl -lm -o status"
    ));
}
