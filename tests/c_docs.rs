//! `docs/c.md` tells the truth: its programs are compiled and run by the commands that stand there, on an
//! installed library, and print what it says.
#![cfg(all(unix, feature = "export", feature = "audit", not(miri)))]

#[path = "support/installed.rs"]
mod installed;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PAGE: &str = include_str!("../docs/c.md");

/// The blocks that have a mark, in order.
fn blocks() -> Vec<(&'static str, &'static str)> {
    PAGE.split("<!-- ")
        .skip(1)
        .map(|part| {
            let (mark, rest) = part
                .split_once(" -->\n```")
                .expect("a block follows its mark");
            let (_, code) = rest.split_once('\n').expect("its language is named");
            (mark, code.split("```").next().expect("it ends"))
        })
        .collect()
}

#[track_caller]
fn block(mark: &str) -> &'static str {
    let found: Vec<_> = blocks().into_iter().filter(|(of, _)| *of == mark).collect();
    assert_eq!(found.len(), 1, "{mark}");
    found[0].1
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A home with olemem in `.local`, and a folder in it with the files of the page.
fn home(name: &str) -> PathBuf {
    let home = tools::scratch(name);
    installed::into(&home.join(".local"));
    let work = home.join("work");
    fs::create_dir(&work).expect("the scratch folder can be written");
    for (mark, code) in blocks() {
        if mark.contains('.') {
            fs::write(work.join(mark), code).expect("the scratch folder can be written");
        }
    }
    home
}

/// The page's settings, and then a script in the folder of its files.
fn shell(home: &Path, script: &str) -> Output {
    let (_, settings) = blocks()[0];
    assert!(settings.starts_with("export PKG_CONFIG_PATH="));
    tools::run(
        Command::new("sh")
            .arg("-euc")
            .arg(format!("{settings}\n{script}"))
            .current_dir(home.join("work"))
            .env("HOME", home),
    )
}

#[track_caller]
fn shell_ok(home: &Path, script: &str) -> Output {
    let output = shell(home, script);
    assert!(output.status.success(), "{script}: {output:?}");
    output
}

/// The page's commands that begin with these words.
#[track_caller]
fn commands(beginning: &str) -> &'static str {
    blocks()
        .into_iter()
        .find(|(mark, code)| *mark == "run" && code.starts_with(beginning))
        .unwrap_or_else(|| panic!("no commands begin with {beginning:?}"))
        .1
}

#[test]
fn the_command_that_installs_is_there() {
    assert!(PAGE.contains("\nSUDO=sudo sh install.sh\n"));
    assert!(PAGE.contains("\nsh install.sh --prefix=\"$HOME/.local\"\n"));
}

#[test]
fn the_programs_run_by_the_commands() {
    let needed = [&["cc"] as &[&str], &["c++"], &["pkg-config"]];
    if needed.into_iter().any(|tool| tools::tool(tool).is_none()) {
        return;
    }
    let home = home("c-docs");
    let output = shell(
        &home,
        commands("cc -g status.c first.c $(pkg-config --cflags --libs"),
    );
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(text(&output.stderr), block("printed"));

    let output = shell_ok(&home, commands("cc -g -c status.c"));
    assert_eq!(text(&output.stdout), "browser: Ready\n");

    let output = shell_ok(&home, commands("c++ -std=c++17 -g interface.cpp"));
    assert_eq!(text(&output.stdout), "5 units in 10 bytes\n");

    let output = shell(&home, commands("cc -g title.c calls.c"));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(text(&output.stderr), block("told"));

    let output = shell_ok(&home, commands("c++ -std=c++17 -g calls.cpp"));
    assert_eq!(text(&output.stdout), "1 of 1\n");

    let output = shell(&home, commands("cc -g sink.c"));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(text(&output.stderr), block("told of the sink"));
    shell_ok(&home, commands("c++ -std=c++17 -g sink.cpp"));

    let output = shell_ok(&home, commands("cc -g wire.c"));
    assert_eq!(
        text(&output.stdout),
        "22 bytes, 5 units\n0x800706F7, still 5 units\n"
    );
    assert!(PAGE.contains(
        "It prints `22 bytes, 5 units`, and `0x800706F7, still 5 units`: \
         `HRESULT_FROM_WIN32(RPC_X_BAD_STUB_DATA)`."
    ));

    let archive = commands("cc -g status.c first.c $(pkg-config --cflags olemem)");
    let archive = if cfg!(target_os = "macos") {
        archive.replace("-lpthread -ldl -lm", "")
    } else {
        archive.to_owned()
    };
    let output = shell(
        &home,
        &format!("{archive}\nunset LD_LIBRARY_PATH\n./first-static"),
    );
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(text(&output.stderr), block("printed"));

    let output = shell_ok(&home, commands("cc -g status.c failing.c"));
    assert_eq!(
        text(&output.stdout),
        "no memory: 0x8007000E\nmemory: 0x00000000\n"
    );

    // The command is there where its feature is.
    if let Some(command) = option_env!("CARGO_BIN_EXE_olemem") {
        let folder = Path::new(command).parent().expect("a file in a folder");
        let path = format!("PATH={}:$PATH\n", folder.display());
        let output = shell(&home, &(path + commands("cc -g status.c whole.c")));
        assert_eq!(output.status.code(), Some(99), "{output:?}");
        let said = text(&output.stderr);
        assert!(
            said.contains("error[leak]: a BSTR was never freed"),
            "{said}"
        );
        assert!(said.contains("tab_text at status.c:16"), "{said}");
    }

    let flags = "$(pkg-config --cflags --libs olemem)";
    let output = shell_ok(&home, &format!("cc report.c {flags} -o report\n./report"));
    assert_eq!(text(&output.stdout), "1 allocated, 1 freed\ndouble-free\n");
    let threads = format!("c++ -std=c++17 -pthread threads.cpp {flags} -o threads\n./threads");
    shell_ok(&home, &threads);
}

