/*
 * Annotated calls from C: the macros and the functions, in each direction, kept and broken. What is told goes to standard
 * output, for the driver to compare.
 */
#include "crossing.h"

struct page {
    BSTR title;
    LPWSTR path;
};

static HRESULT get_page(struct page *page) {
    page->title = text_of("title");
    return get_path(&page->path);
}
/* Takes the path. */
static HRESULT put_page(struct page *page) {
    CoTaskMemFree(page->path);
    page->path = NULL;
    return S_OK;
}

/* Calls back when it is done. */
static HRESULT navigate(void (*done)(BSTR), BSTR for_whom) {
    done(for_whom);
    return S_OK;
}
static void forget(BSTR text) { SysFreeString(text); }

static void kept(void) {
    BSTR name = text_of("olemem"), title = text_of("old"), text = NULL, own;
    LPWSTR path = NULL;
    WCHAR buffer[4];
    BSTR *titles = NULL;
    ULONG count = 0;
    IUnknown *site = NULL;

    CHECK(OLEMEM_CALL("IBrowser::put_Text", &browser, put_text(OLEMEM_IN_BSTR("text", name))) ==
          S_OK);
    CHECK(OLEMEM_CALL("IBrowser::put_Text", &browser, put_text(OLEMEM_IN_BSTR("text", NULL))) ==
          S_FALSE);
    CHECK(OLEMEM_CALL("IBrowser::get_Text", &browser, get_text(OLEMEM_OUT_BSTR("text", &text))) ==
          S_OK);
    CHECK(is_text(text, "Ready"));
    SysFreeString(text);
    CHECK(OLEMEM_CALL("IBrowser::get_Text", &browser,
                      get_text_fails(OLEMEM_OUT_BSTR("text", &text))) == E_FAIL);
    CHECK(text == NULL);
    CHECK(OLEMEM_CALL("IBrowser::Rename", &browser,
                      rename_to(OLEMEM_IN_BSTR("name", name), OLEMEM_INOUT_BSTR("title", &title))) ==
          S_OK);
    CHECK(is_text(title, "olemem"));
    /* A callback that frees what is the caller's. */
    CHECK(OLEMEM_CALL("IBrowser::get_Text", &browser, get_text(OLEMEM_OUT_BSTR("text", &text))) ==
          S_OK);
    CHECK(OLEMEM_CALL("IBrowser::Navigate", &browser, OLEMEM_ALLOW(OLEMEM_CALLS_BACK),
                      navigate(forget, text)) == S_OK);
    /* A structure, whose members cross. */
    {
        struct page page = {NULL, NULL};
        CHECK(OLEMEM_CALL("IBrowser::get_Page", &browser,
                          OLEMEM_OUT_MEMBER(OLEMEM_BSTR, "page.title", &page.title),
                          OLEMEM_OUT_MEMBER(OLEMEM_STRING, "page.path", &page.path),
                          get_page(&page)) == S_OK);
        CHECK(OLEMEM_CALL("IBrowser::put_Page", &browser,
                          OLEMEM_IN_MEMBER(OLEMEM_BSTR, "page.title", page.title),
                          OLEMEM_INOUT_MEMBER(OLEMEM_STRING, "page.path", &page.path),
                          put_page(&page)) == S_OK);
        CHECK(page.path == NULL);
        SysFreeString(page.title);
    }
    /* Whichever argument a compiler begins with. */
    {
        BSTR old = title;
        CHECK(OLEMEM_CALL("VarBstrCat", NULL,
                          VarBstrCat(OLEMEM_IN_BSTR("left", title), OLEMEM_IN_BSTR("right", name),
                                     OLEMEM_OUT_BSTR("result", &title))) == S_OK);
        SysFreeString(old);
        CHECK(is_text(title, "olememolemem"));
    }
    /* A string of the C library's, and one of nobody's. */
    CHECK(OLEMEM_CALL("IBrowser::put_Path", &browser,
                      put_path(OLEMEM_IN_STRING("path", OLESTR("/")))) == S_OK);
    CHECK(OLEMEM_CALL("IBrowser::get_Path", &browser,
                      get_path(OLEMEM_OUT_STRING("path", &path))) == S_OK);
    CHECK(OLEMEM_CALL("IBrowser::put_Path", &browser, put_path(OLEMEM_IN_STRING("path", path))) ==
          S_OK);
    CoTaskMemFree(path);
    CHECK(OLEMEM_CALL("IBrowser::get_Name", &browser,
                      get_name(OLEMEM_BUFFER("buffer", buffer, sizeof buffer), 4)) == S_OK);
    CHECK(is_text(buffer, "nnn"));

    /* By the functions. */
    {
        olemem_call *call = olemem_call_begin("IBrowser::get_Titles", &browser);
        CHECK(olemem_call_out_array(call, OLEMEM_BSTR, "titles", &titles, &count) == &titles);
        CHECK(olemem_call_end(call, get_titles(&titles, &count)) == S_OK);
        CHECK(count == 2 && is_text(titles[1], "two"));
        call = olemem_call_begin("IBrowser::DropLast", &browser);
        CHECK(olemem_call_array(call, OLEMEM_BSTR, "titles", titles, 2, count, &count) == titles);
        CHECK(olemem_call_end(call, drop_last(titles, &count)) == S_OK);
        CHECK(count == 1);
        SysFreeString(titles[0]);
        CoTaskMemFree(titles);
    }
    own = OLEMEM_CALL_RETURNING(OLEMEM_BSTR, "IBrowser::own_text", &browser, own_text());
    CHECK(is_text(own, "own"));
    SysFreeString(own);
    CHECK(OLEMEM_CALL("IBrowser::get_Site", &browser,
                      get_site(OLEMEM_OUT_INTERFACE("site", &site))) == S_OK);
    CHECK(site == NULL);
    CHECK(OLEMEM_CALL_(ULONG, "IBrowser::count_tabs", &browser,
                       count_tabs(OLEMEM_IN_BSTR("of", name))) == 6);
    OLEMEM_CALL_VOID("IBrowser::close", &browser, close_browser(OLEMEM_IN_BSTR("text", name)));
    SysFreeString(name);
    SysFreeString(title);
}

