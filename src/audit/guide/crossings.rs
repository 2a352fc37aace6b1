//! The kinds of violations that are seen where a call says what its parameters are.
//!
//! Each breaks a rule, whose examples show it.

use super::{Check, Guide, allocation, composites, directions, failures, interfaces};

pub(super) const IN_FREED_BY_CALLEE: Guide = Guide {
    title: "the callee frees what it was lent as [in]",
    statement: "A block that was passed as [in] is freed or reallocated between the beginning and the end of \
                the call, by whichever thread.",
    check: Check::Call,
    how: "The books know which blocks are lent to an open call. The free is reported with the callee's \
          stack and not carried out, so that the caller's own is the only one; a reallocation fails.",
    ..directions::R1
};

pub(super) const IN_MODIFIED_BY_CALLEE: Guide = Guide {
    title: "the callee writes to what it was lent as [in]",
    statement: "The length prefix or the bytes of a BSTR that was passed as [in] are others when the call \
                ends. A warning: behind a marshalled boundary the callee has a copy of its own.",
    check: Check::Call,
    how: "Prefix and bytes are hashed when the call begins, and once more when it ends.",
    ..directions::R2
};

pub(super) const IN_NOT_A_BSTR: Guide = Guide {
    title: "what is passed as a BSTR is none",
    statement: "An [in] parameter that is declared a BSTR is neither NULL, nor a live BSTR, nor a literal \
                that was registered.",
    check: Check::Call,
    how: "The pointer is looked up when the call begins: what stands before the units cannot tell a \
          BSTR from other memory.",
    ..directions::R3
};

pub(super) const IN_RETAINED_BY_CALLEE: Guide = Guide {
    title: "the callee kept what it was lent as [in]",
    statement: "In a later call of the same object, of which the block is no parameter, the callee frees a \
                block that it was once lent, or hands it out. A warning where code of the caller's could \
                have run within the call.",
    check: Check::Call,
    how: "The books remember to which object each block was lent. The free is reported and not carried \
          out: the block is the caller's.",
    ..directions::R12
};

pub(super) const OUT_OWNED_AT_ENTRY: Guide = Guide {
    title: "an [out] variable held a block that was lost",
    statement: "When the call began the variable of an [out] parameter held a live block, and that block is \
                still live when the session ends.",
    check: Check::Call,
    how: "The block in the variable is remembered. If it was never freed, this is told in place of the \
          leak.",
    ..directions::R7
};

pub(super) const OUT_READ_BY_CALLEE: Guide = Guide {
    title: "the callee uses what an [out] variable held",
    statement: "What the variable of an [out] parameter held when the call began reached a function: it was \
                freed, measured, copied, or written to.",
    check: Check::Call,
    how: "A value of the audit's own is planted in the variable. It leads to memory that may be read, \
          and is told when it is handed to any function.",
    ..directions::R6
};

pub(super) const OUT_NOT_SET: Guide = Guide {
    title: "an [out] variable was never written",
    statement: "The variable of an [out] parameter holds on return what was planted in it, whatever the \
                result is.",
    check: Check::Call,
    how: "A value that no callee can have is planted in the variable, and looked for on return. The \
          variable then gets back what it held.",
    ..failures::R15
};

pub(super) const OUT_SET_ON_FAILURE: Guide = Guide {
    title: "the call failed, and an [out] variable is not NULL",
    statement: "The result is a failure, and the variable of an [out] parameter, or an [out] member of the \
                caller's structure, is not NULL. Methods that fail with data on purpose have a waiver.",
    check: Check::Call,
    how: "On a failing return each [out] variable and member is looked at.",
    ..failures::R14
};

pub(super) const OUT_WRONG_FAMILY: Guide = Guide {
    title: "what was handed out is no live block of the declared family",
    statement: "An [out] or returned value is neither NULL nor the start of a live block of the declared \
                family: a literal, a freed block, a pointer into one, a BSTR for an LPWSTR.",
    check: Check::Call,
    how: "On return the value is looked up in the books. The variable is then set to NULL, since the \
          caller could not free it.",
    ..directions::R5
};

pub(super) const OUT_NOT_A_COPY: Guide = Guide {
    title: "what was handed out has another owner",
    statement: "The block that was handed out was handed out before by the same object and not freed since, \
                or is one that this very call was lent as [in]. To hand out one's own detached block is \
                legal.",
    check: Check::Call,
    how: "The books remember who owns each block that crossed.",
    ..directions::R13
};

pub(super) const OUT_FREED_BY_CALLEE: Guide = Guide {
    title: "the callee frees what it handed out earlier",
    statement: "In a later call of the same object, of which the block is no parameter, the callee frees a \
                block that it had handed out as [out].",
    check: Check::Call,
    how: "The books remember who handed each block out. The free is reported and not carried out: the \
          block is the caller's.",
    broken: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    *text = self->status; /* and takes it for its own */
    return S_OK;
}

