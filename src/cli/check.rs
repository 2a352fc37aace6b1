//! `olemem check`: a program run with the audit watching it and all its children.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::SystemTime;

use anstream::{AutoStream, ColorChoice};
use clap::{Args, ValueEnum};
use olemem::audit::records::{self, Crash, Ending, Process};
use olemem::audit::{Report, Severity, Suppressions};

use crate::output;

mod symbols;

/// The report could not be written.
const UNWRITABLE: u8 = 97;
/// There is nothing to report on: no process of the program's used olemem with an audit, or the program left
/// without a report.
const UNCOVERED: u8 = 98;
/// The program was found, and could not be started.
const NOT_STARTED: u8 = 126;
/// The program was not found.
const NOT_FOUND: u8 = 127;

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
    Off,
    Short,
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deny {
    Warnings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

/// Run a program under the audit, and report each broken ownership rule.
///
/// All blocks of all its processes are watched from the first allocation to the end, as
/// far as they hold olemem with its feature `audit`. Children report for themselves.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Exit status: the program's own if nothing was found. Otherwise\n  \
        99   there are errors (--error-exitcode chooses another; --deny warnings counts warnings)\n  \
        98   there is nothing to judge: the program holds no olemem or one without the audit,\n       \
        recorded nothing, or left by _exit\n  \
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
    /// Where it goes, instead of standard error for text and standard output for the others
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Whether stacks are kept; short and full are the same for now
    #[arg(long, value_enum, default_value_t = Backtrace::Full)]
    backtrace: Backtrace,
    /// Bytes of freed blocks that are kept aside, with K, M or G; 16M if not given
    #[arg(long, value_name = "SIZE", value_parser = size)]
    quarantine: Option<String>,
    /// Print the report of the first violation, and abort there
    #[arg(long)]
    halt_first: bool,
    /// Violations that are known: lines of a kind, a function, a file, with * and ?
    #[arg(long, value_name = "FILE")]
    suppress: Option<PathBuf>,
    /// Make the Nth allocation of each process fail
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    fail_at: Option<u64>,
    /// Count warnings as errors
    #[arg(long, value_enum, value_name = "WHAT")]
    deny: Option<Deny>,
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
    let digits = text.strip_suffix(['K', 'M', 'G', 'k', 'm', 'g']);
    match digits.unwrap_or(text).parse::<u32>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a number is needed, with K, M or G behind it".to_owned()),
    }
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let known = match arguments.suppress.as_deref().map(suppressions).transpose() {
        Ok(known) => known.unwrap_or_default(),
        Err(status) => return status,
    };
    // Before the program runs: its work is not to be in vain.
    let output = match arguments.output.as_deref().map(create).transpose() {
        Ok(output) => output,
        Err(status) => return status,
    };
    let records = match Records::new() {
        Ok(records) => records,
        Err(error) => return ended_by(UNWRITABLE, "the folder for records", error),
    };
    let environment = match arguments.environment() {
        Ok(environment) => environment,
        Err(status) => return status,
    };
    records::outlive_interrupts();
    let program = &arguments.program[0];
    let child = Command::new(program)
        .args(&arguments.program[1..])
        .env("OLEMEM", environment)
        .env("OLEMEM_RECORDS", &records.0)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            let status = match error.kind() {
                io::ErrorKind::NotFound => NOT_FOUND,
                _ => NOT_STARTED,
            };
            return ended_by(status, program.display(), error);
        }
    };
    let status = match child.wait() {
        Ok(status) => status,
        Err(error) => return ended_by(NOT_STARTED, program.display(), error),
    };
    let mut symbols = symbols::Symbols::default();
    let processes = records::read(&records.0, &mut |maps, address| {
        symbols.frames(maps, address)
    });
    let processes = match processes {
        Ok(processes) => processes,
        Err(error) => return ended_by(UNCOVERED, records.0.display(), error),
    };
    let mut found = Found::new(processes, child.id(), status);
    found.suppressed = found.report.suppress(&known);
    if let Err(error) = found.tell(arguments, output) {
        return ended_by(UNWRITABLE, "the report", error);
    }
    ExitCode::from(found.status(arguments, status))
}

