//! Each mistake that the audit finds, made and avoided: what [`Guide`](crate::audit::Guide) shows in C, done on the
//! emulated memory. Here those that the heap alone sees.

use core::ptr;

use crate::audit::{Backtrace, Kind, Report, Session};
use crate::bstr::owned::Bstr;
use crate::bstr::{compare, pin, raw};
use crate::crossing::Reference;
use crate::layout::PREFIX;
use crate::param::{In, Out};
use crate::sample::lossy_spy::LossySpy;
use crate::sample::{Browser, crossings};
use crate::task::block::Family;
use crate::task::heap;
use crate::units::UnitLen;

/// Whether the rule is broken or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// The mistake is made.
    Broken,
    /// It is avoided.
    Kept,
}

use Conduct::{Broken, Kept};

/// Runs the guide's example of a kind in a session of its own, and gives the report.
///
/// Nothing of it stays behind: what leaks is given back when the session is over.
#[must_use]
pub fn perform(kind: Kind, conduct: Conduct) -> Report {
    let session = Session::options().backtrace(Backtrace::Off).begin();
    let left = act(&session, kind, conduct);
    let report = session.finish();
    match left {
        Left::Nothing => {}
        Left::Text(text) => free(text),
        Left::Pin(text) => unpin(text),
        Left::Block(block) => free_task(block),
        Left::Reference(object) => drop(object),
    }
    report
}

/// What a mistake leaves behind.
pub(super) enum Left {
    Nothing,
    Text(*mut u16),
    Pin(*mut u16),
    Block(*mut u8),
    Reference(Reference),
}

/// The example of a kind.
fn act(audit: &Session, kind: Kind, conduct: Conduct) -> Left {
    match kind {
        Kind::Leak => return leak(conduct),
        Kind::DoubleFree => double_free(conduct),
        Kind::UseAfterFree => use_after_free(conduct),
        Kind::WriteAfterFree => write_after_free(conduct),
        Kind::ForeignFree => foreign_free(conduct),
        Kind::InteriorFree => interior_free(conduct),
        Kind::FamilyMismatch => family_mismatch(conduct),
        Kind::Overrun => overrun(conduct),
        Kind::Underrun => underrun(conduct),
        Kind::TerminatorOverwritten => terminator_overwritten(conduct),
        Kind::PrefixCorrupted => prefix_corrupted(conduct),
        Kind::OverlappingSource => overlapping_source(conduct),
        Kind::SourceOverRead => source_over_read(conduct),
        Kind::NullOutPointer => null_out_pointer(conduct),
        Kind::UnbalancedPin => return unbalanced_pin(conduct),
        Kind::PinOfNonBstr => pin_of_non_bstr(conduct),
        Kind::SpyPointerLost => return spy_pointer_lost(conduct),
        Kind::InFreedByCallee => crossings::in_freed(audit, conduct),
        Kind::InModifiedByCallee => crossings::in_modified(audit, conduct),
        Kind::InNotABstr => crossings::in_not_a_bstr(audit, conduct),
        Kind::InRetainedByCallee => crossings::in_retained(audit, conduct),
        Kind::OutOwnedAtEntry => return crossings::out_owned(audit, conduct),
        Kind::OutReadByCallee => crossings::out_read(audit, conduct),
        Kind::OutNotSet => crossings::out_not_set(audit, conduct),
        Kind::OutSetOnFailure => crossings::out_set_on_failure(audit, conduct),
        Kind::OutWrongFamily => crossings::out_wrong_family(audit, conduct),
        Kind::OutNotACopy => crossings::out_not_a_copy(audit, conduct),
        Kind::OutFreedByCallee => crossings::out_freed(audit, conduct),
        Kind::InoutInvalid => crossings::inout_invalid(audit, conduct),
        Kind::InoutLeaked => return crossings::inout_leaked(audit, conduct),
        Kind::InoutDangling => crossings::inout_dangling(audit, conduct),
        Kind::InoutChangedOnFailure => crossings::inout_changed_on_failure(audit, conduct),
        Kind::AliasedParameters => crossings::aliased(audit, conduct),
        Kind::BufferOverrun => crossings::buffer_overrun(audit, conduct),
        Kind::ElementLeaked => return crossings::element_leaked(audit, conduct),
        Kind::ElementInvalid => crossings::element_invalid(audit, conduct),
        Kind::MemberUninitialised => crossings::member_uninitialised(audit, conduct),
        Kind::OrphanedOnFailure => return crossings::orphaned(audit, conduct),
        Kind::InterfaceOverReleased => crossings::interface_over_released(audit, conduct),
        Kind::InterfaceLeaked => return crossings::interface_leaked(audit, conduct),
        Kind::InterfaceNotAddrefed => crossings::interface_not_addrefed(audit, conduct),
        Kind::InterfaceUsedAfterDestroy => crossings::interface_used_after_destroy(audit, conduct),
        Kind::IdentityBroken => crossings::identity_broken(audit, conduct),
    }
    Left::Nothing
}