static void in_freed(void) {
    BSTR text = text_of("Ready");
    HRESULT hr = OLEMEM_CALL("IBrowser::put_Text", &browser,
                             put_text_frees(OLEMEM_IN_BSTR("text", text)));
    CHECK(hr == S_OK);
    /* It is still the caller's, and whole. */
    CHECK(is_text(text, "Ready"));
    SysFreeString(text);
}

static void in_written(void) {
    BSTR text = text_of("Ready");
    OLEMEM_CALL("IBrowser::put_Text", &browser, put_text_writes(OLEMEM_IN_BSTR("text", text)));
    SysFreeString(text);
}

static void in_is_no_bstr(void) {
    static struct {
        UINT bytes;
        OLECHAR units[3];
    } literal = {4, {'h', 'i', 0}};
    OLECHAR array[] = {'h', 'i', 0};
    BSTR text = text_of("something to record");

    SysFreeString(text);
    OLEMEM_CALL("IBrowser::put_Text", &browser, put_text(OLEMEM_IN_BSTR("text", array)));
    olemem_literal(literal.units);
    OLEMEM_CALL("IBrowser::put_Text", &browser, put_text(OLEMEM_IN_BSTR("text", literal.units)));
}

static void in_kept_and_freed_later(void) {
    BSTR text = text_of("Ready"), another = text_of("another");
    OLEMEM_CALL("IBrowser::put_Text", &browser, put_text_keeps(OLEMEM_IN_BSTR("text", text)));
    OLEMEM_CALL("IBrowser::put_Other", &browser,
                (put_text_frees(kept_text), put_text(OLEMEM_IN_BSTR("other", another))));
    SysFreeString(another);
    SysFreeString(text);
}

static void out_not_set(void) {
    BSTR text = NULL;
    SysFreeString(text_of("something to record"));
    OLEMEM_CALL("IBrowser::get_Text", &browser, get_text_forgets(OLEMEM_OUT_BSTR("text", &text)));
    CHECK(text == NULL);
}

static void out_set_on_failure(void) {
    BSTR text = NULL;
    HRESULT hr = OLEMEM_CALL("IBrowser::get_Text", &browser,
                             get_text_fails_full(OLEMEM_OUT_BSTR("text", &text)));
    CHECK(hr == E_FAIL);
}

