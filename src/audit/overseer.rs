//! Who sits at the seam while sessions are open: every operation on every block comes by here.
//!
//! ```text
//!  heap's innermost door ─► Audit ── a session? no ─► the block, plain
//!                             │ yes
//!                             ▼
//!                  place the pointer (ledger) ─► look at the guards ─► record what is wrong
//!                             │
//!                             ▼
//!           allocate and dress │ undress and keep in quarantine │ swallow a bad call
//! ```
//!
//! * A bad call is recorded and swallowed, if a session is there that it concerns: that of the block, or that
//!   of the calling thread. Otherwise it is what it would be without an audit.
//! * The books' lock is taken inside the one of what the BSTR functions set aside, and outside the heap's. Nothing
//!   but the heap's innermost doors is called while it is held.

use super::current::{crossing, current, thread};
use super::guard::{Guard, Shape, total};
use super::judge::{Judgement, facts};
use super::ledger::{
    Books, Deed, Detail, Entry, Facts, Place, Record, SessionId, State, books, key,
};
use super::page;
use super::rules::Kind;
use super::site::{Site, Stack};
use crate::layout::HEADER;
use crate::task::block::Family;
use crate::task::heap::innermost;
use crate::task::hook::{BstrEvent, Overseer, Part, Seat};
use crate::units::ByteLen;

/// The seat that the audit takes while there is anything to oversee.
pub(super) static SEAT: Seat = Seat::of_overseer(&Audit);

/// The audit.
pub(super) struct Audit;

impl Overseer for Audit {
    fn alloc(&self, size: usize, family: Family) -> *mut u8 {
        if current() == 0 {
            return innermost::alloc_or_fail(size, family);
        }
        let at = Stack::here();
        let mut books = books();
        let session = books.effective(current());
        if session == 0 {
            // Its own ended on another thread, or before it joined.
            drop(books);
            return innermost::alloc_or_fail(size, family);
        }
        books.count();
        alloc_in(&mut books, size, family, session, &at)
    }

    unsafe fn resize(&self, block: *mut u8, size: usize, family: Family) -> *mut u8 {
        let at = Stack::here();
        let mut books = books();
        books.count();
        let key = match books.judge(block, family, Deed::Realloc, &at) {
            Judgement::Live(key) => key,
            Judgement::Bad => return core::ptr::null_mut(),
            Judgement::Plain | Judgement::Nobodys => {
                let session = books.effective(current());
                if session == 0 {
                    drop(books);
                    // SAFETY: a live block, or one that is refused.
                    return unsafe { innermost::resize_or_fail(block, size, family) };
                }
                let held = innermost::size_of(block.addr());
                // Only a block that grows needs memory.
                if held.is_some_and(|held| size > held)
                    && books.is_to_fail(session, size, family, &at)
                {
                    return core::ptr::null_mut();
                }
                drop(books);
                // SAFETY: a live block, or one that is refused.
                return unsafe { innermost::resize(block, size, family) };
            }
        };
        if books.is_anothers(key, Deed::Realloc, &at) {
            return core::ptr::null_mut();
        }
        books.inspect(key, Deed::Realloc, true, &at);
        let Some(entry) = books.get(key) else {
            return core::ptr::null_mut();
        };
        let grows = match (entry.wanted, entry.len) {
            (Some(wanted), Some(len)) => wanted > len,
            _ => size > entry.size,
        };
        if let Some(entry) = books.get_mut(key) {
            entry.wanted = None;
        }
        if !grows {
            books.resized(key, size);
            let shape = Shape {
                size,
                len: None,
                ..entry.shape()
            };
            // SAFETY: its holder gave up what is behind the new size, and the padding is written anew.
            unsafe { shape.guard() };
            return block;
        }
        // A block that grows moves, so that whoever keeps the old pointer is found out.
        let session = match entry.session {
            0 => books.effective(current()),
            old => old,
        };
        let new = alloc_in(&mut books, size, family, session, &at);
        if new.is_null() {
            return new;
        }
        if let Some(moved) = books.get_mut(self::key(new.addr())) {
            moved.is_ignored = entry.is_ignored;
            moved.replaced = entry.replaced;
        }
        // Without the guards in the slack of a BSTR, which would be taken for text.
        let held = entry.shape().own_end().min(entry.size).min(size);
        // SAFETY: so many bytes are in both blocks, and the caller does not use the old one meanwhile.
        unsafe { new.copy_from_nonoverlapping(block, held) };
        books.retire(key, &at);
        new
    }

