//! The words of the audit: kinds of violations, how severe they are, the rules they break.

use core::fmt;
use core::str::FromStr;

/// One of the ownership rules, R1 to R54, of `semantics.md` section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule(u8);

impl Rule {
    /// How many there are.
    pub const COUNT: u8 = 54;

    /// The rule of that number, if there is one.
    ///
    /// ```
    /// use olemem::audit::Rule;
    ///
    /// assert_eq!(Rule::new(21).unwrap().to_string(), "R21");
    /// assert_eq!(Rule::new(0), None);
    /// ```
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= Self::COUNT {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The one of that number, as a list; none if there is no such rule.
    pub(super) fn only(number: u8) -> &'static [Self] {
        const ALL: [Rule; Rule::COUNT as usize] = {
            let mut all = [Rule(0); Rule::COUNT as usize];
            let mut number = 1;
            while number <= Rule::COUNT {
                all[number as usize - 1] = Rule(number);
                number += 1;
            }
            all
        };
        static EACH: [Rule; Rule::COUNT as usize] = ALL;
        let index = usize::from(number).wrapping_sub(1);
        EACH.get(index..=index).unwrap_or_default()
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// All of them, in order.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (1..=Self::COUNT).map(Self)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{}", self.0)
    }
}

/// How bad a violation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth a look; a report with warnings alone is clean.
    Warning,
    /// A broken rule.
    Error,
}

impl Severity {
    /// `warning` or `error`, as reports have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What kind of violation it is. The names are stable: reports, suppressions and `olemem explain` use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A block that was freed already is freed again.
    DoubleFree,
    /// A block is freed by the other family's function.
    FamilyMismatch,
    /// A pointer into a block, not to its start, is freed.
    InteriorFree,
    /// A pointer is freed at which there is no block: it was never olemem's, or was freed so long before that nobody
    /// knows of it any more.
    ForeignFree,
    /// A freed block is handed to a function.
    UseAfterFree,
    /// A freed block was written to.
    WriteAfterFree,
    /// Bytes behind a block's own were written.
    Overrun,
    /// Bytes before a block's own were written.
    Underrun,
    /// The unit behind a BSTR's counted bytes is not zero.
    TerminatorOverwritten,
    /// A BSTR's length prefix says more than its block can hold.
    PrefixCorrupted,
    /// The source of a reallocation lies in the string that it replaces.
    OverlappingSource,
    /// A source is shorter than the count that goes with it.
    SourceOverRead,
    /// A null pointer where a result has to be stored.
    NullOutPointer,
    /// A pin that was not taken back, or taken back without having been given.
    UnbalancedPin,
    /// A pin of what is no live BSTR.
    PinOfNonBstr,
    /// A registered spy handed back a pointer that is no block.
    SpyPointerLost,
    /// The callee freed or reallocated what it was lent as \[in\].
    InFreedByCallee,
    /// The callee wrote to what it was lent as \[in\].
    InModifiedByCallee,
    /// What was passed where a BSTR is declared is none.
    InNotABstr,
    /// The callee kept what it was once lent as \[in\], and frees it or hands it out in a later call.
    InRetainedByCallee,
    /// The variable of an \[out\] parameter held a block that was lost when the call wrote over it.
    OutOwnedAtEntry,
    /// The callee used what the variable of an \[out\] parameter held when the call began.
    OutReadByCallee,
    /// The callee left the variable of an \[out\] parameter as it was.
    OutNotSet,
    /// The call failed, and an \[out\] variable is not NULL.
    OutSetOnFailure,
    /// What was handed out is no live block of the declared family.
    OutWrongFamily,
    /// What was handed out has an owner already.
    OutNotACopy,
    /// The callee freed what it had handed out in an earlier call.
    OutFreedByCallee,
    /// The value of an \[in,out\] parameter is neither NULL nor a live block of its family.
    InoutInvalid,
    /// The callee replaced the value of an \[in,out\] parameter, and nobody freed the old one.
    InoutLeaked,
    /// The callee freed the old value of an \[in,out\] parameter and left the pointer there.
    InoutDangling,
    /// The call failed, and the value of an \[in,out\] parameter is another than before.
    InoutChangedOnFailure,
    /// Two parameters hold the same block, and one of them is \[in,out\].
    AliasedParameters,
    /// The callee wrote outside of a buffer that the caller gave it.
    BufferOverrun,
    /// An element of an array was lost, and never freed.
    ElementLeaked,
    /// An element of an array is neither NULL nor a live block of its family.
    ElementInvalid,
    /// A pointer within a structure was neither NULL nor a live block when the call began.
    MemberUninitialised,
    /// A call that failed left a block behind that it had made for a structure or an array.
    OrphanedOnFailure,
    /// An interface pointer was released without a reference of one's own.
    InterfaceOverReleased,
    /// A reference to an object was never released.
    InterfaceLeaked,
    /// An interface pointer was handed out without a reference for the caller.
    InterfaceNotAddrefed,
    /// An object was called after its last reference was released.
    InterfaceUsedAfterDestroy,
    /// An object's QueryInterface does not keep to the rules of identity.
    IdentityBroken,
    /// A block was never freed.
    Leak,
}

