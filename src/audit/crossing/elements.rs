//! The elements of arrays: where they are, and what was in them when the call began.

use core::ffi::c_void;
use core::ptr;

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::verdict::is_live;
use super::{Books, Generation, Held, Standing, What, standing};

/// An array whose elements are looked at.
#[derive(Debug)]
pub(super) struct Elements {
    pub(super) place: Storage,
    /// How many there are, when the call has returned; null if all that there is room for.
    count: *const u32,
    /// What was in them when it began.
    pub(super) entered: Vec<*mut c_void, System>,
    /// The blocks among it, by address and number.
    pub(super) before: Vec<Entered, System>,
    /// NULL: what stands where there is no element any more.
    pub(super) nothing: *mut c_void,
}

/// An element that was there when the call began, and its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entered {
    pub(super) held: Held,
    pub(super) index: u32,
}

impl Elements {
    pub(super) fn new(place: Storage, count: *const u32) -> Self {
        Self {
            place,
            count,
            entered: Vec::new_in(System),
            before: Vec::new_in(System),
            nothing: ptr::null_mut(),
        }
    }

    /// A block that was there when the call began, as the first element that had it.
    pub(super) fn first_before(&self, value: *mut c_void) -> Option<&Entered> {
        let address = value.addr();
        let at = self
            .before
            .partition_point(|entered| entered.held.pointer.addr() < address);
        let found = self.before.get(at)?;
        (found.held.pointer.addr() == address).then_some(found)
    }

    /// A block that was there when the call began.
    pub(super) fn before(&self, value: *mut c_void) -> Option<&Held> {
        self.first_before(value).map(|entered| &entered.held)
    }

    /// How many there are now; `None` if all that there is room for.
    pub(super) fn count(&self) -> Option<u32> {
        // SAFETY: the promise of whoever declared it.
        unsafe { self.count.as_ref() }.copied()
    }

    /// How many of them there is room for.
    pub(super) fn count_within(&self, room: u32) -> u32 {
        self.count().map_or(room, |count| count.min(room))
    }

    /// The variable for an array that the callee allocates.
    pub(super) fn handed(&self) -> Option<*mut *mut c_void> {
        match self.place {
            Storage::Handed(slot) => Some(slot),
            Storage::Callers { .. } => None,
        }
    }

    /// The caller's array, and how many elements it has now; `None` if it is gone.
    pub(super) fn callers(&self, books: &mut Books) -> Option<(*mut *mut c_void, u32)> {
        if self.handed().is_some() {
            return None;
        }
        let Found { start, room, .. } = self.find(books)?;
        Some((start, self.count_within(room)))
    }

    /// Whether a block that was in the caller's array when the call began is in it now.
    pub(super) fn still_has(&self, books: &mut Books, is_it: impl Fn(&Held) -> bool) -> bool {
        let Some((start, count)) = self.callers(books) else {
            return false;
        };
        let has = |value: *mut c_void| {
            // SAFETY: within the array, and initialised.
            (0..count).any(|index| unsafe { element(start, index) } == value)
        };
        self.before
            .iter()
            .any(|entered| is_it(&entered.held) && has(entered.held.pointer))
    }

    /// Where the elements are when the call has returned; `None` if they are nowhere, which was told.
    pub(super) fn find(&self, books: &mut Books) -> Option<Found> {
        match self.place {
            Storage::Callers {
                start,
                room,
                memory,
            } => memory.is_there(books, start).then_some(Found {
                start,
                room,
                array: None,
            }),
            Storage::Handed(slot) => {
                // SAFETY: the promise of whoever declared it.
                let start = unsafe { slot.read() };
                let standing = standing(books, start, What::Block);
                let entry = standing.key().and_then(|key| Some((key, books.get(key)?)));
                let room = match (standing, &entry) {
                    (Standing::Live(_), Some((_, entry))) => {
                        u32::try_from(entry.size / size_of::<*mut c_void>()).unwrap_or(u32::MAX)
                    }
                    (Standing::Live(_), None) => u32::MAX,
                    (Standing::Null, _) => 0,
                    _ => return None,
                };
                Some(Found {
                    start: start.cast(),
                    room,
                    array: entry.map(|(key, entry)| (key, entry.generation())),
                })
            }
        }
    }
}

/// The addresses in the first elements of an array, in order.
///
/// # Safety
///
/// * They are initialised.
pub(super) unsafe fn values(start: *mut *mut c_void, count: u32) -> Vec<usize, System> {
    let mut values = Vec::new_in(System);
    for index in 0..count {
        if values.try_reserve(1).is_ok() {
            // SAFETY: the caller's promise.
            values.push(unsafe { element(start, index) }.addr());
        }
    }
    values.sort_unstable();
    values
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Storage {
    /// The callee's, whose address is in this variable.
    Handed(*mut *mut c_void),
    /// The caller's, with room for so many.
    Callers {
        start: *mut *mut c_void,
        room: u32,
        memory: Memory,
    },
}

/// Where elements are when the call has returned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) start: *mut *mut c_void,
    pub(super) room: u32,
    /// The array that the callee allocated, if it is audited.
    pub(super) array: Option<(usize, Generation)>,
}

/// What a caller's array lies in. The callee may have freed it, and then nobody may read the array.
#[derive(Clone, Copy, Debug)]
pub(super) enum Memory {
    /// An audited block, its start or not.
    Block(usize, Generation),
    /// One from before the session.
    Plain,
    /// Nothing of the heap's.
    Elsewhere,
}

impl Memory {
    pub(super) fn of(books: &Books, standing: Standing) -> Self {
        let is_block = !matches!(standing, Standing::Null | Standing::Foreign);
        match standing.key().and_then(|key| Some((key, books.get(key)?))) {
            Some((key, entry)) => Self::Block(key, entry.generation()),
            None if is_block => Self::Plain,
            None => Self::Elsewhere,
        }
    }

    /// Whether an array in it can still be read.
    fn is_there(self, books: &mut Books, start: *mut *mut c_void) -> bool {
        match self {
            Self::Block(key, generation) => is_live(books, key, generation),
            Self::Plain => standing(books, start.cast(), What::Block) != Standing::Foreign,
            Self::Elsewhere => true,
        }
    }
}

/// The element of that number.
///
/// # Safety
///
/// * The array has it, initialised.
pub(super) unsafe fn element(start: *mut *mut c_void, index: u32) -> *mut c_void {
    let at = start.wrapping_add(index as usize);
    // SAFETY: the caller's promise.
    unsafe { at.read() }
}
