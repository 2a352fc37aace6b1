//! The C ABI as C and C++ programs see it: real clients against the libraries, plain, under
//! AddressSanitizer and under Valgrind. The same clients are built with a Windows compiler too, so
//! that Windows' own headers (and Wine) judge them.
#![cfg(all(unix, feature = "export", not(miri)))]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/sanitizer.rs"]
mod sanitizer;
#[path = "support/tools.rs"]
mod tools;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use cc::Language::{C, Cxx};
use cc::{compilers, silent, source, text};
use sanitizer::{ASAN_FLAGS, Sanitizer, all};

/// A client's run that must succeed, say how much it checked, and nothing else.
#[track_caller]
fn passes(command: &mut Command) {
    let output = tools::run_ok(command);
    let said = String::from_utf8_lossy(&output.stdout);
    let checks: u32 = said
        .trim_end()
        .strip_prefix("ok ")
        .and_then(|rest| rest.strip_suffix(" checks"))
        .and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("{command:?} said {said:?}"));
    assert!(checks > 100, "{command:?}: {checks} checks only");
    assert_eq!(text(&output.stderr), "", "{command:?}");
}

// --------------------------------------------------------------------------------- the clients

/// Programs that are right: a COM component and its caller, a spy of the task allocator, a vector of bytes, a string on the
/// wire.
const CLIENTS: [&str; 4] = ["client", "spy", "vector", "wire"];

#[test]
fn clients_run() {
    let dir = tools::scratch("c-clients");
    for compiler in compilers() {
        for flags in [
            &["-O0"] as &[&str],
            &["-O2"],
            &["-O2", "-fshort-wchar"],
            &["-O2", "-flto"],
        ] {
            // Link-time optimisation needs a linker plugin, which not every Clang has.
            if flags.contains(&"-flto") && !compiler.name.starts_with('g') {
                continue;
            }
            for client in CLIENTS {
                passes(&mut Command::new(compiler.build(&dir, client, flags)));
            }
        }
    }
}

#[test]
fn clients_run_on_the_shared_library() {
    let dir = tools::scratch("c-clients-shared");
    let library = tools::library(tools::Library::Shared);
    let folder = library.parent().expect("a library is in a folder");
    for compiler in compilers() {
        let out = dir.join(compiler.name);
        tools::run_ok(
            compiler
                .command()
                .args([compiler.language.standard(), "-O1", "-pthread"])
                .arg(source("client", compiler.language))
                .arg("-o")
                .arg(&out)
                .arg("-L")
                .arg(folder)
                .arg(format!("-Wl,-rpath,{}", folder.display()))
                .arg("-lolemem"),
        );
        passes(&mut Command::new(&out));
        // The static library may lie in the same folder: it really is the shared one.
        if cfg!(target_os = "linux")
            && let Some(ldd) = tools::tool(&["ldd"])
        {
            let listed = tools::run_ok(Command::new(ldd).arg(&out));
            let listed = text(&listed.stdout);
            tools::line_with(&listed, "libolemem.so");
        }
    }
}

/// The same sources, judged by the Windows compiler's headers and by Wine.
#[test]
fn clients_are_right_on_windows() {
    let Some(gcc) = tools::tool(&["x86_64-w64-mingw32-gcc"]) else {
        return;
    };
    let Some(gxx) = tools::tool(&["x86_64-w64-mingw32-g++"]) else {
        return;
    };
    let Some(wine) = tools::tool(&["wine", "wine64"]) else {
        return;
    };
    let dir = tools::scratch("c-clients-windows");
    let built = [(&gcc, C), (&gxx, Cxx)];
    let programs = built
        .into_iter()
        .flat_map(|built| CLIENTS.map(|client| (built, client)));
    for ((compiler, language), client) in programs {
        let program = dir.join(format!("{client}-{}.exe", language.extension()));
        silent(
            Command::new(compiler)
                .args(["-Wall", "-Wextra", "-Werror", "-O1", "-static"])
                .arg(language.standard().replace("=c", "=gnu"))
                .arg(source(client, language))
                .arg("-o")
                .arg(&program)
                .args(["-lole32", "-loleaut32", "-lshlwapi", "-luuid"]),
        );
        let output = tools::run_ok(
            Command::new(&wine)
                .arg(&program)
                .envs(tools::under_wine())
                // Every allocation reaches the spy: no cache of BSTRs.
                .env("OANOCACHE", "1"),
        );
        let said = text(&output.stdout);
        let line = tools::line_with(&said, " checks");
        assert!(line.trim_end().starts_with("ok "), "{said}");
    }
}

// ------------------------------------------------------------------------- the cache and pins

