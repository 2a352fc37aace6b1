//! The kinds of violations that the heap and the BSTR functions see.

use super::{Check, Guide};

pub(super) const DOUBLE_FREE: Guide = Guide {
    title: "a block that was freed already is freed again",
    statement: "A block was freed and is freed again, by whichever thread and however many frees later, as long as \
                it is in quarantine. Windows may hide this, because it keeps freed strings in a cache; the second \
                free can then take a string from its next owner.",
    check: Check::Heap,
    how: "A freed block waits in its session's quarantine, and its address is not had again meanwhile. A free of it \
          is reported and not carried out. Under the cache models this holds while the cache keeps the block: until it \
          hands it out again, or gives it back to make room.",
    broken: r#"void caller(Browser *browser)
{
    BSTR text = SysAllocString(OLESTR("Ready"));
    put_StatusText(browser, text);
    SysFreeString(text);
    SysFreeString(text); /* the second free */
}"#,
    kept: r#"void caller(Browser *browser)
{
    BSTR text = SysAllocString(OLESTR("Ready"));
    put_StatusText(browser, text);
    SysFreeString(text);
    text = NULL;
    SysFreeString(text); /* NULL: nothing happens */
}"#,
    source: "R21; Wine's test_bstr_cache asserts that Windows lets a second free pass (semantics.md 2.7)",
};

pub(super) const FAMILY_MISMATCH: Guide = Guide {
    title: "a block is freed by the other family's function",
    statement: "SysFreeString was given task memory, or CoTaskMemFree or IMalloc::Free a BSTR. A BSTR stands one \
                pointer width behind the start of its block, so neither function can free the other's pointer.",
    check: Check::Heap,
    how: "The heap knows the family of each block. The free is reported and not carried out. A task block that was \
          dressed up as a BSTR and is freed at the place of a BSTR works on Windows: it is freed, with a warning.",
    broken: r#"void caller(Browser *browser)
{
    LPWSTR title = NULL;
    if (SUCCEEDED(get_Title(browser, &title)))
        SysFreeString(title); /* an LPWSTR is task memory */
}"#,
    kept: r#"void caller(Browser *browser)
{
    LPWSTR title = NULL;
    if (SUCCEEDED(get_Title(browser, &title)))
        CoTaskMemFree(title);
}"#,
    source: "R20; Lippert; sdk-api SysFreeString",
};

pub(super) const INTERIOR_FREE: Guide = Guide {
    title: "a pointer into a block, not to its start, is freed",
    statement: "The pointer that is freed or reallocated leads into a live block and is not the one that the allocation gave.",
    check: Check::Heap,
    how: "Every address is looked up in books beside the blocks, which know where each begins. The free is reported \
          and not carried out.",
    broken: r#"void caller(void)
{
    BSTR text = SysAllocString(OLESTR("  Ready"));
    while (text != NULL && *text == ' ')
        text++;
    SysFreeString(text); /* not where it began */
}"#,
    kept: r#"void caller(void)
{
    BSTR text = SysAllocString(OLESTR("  Ready"));
    const WCHAR *word = text;
    while (word != NULL && *word == ' ')
        word++;
    SysFreeString(text);
}"#,
    source: "R24; Lippert; PVS-Studio V750",
};

pub(super) const FOREIGN_FREE: Guide = Guide {
    title: "a pointer to no block, or to one freed long before, is freed",
    statement: "The memory that is freed or reallocated came from elsewhere: malloc, new, the stack, a literal.",
    check: Check::Heap,
    how: "The address is in no block that was ever handed out. The free is reported and not carried out.",
    broken: r#"void caller(void)
{
    char *name = malloc(16);
    CoTaskMemFree(name); /* not from CoTaskMemAlloc */
}"#,
    kept: r#"void caller(void)
{
    char *name = CoTaskMemAlloc(16);
    CoTaskMemFree(name);
}"#,
    source: "R20; win32 Memory/comparing-memory-allocation-methods",
};

