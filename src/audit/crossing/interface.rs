//! Interface pointers, by direction. What is known of references is known of
//! [counting objects](crate::audit::CountingObject) alone.
//!
//! 1. When a call begins, the reference of an \[in,out\] value becomes the callee's.
//! 2. When it ends, all that changes hands does so before anything is judged: what stays goes back, what was stored goes to
//!    the caller. So two values may change places.
//! 3. Then whoever released more than it had is told; or suspected, where references from outside of calls may have been
//!    its own.

use core::ffi::c_void;

use allocator_api2::alloc::System;
use allocator_api2::vec::Vec;

use super::verdict::of_failure;
use super::{Books, Call, Crossing, CrossingId, Declared, Kind, Parameter, Watched, What, books};
use crate::audit::ledger::{Callbacks, Deed, ObjectId, Party, Suspicion};
use crate::audit::site::Stack;
use crate::com::{Guid, HResult, UnknownVtbl};

/// What an interface pointer's parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The pointer, and whether a reference of its own comes with it.
    In { value: *mut c_void, is_owned: bool },
    /// The variable, what it held, and what was planted there.
    Out {
        slot: *mut *mut c_void,
        before: *mut c_void,
        planted: Option<usize>,
    },
    /// The variable, and what it held.
    InOut {
        slot: *mut *mut c_void,
        before: *mut c_void,
    },
}

/// A parameter or an element that is an interface pointer, what it is called in stories, and its direction.
pub(super) type Passed<'a> = (&'a Declared, Call, Direction);

/// What stands in an \[out\] variable for an interface: an object that tells if it is called.
pub(super) static DECOY: UnknownVtbl = UnknownVtbl {
    query_interface: decoy_query_interface,
    add_ref: decoy_add_ref,
    release: decoy_release,
};

fn tell_decoy(this: *mut c_void, deed: Deed) {
    let at = Stack::here();
    books().tell_planted(this.addr(), deed, &at);
}

unsafe extern "system" fn decoy_query_interface(
    this: *mut c_void,
    _: *const Guid,
    out: *mut *mut c_void,
) -> HResult {
    tell_decoy(this, Deed::Read);
    if !out.is_null() {
        // SAFETY: the callee passes a variable.
        unsafe { out.write(core::ptr::null_mut()) };
    }
    HResult::E_NOINTERFACE
}

unsafe extern "system" fn decoy_add_ref(this: *mut c_void) -> u32 {
    tell_decoy(this, Deed::Read);
    0
}

unsafe extern "system" fn decoy_release(this: *mut c_void) -> u32 {
    tell_decoy(this, Deed::Free);
    0
}

impl Crossing {
    /// An \[in\] interface.
    pub(super) fn lend_interface(&mut self, parameter: &Parameter<'_>, value: *mut c_void) {
        let mut books = books();
        let books = &mut *books;
        // Whoever has an interface of the caller's may call it.
        if !value.is_null() {
            books.crossed.calls_back(self.id, Callbacks::Possible);
        }
        let object = books.objects.at(value.addr());
        let is_gone = object.is_some_and(|object| {
            object.references == 0 && !core::mem::replace(&mut object.is_blamed, true)
        });
        if is_gone {
            let name = books.crossed.name(parameter.name);
            let words = "an interface pointer is passed whose object is gone";
            let kind = Kind::InterfaceUsedAfterDestroy;
            self.tell(books, kind, self.call(name), words, None);
        }
        let is_owned = parameter.is_owned;
        let direction = Direction::In { value, is_owned };
        self.declare(books, parameter, Watched::Interface(direction));
    }

    /// An \[in,out\] interface: the caller's reference is the callee's now, to release or to give back.
    pub(super) fn lend_interface_by_reference(
        &mut self,
        books: &mut Books,
        parameter: &Parameter<'_>,
        slot: *mut *mut c_void,
        before: *mut c_void,
    ) {
        // Whoever has an interface of the caller's may call it.
        if !before.is_null() {
            books.crossed.calls_back(self.id, Callbacks::Possible);
        }
        self.lend_reference(books, before);
        let direction = Direction::InOut { slot, before };
        self.declare(books, parameter, Watched::Interface(direction));
    }

