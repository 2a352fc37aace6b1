//! A spy in safe Rust.
//!
//! ```text
//!  the real block   ┌──────────┬──────────────────────┬─────────┐
//!                   │  before  │   what was asked for │  after  │
//!                   └──────────┴──────────────────────┴─────────┘
//!                              ▲ the caller's pointer
//! ```
//!
//! A spy says how much room it wants around a block, and all pointers are computed here:
//!
//! 1. `before` is a multiple of the alignment of blocks, so that the caller's pointer is as aligned as ever.
//! 2. Both margins are zeros at first, and only the spy has reason to write there: they are plain bytes.
//!    When a block is reallocated, `before` goes along and `after` is zeros again.
//! 3. A margin is lent only if the heap knows the real block as live and of that size.
//! 4. A block from before the spy has no margins, and gets none by a reallocation.

use std::fmt;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::process;
use std::slice;
use std::sync::Arc;

use crate::task::block::{ALIGN, DidAlloc, Family};
use crate::task::complain::complain;
use crate::task::hidden::Hidden;
use crate::task::process_heap::HEAP;
use crate::task::seat::{Agent, Frame, Plan};

/// What an allocation or reallocation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// Bytes asked for; of a BSTR those of its whole block, header and terminator included.
    pub size: usize,
    /// By which pair of functions. `IMallocSpy` is not told that on Windows.
    pub family: Family,
}

/// Room that a spy wants around a block.
///
/// # Examples
///
/// ```
/// use olemem::spy::Margins;
///
/// let margins = Margins::new(32, 16);
/// assert_eq!((margins.before, margins.after), (32, 16));
/// assert_eq!(Margins::default(), Margins::new(0, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margins {
    /// Bytes before the block, rounded up to a multiple of [`ALIGN`].
    pub before: usize,
    /// Bytes after the block.
    pub after: usize,
}

impl Margins {
    /// So many bytes before a block, and after it.
    #[must_use]
    pub const fn new(before: usize, after: usize) -> Self {
        Self { before, after }
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Proceed,
    /// It fails: the caller gets null, and a block that was to be reallocated stays as it is. The Post
    /// call is left out. A request for no bytes cannot be made to fail (`semantics.md` 4.3).
    Fail,
}

/// A block as a spy sees it during a call.
///
/// Its memory is lent where nobody else can be using it, and only if the block is spyed, that is, if it was
/// allocated or reallocated under this spy. Of any other pointer, a wild one included, only the address
/// is known.
pub struct Block<'a> {
    /// The caller's pointer.
    pointer: *mut u8,
    frame: Option<Frame>,
    /// Invariant: what is named here is within one live block, initialised as the picture says, and
    /// nobody else's for `'a`.
    lent: Lent,
    call: PhantomData<&'a mut [u8]>,
}

/// What memory of a block is lent to the spy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lent {
    Nothing,
    Margins,
    /// The margins, and what is between them.
    All,
}

impl Block<'_> {
    /// The pointer as the caller has it.
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.pointer
    }

    /// Whether it was allocated or reallocated under this spy: `fSpyed`.
    #[must_use]
    pub fn is_spyed(&self) -> bool {
        self.frame.is_some()
    }

    /// Bytes that the caller asked for, if the block is spyed.
    #[must_use]
    pub fn size(&self) -> Option<usize> {
        self.frame.map(|frame| frame.size)
    }

    /// For which pair of functions it was allocated, if the block is spyed.
    #[must_use]
    pub fn family(&self) -> Option<Family> {
        self.frame.map(|frame| frame.family)
    }

    /// The room before the block, at least as much as was wanted: the last byte is next to the block.
    /// Empty during questions, and for a block that is not spyed.
    pub fn before(&mut self) -> &mut [u8] {
        match self.frame {
            Some(frame) if self.lent != Lent::Nothing => {
                let start = frame.start(self.pointer);
                // SAFETY: so many initialised bytes are at the start of the real block, and lent for longer
                // than `self` is borrowed.
                unsafe { slice::from_raw_parts_mut(start, frame.before) }
            }
            _ => &mut [],
        }
    }

    /// The room after the block, exactly as much as was wanted: the first byte is next to the block. Empty
    /// as [`before`](Self::before) is.
    pub fn after(&mut self) -> &mut [u8] {
        match self.frame {
            Some(frame) if self.lent != Lent::Nothing => {
                let start = frame
                    .start(self.pointer)
                    .wrapping_add(frame.before + frame.size);
                // SAFETY: so many initialised bytes are behind the caller's in the real block, and lent
                // for longer than `self` is borrowed.
                unsafe { slice::from_raw_parts_mut(start, frame.after) }
            }
            _ => &mut [],
        }
    }

    /// The caller's bytes, where they are nobody's: of a new block, or of one that is about to be freed.
    /// Empty otherwise.
    pub fn contents(&mut self) -> &mut [MaybeUninit<u8>] {
        match self.frame {
            Some(frame) if self.lent == Lent::All => {
                // SAFETY: so many bytes are behind the pointer, lent for longer than `self` is borrowed;
                // nobody reads there any more, or yet.
                unsafe { slice::from_raw_parts_mut(self.pointer.cast(), frame.size) }
            }
            _ => &mut [],
        }
    }
}

