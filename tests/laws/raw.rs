//! The raw operations and the heap against vectors of bytes.

use std::cmp::Ordering;
use std::ptr;

use olemem::fault::fail_nth;
use olemem::heap::{self, ALIGN, DidAlloc, Family};
use olemem::layout::{HEADER, PointerWidth};
use olemem::{ByteLen, UnitLen, raw};

use super::steps::{Choices, Operation, Step, World, same, smaller_number, smaller_vec};
#[cfg(test)]
use super::{holds_for_a_long_sequence, holds_for_any_sequence, shrunk};

/// Whether the system's own allocator is behind the doors: it decides sizes and sources inside the
/// string itself.
const SYSTEM: bool = cfg!(all(windows, not(miri)));

/// Where an operation reads from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Null,
    Units(Vec<u16>),
    /// The string itself, so many units in.
    Own(u16),
    /// Another string.
    Other(u16),
}

/// Numbers choose among what lives, and lengths.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Alloc(Source),
    AllocUnits(Source, u16),
    AllocBytes(Option<Vec<u8>>, u16),
    /// A task block with a header of its own (`semantics.md` L5).
    DressUp(Vec<u8>),
    Realloc(u16, Source),
    ReallocUnits(u16, Source, u16),
    /// A shorter prefix and a new terminator, written in place (L11).
    Shorten(u16, u16),
    Write(u16, u8),
    Concat(u16, u16),
    Compare(u16, u16),
    Free(u16),
    TooLong(u16, u32),
    TaskAlloc(u16),
    TaskRealloc(u16, u16),
    TaskReallocNull(u16),
    TaskFree(u16),
    FreeNull,
    Minimize,
}

impl Source {
    fn choose(choices: &mut Choices<'_>) -> Self {
        match choices.below(8) {
            0 => Self::Null,
            1 => Self::Own(0),
            2 => Self::Own(choices.len()),
            3 => Self::Other(choices.len()),
            _ => Self::Units(choices.units()),
        }
    }

    fn smaller(&self) -> Vec<Self> {
        match self {
            Self::Null => Vec::new(),
            Self::Units(units) => [Self::Null]
                .into_iter()
                .chain(smaller_vec(units).into_iter().map(Self::Units))
                .collect(),
            Self::Own(at) => [Self::Null]
                .into_iter()
                .chain(smaller_number(*at).into_iter().map(Self::Own))
                .collect(),
            Self::Other(which) => [Self::Null]
                .into_iter()
                .chain(smaller_number(*which).into_iter().map(Self::Other))
                .collect(),
        }
    }
}

impl Operation for Op {
    fn choose(choices: &mut Choices<'_>) -> Self {
        match choices.below(26) {
            0 | 1 => Self::Alloc(Source::choose(choices)),
            2 | 3 => Self::AllocUnits(Source::choose(choices), choices.len()),
            4 | 5 => {
                let bytes = (choices.below(4) != 0).then(|| choices.bytes());
                Self::AllocBytes(bytes, choices.len())
            }
            6 => Self::DressUp(choices.bytes()),
            7 | 8 => Self::Realloc(choices.len(), Source::choose(choices)),
            9..=12 => Self::ReallocUnits(choices.len(), Source::choose(choices), choices.len()),
            13 => Self::Shorten(choices.len(), choices.len()),
            14 => Self::Write(choices.len(), 1),
            15 => Self::Concat(choices.len(), choices.len()),
            16 => Self::Compare(choices.len(), choices.len()),
            17..=19 => Self::Free(choices.len()),
            20 => Self::TooLong(choices.len(), choices.below(4)),
            21 => Self::TaskAlloc(choices.len()),
            22 => Self::TaskRealloc(choices.len(), choices.len()),
            23 => Self::TaskReallocNull(choices.len()),
            24 => Self::TaskFree(choices.len()),
            _ if choices.below(2) == 0 => Self::FreeNull,
            _ => Self::Minimize,
        }
    }

