//! R1 to R13: who allocates and who frees, by direction.

use super::{Check, Guide};

pub(super) const R1: Guide = Guide {
    title: "[in]: the caller allocates and frees; the callee does neither, and keeps nothing",
    statement: "The caller allocates and frees what it passes as [in]. The callee neither frees nor reallocates it, \
                and does not keep it.",
    check: Check::Partly,
    how: "A block that nobody frees is a leak. What a call lends is remembered: a callee's free of it is told \
          with the callee's stack, and not carried out.",
    broken: r#"HRESULT put_StatusText(Browser *self, BSTR text)
{
    SysReAllocString(&self->status, text);
    SysFreeString(text); /* the caller's */
    return S_OK;
}"#,
    kept: r#"HRESULT put_StatusText(Browser *self, BSTR text)
{
    if (!SysReAllocString(&self->status, text))
        return E_OUTOFMEMORY;
    return S_OK;
}"#,
    source: "win32 com/memory-management-rules; KB108934 callee rules 2, 4; ms696184",
};

pub(super) const R2: Guide = Guide {
    title: "[in] data is not modified",
    statement: "What is passed as [in] is treated as unmodified: neither the bytes of the string nor its length \
                prefix change.",
    check: Check::Call,
    how: "The contents are hashed when the call begins and compared when it ends. It is a warning: behind a \
          marshalled boundary the callee has a copy of its own.",
    broken: r#"HRESULT put_StatusText(Browser *self, BSTR text)
{
    if (SysStringLen(text) > 0)
        text[0] = 'X'; /* the caller's string */
    return SysReAllocString(&self->status, text) ? S_OK : E_OUTOFMEMORY;
}"#,
    kept: r#"HRESULT put_StatusText(Browser *self, BSTR text)
{
    if (!SysReAllocString(&self->status, text))
        return E_OUTOFMEMORY;
    if (SysStringLen(self->status) > 0)
        self->status[0] = 'X';
    return S_OK;
}"#,
    source: "ms696184; win32 Rpc/server-stub-memory-management; Wine tests/tmarshal.c",
};

pub(super) const R3: Guide = Guide {
    title: "a BSTR parameter is a BSTR",
    statement: "What is passed where a BSTR is declared is NULL or a BSTR made by the API, for [in] as well: no \
                literal, no LPWSTR, no pointer into a string. Registered static literals of a BSTR's shape are excepted.",
    check: Check::Call,
    how: "When the call begins the pointer is looked up: NULL, the place of a BSTR in a live block, or a \
          registered literal.",
    broken: r#"void caller(Browser *browser)
{
    WCHAR text[] = OLESTR("Ready");
    put_StatusText(browser, text); /* has no length before it */
}"#,
    kept: r#"void caller(Browser *browser)
{
    BSTR text = SysAllocString(OLESTR("Ready"));
    put_StatusText(browser, text);
    SysFreeString(text);
}"#,
    source: "ms696184; win32 automat/bstr; Lippert",
};

pub(super) const R4: Guide = Guide {
    title: "NULL is the empty string",
    statement: "A callee accepts NULL for a BSTR that is [in], and treats it as the empty string.",
    check: Check::OwnTest,
    how: "Call the method once with NULL and once with an empty BSTR: both must do the same. A single run shows \
          nothing but a crash.",
    broken: r#"HRESULT get_Length(Browser *self, BSTR text, UINT *units)
{
    UNREFERENCED_PARAMETER(self);
    *units = 0;
    while (text[*units] != 0) /* crashes for NULL */
        ++*units;
    return S_OK;
}"#,
    kept: r#"HRESULT get_Length(Browser *self, BSTR text, UINT *units)
{
    UNREFERENCED_PARAMETER(self);
    *units = SysStringLen(text); /* 0 for NULL */
    return S_OK;
}"#,
    source: "Lippert; win32 String Manipulation Functions",
};

pub(super) const R5: Guide = Guide {
    title: "[out]: the callee allocates, the caller frees",
    statement: "The callee allocates what it hands out by the proper allocator, SysAllocString and its kin for a \
                BSTR and CoTaskMemAlloc for other memory. The caller frees it.",
    check: Check::Call,
    how: "On return the value is looked up: a live block of the declared family. What the caller forgets is a \
          leak, told with this rule and the call.",
    broken: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    UNREFERENCED_PARAMETER(self);
    static WCHAR ready[] = OLESTR("Ready");
    *text = ready; /* the caller cannot free it */
    return S_OK;
}"#,
    kept: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    UNREFERENCED_PARAMETER(self);
    *text = SysAllocString(OLESTR("Ready"));
    return *text != NULL ? S_OK : E_OUTOFMEMORY;
}"#,
    source: "win32 com/memory-management-rules; ATL, Allocating and Releasing Memory for a BSTR",
};

pub(super) const R6: Guide = Guide {
    title: "[out]: the callee does not read what was there",
    statement: "The callee neither reads nor frees the value that an [out] variable has at entry. Behind a \
                marshalled boundary it is zero, in process it is whatever the caller left.",
    check: Check::Call,
    how: "A value of the audit's own is planted in the variable; the callee must not hand it to any function, \
          nor write through it.",
    broken: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    SysFreeString(*text); /* may be garbage */
    *text = SysAllocString(self->status);
    return *text != NULL ? S_OK : E_OUTOFMEMORY;
}"#,
    kept: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    *text = SysAllocStringLen(self->status, SysStringLen(self->status));
    return *text != NULL ? S_OK : E_OUTOFMEMORY;
}"#,
    source: "win32 Rpc/server-stub-memory-management; Wine tests/tmarshal.c",
};

