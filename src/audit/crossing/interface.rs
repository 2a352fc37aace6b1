//! Interface pointers, by direction. What is known of references is known of
//! [counting objects](crate::audit::CountingObject) alone.

use core::ffi::c_void;

use super::verdict::of_failure;
use super::{Books, Call, Crossing, Declared, Kind, Parameter, Rule, Watched, books, sentinel};
use crate::audit::counting::NOT_ADDED;
use crate::audit::ledger::Deed;
use crate::audit::site::Stack;
use crate::com::{Guid, HResult, UnknownVtbl};

/// What an interface pointer's parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The pointer.
    In(*mut c_void),
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
            books.crossed.calls_back(self.id);
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
        let direction = Direction::In(value);
        self.declare(books, parameter, Watched::Interface(direction));
    }

    /// Judges an interface pointer when the call has returned.
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
            Direction::In(value) => self.judge_lent(books, value, call, 44),
            Direction::Out {
                slot,
                before,
                planted,
            } => {
                // SAFETY: the variable is there until the crossing has ended, by the promise of `output`.
                let value = unsafe { slot.read() };
                if let Some(index) = planted {
                    if sentinel::was_written(index, Some(&DECOY)) {
                        self.tell_written(books, index);
                    }
                    if value == sentinel::of(index).cast() {
                        if has_returned {
                            self.tell_not_set(books, call);
                        }
                        // SAFETY: as above.
                        unsafe { slot.write(before) };
                        return;
                    }
                }
                if value.is_null() {
                    return;
                }
                if failed && !self.may_fail_with_outs {
                    let words = "the call failed, and an [out] variable is not NULL";
                    let kind = (Kind::OutSetOnFailure, of_failure(declared));
                    self.tell_of(books, kind, call, words, None);
                    if let Some(object) = books.objects.at(value.addr()) {
                        // Who releases it now, if anybody does, is of no interest.
                        object.is_blamed = true;
                    }
                } else if !declared.stays_callees {
                    self.receive_interface(books, value, call);
                }
            }
            Direction::InOut { slot, before } => {
                // SAFETY: the variable is there until the crossing has ended, by the promise of `in_out`.
                let value = unsafe { slot.read() };
                if value == before {
                    return self.judge_lent(books, value, call, 46);
                }
                if failed {
                    let words = "the call failed, and another interface pointer stands in place of the old one";
                    self.tell(books, Kind::InoutChangedOnFailure, call, words, None);
                }
                let (caller, party) = (self.caller, self.party);
                if let Some(old) = books.objects.at(before.addr()) {
                    // The caller's reference was the callee's to release.
                    old.holds(caller, -1);
                    old.holds(party, 1);
                    (old.call, old.rule) = (Some(call), 46);
                }
                self.judge_lent(books, before, call, 46);
                if !value.is_null() {
                    self.receive_interface(books, value, call);
                }
            }
        }
    }

    /// The callee released no more than it had (R44, R46).
    fn judge_lent(&self, books: &mut Books, value: *mut c_void, call: Call, rule: u8) {
        let party = self.party;
        let Some(object) = books.objects.at(value.addr()) else {
            return;
        };
        if object.held(party) >= 0 {
            return;
        }
        object.put_back(party);
        match object.fault(Kind::InterfaceOverReleased) {
            (kind, Some(call)) => self.tell(books, kind, call, NOT_ADDED, None),
            (kind, None) => {
                let words =
                    "the callee released an interface pointer without a reference of its own";
                self.tell_of(books, (kind, Rule::only(rule)), call, words, None);
            }
        }
    }

    /// A pointer comes to the caller, with a reference (R45, R47).
    fn receive_interface(&self, books: &mut Books, value: *mut c_void, call: Call) {
        let (caller, party, id) = (self.caller, self.party, self.id);
        let Some(object) = books.objects.at(value.addr()) else {
            return;
        };
        let raised = object.raised_in(id);
        object.raise(id, -1);
        object.raise(self.before, 1);
        object.holds(party, -1);
        object.holds(caller, 1);
        (object.call, object.rule) = (Some(call), 45);
        if object.held(party) < 0 {
            object.put_back(party);
            self.tell(books, Kind::InterfaceNotAddrefed, call, NOT_ADDED, None);
        } else if raised <= 0 {
            // It held one already, which it may have given up or not: what comes will tell.
            object.doubtful = Some(call);
        }
    }
}