    fn smaller(&self) -> Vec<Self> {
        fn numbers(which: u16, other: u16, make: impl Fn(u16, u16) -> Op) -> Vec<Op> {
            let left = smaller_number(which).into_iter().map(|n| make(n, other));
            let right = smaller_number(other).into_iter().map(|n| make(which, n));
            left.chain(right).collect()
        }
        fn one(which: u16, make: impl Fn(u16) -> Op) -> Vec<Op> {
            smaller_number(which).into_iter().map(make).collect()
        }
        match self {
            Self::Alloc(source) => source.smaller().into_iter().map(Self::Alloc).collect(),
            Self::AllocUnits(source, len) => {
                let sources = source.smaller().into_iter();
                let sources = sources.map(|source| Self::AllocUnits(source, *len));
                let lengths = one(*len, |len| Self::AllocUnits(source.clone(), len));
                sources.chain(lengths).collect()
            }
            Self::AllocBytes(Some(bytes), len) => [Self::AllocBytes(None, *len)]
                .into_iter()
                .chain(
                    smaller_vec(bytes)
                        .into_iter()
                        .map(|bytes| Self::AllocBytes(Some(bytes), *len)),
                )
                .collect(),
            Self::AllocBytes(None, len) => one(*len, |len| Self::AllocBytes(None, len)),
            Self::DressUp(bytes) => smaller_vec(bytes).into_iter().map(Self::DressUp).collect(),
            Self::Realloc(which, source) => {
                let sources = source.smaller().into_iter();
                let sources = sources.map(|source| Self::Realloc(*which, source));
                let others = one(*which, |which| Self::Realloc(which, source.clone()));
                sources.chain(others).collect()
            }
            Self::ReallocUnits(which, source, len) => {
                let sources = source.smaller().into_iter();
                let sources = sources.map(|source| Self::ReallocUnits(*which, source, *len));
                let others = numbers(*which, *len, |which, len| {
                    Self::ReallocUnits(which, source.clone(), len)
                });
                sources.chain(others).collect()
            }
            Self::Shorten(which, len) => numbers(*which, *len, Self::Shorten),
            Self::Write(which, with) => one(*which, |which| Self::Write(which, *with)),
            Self::Concat(left, right) => numbers(*left, *right, Self::Concat),
            Self::Compare(left, right) => numbers(*left, *right, Self::Compare),
            Self::Free(which) => one(*which, Self::Free),
            Self::TooLong(which, over) => one(*which, |which| Self::TooLong(which, *over)),
            Self::TaskAlloc(size) => one(*size, Self::TaskAlloc),
            Self::TaskRealloc(which, size) => numbers(*which, *size, Self::TaskRealloc),
            Self::TaskReallocNull(size) => one(*size, Self::TaskReallocNull),
            Self::TaskFree(which) => one(*which, Self::TaskFree),
            Self::FreeNull | Self::Minimize => Vec::new(),
        }
    }
}

/// A variable of type BSTR, and what it should hold.
#[derive(Debug)]
struct Live {
    bstr: *mut u16,
    bytes: Vec<u8>,
    /// Bytes of the block.
    block: usize,
    /// A task block in disguise: freed like the others, and never reallocated here.
    dressed: bool,
}

#[derive(Debug)]
struct Block {
    start: *mut u8,
    bytes: Vec<u8>,
}

/// More would make each look at everything long.
const MOST: usize = 16;

#[derive(Default, Debug)]
pub(crate) struct Raw {
    strings: Vec<Live>,
    blocks: Vec<Block>,
    /// For filling what an operation leaves undefined.
    pattern: u8,
}

fn block_size(bytes: usize) -> usize {
    (size_of::<usize>() + bytes + 2 + 15) & !15
}

pub(crate) fn unit_bytes(units: &[u16]) -> Vec<u8> {
    units.iter().flat_map(|unit| unit.to_ne_bytes()).collect()
}

/// The units up to the first zero of a payload and its terminator.
pub(crate) fn until_zero(payload: &[u8]) -> Vec<u8> {
    let mut ended = payload.to_vec();
    ended.extend([0; 3]);
    ended
        .chunks_exact(2)
        .take_while(|unit| *unit != [0, 0])
        .flatten()
        .copied()
        .collect()
}

pub(crate) fn units(len: usize) -> UnitLen {
    UnitLen::try_from(len).expect("the laws' strings are short")
}