    unsafe fn free(&self, block: *mut u8, family: Family) {
        let at = Stack::here();
        let mut books = books();
        if let Place::Start(key) = books.place(block, family)
            && let Some(entry) = books.get(key)
            && entry.is_let_go
        {
            // By the cache, which is no operation of the program's.
            // SAFETY: what the cache lets go of is nobody's, and was in no quarantine.
            return unsafe { books.release(key) };
        }
        books.count();
        match books.judge(block, family, Deed::Free, &at) {
            Judgement::Live(key) => {
                if !books.is_anothers(key, Deed::Free, &at) {
                    books.inspect(key, Deed::Free, true, &at);
                    books.retire(key, &at);
                }
            }
            Judgement::Bad => {}
            Judgement::Plain if books.retire_plain(block, family, &at) => {}
            Judgement::Plain | Judgement::Nobodys => {
                drop(books);
                // SAFETY: a live block, or one that is refused.
                unsafe { innermost::free(block, family) };
            }
        }
    }

    fn measure(&self, block: *mut u8) -> Option<usize> {
        let at = Stack::here();
        let mut books = books();
        match books.judge(block, Family::Task, Deed::Measure, &at) {
            Judgement::Live(key) => books.get(key).map(|entry| entry.size),
            Judgement::Bad => None,
            Judgement::Plain | Judgement::Nobodys => books.plain_size(block.addr()),
        }
    }

    fn is_live(&self, block: *mut u8) -> bool {
        self.extent(block).is_some()
    }

    fn extent(&self, block: *mut u8) -> Option<usize> {
        let books = books();
        match books.get(key(block.addr())) {
            Some(entry) if entry.is_live() => Some(entry.size),
            Some(entry) if entry.state == State::Cached => Some(entry.size),
            Some(_) => None,
            None => books.plain_size(block.addr()),
        }
    }

    fn minimized(&self) {}

    fn bstr(&self, event: &BstrEvent) {
        let at = Stack::here();
        let mut books = books();
        match *event {
            BstrEvent::Cached { bstr, again } => {
                // The heap's doors are passed by, here as below.
                books.count();
                let key = books.key_of(block_at(bstr));
                if again {
                    let block = bstr.cast::<u8>().wrapping_sub(HEADER).cast_mut();
                    refuse_cached(&mut books, key, block, &at);
                } else if books.get(key).is_some() {
                    books.tell_anothers(key, &at);
                    books.inspect(key, Deed::Free, true, &at);
                    let freed_at = books.sites.keep(&at);
                    // SAFETY: its holder has freed it, and the cache leaves the contents.
                    unsafe { books.freed(key, State::Cached, freed_at) };
                }
            }
            BstrEvent::Reused { bstr, .. } => {
                books.count();
                let allocated_at = books.sites.keep(&at);
                let session = books.effective(current());
                let key = books.key_of(block_at(bstr));
                books.revive(key, session, allocated_at, caller());
            }
            BstrEvent::Pinned {
                bstr,
                is_live,
                pins,
            } => {
                let key = books.key_of(block_at(bstr));
                if !is_live {
                    books.pin_refused(key, &at);
                } else if let Some(entry) = books.get_mut(key) {
                    entry.pins = pins;
                }
            }
            BstrEvent::Unpinned { bstr, left, .. } => {
                let key = books.key_of(block_at(bstr));
                match left {
                    None => books.pin_too_few(key, &at),
                    Some(left) => {
                        if let Some(entry) = books.get_mut(key) {
                            entry.pins = left;
                        }
                    }
                }
            }
            BstrEvent::FreeDeferred { bstr, again: false } => {
                let freed_at = books.sites.keep(&at);
                let key = books.key_of(block_at(bstr));
                books.tell_anothers(key, &at);
                if let Some(entry) = books.get_mut(key) {
                    entry.state = State::Deferred;
                    entry.freed_at = freed_at;
                }
            }
            // They have doors of their own here, or are no mistake.
            _ => {}
        }
    }

