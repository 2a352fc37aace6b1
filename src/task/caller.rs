//! Who called: the place in the program that a call of olemem's came from.
//!
//! ```text
//!  the program, line 7 ─► Bstr::from ─► raw::alloc_units ─► the long way: enter("line 7") ─► overseer
//!                          `#[track_caller]` all the way                                        │
//!                                                     innermost() = "line 7" ◄─────────────────┘
//! ```
//!
//! * Rust's doors are `#[track_caller]`: the compiler hands the place along, and the short ways do not look at it.
//!   Where somebody listens the long way notes it on the thread, for as long as the call takes.
//! * A door that is passed from within another one, by olemem's own code, notes nothing: the program's call is
//!   the outer one. What a spy of the program's calls in the middle of that is a call of its own.
//! * A destructor is told no place. Whoever drops on behalf of a caller [enters](Caller::enter) for it. A string that
//!   a spy drops counts as the outer call's.

use core::panic::Location;

/// Who called a door.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Caller(&'static Location<'static>);

impl Caller {
    /// The caller of this function's caller, which is `#[track_caller]`.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn here() -> Self {
        Self(Location::caller())
    }

    /// Does what was called for, while the thread knows for whom.
    #[inline]
    pub(crate) fn enter<R>(self, work: impl FnOnce() -> R) -> R {
        #[cfg(all(feature = "audit", any(not(windows), miri)))]
        let entrance = self.entrance();
        #[cfg(all(feature = "audit", any(not(windows), miri)))]
        let _entered = entrance.as_ref().map(Entrance::open);
        work()
    }
}

#[cfg(all(feature = "audit", any(not(windows), miri)))]
pub(crate) use thread::{Entered, Entrance, Place, innermost};

#[cfg(all(feature = "audit", any(not(windows), miri)))]
mod thread {
    use core::cell::Cell;
    use core::panic::Location;
    use core::ptr;

    use super::Caller;
    use crate::task::mode;

    /// A place in the program.
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Place {
        /// A line.
        Rust(&'static Location<'static>),
        /// A call of a C function.
        #[cfg_attr(
            not(feature = "export"),
            expect(dead_code, reason = "there are no functions of C's")
        )]
        C {
            /// Where the call returns to.
            return_address: usize,
            /// What the caller has in the register for frame pointers: one, or anything else.
            frame: usize,
        },
    }

    /// A call that came in from the program.
    #[derive(Debug)]
    pub(crate) struct Entrance {
        outer: *const Entrance,
        place: Option<Place>,
    }

    thread_local! {
        /// The innermost call that is being served; null if there is none.
        static INNERMOST: Cell<*const Entrance> = const { Cell::new(ptr::null()) };
    }

    /// Where olemem's own sources are, as the compiler calls them.
    const SOURCES: &str = {
        let here = file!();
        here.split_at(here.len() - "task/caller.rs".len()).0
    };

    impl Caller {
        /// What is to be noted of this call, if anything. Not for other crates to inline: a mode byte that they can
        /// see is reached by a longer way, here too.
        pub(super) fn entrance(self) -> Option<Entrance> {
            if mode::is_quiet() {
                return None;
            }
            let outer = INNERMOST.get();
            let is_own = self.0.file().starts_with(SOURCES);
            // One's own doors are no news; without an outer one it is a destructor's, or C's.
            (!is_own || outer.is_null()).then_some(Entrance {
                outer,
                place: (!is_own).then_some(Place::Rust(self.0)),
            })
        }
    }

    impl Entrance {
        /// Notes the call until the guard is dropped.
        pub(super) fn open(&self) -> Open<'_> {
            INNERMOST.set(self);
            Open(self)
        }
    }

    /// For entrances that are written in assembly.
    #[cfg(feature = "export")]
    #[allow(dead_code, reason = "not on every machine there are any")]
    impl Entrance {
        /// Notes a call from C. It stays noted until it is [closed](Self::close_c).
        ///
        /// # Safety
        ///
        /// * `this` has room for an entrance, at a place on the stack that lies below the caller's frames.
        /// * It is closed on this thread before the room goes, and after all that were opened later.
        pub(crate) unsafe extern "C" fn open_c(
            this: *mut Self,
            return_address: usize,
            frame: usize,
        ) {
            let place = Place::C {
                return_address,
                frame,
            };
            let entrance = Self {
                outer: INNERMOST.get(),
                place: Some(place),
            };
            // SAFETY: the caller promises the room.
            unsafe { this.write(entrance) };
            INNERMOST.set(this);
        }

        /// Forgets the call.
        ///
        /// # Safety
        ///
        /// * `this` is the innermost entrance that is open on this thread.
        pub(crate) unsafe extern "C" fn close_c(this: *const Self) {
            // SAFETY: the caller promises an entrance.
            INNERMOST.set(unsafe { (*this).outer });
        }
    }

    /// Forgets a call when dropped.
    pub(super) struct Open<'a>(&'a Entrance);

    impl Drop for Open<'_> {
        fn drop(&mut self) {
            INNERMOST.set(self.0.outer);
        }
    }

    /// What is known of the call that is being served.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Entered {
        /// Where it came from, if it told.
        pub(crate) place: Option<Place>,
        /// An address on the stack: the frames of the caller, and of whoever called that, lie above.
        pub(crate) address: usize,
    }

    /// The innermost call of this thread that is being served.
    pub(crate) fn innermost() -> Option<Entered> {
        let entrance = INNERMOST.get();
        // SAFETY: null, or an entrance on this thread's stack that is open: `Open` borrows it, and takes the
        // pointer back before it goes.
        let entrance = unsafe { entrance.as_ref() }?;
        Some(Entered {
            place: entrance.place,
            address: ptr::from_ref(entrance).addr(),
        })
    }
}
