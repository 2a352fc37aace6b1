//! An annotated call, from its beginning to the verdict: the untyped core that the typed calls of Rust, the functions
//! of C and the proxies stand on.
//!
//! ```text
//!  Crossing::begin ── input, output, in_out, buffer, … ── the call itself ── end(failed)
//!        │                     │                              │                 │
//!        │ the thread is       │ looks up, hashes, plants     │ judge, overseer │ compares, tells, clears what
//!        │ in the call now     │ a sentinel, tells what       │ ask the books   │ the caller could not free;
//!        │                     │ is wrong at entry            │ (ledger/crossed)│ abandon: after a panic
//! ```
//!
//! [`Crossing`] says how it is used.
//!
//! Rules that the code keeps:
//!
//! * Nothing but memory of the parameters' own is read: a BSTR's bytes by its prefix as far as its block goes, an array's elements by its count and by how many entered.
//! * What was told is made harmless. An \[in\] block that the callee frees stays the caller's; a variable that holds what
//!   the caller could not free holds NULL afterwards; what else follows from it is not told again (`is_blamed`).
//! * Without a session all of it does nothing.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr;
use std::sync::OnceLock;

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::current::{crossing, current, enter_crossing, expect_end, frame};
use super::judge::of_call;
use super::ledger::{
    Books, Call, Callbacks, Claim, CrossingId, Deed, Facts, Generation, Lent, Name, Open, Party,
    Pending, SessionId, books,
};
use super::rules::{Kind, Rule};
use super::sentinel;
use super::site::Stack;
use crate::task::mode;

mod array;
mod buffer;
mod elements;
mod interface;
mod parameter;
mod standing;
mod verdict;

use buffer::Buffer;
use elements::Elements;
use interface::{DECOY, Direction};
pub use parameter::{Parameter, What};
use standing::{Held, Standing, hash, hold, is_pinned, standing, unsound};

/// A parameter, as the crossing has it.
#[derive(Debug)]
struct Declared {
    name: Name,
    what: What,
    is_member: bool,
    /// It is what the function returned.
    is_returned: bool,
    stays_callees: bool,
    watched: Watched,
}

impl Declared {
    /// Whether it holds a block that another parameter is, and one of the two is \[in,out\].
    fn has_alias(&self, held: &Held, is_in_out: bool) -> bool {
        match &self.watched {
            Watched::In { block: Some(own) } => is_in_out && own.pointer == held.pointer,
            Watched::InOut {
                block: Some(own), ..
            } => own.pointer == held.pointer,
            Watched::Elements(elements) => elements.before(held.pointer).is_some(),
            _ => false,
        }
    }

    /// The sentinel in its variable.
    fn planted(&self) -> Option<usize> {
        match self.watched {
            Watched::Out { planted, .. } | Watched::Interface(Direction::Out { planted, .. }) => {
                planted
            }
            _ => None,
        }
    }
}

#[derive(Debug)]
enum Watched {
    /// \[in\].
    In { block: Option<Held> },
    /// \[out\]: the variable, what it held, and what was planted there.
    Out {
        slot: *mut *mut c_void,
        before: *mut c_void,
        planted: Option<usize>,
    },
    /// \[in,out\]: the variable, and what it held.
    InOut {
        slot: *mut *mut c_void,
        before: *mut c_void,
        block: Option<Held>,
        is_told: bool,
    },
    /// A caller-sized buffer.
    Buffer(Buffer),
    /// The elements of an array.
    Elements(Elements),
    /// An interface pointer.
    Interface(Direction),
}

