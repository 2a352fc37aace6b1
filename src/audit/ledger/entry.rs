//! What is known of a block.

use super::super::guard::Shape;
use super::super::site::Site;
use super::SessionId;
use super::crossed::Generation;
use super::record::{Facts, PREVIEW};
use crate::layout::HEADER;
use crate::task::block::{ALIGN, Family};
use crate::task::hidden::Hidden;
use crate::task::hook::Part;
use crate::units::ByteLen;

/// Where a block is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Somebody's.
    Live,
    /// Freed while it was pinned: it stays until the last pin goes.
    Deferred,
    /// Freed, and in its session's quarantine.
    Quarantined,
    /// Freed, and kept by the model of the Windows cache.
    Cached,
}

/// What is known of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The heap's block.
    pub(crate) real: Hidden,
    pub(crate) front: usize,
    pub(crate) back: usize,
    pub(crate) is_paged: bool,
    pub(crate) size: usize,
    pub(crate) room: usize,
    pub(crate) len: Option<ByteLen>,
    pub(crate) family: Family,
    pub(crate) state: State,
    /// The session that its violations belong to; 0 if that is over, or never was.
    pub(crate) session: SessionId,
    /// Its number within the session, counted by allocations.
    pub(crate) id: u64,
    /// The length of the BSTR that a reallocation is for, which comes next.
    pub(crate) wanted: Option<ByteLen>,
    /// The thread that allocated it, if that was in an annotated call; 0 if not.
    pub(crate) thread: u32,
    /// Pins that were not taken back.
    pub(crate) pins: usize,
    /// Those of them that were taken back from the string that took the place of this one, which was told.
    pub(crate) strayed: usize,
    /// The pinned string that this one took the place of: its key, and its number.
    pub(crate) replaced: Option<(usize, u64)>,
    /// What it is a part of, if it is of something.
    pub(crate) part: Option<Part>,
    /// The block that has the descriptor, of the data of an array: its key, and its number.
    pub(crate) array: Option<(usize, u64)>,
    /// The cache is about to give it back.
    pub(crate) is_let_go: bool,
    /// Not to be reported as leaked.
    pub(crate) is_ignored: bool,
    /// A call was reported for it, and nothing that follows from that is.
    pub(crate) is_blamed: bool,
    /// A free or a reallocation of it was told and swallowed: that it is never freed may follow from that.
    pub(crate) is_refused: bool,
    /// Its prefix was reported, or is the parent's to report.
    pub(crate) is_prefix_told: bool,
    /// Its terminator was gone when the process was forked: that is the parent's to report.
    pub(crate) was_unterminated: bool,
    /// The beginning of a BSTR's text: when it was made, as far as olemem wrote it; when it was freed, as it stood.
    pub(crate) preview: [u8; PREVIEW],
    pub(crate) previewed: usize,
    /// Bytes of the whole text, likewise.
    pub(crate) text: usize,
    pub(crate) allocated_at: Site,
    pub(crate) freed_at: Site,
    /// The next in the quarantine, by the key.
    pub(crate) next: usize,
    /// The address as it is while the block is in quarantine, and 0 otherwise: to a leak checker it is no leak then, for it is
    /// the audit's to free.
    pub(crate) shown: usize,
}

