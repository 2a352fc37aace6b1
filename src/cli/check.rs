//! `olemem check`: a program run with the audit watching it and all its children.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Args, ValueEnum};
use olemem::audit::records;

use crate::output;
use crate::symbols::Symbols;
use crate::watching::{
    Colour, Environment, NOT_STARTED, Records, UNCOVERED, UNWRITABLE, create, ended_by,
    not_started, suppressions, tell_what_is_not_followed,
};

mod found;

use found::Found;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: each violation as a story, leaks of one site together
    Text,
    /// olemem-report/1, see docs/report.schema.json
    Json,
    /// SARIF 2.1.0, for pages of code-scanning results
    Sarif,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Backtrace {
    /// None
    Off,
    /// What costs little: a line of Rust's, or C's callers as far as frame pointers lead
    Short,
    /// All that the unwinder finds
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Guard {
    /// Guard bytes; what is meant if nothing is said
    Bytes,
    /// Pages that may not be touched
    Page,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Violations that are warnings
    Warnings,
    /// Processes that left without a report, as forked children do by _exit
    Vanished,
}

/// Run a program under the audit, and report each broken ownership rule.
///
/// All blocks of all its processes are watched from the first allocation to the end, as
/// far as they hold olemem with its feature `audit`. Children report for themselves.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Exit status: the program's own if nothing was found. Otherwise\n  \
        99   there are errors (--error-exitcode chooses another; --deny counts more as errors)\n  \
        98   there is nothing to judge: the program holds no olemem or one without the audit,\n       \
        recorded nothing, or left by _exit and had broken no rule\n  \
        97   the report could not be written\n  \
        126  the program cannot be started\n  \
        127  there is no such program\n  \
        128  and the signal's number, if one killed the program\n  \
        2    a mistake in the arguments, or suppressions that cannot be read"
)]
pub(crate) struct Arguments {
    /// How the report looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Where it goes, instead of standard error for text and standard output for the others,
    /// where it stands behind what the program itself prints there
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// How much of the stack is kept with each allocation and free; full if nothing is said
    #[arg(long, value_enum)]
    backtrace: Option<Backtrace>,
    /// Bytes of freed blocks that are kept aside, with K, M or G; 1M if not given
    #[arg(long, value_name = "SIZE", value_parser = size)]
    quarantine: Option<String>,
    /// What stands around each block; with page, a stray access ends the program there
    #[arg(long, value_enum)]
    guard: Option<Guard>,
    /// Print the report of the first violation, and abort there
    #[arg(long)]
    halt_first: bool,
    /// Violations that are known: lines of a kind, a function, a file, with * and ?
    #[arg(long, value_name = "FILE")]
    suppress: Option<PathBuf>,
    /// Make the Nth allocation of each process fail; `olemem sweep` does so for each N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    fail_at: Option<u64>,
    /// What counts as an error as well; may be given twice
    #[arg(long, value_enum, value_name = "WHAT")]
    deny: Vec<Deny>,
    /// The exit status if there are errors
    #[arg(long, value_name = "STATUS", default_value_t = 99)]
    error_exitcode: u8,
    /// Whether text has colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    color: Colour,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

/// A size as the audit reads it.
fn size(text: &str) -> Result<String, String> {
    let units = [(['K', 'k'], 10), (['M', 'm'], 20), (['G', 'g'], 30)];
    let scaled = units.iter().find_map(|(unit, shift)| {
        let digits = text.strip_suffix(*unit)?;
        Some((digits, 1_usize << shift))
    });
    let (digits, scale) = scaled.unwrap_or((text, 1));
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err("a number is needed, with K, M or G behind it".to_owned());
    }
    let bytes = digits.parse::<usize>().ok();
    match bytes.and_then(|bytes| bytes.checked_mul(scale)) {
        Some(_) => Ok(text.to_owned()),
        None => Err("that is more than there can be bytes".to_owned()),
    }
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
    let records = match Records::new() {
        Ok(records) => records,
        Err(status) => return status,
    };
    let environment = match arguments.environment() {
        Ok(environment) => environment,
        Err(status) => return status,
    };
    tell_what_is_not_followed();
    records::keep_signals();
    let program = &arguments.program[0];
    let child = Command::new(program)
        .args(&arguments.program[1..])
        .env("OLEMEM", environment)
        .env("OLEMEM_RECORDS", &records.0)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return not_started(program, &error),
    };
    records::hand_signals_on(Some(child.id()));
    let ended = child.wait();
    records::hand_signals_on(None);
    let status = match ended {
        Ok(status) => status,
        Err(error) => return ended_by(NOT_STARTED, program.display(), error),
    };
    let mut symbols = Symbols::default();
    let processes = records::read(&records.0, &mut |maps, address| {
        symbols.frames(maps, address)
    });
    let processes = match processes {
        Ok(processes) => processes,
        Err(error) => return ended_by(UNCOVERED, records.0.display(), error),
    };
    let mut found = Found::new(processes, (child.id(), &program.to_string_lossy()), status);
    found.suppress(&known);
    let status = found.status(arguments, status);
    if let Err(error) = found.tell(arguments, output) {
        return ended_by(UNWRITABLE, "the report", error);
    }
    ExitCode::from(status)
}

impl Arguments {
    /// `OLEMEM` for the program: what is there, and what the options ask for.
    fn environment(&self) -> Result<OsString, ExitCode> {
        let mut value = Environment::new();
        value.add("check");
        // What is not given here is left to what is there.
        if let Some(backtrace) = self.backtrace {
            value.add(match backtrace {
                Backtrace::Off => "backtrace=off",
                Backtrace::Short => "backtrace=short",
                Backtrace::Full => "backtrace=full",
            });
        }
        if let Some(guard) = self.guard {
            value.add(match guard {
                Guard::Bytes => "guard=bytes",
                Guard::Page => "guard=page",
            });
        }
        if let Some(size) = &self.quarantine {
            value.add(format_args!("quarantine={size}"));
        }
        if let Some(nth) = self.fail_at {
            value.add(format_args!("fail-at={nth}"));
        }
        if self.halt_first {
            value.add("halt=first");
            // What is suppressed does not halt it either.
            if let Some(path) = &self.suppress {
                let whole = std::path::absolute(path);
                let whole = whole.map_err(|error| output::unusable(path.display(), error))?;
                let plain = whole.to_str().filter(|path| !path.contains(','));
                let plain = plain.ok_or_else(|| {
                    output::unusable(path.display(), "--halt-first needs a path without commas")
                })?;
                value.add(format_args!("suppress={plain}"));
            }
        }
        Ok(value.value())
    }
}