/// An annotated call that is under way: the untyped core of [`crossing`](crate::crossing), for proxies and for other languages.
///
/// 1. [`begin`](Self::begin) with the method's name, and [`on`](Self::on) with the object's address, if there is one.
/// 2. One call for each parameter that is a resource, with a [`Parameter`] that says what it is. What is passed by value is
///    none. The methods that take a variable's address change what it holds: the call itself must be made with the same
///    variable, after them. [`buffer`](Self::buffer) gives the address to call with.
/// 3. The call.
/// 4. [`end`](Self::end) says whether it failed. A value that the function returned is declared by
///    [`returned`](Self::returned) just before.
///
/// One that is dropped was abandoned: the callee panicked. One that is neither ended nor dropped, because the callee never
/// returned, leaves nothing behind that points anywhere. Without a session nothing is done at all.
///
/// # Examples
///
/// A method that takes a BSTR, over raw pointers:
///
/// ```
/// use olemem::audit::{Crossing, Kind, Parameter, Session};
/// use olemem::{Bstr, raw};
///
/// /// Frees what it was lent.
/// fn put_text(text: *mut u16) -> i32 {
///     // SAFETY: the audit keeps the caller's string.
///     unsafe { raw::free(text) };
///     0
/// }
///
/// let session = Session::begin();
/// let text = Bstr::from("text");
/// let mut call = Crossing::begin("IText::put_Text");
/// // SAFETY: the string lives until the call has ended.
/// unsafe { call.input(Parameter::bstr("text"), text.as_raw().cast()) };
/// let result = put_text(text.as_raw().cast_mut());
/// call.end(result < 0);
/// drop(text);
/// session.finish().assert_kinds([Kind::InFreedByCallee]);
/// ```
#[derive(Debug)]
#[must_use = "a crossing that is dropped at once counts as abandoned"]
pub struct Crossing {
    /// 0 if nothing is watched.
    id: CrossingId,
    session: SessionId,
    method: Name,
    /// Whose method it is, and who called.
    party: Party,
    caller: Party,
    /// The call that the thread was in before.
    before: CrossingId,
    /// Blocks that the session had allocated when it began.
    first: u64,
    declared: Vec<Declared, System>,
    may_fail_with_outs: bool,
    /// It is the thread's.
    this_thread: PhantomData<*const ()>,
}

impl Crossing {
    /// Begins a call in the session that this thread is in.
    pub fn begin(method: &str) -> Self {
        // If the whole process is to be watched that begins now, or the call would be in no session.
        mode::get();
        Self::begin_in(current(), method, frame())
    }

    /// The same in a session; `frame` is a place on the stack of whoever calls.
    pub(crate) fn begin_in(session: SessionId, method: &str, frame: usize) -> Self {
        expect_end();
        let mut books = books();
        let session = books.effective(session);
        let before = books.crossed.innermost(crossing(), frame);
        let mut this = Self {
            id: 0,
            session,
            method: Name(""),
            party: Party::Program,
            caller: books.crossed.caller(before),
            before,
            first: books
                .session(session)
                .map_or(0, |book| book.counts.allocated),
            declared: Vec::new_in(System),
            may_fail_with_outs: false,
            this_thread: PhantomData,
        };
        if session == 0 {
            return this;
        }
        let interface = method
            .rsplit_once("::")
            .map_or(method, |(interface, _)| interface);
        let (Some(name), Some(interface)) =
            (books.crossed.name(method), books.crossed.name(interface))
        else {
            return this;
        };
        this.method = name;
        this.party = Party::Named(interface);
        let open = Open {
            id: 0,
            session,
            outer: before,
            method: name,
            party: this.party,
            frame,
            callbacks: Callbacks::Unknown,
        };
        if let Some(id) = books.crossed.begin(open) {
            this.id = id;
            enter_crossing(id);
        }
        this
    }

    /// Whether it is judged: there is a session, and there was memory.
    pub(crate) fn is_watched(&self) -> bool {
        self.id != 0
    }

    /// Runs code of the caller's while the call is under way: what it frees the callee did not.
    pub(crate) fn as_caller<T>(&self, code: impl FnOnce() -> T) -> T {
        if self.id == 0 {
            return code();
        }
        enter_crossing(self.before);
        let result = code();
        enter_crossing(self.id);
        result
    }

    /// Tells that what an object gave is not of its identity (R49).
    pub(crate) fn tell_identity(&self) {
        let words = "an object gave different pointers for IUnknown";
        self.tell(
            &mut books(),
            Kind::IdentityBroken,
            self.call(None),
            words,
            None,
        );
    }

    /// Declares a parameter.
    fn declare(&mut self, books: &mut Books, parameter: &Parameter<'_>, watched: Watched) {
        let Some(name) = books.crossed.name(parameter.name) else {
            return;
        };
        if self.declared.try_reserve(1).is_ok() {
            self.declared.push(Declared {
                name,
                what: parameter.what,
                is_member: parameter.is_member,
                is_returned: false,
                stays_callees: parameter.stays_callees,
                watched,
            });
        }
    }

    /// This call and one of its parameters, for a story.
    fn call(&self, parameter: Option<Name>) -> Call {
        Call {
            method: self.method,
            parameter,
            element: None,
        }
    }

    /// Tells what is wrong with a parameter.
    fn tell(
        &self,
        books: &mut Books,
        kind: Kind,
        call: Call,
        words: &'static str,
        key: Option<usize>,
    ) {
        self.tell_of(books, (kind, kind.rules()), call, words, key);
    }