    /// The caller's reference is the callee's now.
    pub(super) fn lend_reference(&self, books: &mut Books, value: *mut c_void) {
        if let Some(object) = books.objects.at(value.addr()) {
            object.lends(self.calls(), self.caller, self.party);
        }
    }

    /// The call that this one was made in, and this one.
    fn calls(&self) -> [CrossingId; 2] {
        [self.before, self.id]
    }

    /// Has references change hands, as the parameters of a call that has returned say.
    pub(super) fn settle_interfaces(
        &self,
        books: &mut Books,
        interfaces: &[Passed<'_>],
        failed: bool,
    ) {
        let (caller, party) = (self.caller, self.party);
        for (declared, call, direction) in interfaces.iter().copied() {
            match direction {
                Direction::In { value, .. } => {
                    if let Some(object) = books.objects.at(value.addr()) {
                        object.names(self.id, call);
                    }
                }
                Direction::Out { .. } => {
                    let Some(object) = books.objects.at(current(direction).addr()) else {
                        continue;
                    };
                    if failed && !self.may_fail_with_outs {
                        // Who releases it now, if anybody does, is of no interest.
                        object.is_blamed = true;
                    } else if !declared.stays_callees {
                        object.hands_out(self.calls(), party, caller, call);
                    }
                }
                Direction::InOut { before, .. } => {
                    let value = current(direction);
                    if let Some(old) = books.objects.at(before.addr()) {
                        if value == before {
                            old.names(self.id, call);
                            old.returns(self.calls(), party, caller);
                        } else {
                            old.keeps(self.id, call);
                        }
                    }
                    if value != before
                        && let Some(new) = books.objects.at(value.addr())
                    {
                        new.hands_out(self.calls(), party, caller, call);
                    }
                }
            }
        }
    }

    /// The parameters that are interface pointers, and the elements of arrays that are.
    pub(super) fn interfaces(&self, books: &mut Books, failed: bool) -> Vec<Passed<'_>, System> {
        let mut interfaces = Vec::new_in(System);
        let mut push = |passed| {
            if interfaces.try_reserve(1).is_ok() {
                interfaces.push(passed);
            }
        };
        for declared in &self.declared {
            match &declared.watched {
                Watched::Interface(direction) => {
                    push((declared, self.call(Some(declared.name)), *direction));
                }
                Watched::Elements(elements) if declared.what == What::Interface => {
                    self.interface_elements(books, (declared, elements), failed, &mut push);
                }
                _ => {}
            }
        }
        interfaces
    }

    /// Judges an interface pointer when the call has returned: what can be seen from its variable.
    pub(super) fn judge_interface(
        &self,
        books: &mut Books,
        declared: &Declared,
        direction: Direction,
        failed: bool,
        has_returned: bool,
    ) {
        let call = self.call(Some(declared.name));
        match direction {
            Direction::In { .. } => {}
            Direction::Out {
                slot,
                before,
                planted,
            } => {
                let value = current(direction);
                if let Some(index) = planted
                    && self.judge_planted(books, call, (index, Some(&DECOY)), value, has_returned)
                {
                    // SAFETY: the variable is there until the crossing has ended, by the promise of `output`.
                    unsafe { slot.write(before) };
                    return;
                }
                if failed && !value.is_null() && !self.may_fail_with_outs {
                    let words = "the call failed, and an [out] variable is not NULL";
                    let kind = (Kind::OutSetOnFailure, of_failure(declared));
                    self.tell_of(books, kind, call, words, None);
                }
            }
            Direction::InOut { before, .. } => {
                let value = current(direction);
                // NULL needs no cleaning up (R17): should the old one never be released it is a leak.
                if !failed || value == before || value.is_null() {
                    return;
                }
                let id = self.id;
                if let Some(old) = books.objects.at(before.addr()) {
                    old.is_blamed |= old.raised_in(id) > 0;
                }
                let words =
                    "the call failed, and another interface pointer stands in place of the old one";
                self.tell(books, Kind::InoutChangedOnFailure, call, words, None);
            }
        }
    }

