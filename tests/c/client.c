/*
 * A COM component in C and its caller: a browser's status text.
 *
 * Nothing here knows olemem. The same file is built with a Windows compiler and Windows' own
 * headers, which judges that it is right; what differs there stands under _WIN32.
 */
#define COBJMACROS
#include <windows.h>

#include <objbase.h>
#include <oleauto.h>
#include <shlwapi.h>

#include <initguid.h>

#include <string.h>

#include "check.h"

/* ------------------------------------------------------------------------------ the interface */

DEFINE_GUID(IID_IBrowser, 0x6f1a3b52, 0x5c1e, 0x4f7e, 0x9d, 0x7a, 0x0d, 0x6f, 0x3c, 0x0f, 0x2b,
            0x11);

#undef INTERFACE
#define INTERFACE IBrowser
DECLARE_INTERFACE_(IBrowser, IUnknown) {
    STDMETHOD(QueryInterface)(THIS_ REFIID iid, void **object) PURE;
    STDMETHOD_(ULONG, AddRef)(THIS) PURE;
    STDMETHOD_(ULONG, Release)(THIS) PURE;

    /* [in]: the component copies. E_INVALIDARG above 4,096 units, and nothing changes. */
    STDMETHOD(put_StatusText)(THIS_ BSTR text) PURE;
    /* [out, retval]: a copy that the caller frees; S_FALSE and NULL when nothing was ever put. */
    STDMETHOD(get_StatusText)(THIS_ BSTR * text) PURE;
    /* [in], [in, out]: replaces the title by "title: name". */
    STDMETHOD(Rename)(THIS_ BSTR name, BSTR * title) PURE;
    /* [in, out]: resizes the string; E_OUTOFMEMORY leaves it alone. */
    STDMETHOD(Resize)(THIS_ UINT units, BSTR * text) PURE;
    /* [out]: task memory, freed by the caller. */
    STDMETHOD(GetAddress)(THIS_ LPOLESTR * address) PURE;
};

#define IBrowser_QueryInterface(This, iid, object)                                                 \
    ((This)->lpVtbl->QueryInterface((This), (iid), (object)))
#define IBrowser_AddRef(This) ((This)->lpVtbl->AddRef((This)))
#define IBrowser_Release(This) ((This)->lpVtbl->Release((This)))
#define IBrowser_put_StatusText(This, text) ((This)->lpVtbl->put_StatusText((This), (text)))
#define IBrowser_get_StatusText(This, text) ((This)->lpVtbl->get_StatusText((This), (text)))
#define IBrowser_Rename(This, name, title) ((This)->lpVtbl->Rename((This), (name), (title)))
#define IBrowser_Resize(This, units, text) ((This)->lpVtbl->Resize((This), (units), (text)))
#define IBrowser_GetAddress(This, address) ((This)->lpVtbl->GetAddress((This), (address)))

/* ------------------------------------------------------------------------------ the component */

typedef struct Browser {
    IBrowser base;
    LONG references;
    BSTR status;
} Browser;

/* How many components live. */
static LONG browsers;

static HRESULT STDMETHODCALLTYPE browser_QueryInterface(IBrowser *This, REFIID iid, void **object) {
    if (object == NULL) {
        return E_POINTER;
    }
    if (IsEqualIID(iid, &IID_IUnknown) || IsEqualIID(iid, &IID_IBrowser)) {
        *object = This;
        IBrowser_AddRef(This);
        return S_OK;
    }
    *object = NULL;
    return E_NOINTERFACE;
}

static ULONG STDMETHODCALLTYPE browser_AddRef(IBrowser *This) {
    return (ULONG)InterlockedIncrement(&((Browser *)This)->references);
}

static ULONG STDMETHODCALLTYPE browser_Release(IBrowser *This) {
    Browser *self = (Browser *)This;
    LONG left = InterlockedDecrement(&self->references);
    if (left == 0) {
        SysFreeString(self->status);
        CoTaskMemFree(self);
        InterlockedDecrement(&browsers);
    }
    return (ULONG)left;
}

