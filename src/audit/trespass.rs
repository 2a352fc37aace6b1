//! What becomes of an access to a page that may not be touched: it is reported as the kind that it is, and then the
//! program ends as it would have.
//!
//! The handler runs on the thread that made the access, mostly in the program's own code. It writes the story to
//! standard error, gives the signal back to whoever had it before, and lets the access happen again. A signal that was
//! sent is handed on. Where `olemem check` tells what the process leaves, the story is the command's to tell.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;
use std::cell::UnsafeCell;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::ledger::{Books, Deed, Detail, Facts, Place, Record, SessionId, books_at_rest};
use super::report::Report;
use super::rules::Kind;
use super::site::Stack;
use crate::task::lock;

/// The signals of an access that is not allowed.
const SIGNALS: [i32; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// Who had the signals before.
struct Before(UnsafeCell<[MaybeUninit<libc::sigaction>; 2]>);

// SAFETY: written once, before the handler is there; read by the handler alone.
unsafe impl Sync for Before {}

static BEFORE: Before = Before(UnsafeCell::new([const { MaybeUninit::uninit() }; 2]));

/// The session whose violations somebody else tells, whatever becomes of the process; 0 if none is.
static TOLD_ELSEWHERE: AtomicU64 = AtomicU64::new(0);

/// Leaves the stories of a session to whoever reads its record.
pub(super) fn leave_stories_of(session: SessionId) {
    TOLD_ELSEWHERE.store(session, Ordering::Relaxed);
}

/// Has accesses reported from now on.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (index, signal) in SIGNALS.into_iter().enumerate() {
            install(index, signal);
        }
    });
}

fn install(index: usize, signal: i32) {
    // SAFETY: all zeros is a valid value: no flags, no signals masked.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) = handle;
    action.sa_sigaction = handler as libc::sighandler_t;
    // On the thread's own stack: telling the story needs more than the alternate ones have. A stack that ran out
    // then ends the program without a word of whoever else had the signal.
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: this is done once, before anybody reads it.
    let before = unsafe { &mut (&mut *BEFORE.0.get())[index] };
    // SAFETY: the handler keeps to its signature; the old action has room.
    unsafe { libc::sigaction(signal, &raw const action, before.as_mut_ptr()) };
}

extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system gives the handler what is known of the signal.
    let info = unsafe { &*info };
    // One that somebody sent comes at any moment, and has no address.
    let is_sent = info.si_code <= 0;
    if !is_sent {
        // SAFETY: a fault has an address.
        let address = unsafe { info.si_addr() }.addr();
        if let Some(report) = judge(address, is_write(context)) {
            for violation in &report {
                eprintln!("{violation}");
            }
        }
    }
    let Some(index) = SIGNALS.iter().position(|known| *known == signal) else {
        return;
    };
    // SAFETY: written before the handler was installed.
    let before = unsafe { &(&*BEFORE.0.get())[index] };
    // The access happens again when this returns, and is then somebody else's business.
    // SAFETY: what the system gave as the action before.
    unsafe { libc::sigaction(signal, before.as_ptr(), ptr::null_mut()) };
    if is_sent {
        // SAFETY: it comes when this returns, for it is blocked until then.
        unsafe { libc::raise(signal) };
    }
}

/// Gives the signals back, where they are still ours: the code that handles them may be about to go.
pub(super) fn give_back() {
    for (index, signal) in SIGNALS.into_iter().enumerate() {
        // SAFETY: zeros are a valid value.
        let mut now: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: the place is there, and nothing is changed.
        let asked = unsafe { libc::sigaction(signal, ptr::null(), &raw mut now) };
        let ours: extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) = handle;
        if asked == 0 && now.sa_sigaction == ours as libc::sighandler_t {
            // SAFETY: the handler is there, so what was before it was written.
            let before = unsafe { &(&*BEFORE.0.get())[index] };
            // SAFETY: what the system gave as the action before.
            unsafe { libc::sigaction(signal, before.as_ptr(), ptr::null_mut()) };
        }
    }
}

/// The books, when whoever is at work on them is done. It may be this thread, if what it was at work on faulted.
fn books() -> Option<lock::Guard<'static, Books>> {
    for _ in 0..1000 {
        let books = books_at_rest();
        if books.is_some() {
            return books;
        }
        thread::yield_now();
    }
    None
}

/// Records what an access to an address is, if it is to a block with pages of its own, and gives it as a report, if
/// nobody else tells it.
fn judge(address: usize, is_write: bool) -> Option<Report> {
    let at = Stack::here();
    let mut books = books()?;
    let Place::Inside(key, offset) = books.inside(address) else {
        return None;
    };
    let entry = books.get(key).filter(|entry| entry.shape().is_paged)?;
    let (kind, detail, facts) = if entry.is_live() {
        let end = entry.shape().own_end().cast_signed();
        let facts = Facts::of_live(&entry);
        if offset < 0 {
            (Kind::Underrun, Detail::Touched(offset, is_write), facts)
        } else {
            let away = offset - end + 1;
            (Kind::Overrun, Detail::Touched(away, is_write), facts)
        }
    } else {
        let kind = if is_write {
            Kind::WriteAfterFree
        } else {
            Kind::UseAfterFree
        };
        let offset = offset - entry.first().cast_signed();
        let detail = Detail::Touched(offset, is_write);
        (kind, detail, Facts::of_freed(&entry))
    };
    let record = Record::new(kind, Deed::Read, detail, Some(facts));
    let session = books.concerned(entry.session);
    if books.tell(session, record, &at) && session == TOLD_ELSEWHERE.load(Ordering::Relaxed) {
        return None;
    }
    let stacks = [
        books.sites.get(facts.allocated_at),
        books.sites.get(facts.freed_at.unwrap_or_default()),
        at,
    ];
    drop(books);
    Some(Report::of_one(&record, &stacks))
}

/// Whether an access was a write, where the processor says so; else it counts as a read.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn is_write(context: *mut c_void) -> bool {
    const WRITE: i64 = 2;
    // SAFETY: the system gives the handler the context of the access.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    context.uc_mcontext.gregs[libc::REG_ERR as usize] & WRITE != 0
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn is_write(_: *mut c_void) -> bool {
    false
}
