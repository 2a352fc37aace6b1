//! Where a call came from: stacks of return addresses, each kept once.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;
use hashbrown::HashTable;

use super::frame::{self, Frame};
use crate::task::table_memory::TableMemory;

/// How much of the stack is kept with each event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backtrace {
    /// Nothing.
    Off,
    /// Everything that the unwinder finds, up to 24 frames. Under Miri it is nothing.
    #[default]
    Full,
}

/// Frames kept of a stack; those of olemem's own included.
const DEPTH: usize = 24;

/// The return addresses of one stack, complemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stack {
    frames: [usize; DEPTH],
    len: usize,
}

/// A stack that is kept, by number. 0 is the empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Site(u32);

/// The deepest that any open session asks for.
static WANTED: AtomicU8 = AtomicU8::new(0);

/// Says what is wanted from now on.
pub(super) fn want(backtrace: Backtrace) {
    WANTED.store(backtrace as u8, Ordering::Relaxed);
}

impl Default for Stack {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Stack {
    const EMPTY: Self = Self {
        frames: [0; DEPTH],
        len: 0,
    };

    /// The stack of this call, as far as it is wanted. It asks for no memory of the global allocator's.
    pub(super) fn here() -> Self {
        let mut stack = Self::EMPTY;
        // Miri's addresses cannot be told by number.
        if cfg!(miri) || WANTED.load(Ordering::Relaxed) == Backtrace::Off as u8 {
            return stack;
        }
        let keep = |frame: &backtrace::Frame| {
            stack.frames[stack.len] = !frame.ip().addr();
            stack.len += 1;
            stack.len < DEPTH
        };
        // SAFETY: without its lock two threads must not resolve symbols at once, and tracing resolves none.
        unsafe { backtrace::trace_unsynchronized(keep) };
        stack
    }

    /// The addresses of the calls, innermost first. Nothing is asked for memory.
    pub(super) fn addresses(&self) -> impl Iterator<Item = usize> {
        // The address after the call may be the next line's, or the next function's.
        self.frames[..self.len]
            .iter()
            .map(|address| (!address).wrapping_sub(1))
    }

    fn hash(&self) -> u64 {
        self.frames[..self.len].iter().fold(0, |hash: u64, frame| {
            (hash.rotate_left(5) ^ *frame as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        })
    }

    /// The frames of the program's, innermost first: olemem's own are cut away, and so is what the language's
    /// runtime has below `main` and below a thread's function.
    pub(super) fn resolve(&self) -> std::vec::Vec<Frame> {
        resolved(self.addresses())
    }

    /// All frames by their addresses alone: somebody else is to find the names.
    #[cfg(all(unix, not(miri)))]
    pub(super) fn unresolved(&self) -> std::vec::Vec<Frame> {
        self.addresses().map(Frame::unknown).collect()
    }
}

/// The frames of addresses of this process, as [`Stack::resolve`] gives them.
pub(super) fn resolved(addresses: impl Iterator<Item = usize>) -> std::vec::Vec<Frame> {
    let mut frames = std::vec::Vec::new();
    for address in addresses {
        named(address, &mut frames);
    }
    frame::trim(&mut frames, frame::SOURCES);
    frames
}

/// Adds the functions that an address of this process lies in, innermost first.
pub(super) fn named(address: usize, frames: &mut std::vec::Vec<Frame>) {
    let pointer = ptr::without_provenance_mut(address);
    let before = frames.len();
    backtrace::resolve(pointer, |symbol| {
        frames.push(Frame::of(address, symbol));
    });
    if frames.len() == before {
        frames.push(Frame::unknown(address));
    }
}

/// Where the newest table starts. Nobody reads it but a leak checker, so the compiler must be told that it is used.
#[used]
static START: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

/// All stacks that are kept.
pub(super) struct Sites {
    stacks: Vec<Stack, System>,
    by_hash: HashTable<u32, TableMemory<System>>,
}

impl Sites {
    pub(super) const fn new() -> Self {
        Self {
            stacks: Vec::new_in(System),
            by_hash: HashTable::new_in(TableMemory {
                backing: &System,
                start: &START,
            }),
        }
    }

    /// Keeps a stack. Where there is no memory the empty one stands for it.
    pub(super) fn keep(&mut self, stack: &Stack) -> Site {
        if stack.len == 0 {
            return Site(0);
        }
        let stacks = &self.stacks;
        let of = |number: &u32| &stacks[*number as usize - 1];
        let hash = stack.hash();
        if let Some(number) = self.by_hash.find(hash, |number| of(number) == stack) {
            return Site(*number);
        }
        let Ok(number) = u32::try_from(stacks.len() + 1) else {
            return Site(0);
        };
        let has_room = self
            .by_hash
            .try_reserve(1, |number| stacks[*number as usize - 1].hash())
            .is_ok()
            && self.stacks.try_reserve(1).is_ok();
        if !has_room {
            return Site(0);
        }
        self.stacks.push(*stack);
        let stacks = &self.stacks;
        self.by_hash
            .insert_unique(hash, number, |number| stacks[*number as usize - 1].hash());
        Site(number)
    }

    pub(super) fn get(&self, site: Site) -> Stack {
        site.0
            .checked_sub(1)
            .and_then(|index| self.stacks.get(index as usize))
            .copied()
            .unwrap_or(Stack::EMPTY)
    }
}