static void out_set_on_failure_waived(void) {
    BSTR text = NULL;
    OLEMEM_CALL("IBrowser::get_Text", &browser, OLEMEM_ALLOW(OLEMEM_MAY_FAIL_WITH_OUTS),
                get_text_fails_full(OLEMEM_OUT_BSTR("text", &text)));
    CHECK(is_text(text, "half"));
    SysFreeString(text);
}

static void out_of_the_other_family(void) {
    BSTR text = NULL;
    OLEMEM_CALL("IBrowser::get_Text", &browser, get_text_of_task(OLEMEM_OUT_BSTR("text", &text)));
    CHECK(text == NULL);
    CoTaskMemFree(kept_text);
}

static void out_owned_at_entry(void) {
    BSTR text = text_of("lost");
    OLEMEM_CALL("IBrowser::get_Text", &browser, get_text(OLEMEM_OUT_BSTR("text", &text)));
    SysFreeString(text);
}

static void out_handed_out_twice(void) {
    BSTR first = NULL, second = NULL;
    kept_text = text_of("Ready");
    OLEMEM_CALL("IBrowser::get_Text", &browser, get_kept_text(OLEMEM_OUT_BSTR("text", &first)));
    OLEMEM_CALL("IBrowser::get_Text", &browser, get_kept_text(OLEMEM_OUT_BSTR("text", &second)));
    SysFreeString(first);
}

static void inout_leaked(void) {
    BSTR name = text_of("olemem"), title = text_of("old");
    OLEMEM_CALL(
        "IBrowser::Rename", &browser,
        rename_leaks(OLEMEM_IN_BSTR("name", name), OLEMEM_INOUT_BSTR("title", &title)));
    SysFreeString(name);
    SysFreeString(title);
}

static void inout_dangling(void) {
    BSTR name = text_of("olemem"), title = text_of("old");
    OLEMEM_CALL(
        "IBrowser::Rename", &browser,
        rename_dangles(OLEMEM_IN_BSTR("name", name), OLEMEM_INOUT_BSTR("title", &title)));
    CHECK(title == NULL);
    SysFreeString(name);
}

static void inout_changed_on_failure(void) {
    BSTR name = text_of("olemem"), title = text_of("old");
    OLEMEM_CALL(
        "IBrowser::Rename", &browser,
        rename_fails_changed(OLEMEM_IN_BSTR("name", name), OLEMEM_INOUT_BSTR("title", &title)));
    SysFreeString(name);
    SysFreeString(title);
}

/* By the functions: in which order the arguments of a call are looked at is the compiler's choice. */
static void aliased(void) {
    BSTR title = text_of("both");
    olemem_call *call = olemem_call_begin("IBrowser::Rename", &browser);
    BSTR name = olemem_call_in_bstr(call, "name", title);
    CHECK(olemem_call_inout_bstr(call, "title", &title) == &title);
    olemem_call_end(call, rename_to(name, &title));
    SysFreeString(title);
}

static void string_of_the_other_family(void) {
    LPWSTR path = NULL;
    OLEMEM_CALL("IBrowser::get_Path", &browser,
                get_path_as_bstr(OLEMEM_OUT_STRING("path", &path)));
    SysFreeString(kept_text);
}

static void string_freed(void) {
    LPWSTR path = NULL;
    get_path(&path);
    OLEMEM_CALL("IBrowser::put_Path", &browser, put_path_frees(OLEMEM_IN_STRING("path", path)));
    CHECK(is_text(path, "/"));
    CoTaskMemFree(path);
}

static void buffer_overrun(void) {
    WCHAR buffer[4];
    SysFreeString(text_of("something to record"));
    OLEMEM_CALL("IBrowser::get_Name", &browser,
                get_name_too_long(OLEMEM_BUFFER("buffer", buffer, sizeof buffer), 4));
    CHECK(buffer[3] == 'n');
}

static void element_of_the_other_family(void) {
    BSTR *titles = NULL;
    ULONG count = 0;
    OLEMEM_CALL("IBrowser::get_Titles", &browser,
                get_titles_one_of_task(OLEMEM_OUT_ARRAY(OLEMEM_BSTR, "titles", &titles, &count), &count));
    SysFreeString(titles[0]);
    CoTaskMemFree(kept_text);
    CoTaskMemFree(titles);
}

static void element_left_behind(void) {
    BSTR titles[2];
    ULONG count = 2;
    titles[0] = text_of("one");
    titles[1] = text_of("two");
    OLEMEM_CALL("IBrowser::DropLast", &browser,
                drop_last_leaks(OLEMEM_ARRAY(OLEMEM_BSTR, "titles", titles, 2, 2, &count), &count));
    SysFreeString(titles[0]);
}

