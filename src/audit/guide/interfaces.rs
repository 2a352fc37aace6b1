//! R43 to R51: references to interfaces.

use super::{Check, Guide};

const COUNTED: &str = "A counting object knows who holds its references: see CountingObject. What is added and never \
          released is told when the session ends.";

pub(super) const R43: Guide = Guide {
    title: "each stored copy of an interface pointer has its reference",
    statement: "Every copy of an interface pointer that is stored has its own AddRef, and every copy that goes a \
                Release. A copy whose life is nested in another's needs neither.",
    check: Check::Call,
    how: COUNTED,
    broken: r#"void keep(Browser *self, Browser *other)
{
    self->site = other->site; /* two copies, one reference */
}"#,
    kept: r#"void keep(Browser *self, Browser *other)
{
    self->site = other->site;
    if (self->site != NULL)
        IUnknown_AddRef(self->site);
}"#,
    source: "win32 com/rules-for-managing-reference-counts",
};

pub(super) const R44: Guide = Guide {
    title: "[in] interface: AddRef to keep it, and no Release without that",
    statement: "A callee needs no AddRef for an interface that is [in], unless it keeps it. It does not Release what \
                it did not AddRef.",
    check: Check::Call,
    how: "A counting object knows who holds its references. When a call ends each object that it released is looked at, \
          parameter or not: has the callee released more than it had, that is told. Where references that were added \
          outside of calls may have been its own, it is told if one is missing later.",
    broken: r#"HRESULT put_Site(Browser *self, IUnknown *site)
{
    self->site = site; /* kept without a reference */
    return S_OK;
}"#,
    kept: r#"HRESULT put_Site(Browser *self, IUnknown *site)
{
    if (site != NULL)
        IUnknown_AddRef(site);
    if (self->site != NULL)
        IUnknown_Release(self->site);
    self->site = site;
    return S_OK;
}"#,
    source: "win32 com/rules-for-managing-reference-counts",
};

pub(super) const R45: Guide = Guide {
    title: "[out] interface: it comes with a reference that the caller releases",
    statement: "QueryInterface, and whatever else hands out an interface, returns it with a reference. The caller \
                releases it.",
    check: Check::Call,
    how: "A counting object knows whether a reference was added in the call, and by the end of the session \
          whether it was released.",
    broken: r#"HRESULT get_Site(Browser *self, IUnknown **site)
{
    *site = self->site; /* without a reference */
    return S_OK;
}"#,
    kept: r#"HRESULT get_Site(Browser *self, IUnknown **site)
{
    *site = self->site;
    if (*site != NULL)
        IUnknown_AddRef(*site);
    return S_OK;
}"#,
    source: "win32 com/rules-for-managing-reference-counts",
};

pub(super) const R46: Guide = Guide {
    title: "[in,out] interface: the callee releases what it replaces",
    statement: "The caller passes a pointer with a reference. A callee that stores a new one releases the old one; \
                one that does not leaves it alone.",
    check: Check::Call,
    how: "A counting object knows whether the old reference was released, and whether the new one has its own.",
    broken: r#"HRESULT ExchangeSite(Browser *self, IUnknown **site)
{
    *site = self->site; /* the old one keeps its reference */
    IUnknown_AddRef(*site);
    return S_OK;
}"#,
    kept: r#"HRESULT ExchangeSite(Browser *self, IUnknown **site)
{
    IUnknown *old = *site;
    *site = self->site;
    self->site = old; /* the references change places */
    return S_OK;
}"#,
    source: "win32 com/rules-for-managing-reference-counts, in-out parameters",
};

