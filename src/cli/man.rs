//! `olemem man`: this command's manual.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::output;

/// Write this command's manual, in the form that man(1) reads.
///
/// Without an option the main page goes to standard output. With --dir it is written to
/// a folder, with a page for each command beside it: olemem.1, olemem-explain.1 and so
/// on.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        olemem man | man -l -\n  \
        olemem man --dir ~/.local/share/man/man1\n\n\
        Exit status: 0 on success, 2 for a mistake in the arguments or the output."
)]
pub(crate) struct Arguments {
    /// Write all pages to this folder, which must be there.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    // Of `olemem help` there is no page.
    let command = crate::Arguments::command().disable_help_subcommand(true);
    let Some(dir) = &arguments.dir else {
        let written = clap_mangen::Man::new(command).render(&mut io::stdout());
        return output::ended(written, ExitCode::SUCCESS);
    };
    match clap_mangen::generate_to(command, dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::unusable(dir.display(), error),
    }
}
