//! What there is to know about each kind and each rule: in words, in C, and where it is written.
//!
//! The examples speak of a component `Browser` with plain functions for its methods, named and directed as
//! in `docs/command-line.md`. Each is whole functions, and the tests compile them all.

mod allocation;
mod composites;
mod crossings;
mod directions;
mod failures;
mod interfaces;
mod kinds;
mod scope;

use super::rules::{Kind, Rule};

/// What there is to know about a [`Kind`] or a [`Rule`]: `olemem explain` prints it.
///
/// # Examples
///
/// ```
/// use olemem::audit::{Check, Kind, Rule};
///
/// let guide = Kind::DoubleFree.guide();
/// assert_eq!(guide.check, Check::Heap);
/// assert!(guide.broken.contains("SysFreeString"));
///
/// let rule = Rule::new(20).unwrap();
/// assert!(rule.guide().statement.contains("SysFreeString"));
/// assert!(rule.kinds().eq([Kind::FamilyMismatch, Kind::ForeignFree]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guide {
    /// A few words, for a table.
    pub title: &'static str,
    /// Of a rule what must hold, of a kind when it is reported.
    pub statement: &'static str,
    /// How far it is checked today.
    pub check: Check,
    /// How it is checked, or why it is not.
    pub how: &'static str,
    /// C code that breaks it.
    pub broken: &'static str,
    /// C code that keeps it.
    pub kept: &'static str,
    /// Where it is written.
    pub source: &'static str,
}

/// How far something is checked today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// From the heap and the BSTR functions alone; the code under test stays as it is.
    Heap,
    /// Some of it from the heap alone; the rest needs to know what a call's parameters are.
    Partly,
    /// Where a call says what its parameters are.
    Call,
    /// By a memory checker that watches, as Miri and Valgrind do.
    MemoryChecker,
    /// By a test of one's own that makes a call twice.
    OwnTest,
    /// Not yet: it is about types that olemem does not have.
    Later,
    /// By reading the code; no run of it shows a breach.
    Reading,
    /// There is nothing to check: it allows something, or says where the other rules hold.
    Nothing,
}

impl Check {
    /// The same in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heap => "from the heap alone",
            Self::Partly => "in part from the heap alone, the rest at an annotated call",
            Self::Call => "at an annotated call",
            Self::MemoryChecker => "by a memory checker that watches",
            Self::OwnTest => "by a test of your own",
            Self::Later => "not yet",
            Self::Reading => "by reading the code",
            Self::Nothing => "nothing to check",
        }
    }
}

