//! The README tells the truth: its commands are there, its examples are the ones that are tested.
#![cfg(all(feature = "export", feature = "audit", unix, not(miri)))]

#[path = "support/installed.rs"]
mod installed;
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
    // A session would hold the string, and tell of it itself.
    let leaky: String = whole
        .split_inclusive('\n')
        .filter(|line| !line.contains("SysFreeString(text)") && !line.contains("session"))
        .collect();
    assert!(!leaky.contains("olemem_session"));
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
fn the_example_in_c_compiles_by_its_command_and_prints_what_is_said() {
    let tools = [&["cc"] as &[&str], &["pkg-config"]];
    if tools.into_iter().any(|tool| tools::tool(tool).is_none()) {
        return;
    }
    let folder = tools::scratch("readme-c");
    let prefix = folder.join("prefix");
    installed::into(&prefix);
    let command = "cc -g status.c $(pkg-config --cflags --libs olemem) -o status\n";
    assert!(README.contains(&format!("\n```sh\nSUDO=sudo sh install.sh\n{command}```\n")));
    assert!(README.contains("It prints `5 units in 10 bytes`."));
    let whole = block("<!-- status.c -->");
    let free = "    SysFreeString(text);\n";
    let run = |source: &str| {
        std::fs::write(folder.join("status.c"), source).expect("the folder can be written");
        tools::run(
            Command::new("sh")
                .args(["-ec", &format!("{command}./status")])
                .current_dir(&folder)
                .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
                .env("LD_LIBRARY_PATH", prefix.join("lib")),
        )
    };
    let output = run(whole);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"5 units in 10 bytes\n");
    for (source, kind) in [
        (whole.replace(free, ""), "error[leak]"),
        (whole.replace(free, &free.repeat(2)), "error[double-free]"),
    ] {
        let output = run(&source);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(kind), "{said}");
    }
}