HRESULT put_StatusText(Browser *self, BSTR text)
{
    SysFreeString(self->status); /* the caller's by now */
    self->status = SysAllocString(text);
    return S_OK;
}"#,
    kept: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    *text = self->status;
    self->status = NULL; /* detached */
    return S_OK;
}

HRESULT put_StatusText(Browser *self, BSTR text)
{
    SysFreeString(self->status);
    self->status = SysAllocString(text);
    return S_OK;
}"#,
    ..directions::R11
};

pub(super) const INOUT_INVALID: Guide = Guide {
    title: "an [in,out] value is neither NULL nor a live block",
    statement: "The value of an [in,out] parameter is neither NULL nor a live block of its family, when the \
                call begins or when it ends.",
    check: Check::Call,
    how: "The value is looked up when the call begins, and once more when it ends; what the caller \
          could not free is then set to NULL.",
    ..directions::R8
};

pub(super) const INOUT_LEAKED: Guide = Guide {
    title: "an [in,out] value was replaced and never freed",
    statement: "The callee stored another value, and the old block is still live when the session ends.",
    check: Check::Call,
    how: "The old block is remembered. If it was never freed nor handed out, this is told in place of \
          the leak.",
    ..directions::R9
};

pub(super) const INOUT_DANGLING: Guide = Guide {
    title: "an [in,out] value was freed and left in place",
    statement: "The old block was freed, and the variable still points at it.",
    check: Check::Call,
    how: "The variable is compared with what it held when the call began, and the block is looked up. \
          The variable is then set to NULL.",
    broken: r#"HRESULT ExchangeStatusText(Browser *self, BSTR *text)
{
    SysFreeString(*text); /* and leaves the pointer there */
    return put_StatusText(self, NULL);
}"#,
    kept: r#"HRESULT ExchangeStatusText(Browser *self, BSTR *text)
{
    SysFreeString(*text);
    *text = NULL;
    return put_StatusText(self, NULL);
}"#,
    ..directions::R9
};

pub(super) const INOUT_CHANGED_ON_FAILURE: Guide = Guide {
    title: "the call failed, and an [in,out] value is another",
    statement: "The result is a failure, and the value of an [in,out] parameter is neither the old block, \
                live and with its old contents, nor NULL with the old block freed.",
    check: Check::Call,
    how: "The old block and its contents are remembered when the call begins, and compared on a \
          failing return.",
    broken: r#"HRESULT ExchangeStatusText(Browser *self, BSTR *text)
{
    SysReAllocString(text, self->status);
    return refresh(self); /* a failure, and the text is another */
}"#,
    kept: r#"HRESULT ExchangeStatusText(Browser *self, BSTR *text)
{
    HRESULT hr = refresh(self);
    if (FAILED(hr))
        return hr; /* nothing was touched */
    return SysReAllocString(text, self->status) ? S_OK : E_OUTOFMEMORY;
}"#,
    ..failures::R17
};

pub(super) const ALIASED_PARAMETERS: Guide = Guide {
    title: "two parameters hold the same block",
    statement: "Two parameters of a call hold the same block, and one of them is [in,out]. What an [out] \
                variable holds when the call begins does not count.",
    check: Check::Call,
    how: "The blocks of all parameters are compared when the call begins.",
    ..composites::R37
};

pub(super) const BUFFER_OVERRUN: Guide = Guide {
    title: "a caller's buffer was written beyond its size",
    statement: "The callee wrote before the start or behind the end of a buffer that the caller gave it with \
                a size.",
    check: Check::Call,
    how: "The callee is given a copy of the buffer that stands among guard bytes; what it wrote within \
          is copied back.",
    ..allocation::R31
};

pub(super) const ELEMENT_LEAKED: Guide = Guide {
    title: "an element of an array was lost",
    statement: "An element of an array is still live when the session ends, though the array was freed, or \
                the element lies behind the count that came back, or another value was stored in its place.",
    check: Check::Call,
    how: "The elements up to the counts are remembered when the call begins and when it ends. If one \
          was never freed, this is told in place of the leak.",
    ..composites::R32
};

pub(super) const ELEMENT_INVALID: Guide = Guide {
    title: "an element of an array is no block of its family",
    statement: "An element within the count that came back is neither NULL nor a live block of the declared \
                family.",
    check: Check::Call,
    how: "On return each element up to the count is looked up in the books.",
    broken: r#"HRESULT get_Titles(Browser *self, ULONG size, BSTR *titles, ULONG *count)
{
    for (*count = 0; *count < size; ++*count)
        titles[*count] = self->title; /* an LPWSTR, and the browser's own */
    return S_OK;
}"#,
    kept: r#"HRESULT get_Titles(Browser *self, ULONG size, BSTR *titles, ULONG *count)
{
    for (*count = 0; *count < size; ++*count)
        titles[*count] = SysAllocString(self->title);
    return S_OK;
}"#,
    ..composites::R32
};

