//! `olemem sweep`: a program run again and again, with one allocation after another failing.
//!
//! ```text
//!  run 1 ─► OLEMEM=check,fail-at=1 ─► records: did it fail? what did the program do, what did the audit find?
//!  run 2 ─► OLEMEM=check,fail-at=2 ─► …
//!    …        until a run in which nothing failed
//! ```

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use olemem::audit::{Run, Severity, Wrong};

use crate::output::counted;
use crate::watching::{
    Colour, Environment, UNCOVERED, UNWRITABLE, create, ended_by, suppressions,
    tell_what_is_not_followed,
};

mod progress;
mod runner;

use runner::{Ended, Runner};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a table of the runs, and each violation as a story
    Text,
    /// olemem-sweep/1, see docs/sweep.schema.json
    Json,
    /// SARIF 2.1.0, for pages of code-scanning results
    Sarif,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Family {
    Bstr,
    Task,
}

/// So many runs, unless the user says otherwise.
const LIMIT: u64 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deny {
    Warnings,
}

/// Run a program again and again, with one allocation after another failing.
///
/// In the first run the first allocation of olemem's fails, in the second run the second one,
/// and so on, until a run needs none to fail any more: N allocations take N + 1 runs. Each
/// is watched as `olemem check` does it, and is a row of a table: what failed, where, what the
/// program did, and what is wrong with that. An exit status that tells of a failure is right; a
/// crash, a time-out, a broken rule are not. The program gets no input, and what it prints is
/// dropped.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Exit status: 0 or, as the program's own was, if nothing is wrong. Otherwise\n  \
        99   a run broke a rule, crashed or timed out (--error-exitcode chooses another;\n       \
        --deny warnings counts warnings)\n  \
        98   there is nothing to judge: the program holds no olemem or one without the audit,\n       \
        or recorded nothing, or left by _exit; no allocation is of the family and size\n       \
        that were asked for; or the limit was reached that nobody gave\n  \
        97   the report could not be written\n  \
        126  the program cannot be started\n  \
        127  there is no such program\n  \
        128  and the signal's number, if one ended the sweep\n  \
        2    a mistake in the arguments, or suppressions that cannot be read"
)]
pub(crate) struct Arguments {
    /// How the report looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Where it goes, instead of standard output
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// So many runs at the same time
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// No more than so many runs; 10000 if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// How long a run may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,
    /// Allocations of one family alone
    #[arg(long, value_enum)]
    family: Option<Family>,
    /// Allocations of more than so many bytes alone
    #[arg(long, value_name = "BYTES")]
    above: Option<u64>,
    /// All allocations behind the one that fails, fail as well
    #[arg(long)]
    from_then_on: bool,
    /// Violations that are known: lines of a kind, a function, a file, with * and ?
    #[arg(long, value_name = "FILE")]
    suppress: Option<PathBuf>,
    /// Let the program print
    #[arg(long)]
    show_output: bool,
    /// Count warnings as errors
    #[arg(long, value_enum, value_name = "WHAT")]
    deny: Option<Deny>,
    /// The exit status if something is wrong
    #[arg(long, value_name = "STATUS", default_value_t = 99)]
    error_exitcode: u8,
    /// Whether text has colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    color: Colour,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

/// A time, with or without a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| !time.is_zero())
        .ok_or_else(|| "a number of seconds is needed".to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let known = match suppressions(arguments.suppress.as_deref()) {
        Ok(known) => known,
        Err(status) => return status,
    };
    let output = match create(arguments.output.as_deref()) {
        Ok(output) => output,
        Err(status) => return status,
    };
    tell_what_is_not_followed();
    let runner = Runner {
        arguments,
        known: &known,
        limit: arguments.limit.unwrap_or(LIMIT),
    };
    let ended = match runner.run() {
        Ok(ended) => ended,
        Err(status) => return status,
    };
    if let Err(error) = arguments.tell(&ended, output) {
        return ended_by(UNWRITABLE, "the report", error);
    }
    ExitCode::from(arguments.status(&ended))
}

impl Arguments {
    /// `OLEMEM` for a run: what is there, and what the options ask for.
    fn environment(&self, number: u64) -> OsString {
        let mut value = Environment::new();
        value.add("check");
        for word in self.narrowing() {
            value.add(word);
        }
        value.add(format_args!("fail-at={number}"));
        value.value()
    }

