//! Arrays of resources, and how many elements of them count.

use core::ffi::c_void;
use core::ptr;

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::verdict::is_live;
use super::{
    Books, Call, Crossing, Declared, Generation, Held, Kind, Name, Parameter, Standing, Watched,
    What, books, hash, hold, standing, unsound,
};
use crate::audit::ledger::{Callbacks, Role};
use crate::audit::rules::Rule;

/// An array whose elements are looked at.
#[derive(Debug)]
pub(super) struct Elements {
    place: Storage,
    /// How many there are, when the call has returned; null if all that there is room for.
    count: *const u32,
    /// What was in them when it began.
    entered: Vec<*mut c_void, System>,
    /// The blocks among it, by address and number.
    before: Vec<Entered, System>,
}

/// An element that was there when the call began, and its number.
#[derive(Clone, Copy, Debug)]
struct Entered {
    held: Held,
    index: u32,
}

impl Elements {
    fn new(place: Storage, count: *const u32) -> Self {
        Self {
            place,
            count,
            entered: Vec::new_in(System),
            before: Vec::new_in(System),
        }
    }

    /// A block that was there when the call began, as the first element that had it.
    fn first_before(&self, value: *mut c_void) -> Option<&Entered> {
        let address = value.addr();
        let at = self
            .before
            .partition_point(|entered| entered.held.pointer.addr() < address);
        let found = self.before.get(at)?;
        (found.held.pointer.addr() == address).then_some(found)
    }

    /// A block that was there when the call began.
    pub(super) fn before(&self, value: *mut c_void) -> Option<&Held> {
        self.first_before(value).map(|entered| &entered.held)
    }

    /// How many there are now; `None` if all that there is room for.
    fn count(&self) -> Option<u32> {
        // SAFETY: the promise of whoever declared it.
        unsafe { self.count.as_ref() }.copied()
    }

    /// The variable for an array that the callee allocates.
    pub(super) fn handed(&self) -> Option<*mut *mut c_void> {
        match self.place {
            Storage::Handed(slot) => Some(slot),
            Storage::Callers { .. } => None,
        }
    }

    /// The caller's array, and how many elements it has now; `None` if it is gone.
    fn callers(&self, books: &mut Books) -> Option<(*mut *mut c_void, u32)> {
        match self.place {
            Storage::Callers {
                start,
                room,
                memory,
            } => {
                let count = self.count().map_or(room, |count| count.min(room));
                memory.is_there(books, start).then_some((start, count))
            }
            Storage::Handed(_) => None,
        }
    }

    /// Whether a block that was in the caller's array when the call began is in it now.
    pub(super) fn still_has(&self, books: &mut Books, is_it: impl Fn(&Held) -> bool) -> bool {
        let Some((start, count)) = self.callers(books) else {
            return false;
        };
        let has = |value: *mut c_void| {
            // SAFETY: within the array, and initialised.
            (0..count).any(|index| unsafe { element(start, index) } == value)
        };
        self.before
            .iter()
            .any(|entered| is_it(&entered.held) && has(entered.held.pointer))
    }
}

/// The addresses in the first elements of an array, in order.
///
/// # Safety
///
/// * They are initialised.
unsafe fn values(start: *mut *mut c_void, count: u32) -> Vec<usize, System> {
    let mut values = Vec::new_in(System);
    for index in 0..count {
        if values.try_reserve(1).is_ok() {
            // SAFETY: the caller's promise.
            values.push(unsafe { element(start, index) }.addr());
        }
    }
    values.sort_unstable();
    values
}

#[derive(Clone, Copy, Debug)]
enum Storage {
    /// The callee's, whose address is in this variable.
    Handed(*mut *mut c_void),
    /// The caller's, with room for so many.
    Callers {
        start: *mut *mut c_void,
        room: u32,
        memory: Memory,
    },
}

/// What a caller's array lies in. The callee may have freed it, and then nobody may read the array.
#[derive(Clone, Copy, Debug)]
enum Memory {
    /// An audited block, its start or not.
    Block(usize, Generation),
    /// One from before the session.
    Plain,
    /// Nothing of the heap's.
    Elsewhere,
}

impl Memory {
    fn of(books: &Books, standing: Standing) -> Self {
        let is_block = !matches!(standing, Standing::Null | Standing::Foreign);
        match standing.key().and_then(|key| Some((key, books.get(key)?))) {
            Some((key, entry)) => Self::Block(key, entry.generation()),
            None if is_block => Self::Plain,
            None => Self::Elsewhere,
        }
    }