impl fmt::Debug for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("pointer", &self.pointer)
            .field("size", &self.size())
            .field("family", &self.family())
            .finish_non_exhaustive()
    }
}

/// A spy of the task allocator, with the callbacks of `IMallocSpy`. Each does nothing unless it is
/// overridden.
///
/// The callbacks come on the thread of the call, one call at a time. Null that is freed, measured or
/// asked about is no call.
///
/// # Examples
///
/// A spy that finds out who writes past the end of a block:
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
///
/// use olemem::TaskBox;
/// use olemem::heap::{self, Family};
/// use olemem::spy::{self, Block, Margins, Request, Spy};
///
/// const FENCE: [u8; 8] = *b"no entry";
///
/// #[derive(Default)]
/// struct Fences {
///     broken: AtomicUsize,
/// }
///
/// impl Spy for Fences {
///     fn margins(&self, _: Request) -> Margins {
///         Margins::new(0, FENCE.len())
///     }
///     fn post_alloc(&self, _: Request, block: Option<&mut Block<'_>>) {
///         if let Some(block) = block {
///             block.after().copy_from_slice(&FENCE);
///         }
///     }
///     fn pre_free(&self, block: &mut Block<'_>) {
///         if block.is_spyed() && block.after() != FENCE {
///             self.broken.fetch_add(1, Relaxed);
///         }
///     }
/// }
///
/// let fences = Arc::new(Fences::default());
/// let registered = spy::register(fences.clone()).expect("there is no other spy");
/// drop(TaskBox::new(7_u64));
/// assert_eq!(fences.broken.load(Relaxed), 0);
///
/// let block = heap::alloc(10, Family::Task);
/// // SAFETY: the byte is not the caller's, but the spy's fence is there.
/// unsafe { block.add(10).write(0) };
/// // SAFETY: the block is live, and this is its last use.
/// unsafe { heap::free(block, Family::Task) };
/// assert_eq!(fences.broken.load(Relaxed), 1);
/// drop(registered);
/// ```
///
/// # Aborts
///
/// If a callback panics.
pub trait Spy: Send + Sync {
    /// The room wanted around a new block. Asked before [`pre_alloc`](Self::pre_alloc), and before
    /// [`pre_realloc`](Self::pre_realloc) of null. Room that there cannot be is no memory.
    fn margins(&self, request: Request) -> Margins {
        let _ = request;
        Margins::default()
    }

    /// A block is asked for.
    fn pre_alloc(&self, request: Request) -> Verdict {
        let _ = request;
        Verdict::Proceed
    }

    /// What came of it; `None` if there is no memory, or a test made the allocation fail. Margins and
    /// contents of the block are lent.
    fn post_alloc(&self, request: Request, block: Option<&mut Block<'_>>) {
        let _ = (request, block);
    }

    /// A block is about to be freed. Margins and contents are lent.
    fn pre_free(&self, block: &mut Block<'_>) {
        let _ = block;
    }

    /// It was freed.
    fn post_free(&self, spyed: bool) {
        let _ = spyed;
    }

    /// A block is about to be of another size; the margins are lent. `None` if there is none yet, and the
    /// call allocates. A size of 0 frees the block.
    fn pre_realloc(&self, request: Request, block: Option<&mut Block<'_>>) -> Verdict {
        let _ = (request, block);
        Verdict::Proceed
    }

    /// What came of it; the margins of the new block are lent. `None` if it was freed, or if there is no
    /// memory and the old block stays. `spyed` is that of the old block; the new one is spyed in any case.
    fn post_realloc(&self, request: Request, block: Option<&mut Block<'_>>, spyed: bool) {
        let _ = (request, block, spyed);
    }

    /// The size of a block is asked for.
    fn pre_get_size(&self, block: &Block<'_>) {
        let _ = block;
    }

