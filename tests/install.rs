//! `install.sh` into a folder of its own, and what finds the library there: CMake, pkg-config, the loader.
#![cfg(all(unix, feature = "export", feature = "audit", not(miri)))]

#[path = "support/installed.rs"]
mod installed;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use installed::script;

/// A fresh prefix with everything in it.
fn installed(name: &str) -> PathBuf {
    let prefix = tools::scratch(name).join("prefix");
    installed::into(&prefix);
    prefix
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn shared_library() -> &'static str {
    if cfg!(target_os = "macos") {
        "libolemem.dylib"
    } else {
        "libolemem.so"
    }
}

/// The folder of the example in C and C++.
fn example() -> PathBuf {
    tools::root().join("examples/cmake")
}

#[test]
fn what_is_installed_is_the_list() {
    let prefix = installed("install-list");
    let lib = prefix.join("lib");
    let headers = |folder: &Path| {
        let mut names: Vec<_> = fs::read_dir(folder)
            .expect("a folder of headers")
            .map(|entry| entry.expect("readable").file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        headers(&prefix.join("include/olemem/win32")),
        headers(&tools::include())
    );
    for file in [
        "include/olemem/olemem.h",
        "lib/libolemem.a",
        "lib/pkgconfig/olemem.pc",
        "lib/cmake/olemem/olememConfig.cmake",
        "lib/cmake/olemem/olememConfigVersion.cmake",
    ] {
        assert!(prefix.join(file).is_file(), "{file}");
    }
    // From the name that a linker looks for to the one that a program asks for, to the file.
    let version = env!("CARGO_PKG_VERSION");
    let (asked, file) = if cfg!(target_os = "macos") {
        (
            "libolemem.0.dylib".to_owned(),
            format!("libolemem.{version}.dylib"),
        )
    } else {
        (
            "libolemem.so.0".to_owned(),
            format!("libolemem.so.{version}"),
        )
    };
    let leads_to = |name: &str| fs::read_link(lib.join(name)).expect("a link");
    assert_eq!(leads_to(shared_library()), Path::new(&asked));
    assert_eq!(leads_to(&asked), Path::new(&file));
    if cfg!(target_os = "linux")
        && let Some(readelf) = tools::tool(&["readelf", "llvm-readelf"])
    {
        let output = tools::run_ok(Command::new(readelf).arg("-d").arg(lib.join(&file)));
        let said = text(&output.stdout);
        let line = tools::line_with(&said, "SONAME");
        assert!(line.contains("[libolemem.so.0]"), "{line}");
    }
}

#[test]
fn the_folders_can_be_chosen() {
    let dir = tools::scratch("install-folders");
    let stage = dir.join("stage");
    tools::run_ok(
        script()
            .args(["--prefix=/opt/olemem", "--libdir=lib/some-machine"])
            .env("DESTDIR", &stage),
    );
    let lib = stage.join("opt/olemem/lib/some-machine");
    assert!(lib.join(shared_library()).exists());
    let read = |file: &str| fs::read_to_string(lib.join(file)).expect("it is installed");
    // What is written down says where things will be, not where they are meanwhile.
    let pc = read("pkgconfig/olemem.pc");
    assert!(
        pc.starts_with("prefix=/opt/olemem\nlibdir=${prefix}/lib/some-machine\n"),
        "{pc}"
    );
    let config = read("cmake/olemem/olememConfig.cmake");
    assert!(
        config.contains("${CMAKE_CURRENT_LIST_DIR}/../../../..\""),
        "{config}"
    );
    assert!(!config.contains("stage"), "{config}");

    let help = tools::run_ok(script().arg("--help"));
    assert!(text(&help.stdout).contains("sh install.sh [--prefix=DIR] [--libdir=DIR]"));
    let refused = tools::run(script().arg("--prefiks=/opt"));
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("unknown option --prefiks=/opt"));
    // A file is where a folder should be: nobody can write there, root included.
    let file = dir.join("file");
    fs::write(&file, "").expect("the scratch folder can be written");
    let refused = tools::run(script().arg(format!("--prefix={}/below", file.display())));
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("SUDO=sudo"), "{refused:?}");
}

/// Configures and builds a CMake project.
fn cmake(cmake: &Path, source: &Path, build: &Path, options: &[String]) -> Output {
    let configured = tools::run(
        tools::build_into(&mut Command::new(cmake), &installed::build(), "installed")
            .arg("-S")
            .arg(source)
            .arg("-B")
            .arg(build)
            .args(options)
            .env("CARGO", env!("CARGO")),
    );
    if configured.status.success() {
        tools::run_ok(Command::new(cmake).arg("--build").arg(build));
    }
    configured
}