    /// Whether an array in it can still be read.
    fn is_there(self, books: &mut Books, start: *mut *mut c_void) -> bool {
        match self {
            Self::Block(key, generation) => is_live(books, key, generation),
            Self::Plain => standing(books, start.cast(), What::Block) != Standing::Foreign,
            Self::Elsewhere => true,
        }
    }
}

impl Crossing {
    /// An \[out\] array that the callee allocates, of elements that it allocates (R32), unless they stay its own
    /// ([`stays_callees`](Parameter::stays_callees)), which the array does not: `parameter` says what an element is, `slot` is the variable for the array, `count` the one for the number of its elements. Elements that are
    /// interface pointers are no blocks: the array is judged, and their references are not counted. So it is without a
    /// `count`.
    ///
    /// # Safety
    ///
    /// * `slot` is as for [`output`](Self::output).
    /// * `count` is null, or points to an initialised number that is there until the crossing has ended. On success it is no
    ///   more than the elements that the array really has, all of them initialised; and so on failure, of a method that
    ///   [may fail with outs](Self::may_fail_with_outs) and hands an array out.
    pub unsafe fn output_array(
        &mut self,
        parameter: Parameter<'_>,
        slot: *mut *mut c_void,
        count: *const u32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { self.output(Parameter::block(parameter.name), slot) };
        if slot.is_null() || count.is_null() {
            return;
        }
        if self.id != 0 {
            let elements = Elements::new(Storage::Handed(slot), count);
            self.declare(&mut books(), &parameter, Watched::Elements(elements));
        }
    }

    /// An array of the caller's with room for `capacity` elements, of which the first `entering` are initialised when
    /// the call begins, and as many as `count` then says when it ends: \[in,out\], or \[out\] with none entering.
    /// Each that enters is the callee's to free and to replace, as an [`in_out`](Self::in_out) value is: it is no other
    /// parameter's (R37), and a call that fails leaves it as it was, or NULL (R17). Elements that are no longer in the array
    /// have to be freed by then, or are handed out one day (R34). Those that are interface pointers are no blocks:
    /// their references are not counted. An array that is a block itself is lent as an \[in\] one is: the callee may not free
    /// it (R1). Elements that stay the callee's may be anything, before the call and after it.
    ///
    /// A method whose caller may pass NULL for the count, as that of `IEnumString::Next` for one element, fills all that there
    /// is room for. So `count` may be null. The elements that do not enter then hold NULL when the callee is called, and
    /// those that it did not set hold it still.
    ///
    /// # Safety
    ///
    /// * `start` is null, or points to room for `capacity` pointers, which nobody but the callee uses until the crossing has
    ///   ended; the first `entering` are initialised, and each is as for [`in_out`](Self::in_out).
    /// * `count` is null, or points to an initialised number that is there until then. When the call has returned, so many
    ///   elements are initialised, or all, if that is less.
    pub unsafe fn array(
        &mut self,
        parameter: Parameter<'_>,
        start: *mut *mut c_void,
        capacity: u32,
        entering: u32,
        count: *const u32,
    ) {
        if self.id == 0 || start.is_null() {
            return;
        }
        let entering = entering.min(capacity);
        let mut books = books();
        let books = &mut *books;
        let Some(memory) = self.lend_array(books, &parameter, start) else {
            return;
        };
        if count.is_null() {
            for index in entering..capacity {
                // SAFETY: within the caller's array.
                unsafe { start.wrapping_add(index as usize).write(ptr::null_mut()) };
            }
        }
        let name = books.crossed.name(parameter.name);
        let place = Storage::Callers {
            start,
            room: capacity,
            memory,
        };
        let mut elements = Elements::new(place, count);
        for index in 0..entering {
            // SAFETY: within the caller's array, and initialised.
            let value = unsafe { element(start, index) };
            if parameter.what == What::Interface {
                // Whoever has an interface of the caller's may call it.
                if !value.is_null() {
                    books.crossed.calls_back(self.id, Callbacks::Possible);
                }
                continue;
            }
            if parameter.stays_callees {
                break;
            }
            if elements.entered.try_reserve(1).is_err() || elements.before.try_reserve(1).is_err() {
                break;
            }
            elements.entered.push(value);
            match standing(books, value, parameter.what) {
                Standing::Null => {}
                Standing::Live(key) => {
                    // SAFETY: live, and the caller's.
                    let held = unsafe { hold(books, key, value, parameter.what) };
                    elements.before.push(Entered { held, index });
                }
                standing => {
                    let words = unsound!("an element", standing);
                    let call = self.call_of_element(name, index);
                    let key = standing.key();
                    self.tell(books, Kind::ElementInvalid, call, words, key);
                    self.blame_if_gone(books, standing);
                }
            }
        }
        elements
            .before
            .sort_unstable_by_key(|entered| (entered.held.pointer.addr(), entered.index));
        self.lend_elements(books, name, &elements);
        self.declare(books, &parameter, Watched::Elements(elements));
    }