/// The parts of `cache.c`, with what the environment says to each.
const CACHE_PARTS: &[(&str, &[(&str, &str)])] = &[
    ("windows", WITH_CACHE),
    ("off", &[]),
    ("off", &[("OLEMEM", "cache=windows"), ("OANOCACHE", "0")]),
    ("off", &[("OLEMEM", "cache=windows"), ("OANOCACHE", "1")]),
    ("set-no-cache", WITH_CACHE),
    ("pins", &[]),
];

const WITH_CACHE: &[(&str, &str)] = &[("OLEMEM", "cache=windows")];

/// How many blocks the part `leaks` loses. One or two may survive in a register or on the stack.
const CACHE_LOST: std::ops::RangeInclusive<u64> = 14..=16;

/// One part, in an environment with nothing else of ours.
fn cache_part(mut command: Command, part: &str, environment: &[(&str, &str)]) -> Command {
    command
        .arg(part)
        .env_remove("OLEMEM")
        .env_remove("OANOCACHE")
        .envs(environment.iter().copied());
    command
}

#[test]
fn cache_and_pins() {
    let dir = tools::scratch("c-cache");
    for compiler in compilers().iter().filter(|known| known.language == C) {
        let program = compiler.build(&dir, "cache", &["-O1"]);
        for (part, environment) in CACHE_PARTS {
            let output = tools::run_ok(&mut cache_part(Command::new(&program), part, environment));
            assert!(text(&output.stdout).starts_with("ok "), "{part}");
            assert_eq!(text(&output.stderr), "", "{part}");
        }
    }
}

/// What is in the cache at the end is no leak, and no tool mistakes reuse for a fault.
#[test]
fn cache_and_pins_under_the_tools() {
    let dir = tools::scratch("c-cache-tools");
    for compiler in compilers().iter().filter(|known| known.language == C) {
        if let Some(sanitizer) = Sanitizer::of(compiler, &dir) {
            let program = compiler.build(&dir, "cache", ASAN_FLAGS);
            for (part, environment) in CACHE_PARTS {
                let command = sanitizer.run(&program);
                let output = tools::run_ok(&mut cache_part(command, part, environment));
                assert_eq!(text(&output.stderr), "", "{part}");
            }
            if sanitizer.leaks {
                let command = sanitizer.run(&program);
                let output = tools::run(&mut cache_part(command, "leaks", WITH_CACHE));
                let said = all(&output);
                assert_eq!(output.status.code(), Some(23), "{said}");
                let summary = tools::line_with(&said, "SUMMARY: AddressSanitizer: ");
                let lost = CACHE_LOST.map(|blocks| format!(" in {blocks} allocation(s)"));
                assert!(
                    lost.into_iter().any(|lost| summary.contains(&lost)),
                    "{said}"
                );
            }
        }
    }
    let Some(valgrind) = tools::tool(&["valgrind"]) else {
        return;
    };
    for compiler in compilers().iter().filter(|known| known.language == C) {
        let program = compiler.build(&dir, "cache", &["-O1", "-g", "-gdwarf-4"]);
        for (part, environment) in CACHE_PARTS {
            let command = under_valgrind(&valgrind, &program);
            let output = tools::run_ok(&mut cache_part(command, part, environment));
            let report = text(&output.stderr);
            if !report.contains("no leaks are possible") {
                for kind in ["definitely", "indirectly", "possibly"] {
                    assert_eq!(blocks(&report, &format!("{kind} lost")), 0, "{report}");
                }
            }
        }
        let command = under_valgrind(&valgrind, &program);
        let output = tools::run(&mut cache_part(command, "leaks", WITH_CACHE));
        let report = text(&output.stderr);
        assert_eq!(output.status.code(), Some(99), "{report}");
        let lost = blocks(&report, "definitely lost");
        assert!(CACHE_LOST.contains(&lost), "{report}");
    }
}

/// Windows' observed facts are facts of Wine's as well, whose cache is another.
#[test]
fn cache_is_right_on_windows() {
    let Some(gcc) = tools::tool(&["x86_64-w64-mingw32-gcc"]) else {
        return;
    };
    let Some(wine) = tools::tool(&["wine", "wine64"]) else {
        return;
    };
    let dir = tools::scratch("c-cache-windows");
    let program = dir.join("cache.exe");
    silent(
        Command::new(gcc)
            .args([
                "-Wall",
                "-Wextra",
                "-Werror",
                "-O1",
                "-static",
                "-std=gnu11",
            ])
            .arg(source("cache", C))
            .arg("-o")
            .arg(&program)
            .args(["-lole32", "-loleaut32", "-luuid"]),
    );
    for (part, environment) in [
        ("windows", &[] as &[(&str, &str)]),
        ("off", &[("OANOCACHE", "1")]),
        ("set-no-cache", &[]),
    ] {
        let mut command = Command::new(&wine);
        command.arg(&program).envs(tools::under_wine());
        let output = tools::run_ok(&mut cache_part(command, part, environment));
        let said = text(&output.stdout);
        assert!(said.contains("ok "), "{part}: {said}");
    }
}

