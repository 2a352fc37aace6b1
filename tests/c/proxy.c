/*
 * A component and its client in C, and between them the proxy that tests/clients/proxy declares in Rust. Neither says anything
 * of it in its calls; what is told goes to standard output, for the driver to compare.
 */
#define COBJMACROS
#include <windows.h>

#include <oleauto.h>

#include <string.h>

#include "check.h"

#undef INTERFACE
#define INTERFACE IBrowser
DECLARE_INTERFACE_(IBrowser, IUnknown) {
    STDMETHOD(QueryInterface)(THIS_ REFIID iid, void **object) PURE;
    STDMETHOD_(ULONG, AddRef)(THIS) PURE;
    STDMETHOD_(ULONG, Release)(THIS) PURE;
    STDMETHOD(put_StatusText)(THIS_ BSTR text) PURE;
    STDMETHOD(get_StatusText)(THIS_ BSTR *text) PURE;
    STDMETHOD(Rename)(THIS_ BSTR name, BSTR *title) PURE;
    STDMETHOD_(ULONG, Tabs)(THIS) PURE;
};

/* The one function of the library. */
extern IBrowser *checked_browser(IBrowser *browser);

static const IID IID_IBrowser = {
    0x5c1e1b5a, 0x0c0e, 0x4f0b, {0x9b, 0x57, 0x6f, 0x6c, 0x65, 0x6d, 0x65, 0x6d}};

typedef struct Browser {
    IBrowser face;
    LONG references;
    BSTR text;
} Browser;

static unsigned alive;

static Browser *self(IBrowser *face) { return (Browser *)(void *)face; }

static HRESULT STDMETHODCALLTYPE query(IBrowser *face, REFIID iid, void **object) {
    *object = NULL;
    if (!IsEqualIID(iid, &IID_IUnknown) && !IsEqualIID(iid, &IID_IBrowser))
        return E_NOINTERFACE;
    *object = face;
    face->lpVtbl->AddRef(face);
    return S_OK;
}
static ULONG STDMETHODCALLTYPE add_ref(IBrowser *face) {
    return (ULONG)InterlockedIncrement(&self(face)->references);
}
static ULONG STDMETHODCALLTYPE release(IBrowser *face) {
    const LONG left = InterlockedDecrement(&self(face)->references);
    if (left == 0) {
        SysFreeString(self(face)->text);
        free(self(face));
        --alive;
    }
    return (ULONG)left;
}
static HRESULT STDMETHODCALLTYPE put_text(IBrowser *face, BSTR text) {
    SysFreeString(self(face)->text);
    self(face)->text = SysAllocString(text);
    return S_OK;
}
/* A mistake: its own string, and not a copy. */
static HRESULT STDMETHODCALLTYPE get_text(IBrowser *face, BSTR *text) {
    *text = self(face)->text;
    return S_OK;
}
/* Another: the old string is lost. */
static HRESULT STDMETHODCALLTYPE rename_to(IBrowser *face, BSTR name, BSTR *title) {
    (void)face;
    *title = SysAllocString(name);
    return S_OK;
}
static ULONG STDMETHODCALLTYPE tabs(IBrowser *face) {
    (void)face;
    return 3;
}

static IBrowser *create(void) {
    static IBrowserVtbl vtbl = {query, add_ref, release, put_text, get_text, rename_to, tabs};
    Browser *browser = (Browser *)calloc(1, sizeof *browser);
    CHECK(browser != NULL);
    browser->face.lpVtbl = &vtbl;
    browser->references = 1;
    ++alive;
    return &browser->face;
}

/* A client that knows an IBrowser and nothing else. */
static BSTR lost;
static void client(IBrowser *browser) {
    BSTR text = SysAllocString(OLESTR("Ready")), name = SysAllocString(OLESTR("olemem"));
    BSTR first = NULL, second = NULL, title;
    IUnknown *unknown = NULL, *again = NULL;

    CHECK(browser->lpVtbl->Tabs(browser) == 3);
    CHECK(browser->lpVtbl->put_StatusText(browser, text) == S_OK);
    SysFreeString(text);
    CHECK(browser->lpVtbl->get_StatusText(browser, &first) == S_OK);
    CHECK(browser->lpVtbl->get_StatusText(browser, &second) == S_OK);
    CHECK(first == second);
    title = lost = SysAllocString(OLESTR("old"));
    CHECK(browser->lpVtbl->Rename(browser, name, &title) == S_OK);
    SysFreeString(title);
    /* A mistake of the client's: this is no BSTR. */
    CHECK(browser->lpVtbl->put_StatusText(browser, (BSTR)(void *)(name + 1)) == S_OK);
    SysFreeString(name);

    CHECK(browser->lpVtbl->QueryInterface(browser, &IID_IUnknown, (void **)&unknown) == S_OK);
    CHECK(IUnknown_QueryInterface(unknown, &IID_IUnknown, (void **)&again) == S_OK);
    CHECK(unknown == again);
    IUnknown_Release(unknown);
    IUnknown_Release(again);
}

int main(void) {
    olemem_session_options options;
    olemem_session session;
    olemem_report *report;
    const char *story, *numbers;
    IBrowser *browser, *checked;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.backtrace = OLEMEM_BACKTRACE_OFF;
    session = olemem_session_begin(&options);
    CHECK(session != 0);
    CHECK(checked_browser(NULL) == NULL);
    browser = create();
    checked = checked_browser(browser);
    CHECK(checked != NULL && checked != browser);
    browser->lpVtbl->Release(browser);
    CHECK(alive == 1);
    client(checked);
    CHECK(checked->lpVtbl->Release(checked) == 0);
    CHECK(alive == 0);
    report = olemem_session_end(session);
    story = olemem_report_text(report);
    numbers = strstr(story, "olemem: ");
    CHECK(numbers != NULL);
    printf("%.*s", (int)(numbers - story), story);
    olemem_report_release(report);
    SysFreeString(lost);
    return checks_finish();
}