pub(super) const USE_AFTER_FREE: Guide = Guide {
    title: "a freed block is handed to a function",
    statement: "A block that was freed is given to a function other than a free: to be measured, reallocated, \
                joined, compared, copied from. IMalloc::DidAlloc may be asked about any address.",
    check: Check::Heap,
    how: "The block is in quarantine when it is handed in. It is reported; a length is then 0, and a \
          reallocation fails. Code that reads the memory by itself is for AddressSanitizer, Valgrind and Miri to see.",
    broken: r#"UINT caller(void)
{
    BSTR text = SysAllocString(OLESTR("Ready"));
    SysFreeString(text);
    return SysStringLen(text); /* it is gone */
}"#,
    kept: r#"UINT caller(void)
{
    BSTR text = SysAllocString(OLESTR("Ready"));
    UINT units = SysStringLen(text);
    SysFreeString(text);
    return units;
}"#,
    source: "R22",
};

pub(super) const WRITE_AFTER_FREE: Guide = Guide {
    title: "a freed block was written to",
    statement: "Somebody kept a pointer to a block that was freed, and wrote through it.",
    check: Check::Heap,
    how: "A block in quarantine is filled with a pattern. It is looked at again when the block leaves quarantine or \
          the session ends, so the report tells who freed the block, not who wrote. What a cache model keeps is left as \
          it is, and is not looked at.",
    broken: r#"void caller(void)
{
    WCHAR *buffer = CoTaskMemAlloc(8 * sizeof(WCHAR));
    CoTaskMemFree(buffer);
    buffer[0] = 0; /* may be anybody's by now */
}"#,
    kept: r#"void caller(void)
{
    WCHAR *buffer = CoTaskMemAlloc(8 * sizeof(WCHAR));
    if (buffer != NULL)
        buffer[0] = 0;
    CoTaskMemFree(buffer);
}"#,
    source: "R22",
};

pub(super) const OVERRUN: Guide = Guide {
    title: "bytes behind a block's own were written",
    statement: "More was written than was asked for. A BSTR's own bytes are prefix, payload and terminator; the \
                rest of its block is not for use.",
    check: Check::Heap,
    how: "Guard bytes stand behind each block's own and are looked at when it is freed or reallocated and when the \
          session ends, so the report tells where the block came from, not who wrote.",
    broken: r#"void caller(void)
{
    WCHAR *text = CoTaskMemAlloc(5 * sizeof(WCHAR));
    if (text != NULL)
        memcpy(text, OLESTR("Ready"), sizeof OLESTR("Ready")); /* six */
    CoTaskMemFree(text);
}"#,
    kept: r#"void caller(void)
{
    WCHAR *text = CoTaskMemAlloc(sizeof OLESTR("Ready"));
    if (text != NULL)
        memcpy(text, OLESTR("Ready"), sizeof OLESTR("Ready"));
    CoTaskMemFree(text);
}"#,
    source: "R23",
};

pub(super) const UNDERRUN: Guide = Guide {
    title: "bytes before a block's own were written",
    statement: "Something was written before the start of a block. The padding in front of a BSTR's prefix is such a place.",
    check: Check::Heap,
    how: "Guard bytes stand before each block's own and are looked at when it is freed or reallocated and when the \
          session ends.",
    broken: r#"void caller(void)
{
    DWORD *numbers = CoTaskMemAlloc(4 * sizeof(DWORD));
    if (numbers != NULL)
        for (int i = 4; i >= 0; i--)
            numbers[i - 1] = 0; /* at last numbers[-1] */
    CoTaskMemFree(numbers);
}"#,
    kept: r#"void caller(void)
{
    DWORD *numbers = CoTaskMemAlloc(4 * sizeof(DWORD));
    if (numbers != NULL)
        for (int i = 4; i > 0; i--)
            numbers[i - 1] = 0;
    CoTaskMemFree(numbers);
}"#,
    source: "R23",
};

