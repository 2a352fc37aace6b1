//! Sessions: whose blocks are watched, and from when to when.

use core::fmt;
use core::marker::PhantomData;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

use super::counting;
use super::crossing::Crossing;
use super::current::{current, enter, frame};
#[cfg(all(unix, not(miri)))]
use super::guard::Guard;
use super::judge::facts;
#[cfg(all(unix, not(miri)))]
use super::ledger::books_at_rest;
use super::ledger::{
    Deed, Detail, Facts, Failed, Record, SessionBook, SessionId, State, books, key,
};
use super::options::Options;
use super::overseer::SEAT;
use super::report::{Closed, Report};
use super::rules::Kind;
use super::site::{self, Backtrace, Site, Stack};
use crate::com::SafeArray;
use crate::layout::HEADER;
use crate::task::hook::{self, Part, SeatTaken};
use crate::task::mode;

impl Options {
    /// Begins a session of this thread's.
    ///
    /// # Panics
    ///
    /// As [`Session::begin`].
    pub fn begin(self) -> Session {
        match self.open() {
            Ok(id) => Session {
                id,
                is_finished: false,
            },
            Err(refusal) => panic!("no session can begin: {refusal}"),
        }
    }

    /// Opens a session that this thread is in from now on.
    pub(super) fn open(self) -> Result<SessionId, Refusal> {
        // If the whole process is to be watched that comes first, or the seat would be taken.
        mode::get();
        let mut books = books();
        if books.listening.is_none() {
            #[cfg(all(unix, not(miri)))]
            super::forking::watch();
            books.listening = Some(hook::listen(&SEAT).map_err(Refusal::Taken)?);
        }
        #[cfg(all(unix, not(miri)))]
        if self.guard == Guard::Page {
            super::trespass::watch();
        }
        let id = books.open(self, current()).ok_or(Refusal::Memory)?;
        refresh(&books.sessions);
        drop(books);
        enter(id);
        Ok(id)
    }
}

/// Why no session can begin.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Somebody else listens.
    Taken(SeatTaken),
    /// There is no memory for it.
    Memory,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(taken) => taken.fmt(f),
            Self::Memory => f.write_str("no memory"),
        }
    }
}

/// The deepest stack that any session asks for is kept.
fn refresh(sessions: &[SessionBook]) {
    let deepest = sessions.iter().map(|book| book.options.backtrace).max();
    site::want(deepest.unwrap_or(Backtrace::Off));
}

/// A stretch of the program whose blocks are watched: those that are allocated by the thread that began it, and by
/// threads that [join](Session::joiner).
///
/// * Parallel sessions do not see each other's blocks. A block belongs to the session in which it was allocated,
///   whoever frees it.
/// * A session within a session takes over its thread until it ends. Blocks of the outer one are still judged, in
///   the outer one's report.
/// * It may be finished on another thread. The one that began it is then in none of its own, until it begins or ends another.
/// * Dropped without [`finish`](Self::finish), it panics unless the report is clean; while the thread is panicking
///   the report goes to standard error instead.
/// * What is allocated before it, or in no session, is not watched, and may be freed within it. A block that
///   outlives its session is reported as leaked, and is sound all the same: it may be used and freed later.
///
/// # Examples
///
/// ```
/// use olemem::audit::{Kind, Session};
/// use olemem::{Bstr, raw};
///
/// let session = Session::begin();
/// let text = Bstr::from("twice").into_raw();
/// // SAFETY: the string is live.
/// unsafe { raw::free(text) };
/// // SAFETY: the audit swallows this one: nothing is touched.
/// unsafe { raw::free(text) };
/// let report = session.finish();
/// report.assert_kinds([Kind::DoubleFree]);
/// ```
#[derive(Debug)]
#[must_use = "a session that is dropped at once has seen nothing"]
pub struct Session {
    id: SessionId,
    is_finished: bool,
}

impl Session {
    /// Begins a session with the usual [`Options`].
    ///
    /// # Panics
    ///
    /// If there is no memory for it.
    pub fn begin() -> Self {
        Options::default().begin()
    }

    /// Begins with other options: see there.
    pub fn options() -> Options {
        Options::default()
    }

