//! `olemem explain`: a kind of violation, or a rule, in words and in code.

mod page;
mod topic;

use std::io::Write;
use std::process::ExitCode;

use crate::output;
use topic::{Topic, TopicParser};

/// Explain a kind of violation or a rule of ownership.
///
/// Prints what it says, how far the audit checks it, a piece of C that breaks it and one
/// that keeps it, and where it is written. Without an argument all kinds and all rules
/// are listed, a line each. The C examples speak of a component `Browser`, with plain
/// functions for its methods.
///
/// Output to a terminal has colours, unless NO_COLOR is set in the environment.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        olemem explain                 the list\n  \
        olemem explain double-free     a kind, by its name in reports\n  \
        olemem explain r21             a rule, by its number\n\n\
        Exit status: 0 on success, 2 if there is no such kind or rule."
)]
pub(crate) struct Arguments {
    /// A kind, as double-free, or a rule, as R21.
    #[arg(value_name = "KIND|RULE", value_parser = TopicParser, hide_possible_values = true)]
    topic: Option<Topic>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mut out = anstream::stdout().lock();
    let written = match arguments.topic {
        None => page::contents(&mut out),
        Some(Topic::Kind(kind)) => page::kind(&mut out, kind),
        Some(Topic::Rule(rule)) => page::rule(&mut out, rule),
    };
    output::ended(written.and_then(|()| out.flush()), ExitCode::SUCCESS)
}