    fn may_read(&self, bstr: *const u16) -> bool {
        let at = Stack::here();
        let mut books = books();
        let start = key(block_at(bstr));
        match books.get(start) {
            Some(entry) if entry.is_live() => {
                books.inspect_prefix(start, Deed::Read, &at);
                true
            }
            Some(_) => {
                books.refuse(start, Deed::Read, &at);
                false
            }
            None if books.tell_planted(bstr.addr(), Deed::Read, &at) => false,
            // What is no block may still be a BSTR: in static storage, on the stack, within a struct.
            None => match books.inside(bstr.addr()) {
                Place::Inside(key, _) if books.get(key).is_some_and(|entry| !entry.is_live()) => {
                    books.refuse(key, Deed::Read, &at);
                    false
                }
                _ => true,
            },
        }
    }

    fn may_copy(&self, source: *const u8, bytes: usize) -> usize {
        if bytes == 0 {
            return 0;
        }
        let at = Stack::here();
        let mut books = books();
        if books.tell_planted(source.addr(), Deed::Copy, &at) {
            return 0;
        }
        let Some(reach) = Reach::of(&books, source.addr()) else {
            return bytes;
        };
        if let Some(key) = reach.gone() {
            books.refuse(key, Deed::Copy, &at);
            return 0;
        }
        if bytes <= reach.there || reach.is_told() {
            return bytes.min(reach.there);
        }
        let detail = Detail::Short {
            wanted: bytes,
            there: reach.there,
        };
        if reach.tell_over_read(&mut books, detail, &at) {
            reach.there
        } else {
            bytes
        }
    }

    fn may_scan(&self, source: *const u8) -> Option<usize> {
        let at = Stack::here();
        let mut books = books();
        if books.tell_planted(source.addr(), Deed::Copy, &at) {
            return Some(0);
        }
        let reach = Reach::of(&books, source.addr())?;
        if let Some(key) = reach.gone() {
            books.refuse(key, Deed::Copy, &at);
        }
        Some(reach.there)
    }

    fn unterminated(&self, source: *const u8) -> bool {
        let at = Stack::here();
        let mut books = books();
        match Reach::of(&books, source.addr()) {
            Some(reach) if reach.gone().is_none() => {
                let words = "no zero ends a text that was to be read from {block}";
                reach.tell_over_read(&mut books, Detail::Words(words), &at)
            }
            // That was told when it was asked for.
            _ => true,
        }
    }

    fn accepts(&self, block: *mut u8, family: Family) -> bool {
        let at = Stack::here();
        !matches!(
            books().judge(block, family, Deed::Realloc, &at),
            Judgement::Bad
        )
    }

    fn framing(&self, block: *mut u8, len: ByteLen) {
        if let Some(entry) = books().get_mut(key(block.addr())) {
            entry.wanted = Some(len);
        }
    }

    fn framed(&self, block: *mut u8, len: ByteLen) {
        let mut books = books();
        if let Some(entry) = books.get_mut(key(block.addr())) {
            entry.len = Some(len);
            entry.is_prefix_told = false;
            entry.was_unterminated = false;
            // SAFETY: the block is new to its holder, who has not got it yet.
            unsafe { entry.shape().guard() };
        }
    }

    fn filled(&self, block: *mut u8) {
        let mut books = books();
        if let Some(entry) = books.get_mut(key(block.addr())) {
            // SAFETY: whoever tells of it has just written the string, and nobody else knows of it.
            unsafe { entry.remember() };
        }
    }

    fn may_reuse(&self, block: *mut u8) -> bool {
        let mut books = books();
        books.effective(current()) == 0 || books.get(key(block.addr())).is_some()
    }

    fn leaves_cache(&self, block: *mut u8) {
        let mut books = books();
        let key = key(block.addr());
        if let Some(entry) = books.get_mut(key) {
            entry.is_let_go = true;
        }
    }

