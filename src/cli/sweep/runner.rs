//! The runs: programs that are started, waited for, ended when their time is up, and judged.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use olemem::audit::records::{self, Ending};
use olemem::audit::{Did, Run, Suppressions, Sweep, Wrong};

use super::progress::Progress;
use super::{Arguments, is_broken};
use crate::symbols::Symbols;
use crate::watching::{NOT_STARTED, Records, UNCOVERED, ended_by, not_started};

/// A program that was asked to end has so long to do so, and to tell what was live.
const GRACE: Duration = Duration::from_secs(2);

/// Programs are looked after so often.
const MOMENT: Duration = Duration::from_millis(2);

/// What makes a sweep.
pub(super) struct Runner<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) known: &'a Suppressions,
    /// So many runs.
    pub(super) limit: u64,
}

/// A sweep that is over.
pub(super) struct Ended {
    pub(super) sweep: Sweep,
    pub(super) suppressed: usize,
    /// The signal that ended it.
    pub(super) signal: Option<i32>,
    /// The exit status of the program in the run in which nothing failed.
    pub(super) status: u8,
}

/// A run that is judged, and how the program ended.
struct Judged {
    run: Run,
    suppressed: usize,
    status: ExitStatus,
}

/// A program at work. Dropped before its end it is ended.
struct Running {
    number: u64,
    child: Child,
    records: Records,
    began: Instant,
    is_late: bool,
}

impl Running {
    /// How it ended, if it has; its time may be up.
    fn ended(&mut self, time: Duration) -> io::Result<Option<ExitStatus>> {
        let ended = self.child.try_wait()?;
        let spent = self.began.elapsed();
        if ended.is_none() && spent >= time {
            if !self.is_late {
                records::end_group(self.child.id(), false);
                self.is_late = true;
            } else if spent >= time + GRACE {
                records::end_group(self.child.id(), true);
            }
        }
        Ok(ended)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            records::end_group(self.child.id(), true);
            // It was killed. If it cannot be waited for there is nothing to be done.
            let _ = self.child.wait();
        }
    }
}

impl Runner<'_> {
    pub(super) fn run(&self) -> Result<Ended, ExitCode> {
        records::note_signals();
        let mut progress = Progress::new();
        let mut symbols = Symbols::default();
        let mut running: Vec<Running> = Vec::new();
        let mut judged: BTreeMap<u64, Judged> = BTreeMap::new();
        let mut next = 1;
        // The number of the first run in which nothing failed: those behind it are of no interest.
        let mut last = self.limit;
        let mut is_complete = false;
        while records::noted_signal().is_none() {
            while next <= last && running.len() < self.arguments.jobs.into() {
                running.push(self.start(next)?);
                next += 1;
            }
            if running.is_empty() {
                break;
            }
            let mut index = 0;
            while index < running.len() {
                let ended = running[index].ended(self.arguments.timeout);
                let ended = ended.map_err(|why| {
                    ended_by(NOT_STARTED, self.arguments.program[0].display(), why)
                })?;
                let Some(status) = ended else {
                    index += 1;
                    continue;
                };
                let ran = running.swap_remove(index);
                let found = self.judge(&ran, status, &mut symbols)?;
                let counts = found.run.report().counts();
                progress.ran(counts.allocated + counts.failed, is_broken(&found.run));
                if found.run.failures.is_empty() && ran.number <= last {
                    last = ran.number;
                    is_complete = true;
                }
                judged.insert(ran.number, found);
            }
            running.retain(|other| other.number <= last);
            thread::sleep(MOMENT);
        }
        drop(progress);
        judged.retain(|number, _| *number <= last);
        let status = judged.get(&last).and_then(|judged| judged.status.code());
        let suppressed = judged.values().map(|judged| judged.suppressed).sum();
        let runs = judged.into_values().map(|judged| judged.run).collect();
        let signal = records::noted_signal();
        Ok(Ended {
            sweep: records::sweep(runs, is_complete && signal.is_none()),
            suppressed,
            signal,
            // A status is no more than a byte.
            status: status
                .filter(|_| is_complete)
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(0),
        })
    }

    /// Starts the program, in which the allocation of that number is to fail.
    fn start(&self, number: u64) -> Result<Running, ExitCode> {
        let records = Records::new()?;
        let program = &self.arguments.program[0];
        let mut command = Command::new(program);
        command
            .args(&self.arguments.program[1..])
            .env("OLEMEM", self.arguments.environment(number))
            .env("OLEMEM_RECORDS", &records.0)
            .stdin(Stdio::null())
            // So that all that it starts can be ended with it.
            .process_group(0);
        if !self.arguments.show_output {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        let began = Instant::now();
        match command.spawn() {
            Ok(child) => Ok(Running {
                number,
                child,
                records,
                began,
                is_late: false,
            }),
            Err(error) => Err(not_started(program, &error)),
        }
    }

    /// What a run left, and what is wrong with it.
    fn judge(
        &self,
        ran: &Running,
        status: ExitStatus,
        symbols: &mut Symbols,
    ) -> Result<Judged, ExitCode> {
        let folder = &ran.records.0;
        let processes = records::read(folder, &mut |maps, address| symbols.frames(maps, address));
        let processes = processes.map_err(|error| ended_by(UNCOVERED, folder.display(), error))?;
        let did = match (status.signal(), status.code()) {
            _ if ran.is_late => Did::TimedOut,
            (Some(signal), _) => Did::Crashed(signal),
            (None, Some(0)) => Did::Succeeded,
            (None, code) => Did::Failed(format!("exit status {}", code.unwrap_or(0))),
        };
        let came_back = matches!(did, Did::Succeeded | Did::Failed(_));
        let main = processes
            .iter()
            .rposition(|process| process.id == ran.child.id());
        let mut others = Vec::new();
        let mut failures = Vec::new();
        let mut reports = Vec::new();
        for (index, process) in processes.into_iter().enumerate() {
            failures.extend(process.failures);
            match process.ending {
                Ending::Reported(report) => reports.push(report),
                Ending::Crashed(crash) => {
                    // The program itself came back: one of its children did not.
                    if came_back && main != Some(index) && !others.contains(&Wrong::Crashed) {
                        others.push(Wrong::Crashed);
                    }
                    reports.push(crash.report);
                }
                Ending::Vanished(report) => {
                    if came_back && main == Some(index) {
                        others.push(Wrong::LeftNoReport);
                    }
                    reports.push(report);
                }
                _ => {}
            }
        }
        let mut report = records::merged(reports);
        let suppressed = report.suppress(self.known);
        if came_back && others.is_empty() && !report.has_recorded() {
            others.push(Wrong::RecordedNothing);
        } else if came_back
            && others.is_empty()
            && ran.number == 1
            && failures.is_empty()
            && self.arguments.is_narrowed()
        {
            others.push(Wrong::NothingMatched);
        }
        Ok(Judged {
            run: records::run(ran.number, failures, did, report, others),
            suppressed,
            status,
        })
    }
}
