//! The command `olemem`.

mod demo;
// Nothing is drawn on Windows.
#[cfg(not(windows))]
mod draw;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// COM's memory, for Linux and macOS: BSTR strings and the task allocator, byte for byte.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the documentation's own example on the emulated memory, and show every byte of it.
    ///
    /// A browser component is called through its vtable: put_StatusText with an [in] string,
    /// get_StatusText with an [out] string, ExchangeStatusText with an [in,out] string. Each BSTR is
    /// drawn as it lies in memory, with who allocated and who freed it.
    Demo,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Demo => demo::run(),
    }
}
