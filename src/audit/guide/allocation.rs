//! R20 to R31: which function frees what, and what may be done with a block.

use super::{Check, Guide, kinds};

pub(super) const R20: Guide = Guide {
    title: "memory is freed by the partner of what allocated it",
    statement: "SysFreeString frees BSTRs only, CoTaskMemFree task memory only, and neither free nor delete frees \
                any of them.",
    check: Check::Heap,
    how: "The heap knows the family of each block, and which addresses it never handed out. What free and delete are \
          given they know themselves.",
    broken: kinds::FAMILY_MISMATCH.broken,
    kept: kinds::FAMILY_MISMATCH.kept,
    source: "Lippert; win32 Memory/comparing-memory-allocation-methods; sdk-api SysFreeString",
};

pub(super) const R21: Guide = Guide {
    title: "no block is freed twice",
    statement: "A block is freed once, although Windows, with its cache of strings, may let a second free pass.",
    check: Check::Heap,
    how: kinds::DOUBLE_FREE.how,
    broken: r#"void caller(Browser *browser)
{
    BSTR text = NULL;
    get_StatusText(browser, &text);
    BSTR same = text; /* no copy */
    SysFreeString(text);
    SysFreeString(same);
}"#,
    kept: r#"void caller(Browser *browser)
{
    BSTR text = NULL;
    get_StatusText(browser, &text);
    BSTR copy = SysAllocStringLen(text, SysStringLen(text));
    SysFreeString(text);
    SysFreeString(copy);
}"#,
    source: "semantics.md 2.7; Wine test_bstr_cache",
};

pub(super) const R22: Guide = Guide {
    title: "no access after the free",
    statement: "A block is neither read nor written after it was freed.",
    check: Check::Heap,
    how: "A freed block that is handed to a function is seen at once, one that was written to when it leaves \
          quarantine. A plain read is for AddressSanitizer, Valgrind and Miri to see. What a cache model keeps is in \
          no quarantine: to hand it to a function is seen, unless it is from before the session; to write to it is not.",
    broken: kinds::USE_AFTER_FREE.broken,
    kept: kinds::USE_AFTER_FREE.kept,
    source: "semantics.md section 6",
};

pub(super) const R23: Guide = Guide {
    title: "no write beyond the block's own bytes",
    statement: "Nothing is written outside of a block: of a BSTR the terminator is zero and what stands around it \
                intact when it is freed.",
    check: Check::Heap,
    how: "Guard bytes, the terminator and the prefix are looked at when a block is freed or reallocated and when the \
          session ends. A terminator alone is a warning, since some code writes there and puts the zero back.",
    broken: kinds::OVERRUN.broken,
    kept: kinds::OVERRUN.kept,
    source: "semantics.md section 6 and 1.3",
};

pub(super) const R24: Guide = Guide {
    title: "a BSTR points to its first unit",
    statement: "A BSTR is a pointer to the first unit of its string. A pointer further in is no BSTR: it has no \
                length before it.",
    check: Check::Heap,
    how: "A free or a reallocation of such a pointer is seen, and so is one that a call passes or hands out. That its \
          length is read is not: a BSTR of the program's own may stand within any block.",
    broken: kinds::INTERIOR_FREE.broken,
    kept: kinds::INTERIOR_FREE.kept,
    source: "Lippert; PVS-Studio V750",
};

pub(super) const R25: Guide = Guide {
    title: "a reallocation's source is not inside its target",
    statement: "The source that SysReAllocString or SysReAllocStringLen is given lies outside the string that is \
                replaced. The string itself, from its start, works for SysReAllocStringLen.",
    check: Check::Heap,
    how: kinds::OVERLAPPING_SOURCE.how,
    broken: kinds::OVERLAPPING_SOURCE.broken,
    kept: kinds::OVERLAPPING_SOURCE.kept,
    source: "sdk-api SysReAllocString; Wine tests/vartype.c for the string itself",
};

pub(super) const R26: Guide = Guide {
    title: "a source holds as much as its count says",
    statement: "The source of SysAllocStringLen and SysAllocStringByteLen holds all the units or bytes that are \
                asked for: they do not stop at a zero.",
    check: Check::Heap,
    how: kinds::SOURCE_OVER_READ.how,
    broken: kinds::SOURCE_OVER_READ.broken,
    kept: kinds::SOURCE_OVER_READ.kept,
    source: "sdk-api SysAllocStringLen",
};

