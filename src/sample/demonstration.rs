//! The example, run once, with a journal of who allocated and who freed each string.

use crate::bstr::owned::Bstr;
use crate::com::HResult;
use crate::param::{In, InOut, Out};
use crate::sample::Browser;
use crate::sample::journal::{Journal, Record, Turn};
use crate::task::hook::{Seat, SeatTaken, listen};

/// One call of the component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The call as the caller wrote it.
    pub line: &'static str,
    /// What it returned.
    pub code: HResult,
    /// The caller's string after it.
    pub text: String,
}

/// All that happened.
#[derive(Clone, Debug)]
pub struct Demonstration {
    /// The calls, in order.
    pub calls: Vec<Call>,
    /// The strings, by time of allocation.
    pub records: Vec<Record>,
}

/// Runs the example on this thread.
///
/// # Errors
///
/// [`SeatTaken`] while somebody else listens at the seam.
pub fn demonstrate() -> Result<Demonstration, SeatTaken> {
    let journal: &'static Journal = Box::leak(Box::new(Journal::new(caller("at the start"))));
    let seat = Box::leak(Box::new(Seat::new(journal)));
    let listening = listen(seat)?;
    let calls = calls(journal);
    drop(listening);
    Ok(Demonstration {
        calls,
        records: journal.records(),
    })
}

/// The caller's program. A parameter is made in the caller's turn: making an `Out` frees what the
/// variable held.
fn calls(journal: &Journal) -> Vec<Call> {
    let browser = Browser::new();
    let mut calls = Vec::new();
    let mut told = |line, code, text: &Bstr| {
        calls.push(Call {
            line,
            code,
            text: text.to_string(),
        });
    };

    // [in]: allocated and freed by the caller; the component keeps a copy of its own.
    journal.turn(caller("before put_StatusText"));
    let text = Bstr::from("Ready");
    let parameter = In::new(&text);
    journal.turn(component("in put_StatusText"));
    let code = browser.put_status_text(parameter);
    journal.turn(caller("after put_StatusText"));
    told("put_StatusText([in] \"Ready\")", code, &text);
    drop(text);

    // [out]: allocated by the component, freed by the caller.
    let mut text = Bstr::new();
    let parameter = Out::new(&mut text);
    journal.turn(component("in get_StatusText"));
    let code = browser.get_status_text(parameter);
    journal.turn(caller("after get_StatusText"));
    told("get_StatusText([out] &text)", code, &text);
    drop(text);

    // [in,out]: allocated by the caller, replaced by the component, which frees the old string; the new
    // one is the caller's to free.
    journal.turn(caller("before ExchangeStatusText"));
    let mut text = Bstr::from("Loading…");
    let parameter = InOut::new(&mut text);
    journal.turn(component("in ExchangeStatusText"));
    let code = browser.exchange_status_text(parameter);
    journal.turn(caller("after ExchangeStatusText"));
    told("ExchangeStatusText([in,out] &\"Loading…\")", code, &text);
    drop(text);

    journal.turn(component("in its destructor"));
    drop(browser);
    calls
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