/// How two strings compare: one that begins with a zero comes first, then byte by byte.
pub(crate) fn order(left: &[u8], right: &[u8]) -> Ordering {
    let text = |bytes: &[u8]| bytes.iter().take(2).any(|byte| *byte != 0);
    match (text(left), text(right)) {
        (false, true) => Ordering::Less,
        (true, false) => Ordering::Greater,
        _ => left.cmp(right),
    }
}

/// The size of a block, as the heap knows it.
fn extent(block: *mut u8) -> Option<usize> {
    // SAFETY: the tests ask about live blocks, and of other addresses only where any will do.
    unsafe { heap::size_of(block) }
}

/// Whether the heap knows a block.
fn whose(block: *mut u8) -> DidAlloc {
    // SAFETY: as above.
    unsafe { heap::did_alloc(block) }
}

/// What an operation said of itself against what was to be: memory, or the failure planted in it.
pub(crate) fn told(succeeded: bool, failed: bool) -> Result<(), String> {
    same("success", &succeeded, &!failed)
}

impl Raw {
    /// Overwrites from `from` on, so that every counted byte is defined.
    fn fill(pattern: &mut u8, start: *mut u8, bytes: &mut Vec<u8>, len: usize) {
        while bytes.len() < len {
            *pattern = pattern.wrapping_add(1);
            let at = start.wrapping_add(bytes.len());
            // SAFETY: the caller's object has `len` bytes at `start`.
            unsafe { at.write(*pattern) };
            bytes.push(*pattern);
        }
    }

    /// Takes in a new string: `known` of its `len` bytes are defined.
    fn adopt(&mut self, bstr: *mut u16, mut known: Vec<u8>, len: usize) {
        known.truncate(len);
        Self::fill(&mut self.pattern, bstr.cast(), &mut known, len);
        self.strings.push(Live {
            bstr,
            bytes: known,
            block: block_size(len),
            dressed: false,
        });
    }

    /// A new string, or why there is none.
    fn made(
        &mut self,
        bstr: *mut u16,
        known: Vec<u8>,
        len: usize,
        failed: bool,
    ) -> Result<(), String> {
        told(!bstr.is_null(), failed)?;
        if !bstr.is_null() {
            self.adopt(bstr, known, len);
        }
        Ok(())
    }

    fn free_at(&mut self, index: usize) {
        let gone = self.strings.swap_remove(index);
        // SAFETY: it lived until now, and nothing uses it any more.
        unsafe { raw::free(gone.bstr) };
    }

    fn index(&self, which: u16) -> Option<usize> {
        (usize::from(which)).checked_rem(self.strings.len())
    }

    /// A pointer for a source, and the payload that stands there with a terminator behind it; null for
    /// none. `own` is the string that the operation changes.
    fn resolve(&self, source: &Source, own: Option<usize>, kept: &mut Vec<u16>) -> Resolved {
        let live = match source {
            Source::Null => return Resolved::NOTHING,
            Source::Units(units) => {
                kept.clone_from(units);
                kept.push(0);
                return Resolved {
                    pointer: kept.as_ptr(),
                    payload: unit_bytes(units),
                    inside: None,
                };
            }
            Source::Own(at) => {
                let Some(live) = own.map(|own| &self.strings[own]) else {
                    return Resolved::NOTHING;
                };
                let at = if SYSTEM { 0 } else { usize::from(*at) };
                let at = at % (live.bytes.len() / 2 + 1);
                if !live.bstr.is_null() {
                    return Resolved {
                        pointer: live.bstr.wrapping_add(at),
                        payload: live.bytes[2 * at..].to_vec(),
                        inside: Some(at),
                    };
                }
                live
            }
            Source::Other(which) => match self.index(*which) {
                Some(index) if Some(index) != own => &self.strings[index],
                _ => return Resolved::NOTHING,
            },
        };
        if live.bstr.is_null() {
            return Resolved::NOTHING;
        }
        Resolved {
            pointer: live.bstr,
            payload: live.bytes.clone(),
            inside: None,
        }
    }

