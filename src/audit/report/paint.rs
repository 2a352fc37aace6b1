//! Colours for a report as text.

use core::fmt;

use super::Report;

/// A report as text with colours, or what tells stories as one does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Painted<'a, T>(pub(crate) &'a T);

const RESET: &str = "\x1b[0m";
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const GREEN: &str = "\x1b[32m";
const DIM: &str = "\x1b[2m";

impl Report {
    /// The same text as `Display` gives, with the colours of a terminal. Whether there is one that wants them is for
    /// the caller to know.
    #[must_use]
    pub fn painted(&self) -> impl fmt::Display {
        Painted(self)
    }
}

impl<T: fmt::Display> fmt::Display for Painted<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let mut lines = text.split('\n');
        if let Some(first) = lines.next() {
            line(f, first)?;
        }
        for rest in lines {
            f.write_str("\n")?;
            line(f, rest)?;
        }
        Ok(())
    }
}

/// A line, painted by how it begins. What the program chose, a preview, stands within a line and is escaped.
fn line(f: &mut fmt::Formatter<'_>, line: &str) -> fmt::Result {
    for (head, colour) in [("error[", RED), ("warning[", YELLOW)] {
        if line.starts_with(head)
            && let Some((head, message)) = line.split_once(": ")
        {
            return write!(f, "{colour}{head}{RESET}: {message}");
        }
    }
    if let Some(help) = line.strip_prefix("  help: ") {
        return write!(f, "  {GREEN}help{RESET}: {help}");
    }
    if let Some(frame) = line.strip_prefix("    ")
        && let Some((function, place)) = frame.rsplit_once(" at ")
    {
        return write!(f, "    {function}{DIM} at {place}{RESET}");
    }
    if let Some(place) = line.strip_prefix("    at ") {
        return write!(f, "    {DIM}at {place}{RESET}");
    }
    f.write_str(line)
}
