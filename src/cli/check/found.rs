//! What a run found, and how it is told.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use olemem::audit::records::{self, Ending, Process, Signalled};
use olemem::audit::{Frame, Report, Severity};

use super::{Arguments, Format};
use crate::watching::{Deny, UNCOVERED};

/// What there is to tell of a run.
pub(super) struct Found {
    pub(super) report: Report,
    pub(super) suppressed: usize,
    /// Whether the program, or at least one of its children, handed in what it did.
    is_covered: bool,
    /// The signals that met its processes.
    signals: Vec<Signalled>,
    /// What is not in the report.
    notes: Vec<String>,
}

impl Found {
    pub(super) fn new(
        processes: Vec<Process>,
        (main, started): (u32, &str),
        status: ExitStatus,
    ) -> Self {
        let mut notes = Vec::new();
        let mut reports = Vec::new();
        let mut signals: Vec<Signalled> = Vec::new();
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
                Ending::Crashed(mut crash) => {
                    let is_main = Some(index) == last_of_main;
                    is_main_told |= is_main;
                    crash.signalled.is_fatal = !is_main || status.signal().is_some();
                    notes.push(story(&crash.signalled, &crash.report));
                    signals.push(crash.signalled);
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
            let signalled = Signalled::unrecorded(main, started.to_owned(), signal);
            notes.push(format!("the program was killed by {}", signalled.words()));
            signals.push(signalled);
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
            signals,
            notes,
        }
    }

    pub(super) fn tell(&self, arguments: &Arguments, output: Option<File>) -> io::Result<()> {
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
                let text = format!("{}\n{notes}", self.report.painted());
                return arguments.color.write(&text, output, io::stderr());
            }
            Format::Json => records::json(&self.report, &self.signals),
            Format::Sarif => records::sarif(&self.report, &self.signals),
        };
        eprint!("{notes}");
        match output {
            Some(mut file) => file.write_all(text.as_bytes()),
            None => io::stdout().write_all(text.as_bytes()),
        }
    }

    pub(super) fn status(&self, arguments: &Arguments, program: ExitStatus) -> u8 {
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
fn story(signalled: &Signalled, report: &Report) -> String {
    let met = if signalled.is_fatal {
        "was killed by"
    } else {
        "ended by itself after"
    };
    let mut story = format!(
        "process {} ({}) {met} {}",
        signalled.process,
        signalled.program,
        signalled.words()
    );
    let Some(all_live) = &signalled.live else {
        story += "; the audit was at work at that moment, and what was live is not known";
        return story;
    };
    let counts = report.counts();
    story += &format!(
        "; live then: {}, {}",
        plural(counts.live, "block"),
        plural(counts.live_bytes, "byte")
    );
    let mut told: Vec<&[Frame]> = Vec::new();
    for live in all_live {
        if told.contains(&live.allocated_at.as_slice()) && !live.allocated_at.is_empty() {
            continue;
        }
        told.push(&live.allocated_at);
        let others = all_live
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