// ------------------------------------------------------------------------------ the functions of C

pub(super) fn alloc(text: &str) -> *mut u16 {
    Bstr::from(text).into_raw().cast_mut()
}

fn alloc_units(source: *const u16, units: u32) -> *mut u16 {
    // SAFETY: null, or a string in a session, which cuts the copy short where the source ends.
    unsafe { raw::alloc_units(source, UnitLen::new(units)) }
}

pub(super) fn free(text: *mut u16) {
    // SAFETY: null, or live and at its last use; in a session any other address is judged, and nothing touched.
    unsafe { raw::free(text) };
}

fn len(text: *mut u16) -> u32 {
    // SAFETY: a string in a session, which does not let a freed one be read.
    unsafe { raw::unit_len(text) }.get()
}

pub(super) fn alloc_task(bytes: usize) -> *mut u8 {
    heap::alloc(bytes, Family::Task)
}

pub(super) fn free_task(block: *mut u8) {
    // SAFETY: as for `free`.
    unsafe { heap::free(block, Family::Task) };
}

fn unpin(text: *mut u16) {
    // SAFETY: a pin of the caller's own.
    unsafe { pin::unpin(text) };
}

/// Writes bytes at an offset.
///
/// # Safety
///
/// * They lie in the block of an audited pointer, its guards included, which nobody else uses.
pub(super) unsafe fn poke<T, const N: usize>(block: *mut T, offset: isize, bytes: [u8; N]) {
    let at = block.wrapping_byte_offset(offset).cast::<[u8; N]>();
    // SAFETY: the caller's promise. Bytes need no alignment.
    unsafe { at.write(bytes) };
}

// ------------------------------------------------------------------------------------ the examples

fn leak(conduct: Conduct) -> Left {
    let browser = Browser::new();
    let ready = Bstr::from("Ready");
    let _ = browser.put_status_text(In::new(&ready));
    let mut text = Bstr::new();
    let _ = browser.get_status_text(Out::new(&mut text));
    let text = text.into_raw().cast_mut();
    match conduct {
        Broken => Left::Text(text),
        Kept => {
            free(text);
            Left::Nothing
        }
    }
}

fn double_free(conduct: Conduct) {
    let mut text = alloc("Ready");
    free(text);
    if conduct == Kept {
        text = ptr::null_mut();
    }
    free(text);
}

fn use_after_free(conduct: Conduct) {
    let text = alloc("Ready");
    if conduct == Kept {
        len(text);
    }
    free(text);
    if conduct == Broken {
        len(text);
    }
}

fn write_after_free(conduct: Conduct) {
    let buffer = alloc_task(16);
    if buffer.is_null() {
        return;
    }
    if conduct == Broken {
        free_task(buffer);
    }
    // SAFETY: in a session a freed block is in quarantine, where its memory is.
    unsafe { poke(buffer, 0, [0; 2]) };
    if conduct == Kept {
        free_task(buffer);
    }
}

fn foreign_free(conduct: Conduct) {
    let mut name = [0_u64; 2];
    free_task(match conduct {
        Broken => name.as_mut_ptr().cast(),
        Kept => alloc_task(16),
    });
}