/// Ends the command with a status and the reason.
fn ended_by(status: u8, what: impl Display, why: impl Display) -> ExitCode {
    eprintln!("olemem: {what}: {why}");
    ExitCode::from(status)
}

fn suppressions(path: &Path) -> Result<Suppressions, ExitCode> {
    let unusable = |why: &dyn Display| output::unusable(path.display(), why);
    let text = fs::read_to_string(path).map_err(|error| unusable(&error))?;
    Suppressions::parse(&text).map_err(|bad| unusable(&bad))
}

fn create(path: &Path) -> Result<File, ExitCode> {
    File::create(path).map_err(|error| ended_by(UNWRITABLE, path.display(), error))
}

/// The folder in which processes leave their records, until it is dropped.
struct Records(PathBuf);

impl Records {
    fn new() -> io::Result<Self> {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let name = format!("olemem-{}-{}", std::process::id(), now.as_nanos());
        let folder = std::path::absolute(std::env::temp_dir())?.join(name);
        // What programs hold is nobody else's business.
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        // A process that outlives the program may write yet.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Arguments {
    /// `OLEMEM` for the program: what is there, and what the options ask for.
    fn environment(&self) -> Result<OsString, ExitCode> {
        let mut value = std::env::var_os("OLEMEM").unwrap_or_default();
        let mut add = |word: &dyn Display| {
            if !value.is_empty() {
                value.push(",");
            }
            value.push(word.to_string());
        };
        add(&"check");
        add(&match self.backtrace {
            Backtrace::Off => "backtrace=off",
            Backtrace::Short => "backtrace=short",
            Backtrace::Full => "backtrace=full",
        });
        if let Some(size) = &self.quarantine {
            add(&format_args!("quarantine={size}"));
        }
        if let Some(nth) = self.fail_at {
            add(&format_args!("fail-at={nth}"));
        }
        if self.halt_first {
            add(&"halt=first");
            // What is suppressed does not halt it either.
            if let Some(path) = &self.suppress {
                let whole = std::path::absolute(path);
                let whole = whole.map_err(|error| output::unusable(path.display(), error))?;
                let plain = whole.to_str().filter(|path| !path.contains(','));
                let plain = plain.ok_or_else(|| {
                    output::unusable(path.display(), "--halt-first needs a path without commas")
                })?;
                add(&format_args!("suppress={plain}"));
            }
        }
        Ok(value)
    }
}

/// What there is to tell of a run.
struct Found {
    report: Report,
    suppressed: usize,
    /// Whether the program, or at least one of its children, handed in what it did.
    is_covered: bool,
    /// What is not in the report.
    notes: Vec<String>,
}

impl Found {
    fn new(processes: Vec<Process>, main: u32, status: ExitStatus) -> Self {
        let mut notes = Vec::new();
        let mut reports = Vec::new();
        let mut is_main_covered = true;
        let mut is_main_told = false;
        // The latest under that number: a program may have become another one.
        let last_of_main = processes.iter().rposition(|process| process.id == main);
        let count = processes.len();
        for (index, process) in processes.into_iter().enumerate() {
            let Process {
                id,
                program,
                ending,
                ..
            } = process;
            match ending {
                Ending::Reported(report) => {
                    if count > 1 {
                        notes.push(numbers(id, &program, &report));
                    }
                    reports.push(report);
                }
                Ending::Crashed(crash) => {
                    let is_main = Some(index) == last_of_main;
                    is_main_told |= is_main;
                    notes.push(story(&crash, is_main && status.signal().is_none()));
                    reports.push(crash.report);
                }
                _ => {
                    let is_main = Some(index) == last_of_main;
                    is_main_covered &= !is_main;
                    let how = if is_main && status.signal().is_some() {
                        "was killed"
                    } else {
                        "ended without a report: by _exit or quick_exit, by SIGKILL, by becoming another program, or \
                         not yet"
                    };
                    notes.push(format!(
                        "process {id} ({program}) {how}; what it held is not known"
                    ));
                }
            }
        }
        if let Some(signal) = status.signal()
            && !is_main_told
        {
            notes.push(format!("the program was killed by {}", name(signal)));
        }
        let is_any = !reports.is_empty();
        let report = records::merged(reports);
        if count == 0 {
            notes.push(
                "nothing was recorded: the program holds no olemem, or one without the feature `audit`, or never used \
                 it"
                .to_owned(),
            );
        }
        Self {
            is_covered: is_main_covered && is_any && report.has_recorded(),
            report,
            suppressed: 0,
            notes,
        }
    }

