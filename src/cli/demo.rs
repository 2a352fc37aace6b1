//! `olemem demo`: the documentation's own example, with every byte and every owner.

/// On Windows the memory is the system's own, and there is nothing to listen at.
#[cfg(windows)]
pub(crate) fn run() -> std::process::ExitCode {
    eprintln!("olemem: the demo shows the emulated memory; on Windows the system's own is used");
    std::process::ExitCode::FAILURE
}

#[cfg(not(windows))]
pub(crate) use emulated::run;

#[cfg(not(windows))]
mod emulated {
    use std::io::{self, Write};
    use std::process::ExitCode;

    use olemem::image::{Anatomy, Shape, Start};
    use olemem::sample::{self, Demonstration, Record, Turn};

    use crate::draw::Picture;
    use crate::output;

    pub(crate) fn run() -> ExitCode {
        let demonstration = match sample::demonstrate() {
            Ok(demonstration) => demonstration,
            Err(error) => {
                eprintln!("olemem: {error}");
                return ExitCode::FAILURE;
            }
        };
        let good = demonstration
            .calls
            .iter()
            .all(|call| call.code.is_success())
            && live(&demonstration.records) == 0;
        let status = if good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
        output::ended(print(&demonstration), status)
    }

    fn print(demonstration: &Demonstration) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "A browser component, called through its vtable:\n")?;
        for call in &demonstration.calls {
            let (line, code, text) = (call.line, call.code, &call.text);
            writeln!(out, "  {line:<42} {code}, text is \"{text}\"")?;
        }
        writeln!(out)?;
        let records = &demonstration.records;
        for (index, record) in records.iter().enumerate() {
            show(&mut out, index + 1, record)?;
        }
        let live = live(records);
        writeln!(
            out,
            "Balance: {} allocated, {} freed, {live} live.",
            records.len(),
            records.len() - live,
        )?;
        out.flush()
    }

    fn live(records: &[Record]) -> usize {
        records.iter().filter(|r| r.freed.is_none()).count()
    }

    fn show(out: &mut impl Write, number: usize, record: &Record) -> io::Result<()> {
        writeln!(out, "BSTR {number}, a block of {} bytes", record.size)?;
        let by = |turn: Turn| format!("{} {}", turn.who, turn.during);
        match record.freed {
            Some(freed) => {
                let picture = Picture {
                    anatomy: Anatomy::of(&record.image, Shape::NATIVE, Start::Block),
                    slack: record.size - record.image.len(),
                    lines: usize::MAX,
                    more: false,
                };
                write!(out, "{picture}")?;
                writeln!(out, "    allocated by {}", by(record.allocated))?;
                writeln!(out, "    freed by     {}\n", by(freed))
            }
            None => {
                writeln!(out, "    allocated by {}", by(record.allocated))?;
                writeln!(out, "    never freed\n")
            }
        }
    }
}