    fn alloc(&mut self, source: &Source, fails: bool) -> Result<(), String> {
        let mut kept = Vec::new();
        let source = self.resolve(source, None, &mut kept);
        let failing = fails.then(|| fail_nth(1));
        // SAFETY: null, or units up to a zero.
        let bstr = unsafe { raw::alloc(source.pointer) };
        let failed = failing.is_some_and(|failing| failing.has_failed());
        if source.pointer.is_null() {
            same("a null source gives null", &bstr.is_null(), &true)?;
            self.strings.push(Live {
                bstr,
                bytes: Vec::new(),
                block: 0,
                dressed: false,
            });
            return Ok(());
        }
        let text = until_zero(&source.payload);
        let len = text.len();
        self.made(bstr, text, len, failed)
    }

    fn realloc(&mut self, index: usize, source: &Source, fails: bool) -> Result<(), String> {
        if SYSTEM && matches!(source, Source::Own(_)) {
            return Ok(());
        }
        let mut kept = Vec::new();
        let source = self.resolve(source, Some(index), &mut kept);
        let live = &mut self.strings[index];
        let before = live.bstr;
        let failing = fails.then(|| fail_nth(1));
        // SAFETY: the variable holds a null or live string; the source is null or zero-terminated.
        let done = unsafe { raw::realloc(&raw mut live.bstr, source.pointer) };
        told(done, failing.is_some_and(|failing| failing.has_failed()))?;
        if !done {
            return same("the variable after a failure", &live.bstr, &before);
        }
        if source.pointer.is_null() {
            same("a null source stores null", &live.bstr.is_null(), &true)?;
            (live.bytes, live.block) = (Vec::new(), 0);
        } else {
            live.bytes = until_zero(&source.payload);
            live.block = block_size(live.bytes.len());
        }
        Ok(())
    }

    fn realloc_units(
        &mut self,
        index: usize,
        source: &Source,
        len: u16,
        fails: bool,
    ) -> Result<(), String> {
        let mut kept = Vec::new();
        let source = self.resolve(source, Some(index), &mut kept);
        let live = &mut self.strings[index];
        let before = live.bstr;
        let keeps = source.pointer.is_null() || source.inside == Some(0);
        let len = if keeps || source.inside.is_some() {
            usize::from(len)
        } else {
            source.payload.len() / 2
        };
        // What shrinks in its block needs no memory and keeps its address (V036).
        let in_place = keeps && !before.is_null() && block_size(2 * len) <= live.block;
        let failing = fails.then(|| fail_nth(1));
        // SAFETY: the variable holds a null or live string; the source is null, in the string, or has
        // so many units.
        let done = unsafe { raw::realloc_units(&raw mut live.bstr, source.pointer, units(len)) };
        let failed = failing.is_some_and(|failing| failing.has_failed());
        told(done, failed)?;
        if !done {
            return same("the variable after a failure", &live.bstr, &before);
        }
        if in_place && !SYSTEM {
            same("the address after shrinking", &live.bstr, &before)?;
            same("memory asked for to shrink", &failed, &false)?;
        }
        let mut known = match source.inside {
            _ if keeps => std::mem::take(&mut live.bytes),
            // The terminator behind the text is copied along.
            Some(_) => [source.payload, vec![0; 2]].concat(),
            None => source.payload,
        };
        known.truncate(2 * len);
        let start = live.bstr.cast();
        Self::fill(&mut self.pattern, start, &mut known, 2 * len);
        live.bytes = known;
        live.block = block_size(2 * len);
        Ok(())
    }

    fn dress_up(&mut self, bytes: &[u8], fails: bool) -> Result<(), String> {
        let zeros = if bytes.len().is_multiple_of(2) { 2 } else { 3 };
        let size = HEADER + bytes.len() + zeros;
        let failing = fails.then(|| fail_nth(1));
        let block = heap::alloc(size, Family::Task);
        told(
            !block.is_null(),
            failing.is_some_and(|failing| failing.has_failed()),
        )?;
        if block.is_null() {
            return Ok(());
        }
        let mut image = vec![0xEE; HEADER - 4];
        image.extend(u32::try_from(bytes.len()).expect("short").to_ne_bytes());
        image.extend(bytes);
        image.resize(size, 0);
        // SAFETY: the block has that size.
        unsafe { block.copy_from_nonoverlapping(image.as_ptr(), size) };
        self.strings.push(Live {
            bstr: block.wrapping_add(HEADER).cast(),
            bytes: bytes.to_vec(),
            block: size,
            dressed: true,
        });
        Ok(())
    }