static void member_not_set(void) {
    struct {
        BSTR title;
    } page = {NULL};
    SysFreeString(text_of("something to record"));
    OLEMEM_CALL("IBrowser::get_Page", &browser,
                get_text_forgets(OLEMEM_OUT_(OLEMEM_BSTR | OLEMEM_MEMBER, "page.title", &page.title)));
}

static void returned_not_a_copy(void) {
    BSTR first, second;
    kept_text = text_of("Ready");
    first = OLEMEM_CALL_RETURNING(OLEMEM_BSTR, "IBrowser::text", &browser, kept_again());
    second = OLEMEM_CALL_RETURNING(OLEMEM_BSTR, "IBrowser::text", &browser, kept_again());
    CHECK(first == second);
    SysFreeString(first);
}

static void interface_set_on_failure(void) {
    IUnknown *site = NULL;
    SysFreeString(text_of("something to record"));
    OLEMEM_CALL("IBrowser::get_Site", &browser,
                get_site_fails_full(OLEMEM_OUT_INTERFACE("site", &site)));
}

static void interfaces_kept(void) {
    IUnknown *site = new_site(), *other = new_site(), *found = NULL;
    add(site);
    CHECK(OLEMEM_CALL("ISited::put_Site", &browser,
                      put_site(OLEMEM_IN_INTERFACE("site", site))) == S_OK);
    CHECK(references(site) == 3);
    CHECK(OLEMEM_CALL("ISited::get_Site", &browser,
                      get_kept_site(OLEMEM_OUT_INTERFACE("site", &found))) == S_OK);
    CHECK(found == site && references(site) == 4);
    CHECK(OLEMEM_CALL("ISited::Swap", &browser,
                      swap_sites(OLEMEM_INOUT_INTERFACE("one", &found),
                                 OLEMEM_INOUT_INTERFACE("other", &other))) == S_OK);
    CHECK(other == site);
    CHECK(OLEMEM_CALL("ISited::ExchangeSite", &browser,
                      exchange_site_fails_empty(OLEMEM_INOUT_INTERFACE("site", &other))) == E_FAIL);
    CHECK(other == NULL && references(site) == 3);
    CHECK(OLEMEM_CALL("ISited::Close", &browser, close_site()) == S_OK);
    CHECK(release(site) == 1);
    CHECK(release(site) == 0);
    release(found);
}

static void in_interface_released(void) {
    IUnknown *site = new_site();
    OLEMEM_CALL("ISited::put_Site", &browser, put_site_releases(OLEMEM_IN_INTERFACE("site", site)));
    CHECK(release(site) == 0);
}

static void in_interface_released_later(void) {
    IUnknown *site = new_site();
    OLEMEM_CALL("ISited::put_Site", &browser, put_site_keeps(OLEMEM_IN_INTERFACE("site", site)));
    OLEMEM_CALL("ISited::Close", &browser, close_site());
    release(site);
}

static void in_interface_leaked(void) {
    IUnknown *site = new_site();
    OLEMEM_CALL("ISited::put_Site", &browser, put_site(OLEMEM_IN_INTERFACE("site", site)));
    CHECK(release(site) == 1);
}

static void out_interface_without_a_reference(void) {
    IUnknown *found = NULL;
    kept_site = new_site();
    OLEMEM_CALL("ISited::get_Site", &browser,
                get_kept_site_as_it_is(OLEMEM_OUT_INTERFACE("site", &found)));
    CHECK(release(found) == 0);
    CHECK(release(kept_site) == 0);
}

static void out_interface_leaked(void) {
    IUnknown *found = NULL;
    kept_site = new_site();
    OLEMEM_CALL("ISited::get_Site", &browser, get_kept_site(OLEMEM_OUT_INTERFACE("site", &found)));
    CHECK(release(found) == 1);
}

static void inout_interface_leaked(void) {
    IUnknown *site = new_site(), *const other = new_site();
    kept_site = other;
    OLEMEM_CALL("ISited::ExchangeSite", &browser,
                exchange_site_leaks(OLEMEM_INOUT_INTERFACE("site", &site)));
    CHECK(site == other && release(other) == 1 && release(other) == 0);
}

