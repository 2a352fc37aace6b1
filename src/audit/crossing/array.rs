//! Arrays of resources: what is declared of them, and how their elements are judged.

use core::ffi::c_void;
use core::ptr;

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::elements::{Elements, Entered, Found, Memory, Storage, element, values};
use super::interface::{Direction, Passed};
use super::verdict::is_live;
use super::{
    Books, Call, Crossing, Declared, Generation, Held, Kind, Name, Parameter, Standing, Watched,
    What, books, hash, hold, standing, unsound,
};
use crate::audit::ledger::{Callbacks, Role};
use crate::audit::rules::Rule;

impl Crossing {
    /// An \[out\] array that the callee allocates, of elements that it allocates (R32), unless they stay its own
    /// ([`stays_callees`](Parameter::stays_callees)), which the array does not: `parameter` says what an element is,
    /// `slot` is the variable for the array, `count` the one for the number of its elements. Elements that are interface
    /// pointers are no blocks: of them the references are counted. Without a `count` the array alone is judged.
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
    /// of them the references are counted, and nothing else is judged. An array that is a block itself is lent as an \[in\] one
    /// is: the callee may not free it (R1). Elements that stay the callee's may be anything, before the call and after it.
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
            // Whoever has an interface of the caller's may call it.
            if parameter.what == What::Interface && !value.is_null() {
                books.crossed.calls_back(self.id, Callbacks::Possible);
            }
            if parameter.stays_callees {
                continue;
            }
            if elements.entered.try_reserve(1).is_err() || elements.before.try_reserve(1).is_err() {
                break;
            }
            elements.entered.push(value);
            if parameter.what == What::Interface {
                self.lend_reference(books, value);
                continue;
            }
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

    /// The memory of the caller's array is the caller's: lent, if it is a block. Gives what it lies in; `None` if that was
    /// freed, which is told.
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

    /// Whether an array is judged as on success, whatever the call returned: it was handed out, as it may be.
    fn is_waived(&self, elements: &Elements, found: Found) -> bool {
        self.may_fail_with_outs && elements.handed().is_some() && !found.start.is_null()
    }

    /// The elements of an array of interface pointers, each as a parameter: one that entered is \[in,out\], any other \[out\].
    pub(super) fn interface_elements<'a>(
        &self,
        books: &mut Books,
        (declared, elements): (&'a Declared, &'a Elements),
        failed: bool,
        mut each: impl FnMut(Passed<'a>),
    ) {
        let found = elements.find(books);
        let is_out = !failed
            || found.is_some_and(|found| match elements.place {
                Storage::Callers { .. } => self.may_fail_with_outs,
                // That it was handed out was told, and nothing is told of what is in it.
                Storage::Handed(_) => self.is_waived(elements, found) || found.array.is_some(),
            });
        let count = found.map_or(0, |found| elements.count_within(found.room));
        let entered = u32::try_from(elements.entered.len()).unwrap_or(u32::MAX);
        for index in 0..count.max(entered) {
            let place = found.map(|found| found.start.wrapping_add(index as usize));
            let direction = match (elements.entered.get(index as usize), place) {
                // After a failure the count means nothing.
                (Some(before), Some(slot)) if failed || index < count => Direction::InOut {
                    slot,
                    before: *before,
                },
                (Some(before), _) => Direction::InOut {
                    slot: (&raw const elements.nothing).cast_mut(),
                    before: *before,
                },
                (None, Some(slot)) if is_out => Direction::Out {
                    slot,
                    before: ptr::null_mut(),
                    planted: None,
                },
                _ => continue,
            };
            let call = self.call_of_element(Some(declared.name), index);
            each((declared, call, direction));
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
        let Some(found) = elements.find(books) else {
            return;
        };
        let Found { start, room, array } = found;
        // What the count says of no array means nothing after a failure.
        let failed = failed && !self.is_waived(elements, found);
        if !failed && elements.count().is_some_and(|count| count > room) {
            let words = "the count says more elements than the array has room for";
            let key = array.map(|(key, _)| key);
            let call = self.call(Some(declared.name));
            self.tell(books, Kind::ElementInvalid, call, words, key);
        }
        if declared.what == What::Interface || declared.stays_callees {
            return;
        }
        let count = elements.count_within(room);
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