impl Kind {
    /// What there is to know about it.
    #[must_use]
    pub const fn guide(self) -> &'static Guide {
        match self {
            Self::DoubleFree => &kinds::DOUBLE_FREE,
            Self::FamilyMismatch => &kinds::FAMILY_MISMATCH,
            Self::InteriorFree => &kinds::INTERIOR_FREE,
            Self::ForeignFree => &kinds::FOREIGN_FREE,
            Self::UseAfterFree => &kinds::USE_AFTER_FREE,
            Self::WriteAfterFree => &kinds::WRITE_AFTER_FREE,
            Self::Overrun => &kinds::OVERRUN,
            Self::Underrun => &kinds::UNDERRUN,
            Self::TerminatorOverwritten => &kinds::TERMINATOR_OVERWRITTEN,
            Self::PrefixCorrupted => &kinds::PREFIX_CORRUPTED,
            Self::OverlappingSource => &kinds::OVERLAPPING_SOURCE,
            Self::SourceOverRead => &kinds::SOURCE_OVER_READ,
            Self::NullOutPointer => &kinds::NULL_OUT_POINTER,
            Self::UnbalancedPin => &kinds::UNBALANCED_PIN,
            Self::PinOfNonBstr => &kinds::PIN_OF_NON_BSTR,
            Self::SpyPointerLost => &kinds::SPY_POINTER_LOST,
            Self::InFreedByCallee => &crossings::IN_FREED_BY_CALLEE,
            Self::InModifiedByCallee => &crossings::IN_MODIFIED_BY_CALLEE,
            Self::InNotABstr => &crossings::IN_NOT_A_BSTR,
            Self::InRetainedByCallee => &crossings::IN_RETAINED_BY_CALLEE,
            Self::OutOwnedAtEntry => &crossings::OUT_OWNED_AT_ENTRY,
            Self::OutReadByCallee => &crossings::OUT_READ_BY_CALLEE,
            Self::OutNotSet => &crossings::OUT_NOT_SET,
            Self::OutSetOnFailure => &crossings::OUT_SET_ON_FAILURE,
            Self::OutWrongFamily => &crossings::OUT_WRONG_FAMILY,
            Self::OutNotACopy => &crossings::OUT_NOT_A_COPY,
            Self::OutFreedByCallee => &crossings::OUT_FREED_BY_CALLEE,
            Self::InoutInvalid => &crossings::INOUT_INVALID,
            Self::InoutLeaked => &crossings::INOUT_LEAKED,
            Self::InoutDangling => &crossings::INOUT_DANGLING,
            Self::InoutChangedOnFailure => &crossings::INOUT_CHANGED_ON_FAILURE,
            Self::AliasedParameters => &crossings::ALIASED_PARAMETERS,
            Self::BufferOverrun => &crossings::BUFFER_OVERRUN,
            Self::ElementLeaked => &crossings::ELEMENT_LEAKED,
            Self::ElementInvalid => &crossings::ELEMENT_INVALID,
            Self::MemberUninitialised => &crossings::MEMBER_UNINITIALISED,
            Self::OrphanedOnFailure => &crossings::ORPHANED_ON_FAILURE,
            Self::InterfaceOverReleased => &crossings::INTERFACE_OVER_RELEASED,
            Self::InterfaceLeaked => &crossings::INTERFACE_LEAKED,
            Self::InterfaceNotAddrefed => &crossings::INTERFACE_NOT_ADDREFED,
            Self::InterfaceUsedAfterDestroy => &crossings::INTERFACE_USED_AFTER_DESTROY,
            Self::IdentityBroken => &crossings::IDENTITY_BROKEN,
            Self::Leak => &kinds::LEAK,
        }
    }
}

impl Rule {
    /// What there is to know about it.
    #[must_use]
    pub const fn guide(self) -> &'static Guide {
        // A rule's number is 1 at least.
        RULES[self.number() as usize - 1]
    }

    /// The kinds that report it, in their order.
    pub fn kinds(self) -> impl Iterator<Item = Kind> {
        let all = Kind::ALL.iter().copied();
        all.filter(move |kind| kind.rules().contains(&self))
    }
}

/// By number.
const RULES: [&Guide; Rule::COUNT as usize] = [
    &directions::R1,
    &directions::R2,
    &directions::R3,
    &directions::R4,
    &directions::R5,
    &directions::R6,
    &directions::R7,
    &directions::R8,
    &directions::R9,
    &directions::R10,
    &directions::R11,
    &directions::R12,
    &directions::R13,
    &failures::R14,
    &failures::R15,
    &failures::R16,
    &failures::R17,
    &failures::R18,
    &failures::R19,
    &allocation::R20,
    &allocation::R21,
    &allocation::R22,
    &allocation::R23,
    &allocation::R24,
    &allocation::R25,
    &allocation::R26,
    &allocation::R27,
    &allocation::R28,
    &allocation::R29,
    &allocation::R30,
    &allocation::R31,
    &composites::R32,
    &composites::R33,
    &composites::R34,
    &composites::R35,
    &composites::R36,
    &composites::R37,
    &composites::R38,
    &composites::R39,
    &composites::R40,
    &composites::R41,
    &composites::R42,
    &interfaces::R43,
    &interfaces::R44,
    &interfaces::R45,
    &interfaces::R46,
    &interfaces::R47,
    &interfaces::R48,
    &interfaces::R49,
    &interfaces::R50,
    &interfaces::R51,
    &scope::R52,
    &scope::R53,
    &scope::R54,
];
