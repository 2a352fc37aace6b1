//! What becomes of an access to a page that may not be touched: it is reported as the kind that it is, and then the
//! program ends as it would have.
//!
//! ```text
//!  an access ─► handle ── a block's page? no ──────────────────────────────► whoever had the signal before
//!                  │ yes                                                        ▲
//!                  ├─ on the stack for signals ─► once more, on the thread's own │
//!                  └─ on the thread's own ──────► the story ─────────────────────┘
//! ```
//!
//! * The handler runs on the thread that made the access, mostly in the program's own code. It writes the story to
//!   standard error, and hands the signal on. Where `olemem check` tells what the process leaves, the story is the
//!   command's to tell.
//! * Faults that are none of the audit's are handed on as well, and the audit goes on watching: a program may have
//!   some that it expects, and leave their handler by a jump.
//! * A thread whose stack ran out has none but the one for signals, so that is where the handler begins. Telling a
//!   story needs more: the access is let happen again then, and this time its handler comes on the thread's own stack,
//!   in which there is room, since what was touched is a block.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;
use std::cell::UnsafeCell;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::hand_on::{hand_on, signal_stack_in_use};
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
            // SAFETY: this is done once, before anybody reads it.
            let before = unsafe { &mut (&mut *BEFORE.0.get())[index] };
            // SAFETY: the place is there, and nothing is changed.
            unsafe { libc::sigaction(signal, ptr::null(), before.as_mut_ptr()) };
            install(signal, libc::SA_ONSTACK);
        }
    });
}

/// Has the handler called on the stack for signals, if the thread has one, or on the thread's own.
fn install(signal: i32, stack: i32) {
    // SAFETY: all zeros is a valid value: no flags, no signals masked.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) = handle;
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO | stack;
    // SAFETY: the mask is there.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    // SAFETY: the handler keeps to its signature.
    unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
}

extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system gives the handler what is known of the signal.
    let known = unsafe { &*info };
    // One that somebody sent comes at any moment, and has no address.
    let is_sent = known.si_code <= 0;
    let mut is_told = false;
    if !is_sent {
        // SAFETY: a fault has an address.
        let address = unsafe { known.si_addr() }.addr();
        if is_a_blocks(address) {
            if signal_stack_in_use().is_some() {
                return install(signal, 0);
            }
            if let Some(report) = judge(address, is_write(context)) {
                for violation in &report {
                    eprintln!("{violation}");
                }
            }
            install(signal, libc::SA_ONSTACK);
            is_told = true;
        }
    }
    let Some(index) = SIGNALS.iter().position(|known| *known == signal) else {
        return;
    };
    // SAFETY: written before the handler was installed.
    let before = unsafe { &(&*BEFORE.0.get())[index] };
    // SAFETY: as above.
    let action = unsafe { before.assume_init_ref() };
    hand_on(signal, action, info, context);
    if is_told {
        // Whoever had it came back, and the access happens again: it was told once.
        // SAFETY: what the system gave as the action before.
        unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
    }
}

/// Whether an address lies in the pages of a block.
fn is_a_blocks(address: usize) -> bool {
    let Some(books) = books() else {
        return false;
    };
    match books.inside(address) {
        Place::Inside(key, _) => books.get(key).is_some_and(|entry| entry.shape().is_paged),
        _ => false,
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