pub(super) const MEMBER_UNINITIALISED: Guide = Guide {
    title: "a pointer within a structure was not initialised",
    statement: "A pointer within a structure, declared as a member, is neither NULL nor a live block of its \
                family when the call begins.",
    check: Check::Call,
    how: "Each member that the call names is looked up when the call begins.",
    ..composites::R36
};

pub(super) const ORPHANED_ON_FAILURE: Guide = Guide {
    title: "a call that failed left a block behind",
    statement: "A call with structures or arrays failed, and a block that was allocated during the call is \
                still live when the session ends.",
    check: Check::Call,
    how: "Blocks are numbered as they are allocated, so the books know which came while the call was \
          under way. If one was never freed, this is told in place of the leak.",
    broken: r#"HRESULT GetPage(Browser *self, Page *page)
{
    BSTR title = SysAllocString(OLESTR("olemem"));
    page->title = NULL;
    HRESULT hr = SHStrDupW(self->title, &page->address);
    if (SUCCEEDED(hr))
        page->title = title;
    return hr; /* a failure forgets the title */
}"#,
    kept: r#"HRESULT GetPage(Browser *self, Page *page)
{
    BSTR title = SysAllocString(OLESTR("olemem"));
    page->title = NULL;
    HRESULT hr = SHStrDupW(self->title, &page->address);
    if (SUCCEEDED(hr))
        page->title = title;
    else
        SysFreeString(title);
    return hr;
}"#,
    ..composites::R33
};

pub(super) const INTERFACE_OVER_RELEASED: Guide = Guide {
    title: "an interface pointer was released once too often",
    statement: "A callee released a reference that it did not add, whether the object was passed as [in] in this call or \
                in an earlier one; an [in,out] pointer was released and not replaced; or Release was called on an \
                object without references.",
    check: Check::Call,
    how: "A counting object knows who holds its references. What was released too often is put back when the call \
          ends, so that it is told once. Where it may have been right, for a constructor or a thread of the callee's \
          may have added it outside of calls, it is told when a reference is missing.",
    broken: r#"HRESULT put_Site(Browser *self, IUnknown *site)
{
    UNREFERENCED_PARAMETER(self);
    IUnknown_AddRef(site);
    IUnknown_Release(site);
    IUnknown_Release(site); /* the caller's reference */
    return S_OK;
}"#,
    kept: r#"HRESULT put_Site(Browser *self, IUnknown *site)
{
    UNREFERENCED_PARAMETER(self);
    IUnknown_AddRef(site);
    IUnknown_Release(site);
    return S_OK;
}"#,
    ..interfaces::R44
};

pub(super) const INTERFACE_LEAKED: Guide = Guide {
    title: "a reference was never released",
    statement: "An object still has references when the session ends, or an [in,out] pointer was replaced \
                and the old object not released.",
    check: Check::Call,
    how: "A counting object belongs to the session in which it was made, and is looked at when that \
          ends. It is told by which call one of the references was added or handed out, and where.",
    broken: r#"void caller(IUnknown *site)
{
    void *found = NULL;
    IUnknown_QueryInterface(site, &IID_IUnknown, &found);
    /* comes with a reference, which stays */
}"#,
    kept: r#"void caller(IUnknown *site)
{
    void *found = NULL;
    if (SUCCEEDED(IUnknown_QueryInterface(site, &IID_IUnknown, &found)))
        IUnknown_Release((IUnknown *)found);
}"#,
    ..interfaces::R45
};

pub(super) const INTERFACE_NOT_ADDREFED: Guide = Guide {
    title: "an interface pointer was handed out without a reference",
    statement: "The call succeeded and handed out a pointer to an object whose references are no more than \
                when the call began.",
    check: Check::Call,
    how: "A counting object knows its references at the beginning and at the end of each call. The \
          missing one is added, so that it is told once.",
    broken: interfaces::R45.broken,
    kept: interfaces::R45.kept,
    ..interfaces::R47
};

pub(super) const INTERFACE_USED_AFTER_DESTROY: Guide = Guide {
    title: "an object was called that is gone",
    statement: "A method of an object was called after its last reference was released.",
    check: Check::Call,
    how: "The memory of a counting object stays when its last reference goes, and each call looks \
          whether there is one. If others keep the object that a proxy stands before it is a warning, for \
          whoever knows that it outlives him needs no reference (R43): `weak` says that it is meant.",
    ..interfaces::R51
};

pub(super) const IDENTITY_BROKEN: Guide = Guide {
    title: "QueryInterface does not keep to the rules of identity",
    statement: "QueryInterface gave different pointers for IUnknown, gave an interface at one time and \
                refused it at another, or gave one from which the others cannot be had.",
    check: Check::Call,
    how: "`Session::check_identity` asks an object for each interface from each other, twice, and \
          compares the answers.",
    ..interfaces::R49
};