    /// A ticket for other threads.
    ///
    /// # Examples
    ///
    /// ```
    /// use olemem::Bstr;
    /// use olemem::audit::{Kind, Session};
    ///
    /// let session = Session::begin();
    /// let joiner = session.joiner();
    /// let thread = std::thread::spawn(move || {
    ///     let _joined = joiner.join();
    ///     Bstr::from("never freed").into_raw().addr()
    /// });
    /// thread.join().unwrap();
    /// session.finish().assert_kinds([Kind::Leak]);
    /// ```
    #[must_use]
    pub fn joiner(&self) -> Joiner {
        Joiner { id: self.id }
    }

    /// Begins an annotated call that belongs to this session.
    pub(crate) fn crossing(&self, method: &str) -> Crossing {
        Crossing::begin_in(self.id, method, frame())
    }

    /// Ends the session: everything that is still live is reported as leaked, freed blocks are looked at once
    /// more and given back.
    #[must_use = "the report says what was found"]
    pub fn finish(mut self) -> Report {
        self.end()
    }

    fn end(&mut self) -> Report {
        Report::new(self.close())
    }

    fn close(&mut self) -> Option<Closed> {
        self.is_finished = true;
        close(self.id)
    }

    /// Its number.
    pub(super) const fn id(&self) -> SessionId {
        self.id
    }

    /// Leaves it open: whoever has its number ends it.
    pub(super) fn into_id(mut self) -> SessionId {
        self.is_finished = true;
        self.id
    }

    /// Ends it as [`finish`](Self::finish) does, and gives what the books had, which is there: nobody else ends a
    /// session that somebody holds.
    pub(super) fn into_closed(mut self) -> Option<Closed> {
        self.close()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let report = self.end();
        if thread::panicking() {
            if !report.violations().is_empty() {
                eprintln!("{report}");
            }
        } else {
            report.assert_clean();
        }
    }
}

/// Ends a session; `None` if it is over, or never was.
pub(super) fn close(id: SessionId) -> Option<Closed> {
    close_keeping(id, |found| found)
}

/// So many violations are kept if there is too little memory for all of them.
const SOME: usize = 1024;

/// Ends a session, and keeps as many of its violations as is said, the first ones.
fn close_keeping(id: SessionId, most: impl Fn(usize) -> usize) -> Option<Closed> {
    let mut books = books();
    let book = books.session(id)?;
    book.is_closing = true;
    let reads = book.options.reads_at_end;
    for key in books.live_in(id) {
        let at = Stack::default();
        books.inspect(key, Deed::End, reads, &at);
        let Some(entry) = books.get(key) else {
            continue;
        };
        let facts = || {
            if reads {
                // SAFETY: in C nobody borrows what is live, and a test leaves it alone when it ends its session.
                unsafe { Facts::of_lent(&entry) }
            } else {
                facts(&entry)
            }
        };
        let is_freed = entry.state == State::Deferred;
        let pins = entry.pins.saturating_sub(entry.strayed);
        // Pins that strayed were told where they were taken back from another string.
        if pins > 0 || is_freed && entry.strayed == 0 {
            let detail = Detail::Pins(pins);
            let record = Record::new(Kind::UnbalancedPin, Deed::End, detail, Some(facts()));
            books.record(id, record);
        }
        // That it was never freed is a mistake of its own: to take the pins back would not mend it.
        // The data of an array that is there still is destroyed along with it.
        let is_of_live = entry.array.is_some_and(|(array, id)| {
            let array = books.get(array);
            array.is_some_and(|array| array.id == id && array.is_live())
        });
        let is_told = entry.is_ignored || entry.is_blamed || entry.is_refused;
        if !is_freed && !is_told && !is_of_live {
            let block = Some(facts());
            let record = books.leak(&entry);
            books.record(id, Record { block, ..record });
        }
    }
    while let Some(object) = books.objects.next_leaked(id) {
        let record = counting::leak(object);
        books.record(id, record);
    }
    let outer = books.session(id).map_or(0, |book| book.outer);
    let mut book = books.close(id)?;
    let found = book.records.len();
    let mut kept = most(found);
    if kept == 0 {
        // The others take what is needed to tell some.
        book.records.truncate(SOME);
        book.records.shrink_to_fit();
        kept = most(book.records.len());
    }
    book.records.truncate(kept);
    book.dropped += (found - book.records.len()) as u64;
    if current() == id {
        enter(outer);
    }
    refresh(&books.sessions);
    // While the lock is held, so that the next session finds the seat free.
    if books.is_idle() {
        books.listening = None;
    }
    drop(books);
    counting::bury();
    // The stacks of closed sessions stay in the books, by number.
    // Another session may have asked for stacks where this one did not.
    let with_stacks = book.options.backtrace != Backtrace::Off;
    let of = |record| {
        if with_stacks {
            stacks_of(record)
        } else {
            Default::default()
        }
    };
    let stacks = book.records.iter().map(of).collect();
    let stack = |failed: &Failed| {
        if with_stacks {
            stack_of(failed.at)
        } else {
            Stack::default()
        }
    };
    let failed_at = book.failures.iter().map(stack).collect();
    Some(Closed {
        book,
        stacks,
        failed_at,
    })
}