// -------------------------------------------------------------------------------------- misuse

/// A rule broken in `misuse.c`, and what must come of it.
struct Misuse {
    name: &'static str,
    /// How the line on standard error of a plain run begins. `None`: only a tool can see it.
    plain: Option<&'static str>,
    /// AddressSanitizer's words.
    asan: &'static str,
    /// Valgrind's words.
    valgrind: &'static str,
}

const DOUBLE_FREE: &str = "AddressSanitizer: attempting double-free";
const BAD_FREE: &str = "AddressSanitizer: attempting free on address which was not malloc()-ed";

const fn bad_free(name: &'static str, asan: &'static str) -> Misuse {
    Misuse {
        name,
        plain: Some("olemem: free of 0x"),
        asan,
        valgrind: "Invalid free()",
    }
}

const MISUSES: &[Misuse] = &[
    bad_free("double-free", DOUBLE_FREE),
    bad_free("double-free-task", DOUBLE_FREE),
    bad_free("foreign-free", BAD_FREE),
    bad_free("foreign-free-task", BAD_FREE),
    bad_free("interior-free", BAD_FREE),
    bad_free("interior-free-task", BAD_FREE),
    bad_free("family-mismatch", BAD_FREE),
    Misuse {
        plain: Some("olemem: reallocation of 0x"),
        ..bad_free("realloc-freed", DOUBLE_FREE)
    },
    Misuse {
        name: "overrun",
        plain: None,
        asan: "AddressSanitizer: heap-buffer-overflow",
        valgrind: "Invalid write of size 1",
    },
    Misuse {
        name: "use-after-free",
        plain: None,
        asan: "AddressSanitizer: heap-use-after-free",
        valgrind: "Invalid read of size 4",
    },
];

/// How many blocks the leaking programs lose. One may survive in a register or on the stack.
const LOST: std::ops::RangeInclusive<u64> = 7..=8;

/// Without a tool: a bad free is one line and an abort; a leak is nothing.
#[test]
fn misuse_aborts_with_one_line() {
    let dir = tools::scratch("c-misuse");
    for compiler in compilers().iter().filter(|known| known.language == C) {
        for level in ["-O0", "-O2"] {
            let program = compiler.build(&dir, "misuse", &[level]);
            for quiet in ["ok", "leak-bstr", "leak-task", "still-held"] {
                let output = tools::run_ok(Command::new(&program).arg(quiet));
                assert_eq!(all(&output), "done\n", "{quiet}");
            }
            for misuse in MISUSES {
                let Some(words) = misuse.plain else { continue };
                let output = tools::run(Command::new(&program).arg(misuse.name));
                let said = text(&output.stderr);
                const SIGABRT: i32 = 6;
                assert_eq!(
                    output.status.signal(),
                    Some(SIGABRT),
                    "{}: {} {said}",
                    misuse.name,
                    output.status
                );
                assert_eq!(text(&output.stdout), "", "{}", misuse.name);
                assert!(
                    said.starts_with(words) && said.ends_with('\n') && said.lines().count() == 1,
                    "{}: {said:?}",
                    misuse.name
                );
            }
        }
    }
}

// ---------------------------------------------------------------------------- AddressSanitizer

#[test]
fn clients_are_clean_under_address_sanitizer() {
    let dir = tools::scratch("c-asan-clients");
    for compiler in compilers() {
        if let Some(sanitizer) = Sanitizer::of(&compiler, &dir) {
            for client in CLIENTS {
                passes(&mut sanitizer.run(&compiler.build(&dir, client, ASAN_FLAGS)));
            }
        }
    }
}

