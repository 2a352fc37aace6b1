//! Who sits at the seam in process mode: the audit, and behind it `halt=first` and the note of a forked child.

use core::cell::Cell;
use std::process;
use std::sync::atomic::Ordering;

use super::{NOTED, Watched, watched};
use crate::audit::current::is_of_sweep;
use crate::audit::ledger::{SessionId, books};
use crate::audit::overseer::Audit;
use crate::audit::session;
use crate::task::block::Family;
use crate::task::hook::{BstrEvent, Overseer, Part, Seat};
use crate::units::ByteLen;

thread_local! {
    /// Whether this thread is looking at violations: what it does for that is not looked at.
    static LOOKS: Cell<bool> = const { Cell::new(false) };
}

/// Looks at what was found since the last look, and ends the process if it is not suppressed.
#[cold]
#[inline(never)]
fn look(watched: &Watched) {
    let Some((session, seen)) = not_looked_at(watched) else {
        return;
    };
    if LOOKS.try_with(|looks| looks.replace(true)) != Ok(false) {
        return;
    }
    // What follows may allocate by way of olemem.
    if let Some(report) = session::so_far(session, seen) {
        let found = report.violations().len();
        watched.judge(report);
        if let Some(book) = books().session(session) {
            book.looked_at = book.looked_at.max(seen + found);
        }
    }
    let _ = LOOKS.try_with(|looks| looks.set(false));
}

/// A session with violations that were not looked at, and how many were. What a sweep makes fail is the sweep's to
/// tell, whatever the program's other sessions find.
fn not_looked_at(watched: &Watched) -> Option<(SessionId, usize)> {
    let books = books();
    let concerns = |id| id == watched.session || !is_of_sweep();
    let book = books
        .sessions
        .iter()
        .find(|book| book.records.len() > book.looked_at && concerns(book.id))?;
    Some((book.id, book.looked_at))
}

/// The audit's seat in process mode.
pub(super) static SEAT: Seat = Seat::of_overseer(&Watcher);

/// The audit, and a look at what it found.
struct Watcher;

/// What is done after each operation that the audit has carried out, and after each verdict on a call.
pub(super) fn after() {
    let Some(watched) = watched() else {
        return;
    };
    if NOTED.load(Ordering::Relaxed) != process::id() && !is_of_sweep() {
        // A forked child that has to do with olemem.
        watched.note();
    }
    if watched.settings.options.halts {
        look(watched);
    }
}

/// Does something, and then what is done [`after`] it.
fn with<T>(operation: impl FnOnce() -> T) -> T {
    let result = operation();
    after();
    result
}

impl Overseer for Watcher {
    fn alloc(&self, size: usize, family: Family) -> *mut u8 {
        with(|| Audit.alloc(size, family))
    }

    unsafe fn resize(&self, block: *mut u8, size: usize, family: Family) -> *mut u8 {
        // SAFETY: the caller's promise is the precondition.
        with(|| unsafe { Audit.resize(block, size, family) })
    }

    unsafe fn free(&self, block: *mut u8, family: Family) {
        // SAFETY: the caller's promise is the precondition.
        with(|| unsafe { Audit.free(block, family) });
    }

    fn measure(&self, block: *mut u8) -> Option<usize> {
        with(|| Audit.measure(block))
    }

    fn is_live(&self, block: *mut u8) -> bool {
        Audit.is_live(block)
    }

    fn extent(&self, block: *mut u8) -> Option<usize> {
        Audit.extent(block)
    }

    fn minimized(&self) {
        Audit.minimized();
    }

    fn bstr(&self, event: &BstrEvent) {
        with(|| Audit.bstr(event));
    }

    fn may_read(&self, bstr: *const u16) -> bool {
        with(|| Audit.may_read(bstr))
    }

    fn may_copy(&self, source: *const u8, bytes: usize) -> usize {
        with(|| Audit.may_copy(source, bytes))
    }

    fn may_scan(&self, source: *const u8) -> Option<usize> {
        with(|| Audit.may_scan(source))
    }

    fn unterminated(&self, source: *const u8) -> bool {
        with(|| Audit.unterminated(source))
    }

    fn accepts(&self, block: *mut u8, family: Family) -> bool {
        with(|| Audit.accepts(block, family))
    }

    fn framing(&self, block: *mut u8, len: ByteLen) {
        Audit.framing(block, len);
    }

    fn framed(&self, block: *mut u8, len: ByteLen) {
        Audit.framed(block, len);
    }

    fn filled(&self, block: *mut u8) {
        Audit.filled(block);
    }

    fn may_reuse(&self, block: *mut u8) -> bool {
        Audit.may_reuse(block)
    }

    fn leaves_cache(&self, block: *mut u8) {
        Audit.leaves_cache(block);
    }

    fn refused_cached(&self, block: *mut u8) {
        with(|| Audit.refused_cached(block));
    }

    fn overlaps(&self, bstr: *const u16, source: *const u16) {
        with(|| Audit.overlaps(bstr, source));
    }

    fn replacing(&self, old: *const u16, new: *const u16) {
        Audit.replacing(old, new);
    }

    fn is_part(&self, block: *mut u8, part: Part, array: *mut u8) {
        Audit.is_part(block, part, array);
    }

    fn may_use(&self, block: *mut u8) -> bool {
        with(|| Audit.may_use(block))
    }

    fn null_out(&self, function: &'static str) {
        with(|| Audit.null_out(function));
    }

    fn spy_lost(&self, block: *mut u8) {
        with(|| Audit.spy_lost(block));
    }

    fn is_to_fail(&self, size: usize, family: Family) -> bool {
        with(|| Audit.is_to_fail(size, family))
    }
}
