//! What is built for the measurements: the C libraries, as their users build them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether a tool is on the path.
pub fn has(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(tool).is_file())
}

/// Runs to success.
pub fn run(command: &mut Command) {
    let status = command.status().expect("the program starts");
    assert!(status.success(), "{command:?}: {status}");
}

/// A folder for what is built, beside this program.
pub fn scratch() -> PathBuf {
    let program = std::env::current_exe().expect("a program knows itself");
    let dir = program.with_file_name("peers-scratch");
    std::fs::create_dir_all(&dir).expect("the build folder can be written");
    dir
}

/// One of olemem's C libraries, `export,audit`. They are built at once: they are compiled once.
pub fn library(name: &str) -> PathBuf {
    let target = scratch().join("c-library");
    run(
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .env("CARGO_TARGET_DIR", &target)
            .env_remove("RUSTFLAGS")
            .args(["rustc", "--quiet", "--release", "--lib"])
            .args(["--features", "export,audit"])
            .args(["--crate-type", "staticlib,cdylib"]),
    );
    target.join("release").join(name)
}