    /// Whether some allocations are left alone.
    fn is_narrowed(&self) -> bool {
        self.family.is_some() || self.above.is_some_and(|bytes| bytes > 0)
    }

    /// The words that say which allocations are meant.
    fn narrowing(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(family) = self.family {
            let name = match family {
                Family::Bstr => "bstr",
                Family::Task => "task",
            };
            words.push(format!("fail-family={name}"));
        }
        if let Some(bytes) = self.above {
            words.push(format!("fail-above={bytes}"));
        }
        if self.from_then_on {
            words.push("fail-then=always".to_owned());
        }
        words
    }

    fn tell(&self, ended: &Ended, output: Option<File>) -> io::Result<()> {
        let sweep = &ended.sweep;
        let written = match self.format {
            Format::Text => {
                let text = format!("{}\n", sweep.painted());
                self.color.write(&text, output, io::stdout())
            }
            Format::Json => write(&sweep.to_json(), output),
            Format::Sarif => write(&sweep.to_sarif(), output),
        };
        written?;
        for note in self.notes(ended) {
            eprintln!("olemem: {note}");
        }
        Ok(())
    }

    /// What is not in the report.
    fn notes(&self, ended: &Ended) -> Vec<String> {
        let mut notes = Vec::new();
        if ended.suppressed > 0 {
            let suppressed = counted(ended.suppressed as u64, "violation");
            notes.push(format!("{suppressed} suppressed"));
        }
        let runs = ended.sweep.runs();
        let is_any = |wrong| runs.iter().any(|run| run.wrongs().contains(&wrong));
        if is_any(Wrong::RecordedNothing) {
            notes.push(
                "nothing was recorded: the program holds no olemem, or one without the feature `audit`, or never used \
                 it"
                .to_owned(),
            );
        }
        if is_any(Wrong::NothingMatched) {
            notes.push(
                "nothing was made to fail: no allocation is of that family and size".to_owned(),
            );
        }
        let broken = runs
            .iter()
            .find(|run| is_broken(run) && !run.failures.is_empty());
        if let Some(run) = broken {
            let words = self.program.iter().map(|word| word.display().to_string());
            let program = words.collect::<Vec<_>>().join(" ");
            let words = self.narrowing();
            let narrowed = if words.is_empty() {
                String::new()
            } else {
                format!("OLEMEM={} ", words.join(","))
            };
            notes.push(format!(
                "one of them alone: {narrowed}olemem check --fail-at {} -- {program}",
                run.number
            ));
        }
        notes
    }

    fn status(&self, ended: &Ended) -> u8 {
        let sweep = &ended.sweep;
        let warnings = sweep.count(Severity::Warning);
        let is_denied = self.deny == Some(Deny::Warnings) && warnings > 0;
        if let Some(signal) = ended.signal {
            128 | u8::try_from(signal).unwrap_or(0)
        } else if is_denied || sweep.runs().iter().any(is_broken) {
            self.error_exitcode
        } else if !sweep.runs().iter().all(|run| run.is_clean())
            || (!sweep.is_complete() && self.limit.is_none())
        {
            UNCOVERED
        } else {
            ended.status
        }
    }
}

fn write(text: &str, output: Option<File>) -> io::Result<()> {
    match output {
        Some(mut file) => file.write_all(text.as_bytes()),
        None => io::stdout().write_all(text.as_bytes()),
    }
}

/// Whether something is wrong with a run, rather than that there is nothing to be judged.
fn is_broken(run: &Run) -> bool {
    let is_wrong = |wrong: &Wrong| {
        !matches!(
            wrong,
            Wrong::RecordedNothing | Wrong::NothingMatched | Wrong::LeftNoReport
        )
    };
    run.wrongs().iter().any(is_wrong)
}