    /// What the caller is told: margins do not count. `None` if no block is there.
    fn post_get_size(&self, size: Option<usize>, spyed: bool) {
        let _ = (size, spyed);
    }

    /// Whether a live block starts there is asked.
    fn pre_did_alloc(&self, block: &Block<'_>) {
        let _ = block;
    }

    /// What the caller is told.
    fn post_did_alloc(&self, block: &Block<'_>, answer: DidAlloc) {
        let _ = (block, answer);
    }

    /// Spare memory is about to be given back.
    fn pre_heap_minimize(&self) {}

    /// It was.
    fn post_heap_minimize(&self) {}
}

/// The spy as the doors see it.
pub(super) fn agent(spy: Arc<dyn Spy>) -> Arc<dyn Agent> {
    Arc::new(Safe(spy))
}

struct Safe(Arc<dyn Spy>);

/// Ends the process if a spy unwinds: an operation that is half done must not be left.
struct NoUnwinding;

impl Drop for NoUnwinding {
    fn drop(&mut self) {
        complain(format_args!("a spy panicked"));
        process::abort();
    }
}

/// No bytes at all: where some were asked for, a failure.
const NOTHING: usize = 0;

impl Frame {
    fn request(self) -> Request {
        Request {
            size: self.size,
            family: self.family,
        }
    }

    /// The frame of a new block.
    fn around(request: Request, margins: Margins) -> Self {
        Self {
            start: Hidden::NONE,
            before: margins
                .before
                .checked_next_multiple_of(ALIGN)
                .unwrap_or(usize::MAX),
            size: request.size,
            after: margins.after,
            family: request.family,
        }
    }

    /// Bytes of the real block. Where the sum is beyond what a word can say, so is what it gives beyond what
    /// there can be.
    fn total(self) -> usize {
        self.before
            .saturating_add(self.size)
            .saturating_add(self.after)
    }

    /// The plan for a request that the spy has judged.
    fn plan(self, verdict: Verdict) -> Plan {
        let fails = verdict == Verdict::Fail && self.size != 0;
        Plan {
            total: if fails { NOTHING } else { self.total() },
            frame: self,
        }
    }

    /// The real block of a caller's pointer. Without margins it is the same.
    fn start(self, pointer: *mut u8) -> *mut u8 {
        self.start.get().unwrap_or(pointer)
    }

    /// The frame of a block that is there now.
    fn at(self, actual: *mut u8) -> Self {
        let has_margins = self.before != 0 || self.after != 0;
        Self {
            start: if has_margins {
                Hidden::new(actual)
            } else {
                Hidden::NONE
            },
            ..self
        }
    }
}

/// The real block of a pointer that may be spyed. Only an address.
fn start(pointer: *mut u8, spyed: Option<Frame>) -> *mut u8 {
    spyed.map_or(pointer, |frame| frame.start(pointer))
}

/// A block of which nothing is lent.
fn named<'a>(pointer: *mut u8, spyed: Option<Frame>) -> Block<'a> {
    Block {
        pointer,
        frame: spyed,
        lent: Lent::Nothing,
        call: PhantomData,
    }
}

/// A block whose memory is lent, if the heap still knows it.
///
/// # Safety
///
/// * If the block is spyed and live, what is lent is nobody's for `'a`.
unsafe fn lent<'a>(pointer: *mut u8, spyed: Option<Frame>, lent: Lent) -> Block<'a> {
    let is_live = |frame: Frame| HEAP.size_of(frame.start(pointer).addr()) == Some(frame.total());
    Block {
        lent: if spyed.is_some_and(is_live) {
            lent
        } else {
            Lent::Nothing
        },
        ..named(pointer, spyed)
    }
}

impl Safe {
    /// Calls the spy, which must come back.
    fn tell<T>(&self, call: impl FnOnce(&dyn Spy) -> T) -> T {
        let guard = NoUnwinding;
        let given = call(&*self.0);
        mem::forget(guard);
        given
    }
}

impl Agent for Safe {
    fn pre_alloc(&self, size: usize, family: Family) -> Plan {
        let request = Request { size, family };
        self.tell(|spy| {
            let frame = Frame::around(request, spy.margins(request));
            frame.plan(spy.pre_alloc(request))
        })
    }