    /// The same, of those rules of the kind's that it breaks.
    fn tell_of(
        &self,
        books: &mut Books,
        (kind, rules): (Kind, &'static [Rule]),
        call: Call,
        words: &'static str,
        key: Option<usize>,
    ) {
        let entry = key.and_then(|key| books.get(key));
        let mut record = of_call(kind, Deed::End, words, call);
        record.rules = rules;
        record.block = entry.as_ref().map(super::judge::facts);
        books.tell(self.session, record, &Stack::here());
    }

    /// The object whose method it is: any address that is the object's own. Without one it is the part of the method's name
    /// before `::`.
    pub fn on(&mut self, object: *const c_void) {
        self.party = Party::Object(!object.addr());
        if let Some(open) = books().crossed.open_mut(self.id) {
            open.party = self.party;
        }
    }

    /// Code of the caller's runs while the call is under way, through an interface or a function that the callee has. What
    /// is freed then and is the caller's counts as freed by its own code. A block that the callee frees wrongly is told
    /// when its owner frees it once more, as a `double-free` that names both.
    ///
    /// Without this, a callee that was given an interface, or of whose earlier calls this was said, is told of with a
    /// warning: it may not have been the one that freed. A callback that is an annotated call of its own needs neither.
    pub fn calls_back(&mut self) {
        books().crossed.calls_back(self.id, Callbacks::Declared);
    }

    /// The method may fail and hand something out all the same (R14 does not hold for it): its \[out\] values are then
    /// judged as those of a success, and so are the elements of arrays, but for those that entered (R17).
    pub fn may_fail_with_outs(&mut self) {
        self.may_fail_with_outs = true;
    }

    /// What a variable held: for a value that was read from one after this call had it as an \[out\] parameter, and any
    /// other value as it is. C and C++ evaluate arguments in any order, `VarBstrCat(s, t, &s)` from its end, say.
    #[cfg(feature = "export")]
    pub(crate) fn held_before(&self, value: *const c_void) -> *const c_void {
        let held = self
            .declared
            .iter()
            .find_map(|declared| match declared.watched {
                Watched::Out {
                    planted, before, ..
                }
                | Watched::Interface(Direction::Out {
                    planted, before, ..
                }) if planted.is_some_and(|index| value == sentinel::of(index).cast()) => {
                    Some(before.cast_const())
                }
                _ => None,
            });
        held.unwrap_or(value)
    }

    /// An \[in\] parameter.
    ///
    /// # Safety
    ///
    /// * `value` is null, or a live resource of what the parameter says, or any address that is none; its contents are
    ///   not written until the call is made.
    pub unsafe fn input(&mut self, parameter: Parameter<'_>, value: *const c_void) {
        if self.id == 0 {
            return;
        }
        if parameter.what == What::Interface {
            return self.lend_interface(&parameter, value.cast_mut());
        }
        let mut books = books();
        let books = &mut *books;
        let standing = standing(books, value, parameter.what);
        let name = books.crossed.name(parameter.name);
        let is_sound = match standing {
            Standing::Null | Standing::Live(_) | Standing::Literal => true,
            // Pins keep it, and it may be read.
            Standing::Freed(key) if is_pinned(books, key) => true,
            Standing::Freed(_) if parameter.is_member => false,
            // A string that is no BSTR may come from anywhere (R30).
            _ => parameter.what != What::Bstr,
        };
        if !is_sound {
            let (kind, words) = if parameter.is_member {
                (
                    Kind::MemberUninitialised,
                    unsound!("what is passed in a structure", standing),
                )
            } else {
                (
                    Kind::InNotABstr,
                    unsound!("what is passed as a BSTR", standing),
                )
            };
            self.tell(books, kind, self.call(name), words, standing.key());
            self.blame_if_gone(books, standing);
        }
        let block = match standing {
            // SAFETY: live; the caller's promise.
            Standing::Live(key) => Some(unsafe { hold(books, key, value, parameter.what) }),
            _ => None,
        };
        // Only a BSTR is looked at again.
        let block = block.map(|held| match parameter.what {
            What::Bstr => held,
            _ => Held { hash: None, ..held },
        });
        self.declare(books, &parameter, Watched::In { block });
        self.lend(books, self.call(name), block, false);
        self.look_for_aliases(books, block, false);
    }

    /// An \[out\] parameter: the variable whose address the callee is given. What it holds is replaced by a sentinel until
    /// the call has ended; a variable that the callee never wrote to then holds again what it held.
    ///
    /// # Safety
    ///
    /// * `slot` is null, or points to a variable of a pointer's size that is there until the crossing has ended, and that
    ///   nobody but the callee uses meanwhile. It may hold any address.
    pub unsafe fn output(&mut self, parameter: Parameter<'_>, slot: *mut *mut c_void) {
        if self.id == 0 || slot.is_null() {
            return;
        }
        let mut books = books();
        let books = &mut *books;
        // SAFETY: the caller's promise.
        let before = unsafe { slot.read() };
        let name = books.crossed.name(parameter.name);
        let call = self.call(name);
        if parameter.what != What::Interface
            && let Standing::Live(Some(key)) = standing(books, before, parameter.what)
        {
            let words = "the variable held {block} when the call began, which was never freed";
            let kind = Kind::OutOwnedAtEntry;
            self.expect_free(books, key, (kind, kind.rules()), call, words);
        }
        let claim = Claim {
            crossing: self.id,
            session: self.session,
            call,
            rules: Kind::OutReadByCallee.rules(),
            is_told: false,
        };
        // Without one nothing would be known of the variable.
        let Some(index) = books.crossed.claim(claim) else {
            return;
        };
        let planted = Some(index);
        let is_interface = parameter.what == What::Interface;
        sentinel::plant(index, is_interface.then_some(&DECOY));
        // SAFETY: the caller's promise.
        unsafe { slot.write(sentinel::of(index).cast()) };
        let watched = if is_interface {
            Watched::Interface(Direction::Out {
                slot,
                before,
                planted,
            })
        } else {
            Watched::Out {
                slot,
                before,
                planted,
            }
        };
        self.declare(books, &parameter, watched);
    }

    /// An \[in,out\] parameter: the variable whose address the callee is given. A value that stays the callee's
    /// ([`stays_callees`](Parameter::stays_callees)), a pointer into a text that is moved on for example, may be anything,
    /// before the call and after it.
    ///
    /// # Safety
    ///
    /// * `slot` is null, or points to an initialised variable of a pointer's size that is there until the crossing has
    ///   ended, and that nobody but the callee uses meanwhile. What it holds is as for [`input`](Self::input).
    pub unsafe fn in_out(&mut self, parameter: Parameter<'_>, slot: *mut *mut c_void) {
        if self.id == 0 || slot.is_null() || parameter.stays_callees {
            return;
        }
        let mut books = books();
        let books = &mut *books;
        // SAFETY: the caller's promise.
        let before = unsafe { slot.read() };
        if parameter.what == What::Interface {
            return self.lend_interface_by_reference(books, &parameter, slot, before);
        }
        let name = books.crossed.name(parameter.name);
        let standing = standing(books, before, parameter.what);
        let mut is_told = false;
        let block = match standing {
            Standing::Null => None,
            // SAFETY: live; the caller's promise.
            Standing::Live(key) => Some(unsafe { hold(books, key, before, parameter.what) }),
            _ => {
                let (kind, words) = if parameter.is_member {
                    (
                        Kind::MemberUninitialised,
                        unsound!("what is passed in a structure", standing),
                    )
                } else {
                    (
                        Kind::InoutInvalid,
                        unsound!("what is passed as [in,out]", standing),
                    )
                };
                self.tell(books, kind, self.call(name), words, standing.key());
                self.blame_if_gone(books, standing);
                is_told = true;
                None
            }
        };
        let watched = Watched::InOut {
            slot,
            before,
            block,
            is_told,
        };
        self.declare(books, &parameter, watched);
        self.lend(books, self.call(name), block, true);
        self.look_for_aliases(books, block, true);
    }

    /// What the function returned: judged as an \[out\] value (R10). Said when the call was made, before
    /// [`end`](Self::end); the variable is the caller's own.
    ///
    /// # Safety
    ///
    /// * As for [`output`](Self::output), of a variable that holds what was returned.
    pub unsafe fn returned(&mut self, parameter: Parameter<'_>, slot: *mut *mut c_void) {
        if self.id == 0 || slot.is_null() {
            return;
        }
        let mut books = books();
        let (before, planted) = (ptr::null_mut(), None);
        let watched = match parameter.what {
            What::Interface => Watched::Interface(Direction::Out {
                slot,
                before,
                planted,
            }),
            _ => Watched::Out {
                slot,
                before,
                planted,
            },
        };
        self.declare(&mut books, &parameter, watched);
        if let Some(declared) = self.declared.last_mut() {
            declared.is_returned = true;
        }
    }

    /// A buffer of the caller's whose size it says (R31), \[out\] or \[in,out\]: what the callee is to be given in its
    /// place. When the crossing ends the caller's buffer holds what the callee wrote within the size.
    ///
    /// # Safety
    ///
    /// * `start` is null, or points to `bytes` bytes, initialised or not, that are there until the crossing has ended, and
    ///   that nobody else uses meanwhile.
    #[must_use = "the callee has to be given this one"]
    pub unsafe fn buffer(&mut self, name: &str, start: *mut u8, bytes: usize) -> *mut u8 {
        if self.id == 0 || start.is_null() {
            return start;
        }
        // SAFETY: the caller's promise.
        let Some(buffer) = (unsafe { Buffer::new(start, bytes) }) else {
            return start;
        };
        let given = buffer.start();
        let parameter = Parameter::block(name);
        self.declare(&mut books(), &parameter, Watched::Buffer(buffer));
        given
    }

    /// Remembers a block as lent to this call.
    fn lend(&self, books: &mut Books, call: Call, block: Option<Held>, is_in_out: bool) {
        let Some((_, generation)) = block.and_then(|held| held.known) else {
            return;
        };
        books.crossed.lend(Lent {
            crossing: self.id,
            generation,
            call,
            is_in_out,
            is_told: false,
        });
    }

    /// Tells if another parameter holds the same block as the last one, and one of them is \[in,out\] (R37).
    fn look_for_aliases(&mut self, books: &mut Books, block: Option<Held>, is_in_out: bool) {
        let (Some(held), Some((last, others))) = (block, self.declared.split_last()) else {
            return;
        };
        if others.iter().any(|other| other.has_alias(&held, is_in_out)) {
            let call = self.call(Some(last.name));
            self.tell_alias(books, call, &held);
        }
    }

    /// A block is passed twice.
    fn tell_alias(&mut self, books: &mut Books, call: Call, held: &Held) {
        let key = held.key();
        let words = "{block} is passed twice, once as [in,out]";
        self.tell(books, Kind::AliasedParameters, call, words, key);
        self.blame(books, key);
        // One of them may be freed, so neither is held to be lent.
        for declared in &mut self.declared {
            if let Watched::In { block } = &mut declared.watched
                && block.is_some_and(|other| other.pointer == held.pointer)
            {
                *block = None;
            }
        }
        if let Some((_, generation)) = held.known {
            books.crossed.take_back(self.id, generation);
        }
    }

    /// Has something told in place of a leak, should a block never be freed.
    fn expect_free(
        &self,
        books: &mut Books,
        key: usize,
        (kind, rules): (Kind, &'static [Rule]),
        call: Call,
        words: &'static str,
    ) {
        let Some(entry) = books.get(key) else {
            return;
        };
        if let Some(passage) = books.crossed.passes(entry.generation(), call) {
            passage.pending = Some(Pending {
                kind,
                rules,
                call,
                words,
            });
        }
    }

    /// The call was made and returned: the verdict. `failed` is what `FAILED(hr)` says; of a method that returns no
    /// `HRESULT` it is `false`.
    pub fn end(mut self, failed: bool) {
        self.leave(failed, true);
    }

    /// Gives the verdict, and the thread back to the call that it was in before.
    fn leave(&mut self, failed: bool, has_returned: bool) {
        if self.id == 0 {
            return;
        }
        self.judge(failed, has_returned);
        let mut books = books();
        for declared in &self.declared {
            if let Some(index) = declared.planted() {
                books.crossed.release(index, self.id);
            }
        }
        books.crossed.close(self.id);
        books.objects.forget(self.id);
        drop(books);
        enter_crossing(self.before);
        self.id = 0;
        if let Some(look) = AFTER.get() {
            look();
        }
    }
}

impl Drop for Crossing {
    /// The callee panicked: judged as a failure, as far as can be.
    fn drop(&mut self) {
        self.leave(true, false);
    }
}

/// What process mode does after each verdict.
static AFTER: OnceLock<fn()> = OnceLock::new();

/// Has something done after each verdict from now on.
#[cfg(all(unix, not(miri)))]
pub(super) fn after_each(look: fn()) {
    // Process mode begins once.
    let _ = AFTER.set(look);
}

/// Runs code in no call: what it does is the program's doing.
pub(crate) fn outside<T>(code: impl FnOnce() -> T) -> T {
    let within = crossing();
    enter_crossing(0);
    let result = code();
    enter_crossing(within);
    result
}

/// Knows a BSTR in static storage as one, so that it may be passed where an \[in\] BSTR is declared (R3).
pub fn register_literal(bstr: *const u16) {
    books().crossed.register(bstr.addr());
}