impl Entry {
    pub(crate) fn new(shape: &Shape, family: Family, allocated_at: Site) -> Self {
        Self {
            real: Hidden::new(shape.real),
            front: shape.front,
            back: shape.back,
            is_paged: shape.is_paged,
            size: shape.size,
            room: shape.room,
            len: shape.len,
            family,
            state: State::Live,
            session: 0,
            id: 0,
            wanted: None,
            thread: 0,
            pins: 0,
            strayed: 0,
            replaced: None,
            part: None,
            array: None,
            is_let_go: false,
            is_ignored: false,
            is_blamed: false,
            is_refused: false,
            is_prefix_told: false,
            was_unterminated: false,
            preview: [0; PREVIEW],
            previewed: 0,
            text: 0,
            allocated_at,
            freed_at: Site::default(),
            next: 0,
            shown: 0,
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape {
            real: self.real.reveal(),
            front: self.front,
            back: self.back,
            is_paged: self.is_paged,
            size: self.size,
            room: self.room,
            len: self.len,
        }
    }

    /// Bytes that it takes. None takes nothing, or a quarantine would hold any number of them.
    pub(crate) fn held(&self) -> usize {
        self.shape().total().max(ALIGN)
    }

    /// What tells it from the blocks that were at its address before, and that will be.
    pub(crate) fn generation(&self) -> Generation {
        Generation {
            session: self.session,
            id: self.id,
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, State::Live | State::Deferred)
    }

    /// In the child of a fork, which has one thread: what is wrong with a live block already is not to be found there.
    #[cfg(all(unix, not(miri)))]
    pub(crate) fn forgive(&mut self) {
        let shape = self.shape();
        // SAFETY: the block is dressed, and nobody else is there to write to it.
        let before = unsafe { shape.damage_before() };
        // SAFETY: as above.
        let behind = unsafe { shape.damage_behind() };
        if before.is_some() || behind.is_some() {
            // SAFETY: nobody but a stray pointer uses the guards.
            unsafe { shape.mend() };
        }
        if let Some(made) = self.len {
            // SAFETY: as above; it was made a BSTR.
            let prefix = unsafe { shape.prefix() };
            self.is_prefix_told |= prefix > made;
            // SAFETY: the length is no more than what the block was made for.
            self.was_unterminated |= !unsafe { shape.is_terminated(prefix.min(made)) };
        }
    }

    /// Remembers how a BSTR's text begins, for stories about it: later it may be anybody's to write, or gone.
    ///
    /// # Safety
    ///
    /// * It is dressed, and nobody is writing to it.
    pub(crate) unsafe fn remember(&mut self) {
        if let Some(made) = self.len {
            let shape = self.shape();
            // SAFETY: the caller's promise; it was made a BSTR.
            self.text = unsafe { shape.prefix() }.min(made).as_usize();
            let most = self.text.min(PREVIEW);
            // SAFETY: the caller's promise. The units of a string are initialised since its block was dressed.
            self.previewed = unsafe { shape.peek(HEADER, &mut self.preview[..most]) };
        }
    }

    /// Offset of what its holder's pointer addresses from its start.
    pub(crate) fn first(&self) -> usize {
        if self.len.is_some() { HEADER } else { 0 }
    }

    /// Bytes that its holder thinks of: a BSTR's payload, or the block.
    pub(crate) fn bytes(&self) -> usize {
        self.len.map_or(self.size, ByteLen::as_usize)
    }

    /// The same, as it was when the text was [remembered](Self::remember): a prefix may be lowered.
    fn remembered(&self) -> usize {
        if self.len.is_some() {
            self.text
        } else {
            self.size
        }
    }
}

impl Facts {
    /// What is told of a live block, whose contents may be anybody's to write: as it was made.
    pub(crate) fn of_live(entry: &Entry) -> Self {
        Self {
            id: entry.id,
            family: entry.family,
            bytes: entry.bytes(),
            is_bstr: entry.len.is_some(),
            part: entry.part,
            preview: entry.preview,
            previewed: entry.previewed,
            allocated_at: entry.allocated_at,
            freed_at: None,
        }
    }

    /// What is told of a freed block, whose contents are gone: as it was when it was freed.
    pub(crate) fn of_freed(entry: &Entry) -> Self {
        Self {
            bytes: entry.remembered(),
            freed_at: Some(entry.freed_at),
            ..Self::of_live(entry)
        }
    }

    /// What is told of a live block whose holder has just handed it over: as it is.
    ///
    /// # Safety
    ///
    /// * Nobody is writing to it.
    pub(crate) unsafe fn of_lent(entry: &Entry) -> Self {
        let mut lent = *entry;
        // SAFETY: the caller's promise.
        unsafe { lent.remember() };
        Self {
            bytes: lent.remembered(),
            ..Self::of_live(&lent)
        }
    }
}