pub(super) const TERMINATOR_OVERWRITTEN: Guide = Guide {
    title: "the unit behind a BSTR's counted bytes is not zero",
    statement: "The terminator was overwritten, and nothing behind it. Whoever reads the string up to its zero unit \
                reads on. It is a warning, since some code writes there and puts the zero back.",
    check: Check::Heap,
    how: "The unit at the prefix's length is looked at when the BSTR is freed. The single byte behind an odd length \
          may be anything.",
    broken: r#"void caller(void)
{
    BSTR text = SysAllocStringLen(OLESTR("Read"), 4);
    if (text != NULL)
        text[4] = 'y'; /* the terminator's place */
    SysFreeString(text);
}"#,
    kept: r#"void caller(void)
{
    BSTR text = SysAllocStringLen(OLESTR("Read"), 4);
    if (text != NULL && SysReAllocStringLen(&text, text, 5))
        text[4] = 'y'; /* text[5] is zero */
    SysFreeString(text);
}"#,
    source: "R23; semantics.md 1.3",
};

pub(super) const PREFIX_CORRUPTED: Guide = Guide {
    title: "a BSTR's length prefix says more than its block can hold",
    statement: "The four bytes before a BSTR were overwritten, and now promise more bytes than the block has. A \
                smaller prefix with a new terminator is legal: the string is shortened in place.",
    check: Check::Heap,
    how: "The prefix is held against the block whenever a function of the API reads or frees the BSTR.",
    broken: r#"void caller(void)
{
    BSTR text = SysAllocString(OLESTR("Ready"));
    if (text != NULL)
        ((UINT *)(void *)text)[-1] = 1000; /* longer than the block */
    SysFreeString(text);
}"#,
    kept: r#"void caller(void)
{
    BSTR text = SysAllocString(OLESTR("Ready"));
    if (text != NULL)
        SysReAllocStringLen(&text, text, 500);
    SysFreeString(text);
}"#,
    source: "R23; semantics.md L11 for shortening in place",
};

pub(super) const OVERLAPPING_SOURCE: Guide = Guide {
    title: "a reallocation's source lies in the string that it replaces",
    statement: "SysReAllocString or SysReAllocStringLen was given a source inside the very string it replaces, \
                which many implementations free first. The string itself, from its start, is allowed for \
                SysReAllocStringLen.",
    check: Check::Heap,
    how: "The source is looked up in the target's block. The call is carried out safely, and reported.",
    broken: r#"void caller(void)
{
    BSTR text = SysAllocString(OLESTR("Ready"));
    if (text != NULL)
        SysReAllocString(&text, text + 2); /* out of the old string */
    SysFreeString(text);
}"#,
    kept: r#"void caller(void)
{
    BSTR text = SysAllocString(OLESTR("Ready"));
    BSTR rest = text != NULL ? SysAllocString(text + 2) : NULL;
    SysFreeString(text);
    SysFreeString(rest);
}"#,
    source: "R25; sdk-api SysReAllocString",
};

pub(super) const SOURCE_OVER_READ: Guide = Guide {
    title: "a source is shorter than the count that goes with it",
    statement: "A string is made from a source with a count that goes beyond the source's end. A large count does \
                not reserve room: the function reads all of it.",
    check: Check::Heap,
    how: "Where the source lies in a block that olemem knows, its end is known too. The copy is cut short there \
          instead of reading on. Sources elsewhere are for AddressSanitizer and Valgrind to see.",
    broken: r#"void caller(void)
{
    BSTR name = SysAllocString(OLESTR("Ready"));
    BSTR roomy = SysAllocStringLen(name, 100); /* reads 100 units */
    SysFreeString(roomy);
    SysFreeString(name);
}"#,
    kept: r#"void caller(void)
{
    BSTR roomy = SysAllocStringLen(NULL, 100);
    if (roomy != NULL)
        memcpy(roomy, OLESTR("Ready"), sizeof OLESTR("Ready"));
    SysFreeString(roomy);
}"#,
    source: "R26; sdk-api SysAllocStringLen",
};

pub(super) const NULL_OUT_POINTER: Guide = Guide {
    title: "a null pointer where a result has to be stored",
    statement: "A function was given NULL as the address of its result. Windows crashes there; here the call fails \
                with E_INVALIDARG, or with 0 where it returns a truth value.",
    check: Check::Heap,
    how: "The functions test for it. It breaks no rule of ownership, only the function's own documentation.",
    broken: r#"HRESULT caller(BSTR left, BSTR right)
{
    return VarBstrCat(left, right, NULL); /* nowhere to store it */
}"#,
    kept: r#"HRESULT caller(BSTR left, BSTR right, BSTR *both)
{
    if (both == NULL)
        return E_POINTER;
    return VarBstrCat(left, right, both);
}"#,
    source: "semantics.md section 9",
};

