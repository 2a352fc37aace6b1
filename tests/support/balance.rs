//! Whether a test gave back all that it took: blocks allocated and freed on its own thread, counted at
//! the seam.
//!
//! The counter listens for the rest of the program, so that parallel tests need not agree on a seat;
//! each thread has a count of its own. Where there is no seam nothing is counted, and Miri's and the
//! sanitizers' own leak checks remain.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test crate uses its own part"
)]

/// Fails when dropped if the thread holds more or fewer blocks of olemem's than when it was made.
#[must_use = "the balance is struck when this is dropped"]
#[derive(Debug)]
pub struct Balance {
    before: i64,
    /// The count is the thread's own.
    this_thread: std::marker::PhantomData<*const ()>,
}

/// Strikes the balance of the rest of the scope.
pub fn balanced() -> Balance {
    Balance {
        before: live(),
        this_thread: std::marker::PhantomData,
    }
}

impl Drop for Balance {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(
                live(),
                self.before,
                "blocks of this thread leaked, or freed twice"
            );
        }
    }
}

/// Blocks that this thread allocated and did not free, since the counter began to listen.
#[cfg(all(feature = "export", any(not(windows), miri)))]
pub fn live() -> i64 {
    use std::cell::Cell;
    use std::sync::OnceLock;

    use olemem::seam::{BlockEvent, BstrEvent, Listener, Listening, Seat, listen};

    thread_local! {
        static LIVE: Cell<i64> = const { Cell::new(0) };
    }

    struct Counter;

    impl Listener for Counter {
        fn block(&self, event: &BlockEvent) {
            match event {
                BlockEvent::Allocated { block, .. } if !block.is_null() => {
                    LIVE.set(LIVE.get() + 1);
                }
                BlockEvent::Freeing { .. } => LIVE.set(LIVE.get() - 1),
                _ => {}
            }
        }

        fn bstr(&self, _: &BstrEvent) {}
    }

    static SEAT: Seat = Seat::new(&Counter);
    static LISTENING: OnceLock<Listening> = OnceLock::new();
    LISTENING.get_or_init(|| listen(&SEAT).expect("nobody else listens in this program"));
    LIVE.get()
}

/// Nothing is counted here.
#[cfg(not(all(feature = "export", any(not(windows), miri))))]
pub fn live() -> i64 {
    0
}
