//! R52 to R54: how far the rules reach.

use super::{Check, Guide, kinds};

pub(super) const R52: Guide = Guide {
    title: "the rules hold where memory crosses an interface",
    statement: "All of this applies to public interfaces only. Memory that never crosses one may come from anywhere, \
                and is freed as it was allocated.",
    check: Check::Nothing,
    how: "It says where the other rules hold: memory of other allocators is none of the audit's business until it is \
          handed to a function of olemem's.",
    broken: r#"HRESULT get_Title(Browser *self, LPWSTR *title)
{
    UNREFERENCED_PARAMETER(self);
    *title = calloc(16, sizeof(WCHAR)); /* crosses the interface */
    return *title != NULL ? S_OK : E_OUTOFMEMORY;
}"#,
    kept: r#"HRESULT refresh(Browser *self)
{
    char *scratch = malloc(4096); /* never leaves this function */
    if (scratch == NULL)
        return E_OUTOFMEMORY;
    HRESULT hr = load(self, scratch, 4096);
    free(scratch);
    return hr;
}"#,
    source: "win32 com/memory-management-rules, com/the-ole-memory-allocator",
};

pub(super) const R53: Guide = Guide {
    title: "some attributes of an interface's definition change who frees",
    statement: "The IDL attributes allocate(dont_free), force_allocate and byte_count change who frees a parameter \
                on the side of a server stub.",
    check: Check::Nothing,
    how: "It limits the other rules: there are no stubs here, and where an annotated call has such a parameter it \
          says so: `Parameter::stays_callees`, `may_fail_with_outs`.",
    broken: r#"/* IDL: HRESULT Lend([out, allocate(dont_free)] LPWSTR *title); */
void caller(Browser *browser)
{
    LPWSTR title = NULL;
    if (SUCCEEDED(Lend(browser, &title)))
        CoTaskMemFree(title); /* stays the callee's */
}"#,
    kept: r#"/* IDL: HRESULT Lend([out, allocate(dont_free)] LPWSTR *title); */
HRESULT caller(Browser *browser)
{
    LPWSTR title = NULL;
    HRESULT hr = Lend(browser, &title);
    return SUCCEEDED(hr) ? put_Title(browser, title) : hr;
}"#,
    source: "win32 Rpc/server-stub-memory-management",
};

pub(super) const R54: Guide = Guide {
    title: "a spy undoes its offset only for blocks that it saw",
    statement: "An IMallocSpy that moves pointers undoes that in PreFree and PreRealloc only where fSpyed is TRUE: \
                other blocks are from before it was registered.",
    check: Check::Heap,
    how: kinds::SPY_POINTER_LOST.how,
    broken: kinds::SPY_POINTER_LOST.broken,
    kept: kinds::SPY_POINTER_LOST.kept,
    source: "sdk-api PreFree, PreRealloc",
};
