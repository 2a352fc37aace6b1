//! What the tests share that build the packages in `tests/clients`: a Cargo in a Cargo.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test crate uses its own part"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools;

/// Where Miri pretends to run the clients that exist for Windows only.
pub const WINDOWS: &str = "x86_64-pc-windows-gnu";

/// The Cargo that runs this test, fit to build another package.
pub fn cargo(package: &Path, target: &Path) -> Command {
    prepared(Command::new(env!("CARGO")), package, target)
}

/// Nightly's Cargo, by the proxy on the path that understands `+nightly`.
pub fn nightly_cargo(package: &Path, target: &Path) -> Command {
    let mut command = without_toolchain(Command::new("cargo"), package, target);
    command.arg("+nightly");
    command
}

/// A command that chooses a toolchain by itself.
pub fn without_toolchain(command: Command, package: &Path, target: &Path) -> Command {
    let mut command = prepared(command, package, target);
    // These name this test's toolchain, and would win over `+nightly`, or end up in its rustc.
    for name in ["RUSTUP_TOOLCHAIN", "RUSTC", "RUSTDOC", "LD_LIBRARY_PATH"] {
        command.env_remove(name);
    }
    command
}

/// Without what the outer Cargo says about *its* package and what the user says about flags: the
/// inner build would take both for its own.
pub fn prepared(mut command: Command, package: &Path, target: &Path) -> Command {
    const NAMES: [&str; 9] = [
        "CARGO",
        "CARGO_CRATE_NAME",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_PRIMARY_PACKAGE",
        "MIRIFLAGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOCFLAGS",
        "RUSTFLAGS",
    ];
    const PREFIXES: [&str; 8] = [
        "CARGO_BIN_",
        "CARGO_BUILD_",
        "CARGO_CFG_",
        "CARGO_FEATURE_",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
    ];
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        if NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    // The current folder decides which `.cargo/config.toml` applies.
    command.current_dir(package);
    command.env("CARGO_TARGET_DIR", target);
    command
}

/// A client's folder. `None` where the sources came without it, as a published package does.
#[track_caller]
pub fn client(name: &str) -> Option<PathBuf> {
    let package = tools::root().join("tests/clients").join(name);
    if !package.join("Cargo.toml").is_file() {
        tools::skipped(&["clients"], "tests/clients is not part of these sources");
        return None;
    }
    Some(package)
}

/// A client's own build folder, kept from run to run.
pub fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("clients")
        .join(name)
}

/// Has Cargo download what the client's lock file names. `None` says that there is no registry to be
/// reached; a lock file that no longer fits olemem's manifest is a failure whatever there is.
#[track_caller]
pub fn fetched(package: &Path, target: &Path) -> Option<()> {
    let output = tools::run(cargo(package, target).args(["fetch", "--locked", "--quiet"]));
    if output.status.success() {
        return Some(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !said.contains("--locked"),
        "{}: olemem's version or dependencies changed; bring the lock file up to date with `cargo update \
         --workspace` in that folder:\n{said}",
        package.display()
    );
    tools::skipped(&["registry"], &said);
    None
}
