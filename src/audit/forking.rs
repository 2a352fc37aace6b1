//! The books' lock, kept while the process forks.

use core::cell::UnsafeCell;

use super::ledger::books;
use crate::task::fork::{self, Also};
use crate::task::lock::Kept;

/// The lock, while a fork is under way.
struct Forking(UnsafeCell<Option<Kept<'static>>>);

// SAFETY: reached by the handlers of a fork alone, between taking the lock and giving it back.
unsafe impl Sync for Forking {}

static FORKING: Forking = Forking(UnsafeCell::new(None));

/// Has the lock kept from now on.
pub(super) fn watch() {
    fork::also(&Also { keep, release });
}

fn keep() {
    let kept = books().keep();
    // SAFETY: this thread holds the lock.
    let place = unsafe { &mut *FORKING.0.get() };
    // A nested fork finds it kept.
    place.get_or_insert(kept);
}

fn release(in_child: bool) {
    // SAFETY: this thread holds the lock, or is the copy of the one that does.
    let place = unsafe { &mut *FORKING.0.get() };
    let Some(kept) = place.take() else {
        return;
    };
    if in_child {
        kept.release_in_child();
        books().inherit();
    } else {
        kept.release();
    }
}