/// Opens a session for all threads that are in none of their own; `None` if the seat is taken or there is no memory.
/// It asks for no memory of the global allocator's.
#[cfg(all(unix, not(miri)))]
pub(super) fn begin_for_process(options: Options, seat: &'static hook::Seat) -> Option<SessionId> {
    let mut books = books();
    super::forking::watch();
    books.listening = Some(hook::listen(seat).ok()?);
    let id = books.open(options.read_at_end(), 0)?;
    refresh(&books.sessions);
    Some(id)
}

/// Ends it, and keeps as many violations as is said. In a forked child only what the child did itself is reported.
///
/// Sessions that the program left open end as well: what they found is in the report, behind the process's own.
#[cfg(all(unix, not(miri)))]
pub(super) fn end_of_process(id: SessionId, most: fn(usize) -> usize) -> Option<Report> {
    let mut left = Vec::new();
    while let Some(other) = open_beside(id) {
        left.extend(close_keeping(other, most).map(|closed| Report::new(Some(closed))));
    }
    let (mut live, mut live_bytes) = (0, 0);
    books().each_live(id, |entry| {
        live += 1;
        live_bytes += entry.size as u64;
    });
    // What sessions of the program's own saw was seen, too.
    let seen = books().seen;
    let mut closed = close_keeping(id, most)?;
    let mut counts = closed.book.counts.since(closed.book.inherited);
    counts.add(seen);
    closed.book.counts = super::ledger::Counts {
        live,
        live_bytes,
        ..counts
    };
    let mut report = Report::new(Some(closed));
    for other in left {
        report.take_over(other);
    }
    Some(report)
}

/// Ends the session of an input; `None` if it is over. What was found meanwhile in blocks from before it, which are the
/// process's, is the input's as well.
#[cfg(all(unix, not(miri)))]
pub(super) fn end_of_input(id: SessionId, process: SessionId) -> Option<Report> {
    let before = {
        let mut books = books();
        let before = books.session(id)?.found_before;
        for key in books.live_in(process) {
            // What is in the block may be another thread's to write.
            books.inspect(key, Deed::End, false, &Stack::default());
        }
        before
    };
    let mut report = Report::new(Some(close(id)?));
    if let Some(of_process) = so_far(process, before) {
        report.take_over(of_process);
    }
    Some(report)
}

/// A session that is open, and is another one.
#[cfg(all(unix, not(miri)))]
fn open_beside(id: SessionId) -> Option<SessionId> {
    let books = books();
    books
        .sessions
        .iter()
        .map(|book| book.id)
        .find(|other| *other != id)
}

/// What the open sessions hold: how many they are, the violations so far, and the live blocks. `None` if somebody is at
/// work on the books.
#[cfg(all(unix, not(miri)))]
pub(super) fn left_open() -> Option<(usize, usize, usize)> {
    let books = books_at_rest()?;
    let (mut violations, mut live) = (0, 0);
    for book in &books.sessions {
        violations += book.records.len();
        books.each_live(book.id, |entry| live += usize::from(!entry.is_ignored));
    }
    Some((books.sessions.len(), violations, live))
}