    fn shorten(&mut self, index: usize, len: u16) {
        let live = &mut self.strings[index];
        if live.bstr.is_null() {
            return;
        }
        let len = usize::from(len) % (live.bytes.len() + 1);
        live.bytes.truncate(len);
        let zeros = if len.is_multiple_of(2) { 2 } else { 3 };
        let prefix = live.bstr.cast::<u8>().wrapping_sub(4);
        let image = u32::try_from(len).expect("short").to_ne_bytes();
        // SAFETY: the prefix stands there.
        unsafe { prefix.copy_from_nonoverlapping(image.as_ptr(), image.len()) };
        let end = live.bstr.cast::<u8>().wrapping_add(len);
        // SAFETY: the block had room for a terminator behind a longer payload; if the length is what
        // it was, these are the same zeros.
        unsafe { end.write_bytes(0, zeros.min(live.block - HEADER - len)) };
    }

    fn too_long(&mut self, which: u16, over: u32, fails: bool) -> Result<(), String> {
        // The system has limits of its own, and reads below them.
        if SYSTEM {
            return Ok(());
        }
        let nowhere = ptr::without_provenance::<u16>(0xdead_beee);
        let limit = PointerWidth::NATIVE;
        let units = UnitLen::new(
            [
                limit.max_units().get() + 1,
                0x7FFF_FFFF,
                0x8000_0000,
                u32::MAX,
            ][over as usize],
        );
        let bytes = ByteLen::new([limit.max_bytes().get() + 1, u32::MAX - 1][over as usize % 2]);
        let failing = fails.then(|| fail_nth(1));
        // SAFETY: beyond the limit the source is not read.
        let bstr = unsafe { raw::alloc_units(nowhere, units) };
        same("units beyond the limit", &bstr.is_null(), &true)?;
        // SAFETY: as above.
        let bstr = unsafe { raw::alloc_bytes(nowhere.cast(), bytes) };
        same("bytes beyond the limit", &bstr.is_null(), &true)?;
        if let Some(index) = self.index(which) {
            let live = &mut self.strings[index];
            let before = live.bstr;
            for source in [nowhere, ptr::null(), before.cast_const()] {
                // SAFETY: as above; the variable holds a null or live string.
                let done = unsafe { raw::realloc_units(&raw mut live.bstr, source, units) };
                same("a reallocation beyond the limit", &done, &false)?;
                same("the variable", &live.bstr, &before)?;
            }
        }
        let asked = failing.is_some_and(|failing| failing.has_failed());
        same("memory asked for", &asked, &false)
    }

    fn compare(&self, left: usize, right: usize) -> Result<(), String> {
        let (left, right) = (&self.strings[left], &self.strings[right]);
        let expected = order(&left.bytes, &right.bytes);
        // SAFETY: both are null or live.
        let found = unsafe { raw::compare(left.bstr, right.bstr, 0, 0) };
        same("order", &found, &expected)
    }

    fn task_alloc(&mut self, size: usize, fails: bool, by_realloc: bool) -> Result<(), String> {
        let failing = fails.then(|| fail_nth(1));
        let start = if by_realloc {
            // SAFETY: null allocates.
            unsafe { heap::realloc(ptr::null_mut(), size, Family::Task) }
        } else {
            heap::alloc(size, Family::Task)
        };
        told(
            !start.is_null(),
            failing.is_some_and(|failing| failing.has_failed()),
        )?;
        if !start.is_null() {
            let mut bytes = Vec::new();
            Self::fill(&mut self.pattern, start, &mut bytes, size);
            self.blocks.push(Block { start, bytes });
        }
        Ok(())
    }

