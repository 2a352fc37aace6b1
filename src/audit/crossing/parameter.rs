//! What the parameters of a call are.

use crate::task::block::Family;

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum What {
    /// A BSTR.
    Bstr,
    /// An `LPWSTR` or `LPSTR`: task memory that is initialised throughout.
    String,
    /// Other task memory, whose contents are not looked at.
    Block,
    /// An interface pointer.
    Interface,
}

impl What {
    pub(super) const fn family(self) -> Family {
        match self {
            Self::Bstr => Family::Bstr,
            Self::String | Self::Block | Self::Interface => Family::Task,
        }
    }
}

/// A parameter of a call: its name, what it is, and what is special about it.
///
/// ```
/// use olemem::audit::Parameter;
///
/// let text = Parameter::bstr("text");
/// let name = Parameter::string("stat.pwcsName").member();
/// assert_ne!(text, name);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parameter<'a> {
    pub(super) name: &'a str,
    pub(super) what: What,
    pub(super) is_member: bool,
    pub(super) stays_callees: bool,
    /// What is passed owns what it leads to.
    pub(super) is_owned: bool,
}

impl<'a> Parameter<'a> {
    const fn new(name: &'a str, what: What) -> Self {
        Self {
            name,
            what,
            is_member: false,
            stays_callees: false,
            is_owned: false,
        }
    }

    /// The value that is passed is an owner of what it leads to: of an interface pointer, a reference that is no other
    /// owner's.
    pub(crate) const fn owned(mut self) -> Self {
        self.is_owned = true;
        self
    }

    /// A BSTR.
    #[must_use]
    pub const fn bstr(name: &'a str) -> Self {
        Self::new(name, What::Bstr)
    }

    /// A string in task memory, `LPWSTR` or `LPSTR`.
    #[must_use]
    pub const fn string(name: &'a str) -> Self {
        Self::new(name, What::String)
    }

    /// Other task memory.
    #[must_use]
    pub const fn block(name: &'a str) -> Self {
        Self::new(name, What::Block)
    }

    /// An interface pointer. That the callee keeps to the rules of references is seen of
    /// [counting objects](crate::audit::CountingObject); that the variable is set, and NULL on failure, of any.
    #[must_use]
    pub const fn interface(name: &'a str) -> Self {
        Self::new(name, What::Interface)
    }

    /// It is a pointer within a structure of the caller's (R16, R35, R36, R38).
    #[must_use]
    pub const fn member(mut self) -> Self {
        self.is_member = true;
        self
    }

    /// What is handed out stays the callee's, as `[allocate(dont_free)]` says (R53): it may be anything, and may be
    /// handed out again. Of an array that is said of the elements.
    #[must_use]
    pub const fn stays_callees(mut self) -> Self {
        self.stays_callees = true;
        self
    }
}