/// What was found in an open session, but for the first few.
#[cfg(all(unix, not(miri)))]
pub(super) fn so_far(id: SessionId, skipped: usize) -> Option<Report> {
    let mut books = books();
    let book = books.session(id)?;
    let (counts, dropped) = (book.counts, book.dropped);
    let mut records = allocator_api2::vec::Vec::new_in(allocator_api2::alloc::System);
    records.try_reserve(book.records.len()).ok()?;
    records.extend_from_slice(book.records.get(skipped..).unwrap_or_default());
    drop(books);
    let found = records
        .into_iter()
        .map(|record| (record, stacks_of(&record).each_ref().map(Stack::resolve)))
        .collect();
    Some(Report::of(counts, None, dropped, found))
}

/// A stack that the books keep.
fn stack_of(site: Site) -> Stack {
    books().sites.get(site)
}

/// The stacks of a violation: where the block was allocated, where it was freed, where it happened.
fn stacks_of(record: &Record) -> [Stack; 3] {
    let books = books();
    let of = |site: Option<Site>| books.sites.get(site.unwrap_or_default());
    [
        of(record.block.map(|block| block.allocated_at)),
        of(record.block.and_then(|block| block.freed_at)),
        of(Some(record.at)),
    ]
}

/// Lets other threads join a session. Made by [`Session::joiner`]; one serves any number of threads.
#[derive(Clone, Debug)]
pub struct Joiner {
    id: SessionId,
}

impl Joiner {
    /// Has this thread take part until the guard is dropped. If the session is over, nothing happens.
    pub fn join(&self) -> Joined {
        Joined {
            before: enter(self.id),
            this_thread: PhantomData,
        }
    }
}

/// Takes part in a session until it is dropped. Made by [`Joiner::join`].
#[derive(Debug)]
#[must_use = "dropping the guard ends the taking part"]
pub struct Joined {
    before: SessionId,
    /// It is the thread's.
    this_thread: PhantomData<*const ()>,
}

impl Drop for Joined {
    fn drop(&mut self) {
        enter(self.before);
    }
}

/// Runs code in a session, and panics with the whole story unless it broke no rule and freed what it allocated.
///
/// What it gives is dropped outside of the session only if it is not of olemem's memory: a string that is to
/// outlive the closure is a leak of its own. If the closure panics, its panic goes on, and the report goes to
/// standard error.
///
/// # Examples
///
/// ```
/// use olemem::{Bstr, audit};
///
/// audit::check(|_| {
///     let text = Bstr::from("freed when dropped");
///     assert_eq!(text.len(), 18);
/// });
/// ```
///
/// # Panics
///
/// If a rule was broken, a block leaked, or nothing was recorded at all.
#[track_caller]
pub fn check<T>(code: impl FnOnce(&Session) -> T) -> T {
    let session = Session::begin();
    match panic::catch_unwind(AssertUnwindSafe(|| code(&session))) {
        Ok(result) => {
            session.finish().assert_clean();
            result
        }
        Err(cause) => {
            let report = session.finish();
            if !report.violations().is_empty() {
                eprintln!("{report}");
            }
            panic::resume_unwind(cause)
        }
    }
}

/// Says that a block is meant to live on: it is not reported as leaked. Pins of it that are left are, all the same. Any pointer of olemem's, a BSTR or task
/// memory or an array; `false` if no audited, live block is there.
///
/// # Examples
///
/// ```
/// use olemem::audit::{self, Session};
/// use olemem::{Bstr, raw};
///
/// let session = Session::begin();
/// let kept = Bstr::from("for ever").into_raw();
/// assert!(audit::ignore(kept));
/// session.finish().assert_clean();
/// # // SAFETY: live, and its last use.
/// # unsafe { raw::free(kept) };
/// ```
pub fn ignore<T>(pointer: *const T) -> bool {
    let mut books = books();
    let address = pointer.addr();
    let before = |bytes| address.wrapping_sub(bytes);
    // On 32-bit targets the middle of a block may lie as far behind its start as an array does.
    let candidates = [
        (address, false),
        (before(HEADER), false),
        (before(SafeArray::HIDDEN), true),
    ];
    for (start, is_array) in candidates {
        if let Some(entry) = books.get_mut(key(start))
            && entry.is_live()
            && (!is_array || entry.part == Some(Part::Array))
        {
            entry.is_ignored = true;
            return true;
        }
    }
    false
}
