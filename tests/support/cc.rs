//! The C and C++ compilers that the tests of the C ABI work with.
#![allow(dead_code, reason = "each test crate uses its own part")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools;

pub(crate) const STRICT: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    C,
    Cxx,
}

use Language::{C, Cxx};

impl Language {
    pub(crate) fn extension(self) -> &'static str {
        match self {
            C => "c",
            Cxx => "cpp",
        }
    }

    /// The standard that clients are written in.
    pub(crate) fn standard(self) -> &'static str {
        match self {
            C => "-std=c11",
            Cxx => "-std=c++17",
        }
    }

    /// All that the header is for.
    pub(crate) fn standards(self) -> [&'static str; 2] {
        match self {
            C => ["-std=c11", "-std=c17"],
            Cxx => ["-std=c++17", "-std=c++20"],
        }
    }
}

/// A compiler for one language, with a name for files.
#[derive(Clone, Debug)]
pub(crate) struct Compiler {
    pub(crate) path: PathBuf,
    pub(crate) language: Language,
    pub(crate) name: &'static str,
}

impl Compiler {
    /// A run with the header in reach and warnings denied.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(STRICT).arg(tools::include_flag());
        command
    }

    /// Builds a program of `tests/c` against the static library.
    pub(crate) fn build(&self, dir: &Path, program: &str, flags: &[&str]) -> PathBuf {
        self.build_with(dir, program, flags, "export")
    }

    /// As [`build`](Self::build), against a library with other features.
    pub(crate) fn build_with(
        &self,
        dir: &Path,
        program: &str,
        flags: &[&str],
        features: &str,
    ) -> PathBuf {
        let out = dir.join(format!(
            "{program}-{}{}",
            self.name,
            flags.join("").replace('/', "_")
        ));
        tools::run_ok(
            self.command()
                .arg(self.language.standard())
                .args(flags)
                .arg(source(program, self.language))
                .arg("-o")
                .arg(&out)
                .arg(tools::library_with(tools::Library::Static, features))
                .args(tools::system_libraries()),
        );
        out
    }
}

/// GCC and Clang, for C and for C++, as far as they are here.
pub(crate) fn compilers() -> Vec<Compiler> {
    let known: [(&[&str], Language, &str); 4] = [
        (&["gcc", "cc"], C, "gcc"),
        (&["g++", "c++"], Cxx, "gxx"),
        (&["clang"], C, "clang"),
        (&["clang++"], Cxx, "clangxx"),
    ];
    known
        .into_iter()
        .filter_map(|(names, language, name)| {
            let path = tools::tool(names)?;
            Some(Compiler {
                path,
                language,
                name,
            })
        })
        .collect()
}

/// A program of `tests/c`.
pub(crate) fn source(program: &str, language: Language) -> PathBuf {
    let file = format!("{program}.{}", language.extension());
    tools::root().join("tests/c").join(file)
}

/// A compiler's run that must succeed and say nothing.
#[track_caller]
pub(crate) fn silent(command: &mut Command) {
    let output = tools::run_ok(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.is_empty(), "{command:?} said:\n{said}");
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