pub(super) const UNBALANCED_PIN: Guide = Guide {
    title: "a pin left behind, or taken back without having been given",
    statement: "SysReleaseString was called for a string without a pin, or a pin is left when the session ends.",
    check: Check::Heap,
    how: "Pins are counted by block. A pin too few changes nothing and is reported at once, one too many at the end.",
    broken: r#"HRESULT put_StatusText(Browser *self, BSTR text)
{
    HRESULT hr = SysAddRefString(text);
    if (FAILED(hr))
        return hr;
    return notify(self, text); /* the pin stays */
}"#,
    kept: r#"HRESULT put_StatusText(Browser *self, BSTR text)
{
    HRESULT hr = SysAddRefString(text);
    if (FAILED(hr))
        return hr;
    hr = notify(self, text);
    SysReleaseString(text);
    return hr;
}"#,
    source: "R28; sdk-api SysAddRefString",
};

pub(super) const PIN_OF_NON_BSTR: Guide = Guide {
    title: "a pin of what is no live BSTR",
    statement: "SysAddRefString was given something else than NULL or a live BSTR. It answers E_INVALIDARG.",
    check: Check::Heap,
    how: "The heap is asked for the block and its family.",
    broken: r#"void caller(void)
{
    LPWSTR title = NULL;
    if (SUCCEEDED(SHStrDupW(OLESTR("olemem"), &title)))
        SysAddRefString(title); /* task memory */
    CoTaskMemFree(title);
}"#,
    kept: r#"void caller(void)
{
    BSTR title = SysAllocString(OLESTR("olemem"));
    if (SUCCEEDED(SysAddRefString(title)))
        SysReleaseString(title);
    SysFreeString(title);
}"#,
    source: "R28; semantics.md 2.9",
};

pub(super) const SPY_POINTER_LOST: Guide = Guide {
    title: "a registered spy handed back a pointer that is no block",
    statement: "A registered IMallocSpy returned from a Pre method a pointer at which no block begins, so that the \
                allocator does not know what it is to free or to reallocate.",
    check: Check::Heap,
    how: "What a spy's Pre methods return is looked up as any pointer is. Such a pointer is reported and not freed.",
    broken: r#"void *STDMETHODCALLTYPE PreFree(IMallocSpy *spy, void *request, BOOL spyed)
{
    UNREFERENCED_PARAMETER(spy);
    UNREFERENCED_PARAMETER(spyed);
    return (char *)request - 16; /* also for blocks from before the spy */
}"#,
    kept: r#"void *STDMETHODCALLTYPE PreFree(IMallocSpy *spy, void *request, BOOL spyed)
{
    UNREFERENCED_PARAMETER(spy);
    return spyed ? (char *)request - 16 : request;
}"#,
    source: "R54; sdk-api PreFree, PreRealloc",
};

pub(super) const LEAK: Guide = Guide {
    title: "a block was never freed",
    statement: "A block is live when its session ends. As long as no call says what its parameters are, nobody knows \
                whose it was to free, and it is told with R1.",
    check: Check::Heap,
    how: "Each live block is one violation; a report in text puts those of one place together. What lives on \
          purpose is left out by audit::ignore.",
    broken: r#"UINT caller(Browser *browser)
{
    BSTR text = NULL;
    if (FAILED(get_StatusText(browser, &text)))
        return 0;
    return SysStringLen(text); /* and nobody frees it */
}"#,
    kept: r#"UINT caller(Browser *browser)
{
    BSTR text = NULL;
    if (FAILED(get_StatusText(browser, &text)))
        return 0;
    UINT units = SysStringLen(text);
    SysFreeString(text);
    return units;
}"#,
    source: "R1, R5, R8; win32 com/memory-management-rules",
};
