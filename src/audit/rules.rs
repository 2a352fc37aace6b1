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
            Self::Leak => "leak",
        }
    }

    /// How bad it is, unless a violation says otherwise of itself.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::TerminatorOverwritten => Severity::Warning,
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
            Self::Leak => {
                "whoever owns the block at the end frees it: SysFreeString for a BSTR, CoTaskMemFree for task memory"
            }
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