#[test]
fn misuse_is_seen_by_address_sanitizer() {
    let dir = tools::scratch("c-asan-misuse");
    for compiler in compilers().iter().filter(|known| known.language == C) {
        let Some(sanitizer) = Sanitizer::of(compiler, &dir) else {
            continue;
        };
        let program = compiler.build(&dir, "misuse", ASAN_FLAGS);
        for clean in ["ok", "ends-move", "still-held"] {
            let output = tools::run_ok(sanitizer.run(&program).arg(clean));
            assert_eq!(all(&output), "done\n", "{clean}");
        }
        // Within the rounding of a block, or its room: memory that is there, and was told to be none.
        for name in [
            "read-past-terminator",
            "read-past-shortened",
            "copy-past-terminator",
        ] {
            let output = tools::run(sanitizer.run(&program).arg(name));
            let said = all(&output);
            assert_eq!(output.status.code(), Some(23), "{name}: {said}");
            assert!(said.contains("use-after-poison"), "{name}: {said}");
        }
        for misuse in MISUSES {
            let output = tools::run(sanitizer.run(&program).arg(misuse.name));
            let said = all(&output);
            assert_eq!(output.status.code(), Some(23), "{}: {said}", misuse.name);
            assert!(said.contains(misuse.asan), "{}: {said}", misuse.name);
            assert!(!said.contains("olemem: "), "{}: {said}", misuse.name);
        }
        if sanitizer.leaks {
            // The heap knows all these blocks; what it keeps of them must not look like pointers.
            for (name, bytes) in [("leak-bstr", 48), ("leak-task", 100)] {
                let output = tools::run(sanitizer.run(&program).arg(name));
                let said = all(&output);
                assert_eq!(output.status.code(), Some(23), "{name}: {said}");
                let summary = tools::line_with(&said, "SUMMARY: AddressSanitizer: ");
                let numbers: Vec<u64> = summary
                    .split_whitespace()
                    .filter_map(|word| word.parse().ok())
                    .collect();
                let [lost, blocks] = numbers[..] else {
                    panic!("{name}: {summary}")
                };
                assert!(LOST.contains(&blocks), "{name}: {said}");
                assert_eq!(lost, blocks * bytes, "{name}: {said}");
            }
        }
    }
}

// ------------------------------------------------------------------------------------ Valgrind

/// A run in which a leak of any kind but "still reachable", and any error, changes the exit code.
fn under_valgrind(valgrind: &Path, program: &Path) -> Command {
    let mut command = Command::new(valgrind);
    command
        .args(["--leak-check=full", "--show-leak-kinds=all"])
        .args([
            "--errors-for-leak-kinds=definite,indirect,possible",
            "--error-exitcode=99",
        ])
        .arg(program);
    command
}

/// `definitely lost: 1,024 bytes in 8 blocks`: the blocks.
fn blocks(report: &str, kind: &str) -> u64 {
    let line = tools::line_with(report, &format!("{kind}: "));
    let (_, rest) = line.split_once(" bytes in ").expect("a count of bytes");
    let (count, _) = rest.split_once(" blocks").expect("a count of blocks");
    count.replace(',', "").parse().expect("a number")
}

/// No error and nothing left behind. What the heap itself keeps to the end may be reachable, a block for
/// each shard of its records and one or two more: beyond that there would be leaks that these hide.
#[track_caller]
fn clean_under_valgrind(command: &mut Command) -> Output {
    let output = tools::run_ok(command);
    let report = text(&output.stderr);
    if !report.contains("no leaks are possible") {
        assert_eq!(blocks(&report, "definitely lost"), 0, "{report}");
        assert_eq!(blocks(&report, "indirectly lost"), 0, "{report}");
        assert_eq!(blocks(&report, "possibly lost"), 0, "{report}");
        assert!(blocks(&report, "still reachable") <= 18, "{report}");
    }
    output
}

#[test]
fn clients_are_clean_under_valgrind() {
    let Some(valgrind) = tools::tool(&["valgrind"]) else {
        return;
    };
    let dir = tools::scratch("c-valgrind-clients");
    for compiler in compilers() {
        for client in CLIENTS {
            let program = compiler.build(&dir, client, &["-O1", "-g", "-gdwarf-4"]);
            let output = clean_under_valgrind(&mut under_valgrind(&valgrind, &program));
            assert!(text(&output.stdout).starts_with("ok "));
        }
    }
}

#[test]
fn misuse_is_seen_by_valgrind() {
    let Some(valgrind) = tools::tool(&["valgrind"]) else {
        return;
    };
    let dir = tools::scratch("c-valgrind-misuse");
    for compiler in compilers().iter().filter(|known| known.language == C) {
        let program = compiler.build(&dir, "misuse", &["-O0", "-g", "-gdwarf-4"]);
        let run = |name: &str| {
            let mut command = under_valgrind(&valgrind, &program);
            command.arg(name);
            command
        };
        clean_under_valgrind(&mut run("ok"));
        for misuse in MISUSES {
            let output = tools::run(&mut run(misuse.name));
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(99), "{}: {said}", misuse.name);
            assert!(said.contains(misuse.valgrind), "{}: {said}", misuse.name);
            assert!(!said.contains("olemem: "), "{}: {said}", misuse.name);
        }
        for name in ["leak-bstr", "leak-task"] {
            let output = tools::run(&mut run(name));
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(99), "{name}: {said}");
            assert!(
                LOST.contains(&blocks(&said, "definitely lost")),
                "{name}: {said}"
            );
        }
        // A BSTR points past the start of its block, so one that a global still owns looks to
        // Valgrind as if it may be lost. That is no fault of the program, nor of ours.
        let output = tools::run(&mut run("still-held"));
        let said = text(&output.stderr);
        assert_eq!(blocks(&said, "definitely lost"), 0, "{said}");
        assert_eq!(blocks(&said, "possibly lost"), 1, "{said}");
    }
}
