//! R32 to R42: arrays, structs, VARIANT and its kin.

use super::{Check, Guide};

pub(super) const R32: Guide = Guide {
    title: "of an [out] array the elements are freed first, then the array",
    statement: "An [out] array of pointers is a block, and so is each of its elements, all of the proper \
                allocators. The caller frees each element, then the array.",
    check: Check::Call,
    how: "The call names the array and its count; each element is looked up on return, and followed until the \
          session ends.",
    broken: r#"void caller(Browser *browser)
{
    ULONG count = 0;
    BSTR *names = NULL;
    if (SUCCEEDED(get_Names(browser, &count, &names)))
        CoTaskMemFree(names); /* its strings are lost */
}"#,
    kept: r#"void caller(Browser *browser)
{
    ULONG count = 0;
    BSTR *names = NULL;
    if (FAILED(get_Names(browser, &count, &names)))
        return;
    for (ULONG at = 0; at < count; at++)
        SysFreeString(names[at]);
    CoTaskMemFree(names);
}"#,
    source: "our conclusion from win32 com/memory-management-rules; Rpc/embedded-out-only-reference-pointers",
};

pub(super) const R33: Guide = Guide {
    title: "what fails half-way releases what it made",
    statement: "A callee that fails while it fills a struct or an array releases what it allocated already, and \
                leaves the pointers NULL or valid, in keeping with each other.",
    check: Check::Call,
    how: "Blocks that were allocated during a call with structures or arrays that failed are looked for when \
          the session ends.",
    broken: r#"HRESULT GetPage(Browser *self, Page *page)
{
    page->title = SysAllocString(OLESTR("olemem"));
    /* a failure here keeps the title */
    return SHStrDupW(self->title, &page->address);
}"#,
    kept: r#"HRESULT GetPage(Browser *self, Page *page)
{
    page->title = NULL;
    HRESULT hr = SHStrDupW(self->title, &page->address);
    if (FAILED(hr))
        return hr;
    page->title = SysAllocString(OLESTR("olemem"));
    if (page->title != NULL)
        return S_OK;
    CoTaskMemFree(page->address);
    page->address = NULL;
    return E_OUTOFMEMORY;
}"#,
    source: "win32 Rpc/server-stub-memory-management",
};

pub(super) const R34: Guide = Guide {
    title: "an array that shrinks releases what it drops",
    statement: "When a callee returns fewer elements than it was given, it releases those beyond the new count; \
                nobody can reach them afterwards.",
    check: Check::Call,
    how: "The elements are remembered when the call begins; those that are no longer in the array when it ends \
          have to be freed.",
    broken: r#"HRESULT Shorten(ULONG *count, BSTR *names)
{
    UNREFERENCED_PARAMETER(names);
    if (*count > 1)
        *count = 1; /* the others are orphans */
    return S_OK;
}"#,
    kept: r#"HRESULT Shorten(ULONG *count, BSTR *names)
{
    while (*count > 1) {
        SysFreeString(names[--*count]);
        names[*count] = NULL;
    }
    return S_OK;
}"#,
    source: "win32 Rpc/memory-orphaning",
};

pub(super) const R35: Guide = Guide {
    title: "an embedded pointer that becomes NULL orphans the old block",
    statement: "When a callee sets an embedded [in,out] pointer to NULL, the caller's copy of the block is orphaned \
                once the call is marshalled. The application keeps the pointer aside and frees it.",
    check: Check::Call,
    how: "The members that the call names are compared between its beginning and its end.",
    broken: r#"HRESULT ClearTitle(Browser *self, Page *page)
{
    UNREFERENCED_PARAMETER(self);
    page->title = NULL; /* and the old title? */
    return S_OK;
}"#,
    kept: r#"HRESULT ClearTitle(Browser *self, Page *page)
{
    UNREFERENCED_PARAMETER(self);
    SysFreeString(page->title);
    page->title = NULL;
    return S_OK;
}"#,
    source: "win32 Rpc/summary-of-memory-allocation-rules, Rpc/memory-orphaning",
};

pub(super) const R36: Guide = Guide {
    title: "embedded pointers are initialised before the call",
    statement: "Pointers inside a struct that is passed are valid or NULL before the call: a marshaller follows them.",
    check: Check::Call,
    how: "When the call begins each member that it names is NULL or live.",
    broken: r#"void caller(Browser *browser)
{
    Page page; /* whatever is on the stack */
    UpdatePage(browser, &page);
}"#,
    kept: r#"void caller(Browser *browser)
{
    Page page = { NULL, NULL };
    UpdatePage(browser, &page);
    SysFreeString(page.title);
    CoTaskMemFree(page.address);
}"#,
    source: "win32 com/interface-design-rules",
};