    fn refused_cached(&self, block: *mut u8) {
        let at = Stack::here();
        let mut books = books();
        books.count();
        let key = key(block.addr());
        refuse_cached(&mut books, key, block, &at);
    }

    fn overlaps(&self, bstr: *const u16, source: *const u16) {
        let at = Stack::here();
        let mut books = books();
        let entry = books.get(key(block_at(bstr)));
        let record = Record::new(
            Kind::OverlappingSource,
            Deed::Realloc,
            Detail::Offset(
                source.addr().wrapping_sub(bstr.addr()).cast_signed(),
                Family::Bstr,
            ),
            entry.as_ref().map(facts),
        );
        books.tell(entry.map_or(0, |entry| entry.session), record, &at);
    }

    fn replacing(&self, old: *const u16, new: *const u16) {
        let mut books = books();
        let old = books.key_of(block_at(old));
        let Some(before) = books.get(old) else {
            return;
        };
        let replaced = if before.pins > 0 {
            Some((old, before.id))
        } else {
            before.replaced
        };
        let new = books.key_of(block_at(new));
        if let Some(entry) = books.get_mut(new) {
            entry.replaced = replaced;
        }
    }

    fn is_part(&self, block: *mut u8, part: Part, array: *mut u8) {
        let mut books = books();
        let array = books.key_of(array.addr());
        let number = books.get(array).map(|entry| entry.id);
        let key = books.key_of(block.addr());
        if let Some(entry) = books.get_mut(key) {
            entry.part = Some(part);
            entry.array = number
                .filter(|_| part == Part::ArrayData)
                .map(|number| (array, number));
        }
    }

    fn may_use(&self, block: *mut u8) -> bool {
        let at = Stack::here();
        let mut books = books();
        let key = books.key_of(block.addr());
        let is_gone = books.get(key).is_some_and(|entry| !entry.is_live());
        if is_gone {
            books.refuse(key, Deed::Read, &at);
        }
        !is_gone
    }

    fn null_out(&self, function: &'static str) {
        let at = Stack::here();
        let record = Record::new(
            Kind::NullOutPointer,
            Deed::Copy,
            Detail::Function(function),
            None,
        );
        books().tell(0, record, &at);
    }

    fn spy_lost(&self, block: *mut u8) {
        let at = Stack::here();
        let mut books = books();
        // The block that the caller meant is lost with the pointer: one mistake.
        let lost = match books.inside(block.addr()) {
            Place::Inside(key, _) => key,
            _ => key(block.addr()),
        };
        let entry = books.get(lost);
        if let Some(entry) = books.get_mut(lost) {
            entry.is_ignored = true;
        }
        let record = Record::new(
            Kind::SpyPointerLost,
            Deed::Free,
            Detail::Nothing,
            entry.as_ref().map(facts),
        );
        books.tell(entry.map_or(0, |entry| entry.session), record, &at);
    }

    fn is_to_fail(&self, size: usize, family: Family) -> bool {
        let at = Stack::here();
        let mut books = books();
        let session = books.effective(current());
        books.is_to_fail(session, size, family, &at)
    }
}

/// The block that a source lies in, and how far that goes from there.
struct Reach {
    /// The block's key and what is known of it, if it is audited.
    audited: Option<(usize, Entry)>,
    /// Bytes from its start.
    offset: isize,
    /// Bytes that may be read; none of a freed block.
    there: usize,
}

impl Reach {
    /// `None` if it lies in no block.
    fn of(books: &Books, source: usize) -> Option<Self> {
        let plain = |there| Self {
            audited: None,
            offset: 0,
            there,
        };
        // The usual case first, for the other question may take long.
        if let Some(there) = books.plain_size(source) {
            return Some(plain(there));
        }
        match books.inside(source) {
            Place::Inside(key, offset) => {
                let entry = books.get(key)?;
                let end = entry.shape().own_end().cast_signed();
                let is_there = entry.is_live() && offset >= 0;
                Some(Self {
                    audited: Some((key, entry)),
                    offset,
                    there: if is_there {
                        (end - offset).max(0).unsigned_abs()
                    } else {
                        0
                    },
                })
            }
            Place::PlainInside(..) => {
                let found = innermost::containing(source)?;
                Some(plain(found.start + found.size - source))
            }
            _ => None,
        }
    }

