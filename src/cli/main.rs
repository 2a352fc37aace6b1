//! The command `olemem`.

#[cfg(unix)]
mod check;
mod completions;
mod demo;
mod draw;
// The audit, whose words these are, is not there on Windows.
#[cfg(not(windows))]
mod explain;
mod inspect;
mod man;
#[cfg(not(windows))]
mod mistakes;
mod output;
#[cfg(unix)]
mod sweep;
#[cfg(unix)]
mod symbols;
#[cfg(unix)]
mod watching;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// COM's memory, for Linux and macOS: BSTR strings and the task allocator, byte for byte.
#[derive(Debug, Parser)]
#[command(
    name = "olemem",
    version,
    arg_required_else_help = true,
    after_help = "Examples:\n  \
        olemem demo                   each byte of five strings, and who owns it\n  \
        olemem check -- ./program     a program's broken ownership rules, each with its story\n  \
        olemem sweep -- ./program     the same with each of its allocations failing in turn\n  \
        olemem explain                all kinds of violations, and the rules they break\n  \
        olemem explain double-free    one of them, with code that breaks and keeps it\n  \
        olemem inspect dump.bin       the BSTR that a file holds, drawn and judged\n\n\
        Exit status: 0 on success, 2 for a mistake in the arguments and for files that\n\
        cannot be read or written; others are each command's own and told in its help."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the documentation's own example on the emulated memory, and show every byte of it.
    ///
    /// A browser component is called through its vtable: put_StatusText with an [in]
    /// string, get_StatusText with an [out] string, ExchangeStatusText with an [in,out]
    /// string. Each BSTR is drawn as it lies in memory, with who allocated and who freed
    /// it.
    ///
    /// With a kind of violation, or all of them, it shows that mistake instead: the code
    /// that makes it, what the audit tells of it, and the code that avoids it. Both are
    /// run.
    #[command(
        verbatim_doc_comment,
        after_help = "Examples:\n  \
            olemem demo                each byte of five strings\n  \
            olemem demo double-free    a mistake, made and avoided\n  \
            olemem demo all            every mistake that is told\n\n\
            Exit status: 0 if everything went as it is documented, otherwise 1; 2 for an unknown kind."
    )]
    Demo {
        /// A kind of violation, as `olemem explain` lists them, or `all`.
        kind: Option<String>,
    },
    #[cfg(unix)]
    Check(check::Arguments),
    #[cfg(unix)]
    Sweep(sweep::Arguments),
    #[cfg(not(windows))]
    Explain(explain::Arguments),
    Inspect(inspect::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Demo { kind: None } => demo::run(),
        #[cfg(not(windows))]
        Command::Demo { kind: Some(kind) } => mistakes::run(&kind),
        #[cfg(windows)]
        Command::Demo { .. } => demo::run(),
        #[cfg(unix)]
        Command::Check(arguments) => check::run(&arguments),
        #[cfg(unix)]
        Command::Sweep(arguments) => sweep::run(&arguments),
        #[cfg(not(windows))]
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}
