//! R14 to R19: what a failing call leaves behind.

use super::{Check, Guide};

pub(super) const R14: Guide = Guide {
    title: "after a failure every [out] pointer is NULL",
    statement: "When the HRESULT is a failure, every [out] pointer is NULL on return.",
    check: Check::Call,
    how: "On a failing return each [out] variable is looked at. Methods that fail in part and return data exist; \
          their calls say so. A sweep makes calls fail: audit::sweep, olemem sweep.",
    broken: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    *text = SysAllocString(OLESTR("Ready"));
    return refresh(self); /* a failure keeps the string */
}"#,
    kept: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    *text = NULL;
    HRESULT hr = refresh(self);
    if (FAILED(hr))
        return hr;
    *text = SysAllocString(OLESTR("Ready"));
    return *text != NULL ? S_OK : E_OUTOFMEMORY;
}"#,
    source: "win32 com/memory-management-rules; OldNewThing 2009-12-31",
};

pub(super) const R15: Guide = Guide {
    title: "[out] pointers are set to NULL at entry",
    statement: "A callee sets its [out] pointers to NULL first, so that whatever happens then they are set.",
    check: Check::Call,
    how: "A value that no callee can have is planted in the variable, and must not be there on return.",
    broken: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    if (self->status == NULL)
        return E_FAIL; /* *text is what it was */
    *text = SysAllocString(self->status);
    return *text != NULL ? S_OK : E_OUTOFMEMORY;
}"#,
    kept: r#"HRESULT get_StatusText(Browser *self, BSTR *text)
{
    *text = NULL;
    if (self->status == NULL)
        return E_FAIL;
    *text = SysAllocString(self->status);
    return *text != NULL ? S_OK : E_OUTOFMEMORY;
}"#,
    source: "win32 com/memory-management-rules; Wine tests/compobj.c: CoGetMalloc and ProgIDFromCLSID do so",
};

pub(super) const R16: Guide = Guide {
    title: "[out] pointers in a caller's struct count as well",
    statement: "Pointers inside a struct that the caller allocated and the callee fills are [out] pointers: NULL \
                after a failure.",
    check: Check::Call,
    how: "As R14, for each member that the call names.",
    broken: r#"HRESULT GetPage(Browser *self, Page *page)
{
    page->title = SysAllocString(self->status);
    return refresh(self); /* a failure keeps the title */
}"#,
    kept: r#"HRESULT GetPage(Browser *self, Page *page)
{
    page->title = NULL;
    page->address = NULL;
    HRESULT hr = refresh(self);
    if (SUCCEEDED(hr))
        page->title = SysAllocString(self->status);
    return hr;
}"#,
    source: "win32 com/memory-management-rules",
};

pub(super) const R17: Guide = Guide {
    title: "after a failure [in,out] is untouched, or needs no cleaning up",
    statement: "When the HRESULT is a failure, an [in,out] value is what it was, or was set to a value that needs \
                no cleaning up: NULL, with the old one freed.",
    check: Check::Call,
    how: "The old block and its contents, or the old interface pointer, are remembered when the call begins and compared \
          on a failing return. A \
          sweep makes calls fail: audit::sweep, olemem sweep.",
    broken: r#"HRESULT ExchangeStatusText(Browser *self, BSTR *text)
{
    SysFreeString(*text);
    HRESULT hr = refresh(self);
    if (FAILED(hr))
        return hr; /* *text dangles */
    *text = SysAllocString(self->status);
    return S_OK;
}"#,
    kept: r#"HRESULT ExchangeStatusText(Browser *self, BSTR *text)
{
    HRESULT hr = refresh(self);
    if (FAILED(hr))
        return hr; /* nothing was touched */
    return SysReAllocString(text, self->status) ? S_OK : E_OUTOFMEMORY;
}"#,
    source: "win32 com/memory-management-rules; Wine: VariantChangeTypeEx leaves its destination on failure",
};

pub(super) const R18: Guide = Guide {
    title: "after a failure there is nothing to free",
    statement: "A caller does not free [out] values after a failure as if they were its own. Where R14 is kept they \
                are NULL, and freeing them does nothing.",
    check: Check::Call,
    how: "A value that is not NULL after a failure is told as the callee's breach of R14; what the caller then \
          does with it is not.",
    broken: r#"void caller(Browser *browser)
{
    BSTR text; /* whatever is on the stack */
    get_StatusText(browser, &text);
    SysFreeString(text); /* also after a failure */
}"#,
    kept: r#"void caller(Browser *browser)
{
    BSTR text = NULL;
    if (SUCCEEDED(get_StatusText(browser, &text)))
        SysFreeString(text);
}"#,
    source: "win32 com/memory-management-rules",
};

pub(super) const R19: Guide = Guide {
    title: "success with nothing to return is legal",
    statement: "A call may succeed and have nothing to return: the [out] pointer is NULL and the HRESULT a success, \
                often S_FALSE. A caller must be ready for that.",
    check: Check::Nothing,
    how: "It allows something: NULL on success is no violation.",
    broken: r#"WCHAR caller(Browser *browser)
{
    BSTR text = NULL;
    if (FAILED(get_StatusText(browser, &text)))
        return 0;
    WCHAR first = text[0]; /* crashes for NULL */
    SysFreeString(text);
    return first;
}"#,
    kept: r#"WCHAR caller(Browser *browser)
{
    BSTR text = NULL;
    if (FAILED(get_StatusText(browser, &text)))
        return 0;
    WCHAR first = SysStringLen(text) > 0 ? text[0] : 0;
    SysFreeString(text);
    return first;
}"#,
    source: "semantics.md section 6",
};