static HRESULT STDMETHODCALLTYPE browser_put_StatusText(IBrowser *This, BSTR text) {
    Browser *self = (Browser *)This;
    BSTR copy;
    if (SysStringLen(text) > 4096) {
        return E_INVALIDARG;
    }
    /* By bytes: an odd length and zero units survive. NULL is stored as an empty string. */
    copy = SysAllocStringByteLen((LPCSTR)text, SysStringByteLen(text));
    if (copy == NULL) {
        return E_OUTOFMEMORY;
    }
    SysFreeString(self->status);
    self->status = copy;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE browser_get_StatusText(IBrowser *This, BSTR *text) {
    const Browser *self = (Browser *)This;
    if (text == NULL) {
        return E_POINTER;
    }
    /* Never read, never freed: what an [out] variable holds on entry means nothing. */
    *text = NULL;
    if (self->status == NULL) {
        return S_FALSE;
    }
    *text = SysAllocStringByteLen((LPCSTR)self->status, SysStringByteLen(self->status));
    return *text != NULL ? S_OK : E_OUTOFMEMORY;
}

static HRESULT STDMETHODCALLTYPE browser_Rename(IBrowser *This, BSTR name, BSTR *title) {
    BSTR colon, start = NULL, whole = NULL;
    HRESULT hr;
    (void)This;
    if (title == NULL) {
        return E_POINTER;
    }
    if (SysStringLen(name) == 0) {
        return E_INVALIDARG;
    }
    colon = SysAllocString(OLESTR(": "));
    if (colon == NULL) {
        return E_OUTOFMEMORY;
    }
    hr = VarBstrCat(*title, colon, &start);
    SysFreeString(colon);
    if (SUCCEEDED(hr)) {
        hr = VarBstrCat(start, name, &whole);
        SysFreeString(start);
    }
    if (SUCCEEDED(hr)) {
        /* The old title only goes when the new one is there. */
        SysFreeString(*title);
        *title = whole;
    }
    return hr;
}

static HRESULT STDMETHODCALLTYPE browser_Resize(IBrowser *This, UINT units, BSTR *text) {
    UINT before;
    (void)This;
    if (text == NULL) {
        return E_POINTER;
    }
    before = SysStringLen(*text);
    if (!SysReAllocStringLen(text, *text, units)) {
        return E_OUTOFMEMORY;
    }
    /* What is new holds nothing defined. */
    for (; before < units; before += 1) {
        (*text)[before] = OLESTR('.');
    }
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE browser_GetAddress(IBrowser *This, LPOLESTR *address) {
    (void)This;
    if (address == NULL) {
        return E_POINTER;
    }
    return SHStrDupW(OLESTR("about:blank"), address);
}

/* A table that stays writable: Windows' C headers declare it so. */
static IBrowserVtbl browser_methods = {
    browser_QueryInterface, browser_AddRef,         browser_Release, browser_put_StatusText,
    browser_get_StatusText, browser_Rename,         browser_Resize,  browser_GetAddress,
};

static HRESULT browser_create(REFIID iid, void **object) {
    HRESULT hr;
    Browser *self;
    *object = NULL;
    self = (Browser *)CoTaskMemAlloc(sizeof *self);
    if (self == NULL) {
        return E_OUTOFMEMORY;
    }
    self->base.lpVtbl = &browser_methods;
    self->references = 1;
    self->status = NULL;
    InterlockedIncrement(&browsers);
    hr = IBrowser_QueryInterface(&self->base, iid, object);
    IBrowser_Release(&self->base);
    return hr;
}

/* --------------------------------------------------------------------------------- the caller */

/* What an [out] variable holds before a call that must overwrite it. */
#define PLANTED ((void *)(size_t)0xDEAD)

static int same_text(const OLECHAR *left, const OLECHAR *right) {
    while (*left == *right && *left != 0) {
        left += 1;
        right += 1;
    }
    return *left == *right;
}

/* Whether a BSTR holds exactly the text of a literal: prefix, units, terminator. */
static int holds(BSTR string, const OLECHAR *text) {
    UINT units = 0;
    DWORD prefix;
    while (text[units] != 0) {
        units += 1;
    }
    memcpy(&prefix, (const char *)string - sizeof prefix, sizeof prefix);
    return prefix == units * sizeof(OLECHAR) && SysStringByteLen(string) == prefix &&
           SysStringLen(string) == units && memcmp(string, text, prefix) == 0 && string[units] == 0;
}

static void references_and_interfaces(void) {
    IBrowser *browser = NULL;
    IUnknown *unknown = NULL, *again = NULL;
    IMalloc *other = (IMalloc *)PLANTED;

    CHECK(browser_create(&IID_IMalloc, (void **)&other) == E_NOINTERFACE);
    CHECK(other == NULL);
    CHECK(browsers == 0);

    CHECK(browser_create(&IID_IBrowser, (void **)&browser) == S_OK);
    CHECK(browser != NULL && browsers == 1);
    CHECK(IBrowser_AddRef(browser) == 2);
    CHECK(IBrowser_Release(browser) == 1);

    CHECK(IBrowser_QueryInterface(browser, &IID_IUnknown, (void **)&unknown) == S_OK);
    CHECK(IUnknown_QueryInterface(unknown, &IID_IUnknown, (void **)&again) == S_OK);
    CHECK(unknown == again);
    CHECK(IUnknown_Release(again) == 2);
    other = (IMalloc *)PLANTED;
    CHECK(IUnknown_QueryInterface(unknown, &IID_IMalloc, (void **)&other) == E_NOINTERFACE);
    CHECK(other == NULL);
    CHECK(IUnknown_QueryInterface(unknown, &IID_IUnknown, NULL) == E_POINTER);
    CHECK(IUnknown_Release(unknown) == 1);
    CHECK(IBrowser_Release(browser) == 0);
    CHECK(browsers == 0);
}

static void status_text(void) {
    IBrowser *browser = NULL;
    BSTR text, out, odd, nulls, big;

    CHECK(browser_create(&IID_IBrowser, (void **)&browser) == S_OK);

    /* Nothing yet: success without a string. */
    out = (BSTR)PLANTED;
    CHECK(IBrowser_get_StatusText(browser, &out) == S_FALSE);
    CHECK(out == NULL);
    CHECK(IBrowser_get_StatusText(browser, NULL) == E_POINTER);

    text = SysAllocString(OLESTR("Done"));
    CHECK(text != NULL && holds(text, OLESTR("Done")));
    CHECK(IBrowser_put_StatusText(browser, text) == S_OK);
    CHECK(IBrowser_get_StatusText(browser, &out) == S_OK);
    CHECK(out != text && holds(out, OLESTR("Done")));
    CHECK(VarBstrCmp(out, text, 0, 0) == VARCMP_EQ);

    /* A copy in, a copy out: changing ours changes nobody else's. */
    out[0] = OLESTR('B');
    text[0] = OLESTR('G');
    SysFreeString(out);
    SysFreeString(text);
    CHECK(IBrowser_get_StatusText(browser, &out) == S_OK);
    CHECK(holds(out, OLESTR("Done")));
    SysFreeString(out);

    /* Too long: refused, and the old text stays. */
    big = SysAllocStringLen(NULL, 4097);
    CHECK(big != NULL && SysStringLen(big) == 4097);
    CHECK(IBrowser_put_StatusText(browser, big) == E_INVALIDARG);
    SysFreeString(big);
    CHECK(IBrowser_get_StatusText(browser, &out) == S_OK);
    CHECK(holds(out, OLESTR("Done")));
    SysFreeString(out);

    /* Zero units and odd lengths pass through. */
    nulls = SysAllocStringLen(OLESTR("a\0b"), 3);
    CHECK(nulls != NULL && SysStringByteLen(nulls) == 6);
    CHECK(IBrowser_put_StatusText(browser, nulls) == S_OK);
    CHECK(IBrowser_get_StatusText(browser, &out) == S_OK);
    CHECK(SysStringLen(out) == 3 && memcmp(out, nulls, 8) == 0);
    SysFreeString(out);
    SysFreeString(nulls);

    odd = SysAllocStringByteLen("A Cigar", 7);
    CHECK(odd != NULL && SysStringByteLen(odd) == 7 && SysStringLen(odd) == 3);
    CHECK(odd[4] == 0 && ((const char *)odd)[7] == 0);
    CHECK(IBrowser_put_StatusText(browser, odd) == S_OK);
    CHECK(IBrowser_get_StatusText(browser, &out) == S_OK);
    CHECK(SysStringByteLen(out) == 7 && strcmp((const char *)out, "A Cigar") == 0);
    CHECK(VarBstrCmp(out, odd, 0, 0) == VARCMP_EQ);
    SysFreeString(out);
    SysFreeString(odd);

    /* NULL is the empty string. */
    CHECK(IBrowser_put_StatusText(browser, NULL) == S_OK);
    CHECK(IBrowser_get_StatusText(browser, &out) == S_OK);
    CHECK(out != NULL && SysStringLen(out) == 0 && out[0] == 0);
    CHECK(VarBstrCmp(out, NULL, LOCALE_USER_DEFAULT, NORM_IGNORECASE) == VARCMP_EQ);
    SysFreeString(out);

    CHECK(IBrowser_Release(browser) == 0);
}

static void in_out(void) {
    IBrowser *browser = NULL;
    BSTR name, title, same;

    CHECK(browser_create(&IID_IBrowser, (void **)&browser) == S_OK);

    name = SysAllocString(OLESTR("report"));
    title = SysAllocString(OLESTR("Browser"));
    CHECK(name != NULL && title != NULL);
    CHECK(IBrowser_Rename(browser, name, &title) == S_OK);
    CHECK(holds(title, OLESTR("Browser: report")));
    CHECK(holds(name, OLESTR("report")));

    /* A failure leaves what we own alone. */
    same = title;
    CHECK(IBrowser_Rename(browser, NULL, &title) == E_INVALIDARG);
    CHECK(title == same && holds(title, OLESTR("Browser: report")));
    CHECK(IBrowser_Rename(browser, name, NULL) == E_POINTER);
    SysFreeString(title);

    /* [in, out] may begin as NULL. */
    title = NULL;
    CHECK(IBrowser_Rename(browser, name, &title) == S_OK);
    CHECK(holds(title, OLESTR(": report")));
    SysFreeString(name);

    /* In place, larger and smaller, and beyond what there can be. */
    CHECK(IBrowser_Resize(browser, 10, &title) == S_OK);
    CHECK(holds(title, OLESTR(": report..")));
    CHECK(IBrowser_Resize(browser, 3, &title) == S_OK);
    CHECK(holds(title, OLESTR(": r")));
    same = title;
    CHECK(IBrowser_Resize(browser, 0x7FFFFFFF, &title) == E_OUTOFMEMORY);
    CHECK(title == same && holds(title, OLESTR(": r")));
    CHECK(IBrowser_Resize(browser, 0, &title) == S_OK);
    CHECK(title != NULL && holds(title, OLESTR("")));
    CHECK(IBrowser_Resize(browser, 1, NULL) == E_POINTER);
    SysFreeString(title);

    CHECK(IBrowser_Release(browser) == 0);
    CHECK(browsers == 0);
}

static void strings(void) {
    BSTR text, other, joined;
    INT done;

    CHECK(SysAllocString(NULL) == NULL);
    CHECK(SysStringLen(NULL) == 0 && SysStringByteLen(NULL) == 0);
    SysFreeString(NULL);
    text = SysAllocString(OLESTR(""));
    CHECK(text != NULL && holds(text, OLESTR("")));
    CHECK((size_t)text % sizeof(void *) == 0);
    SysFreeString(text);
    CHECK(SysAllocStringLen(OLESTR("x"), 0xFFFFFFFFu) == NULL);
    CHECK(SysAllocStringByteLen("x", 0xFFFFFFFFu) == NULL);

    /* Anything of the right shape reads as a BSTR. */
    {
        struct {
            DWORD pad, bytes;
            OLECHAR units[4];
        } shape = {0, 6, {OLESTR('a'), OLESTR('b'), OLESTR('c'), 0}};
        CHECK(SysStringLen(shape.units) == 3 && SysStringByteLen(shape.units) == 6);
        shape.bytes = 3;
        CHECK(SysStringLen(shape.units) == 1 && SysStringByteLen(shape.units) == 3);
    }

    /* Shortened in place: the prefix is the length. */
    text = SysAllocString(OLESTR("shorten me"));
    CHECK(text != NULL);
    ((DWORD *)text)[-1] = 7 * sizeof(OLECHAR);
    text[7] = 0;
    CHECK(holds(text, OLESTR("shorten")));
    SysFreeString(text);

    text = SysAllocString(OLESTR("Test"));
    CHECK(text != NULL);
    done = SysReAllocString(&text, OLESTR("Larger"));
    CHECK(done == 1 && holds(text, OLESTR("Larger")));
    done = SysReAllocStringLen(&text, OLESTR("x"), 1);
    CHECK(done == 1 && holds(text, OLESTR("x")));
    SysFreeString(text);
    text = NULL;
    done = SysReAllocStringLen(&text, OLESTR("ab"), 2);
    CHECK(done == 1 && holds(text, OLESTR("ab")));
    other = SysAllocStringByteLen("cde", 3);
    CHECK(other != NULL);
    CHECK(VarBstrCat(text, other, &joined) == S_OK);
    CHECK(SysStringByteLen(joined) == 7 && memcmp(joined, text, 4) == 0);
    CHECK(strcmp((const char *)joined + 4, "cde") == 0);
    SysFreeString(joined);
    CHECK(VarBstrCmp(text, other, 0, 0) == VARCMP_LT);
    CHECK(VarBstrCmp(other, text, 0, 0) == VARCMP_GT);
    CHECK(VarBstrCmp(NULL, text, 0x0409, 0) == VARCMP_LT);
    CHECK(VarBstrCmp(text, NULL, 0x0409, 0) == VARCMP_GT);
    SysFreeString(other);
    other = SysAllocString(OLESTR("AB"));
    CHECK(VarBstrCmp(text, other, 0x0409, NORM_IGNORECASE) == VARCMP_EQ);
    CHECK(VarBstrCmp(text, other, 0, NORM_IGNORECASE) == VARCMP_GT);
    SysFreeString(other);
    SysFreeString(text);
    CHECK(VarBstrCat(NULL, NULL, &joined) == S_OK);
    CHECK(joined != NULL && SysStringByteLen(joined) == 0);
    SysFreeString(joined);

#ifndef _WIN32
    /* Windows crashes on these. */
    CHECK(SysReAllocString(NULL, OLESTR("x")) == 0);
    CHECK(SysReAllocStringLen(NULL, OLESTR("x"), 1) == 0);
    CHECK(VarBstrCat(NULL, NULL, NULL) == E_INVALIDARG);
#endif
}

static void task_memory(void) {
    IMalloc *allocator = (IMalloc *)PLANTED, *again = NULL;
    IUnknown *unknown = NULL;
    unsigned char *block, *larger;
    BSTR dressed;
    size_t i;

    CHECK(CoGetMalloc(0, &allocator) == E_INVALIDARG && allocator == NULL);
    CHECK(CoGetMalloc(MEMCTX_SHARED, &allocator) == E_INVALIDARG && allocator == NULL);
    CHECK(CoGetMalloc((DWORD)MEMCTX_SAME, &allocator) == E_INVALIDARG && allocator == NULL);
    CHECK(CoGetMalloc(MEMCTX_TASK, &allocator) == S_OK && allocator != NULL);
    CHECK(CoGetMalloc(MEMCTX_TASK, &again) == S_OK && again == allocator);
    IMalloc_Release(again);
    CHECK(IMalloc_QueryInterface(allocator, &IID_IMalloc, (void **)&again) == S_OK);
    CHECK(again == allocator);
    IMalloc_Release(again);
    CHECK(IMalloc_QueryInterface(allocator, &IID_IUnknown, (void **)&unknown) == S_OK);
    CHECK((void *)unknown == (void *)allocator);
    IUnknown_Release(unknown);
#ifndef _WIN32
    /* Wine leaves the pointer as it was. */
    again = allocator;
    CHECK(IMalloc_QueryInterface(allocator, &IID_IMallocSpy, (void **)&again) == E_NOINTERFACE);
    CHECK(again == NULL);
    CHECK(CoGetMalloc(MEMCTX_TASK, NULL) == E_INVALIDARG);
#endif

    block = (unsigned char *)IMalloc_Alloc(allocator, 16);
    CHECK(block != NULL && (size_t)block % (2 * sizeof(void *)) == 0);
    CHECK(IMalloc_GetSize(allocator, block) == 16);
    CHECK(IMalloc_DidAlloc(allocator, block) == 1);
    CHECK(IMalloc_DidAlloc(allocator, block + 4) == 0);
    CHECK(IMalloc_DidAlloc(allocator, NULL) == -1);
    CHECK(IMalloc_GetSize(allocator, NULL) == (SIZE_T)-1);
    for (i = 0; i < 16; i += 1) {
        block[i] = (unsigned char)(i + 1);
    }
    larger = (unsigned char *)IMalloc_Realloc(allocator, block, 1000);
    CHECK(larger != NULL && IMalloc_GetSize(allocator, larger) == 1000);
    for (i = 0; i < 16; i += 1) {
        CHECK(larger[i] == i + 1);
    }
    /* One heap behind both doors. */
    larger = (unsigned char *)CoTaskMemRealloc(larger, 27);
    CHECK(larger != NULL && larger[15] == 16 && IMalloc_GetSize(allocator, larger) == 27);
    IMalloc_HeapMinimize(allocator);
    CHECK(IMalloc_DidAlloc(allocator, larger) == 1);
    IMalloc_Free(allocator, larger);
    IMalloc_Free(allocator, NULL);

    block = (unsigned char *)CoTaskMemAlloc(0);
    CHECK(block != NULL && IMalloc_GetSize(allocator, block) == 0);
    CHECK(CoTaskMemRealloc(block, 0) == NULL);
    block = (unsigned char *)CoTaskMemRealloc(NULL, 0);
    CHECK(block != NULL);
    CoTaskMemFree(block);
    CoTaskMemFree(NULL);
    CHECK(CoTaskMemAlloc((SIZE_T)-1 - 8) == NULL);

    /* A BSTR is a task block with a header: Windows' own tests free such a one. */
    block = (unsigned char *)CoTaskMemAlloc(64);
    CHECK(block != NULL);
    memset(block, 0, 64);
    dressed = (BSTR)(void *)(block + sizeof(void *));
    CHECK(SysStringLen(dressed) == 0);
    SysFreeString(dressed);

    IMalloc_AddRef(allocator);
    IMalloc_Release(allocator);
    IMalloc_Release(allocator);
}

static void identifiers(void) {
    static const OLECHAR text[] = OLESTR("{6F1A3B52-5C1E-4F7E-9D7A-0D6F3C0F2B11}");
    OLECHAR buffer[50];
    LPOLESTR string = NULL, copy;
    IMalloc *allocator = NULL;
    GUID other = IID_IBrowser;

    CHECK(sizeof(GUID) == 16 && sizeof text == 78);
    CHECK(IsEqualGUID(&other, &IID_IBrowser));
    other.Data4[7] ^= 1;
    CHECK(!IsEqualGUID(&other, &IID_IBrowser));
    CHECK(!IsEqualIID(&IID_IMalloc, &IID_IMallocSpy));

    CHECK(StringFromGUID2(&IID_IBrowser, buffer, 39) == 39 && same_text(buffer, text));
    CHECK(StringFromGUID2(&IID_IBrowser, buffer, 50) == 39);
    CHECK(StringFromGUID2(&IID_IBrowser, buffer, 38) == 0);
    CHECK(StringFromGUID2(&IID_IMallocSpy, buffer, 50) == 39);
    CHECK(same_text(buffer, OLESTR("{0000001D-0000-0000-C000-000000000046}")));
    CHECK(StringFromGUID2(&IID_IMalloc, buffer, 50) == 39);
    CHECK(same_text(buffer, OLESTR("{00000002-0000-0000-C000-000000000046}")));
    CHECK(StringFromGUID2(&IID_IUnknown, buffer, 50) == 39);
    CHECK(same_text(buffer, OLESTR("{00000000-0000-0000-C000-000000000046}")));

    CHECK(CoGetMalloc(MEMCTX_TASK, &allocator) == S_OK);
    CHECK(StringFromCLSID(&IID_IBrowser, &string) == S_OK);
    CHECK(same_text(string, text) && IMalloc_GetSize(allocator, string) == sizeof text);
    CHECK(SHStrDupW(string, &copy) == S_OK);
    CHECK(copy != string && same_text(copy, text));
    CoTaskMemFree(copy);
    CoTaskMemFree(string);
    CHECK(StringFromIID(&IID_IBrowser, &string) == S_OK && same_text(string, text));
    CoTaskMemFree(string);
    IMalloc_Release(allocator);

    string = (LPOLESTR)PLANTED;
    CHECK(ProgIDFromCLSID(&IID_IBrowser, &string) == REGDB_E_CLASSNOTREG && string == NULL);
    CHECK(ProgIDFromCLSID(&IID_IBrowser, NULL) == E_INVALIDARG);

    CHECK(SHStrDupA("plain", &copy) == S_OK && same_text(copy, OLESTR("plain")));
    CoTaskMemFree(copy);
    copy = (LPWSTR)PLANTED;
    /* Which code is not documented, and versions of Wine differ. */
    CHECK(FAILED(SHStrDupA(NULL, &copy)) && copy == NULL);
    copy = (LPWSTR)PLANTED;
    CHECK(FAILED(SHStrDupW(NULL, &copy)) && copy == NULL);
#ifndef _WIN32
    CHECK(SHStrDupA(NULL, &copy) == E_INVALIDARG && SHStrDupW(NULL, &copy) == E_INVALIDARG);
    CHECK(SHStrDupA("\xE2\x82\xAC", &copy) == S_OK && copy[0] == 0x20AC && copy[1] == 0);
    CoTaskMemFree(copy);
    CHECK(SHStrDupW(buffer, NULL) == E_INVALIDARG);
    CHECK(StringFromCLSID(&IID_IBrowser, NULL) == E_INVALIDARG);
    CHECK(StringFromGUID2(NULL, buffer, 50) == 0);
    CHECK(StringFromGUID2(&IID_IBrowser, NULL, 50) == 0);
#endif
}

static void codes(void) {
    CHECK(SUCCEEDED(S_FALSE) && !FAILED(S_FALSE) && FAILED(E_FAIL));
    CHECK(HRESULT_FROM_WIN32(ERROR_NOT_ENOUGH_MEMORY) == MAKE_HRESULT(1, FACILITY_WIN32, 8));
    CHECK(HRESULT_FROM_WIN32(ERROR_OUTOFMEMORY) == E_OUTOFMEMORY);
    CHECK(HRESULT_FROM_WIN32(ERROR_SUCCESS) == S_OK);
    CHECK(HRESULT_CODE(E_INVALIDARG) == ERROR_INVALID_PARAMETER);
    CHECK(HRESULT_FACILITY(DISP_E_OVERFLOW) == FACILITY_DISPATCH);
}

static void address(void) {
    IBrowser *browser = NULL;
    LPOLESTR text = NULL;
    CHECK(browser_create(&IID_IBrowser, (void **)&browser) == S_OK);
    CHECK(IBrowser_GetAddress(browser, &text) == S_OK);
    CHECK(same_text(text, OLESTR("about:blank")));
    CoTaskMemFree(text);
    CHECK(IBrowser_GetAddress(browser, NULL) == E_POINTER);
    CHECK(IBrowser_Release(browser) == 0);
}

/* The words of Microsoft's compiler that COM code is full of. */
typedef HRESULT(__stdcall *answer)(void);
__declspec(noinline) static HRESULT __stdcall standard_call(void) {
    return S_FALSE;
}
static HRESULT __cdecl c_call(void) {
    return S_OK;
}

static void calling_conventions(void) {
    answer standard = standard_call;
    CHECK(standard() == S_FALSE);
    CHECK(c_call() == S_OK);
}

int main(void) {
    calling_conventions();
    references_and_interfaces();
    status_text();
    in_out();
    address();
    strings();
    task_memory();
    identifiers();
    codes();
    return checks_finish();
}
