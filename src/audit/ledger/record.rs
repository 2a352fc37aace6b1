//! What is kept of a violation.

use super::super::rules::{Kind, Rule, Severity};
use super::super::site::Site;
use super::{Books, SessionId, olemem_on_violation};
use crate::task::block::Family;
use crate::task::fault::Fault;
use crate::task::hook::Part;

/// What is told of a block in a violation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) id: u64,
    pub(crate) family: Family,
    pub(crate) bytes: usize,
    pub(crate) is_bstr: bool,
    /// What it is a part of, if it is of something.
    pub(crate) part: Option<Part>,
    /// The first bytes of its contents.
    pub(crate) preview: [u8; PREVIEW],
    pub(crate) previewed: usize,
    pub(crate) allocated_at: Site,
    /// `None` while it is live.
    pub(crate) freed_at: Option<Site>,
}

/// Bytes of a block's contents that a report shows.
pub(crate) const PREVIEW: usize = 48;

/// What the program was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It freed.
    Free,
    /// It reallocated.
    Realloc,
    /// It asked for a size.
    Measure,
    /// It read a string's length or contents.
    Read,
    /// It copied from it.
    Copy,
    /// It ended, or its session.
    End,
}

/// Numbers of a violation, for its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// None are needed.
    Nothing,
    /// The family that the call was for.
    As(Family),
    /// So many bytes from a block's start.
    Offset(isize, Family),
    /// A byte that should not have been written, so far away, and what stands there.
    Written(isize, u8),
    /// A byte that may not be touched was, so far away; by writing, if that is known.
    #[cfg_attr(
        not(all(unix, not(miri))),
        expect(dead_code, reason = "there are no pages to be shut")
    )]
    Touched(isize, bool),
    /// So many bytes were asked for where there are fewer.
    Short {
        /// Asked for.
        wanted: usize,
        /// There.
        there: usize,
    },
    /// So many pins.
    Pins(usize),
    /// The pins stayed with the string that this one took the place of.
    Strayed,
    /// The name of a function.
    Function(&'static str),
    /// It is dressed up as the other family's, which is legal.
    Dressed,
    /// So many references to an object.
    References(u32),
    /// A sentence, in which `{block}` stands for the block.
    Words(&'static str),
}

/// A name of a method or a parameter. Each is kept once, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name(pub(crate) &'static str);

impl Name {
    pub(crate) fn as_str(self) -> &'static str {
        self.0
    }
}

/// An annotated call, and which of its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) method: Name,
    pub(crate) parameter: Option<Name>,
    /// Which of its elements, if it is an array.
    pub(crate) element: Option<u32>,
}

impl Call {
    /// The parameter, as a report names it: `titles[2]`.
    pub(crate) fn spelled(&self) -> Option<String> {
        let name = self.parameter?.as_str();
        Some(match self.element {
            Some(index) => format!("{name}[{index}]"),
            None => name.to_owned(),
        })
    }
}

/// An allocation that failed because somebody planned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) fault: Fault,
    pub(crate) family: Family,
    /// Bytes that were asked for.
    pub(crate) size: usize,
    pub(crate) at: Site,
}

/// A violation, as it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) severity: Severity,
    pub(crate) deed: Deed,
    pub(crate) detail: Detail,
    pub(crate) block: Option<Facts>,
    pub(crate) at: Site,
    /// The annotated call that it belongs to.
    pub(crate) call: Option<Call>,
    /// The rules that it breaks.
    pub(crate) rules: &'static [Rule],
}

impl Record {
    /// A violation as severe as its kind, its site yet to come.
    pub(crate) fn new(kind: Kind, deed: Deed, detail: Detail, block: Option<Facts>) -> Self {
        Self {
            kind,
            severity: kind.severity(),
            deed,
            detail,
            block,
            at: Site::default(),
            call: None,
            rules: kind.rules(),
        }
    }
}

impl Books {
    /// Adds a violation to a session.
    pub(crate) fn record(&mut self, session: SessionId, record: Record) {
        let Some(book) = self.session(session) else {
            return;
        };
        if book.records.try_reserve(1).is_ok() {
            book.records.push(record);
        } else {
            book.dropped += 1;
        }
        if let Some(tell) = self.witness {
            tell(self, session, &record);
        }
        olemem_on_violation();
    }
}
