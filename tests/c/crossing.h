/* What the programs on annotated calls share: methods that keep the rules and break them, and the telling. */
#ifndef CROSSING_H
#define CROSSING_H

#ifdef __cplusplus
#define AS(type, value) static_cast<type>(value)
#define NOTHING nullptr
#else
#define AS(type, value) ((type)(value))
#define NOTHING NULL
#endif

#include <windows.h>

#include <oleauto.h>
#include <objbase.h>

#include <string.h>

#include "check.h"

/* An object: calls are made on its address. */
static char browser;
static BSTR kept_text;
/* Every string, so that a leak checker sees those that are lost on purpose. */
static BSTR volatile made[80];
static unsigned made_count;

static BSTR text_of(const char *ascii) {
    OLECHAR units[32];
    UINT length = 0;
    BSTR text;
    for (; ascii[length] != 0; ++length)
        units[length] = AS(OLECHAR, ascii[length]);
    text = SysAllocStringLen(units, length);
    CHECK(made_count < sizeof made / sizeof made[0]);
    made[made_count] = text;
    ++made_count;
    return text;
}

static int is_text(const OLECHAR *text, const char *ascii) {
    size_t at = 0;
    for (; ascii[at] != 0; ++at)
        if (text == NOTHING || text[at] != AS(OLECHAR, ascii[at]))
            return 0;
    return text != NOTHING && text[at] == 0;
}

/* [in] BSTR */
static HRESULT put_text(BSTR text) { return text == NOTHING ? S_FALSE : S_OK; }
static HRESULT put_text_frees(BSTR text) {
    SysFreeString(text);
    return S_OK;
}
static HRESULT put_text_writes(BSTR text) {
    text[0] = 'r';
    return S_OK;
}
static HRESULT put_text_keeps(BSTR text) {
    kept_text = text;
    return S_OK;
}

/* [out] BSTR */
static HRESULT get_text(BSTR *text) {
    *text = text_of("Ready");
    return S_OK;
}
static HRESULT get_text_fails(BSTR *text) {
    *text = NOTHING;
    return E_FAIL;
}
static HRESULT get_text_forgets(BSTR *text) {
    (void)text;
    return S_OK;
}
static HRESULT get_text_fails_full(BSTR *text) {
    *text = text_of("half");
    return E_FAIL;
}
static HRESULT get_text_of_task(BSTR *text) {
    *text = AS(BSTR, CoTaskMemAlloc(12));
    kept_text = *text;
    return S_OK;
}
static HRESULT get_kept_text(BSTR *text) {
    *text = kept_text;
    return S_OK;
}

/* [in, out] BSTR */
static HRESULT rename_to(BSTR name, BSTR *title) {
    const BSTR copy = SysAllocStringLen(name, SysStringLen(name));
    SysFreeString(*title);
    *title = copy;
    return S_OK;
}
static HRESULT rename_leaks(BSTR name, BSTR *title) {
    *title = SysAllocStringLen(name, SysStringLen(name));
    return S_OK;
}
static HRESULT rename_dangles(BSTR name, BSTR *title) {
    (void)name;
    SysFreeString(*title);
    return S_OK;
}
static HRESULT rename_fails_changed(BSTR name, BSTR *title) {
    rename_to(name, title);
    return E_FAIL;
}

/* LPWSTR */
static HRESULT get_path(LPWSTR *path) {
    *path = AS(LPWSTR, CoTaskMemAlloc(2 * sizeof(WCHAR)));
    (*path)[0] = '/';
    (*path)[1] = 0;
    return S_OK;
}
static HRESULT get_path_as_bstr(LPWSTR *path) {
    kept_text = text_of("/");
    *path = kept_text;
    return S_OK;
}
static HRESULT put_path(LPCWSTR path) { return path[0] == '/' ? S_OK : E_FAIL; }
static HRESULT put_path_frees(LPWSTR path) {
    CoTaskMemFree(path);
    return S_OK;
}

/* Caller-sized buffers */
static HRESULT get_name(WCHAR *buffer, ULONG units) {
    for (ULONG at = 0; at + 1 < units; ++at)
        buffer[at] = 'n';
    buffer[units - 1] = 0;
    return S_OK;
}
static HRESULT get_name_too_long(WCHAR *buffer, ULONG units) { return get_name(buffer, units + 1); }

/* Arrays */
static HRESULT get_titles(BSTR **titles, ULONG *count) {
    *titles = AS(BSTR *, CoTaskMemAlloc(2 * sizeof(BSTR)));
    (*titles)[0] = text_of("one");
    (*titles)[1] = text_of("two");
    *count = 2;
    return S_OK;
}
static HRESULT get_titles_one_of_task(BSTR **titles, ULONG *count) {
    get_titles(titles, count);
    SysFreeString((*titles)[1]);
    kept_text = AS(BSTR, CoTaskMemAlloc(8));
    (*titles)[1] = kept_text;
    return S_OK;
}
static HRESULT drop_last(BSTR *titles, ULONG *count) {
    SysFreeString(titles[--*count]);
    return S_OK;
}
static HRESULT drop_last_leaks(BSTR *titles, ULONG *count) {
    kept_text = titles[--*count];
    return S_OK;
}

/* Returned values */
static BSTR own_text(void) { return text_of("own"); }
static BSTR kept_again(void) { return kept_text; }