    /// The key of the block, if that was freed.
    fn gone(&self) -> Option<usize> {
        let (key, _) = self.audited.filter(|(_, entry)| !entry.is_live())?;
        Some(key)
    }

    /// Whether it is a string's text, and its length was looked at where that was read, and told.
    fn is_told(&self) -> bool {
        self.audited.is_some_and(|(_, entry)| {
            entry.len.is_some() && self.offset == HEADER.cast_signed() && entry.is_prefix_told
        })
    }

    /// Records that more is read than is there; `false` if that concerns nobody.
    fn tell_over_read(&self, books: &mut Books, detail: Detail, at: &Stack) -> bool {
        let entry = self.audited.as_ref().map(|(_, entry)| entry);
        let record = Record::new(Kind::SourceOverRead, Deed::Copy, detail, entry.map(facts));
        books.tell(entry.map_or(0, |entry| entry.session), record, at)
    }
}

/// The address of the block that a BSTR would stand in.
fn block_at(bstr: *const u16) -> usize {
    bstr.addr().wrapping_sub(HEADER)
}

/// Records that a BSTR that the cache keeps is freed again. Of one from before the session the size is known, unless a
/// spy put room around it.
fn refuse_cached(books: &mut Books, key: usize, block: *mut u8, at: &Stack) {
    if books.refuse(key, Deed::Free, at) {
        return;
    }
    let before = |size| Entry::new(&Shape::bare(block, size), Family::Bstr, Site::default());
    let size = books.plain_size(block.addr());
    let facts = size.map(|size| Facts::of_freed(&before(size)));
    let record = Record::new(
        Kind::DoubleFree,
        Deed::Free,
        Detail::As(Family::Bstr),
        facts,
    );
    books.tell(0, record, at);
}

/// A new block of a session's; null if there is none, or no memory for its entry.
fn alloc_in(
    books: &mut Books,
    size: usize,
    family: Family,
    session: SessionId,
    at: &Stack,
) -> *mut u8 {
    let dressed = if books.is_to_fail(session, size, family, at) {
        None
    } else {
        dress_new(books, size, family, session)
    };
    enter_dressed(books, dressed, family, session, at)
}

/// A new block with guards around it, if there is one.
fn dress_new(books: &mut Books, size: usize, family: Family, session: SessionId) -> Option<Shape> {
    let total = total(size)?;
    let paged = match books.guard_of(session) {
        Guard::Page if books.has_pages(size / page::size()) => {
            page::map(size).and_then(|(real, usable)| Shape::at_end_of(real, usable, size))
        }
        Guard::Page | Guard::Bytes => None,
    };
    let shape = match paged {
        Some(shape) => shape,
        None => {
            let real = innermost::alloc(total, family);
            if real.is_null() {
                return None;
            }
            Shape::among_bytes(real, size)
        }
    };
    // SAFETY: the block is new.
    unsafe { shape.dress() };
    Some(shape)
}

/// This thread, if it is in an annotated call; 0 if not.
fn caller() -> u32 {
    if crossing() == 0 { 0 } else { thread() }
}

/// Enters a new block and gives it; null if there is none, or no memory for its entry.
fn enter_dressed(
    books: &mut Books,
    dressed: Option<Shape>,
    family: Family,
    session: SessionId,
    at: &Stack,
) -> *mut u8 {
    if let Some(shape) = dressed {
        let allocated_at = books.sites.keep(at);
        let mut entry = Entry::new(&shape, family, allocated_at);
        entry.thread = caller();
        if books.enter(entry, session) {
            return shape.block();
        }
        // SAFETY: the block is new, and nobody has heard of it.
        unsafe { books.give_back(&entry) };
    }
    if let Some(book) = books.session(session) {
        book.counts.failed += 1;
    }
    core::ptr::null_mut()
}
