//! What becomes of the heap when the process forks.
//!
//! The child has one thread, and the memory as it was. Were another thread inside the heap at that
//! moment, the child would find a lock taken for ever. So the thread that forks takes the locks first
//! and gives them back on both sides: in the order in which they are taken everywhere.
//!
//! Handlers of others run around ours, on the same thread, and may use the heap in between. To take the
//! lock last and give it back first, ours are registered when the program or library is loaded: another
//! thread may hold a lock of the program's while it waits for the heap's. Only a library whose own
//! constructor registered earlier comes in between. (The C library has no such order to keep: it takes
//! its own lock after all handlers.)
//!
//! The audit's books stand above this file, so it has them kept by [`also`].
//!
//! What is known of spyed blocks is kept whole in the same way. The turn of a spy is not waited for, since
//! a spy's own code runs in it: where another thread had it, the child gives it back.

use std::cell::UnsafeCell;
use std::hint;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::task::aside;
use crate::task::beginning;
use crate::task::lock::Kept;
use crate::task::process_heap::HEAP;
use crate::task::store::KeptHeap;
#[cfg(any(feature = "export", feature = "audit"))]
use crate::task::{seat, turn};

/// What is kept while a fork is under way.
struct State {
    /// The locks.
    kept: Option<Locks>,
    /// Forks that handlers of others started meanwhile.
    nested: usize,
}

/// A lock that somebody else has kept.
#[derive(Debug)]
pub(crate) struct Also {
    /// Takes it, and keeps it; it may have been kept already.
    pub(crate) keep: fn(),
    /// Gives it back, in the child if that is said; it may not have been kept.
    pub(crate) release: fn(in_child: bool),
}

static ALSO: AtomicPtr<Also> = AtomicPtr::new(ptr::null_mut());

/// Has one more lock kept while the process forks: taken inside the one of what is set aside.
#[cfg_attr(
    not(feature = "audit"),
    expect(dead_code, reason = "the audit's is the only one")
)]
pub(crate) fn also(lock: &'static Also) {
    ALSO.store(ptr::from_ref(lock).cast_mut(), Ordering::Release);
}

fn others() -> Option<&'static Also> {
    // SAFETY: null, or made from a `&'static` by `also`.
    unsafe { ALSO.load(Ordering::Acquire).as_ref() }
}

/// All locks that the child must find free, in the order in which they are taken.
struct Locks {
    /// Of what comes before the first allocation.
    beginning: Kept<'static>,
    /// Of what is set aside.
    aside: Kept<'static>,
    /// Of what is known of spyed blocks.
    #[cfg(any(feature = "export", feature = "audit"))]
    seat: Kept<'static>,
    heap: KeptHeap,
}

impl Locks {
    fn keep() -> Self {
        let beginning = beginning::lock().keep();
        let aside = aside::lock().keep();
        if let Some(others) = others() {
            (others.keep)();
        }
        Self {
            beginning,
            aside,
            #[cfg(any(feature = "export", feature = "audit"))]
            seat: seat::lock().keep(),
            heap: HEAP.keep(),
        }
    }

    fn release(self) {
        HEAP.release(self.heap);
        #[cfg(any(feature = "export", feature = "audit"))]
        self.seat.release();
        if let Some(others) = others() {
            (others.release)(false);
        }
        self.aside.release();
        self.beginning.release();
    }

    fn release_in_child(self) {
        HEAP.release_in_child(self.heap);
        #[cfg(any(feature = "export", feature = "audit"))]
        self.seat.release_in_child();
        if let Some(others) = others() {
            (others.release)(true);
        }
        self.aside.release_in_child();
        self.beginning.release_in_child();
    }
}

struct Forking(UnsafeCell<State>);

// SAFETY: reached only by the three handlers, between taking the lock and giving it back: by the one
// thread that holds it.
unsafe impl Sync for Forking {}

static FORKING: Forking = Forking(UnsafeCell::new(State {
    kept: None,
    nested: 0,
}));

unsafe extern "C" {
    fn pthread_atfork(
        prepare: unsafe extern "C" fn(),
        parent: unsafe extern "C" fn(),
        child: unsafe extern "C" fn(),
    ) -> i32;
}

/// Runs [`watch`] when the program or library is loaded.
#[used]
#[cfg_attr(
    target_vendor = "apple",
    unsafe(link_section = "__DATA,__mod_init_func")
)]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static AT_LOAD: extern "C" fn() = {
    extern "C" fn at_load() {
        watch();
    }
    at_load
};

/// Has the handlers called from now on. Also called at first use: the reference keeps [`AT_LOAD`] in a
/// static link, and where nothing runs at load this is early enough for most.
pub(super) fn watch() {
    static DONE: AtomicBool = AtomicBool::new(false);
    hint::black_box(&AT_LOAD);
    if !DONE.swap(true, Ordering::Relaxed) {
        // It fails for lack of memory only, and then a fork is as it would be without.
        // SAFETY: the handlers are functions of the program, and keep to what is allowed around a fork.
        let _ = unsafe { pthread_atfork(prepare, parent, child) };
    }
}

unsafe extern "C" fn prepare() {
    // A thread that has taken them already gets them once more, and needs them no more than once.
    let locks = Locks::keep();
    // SAFETY: this thread holds the locks, so no other thread's handler is here.
    let state = unsafe { &mut *FORKING.0.get() };
    if state.kept.is_some() {
        state.nested += 1;
    } else {
        state.kept = Some(locks);
    }
}

/// What to do with each lock when a fork is over: nothing, if it was a nested one.
///
/// # Safety
///
/// * Called by the handlers that pair with [`prepare`].
unsafe fn over(release: impl FnOnce(Locks)) {
    // SAFETY: this thread, or the one it is a copy of, took the locks in `prepare`.
    let state = unsafe { &mut *FORKING.0.get() };
    if state.nested > 0 {
        state.nested -= 1;
    } else if let Some(locks) = state.kept.take() {
        release(locks);
    }
}

unsafe extern "C" fn parent() {
    // SAFETY: it pairs with `prepare`.
    unsafe { over(Locks::release) };
}

unsafe extern "C" fn child() {
    // SAFETY: it pairs with `prepare`.
    unsafe { over(Locks::release_in_child) };
    // SAFETY: the child of a fork has one thread, which is here and not waiting for the turn.
    #[cfg(any(feature = "export", feature = "audit"))]
    unsafe {
        turn::give_back_in_child();
    };
}
