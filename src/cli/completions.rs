//! `olemem completions`: what a shell needs to complete this command's words.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::output;

/// Print a script that completes this command's words in a shell.
///
/// The script goes to standard output; where a shell looks for it is told in the
/// examples. Where the shell can, it completes the kinds and rules of `olemem explain`.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        olemem completions bash > ~/.local/share/bash-completion/completions/olemem\n  \
        olemem completions zsh > ~/.zfunc/_olemem    (with ~/.zfunc in fpath)\n  \
        olemem completions fish > ~/.config/fish/completions/olemem.fish\n\n\
        Exit status: 0 on success, 2 for a mistake in the arguments or the output."
)]
pub(crate) struct Arguments {
    /// The shell that is to read it.
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mut command = crate::Arguments::command();
    let name = command.get_name().to_owned();
    // By way of memory: the generator would panic if a pipe broke.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    output::ended(io::stdout().write_all(&script), ExitCode::SUCCESS)
}
