//! A sweep as text: a table, the stories, a line of numbers.

use core::fmt;

use super::super::report::{Painted, plural};
use super::{Did, Run, Sweep};
use crate::audit::rules::Severity;

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => f.write_str("succeeded"),
            Self::Failed(code) => write!(f, "failed: {}", line(code)),
            Self::Panicked(message) => write!(f, "panicked: {}", line(message)),
            Self::Crashed(signal) => write!(f, "crashed: {}", signal_name(*signal)),
            Self::Exited(status) => write!(f, "ended its process: exit status {status}"),
            Self::TimedOut => f.write_str("did not come back in time"),
        }
    }
}

/// A signal's number, with its name where it is one of those that programs die of.
#[cfg_attr(
    not(all(unix, not(miri))),
    expect(unreachable_pub, reason = "there is no command that needs it")
)]
#[must_use]
pub fn signal_name(signal: i32) -> String {
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

/// What fits a row of a text: its first line, and no more than 60 characters of it.
fn line(text: &str) -> String {
    let first = text.lines().next().unwrap_or("");
    let mut short: String = first.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

impl Run {
    /// What the callee did, and what it did that in spite of.
    fn deed(&self) -> String {
        let mut deed = self.did.to_string();
        if self.did == Did::Succeeded && self.failed > 0 {
            deed += " all the same";
        }
        if self.failed > 1 {
            deed += &format!(" ({} allocations failed)", self.failed);
        }
        deed
    }

    fn verdict(&self) -> String {
        if self.is_clean() {
            return "ok".to_owned();
        }
        let names: Vec<_> = self.wrongs().iter().map(|wrong| wrong.name()).collect();
        names.join(", ")
    }

    /// The cells of its row, the place where among them.
    fn cells(&self) -> [String; 5] {
        let Some(first) = self.failures.first() else {
            let nothing = if self.failed == 0 { "nothing" } else { "" };
            let number = self.number.to_string();
            return [
                number,
                nothing.to_owned(),
                String::new(),
                self.deed(),
                self.verdict(),
            ];
        };
        let place = first
            .at
            .first()
            .map_or_else(String::new, ToString::to_string);
        [
            self.number.to_string(),
            first.to_string(),
            place,
            self.deed(),
            self.verdict(),
        ]
    }
}

const HEADS: [&str; 5] = ["allocation", "what", "where", "the callee", "verdict"];

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table(f)?;
        writeln!(f)?;
        for run in &self.runs {
            if run.violations().is_empty() {
                continue;
            }
            match run.failures.first() {
                Some(failure) => writeln!(f, "Allocation {} failed ({failure}):\n", run.number)?,
                None => writeln!(f, "Nothing failed:\n")?,
            }
            run.report.tell(f)?;
        }
        self.summary(f)
    }
}

impl Sweep {
    /// The same text as `Display` gives, with the colours of a terminal in its stories. Whether there is one that wants
    /// them is for the caller to know.
    #[must_use]
    pub fn painted(&self) -> impl fmt::Display {
        Painted(self)
    }

    /// The rows, under each other. Without any place there is no column for them.
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self.runs.iter().map(Run::cells).collect();
        let has_places = rows.iter().any(|[_, _, place, ..]| !place.is_empty());
        let heads = HEADS.map(str::to_owned);
        let width = |column: usize| {
            let cells = rows.iter().chain([&heads]).map(|row| &row[column]);
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let [numbers, what, places, deeds, _] = [0, 1, 2, 3, 4].map(width);
        for [number, failed, place, deed, verdict] in [&heads].into_iter().chain(&rows) {
            write!(f, "{number:>numbers$}  {failed:what$}  ")?;
            if has_places {
                write!(f, "{place:places$}  ")?;
            }
            writeln!(f, "{deed:deeds$}  {verdict}")?;
        }
        Ok(())
    }

    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let broken = self.broken() as u64;
        let are = if broken == 1 { "is" } else { "are" };
        write!(
            f,
            "olemem: {}, {} failed in turn; {} {are} broken: {}, {}",
            plural(self.runs.len() as u64, "run"),
            plural(self.allocations() as u64, "allocation"),
            plural(broken, "run"),
            plural(self.count(Severity::Error) as u64, "error"),
            plural(self.count(Severity::Warning) as u64, "warning"),
        )?;
        if !self.is_complete {
            f.write_str("; there are more allocations than runs were allowed")?;
        }
        Ok(())
    }
}