/* Interfaces: nobody looks into the object. */
static HRESULT get_site(IUnknown **site) {
    *site = NOTHING;
    return S_OK;
}
static HRESULT get_site_fails_full(IUnknown **site) {
    *site = AS(IUnknown *, AS(void *, &browser));
    return E_NOINTERFACE;
}
/* The same with counting objects. */
static IUnknown *kept_site;
#if defined(__cplusplus)
static void add(IUnknown *site) { site->AddRef(); }
static ULONG release(IUnknown *site) { return site->Release(); }
#else
static void add(IUnknown *site) { site->lpVtbl->AddRef(site); }
static ULONG release(IUnknown *site) { return site->lpVtbl->Release(site); }
#endif
/* Every site, as for strings. */
static IUnknown *volatile made_sites[20];
static unsigned made_sites_count;
static IUnknown *new_site(void) {
    void *const made = olemem_counting_object(NOTHING, 0, NOTHING, 0, NOTHING, NOTHING);
    IUnknown *const site = AS(IUnknown *, made);
    CHECK(site != NOTHING && made_sites_count < sizeof made_sites / sizeof made_sites[0]);
    made_sites[made_sites_count] = site;
    ++made_sites_count;
    return site;
}
static ULONG references(IUnknown *site) { return olemem_counting_references(site); }
static HRESULT put_site(IUnknown *site) {
    add(site);
    kept_site = site;
    return S_OK;
}
static HRESULT put_site_keeps(IUnknown *site) {
    kept_site = site;
    return S_OK;
}
static HRESULT put_site_releases(IUnknown *site) {
    release(site);
    return S_OK;
}
static HRESULT close_site(void) {
    release(kept_site);
    return S_OK;
}
static HRESULT get_kept_site(IUnknown **site) {
    *site = kept_site;
    add(kept_site);
    return S_OK;
}
static HRESULT get_kept_site_as_it_is(IUnknown **site) {
    *site = kept_site;
    return S_OK;
}
static HRESULT swap_sites(IUnknown **one, IUnknown **other) {
    IUnknown *const held = *one;
    *one = *other;
    *other = held;
    return S_OK;
}
static HRESULT exchange_site_leaks(IUnknown **site) {
    IUnknown *const old = *site;
    get_kept_site(site);
    kept_site = old;
    return S_OK;
}
static HRESULT exchange_site_fails_empty(IUnknown **site) {
    release(*site);
    *site = NOTHING;
    return E_FAIL;
}
static HRESULT exchange_site_fails_changed(IUnknown **site) {
    release(*site);
    get_kept_site(site);
    return E_FAIL;
}
static ULONG count_tabs(BSTR of) { return SysStringLen(of); }
static void close_browser(BSTR text) { (void)text; }

/* Runs a case in a session that keeps no stacks, and says what is told of it. */
static void judged(const char *name, void (*run)(void)) {
    olemem_session_options options;
    olemem_session session;
    olemem_report *report;
    const char *story, *numbers;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.backtrace = OLEMEM_BACKTRACE_OFF;
    session = olemem_session_begin(&options);
    CHECK(session != 0);
    run();
    report = olemem_session_end(session);
    story = olemem_report_text(report);
    numbers = strstr(story, "olemem: ");
    CHECK(numbers != NOTHING);
    printf("== %s\n%.*s", name, AS(int, numbers - story), story);
    olemem_report_release(report);
}
#define JUDGED(name) judged(#name, name)

/* Every case, by the name that the transcript has for it. */
#define ALL_CASES(CASE)                                                                            \
    CASE(kept)                                                                                     \
    CASE(in_freed)                                                                                 \
    CASE(in_written)                                                                               \
    CASE(in_is_no_bstr)                                                                            \
    CASE(in_kept_and_freed_later)                                                                  \
    CASE(out_not_set)                                                                              \
    CASE(out_set_on_failure)                                                                       \
    CASE(out_set_on_failure_waived)                                                                \
    CASE(out_of_the_other_family)                                                                  \
    CASE(out_owned_at_entry)                                                                       \
    CASE(out_handed_out_twice)                                                                     \
    CASE(inout_leaked)                                                                             \
    CASE(inout_dangling)                                                                           \
    CASE(inout_changed_on_failure)                                                                 \
    CASE(aliased)                                                                                  \
    CASE(string_of_the_other_family)                                                               \
    CASE(string_freed)                                                                             \
    CASE(buffer_overrun)                                                                           \
    CASE(element_of_the_other_family)                                                              \
    CASE(element_left_behind)                                                                      \
    CASE(member_not_set)                                                                           \
    CASE(returned_not_a_copy)                                                                      \
    CASE(interface_set_on_failure)                                                                 \
    CASE(interfaces_kept)                                                                          \
    CASE(in_interface_released)                                                                    \
    CASE(in_interface_released_later)                                                              \
    CASE(in_interface_leaked)                                                                      \
    CASE(out_interface_without_a_reference)                                                        \
    CASE(out_interface_leaked)                                                                     \
    CASE(inout_interface_leaked)                                                                   \
    CASE(inout_interface_changed_on_failure)                                                       \
    CASE(interface_released_too_often)                                                             \
    CASE(interface_called_when_gone)

#endif
