//! An installation by `install.sh`.
#![allow(dead_code, reason = "each test crate uses its own part")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools;

/// The build folder that all of them share.
pub(crate) fn build() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed")
}

/// The script, in an environment with nothing of ours.
pub(crate) fn script() -> Command {
    let mut command = Command::new("sh");
    tools::build_into(&mut command, &build(), "installed")
        .arg(tools::root().join("install.sh"))
        .env("CARGO", env!("CARGO"))
        .env_remove("DESTDIR")
        .env_remove("SUDO");
    command
}

/// Installs, and says nothing that a user would wonder about.
#[track_caller]
pub(crate) fn into(prefix: &Path) {
    let output = tools::run_ok(script().arg("--prefix").arg(prefix));
    assert!(output.stdout.starts_with(b"olemem "), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