    unsafe fn post_alloc(&self, actual: *mut u8, frame: &mut Frame) -> *mut u8 {
        if actual.is_null() {
            self.tell(|spy| spy.post_alloc(frame.request(), None));
            return actual;
        }
        *frame = frame.at(actual);
        // SAFETY: the caller promises a block of the frame's total, which nobody uses.
        unsafe { actual.write_bytes(0, frame.before) };
        // SAFETY: the room before the block is within it.
        let given = unsafe { actual.add(frame.before) };
        // SAFETY: as for the room before.
        unsafe { clear_after(given, *frame) };
        // SAFETY: nobody knows the block yet.
        let mut block = unsafe { lent(given, Some(*frame), Lent::All) };
        self.tell(|spy| spy.post_alloc(frame.request(), Some(&mut block)));
        given
    }

    unsafe fn pre_free(&self, request: *mut u8, spyed: Option<Frame>) -> *mut u8 {
        // SAFETY: the caller promises that nothing uses the block any more.
        let mut block = unsafe { lent(request, spyed, Lent::All) };
        self.tell(|spy| spy.pre_free(&mut block));
        start(request, spyed)
    }

    fn post_free(&self, spyed: Option<Frame>) {
        self.tell(|spy| spy.post_free(spyed.is_some()));
    }

    unsafe fn pre_realloc(
        &self,
        request: *mut u8,
        size: usize,
        family: Family,
        spyed: Option<Frame>,
    ) -> (Plan, *mut u8) {
        let wanted = Request { size, family };
        if request.is_null() {
            let plan = self.tell(|spy| {
                let frame = Frame::around(wanted, spy.margins(wanted));
                frame.plan(spy.pre_realloc(wanted, None))
            });
            return (plan, request);
        }
        // SAFETY: the margins are the spy's alone, and the caller promises a call without others.
        let mut block = unsafe { lent(request, spyed, Lent::Margins) };
        let verdict = self.tell(|spy| spy.pre_realloc(wanted, Some(&mut block)));
        let frame = match spyed {
            Some(frame) => Frame { size, ..frame },
            None => Frame::around(wanted, Margins::default()),
        };
        (frame.plan(verdict), start(request, spyed))
    }

    unsafe fn post_realloc(
        &self,
        actual: *mut u8,
        frame: &mut Frame,
        spyed: Option<Frame>,
    ) -> *mut u8 {
        let request = frame.request();
        if actual.is_null() {
            self.tell(|spy| spy.post_realloc(request, None, spyed.is_some()));
            return actual;
        }
        *frame = frame.at(actual);
        if spyed.is_none() {
            // A new block, or one that has no margins.
            // SAFETY: the caller promises a block of the frame's total, which nobody uses.
            unsafe { actual.write_bytes(0, frame.before) };
        }
        // SAFETY: the room before the block is within it.
        let given = unsafe { actual.add(frame.before) };
        // SAFETY: as for the room before.
        unsafe { clear_after(given, *frame) };
        // SAFETY: the margins are the spy's alone.
        let mut block = unsafe { lent(given, Some(*frame), Lent::Margins) };
        self.tell(|spy| spy.post_realloc(request, Some(&mut block), spyed.is_some()));
        given
    }

    fn pre_get_size(&self, request: *mut u8, spyed: Option<Frame>) -> *mut u8 {
        self.tell(|spy| spy.pre_get_size(&named(request, spyed)));
        start(request, spyed)
    }

    fn post_get_size(&self, actual: Option<usize>, spyed: Option<Frame>) -> Option<usize> {
        let size = actual.map(|actual| spyed.map_or(actual, |frame| frame.size));
        self.tell(|spy| spy.post_get_size(size, spyed.is_some()));
        size
    }

    fn pre_did_alloc(&self, request: *mut u8, spyed: Option<Frame>) -> *mut u8 {
        self.tell(|spy| spy.pre_did_alloc(&named(request, spyed)));
        start(request, spyed)
    }

    fn post_did_alloc(&self, request: *mut u8, spyed: Option<Frame>, actual: DidAlloc) -> i32 {
        self.tell(|spy| spy.post_did_alloc(&named(request, spyed), actual));
        actual.as_raw()
    }

    fn pre_heap_minimize(&self) {
        self.tell(|spy| spy.pre_heap_minimize());
    }

    fn post_heap_minimize(&self) {
        self.tell(|spy| spy.post_heap_minimize());
    }
}

/// Makes the room after a block zeros.
///
/// # Safety
///
/// * `given` is the caller's pointer to a block of that frame, and nobody uses that room.
unsafe fn clear_after(given: *mut u8, frame: Frame) {
    // SAFETY: the caller's bytes are within the block.
    let after = unsafe { given.add(frame.size) };
    // SAFETY: the caller promises room for so many bytes there.
    unsafe { after.write_bytes(0, frame.after) };
}