impl Kind {
    /// All of them, in the order in which they take precedence; leaks last.
    pub const ALL: &'static [Self] = &[
        Self::DoubleFree,
        Self::FamilyMismatch,
        Self::InteriorFree,
        Self::ForeignFree,
        Self::UseAfterFree,
        Self::WriteAfterFree,
        Self::Overrun,
        Self::Underrun,
        Self::TerminatorOverwritten,
        Self::PrefixCorrupted,
        Self::OverlappingSource,
        Self::SourceOverRead,
        Self::NullOutPointer,
        Self::UnbalancedPin,
        Self::PinOfNonBstr,
        Self::SpyPointerLost,
        Self::InFreedByCallee,
        Self::InModifiedByCallee,
        Self::InNotABstr,
        Self::InRetainedByCallee,
        Self::OutOwnedAtEntry,
        Self::OutReadByCallee,
        Self::OutNotSet,
        Self::OutSetOnFailure,
        Self::OutWrongFamily,
        Self::OutNotACopy,
        Self::OutFreedByCallee,
        Self::InoutInvalid,
        Self::InoutLeaked,
        Self::InoutDangling,
        Self::InoutChangedOnFailure,
        Self::AliasedParameters,
        Self::BufferOverrun,
        Self::ElementLeaked,
        Self::ElementInvalid,
        Self::MemberUninitialised,
        Self::OrphanedOnFailure,
        Self::InterfaceOverReleased,
        Self::InterfaceLeaked,
        Self::InterfaceNotAddrefed,
        Self::InterfaceUsedAfterDestroy,
        Self::IdentityBroken,
        Self::Leak,
    ];

    /// Its stable name, in kebab case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DoubleFree => "double-free",
            Self::FamilyMismatch => "family-mismatch",
            Self::InteriorFree => "interior-free",
            Self::ForeignFree => "foreign-free",
            Self::UseAfterFree => "use-after-free",
            Self::WriteAfterFree => "write-after-free",
            Self::Overrun => "overrun",
            Self::Underrun => "underrun",
            Self::TerminatorOverwritten => "terminator-overwritten",
            Self::PrefixCorrupted => "prefix-corrupted",
            Self::OverlappingSource => "overlapping-source",
            Self::SourceOverRead => "source-over-read",
            Self::NullOutPointer => "null-out-pointer",
            Self::UnbalancedPin => "unbalanced-pin",
            Self::PinOfNonBstr => "pin-of-non-bstr",
            Self::SpyPointerLost => "spy-pointer-lost",
            Self::InFreedByCallee => "in-freed-by-callee",
            Self::InModifiedByCallee => "in-modified-by-callee",
            Self::InNotABstr => "in-not-a-bstr",
            Self::InRetainedByCallee => "in-retained-by-callee",
            Self::OutOwnedAtEntry => "out-owned-at-entry",
            Self::OutReadByCallee => "out-read-by-callee",
            Self::OutNotSet => "out-not-set",
            Self::OutSetOnFailure => "out-set-on-failure",
            Self::OutWrongFamily => "out-wrong-family",
            Self::OutNotACopy => "out-not-a-copy",
            Self::OutFreedByCallee => "out-freed-by-callee",
            Self::InoutInvalid => "inout-invalid",
            Self::InoutLeaked => "inout-leaked",
            Self::InoutDangling => "inout-dangling",
            Self::InoutChangedOnFailure => "inout-changed-on-failure",
            Self::AliasedParameters => "aliased-parameters",
            Self::BufferOverrun => "buffer-overrun",
            Self::ElementLeaked => "element-leaked",
            Self::ElementInvalid => "element-invalid",
            Self::MemberUninitialised => "member-uninitialised",
            Self::OrphanedOnFailure => "orphaned-on-failure",
            Self::InterfaceOverReleased => "interface-over-released",
            Self::InterfaceLeaked => "interface-leaked",
            Self::InterfaceNotAddrefed => "interface-not-addrefed",
            Self::InterfaceUsedAfterDestroy => "interface-used-after-destroy",
            Self::IdentityBroken => "identity-broken",
            Self::Leak => "leak",
        }
    }

    /// How bad it is, unless a violation says otherwise of itself.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::TerminatorOverwritten | Self::InModifiedByCallee => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// The rules that it breaks; none where what is wrong is a documented argument and no matter of ownership.
    #[must_use]
    pub const fn rules(self) -> &'static [Rule] {
        match self {
            Self::Leak => &[Rule(1)],
            Self::DoubleFree => &[Rule(21)],
            Self::FamilyMismatch | Self::ForeignFree => &[Rule(20)],
            Self::InteriorFree => &[Rule(24)],
            Self::UseAfterFree | Self::WriteAfterFree => &[Rule(22)],
            Self::Overrun
            | Self::Underrun
            | Self::TerminatorOverwritten
            | Self::PrefixCorrupted => &[Rule(23)],
            Self::OverlappingSource => &[Rule(25)],
            Self::SourceOverRead => &[Rule(26)],
            Self::NullOutPointer => &[],
            Self::UnbalancedPin | Self::PinOfNonBstr => &[Rule(28)],
            Self::SpyPointerLost => &[Rule(54)],
            Self::InFreedByCallee => &[Rule(1)],
            Self::InModifiedByCallee => &[Rule(2)],
            Self::InNotABstr => &[Rule(3)],
            Self::InRetainedByCallee => &[Rule(1), Rule(12)],
            Self::OutOwnedAtEntry => &[Rule(7)],
            Self::OutReadByCallee => &[Rule(6)],
            Self::OutNotSet => &[Rule(15)],
            Self::OutSetOnFailure => &[Rule(14), Rule(16), Rule(18), Rule(48)],
            Self::OutWrongFamily => &[Rule(5), Rule(10), Rule(29), Rule(38)],
            Self::OutNotACopy => &[Rule(13)],
            Self::OutFreedByCallee => &[Rule(11)],
            Self::InoutInvalid => &[Rule(8)],
            Self::InoutLeaked => &[Rule(8), Rule(9)],
            Self::InoutDangling => &[Rule(8), Rule(9)],
            Self::InoutChangedOnFailure => &[Rule(17)],
            Self::AliasedParameters => &[Rule(37)],
            Self::BufferOverrun => &[Rule(31)],
            Self::ElementLeaked => &[Rule(32), Rule(34), Rule(35)],
            Self::ElementInvalid => &[Rule(32)],
            Self::MemberUninitialised => &[Rule(36)],
            Self::OrphanedOnFailure => &[Rule(33)],
            Self::InterfaceOverReleased => &[Rule(44), Rule(46), Rule(51)],
            Self::InterfaceLeaked => &[Rule(43), Rule(45), Rule(46)],
            Self::InterfaceNotAddrefed => &[Rule(45), Rule(47)],
            Self::InterfaceUsedAfterDestroy => &[Rule(43), Rule(51)],
            Self::IdentityBroken => &[Rule(49)],
        }
    }

    /// What to do instead, in one sentence.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::DoubleFree => {
                "free each block once; after handing ownership on, or freeing, set the variable to NULL"
            }
            Self::FamilyMismatch => {
                "free a BSTR with SysFreeString, and task memory with CoTaskMemFree or IMalloc::Free"
            }
            Self::InteriorFree => "keep the pointer that the allocation gave, and free that one",
            Self::ForeignFree => {
                "free only what SysAllocString*, CoTaskMemAlloc or IMalloc::Alloc gave; memory from elsewhere goes back there"
            }
            Self::UseAfterFree => "use the block before it is freed, or keep a copy of one's own",
            Self::WriteAfterFree => {
                "find the pointer that outlived the free; a copy of one's own is needed to keep a string"
            }
            Self::Overrun | Self::Underrun => {
                "stay within the bytes that were asked for; a BSTR has room for its length and the terminator"
            }
            Self::TerminatorOverwritten => {
                "restore the zero unit behind the counted bytes before anybody reads the string"
            }
            Self::PrefixCorrupted => {
                "change a BSTR's length with SysReAllocStringLen; the four bytes before it are not the caller's"
            }
            Self::OverlappingSource => {
                "make the new string with SysAllocStringLen, then free the old one and store the new pointer"
            }
            Self::SourceOverRead => "give a count that the source really holds",
            Self::NullOutPointer => "pass the address of a variable for the result",
            Self::UnbalancedPin => "pair each successful SysAddRefString with one SysReleaseString",
            Self::PinOfNonBstr => "pin only a live BSTR",
            Self::SpyPointerLost => {
                "give back in Pre calls what the Post call was given, and move the pointer only where fSpyed is TRUE"
            }
            Self::InFreedByCallee => {
                "leave what is [in] to the caller; to keep or change a string, make a copy of one's own"
            }
            Self::InModifiedByCallee => {
                "treat what is [in] as read-only; change a copy of one's own"
            }
            Self::InNotABstr => {
                "pass NULL or what SysAllocString* gave, for [in] as well; a static literal of a BSTR's shape has to be registered"
            }
            Self::InRetainedByCallee => "to keep an incoming string, store a copy",
            Self::OutOwnedAtEntry => {
                "free what the variable holds, and set it to NULL, before it is passed as [out]"
            }
            Self::OutReadByCallee => {
                "store NULL in [out] variables first; what they hold when the call begins means nothing"
            }
            Self::OutNotSet => {
                "store NULL in every [out] variable when the method begins, whatever it returns later"
            }
            Self::OutSetOnFailure => {
                "on failure free what was made so far and store NULL; a method that fails with data on purpose needs a waiver"
            }
            Self::OutWrongFamily => {
                "hand out a BSTR that SysAllocString* made where a BSTR is declared, else memory of CoTaskMemAlloc"
            }
            Self::OutNotACopy => {
                "hand out a copy of a stored string; or detach it, and keep no pointer to it"
            }
            Self::OutFreedByCallee => "what was handed out is the caller's to free",
            Self::InoutInvalid => {
                "pass, and leave behind, NULL or a block of the standard allocator"
            }
            Self::InoutLeaked => "free the old value when a new one is assigned",
            Self::InoutDangling => {
                "free the old value only when a new one, or NULL, is stored in its place"
            }
            Self::InoutChangedOnFailure => {
                "on failure leave an [in,out] value as it was, or free it and store NULL"
            }
            Self::AliasedParameters => {
                "pass each block once; where a method needs a value twice, pass a copy"
            }
            Self::BufferOverrun => "write no more than the size that came with the buffer",
            Self::ElementLeaked => {
                "free each element before the array, and those that a smaller count leaves behind"
            }
            Self::ElementInvalid => {
                "fill every element up to the count with NULL or a block of the declared family"
            }
            Self::MemberUninitialised => {
                "set every pointer of a structure to NULL or to a block before it is passed"
            }
            Self::OrphanedOnFailure => {
                "on failure free what the structure or array was given so far"
            }
            Self::InterfaceOverReleased => {
                "release only what AddRef added or what was handed over, each reference once"
            }
            Self::InterfaceLeaked => {
                "release each reference once: what AddRef added, what came as [out], and what was replaced as [in,out]"
            }
            Self::InterfaceNotAddrefed => "call AddRef on a pointer before it is handed out",
            Self::InterfaceUsedAfterDestroy => {
                "keep a reference for as long as the pointer is used"
            }
            Self::IdentityBroken => {
                "give the same IUnknown from every interface, and the same answer for an interface as long as the object lives"
            }
            Self::Leak => {
                "whoever owns the block at the end frees it: SysFreeString for a BSTR, CoTaskMemFree for task memory"
            }
        }
    }
}

impl Kind {
    /// The same for whoever it is that broke just these rules.
    pub(super) const fn help_on(self, rules: &[Rule]) -> &'static str {
        let rule = match rules {
            [rule] => rule.0,
            _ => 0,
        };
        match (self, rule) {
            (Self::InterfaceOverReleased, 44) => {
                "release in the callee only what it added: an [in] pointer is the caller's"
            }
            (Self::InterfaceOverReleased, 46) => {
                "release an [in,out] pointer only when another, or NULL, is stored in its place"
            }
            (Self::InterfaceLeaked, 43) => {
                "release each reference that AddRef added, when the pointer is replaced or its holder goes"
            }
            (Self::InterfaceLeaked, 45) => "release what came as [out] when it is used no more",
            (Self::InterfaceLeaked, 46) => {
                "release the old pointer when another one is stored in its place"
            }
            _ => self.help(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no kind of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no kind of violation has that name")
    }
}

impl core::error::Error for UnknownKind {}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.name() == name)
            .ok_or(UnknownKind)
    }
}