#[test]
fn cmake_finds_it_and_its_tests_tell_the_story() {
    let (Some(tool), Some(ctest)) = (tools::tool(&["cmake"]), tools::tool(&["ctest"])) else {
        return;
    };
    let prefix = installed("install-cmake");
    let build = prefix.with_file_name("build");
    let found = format!("-DCMAKE_PREFIX_PATH={}", prefix.display());
    let output = cmake(&tool, &example(), &build, std::slice::from_ref(&found));
    assert!(output.status.success(), "{output:?}");
    let output = tools::run_ok(
        Command::new(ctest)
            .arg("--output-on-failure")
            .current_dir(&build),
    );
    let said = text(&output.stdout);
    assert!(
        said.contains("100% tests passed, 0 tests failed out of 4"),
        "{said}"
    );

    // The other target; and versions that are not this one.
    let program = prefix.with_file_name("static");
    fs::create_dir(&program).expect("the scratch folder can be written");
    let project = |version: &str| {
        let example = example();
        let list = format!(
            "cmake_minimum_required(VERSION 3.15)\nproject(p LANGUAGES C)\n\
             find_package(olemem {version} REQUIRED)\n\
             add_executable(p {0}/status.c {0}/status_test.c)\n\
             target_link_libraries(p PRIVATE olemem::olemem_static)\n",
            example.display()
        );
        fs::write(program.join("CMakeLists.txt"), list).expect("it can be written");
    };
    for (number, version) in ["0.1.0 EXACT", "0", "0.0.9", "0.2", "1"]
        .into_iter()
        .enumerate()
    {
        project(version);
        let build = prefix.with_file_name(format!("static-{number}"));
        let output = cmake(&tool, &program, &build, std::slice::from_ref(&found));
        let fits = number < 2;
        assert_eq!(output.status.success(), fits, "{version}: {output:?}");
        if fits {
            tools::run_ok(&mut Command::new(build.join("p")));
        }
    }
}

#[test]
fn cmake_takes_the_repository_as_a_part() {
    let Some(tool) = tools::tool(&["cmake"]) else {
        return;
    };
    let dir = tools::scratch("install-subdirectory");
    let list = format!(
        "cmake_minimum_required(VERSION 3.15)\nproject(p LANGUAGES C)\n\
         add_subdirectory({}/cmake olemem)\n\
         add_executable(p {1}/status.c {1}/status_test.c)\n\
         target_link_libraries(p PRIVATE olemem::olemem)\n",
        tools::root().display(),
        example().display()
    );
    fs::write(dir.join("CMakeLists.txt"), list).expect("the scratch folder can be written");
    let build = dir.join("build");
    let output = cmake(&tool, &dir, &build, &[]);
    assert!(output.status.success(), "{output:?}");
    tools::run_ok(&mut Command::new(build.join("p")));
}

#[test]
fn pkg_config_finds_it() {
    let (Some(pkg_config), Some(cc)) = (
        tools::tool(&["pkg-config", "pkgconf"]),
        tools::tool(&["cc", "gcc", "clang"]),
    ) else {
        return;
    };
    let prefix = installed("install-pkg-config");
    let ask = |options: &[&str]| {
        let output = tools::run_ok(
            Command::new(&pkg_config)
                .args(options)
                .arg("olemem")
                .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")),
        );
        let said = text(&output.stdout);
        said.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(ask(&["--modversion"]), [env!("CARGO_PKG_VERSION")]);
    let cflags = ask(&["--cflags"]);
    let sources = ["status.c", "status_test.c"].map(|file| example().join(file));
    let compile = |libraries: &[String], out: &str| {
        let program = prefix.with_file_name(out);
        let mut command = Command::new(&cc);
        command.args(&cflags).args(&sources).args(libraries);
        tools::run_ok(command.arg("-o").arg(&program));
        program
    };

    let mut run = Command::new(compile(&ask(&["--libs"]), "shared"));
    let lib = prefix.join("lib");
    let loader = if cfg!(target_os = "macos") {
        "DYLD_LIBRARY_PATH"
    } else {
        "LD_LIBRARY_PATH"
    };
    let output = tools::run_ok(run.env(loader, &lib));
    assert_eq!(text(&output.stdout), "5 units\n");

    let archive = format!("{}/libolemem.a", ask(&["--variable=libdir"])[0]);
    let private = ask(&["--static", "--libs-only-l"]);
    let libraries: Vec<String> = [archive]
        .into_iter()
        .chain(private.into_iter().filter(|flag| flag != "-lolemem"))
        .collect();
    let output = tools::run_ok(&mut Command::new(compile(&libraries, "static")));
    assert_eq!(text(&output.stdout), "5 units\n");

    // A folder of two words is one argument for a shell.
    let words = prefix.with_file_name("two words");
    fs::create_dir_all(&words).expect("the scratch folder can be written");
    let pc = fs::read_to_string(prefix.join("lib/pkgconfig/olemem.pc")).expect("it is installed");
    let there = prefix.to_str().expect("a plain path");
    let pc = pc.replace(there, words.to_str().expect("a plain path"));
    fs::write(words.join("olemem.pc"), pc).expect("the folder can be written");
    let output = tools::run_ok(
        Command::new(&pkg_config)
            .args(["--cflags", "--libs", "olemem"])
            .env("PKG_CONFIG_PATH", &words),
    );
    let script = format!(
        "set -- {}; for each; do echo \"$each\"; done",
        text(&output.stdout).trim()
    );
    let output = tools::run_ok(Command::new("sh").args(["-c", &script]));
    let words = words.display();
    assert_eq!(
        text(&output.stdout),
        format!("-I{words}/include/olemem/win32\n-L{words}/lib\n-lolemem\n")
    );
}