    fn task_realloc(&mut self, index: usize, size: usize, fails: bool) -> Result<(), String> {
        let block = &mut self.blocks[index];
        let failing = fails.then(|| fail_nth(1));
        // SAFETY: the block lives, and its old address is not used after success.
        let moved = unsafe { heap::realloc(block.start, size, Family::Task) };
        let failed = failing.is_some_and(|failing| failing.has_failed());
        if size == 0 {
            // Null is success: the block is gone.
            self.blocks.swap_remove(index);
            same("what a size of 0 gives", &moved.is_null(), &true)?;
            return same("memory asked for to free", &failed, &false);
        }
        told(!moved.is_null(), failed)?;
        if moved.is_null() {
            return Ok(());
        }
        block.start = moved;
        block.bytes.truncate(size);
        Self::fill(&mut self.pattern, moved, &mut block.bytes, size);
        Ok(())
    }
}

/// A source as pointer and contents.
struct Resolved {
    pointer: *const u16,
    payload: Vec<u8>,
    /// How many units into the string itself, if it points there.
    inside: Option<usize>,
}

impl Resolved {
    const NOTHING: Self = Self {
        pointer: ptr::null(),
        payload: Vec::new(),
        inside: None,
    };
}

impl World for Raw {
    type Operation = Op;