#[test]
fn the_cmake_project_builds_by_the_commands() {
    if tools::tool(&["cmake"]).is_none() {
        return;
    }
    let home = home("c-docs-cmake");
    let output = shell_ok(&home, commands("cmake -B build"));
    assert!(
        text(&output.stdout).contains("100% tests passed"),
        "{output:?}"
    );
}

/// Whether a header of a framework is there.
fn has(home: &Path, header: &str) -> bool {
    let script = format!("echo '#include <{header}>' | c++ -std=c++17 -fsyntax-only -x c++ -");
    shell(home, &script).status.success()
}

#[test]
fn the_tests_for_frameworks_pass_and_fail() {
    if tools::tool(&["c++"]).is_none() || tools::tool(&["pkg-config"]).is_none() {
        return;
    }
    let home = home("c-docs-frameworks");
    // The mistake that each has to show: the string is never freed.
    let passes_and_fails = |file: &str, libraries: &str| {
        let build = |leak: bool| {
            let source = fs::read_to_string(home.join("work").join(file)).expect("it is there");
            let source = if leak {
                let leaky = source.replace("get_StatusText(text.put())", "get_StatusText(&lost)");
                let leaky = leaky.replace(
                    "olemem::bstr text;",
                    "BSTR lost; olemem::bstr text(\"Ready\");",
                );
                assert_ne!(leaky, source);
                leaky
            } else {
                source
            };
            fs::write(home.join("work/framework.cpp"), source).expect("it can be written");
            shell(
                &home,
                &format!(
                    "{}\nc++ -std=c++17 -g framework.cpp status.o \
                     $(pkg-config --cflags --libs olemem) {libraries} -o framework\n./framework",
                    commands("cc -g -c status.c")
                        .lines()
                        .next()
                        .expect("a line")
                ),
            )
        };
        let output = build(false);
        assert!(output.status.success(), "{file}: {output:?}");
        let output = build(true);
        assert!(!output.status.success(), "{file}: {output:?}");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(
            said.contains("error[leak]: a BSTR was never freed"),
            "{file}: {said}"
        );
        assert!(
            said.contains("get_StatusText at status.c:"),
            "{file}: {said}"
        );
    };
    if has(&home, "gtest/gtest.h") {
        passes_and_fails("googletest.cpp", "-lgtest -lgtest_main -lpthread");
    } else {
        tools::skipped(&["gtest"], "no gtest/gtest.h");
    }
    if has(&home, "catch2/catch_test_macros.hpp") {
        passes_and_fails("catch2.cpp", "-lCatch2Main -lCatch2");
    } else if has(&home, "catch2/catch.hpp") {
        // The framework's second version is one header.
        let file = home.join("work/catch2.cpp");
        let source = block("catch2.cpp").replace(
            "#include <catch2/catch_test_macros.hpp>",
            "#define CATCH_CONFIG_MAIN\n#include <catch2/catch.hpp>",
        );
        fs::write(file, source).expect("the scratch folder can be written");
        passes_and_fails("catch2.cpp", "");
    } else {
        tools::skipped(
            &["catch2"],
            "neither catch2/catch_test_macros.hpp nor catch2/catch.hpp",
        );
    }
}
