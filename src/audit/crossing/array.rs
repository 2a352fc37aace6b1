//! Arrays of resources, and how many elements of them count.

use core::ffi::c_void;
use core::ptr;

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::verdict::is_live;
use super::{
    Books, Call, Crossing, Declared, Generation, Held, Kind, Name, Parameter, Standing, Watched,
    What, books, hold, standing, unsound,
};
use crate::audit::ledger::Role;
use crate::audit::rules::Rule;

/// An array whose elements are looked at.
#[derive(Debug)]
pub(super) struct Elements {
    place: Storage,
    /// How many there are, when the call has returned; null if all that there is room for.
    count: *const u32,
    /// What was in them when it began, by address.
    before: Vec<Held, System>,
}

impl Elements {
    /// An element that was there when the call began.
    fn before(&self, value: *mut c_void) -> Option<&Held> {
        let at = self
            .before
            .binary_search_by_key(&value.addr(), |held| held.pointer.addr());
        at.ok().map(|at| &self.before[at])
    }
}

#[derive(Clone, Copy, Debug)]
enum Storage {
    /// The callee's, whose address is in this variable.
    Handed(*mut *mut c_void),
    /// The caller's, with room for so many.
    Callers(*mut *mut c_void, u32),
}

impl Crossing {
    /// An \[out\] array that the callee allocates, of elements that it allocates (R32): `parameter` says what an
    /// element is, `slot` is the variable for the array, `count` the one for the number of its elements. Elements that are
    /// interface pointers are no blocks: the array is judged, and their references are not counted. So it is without a
    /// `count`.
    ///
    /// # Safety
    ///
    /// * `slot` is as for [`output`](Self::output).
    /// * `count` is null, or points to an initialised number that is there until the crossing has ended. On success it is no
    ///   more than the elements that the array really has, all of them initialised.
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
        let elements = Elements {
            place: Storage::Handed(slot),
            count,
            before: Vec::new_in(System),
        };
        self.watch(parameter, elements);
    }

    /// An array of the caller's with room for `capacity` elements, of which the first `entering` are initialised when
    /// the call begins, and as many as `count` then says when it ends: \[in,out\], or \[out\] with none entering.
    /// Elements that are no longer in it have to be freed by then (R34). Those that are interface pointers are no blocks:
    /// their references are not counted.
    ///
    /// A method whose caller may pass NULL for the count, as that of `IEnumString::Next` for one element, fills all that there
    /// is room for. So `count` may be null. The elements that do not enter then hold NULL when the callee is called, and
    /// those that it did not set hold it still.
    ///
    /// # Safety
    ///
    /// * `start` is null, or points to room for `capacity` pointers, which nobody but the callee uses until the crossing has
    ///   ended; the first `entering` are initialised.
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
        if count.is_null() {
            for index in entering..capacity {
                // SAFETY: within the caller's array.
                unsafe { start.wrapping_add(index as usize).write(ptr::null_mut()) };
            }
        }
        let mut before = Vec::new_in(System);
        for index in 0..entering {
            // SAFETY: within the caller's array, and initialised.
            let value = unsafe { element(start, index) };
            let mut books = books();
            if parameter.what == What::Interface {
                // Whoever has an interface of the caller's may call it.
                if !value.is_null() {
                    books.crossed.calls_back(self.id);
                }
                continue;
            }
            match standing(&mut books, value, parameter.what) {
                Standing::Null => {}
                Standing::Live(key) => {
                    if before.try_reserve(1).is_ok() {
                        // SAFETY: live, and the caller's.
                        before.push(unsafe { hold(&books, key, value, parameter.what) });
                    }
                }
                standing => {
                    let name = books.crossed.name(parameter.name);
                    let words = unsound!("an element", standing);
                    let call = self.call_of_element(name, index);
                    let key = standing.key();
                    self.tell(&mut books, Kind::ElementInvalid, call, words, key);
                    self.blame_if_gone(&mut books, standing);
                }
            }
        }
        before.sort_unstable_by_key(|held| held.pointer.addr());
        let elements = Elements {
            place: Storage::Callers(start, capacity),
            count,
            before,
        };
        self.watch(parameter, elements);
    }

    fn watch(&mut self, parameter: Parameter<'_>, elements: Elements) {
        if self.id != 0 {
            self.declare(&mut books(), &parameter, Watched::Elements(elements));
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
        // SAFETY: the promise of whoever declared it.
        let count = unsafe { elements.count.as_ref() }.copied();
        let (start, room, array) = match elements.place {
            Storage::Callers(start, capacity) => (start, capacity, None),
            Storage::Handed(slot) => {
                // SAFETY: as above.
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
        let count = count.unwrap_or(room);
        if count > room && !failed {
            let words = "the count says more elements than the array has room for";
            let key = array.and_then(|(key, _)| key);
            let call = self.call(Some(declared.name));
            self.tell(books, Kind::ElementInvalid, call, words, key);
        }
        if declared.what == What::Interface {
            return;
        }
        let count = count.min(room);
        if failed {
            return match elements.place {
                Storage::Callers(..) => self.judge_left(books, declared, elements, start, count),
                // Of a block that is not audited nobody knows what was written to it.
                Storage::Handed(_) if array.is_none() => {}
                Storage::Handed(_) => self.blame_elements(books, declared, start, count),
            };
        }
        let array = array.map(|(_, generation)| generation);
        let mut there = Vec::new_in(System);
        for index in 0..count {
            // SAFETY: within the array, and initialised.
            let value = unsafe { element(start, index) };
            if there.try_reserve(1).is_ok() {
                there.push(value.addr());
            }
            let old = elements.before(value);
            let is_there = |old: &Held| old.known.is_none_or(|(key, old)| is_live(books, key, old));
            if !old.is_some_and(is_there) {
                self.judge_element(books, declared, value, index, array);
            }
        }
        there.sort_unstable();
        for old in &elements.before {
            let Some((key, generation)) = old.known else {
                continue;
            };
            if is_live(books, key, generation) && there.binary_search(&old.pointer.addr()).is_err()
            {
                let words = "{block} was left behind by the array, and never freed";
                let call = self.call(Some(declared.name));
                let kind = (Kind::ElementLeaked, Rule::only(34));
                self.expect_free(books, key, kind, call, words);
            }
        }
    }

    /// The call failed: what it put into the caller's array has to be gone (R33), and what was there stays, or is NULL (R17).
    fn judge_left(
        &self,
        books: &mut Books,
        declared: &Declared,
        elements: &Elements,
        start: *mut *mut c_void,
        count: u32,
    ) {
        for index in 0..count {
            // SAFETY: within the array, and initialised.
            let value = unsafe { element(start, index) };
            let was_there = elements.before(value).is_some();
            let call = self.call_of_element(Some(declared.name), index);
            match standing(books, value, declared.what) {
                Standing::Freed(key) if was_there => {
                    let words = "the call failed, and an element is {block} that it freed";
                    self.tell(books, Kind::ElementInvalid, call, words, Some(key));
                    self.blame(books, Some(key));
                }
                Standing::Live(Some(key)) if !was_there && !self.may_fail_with_outs => {
                    let is_new = books.get(key).is_some_and(|entry| entry.id > self.first);
                    if is_new {
                        let words = "the call failed, and {block} was left in the array";
                        let kind = (Kind::OutSetOnFailure, Rule::only(14));
                        self.tell_of(books, kind, call, words, Some(key));
                        self.blame(books, Some(key));
                    }
                }
                _ => {}
            }
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
        if self.may_fail_with_outs {
            return;
        }
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
        value: *mut c_void,
        index: u32,
        array: Option<Generation>,
    ) {
        let call = self.call_of_element(Some(declared.name), index);
        match standing(books, value, declared.what) {
            Standing::Null | Standing::Live(None) => {}
            Standing::Live(Some(key)) => {
                let role = array.map_or(Role::Out, Role::Element);
                self.receive(books, key, call, role);
            }
            standing => {
                let words = unsound!("an element", standing);
                self.tell(books, Kind::ElementInvalid, call, words, standing.key());
                self.blame(books, standing.key());
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