pub(super) const R7: Guide = Guide {
    title: "an [out] variable owns nothing when it is passed",
    statement: "The caller leaves nothing that it owns in a variable that it passes as [out]: the callee overwrites \
                it, and nobody can free it any more.",
    check: Check::Call,
    how: "A live block that is in the variable when the call begins, and still lives at the end of the \
          session, was lost there.",
    broken: r#"void caller(Browser *browser)
{
    BSTR text = SysAllocString(OLESTR("?"));
    get_StatusText(browser, &text); /* the "?" is lost */
    SysFreeString(text);
}"#,
    kept: r#"void caller(Browser *browser)
{
    BSTR text = NULL;
    get_StatusText(browser, &text);
    SysFreeString(text);
}"#,
    source: "our conclusion from R5 and R6; OldNewThing 2020-04-17; ATL asserts it in CComBSTR::operator&",
};

pub(super) const R8: Guide = Guide {
    title: "[in,out]: the caller supplies, the callee may replace, the caller frees",
    statement: "The caller supplies a valid value from the standard allocator, or NULL. The callee may free and \
                replace it. The caller frees what is there in the end.",
    check: Check::Call,
    how: "When the call begins and when it ends the value is NULL or a live block of its family, and a value \
          that was replaced was freed or is the callee's.",
    broken: r#"void caller(Browser *browser)
{
    static WCHAR buffer[] = OLESTR("Loading");
    BSTR text = buffer; /* the callee may free it */
    ExchangeStatusText(browser, &text);
}"#,
    kept: r#"void caller(Browser *browser)
{
    BSTR text = SysAllocString(OLESTR("Loading"));
    ExchangeStatusText(browser, &text);
    SysFreeString(text);
}"#,
    source: "win32 com/memory-management-rules",
};

pub(super) const R9: Guide = Guide {
    title: "[in,out]: the old value is freed when a new one is assigned, and only then",
    statement: "A callee that assigns a new BSTR by reference frees the old one before or as it does so. One that \
                assigns nothing frees nothing.",
    check: Check::Call,
    how: "The old block is followed across the call: freed and still there is dangling, replaced and never \
          freed is leaked.",
    broken: r#"HRESULT ExchangeStatusText(Browser *self, BSTR *text)
{
    BSTR old = self->status;
    self->status = SysAllocString(*text);
    *text = old; /* what was in *text is lost */
    return S_OK;
}"#,
    kept: r#"HRESULT ExchangeStatusText(Browser *self, BSTR *text)
{
    BSTR new_status = SysAllocString(*text);
    if (new_status == NULL && *text != NULL)
        return E_OUTOFMEMORY;
    SysFreeString(*text);
    *text = self->status;
    self->status = new_status;
    return S_OK;
}"#,
    source: "KB108934 callee rule 1",
};

pub(super) const R10: Guide = Guide {
    title: "[out, retval] and return values follow [out]",
    statement: "What a method returns, by a parameter that is [out, retval] or as the value of the function, the \
                callee allocates and the caller frees.",
    check: Check::Call,
    how: "As R5, for the returned value.",
    broken: r#"BSTR status_text(Browser *self)
{
    return self->status; /* still the browser's own */
}"#,
    kept: r#"BSTR status_text(Browser *self)
{
    return SysAllocStringLen(self->status, SysStringLen(self->status));
}"#,
    source: "win32 com/memory-management-rules, including the return value; ms696184",
};

pub(super) const R11: Guide = Guide {
    title: "what was handed out is not freed by the callee",
    statement: "A callee does not free a BSTR after it handed it out: it is the caller's.",
    check: Check::Call,
    how: "Blocks that were handed out are remembered over later calls of the object.",
    broken: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    *text = self->status;
    SysFreeString(self->status); /* and hands it out */
    self->status = NULL;
    return S_OK;
}"#,
    kept: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    *text = self->status; /* detached: now the caller's alone */
    self->status = NULL;
    return S_OK;
}"#,
    source: "KB108934 callee rule 3",
};

pub(super) const R12: Guide = Guide {
    title: "to keep an incoming BSTR, store a copy",
    statement: "A callee that wants to keep a string stores a copy. The caller frees its own whenever it likes.",
    check: Check::Call,
    how: "A block that was once lent, and that a later call frees or hands out, was kept.",
    broken: r#"HRESULT put_StatusText(Browser *self, BSTR text)
{
    SysFreeString(self->status);
    self->status = text; /* the caller frees it soon */
    return S_OK;
}"#,
    kept: r#"HRESULT put_StatusText(Browser *self, BSTR text)
{
    BSTR copy = SysAllocStringLen(text, SysStringLen(text));
    if (copy == NULL)
        return E_OUTOFMEMORY;
    SysFreeString(self->status);
    self->status = copy;
    return S_OK;
}"#,
    source: "KB108934 callee rule 4",
};

pub(super) const R13: Guide = Guide {
    title: "to hand out a stored BSTR, hand out a copy",
    statement: "A callee that hands out a string which it keeps hands out a copy, for the caller frees what it gets.",
    check: Check::Call,
    how: "A block that is handed out twice without a free between, or that this call was lent, is no copy.",
    broken: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    *text = self->status; /* two owners */
    return S_OK;
}"#,
    kept: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    *text = SysAllocStringLen(self->status, SysStringLen(self->status));
    return *text != NULL ? S_OK : E_OUTOFMEMORY;
}"#,
    source: "KB108934 callee rule 5",
};