fn interior_free(conduct: Conduct) {
    let text = alloc("  Ready");
    let word = text.wrapping_add(2);
    if conduct == Broken {
        free(word);
    }
    // Of the broken one this is what makes good, or it would leak as well.
    free(text);
}

fn family_mismatch(conduct: Conduct) {
    let title = alloc_task(12);
    if conduct == Broken {
        free(title.cast());
    }
    free_task(title);
}

fn overrun(conduct: Conduct) {
    let room = match conduct {
        Broken => 10,
        Kept => 12,
    };
    let text = alloc_task(room);
    if !text.is_null() {
        // SAFETY: twelve bytes; in a session there are guard bytes behind the tenth.
        unsafe { poke(text, 0, *b"R\0e\0a\0d\0y\0\0\0") };
    }
    free_task(text);
}

fn underrun(conduct: Conduct) {
    let numbers = alloc_task(16);
    let last = match conduct {
        Broken => -4,
        Kept => 0,
    };
    if !numbers.is_null() {
        // SAFETY: in a session there are guard bytes before the first.
        unsafe { poke(numbers, last, [0; 4]) };
    }
    free_task(numbers);
}

fn terminator_overwritten(conduct: Conduct) {
    let mut text = alloc("Read");
    if conduct == Kept {
        // SAFETY: the string is live, and its own contents are the source.
        let _ = unsafe { raw::realloc_units(&raw mut text, text, UnitLen::new(5)) };
    }
    // SAFETY: the terminator, or the fifth unit.
    unsafe { poke(text, 8, [b'y', 0]) };
    free(text);
}

fn prefix_corrupted(conduct: Conduct) {
    let mut text = alloc("Ready");
    match conduct {
        // SAFETY: the prefix.
        Broken => unsafe { poke(text, -PREFIX.cast_signed(), 1000_u32.to_ne_bytes()) },
        Kept => {
            // SAFETY: the string is live, and its own contents are the source.
            let _ = unsafe { raw::realloc_units(&raw mut text, text, UnitLen::new(500)) };
        }
    }
    free(text);
}

fn overlapping_source(conduct: Conduct) {
    let mut text = alloc("Ready");
    let tail = text.wrapping_add(2);
    match conduct {
        Broken => {
            // SAFETY: a source inside of the old string is read before that is freed.
            let _ = unsafe { raw::realloc(&raw mut text, tail) };
        }
        // SAFETY: a terminated text.
        Kept => free(unsafe { raw::alloc(tail) }),
    }
    free(text);
}

fn source_over_read(conduct: Conduct) {
    let name = alloc("Ready");
    let source = match conduct {
        Broken => name.cast_const(),
        Kept => ptr::null(),
    };
    free(alloc_units(source, 100));
    free(name);
}

fn null_out_pointer(conduct: Conduct) {
    let (left, right) = (alloc("Rea"), alloc("dy"));
    match conduct {
        Broken => {
            // SAFETY: a null target is refused.
            let _ = unsafe { raw::realloc(ptr::null_mut(), left) };
        }
        // SAFETY: both are live.
        Kept => free(unsafe { compare::concat(left, right) }),
    }
    free(left);
    free(right);
}

fn unbalanced_pin(conduct: Conduct) -> Left {
    let text = alloc("Ready");
    if pin::pin(text).is_err() {
        return Left::Text(text);
    }
    free(text);
    match conduct {
        Broken => Left::Pin(text),
        Kept => {
            unpin(text);
            Left::Nothing
        }
    }
}

fn pin_of_non_bstr(conduct: Conduct) {
    let text = alloc("Ready");
    let units = [0_u16; 8];
    let pinned = match conduct {
        Broken => units.as_ptr(),
        Kept => text.cast_const(),
    };
    if pin::pin(pinned).is_ok() {
        unpin(pinned.cast_mut());
    }
    free(text);
}

fn spy_pointer_lost(conduct: Conduct) -> Left {
    let Some(spy) = LossySpy::register(conduct == Broken) else {
        return Left::Nothing;
    };
    let block = alloc_task(16);
    free_task(block);
    spy.revoke();
    match conduct {
        Broken => Left::Block(block),
        Kept => Left::Nothing,
    }
}
