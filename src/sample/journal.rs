//! A journal of BSTRs: who allocated each, who freed it, and what its bytes were.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::bstr::borrowed::BstrRef;
use crate::layout::{HEADER, terminator_bytes};
use crate::task::block::Family;
use crate::task::hook::{BlockEvent, BstrEvent, Listener};

/// Whose turn it is, and what is going on: told in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// "the caller", "the component".
    pub who: &'static str,
    /// "before put_StatusText", "in put_StatusText", "after put_StatusText".
    pub during: &'static str,
}

/// One block.
#[derive(Clone, Debug)]
pub struct Record {
    /// The complement of its address: a journal of plain addresses would hide a leak from a leak
    /// checker.
    key: usize,
    /// Bytes of the block.
    pub size: usize,
    /// The turn it was allocated in.
    pub allocated: Turn,
    /// The turn it was freed in.
    pub freed: Option<Turn>,
    /// Header, payload and terminator, as they were when it was freed.
    pub image: Vec<u8>,
}

/// Listens at the seam, on the thread that made it, and keeps a record of each BSTR.
///
/// It reads the payload of each BSTR that is freed, so it listens only while nothing but the example
/// runs on its thread, whose strings are all filled.
#[derive(Debug)]
pub(super) struct Journal {
    thread: ThreadId,
    entries: Mutex<Entries>,
}

#[derive(Debug)]
struct Entries {
    turn: Turn,
    records: Vec<Record>,
}

impl Journal {
    /// An empty journal for this thread.
    pub(super) fn new(turn: Turn) -> Self {
        Self {
            thread: thread::current().id(),
            entries: Mutex::new(Entries {
                turn,
                records: Vec::new(),
            }),
        }
    }

    /// Says whose turn it is from now on.
    pub(super) fn turn(&self, turn: Turn) {
        self.entries().turn = turn;
    }

    /// All records so far, by time of allocation.
    pub(super) fn records(&self) -> Vec<Record> {
        self.entries().records.clone()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Journal {
    fn block(&self, event: &BlockEvent) {
        if thread::current().id() != self.thread {
            return;
        }
        // Others are none of the example's. A global allocator that stands on olemem would come back here
        // from the lines below, with task memory.
        let (BlockEvent::Allocated { family, .. }
        | BlockEvent::Reallocated { family, .. }
        | BlockEvent::Freeing { family, .. }) = *event
        else {
            return;
        };
        if family != Family::Bstr {
            return;
        }
        let mut entries = self.entries();
        let turn = entries.turn;
        match *event {
            BlockEvent::Allocated { block, size, .. } if !block.is_null() => {
                entries.records.push(Record {
                    key: !block.addr(),
                    size,
                    allocated: turn,
                    freed: None,
                    image: Vec::new(),
                })
            }
            BlockEvent::Reallocated { old, new, size, .. } if !new.is_null() => {
                if let Some(record) = entries.live(old) {
                    record.key = !new.addr();
                    record.size = size;
                }
            }
            BlockEvent::Freeing { block, .. } => {
                if let Some(record) = entries.live(block) {
                    record.freed = Some(turn);
                    // SAFETY: the block is live and was made by an operation on BSTRs, and the example
                    // fills all of its strings.
                    record.image = unsafe { image(block) };
                }
            }
            _ => {}
        }
    }

    fn bstr(&self, _: &BstrEvent) {}
}

impl Entries {
    fn live(&mut self, block: *mut u8) -> Option<&mut Record> {
        self.records
            .iter_mut()
            .find(|record| record.freed.is_none() && record.key == !block.addr())
    }
}

/// Header, payload and terminator.
///
/// # Safety
///
/// * `block` is the block of a live BSTR whose payload is initialised.
unsafe fn image(block: *mut u8) -> Vec<u8> {
    // SAFETY: the payload starts behind the header, in the same block.
    let bstr = unsafe { block.add(HEADER) }.cast_const().cast();
    // SAFETY: the caller promises a BSTR.
    let len = unsafe { BstrRef::from_raw(bstr) }.byte_len();
    let bytes = HEADER + len.as_usize() + terminator_bytes(len);
    // SAFETY: so many bytes of the block were written when the BSTR was made or filled.
    unsafe { core::slice::from_raw_parts(block, bytes) }.to_vec()
}