pub(super) const R47: Guide = Guide {
    title: "a pointer out of a global or an object is AddRef'd before it is used",
    statement: "A copy of a global's or an object's own interface pointer gets a reference before it is returned or \
                called: a call may make the original go away.",
    check: Check::Call,
    how: COUNTED,
    broken: r#"HRESULT Reload(Browser *self)
{
    IUnknown *site = self->site;
    HRESULT hr = refresh(self); /* may replace the site */
    IUnknown_AddRef(site); /* too late */
    IUnknown_Release(site);
    return hr;
}"#,
    kept: r#"HRESULT Reload(Browser *self)
{
    IUnknown *site = self->site;
    IUnknown_AddRef(site);
    HRESULT hr = refresh(self);
    IUnknown_Release(site);
    return hr;
}"#,
    source: "win32 com/rules-for-managing-reference-counts",
};

pub(super) const R48: Guide = Guide {
    title: "a QueryInterface that fails stores NULL",
    statement: "QueryInterface for an interface that is not there stores NULL and returns E_NOINTERFACE. Given NULL \
                to store in, it returns E_POINTER.",
    check: Check::Call,
    how: "On a failing return the variable is looked at, as in R14. `Session::check_identity` asks for what is \
          not there.",
    broken: r#"HRESULT QueryInterface(IUnknown *self, REFIID iid, void **object)
{
    if (!IsEqualIID(iid, &IID_IUnknown))
        return E_NOINTERFACE; /* *object is what it was */
    IUnknown_AddRef(self);
    *object = self;
    return S_OK;
}"#,
    kept: r#"HRESULT QueryInterface(IUnknown *self, REFIID iid, void **object)
{
    if (object == NULL)
        return E_POINTER;
    *object = NULL;
    if (!IsEqualIID(iid, &IID_IUnknown))
        return E_NOINTERFACE;
    IUnknown_AddRef(self);
    *object = self;
    return S_OK;
}"#,
    source: "sdk-api IUnknown::QueryInterface",
};

pub(super) const R49: Guide = Guide {
    title: "an object has one identity, and its interfaces do not change",
    statement: "QueryInterface for IID_IUnknown gives the same pointer, always. Whether it succeeds for an IID does \
                not change while the object lives.",
    check: Check::Call,
    how: "`Session::check_identity` asks an object for each interface from each other, twice, and compares the \
          answers.",
    broken: r#"HRESULT get_Identity(Browser *self, IUnknown **identity)
{
    *identity = new_wrapper(self); /* another one each time */
    return *identity != NULL ? S_OK : E_OUTOFMEMORY;
}"#,
    kept: r#"HRESULT get_Identity(Browser *self, IUnknown **identity)
{
    if (self->wrapper == NULL)
        self->wrapper = new_wrapper(self);
    *identity = self->wrapper;
    if (*identity == NULL)
        return E_OUTOFMEMORY;
    IUnknown_AddRef(*identity);
    return S_OK;
}"#,
    source: "win32 com/rules-for-implementing-queryinterface",
};

pub(super) const R50: Guide = Guide {
    title: "what AddRef and Release return is for diagnosis only",
    statement: "The values that AddRef and Release return are for diagnosis and tests. No decision depends on them.",
    check: Check::Reading,
    how: "What becomes of a returned number is not to be seen from outside the code.",
    broken: r#"void close_site(Browser *self)
{
    while (IUnknown_Release(self->site) > 0) /* others' references too */
        ;
    self->site = NULL;
}"#,
    kept: r#"void close_site(Browser *self)
{
    IUnknown_Release(self->site);
    self->site = NULL;
}"#,
    source: "win32 com/rules-for-managing-reference-counts",
};

pub(super) const R51: Guide = Guide {
    title: "no Release below zero, no use after the last",
    statement: "References are not released more often than they were taken, and an object is not called after its \
                last Release.",
    check: Check::Call,
    how: "The memory of a counting object stays until its session ends, and each call looks whether there is a \
          reference.",
    broken: r#"HRESULT caller(Browser *browser, IUnknown *site)
{
    IUnknown_Release(site); /* may be the last */
    return put_Site(browser, site);
}"#,
    kept: r#"HRESULT caller(Browser *browser, IUnknown *site)
{
    HRESULT hr = put_Site(browser, site);
    IUnknown_Release(site);
    return hr;
}"#,
    source: "win32 com/rules-for-managing-reference-counts",
};