pub(super) const R37: Guide = Guide {
    title: "parameters do not alias",
    statement: "Two parameters of one call do not lead to the same block, unless they are declared to, when one of \
                them is replaced or freed by the callee.",
    check: Check::Call,
    how: "The blocks of all parameters are compared when the call begins. What an [out] variable holds then \
          does not count.",
    broken: r#"void caller(Browser *browser)
{
    BSTR text = SysAllocString(OLESTR("old"));
    Rename(browser, text, &text); /* [in] and [in,out] */
    SysFreeString(text);
}"#,
    kept: r#"void caller(Browser *browser)
{
    BSTR name = SysAllocString(OLESTR("new"));
    BSTR text = SysAllocString(OLESTR("old"));
    Rename(browser, name, &text);
    SysFreeString(name);
    SysFreeString(text);
}"#,
    source: "win32 com/interface-design-rules",
};

pub(super) const R38: Guide = Guide {
    title: "members are freed by their own family",
    statement: "In a struct that is [out], members typed BSTR are freed by SysFreeString, and LPWSTR members, as the \
                name in STATSTG, by CoTaskMemFree.",
    check: Check::Call,
    how: "On return each member that the call names is looked up. One that the caller frees by the wrong \
          function is a family mismatch.",
    broken: r#"void caller(Browser *browser)
{
    Page page = { NULL, NULL };
    GetPage(browser, &page);
    SysFreeString(page.title);
    SysFreeString(page.address); /* an LPWSTR */
}"#,
    kept: r#"void caller(Browser *browser)
{
    Page page = { NULL, NULL };
    GetPage(browser, &page);
    SysFreeString(page.title);
    CoTaskMemFree(page.address);
}"#,
    source: "sdk-api STATSTG, the member pwcsName",
};

const NO_VARIANT: &str = "It is about types that olemem does not have yet. What they come to, a leak or a double \
                          free of a string, is seen as any other.";

pub(super) const R39: Guide = Guide {
    title: "a VARIANT is initialised before it is cleared, and owns nothing by reference",
    statement: "A VARIANT is initialised before its first clear. VariantClear frees the string of a VT_BSTR; what \
                is VT_BYREF is not the VARIANT's, and is not freed.",
    check: Check::Later,
    how: NO_VARIANT,
    broken: r#"void caller(void)
{
    VARIANT value; /* any tag may be there */
    VariantClear(&value);
}"#,
    kept: r#"void caller(void)
{
    VARIANT value;
    VariantInit(&value);
    V_VT(&value) = VT_BSTR;
    V_BSTR(&value) = SysAllocString(OLESTR("Ready"));
    VariantClear(&value);
}"#,
    source: "sdk-api VariantClear",
};

pub(super) const R40: Guide = Guide {
    title: "VARIANTs are copied by VariantCopy",
    statement: "VariantCopy clears its destination and copies the string of a VT_BSTR by its byte length. Two \
                VARIANTs that were copied bit by bit share one string, and clear it twice.",
    check: Check::Later,
    how: NO_VARIANT,
    broken: r#"void caller(VARIANT *value)
{
    VARIANT copy = *value; /* shares the string */
    VariantClear(&copy);
    VariantClear(value);
}"#,
    kept: r#"void caller(VARIANT *value)
{
    VARIANT copy;
    VariantInit(&copy);
    VariantCopy(&copy, value);
    VariantClear(&copy);
    VariantClear(value);
}"#,
    source: "Wine test_BstrCopy, variant.c",
};

pub(super) const R41: Guide = Guide {
    title: "a SAFEARRAY of BSTRs owns its elements",
    statement: "A SAFEARRAY of VT_BSTR owns its elements and frees them when it is destroyed. Put and Get copy: the \
                string that is put, and the one that is got, stay the caller's to free.",
    check: Check::Later,
    how: "Put and Get are functions that olemem does not have yet. An array that is destroyed here frees its strings, and a string that \
          the caller frees as well is seen as any double free.",
    broken: r#"void caller(SAFEARRAY *names, LONG at)
{
    BSTR name = SysAllocString(OLESTR("olemem"));
    SafeArrayPutElement(names, &at, name);
    SafeArrayDestroy(names); /* frees its own copy */
}"#,
    kept: r#"void caller(SAFEARRAY *names, LONG at)
{
    BSTR name = SysAllocString(OLESTR("olemem"));
    SafeArrayPutElement(names, &at, name);
    SysFreeString(name);
    SafeArrayDestroy(names);
}"#,
    source: "sdk-api SafeArrayPutElement, VariantClear; Wine tests/safearray.c",
};

pub(super) const R42: Guide = Guide {
    title: "arguments of Invoke are [in], its results are the caller's",
    statement: "The arguments in DISPPARAMS are [in], and VT_BYREF|VT_BSTR among them is [in,out] as in R9. The \
                result and the strings in EXCEPINFO are [out]: the caller frees them.",
    check: Check::Later,
    how: NO_VARIANT,
    broken: r#"HRESULT Invoke(Browser *self, DISPPARAMS *params)
{
    UNREFERENCED_PARAMETER(self);
    return VariantClear(&params->rgvarg[0]); /* the caller's */
}"#,
    kept: r#"HRESULT Invoke(Browser *self, DISPPARAMS *params)
{
    return put_StatusText(self, V_BSTR(&params->rgvarg[0]));
}"#,
    source: "sdk-api IDispatch::Invoke; KB108934; our conclusion for EXCEPINFO",
};