pub(super) const R27: Guide = Guide {
    title: "what was never written is not read",
    statement: "The contents of SysAllocStringLen(NULL, n) are undefined until they are written; only the \
                terminator is there.",
    check: Check::MemoryChecker,
    how: "Valgrind and Miri see the read, for olemem leaves such memory uninitialised where they watch. While audited \
          it is filled with a pattern instead, so that the mistake shows in the text.",
    broken: r#"BSTR caller(void)
{
    BSTR text = SysAllocStringLen(NULL, 5);
    if (text != NULL)
        text[0] = 'R'; /* four more are undefined */
    return text;
}"#,
    kept: r#"BSTR caller(void)
{
    BSTR text = SysAllocStringLen(NULL, 5);
    if (text != NULL)
        memcpy(text, OLESTR("Ready"), 5 * sizeof(WCHAR));
    return text;
}"#,
    source: "sdk-api SysAllocStringLen",
};

pub(super) const R28: Guide = Guide {
    title: "each pin is taken back once",
    statement: "Every SysAddRefString is matched by one SysReleaseString, and none is released without a pin.",
    check: Check::Heap,
    how: kinds::UNBALANCED_PIN.how,
    broken: kinds::UNBALANCED_PIN.broken,
    kept: kinds::UNBALANCED_PIN.kept,
    source: "sdk-api SysAddRefString",
};

pub(super) const R29: Guide = Guide {
    title: "LPWSTR and LPSTR that are [out] or [in,out] are task memory",
    statement: "Zero-terminated strings that are [out] or [in,out] come from CoTaskMemAlloc, and are freed by \
                CoTaskMemFree. A BSTR is no substitute.",
    check: Check::Call,
    how: "On return the value is looked up: the start of a live task block.",
    broken: r#"HRESULT get_Title(Browser *self, LPWSTR *title)
{
    *title = SysAllocString(self->title); /* the wrong family */
    return *title != NULL ? S_OK : E_OUTOFMEMORY;
}"#,
    kept: r#"HRESULT get_Title(Browser *self, LPWSTR *title)
{
    return SHStrDupW(self->title, title);
}"#,
    source: "win32 com/memory-management-rules; sdk-api StringFromCLSID, SHStrDup",
};

pub(super) const R30: Guide = Guide {
    title: "an LPWSTR that is [in] may come from anywhere",
    statement: "A zero-terminated string that is [in] may be a literal, or stand on the stack or in any memory. \
                Only a BSTR must come from its functions.",
    check: Check::Nothing,
    how: "It allows something: no block is required.",
    broken: r#"HRESULT put_Title(Browser *self, LPCWSTR title)
{
    self->title = CoTaskMemRealloc((void *)title, 64); /* a literal? */
    return self->title != NULL ? S_OK : E_OUTOFMEMORY;
}"#,
    kept: r#"HRESULT put_Title(Browser *self, LPCWSTR title)
{
    LPWSTR copy = NULL;
    HRESULT hr = SHStrDupW(title, &copy);
    if (FAILED(hr))
        return hr;
    CoTaskMemFree(self->title);
    self->title = copy;
    return S_OK;
}"#,
    source: "ms696184",
};

pub(super) const R31: Guide = Guide {
    title: "a buffer that the caller sized is filled within its size",
    statement: "A buffer that is [out, size_is(n)] is the caller's. The callee writes no further than n and does \
                not free it.",
    check: Check::Call,
    how: "The callee is given a copy of the buffer that stands among guard bytes. That it is freed is told as of any \
          memory that olemem does not know, with the call: foreign-free.",
    broken: r#"HRESULT ReadTitle(Browser *self, ULONG size, WCHAR *buffer)
{
    ULONG at = 0;
    do
        buffer[at] = self->title[at]; /* whatever size is */
    while (self->title[at++] != 0);
    return at <= size ? S_OK : S_FALSE;
}"#,
    kept: r#"HRESULT ReadTitle(Browser *self, ULONG size, WCHAR *buffer)
{
    for (ULONG at = 0; at < size; at++) {
        buffer[at] = self->title[at];
        if (buffer[at] == 0)
            return S_OK;
    }
    return S_FALSE; /* did not fit */
}"#,
    source: "win32 Rpc/server-stub-memory-management",
};