static void inout_interface_changed_on_failure(void) {
    IUnknown *site = new_site(), *const other = new_site();
    kept_site = other;
    OLEMEM_CALL("ISited::ExchangeSite", &browser,
                exchange_site_fails_changed(OLEMEM_INOUT_INTERFACE("site", &site)));
    CHECK(site == other && release(other) == 1 && release(other) == 0);
}

static void interface_released_too_often(void) {
    IUnknown *const site = new_site();
    CHECK(release(site) == 0);
    CHECK(release(site) == 0);
}

/* A sink with a method of its own: it counts. */
typedef struct Sink Sink;
typedef struct SinkVtbl {
    IUnknownVtbl unknown;
    HRESULT(STDMETHODCALLTYPE *OnDone)(Sink *This);
} SinkVtbl;
struct Sink {
    const SinkVtbl *lpVtbl;
};
static const IID IID_Sink = {0x5173, 0, 0, {0, 0, 0, 0, 0, 0, 0, 2}};

static HRESULT STDMETHODCALLTYPE on_done(Sink *sink) {
    unsigned *calls = (unsigned *)olemem_counting_state(sink);
    if (calls == NULL)
        return E_UNEXPECTED;
    ++*calls;
    return S_OK;
}

static unsigned destroyed;
static void STDMETHODCALLTYPE destroy(void *calls) {
    CHECK(*(unsigned *)calls == 1);
    ++destroyed;
}

static void interface_called_when_gone(void) {
    static const SinkVtbl methods = {{NULL, NULL, NULL}, on_done};
    static unsigned calls;
    void *other = &calls;
    Sink *sink =
        (Sink *)olemem_counting_object(&methods, sizeof methods, &IID_Sink, 1, &calls, destroy);
    IUnknown *unknown = (IUnknown *)sink;
    CHECK(unknown->lpVtbl->QueryInterface(unknown, &IID_Sink, &other) == S_OK && other == sink);
    CHECK(release(unknown) == 1);
    CHECK(unknown->lpVtbl->QueryInterface(unknown, &IID_IMalloc, &other) == E_NOINTERFACE);
    CHECK(other == NULL);
    CHECK(sink->lpVtbl->OnDone(sink) == S_OK);
    CHECK(release(unknown) == 0);
    CHECK(destroyed == 0);
    CHECK(sink->lpVtbl->OnDone(sink) == E_UNEXPECTED);
}

/* Where there is no session, and with what is no call. */
static void nothing(void) {
    BSTR text = text_of("Ready");
    WCHAR buffer[4];
    CHECK(olemem_call_begin("IBrowser::put_Text", &browser) == NULL);
    CHECK(OLEMEM_CALL("IBrowser::put_Text", &browser, put_text(OLEMEM_IN_BSTR("text", text))) ==
          S_OK);
    CHECK(olemem_call_buffer(NULL, "buffer", buffer, sizeof buffer) == (void *)buffer);
    olemem_call_allow(NULL, OLEMEM_CALLS_BACK);
    olemem_call_abandon(NULL);
    CHECK(olemem_call_end(NULL, E_FAIL) == E_FAIL);
    CHECK(olemem_call_end_with(NULL, OLEMEM_BSTR, text) == (void *)text);
    SysFreeString(text);
}

#ifndef OLEMEM_NO_AUDIT
/* What the library does not know, and names that are none. */
static void unknown(void) {
    BSTR text = text_of("Ready");
    olemem_call *call = olemem_call_begin(NULL, NULL);
    CHECK(call != NULL);
    CHECK(olemem_call_in(call, 77, "text", text) == (void *)text);
    CHECK(olemem_call_in(call, OLEMEM_BSTR, NULL, text) == (void *)text);
    CHECK(olemem_call_in(call, OLEMEM_BSTR, "\xFF", text) == (void *)text);
    olemem_call_abandon(call);
    SysFreeString(text);
}
#endif

/* `crossing kept`: what breaks no rule, for a build without the audit. */
int main(int count, char **arguments) {
    nothing();
    if (count > 1 && strcmp(arguments[1], "kept") == 0) {
        kept();
        return checks_finish();
    }
#define CASE(name) JUDGED(name);
    ALL_CASES(CASE)
    CHECK(destroyed == 1);
#ifndef OLEMEM_NO_AUDIT
    JUDGED(unknown);
#endif
    return checks_finish();
}
