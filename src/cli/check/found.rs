//! What a run found, and how it is told.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use olemem::audit::records::{self, Beside, Ending, Process, Signalled};
use olemem::audit::{Frame, Report, Severity, Suppressions};

use super::{Arguments, Deny, Format};
use crate::output::counted;
use crate::watching::UNCOVERED;

/// What there is to tell of a run.
pub(super) struct Found {
    report: Report,
    /// Whether the program, or at least one of its children, handed in what it did.
    is_covered: bool,
    /// Processes that left without a report.
    vanished: usize,
    /// The signals that met its processes.
    signals: Vec<Signalled>,
    /// What is not in the report.
    notes: Vec<Note>,
}

/// Something that is told beside the report.
enum Note {
    /// Of a signal, which is data where the report is.
    Signal(String),
    /// What could not be judged.
    Gap(String),
    /// Anything else.
    Plain(String),
}

impl Note {
    fn text(&self) -> &str {
        let (Self::Signal(text) | Self::Gap(text) | Self::Plain(text)) = self;
        text
    }
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
        let mut vanished = 0;
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
                        notes.push(Note::Plain(numbers(id, &program, &report)));
                    }
                    reports.push(report);
                }
                Ending::Crashed(mut crash) => {
                    let is_main = Some(index) == last_of_main;
                    is_main_told |= is_main;
                    crash.signalled.is_fatal = !is_main || status.signal().is_some();
                    notes.push(Note::Signal(story(&crash.signalled, &crash.report)));
                    if crash.signalled.live.is_none() {
                        notes.push(Note::Gap(format!(
                            "process {id} ({program}) left no more than the fact that a signal ended it"
                        )));
                    }
                    signals.push(crash.signalled);
                    reports.push(crash.report);
                }
                Ending::Vanished(report) => {
                    vanished += 1;
                    let is_main = Some(index) == last_of_main;
                    is_main_covered &= !is_main;
                    let how = if is_main && status.signal().is_some() {
                        "was killed"
                    } else {
                        "ended without a report: by _exit or quick_exit, by SIGKILL, by becoming another program, \
                         without a way to its record as after chroot or setuid, or not yet"
                    };
                    let known = match report.violations().len() {
                        0 => String::new(),
                        found => format!(", but for {}", counted(found as u64, "violation")),
                    };
                    notes.push(Note::Gap(format!(
                        "process {id} ({program}) {how}{known}; what it held is not known"
                    )));
                    reports.push(report);
                }
                _ => {}
            }
        }
        if let Some(signal) = status.signal()
            && !is_main_told
        {
            let signalled = Signalled::unrecorded(main, started.to_owned(), signal);
            let told = format!("the program was killed by {}", signalled.words());
            notes.push(Note::Signal(told));
            signals.push(signalled);
        }
        let report = records::merged(reports);
        if count == 0 {
            notes.push(Note::Gap(
                "nothing was recorded: the program holds no olemem, or one without the feature `audit`, or never used \
                 it"
                .to_owned(),
            ));
        }
        Self {
            is_covered: is_main_covered && report.has_recorded(),
            report,
            vanished,
            signals,
            notes,
        }
    }

    /// Takes out what is known, and tells how much that was, and which lines were of no use.
    pub(super) fn suppress(&mut self, known: &Suppressions) {
        let idle = known.unmatched(self.report.violations());
        let suppressed = self.report.suppress(known);
        if suppressed > 0 {
            let count = counted(suppressed as u64, "violation");
            self.notes.push(Note::Plain(format!("{count} suppressed")));
        }
        let idle = idle.iter();
        let told = idle.map(|line| Note::Plain(format!("suppressions: nothing is of {line}")));
        self.notes.extend(told);
    }

    pub(super) fn tell(self, arguments: &Arguments, output: Option<File>) -> io::Result<()> {
        let notes = self.notes.iter();
        let notes: String = notes
            .map(|note| format!("olemem: {}\n", note.text()))
            .collect();
        if arguments.format == Format::Text {
            let text = format!("{}\n{notes}", self.report.painted());
            return arguments.color.write(&text, output, io::stderr());
        }
        let mut beside = Beside {
            signals: self.signals,
            ..Beside::default()
        };
        for note in self.notes {
            match note {
                Note::Signal(_) => {}
                Note::Gap(text) => beside.gaps.push(text),
                Note::Plain(text) => beside.notes.push(text),
            }
        }
        let text = match arguments.format {
            Format::Sarif => records::sarif(&self.report, &beside),
            _ => records::json(&self.report, &beside),
        };
        eprint!("{notes}");
        match output {
            Some(mut file) => file.write_all(text.as_bytes()),
            None => io::stdout().write_all(text.as_bytes()),
        }
    }

    pub(super) fn status(&self, arguments: &Arguments, program: ExitStatus) -> u8 {
        let mut errors = self.report.count(Severity::Error);
        if arguments.deny.contains(&Deny::Warnings) {
            errors += self.report.count(Severity::Warning);
        }
        if arguments.deny.contains(&Deny::Vanished) {
            errors += self.vanished;
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
        counted(report.count(Severity::Error) as u64, "error"),
        counted(report.count(Severity::Warning) as u64, "warning"),
        counted(report.counts().operations, "operation")
    )
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
        counted(counts.live, "block"),
        counted(counts.live_bytes, "byte")
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