    fn tell(&self, arguments: &Arguments, output: Option<File>) -> io::Result<()> {
        let mut notes = String::new();
        for note in &self.notes {
            notes += &format!("olemem: {note}\n");
        }
        if self.suppressed > 0 {
            let count = plural(self.suppressed as u64, "violation");
            notes += &format!("olemem: {count} suppressed\n");
        }
        let text = match arguments.format {
            Format::Text => {
                let choice = match arguments.color {
                    Colour::Auto => ColorChoice::Auto,
                    Colour::Always => ColorChoice::Always,
                    Colour::Never => ColorChoice::Never,
                };
                let text = format!("{}\n{notes}", self.report.painted());
                return match output {
                    // A file has none unless they are asked for.
                    Some(file) => {
                        let choice = match choice {
                            ColorChoice::Auto => ColorChoice::Never,
                            other => other,
                        };
                        AutoStream::new(file, choice).write_all(text.as_bytes())
                    }
                    None => AutoStream::new(io::stderr(), choice).write_all(text.as_bytes()),
                };
            }
            Format::Json => self.report.to_json(),
            Format::Sarif => self.report.to_sarif(),
        };
        eprint!("{notes}");
        match output {
            Some(mut file) => file.write_all(text.as_bytes()),
            None => io::stdout().write_all(text.as_bytes()),
        }
    }

    fn status(&self, arguments: &Arguments, program: ExitStatus) -> u8 {
        let mut errors = self.report.count(Severity::Error);
        if arguments.deny == Some(Deny::Warnings) {
            errors += self.report.count(Severity::Warning);
        }
        if let Some(signal) = program.signal() {
            128 | u8::try_from(signal).unwrap_or(0)
        } else if errors > 0 || self.report.dropped() > 0 {
            arguments.error_exitcode
        } else if !self.is_covered {
            UNCOVERED
        } else {
            // A status is no more than a byte.
            program
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(0)
        }
    }
}

/// What one of several processes found.
fn numbers(id: u32, program: &str, report: &Report) -> String {
    format!(
        "process {id} ({program}): {}, {}, {}",
        plural(report.count(Severity::Error) as u64, "error"),
        plural(report.count(Severity::Warning) as u64, "warning"),
        plural(report.counts().operations, "operation")
    )
}

/// A number of things.
fn plural(count: u64, thing: &str) -> String {
    if count == 1 {
        format!("1 {thing}")
    } else {
        format!("{count} {thing}s")
    }
}

/// What a process that was killed held, by the sites of its blocks.
fn story(crash: &Crash, lived_on: bool) -> String {
    let met = if lived_on {
        "ended by itself after"
    } else {
        "was killed by"
    };
    let mut story = format!(
        "process {} ({}) {met} {}",
        crash.process,
        crash.program,
        name(crash.signal)
    );
    if crash.is_partial {
        story += "; the audit was at work at that moment, and what was live is not known";
        return story;
    }
    let counts = crash.report.counts();
    story += &format!(
        "; live then: {}, {}",
        plural(counts.live, "block"),
        plural(counts.live_bytes, "byte")
    );
    let mut told: Vec<&[olemem::audit::Frame]> = Vec::new();
    for live in &crash.live {
        if told.contains(&live.allocated_at.as_slice()) && !live.allocated_at.is_empty() {
            continue;
        }
        told.push(&live.allocated_at);
        let others = crash
            .live
            .iter()
            .filter(|other| other.allocated_at == live.allocated_at)
            .count();
        story += &format!("\n  block {}", live.block);
        if others > 1 && !live.allocated_at.is_empty() {
            story += &format!(", and {} more from there", others - 1);
        }
        if !live.allocated_at.is_empty() {
            story += "\n  allocated at";
        }
        for frame in &live.allocated_at {
            story += &format!("\n    {frame}");
        }
    }
    story
}

/// A signal's name, where it is one of those that programs die of.
fn name(signal: i32) -> String {
    let name = match signal {
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    format!("signal {signal} ({name})")
}