    fn step(&mut self, step: &Step<Op>) -> Result<(), String> {
        let fails = step.fails;
        if self.strings.len() >= MOST {
            self.free_at(0);
        }
        if self.blocks.len() >= MOST {
            let gone = self.blocks.swap_remove(0);
            // SAFETY: it lived until now.
            unsafe { heap::free(gone.start, Family::Task) };
        }
        let block = |which: u16| (usize::from(which)).checked_rem(self.blocks.len());
        match &step.operation {
            Op::Alloc(source) => self.alloc(source, fails),
            Op::AllocUnits(source, len) => {
                let mut kept = Vec::new();
                let source = self.resolve(source, None, &mut kept);
                let len = if source.pointer.is_null() {
                    usize::from(*len)
                } else {
                    source.payload.len() / 2
                };
                let failing = fails.then(|| fail_nth(1));
                // SAFETY: null, or so many units.
                let bstr = unsafe { raw::alloc_units(source.pointer, units(len)) };
                let failed = failing.is_some_and(|failing| failing.has_failed());
                self.made(bstr, source.payload, 2 * len, failed)
            }
            Op::AllocBytes(bytes, len) => {
                let source = bytes.as_ref().map_or(ptr::null(), Vec::as_ptr);
                let known = bytes.clone().unwrap_or_default();
                let len = bytes.as_ref().map_or(usize::from(*len), Vec::len);
                let count = ByteLen::try_from(len).expect("short");
                let failing = fails.then(|| fail_nth(1));
                // SAFETY: null, or so many bytes.
                let bstr = unsafe { raw::alloc_bytes(source, count) };
                let failed = failing.is_some_and(|failing| failing.has_failed());
                self.made(bstr, known, len, failed)
            }
            Op::DressUp(_) if SYSTEM => Ok(()),
            Op::DressUp(bytes) => self.dress_up(bytes, fails),
            Op::Realloc(which, source) => match self.index(*which) {
                Some(index) if !self.strings[index].dressed => self.realloc(index, source, fails),
                _ => Ok(()),
            },
            Op::ReallocUnits(which, source, len) => match self.index(*which) {
                Some(index) if !self.strings[index].dressed => {
                    self.realloc_units(index, source, *len, fails)
                }
                _ => Ok(()),
            },
            Op::Shorten(which, len) => {
                if let Some(index) = self.index(*which) {
                    self.shorten(index, *len);
                }
                Ok(())
            }
            Op::Write(which, with) => {
                if let Some(live) = self.index(*which).map(|index| &mut self.strings[index])
                    && let Some(last) = live.bytes.last_mut()
                {
                    *last = last.wrapping_add(*with);
                    let value = *last;
                    let at = live.bstr.cast::<u8>().wrapping_add(live.bytes.len() - 1);
                    // SAFETY: the last byte of the payload.
                    unsafe { at.write(value) };
                }
                Ok(())
            }
            Op::Concat(left, right) => {
                let (Some(left), Some(right)) = (self.index(*left), self.index(*right)) else {
                    return Ok(());
                };
                let (left, right) = (&self.strings[left], &self.strings[right]);
                let joined = [&left.bytes[..], &right.bytes].concat();
                let failing = fails.then(|| fail_nth(1));
                // SAFETY: both are null or live.
                let bstr = unsafe { raw::concat(left.bstr, right.bstr) };
                let failed = failing.is_some_and(|failing| failing.has_failed());
                let len = joined.len();
                self.made(bstr, joined, len, failed)
            }
            Op::Compare(left, right) => match (self.index(*left), self.index(*right)) {
                (Some(left), Some(right)) => self.compare(left, right),
                _ => Ok(()),
            },
            Op::Free(which) => {
                if let Some(index) = self.index(*which) {
                    self.free_at(index);
                }
                Ok(())
            }
            Op::TooLong(which, over) => self.too_long(*which, *over, fails),
            Op::TaskAlloc(size) => self.task_alloc((*size).into(), fails, false),
            Op::TaskReallocNull(size) => self.task_alloc((*size).into(), fails, true),
            Op::TaskRealloc(which, size) => match block(*which) {
                Some(index) => self.task_realloc(index, (*size).into(), fails),
                None => Ok(()),
            },
            Op::TaskFree(which) => {
                if let Some(index) = block(*which) {
                    let gone = self.blocks.swap_remove(index);
                    // SAFETY: it lived until now.
                    unsafe { heap::free(gone.start, Family::Task) };
                }
                Ok(())
            }
            Op::FreeNull => {
                // SAFETY: null does nothing.
                unsafe { raw::free(ptr::null()) };
                // SAFETY: as above.
                unsafe { heap::free(ptr::null_mut(), Family::Task) };
                let mut nowhere = ptr::null_mut::<u16>();
                // SAFETY: no variable is a failure; a null variable and a null source store null.
                let stored = unsafe { raw::realloc(ptr::null_mut(), ptr::null()) };
                same("a reallocation of no variable", &stored, &false)?;
                // SAFETY: as above.
                let stored = unsafe { raw::realloc_units(ptr::null_mut(), ptr::null(), units(1)) };
                same("a reallocation of no variable", &stored, &false)?;
                // SAFETY: as above.
                let stored = unsafe { raw::realloc(&raw mut nowhere, ptr::null()) };
                same(
                    "null from null",
                    &(stored, nowhere),
                    &(true, ptr::null_mut()),
                )?;
                same("the size of null", &extent(ptr::null_mut()), &None)?;
                same("whose null is", &whose(ptr::null_mut()), &DidAlloc::Unknown)
            }
            Op::Minimize => {
                heap::minimize();
                Ok(())
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        let mut extents = Vec::new();
        for live in &self.strings {
            live.check()?;
            if !live.bstr.is_null() {
                extents.push((live.bstr.addr() - HEADER, live.block));
            }
        }
        for block in &self.blocks {
            let len = block.bytes.len();
            // SAFETY: so many bytes were written.
            let found = unsafe { std::slice::from_raw_parts(block.start, len) };
            same("a block's bytes", &found, &&block.bytes[..])?;
            check_block(block.start, len)?;
            extents.push((block.start.addr(), len));
        }
        extents.sort_unstable();
        for pair in extents.windows(2) {
            let ((first, size), (second, _)) = (pair[0], pair[1]);
            // A block of no bytes has an address of its own, too.
            if first + size.max(1) > second {
                return Err(format!(
                    "blocks at {first:#x} ({size}) and {second:#x} overlap"
                ));
            }
        }
        Ok(())
    }
}

impl Live {
    fn check(&self) -> Result<(), String> {
        let len = self.bytes.len();
        // SAFETY: null or live.
        let byte_len = unsafe { raw::byte_len(self.bstr) };
        same("byte length", &byte_len.as_usize(), &len)?;
        // SAFETY: as above.
        let unit_len = unsafe { raw::unit_len(self.bstr) };
        same("unit length", &unit_len.as_usize(), &(len / 2))?;
        if self.bstr.is_null() {
            return Ok(());
        }
        same("alignment", &(self.bstr.addr() % size_of::<usize>()), &0)?;
        let zeros = if len.is_multiple_of(2) { 2 } else { 3 };
        let mut image = u32::try_from(len).expect("short").to_ne_bytes().to_vec();
        image.extend(&self.bytes);
        image.resize(image.len() + zeros, 0);
        let start = self.bstr.cast::<u8>().wrapping_sub(4);
        // SAFETY: prefix, payload and terminator are there and defined.
        let found = unsafe { std::slice::from_raw_parts(start, image.len()) };
        same("prefix, payload and terminator", &found, &&image[..])?;
        let block = self.bstr.cast::<u8>().wrapping_sub(HEADER);
        if SYSTEM {
            return Ok(());
        }
        same("the BSTR itself", &whose(self.bstr.cast()), &DidAlloc::No)?;
        check_block(block, self.block)
    }
}

fn check_block(start: *mut u8, size: usize) -> Result<(), String> {
    same("alignment of a block", &(start.addr() % ALIGN), &0)?;
    same("whose a block is", &whose(start), &DidAlloc::Yes)?;
    same("size of a block", &extent(start), &Some(size))?;
    for inside in [1, 4, 8, size / 2, size.saturating_sub(1)] {
        if (1..size).contains(&inside) && !SYSTEM {
            let inside = start.wrapping_add(inside);
            same("size from inside", &extent(inside), &None)?;
            same("whose inside is", &whose(inside), &DidAlloc::No)?;
        }
    }
    Ok(())
}

impl Drop for Raw {
    fn drop(&mut self) {
        for live in &self.strings {
            // SAFETY: null or live, and not used any more.
            unsafe { raw::free(live.bstr) };
        }
        for block in &self.blocks {
            // SAFETY: live, and not used any more.
            unsafe { heap::free(block.start, Family::Task) };
        }
    }
}

#[test]
fn any_sequence() {
    holds_for_any_sequence::<Raw>();
}

#[test]
fn a_long_sequence() {
    holds_for_a_long_sequence::<Raw>();
}

/// A law that cannot fail proves nothing: damage of each kind is seen.
#[test]
fn damage_is_noticed() {
    let damaged = |at: isize| {
        let mut world = Raw::default();
        let step = Step {
            operation: Op::AllocBytes(Some(b"abcde".to_vec()), 0),
            fails: false,
        };
        world.step(&step).expect("there is memory");
        world.check().expect("the string is as the model has it");
        let byte = world.strings[0].bstr.cast::<u8>().wrapping_offset(at);
        // SAFETY: all offsets below lie in the block.
        let before = unsafe { byte.read() };
        // SAFETY: as above.
        unsafe { byte.write(before ^ 1) };
        world.check().is_err()
    };
    // Prefix, payload, the three zeros.
    for at in (-4..0).chain(0..5).chain(5..8) {
        assert!(damaged(at), "a change at {at} goes unseen");
    }
    let mut world = Raw::default();
    world.task_alloc(5, false, false).expect("there is memory");
    world.blocks[0].bytes.push(6);
    let start = world.blocks[0].start;
    assert!(check_block(start, 6).is_err());
    assert!(check_block(start.wrapping_add(1), 4).is_err());
    world.blocks[0].bytes.pop();
    assert!(world.check().is_ok());
}

#[test]
fn sequences_shrink_to_what_matters() {
    let noise = || Step {
        operation: Op::Alloc(Source::Units(vec![7; 40])),
        fails: true,
    };
    let culprit = Step {
        operation: Op::ReallocUnits(9, Source::Units(vec![3; 100]), 500),
        fails: true,
    };
    let mut steps: Vec<Step<Op>> = (0..if cfg!(miri) { 4 } else { 20 })
        .map(|_| noise())
        .collect();
    steps.insert(3, culprit);
    let smallest = shrunk(steps, |steps| {
        steps
            .iter()
            .any(|step| matches!(&step.operation, Op::ReallocUnits(_, _, len) if *len >= 300))
    });
    assert_eq!(
        format!("{smallest:?}"),
        "[Step { operation: ReallocUnits(0, Null, 300), fails: false }]"
    );
}
