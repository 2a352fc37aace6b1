//! State words.

use std::ptr::NonNull;

use crate::task::block::Family;
use crate::task::sync::{AtomicU32, Ordering};

/// What is known of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(u32);

impl State {
    /// In the rack or the magazine.
    pub(crate) const FREE: Self = Self(0);
    /// In `returned`.
    pub(super) const REMOTE: Self = Self(1);
    const LIVE: u32 = 1 << 31;
    const BSTR: u32 = 1 << 30;

    /// A block of `size` bytes, no more than the largest slot has.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "no slot is larger than the largest class"
    )]
    pub(crate) const fn live(size: usize, family: Family) -> Self {
        let family = match family {
            Family::Bstr => Self::BSTR,
            Family::Task => 0,
        };
        Self(Self::LIVE | family | size as u32)
    }

    /// A word that says so.
    pub(super) fn word(self) -> AtomicU32 {
        AtomicU32::new(self.0)
    }

    #[inline]
    pub(super) const fn is_live(self) -> bool {
        self.0 & Self::LIVE != 0
    }

    /// Bytes that were asked for.
    #[inline]
    pub(crate) const fn size(self) -> usize {
        (self.0 & !(Self::LIVE | Self::BSTR)) as usize
    }

    /// Whose block it is.
    #[inline]
    pub(crate) const fn family(self) -> Family {
        if self.0 & Self::BSTR != 0 {
            Family::Bstr
        } else {
            Family::Task
        }
    }
}

/// The place of a state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateWord(NonNull<AtomicU32>);

impl StateWord {
    /// # Safety
    ///
    /// * The word stays for as long as the result is used: while this thread owns the slab, or holds its lock.
    ///   A magazine holds only words of slabs that its thread owns.
    #[inline]
    pub(super) const unsafe fn new(word: NonNull<AtomicU32>) -> Self {
        Self(word)
    }

    /// The word's address.
    #[inline]
    pub(super) fn addr(self) -> usize {
        self.0.addr().get()
    }

    #[inline]
    fn word(&self) -> &AtomicU32 {
        // SAFETY: `new` was promised that it stays.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    pub(crate) fn get(self) -> State {
        State(self.word().load(Ordering::Relaxed))
    }

    /// By the owner of the slab.
    #[inline]
    pub(crate) fn set(self, state: State) {
        self.word().store(state.0, Ordering::Relaxed);
    }

    /// By any thread that holds the slab's lock: from live to `to`, or `None` if it is not live.
    pub(super) fn exchange(self, to: impl Fn(State) -> State) -> Option<State> {
        let word = self.word();
        let mut state = self.get();
        while state.is_live() {
            let new = to(state).0;
            match word.compare_exchange(state.0, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(state),
                Err(now) => state = State(now),
            }
        }
        None
    }
}
