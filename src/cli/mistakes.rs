//! `olemem demo KIND`: a mistake, made and avoided, and what the audit tells of it.

use std::io::{self, Write};
use std::process::ExitCode;

use olemem::audit::Kind;
use olemem::sample::{self, Conduct};

use crate::output;

/// Shows one kind, or all of them.
pub(crate) fn run(name: &str) -> ExitCode {
    let all = Kind::ALL.iter().copied();
    let kinds: Vec<Kind> = all
        .filter(|kind| name == "all" || kind.name() == name)
        .collect();
    if kinds.is_empty() {
        let why = "no such kind; `olemem explain` lists them, and `all` shows every one";
        return output::unusable(name, why);
    }
    let mut is_good = true;
    let written = show(&kinds, &mut is_good);
    let status = if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    output::ended(written, status)
}

/// Runs and prints the kinds; `is_good` becomes false if one is not told as it should be.
fn show(kinds: &[Kind], is_good: &mut bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (index, kind) in kinds.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let guide = kind.guide();
        writeln!(out, "{kind}: {}\n", guide.title)?;
        for (conduct, title, code) in [
            (Conduct::Broken, "Broken", guide.broken),
            (Conduct::Kept, "Kept", guide.kept),
        ] {
            writeln!(out, "{title}")?;
            indent(&mut out, code)?;
            let report = sample::perform(*kind, conduct);
            writeln!(out, "\n  and the audit says\n")?;
            indent(&mut out, &report.to_string())?;
            if conduct == Conduct::Broken {
                writeln!(out)?;
            }
            let found = report.violations().iter().map(|violation| violation.kind);
            *is_good &= match conduct {
                Conduct::Broken => found.eq([*kind]),
                Conduct::Kept => report.violations().is_empty() && report.is_clean(),
            };
        }
    }
    out.flush()
}

/// A text, moved in.
fn indent(out: &mut impl Write, text: &str) -> io::Result<()> {
    for line in text.trim_end().lines() {
        if line.is_empty() {
            writeln!(out)?;
        } else {
            writeln!(out, "    {line}")?;
        }
    }
    Ok(())
}