    /// The memory of the caller's array is the caller's: lent, if it is a block. Gives what it lies in; `None` if that was freed, which
    /// is told.
    fn lend_array(
        &mut self,
        books: &mut Books,
        parameter: &Parameter<'_>,
        start: *mut *mut c_void,
    ) -> Option<Memory> {
        let standing = standing(books, start.cast(), What::Block);
        let name = books.crossed.name(parameter.name);
        if let Standing::Freed(key) = standing {
            let words = "the array is {block} that was freed";
            self.tell(
                books,
                Kind::ElementInvalid,
                self.call(name),
                words,
                Some(key),
            );
            self.blame_if_gone(books, standing);
            return None;
        }
        let memory = Memory::of(books, standing);
        if let Standing::Live(key) = standing {
            // SAFETY: live; the contents of a block are not looked at.
            let held = unsafe { hold(books, key, start.cast(), What::Block) };
            // Another parameter may say that the callee frees it.
            let is_lent = held
                .known
                .is_some_and(|(_, known)| books.crossed.lent_to(self.id, known).is_some());
            if !is_lent {
                let block = Some(held);
                self.declare(
                    books,
                    &Parameter::block(parameter.name),
                    Watched::In { block },
                );
                self.lend(books, self.call(name), block, false);
            }
        }
        Some(memory)
    }

    /// Each element is the callee's to free and to replace, as an \[in,out\] value is.
    fn lend_elements(&mut self, books: &mut Books, name: Option<Name>, elements: &Elements) {
        for (index, value) in (0..).zip(&elements.entered) {
            let Some(first) = elements.first_before(*value) else {
                continue;
            };
            let held = first.held;
            let call = self.call_of_element(name, index);
            let is_first = first.index == index;
            if is_first {
                self.lend(books, call, Some(held), true);
            }
            if !is_first
                || self
                    .declared
                    .iter()
                    .any(|other| other.has_alias(&held, true))
            {
                self.tell_alias(books, call, &held);
            }
        }
    }

    /// What is not in the array any more is the callee's now: to free it (R34), or to hand it out, in this call or one day.
    pub(super) fn give_up_elements(
        &self,
        books: &mut Books,
        declared: &Declared,
        elements: &Elements,
    ) {
        if elements.before.is_empty() {
            return;
        }
        let Some((start, count)) = elements.callers(books) else {
            return;
        };
        // SAFETY: as many are initialised, by the promise of whoever declared it.
        let there = unsafe { values(start, count) };
        for Entered { held, .. } in &elements.before {
            if let Some((key, generation)) = held.known
                && is_live(books, key, generation)
                && there.binary_search(&held.pointer.addr()).is_err()
            {
                let words = "{block} was left behind by the array, and never freed";
                let call = self.call(Some(declared.name));
                let kind = (Kind::ElementLeaked, Rule::only(34));
                self.hand_over(books, (key, generation), kind, call, words);
            }
        }
    }

