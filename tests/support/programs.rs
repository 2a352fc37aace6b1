//! The programs of `tests/c/audit`, built against the C library with the audit, and the command that runs them.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test crate uses its own part"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::cc::{Compiler, Language, compilers, source, text};
use crate::tools::{self, Library};

/// `tests/c/audit/process.c` against the static library. `None` without a C compiler.
pub fn process() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT
        .get_or_init(|| build("process", Language::C, Library::Static, "export,audit"))
        .as_deref()
}

/// A program of `tests/c/audit` against a library with some features.
#[track_caller]
pub fn build(
    program: &str,
    language: Language,
    library: Library,
    features: &str,
) -> Option<PathBuf> {
    let compiler = compiler(language)?;
    let kind = match library {
        Library::Static => "static",
        Library::Shared => "shared",
    };
    // Each test binary is a process of its own: they must not build into one folder.
    let binary = std::env::current_exe().expect("the test binary knows itself");
    let binary = binary.file_stem().expect("a file has a name");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("audit-programs")
        .join(binary);
    std::fs::create_dir_all(&folder).expect("the build folder can be written");
    let out = folder.join(format!("{program}-{kind}-{}", features.replace(',', "-")));
    let library_path = tools::library_with(library, features);
    let mut command = compiler.command();
    command
        .args([language.standard(), "-O0", "-g", "-pthread"])
        .arg(source(&format!("audit/{program}"), language))
        .arg("-o")
        .arg(&out);
    match library {
        Library::Static => {
            command.arg(&library_path).args(tools::system_libraries());
        }
        Library::Shared => {
            let folder = library_path.parent().expect("a library is in a folder");
            command
                .arg(&library_path)
                .arg(format!("-Wl,-rpath,{}", folder.display()));
        }
    }
    tools::run_ok(&mut command);
    Some(out)
}

fn compiler(language: Language) -> Option<Compiler> {
    compilers()
        .into_iter()
        .find(|compiler| compiler.language == language)
}

/// A program with an environment that says nothing to olemem.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(tools::root())
        .env_remove("OLEMEM")
        .env_remove("OLEMEM_RECORDS")
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE");
    command
}

/// What a program said, without what differs from run to run and from machine to machine.
pub fn normalised(said: &[u8]) -> String {
    let mut said = text(said);
    let folder = process().and_then(Path::parent).map(Path::to_owned);
    if let Some(folder) = folder {
        said = said.replace(&format!("{}/", folder.display()), "");
    }
    said = said.replace(&format!("{}/", tools::root().display()), "");
    let mut out = String::new();
    let mut rest = said.as_str();
    while let Some(at) = rest.find("process ") {
        let (before, behind) = rest.split_at(at + "process ".len());
        out += before;
        rest = behind.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() < behind.len() {
            out.push('N');
        }
    }
    out + rest
}

/// Whether a program as it comes from the compiler has the names of its files in it. (On Apple's systems they stay
/// in the objects.)
pub const NAMES_FILES: bool = cfg!(target_os = "linux");

/// What was said must be what a file holds. `OLEMEM_BLESS` writes the file anew.
#[track_caller]
pub fn is_as_in(file: &str, said: &str) {
    if !NAMES_FILES {
        return;
    }
    let path = tools::root().join("tests/check").join(file);
    if std::env::var_os("OLEMEM_BLESS").is_some() {
        std::fs::write(&path, said).expect("the file can be written");
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(said, wanted, "{file}");
}

/// What a run ended with; with all of it if it is not that.
#[track_caller]
pub fn ends(output: &Output, status: i32) {
    assert_eq!(
        output.status.code(),
        Some(status),
        "{}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
}
