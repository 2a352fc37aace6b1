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
    use std::process::ExitCode;

    use olemem::sample::{Browser, Journal, Record, Turn};
    use olemem::seam::{Seat, listen};
    use olemem::{Bstr, HResult, In, InOut, Out};

    use crate::draw::Picture;

    pub(crate) fn run() -> ExitCode {
        let journal: &'static Journal = Box::leak(Box::new(Journal::new(caller("at the start"))));
        let seat = Box::leak(Box::new(Seat::new(journal)));
        let listening = listen(seat).expect("nobody else listens in this process");
        println!("A browser component, called through its vtable:\n");
        let outcome = calls(journal);
        drop(listening);
        let records = journal.records();
        for (index, record) in records.iter().enumerate() {
            show(index + 1, record);
        }
        let freed = records.iter().filter(|r| r.freed.is_some()).count();
        let live = records.len() - freed;
        println!(
            "Balance: {} allocated, {freed} freed, {live} live.",
            records.len()
        );
        match outcome {
            Ok(()) if live == 0 => ExitCode::SUCCESS,
            Ok(()) => ExitCode::FAILURE,
            Err(code) => {
                eprintln!("olemem: the component failed: {code}");
                ExitCode::FAILURE
            }
        }
    }

    /// The caller's program.
    fn calls(journal: &Journal) -> Result<(), HResult> {
        let browser = Browser::new();

        // [in]: allocated and freed by the caller; the component keeps a copy of its own.
        journal.turn(caller("before put_StatusText"));
        let text = Bstr::try_from_str("Ready")?;
        journal.turn(component("in put_StatusText"));
        let code = browser.put_status_text(In::new(&text));
        journal.turn(caller("after put_StatusText"));
        told("put_StatusText([in] \"Ready\")", code, &text)?;
        drop(text);

        // [out]: allocated by the component, freed by the caller.
        let mut text = Bstr::new();
        journal.turn(component("in get_StatusText"));
        let code = browser.get_status_text(Out::new(&mut text));
        journal.turn(caller("after get_StatusText"));
        told("get_StatusText([out] &text)", code, &text)?;
        drop(text);

        // [in,out]: allocated by the caller, replaced by the component, which frees the old string; the
        // new one is the caller's to free.
        journal.turn(caller("before ExchangeStatusText"));
        let mut text = Bstr::try_from_str("Loading…")?;
        journal.turn(component("in ExchangeStatusText"));
        let code = browser.exchange_status_text(InOut::new(&mut text));
        journal.turn(caller("after ExchangeStatusText"));
        told("ExchangeStatusText([in,out] &\"Loading…\")", code, &text)?;
        drop(text);

        println!();
        journal.turn(component("in its destructor"));
        drop(browser);
        Ok(())
    }

    fn caller(during: &'static str) -> Turn {
        Turn {
            who: "the caller",
            during,
        }
    }

    fn component(during: &'static str) -> Turn {
        Turn {
            who: "the component",
            during,
        }
    }

    /// One line about a call, and its code as a `Result`.
    fn told(call: &str, code: HResult, text: &Bstr) -> Result<(), HResult> {
        println!("  {call:<42} {code}, text is \"{text}\"");
        code.ok()
    }

    fn show(number: usize, record: &Record) {
        println!("BSTR {number}, a block of {} bytes", record.size);
        if !record.image.is_empty() {
            print!(
                "{}",
                Picture {
                    image: &record.image,
                    size: record.size
                }
            );
        }
        let by = |turn: Turn| format!("{} {}", turn.who, turn.during);
        println!("    allocated by {}", by(record.allocated));
        match record.freed {
            Some(turn) => println!("    freed by     {}\n", by(turn)),
            None => println!("    never freed\n"),
        }
    }
}