    /// Looks at the elements of an array when the call has returned.
    pub(super) fn judge_elements(
        &self,
        books: &mut Books,
        declared: &Declared,
        elements: &Elements,
        failed: bool,
    ) {
        let (start, room, array) = match elements.place {
            Storage::Callers {
                start,
                room,
                memory,
            } => {
                // That the callee freed it was told.
                if !memory.is_there(books, start) {
                    return;
                }
                (start, room, None)
            }
            Storage::Handed(slot) => {
                // SAFETY: the promise of whoever declared it.
                let start = unsafe { slot.read() };
                let standing = standing(books, start, What::Block);
                let entry = standing.key().and_then(|key| books.get(key));
                let room = match standing {
                    Standing::Live(_) => entry.map_or(u32::MAX, |entry| {
                        u32::try_from(entry.size / size_of::<*mut c_void>()).unwrap_or(u32::MAX)
                    }),
                    Standing::Null => 0,
                    // That was told.
                    _ => return,
                };
                let array = entry.map(|entry| (standing.key(), entry.generation()));
                (start.cast(), room, array)
            }
        };
        // What the count says of no array means nothing after a failure.
        let is_array_out = elements.handed().is_some() && !start.is_null();
        let failed = failed && !(self.may_fail_with_outs && is_array_out);
        let count = elements.count().unwrap_or(room);
        if count > room && !failed {
            let words = "the count says more elements than the array has room for";
            let key = array.and_then(|(key, _)| key);
            let call = self.call(Some(declared.name));
            self.tell(books, Kind::ElementInvalid, call, words, key);
        }
        if declared.what == What::Interface || declared.stays_callees {
            return;
        }
        let count = count.min(room);
        if failed {
            return match elements.place {
                Storage::Callers { .. } => self.judge_left(books, declared, elements, start, count),
                // Of a block that is not audited nobody knows what was written to it.
                Storage::Handed(_) if array.is_none() => {}
                Storage::Handed(_) => self.blame_elements(books, declared, start, count),
            };
        }
        let array = array.map(|(_, generation)| generation);
        // Blocks that were there when the call began, and are.
        let mut kept = Vec::new_in(System);
        for index in 0..count {
            // SAFETY: within the array, and initialised.
            let value = unsafe { element(start, index) };
            let old = elements.before(value);
            if let Some(old) = old.filter(|old| self.is_there(books, old, declared.what)) {
                if kept.try_reserve(1).is_ok() {
                    kept.push((value.addr(), index, old.key()));
                }
                continue;
            }
            // What was unsound when the call began was told.
            let entered = elements.entered.get(index as usize);
            let is_told = old.is_none() && entered == Some(&value);
            self.judge_element(books, declared, (value, index), array, is_told);
        }
        kept.sort_unstable_by_key(|(address, index, _)| (*address, *index));
        for pair in kept.windows(2) {
            let ((first, ..), (second, index, key)) = (pair[0], pair[1]);
            if first == second && !is_blamed(books, key) {
                let words = "{block} was handed out that the array has already";
                let call = self.call_of_element(Some(declared.name), index);
                self.tell(books, Kind::OutNotACopy, call, words, key);
                self.blame(books, key);
            }
        }
    }

    /// The call failed: each element that entered is as it was, or NULL with the block freed (R17), and what was put into the
    /// array is gone (R14, R33). That elements changed places is no matter.
    fn judge_left(
        &self,
        books: &mut Books,
        declared: &Declared,
        elements: &Elements,
        start: *mut *mut c_void,
        count: u32,
    ) {
        let entered = u32::try_from(elements.entered.len()).unwrap_or(u32::MAX);
        let looked_at = count.max(entered);
        // SAFETY: so many are initialised when the call has returned, and those that entered were when it began.
        let there = unsafe { values(start, looked_at) };
        for index in 0..looked_at {
            // SAFETY: as above.
            let value = unsafe { element(start, index) };
            let call = self.call_of_element(Some(declared.name), index);
            let before = elements.entered.get(index as usize).copied();
            let is_element = index < count;
            let mut is_told = false;
            if let Some(held) = elements.before(value) {
                let is_in_place = before == Some(value);
                self.judge_kept(books, declared, call, held, is_element, is_in_place);
            } else if before.is_none() {
                self.judge_added(books, declared, call, (value, index));
            } else if before != Some(value) && is_element && !value.is_null() {
                self.judge_put(books, declared, call, value);
                is_told = true;
            }
            // What stood there, and stands nowhere any more.
            let lost = before
                .filter(|before| there.binary_search(&before.addr()).is_err())
                .and_then(|before| elements.before(before))
                .filter(|held| self.is_there(books, held, declared.what));
            if let Some(held) = lost {
                let key = held.key();
                let words = if value.is_null() {
                    "the call failed, and NULL stands in place of {block}"
                } else {
                    "the call failed, and another value stands in place of {block}"
                };
                if !is_told {
                    self.tell(books, Kind::InoutChangedOnFailure, call, words, key);
                }
                self.blame(books, key);
            }
        }
    }

