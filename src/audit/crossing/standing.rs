//! What a pointer is to a call that declares it, and what it holds.

use core::ffi::c_void;

use super::What;
use crate::audit::ledger::{Books, Generation, Place, State};
use crate::audit::sentinel;
use crate::layout::{HEADER, PREFIX};
use crate::task::block::Family;

/// A live block that a parameter held when the call began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) pointer: *mut c_void,
    /// `None` for a block from before the session.
    pub(super) known: Option<(usize, Generation)>,
    /// Of its contents, where they are looked at.
    pub(super) hash: Option<u64>,
}

impl Held {
    /// The block's key.
    pub(super) fn key(&self) -> Option<usize> {
        self.known.map(|(key, _)| key)
    }
}

/// What a pointer is to a call that declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Null,
    /// A live block of the declared family; with its key if it is audited.
    Live(Option<usize>),
    /// A BSTR in static storage that was registered.
    Literal,
    /// A block that was freed.
    Freed(usize),
    /// A live block of the other family.
    OtherFamily(Option<usize>),
    /// A pointer into a live block.
    Interior(Option<usize>),
    /// No block.
    Foreign,
}

impl Standing {
    /// The key of the audited block that it leads to.
    pub(super) fn key(self) -> Option<usize> {
        match self {
            Self::Live(key) | Self::OtherFamily(key) | Self::Interior(key) => key,
            Self::Freed(key) => Some(key),
            Self::Null | Self::Literal | Self::Foreign => None,
        }
    }
}

/// A sentence about a value that is not what it should be.
macro_rules! unsound {
    ($what:literal, $standing:expr) => {
        match $standing {
            Standing::Freed(_) => concat!($what, " is {block} that was freed"),
            Standing::OtherFamily(_) => concat!($what, " is {block}, of the wrong family"),
            Standing::Interior(_) => concat!($what, " is a pointer into {block}"),
            _ => concat!($what, " is no block at all"),
        }
    };
}
pub(super) use unsound;

/// What a pointer is, where something is declared.
pub(super) fn standing(books: &mut Books, value: *const c_void, what: What) -> Standing {
    if value.is_null() {
        return Standing::Null;
    }
    let family = what.family();
    let block = match family {
        Family::Bstr => value.cast::<u8>().wrapping_sub(HEADER).cast_mut(),
        Family::Task => value.cast::<u8>().cast_mut(),
    };
    if sentinel::index_of(value.addr()).is_some() {
        return Standing::Foreign;
    }
    let of = |books: &Books, key: usize, sound: Standing| match books.get(key) {
        Some(entry) if entry.state == State::Live => sound,
        _ => Standing::Freed(key),
    };
    match books.place(block, family) {
        Place::Start(key) => {
            let is_whole = books.get(key).is_some_and(|entry| {
                // A task block that is dressed up as a BSTR passes for one.
                entry.family == family || family == Family::Bstr
            });
            let sound = if is_whole {
                Standing::Live(Some(key))
            } else {
                Standing::OtherFamily(Some(key))
            };
            of(books, key, sound)
        }
        Place::Plain => Standing::Live(None),
        Place::WrongFamily(key) => of(books, key, Standing::OtherFamily(Some(key))),
        Place::PlainWrongFamily(_) => Standing::OtherFamily(None),
        _ if what == What::Bstr && books.crossed.is_literal(value.addr()) => Standing::Literal,
        Place::Inside(key, _) => of(books, key, Standing::Interior(Some(key))),
        Place::PlainInside(..) => Standing::Interior(None),
        Place::Nowhere => Standing::Foreign,
    }
}

/// Whether a string that was freed is there until the last of its pins goes.
pub(super) fn is_pinned(books: &Books, key: usize) -> bool {
    books
        .get(key)
        .is_some_and(|entry| entry.state == State::Deferred)
}

/// A live block, as it is now.
///
/// # Safety
///
/// * It is live, and nobody is writing to it.
pub(super) unsafe fn hold(
    books: &Books,
    key: Option<usize>,
    value: *const c_void,
    what: What,
) -> Held {
    let known = key.and_then(|key| Some((key, books.get(key)?.generation())));
    let held = Held {
        pointer: value.cast_mut(),
        known,
        hash: None,
    };
    Held {
        // SAFETY: the caller's promise.
        hash: unsafe { hash(books, &held, what) },
        ..held
    }
}

/// A hash of a live block's contents: of a BSTR prefix and bytes, of a string all of its block.
///
/// # Safety
///
/// * As for [`hold`].
pub(super) unsafe fn hash(books: &Books, held: &Held, what: What) -> Option<u64> {
    let value = held.pointer.cast::<u8>();
    let entry = held.known.and_then(|(key, _)| books.get(key));
    let (start, most) = match (&entry, what.family()) {
        (Some(entry), _) => (entry.shape().block(), entry.size),
        (None, Family::Bstr) => {
            let start = value.wrapping_sub(HEADER);
            (start, books.plain_size(start.addr())?)
        }
        (None, Family::Task) => (value, books.plain_size(value.addr())?),
    };
    let (offset, len) = match what {
        What::Block | What::Interface => return None,
        What::String => (0, most),
        What::Bstr => {
            let at = start.wrapping_add(HEADER - PREFIX).cast::<[u8; PREFIX]>();
            // SAFETY: a BSTR's block has a header, whose prefix is initialised. Bytes need no alignment.
            let bytes = u32::from_ne_bytes(unsafe { at.read() }) as usize;
            (
                HEADER - PREFIX,
                (PREFIX + bytes).min(most.saturating_sub(HEADER - PREFIX)),
            )
        }
    };
    // SAFETY: they lie within the live block, are initialised by the caller's promise, and are not being written.
    let bytes = unsafe { core::slice::from_raw_parts(start.wrapping_add(offset), len) };
    Some(bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    }))
}
