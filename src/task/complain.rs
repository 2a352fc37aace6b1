//! Words on standard error.

use std::fmt;
use std::io::{self, Write};

/// One line on standard error, past whatever captures the output of tests.
pub(crate) fn complain(message: fmt::Arguments<'_>) {
    // Nothing sensible is left to do if standard error is closed.
    let _ = writeln!(io::stderr(), "olemem: {message}");
}