    /// A block that was in the array is in it after a failure.
    fn judge_kept(
        &self,
        books: &mut Books,
        declared: &Declared,
        call: Call,
        held: &Held,
        is_element: bool,
        is_in_place: bool,
    ) {
        let key = held.key();
        if is_blamed(books, key) {
            return;
        }
        if !self.is_there(books, held, declared.what) {
            if is_element {
                let words = "the call failed, and an element is {block} that it freed";
                self.tell(books, Kind::ElementInvalid, call, words, key);
                self.blame(books, key);
            }
        // SAFETY: live, and nobody uses the caller's value before the crossing has ended.
        } else if unsafe { hash(books, held, declared.what) } != held.hash && is_in_place {
            let words = "the call failed, and {block} was written to";
            self.tell(books, Kind::InoutChangedOnFailure, call, words, key);
        }
    }

    /// Something stands in place of an element after a failure.
    fn judge_put(&self, books: &mut Books, declared: &Declared, call: Call, value: *mut c_void) {
        let standing = standing(books, value, declared.what);
        let key = standing.key();
        if matches!(standing, Standing::Live(_)) {
            let words = "the call failed, and {block} stands in place of the old value";
            self.tell(books, Kind::InoutChangedOnFailure, call, words, key);
            if let Some(key) = key {
                self.receive(books, key, call, Role::InOut);
            }
        } else {
            let words = unsound!("an element", standing);
            self.tell(books, Kind::ElementInvalid, call, words, key);
            self.blame(books, key);
        }
    }

    /// Something was put behind the elements that entered, and is there after a failure.
    fn judge_added(
        &self,
        books: &mut Books,
        declared: &Declared,
        call: Call,
        (value, index): (*mut c_void, u32),
    ) {
        if self.may_fail_with_outs {
            return self.judge_element(books, declared, (value, index), None, false);
        }
        if let Standing::Live(Some(key)) = standing(books, value, declared.what)
            && books.get(key).is_some_and(|entry| entry.id > self.first)
        {
            let words = "the call failed, and {block} was left in the array";
            let kind = (Kind::OutSetOnFailure, Rule::only(14));
            self.tell_of(books, kind, call, words, Some(key));
            self.blame(books, Some(key));
        }
    }

    /// The call failed, and that an array was handed out was told: what is in it is no mistake of its own.
    fn blame_elements(
        &self,
        books: &mut Books,
        declared: &Declared,
        start: *mut *mut c_void,
        count: u32,
    ) {
        for index in 0..count {
            // SAFETY: within the block, whose bytes the audit has filled.
            let value = unsafe { element(start, index) };
            let standing = standing(books, value, declared.what);
            self.blame(books, standing.key());
        }
    }

    fn judge_element(
        &self,
        books: &mut Books,
        declared: &Declared,
        (value, index): (*mut c_void, u32),
        array: Option<Generation>,
        is_told: bool,
    ) {
        let call = self.call_of_element(Some(declared.name), index);
        match standing(books, value, declared.what) {
            Standing::Null | Standing::Live(None) => {}
            Standing::Live(Some(key)) => {
                let role = array.map_or(Role::Out, Role::Element);
                self.receive(books, key, call, role);
            }
            standing => {
                let key = standing.key();
                if !is_told && !is_blamed(books, key) {
                    let words = unsound!("an element", standing);
                    self.tell(books, Kind::ElementInvalid, call, words, key);
                    self.blame(books, key);
                }
            }
        }
    }

    /// This call, and an element of one of its parameters.
    fn call_of_element(&self, parameter: Option<Name>, index: u32) -> Call {
        Call {
            element: Some(index),
            ..self.call(parameter)
        }
    }
}

/// Whether nothing more is told of a block.
fn is_blamed(books: &Books, key: Option<usize>) -> bool {
    key.and_then(|key| books.get(key))
        .is_some_and(|entry| entry.is_blamed)
}

/// The element of that number.
///
/// # Safety
///
/// * The array has it, initialised.
unsafe fn element(start: *mut *mut c_void, index: u32) -> *mut c_void {
    let at = start.wrapping_add(index as usize);
    // SAFETY: the caller's promise.
    unsafe { at.read() }
}
