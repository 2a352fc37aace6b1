//! The targets, and whether a figure meets its own.

use std::fmt;

use crate::memory;
use crate::report::Row;

/// The name of the figure that says how far a curve is from flat.
pub const FLAT: &str = "dearest pair by the cheapest, 10^3 to 10^7";

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

/// A figure and its target.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    pub id: &'static str,
    /// The number in the name, to sort by.
    pub number: u32,
    pub what: &'static str,
    pub who: &'static str,
    pub bound: Bound,
    pub figure: f64,
    pub met: bool,
    /// The greater, the worse; above 1 the target is missed.
    pub badness: f64,
}

/// How much worse than malloc "no worse" may be measured: what two runs of malloc itself differ by.
const NO_WORSE: f64 = 1.05;

/// The figure's target, if it has one. Only malloc with high thresholds, in a process of one thread, is judged
/// by: that is the fastest one there is.
pub fn judge(row: &Row) -> Option<Judged> {
    use Bound::{AtLeast, AtMost};
    let (group, work, who) = (row.group.as_str(), row.work.as_str(), row.who.as_str());
    let is_ours = matches!(who, "Rust" | "C static" | "C shared");
    let by_door = |rust, linked, shared| match who {
        "Rust" => Some(rust),
        "C static" => Some(linked),
        "C shared" => shared,
        _ => None,
    };
    let (id, what, bound) = match (group, work) {
        ("single", "pair") if row.size <= 64 => {
            let bound = by_door(0.6, 0.75, Some(0.85))?;
            ("P1", "pair, up to 64 units", AtMost(bound))
        }
        ("single", work) if work.starts_with("batch") && row.size <= 64 => {
            let bound = by_door(0.55, 0.65, None)?;
            ("P2", "batches, up to 64 units", AtMost(bound))
        }
        ("single", work) if work.starts_with("churn") => {
            let bound = by_door(0.7, 0.7, None)?;
            ("P2", "churn", AtMost(bound))
        }
        ("threads", "freed by another thread") if row.size <= 64 => {
            let bound = by_door(0.4, 0.4, None)?;
            (
                "P3",
                "freed by another thread, up to 64 units",
                AtMost(bound),
            )
        }
        ("single" | "threads", _) if row.size > 255 && is_ours => {
            ("P4", "above 255 units, any pattern", AtMost(1.1))
        }
        ("text", "from &str") if row.size <= 64 && is_peer(who) => {
            ("P5", "times faster, up to 64 units", AtLeast(2.0))
        }
        ("wine", _) if row.size <= 64 && who == "Wine" => {
            ("P5", "times faster, up to 64 units", AtLeast(8.0))
        }
        ("growth", "by one unit to 65536") => match who {
            "Rust" | "C static" => ("P6", "growth, by realloc", AtMost(0.55)),
            "Rust, by Vec::push" | "C static, by Vec::push" => {
                ("P6", "growth, by Vec::push", AtMost(1.5))
            }
            _ => return None,
        },
        ("threads", "pair beside another thread") if matches!(who, "Rust, 2" | "C static, 2") => {
            ("P12", "two threads, by one", AtMost(1.2))
        }
        ("scale", FLAT) if who == "Rust" => ("P14", "flat", AtMost(1.5)),
        ("scale", work) if work.starts_with("one of") && who == "Rust" => {
            ("P14", "replacement, by malloc", AtMost(NO_WORSE))
        }
        ("memory", memory::MILLION) if who == "Rust" => ("P13", memory::MILLION, AtMost(25.0)),
        ("memory", memory::IDLE) if who == "Rust" => ("P13", memory::IDLE, AtMost(0.5)),
        _ => return None,
    };
    let figure = if group == "memory" || work == FLAT {
        row.value
    } else {
        row.ratio
    };
    let badness = match bound {
        AtMost(most) => figure / most,
        AtLeast(least) => least / figure,
    };
    Some(Judged {
        id,
        number: id[1..].parse().expect("a number"),
        what,
        who: name(who),
        bound,
        figure,
        met: badness <= 1.0,
        badness,
    })
}

fn is_peer(who: &str) -> bool {
    matches!(
        who,
        "windows-strings' way over malloc" | "intercom::BString"
    )
}

/// The name, to be kept.
fn name(who: &str) -> &'static str {
    match who.split(',').next() {
        Some("Rust") => "Rust",
        Some("C static") => "C static",
        Some("C shared") => "C shared",
        Some("Wine") => "Wine",
        Some("intercom::BString") => "intercom",
        _ => "windows-strings' way",
    }
}