    /// Nobody has released, or handed out, more references than it had (R44 to R47). Before the variables are changed.
    pub(super) fn judge_references(&self, books: &mut Books, interfaces: &[Passed<'_>]) {
        for (_, call, direction) in interfaces.iter().copied() {
            let Some(object) = books.objects.at(handed_out(direction).addr()) else {
                continue;
            };
            if object.raised_in(self.id) < 0 && object.owed_at(self.party).is_none() {
                // It held one already, which it may have given up or not: what comes will tell.
                let id = object.id;
                let at = books.sites.keep(&Stack::here());
                if let Some(object) = books.objects.get(id) {
                    object.suspicion = Some(Suspicion::not_added(self.party, call, at));
                }
            }
        }
        while let Some(id) = books.objects.next_owed(self.id, self.party) {
            self.judge_debt(books, interfaces, id);
        }
    }

    /// The callee released, or handed out, more references to an object than it had: that is told, unless they may have been
    /// its own.
    fn judge_debt(&self, books: &mut Books, interfaces: &[Passed<'_>], id: ObjectId) {
        let is_it = |books: &mut Books, value: *mut c_void| {
            let object = books.objects.at(value.addr());
            object.is_some_and(|object| object.id == id)
        };
        let (mut given, mut handed) = (None, None);
        let (mut is_in, mut is_owned, mut of_others) = (false, false, 0);
        for (_, call, direction) in interfaces.iter().copied() {
            if is_it(books, handed_out(direction)) {
                of_others += 1;
                handed = Some(call);
            }
            match direction {
                Direction::In {
                    value,
                    is_owned: is_owner,
                } if is_it(books, value) => {
                    is_in = true;
                    is_owned |= is_owner;
                    given = given.or(Some((call, 44)));
                }
                Direction::InOut { before, .. } if is_it(books, before) => {
                    of_others += u32::from(current(direction) == before);
                    given = given.or(Some((call, 46)));
                }
                _ => {}
            }
        }
        let Some(object) = books.objects.get(id) else {
            return;
        };
        let at = object.owed_at(self.party).unwrap_or_default();
        // References that are the program's own without doubt, besides a handle's, which an [in] pointer may be.
        let certain = match self.caller {
            Party::Program if is_owned || is_in && !object.has_handle() => of_others + 1,
            Party::Program => of_others,
            _ => 0,
        };
        let suspicion = match (handed, given) {
            (Some(call), _) => Suspicion::not_added(self.party, call, at),
            (None, Some((call, rule))) => Suspicion::released(self.party, call, rule, at),
            (None, None) => Suspicion::released(self.party, self.call(None), 44, at),
        };
        if object.pays(self.party, certain) {
            object.suspicion = Some(suspicion);
            return;
        }
        object.put_back(self.party);
        let found = object.suspected(self.party);
        if !object.is_blamed {
            let words = "the callee released an interface pointer without a reference of its own";
            let found = found.unwrap_or(match suspicion.kind {
                Kind::InterfaceOverReleased => Suspicion { words, ..suspicion },
                _ => suspicion,
            });
            found.tell(books, self.session, Deed::End);
        }
    }
}

/// What is in the variable of an \[out\] or \[in,out\] parameter; what was passed as \[in\].
fn current(direction: Direction) -> *mut c_void {
    match direction {
        Direction::In { value, .. } => value,
        Direction::Out { slot, .. } | Direction::InOut { slot, .. } => {
            // SAFETY: the variable is there until the crossing has ended, by the promise of `output` and `in_out`.
            unsafe { slot.read() }
        }
    }
}

/// The pointer that came to the caller; null if none did.
fn handed_out(direction: Direction) -> *mut c_void {
    match direction {
        Direction::Out { .. } => current(direction),
        Direction::InOut { before, .. } if current(direction) != before => current(direction),
        _ => core::ptr::null_mut(),
    }
}
