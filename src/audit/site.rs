//! Where a call came from: stacks of return addresses, or the line that the compiler told, each kept once.

use core::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;
use hashbrown::HashTable;

use super::frame::{self, Frame};
use super::frame_pointers;
use crate::task::caller::{self, Entered, Place};
use crate::task::table_memory::TableMemory;

/// How much of the stack is kept with each event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backtrace {
    /// Nothing.
    Off,
    /// What costs little: of a call from Rust the line that it stands in, which the compiler tells; of one from C
    /// where it returns to, and the callers behind as far as frame pointers lead. Where there is neither (a value that
    /// is dropped, a call by way of a trait of the standard library's, C on a machine that is none of x86-64 and AArch64)
    /// the first frames that the unwinder finds.
    Short,
    /// Everything that the unwinder finds, up to 24 frames. Where it finds no line, and under Miri, which has no
    /// unwinder to ask, it is the line that the compiler tells.
    #[default]
    Full,
}

/// Frames kept of a stack.
const DEPTH: usize = 24;

/// Frames that the unwinder is asked for where little is wanted, some of olemem's own included.
const FEW: usize = 6;

/// One stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stack {
    /// The return addresses, complemented.
    frames: [usize; DEPTH],
    len: usize,
    /// The line of the innermost frame, if the compiler told.
    line: Option<&'static Location<'static>>,
    /// Whether the frames were found by frame pointers, which may lead astray.
    is_walked: bool,
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
        line: None,
        is_walked: false,
    };

    /// The stack of this call, as far as it is wanted. It asks for no memory of the global allocator's.
    pub(super) fn here() -> Self {
        let mut stack = Self::EMPTY;
        let wanted = WANTED.load(Ordering::Relaxed);
        if wanted == Backtrace::Off as u8 {
            return stack;
        }
        let entered = caller::innermost();
        if let Some(Place::Rust(line)) = entered.and_then(|entered| entered.place)
            && !frame::is_library(line.file())
        {
            stack.line = Some(line);
        }
        // Miri's addresses cannot be told by number.
        if cfg!(miri) {
            return stack;
        }
        if wanted == Backtrace::Full as u8 {
            // What lies below the door is olemem's own, and much of it where nothing is optimised.
            let door = entered.map_or(0, |entered| entered.address);
            stack.unwind(door, DEPTH);
            return stack;
        }
        match entered {
            _ if stack.line.is_some() => {}
            Some(Entered {
                place:
                    Some(Place::C {
                        return_address,
                        frame,
                    }),
                address,
            }) => stack.walk(return_address, frame, address),
            Some(Entered { address, .. }) => stack.unwind(address, FEW),
            // A signal comes through no door.
            None => stack.unwind(0, DEPTH),
        }
        stack
    }

    /// Adds where a call from C returns to, and what lies behind by frame pointers, above an address of the stack.
    fn walk(&mut self, return_address: usize, frame: usize, address: usize) {
        self.is_walked = true;
        self.frames[0] = !return_address;
        self.len = 1;
        frame_pointers::walk(frame, address, |return_address| {
            self.frames[self.len] = !return_address;
            self.len += 1;
            self.len < DEPTH
        });
    }

    /// Adds what the unwinder finds above an address of the stack, up to so many frames; or all that it finds, where it does not
    /// tell where frames are. It is no frame of its own, for the unwinder takes as long for one of ours as for any other.
    #[inline(always)]
    fn unwind(&mut self, address: usize, most: usize) {
        for (address, most) in [(address, most), (0, DEPTH)] {
            if self.len > 0 {
                return;
            }
            let keep = |frame: &backtrace::Frame| {
                if address == 0 || frame.sp().addr() > address {
                    self.frames[self.len] = !frame.ip().addr();
                    self.len += 1;
                }
                self.len < most
            };
            // SAFETY: without its lock two threads must not resolve symbols at once, and tracing resolves none.
            unsafe { backtrace::trace_unsynchronized(keep) };
        }
    }

    /// The addresses of the calls, innermost first. Nothing is asked for memory.
    pub(super) fn addresses(&self) -> impl Iterator<Item = usize> {
        // The address after the call may be the next line's, or the next function's.
        self.frames[..self.len]
            .iter()
            .map(|address| (!address).wrapping_sub(1))
    }

    fn hash(&self) -> u64 {
        let line = self.line.map_or(0, |line| ptr::from_ref(line).addr());
        let frames = &self.frames[..self.len];
        frames.iter().chain([&line]).fold(0, |hash: u64, word| {
            (hash.rotate_left(5) ^ *word as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        })
    }

    fn is_empty(&self) -> bool {
        self.len == 0 && self.line.is_none()
    }

    /// The line of the innermost frame, if the compiler told.
    #[cfg(all(unix, not(miri)))]
    pub(super) fn line(&self) -> Option<&'static Location<'static>> {
        self.line
    }

    /// The frames of the program's, innermost first: olemem's own are cut away, and so is what the language's
    /// runtime has below `main` and below a thread's function.
    pub(super) fn resolve(&self) -> std::vec::Vec<Frame> {
        let mut frames = std::vec::Vec::new();
        for address in self.addresses() {
            let is_first = frames.is_empty();
            let is_named = named(address, &mut frames);
            // What is found without frame pointers being there is nonsense, and so is what follows.
            if !is_named && self.is_walked && !is_first {
                frames.pop();
                break;
            }
        }
        frame::trim(&mut frames, frame::SOURCES);
        if let Some(line) = self.line {
            frame::name_first(&mut frames, line.file(), line.line());
        }
        frames
    }

    /// All frames by their addresses alone: somebody else is to find the names.
    #[cfg(all(unix, not(miri)))]
    pub(super) fn unresolved(&self) -> std::vec::Vec<Frame> {
        self.addresses().map(Frame::unknown).collect()
    }
}

/// The frames of addresses of this process, as [`Stack::resolve`] gives them.
#[cfg(all(unix, not(miri)))]
pub(super) fn resolved(addresses: impl Iterator<Item = usize>) -> std::vec::Vec<Frame> {
    let mut frames = std::vec::Vec::new();
    for address in addresses {
        named(address, &mut frames);
    }
    frame::trim(&mut frames, frame::SOURCES);
    frames
}

/// Adds the functions that an address of this process lies in, innermost first; the address alone, and `false`, if
/// none is known.
pub(super) fn named(address: usize, frames: &mut std::vec::Vec<Frame>) -> bool {
    let pointer = ptr::without_provenance_mut(address);
    let before = frames.len();
    backtrace::resolve(pointer, |symbol| {
        frames.push(Frame::of(address, symbol));
    });
    let is_named = frames.len() > before;
    if !is_named {
        frames.push(Frame::unknown(address));
    }
    is_named
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
        if stack.is_empty() {
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
